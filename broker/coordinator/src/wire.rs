//! The text of Kafka's schemas, in which the records of this room are written.
//! Core.

pub use ottla_protocol::StrBytes;

/// Text of ours as the wire's type.
pub fn text(text: &str) -> StrBytes {
    if text.is_empty() { StrBytes::default() } else { StrBytes::from_string(text.to_owned()) }
}
