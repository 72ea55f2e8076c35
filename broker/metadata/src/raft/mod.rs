//! The quorum of controllers: how several nodes agree on one metadata log.
//! Cores (`wire`, `founding`) and their shells.
//!
//! Reading order: `wire`, `founding`.

pub mod founding;
pub mod wire;
