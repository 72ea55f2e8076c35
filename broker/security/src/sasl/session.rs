//! One connection's way to an identity (Kafka's SaslServerAuthenticator, KIP-368): what may come next, and what becomes of it.
//! Core.
//!
//! ```text
//! start -- ApiVersions (once) --> told -- SaslHandshake --> tokens -- complete --> open -- SaslHandshake --> tokens
//!   `------------ SaslHandshake ----------------------------^                     (a session that has an end)
//! ```
//!
//! Invariants:
//! - S1. A failure is the end: whatever comes afterwards is not looked at.
//! - S2. A new authentication keeps principal and mechanism, or ends the connection.

use std::sync::Arc;
use std::time::Duration;

use super::oauthbearer::OauthServer;
use super::scram_server::ScramServer;
use super::{EnabledMechanism, Facts, Failure, Login, SaslMechanism, Step, plain};
use crate::identity::Identity;
use crate::principal::KafkaPrincipal;

/// Between two beginnings of a re-authentication (KIP-368).
const AGAIN_INTERVAL: Duration = Duration::from_secs(1);

/// What a connection may send next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expects {
    /// ApiVersions or SaslHandshake.
    Start,
    /// SaslHandshake: versions were told.
    Handshake,
    /// Tokens as they are (a handshake of version 0).
    RawToken,
    /// Tokens in SaslAuthenticate.
    Authenticate,
    /// Requests.
    Requests,
    /// Nothing more.
    Nothing,
}

pub struct Session {
    phase: Phase,
    /// The one that was chosen last.
    mechanism: Option<SaslMechanism>,
    /// Who authenticates again.
    again: Option<Arc<Identity>>,
    /// When that began last.
    begun: Option<Duration>,
}

enum Phase {
    Start,
    Told,
    Tokens {
        exchange: Box<Exchange>,
        enabled: EnabledMechanism,
        is_raw: bool,
    },
    /// The handshake of a re-authentication named another mechanism, which the next token finds out.
    OtherMechanism {
        why: String,
    },
    Open,
    Failed,
}

enum Exchange {
    Plain,
    Scram(ScramServer),
    Oauth(OauthServer),
}

/// What a token leads to.
#[derive(Debug)]
pub enum Outcome {
    Reply(Vec<u8>),
    /// The client is known from here on.
    Done {
        reply: Vec<u8>,
        identity: Arc<Identity>,
        lifetime: Option<Duration>,
    },
    /// The login is over; the client is told `told`, if its protocol has a place for it, or nothing at all.
    Failed {
        failure: Failure,
        told: Option<String>,
    },
}

impl Default for Session {
    fn default() -> Session {
        Session { phase: Phase::Start, mechanism: None, again: None, begun: None }
    }
}

impl Session {
    pub fn expects(&self) -> Expects {
        match &self.phase {
            Phase::Start => Expects::Start,
            Phase::Told => Expects::Handshake,
            Phase::Tokens { is_raw: true, .. } => Expects::RawToken,
            Phase::Tokens { is_raw: false, .. } | Phase::OtherMechanism { .. } => Expects::Authenticate,
            Phase::Open => Expects::Requests,
            Phase::Failed => Expects::Nothing,
        }
    }

    pub fn is_again(&self) -> bool {
        self.again.is_some()
    }

    /// The mechanism that was chosen last, for those who tell of a failure.
    pub fn mechanism(&self) -> Option<SaslMechanism> {
        self.mechanism
    }

    /// ApiVersions was answered well; it is not asked twice.
    pub fn on_told(&mut self) {
        assert!(matches!(self.phase, Phase::Start), "versions are told at the start");
        self.phase = Phase::Told;
    }

    /// The login is over, whatever the reason: no frame is looked at any more.
    pub fn on_failure(&mut self) {
        self.phase = Phase::Failed;
    }

    /// A handshake came over an open connection. True when it begins a new authentication: the session has an
    /// end, and the last beginning is a second ago.
    pub fn begin_again(&mut self, identity: Arc<Identity>, now: Duration) -> bool {
        assert!(matches!(self.phase, Phase::Open), "only who is known authenticates again");
        let is_too_soon = self.begun.is_some_and(|begun| now.saturating_sub(begun) < AGAIN_INTERVAL);
        if identity.expires_at.is_none() || is_too_soon {
            return false;
        }
        self.begun = Some(now);
        self.again = Some(identity);
        self.phase = Phase::Told;
        true
    }

    /// A mechanism that is enabled was chosen.
    pub fn on_handshake(&mut self, enabled: EnabledMechanism, version: i16) {
        assert!(matches!(self.phase, Phase::Start | Phase::Told), "a handshake is at the start");
        let mechanism = enabled.mechanism;
        self.mechanism = Some(mechanism);
        let before = self.again.as_ref().and_then(|identity| identity.mechanism);
        if let Some(before) = before.filter(|before| *before != mechanism) {
            let why = format!(
                "SASL mechanism '{}' requested by client is not supported for re-authentication of mechanism '{}'",
                mechanism.name(),
                before.name()
            );
            self.phase = Phase::OtherMechanism { why };
            return;
        }
        let exchange = Box::new(match mechanism {
            SaslMechanism::Plain => Exchange::Plain,
            SaslMechanism::Scram(mechanism) => Exchange::Scram(ScramServer::new(mechanism)),
            SaslMechanism::OauthBearer => Exchange::Oauth(OauthServer::default()),
        });
        self.phase = Phase::Tokens { exchange, enabled, is_raw: version == 0 };
    }

