//! Names and numbers of consumer groups.
//! Core.

use std::fmt;
use std::sync::Arc;

macro_rules! shared_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> $name {
                $name(Arc::from(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

shared_text!(
    /// A group's name, as its members give it.
    GroupId
);
shared_text!(
    /// A member's name within its group, given by the coordinator.
    MemberId
);

/// The number of one stable assignment of a classic group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GenerationId(pub i32);

impl GenerationId {
    /// A commit from outside a group's protocol.
    pub const NONE: GenerationId = GenerationId(-1);
}
