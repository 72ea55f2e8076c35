//! PLAIN (RFC 4616): a name and a password in one message.
//! Core.
//!
//! ```text
//! [authorization id] NUL name NUL password
//! ```

use std::collections::BTreeMap;

use super::{FOREIGN_AUTHORIZATION_ID, Failure, Login};
use crate::secret::Secret;

/// Kafka stops counting here.
const TOKENS_COUNTED_MAX: usize = 4;

/// The name that a message proves. Failures have the words of Kafka's PlainSaslServer, which the client is told.
pub(super) fn verify(users: &BTreeMap<String, Secret>, message: &[u8]) -> Result<Login, Failure> {
    let text = String::from_utf8_lossy(message);
    let tokens: Vec<&str> = text.splitn(TOKENS_COUNTED_MAX, '\0').collect();
    let [authorization_id, name, password] = tokens[..] else {
        let count = tokens.len();
        return Err(Failure::told(format!("Invalid SASL/PLAIN response: expected 3 tokens, got {count}")));
    };
    if name.is_empty() {
        return Err(Failure::told("Authentication failed: username not specified"));
    }
    if password.is_empty() {
        return Err(Failure::told("Authentication failed: password not specified").of(name));
    }
    // A name that nobody has takes as long as one that somebody has.
    let nobody = Secret::new("");
    let is_right = users.get(name).unwrap_or(&nobody).is(password.as_bytes());
    if !is_right {
        return Err(Failure::told("Authentication failed: Invalid username or password").of(name));
    }
    if !(authorization_id.is_empty() || authorization_id == name) {
        return Err(Failure::told(FOREIGN_AUTHORIZATION_ID).of(name));
    }
    Ok(Login::of(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What Kafka's own server says of each message (`protocol-tests/golden`).
    #[test]
    fn messages_end_as_with_kafka() {
        let users = BTreeMap::from([
            ("alice".to_owned(), Secret::new("secret")),
            ("é".to_owned(), Secret::new("ü")),
            ("empty".to_owned(), Secret::new("")),
        ]);
        let golden: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
        let golden = golden["plain"].as_array().unwrap();
        assert!(golden.len() > 15);
        for case in golden {
            let text = case["text"].as_str().unwrap();
            match verify(&users, text.as_bytes()) {
                Ok(login) => assert_eq!(case["name"], login.name, "{text:?}"),
                Err(failure) => assert_eq!(case["error"], *failure.told.as_ref().unwrap(), "{text:?}"),
            }
        }
        // No password is empty, whatever the configuration says.
        assert!(verify(&users, b"\0empty\0").is_err());
        assert!(verify(&users, b"\0alice\0\xff").is_err());
    }
}
