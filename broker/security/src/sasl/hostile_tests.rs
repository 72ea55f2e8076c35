//! Tests of logins against clients that mean harm: damaged messages, replayed ones, and too long ones.
//! Core, from fixed seeds.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::scram_messages::{BASE64, hmac};
use super::*;
use crate::scram::{ScramCredential, ScramKeys, keys_of_salted_password, salted_password};

const WALL_MS: i64 = 1_796_000_000_000;
const NOW_S: i64 = WALL_MS / 1000;
const GENERIC: &str = "due to invalid credentials with SASL mechanism";

/// Numbers that a seed decides.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Other bytes in one to four places: flipped, cut, repeated, put in between.
    fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _change in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => bytes.truncate(at),
                2 => bytes.insert(at, *self.pick(b",=\0\x01npracAB7 \xff")),
                3 if at < bytes.len() => drop(bytes.remove(at)),
                _ => {
                    let again = bytes[at..].to_vec();
                    bytes.extend_from_slice(&again);
                }
            }
        }
        bytes
    }
}

struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Signer {
        Signer(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    fn key_set(&self) -> KeySet {
        let point = self.0.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y});
        KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).expect("a set")
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("it signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// A listener with every mechanism, and alice, who is known by each.
struct World {
    server: SaslServer,
    scram: ScramCredentials,
    decoy_key: Secret,
    signer: Signer,
    salted: [Secret; 2],
}

pub(super) const SCRAMS: [ScramMechanism; 2] = [ScramMechanism::Sha256, ScramMechanism::Sha512];

fn world() -> World {
    let signer = Signer::new();
    let rules = SignedRules {
        audience: Vec::new(),
        issuer: None,
        clock_skew_ms: 0,
        scope_claim: "scope".to_owned(),
        principal_claim: "sub".to_owned(),
    };
    let tokens = SignedTokens { rules, keys: Arc::default() };
    tokens.keys.replace(signer.key_set());
    let mut scram = ScramCredentials::default();
    let salted = SCRAMS.map(|mechanism| salted_password(mechanism, b"alice-secret", b"salt", 4096));
    for (mechanism, salted) in SCRAMS.into_iter().zip(&salted) {
        let keys = keys_of_salted_password(mechanism, salted.bytes());
        scram.insert("alice", mechanism, ScramCredential { salt: b"salt".to_vec(), keys, iterations: 4096 });
    }
    let enabled = SaslMechanism::ALL
        .map(|mechanism| EnabledMechanism { mechanism, session_max: Some(Duration::from_secs(5)) })
        .to_vec();
    let plain_users = [("alice".to_owned(), Secret::new("alice-secret"))].into_iter().collect();
    let server = SaslServer { enabled, plain_users, tokens: Some(TokenValidator::Signed(tokens)) };
    World { server, scram, decoy_key: Secret::new("key"), signer, salted }
}

impl World {
    fn facts(&self, random: u8) -> Facts<'_> {
        Facts {
            server: &self.server,
            scram: &self.scram,
            tokens: None,
            decoy_key: &self.decoy_key,
            random: [random; RANDOM_BYTES],
            now: Duration::from_secs(100),
            wall_ms: WALL_MS,
        }
    }

    fn session(&self, mechanism: SaslMechanism) -> Session {
        let mut session = Session::default();
        session.on_handshake(self.server.enabled(mechanism.name()).expect("enabled"), 1);
        session
    }

    fn token(&self) -> String {
        self.signer.token(&json!({"alg": "ES256", "kid": "k"}), &claims())
    }

    /// The last message of alice, to this first one and challenge.
    fn last(&self, mechanism: ScramMechanism, first_bare: &str, challenge: &str) -> String {
        last_message(mechanism, self.salted(mechanism), first_bare, challenge)
    }

    /// What alice's password is made into.
    fn salted(&self, mechanism: ScramMechanism) -> &Secret {
        &self.salted[(mechanism == ScramMechanism::Sha512) as usize]
    }
}

/// The last message of whoever knows the password.
pub(super) fn last_message(
    mechanism: ScramMechanism,
    salted: &Secret,
    first_bare: &str,
    challenge: &str,
) -> String {
    let nonce = challenge.trim_start_matches("r=").split(',').next().expect("a nonce");
    proved(mechanism, salted, &format!("{first_bare},{challenge}"), &format!("c=biws,r={nonce}"))
}

