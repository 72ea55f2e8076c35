//! How clients log in on a SASL listener: mechanisms, their JAAS entries, and what a start refuses of them.
//! Core. Keys of a mechanism count with the listener's and the mechanism's prefix alone
//! (`listener.name.<listener>.<mechanism>.sasl.jaas.config`), as in Kafka.

use std::collections::BTreeMap;

use crate::error::{ConfigError, Warning};
use crate::jaas::{self, JaasEntry};
use crate::listeners::Listener;
use crate::settings::BrokerSettings;
use crate::signed_tokens::SignedTokens;

const ENABLED: &str = "sasl.enabled.mechanisms";
const JAAS: &str = "sasl.jaas.config";
const REAUTH: &str = "connections.max.reauth.ms";
const RECEIVE_SIZE: &str = "sasl.server.max.receive.size";
const HANDLER: &str = "sasl.server.callback.handler.class";
const INTER_BROKER: &str = "sasl.mechanism.inter.broker.protocol";

const PLAIN_MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM_MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

const PLAIN_HANDLER: &str = "org.apache.kafka.common.security.plain.internals.PlainServerCallbackHandler";
const OAUTH_MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
pub(crate) const OAUTH: &str = "OAUTHBEARER";
/// Checks no signature; Kafka's default where no class is named (CVE-2026-33557).
const UNSECURED_HANDLER: &str = "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler";
/// Checks signatures; by its name of today and that of before.
const SECURED_HANDLERS: [&str; 2] = [
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerValidatorCallbackHandler",
];
const UNSECURED: &str = "ottla.oauthbearer.unsecured";

const SCRAM_HANDLER: &str = "org.apache.kafka.common.security.scram.internals.ScramServerCallbackHandler";

/// Options of `PlainLoginModule` that are users: the rest of the name is the user's.
const USER_PREFIX: &str = "user_";

/// What this broker knows of a mechanism: its name, the one login module, the one server callback handler.
const MECHANISMS: &[(&str, &str, &str)] = &[
    ("PLAIN", PLAIN_MODULE, PLAIN_HANDLER),
    ("SCRAM-SHA-256", SCRAM_MODULE, SCRAM_HANDLER),
    ("SCRAM-SHA-512", SCRAM_MODULE, SCRAM_HANDLER),
    (OAUTH, OAUTH_MODULE, UNSECURED_HANDLER),
];

/// Logins on one listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaslListener {
    /// In the order given, which clients are told.
    pub mechanisms: Vec<SaslMechanism>,
    /// The largest frame before a client is known.
    pub receive_bytes_max: usize,
}

/// A mechanism that is switched on.
#[derive(Clone, PartialEq, Eq)]
pub struct SaslMechanism {
    pub name: &'static str,
    /// The longest life of a session; `None` sets no bound.
    pub session_max_ms: Option<u64>,
    /// Users and passwords of PLAIN.
    pub users: BTreeMap<String, String>,
    /// How OAUTHBEARER checks tokens.
    pub tokens: Option<TokenCheck>,
}

/// Which tokens are accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenCheck {
    /// Those that nobody signed, of anybody.
    Unsecured(UnsecuredTokens),
    Signed(SignedTokens),
}

/// The options of OAUTHBEARER where nobody checks a signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsecuredTokens {
    pub principal_claim: String,
    pub scope_claim: String,
    pub required_scope: Vec<String>,
    pub clock_skew_ms: u64,
}

impl std::fmt::Debug for SaslMechanism {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SaslMechanism({}, {} users)", self.name, self.users.len())
    }
}

