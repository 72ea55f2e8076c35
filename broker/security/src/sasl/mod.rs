//! Logins by SASL: what a listener is set up with, and what every mechanism has in common.
//! Core. Knows tokens and no frames: `api` takes them out of requests (`authentication.rs` there).
//!
//! Reading order: `plain`, `scram_messages`, `scram_server`, `jwt`, `jwks`, `oauthbearer`, `session`, `client`.
//!
//! Invariants:
//! - S1. A login ends with a name or with a failure; nothing is known of a client before.
//! - S2. What a client is told of a failure says nothing of who exists, but where Kafka's own words do.
//! - S3. No secret is in a failure: names and reasons only.

mod client;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod hostile_tests;
mod jwks;
mod jwt;
mod oauthbearer;
mod plain;
mod scram_messages;
mod scram_server;
mod session;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::scram::{ScramCredentials, ScramMechanism};
use crate::secret::Secret;
use crate::tokens::TokenLogins;

pub use client::{ClientError, ClientStep, Credentials, SaslClient};
pub use jwks::{IssuerKeys, KeySet, KeySetError, SignedRules, SignedTokens};
pub use jwt::{AcceptedToken, TokenError, TokenValidator, UnsecuredTokens};
pub use session::{Expects, Outcome, Session};

/// Random bytes that one step may use.
pub const RANDOM_BYTES: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SaslMechanism {
    Plain,
    Scram(ScramMechanism),
    OauthBearer,
}

impl SaslMechanism {
    pub const ALL: [SaslMechanism; 4] = [
        SaslMechanism::Plain,
        SaslMechanism::Scram(ScramMechanism::Sha256),
        SaslMechanism::Scram(ScramMechanism::Sha512),
        SaslMechanism::OauthBearer,
    ];

    /// By its name, as it is: Kafka tells `plain` from `PLAIN`.
    pub fn from_name(name: &str) -> Option<SaslMechanism> {
        SaslMechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::Scram(ScramMechanism::Sha256) => "SCRAM-SHA-256",
            SaslMechanism::Scram(ScramMechanism::Sha512) => "SCRAM-SHA-512",
            SaslMechanism::OauthBearer => "OAUTHBEARER",
        }
    }
}

/// A mechanism that a listener offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnabledMechanism {
    pub mechanism: SaslMechanism,
    /// `connections.max.reauth.ms`: the longest life of a session; `None` sets no bound.
    pub session_max: Option<Duration>,
}

/// Everything a listener needs to let its clients log in.
#[derive(Debug, Default)]
pub struct SaslServer {
    /// In the order in which clients are told.
    pub enabled: Vec<EnabledMechanism>,
    /// The users of PLAIN.
    pub plain_users: BTreeMap<String, Secret>,
    /// Which tokens OAUTHBEARER accepts.
    pub tokens: Option<TokenValidator>,
}

impl SaslServer {
    pub fn enabled(&self, name: &str) -> Option<EnabledMechanism> {
        self.enabled.iter().copied().find(|enabled| enabled.mechanism.name() == name)
    }
}

/// What is true when a token comes.
pub struct Facts<'a> {
    pub server: &'a SaslServer,
    pub scram: &'a ScramCredentials,
    /// Where there are delegation tokens.
    pub tokens: Option<&'a dyn TokenLogins>,
    /// Of this process; the answers to SCRAM names that nobody has are made of it.
    pub decoy_key: &'a Secret,
    /// Nobody has seen these bytes.
    pub random: [u8; RANDOM_BYTES],
    /// On the steady clock.
    pub now: Duration,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}

/// What a mechanism makes of one token.
#[derive(Debug)]
enum Step {
    Challenge(Vec<u8>),
    Done { token: Vec<u8>, login: Login },
}

/// Whom a mechanism let in.
#[derive(PartialEq, Eq, Debug)]
struct Login {
    name: String,
    /// When the credential ends, if it does: milliseconds since 1970.
    expires_wall_ms: Option<i64>,
    is_by_delegation_token: bool,
}

impl Login {
    fn of(name: String) -> Login {
        Login { name, expires_wall_ms: None, is_by_delegation_token: false }
    }
}

/// Why a login failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// For the client; `None` is Kafka's one text for whatever must not be told.
    told: Option<String>,
    /// For the broker's own log.
    pub why: String,
    /// Whom the client named, if it came so far.
    pub name: Option<String>,
}

impl Failure {
    /// The client hears nothing of the reason.
    fn hidden(why: impl Into<String>) -> Failure {
        Failure { told: None, why: why.into(), name: None }
    }

    /// The client hears what is logged.
    fn told(why: impl Into<String>) -> Failure {
        let why = why.into();
        Failure { told: Some(why.clone()), why, name: None }
    }

    fn of(mut self, name: &str) -> Failure {
        self.name = Some(name.to_owned());
        self
    }
}

/// Kafka's words in all mechanisms but OAUTHBEARER (CVE-2017-12610).
const FOREIGN_AUTHORIZATION_ID: &str =
    "Authentication failed: Client requested an authorization id that is different from username";
