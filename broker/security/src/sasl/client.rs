//! The other side of a login: what this node says where it logs in at another one (PLAIN, SCRAM, OAUTHBEARER).
//! Core. The frames around the tokens are `network`'s.

use subtle::ConstantTimeEq;

use super::SaslMechanism;
use super::scram_messages::{self as messages, BASE64};
use crate::scram::{ScramMechanism, keys_of_salted_password, salted_password};
use crate::secret::Secret;

/// Rounds that a server may ask for: more would be a way to keep this node busy.
const ITERATIONS_MAX: i32 = 1_000_000;

/// Who this node is elsewhere. With OAUTHBEARER the password is the token.
pub struct Credentials {
    pub name: String,
    pub password: Secret,
}

/// One login. Begins with `first`, then each token of the server is given to `step`.
pub struct SaslClient {
    mechanism: SaslMechanism,
    stage: Stage,
}

enum Stage {
    /// The name and the password are on their way.
    Sent,
    First {
        credentials: Credentials,
        bare: String,
        nonce: String,
    },
    Final {
        signature: Vec<u8>,
    },
    Done,
}

/// What is said next.
#[derive(PartialEq, Eq, Debug)]
pub enum ClientStep {
    Send(Vec<u8>),
    /// The login is over; the server has proven that it knows the password too, where the mechanism has that.
    Done,
}

/// Why a login ends that the server did not refuse.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the server's message is none of SCRAM")]
    Malformed,
    #[error("the server's nonce does not go on where ours ends")]
    Nonce,
    #[error("the server asks for {0} iterations")]
    Iterations(i32),
    #[error("the server refuses: {0}")]
    Refused(String),
    #[error("the server does not know the password")]
    Signature,
    #[error("the server goes on where the login is over")]
    Over,
}

impl SaslClient {
    /// The login and its first token.
    pub fn first(mechanism: SaslMechanism, credentials: Credentials, random: &[u8]) -> (SaslClient, Vec<u8>) {
        let (stage, token) = match mechanism {
            SaslMechanism::Plain => {
                let token =
                    [b"\0", credentials.name.as_bytes(), b"\0", credentials.password.bytes()].concat();
                (Stage::Sent, token)
            }
            SaslMechanism::OauthBearer => {
                let token = credentials.password.bytes();
                (Stage::Sent, [b"n,,\x01auth=Bearer ", token, b"\x01\x01"].concat())
            }
            SaslMechanism::Scram(_) => {
                let nonce = messages::random_text(random);
                let name = credentials.name.replace('=', "=3D").replace(',', "=2C");
                let bare = format!("n={name},r={nonce}");
                let token = format!("n,,{bare}").into_bytes();
                (Stage::First { credentials, bare, nonce }, token)
            }
        };
        (SaslClient { mechanism, stage }, token)
    }

    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    pub fn step(&mut self, token: &[u8]) -> Result<ClientStep, ClientError> {
        match (std::mem::replace(&mut self.stage, Stage::Done), self.mechanism) {
            // The reason of a refusal, which is heard and then answered with an error.
            (Stage::Sent, SaslMechanism::OauthBearer) if !token.is_empty() => Ok(ClientStep::Send(vec![1])),
            (Stage::Sent, _) => Ok(ClientStep::Done),
            (Stage::First { credentials, bare, nonce }, SaslMechanism::Scram(mechanism)) => {
                let (signature, token) = prove(mechanism, &credentials, &bare, &nonce, token)?;
                self.stage = Stage::Final { signature };
                Ok(ClientStep::Send(token))
            }
            (Stage::Final { signature }, _) => {
                use base64::Engine;
                let text = std::str::from_utf8(token).map_err(|_| ClientError::Malformed)?;
                if let Some(error) = text.strip_prefix("e=") {
                    return Err(ClientError::Refused(error.to_owned()));
                }
                let given = text.strip_prefix("v=").and_then(|text| BASE64.decode(text).ok());
                let given = given.ok_or(ClientError::Malformed)?;
                match bool::from(given.ct_eq(&signature)) {
                    true => Ok(ClientStep::Done),
                    false => Err(ClientError::Signature),
                }
            }
            (Stage::First { .. } | Stage::Done, _) => Err(ClientError::Over),
        }
    }
}

