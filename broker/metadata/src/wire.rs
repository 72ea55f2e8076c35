//! Small steps between this room's types and those of the wire.
//! Core.

use ottla_protocol::StrBytes;

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
