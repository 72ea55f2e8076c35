//! A SCRAM login as the server sees it: challenge, proof, signature (RFC 5802; Kafka's ScramSaslServer).
//! Core.
//!
//! Invariants:
//! - A name that nobody has is answered like one that somebody has: with a salt that stays the same, and a
//!   refusal of the proof. Kafka refuses such a name at once, which tells who exists.
//! - The client's last message must repeat the whole nonce (CVE-2024-56128) and the header it began with.

use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::scram_messages::{self as messages, ClientFinal, ClientFirst};
use super::{FOREIGN_AUTHORIZATION_ID, Facts, Failure, Login, Step};
use crate::principal::KafkaPrincipal;
use crate::scram::{ScramCredential, ScramKeys, ScramMechanism};

/// What credentials have that were made without saying how many.
const DECOY_ITERATIONS: i32 = 4096;

/// One login. `Default` has heard nothing.
pub(super) struct ScramServer {
    mechanism: ScramMechanism,
    challenged: Option<Challenged>,
}

struct Challenged {
    /// `None` for a name that nobody has.
    credential: Option<Arc<ScramCredential>>,
    /// Whom the token lets in, and until when, where the name is a token's.
    token: Option<(KafkaPrincipal, i64)>,
    first: ClientFirst,
    server_first: String,
    nonce: String,
}

impl ScramServer {
    pub fn new(mechanism: ScramMechanism) -> ScramServer {
        ScramServer { mechanism, challenged: None }
    }

    pub fn step(&mut self, message: &[u8], facts: &Facts<'_>) -> Result<Step, Failure> {
        match self.challenged.take() {
            None => self.challenge(message, facts).map(Step::Challenge),
            Some(challenged) => self.verify(message, &challenged),
        }
    }

    fn challenge(&mut self, message: &[u8], facts: &Facts<'_>) -> Result<Vec<u8>, Failure> {
        let Some(first) = ClientFirst::parse(message) else {
            return Err(Failure::hidden("the first message is none of SCRAM"));
        };
        if first.is_token && facts.tokens.is_none() {
            return Err(Failure::hidden("there are no delegation tokens").of(&first.name));
        }
        if !(first.authorization_id.is_empty() || first.authorization_id == first.name) {
            return Err(Failure::told(FOREIGN_AUTHORIZATION_ID).of(&first.name));
        }
        let (credential, token) = match facts.tokens.filter(|_| first.is_token) {
            Some(tokens) => match tokens.find(&first.name, self.mechanism) {
                Some(found) => (Some(found.credential), Some((found.owner, found.expires_wall_ms))),
                None => (None, None),
            },
            None => {
                let mechanisms = facts.scram.of_user(&first.name);
                (mechanisms.and_then(|of_user| of_user.get(&self.mechanism)).cloned(), None)
            }
        };
        let nonce = format!("{}{}", first.nonce, messages::random_text(&facts.random));
        let server_first = match &credential {
            Some(known) if known.iterations < self.mechanism.iterations_min() => {
                let why = format!("the credential has {} iterations, which are too few", known.iterations);
                return Err(Failure::hidden(why).of(&first.name));
            }
            Some(known) => messages::server_first(&nonce, &known.salt, known.iterations),
            None => messages::server_first(&nonce, &self.decoy_salt(&first.name, facts), DECOY_ITERATIONS),
        };
        let answer = server_first.clone().into_bytes();
        self.challenged = Some(Challenged { credential, token, first, server_first, nonce });
        Ok(answer)
    }

    /// The same for the same name as long as the process lives, and of the form that Kafka's tools give to salts.
    fn decoy_salt(&self, name: &str, facts: &Facts<'_>) -> Vec<u8> {
        let text = [self.mechanism.code().to_be_bytes().as_slice(), name.as_bytes()].concat();
        messages::random_text(&messages::hmac(ScramMechanism::Sha256, facts.decoy_key.bytes(), &text))
            .into_bytes()
    }

    fn verify(&self, message: &[u8], challenged: &Challenged) -> Result<Step, Failure> {
        let Challenged { credential, token: by_token, first, server_first, nonce } = challenged;
        let refuse = |why: &str| Err(Failure::hidden(why).of(&first.name));
        let Some(last) = ClientFinal::parse(message) else {
            return refuse("the last message is none of SCRAM");
        };
        if last.nonce != *nonce {
            return refuse("the nonce is not the one that was sent");
        }
        if last.channel != first.gs2_header.as_bytes() {
            return refuse("the channel is not the one that the first message named");
        }
        let signed = format!("{},{server_first},{}", first.bare, last.without_proof);
        // Of a name that nobody has nothing is known that could be right, and finding that takes as long.
        let nobody = ScramKeys { stored_key: vec![0; self.mechanism.key_bytes()], server_key: Vec::new() };
        let keys = credential.as_ref().map_or(&nobody, |known| &known.keys);
        let mut client_key = messages::hmac(self.mechanism, &keys.stored_key, signed.as_bytes());
        let is_whole = client_key.len() == last.proof.len();
        client_key.iter_mut().zip(&last.proof).for_each(|(byte, proof)| *byte ^= proof);
        let stored_key = messages::digest(self.mechanism, &client_key);
        let is_right: bool = stored_key.ct_eq(&keys.stored_key).into();
        if credential.is_none() {
            return refuse("there is no such user");
        }
        if !(is_whole && is_right) {
            return refuse("the password is wrong");
        }
        let signature = messages::hmac(self.mechanism, &keys.server_key, signed.as_bytes());
        let token = messages::server_final(&signature).into_bytes();
        let login = match by_token {
            None => Login::of(first.name.clone()),
            Some((owner, ends)) => Login {
                name: owner.as_str().split_once(':').map_or(owner.as_str(), |(_, name)| name).to_owned(),
                expires_wall_ms: Some(*ends),
                is_by_delegation_token: true,
            },
        };
        Ok(Step::Done { token, login })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sasl::{RANDOM_BYTES, SaslServer};
    use crate::scram::ScramCredentials;
    use crate::secret::Secret;

    fn unhex(value: &Value) -> Vec<u8> {
        let text = value.as_str().unwrap().as_bytes();
        text.chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn facts<'a>(server: &'a SaslServer, scram: &'a ScramCredentials, decoy_key: &'a Secret) -> Facts<'a> {
        let now = std::time::Duration::ZERO;
        Facts { server, scram, tokens: None, decoy_key, random: [3; RANDOM_BYTES], now, wall_ms: 0 }
    }

