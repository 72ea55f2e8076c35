//! Logins in front of all requests: on a SASL listener no frame reaches `Dispatch` before the client is known.
//! Shell. The rules are the core's (`ottla_security::sasl::Session`); here tokens come out of frames, and answers,
//! delays and audit lines follow.
//!
//! Invariants:
//! - A1. A connection has an identity or a login under way, never both: only with an identity is it dispatched.
//! - A2. Before that, the bodies of SaslHandshake, ApiVersions and SaslAuthenticate reach a decoder, and no other.
//! - A3. Controllers log in at each other before there is anything else: what a login needs of the broker, it gets
//!   once that is open.
//! - A4. What failed is answered and closed after `connection.failed.authentication.delay.ms` (KIP-306), and not
//!   read meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{BufMut, Bytes};
use ottla_config::BrokerConfig;
use ottla_env::{Env, Monotonic};
use ottla_model::ErrorCode;
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler, ResponseBuilder};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::header::RequestHeader;
use ottla_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use ottla_protocol::{Decode, Encode, ErrorCodes, StrBytes, decode_request, versions};
use ottla_security::sasl::{Expects, Facts, Outcome, RANDOM_BYTES, SaslServer, Session};
use ottla_security::{Identity, ScramCredentials, Secret, TokenLogins};

use crate::audit;
use crate::context::Broker;
use crate::delegation_tokens::Tokens;
use crate::dispatch::{Dispatch, fenced};
use crate::handlers::{api_versions, sasl_authenticate, sasl_handshake};
use crate::metrics::Logins;
use crate::peers::frame::is_of_voter;
use crate::quotas::Throttle;
use crate::request::{Handled, Refusal, Request};
use crate::seldom::Seldom;
use crate::table::Endpoint;

/// Bytes of the key from which answers to unknown SCRAM names are made.
const DECOY_KEY_BYTES: usize = 32;

/// The logins of each SASL listener, by its name.
pub type SaslServers = HashMap<String, Arc<SaslServer>>;

pub struct Authentication {
    env: Env,
    /// What those who are known reach, once it is there.
    behind: OnceLock<Behind>,
    servers: ArcSwap<SaslServers>,
    decoy_key: Secret,
    /// Where there are delegation tokens.
    tokens: Option<Tokens>,
    failure_delay: Duration,
    /// Those that are logged.
    failures: Seldom,
}

struct Behind {
    dispatch: Dispatch,
    broker: Arc<Broker>,
    endpoint: Endpoint,
}

impl Authentication {
    /// In front of the listeners for clients.
    pub fn new(broker: Arc<Broker>) -> Authentication {
        let authentication = Authentication::early(broker.env.clone(), &broker.config);
        authentication.serve(broker, Endpoint::Broker);
        authentication
    }

    /// Lets nodes log in while there is no broker yet; `serve` follows.
    pub fn early(env: Env, config: &BrokerConfig) -> Authentication {
        let mut decoy_key = vec![0; DECOY_KEY_BYTES];
        env.rng.fill(&mut decoy_key);
        let tokens = config.token_secret_key.as_ref().map(|secret| {
            let mut salt_key = vec![0; DECOY_KEY_BYTES];
            env.rng.fill(&mut salt_key);
            Tokens::new(Secret::new(secret.text()), Secret::new(salt_key))
        });
        Authentication {
            failures: Seldom::new(env.clock.clone()),
            env,
            behind: OnceLock::new(),
            servers: ArcSwap::default(),
            decoy_key: Secret::new(decoy_key),
            tokens,
            failure_delay: Duration::from_millis(config.failed_authentication_delay_ms),
        }
    }

    /// Dispatches the requests of those who are known from here on.
    pub fn serve(&self, broker: Arc<Broker>, endpoint: Endpoint) {
        let dispatch = Dispatch::new(Arc::clone(&broker), endpoint);
        let is_first = self.behind.set(Behind { dispatch, broker, endpoint }).is_ok();
        assert!(is_first, "what is behind the logins does not change");
    }

    fn broker(&self) -> Option<&Arc<Broker>> {
        self.behind.get().map(|behind| &behind.broker)
    }

    fn dispatch(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        match self.behind.get() {
            Some(behind) => behind.dispatch.admit(connection, frame),
            // It comes again: a node that has just started is not asked for long.
            None => Admitted::Ready(Answer::Close("the node is still starting")),
        }
    }

    fn count(&self, counted: impl FnOnce(&Logins)) {
        if let Some(broker) = self.broker() {
            counted(&broker.metrics.logins);
        }
    }

