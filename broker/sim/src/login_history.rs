//! Seeded logins and re-authentications in front of a whole broker, with virtual time, against a plain model.
//! Shell in memory. Clients log in well and badly, come back before and after the end of their session, change their
//! mind about who they are, and send rubbish; the model says of each frame what must come of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_api::Authentication;
use ottla_env::Rng;
use ottla_env::memory::{MemoryClock, SeededRng, ThreadTasks};
use ottla_model::SecurityProtocol;
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler, ListenerInfo};
use ottla_protocol::messages::{
    ApiVersionsRequest, ListGroupsRequest, ListGroupsResponse, SaslAuthenticateRequest,
    SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use ottla_protocol::{ApiKey, Decode, Encode};
use ottla_security::sasl::{ClientStep, Credentials, SaslClient, SaslMechanism};
use ottla_security::{ScramCredential, Secret, keys_of_salted_password, salted_password};

use crate::rooms::{World, wire as text};
use crate::wire::{bytes_of, decoded, frame};

const SESSION_MS: u64 = 3_000;
const DELAY_MS: u64 = 100;
const USERS: [&str; 2] = ["alice", "bob"];
const UNSUPPORTED_MECHANISM: i16 = 33;
const ILLEGAL_STATE: i16 = 34;
const FAILED: i16 = 58;

const SETTINGS: [(&str, &str); 5] = [
    ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
    ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
    (
        "listener.name.sasl_plaintext.plain.sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required \
         user_alice=\"alice-secret\" user_bob=\"bob-secret\";",
    ),
    ("connections.max.reauth.ms", "3000"),
    ("connection.failed.authentication.delay.ms", "100"),
];

/// What a client of the model is known as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Known {
    user: usize,
    mechanism: SaslMechanism,
    ends: Duration,
    begun_again: Option<Duration>,
}

struct Client {
    connection: Arc<ConnectionInfo>,
    known: Option<Known>,
}

/// What came of one frame.
#[derive(Debug)]
enum Came {
    Answer(Bytes),
    /// The connection ends; with an answer before that, after the delay.
    End(Option<Bytes>),
}

#[derive(Default, Debug)]
pub struct Counts {
    pub logins: u64,
    pub relogins: u64,
    pub refused: u64,
    pub expired: u64,
}

pub struct LoginHistory {
    world: World,
    authentication: Authentication,
    rng: Arc<SeededRng>,
    clock: MemoryClock,
    clients: Vec<Client>,
    next_id: u64,
    pub counts: Counts,
}

fn token(version: i16, token: &'static [u8]) -> Bytes {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(token));
    frame(ApiKey::SaslAuthenticate, version, &request)
}

impl LoginHistory {
    pub fn new(seed: u64) -> LoginHistory {
        let world = World::with_settings(seed, Arc::new(ThreadTasks), false, &SETTINGS);
        let authentication = Authentication::new(world.rooms().all.broker.clone());
        let issuers = ottla_server::issuers::Issuers::default();
        authentication.set_servers(ottla_server::settings::sasl_servers(&world.config, &issuers));
        let clock = world.clock.clone();
        let rng = Arc::new(SeededRng::new(seed ^ 0x0010_61e5));
        let history = LoginHistory {
            world,
            authentication,
            rng,
            clock,
            clients: Vec::new(),
            next_id: 0,
            counts: Counts::default(),
        };
        history.make_scram_users();
        history
    }

