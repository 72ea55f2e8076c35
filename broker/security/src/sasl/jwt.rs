//! Which tokens are accepted: the claims of a JWT, and who signed it.
//! Core. A token without a signature is accepted only where the configuration says so in a word of its own.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::jwks::SignedTokens;

/// How tokens are checked on a listener.
#[derive(Debug)]
pub enum TokenValidator {
    Unsecured(UnsecuredTokens),
    Signed(SignedTokens),
}

/// Tokens that nobody signed (`OAuthBearerUnsecuredValidatorCallbackHandler`): for tests alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsecuredTokens {
    pub principal_claim: String,
    pub scope_claim: String,
    pub required_scope: Vec<String>,
    pub clock_skew_ms: u64,
}

/// What a token says that was accepted.
#[derive(PartialEq, Eq, Debug)]
pub struct AcceptedToken {
    pub principal: String,
    pub expires_wall_ms: i64,
}

/// Why a token is not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenError {
    Invalid(&'static str),
    /// It lacks some of these.
    Scope {
        required: Vec<String>,
    },
}

impl TokenError {
    pub fn why(&self) -> &'static str {
        match self {
            TokenError::Invalid(why) => why,
            TokenError::Scope { .. } => "the token has not the required scope",
        }
    }
}

impl TokenValidator {
    /// `now` is on the steady clock, `wall_ms` since 1970.
    pub fn validate(&self, token: &str, now: Duration, wall_ms: i64) -> Result<AcceptedToken, TokenError> {
        match self {
            TokenValidator::Unsecured(tokens) => tokens.validate(token, wall_ms),
            TokenValidator::Signed(tokens) => tokens.validate(token, now, wall_ms),
        }
    }
}

pub(super) type Object = Map<String, Value>;

pub(super) fn invalid<T>(why: &'static str) -> Result<T, TokenError> {
    Err(TokenError::Invalid(why))
}

/// The three parts of a compact token.
pub(super) fn parts(token: &str) -> Result<[&str; 3], TokenError> {
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    match parts[..] {
        [header, claims, signature] if !header.is_empty() && !claims.is_empty() => {
            Ok([header, claims, signature])
        }
        _ => invalid("the token has not three parts"),
    }
}

pub(super) fn object(part: &str) -> Result<Object, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('='));
    let value = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match value {
        Some(Value::Object(object)) => Ok(object),
        _ => invalid("a part of the token is no JSON object"),
    }
}

/// A time claim in milliseconds: a number of seconds since 1970 and nothing else (CVE-2026-25537: a text is no
/// number that may be passed over).
fn time(claims: &Object, name: &str) -> Result<Option<f64>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(seconds * 1000.0)),
            None => invalid("a time in the token is no number"),
        },
    }
}

/// A claim that is one scope, or a list of them. Kafka takes a text with blanks in it for one.
fn scope(claims: &Object, name: &str) -> Result<Vec<String>, TokenError> {
    match claims.get(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.trim().to_owned()]),
        Some(Value::Array(list)) => {
            let texts = list.iter().map(|item| item.as_str().map(|text| text.trim().to_owned()));
            texts.collect::<Option<_>>().map_or_else(|| invalid("the scope of the token is no text"), Ok)
        }
        Some(_) => invalid("the scope of the token is no text"),
    }
}

/// The claims that every token has: who it is for, from when and until when (OAuthBearerValidationUtils).
pub(super) fn common(
    claims: &Object,
    principal_claim: &str,
    clock_skew_ms: u64,
    now_ms: i64,
) -> Result<AcceptedToken, TokenError> {
    let principal = match claims.get(principal_claim) {
        Some(Value::String(name)) if !name.trim().is_empty() => name.clone(),
        _ => return invalid("the token names no principal"),
    };
    let (now, skew) = (now_ms as f64, clock_skew_ms as f64);
    let issued = time(claims, "iat")?;
    let Some(expires) = time(claims, "exp")? else { return invalid("the token has no end") };
    if issued.is_some_and(|issued| issued > now + skew) {
        return invalid("the token is of the future");
    }
    if now - skew >= expires {
        return invalid("the token has ended");
    }
    if issued.is_some_and(|issued| expires <= issued) {
        return invalid("the token ends before it begins");
    }
    Ok(AcceptedToken { principal, expires_wall_ms: expires.round() as i64 })
}