/// A last message with the proof that fits it, whatever it says.
fn proved(mechanism: ScramMechanism, salted: &Secret, said_before: &str, without_proof: &str) -> String {
    let signed = format!("{said_before},{without_proof}");
    let client_key = hmac(mechanism, salted.bytes(), b"Client Key");
    let ScramKeys { stored_key, .. } = keys_of_salted_password(mechanism, salted.bytes());
    let signature = hmac(mechanism, &stored_key, signed.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
    format!("{without_proof},p={}", BASE64.encode(proof))
}

fn claims() -> Value {
    json!({"sub": "alice", "iat": NOW_S - 10, "exp": NOW_S + 100})
}

fn reply(outcome: Outcome) -> String {
    match outcome {
        Outcome::Reply(token) => String::from_utf8(token).expect("text"),
        other => panic!("{other:?}"),
    }
}

fn told(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { told, .. } => told.expect("it is told"),
        other => panic!("{other:?}"),
    }
}

/// CVE-2017-12610: who logs in acts as nobody else.
#[test]
fn no_mechanism_takes_the_authorization_id_of_somebody_else() {
    let world = world();
    for mechanism in SaslMechanism::ALL {
        let message = |id: &str| match mechanism {
            SaslMechanism::Plain => format!("{id}\0alice\0alice-secret"),
            SaslMechanism::Scram(_) => format!("n,a={id},n=alice,r=abc"),
            SaslMechanism::OauthBearer => {
                format!("n,a={id},\x01auth=Bearer {}\x01\x01", world.token())
            }
        };
        let own = world.session(mechanism).on_token(message("alice").as_bytes(), &world.facts(1));
        assert!(!matches!(own, Outcome::Failed { .. }), "{} with its own: {own:?}", mechanism.name());
        let mut session = world.session(mechanism);
        let text = told(session.on_token(message("bob").as_bytes(), &world.facts(1)));
        assert!(text.contains("authorization id"), "{}: {text}", mechanism.name());
        assert_eq!(session.expects(), Expects::Nothing, "the login is over");
    }
}

