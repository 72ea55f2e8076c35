//! Tests of the stores: every format and place, every refusal with its key.
//! Core.

use pkcs8::PrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2::Parameters;

use super::super::dev::{self, DevIssued};
use super::super::test_stores::{authority, config, issued};
use super::*;

const FILE: &str = "/store";

/// Reads the stores that these keys name; the one file there is has these bytes.
fn read(file: &[u8], pairs: &[(&str, &str)]) -> Result<Contents, TlsError> {
    let config = config(pairs);
    let keys = config.of_listener("SSL");
    let files = |path: &str| match path {
        FILE => Ok(file.to_vec()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let key_entries = key_store(&keys, &files)?;
    let trusted = trust_store(&keys, &files)?;
    Ok(Contents { keys: key_entries.unwrap_or_default(), trusted: trusted.unwrap_or_default() })
}

fn refused(file: &[u8], pairs: &[(&str, &str)], key: &str, words: &str) {
    let error = read(file, pairs).err().expect("refused");
    assert_eq!(error.key, key, "{error}");
    assert!(error.message.contains(words), "{error}");
    assert!(!error.message.contains("secret"), "a password is in the message: {error}");
}

fn one() -> (DevIssued, CertificateDer<'static>) {
    let authority = authority("ca");
    (issued(&authority, "CN=one"), authority.certificate().clone())
}

fn is(contents: &Contents, issued: &DevIssued) {
    assert_eq!(contents.keys.len(), 1);
    assert_eq!(contents.keys[0].chain, issued.chain);
    assert_eq!(contents.keys[0].key, issued.key);
}

const KEY_FILE: [(&str, &str); 2] = [("ssl.keystore.location", FILE), ("ssl.keystore.password", "secret")];

#[test]
fn jks_and_pkcs12_are_told_apart_by_their_bytes() {
    let (issued, _ca) = one();
    let pkcs12 = issued.pkcs12("secret").expect("a store");
    let jks = issued.jks("secret", "secret", [7; 20]);
    for store in [&pkcs12, &jks] {
        for kind in ["JKS", "PKCS12", "pkcs12"] {
            let pairs = [KEY_FILE[0], KEY_FILE[1], ("ssl.keystore.type", kind)];
            is(&read(store, &pairs).expect("readable"), &issued);
        }
    }
}

#[test]
fn a_key_of_a_jks_store_may_have_a_password_of_its_own() {
    let (issued, _ca) = one();
    let jks = issued.jks("secret", "secret too", [7; 20]);
    let own = ("ssl.key.password", "secret too");
    is(&read(&jks, &[KEY_FILE[0], KEY_FILE[1], own]).expect("readable"), &issued);
    refused(&jks, &KEY_FILE, "ssl.key.password", "the password of its key is wrong");
}

#[test]
fn a_wrong_password_a_missing_file_and_bytes_that_are_no_store_name_their_key() {
    let (issued, _ca) = one();
    let wrong = [KEY_FILE[0], ("ssl.keystore.password", "secret2")];
    for store in [issued.pkcs12("secret").expect("a store"), issued.jks("secret", "secret", [7; 20])] {
        refused(&store, &wrong, "ssl.keystore.password", "the password is wrong");
    }
    refused(b"nonsense", &KEY_FILE, "ssl.keystore.location", "cannot be read as PKCS12");
    refused(&[0xCE, 0xCE, 0xCE, 0xCE, 0, 0], &KEY_FILE, "ssl.keystore.location", "JCEKS");
    let elsewhere = [("ssl.keystore.location", "/elsewhere"), KEY_FILE[1]];
    refused(&[], &elsewhere, "ssl.keystore.location", "cannot read /elsewhere");
    let prefixed = [
        ("listener.name.ssl.ssl.keystore.location", "/elsewhere"),
        ("listener.name.ssl.ssl.keystore.password", "secret"),
    ];
    refused(&[], &prefixed, "listener.name.ssl.ssl.keystore.location", "cannot read");
}

#[test]
fn damaged_stores_are_refused_and_never_more() {
    let (issued, ca) = one();
    // PKCS12 makes a key of its password each time, which takes long.
    let stores = [
        (issued.pkcs12("secret").expect("a store"), 97),
        (issued.jks("secret", "secret", [7; 20]), 7),
        (dev::trust_jks(&[ca], "secret"), 7),
    ];
    for (store, step) in stores {
        for place in (0..store.len()).step_by(step) {
            let mut damaged = store.clone();
            damaged[place] ^= 0x55;
            // With a digest over all of it, no change goes unseen.
            assert!(read(&damaged, &KEY_FILE).is_err(), "byte {place}");
            let trust = [("ssl.truststore.location", FILE)];
            // Without a password the digest is not looked at: anything but a panic will do.
            let _any = read(&damaged, &trust);
            assert!(read(&store[..place], &KEY_FILE).is_err(), "cut at {place}");
        }
    }
}

#[test]
fn pem_from_a_file_and_from_the_configuration() {
    let (issued, ca) = one();
    let (key, chain) = (issued.key_pem(), issued.chain_pem());
    let text = format!("{key}{chain}");
    let pem = ("ssl.keystore.type", "PEM");
    is(&read(text.as_bytes(), &[pem, KEY_FILE[0]]).expect("readable"), &issued);
    let inline = [pem, ("ssl.keystore.key", &key), ("ssl.keystore.certificate.chain", &chain)];
    is(&read(&[], &inline).expect("readable"), &issued);
    let trusted = dev::certificate_pem(&ca);
    let trust = [("ssl.truststore.type", "PEM"), ("ssl.truststore.certificates", trusted.as_str())];
    assert_eq!(read(&[], &trust).expect("readable").trusted, [ca]);
}

#[test]
fn a_pem_key_may_be_under_a_password() {
    let (issued, _ca) = one();
    let sealed = |password: &str| {
        let parameters =
            Parameters::generate_pbkdf2_sha256_aes256cbc(2048, &[3; 16], [4; 16]).expect("valid");
        let plain = PrivateKeyInfoRef::try_from(issued.key.secret_pkcs8_der()).expect("a key");
        let sealed = plain.encrypt_with_params(parameters, password).expect("sealed");
        dev::pem_of("ENCRYPTED PRIVATE KEY", sealed.as_bytes())
    };
    let (key, chain) = (sealed("secret"), issued.chain_pem());
    let pairs =
        |password: &'static str| [("ssl.keystore.type", "PEM"), KEY_FILE[0], ("ssl.key.password", password)];
    let file = format!("{key}{chain}");
    is(&read(file.as_bytes(), &pairs("secret")).expect("readable"), &issued);
    refused(file.as_bytes(), &pairs("secret2"), "ssl.key.password", "the password of its key is wrong");
    refused(file.as_bytes(), &pairs("secret")[..2], "ssl.keystore.location", "needs a password");
}

#[test]
fn kafkas_refusals_of_contradictions() {
    let (issued, ca) = one();
    let (key, chain, trusted) = (issued.key_pem(), issued.chain_pem(), dev::certificate_pem(&ca));
    let (inline_key, inline_chain) =
        (("ssl.keystore.key", key.as_str()), ("ssl.keystore.certificate.chain", chain.as_str()));
    let pem = ("ssl.keystore.type", "PEM");
    let location = "ssl.keystore.location";
    refused(&[], &[inline_key, inline_chain], "ssl.keystore.key", "type PEM alone");
    refused(&[], &[pem, inline_key], "ssl.keystore.key", "not its certificate chain");
    refused(&[], &[pem, inline_chain], "ssl.keystore.certificate.chain", "not its private key");
    refused(&[], &[pem, inline_key, inline_chain, KEY_FILE[0]], location, "cannot both be given");
    refused(&[], &[pem, inline_key, inline_chain, KEY_FILE[1]], "ssl.keystore.password", "no password");
    refused(&[], &[pem, KEY_FILE[0], KEY_FILE[1]], "ssl.keystore.password", "no password");
    refused(&[], &[KEY_FILE[1]], "ssl.keystore.password", "but not ssl.keystore.location");
    refused(&[], &[KEY_FILE[0]], "ssl.keystore.password", "not its password");
    refused(&[], &[("ssl.keystore.type", "BKS")], "ssl.keystore.type", "allowed: JKS, PKCS12, PEM");
    let trust_inline = ("ssl.truststore.certificates", trusted.as_str());
    let trust_pem = ("ssl.truststore.type", "PEM");
    let trust_file = ("ssl.truststore.location", FILE);
    let trust_password = ("ssl.truststore.password", "secret");
    refused(&[], &[trust_inline], "ssl.truststore.certificates", "type PEM alone");
    refused(&[], &[trust_pem, trust_inline, trust_file], "ssl.truststore.location", "cannot both be given");
    refused(&[], &[trust_pem, trust_inline, trust_password], "ssl.truststore.password", "no password");
    refused(&[], &[trust_password], "ssl.truststore.password", "but not ssl.truststore.location");
}

#[test]
fn a_trust_store_holds_what_is_trusted_with_or_without_its_password() {
    let (issued, ca) = one();
    let jks = dev::trust_jks(std::slice::from_ref(&ca), "secret");
    let pkcs12 = dev::trust_pkcs12(std::slice::from_ref(&ca), "secret").expect("a store");
    let file = ("ssl.truststore.location", FILE);
    let password = ("ssl.truststore.password", "secret");
    for store in [&jks, &pkcs12] {
        assert_eq!(read(store, &[file, password]).expect("readable").trusted, std::slice::from_ref(&ca));
        let wrong = ("ssl.truststore.password", "secret2");
        refused(store, &[file, wrong], "ssl.truststore.password", "the password is wrong");
    }
    assert_eq!(read(&jks, &[file]).expect("readable").trusted, [ca]);
    refused(&pkcs12, &[file], "ssl.truststore.location", "cannot be read without its password");
    // A key with its chain makes nobody trusted.
    let keys = issued.pkcs12("secret").expect("a store");
    refused(&keys, &[file, password], "ssl.truststore.location", "no trusted certificate");
    refused(&jks, &KEY_FILE, "ssl.keystore.location", "no private key");
}

/// Stores whose digest is right and whose content is not, as somebody makes them who knows the password: counts and lengths
/// that claim what is not there, parts that are cut, repeated, or come from elsewhere.
#[test]
fn stores_that_lie_about_their_content_are_refused_or_read_and_never_more() {
    let (issued, ca) = one();
    let keys = issued.jks("secret", "secret", [7; 20]);
    let trust = dev::trust_jks(&[ca], "secret");
    let pkcs12 = issued.pkcs12("secret").expect("a store");
    let pem = [issued.key_pem(), issued.chain_pem()].concat().into_bytes();
    let in_pem = [("ssl.keystore.type", "PEM"), ("ssl.keystore.location", FILE)];
    let trusted = [("ssl.truststore.location", FILE), ("ssl.truststore.password", "secret")];
    let mut state = 12_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut read_count = 0;
    for round in 0..2_000 {
        // PKCS12 makes a key of its password each time, which takes long.
        let kind = if round % 20 == 0 { 3 } else { round % 3 };
        let store = [&keys, &trust, &pem, &pkcs12][kind];
        let digest_bytes = if kind < 2 { 20 } else { 0 };
        let mut content = store[..store.len() - digest_bytes].to_vec();
        for _change in 0..below(4) {
            let at = below(content.len());
            match below(6) {
                0 => content[at] ^= 1 << below(8),
                1 => {
                    let end = content.len().min(at + 4);
                    let claim =
                        [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0x84, 0xff, 0xff, 0xff], [0; 4]][below(4)];
                    content[at..end].copy_from_slice(&claim[..end - at]);
                }
                2 => content.truncate(at + 1),
                3 => drop(content.remove(at)),
                4 => content.insert(at, below(256) as u8),
                _ => content.extend_from_within(at..),
            }
        }
        if kind < 2 {
            content = dev::with_jks_digest(content, "secret");
        }
        let result = read(&content, [&KEY_FILE, &trusted, &in_pem, &KEY_FILE][kind]);
        read_count += usize::from(result.is_ok());
        if let Err(error) = result {
            assert!(!error.message.contains("secret"), "a password is in the message: {error}");
        }
    }
    assert!((400..1_900).contains(&read_count), "{read_count} were read");
}
