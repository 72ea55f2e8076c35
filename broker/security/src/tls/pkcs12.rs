//! PKCS12 stores: private keys with the chains found for them, and the certificates marked as trusted.
//! Core.

use p12_keystore::error::Error;
use p12_keystore::{Certificate, Pkcs12Archive};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::error::Unreadable;
use super::store::{Contents, KeyEntry};

/// A chain that is longer than any that a client would check.
const CHAIN_MAX: usize = 16;

/// Reads a store. A PKCS12 store has one password, for itself and for its keys.
///
/// As Java reads it: a key's certificate has its local id, the chain goes on by issuer, and a certificate is
/// trusted when it has Oracle's attribute.
pub(super) fn read(bytes: &[u8], password: &str) -> Result<Contents, Unreadable> {
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| match error {
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Unreadable::WrongPassword,
        other => Unreadable::malformed(format!("it cannot be read as PKCS12: {other}")),
    })?;
    let mut contents = Contents::default();
    for key in &archive.keys {
        let id = key.local_key_id.as_ref().map(|id| id.0.as_slice());
        let of_key = archive.certs.iter().find(|bag| id.is_some() && bag.local_key_id.as_deref() == id);
        let Some(leaf) = of_key else {
            return Err(Unreadable::malformed("it has a private key without its certificate"));
        };
        let mut chain: Vec<&Certificate> = vec![&leaf.cert];
        while let Some(issuer) = archive.certs.iter().map(|bag| &bag.cert).find(|candidate| {
            let last = chain[chain.len() - 1];
            candidate.subject() == last.issuer() && !chain.contains(candidate)
        }) {
            chain.push(issuer);
            if chain.len() > CHAIN_MAX {
                return Err(Unreadable::malformed("the chain of its key is too long"));
            }
        }
        contents.keys.push(KeyEntry {
            key: PrivatePkcs8KeyDer::from(key.key.as_der().to_vec()),
            chain: chain.into_iter().map(der).collect(),
        });
    }
    let trusted = archive.certs.iter().filter(|bag| bag.trusted && bag.local_key_id.is_none());
    contents.trusted = trusted.map(|bag| der(&bag.cert)).collect();
    Ok(contents)
}

fn der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.as_der().to_vec())
}
