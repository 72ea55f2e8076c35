//! JKS stores: private keys with their chains, and trusted certificates, in Java's own format.
//! Core.
//!
//! ```text
//! | FEEDFEED | version u32 (1, 2) | count u32 | entries | SHA-1 of (password in UTF-16, "Mighty Aphrodite", all before) |
//! key:     | 1 u32 | alias | date u64 | sealed key: length u32, bytes | count u32 | certificates |
//! trusted: | 2 u32 | alias | date u64 | certificate |
//! certificate: | type (from version 2 on) | length u32 | DER |      alias, type: | length u16 | modified UTF-8 |
//! sealed key (PKCS#8 EncryptedPrivateKeyInfo, OID 1.3.6.1.4.1.42.2.17.1.1):
//!          | salt 20 | key xor stream | SHA-1 of (password, key) |   stream: SHA-1 of (password, salt or block before)
//! ```

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode, Header, Reader, SliceReader};
use pkcs8::spki::AlgorithmIdentifierRef;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::error::Unreadable;
use super::store::{Contents, KeyEntry};

pub(super) const MAGIC: [u8; 4] = [0xFE, 0xED, 0xFE, 0xED];
/// Java's newer format of its own, with another sealing.
pub(super) const MAGIC_JCEKS: [u8; 4] = [0xCE, 0xCE, 0xCE, 0xCE];
pub(super) const WHITENER: &[u8] = b"Mighty Aphrodite";
const DIGEST_BYTES: usize = 20;
const SUN_PROTECTION: &str = "1.3.6.1.4.1.42.2.17.1.1";

pub(super) fn is_jks(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Reads a store. Without a password its digest is not looked at (which is enough for trusted certificates).
pub(super) fn read(
    bytes: &[u8],
    password: Option<&str>,
    key_password: Option<&str>,
) -> Result<Contents, Unreadable> {
    let Some(body_bytes) = bytes.len().checked_sub(DIGEST_BYTES) else { return Err(cut()) };
    let (body, digest) = bytes.split_at(body_bytes);
    if let Some(password) = password {
        let mut hash = Sha1::new();
        hash.update(utf16(password));
        hash.update(WHITENER);
        hash.update(body);
        if hash.finalize().as_slice() != digest {
            return Err(Unreadable::WrongPassword);
        }
    }
    let mut cursor = Cursor { rest: body };
    if cursor.take(4)? != MAGIC {
        return Err(Unreadable::malformed("it is no JKS store"));
    }
    let version = cursor.u32()?;
    if !(1..=2).contains(&version) {
        return Err(Unreadable::malformed(format!("JKS version {version} is unknown")));
    }
    let mut contents = Contents::default();
    for _entry in 0..cursor.u32()? {
        let tag = cursor.u32()?;
        let _alias = cursor.text()?;
        let _date = cursor.take(8)?;
        match tag {
            1 => {
                let length = cursor.u32()?;
                let sealed = cursor.take(length as usize)?;
                let count = cursor.u32()?;
                let mut chain = Vec::new();
                for _certificate in 0..count {
                    chain.push(cursor.certificate(version)?);
                }
                if let Some(password) = key_password.or(password) {
                    contents.keys.push(KeyEntry { key: open(sealed, password)?, chain });
                }
            }
            2 => contents.trusted.push(cursor.certificate(version)?),
            other => return Err(Unreadable::malformed(format!("a JKS entry of kind {other} is unknown"))),
        }
    }
    if !cursor.rest.is_empty() {
        return Err(Unreadable::malformed("there are bytes behind the last entry"));
    }
    Ok(contents)
}

/// Sun's own protection of a key.
fn open(sealed: &[u8], password: &str) -> Result<PrivatePkcs8KeyDer<'static>, Unreadable> {
    let malformed = |_bad| Unreadable::malformed("a private key is not in the form of PKCS#8");
    let mut reader = SliceReader::new(sealed).map_err(malformed)?;
    let _sequence = Header::decode(&mut reader).map_err(malformed)?;
    let algorithm = AlgorithmIdentifierRef::decode(&mut reader).map_err(malformed)?;
    if algorithm.oid.to_string() != SUN_PROTECTION {
        return Err(Unreadable::malformed("a private key is not sealed as JKS seals keys"));
    }
    let content = <&OctetStringRef>::decode(&mut reader).map_err(malformed)?.as_bytes();
    if content.len() < 2 * DIGEST_BYTES || !reader.is_finished() {
        return Err(cut());
    }
    let (salt, rest) = content.split_at(DIGEST_BYTES);
    let (cipher, check) = rest.split_at(rest.len() - DIGEST_BYTES);
    let password = utf16(password);
    let mut plain = Zeroizing::new(Vec::with_capacity(cipher.len()));
    let mut block = salt.to_vec();
    for chunk in cipher.chunks(DIGEST_BYTES) {
        block = Sha1::new().chain_update(&password).chain_update(&block).finalize().to_vec();
        plain.extend(chunk.iter().zip(&block).map(|(cipher, stream)| cipher ^ stream));
    }
    assert!(plain.len() == cipher.len(), "the stream is as long as the key");
    if Sha1::new().chain_update(&password).chain_update(&*plain).finalize().as_slice() != check {
        return Err(Unreadable::WrongKeyPassword);
    }
    Ok(PrivatePkcs8KeyDer::from(plain.to_vec()))
}

/// A password as Java hashes it.
pub(super) fn utf16(password: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.encode_utf16().flat_map(u16::to_be_bytes).collect())
}

fn cut() -> Unreadable {
    Unreadable::malformed("it ends too early")
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Unreadable> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self) -> Result<&'a [u8], Unreadable> {
        let bytes = self.take(2)?;
        let length = usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
        self.take(length)
    }

    fn certificate(&mut self, version: u32) -> Result<CertificateDer<'static>, Unreadable> {
        if version == 2 && self.text()? != b"X.509" {
            return Err(Unreadable::malformed("a certificate is not of the kind X.509"));
        }
        let length = self.u32()?;
        Ok(CertificateDer::from(self.take(length as usize)?.to_vec()))
    }
}
