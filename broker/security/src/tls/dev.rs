//! Throw-away authorities, certificates and stores: for `ottla tls-dev` and for tests.
//! Core, but for the keys, which come from the cryptography's own source of chance.
//!
//! The layouts of the stores are drawn where they are read: `pem`, `jks`, `pkcs12`.

use std::time::Duration;

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha1::{Digest, Sha1};

use super::jks;

const ALIAS: &str = "ottla";

/// Why something could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("a PKCS12 store cannot be written: {0}")]
    Pkcs12(#[from] p12_keystore::error::Error),
}

/// Milliseconds since 1970 between which a certificate is good.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    pub from_ms: i64,
    pub to_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevKey {
    /// P-256.
    Ec,
    /// 2048 bits.
    Rsa,
}

/// Issues certificates that only those trust who are told to.
pub struct DevAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    validity: Validity,
}

/// A key with its chain, the leaf first.
pub struct DevIssued {
    pub key: PrivatePkcs8KeyDer<'static>,
    pub chain: Vec<CertificateDer<'static>>,
}

impl DevAuthority {
    pub fn new(name: &str, validity: Validity) -> Result<DevAuthority, DevError> {
        let mut params = params(&format!("CN={name}"), &[], validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(DevAuthority { issuer, validity })
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    /// A certificate for both sides of a connection; `subject` is `CN=…,OU=…` with the most specific part first.
    pub fn issue(&self, subject: &str, names: &[&str], kind: DevKey) -> Result<DevIssued, DevError> {
        self.issue_for(subject, names, kind, self.validity)
    }

    pub fn issue_for(
        &self,
        subject: &str,
        names: &[&str],
        kind: DevKey,
        validity: Validity,
    ) -> Result<DevIssued, DevError> {
        let key = generate(kind)?;
        let leaf = leaf_params(subject, names, validity)?.signed_by(&key, &self.issuer)?;
        let chain = vec![leaf.der().clone(), self.issuer.der().clone()];
        Ok(DevIssued { key: PrivatePkcs8KeyDer::from(key.serialize_der()), chain })
    }
}

impl DevIssued {
    /// A certificate that nobody but its own key vouches for.
    pub fn self_signed(subject: &str, names: &[&str], validity: Validity) -> Result<DevIssued, DevError> {
        let key = generate(DevKey::Ec)?;
        let leaf = leaf_params(subject, names, validity)?.self_signed(&key)?;
        Ok(DevIssued { key: PrivatePkcs8KeyDer::from(key.serialize_der()), chain: vec![leaf.der().clone()] })
    }

    pub fn key_pem(&self) -> String {
        pem_of("PRIVATE KEY", self.key.secret_pkcs8_der())
    }

    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|certificate| certificate_pem(certificate)).collect()
    }

    pub fn pkcs12(&self, password: &str) -> Result<Vec<u8>, DevError> {
        let key = PrivateKey::from_der(self.key.secret_pkcs8_der())?;
        let chain = self.chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
        let mut store = KeyStore::new();
        let chain = PrivateKeyChain::new(ALIAS.as_bytes().to_vec(), key, chain);
        store.add_entry(ALIAS, KeyStoreEntry::PrivateKeyChain(chain));
        write_pkcs12(&store, password)
    }

    pub fn jks(&self, password: &str, key_password: &str, salt: [u8; 20]) -> Vec<u8> {
        let sealed = seal(self.key.secret_pkcs8_der(), key_password, salt);
        let mut entry = 1_u32.to_be_bytes().to_vec();
        put_entry_head(&mut entry);
        put_bytes(&mut entry, &sealed);
        entry.extend((self.chain.len() as u32).to_be_bytes());
        for certificate in &self.chain {
            put_certificate(&mut entry, certificate);
        }
        jks_store(&[entry], password)
    }
}

pub fn certificate_pem(certificate: &CertificateDer<'_>) -> String {
    pem_of("CERTIFICATE", certificate)
}