    /// Exchanges as Kafka's own ScramFormatter makes them: with its nonce in place of ours, the challenge and
    /// the signature are the same to the byte.
    #[test]
    fn exchanges_are_kafkas() {
        let golden: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
        let (server, decoy_key) = (SaslServer::default(), Secret::new("key"));
        let cases = golden["scram"].as_array().unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let text = |name: &str| case[name].as_str().unwrap().to_owned();
            let mechanism = match &*text("mechanism") {
                "SCRAM-SHA-256" => ScramMechanism::Sha256,
                _ => ScramMechanism::Sha512,
            };
            let keys = crate::scram::keys_of_salted_password(mechanism, &unhex(&case["salted_password"]));
            assert_eq!(
                (&keys.stored_key, &keys.server_key),
                (&unhex(&case["stored_key"]), &unhex(&case["server_key"]))
            );
            let iterations = case["iterations"].as_i64().unwrap() as i32;
            let (password, salt) = (text("password"), unhex(&case["salt"]));
            let salted = crate::scram::salted_password(mechanism, password.as_bytes(), &salt, iterations);
            assert!(salted.is(&unhex(&case["salted_password"])));
            let mut scram = ScramCredentials::default();
            scram.insert(
                &text("name"),
                mechanism,
                ScramCredential { salt: unhex(&case["salt"]), keys, iterations },
            );
            let facts = facts(&server, &scram, &decoy_key);
            let mut login = ScramServer::new(mechanism);
            let challenge = login.challenge(text("client_first").as_bytes(), &facts).unwrap();
            let own = messages::random_text(&facts.random);
            assert_eq!(
                String::from_utf8(challenge).unwrap(),
                text("server_first").replace(&text("server_nonce"), &own)
            );
            let challenged = login.challenged.as_mut().unwrap();
            challenged.server_first = text("server_first");
            challenged.nonce = text("client_nonce") + &text("server_nonce");
            let last = text("client_final");
            // Each byte of it counts, but what Base64 has behind the last byte of the proof.
            for at in 0..last.len() - 3 {
                let mut damaged = last.clone().into_bytes();
                damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
                let failure = login.verify(&damaged, login.challenged.as_ref().unwrap()).unwrap_err();
                assert_eq!(failure.told, None, "{at}");
            }
            match login.step(last.as_bytes(), &facts).unwrap() {
                Step::Done { token, login } => {
                    assert_eq!(String::from_utf8(token).unwrap(), text("server_final"));
                    assert_eq!(login, Login::of(text("name")));
                }
                step => panic!("{step:?}"),
            }
        }
    }

    #[test]
    fn a_name_that_nobody_has_is_challenged_like_any_other_and_then_refused() {
        let (server, scram, key) = (SaslServer::default(), ScramCredentials::default(), Secret::new("key"));
        let challenge = |name: &str, key: &Secret| {
            let mut login = ScramServer::new(ScramMechanism::Sha256);
            let first = format!("n,,n={name},r=abc");
            let answer = login.challenge(first.as_bytes(), &facts(&server, &scram, key)).unwrap();
            (String::from_utf8(answer).unwrap(), login)
        };
        let (first, mut login) = challenge("nobody", &key);
        assert_eq!(first, challenge("nobody", &key).0);
        assert_ne!(first, challenge("nobody2", &key).0);
        assert_ne!(first, challenge("nobody", &Secret::new("other")).0);
        assert!(first.ends_with(",i=4096"), "{first}");
        let nonce = first.strip_prefix("r=").unwrap().split(',').next().unwrap();
        // Even the proof that would be right for keys of zeros.
        let last = format!("c=biws,r={nonce}");
        let signed = format!("n=nobody,r=abc,{first},{last}");
        let proof = messages::hmac(ScramMechanism::Sha256, &[0; 32], signed.as_bytes());
        use base64::Engine;
        let last = format!("{last},p={}", messages::BASE64.encode(proof));
        let failure = login.step(last.as_bytes(), &facts(&server, &scram, &key)).unwrap_err();
        assert_eq!((failure.told, &*failure.why), (None, "there is no such user"));
    }

    #[test]
    fn a_foreign_authorization_id_is_refused_whether_or_not_the_user_is_there() {
        let (server, scram, key) = (SaslServer::default(), ScramCredentials::default(), Secret::new("key"));
        let mut login = ScramServer::new(ScramMechanism::Sha512);
        let failure = login.step(b"n,a=bob,n=alice,r=abc", &facts(&server, &scram, &key)).unwrap_err();
        assert_eq!(failure.told.as_deref(), Some(FOREIGN_AUTHORIZATION_ID));
        assert!(login.step(b"n,a=alice,n=alice,r=abc", &facts(&server, &scram, &key)).is_ok());
    }
}
