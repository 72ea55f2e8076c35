//! Tokens with a signature: the keys of an issuer (JWKS, RFC 7517) and what a token must say (Kafka's BrokerJwtValidator).
//! Core, but for the keys in force, which somebody else fetches and puts in place.
//!
//! Invariants:
//! - K1. No token is accepted whose signature was not checked with a key of the set.
//! - K2. The algorithm must be one of public keys, and the one that the key is for: the text of a public key is no secret
//!   with which anybody could sign.
//! - K3. A claim of a wrong type is an invalid token, and not a claim that is missing (CVE-2026-25537).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

use super::jwt::{AcceptedToken, Object, TokenError, common, invalid, object, parts};

/// Keys of a set that are looked at; an issuer has a handful.
const KEYS_MAX: usize = 100;
/// What RefreshingHttpsJwks remembers of keys that were asked for and not found, how long, and how long they may be.
const MISSING_MAX: usize = 16;
const MISSING_PAUSE: Duration = Duration::from_secs(60);
const KEY_ID_BYTES_MAX: usize = 1000;

/// What tokens must say, besides being signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRules {
    /// One of them must be among the token's; none given takes any.
    pub audience: Vec<String>,
    pub issuer: Option<String>,
    pub clock_skew_ms: u64,
    pub scope_claim: String,
    pub principal_claim: String,
}

/// Tokens that an issuer has signed.
#[derive(Clone, Debug)]
pub struct SignedTokens {
    pub rules: SignedRules,
    pub keys: Arc<IssuerKeys>,
}

/// The keys in force of one issuer, and those that were asked for in vain.
#[derive(Default)]
pub struct IssuerKeys {
    current: ArcSwap<KeySet>,
    missing: Mutex<VecDeque<(String, Duration)>>,
    /// Told when a token names a key that is not there.
    wanted: Notify,
}

impl std::fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuerKeys({})", self.current.load().keys.len())
    }
}

impl IssuerKeys {
    /// Tokens to come are held against these.
    pub fn replace(&self, keys: KeySet) {
        self.current.store(Arc::new(keys));
    }

    pub fn count(&self) -> usize {
        self.current.load().keys.len()
    }

    /// Waits until a token has named a key that is not there: then it may be worth to fetch them before it is time.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// One look for each unknown key and minute: whoever makes up names keeps nobody busy.
    fn on_missing(&self, id: &str, now: Duration) {
        if id.len() > KEY_ID_BYTES_MAX {
            return;
        }
        let mut missing = self.missing.lock();
        missing.retain(|(_, since)| now.saturating_sub(*since) < MISSING_PAUSE);
        if missing.len() >= MISSING_MAX || missing.iter().any(|(known, _)| known == id) {
            return;
        }
        missing.push_back((id.to_owned(), now));
        self.wanted.notify_one();
    }
}

/// The keys of an issuer.
#[derive(Default, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    /// The one algorithm that it is for, where it says so.
    algorithm: Option<String>,
    public: Public,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?})", self.id)
    }
}

enum Public {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// The curve, and the point as it is written without compression.
    Ec {
        curve: Curve,
        point: Vec<u8>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

/// Why a document is no set of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeySetError {
    #[error("it is no JSON object with a list of keys")]
    NoSet,
    #[error("it has no key for signatures that is known here (RSA; EC on P-256, P-384, P-521)")]
    NoKey,
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
}

impl KeySet {
    /// Reads a set. Keys of other kinds are left out, as RFC 7517 asks for.
    pub fn parse(text: &[u8]) -> Result<KeySet, KeySetError> {
        let set: Value = serde_json::from_slice(text).map_err(|_| KeySetError::NoSet)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NoSet)?;
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<Key> = keys.iter().filter_map(Key::read).collect();
        if keys.is_empty() { Err(KeySetError::NoKey) } else { Ok(KeySet { keys }) }
    }

    /// The keys that may have signed a token: those with its id or with none; without an id, all.
    fn candidates<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| match (id, &key.id) {
            (Some(wanted), Some(known)) => wanted == known,
            _ => true,
        })
    }
}

