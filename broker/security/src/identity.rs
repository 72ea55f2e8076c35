//! What a connection is known as once its client has said who it is.
//! Core.

use std::sync::LazyLock;
use std::time::Duration;

use crate::principal::KafkaPrincipal;
use crate::sasl::SaslMechanism;

/// The identity of a connection. It never changes: a re-authentication puts another one in its place,
/// and requests that were admitted before keep theirs.
#[derive(Debug)]
pub struct Identity {
    pub principal: KafkaPrincipal,
    /// How the client logged in; `None` where the listener has no SASL.
    pub mechanism: Option<SaslMechanism>,
    /// The end of the session on the steady clock, if it has one (KIP-368).
    pub expires_at: Option<Duration>,
    /// Logged in with a delegation token, which may not make others (KIP-48).
    pub is_by_delegation_token: bool,
}

impl Identity {
    /// A client of a listener that does not authenticate.
    pub fn anonymous() -> &'static Identity {
        static ANONYMOUS: LazyLock<Identity> =
            LazyLock::new(|| Identity::without_sasl(KafkaPrincipal::ANONYMOUS));
        &ANONYMOUS
    }

    /// Who is known by something else than a login, as long as the connection lasts.
    pub fn without_sasl(principal: KafkaPrincipal) -> Identity {
        Identity { principal, mechanism: None, expires_at: None, is_by_delegation_token: false }
    }

    /// Whether the session has ended; one without an end has not.
    pub fn is_expired(&self, now: Duration) -> bool {
        self.expires_at.is_some_and(|end| now > end)
    }
}
