//! What a start refuses although each value alone is fine: contradictions, and protection that is not there yet.
//! Core.

use ottla_model::SecurityProtocol;

use crate::error::ConfigError;
use crate::quorum;
use crate::settings::{BrokerConfig, BrokerSettings};

/// Kafka's own authorizer, whose rules this broker has.
pub(crate) const STANDARD_AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
/// Keys of the authorizer: it reads them itself, so that they are no broker keys.
pub(crate) const SUPER_USERS: &str = "super.users";
pub(crate) const ALLOW_EVERYONE: &str = "allow.everyone.if.no.acl.found";

/// Keys that are looked at here and nowhere else: a start refuses what asks for something that is not there.
pub(crate) const CHECKED: &[&str] = &[
    "alter.config.policy.class.name",
    "client.quota.callback.class",
    "config.providers",
    "create.topic.policy.class.name",
    "principal.builder.class",
    "remote.log.storage.system.enable",
    "security.inter.broker.protocol",
];
/// What a client listener may be.
const SERVED: &[SecurityProtocol] = &SecurityProtocol::ALL;
/// Other names of keys in force (`load.rs` copies the one to the other).
pub(crate) const OTHER_NAMES: &[&str] = &["broker.id"];

pub(crate) fn check(config: &BrokerConfig) -> Result<(), ConfigError> {
    quorum::check_roles(config)?;
    client_listeners(config)?;
    advertised(config)?;
    inter_broker(config)?;
    quorum::check(config)?;
    if config.has_peers() {
        config.login_at_brokers()?;
        config.login_at_controllers()?;
    }
    authorizer(config)?;
    protection(config)?;
    plugins(config)?;
    limits(config)
}

pub(crate) fn refuse(key: &str, settings: &BrokerSettings, why: impl std::fmt::Display) -> ConfigError {
    let value = settings.value(key).text().unwrap_or_default();
    let origin = settings.given.get(key).map(|given| format!(" (given by {})", given.origin));
    let message = format!("{key}={value} is refused: {why}{}", origin.unwrap_or_default());
    ConfigError::invalid_config(message).about(key)
}

fn client_listeners(config: &BrokerSettings) -> Result<(), ConfigError> {
    if config.is_broker() && config.listeners.is_empty() {
        let why = "every listener is named in controller.listener.names, none is left for clients";
        return Err(refuse("listeners", config, why));
    }
    for listener in config.listeners.iter().chain(&config.controller_listeners) {
        if !SERVED.contains(&listener.protocol) {
            let allowed: Vec<&str> = SERVED.iter().map(|protocol| protocol.name()).collect();
            let why = format!(
                "listener {} asks for {}, which is not there yet; allowed: {}",
                listener.name,
                listener.protocol.name(),
                allowed.join(", ")
            );
            return Err(refuse("listeners", config, why));
        }
        if listener.protocol.has_sasl() {
            config.sasl_of(listener)?;
        }
    }
    Ok(())
}

fn advertised(config: &BrokerSettings) -> Result<(), ConfigError> {
    let key = "advertised.listeners";
    let brokers = || config.advertised_listeners.iter().flatten();
    if brokers()
        .chain(&config.advertised_controllers)
        .any(|one| matches!(one.host.as_deref(), Some("0.0.0.0" | "::")))
    {
        return Err(refuse(
            key,
            config,
            "it names every interface, which is no address that anybody can dial",
        ));
    }
    if config.is_broker() && brokers().next().is_none() && !config.advertised_controllers.is_empty() {
        let why = "every listener in it is named in controller.listener.names, and it must have one of listeners that is \
                   for clients";
        return Err(refuse(key, config, why));
    }
    // A listener of a role that this node does not have means nothing here.
    let brokers = brokers().filter(|_| config.is_broker());
    let controllers = config.advertised_controllers.iter().filter(|_| config.is_controller());
    let is_opened = |name: &str| {
        config.listeners.iter().chain(&config.controller_listeners).any(|opened| opened.name == name)
    };
    match brokers.chain(controllers).find(|listener| !is_opened(&listener.name)) {
        Some(listener) => Err(refuse(key, config, format!("{} is not a name in listeners", listener.name))),
        None => Ok(()),
    }
}

fn inter_broker(config: &BrokerSettings) -> Result<(), ConfigError> {
    if !config.is_broker() {
        return Ok(());
    }
    let name = config.inter_broker_listener_given.as_deref().map(str::to_uppercase);
    if let Some(name) = &name {
        if config.is_set("security.inter.broker.protocol") {
            let why = "only one of it and security.inter.broker.protocol may be given";
            return Err(refuse("inter.broker.listener.name", config, why));
        }
        if !config.listeners.iter().any(|listener| listener.name == *name) {
            let why = format!("{name} is not a client listener in listeners");
            return Err(refuse("inter.broker.listener.name", config, why));
        }
    }
    // Nobody is dialled on one node; what other nodes would be told must be right all the same.
    let protocol = config.get_str("security.inter.broker.protocol").filter(|_| name.is_none());
    let is_chosen = name.is_some() || config.is_set("security.inter.broker.protocol");
    let name = name.or(protocol.map(str::to_owned)).unwrap_or_default();
    match config.listeners.iter().find(|listener| listener.name == name) {
        Some(listener) if is_chosen && listener.protocol.has_sasl() => {
            config.check_inter_broker_mechanism(listener)
        }
        None if is_chosen && name != SecurityProtocol::Plaintext.name() => {
            let why = "there is no listener of that name; allowed: a protocol that is a name in listeners";
            Err(refuse("security.inter.broker.protocol", config, why))
        }
        _ => Ok(()),
    }
}

