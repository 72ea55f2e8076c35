//! PEM stores (KIP-651): private keys in PKCS#8 and certificates, from a file or from the configuration itself.
//! Core.
//!
//! ```text
//! any text
//! -----BEGIN label----- base64, with or without line ends -----END label-----
//! ```
//!
//! As in Kafka, one block may stand in one line: that is how it is written into a properties file.

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::error::Unreadable;

const BASE64_LINE: usize = 64;

/// One block.
struct Block {
    label: String,
    base64: Zeroizing<String>,
}

/// All certificates of a text, in its order.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, Unreadable> {
    let blocks = blocks(text)?;
    let certificates = blocks.iter().filter(|block| block.label == "CERTIFICATE");
    let found: Result<Vec<_>, Unreadable> = certificates
        .map(|block| {
            CertificateDer::from_pem_slice(block.as_lines("CERTIFICATE").as_bytes())
                .map_err(|_bad| Unreadable::malformed("a certificate is not in base64"))
        })
        .collect();
    let found = found?;
    if found.is_empty() { Err(Unreadable::malformed("there is no certificate in it")) } else { Ok(found) }
}

/// The one private key of a text.
pub(super) fn private_key(
    text: &str,
    password: Option<&str>,
) -> Result<PrivatePkcs8KeyDer<'static>, Unreadable> {
    let keys: Vec<Block> =
        blocks(text)?.into_iter().filter(|block| block.label.ends_with("PRIVATE KEY")).collect();
    let [key] = keys.as_slice() else {
        return Err(Unreadable::malformed(format!(
            "there must be one private key in it, not {}",
            keys.len()
        )));
    };
    let decoded = || {
        let lines = key.as_lines("PRIVATE KEY");
        PrivatePkcs8KeyDer::from_pem_slice(lines.as_bytes())
            .map_err(|_bad| Unreadable::malformed("the private key is not in base64"))
    };
    match key.label.as_str() {
        "PRIVATE KEY" => decoded(),
        "ENCRYPTED PRIVATE KEY" => {
            let password = password.ok_or_else(|| {
                Unreadable::malformed("the private key needs a password, and none is given")
            })?;
            decrypt(decoded()?.secret_pkcs8_der(), password)
        }
        other => Err(Unreadable::malformed(format!(
            "`{other}` is not taken, as in Kafka: write it as PKCS#8 with `openssl pkcs8 -topk8 -nocrypt`"
        ))),
    }
}

/// Opens a private key that is under a password (PKCS#8, PBES2).
pub(super) fn decrypt(der: &[u8], password: &str) -> Result<PrivatePkcs8KeyDer<'static>, Unreadable> {
    let sealed = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_unknown| {
        Unreadable::malformed(
            "the private key is encrypted in a way that is not taken: use PBES2, as `openssl pkcs8 -topk8 -v2 \
             aes-256-cbc` does",
        )
    })?;
    match sealed.decrypt(password) {
        Ok(opened) => Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec())),
        Err(_wrong) => Err(Unreadable::WrongKeyPassword),
    }
}

impl Block {
    /// The block in the form that decoders expect, under a label.
    fn as_lines(&self, label: &str) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
        let mut rest = self.base64.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(BASE64_LINE));
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str("-----END ");
        text.push_str(label);
        text.push_str("-----\n");
        text
    }
}

fn blocks(text: &str) -> Result<Vec<Block>, Unreadable> {
    const BEGIN: &str = "-----BEGIN ";
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let after = &rest[start + BEGIN.len()..];
        let Some((label, body)) = after.split_once("-----") else {
            return Err(Unreadable::malformed("a BEGIN line does not end"));
        };
        let end = format!("-----END {label}-----");
        let Some((body, next)) = body.split_once(end.as_str()) else {
            return Err(Unreadable::malformed("a block has a BEGIN and no END"));
        };
        let base64: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if !base64.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)) {
            return Err(Unreadable::malformed("a block holds something that is not base64"));
        }
        found.push(Block { label: label.to_owned(), base64: Zeroizing::new(base64) });
        rest = next;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::test_stores::{authority, issued};
    use super::*;

    #[test]
    fn keys_and_certificates_in_one_text_or_in_one_line() {
        let issued = issued(&authority("ca"), "CN=one");
        let text = format!("Bag Attributes: none\n{}{}", issued.key_pem(), issued.chain_pem());
        let one_line = text.replace('\n', " ");
        for text in [&text, &one_line] {
            assert_eq!(certificates(text).expect("two certificates"), issued.chain);
            let key = private_key(text, None).expect("one key");
            assert_eq!(key.secret_pkcs8_der(), issued.key.secret_pkcs8_der());
        }
    }

    #[test]
    fn what_is_not_a_key_store_is_refused_with_what_to_do() {
        let issued = issued(&authority("ca"), "CN=one");
        let why = |text: &str| private_key(text, None).expect_err("refused").to_string();
        assert!(why("").contains("one private key in it, not 0"));
        assert!(why(&issued.key_pem().repeat(2)).contains("not 2"));
        let old = issued.key_pem().replace("PRIVATE KEY", "RSA PRIVATE KEY");
        assert!(why(&old).contains("openssl pkcs8 -topk8"), "{}", why(&old));
        let sealed = issued.key_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(why(&sealed).contains("needs a password"));
        assert!(why("-----BEGIN PRIVATE KEY-----\nAA").contains("no END"));
        assert!(why("-----BEGIN PRIVATE KEY-----\nA!-----END PRIVATE KEY-----").contains("not base64"));
        assert!(certificates("nothing").expect_err("refused").to_string().contains("no certificate"));
    }
}
