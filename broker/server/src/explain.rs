//! What a person is told of a listener beyond its address: what is weak about it, and lines for clients to paste.
//! Core.

use ottla_config::{BrokerConfig, Listener, TokenCheck};

/// What is weak about a listener, a sentence each.
pub fn weaknesses(config: &BrokerConfig, listener: &Listener) -> Vec<String> {
    let mut found = Vec::new();
    let protocol = listener.protocol;
    let has_authorizer = config.authorizer().is_some();
    let asks_for_certificates =
        config.of_listener(&listener.name).text("ssl.client.auth").as_deref() == Some("required");
    let knows_names = protocol.has_sasl() || (protocol.has_tls() && asks_for_certificates);
    if !has_authorizer {
        found.push("there is no authorizer: whoever gets in may do everything".to_owned());
    }
    if !knows_names {
        found.push(match has_authorizer {
            true => "it asks nobody who they are: ACLs see User:ANONYMOUS".to_owned(),
            false => "it asks nobody who they are: whoever reaches it gets in".to_owned(),
        });
    }
    if !protocol.has_tls() {
        found.push("what is sent over it can be read and changed on the way".to_owned());
    }
    // What cannot be read has stopped the start.
    let sasl = protocol.has_sasl().then(|| config.sasl_of(listener).ok()).flatten();
    for mechanism in sasl.into_iter().flat_map(|sasl| sasl.mechanisms) {
        if mechanism.name == "PLAIN" && !protocol.has_tls() {
            found.push("PLAIN sends passwords as they are".to_owned());
        }
        match mechanism.tokens {
            Some(TokenCheck::Unsecured(_)) => {
                found.push(
                    "OAUTHBEARER takes tokens that nobody signed: whoever reaches it gets in".to_owned(),
                );
            }
            Some(TokenCheck::Signed(tokens)) if tokens.audience.is_empty() || tokens.issuer.is_none() => {
                found.push(
                    "OAUTHBEARER takes tokens for any audience or of any issuer that these keys have signed"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    found
}

/// Lines of configuration for clients; `address` is what they are told, or can dial.
pub fn client_lines(config: &BrokerConfig, listener: &Listener, address: &str) -> String {
    let protocol = listener.protocol;
    let sasl = protocol.has_sasl().then(|| config.sasl_of(listener).ok()).flatten();
    // The one that shows the least to somebody who listens.
    let order = ["SCRAM-SHA-512", "SCRAM-SHA-256", "OAUTHBEARER", "PLAIN"];
    let mechanism = sasl.and_then(|sasl| {
        order.into_iter().find(|wanted| sasl.mechanisms.iter().any(|known| known.name == *wanted))
    });
    let mut common =
        vec![("bootstrap.servers", address.to_owned()), ("security.protocol", protocol.name().to_owned())];
    if let Some(mechanism) = mechanism {
        common.push(("sasl.mechanism", mechanism.to_owned()));
    }
    let (mut java, mut rdkafka) = (common.clone(), common);
    let module =
        |name: &str, options: &str| format!("org.apache.kafka.common.security.{name} required{options};");
    let credentials = " username=\"NAME\" password=\"PASSWORD\"";
    match mechanism {
        Some("OAUTHBEARER") => {
            java.push(("sasl.jaas.config", module("oauthbearer.OAuthBearerLoginModule", "")));
            java.push(("sasl.oauthbearer.token.endpoint.url", "https://ISSUER/token".to_owned()));
            rdkafka.push(("sasl.oauthbearer.method", "oidc".to_owned()));
            rdkafka.push(("sasl.oauthbearer.token.endpoint.url", "https://ISSUER/token".to_owned()));
        }
        Some(mechanism) => {
            let name = if mechanism == "PLAIN" { "plain.PlainLoginModule" } else { "scram.ScramLoginModule" };
            java.push(("sasl.jaas.config", module(name, credentials)));
            rdkafka.push(("sasl.username", "NAME".to_owned()));
            rdkafka.push(("sasl.password", "PASSWORD".to_owned()));
        }
        None => {}
    }
    if protocol.has_tls() {
        java.push(("ssl.truststore.type", "PEM".to_owned()));
        java.push(("ssl.truststore.location", "/path/to/ca.pem".to_owned()));
        rdkafka.push(("ssl.ca.location", "/path/to/ca.pem".to_owned()));
        let auth = config.of_listener(&listener.name).text("ssl.client.auth").unwrap_or_default();
        if auth != "none" && !protocol.has_sasl() {
            java.push(("ssl.keystore.type", "PEM".to_owned()));
            java.push(("ssl.keystore.location", "/path/to/client-key-and-chain.pem".to_owned()));
            rdkafka.push(("ssl.key.location", "/path/to/client.key".to_owned()));
            rdkafka.push(("ssl.certificate.location", "/path/to/client-chain.pem".to_owned()));
        }
    }
    let lines = |pairs: &[(&str, String)]| -> String {
        pairs.iter().map(|(key, value)| format!("    {key}={value}\n")).collect()
    };
    let pairs: Vec<String> = rdkafka.iter().map(|(key, value)| format!("\"{key}\": \"{value}\"")).collect();
    format!(
        "  Java, Kafka's tools (--command-config):\n{}  librdkafka, kcat (-F):\n{}  Python (confluent-kafka):\n    \
         Producer({{{}}})\n",
        lines(&java),
        lines(&rdkafka),
        pairs.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> BrokerConfig {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        ottla_config::load(None, &[], &pairs).expect("a config").0
    }

    const PLAIN: (&str, &str) = (
        "listener.name.sasl_plaintext.plain.sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"hush\";",
    );

    #[test]
    fn what_is_weak_is_said() {
        let open = BrokerConfig::defaults();
        let found = weaknesses(&open, &open.listeners[0]).join("; ");
        for words in ["no authorizer", "whoever reaches it gets in", "can be read and changed"] {
            assert!(found.contains(words), "{found}");
        }
        let half = config(&[
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
            ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-512"),
            PLAIN,
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ]);
        let found = weaknesses(&half, &half.listeners[0]);
        let expected =
            ["what is sent over it can be read and changed on the way", "PLAIN sends passwords as they are"];
        assert_eq!(found, expected);
        let sound = config(&[
            ("listeners", "SASL_SSL://127.0.0.1:9092"),
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ]);
        assert_eq!(weaknesses(&sound, &sound.listeners[0]), Vec::<String>::new());
    }

    #[test]
    fn lines_for_clients_name_the_strongest_mechanism_and_no_secret() {
        let config = config(&[
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092"),
            ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-512"),
            PLAIN,
        ]);
        let text = client_lines(&config, &config.listeners[0], "broker:9092");
        for line in [
            "    bootstrap.servers=broker:9092\n    security.protocol=SASL_PLAINTEXT\n    sasl.mechanism=SCRAM-SHA-512\n",
            "scram.ScramLoginModule required username=\"NAME\" password=\"PASSWORD\";\n",
            "    sasl.username=NAME\n",
            "Producer({\"bootstrap.servers\": \"broker:9092\", \"security.protocol\": \"SASL_PLAINTEXT\"",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("hush") && !text.contains("ssl."), "{text}");
    }
}
