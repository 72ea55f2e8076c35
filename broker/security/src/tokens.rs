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
}
