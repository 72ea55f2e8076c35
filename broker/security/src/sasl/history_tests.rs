//! Seeded histories of sessions while credentials change, are taken away and end, with virtual time, against a plain model.
//! Core.
//!
//! The model: what counts is what the broker knew when a login began; who is known stays so until the session's end,
//! whatever becomes of the credential; and a session goes on as whom it began, by the mechanism it began with.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::hostile_tests::{Numbers, SCRAMS, last_message};
use super::*;
use crate::identity::Identity;
use crate::principal::KafkaPrincipal;
use crate::scram::{ScramCredential, keys_of_salted_password, salted_password};
use crate::tokens::TokenLogin;

const SEEDS: u64 = 300;
const STEPS: usize = 80;
const USERS: [&str; 2] = ["alice", "bob"];
/// Of a user; the tokens of both users have the next two.
const PASSWORDS: [&str; 4] = ["one", "two", "token of alice", "token of bob"];
const TOKENS: [&str; 2] = ["id-a", "id-b"];
const SESSION_MAX: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(1);

/// Thousands of rounds each, so they are made once.
static SALTED: LazyLock<BTreeMap<(ScramMechanism, usize), Secret>> = LazyLock::new(|| {
    let salted = |mechanism: ScramMechanism, number: usize| {
        salted_password(mechanism, PASSWORDS[number].as_bytes(), b"salt", 4096)
    };
    let all =
        SCRAMS.into_iter().flat_map(|mechanism| (0..PASSWORDS.len()).map(move |number| (mechanism, number)));
    all.map(|(mechanism, number)| ((mechanism, number), salted(mechanism, number))).collect()
});

fn credential(mechanism: ScramMechanism, password: usize) -> ScramCredential {
    let keys = keys_of_salted_password(mechanism, SALTED[&(mechanism, password)].bytes());
    ScramCredential { salt: b"salt".to_vec(), keys, iterations: 4096 }
}

/// When the token of each user ends, if there is one.
#[derive(Default)]
struct Tokens([Option<i64>; 2]);