/// CVE-2024-56128: what was heard of one exchange is worth nothing in another.
#[test]
fn a_recorded_exchange_lets_nobody_in_again() {
    let world = world();
    for mechanism in SCRAMS {
        let bare = "n=alice,r=abc";
        let first = format!("n,,{bare}");
        let mut session = world.session(SaslMechanism::Scram(mechanism));
        let challenge = reply(session.on_token(first.as_bytes(), &world.facts(1)));
        let last = world.last(mechanism, bare, &challenge);
        let done = session.on_token(last.as_bytes(), &world.facts(2));
        assert!(matches!(done, Outcome::Done { .. }), "{done:?}");

        let try_last = |make: &dyn Fn(&str) -> String| {
            let mut session = world.session(SaslMechanism::Scram(mechanism));
            let challenge = reply(session.on_token(first.as_bytes(), &world.facts(9)));
            told(session.on_token(make(&challenge).as_bytes(), &world.facts(2)))
        };
        // Whoever sends these knows the password: the proof fits what is changed, too.
        let changed = |challenge: &str, from: &str, to: &str| {
            let nonce = challenge.trim_start_matches("r=").split(',').next().expect("a nonce");
            let without_proof = format!("c=biws,r={nonce}").replacen(from, to, 1);
            proved(mechanism, world.salted(mechanism), &format!("{bare},{challenge}"), &without_proof)
        };
        let unchanged = |challenge: &str| changed(challenge, "", "");
        let done = {
            let mut session = world.session(SaslMechanism::Scram(mechanism));
            let challenge = reply(session.on_token(first.as_bytes(), &world.facts(9)));
            session.on_token(unchanged(&challenge).as_bytes(), &world.facts(2))
        };
        assert!(matches!(done, Outcome::Done { .. }), "{done:?}");
        type Make<'a> = &'a dyn Fn(&str) -> String;
        let tries: [(&str, Make<'_>); 5] = [
            ("the recorded one", &|_challenge| last.clone()),
            // Kafka 3.8 was content with an end of the nonce.
            ("only the server's nonce", &|challenge| changed(challenge, "r=abc", "r=")),
            ("a nonce that goes on", &|challenge| changed(challenge, "r=abc", "r=xabc")),
            ("another channel", &|challenge| changed(challenge, "c=biws", "c=eSws")),
            ("no channel", &|challenge| changed(challenge, "c=biws", "c=")),
        ];
        for (what, make) in tries {
            assert!(try_last(make).contains(GENERIC), "{what}");
        }
    }
}

/// redpanda#11349, librdkafka#5577: neither a close nor a crash, but the one text.
#[test]
fn huge_and_malformed_messages_get_the_one_text() {
    let world = world();
    for mechanism in SCRAMS {
        let name = SaslMechanism::Scram(mechanism).name();
        for count in [4_096, 4_097, 100_000, 524_288] {
            let long = "x".repeat(count);
            for first in [
                format!("n,,n=alice,r={long}"),
                format!("n,,n={long},r=abc"),
                format!("n,a={long},n=alice,r=abc"),
                long.clone(),
                ",".repeat(count),
                "=".repeat(count),
            ] {
                let mut session = world.session(SaslMechanism::Scram(mechanism));
                let text = told(session.on_token(first.as_bytes(), &world.facts(1)));
                assert!(text.contains(GENERIC) && text.ends_with(name), "{text}");
            }
            let mut session = world.session(SaslMechanism::Scram(mechanism));
            let challenge = reply(session.on_token(b"n,,n=alice,r=abc", &world.facts(1)));
            let last = format!("{},e={long}", world.last(mechanism, "n=alice,r=abc", &challenge));
            let text = told(session.on_token(last.as_bytes(), &world.facts(1)));
            assert!(text.contains(GENERIC) && text.ends_with(name), "{text}");
        }
    }
}

/// Sessions that go any way: handshakes and tokens of every kind, whole and damaged. Whoever is let in is alice, and has
/// shown what only she has.
#[test]
fn no_damaged_login_lets_anybody_in() {
    const ROUNDS: usize = 6_000;
    let world = world();
    let mut numbers = Numbers(12);
    let bearer = format!("n,,\x01auth=Bearer {}\x01\x01", world.token());
    let (mut let_in, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let mechanism = *numbers.pick(&SaslMechanism::ALL);
        let enabled = world.server.enabled(mechanism.name()).expect("enabled");
        let mut session = Session::default();
        if numbers.below(2) == 0 {
            session.on_told();
        }
        session.on_handshake(enabled, numbers.below(2) as i16);
        let mut token = match mechanism {
            SaslMechanism::Plain => b"\0alice\0alice-secret".to_vec(),
            SaslMechanism::Scram(_) => b"n,,n=alice,r=abc".to_vec(),
            SaslMechanism::OauthBearer => bearer.clone().into_bytes(),
        };
        for _step in 0..3 {
            let sent = if numbers.below(3) > 0 { token.clone() } else { numbers.damage(&token) };
            let is_whole = sent == token;
            match session.on_token(&sent, &world.facts(round as u8)) {
                Outcome::Reply(challenge) => {
                    let SaslMechanism::Scram(kind) = mechanism else {
                        // OAUTHBEARER tells of a refusal before its end.
                        assert!(!is_whole, "the whole token is good");
                        token = b"\x01".to_vec();
                        continue;
                    };
                    let bare = String::from_utf8_lossy(&sent).splitn(3, ',').nth(2).unwrap_or("").to_owned();
                    token = world.last(kind, &bare, &String::from_utf8_lossy(&challenge)).into_bytes();
                }
                Outcome::Done { identity, .. } => {
                    assert_eq!(identity.principal.as_str(), "User:alice");
                    assert!(
                        shows_the_secret(mechanism, &sent, &token),
                        "{:?}",
                        String::from_utf8_lossy(&sent)
                    );
                    assert_eq!(session.expects(), Expects::Requests);
                    let_in += 1;
                    break;
                }
                Outcome::Failed { .. } => {
                    assert!(!is_whole || mechanism != SaslMechanism::Plain, "the whole token is good");
                    assert_eq!(session.expects(), Expects::Nothing);
                    refused += 1;
                    break;
                }
            }
        }
    }
    assert!(let_in > ROUNDS / 5 && refused > ROUNDS / 5, "{let_in} were let in, {refused} refused");
}

/// Whether a message that was let in has what the whole one proves, however else it is written.
fn shows_the_secret(mechanism: SaslMechanism, sent: &[u8], whole: &[u8]) -> bool {
    let text = String::from_utf8_lossy(sent).into_owned();
    let whole = String::from_utf8_lossy(whole).into_owned();
    let after = |text: &str, word: &str| text.split_once(word).map(|(_, rest)| rest.to_owned());
    match mechanism {
        SaslMechanism::Plain => text.ends_with("\0alice-secret"),
        SaslMechanism::Scram(_) => {
            let proof = |text: &str| BASE64.decode(after(text, ",p=").unwrap_or_default()).ok();
            proof(&text).is_some() && proof(&text) == proof(&whole)
        }
        SaslMechanism::OauthBearer => {
            let token = |text: &str| {
                after(text, "Bearer ")
                    .and_then(|rest| rest.split('\x01').next().map(|it| it.trim().to_owned()))
            };
            token(&text) == token(&whole)
        }
    }
}

/// Tokens of any header and any claims, signed by the issuer or by a stranger: what is accepted was signed by the issuer,
/// names somebody, and has not ended.
#[test]
fn no_odd_token_is_accepted() {
    const ROUNDS: usize = 1_500;
    let world = world();
    let stranger = Signer::new();
    let Some(TokenValidator::Signed(tokens)) = &world.server.tokens else { panic!("tokens are signed") };
    let mut numbers = Numbers(7);
    let deep = (0..200).fold(json!(1), |inner, _depth| json!([inner]));
    let odd = [
        json!(null),
        json!(true),
        json!(""),
        json!(" "),
        json!("1796000100"),
        json!("alice"),
        json!(-1),
        json!(0),
        json!(NOW_S + 100),
        json!(NOW_S as f64 + 0.5),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e308),
        json!(-1e308),
        json!([]),
        json!({}),
        json!(["alice", 1]),
        json!("x".repeat(70_000)),
        deep,
    ];
    let (mut accepted_count, mut refused_count) = (0, 0);
    for _round in 0..ROUNDS {
        let (mut header, mut claims) = (json!({"alg": "ES256", "kid": "k"}), claims());
        for _change in 0..numbers.below(3) {
            let name = *numbers.pick(&["sub", "iat", "exp", "nbf", "scope", "aud", "iss", "x"]);
            claims[name] = numbers.pick(&odd).clone();
        }
        if numbers.below(4) == 0 {
            let name = *numbers.pick(&["alg", "kid", "crit", "typ", "jwk", "b64"]);
            let value = numbers.pick(&odd).clone();
            header[name] = if numbers.below(2) == 0 { json!("none") } else { value };
        }
        let is_ours = numbers.below(5) > 0;
        let whole = if is_ours { &world.signer } else { &stranger }.token(&header, &claims);
        let is_damaged = numbers.below(4) == 0;
        let sent = if is_damaged { numbers.damage(whole.as_bytes()) } else { whole.clone().into_bytes() };
        let sent = String::from_utf8_lossy(&sent).into_owned();
        let unsecured = TokenValidator::Unsecured(UnsecuredTokens {
            principal_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            required_scope: Vec::new(),
            clock_skew_ms: 0,
        });
        // What these accept anybody can write: an answer is all that is asked.
        let _any = unsecured.validate(&sent, Duration::ZERO, WALL_MS);
        match tokens.validate(&sent, Duration::from_secs(100), WALL_MS) {
            Ok(accepted) => {
                accepted_count += 1;
                assert!(is_ours && sent.trim_end_matches('=') == whole, "nobody else signs: {sent}");
                assert_eq!(claims["sub"].as_str().map(str::trim), Some(&*accepted.principal));
                assert!(!accepted.principal.is_empty() && claims["iat"].is_number());
                let ends = claims["exp"].as_f64().expect("a token has an end");
                assert!(ends >= NOW_S as f64 && accepted.expires_wall_ms >= WALL_MS, "{claims}");
            }
            Err(_refused) => refused_count += 1,
        }
    }
    assert!(accepted_count > ROUNDS / 10 && refused_count > ROUNDS / 4, "{accepted_count} {refused_count}");
}
