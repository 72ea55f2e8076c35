//! What can be wrong with the TLS of a listener: always with the key that says it.
//! Core.

/// A refused TLS configuration. No message holds a password or a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct TlsError {
    /// The configuration key at fault, as it was given.
    pub key: String,
    pub message: String,
}

impl TlsError {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> TlsError {
        TlsError { key: key.into(), message: message.into() }
    }
}

/// Why the bytes of a store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the password is wrong, or the file was changed")]
    WrongPassword,
    #[error("the password of its key is wrong")]
    WrongKeyPassword,
    #[error("{0}")]
    Malformed(String),
}

impl Unreadable {
    pub(super) fn malformed(why: impl Into<String>) -> Unreadable {
        Unreadable::Malformed(why.into())
    }
}