    fn make_scram_users(&self) {
        use ottla_protocol::messages::AlterUserScramCredentialsRequest;
        use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
        for (number, user) in USERS.into_iter().enumerate() {
            for code in [1, 2] {
                let mechanism = ottla_security::ScramMechanism::from_code(code).expect("a mechanism");
                let password = format!("{user}-secret");
                let salted = salted_password(mechanism, password.as_bytes(), b"salt", 4096);
                let upsertion = ScramCredentialUpsertion::default()
                    .with_name(text(user))
                    .with_mechanism(code)
                    .with_iterations(4096)
                    .with_salt(Bytes::from_static(b"salt"))
                    .with_salted_password(Bytes::copy_from_slice(salted.bytes()));
                let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]);
                let rooms = self.world.rooms();
                let made = self.world.ask(rooms.metadata.alter_user_scram_credentials(request));
                assert_eq!(made.expect("a healthy disk").results[0].error_code, 0, "user {number}");
                // The same keys follow from the password as the controller has stored.
                let image = rooms.metadata.image();
                let stored = image.scram_credentials().of_user(user).expect("a user")[&mechanism].clone();
                let keys = keys_of_salted_password(mechanism, salted.bytes());
                assert!(*stored == ScramCredential { salt: b"salt".to_vec(), keys, iterations: 4096 });
            }
        }
    }

    /// Every API in every version, with no body and with one of zeros, as the first word of a connection and as a
    /// word during a login: none but those of a login is answered, and nobody is let in.
    pub fn ask_everything(&mut self) {
        for key in -1..ApiKey::COUNT as i16 + 2 {
            for version in [-1, 0, 1, 2, 3, 4, 9, 12, 17, 99, i16::MAX] {
                for (is_during, body_bytes) in [(false, 0), (true, 0), (false, 60), (true, 60)] {
                    self.connect();
                    let client = self.clients.pop().expect("it has connected");
                    if is_during {
                        let handshake = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
                        let (answer, lives) = self.ask::<_, SaslHandshakeResponse>(
                            &client,
                            ApiKey::SaslHandshake,
                            1,
                            &handshake,
                        );
                        assert_eq!((answer.map(|answer| answer.error_code), lives), (Some(0), true));
                    }
                    let mut frame = [key.to_be_bytes(), version.to_be_bytes()].concat();
                    frame.extend([0, 0, 0, 7, 0xff, 0xff]);
                    frame.resize(frame.len() + body_bytes, 0);
                    let came = self.send(&client, Bytes::from(frame));
                    assert!(client.connection.identity().is_none(), "{key} v{version} is nobody");
                    let is_of_login = [ApiKey::SaslHandshake, ApiKey::ApiVersions, ApiKey::SaslAuthenticate]
                        .contains(&ApiKey::from_i16(key).unwrap_or(ApiKey::Produce));
                    if !is_of_login {
                        assert!(matches!(came, Came::End(None)), "{key} v{version}: {came:?}");
                    }
                    self.authentication.on_close(&client.connection);
                }
            }
        }
    }

    /// The frames of logins in any order, with bytes changed, cut off and put in: whatever comes of them, nobody is let
    /// in who has no password. How many of them were answered.
    pub fn damage(&mut self, rounds: usize) -> u64 {
        let mut answered = 0;
        let whole = [
            frame(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default()),
            frame(ApiKey::ApiVersions, 3, &ApiVersionsRequest::default()),
            frame(ApiKey::SaslHandshake, 0, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN"))),
            frame(ApiKey::SaslHandshake, 1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN"))),
            frame(
                ApiKey::SaslHandshake,
                1,
                &SaslHandshakeRequest::default().with_mechanism(text("SCRAM-SHA-256")),
            ),
            token(0, b"\0alice\0wrong"),
            token(2, b"\0alice\0wrong"),
            token(1, b"n,,n=alice,r=abc"),
            token(2, b"c=biws,r=abc,p=AAAA"),
            Bytes::from_static(b"\0alice\0wrong"),
            Bytes::from_static(b"n,,n=bob,r=abc"),
        ];
        for _ in 0..rounds {
            self.connect();
            let client = self.clients.pop().expect("it has connected");
            for _ in 0..1 + self.rng.below(6) {
                let mut bytes = whole[self.rng.below(whole.len() as u64) as usize].to_vec();
                for _ in 0..self.rng.below(4) {
                    let place = self.rng.below(bytes.len() as u64 + 1) as usize;
                    match (self.rng.below(3), bytes.get_mut(place)) {
                        (0, Some(byte)) => *byte = self.rng.next_u64() as u8,
                        (1, _) => bytes.truncate(place),
                        _ => bytes.insert(place, self.rng.next_u64() as u8),
                    }
                }
                let came = self.send(&client, Bytes::from(bytes));
                assert!(client.connection.identity().is_none(), "a wrong password lets nobody in");
                match came {
                    Came::Answer(_) => answered += 1,
                    Came::End(_) => break,
                }
            }
            self.authentication.on_close(&client.connection);
        }
        answered
    }

    /// One client does something.
    pub fn step(&mut self) {
        if self.rng.chance(300) {
            self.clock.advance(Duration::from_millis(self.rng.below(SESSION_MS)));
        }
        if self.clients.is_empty() || self.rng.chance(100) {
            self.connect();
        }
        let place = self.rng.below(self.clients.len() as u64) as usize;
        let mut client = self.clients.swap_remove(place);
        let lives = match client.known {
            None => self.first_login(&mut client),
            Some(known) => match self.rng.below(3) {
                0 => self.login_again(&mut client, known),
                1 => self.request(&client, known),
                _ => self.out_of_place(&client, known),
            },
        };
        if lives {
            self.clients.push(client);
        } else {
            self.authentication.on_close(&client.connection);
        }
    }

    fn connect(&mut self) {
        self.next_id += 1;
        let addr = "127.0.0.1:9092".parse().expect("an address");
        let listener = ListenerInfo {
            name: "SASL_PLAINTEXT".to_owned(),
            protocol: SecurityProtocol::SaslPlaintext,
            login_frame_bytes_max: 524_288,
            tls: None,
            advertised: None,
            bound: addr,
        };
        let connection = Arc::new(ConnectionInfo::new(self.next_id, Arc::new(listener), addr, addr));
        self.clients.push(Client { connection, known: None });
    }

    fn now(&self) -> Duration {
        use ottla_env::Clock;
        self.clock.monotonic().0
    }

    fn send(&self, client: &Client, frame: Bytes) -> Came {
        let Admitted::Ready(answer) = self.authentication.admit(&client.connection, frame) else {
            panic!("a login is answered at once")
        };
        match answer {
            Answer::Respond(response) => Came::Answer(bytes_of(&response)),
            Answer::Close(_) => Came::End(None),
            Answer::CloseAfter { response, delay, .. } => {
                assert_eq!(delay, Duration::from_millis(DELAY_MS), "what failed is held");
                assert!(client.connection.identity().is_none(), "who failed is nobody");
                Came::End(response.as_ref().map(bytes_of))
            }
            Answer::Silent | Answer::ThenMute { .. } => panic!("no login is answered so"),
        }
    }

    fn ask<Q: Encode, A: Decode>(
        &self,
        client: &Client,
        key: ApiKey,
        version: i16,
        request: &Q,
    ) -> (Option<A>, bool) {
        match self.send(client, frame(key, version, request)) {
            Came::Answer(bytes) => (Some(decoded(key, version, bytes)), true),
            Came::End(bytes) => (bytes.map(|bytes| decoded(key, version, bytes)), false),
        }
    }

    fn random_mechanism(&self) -> SaslMechanism {
        SaslMechanism::ALL[self.rng.below(3) as usize]
    }

    fn first_login(&mut self, client: &mut Client) -> bool {
        let (user, mechanism) = (self.rng.below(2) as usize, self.random_mechanism());
        match self.rng.below(6) {
            0 => {
                // Nothing else is answered.
                let (answer, lives) = self.ask::<_, ListGroupsResponse>(
                    client,
                    ApiKey::ListGroups,
                    0,
                    &ListGroupsRequest::default(),
                );
                assert!(answer.is_none() && !lives);
                false
            }
            1 => {
                let request = SaslHandshakeRequest::default().with_mechanism(text("NONE"));
                let (answer, lives) =
                    self.ask::<_, SaslHandshakeResponse>(client, ApiKey::SaslHandshake, 1, &request);
                assert_eq!(
                    (answer.map(|answer| answer.error_code), lives),
                    (Some(UNSUPPORTED_MECHANISM), false)
                );
                false
            }
            2 => self.rubbish(client),
            _ => self.exchange(client, user, mechanism, None),
        }
    }

    /// Bytes of no meaning, of any length: the end, and never a panic.
    fn rubbish(&mut self, client: &Client) -> bool {
        if self.rng.chance(500) {
            let handshake =
                SaslHandshakeRequest::default().with_mechanism(text(self.random_mechanism().name()));
            let version = self.rng.below(2) as i16;
            let (answer, lives) =
                self.ask::<_, SaslHandshakeResponse>(client, ApiKey::SaslHandshake, version, &handshake);
            assert_eq!((answer.map(|answer| answer.error_code), lives), (Some(0), true));
        }
        let mut bytes: Vec<u8> = (0..self.rng.below(80)).map(|_| self.rng.below(256) as u8).collect();
        // Often enough it looks like something.
        for (at, byte) in
            [0, [17, 18, 36][self.rng.below(3) as usize], 0, self.rng.below(4) as u8].into_iter().enumerate()
        {
            if let Some(place) = bytes.get_mut(at).filter(|_| self.rng.chance(800)) {
                *place = byte;
            }
        }
        let came = self.send(client, Bytes::from(bytes));
        assert!(client.connection.identity().is_none(), "rubbish is nobody");
        matches!(came, Came::Answer(_)) && self.rng.chance(500) && self.rubbish(client)
    }

    /// A login by SaslAuthenticate, with a right or a wrong password; `before` is who the client is known as.
    fn exchange(
        &mut self,
        client: &mut Client,
        user: usize,
        mechanism: SaslMechanism,
        before: Option<Known>,
    ) -> bool {
        let handshake = SaslHandshakeRequest::default().with_mechanism(text(mechanism.name()));
        let (answer, lives) =
            self.ask::<_, SaslHandshakeResponse>(client, ApiKey::SaslHandshake, 1, &handshake);
        assert_eq!((answer.map(|answer| answer.error_code), lives), (Some(0), true));
        let is_wrong = self.rng.chance(200);
        let password = format!("{}-{}", USERS[user], if is_wrong { "guess" } else { "secret" });
        let credentials = Credentials { name: USERS[user].to_owned(), password: Secret::new(password) };
        let (mut login, mut token) = SaslClient::first(mechanism, credentials, &self.rng.next_16().repeat(2));
        loop {
            let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
            let (answer, lives) =
                self.ask::<_, SaslAuthenticateResponse>(client, ApiKey::SaslAuthenticate, 2, &request);
            if before.is_some_and(|before| before.mechanism != mechanism) {
                assert!(answer.is_none() && !lives, "another mechanism is not answered");
                self.counts.refused += 1;
                return false;
            }
            let answer = answer.expect("SaslAuthenticate is answered");
            if answer.error_code != 0 {
                let is_other = before.is_some_and(|before| before.user != user);
                assert!(is_wrong || is_other, "{answer:?}");
                assert_eq!((answer.error_code, lives), (FAILED, false));
                self.counts.refused += 1;
                return false;
            }
            match login.step(&answer.auth_bytes) {
                Ok(ClientStep::Send(next)) => token = next,
                Ok(ClientStep::Done) => {
                    assert!(!is_wrong && before.is_none_or(|before| before.user == user));
                    assert_eq!(answer.session_lifetime_ms, SESSION_MS as i64);
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        let identity = client.connection.identity().expect("the client is known");
        assert_eq!(identity.principal.to_string(), format!("User:{}", USERS[user]));
        let ends = self.now() + Duration::from_millis(SESSION_MS);
        client.known = Some(Known { user, mechanism, ends, begun_again: before.map(|_| self.now()) });
        match before {
            Some(_) => self.counts.relogins += 1,
            None => self.counts.logins += 1,
        }
        true
    }

    fn login_again(&mut self, client: &mut Client, known: Known) -> bool {
        let now = self.now();
        let is_too_soon = known.begun_again.is_some_and(|begun| now - begun < Duration::from_secs(1));
        if is_too_soon {
            let handshake = SaslHandshakeRequest::default().with_mechanism(text(known.mechanism.name()));
            let (answer, lives) =
                self.ask::<_, SaslHandshakeResponse>(client, ApiKey::SaslHandshake, 1, &handshake);
            if now > known.ends {
                assert!(answer.is_none() && !lives);
                return false;
            }
            assert_eq!((answer.map(|answer| answer.error_code), lives), (Some(ILLEGAL_STATE), true));
            return true;
        }
        let same = |chance| self.rng.chance(chance);
        let user = if same(800) { known.user } else { 1 - known.user };
        let mechanism = if same(800) { known.mechanism } else { self.random_mechanism() };
        // Also behind its end a session may begin anew, as in Kafka.
        self.exchange(client, user, mechanism, Some(known))
    }

    fn request(&mut self, client: &Client, known: Known) -> bool {
        let (answer, lives) =
            self.ask::<_, ListGroupsResponse>(client, ApiKey::ListGroups, 0, &ListGroupsRequest::default());
        let has_ended = self.now() > known.ends;
        assert_eq!((answer.is_some(), lives), (!has_ended, !has_ended), "{known:?}");
        self.counts.expired += u64::from(has_ended);
        lives
    }

    fn out_of_place(&mut self, client: &Client, known: Known) -> bool {
        let request =
            SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(b"\0alice\0alice-secret"));
        let (answer, lives) =
            self.ask::<_, SaslAuthenticateResponse>(client, ApiKey::SaslAuthenticate, 2, &request);
        let has_ended = self.now() > known.ends;
        let code = answer.map(|answer| answer.error_code);
        assert_eq!((code, lives), if has_ended { (None, false) } else { (Some(ILLEGAL_STATE), true) });
        lives
    }
}
