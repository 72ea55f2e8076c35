//! OAUTHBEARER with signatures: where the issuer's keys are, and what its tokens must say (Kafka's keys, KIP-768).
//! Core. A key counts with the prefix of the listener and the mechanism, of the listener, and without (Kafka's
//! ConfigurationUtils).

use crate::error::ConfigError;
use crate::jaas::JaasEntry;
use crate::listener_keys::ListenerKeys;
use crate::settings::BrokerSettings;

const URL: &str = "sasl.oauthbearer.jwks.endpoint.url";
/// Where this node's own token is.
const TOKEN_URL: &str = "sasl.oauthbearer.token.endpoint.url";
const VALIDATOR: &str = "sasl.oauthbearer.jwt.validator.class";
/// Both check signatures; the default one does so where there is an endpoint.
const VALIDATORS: [&str; 2] = [
    "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
    "org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator",
];
/// Kafka reads these of the system: what a configuration may make the broker read (CVE-2025-27817).
pub(crate) const ALLOWED_URLS: &str = "org.apache.kafka.sasl.oauthbearer.allowed.urls";
pub(crate) const ALLOWED_FILES: &str = "org.apache.kafka.sasl.oauthbearer.allowed.files";
const OAUTH: &str = "OAUTHBEARER";

/// How tokens are checked that an issuer has signed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SignedTokens {
    pub endpoint: KeysEndpoint,
    /// Whom to believe at an endpoint with TLS; nothing is the roots of the machine.
    pub trust: Option<EndpointTrust>,
    pub refresh_ms: u64,
    pub retry_backoff_ms: u64,
    pub retry_backoff_ms_max: u64,
    pub audience: Vec<String>,
    pub issuer: Option<String>,
    pub clock_skew_ms: u64,
    pub scope_claim: String,
    pub principal_claim: String,
}

/// Where keys are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum KeysEndpoint {
    File(String),
    Http { has_tls: bool, host: String, port: u16, path: String },
}

/// PEM.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EndpointTrust {
    File(String),
    Inline(String),
}

impl std::fmt::Display for KeysEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeysEndpoint::File(path) => write!(f, "file://{path}"),
            KeysEndpoint::Http { has_tls, host, port, path } => {
                write!(f, "{}://{host}:{port}{path}", if *has_tls { "https" } else { "http" })
            }
        }
    }
}

impl BrokerSettings {
    /// Whether a listener names an issuer's keys.
    pub(crate) fn has_keys_endpoint(&self, keys: &ListenerKeys<'_>) -> bool {
        text_of(keys, URL).is_some_and(|url| !url.is_empty())
    }

    /// `entry` is the listener's JAAS line, if it has one.
    pub(crate) fn signed_tokens(
        &self,
        keys: &ListenerKeys<'_>,
        entry: Option<&JaasEntry>,
    ) -> Result<SignedTokens, ConfigError> {
        let refused = |key: &str, why: String| {
            let message = format!("{key} is refused: {why}");
            ConfigError::invalid_config(message).about(key)
        };
        let url = text_of(keys, URL).filter(|url| !url.is_empty()).ok_or_else(|| {
            let message = format!("{URL} must be set: without it no signature of a token can be checked");
            ConfigError::invalid_config(message).about(URL)
        })?;
        let endpoint = endpoint_of(&url).map_err(|why| refused(URL, why))?;
        let is_allowed = self.is_listed(ALLOWED_URLS, &url)
            || matches!(&endpoint, KeysEndpoint::File(path) if self.is_listed(ALLOWED_FILES, path));
        if !is_allowed {
            let why = format!(
                "{url} cannot be accessed due to restrictions; {ALLOWED_URLS} must list it, as a key or as a system \
                 property in KAFKA_OPTS"
            );
            return Err(refused(URL, why));
        }
        let class = text_of(keys, VALIDATOR).unwrap_or_default();
        if !VALIDATORS.contains(&class.as_str()) {
            let why = format!(
                "{class} is a Java class, which cannot be run here; allowed: {}",
                VALIDATORS.join(", ")
            );
            return Err(refused(VALIDATOR, why));
        }
        let number = |key: &str| {
            let text = text_of(keys, key).unwrap_or_default();
            let parsed = text.trim().parse::<u64>();
            parsed.map_err(|_| refused(key, format!("{text} is no number that is not negative")))
        };
        let text = |key: &str| text_of(keys, key).map(|text| text.trim().to_owned());
        let claim = |key: &str| {
            let name = text(key).filter(|name| !name.is_empty());
            name.ok_or_else(|| refused(key, "it is empty".to_owned()))
        };
        let audience = text("sasl.oauthbearer.expected.audience").unwrap_or_default();
        let audience = audience.split(',').map(str::trim).filter(|text| !text.is_empty());
        Ok(SignedTokens {
            endpoint,
            trust: trust_of(entry).map_err(|why| refused("sasl.jaas.config", why))?,
            refresh_ms: number("sasl.oauthbearer.jwks.endpoint.refresh.ms")?,
            retry_backoff_ms: number("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms")?,
            retry_backoff_ms_max: number("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms")?,
            audience: audience.map(str::to_owned).collect(),
            issuer: text("sasl.oauthbearer.expected.issuer").filter(|issuer| !issuer.is_empty()),
            clock_skew_ms: number("sasl.oauthbearer.clock.skew.seconds")?.saturating_mul(1000),
            scope_claim: claim("sasl.oauthbearer.scope.claim.name")?,
            principal_claim: claim("sasl.oauthbearer.sub.claim.name")?,
        })
    }
}

