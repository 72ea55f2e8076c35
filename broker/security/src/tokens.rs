//! Delegation tokens as passwords: the HMAC that a token is known by, and the SCRAM credentials that follow from it (KIP-48).
//! Core. Which tokens there are, `metadata` knows.
//!
//! A token's HMAC is stored nowhere: it follows from the cluster's secret and the token's id. Kafka derives both
//! credentials of every token when it hears of it; here they are made at a token's first login.

use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::Sha512;

use crate::principal::KafkaPrincipal;
use crate::scram::{ScramCredential, ScramMechanism, keys_of_salted_password, salted_password};
use crate::secret::Secret;

/// What a token of a login is found to be.
pub struct TokenLogin {
    pub credential: Arc<ScramCredential>,
    /// As whom its bearer acts.
    pub owner: KafkaPrincipal,
    /// Milliseconds since 1970.
    pub expires_wall_ms: i64,
}

/// Where logins find tokens.
pub trait TokenLogins {
    /// `None` for an id that no token has.
    fn find(&self, id: &str, mechanism: ScramMechanism) -> Option<TokenLogin>;
}

/// What whoever has the token shows (`DelegationTokenManager.createHmac`).
pub fn token_hmac(secret: &Secret, id: &str) -> Secret {
    match Hmac::<Sha512>::new_from_slice(secret.bytes()) {
        Ok(mac) => Secret::new(mac.chain_update(id.as_bytes()).finalize().into_bytes().to_vec()),
        Err(_any_length_is_taken) => unreachable!("HMAC takes keys of any length"),
    }
}

/// The credential of a token: its password is the HMAC in base64.
pub fn token_credential(mechanism: ScramMechanism, hmac: &Secret, salt: Vec<u8>) -> ScramCredential {
    use base64::Engine;
    let password = Secret::new(base64::engine::general_purpose::STANDARD.encode(hmac.bytes()));
    let iterations = mechanism.iterations_min();
    let salted = salted_password(mechanism, password.bytes(), &salt, iterations);
    let keys = keys_of_salted_password(mechanism, salted.bytes());
    ScramCredential { salt, keys, iterations }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_token_is_known_by_the_hmac_of_its_id() {
        let hmac = token_hmac(&Secret::new("secret"), "id");
        let hex: String = hmac.bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        // printf id | openssl dgst -sha512 -hmac secret
        assert_eq!((hmac.bytes().len(), &*hex), (64, "2aab23f380f61ef9"));
        let other = token_hmac(&Secret::new("secreT"), "id");
        assert!(!hmac.is(other.bytes()));
    }

    /// What Kafka's own DelegationTokenManager and ScramFormatter make of secrets and ids
    /// (`protocol-tests/golden/src/main/java/ottla/golden/Tokens.java`).
    #[test]
    fn hmacs_and_the_keys_that_follow_are_kafkas() {
        let golden: Value = serde_json::from_str(include_str!("golden/tokens.json")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let all = golden.as_array().unwrap();
        assert_eq!(all.len(), 30);
        for (number, one) in all.iter().enumerate() {
            let hmac = token_hmac(&Secret::new(text(&one["secret"])), &text(&one["id"]));
            assert_eq!(hex(hmac.bytes()), text(&one["hmac"]), "{one}");
            // Thousands of rounds each: of the first of every secret is enough.
            if number % 6 != 0 {
                continue;
            }
            for expected in one["credentials"].as_array().unwrap() {
                let mechanism = match &*text(&expected["mechanism"]) {
                    "SCRAM-SHA-256" => ScramMechanism::Sha256,
                    _ => ScramMechanism::Sha512,
                };
                let made = token_credential(mechanism, &hmac, b"salt of a token".to_vec());
                assert_eq!(hex(&made.salt), text(&expected["salt"]));
                assert_eq!(Some(i64::from(made.iterations)), expected["iterations"].as_i64());
                assert_eq!(hex(&made.keys.stored_key), text(&expected["stored_key"]), "{one}");
                assert_eq!(hex(&made.keys.server_key), text(&expected["server_key"]), "{one}");
            }
        }
    }
}
