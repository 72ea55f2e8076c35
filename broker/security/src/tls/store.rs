//! The key store and the trust store of a listener: which format, from where, and what Kafka refuses.
//! Core: the files come in through `ReadFile`.
//!
//! Rules, as Kafka's DefaultSslEngineFactory has them:
//! - S1. Inline PEM and a file exclude each other; inline PEM and PEM files need the type PEM.
//! - S2. A PEM key store has a key password alone. Every other key store has a password; a trust store may do
//!   without.
//! - S3. Without a key password the store's password opens the key.
//!
//! PKCS12 and JKS are told apart by their first bytes: Java reads either under either type.

use std::io;

use ottla_config::ListenerKeys;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::error::{TlsError, Unreadable};
use super::{jks, pem, pkcs12};

/// Reads a whole file by the path in the configuration.
pub(super) type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// A private key with its chain, the leaf first.
pub(super) struct KeyEntry {
    pub key: PrivatePkcs8KeyDer<'static>,
    pub chain: Vec<CertificateDer<'static>>,
}

/// What is in a store.
#[derive(Default)]
pub(super) struct Contents {
    pub keys: Vec<KeyEntry>,
    pub trusted: Vec<CertificateDer<'static>>,
}

/// One of the two stores, with the names of its keys.
struct Store<'a> {
    keys: &'a ListenerKeys<'a>,
    read: ReadFile<'a>,
    kind: &'static str,
    location: &'static str,
    password: &'static str,
}

/// The entries of the key store; nothing when none is given.
pub(super) fn key_store(
    keys: &ListenerKeys<'_>,
    read: ReadFile<'_>,
) -> Result<Option<Vec<KeyEntry>>, TlsError> {
    let store = Store {
        keys,
        read,
        kind: "ssl.keystore.type",
        location: "ssl.keystore.location",
        password: "ssl.keystore.password",
    };
    let (key, chain) = ("ssl.keystore.key", "ssl.keystore.certificate.chain");
    let key_password = store.secret("ssl.key.password");
    let found = match (store.secret(key), store.secret(chain)) {
        (Some(key_text), Some(chain_text)) => {
            store.must_be_inline(key)?;
            vec![KeyEntry {
                key: pem::private_key(&key_text, key_password.as_deref().map(String::as_str))
                    .map_err(|bad| store.inline(key, bad))?,
                chain: pem::certificates(&chain_text).map_err(|bad| store.inline(chain, bad))?,
            }]
        }
        (Some(_), None) => {
            return Err(store.refuse(key, "the private key is given, but not its certificate chain"));
        }
        (None, Some(_)) => {
            return Err(store.refuse(chain, "the certificate chain is given, but not its private key"));
        }
        (None, None) if store.is_pem() => {
            let Some((path, text)) = store.pem_file()? else { return Ok(None) };
            let bad = |bad: Unreadable| store.unusable(&path, bad);
            vec![KeyEntry {
                key: pem::private_key(&text, key_password.as_deref().map(String::as_str)).map_err(bad)?,
                chain: pem::certificates(&text).map_err(bad)?,
            }]
        }
        (None, None) => {
            let Some(path) = store.path()? else { return Ok(None) };
            let Some(password) = store.secret(store.password) else {
                return Err(store.refuse(store.password, "the key store is given, but not its password"));
            };
            store.contents(&path, Some(&password), key_password.as_deref().map(String::as_str))?.keys
        }
    };
    if found.is_empty() {
        return Err(store.refuse(store.location, "there is no private key in it"));
    }
    Ok(Some(found))
}

/// The trusted certificates; nothing when no trust store is given.
pub(super) fn trust_store(
    keys: &ListenerKeys<'_>,
    read: ReadFile<'_>,
) -> Result<Option<Vec<CertificateDer<'static>>>, TlsError> {
    let store = Store {
        keys,
        read,
        kind: "ssl.truststore.type",
        location: "ssl.truststore.location",
        password: "ssl.truststore.password",
    };
    let inline = "ssl.truststore.certificates";
    let found = if let Some(text) = store.secret(inline) {
        store.must_be_inline(inline)?;
        pem::certificates(&text).map_err(|bad| store.inline(inline, bad))?
    } else if store.is_pem() {
        let Some((path, text)) = store.pem_file()? else { return Ok(None) };
        pem::certificates(&text).map_err(|bad| store.unusable(&path, bad))?
    } else {
        let Some(path) = store.path()? else { return Ok(None) };
        let password = store.secret(store.password);
        let contents = store.contents(&path, password.as_deref().map(String::as_str), None)?;
        contents.trusted
    };
    if found.is_empty() {
        let why = "there is no trusted certificate in it; a PKCS12 file needs the mark that keytool sets \
                   (`openssl pkcs12 -export -nokeys -jdktrust anyExtendedKeyUsage` sets it too)";
        return Err(store.refuse(store.location, why));
    }
    Ok(Some(found))
}

