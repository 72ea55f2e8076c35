//! What an outgoing connection says to log in, against this broker's own half of it.
//! Core: the link's task is polled by hand over a memory stream.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use ottla_env::memory::MemoryDisk;
use ottla_env::memory::net::{MemoryStream, pair};
use ottla_env::{Disk, OpenMode};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::{
    ApiVersionsResponse, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use ottla_protocol::{ApiKey, Encode, RequestHeader, StrBytes, decode_request, encode_response_header};
use ottla_security::sasl::{
    EnabledMechanism, Facts, Outcome, RANDOM_BYTES, SaslMechanism, SaslServer, Session, TokenValidator,
    UnsecuredTokens,
};
use ottla_security::{
    ScramCredential, ScramCredentials, ScramMechanism, Secret, keys_of_salted_password, salted_password,
};

use super::link::{Link, LinkTask};
use super::login::{PeerLogin, PeerSecret, log_in};
use super::{CallError, PeerSettings};
use crate::test_world::ManualClock;

/// The other node: a broker with one user.
struct Other {
    stream: MemoryStream,
    arrived: BytesMut,
    session: Session,
    server: SaslServer,
    scram: ScramCredentials,
    decoy_key: Secret,
    principal: Option<String>,
}

fn other(stream: MemoryStream, enabled: &[SaslMechanism]) -> Other {
    let mut scram = ScramCredentials::default();
    let salted = salted_password(ScramMechanism::Sha512, b"secret", b"salt", 4096);
    let keys = keys_of_salted_password(ScramMechanism::Sha512, salted.bytes());
    let credential = ScramCredential { salt: b"salt".to_vec(), keys, iterations: 4096 };
    scram.insert("broker", ScramMechanism::Sha512, credential);
    let enabled =
        enabled.iter().map(|mechanism| EnabledMechanism { mechanism: *mechanism, session_max: None });
    let tokens = TokenValidator::Unsecured(UnsecuredTokens {
        principal_claim: "sub".to_owned(),
        scope_claim: "scope".to_owned(),
        required_scope: Vec::new(),
        clock_skew_ms: 0,
    });
    let plain_users = [("broker".to_owned(), Secret::new("secret"))].into_iter().collect();
    Other {
        stream,
        arrived: BytesMut::new(),
        session: Session::default(),
        server: SaslServer { enabled: enabled.collect(), plain_users, tokens: Some(tokens) },
        scram,
        decoy_key: Secret::new("key"),
        principal: None,
    }
}

impl Other {
    /// Answers what has come.
    fn run(&mut self) {
        if let Ok(bytes) = self.stream.try_read() {
            self.arrived.extend_from_slice(&bytes);
        }
        while self.arrived.len() >= 4 {
            let len = self.arrived.get_i32() as usize;
            let mut frame = self.arrived.split_to(len).freeze();
            let header = RequestHeader::decode(&mut frame).expect("a request's header");
            let (key, version) = (header.key().expect("a key"), header.api_version);
            match key {
                ApiKey::ApiVersions => {
                    let row = |key: ApiKey, max| {
                        ApiVersion::default().with_api_key(key.to_i16()).with_max_version(max)
                    };
                    let rows = vec![
                        row(ApiKey::SaslHandshake, 1),
                        row(ApiKey::ApiVersions, 4),
                        row(ApiKey::SaslAuthenticate, 2),
                    ];
                    self.answer(&header, &ApiVersionsResponse::default().with_api_keys(rows));
                }
                ApiKey::SaslHandshake => {
                    let body: SaslHandshakeRequest = decode_request(key, version, frame).expect("a body");
                    let names = self.server.enabled.iter().map(|enabled| enabled.mechanism.name());
                    let answer = SaslHandshakeResponse::default()
                        .with_mechanisms(names.map(StrBytes::from_static_str).collect());
                    match self.server.enabled(&body.mechanism) {
                        Some(enabled) => {
                            self.session.on_handshake(enabled, version);
                            self.answer(&header, &answer);
                        }
                        None => self.answer(&header, &answer.with_error_code(33)),
                    }
                }
                _ => {
                    let body: SaslAuthenticateRequest = decode_request(key, version, frame).expect("a body");
                    let answer = self.step(&body.auth_bytes);
                    self.answer(&header, &answer);
                }
            }
        }
    }

    fn step(&mut self, token: &[u8]) -> SaslAuthenticateResponse {
        let facts = Facts {
            server: &self.server,
            scram: &self.scram,
            tokens: None,
            decoy_key: &self.decoy_key,
            random: [4; RANDOM_BYTES],
            now: Duration::ZERO,
            wall_ms: 0,
        };
        let answer = SaslAuthenticateResponse::default();
        match self.session.on_token(token, &facts) {
            Outcome::Reply(reply) => answer.with_auth_bytes(reply.into()),
            Outcome::Done { reply, identity, .. } => {
                self.principal = Some(identity.principal.to_string());
                answer.with_auth_bytes(reply.into())
            }
            Outcome::Failed { told, .. } => {
                answer.with_error_code(58).with_error_message(told.map(StrBytes::from_string))
            }
        }
    }

    fn answer(&mut self, request: &RequestHeader, response: &impl Encode) {
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        let key = request.key().expect("a key");
        encode_response_header(&mut frame, key, request.api_version, request.correlation_id);
        response.encode(&mut frame, request.api_version).expect("it encodes");
        let len = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&len.to_be_bytes());
        assert_eq!(self.stream.try_write(&frame).ok(), Some(frame.len()));
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Agrees, logs in, and says what came of it.
fn play(
    mechanism: SaslMechanism,
    password: &str,
    enabled: &[SaslMechanism],
) -> (Result<(), CallError>, Option<String>, bool) {
    let secret = PeerSecret::Known(Arc::new(Secret::new(password)));
    let login = PeerLogin { mechanism, name: "broker".to_owned(), secret };
    play_as(&login, enabled)
}

/// The same as somebody else.
fn play_as(login: &PeerLogin, enabled: &[SaslMechanism]) -> (Result<(), CallError>, Option<String>, bool) {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let (client, server) = pair(address(1), address(2), 1 << 20);
    let clock = Arc::new(ManualClock::default());
    let (link, mut task): (Link, LinkTask) = Link::over(Box::new(client), clock, PeerSettings::default());
    let mut other = other(server, enabled);
    let logging_in = async {
        let link = link.clone().agree().await?;
        log_in(&link, login, [6; RANDOM_BYTES]).await
    };
    let mut logging_in = pin!(logging_in);
    for _ in 0..20 {
        let outcome = poll(logging_in.as_mut());
        let _ended = poll(Pin::new(&mut task));
        other.run();
        let _ended = poll(Pin::new(&mut task));
        if let Poll::Ready(outcome) = outcome {
            return (outcome, other.principal, link.is_closed());
        }
    }
    panic!("the login does not end")
}

const SCRAM: SaslMechanism = SaslMechanism::Scram(ScramMechanism::Sha512);

#[test]
fn it_logs_in_where_the_other_node_wants_to_know() {
    for mechanism in [SaslMechanism::Plain, SCRAM] {
        let (outcome, principal, is_closed) = play(mechanism, "secret", &[SaslMechanism::Plain, SCRAM]);
        assert_eq!((outcome, principal.as_deref(), is_closed), (Ok(()), Some("User:broker"), false));
    }
}

#[test]
fn who_is_not_let_in_has_no_connection_and_knows_why() {
    for (mechanism, enabled, words) in [
        (SaslMechanism::Plain, &[SaslMechanism::Plain][..], "Invalid username or password"),
        (SCRAM, &[SCRAM][..], "invalid credentials with SASL mechanism SCRAM-SHA-512"),
        (SCRAM, &[SaslMechanism::Plain][..], "SCRAM-SHA-512 is not enabled there, but PLAIN"),
    ] {
        let (outcome, principal, is_closed) = play(mechanism, "wrong", enabled);
        let Err(CallError::Login(why)) = outcome else { panic!("{outcome:?}") };
        assert!(why.contains(words) && !why.contains("wrong"), "{why}");
        assert_eq!((principal, is_closed), (None, true));
    }
}

/// Somebody else renews the token: each login takes the one that is there then.
#[test]
fn a_token_is_read_from_its_file_at_each_login() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let path = Path::new("/token");
    disk.create_dir_all(Path::new("/")).expect("a root");
    let put = |token: &str| {
        let file = disk.open(path, OpenMode::Truncate).expect("a file");
        file.write_all_at(token.as_bytes(), 0).expect("written");
    };
    let secret = PeerSecret::File { disk: Arc::clone(&disk), path: path.to_owned() };
    let login = PeerLogin { mechanism: SaslMechanism::OauthBearer, name: String::new(), secret };
    let log_in = || play_as(&login, &[SaslMechanism::OauthBearer]);
    let (outcome, principal, is_closed) = log_in();
    let Err(CallError::Login(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("/token cannot be read"), "{why}");
    assert_eq!((principal, is_closed), (None, true));
    // {"alg":"none"} and {"sub":"first","iat":0,"exp":9000000000}; then "second".
    for (name, claims) in [
        ("first", "eyJzdWIiOiJmaXJzdCIsImlhdCI6MCwiZXhwIjo5MDAwMDAwMDAwfQ"),
        ("second", "eyJzdWIiOiJzZWNvbmQiLCJpYXQiOjAsImV4cCI6OTAwMDAwMDAwMH0"),
    ] {
        // As an editor leaves it, with an end of the line.
        put(&format!("eyJhbGciOiJub25lIn0.{claims}.\n"));
        assert_eq!(log_in(), (Ok(()), Some(format!("User:{name}")), false));
    }
    put("no token");
    let (outcome, ..) = log_in();
    let Err(CallError::Login(why)) = outcome else { panic!("{outcome:?}") };
    assert!(!why.contains("no token"), "{why}");
}
