//! How this node logs in at the others of its cluster: at brokers, and at controllers.
//! Core. The entry is the one with which the same listener takes logins here (Kafka's JaasContext.loadServerContext):
//! its `username` and `password` are this node's own.

use crate::error::ConfigError;
use crate::listeners::Listener;
use crate::sasl;
use crate::settings::BrokerSettings;

const AMONG_BROKERS: &str = "sasl.mechanism.inter.broker.protocol";
const AMONG_CONTROLLERS: &str = "sasl.mechanism.controller.protocol";
const JAAS: &str = "sasl.jaas.config";

/// Who this node is at another one.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeLogin {
    /// The mechanism's name.
    pub mechanism: &'static str,
    /// Nothing with a token, which says it.
    pub name: String,
    pub secret: NodeSecret,
}

/// With what this node proves who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum NodeSecret {
    Password(String),
    /// A file with a token, read anew for each login: whoever renews it in time needs no restart.
    TokenFile(String),
}

impl std::fmt::Debug for NodeLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeLogin({}, {:?})", self.mechanism, self.name)
    }
}

impl BrokerSettings {
    /// At the inter-broker listeners of other nodes; nothing where they have no logins.
    pub fn login_at_brokers(&self) -> Result<Option<NodeLogin>, ConfigError> {
        self.login(self.dialled_broker_listener(), AMONG_BROKERS)
    }

    /// At the controllers' listeners of other nodes; nothing where they have no logins.
    pub fn login_at_controllers(&self) -> Result<Option<NodeLogin>, ConfigError> {
        let login = self.login(self.dialled_controller_listener(), AMONG_CONTROLLERS)?;
        let Some(scram) = login.as_ref().filter(|login| login.mechanism.starts_with("SCRAM")) else {
            return Ok(login);
        };
        let message = format!(
            "{AMONG_CONTROLLERS}={} is refused: the users of SCRAM are in the log that controllers have to agree on \
             first; allowed: PLAIN, OAUTHBEARER",
            scram.mechanism
        );
        Err(ConfigError::invalid_config(message).about(AMONG_CONTROLLERS))
    }

    fn login(&self, listener: Option<Listener>, key: &str) -> Result<Option<NodeLogin>, ConfigError> {
        let Some(listener) = listener.filter(|listener| listener.protocol.has_sasl()) else {
            return Ok(None);
        };
        // What a listener takes is its own node's to say.
        let is_opened = |one: &Listener| one.name == listener.name;
        if self.listeners.iter().chain(&self.controller_listeners).any(is_opened) {
            self.check_mechanism_of_nodes(&listener, key)?;
        }
        let keys = self.of_listener(&listener.name);
        let given = keys.text(key).unwrap_or_default();
        if given == sasl::OAUTH {
            let secret = NodeSecret::TokenFile(self.token_file(&keys, &listener.name)?);
            return Ok(Some(NodeLogin { mechanism: sasl::OAUTH, name: String::new(), secret }));
        }
        let lower = (listener.name.to_lowercase(), given.to_lowercase());
        let name = format!("listener.name.{}.{}.{JAAS}", lower.0, lower.1);
        let missing = |what: &str| {
            let message = format!(
                "{name} must have {what}: with it this node logs in at listener {} of the others",
                listener.name
            );
            ConfigError::invalid_config(message).about(&name)
        };
        let Some((mechanism, module)) = sasl::mechanism_with_password(&given) else {
            let message = format!(
                "{key}={given} is refused: there is no such mechanism; allowed: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"
            );
            return Err(ConfigError::invalid_config(message).about(key));
        };
        let text = keys.text_of_mechanism(mechanism, JAAS).ok_or_else(|| missing("an entry"))?;
        let options = sasl::one_entry(text, &name, module)?.options;
        let option = |key: &str| options.get(key).filter(|text| !text.is_empty()).cloned();
        Ok(Some(NodeLogin {
            mechanism,
            name: option("username").ok_or_else(|| missing("a username"))?,
            secret: NodeSecret::Password(option("password").ok_or_else(|| missing("a password"))?),
        }))
    }
}

#[cfg(test)]
mod tests {
    use ottla_model::SecurityProtocol;

    use super::NodeSecret;
    use crate::settings::BrokerConfig;

    const BROKERS: &str = "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config";
    const CONTROLLERS: &str = "listener.name.controller.plain.sasl.jaas.config";

