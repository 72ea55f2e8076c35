//! What goes wrong in a command, in the words of Kafka's Java classes: scripts look for them.
//! Core.

use ottla_model::ErrorCode;

/// What Kafka's tools throw: a class of Java and a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    pub class: String,
    pub message: String,
}

/// Why a command ends early.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong: the message, then what would be right.
    Usage(String),
    /// Something the broker, or the way to it, said.
    Kafka(Exception),
    /// A sentence that stands for itself, and the exit code behind it.
    Sentence(String, i32),
    /// Everything was said; only the exit code is left.
    Exit(i32),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            // A pipe that nobody reads any more ends a command quietly.
            std::io::ErrorKind::BrokenPipe => Failure::Exit(1),
            _ => Failure::Sentence(error.to_string(), 1),
        }
    }
}

impl From<Exception> for Failure {
    fn from(exception: Exception) -> Failure {
        Failure::Kafka(exception)
    }
}

const ERRORS: &str = "org.apache.kafka.common.errors.";

impl Exception {
    pub fn new(class: &str, message: impl Into<String>) -> Exception {
        Exception { class: class.to_owned(), message: message.into() }
    }

    /// One of Kafka's own.
    pub fn kafka(name: &str, message: impl Into<String>) -> Exception {
        Exception { class: format!("{ERRORS}{name}"), message: message.into() }
    }

    pub fn illegal_argument(message: impl Into<String>) -> Exception {
        Exception::new("java.lang.IllegalArgumentException", message)
    }

    /// That of an error code, with the broker's own message where it sent one.
    pub fn of(code: i16, message: Option<&str>) -> Exception {
        let Some(error) = ErrorCode::from_code(code) else {
            return Exception::kafka("UnknownServerException", format!("Unexpected error code {code}"));
        };
        Exception::kafka(
            &class_of(error),
            message.filter(|message| !message.is_empty()).unwrap_or_else(|| error.message()),
        )
    }

    /// `Ok` for the code of success.
    pub fn check(code: i16, message: Option<&str>) -> Result<(), Exception> {
        if code == 0 { Ok(()) } else { Err(Exception::of(code, message)) }
    }

    pub fn is_of(&self, error: ErrorCode) -> bool {
        self.class.strip_prefix(ERRORS) == Some(class_of(error).as_str())
    }
}

impl std::fmt::Display for Exception {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.class, self.message)
    }
}

/// The class of an error code: its name, but for those that Kafka named otherwise.
fn class_of(error: ErrorCode) -> String {
    let name = match error {
        ErrorCode::UnknownServerError => "UnknownServerException",
        ErrorCode::CorruptMessage => "CorruptRecordException",
        ErrorCode::RequestTimedOut => "TimeoutException",
        ErrorCode::MessageTooLarge => "RecordTooLargeException",
        ErrorCode::NetworkException => "NetworkException",
        ErrorCode::InvalidTopicException => "InvalidTopicException",
        ErrorCode::RecordListTooLarge => "RecordBatchTooLargeException",
        ErrorCode::TopicAuthorizationFailed => "TopicAuthorizationException",
        ErrorCode::GroupAuthorizationFailed => "GroupAuthorizationException",
        ErrorCode::ClusterAuthorizationFailed => "ClusterAuthorizationException",
        ErrorCode::TopicAlreadyExists => "TopicExistsException",
        ErrorCode::InvalidConfig => "InvalidConfigurationException",
        ErrorCode::NonEmptyGroup => "GroupNotEmptyException",
        other => return format!("{}Exception", other.name()),
    };
    name.to_owned()
}

/// The name of an error as Kafka's `Errors` has it: `UNKNOWN_TOPIC_OR_PARTITION`.
pub fn constant_name(error: ErrorCode) -> String {
    let mut name = String::new();
    for letter in error.name().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_becomes_kafka_s_class_and_the_broker_s_message() {
        let exists = Exception::of(ErrorCode::TopicAlreadyExists.code(), Some("Topic 'a' already exists."));
        assert_eq!(
            exists.to_string(),
            "org.apache.kafka.common.errors.TopicExistsException: Topic 'a' already exists."
        );
        assert!(exists.is_of(ErrorCode::TopicAlreadyExists) && !exists.is_of(ErrorCode::InvalidConfig));
        let plain = Exception::of(ErrorCode::NotCoordinator.code(), None);
        assert_eq!(
            plain.to_string(),
            "org.apache.kafka.common.errors.NotCoordinatorException: This is not the correct coordinator."
        );
        assert_eq!(
            Exception::of(ErrorCode::NotCoordinator.code(), Some("")),
            plain,
            "no words are no message"
        );
        assert!(Exception::check(0, None).is_ok() && Exception::check(3, None).is_err());
    }

    #[test]
    fn a_constant_has_words_between_underscores() {
        assert_eq!(constant_name(ErrorCode::UnknownTopicOrPartition), "UNKNOWN_TOPIC_OR_PARTITION");
    }
}