impl Key {
    fn read(value: &Value) -> Option<Key> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
        if text("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        let public = match text("kty")? {
            "RSA" => Public::Rsa { modulus: bytes("n")?, exponent: bytes("e")? },
            "EC" => {
                let (curve, width) = match text("crv")? {
                    "P-256" => (Curve::P256, 32),
                    "P-384" => (Curve::P384, 48),
                    "P-521" => (Curve::P521, 66),
                    _ => return None,
                };
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() > width || y.len() > width {
                    return None;
                }
                let mut point = vec![0; 1 + 2 * width];
                point[0] = 4;
                point[1 + width - x.len()..=width].copy_from_slice(&x);
                point[1 + 2 * width - y.len()..].copy_from_slice(&y);
                Public::Ec { curve, point }
            }
            _ => return None,
        };
        Some(Key { id: text("kid").map(str::to_owned), algorithm: text("alg").map(str::to_owned), public })
    }

    fn verifies(&self, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
        if self.algorithm.as_deref().is_some_and(|only| only != algorithm) {
            return false;
        }
        match (&self.public, Signing::of(algorithm)) {
            (Public::Rsa { modulus, exponent }, Some(Signing::Rsa(parameters))) => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, signed, signature).is_ok()
            }
            (Public::Ec { curve, point }, Some(Signing::Ec(wanted, scheme))) if *curve == wanted => {
                UnparsedPublicKey::new(scheme, point).verify(signed, signature).is_ok()
            }
            _ => false,
        }
    }
}

enum Signing {
    Rsa(&'static RsaParameters),
    Ec(Curve, &'static EcdsaVerificationAlgorithm),
}

impl Signing {
    /// By its name in a token's header; nothing without a public key is here.
    fn of(algorithm: &str) -> Option<Signing> {
        Some(match algorithm {
            "RS256" => Signing::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            "RS384" => Signing::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Signing::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            "PS256" => Signing::Rsa(&RSA_PSS_2048_8192_SHA256),
            "PS384" => Signing::Rsa(&RSA_PSS_2048_8192_SHA384),
            "PS512" => Signing::Rsa(&RSA_PSS_2048_8192_SHA512),
            "ES256" => Signing::Ec(Curve::P256, &ECDSA_P256_SHA256_FIXED),
            "ES384" => Signing::Ec(Curve::P384, &ECDSA_P384_SHA384_FIXED),
            "ES512" => Signing::Ec(Curve::P521, &ECDSA_P521_SHA512_FIXED),
            _ => return None,
        })
    }
}

impl SignedTokens {
    /// `now` is on the steady clock, `wall_ms` since 1970.
    pub(super) fn validate(
        &self,
        token: &str,
        now: Duration,
        wall_ms: i64,
    ) -> Result<AcceptedToken, TokenError> {
        let [header, claims, signature] = parts(token)?;
        let (signed, _) = token.rsplit_once('.').unwrap_or((token, ""));
        let header = object(header)?;
        let Some(algorithm) = header.get("alg").and_then(Value::as_str) else {
            return invalid("the token names no algorithm");
        };
        if Signing::of(algorithm).is_none() {
            return invalid("the token's algorithm is none of those that are accepted");
        }
        if header.contains_key("crit") {
            return invalid("the token asks for extensions that are not known");
        }
        let id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.as_str()),
            Some(_) => return invalid("the token's key id is no text"),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).ok().filter(|signature| !signature.is_empty());
        let Some(signature) = signature else { return invalid("the token has no signature") };
        let keys = self.keys.current.load();
        let mut candidates = keys.candidates(id).peekable();
        if candidates.peek().is_none() {
            self.keys.on_missing(id.unwrap_or_default(), now);
            return invalid("the token's key is not known");
        }
        if !candidates.any(|key| key.verifies(algorithm, signed.as_bytes(), &signature)) {
            return invalid("the token's signature is wrong");
        }
        self.rules.check(&object(claims)?, wall_ms)
    }
}

impl SignedRules {
    fn check(&self, claims: &Object, wall_ms: i64) -> Result<AcceptedToken, TokenError> {
        if !claims.contains_key("iat") {
            return invalid("the token does not say when it was made");
        }
        let accepted = common(claims, &self.principal_claim, self.clock_skew_ms, wall_ms)?;
        match claims.get("nbf") {
            None => {}
            Some(value) => match value.as_f64() {
                Some(seconds) if seconds * 1000.0 <= wall_ms as f64 + self.clock_skew_ms as f64 => {}
                Some(_) => return invalid("the token is of the future"),
                None => return invalid("a time in the token is no number"),
            },
        }
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return invalid("the token is of another issuer");
        }
        if !self.audience.is_empty() {
            let texts: Vec<&str> = match claims.get("aud") {
                Some(Value::String(one)) => vec![one],
                Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            if !texts.iter().any(|text| self.audience.iter().any(|wanted| wanted == text)) {
                return invalid("the token is for another audience");
            }
        }
        check_scope(claims.get(&self.scope_claim))?;
        Ok(accepted)
    }
}

