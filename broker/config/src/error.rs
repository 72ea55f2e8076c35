//! What can be wrong with a config, in Kafka's words and with the kind that decides the error code.
//! Core.

/// Which of Kafka's two answers a refused change gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// INVALID_CONFIG (40).
    InvalidConfig,
    /// INVALID_REQUEST (42): what Kafka answers for refused broker changes.
    InvalidRequest,
}

/// A refused config; the message names the key, the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    pub kind: ConfigErrorKind,
    /// The key at fault, when it is one key.
    pub key: Option<String>,
    pub message: String,
}

impl ConfigError {
    pub fn invalid_config(message: impl Into<String>) -> Self {
        ConfigError { kind: ConfigErrorKind::InvalidConfig, key: None, message: message.into() }
    }

    pub fn invalid_request(message: impl Into<String>) -> Self {
        ConfigError { kind: ConfigErrorKind::InvalidRequest, key: None, message: message.into() }
    }

    /// Kafka's ConfigException text for one value.
    pub(crate) fn value(name: &str, value: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        ConfigError::invalid_config(format!("Invalid value {value} for configuration {name}: {why}"))
            .about(name)
    }

    pub(crate) fn about(mut self, name: &str) -> Self {
        self.key = Some(name.to_owned());
        self
    }

    /// The same error as a refused broker change is answered.
    pub(crate) fn into_request_error(mut self) -> Self {
        self.kind = ConfigErrorKind::InvalidRequest;
        self
    }
}

/// Something odd that does not stop the start; said once in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub key: String,
    pub message: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