    pub fn on_token(&mut self, token: &[u8], facts: &Facts<'_>) -> Outcome {
        let (mut exchange, enabled, is_raw) = match std::mem::replace(&mut self.phase, Phase::Failed) {
            Phase::Tokens { exchange, enabled, is_raw } => (exchange, enabled, is_raw),
            // Not even a refusal is answered, as in Kafka.
            Phase::OtherMechanism { why } => {
                return Outcome::Failed { failure: Failure::hidden(why), told: None };
            }
            Phase::Start | Phase::Told | Phase::Open | Phase::Failed => {
                unreachable!("a token comes when one is expected")
            }
        };
        let step = match &mut *exchange {
            Exchange::Plain => plain::verify(&facts.server.plain_users, token)
                .map(|login| Step::Done { token: Vec::new(), login }),
            Exchange::Scram(server) => server.step(token, facts),
            Exchange::Oauth(server) => server.step(token, facts),
        };
        match step {
            Ok(Step::Challenge(reply)) => {
                self.phase = Phase::Tokens { exchange, enabled, is_raw };
                Outcome::Reply(reply)
            }
            Ok(Step::Done { token, login }) => self.on_login(token, login, enabled, facts),
            Err(failure) => self.fail(failure, enabled.mechanism),
        }
    }

    fn on_login(
        &mut self,
        reply: Vec<u8>,
        login: Login,
        enabled: EnabledMechanism,
        facts: &Facts<'_>,
    ) -> Outcome {
        let mechanism = enabled.mechanism;
        let principal = KafkaPrincipal::user(&login.name);
        if let Some(before) = self.again.as_ref().filter(|before| before.principal != principal) {
            let dotted = |principal: &KafkaPrincipal| principal.as_str().replacen(':', ".", 1);
            let why = format!(
                "Cannot change principals during re-authentication from {}: {}",
                dotted(&before.principal),
                dotted(&principal)
            );
            return self.fail(Failure::told(why).of(&login.name), mechanism);
        }
        // A credential that has ended already gives a session that ends now (KAFKA-13848).
        let credential = login.expires_wall_ms.map(|ends| {
            Duration::from_millis(u64::try_from(ends.saturating_sub(facts.wall_ms)).unwrap_or(0))
        });
        let lifetime = match (credential, enabled.session_max) {
            (Some(credential), Some(max)) => Some(credential.min(max)),
            (credential, max) => credential.or(max),
        };
        let identity = Arc::new(Identity {
            principal,
            mechanism: Some(mechanism),
            expires_at: lifetime.map(|lifetime| facts.now.saturating_add(lifetime)),
            is_by_delegation_token: login.is_by_delegation_token,
        });
        self.again = None;
        self.phase = Phase::Open;
        Outcome::Done { reply, identity, lifetime }
    }