impl UnsecuredTokens {
    fn validate(&self, token: &str, now_ms: i64) -> Result<AcceptedToken, TokenError> {
        let [header, claims, signature] = parts(token)?;
        let (header, claims) = (object(header)?, object(claims)?);
        let algorithm = header.get("alg").and_then(Value::as_str);
        if algorithm != Some("none") {
            return invalid("the token has an algorithm, and signatures are not checked here");
        }
        if !signature.is_empty() {
            return invalid("the token has a signature, and signatures are not checked here");
        }
        let accepted = common(&claims, &self.principal_claim, self.clock_skew_ms, now_ms)?;
        let scope = scope(&claims, &self.scope_claim)?;
        match self.required_scope.iter().all(|required| scope.contains(required)) {
            true => Ok(accepted),
            false => Err(TokenError::Scope { required: self.required_scope.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn token(header: &Value, claims: &Value, signature: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{signature}", part(header), part(claims))
    }

    fn validate(claims: &Value) -> Result<AcceptedToken, TokenError> {
        let tokens = UnsecuredTokens {
            principal_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            required_scope: vec!["a".to_owned(), "b".to_owned()],
            clock_skew_ms: 1_000,
        };
        tokens.validate(&token(&json!({"alg": "none"}), claims, ""), NOW)
    }

    #[test]
    fn a_token_says_who_and_until_when() {
        let good =
            json!({"sub": "alice", "iat": 1_699_999_999, "exp": 1_700_000_001.5, "scope": ["b", "a", "c"]});
        let accepted = AcceptedToken { principal: "alice".to_owned(), expires_wall_ms: 1_700_000_001_500 };
        assert_eq!(validate(&good), Ok(accepted));
        let changed = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            validate(&claims).is_ok()
        };
        assert!(changed("scope", json!(["a", "b"])));
        assert!(changed("iat", json!(1_700_000_001)), "within the skew");
        assert!(changed("exp", json!(1_699_999_999.5)), "within the skew");
        for (name, value) in [
            ("sub", json!(7)),
            ("sub", json!(" ")),
            ("sub", Value::Null),
            ("exp", json!("1800000000")),
            ("exp", json!(-1)),
            ("exp", json!(1_699_999_999)),
            ("exp", Value::Null),
            ("iat", json!(1_700_000_002)),
            ("iat", json!("1")),
            ("scope", json!("a")),
            ("scope", json!("a b")),
            ("scope", json!([1])),
        ] {
            assert!(!changed(name, value.clone()), "{name} {value}");
        }
        let required = vec!["a".to_owned(), "b".to_owned()];
        let mut little = good.clone();
        little["scope"] = json!("a");
        assert_eq!(validate(&little), Err(TokenError::Scope { required }));
    }

    #[test]
    fn what_looks_signed_is_refused_where_nothing_is_checked() {
        let tokens = UnsecuredTokens {
            principal_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            required_scope: Vec::new(),
            clock_skew_ms: 0,
        };
        let claims = json!({"sub": "alice", "exp": 1_800_000_000});
        let accepts = |token: &str| tokens.validate(token, NOW).is_ok();
        let none = json!({"alg": "none"});
        assert!(accepts(&token(&none, &claims, "")));
        assert!(!accepts(&token(&none, &claims, "c2ln")));
        assert!(!accepts(&token(&json!({"alg": "RS256"}), &claims, "")));
        assert!(!accepts(&token(&json!({"alg": "NONE"}), &claims, "")));
        assert!(!accepts(&token(&json!({}), &claims, "")));
        for garbled in ["", ".", "..", "...", "a.b.c", "e30.e30", "e30..", ".e30."] {
            assert!(!accepts(garbled), "{garbled}");
        }
        assert!(!accepts(&(token(&none, &claims, "") + ".")));
    }
}
