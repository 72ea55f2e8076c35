//! The first users of a new cluster, in the words of `kafka-storage format --add-scram` (KIP-900).
//! Core.
//!
//! ```text
//! SCRAM-SHA-256=[name=alice,password="secret"]
//! SCRAM-SHA-512=[name="bob",iterations=8192,salt="BASE64",saltedpassword="BASE64"]
//! ```

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use ottla_security::sasl::SaslMechanism;
use ottla_security::{ITERATIONS_MAX, ScramMechanism, salted_password};

const ITERATIONS_DEFAULT: i32 = 4096;
const KEYS: [&str; 5] = ["name", "password", "salt", "saltedpassword", "iterations"];

/// Reads one user. `salt` is taken where the text has none. No error repeats a value.
pub fn parse(text: &str, salt: &[u8]) -> Result<ScramCredentialUpsertion, String> {
    let refused =
        |why: &str| format!("--add-scram: {why}; expected SCRAM-SHA-256=[name=NAME,password=PASSWORD]");
    let (mechanism, rest) = text.trim().split_once('=').ok_or_else(|| refused("there is no `=`"))?;
    let Some(SaslMechanism::Scram(mechanism)) = SaslMechanism::from_name(mechanism) else {
        return Err(refused("the mechanism is neither SCRAM-SHA-256 nor SCRAM-SHA-512"));
    };
    let inner = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fields =
        fields(inner.ok_or_else(|| refused("the brackets are missing"))?).map_err(|why| refused(&why))?;
    let field = |key: &str| fields.get(key).map(String::as_str);
    let name = field("name").filter(|name| !name.is_empty()).ok_or_else(|| refused("there is no name"))?;
    let iterations = match field("iterations") {
        None => ITERATIONS_DEFAULT,
        Some(text) => text.parse().map_err(|_| refused("iterations is no number"))?,
    };
    if !(mechanism.iterations_min()..=ITERATIONS_MAX).contains(&iterations) {
        let (min, max) = (mechanism.iterations_min(), ITERATIONS_MAX);
        return Err(refused(&format!("iterations must be from {min} to {max}")));
    }
    let decoded = |key: &str| match field(key) {
        None => Ok(None),
        Some(text) => STANDARD.decode(text).map(Some).map_err(|_| refused(&format!("{key} is no Base64"))),
    };
    let given_salt = decoded("salt")?;
    let (salt, salted) = match (field("password"), decoded("saltedpassword")?) {
        (Some(""), _) => return Err(refused("the password is empty")),
        (Some(password), None) => {
            let salt = given_salt.unwrap_or_else(|| salt.to_vec());
            let salted = salted_password(mechanism, password.as_bytes(), &salt, iterations);
            (salt, salted.bytes().to_vec())
        }
        (None, Some(salted)) => {
            let salt = given_salt.ok_or_else(|| refused("saltedpassword needs its salt"))?;
            (salt, salted)
        }
        _ => return Err(refused("one of password and saltedpassword is expected")),
    };
    Ok(upsertion(name, mechanism, iterations, salt, salted))
}

fn upsertion(
    name: &str,
    mechanism: ScramMechanism,
    iterations: i32,
    salt: Vec<u8>,
    salted: Vec<u8>,
) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion::default()
        .with_name(StrBytes::from_string(name.to_owned()))
        .with_mechanism(mechanism.code())
        .with_iterations(iterations)
        .with_salt(salt.into())
        .with_salted_password(salted.into())
}

/// `key=value` with commas between; a value in double quotes may hold anything, `\` before a quote or another `\`.
fn fields(text: &str) -> Result<BTreeMap<&str, String>, String> {
    let mut fields = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or("a field has no value")?;
        let key = key.trim();
        if !KEYS.contains(&key) {
            return Err("a field is none of name, password, salt, saltedpassword and iterations".to_owned());
        }
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        if fields.insert(key, value).is_some() {
            return Err(format!("{key} is there twice"));
        }
        rest = match left.strip_prefix(',') {
            Some(next) if !next.is_empty() => next,
            None if left.is_empty() => left,
            _ => return Err(format!("something is wrong behind {key}")),
        };
    }
    Ok(fields)
}

fn quoted_value(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_password_or_what_was_made_of_one() {
        let alice = parse("SCRAM-SHA-256=[name=alice,password=secret]", b"salt").unwrap();
        assert_eq!((&*alice.name, alice.mechanism, alice.iterations), ("alice", 1, 4096));
        assert_eq!(&alice.salt[..], b"salt");
        let salted = salted_password(ScramMechanism::Sha256, b"secret", b"salt", 4096);
        assert!(salted.is(&alice.salted_password));
        let bob = parse(
            r#"SCRAM-SHA-512=[name="b,\"o\"=b", iterations=8192,salt="AQI=",saltedpassword=AwQ=]"#,
            b"other",
        )
        .unwrap();
        assert_eq!((&*bob.name, bob.mechanism, bob.iterations), ("b,\"o\"=b", 2, 8192));
        assert_eq!((&bob.salt[..], &bob.salted_password[..]), (&[1, 2][..], &[3, 4][..]));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for bad in [
            "SCRAM-SHA-256",
            "PLAIN=[name=a,password=hush]",
            "SCRAM-SHA-1=[name=a,password=hush]",
            "SCRAM-SHA-256=name=a,password=hush",
            "SCRAM-SHA-256=[password=hush]",
            "SCRAM-SHA-256=[name=,password=hush]",
            "SCRAM-SHA-256=[name=a]",
            "SCRAM-SHA-256=[name=a,password=]",
            "SCRAM-SHA-256=[name=a,password=hush,saltedpassword=AQI=]",
            "SCRAM-SHA-256=[name=a,saltedpassword=AQI=]",
            "SCRAM-SHA-256=[name=a,saltedpassword=hush!,salt=AQI=]",
            "SCRAM-SHA-256=[name=a,password=hush,iterations=4095]",
            "SCRAM-SHA-256=[name=a,password=hush,iterations=16385]",
            "SCRAM-SHA-256=[name=a,password=hush,iterations=x]",
            "SCRAM-SHA-256=[name=a,password=\"hush]",
            "SCRAM-SHA-256=[name=a,password=hush,]",
            "SCRAM-SHA-256=[name=a,password=hush,hush=1]",
            "SCRAM-SHA-256=[name=a,password=hush,name=b]",
        ] {
            let error = parse(bad, b"salt").expect_err(bad);
            assert!(error.starts_with("--add-scram: ") && !error.contains("hush"), "{error}");
        }
    }
}