    fn load(more: &[(&str, &str)]) -> Result<BrokerConfig, String> {
        let fixed = [
            ("node.id", "1"),
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("listener.security.protocol.map", "SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"),
            ("controller.quorum.voters", "1@127.0.0.1:9093,2@127.0.0.1:9095"),
            ("security.inter.broker.protocol", "SASL_PLAINTEXT"),
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            ("listener.name.controller.sasl.enabled.mechanisms", "PLAIN"),
            ("sasl.mechanism.inter.broker.protocol", "SCRAM-SHA-512"),
            ("sasl.mechanism.controller.protocol", "PLAIN"),
            (
                BROKERS,
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"node\" password=\"hush\";",
            ),
            (
                CONTROLLERS,
                "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"n\" password=\"p\" \
                 user_n=\"p\";",
            ),
        ];
        let kept = fixed.iter().filter(|(key, _)| !more.iter().any(|(other, _)| other == key));
        let pairs: Vec<(String, String)> = kept
            .chain(more.iter().filter(|(_, text)| *text != "unset"))
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect();
        crate::load(None, &[], &pairs).map(|(config, _)| config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_node_logs_in_with_the_entry_of_the_listener_and_the_mechanism() {
        let config = load(&[]).expect("it starts");
        let login = config.login_at_brokers().expect("it is read").expect("there is one");
        assert_eq!((login.mechanism, &*login.name), ("SCRAM-SHA-512", "node"));
        assert!(login.secret == NodeSecret::Password("hush".to_owned()));
        assert_eq!(format!("{login:?}"), "NodeLogin(SCRAM-SHA-512, \"node\")");
        let login = config.login_at_controllers().expect("it is read").expect("there is one");
        assert_eq!((login.mechanism, &*login.name), ("PLAIN", "n"));
        assert!(login.secret == NodeSecret::Password("p".to_owned()));
    }

    #[test]
    fn a_broker_without_a_vote_logs_in_at_controllers_though_it_opens_no_listener_for_them() {
        let config = load(&[
            ("process.roles", "broker"),
            ("node.id", "3"),
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
            // Names of listeners are in upper case, however they are written.
            ("controller.listener.names", "controller"),
            ("listener.name.controller.sasl.enabled.mechanisms", "unset"),
        ])
        .expect("it starts");
        let dialled = config.dialled_controller_listener().expect("controllers are dialled");
        assert_eq!(
            (dialled.name.as_str(), dialled.protocol),
            ("CONTROLLER", SecurityProtocol::SaslPlaintext)
        );
        let login = config.login_at_controllers().expect("it is read").expect("there is one");
        assert_eq!((login.mechanism, &*login.name), ("PLAIN", "n"));
        assert!(login.secret == NodeSecret::Password("p".to_owned()));
    }

    #[test]
    fn listeners_without_logins_need_none() {
        let map = "SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT";
        let config = load(&[
            ("listener.security.protocol.map", map),
            (
                "listeners",
                "SASL_PLAINTEXT://127.0.0.1:9092,INSIDE://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093",
            ),
            ("security.inter.broker.protocol", "unset"),
            ("inter.broker.listener.name", "INSIDE"),
        ])
        .expect("it starts");
        assert_eq!((config.login_at_brokers(), config.login_at_controllers()), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_node_that_could_not_log_in_does_not_start() {
        const MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required";
        let unnamed = format!("{MODULE} password=\"hush\";");
        let silent = format!("{MODULE} username=\"node\";");
        for (key, text, words) in [
            (BROKERS, "unset", "must have an entry"),
            (BROKERS, unnamed.as_str(), "must have a username"),
            (BROKERS, silent.as_str(), "must have a password"),
            ("sasl.mechanism.inter.broker.protocol", "unset", "must be included"),
            ("sasl.mechanism.inter.broker.protocol", "PLAIN", "must be included"),
            ("sasl.mechanism.controller.protocol", "unset", "must be included"),
        ] {
            let error = load(&[(key, text)]).expect_err(words);
            assert!(error.contains(words) && !error.contains("hush"), "{key}={text}: {error}");
        }
        let scram = [
            ("listener.name.controller.sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            ("sasl.mechanism.controller.protocol", "SCRAM-SHA-512"),
            (
                "listener.name.controller.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"a\" password=\"b\";",
            ),
        ];
        let error = load(&scram).expect_err("users are not known yet");
        assert!(error.contains("the log that controllers have to agree on first"), "{error}");
    }

    #[test]
    fn a_node_with_a_token_takes_it_from_a_file_that_is_listed() {
        let url = ("sasl.oauthbearer.token.endpoint.url", "file:///run/token");
        let listed = ("org.apache.kafka.sasl.oauthbearer.allowed.files", "/x,/run/token");
        let by_token = |more: &[(&str, &str)]| {
            let fixed = [
                ("sasl.enabled.mechanisms", "OAUTHBEARER"),
                ("listener.name.controller.sasl.enabled.mechanisms", "OAUTHBEARER"),
                ("ottla.oauthbearer.unsecured", "true"),
                ("sasl.mechanism.inter.broker.protocol", "OAUTHBEARER"),
                ("sasl.mechanism.controller.protocol", "OAUTHBEARER"),
            ];
            load(&[&fixed[..], more].concat())
        };
        let config = by_token(&[url, listed]).expect("it starts");
        for login in [config.login_at_brokers(), config.login_at_controllers()] {
            let login = login.expect("it is read").expect("there is one");
            assert_eq!((login.mechanism, &*login.name), ("OAUTHBEARER", ""));
            assert!(login.secret == NodeSecret::TokenFile("/run/token".to_owned()));
        }
        for (given, words) in [
            (vec![], "sasl.oauthbearer.token.endpoint.url must be set"),
            (vec![url], "org.apache.kafka.sasl.oauthbearer.allowed.files must list it"),
            (vec![(url.0, "https://issuer/token"), listed], "a node takes its token from a file"),
            (vec![(url.0, "file:token"), listed], "names no file by its whole path"),
        ] {
            let error = by_token(&given).expect_err("refused");
            assert!(error.contains(words), "{error}");
        }
    }
}