    fn fail(&mut self, failure: Failure, mechanism: SaslMechanism) -> Outcome {
        let what = if self.is_again() { "re-authentication" } else { "authentication" };
        self.phase = Phase::Failed;
        // As Kafka: nothing of what might tell who exists.
        let told = failure.told.clone().unwrap_or_else(|| {
            let mechanism = mechanism.name();
            format!("Authentication failed during {what} due to invalid credentials with SASL mechanism {mechanism}")
        });
        Outcome::Failed { failure, told: Some(told) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::{RANDOM_BYTES, SaslServer};
    use crate::scram::{ScramCredentials, ScramMechanism};
    use crate::secret::Secret;

    struct World {
        server: SaslServer,
        scram: ScramCredentials,
        decoy_key: Secret,
        now: Duration,
    }

    fn world(session_max_ms: Option<u64>) -> World {
        let session_max = session_max_ms.map(Duration::from_millis);
        let enabled =
            SaslMechanism::ALL.map(|mechanism| EnabledMechanism { mechanism, session_max }).to_vec();
        let users = ["alice", "bob"].map(|name| (name.to_owned(), Secret::new(format!("{name}-secret"))));
        World {
            server: SaslServer { enabled, plain_users: users.into_iter().collect(), tokens: None },
            scram: ScramCredentials::default(),
            decoy_key: Secret::new("key"),
            now: Duration::from_secs(100),
        }
    }

    impl World {
        fn facts(&self) -> Facts<'_> {
            let World { server, scram, decoy_key, now } = self;
            Facts { server, scram, tokens: None, decoy_key, random: [5; RANDOM_BYTES], now: *now, wall_ms: 0 }
        }

        fn plain(&self, session: &mut Session, name: &str) -> Outcome {
            let enabled = self.server.enabled("PLAIN").unwrap();
            session.on_handshake(enabled, 1);
            assert_eq!(session.expects(), Expects::Authenticate);
            session.on_token(format!("\0{name}\0{name}-secret").as_bytes(), &self.facts())
        }
    }

    fn done(outcome: Outcome) -> (Arc<Identity>, Option<Duration>) {
        match outcome {
            Outcome::Done { identity, lifetime, .. } => (identity, lifetime),
            other => panic!("{other:?}"),
        }
    }

    fn told(outcome: Outcome) -> Option<String> {
        match outcome {
            Outcome::Failed { told, .. } => told,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_session_without_an_end_is_not_begun_again() {
        let world = world(None);
        let mut session = Session::default();
        assert_eq!(session.expects(), Expects::Start);
        session.on_told();
        assert_eq!(session.expects(), Expects::Handshake);
        let (identity, lifetime) = done(world.plain(&mut session, "alice"));
        assert_eq!((identity.principal.as_str(), lifetime, identity.expires_at), ("User:alice", None, None));
        assert_eq!(session.expects(), Expects::Requests);
        assert!(!session.begin_again(identity, world.now));
        assert_eq!(session.expects(), Expects::Requests);
    }

    #[test]
    fn a_session_with_an_end_is_begun_again_once_a_second_by_the_same_user() {
        let mut world = world(Some(5_000));
        let mut session = Session::default();
        let (identity, lifetime) = done(world.plain(&mut session, "alice"));
        assert_eq!(lifetime, Some(Duration::from_secs(5)));
        assert_eq!(identity.expires_at, Some(Duration::from_secs(105)));
        assert!(!identity.is_expired(Duration::from_secs(105)));
        assert!(identity.is_expired(Duration::from_millis(105_001)));
        // The first may come at once.
        assert!(session.begin_again(identity, world.now));
        let (identity, _) = done(world.plain(&mut session, "alice"));
        world.now += Duration::from_millis(999);
        assert!(!session.begin_again(identity.clone(), world.now));
        world.now += Duration::from_millis(1);
        assert!(session.begin_again(identity, world.now));
        let refused = told(world.plain(&mut session, "bob"));
        let text = "Cannot change principals during re-authentication from User.alice: User.bob";
        assert_eq!(refused.as_deref(), Some(text));
        assert_eq!(session.expects(), Expects::Nothing);
    }

    #[test]
    fn another_mechanism_is_found_out_at_the_next_token_and_not_answered() {
        let world = world(Some(5_000));
        let mut session = Session::default();
        let (identity, _) = done(world.plain(&mut session, "alice"));
        assert!(session.begin_again(identity, world.now));
        session.on_handshake(world.server.enabled("SCRAM-SHA-256").unwrap(), 1);
        assert_eq!(session.expects(), Expects::Authenticate);
        assert_eq!(told(session.on_token(b"n,,n=alice,r=abc", &world.facts())), None);
        assert_eq!(session.expects(), Expects::Nothing);
    }

    #[test]
    fn what_fails_is_told_in_kafkas_words() {
        let world = world(None);
        let generic =
            "Authentication failed during authentication due to invalid credentials with SASL mechanism";
        for (mechanism, token, expected) in [
            ("PLAIN", "\0alice\0wrong", "Authentication failed: Invalid username or password".to_owned()),
            ("SCRAM-SHA-256", "rubbish", format!("{generic} SCRAM-SHA-256")),
            ("SCRAM-SHA-512", "n,,n=alice,r=abc,tokenauth=true", format!("{generic} SCRAM-SHA-512")),
        ] {
            let mut session = Session::default();
            session.on_handshake(world.server.enabled(mechanism).unwrap(), 1);
            assert_eq!(told(session.on_token(token.as_bytes(), &world.facts())), Some(expected));
            assert_eq!(session.expects(), Expects::Nothing);
        }
    }

    #[test]
    fn a_credential_that_ends_bounds_its_session_also_when_it_has_ended() {
        let world = world(Some(5_000));
        let enabled = world.server.enabled("SCRAM-SHA-512").unwrap();
        for (ends, lifetime_ms) in [(3_000, 3_000), (9_000, 5_000), (-1, 0), (i64::MIN, 0)] {
            let mut session = Session::default();
            let login = Login { expires_wall_ms: Some(ends), ..Login::of("alice".to_owned()) };
            let (identity, lifetime) = done(session.on_login(Vec::new(), login, enabled, &world.facts()));
            assert_eq!(lifetime, Some(Duration::from_millis(lifetime_ms)));
            assert_eq!(identity.expires_at, Some(world.now + Duration::from_millis(lifetime_ms)));
        }
    }

    #[test]
    fn a_handshake_of_version_0_is_followed_by_tokens_as_they_are() {
        let world = world(None);
        let mut session = Session::default();
        session.on_handshake(world.server.enabled("SCRAM-SHA-256").unwrap(), 0);
        assert_eq!(session.expects(), Expects::RawToken);
        assert!(matches!(session.on_token(b"n,,n=x,r=abc", &world.facts()), Outcome::Reply(_)));
        assert_eq!(session.expects(), Expects::RawToken);
        assert_eq!(session.mechanism(), Some(SaslMechanism::Scram(ScramMechanism::Sha256)));
    }
}
