//! What every handler uses.
//! Core.

pub use std::sync::Arc;

pub use ottla_protocol::StrBytes;

pub use ottla_security::AclOperation;

pub use crate::access::Access;
pub use crate::context::Broker;
pub use crate::request::{Handled, Request, forward_to_controller, park};
pub use crate::table::{self, Api};

/// A text of ours as the wire's.
pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// An error's text; success has none.
pub fn message(text: impl Into<String>) -> Option<StrBytes> {
    Some(StrBytes::from_string(text.into()))
}
