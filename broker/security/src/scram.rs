//! SCRAM credentials: what is kept of a password, by user and mechanism (RFC 5802, KIP-554).
//! Core. Who logs in with them is in `sasl`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use imbl::OrdMap;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The most iterations that may be asked of a broker.
pub const ITERATIONS_MAX: i32 = 16384;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ScramMechanism {
    Sha256 = 1,
    Sha512 = 2,
}

impl ScramMechanism {
    pub fn from_code(code: i8) -> Option<ScramMechanism> {
        match code {
            1 => Some(ScramMechanism::Sha256),
            2 => Some(ScramMechanism::Sha512),
            _ => None,
        }
    }

    pub fn code(self) -> i8 {
        self as i8
    }

    /// Bytes of its digests.
    pub fn key_bytes(self) -> usize {
        match self {
            ScramMechanism::Sha256 => 32,
            ScramMechanism::Sha512 => 64,
        }
    }

    /// The fewest iterations that protect a password.
    pub fn iterations_min(self) -> i32 {
        4096
    }
}

/// What the broker needs to check a proof and to give its own.
#[derive(Clone)]
pub struct ScramKeys {
    pub stored_key: Vec<u8>,
    pub server_key: Vec<u8>,
}

/// How long it takes says nothing of how much is equal.
impl PartialEq for ScramKeys {
    fn eq(&self, other: &ScramKeys) -> bool {
        let stored = self.stored_key.ct_eq(&other.stored_key);
        (stored & self.server_key.ct_eq(&other.server_key)).into()
    }
}

impl Eq for ScramKeys {}

#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    pub salt: Vec<u8>,
    pub keys: ScramKeys,
    pub iterations: i32,
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

impl std::fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScramCredential({} iterations)", self.iterations)
    }
}

macro_rules! keys_with {
    ($hash:ty, $salted_password:expr) => {{
        let sign = |text: &[u8]| {
            // A key of any length is taken.
            Hmac::<$hash>::new_from_slice($salted_password).ok().map(|mac| {
                let mac = mac.chain_update(text);
                mac.finalize().into_bytes().to_vec()
            })
        };
        match (sign(b"Client Key"), sign(b"Server Key")) {
            (Some(client_key), Some(server_key)) => {
                let stored_key = <$hash>::digest(&client_key).to_vec();
                ScramKeys { stored_key, server_key }
            }
            _ => unreachable!("HMAC takes keys of any length"),
        }
    }};
}

/// A password with its salt, `iterations` times over (PBKDF2; Kafka's ScramFormatter.hi).
pub fn salted_password(mechanism: ScramMechanism, password: &[u8], salt: &[u8], iterations: i32) -> Secret {
    let rounds = u32::try_from(iterations).unwrap_or(0);
    let mut salted = vec![0; mechanism.key_bytes()];
    match mechanism {
        ScramMechanism::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut salted),
        ScramMechanism::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut salted),
    }
    Secret::new(salted)
}

/// The keys that follow from a password that was salted by the client (`ScramFormatter`).
pub fn keys_of_salted_password(mechanism: ScramMechanism, salted_password: &[u8]) -> ScramKeys {
    let keys = match mechanism {
        ScramMechanism::Sha256 => keys_with!(Sha256, salted_password),
        ScramMechanism::Sha512 => keys_with!(Sha512, salted_password),
    };
    assert!(keys.stored_key.len() == keys.server_key.len(), "both keys are digests of one kind");
    keys
}

/// All credentials of a cluster.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ScramCredentials {
    by_user: OrdMap<Arc<str>, BTreeMap<ScramMechanism, Arc<ScramCredential>>>,
}

impl ScramCredentials {
    pub fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// A user's credentials by mechanism; `None` when there is no such user.
    pub fn of_user(&self, name: &str) -> Option<&BTreeMap<ScramMechanism, Arc<ScramCredential>>> {
        self.by_user.get(name)
    }

    pub fn contains(&self, name: &str, mechanism: ScramMechanism) -> bool {
        self.of_user(name).is_some_and(|credentials| credentials.contains_key(&mechanism))
    }

    /// All users in the order of their names.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.by_user.keys().map(|name| &**name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, ScramMechanism, &ScramCredential)> {
        self.by_user.iter().flat_map(|(name, credentials)| {
            credentials.iter().map(move |(mechanism, credential)| (&**name, *mechanism, &**credential))
        })
    }

    pub fn insert(&mut self, name: &str, mechanism: ScramMechanism, credential: ScramCredential) {
        let mut credentials = self.by_user.get(name).cloned().unwrap_or_default();
        credentials.insert(mechanism, Arc::new(credential));
        self.by_user.insert(Arc::from(name), credentials);
    }

    pub fn remove(&mut self, name: &str, mechanism: ScramMechanism) {
        let Some(mut credentials) = self.by_user.get(name).cloned() else { return };
        credentials.remove(&mechanism);
        if credentials.is_empty() {
            self.by_user.remove(name);
        } else {
            self.by_user.insert(Arc::from(name), credentials);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn credential(iterations: i32) -> ScramCredential {
        let keys = keys_of_salted_password(ScramMechanism::Sha256, b"salted");
        ScramCredential { salt: b"salt".to_vec(), keys, iterations }
    }

    /// RFC 7677, section 3: user "user", password "pencil", salt W22ZaJ0SNY7soEsUEjb6gQ==, 4096 rounds.
    /// The server's signature of that exchange follows from this server key, its check of the client's
    /// proof from this stored key.
    #[test]
    fn keys_are_those_of_the_rfc() {
        let salted = [
            0xc4, 0xa4, 0x95, 0x10, 0x32, 0x3a, 0xb4, 0xf9, 0x52, 0xca, 0xc1, 0xfa, 0x99, 0x44, 0x19, 0x39,
            0xe7, 0x8e, 0xa7, 0x4d, 0x6b, 0xe8, 0x1d, 0xdf, 0x70, 0x96, 0xe8, 0x75, 0x13, 0xdc, 0x61, 0x5d,
        ];
        let keys = keys_of_salted_password(ScramMechanism::Sha256, &salted);
        let server_key = "c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5";
        let stored_key = "586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6";
        assert_eq!((&*hex(&keys.server_key), &*hex(&keys.stored_key)), (server_key, stored_key));
        assert_eq!(keys_of_salted_password(ScramMechanism::Sha512, &salted).stored_key.len(), 64);
    }

    #[test]
    fn a_user_is_there_as_long_as_one_credential_is() {
        let mut all = ScramCredentials::default();
        all.insert("a", ScramMechanism::Sha256, credential(4096));
        all.insert("a", ScramMechanism::Sha512, credential(5000));
        all.insert("a", ScramMechanism::Sha512, credential(6000));
        let told = |all: &ScramCredentials| {
            all.iter().map(|(name, m, c)| (name.to_owned(), m.code(), c.iterations)).collect::<Vec<_>>()
        };
        assert_eq!(told(&all), [("a".to_owned(), 1, 4096), ("a".to_owned(), 2, 6000)]);
        all.remove("a", ScramMechanism::Sha256);
        assert!(!all.contains("a", ScramMechanism::Sha256) && all.contains("a", ScramMechanism::Sha512));
        all.remove("a", ScramMechanism::Sha512);
        all.remove("a", ScramMechanism::Sha512);
        assert!(all.is_empty());
    }

    #[test]
    fn no_secret_is_printed() {
        assert_eq!(format!("{:?}", credential(4096)), "ScramCredential(4096 iterations)");
    }
}