/// The one authorizer there is, and the names that may do everything.
fn authorizer(config: &BrokerSettings) -> Result<(), ConfigError> {
    let key = "authorizer.class.name";
    let name = config.get_str(key).unwrap_or_default();
    if !name.is_empty() && name != STANDARD_AUTHORIZER {
        let why = format!("a Java class cannot be run here; allowed: {STANDARD_AUTHORIZER}, or nothing");
        return Err(refuse(key, config, why));
    }
    if let Some(given) = config.given.get(SUPER_USERS) {
        let mut users = given.value.split(';').map(str::trim).filter(|user| !user.is_empty());
        if let Some(user) = users.find(|user| !user.contains(':')) {
            let message = format!(
                "{SUPER_USERS} is refused: expected a string in format principalType:principalName but got \
                 {user} (given by {})",
                given.origin
            );
            return Err(ConfigError::invalid_config(message).about(SUPER_USERS));
        }
    }
    Ok(())
}

/// Whoever asks for protection gets it or no broker.
fn protection(config: &BrokerSettings) -> Result<(), ConfigError> {
    let wanted = |key: &str| config.value(key).text().is_some_and(|text| !text.is_empty());
    for (key, what) in [
        (
            "client.quota.callback.class",
            "a Java class cannot be run here, and no quota of it would be in force",
        ),
        ("create.topic.policy.class.name", "a Java policy cannot be run here, and none would be in force"),
        ("alter.config.policy.class.name", "a Java policy cannot be run here, and none would be in force"),
    ] {
        if wanted(key) {
            return Err(refuse(key, config, format!("{what}; allowed: nothing")));
        }
    }
    for name in config.given.keys() {
        if matches!(name.as_str(), "quota.producer.default" | "quota.consumer.default") {
            let message = format!(
                "{name} is refused: it is no key of Kafka 4 and limits nobody; set a default quota with kafka-configs"
            );
            return Err(ConfigError::invalid_config(message).about(name));
        }
    }
    Ok(())
}

/// What changes the meaning of the rest and cannot be done.
fn plugins(config: &BrokerSettings) -> Result<(), ConfigError> {
    let providers = "config.providers";
    if config.dynamic_broker.contains_key(providers) || config.dynamic_cluster_default.contains_key(providers)
    {
        let why = "providers are named by what the broker is started with alone";
        return Err(refuse(providers, config, why));
    }
    if config.get_bool("remote.log.storage.system.enable") {
        let why = "tiered storage is not there yet; allowed: false";
        return Err(refuse("remote.log.storage.system.enable", config, why));
    }
    let builder = "principal.builder.class";
    let default = crate::broker::row(builder).and_then(|row| row.default);
    if config.get_str(builder) != default {
        let why = format!("a Java class cannot be run here; allowed: {}", default.unwrap_or("nothing"));
        return Err(refuse(builder, config, why));
    }
    Ok(())
}

/// Kafka's own rules over several keys.
pub(crate) fn limits(config: &BrokerSettings) -> Result<(), ConfigError> {
    let requirement = |holds: bool, key: &str, rule: &str| {
        let message = format!("requirement failed: {rule}");
        if holds { Ok(()) } else { Err(ConfigError::invalid_config(message).about(key)) }
    };
    requirement(
        config.log_retention_ms() != 0,
        "log.retention.ms",
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
    )?;
    requirement(config.log_roll_ms() >= 1, "log.roll.ms", "log.roll.ms must be greater than or equal to 1")?;
    requirement(
        config.log_roll_jitter_ms() >= 0,
        "log.roll.jitter.ms",
        "log.roll.jitter.ms must be greater than or equal to 0",
    )?;
    requirement(
        config.get_i64("log.cleaner.dedupe.buffer.size") / config.get_i64("log.cleaner.threads").max(1)
            > 1024 * 1024,
        "log.cleaner.dedupe.buffer.size",
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
    )?;
    requirement(
        config.group_session_timeout_ms_min <= config.group_session_timeout_ms_max,
        "group.min.session.timeout.ms",
        "group.min.session.timeout.ms must be less than or equal to group.max.session.timeout.ms",
    )?;
    requirement(
        (0..=4).contains(&config.offsets_topic_compression_codec),
        "offsets.topic.compression.codec",
        "offsets.topic.compression.codec must be 0 (none), 1 (gzip), 2 (snappy), 3 (lz4) or 4 (zstd)",
    )?;
    let missing: Vec<&str> = config
        .cordoned_log_dirs
        .iter()
        .filter(|dir| *dir != "*" && !config.log_dirs.contains(dir))
        .map(String::as_str)
        .collect();
    let rule = format!(
        "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
        missing.join(", ")
    );
    requirement(missing.is_empty(), "cordoned.log.dirs", &rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker;
    use crate::effect::{Effect, effect_of_broker_key};

    /// The keys that this file names in quotes, outside of the two lists and of this test.
    fn named_here() -> Vec<&'static str> {
        let source = include_str!("startup.rs");
        let checks = source.split("pub(crate) fn check(").nth(1).unwrap_or_default();
        let checks = checks.split("#[cfg(test)]").next().unwrap_or_default();
        let mut names: Vec<&str> =
            checks.split('"').skip(1).step_by(2).filter(|text| broker::row(text).is_some()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    #[test]
    fn the_keys_that_are_only_checked_are_those_that_nobody_else_reads() {
        let without_field = |name: &&str| {
            let effect = broker::row(name).map(effect_of_broker_key);
            matches!(effect, Some(Effect::Checked | Effect::None))
        };
        let checked: Vec<&str> = named_here().into_iter().filter(without_field).collect();
        assert_eq!(checked, CHECKED);
    }
}