impl TokenLogins for Tokens {
    fn find(&self, id: &str, mechanism: ScramMechanism) -> Option<TokenLogin> {
        let number = TOKENS.iter().position(|token| *token == id)?;
        Some(TokenLogin {
            credential: Arc::new(credential(mechanism, 2 + number)),
            owner: KafkaPrincipal::user(USERS[number]),
            expires_wall_ms: self.0[number]?,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Plain,
    Scram(ScramMechanism),
    Token(ScramMechanism),
}

impl Way {
    fn mechanism(self) -> SaslMechanism {
        match self {
            Way::Plain => SaslMechanism::Plain,
            Way::Scram(mechanism) | Way::Token(mechanism) => SaslMechanism::Scram(mechanism),
        }
    }
}

struct Known {
    user: usize,
    mechanism: SaslMechanism,
    ends: Duration,
    begun_again: Option<Duration>,
    identity: Arc<Identity>,
}

#[derive(Default)]
struct Client {
    session: Session,
    known: Option<Known>,
}

#[derive(Default, Debug)]
struct Counts {
    logins: u64,
    again: u64,
    refused: u64,
    ended: u64,
    /// Logins and refusals by a credential that was changed between the challenge and the proof.
    overtaken: u64,
}

struct History {
    numbers: Numbers,
    now: Duration,
    server: SaslServer,
    decoy_key: Secret,
    scram: ScramCredentials,
    tokens: Tokens,
    /// Which password a user has, by mechanism.
    plain: [Option<usize>; 2],
    by_scram: BTreeMap<(usize, ScramMechanism), usize>,
    clients: Vec<Client>,
    counts: Counts,
}

impl History {
    fn new(seed: u64) -> History {
        let session_max = Some(SESSION_MAX);
        let enabled = SaslMechanism::ALL.map(|mechanism| EnabledMechanism { mechanism, session_max });
        let mut history = History {
            numbers: Numbers(seed),
            now: Duration::from_secs(100),
            server: SaslServer { enabled: enabled.to_vec(), plain_users: BTreeMap::new(), tokens: None },
            decoy_key: Secret::new("key"),
            scram: ScramCredentials::default(),
            tokens: Tokens::default(),
            plain: [None; 2],
            by_scram: BTreeMap::new(),
            clients: Vec::new(),
            counts: Counts::default(),
        };
        (0..8).for_each(|_| history.change());
        history
    }

    fn wall_ms(&self) -> i64 {
        1_796_000_000_000 + self.now.as_millis() as i64
    }

    fn facts(&self, random: u8) -> Facts<'_> {
        let Self { server, scram, tokens, decoy_key, now, .. } = self;
        let random = [random; RANDOM_BYTES];
        Facts { server, scram, tokens: Some(tokens), decoy_key, random, now: *now, wall_ms: self.wall_ms() }
    }

    /// A password is set or changed, a user or a token comes or goes, or a token gets another end.
    fn change(&mut self) {
        let user = self.numbers.below(2);
        let is_there = self.numbers.below(4) > 0;
        let password = self.numbers.below(2);
        let mechanism = SCRAMS[self.numbers.below(2)];
        match self.numbers.below(3) {
            0 => {
                self.plain[user] = is_there.then_some(password);
                match is_there {
                    true => self
                        .server
                        .plain_users
                        .insert(USERS[user].to_owned(), Secret::new(PASSWORDS[password])),
                    false => self.server.plain_users.remove(USERS[user]),
                };
            }
            1 if is_there => {
                self.scram.insert(USERS[user], mechanism, credential(mechanism, password));
                self.by_scram.insert((user, mechanism), password);
            }
            1 => {
                self.scram.remove(USERS[user], mechanism);
                self.by_scram.remove(&(user, mechanism));
            }
            // Some have ended already.
            _ => {
                let ends = self.wall_ms() - 1_000 + self.numbers.below(8_000) as i64;
                self.tokens.0[user] = is_there.then_some(ends);
            }
        }
    }

    fn step(&mut self) {
        match self.numbers.below(10) {
            0..3 => self.now += Duration::from_millis(self.numbers.below(2_500) as u64),
            3 => self.change(),
            4 => self.clients.push(Client::default()),
            _ if self.clients.is_empty() => {}
            _ => {
                let place = self.numbers.below(self.clients.len());
                let mut client = self.clients.swap_remove(place);
                let lives = match (&client.known, self.numbers.below(2)) {
                    (Some(known), 0) => {
                        let has_ended = self.now > known.ends;
                        assert_eq!(known.identity.is_expired(self.now), has_ended, "a session has one end");
                        self.counts.ended += u64::from(has_ended);
                        !has_ended
                    }
                    _ => self.log_in(&mut client),
                };
                if lives {
                    self.clients.push(client);
                }
            }
        }
    }

    /// The first login or the next, with a password that may be the wrong one. Whether the connection lives on.
    fn log_in(&mut self, client: &mut Client) -> bool {
        let mut user = self.numbers.below(2);
        let mut way = match self.numbers.below(3) {
            0 => Way::Plain,
            1 => Way::Scram(SCRAMS[self.numbers.below(2)]),
            _ => Way::Token(SCRAMS[self.numbers.below(2)]),
        };
        if let Some(known) = &client.known {
            // Mostly as the same user, by the same mechanism.
            if self.numbers.below(5) > 0 {
                user = known.user;
                let by_token = self.numbers.below(2) == 0;
                way = match known.mechanism {
                    SaslMechanism::Scram(mechanism) if by_token => Way::Token(mechanism),
                    SaslMechanism::Scram(mechanism) => Way::Scram(mechanism),
                    _ => Way::Plain,
                };
            }
            let may_begin = known.begun_again.is_none_or(|begun| self.now - begun >= AGAIN);
            let begins = client.session.begin_again(known.identity.clone(), self.now);
            assert_eq!(begins, may_begin, "once a second");
            if !begins {
                return true;
            }
        }
        let enabled = self.server.enabled(way.mechanism().name()).expect("enabled");
        client.session.on_handshake(enabled, 1);
        let password = match way {
            Way::Plain => self.plain[user],
            Way::Scram(mechanism) => self.by_scram.get(&(user, mechanism)).copied(),
            Way::Token(_) => Some(0),
        };
        // Mostly the client knows it.
        let is_known = self.numbers.below(4) > 0;
        let guess = password.filter(|_| is_known).unwrap_or(self.numbers.below(2));
        // What the broker knows when the login begins is what counts.
        let token_ends = self.tokens.0[user];
        let right = match way {
            Way::Plain => self.plain[user] == Some(guess),
            Way::Scram(mechanism) => self.by_scram.get(&(user, mechanism)) == Some(&guess),
            Way::Token(_) => token_ends.is_some() && guess == 0,
        };
        let outcome = match way {
            Way::Plain => {
                let token = format!("\0{}\0{}", USERS[user], PASSWORDS[guess]);
                client.session.on_token(token.as_bytes(), &self.facts(1))
            }
            Way::Scram(mechanism) => self.exchange(client, mechanism, USERS[user], "", guess),
            Way::Token(mechanism) => {
                let password = if guess == 0 { 2 + user } else { 3 - user };
                self.exchange(client, mechanism, TOKENS[user], ",tokenauth=true", password)
            }
        };
        let before = client.known.take();
        let is_same =
            before.as_ref().is_none_or(|before| before.user == user && before.mechanism == way.mechanism());
        match outcome {
            Outcome::Done { identity, lifetime, .. } => {
                assert!(right && is_same, "{way:?} lets {} in", USERS[user]);
                assert_eq!(identity.principal, KafkaPrincipal::user(USERS[user]));
                let by_token = matches!(way, Way::Token(_));
                assert_eq!(identity.is_by_delegation_token, by_token);
                let left = |ends: i64| Duration::from_millis((ends - self.wall_ms()).max(0) as u64);
                let of_token = token_ends.filter(|_| by_token).map_or(SESSION_MAX, left);
                assert_eq!(lifetime, Some(of_token.min(SESSION_MAX)));
                let begun_again = before.as_ref().map(|_| self.now);
                self.counts.again += u64::from(before.is_some());
                self.counts.logins += 1;
                let ends = self.now + of_token.min(SESSION_MAX);
                client.known = Some(Known { user, mechanism: way.mechanism(), ends, begun_again, identity });
                true
            }
            Outcome::Failed { .. } => {
                assert!(!(right && is_same), "{way:?} refuses {}", USERS[user]);
                assert_eq!(client.session.expects(), Expects::Nothing);
                self.counts.refused += 1;
                false
            }
            Outcome::Reply(reply) => panic!("{}", String::from_utf8_lossy(&reply)),
        }
    }

    /// A login by SCRAM, in whose middle the credentials may change.
    fn exchange(
        &mut self,
        client: &mut Client,
        mechanism: ScramMechanism,
        name: &str,
        extension: &str,
        password: usize,
    ) -> Outcome {
        let bare = format!("n={name},r=abc{extension}");
        let random = self.numbers.below(256) as u8;
        let challenge = match client.session.on_token(format!("n,,{bare}").as_bytes(), &self.facts(random)) {
            Outcome::Reply(challenge) => String::from_utf8(challenge).expect("text"),
            other => return other,
        };
        if self.numbers.below(3) == 0 {
            self.change();
            self.counts.overtaken += 1;
        }
        let last = last_message(mechanism, &SALTED[&(mechanism, password)], &bare, &challenge);
        client.session.on_token(last.as_bytes(), &self.facts(random))
    }
}

#[test]
fn what_was_known_when_a_login_began_counts_until_the_session_ends_in_every_history() {
    let mut all = Counts::default();
    for seed in 0..SEEDS {
        let mut history = History::new(seed);
        (0..STEPS).for_each(|_| history.step());
        let Counts { logins, again, refused, ended, overtaken } = history.counts;
        all.logins += logins;
        all.again += again;
        all.refused += refused;
        all.ended += ended;
        all.overtaken += overtaken;
    }
    let is_enough = all.logins > 2 * SEEDS
        && all.again > SEEDS / 2
        && all.refused > SEEDS
        && all.ended > SEEDS / 4
        && all.overtaken > SEEDS / 2;
    assert!(is_enough, "too little happened: {all:?}");
}