impl BrokerSettings {
    /// The file with this node's own token for a listener of the others (Kafka's FileJwtRetriever).
    pub(crate) fn token_file(&self, keys: &ListenerKeys<'_>, listener: &str) -> Result<String, ConfigError> {
        let refused =
            |why: String| ConfigError::invalid_config(format!("{TOKEN_URL} {why}")).about(TOKEN_URL);
        let url = text_of(keys, TOKEN_URL).filter(|url| !url.is_empty()).ok_or_else(|| {
            refused(format!(
                "must be set: with the token that is there this node logs in at listener {listener} of the others; \
                 allowed: file:///PATH"
            ))
        })?;
        let path = match endpoint_of(&url) {
            Ok(KeysEndpoint::File(path)) => path,
            Ok(KeysEndpoint::Http { .. }) => {
                let why = "is refused: a node takes its token from a file, which somebody else renews; allowed: file:///PATH";
                return Err(refused(why.to_owned()));
            }
            Err(why) => return Err(refused(format!("is refused: {why}"))),
        };
        match self.is_listed(ALLOWED_URLS, &url) || self.is_listed(ALLOWED_FILES, &path) {
            true => Ok(path),
            false => Err(refused(format!(
                "is refused: {path} cannot be accessed due to restrictions; {ALLOWED_FILES} must list it, as a key or as \
                 a system property in KAFKA_OPTS"
            ))),
        }
    }

    /// Whether a key that lists what may be read lists this.
    fn is_listed(&self, key: &str, wanted: &str) -> bool {
        let list = self.given.get(key).map(|given| given.value.as_str()).unwrap_or_default();
        list.split(',').any(|allowed| allowed.trim() == wanted)
    }
}

fn text_of(keys: &ListenerKeys<'_>, key: &str) -> Option<String> {
    keys.text_of_mechanism(OAUTH, key).map(str::to_owned).or_else(|| keys.text(key))
}

/// The TLS options of a login module, as far as there are: an authority in PEM.
fn trust_of(entry: Option<&JaasEntry>) -> Result<Option<EndpointTrust>, String> {
    let Some(options) = entry.map(|entry| &entry.options) else { return Ok(None) };
    let option = |key: &str| options.get(key).filter(|text| !text.is_empty());
    if let Some(text) = option("ssl.truststore.certificates") {
        return Ok(Some(EndpointTrust::Inline(text.clone())));
    }
    match (option("ssl.truststore.location"), option("ssl.truststore.type").map(String::as_str)) {
        (None, _) => Ok(None),
        (Some(path), Some("PEM")) => Ok(Some(EndpointTrust::File(path.clone()))),
        (Some(_), _) => Err(
            "ssl.truststore.location of a token's endpoint is read with ssl.truststore.type=\"PEM\" alone"
                .to_owned(),
        ),
    }
}