/// A trust store that Java reads as one.
pub fn trust_pkcs12(certificates: &[CertificateDer<'_>], password: &str) -> Result<Vec<u8>, DevError> {
    let mut store = KeyStore::new();
    for (index, der) in certificates.iter().enumerate() {
        let certificate = KeyStoreEntry::Certificate(Certificate::from_der(der)?);
        store.add_entry(&format!("{ALIAS}{index}"), certificate);
    }
    write_pkcs12(&store, password)
}

pub fn trust_jks(certificates: &[CertificateDer<'_>], password: &str) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = certificates
        .iter()
        .map(|certificate| {
            let mut entry = 2_u32.to_be_bytes().to_vec();
            put_entry_head(&mut entry);
            put_certificate(&mut entry, certificate);
            entry
        })
        .collect();
    jks_store(&entries, password)
}

/// A password of a store that is thrown away is not worth the ten thousand rounds that Java makes of one.
fn write_pkcs12(store: &KeyStore, password: &str) -> Result<Vec<u8>, DevError> {
    const ROUNDS: u32 = 500;
    Ok(store.writer(password).encryption_iterations(ROUNDS).mac_iterations(ROUNDS).write()?)
}

fn generate(kind: DevKey) -> Result<KeyPair, DevError> {
    Ok(match kind {
        DevKey::Ec => KeyPair::generate()?,
        DevKey::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
    })
}

fn leaf_params(subject: &str, names: &[&str], validity: Validity) -> Result<CertificateParams, DevError> {
    let mut params = params(subject, names, validity)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn params(subject: &str, names: &[&str], validity: Validity) -> Result<CertificateParams, DevError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    // A certificate has the most specific part last.
    for part in subject.rsplit(',') {
        let (kind, value) = part.split_once('=').unwrap_or(("CN", part));
        let kind = match kind.trim() {
            "OU" => DnType::OrganizationalUnitName,
            "O" => DnType::OrganizationName,
            "L" => DnType::LocalityName,
            "C" => DnType::CountryName,
            _ => DnType::CommonName,
        };
        params.distinguished_name.push(kind, value);
    }
    let at = |ms: i64| date_time_ymd(1970, 1, 1) + Duration::from_millis(ms.max(0) as u64);
    params.not_before = at(validity.from_ms);
    params.not_after = at(validity.to_ms);
    Ok(params)
}

/// DER as PEM.
pub fn pem_of(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    // 48 bytes are a line.
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            let bits = bits << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
                text.push(if place <= group.len() { char::from(digit) } else { '=' });
            }
        }
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

fn jks_store(entries: &[Vec<u8>], password: &str) -> Vec<u8> {
    let mut bytes = jks::MAGIC.to_vec();
    bytes.extend(2_u32.to_be_bytes());
    bytes.extend((entries.len() as u32).to_be_bytes());
    bytes.extend(entries.concat());
    with_jks_digest(bytes, password)
}

/// The digest over all of a store stands at its end.
pub(super) fn with_jks_digest(mut bytes: Vec<u8>, password: &str) -> Vec<u8> {
    let digest = Sha1::new()
        .chain_update(jks::utf16(password))
        .chain_update(jks::WHITENER)
        .chain_update(&bytes)
        .finalize();
    bytes.extend_from_slice(&digest);
    bytes
}

fn put_entry_head(entry: &mut Vec<u8>) {
    put_text(entry, ALIAS);
    entry.extend(0_u64.to_be_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    bytes.extend((content.len() as u32).to_be_bytes());
    bytes.extend(content);
}

fn put_certificate(bytes: &mut Vec<u8>, certificate: &CertificateDer<'_>) {
    put_text(bytes, "X.509");
    put_bytes(bytes, certificate);
}

fn seal(key: &[u8], password: &str, salt: [u8; 20]) -> Vec<u8> {
    const OBJECT_IDENTIFIER: &[u8] = &[0x2B, 6, 1, 4, 1, 0x2A, 2, 0x11, 1, 1];
    let password = jks::utf16(password);
    let mut content = salt.to_vec();
    let mut block = salt.to_vec();
    for chunk in key.chunks(salt.len()) {
        block = Sha1::new().chain_update(&password).chain_update(&block).finalize().to_vec();
        content.extend(chunk.iter().zip(&block).map(|(plain, stream)| plain ^ stream));
    }
    content.extend_from_slice(&Sha1::new().chain_update(&password).chain_update(key).finalize());
    let algorithm = [element(0x06, OBJECT_IDENTIFIER), element(0x05, &[])].concat();
    element(0x30, &[element(0x30, &algorithm), element(0x04, &content)].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() <= usize::from(u16::MAX), "a key is shorter");
    let mut bytes = vec![tag];
    match content.len() {
        length @ 0..=127 => bytes.push(length as u8),
        length @ 128..=255 => bytes.extend([0x81, length as u8]),
        length => {
            bytes.push(0x82);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}
