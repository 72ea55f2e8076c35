//! From texts to a configuration: the file, the environment and the overrides, and what stops a start.
//! Core.

use std::collections::BTreeMap;

use crate::broker;
use crate::environment;
use crate::error::{ConfigError, Warning};
use crate::java_opts;
use crate::nearest::hint;
use crate::properties;
use crate::providers::{self, Machine, NoFiles};
use crate::settings::{BrokerConfig, ConfigMap, Given, Origin};
use crate::signed_tokens::{ALLOWED_FILES, ALLOWED_URLS};
use crate::startup;
use crate::value;

/// Reads everything a start is given. Later wins: file, environment, overrides. `properties_text` is the file's
/// path and text; `env` all variables of the process; `overrides` the pairs of `--override`.
pub fn load(
    properties_text: Option<(&str, &str)>,
    env: &[(String, String)],
    overrides: &[(String, String)],
) -> Result<(BrokerConfig, Vec<Warning>), ConfigError> {
    load_with(&NoFiles, properties_text, env, overrides)
}

/// The same on a machine with files, which config providers may read.
pub fn load_with(
    machine: &dyn Machine,
    properties_text: Option<(&str, &str)>,
    env: &[(String, String)],
    overrides: &[(String, String)],
) -> Result<(BrokerConfig, Vec<Warning>), ConfigError> {
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    if let Some((path, text)) = properties_text {
        read_file(path, text, &mut given)?;
    }
    read_environment(env, &mut given)?;
    read_overrides(overrides, &mut given)?;

    providers::resolve(&mut given, env, machine)?;

    let mut warnings = Vec::new();
    for (name, entry) in &given {
        match broker::typed_row(name) {
            Some(row) => {
                value::parse_named(row, name, &entry.value).map_err(|error| explain(error, row, entry))?;
            }
            None if is_for_a_plugin(name) => {}
            None => warnings.push(unknown(name, entry)),
        }
    }
    one_name_for_the_node(&mut given)?;
    let cluster_id = env.iter().find(|(name, _)| name == "CLUSTER_ID").map(|(_, id)| id.trim().to_owned());
    let cluster_id = cluster_id.filter(|id| !id.is_empty());
    let build = |given| BrokerConfig::build(given, cluster_id.clone(), ConfigMap::new(), ConfigMap::new());
    let mut config = build(given.clone())?;
    let mut lines = java_opts::jaas_lines(&config, env, machine)?;
    lines.extend(java_opts::allowed_places(&config, env));
    if !lines.is_empty() {
        given.extend(lines);
        config = build(given)?;
    }
    startup::check(&config)?;
    warnings.extend(config.sasl_warnings());
    Ok((config, warnings))
}

fn read_file(path: &str, text: &str, given: &mut BTreeMap<String, Given>) -> Result<(), ConfigError> {
    let entries = properties::parse(text)
        .map_err(|malformed| ConfigError::invalid_config(format!("{path} cannot be read: {malformed}")))?;
    for entry in entries {
        let origin = Origin::File { path: path.to_owned(), line: entry.line };
        given.insert(entry.key, Given { value: entry.value, origin });
    }
    Ok(())
}

/// The image writes each variable as a line of a properties file, so escapes mean there what they mean here.
fn read_environment(
    env: &[(String, String)],
    given: &mut BTreeMap<String, Given>,
) -> Result<(), ConfigError> {
    let mut sorted: Vec<&(String, String)> = env.iter().collect();
    sorted.sort();
    for (variable, text) in sorted {
        let Some(key) = environment::key_of(variable) else { continue };
        let entries = properties::parse(&format!("{key}={text}")).map_err(|malformed| {
            ConfigError::invalid_config(format!("environment variable {variable}: {malformed}")).about(&key)
        })?;
        for entry in entries {
            let origin = Origin::Environment { variable: variable.clone() };
            given.insert(entry.key, Given { value: entry.value, origin });
        }
    }
    Ok(())
}

fn read_overrides(
    overrides: &[(String, String)],
    given: &mut BTreeMap<String, Given>,
) -> Result<(), ConfigError> {
    for (key, text) in overrides {
        let key = value::trim(key);
        if broker::typed_row(key).is_none() && !is_for_a_plugin(key) {
            let message = format!("--override {key}={text}: there is no key {key}; {}", hint(key));
            return Err(ConfigError::invalid_config(message).about(key));
        }
        given.insert(key.to_owned(), Given { value: text.clone(), origin: Origin::Override });
    }
    Ok(())
}

/// Keys that are handed on to plugins under a prefix; nothing here knows them.
fn is_for_a_plugin(name: &str) -> bool {
    ["config.providers.", "rsm.config.", "rlmm.config.", "metrics.context."]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || [startup::SUPER_USERS, startup::ALLOW_EVERYONE, ALLOWED_URLS, ALLOWED_FILES].contains(&name)
}

fn unknown(name: &str, entry: &Given) -> Warning {
    let message = format!("unknown key {name} ({}) is ignored; {}", entry.origin, hint(name));
    Warning { key: name.to_owned(), message }
}

/// The error of one value, with what is allowed and where it was given.
fn explain(mut error: ConfigError, row: &crate::row::ConfigRow, entry: &Given) -> ConfigError {
    if matches!(entry.origin, Origin::Variables { .. }) {
        // The value is a secret and stays out of the message.
        error.message = format!("the value of {} is refused", error.key.as_deref().unwrap_or(row.name));
    }
    error.message = format!("{} (allowed: {}; given by {})", error.message, row.allowed(), entry.origin);
    error
}

/// node.id and broker.id are one thing; each fills in the other, and two values are an error, as in Kafka.
fn one_name_for_the_node(given: &mut BTreeMap<String, Given>) -> Result<(), ConfigError> {
    let node = given.get("node.id").map(|entry| entry.value.clone());
    let broker = given.get("broker.id").map(|entry| entry.value.clone());
    match (node, broker) {
        (Some(node), Some(broker)) if value::trim(&node) != value::trim(&broker) => {
            let message =
                format!("node.id is {node} but broker.id is {broker}: both name this node, give one");
            Err(ConfigError::invalid_config(message).about("node.id"))
        }
        (Some(node), None) => {
            let origin = Origin::Derived { from: "node.id" };
            given.insert("broker.id".to_owned(), Given { value: node, origin });
            Ok(())
        }
        (None, Some(broker)) => {
            let origin = Origin::Derived { from: "broker.id" };
            given.insert("node.id".to_owned(), Given { value: broker, origin });
            Ok(())
        }
        _ => Ok(()),
    }
}
