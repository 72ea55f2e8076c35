//! The one error of this crate: a sentence for the person who reads the run.
//! Core: values only.

/// What went wrong, said so that a person can act on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

pub type Outcome<T> = Result<T, Failure>;

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure(error.to_string())
    }
}

/// Says what was being tried when an error came up from below.
pub trait While<T> {
    fn while_doing(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: std::fmt::Display> While<T> for Result<T, E> {
    fn while_doing(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{}: {error}", what())))
    }
}

/// Shorthand for the end of a path that found something untrue.
pub fn fail<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Failure(what.into()))
}