/// `ClaimValidationUtils.validateScopes`: none is empty, and none is there twice.
fn check_scope(claim: Option<&Value>) -> Result<(), TokenError> {
    let scopes: Vec<&Value> = match claim {
        Some(one @ Value::String(_)) => vec![one],
        Some(Value::Array(list)) => list.iter().collect(),
        _ => return Ok(()),
    };
    let mut known = std::collections::HashSet::new();
    for scope in scopes {
        match scope.as_str().map(str::trim) {
            Some(text) if !text.is_empty() && known.insert(text) => {}
            _ => return invalid("the scope of the token is empty, no text, or there twice"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const WALL_MS: i64 = 1_700_000_000_000;

    fn part(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    struct Issuer {
        pair: EcdsaKeyPair,
        tokens: SignedTokens,
    }

    fn issuer() -> Issuer {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let rules = SignedRules {
            audience: vec!["kafka".to_owned(), "other".to_owned()],
            issuer: Some("https://issuer".to_owned()),
            clock_skew_ms: 30_000,
            scope_claim: "scope".to_owned(),
            principal_claim: "sub".to_owned(),
        };
        let issuer = Issuer { pair, tokens: SignedTokens { rules, keys: Arc::default() } };
        issuer
            .tokens
            .keys
            .replace(KeySet::parse(json!({"keys": [issuer.key()]}).to_string().as_bytes()).expect("a set"));
        issuer
    }

    impl Issuer {
        fn key(&self) -> Value {
            let point = self.pair.public_key().as_ref();
            let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
            json!({"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "x": x, "y": y})
        }

        fn token(&self, header: &Value, claims: &Value) -> String {
            let signed = format!("{}.{}", part(header), part(claims));
            let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("it signs");
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }

        fn why(&self, token: &str) -> Option<&'static str> {
            self.tokens.validate(token, NOW, WALL_MS).err().map(|error| error.why())
        }
    }

    fn header() -> Value {
        json!({"alg": "ES256", "kid": "k"})
    }

    fn claims() -> Value {
        json!({"sub": "alice", "iss": "https://issuer", "aud": ["x", "kafka"], "iat": 1_699_999_990,
               "exp": 1_700_000_100, "scope": ["a", "b"]})
    }

    #[test]
    fn a_token_that_its_issuer_signed_is_accepted() {
        let issuer = issuer();
        let accepted = issuer.tokens.validate(&issuer.token(&header(), &claims()), NOW, WALL_MS);
        let expected = AcceptedToken { principal: "alice".to_owned(), expires_wall_ms: 1_700_000_100_000 };
        assert_eq!(accepted, Ok(expected));
        assert_eq!(
            issuer.why(&issuer.token(&json!({"alg": "ES256"}), &claims())),
            None,
            "every key is tried"
        );
    }

    /// CVE-2026-33557: no path leads past the signature.
    #[test]
    fn what_nobody_or_somebody_else_signed_is_refused() {
        let (issuer, stranger) = (issuer(), issuer());
        let good = issuer.token(&header(), &claims());
        let [head, body, signature] = parts(&good).expect("three parts");
        let other = part(&json!({"sub": "root", "iat": 1_699_999_990, "exp": 1_800_000_000}));
        let none = part(&json!({"alg": "none", "kid": "k"}));
        let mac = part(&json!({"alg": "HS256", "kid": "k"}));
        for (token, why) in [
            (stranger.token(&header(), &claims()), "the token's signature is wrong"),
            (format!("{head}.{other}.{signature}"), "the token's signature is wrong"),
            (format!("{head}.{body}.AAAA"), "the token's signature is wrong"),
            (format!("{head}.{body}."), "the token has no signature"),
            (format!("{none}.{body}."), "the token's algorithm is none of those that are accepted"),
            (
                format!("{none}.{body}.{signature}"),
                "the token's algorithm is none of those that are accepted",
            ),
            (format!("{mac}.{body}.{signature}"), "the token's algorithm is none of those that are accepted"),
            (issuer.token(&json!({"alg": "RS256", "kid": "k"}), &claims()), "the token's signature is wrong"),
            (issuer.token(&json!({"alg": "ES384", "kid": "k"}), &claims()), "the token's signature is wrong"),
            (issuer.token(&json!({"alg": "ES256", "kid": "z"}), &claims()), "the token's key is not known"),
            (issuer.token(&json!({"alg": "ES256", "kid": 7}), &claims()), "the token's key id is no text"),
            (
                issuer.token(&json!({"alg": "ES256", "kid": "k", "crit": ["b64"]}), &claims()),
                "the token asks for extensions that are not known",
            ),
        ] {
            assert_eq!(issuer.why(&token), Some(why), "{token}");
        }
        for garbled in ["", ".", "..", "a.b.c", "a.b.c.d"] {
            assert!(issuer.why(garbled).is_some(), "{garbled}");
        }
    }

    /// One byte of a token is another, is missing, or is there twice: nothing of it is accepted, and nothing panics.
    #[test]
    fn no_changed_token_is_accepted() {
        let issuer = issuer();
        let good = issuer.token(&header(), &claims());
        let mut state = 20_261_130_u64;
        for place in 0..good.len() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = b"AZaz09-_.=\x00 \""[(state >> 33) as usize % 13] as char;
            let (before, after) = (&good[..place], &good[place + 1..]);
            for changed in [
                format!("{before}{other}{after}"),
                format!("{before}{after}"),
                format!("{before}{other}{}", &good[place..]),
            ] {
                assert!(changed == good || issuer.why(&changed).is_some(), "{changed}");
            }
        }
    }

    #[test]
    fn each_claim_is_held_against_its_rule_and_its_type() {
        let issuer = issuer();
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            issuer.why(&issuer.token(&header(), &claims))
        };
        for (name, good) in [
            ("aud", json!("other")),
            ("exp", json!(1_699_999_995)),
            ("iat", json!(1_700_000_020)),
            ("nbf", json!(1_700_000_020)),
            ("scope", json!("a b")),
            ("scope", json!([])),
        ] {
            assert_eq!(with(name, good.clone()), None, "{name} {good}");
        }
        for (name, bad) in [
            ("iss", json!("https://other")),
            ("iss", json!(["https://issuer"])),
            ("aud", json!("x")),
            ("aud", json!(7)),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("exp", json!("1800000000")),
            ("exp", json!(1_699_999_960)),
            ("exp", json!(-1)),
            ("iat", json!("1")),
            ("iat", json!(1_700_000_040)),
            ("nbf", json!(1_700_000_040)),
            ("nbf", json!("0")),
            ("scope", json!(["a", "a"])),
            ("scope", json!([" "])),
            ("scope", json!([1])),
            ("scope", json!("")),
        ] {
            assert!(with(name, bad.clone()).is_some(), "{name} {bad}");
        }
        for missing in ["sub", "iss", "aud", "exp", "iat"] {
            let mut claims = claims();
            claims.as_object_mut().expect("an object").remove(missing);
            assert!(issuer.why(&issuer.token(&header(), &claims)).is_some(), "{missing}");
        }
    }

    /// Made with OpenSSL: the two ways in which RSA signs.
    #[test]
    fn rsa_signatures_of_openssl_are_known() {
        let made: Value = serde_json::from_str(include_str!("openssl_tokens.json")).expect("JSON");
        let mut tokens = issuer().tokens;
        tokens.rules = SignedRules { audience: Vec::new(), issuer: None, ..tokens.rules };
        tokens
            .keys
            .replace(KeySet::parse(json!({"keys": [made["key"]]}).to_string().as_bytes()).expect("a set"));
        for algorithm in ["RS256", "PS256"] {
            let token = made["tokens"][algorithm].as_str().expect("a token");
            let accepted = tokens.validate(token, NOW, WALL_MS).expect("it is good");
            assert_eq!(accepted.principal, "alice", "{algorithm}");
            let damaged = token.replacen("eyJzdWIi", "eyJzdWJi", 1);
            assert!(damaged != token && tokens.validate(&damaged, NOW, WALL_MS).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn what_is_no_set_of_keys_is_said() {
        let error = |text: &str| KeySet::parse(text.as_bytes()).map(drop);
        assert_eq!(error("x"), Err(KeySetError::NoSet));
        assert_eq!(error("{\"keys\": 1}"), Err(KeySetError::NoSet));
        let oct = json!({"keys": [{"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": "P-256", "x": "AA"}, 3]});
        assert_eq!(error(&oct.to_string()), Err(KeySetError::NoKey));
        let many = json!({"keys": vec![json!({"kty": "oct"}); KEYS_MAX + 1]});
        assert_eq!(error(&many.to_string()), Err(KeySetError::TooMany));
        let mut encrypting = issuer().key();
        encrypting["use"] = json!("enc");
        assert_eq!(error(&json!({"keys": [encrypting]}).to_string()), Err(KeySetError::NoKey));
    }

    #[test]
    fn a_key_that_is_not_there_is_wanted_once_a_minute_and_not_by_everybody() {
        let keys = IssuerKeys::default();
        let known = |keys: &IssuerKeys| keys.missing.lock().len();
        for number in 0..100 {
            keys.on_missing(&format!("made up {number}"), NOW);
        }
        keys.on_missing(&"x".repeat(KEY_ID_BYTES_MAX + 1), NOW);
        assert_eq!(known(&keys), MISSING_MAX);
        keys.on_missing("later", NOW + MISSING_PAUSE);
        assert_eq!(known(&keys), 1);
        keys.on_missing("later", NOW + MISSING_PAUSE);
        assert_eq!(known(&keys), 1);
    }
}
