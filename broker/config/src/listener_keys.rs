//! Values that a listener may have of its own: `listener.name.<listener>.<key>` wins over `<key>`.
//! Core. Kafka's rule is AbstractConfig.valuesWithPrefixOverride: the listener's own value wins even where the
//! common one was changed later, while the broker ran.

use crate::broker;
use crate::settings::{BrokerConfig, BrokerSettings, ConfigMap};
use crate::value::{self, ConfigValue};

/// The keys that rooms ask for with [`ListenerKeys`]: what is here has an effect (`effect.rs`).
pub(crate) const READ: &[&str] = &[
    "connections.max.reauth.ms",
    "sasl.enabled.mechanisms",
    "sasl.jaas.config",
    "sasl.mechanism.controller.protocol",
    "sasl.mechanism.inter.broker.protocol",
    "sasl.oauthbearer.clock.skew.seconds",
    "sasl.oauthbearer.expected.audience",
    "sasl.oauthbearer.expected.issuer",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
    "sasl.oauthbearer.jwks.endpoint.url",
    "sasl.oauthbearer.jwt.validator.class",
    "sasl.oauthbearer.scope.claim.name",
    "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.server.callback.handler.class",
    "sasl.server.max.receive.size",
    "max.connection.creation.rate",
    "security.providers",
    "ssl.allow.dn.changes",
    "ssl.allow.san.changes",
    "ssl.cipher.suites",
    "ssl.client.auth",
    "ssl.enabled.protocols",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.factory.class",
    "ssl.key.password",
    "ssl.keymanager.algorithm",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.principal.mapping.rules",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// The keys of the stores of a listener: they may change while it serves, with its prefix alone.
pub(crate) const OF_STORES: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// The keys that rooms ask of a listener. The tests of the house see to it that each is asked for.
pub fn keys_of_listeners() -> &'static [&'static str] {
    READ
}

/// The keys of one listener.
#[derive(Clone, Debug)]
pub struct ListenerKeys<'a> {
    settings: &'a BrokerSettings,
    /// `listener.name.<listener in lower case>.`
    prefix: String,
}

impl BrokerConfig {
    /// What the broker was started with (this), with the stores of listeners that were changed since: all that
    /// listeners which serve obey.
    pub fn with_stores_of(&self, current: &BrokerConfig) -> BrokerConfig {
        let of_store = |name: &str| broker::listener_suffix(name).is_some_and(|key| OF_STORES.contains(&key));
        let mut changed = current.dynamic_broker.clone();
        changed.retain(|name, _text| of_store(name));
        self.with_dynamic(&changed, &ConfigMap::new())
    }
}

impl BrokerSettings {
    /// The keys as one listener has them.
    pub fn of_listener(&self, listener: &str) -> ListenerKeys<'_> {
        ListenerKeys { settings: self, prefix: format!("listener.name.{}.", listener.to_lowercase()) }
    }

    /// The text in force of a key without a row of its own, as it was written: what was changed while the
    /// broker runs, and what it was started with.
    fn written(&self, name: &str) -> Option<&str> {
        let changed = self.dynamic_broker.get(name).or_else(|| self.dynamic_cluster_default.get(name));
        changed.or_else(|| self.given.get(name).map(|given| &given.value)).map(String::as_str)
    }
}

