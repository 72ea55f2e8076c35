use crate::failure::Outcome;
use crate::steps::{Setting, Steps};
pub const WORDS_PATH: &str = "/usr/share/dict/words";
pub fn play(_: &Setting, _: &mut Steps) -> Outcome<()> {
    Ok(())
}
