//! Why a group of the newer protocols refuses.
//! Core.

use ottla_model::ErrorCode;

/// Why a group refuses; the text is Kafka's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupError {
    pub code: ErrorCode,
    pub message: String,
}

impl GroupError {
    pub(in crate::group) fn new(code: ErrorCode, message: impl Into<String>) -> GroupError {
        GroupError { code, message: message.into() }
    }
}

impl From<ErrorCode> for GroupError {
    fn from(code: ErrorCode) -> GroupError {
        GroupError { code, message: code.message().to_owned() }
    }
}
