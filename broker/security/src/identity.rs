//! What a connection is known as once its client has said who it is.
//! Core.

use std::sync::LazyLock;

use crate::principal::KafkaPrincipal;

/// The identity of a connection. It never changes: a re-authentication puts another one in its place,
/// and requests that were admitted before keep theirs.
#[derive(Debug)]
pub struct Identity {
    pub principal: KafkaPrincipal,
}

impl Identity {
    /// A client of a listener that does not authenticate.
    pub fn anonymous() -> &'static Identity {
        static ANONYMOUS: LazyLock<Identity> =
            LazyLock::new(|| Identity { principal: KafkaPrincipal::ANONYMOUS });
        &ANONYMOUS
    }
}