impl BrokerSettings {
    /// How clients of a SASL listener log in. A start and a change have refused what is wrong with it.
    pub fn sasl_of(&self, listener: &Listener) -> Result<SaslListener, ConfigError> {
        assert!(listener.protocol.has_sasl(), "only a SASL listener has logins");
        let keys = self.of_listener(&listener.name);
        let name = keys.name_of(ENABLED);
        if !keys.is_own(ENABLED) && !self.is_set(ENABLED) {
            let message = format!(
                "{ENABLED} must be set for listener {}: Kafka's default is GSSAPI, which is not there yet; allowed: {}",
                listener.name,
                known_names()
            );
            return Err(ConfigError::invalid_config(message).about(ENABLED));
        }
        let mut mechanisms = Vec::new();
        for given in keys.list(ENABLED) {
            let Some((mechanism, module, handler)) = MECHANISMS.iter().find(|(known, ..)| *known == given)
            else {
                let message = format!(
                    "{name} is refused: there is no mechanism {given} here; allowed: {}",
                    known_names()
                );
                return Err(ConfigError::invalid_config(message).about(&name));
            };
            let of_mechanism = |key: &str| {
                let full = format!(
                    "listener.name.{}.{}.{key}",
                    listener.name.to_lowercase(),
                    mechanism.to_lowercase()
                );
                (keys.text_of_mechanism(mechanism, key).map(str::to_owned), full)
            };
            let (class, class_name) = of_mechanism(HANDLER);
            let is_secured_handler = class.as_deref().is_some_and(|class| SECURED_HANDLERS.contains(&class));
            let is_signed = *mechanism == OAUTH
                && (is_secured_handler || (class.is_none() && self.has_keys_endpoint(&keys)));
            let is_unsecured = class.as_deref() == Some(UNSECURED_HANDLER) || self.oauthbearer_unsecured;
            if *mechanism == OAUTH && !is_signed && !is_unsecured {
                let message = format!(
                    "{name} is refused: OAUTHBEARER needs sasl.oauthbearer.jwks.endpoint.url to check signatures, and \
                     accepts tokens of anybody only where {UNSECURED}=true or {class_name}={UNSECURED_HANDLER} says so"
                );
                return Err(ConfigError::invalid_config(message).about(&name));
            }
            if let Some(class) = class.filter(|class| class != handler && !(is_signed && is_secured_handler))
            {
                let message = format!(
                    "{class_name}={class} is refused: a Java class cannot be run here; allowed: {handler}, or nothing"
                );
                return Err(ConfigError::invalid_config(message).about(&class_name));
            }
            let (text, jaas_name) = of_mechanism(JAAS);
            let entry = text.map(|text| one_entry(&text, &jaas_name, module)).transpose()?;
            let mut users = BTreeMap::new();
            let mut tokens = None;
            match *mechanism {
                "PLAIN" => users = users_of(entry, &jaas_name)?,
                OAUTH if is_signed => {
                    tokens = Some(TokenCheck::Signed(self.signed_tokens(&keys, entry.as_ref())?));
                }
                OAUTH => tokens = Some(TokenCheck::Unsecured(tokens_of(entry, &jaas_name)?)),
                _ => {}
            }
            let (reauth, reauth_name) = of_mechanism(REAUTH);
            let session_max_ms = match reauth {
                Some(text) => text
                    .trim()
                    .parse::<i64>()
                    .map_err(|_| ConfigError::value(&reauth_name, &text, "Not a number of type LONG"))?,
                None => keys.value(REAUTH).as_i64().unwrap_or(0),
            };
            mechanisms.push(SaslMechanism {
                name: mechanism,
                session_max_ms: u64::try_from(session_max_ms).ok().filter(|ms| *ms > 0),
                users,
                tokens,
            });
        }
        if mechanisms.is_empty() {
            let message = format!("{name} is empty: nobody could log in; allowed: {}", known_names());
            return Err(ConfigError::invalid_config(message).about(&name));
        }
        let receive_bytes_max = keys.value(RECEIVE_SIZE).as_i64().unwrap_or(0);
        Ok(SaslListener { mechanisms, receive_bytes_max: usize::try_from(receive_bytes_max).unwrap_or(0) })
    }

    /// All listeners with logins, the controllers' too.
    pub fn sasl_listeners(&self) -> impl Iterator<Item = &Listener> {
        let all = self.listeners.iter().chain(&self.controller_listeners);
        all.filter(|listener| listener.protocol.has_sasl())
    }