/// The signature that the server must give, and the client's last message.
fn prove(
    mechanism: ScramMechanism,
    credentials: &Credentials,
    bare: &str,
    nonce: &str,
    server_first: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), ClientError> {
    use base64::Engine;
    let text = std::str::from_utf8(server_first).map_err(|_| ClientError::Malformed)?;
    let mut fields = text.split(',');
    let mut field =
        |key: &str| fields.next().and_then(|field| field.strip_prefix(key)).ok_or(ClientError::Malformed);
    let both = field("r=")?;
    let salt = BASE64.decode(field("s=")?).map_err(|_| ClientError::Malformed)?;
    let iterations: i32 = field("i=")?.parse().map_err(|_| ClientError::Malformed)?;
    if !(both.starts_with(nonce) && both.len() > nonce.len()) {
        return Err(ClientError::Nonce);
    }
    if !(mechanism.iterations_min()..=ITERATIONS_MAX).contains(&iterations) {
        return Err(ClientError::Iterations(iterations));
    }
    let salted = salted_password(mechanism, credentials.password.bytes(), &salt, iterations);
    let keys = keys_of_salted_password(mechanism, salted.bytes());
    let without_proof = format!("c=biws,r={both}");
    let signed = format!("{bare},{text},{without_proof}");
    let mut proof = messages::hmac(mechanism, salted.bytes(), b"Client Key");
    let mask = messages::hmac(mechanism, &keys.stored_key, signed.as_bytes());
    proof.iter_mut().zip(&mask).for_each(|(byte, mask)| *byte ^= mask);
    let signature = messages::hmac(mechanism, &keys.server_key, signed.as_bytes());
    Ok((signature, format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sasl::{EnabledMechanism, Facts, Outcome, RANDOM_BYTES, SaslServer, Session};
    use crate::scram::{ScramCredential, ScramCredentials};

    /// The client against our own server, to its end.
    fn log_in(mechanism: SaslMechanism, name: &str, password: &str) -> Result<String, String> {
        let mut scram = ScramCredentials::default();
        for mechanism in [ScramMechanism::Sha256, ScramMechanism::Sha512] {
            let salted = salted_password(mechanism, b"p\xc3\xa4ss", b"salt", 4096);
            let keys = keys_of_salted_password(mechanism, salted.bytes());
            scram.insert(
                "a,b=c",
                mechanism,
                ScramCredential { salt: b"salt".to_vec(), keys, iterations: 4096 },
            );
        }
        let enabled = EnabledMechanism { mechanism, session_max: None };
        let plain_users = [("a,b=c".to_owned(), Secret::new("päss"))].into_iter().collect();
        let server = SaslServer { enabled: vec![enabled], plain_users, tokens: None };
        let decoy_key = Secret::new("key");
        let facts = Facts {
            server: &server,
            scram: &scram,
            tokens: None,
            decoy_key: &decoy_key,
            random: [9; RANDOM_BYTES],
            now: Duration::ZERO,
            wall_ms: 0,
        };
        let mut session = Session::default();
        session.on_handshake(enabled, 1);
        let credentials = Credentials { name: name.to_owned(), password: Secret::new(password) };
        let (mut client, mut token) = SaslClient::first(mechanism, credentials, &[7; RANDOM_BYTES]);
        loop {
            let (reply, identity) = match session.on_token(&token, &facts) {
                Outcome::Reply(reply) => (reply, None),
                Outcome::Done { reply, identity, .. } => (reply, Some(identity)),
                Outcome::Failed { failure, .. } => return Err(failure.why),
            };
            match client.step(&reply).map_err(|error| error.to_string())? {
                ClientStep::Send(next) => token = next,
                ClientStep::Done => {
                    assert!(client.is_done());
                    return Ok(identity.unwrap().principal.to_string());
                }
            }
        }
    }

    #[test]
    fn it_logs_in_at_our_own_server() {
        for mechanism in SaslMechanism::ALL.into_iter().filter(|m| *m != SaslMechanism::OauthBearer) {
            assert_eq!(log_in(mechanism, "a,b=c", "päss").as_deref(), Ok("User:a,b=c"), "{mechanism:?}");
            assert!(log_in(mechanism, "a,b=c", "pass").is_err(), "{mechanism:?}");
            assert!(log_in(mechanism, "other", "päss").is_err(), "{mechanism:?}");
        }
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let scram = SaslMechanism::Scram(ScramMechanism::Sha256);
        let begun = || {
            let credentials = Credentials { name: "a".to_owned(), password: Secret::new("b") };
            let (client, token) = SaslClient::first(scram, credentials, &[7; RANDOM_BYTES]);
            let token = String::from_utf8(token).unwrap();
            (client, token.split("r=").nth(1).unwrap().to_owned())
        };
        let (mut client, nonce) = begun();
        let first = format!("r={nonce}more,s=c2FsdA==,i=4096");
        assert!(matches!(client.step(first.as_bytes()), Ok(ClientStep::Send(_))));
        assert_eq!(client.step(b"v=AAAA"), Err(ClientError::Signature));
        for (first, error) in [
            (format!("r={nonce},s=c2FsdA==,i=4096"), ClientError::Nonce),
            ("r=other,s=c2FsdA==,i=4096".to_owned(), ClientError::Nonce),
            (format!("r={nonce}x,s=c2FsdA==,i=4095"), ClientError::Iterations(4095)),
            (format!("r={nonce}x,s=c2FsdA==,i=2000000"), ClientError::Iterations(2_000_000)),
            (format!("r={nonce}x,s=?,i=4096"), ClientError::Malformed),
            (format!("r={nonce}x"), ClientError::Malformed),
        ] {
            assert_eq!(begun().0.step(first.as_bytes()), Err(error), "{first}");
        }
    }
}