impl ListenerKeys<'_> {
    /// The value in force for this listener.
    pub fn value(&self, key: &str) -> ConfigValue {
        assert!(READ.contains(&key), "{key} is not in the list of keys that listeners read");
        self.look_up(key)
    }

    fn look_up(&self, key: &str) -> ConfigValue {
        let name = format!("{}{key}", self.prefix);
        let own = self.settings.written(&name).zip(broker::row(key));
        // What does not parse was refused when it was given.
        let own = own.and_then(|(text, row)| value::parse_named(row, &name, text).ok());
        own.unwrap_or_else(|| self.settings.value(key).clone())
    }

    /// The text in force; nothing when the key is not set and has no default.
    pub fn text(&self, key: &str) -> Option<String> {
        self.value(key).text()
    }

    /// The entries in force of a list.
    pub fn list(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            ConfigValue::List(entries) => entries,
            _ => Vec::new(),
        }
    }

    /// Whether the listener has a value of its own.
    pub fn is_own(&self, key: &str) -> bool {
        self.own_text(key).is_some()
    }

    pub(crate) fn own_text(&self, key: &str) -> Option<&str> {
        self.settings.written(&format!("{}{key}", self.prefix))
    }

    /// The name under which the value in force was given, for people.
    pub fn name_of(&self, key: &str) -> String {
        if self.is_own(key) { format!("{}{key}", self.prefix) } else { key.to_owned() }
    }

    /// The text of a key that counts for one SASL mechanism of this listener alone
    /// (`listener.name.<listener>.<mechanism>.<key>`); without both prefixes there is none.
    pub fn text_of_mechanism(&self, mechanism: &str, key: &str) -> Option<&str> {
        self.settings.written(&format!("{}{}.{key}", self.prefix, mechanism.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(pairs: &[(&str, &str)]) -> BrokerConfig {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        crate::load(None, &[], &pairs).expect("a configuration").0
    }

    #[test]
    fn a_listeners_own_value_wins_and_the_common_one_serves_the_others() {
        let config = started(&[
            ("ssl.client.auth", "requested"),
            ("listener.name.external.ssl.client.auth", "required"),
            ("listener.name.external.ssl.cipher.suites", "A, B"),
        ]);
        let (external, other) = (config.of_listener("EXTERNAL"), config.of_listener("OTHER"));
        assert_eq!(external.look_up("ssl.client.auth"), ConfigValue::String("required".to_owned()));
        assert_eq!(other.look_up("ssl.client.auth"), ConfigValue::String("requested".to_owned()));
        assert_eq!(
            external.look_up("ssl.cipher.suites"),
            ConfigValue::List(vec!["A".to_owned(), "B".to_owned()])
        );
        assert_eq!(other.look_up("ssl.cipher.suites"), ConfigValue::List(Vec::new()));
        assert!(external.is_own("ssl.client.auth") && !other.is_own("ssl.client.auth"));
        assert_eq!(external.name_of("ssl.client.auth"), "listener.name.external.ssl.client.auth");
        assert_eq!(other.name_of("ssl.client.auth"), "ssl.client.auth");
    }

    #[test]
    fn what_was_changed_while_the_broker_runs_wins_over_what_it_was_started_with() {
        let started = started(&[("listener.name.external.ssl.keystore.location", "/a")]);
        let change = |key: &str, text: &str| {
            started.with_dynamic(&ConfigMap::from([(key.to_owned(), text.to_owned())]), &ConfigMap::new())
        };
        let location =
            |config: &BrokerConfig| config.of_listener("EXTERNAL").look_up("ssl.keystore.location");
        let own = change("listener.name.external.ssl.keystore.location", "/b");
        assert_eq!(location(&own), ConfigValue::String("/b".to_owned()));
        // The listener's own stays in force over a common one that came later.
        let common = change("ssl.keystore.location", "/c");
        assert_eq!(location(&common), ConfigValue::String("/a".to_owned()));
        assert_eq!(
            common.of_listener("OTHER").look_up("ssl.keystore.location"),
            ConfigValue::String("/c".to_owned())
        );
    }

    #[test]
    fn a_listener_that_serves_obeys_changes_of_its_stores_alone() {
        let started = started(&[("ssl.client.auth", "required")]);
        let changes = [
            ("listener.name.a.ssl.keystore.location", "/new"),
            ("ssl.client.auth", "none"),
            ("max.connections", "7"),
        ];
        let changes: ConfigMap =
            changes.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let obeyed = started.with_stores_of(&started.with_dynamic(&changes, &ConfigMap::new()));
        let keys = obeyed.of_listener("A");
        assert_eq!(keys.text("ssl.keystore.location").as_deref(), Some("/new"));
        assert_eq!(keys.text("ssl.client.auth").as_deref(), Some("required"));
    }

    #[test]
    fn a_key_of_a_mechanism_counts_with_both_prefixes_alone() {
        let config = started(&[
            ("sasl.jaas.config", "common"),
            ("listener.name.external.sasl.jaas.config", "of the listener"),
            ("listener.name.external.scram-sha-256.sasl.jaas.config", "of both"),
        ]);
        let external = config.of_listener("EXTERNAL");
        assert_eq!(external.text_of_mechanism("SCRAM-SHA-256", "sasl.jaas.config"), Some("of both"));
        assert_eq!(external.text_of_mechanism("PLAIN", "sasl.jaas.config"), None);
    }

    #[test]
    #[should_panic(expected = "is not in the list of keys that listeners read")]
    fn a_key_that_is_not_said_to_be_read_cannot_be() {
        let _value = BrokerConfig::defaults().of_listener("A").value("node.id");
    }
}