impl Store<'_> {
    fn refuse(&self, key: &str, why: impl Into<String>) -> TlsError {
        TlsError::new(self.keys.name_of(key), why)
    }

    fn secret(&self, key: &str) -> Option<Zeroizing<String>> {
        self.keys.text(key).map(Zeroizing::new)
    }

    fn is_pem(&self) -> bool {
        self.keys.text(self.kind).is_some_and(|kind| kind == "PEM")
    }

    fn must_be_inline(&self, key: &str) -> Result<(), TlsError> {
        if !self.is_pem() {
            let kind = self.keys.text(self.kind).unwrap_or_default();
            let why = format!("it can be given for the type PEM alone, and {} is {kind}", self.kind);
            return Err(self.refuse(key, why));
        }
        if self.keys.text(self.location).is_some() {
            return Err(self.refuse(self.location, format!("a file and {key} cannot both be given")));
        }
        self.no_store_password()
    }

    fn no_store_password(&self) -> Result<(), TlsError> {
        match self.keys.text(self.password) {
            Some(_) => {
                let why =
                    "a store of the type PEM has no password of its own (ssl.key.password opens the key)";
                Err(self.refuse(self.password, why))
            }
            None => Ok(()),
        }
    }

    /// The file of a store that is not PEM.
    fn path(&self) -> Result<Option<String>, TlsError> {
        let kind = self.keys.text(self.kind).unwrap_or_default();
        if !["JKS", "PKCS12"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            let why = format!("{kind} is not a type of store that is known; allowed: JKS, PKCS12, PEM");
            return Err(self.refuse(self.kind, why));
        }
        let path = self.keys.text(self.location);
        if path.is_none() && self.keys.text(self.password).is_some() {
            let why = format!("the password of a store is given, but not {}", self.location);
            return Err(self.refuse(self.password, why));
        }
        Ok(path)
    }

    fn pem_file(&self) -> Result<Option<(String, Zeroizing<String>)>, TlsError> {
        let Some(path) = self.keys.text(self.location) else { return Ok(None) };
        self.no_store_password()?;
        let bytes = self.bytes(&path)?;
        let text = String::from_utf8(bytes)
            .map_err(|_bytes| self.unusable(&path, Unreadable::malformed("it is not text, so not PEM")))?;
        Ok(Some((path, Zeroizing::new(text))))
    }

    fn contents(
        &self,
        path: &str,
        password: Option<&str>,
        key_password: Option<&str>,
    ) -> Result<Contents, TlsError> {
        let bytes = Zeroizing::new(self.bytes(path)?);
        let contents = if jks::is_jks(&bytes) {
            jks::read(&bytes, password, key_password)
        } else if bytes.starts_with(&jks::MAGIC_JCEKS) {
            Err(Unreadable::malformed("it is a JCEKS store, which is not taken; allowed: JKS, PKCS12, PEM"))
        } else if let Some(password) = password {
            pkcs12::read(&bytes, password)
        } else {
            let why = "it is a PKCS12 store, whose certificates cannot be read without its password";
            Err(Unreadable::malformed(why))
        };
        contents.map_err(|bad| match bad {
            Unreadable::WrongPassword => {
                self.refuse(self.password, format!("it does not open {path}: {bad}"))
            }
            bad => self.unusable(path, bad),
        })
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, TlsError> {
        (self.read)(path).map_err(|error| self.refuse(self.location, format!("cannot read {path}: {error}")))
    }

    fn unusable(&self, path: &str, bad: Unreadable) -> TlsError {
        match bad {
            Unreadable::WrongKeyPassword => {
                self.refuse("ssl.key.password", format!("it does not open the key in {path}: {bad}"))
            }
            bad => self.refuse(self.location, format!("{path} cannot be used: {bad}")),
        }
    }

    fn inline(&self, key: &str, bad: Unreadable) -> TlsError {
        match bad {
            Unreadable::WrongKeyPassword => {
                self.refuse("ssl.key.password", format!("it does not open {key}: {bad}"))
            }
            bad => self.refuse(key, bad.to_string()),
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