    /// What is allowed and yet worth a word.
    pub(crate) fn sasl_warnings(&self) -> Vec<Warning> {
        let warning = |key: &str, message: String| Warning { key: key.to_owned(), message };
        let mut warnings = Vec::new();
        let listeners: Vec<&Listener> = self.sasl_listeners().collect();
        if !listeners.is_empty() && self.is_set(JAAS) {
            let message = format!(
                "{JAAS} counts for no listener without the prefix listener.name.<listener>.<mechanism>."
            );
            warnings.push(warning(JAAS, message));
        }
        for listener in listeners {
            let sasl = self.sasl_of(listener).ok();
            let enabled =
                |name: &str| sasl.iter().flat_map(|sasl| &sasl.mechanisms).any(|known| known.name == name);
            if enabled("PLAIN") && !listener.protocol.has_tls() {
                let message = format!(
                    "listener {} takes PLAIN without TLS: passwords cross the network as they are",
                    listener.name
                );
                warnings.push(warning(ENABLED, message));
            }
            let is_open =
                |mechanism: &SaslMechanism| matches!(mechanism.tokens, Some(TokenCheck::Unsecured(_)));
            let signed =
                sasl.iter().flat_map(|sasl| &sasl.mechanisms).find_map(|mechanism| match &mechanism.tokens {
                    Some(TokenCheck::Signed(signed)) => Some(signed),
                    _ => None,
                });
            if let Some(signed) = signed {
                let expected = [
                    ("sasl.oauthbearer.expected.audience", signed.audience.is_empty()),
                    ("sasl.oauthbearer.expected.issuer", signed.issuer.is_none()),
                ];
                for (key, _) in expected.iter().filter(|(_, is_missing)| *is_missing) {
                    let message = format!(
                        "listener {} accepts OAUTHBEARER tokens whatever they say of {key}, which is not set",
                        listener.name
                    );
                    warnings.push(warning(key, message));
                }
            }
            if sasl.iter().flat_map(|sasl| &sasl.mechanisms).any(is_open) {
                let message = format!(
                    "listener {} accepts OAUTHBEARER tokens that nobody signed: anybody is let in",
                    listener.name
                );
                warnings.push(warning(ENABLED, message));
            }
        }
        warnings
    }

    /// Whether the mechanism among brokers is one of the listener that brokers use.
    pub(crate) fn check_inter_broker_mechanism(&self, listener: &Listener) -> Result<(), ConfigError> {
        self.check_mechanism_of_nodes(listener, INTER_BROKER)
    }

    /// Whether the mechanism that `key` names is one of the listener that nodes use.
    pub(crate) fn check_mechanism_of_nodes(&self, listener: &Listener, key: &str) -> Result<(), ConfigError> {
        let mechanism = self.of_listener(&listener.name).text(key).unwrap_or_default();
        let sasl = self.sasl_of(listener)?;
        if sasl.mechanisms.iter().any(|enabled| enabled.name == mechanism) {
            return Ok(());
        }
        let among = if key == INTER_BROKER { "inter-broker" } else { "controller" };
        let message = format!(
            "{key} must be included in {ENABLED} when SASL is used for {among} communication; it is {mechanism}"
        );
        Err(ConfigError::invalid_config(message).about(key))
    }
}

/// A mechanism with a name and a password, and its login module.
pub(crate) fn mechanism_with_password(given: &str) -> Option<(&'static str, &'static str)> {
    let with_password = MECHANISMS.iter().filter(|(name, ..)| *name != OAUTH);
    with_password.map(|(name, module, _)| (*name, *module)).find(|(name, _)| *name == given)
}

/// The mechanisms whose login module this is.
pub(crate) fn mechanisms_of(module: &str) -> impl Iterator<Item = &'static str> {
    MECHANISMS.iter().filter(move |(_, known, _)| *known == module).map(|(name, ..)| *name)
}

