//! What the protocol tests share: the golden bytes, and a seeded source of numbers.
//! Shell: reads the committed files.

pub mod golden;
pub mod seeded;
