//! OAUTHBEARER (RFC 7628, KIP-255): a token in place of a password.
//! Core.
//!
//! ```text
//! client    n,[a=authzid],^A key=value ^A ... ^A       one of the keys is auth: "Bearer" and the token
//! server    nothing, or {"status":"invalid_token"}, which the client answers with ^A alone
//! ```

use super::jwt::TokenError;
use super::{Facts, Failure, Login, Step};

const SEPARATOR: char = '\u{1}';
/// Longest message that is looked at.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// What a client says.
#[derive(PartialEq, Eq, Debug)]
struct InitialResponse {
    authorization_id: String,
    token: String,
    extensions: Vec<(String, String)>,
}

/// One login. `Default` has heard nothing.
#[derive(Default)]
pub(super) struct OauthServer {
    /// The last token was refused: what the client was told, and why.
    refused: Option<(String, &'static str)>,
}

impl OauthServer {
    pub fn step(&mut self, message: &[u8], facts: &Facts<'_>) -> Result<Step, Failure> {
        if let Some((told, why)) = self.refused.take()
            && message == [SEPARATOR as u8]
        {
            return Err(Failure { why: why.to_owned(), ..Failure::told(told) });
        }
        let Some(validator) = &facts.server.tokens else {
            return Err(Failure::hidden("no token is accepted here"));
        };
        let Some(said) = InitialResponse::parse(message) else {
            return Err(Failure::hidden("the message is none of OAUTHBEARER"));
        };
        let token = match validator.validate(&said.token, facts.now, facts.wall_ms) {
            Ok(token) => token,
            Err(error) => {
                let told = error.json();
                self.refused = Some((told.clone(), error.why()));
                return Ok(Step::Challenge(told.into_bytes()));
            }
        };
        if !(said.authorization_id.is_empty() || said.authorization_id == token.principal) {
            let why = format!(
                "Authentication failed: Client requested an authorization id ({}) that is different from the \
                 token's principal name ({})",
                said.authorization_id, token.principal
            );
            return Err(Failure::told(why).of(&token.principal));
        }
        // Both of Kafka's handlers take any extension.
        let login = Login { expires_wall_ms: Some(token.expires_wall_ms), ..Login::of(token.principal) };
        Ok(Step::Done { token: Vec::new(), login })
    }
}

impl InitialResponse {
    /// OAuthBearerClientInitialResponse.
    fn parse(message: &[u8]) -> Option<InitialResponse> {
        let text = std::str::from_utf8(message).ok().filter(|text| text.len() <= MESSAGE_BYTES_MAX)?;
        let (header, rest) = text.split_once(SEPARATOR)?;
        let authorization_id = match header.strip_prefix("n,")?.strip_suffix(',')? {
            "" => "",
            given => given.strip_prefix("a=").filter(|id| super::scram_messages::is_sasl_name(id))?,
        };
        let mut auth = None;
        let mut extensions: Vec<(String, String)> = Vec::new();
        // Each pair ends with a separator, and one more ends the list.
        let pairs = rest.strip_suffix(SEPARATOR)?;
        for pair in pairs.split_terminator(SEPARATOR) {
            let (key, value) = pair.split_once('=')?;
            let is_word = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic());
            let is_text = |b: u8| (0x20..=0x7e).contains(&b) || matches!(b, b'\t' | b'\r' | b'\n');
            if !(is_word && !value.is_empty() && value.bytes().all(is_text)) {
                return None;
            }
            if key == "auth" {
                auth = Some(value);
            } else {
                extensions.retain(|(known, _)| known != key);
                extensions.push((key.to_owned(), value.to_owned()));
            }
        }
        if !(pairs.is_empty() || pairs.ends_with(SEPARATOR)) {
            return None;
        }
        let (scheme, token) = auth?.split_once(' ')?;
        let token = token.trim_start_matches(' ');
        let is_token =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+' | b'/' | b'=');
        let is_right =
            scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(is_token);
        is_right.then(|| InitialResponse {
            authorization_id: authorization_id.to_owned(),
            token: token.to_owned(),
            extensions,
        })
    }
}