    /// Logins from here on are held against these; one under way is too.
    pub fn set_servers(&self, servers: SaslServers) {
        self.servers.store(Arc::new(servers));
    }

    /// A frame of a client of a SASL listener.
    fn admit_sasl(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        if let Some(identity) = connection.identity() {
            // A session without an end costs no look at the clock.
            let Some(_) = identity.expires_at else { return self.dispatch(connection, frame) };
            let now = self.env.clock.monotonic().0;
            let is_again = is_handshake(&frame) && self.begin_again(connection, &identity, now);
            if !is_again {
                if identity.is_expired(now) {
                    self.count(|logins| logins.expired.inc());
                    audit::on_expired(connection, &identity);
                    return Admitted::Ready(Answer::Close("the session has ended"));
                }
                return self.dispatch(connection, frame);
            }
        }
        fenced(self.broker().map(|broker| &**broker), connection, || self.log_in(connection, frame))
    }

    /// Whether a handshake on an open connection begins a new authentication. Requests that wait keep the identity
    /// they were admitted with.
    fn begin_again(&self, connection: &ConnectionInfo, identity: &Arc<Identity>, now: Duration) -> bool {
        let mut login = connection.login.lock();
        let begins = login.as_mut().is_some_and(|session| session.begin_again(Arc::clone(identity), now));
        if begins {
            connection.forget_identity();
        }
        begins
    }