fn endpoint_of(url: &str) -> Result<KeysEndpoint, String> {
    let Some((scheme, rest)) = url.split_once(':') else { return Err(format!("{url} is no URL")) };
    let has_tls = match scheme {
        "file" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            return match path.starts_with('/') {
                true => Ok(KeysEndpoint::File(path.to_owned())),
                false => Err(format!("{url} names no file by its whole path")),
            };
        }
        "http" => false,
        "https" => true,
        other => return Err(format!("{url} has the protocol {other}; allowed: http, https, file")),
    };
    let rest = rest.strip_prefix("//").ok_or_else(|| format!("{url} is no URL"))?;
    let (authority, path) = match rest.find('/') {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, "/"),
    };
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if authority.contains('@') || path.contains('#') || !is_word(authority) || !is_word(path) {
        return Err(format!("{url} has something that is none of a host, a port and a path"));
    }
    let default = if has_tls { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| format!("{url} has a port that is no number"))?)
        }
        _ => (authority, default),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match host.is_empty() {
        true => Err(format!("{url} names no host")),
        false => Ok(KeysEndpoint::Http { has_tls, host: host.to_owned(), port, path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::BrokerConfig;
    use crate::{SaslMechanism, TokenCheck};

    const SECURED: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
    const HANDLER: &str = "listener.name.sasl_plaintext.oauthbearer.sasl.server.callback.handler.class";
    const ADDRESS: &str = "https://issuer:8443/keys";

    fn load(more: &[(&str, &str)]) -> Result<BrokerConfig, String> {
        let fixed = [
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
            ("sasl.enabled.mechanisms", "OAUTHBEARER"),
            (URL, ADDRESS),
            (ALLOWED_URLS, "https://other, https://issuer:8443/keys"),
        ];
        let kept = fixed.iter().filter(|(key, _)| !more.iter().any(|(other, _)| other == key));
        let given = more.iter().filter(|(_, text)| *text != "unset");
        let pairs: Vec<(String, String)> =
            kept.chain(given).map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        crate::load(None, &[], &pairs).map(|(config, _)| config).map_err(|error| error.to_string())
    }

    fn tokens(config: &BrokerConfig) -> SignedTokens {
        let mechanisms: Vec<SaslMechanism> =
            config.sasl_of(&config.listeners[0]).expect("it is read").mechanisms;
        match mechanisms[0].tokens.clone() {
            Some(TokenCheck::Signed(signed)) => signed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_endpoint_makes_signatures_count() {
        for handler in [None, Some((HANDLER, SECURED))] {
            let more: Vec<(&str, &str)> = handler
                .into_iter()
                .chain([
                    ("sasl.oauthbearer.expected.issuer", "https://issuer"),
                    ("listener.name.sasl_plaintext.oauthbearer.sasl.oauthbearer.expected.audience", "a, b"),
                    ("listener.name.sasl_plaintext.sasl.oauthbearer.clock.skew.seconds", "5"),
                ])
                .collect();
            let signed = tokens(&load(&more).expect("it starts"));
            assert_eq!(signed.endpoint.to_string(), ADDRESS);
            assert_eq!(
                (signed.audience, signed.issuer),
                (vec!["a".to_owned(), "b".to_owned()], Some("https://issuer".to_owned()))
            );
            assert_eq!(
                (signed.clock_skew_ms, signed.refresh_ms, &*signed.principal_claim),
                (5_000, 3_600_000, "sub")
            );
        }
    }

    #[test]
    fn what_is_not_listed_is_not_read() {
        for (url, listed) in [
            (ADDRESS, "unset"),
            ("https://issuer:8443/keys/", "https://issuer:8443/keys"),
            ("file:///etc/passwd", "file:///etc/keys"),
        ] {
            let error = load(&[(URL, url), (ALLOWED_URLS, listed)]).expect_err(url);
            assert!(error.contains("due to restrictions") && error.contains(ALLOWED_URLS), "{error}");
        }
        let config =
            load(&[(URL, "file:///etc/keys"), (ALLOWED_URLS, "unset"), (ALLOWED_FILES, "/etc/keys")]);
        assert_eq!(tokens(&config.expect("it starts")).endpoint, KeysEndpoint::File("/etc/keys".to_owned()));
        let opts = [("KAFKA_OPTS".to_owned(), format!("-Xmx1g -D{ALLOWED_URLS}={ADDRESS}"))];
        let pairs = [
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
            ("sasl.enabled.mechanisms", "OAUTHBEARER"),
            (URL, ADDRESS),
        ];
        let pairs = pairs.map(|(key, text)| (key.to_owned(), text.to_owned()));
        assert!(crate::load(None, &opts, &pairs).is_ok());
    }

    #[test]
    fn what_cannot_be_meant_stops_the_start() {
        for (key, text, word) in [
            (URL, "ftp://issuer/keys", "allowed: http, https, file"),
            (URL, "https://user@issuer/keys", "none of a host"),
            (URL, "https:///keys", "names no host"),
            (URL, "https://issuer:x/keys", "no number"),
            (URL, "issuer", "no URL"),
            (URL, "file://keys", "whole path"),
            (VALIDATOR, "x.Y", "cannot be run here"),
            ("sasl.oauthbearer.sub.claim.name", " ", "empty"),
            ("sasl.oauthbearer.clock.skew.seconds", "-1", "no number"),
        ] {
            let more = if key == URL { vec![(key, text), (ALLOWED_URLS, text)] } else { vec![(key, text)] };
            let error = load(&more).expect_err(text);
            assert!(error.contains(word), "{key}={text}: {error}");
        }
        let error = load(&[(URL, "unset"), (HANDLER, SECURED)]).expect_err("no keys");
        assert!(error.contains(URL) && error.contains("must be set"), "{error}");
        let error = load(&[(URL, "unset")]).expect_err("nothing is said");
        assert!(error.contains("ottla.oauthbearer.unsecured"), "{error}");
    }
}