impl TokenError {
    /// What the client is told (OAuthBearerSaslServer.jsonErrorResponse).
    fn json(&self) -> String {
        match self {
            TokenError::Invalid(_) => "{\"status\":\"invalid_token\"}".to_owned(),
            TokenError::Scope { required } => {
                format!("{{\"status\":\"insufficient_scope\", \"scope\":\"[{}]\"}}", required.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::sasl::{RANDOM_BYTES, SaslServer, TokenValidator, UnsecuredTokens};
    use crate::scram::ScramCredentials;
    use crate::secret::Secret;

    /// A token that is refused is told so by a challenge, and the login fails with the client's next word.
    #[test]
    fn a_token_that_is_refused_is_heard_of_before_the_end() {
        let tokens = TokenValidator::Unsecured(UnsecuredTokens {
            principal_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            required_scope: Vec::new(),
            clock_skew_ms: 0,
        });
        let (scram, decoy_key) = (ScramCredentials::default(), Secret::new("key"));
        let server = SaslServer { tokens: Some(tokens), ..SaslServer::default() };
        let facts = Facts {
            server: &server,
            scram: &scram,
            tokens: None,
            decoy_key: &decoy_key,
            random: [0; RANDOM_BYTES],
            now: Duration::ZERO,
            wall_ms: 1_700_000_000_000,
        };
        use base64::Engine;
        let encoded =
            |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
        let token = |exp: i64| {
            format!("{}.{}.", encoded(json!({"alg": "none"})), encoded(json!({"sub": "alice", "exp": exp})))
        };
        let said = |authzid: &str, token: &str| {
            format!("n,{authzid},\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes()
        };
        let mut login = OauthServer::default();
        let refused = login.step(&said("", &token(1_600_000_000)), &facts);
        assert!(matches!(refused, Ok(Step::Challenge(told)) if told == b"{\"status\":\"invalid_token\"}"));
        let failure = login.step(&[1], &facts).unwrap_err();
        assert_eq!(failure.told.as_deref(), Some("{\"status\":\"invalid_token\"}"));
        assert_eq!(failure.why, "the token has ended");
        // Another token instead is looked at; the one word without a refusal before is none.
        let mut login = OauthServer::default();
        assert!(login.step(&[1], &facts).is_err());
        assert!(login.step(&said("", &token(1_600_000_000)), &facts).is_ok());
        match login.step(&said("a=alice", &token(1_800_000_000)), &facts).unwrap() {
            Step::Done { login, .. } => {
                assert_eq!((&*login.name, login.expires_wall_ms), ("alice", Some(1_800_000_000_000)));
            }
            step => panic!("{step:?}"),
        }
        let failure = login.step(&said("a=bob", &token(1_800_000_000)), &facts).unwrap_err();
        assert!(
            failure.told.unwrap().contains("(bob) that is different from the token's principal name (alice)")
        );
    }

    /// What Kafka's own class makes of each message (`protocol-tests/golden`).
    #[test]
    fn messages_are_read_as_kafka_reads_them() {
        let golden: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
        let golden = golden["bearer"].as_array().unwrap();
        assert!(golden.len() > 25);
        for case in golden {
            let text = case["text"].as_str().unwrap();
            let told = match InitialResponse::parse(text.as_bytes()) {
                Some(said) => {
                    let extensions: serde_json::Map<_, _> =
                        said.extensions.into_iter().map(|(key, value)| (key, json!(value))).collect();
                    json!({"text": text, "authzid": said.authorization_id, "token": said.token,
                           "extensions": extensions})
                }
                None => json!({"text": text, "error": true}),
            };
            assert_eq!(told, *case, "{text:?}");
        }
    }
}