    fn log_in(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Handled {
        let servers = self.servers.load();
        let Some(server) = servers.get(&connection.listener.name) else {
            return Err(Refusal("the listener has no logins".to_owned()));
        };
        let mut login = connection.login.lock();
        let session = login.get_or_insert_default();
        let answer = match session.expects() {
            Expects::Start | Expects::Handshake => self.on_request(connection, session, server, frame)?,
            Expects::RawToken => self.on_raw_token(connection, session, server, &frame),
            Expects::Authenticate => self.on_authenticate(connection, session, server, frame)?,
            Expects::Requests => unreachable!("whoever is known is dispatched"),
            Expects::Nothing => return Err(Refusal("the login has failed already".to_owned())),
        };
        // A session without an end is never begun again.
        let is_over = session.expects() == Expects::Requests
            && connection.identity().is_some_and(|identity| identity.expires_at.is_none());
        if is_over {
            *login = None;
        }
        Ok(Admitted::Ready(answer))
    }

    /// ApiVersions or SaslHandshake.
    fn on_request(
        &self,
        connection: &Arc<ConnectionInfo>,
        session: &mut Session,
        server: &SaslServer,
        frame: Bytes,
    ) -> Result<Answer, Refusal> {
        if is_of_voter(&frame) {
            let why = "a controller's frame came before a login";
            return Ok(self.fail(connection, session, None, None, why));
        }
        let request = self.read(frame)?;
        match request.key {
            ApiKey::ApiVersions if session.expects() == Expects::Start => {
                let (broker, request) = self.whole(connection, request)?;
                let (answer, is_told) = api_versions::answer(broker, &request)?;
                if is_told {
                    session.on_told();
                }
                Ok(answer)
            }
            ApiKey::ApiVersions => Err(Refusal("versions are asked for a second time".to_owned())),
            ApiKey::SaslHandshake => {
                check_version(&request, sasl_handshake::API.min, sasl_handshake::API.max)?;
                let body: SaslHandshakeRequest = request.decode()?;
                let names = server.enabled.iter().map(|enabled| enabled.mechanism.name());
                let response = SaslHandshakeResponse::default()
                    .with_mechanisms(names.map(StrBytes::from_static_str).collect());
                if let Some(enabled) = server.enabled(&body.mechanism) {
                    session.on_handshake(enabled, request.version());
                    return Ok(self.answer(&request, &response));
                }
                let response = response.with_error_code(ErrorCode::UnsupportedSaslMechanism.code());
                let why = format!("there is no mechanism {:?}", &*body.mechanism);
                // Who was known already gets no answer, as from Kafka.
                let answer = (!session.is_again()).then(|| self.answer(&request, &response));
                Ok(self.fail(connection, session, answer, None, &why))
            }
            other => {
                let why = format!("{} came before the login", other.name());
                Ok(self.fail(connection, session, None, None, &why))
            }
        }
    }

    /// A token without a header (SaslHandshake v0). A failure is answered by nothing but the end.
    fn on_raw_token(
        &self,
        connection: &Arc<ConnectionInfo>,
        session: &mut Session,
        server: &SaslServer,
        token: &[u8],
    ) -> Answer {
        match self.step(connection, session, server, token) {
            Stepped::Reply { token, .. } => {
                let mut builder = ResponseBuilder::with_capacity(token.len());
                builder.buffer.extend_from_slice(&token);
                match builder.finish() {
                    Some(response) => Answer::Respond(response),
                    None => unreachable!("a token is shorter than a frame"),
                }
            }
            Stepped::Failed { name, why, .. } => self.fail(connection, session, None, name.as_deref(), &why),
        }
    }

    /// SaslAuthenticate, in which a token comes (KIP-152).
    fn on_authenticate(
        &self,
        connection: &Arc<ConnectionInfo>,
        session: &mut Session,
        server: &SaslServer,
        frame: Bytes,
    ) -> Result<Answer, Refusal> {
        let request = self.read(frame)?;
        if request.key != ApiKey::SaslAuthenticate {
            let why = format!("{} came during the login", request.key.name());
            let answer = self.out_of_place(connection, request)?;
            return Ok(self.fail(connection, session, answer, None, &why));
        }
        check_version(&request, sasl_authenticate::API.min, sasl_authenticate::API.max)?;
        let body: SaslAuthenticateRequest = request.decode()?;
        let stepped = self.step(connection, session, server, &body.auth_bytes);
        let (answer, name, why) = match stepped {
            Stepped::Reply { token, lifetime } => {
                let lifetime_ms = lifetime.map_or(0, |lifetime| lifetime.as_millis());
                let response = SaslAuthenticateResponse::default()
                    // Kafka's default is an empty text.
                    .with_error_message(Some(StrBytes::default()))
                    .with_auth_bytes(token.into())
                    .with_session_lifetime_ms(i64::try_from(lifetime_ms).unwrap_or(i64::MAX));
                return Ok(self.answer(&request, &response));
            }
            Stepped::Failed { told: Some(told), name, why } => {
                let response = SaslAuthenticateResponse::default()
                    .with_error_code(ErrorCode::SaslAuthenticationFailed.code())
                    .with_error_message(Some(StrBytes::from_string(told)));
                (Some(self.answer(&request, &response)), name, why)
            }
            Stepped::Failed { told: None, name, why } => (None, name, why),
        };
        Ok(self.fail(connection, session, answer, name.as_deref(), &why))
    }

    fn step(
        &self,
        connection: &Arc<ConnectionInfo>,
        session: &mut Session,
        server: &SaslServer,
        token: &[u8],
    ) -> Stepped {
        let env = &self.env;
        let image = self.broker().map(|broker| broker.image());
        let nobody = ScramCredentials::default();
        let mut random = [0; RANDOM_BYTES];
        env.rng.fill(&mut random);
        let tokens = self.tokens.as_ref().zip(image.as_ref()).map(|(tokens, image)| tokens.of(image));
        let facts = Facts {
            server,
            tokens: tokens.as_ref().map(|tokens| tokens as &dyn TokenLogins),
            scram: image.as_ref().map_or(&nobody, |image| image.scram_credentials()),
            decoy_key: &self.decoy_key,
            random,
            now: env.clock.monotonic().0,
            wall_ms: env.clock.wall_ms(),
        };
        let is_again = session.is_again();
        match session.on_token(token, &facts) {
            Outcome::Reply(token) => Stepped::Reply { token, lifetime: None },
            Outcome::Done { reply, identity, lifetime } => {
                self.count(|logins| match is_again {
                    true => logins.succeeded_again.inc(),
                    false => logins.succeeded.inc(),
                });
                audit::on_login(connection, &identity, is_again);
                connection.authenticate(identity);
                Stepped::Reply { token: reply, lifetime }
            }
            Outcome::Failed { failure, told } => {
                Stepped::Failed { told, name: failure.name, why: failure.why }
            }
        }
    }

    /// Ends a login; `answer` leaves with the connection, after the delay.
    fn fail(
        &self,
        connection: &ConnectionInfo,
        session: &mut Session,
        answer: Option<Answer>,
        name: Option<&str>,
        why: &str,
    ) -> Answer {
        self.count(|logins| match session.is_again() {
            true => logins.failed_again.inc(),
            false => logins.failed.inc(),
        });
        audit::on_failed_login(
            &self.failures,
            connection,
            session.mechanism(),
            name,
            session.is_again(),
            why,
        );
        session.on_failure();
        let response = match answer {
            Some(Answer::Respond(response)) => Some(response),
            None => None,
            // What could not be encoded has closed the connection already.
            Some(other) => return other,
        };
        Answer::CloseAfter { response, delay: self.failure_delay, why: "a login failed" }
    }

    fn read(&self, mut frame: Bytes) -> Result<LoginRequest, Refusal> {
        let (frame_bytes, received) = (frame.len(), self.env.clock.monotonic());
        let header = RequestHeader::decode(&mut frame).map_err(|error| Refusal(error.to_string()))?;
        let Some(key) = header.key() else { return Err(Refusal("there is no such API".to_owned())) };
        Ok(LoginRequest { key, header, body: frame, received, frame_bytes })
    }

    /// The same as what handlers know of a request. Nobody's before there is a broker.
    fn whole(
        &self,
        connection: &Arc<ConnectionInfo>,
        request: LoginRequest,
    ) -> Result<(&Arc<Broker>, Request), Refusal> {
        let Some(Behind { broker, endpoint, .. }) = self.behind.get() else {
            return Err(Refusal("the node is still starting".to_owned()));
        };
        let LoginRequest { key, header, body, received, frame_bytes } = request;
        let request = Request {
            key,
            header,
            body,
            connection: Arc::clone(connection),
            endpoint: *endpoint,
            identity: None,
            received,
            frame_bytes,
            throttle: Throttle::default(),
            broker: Arc::clone(broker),
            came_to_none: None,
        };
        Ok((broker, request))
    }

    /// The answer of a request that has no place in a login: ILLEGAL_SASL_STATE from those whose bodies may be read
    /// (A2), and nothing from others.
    fn out_of_place(
        &self,
        connection: &Arc<ConnectionInfo>,
        request: LoginRequest,
    ) -> Result<Option<Answer>, Refusal> {
        Ok(match request.key {
            ApiKey::SaslHandshake => {
                check_version(&request, sasl_handshake::API.min, sasl_handshake::API.max)?;
                let _body: SaslHandshakeRequest = request.decode()?;
                Some(self.answer(&request, &sasl_handshake::out_of_place()))
            }
            ApiKey::ApiVersions => {
                let (_broker, request) = self.whole(connection, request)?;
                Some(api_versions::refuse(&request, ErrorCode::IllegalSaslState)?)
            }
            _ => None,
        })
    }

    fn answer<T: Encode + ErrorCodes>(&self, request: &LoginRequest, response: &T) -> Answer {
        let version = request.version();
        let mut builder = ResponseBuilder::with_capacity(96);
        builder.buffer.put_i32(request.header.correlation_id);
        if versions::response_header_version(request.key, version) >= 1 {
            builder.buffer.put_u8(0);
        }
        if response.encode(&mut builder.buffer, version).is_err() {
            return Answer::Close("a response could not be encoded");
        }
        let Some(finished) = builder.finish() else {
            return Answer::Close("the response is longer than a frame can say");
        };
        if let Some(broker) = self.broker() {
            let mut errors = Vec::new();
            response.error_codes(version, &mut |code| errors.push(code));
            let took = request.received.until(self.env.clock.monotonic());
            broker.metrics.on_answer(request.header.api_key, took, errors.into_iter());
        }
        Answer::Respond(finished)
    }
}

/// A request of a login: all that is read of a frame before its client is known.
struct LoginRequest {
    key: ApiKey,
    header: RequestHeader,
    body: Bytes,
    received: Monotonic,
    frame_bytes: usize,
}

impl LoginRequest {
    fn version(&self) -> i16 {
        self.header.api_version
    }

    /// Decodes the body, after the guard has walked it.
    fn decode<T: Decode>(&self) -> Result<T, Refusal> {
        decode_request(self.key, self.version(), self.body.clone())
            .map_err(|error| Refusal(error.to_string()))
    }
}

/// What a token led to.
enum Stepped {
    Reply { token: Vec<u8>, lifetime: Option<Duration> },
    Failed { told: Option<String>, name: Option<String>, why: String },
}

impl Handler for Authentication {
    fn admit(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        match connection.listener.protocol.has_sasl() {
            false => self.dispatch(connection, frame),
            true => self.admit_sasl(connection, frame),
        }
    }

    fn on_close(&self, connection: &Arc<ConnectionInfo>) {
        if let Some(behind) = self.behind.get() {
            behind.dispatch.on_close(connection);
        }
    }
}

fn check_version(request: &LoginRequest, min: i16, max: i16) -> Result<(), Refusal> {
    let version = request.version();
    match (min..=max).contains(&version) {
        true => Ok(()),
        false => Err(Refusal(format!("version {version} of {} is not served", request.key.name()))),
    }
}

fn is_handshake(frame: &[u8]) -> bool {
    frame.first_chunk() == Some(&ApiKey::SaslHandshake.to_i16().to_be_bytes())
}
