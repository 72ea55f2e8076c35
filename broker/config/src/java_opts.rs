//! The JAAS file that `KAFKA_OPTS` names (`-Djava.security.auth.login.config=...`), as images set it.
//! Core: the file is read through `Machine`. Its entries become the lines that the configuration could have had itself;
//! a line that is there wins, as in Kafka's JaasContext.

use std::path::Path;

use crate::error::ConfigError;
use crate::jaas;
use crate::providers::Machine;
use crate::sasl;
use crate::settings::{BrokerConfig, Given, Origin};
use crate::signed_tokens::{ALLOWED_FILES, ALLOWED_URLS};

const VARIABLE: &str = "KAFKA_OPTS";
const JAAS_FILE: &str = "-Djava.security.auth.login.config=";

/// The lines that the file adds for the SASL listeners.
pub(crate) fn jaas_lines(
    config: &BrokerConfig,
    env: &[(String, String)],
    machine: &dyn Machine,
) -> Result<Vec<(String, Given)>, ConfigError> {
    let options = env.iter().find(|(name, _)| name == VARIABLE).map(|(_, text)| text.as_str());
    let path = options.and_then(|text| text.split_whitespace().find_map(|word| word.strip_prefix(JAAS_FILE)));
    let listeners: Vec<&str> = config.sasl_listeners().map(|listener| listener.name.as_str()).collect();
    let Some(path) = path.filter(|_| !listeners.is_empty()) else { return Ok(Vec::new()) };
    let path = path.trim_matches(['"', '\'']);
    let path = path.strip_prefix("file:").map_or(path, |rest| rest.strip_prefix("//").unwrap_or(rest));
    let refused = |why: &dyn std::fmt::Display| {
        ConfigError::invalid_config(format!(
            "the JAAS file {path}, which {VARIABLE} names, is refused: {why}"
        ))
    };
    let text = machine.read_file(Path::new(path)).map_err(|error| refused(&error))?;
    let mut lines = Vec::new();
    for listener in listeners {
        let listener = listener.to_lowercase();
        let own = format!("{listener}.KafkaServer");
        let entries = jaas::parse_file(&text, &[&own, "KafkaServer"]).map_err(|why| refused(&why))?;
        for entry in entries.into_iter().flatten() {
            for mechanism in sasl::mechanisms_of(&entry.module) {
                let key = format!("listener.name.{listener}.{}.sasl.jaas.config", mechanism.to_lowercase());
                if !config.given().contains_key(&key) {
                    let origin = Origin::Environment { variable: VARIABLE.to_owned() };
                    lines.push((key, Given { value: jaas::render(&entry), origin }));
                }
            }
        }
    }
    Ok(lines)
}

/// What tokens' keys may be read from, which Kafka is told as system properties.
pub(crate) fn allowed_places(config: &BrokerConfig, env: &[(String, String)]) -> Vec<(String, Given)> {
    let options = env.iter().find(|(name, _)| name == VARIABLE).map(|(_, text)| text.as_str());
    let words = options.unwrap_or_default().split_whitespace();
    let place = |word: &str| {
        let (key, value) = word.strip_prefix("-D")?.split_once('=')?;
        let is_meant = [ALLOWED_URLS, ALLOWED_FILES].contains(&key) && !config.given().contains_key(key);
        let origin = Origin::Environment { variable: VARIABLE.to_owned() };
        is_meant
            .then(|| (key.to_owned(), Given { value: value.trim_matches(['"', '\'']).to_owned(), origin }))
    };
    words.filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;

    struct OneFile(&'static str);

    impl Machine for OneFile {
        fn read_file(&self, path: &Path) -> io::Result<String> {
            match path.to_str() {
                Some("/etc/kafka/jaas.conf") => Ok(self.0.to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }

        fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
            Ok(path.to_owned())
        }
    }

    fn load(file: &'static str, options: &str, more: &[(&str, &str)]) -> Result<BrokerConfig, String> {
        let fixed = [
            ("listeners", "SASL_PLAINTEXT://127.0.0.1:9092,INSIDE://127.0.0.1:9093"),
            ("listener.security.protocol.map", "SASL_PLAINTEXT:SASL_PLAINTEXT,INSIDE:SASL_PLAINTEXT"),
            ("sasl.enabled.mechanisms", "PLAIN"),
        ];
        let pairs: Vec<(String, String)> =
            fixed.iter().chain(more).map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let env = [("KAFKA_OPTS".to_owned(), options.to_owned())];
        let loaded = crate::load_with(&OneFile(file), None, &env, &pairs);
        loaded.map(|(config, _)| config).map_err(|error| error.to_string())
    }

    const FILE: &str = "KafkaServer { org.apache.kafka.common.security.plain.PlainLoginModule required\n \
                        user_alice=\"a\\\"\\\\ b\";\n org.apache.kafka.common.security.scram.ScramLoginModule required; };\n\
                        inside.KafkaServer { org.apache.kafka.common.security.plain.PlainLoginModule required user_bob='x'; };\n\
                        Client { com.sun.security.auth.module.Krb5LoginModule required; };";

    #[test]
    fn the_file_serves_where_no_line_does() {
        let options = "-Xmx1g -Djava.security.auth.login.config=/etc/kafka/jaas.conf -Dx=y";
        let users = |config: &BrokerConfig, place: usize| {
            config.sasl_of(&config.listeners[place]).unwrap().mechanisms[0].users.clone()
        };
        let config = load(FILE, options, &[]).unwrap();
        assert_eq!(users(&config, 0), [("alice".to_owned(), "a\"\\ b".to_owned())].into());
        assert_eq!(users(&config, 1), [("bob".to_owned(), "x".to_owned())].into());
        let line = "org.apache.kafka.common.security.plain.PlainLoginModule required user_carol=\"y\";";
        let config = load(FILE, options, &[("listener.name.inside.plain.sasl.jaas.config", line)]).unwrap();
        assert_eq!(users(&config, 1), [("carol".to_owned(), "y".to_owned())].into());
    }

    #[test]
    fn a_file_that_cannot_be_read_stops_the_start() {
        let options = "-Djava.security.auth.login.config=/etc/kafka/none.conf";
        let error = load(FILE, options, &[]).unwrap_err();
        assert!(error.contains("/etc/kafka/none.conf"), "{error}");
        let options = "-Djava.security.auth.login.config=/etc/kafka/jaas.conf";
        let error = load("KafkaServer { x required user_a=\"hush\"", options, &[]).unwrap_err();
        assert!(error.contains("not terminated by semi-colon") && !error.contains("hush"), "{error}");
        assert!(load(FILE, "-Xmx1g", &[]).is_err(), "PLAIN has no users");
    }
}