fn known_names() -> String {
    MECHANISMS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

/// The one entry of a value, if its module is the one that is known. No value of an option is in an error.
pub(crate) fn one_entry(text: &str, name: &str, module: &str) -> Result<JaasEntry, ConfigError> {
    let refused = |why: &str| ConfigError::invalid_config(format!("{name} is refused: {why}")).about(name);
    let mut entries = jaas::parse(text).map_err(|why| refused(&why))?;
    if entries.len() != 1 {
        let count = entries.len();
        return Err(refused(&format!(
            "JAAS config property contains {count} login modules, should be 1 module"
        )));
    }
    let entry = entries.remove(0);
    // Java loads whatever class is named here (CVE-2023-25194, CVE-2025-27818): there is one that is known.
    if entry.module != module {
        return Err(refused(&format!("a Java class cannot be run here; allowed: {module}")));
    }
    Ok(entry)
}

fn users_of(entry: Option<JaasEntry>, name: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let Some(entry) = entry else {
        let message = format!(
            "{name} must be set: PLAIN has its users there, as {PLAIN_MODULE} required user_NAME=\"PASSWORD\";"
        );
        return Err(ConfigError::invalid_config(message).about(name));
    };
    let user =
        |(key, password): (String, String)| Some((key.strip_prefix(USER_PREFIX)?.to_owned(), password));
    Ok(entry.options.into_iter().filter_map(user).collect())
}

/// The options of Kafka's OAuthBearerUnsecuredValidatorCallbackHandler.
fn tokens_of(entry: Option<JaasEntry>, name: &str) -> Result<UnsecuredTokens, ConfigError> {
    let options = entry.map(|entry| entry.options).unwrap_or_default();
    let option = |key: &str| options.get(&format!("unsecuredValidator{key}")).map(|text| text.trim());
    let clock_skew_ms = option("AllowableClockSkewMs").unwrap_or("0").parse().map_err(|_| {
        let message = format!("{name} is refused: unsecuredValidatorAllowableClockSkewMs is no number");
        ConfigError::invalid_config(message).about(name)
    })?;
    let text =
        |key: &str, default: &str| option(key).filter(|text| !text.is_empty()).unwrap_or(default).to_owned();
    Ok(UnsecuredTokens {
        principal_claim: text("PrincipalClaimName", "sub"),
        scope_claim: text("ScopeClaimName", "scope"),
        required_scope: option("RequiredScope").unwrap_or("").split_whitespace().map(str::to_owned).collect(),
        clock_skew_ms,
    })
}

#[cfg(test)]
mod tests {
    use crate::settings::BrokerConfig;

    fn load(more: &[(&str, &str)]) -> Result<BrokerConfig, String> {
        let fixed = [("listeners", "SASL_PLAINTEXT://127.0.0.1:9092")];
        let pairs: Vec<(String, String)> =
            fixed.iter().chain(more).map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        crate::load(None, &[], &pairs).map(|(config, _)| config).map_err(|error| error.to_string())
    }

    const PLAIN: (&str, &str) = (
        "listener.name.sasl_plaintext.plain.sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"b\" password=\"hush\" \
         user_b=\"hush\" user_alice=\"x\";",
    );

    #[test]
    fn a_listener_has_its_mechanisms_in_order_with_users_and_lives() {
        let config = load(&[
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512,PLAIN"),
            PLAIN,
            ("connections.max.reauth.ms", "5000"),
            ("listener.name.sasl_plaintext.plain.connections.max.reauth.ms", "0"),
            ("listener.name.sasl_plaintext.sasl.server.max.receive.size", "1000"),
        ])
        .unwrap();
        let sasl = config.sasl_of(&config.listeners[0]).unwrap();
        let names: Vec<_> = sasl.mechanisms.iter().map(|m| (m.name, m.session_max_ms)).collect();
        assert_eq!(names, [("SCRAM-SHA-512", Some(5000)), ("PLAIN", None)]);
        assert_eq!(sasl.receive_bytes_max, 1000);
        assert_eq!(sasl.mechanisms[1].users.keys().collect::<Vec<_>>(), ["alice", "b"]);
        assert!(!format!("{sasl:?}").contains("hush"));
    }

    #[test]
    fn tokens_without_a_signature_are_accepted_by_the_options_of_kafka() {
        let prefix = "listener.name.sasl_plaintext.oauthbearer.sasl.";
        let handler = format!("{prefix}server.callback.handler.class");
        let jaas = format!("{prefix}jaas.config");
        let config = load(&[
            ("sasl.enabled.mechanisms", "OAUTHBEARER"),
            (&handler, super::UNSECURED_HANDLER),
            (
                &jaas,
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                 unsecuredValidatorPrincipalClaimName=\"name\" unsecuredValidatorRequiredScope=\"a  b\" \
                 unsecuredValidatorAllowableClockSkewMs=\"3000\" unsecuredLoginStringClaim_sub=\"admin\";",
            ),
        ])
        .unwrap();
        let sasl = config.sasl_of(&config.listeners[0]).unwrap();
        let Some(super::TokenCheck::Unsecured(tokens)) = sasl.mechanisms[0].tokens.clone() else { panic!() };
        assert_eq!((&*tokens.principal_claim, &*tokens.scope_claim), ("name", "scope"));
        assert_eq!(
            (tokens.required_scope, tokens.clock_skew_ms),
            (vec!["a".to_owned(), "b".to_owned()], 3000)
        );
    }

    #[test]
    fn what_is_weak_is_said() {
        let given = [
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
            ("sasl.enabled.mechanisms", "PLAIN,OAUTHBEARER"),
            PLAIN,
            ("sasl.jaas.config", PLAIN.1),
            ("ottla.oauthbearer.unsecured", "true"),
        ];
        let pairs: Vec<(String, String)> = given.map(|(key, text)| (key.to_owned(), text.to_owned())).into();
        let (_, warnings) = crate::load(None, &[], &pairs).unwrap();
        let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        for (text, words) in
            texts.iter().zip(["counts for no listener", "takes PLAIN without TLS", "that nobody signed"])
        {
            assert!(text.contains(words) && !text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_stops_the_start_with_its_key_and_without_a_secret() {
        let enabled = |names| ("sasl.enabled.mechanisms", names);
        let jaas = |text| ("listener.name.sasl_plaintext.plain.sasl.jaas.config", text);
        for (given, expected) in [
            (vec![], "sasl.enabled.mechanisms must be set for listener SASL_PLAINTEXT"),
            (vec![enabled("GSSAPI")], "there is no mechanism GSSAPI here"),
            (vec![enabled("plain"), PLAIN], "there is no mechanism plain here"),
            (vec![enabled("")], "sasl.enabled.mechanisms is empty"),
            (vec![enabled("PLAIN")], "plain.sasl.jaas.config must be set"),
            // As in Kafka, these two count for no listener.
            (vec![enabled("PLAIN"), ("sasl.jaas.config", PLAIN.1)], "plain.sasl.jaas.config must be set"),
            (
                vec![enabled("PLAIN"), ("listener.name.sasl_plaintext.sasl.jaas.config", PLAIN.1)],
                "must be set",
            ),
            (
                vec![
                    enabled("PLAIN"),
                    jaas("com.sun.security.auth.module.JndiLoginModule required user_a=\"hush\";"),
                ],
                "a Java class cannot be run here",
            ),
            (vec![enabled("PLAIN"), jaas("x required user_a=\"hush\"")], "not terminated by semi-colon"),
            (
                vec![enabled("PLAIN"), jaas("x required; x required user_a=\"hush\";")],
                "contains 2 login modules",
            ),
            (vec![enabled("OAUTHBEARER")], "only where ottla.oauthbearer.unsecured=true"),
            (
                vec![
                    enabled("PLAIN"),
                    PLAIN,
                    ("listener.name.sasl_plaintext.plain.sasl.server.callback.handler.class", "my.Own"),
                ],
                "my.Own is refused",
            ),
        ] {
            let error = load(&given).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
        assert!(load(&[enabled("PLAIN"), PLAIN]).is_ok());
        assert!(load(&[enabled("OAUTHBEARER"), ("ottla.oauthbearer.unsecured", "true")]).is_ok());
        assert!(load(&[enabled("SCRAM-SHA-256")]).is_ok());
    }

    /// CVE-2023-25194, CVE-2025-27818, CVE-2025-27819: a request that may change configs runs no class by it.
    #[test]
    fn no_request_names_another_login_module() {
        let config = load(&[("sasl.enabled.mechanisms", "PLAIN"), PLAIN]).unwrap();
        let change = |key: &str, text: &str| {
            let values = crate::ConfigMap::from([(key.to_owned(), text.to_owned())]);
            crate::validate_broker_change(&config, true, &values)
        };
        assert!(change(PLAIN.0, PLAIN.1).is_ok());
        let modules = [
            "com.sun.security.auth.module.JndiLoginModule",
            "com.sun.security.auth.module.LdapLoginModule",
            "com.sun.security.auth.module.Krb5LoginModule",
            "org.apache.kafka.common.security.scram.ScramLoginModule",
            "x",
        ];
        for module in modules {
            let line = format!("{module} required user.provider.url=\"ldap://elsewhere\" user_a=\"hush\";");
            let told = format!("{:?}", change(PLAIN.0, &line).unwrap_err());
            assert!(told.contains("a Java class cannot be run here") && !told.contains("hush"), "{told}");
        }
        let handler = "listener.name.sasl_plaintext.plain.sasl.server.callback.handler.class";
        assert!(change(handler, "my.Own").is_err() && change("sasl.login.class", "my.Own").is_err());
    }
}
