//! What a change of configs must satisfy: list operations, names, values, and Kafka's rules over several keys.
//! Core.

use crate::broker;
use crate::client_metrics;
use crate::client_metrics_config::ClientMatch;
use crate::error::ConfigError;
use crate::group;
use crate::inherit::effective_value;
use crate::listener_keys;
use crate::providers;
use crate::row::{ConfigRow, ConfigType, DynamicMode};
use crate::settings::{BrokerConfig, BrokerSettings, ConfigMap};
use crate::startup;
use crate::topic;
use crate::value::{self, ConfigValue};

/// The resources whose configs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    Topic,
    Broker,
    Group,
    ClientMetrics,
}

/// The operations of IncrementalAlterConfigs; the numbers are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum OpType {
    Set = 0,
    Delete = 1,
    Append = 2,
    Subtract = 3,
}

impl OpType {
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(OpType::Set),
            1 => Some(OpType::Delete),
            2 => Some(OpType::Append),
            3 => Some(OpType::Subtract),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            OpType::Set => "SET",
            OpType::Delete => "DELETE",
            OpType::Append => "APPEND",
            OpType::Subtract => "SUBTRACT",
        }
    }
}

fn row_of(kind: ResourceKind, name: &str) -> Option<&'static ConfigRow> {
    match kind {
        ResourceKind::Topic => topic::row(name),
        ResourceKind::Broker => broker::row(name),
        ResourceKind::Group => group::row(name),
        ResourceKind::ClientMetrics => client_metrics::row(name),
    }
}

/// One operation on one key: the text to keep, or nothing when the key goes back to its default.
/// `current` is what the resource itself has set.
pub fn apply_op(
    kind: ResourceKind,
    name: &str,
    current: Option<&str>,
    op: OpType,
    operand: Option<&str>,
) -> Result<Option<String>, ConfigError> {
    if op == OpType::Delete {
        return Ok(None);
    }
    let Some(operand) = operand else {
        let message = format!("Null value not supported for : {name}");
        return Err(ConfigError::invalid_request(message).about(name));
    };
    if op == OpType::Set {
        return Ok(Some(operand.to_owned()));
    }
    // As Kafka's controller, which knows the lists among topic and broker keys alone.
    let knows_lists = matches!(kind, ResourceKind::Topic | ResourceKind::Broker);
    let row = row_of(kind, name).filter(|row| knows_lists && row.kind == ConfigType::List);
    let Some(row) = row else {
        let message = match kind {
            ResourceKind::Broker => {
                let verb = op.name().to_ascii_lowercase();
                format!("Config value {verb} is not allowed for config key: {name}")
            }
            _ => format!("Can't {} to key {name} because its type is not LIST.", op.name()),
        };
        return Err(ConfigError::invalid_config(message).about(name));
    };
    let before = current.or(row.default).unwrap_or("");
    let mut entries: Vec<&str> = before.split(',').filter(|entry| !entry.is_empty()).collect();
    for entry in operand.split(',') {
        let place = entries.iter().position(|known| *known == entry);
        match (op, place) {
            (OpType::Append, None) => entries.push(entry),
            (OpType::Subtract, Some(place)) => {
                entries.remove(place);
            }
            _ => {}
        }
    }
    Ok(Some(entries.join(",")))
}

/// One override of a topic by itself: its name and its value.
pub fn validate_topic_override(name: &str, text: &str) -> Result<(), ConfigError> {
    match topic::row(name) {
        Some(row) => value::parse(row, text).map(|_| ()),
        None => Err(ConfigError::invalid_config(format!("Unknown topic config name: {name}")).about(name)),
    }
}

/// All overrides a topic would have after a change (or at its creation), with `existing` those before it.
pub fn validate_topic(
    config: &BrokerConfig,
    existing: &ConfigMap,
    overrides: &ConfigMap,
) -> Result<(), ConfigError> {
    if let Some(name) = overrides.keys().find(|name| topic::row(name).is_none()) {
        return Err(ConfigError::invalid_config(format!("Unknown topic config name: {name}")).about(name));
    }
    for (name, text) in overrides {
        validate_topic_override(name, text)?;
    }
    let effective = |name: &str| {
        topic::row(name).map_or(ConfigValue::Null, |row| effective_value(config, overrides, row))
    };
    let long = |name: &str| effective(name).as_i64().unwrap_or(0);
    let (min, max) = (long("min.compaction.lag.ms"), long("max.compaction.lag.ms"));
    if min > max {
        return Err(ConfigError::invalid_config(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        ))
        .about("min.compaction.lag.ms"));
    }
    if effective("remote.storage.enable") == ConfigValue::Boolean(true) {
        // A start refuses the cluster-wide switch, so tiering is never on.
        return Err(ConfigError::invalid_config(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote \
             log storage.",
        )
        .about("remote.storage.enable"));
    }
    let was_tiered =
        existing.get("remote.storage.enable").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    if was_tiered && effective("remote.log.delete.on.disable") != ConfigValue::Boolean(true) {
        return Err(ConfigError::invalid_config(
            "It is invalid to disable remote storage without deleting remote data. If you want to keep the \
             remote data and turn to read only, please set `remote.storage.enable=true,\
             remote.log.copy.disable=true`. If you want to disable remote storage and delete all remote data, \
             please set `remote.storage.enable=false,remote.log.delete.on.disable=true`.",
        )
        .about("remote.storage.enable"));
    }
    Ok(())
}

/// Listener keys that are the same for all brokers.
const CLUSTER_LEVEL_LISTENER_KEYS: &[&str] =
    &["max.connections", "max.connection.creation.rate", "num.network.threads"];

/// All dynamic values that this broker (or, without `per_broker`, every broker) would have after a change.
pub fn validate_broker_change(
    config: &BrokerConfig,
    per_broker: bool,
    values: &ConfigMap,
) -> Result<(), ConfigError> {
    validate_broker_settings(per_broker, values)?;
    let candidate = candidate(config, per_broker, values).map_err(ConfigError::into_request_error)?;
    startup::check(&candidate).map_err(ConfigError::into_request_error)?;
    thread_counts(config, &candidate)?;
    local_retention(&candidate)?;
    listeners_keep_their_keys(config, &candidate)?;
    candidate.ask_reconfigurables().map_err(|why| refused(why, "listeners"))
}

/// The part of it that follows from the values alone, whatever configuration they are for: names and types.
pub fn validate_broker_settings(per_broker: bool, values: &ConfigMap) -> Result<(), ConfigError> {
    let row_mode = |name: &str| broker::row(name).map(|row| row.dynamic);
    refuse_names(values, "Cannot update these configs dynamically", |name| {
        row_mode(name) == Some(DynamicMode::ReadOnly)
    })?;
    refuse_names(
        values,
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        |name| listener_keys::OF_STORES.contains(&name),
    )?;
    for (name, text) in values {
        if let Some(row) = broker::typed_row(name) {
            // Kafka reads a listener's own key under the name of the key that it overrides.
            value::parse(row, text).map_err(ConfigError::into_request_error)?;
        }
    }
    refuse_names(values, "Variables are resolved at a start alone", |name| {
        values.get(name).is_some_and(|text| providers::has_variable(text))
    })?;
    if !per_broker {
        refuse_names(
            values,
            "Cannot update these configs at default cluster level, broker id must be specified",
            |name| match broker::listener_suffix(name) {
                Some(suffix) => !CLUSTER_LEVEL_LISTENER_KEYS.contains(&suffix),
                None => row_mode(name) == Some(DynamicMode::PerBroker),
            },
        )?;
    }
    refuse_names(
        values,
        "These configs cannot be changed while the broker runs, restart it instead",
        |name| matches!(name, "listeners" | "listener.security.protocol.map"),
    )
}

/// Of a listener's own keys about security, only those of its stores change while it serves. The common keys
/// may change, and count from the next start on.
fn listeners_keep_their_keys(before: &BrokerConfig, after: &BrokerConfig) -> Result<(), ConfigError> {
    for listener in &before.listeners {
        let (old, new) = (before.of_listener(&listener.name), after.of_listener(&listener.name));
        let mut fixed = listener_keys::READ.iter().filter(|key| !listener_keys::OF_STORES.contains(key));
        if let Some(key) = fixed.find(|key| old.own_text(key) != new.own_text(key)) {
            let message = format!(
                "Configs cannot be updated dynamically for existing listener {}, restart broker or create a new \
                 listener for update",
                listener.name
            );
            return Err(refused(message, key));
        }
    }
    Ok(())
}

fn refuse_names(values: &ConfigMap, why: &str, refused: impl Fn(&str) -> bool) -> Result<(), ConfigError> {
    let names: Vec<&str> = values.keys().map(String::as_str).filter(|name| refused(name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(ConfigError::invalid_request(format!("{why}: [{}]", names.join(", "))).about(names[0]))
}

fn candidate(
    config: &BrokerConfig,
    per_broker: bool,
    values: &ConfigMap,
) -> Result<BrokerConfig, ConfigError> {
    let (own, default) = if per_broker {
        (values.clone(), config.dynamic_cluster_default.clone())
    } else {
        (config.dynamic_broker.clone(), values.clone())
    };
    config.rebuild(own, default)
}

/// Kafka's wrapping of what a reconfigurable part refuses.
fn refused(message: impl std::fmt::Display, name: &str) -> ConfigError {
    ConfigError::invalid_request(format!(
        "Invalid value org.apache.kafka.common.config.ConfigException: {message} for configuration Invalid \
         dynamic configuration"
    ))
    .about(name)
}

/// Pools grow and shrink by a factor of two at most.
fn thread_counts(before: &BrokerSettings, after: &BrokerSettings) -> Result<(), ConfigError> {
    let cleaner = "log.cleaner.threads";
    let (old, new) = (before.get_i64(cleaner), after.get_i64(cleaner));
    let why = match new {
        _ if new < 1 => Some("Log cleaner threads should be at least 1".to_owned()),
        _ if new < old / 2 => {
            Some(format!("Log cleaner threads cannot be reduced to less than half the current value {old}"))
        }
        _ if new > old * 2 => Some(format!(
            "Log cleaner threads cannot be increased to more than double the current value {old}"
        )),
        _ => None,
    };
    if let Some(why) = why.filter(|_| new != old) {
        return Err(refused(why, cleaner));
    }
    for name in [
        "num.io.threads",
        "num.network.threads",
        "num.replica.fetchers",
        "num.recovery.threads.per.data.dir",
        "background.threads",
    ] {
        let (old, new) = (before.get_i64(name), after.get_i64(name));
        let why = match new {
            _ if new == old => continue,
            _ if new < old / 2 => format!("value should be at least half the current value {old}"),
            _ if new > old * 2 => format!("value should not be greater than double the current value {old}"),
            _ => continue,
        };
        let message = format!("Dynamic thread count update validation failed for {name}={new}, {why}");
        return Err(refused(message, name));
    }
    Ok(())
}

fn local_retention(after: &BrokerSettings) -> Result<(), ConfigError> {
    for (local, whole, total) in [
        ("log.local.retention.ms", "log.retention.ms", after.log_retention_ms()),
        ("log.local.retention.bytes", "log.retention.bytes", after.get_i64("log.retention.bytes")),
    ] {
        let kept = after.get_i64(local);
        if total == -1 || kept == -2 {
            continue;
        }
        let why = match kept {
            -1 => format!("Value must not be -1 as {whole} value is set as {total}."),
            _ if kept > total => format!("Value must not be more than {whole} property value: {total}"),
            _ => continue,
        };
        return Err(refused(ConfigError::value(local, kept, why), local));
    }
    Ok(())
}

/// A group key with the broker keys that bound it.
pub(crate) const GROUP_BOUNDS: &[(&str, Option<&str>, Option<&str>)] = &[
    (
        "consumer.heartbeat.interval.ms",
        Some("group.consumer.min.heartbeat.interval.ms"),
        Some("group.consumer.max.heartbeat.interval.ms"),
    ),
    (
        "consumer.session.timeout.ms",
        Some("group.consumer.min.session.timeout.ms"),
        Some("group.consumer.max.session.timeout.ms"),
    ),
    (
        "consumer.assignment.interval.ms",
        Some("group.consumer.min.assignment.interval.ms"),
        Some("group.consumer.max.assignment.interval.ms"),
    ),
    (
        "share.heartbeat.interval.ms",
        Some("group.share.min.heartbeat.interval.ms"),
        Some("group.share.max.heartbeat.interval.ms"),
    ),
    (
        "share.session.timeout.ms",
        Some("group.share.min.session.timeout.ms"),
        Some("group.share.max.session.timeout.ms"),
    ),
    (
        "share.record.lock.duration.ms",
        Some("group.share.min.record.lock.duration.ms"),
        Some("group.share.max.record.lock.duration.ms"),
    ),
    (
        "share.delivery.count.limit",
        Some("group.share.min.delivery.count.limit"),
        Some("group.share.max.delivery.count.limit"),
    ),
    (
        "share.partition.max.record.locks",
        Some("group.share.min.partition.max.record.locks"),
        Some("group.share.max.partition.max.record.locks"),
    ),
    (
        "share.assignment.interval.ms",
        Some("group.share.min.assignment.interval.ms"),
        Some("group.share.max.assignment.interval.ms"),
    ),
    (
        "streams.heartbeat.interval.ms",
        Some("group.streams.min.heartbeat.interval.ms"),
        Some("group.streams.max.heartbeat.interval.ms"),
    ),
    (
        "streams.session.timeout.ms",
        Some("group.streams.min.session.timeout.ms"),
        Some("group.streams.max.session.timeout.ms"),
    ),
    ("streams.num.standby.replicas", None, Some("group.streams.max.standby.replicas")),
    (
        "streams.assignment.interval.ms",
        Some("group.streams.min.assignment.interval.ms"),
        Some("group.streams.max.assignment.interval.ms"),
    ),
];

/// All overrides that a group would have after a change.
pub fn validate_group(config: &BrokerConfig, overrides: &ConfigMap) -> Result<(), ConfigError> {
    if let Some(name) = overrides.keys().find(|name| group::row(name).is_none()) {
        return Err(ConfigError::invalid_config(format!("Unknown group config name: {name}")).about(name));
    }
    for (name, text) in overrides {
        if let Some(row) = group::row(name) {
            value::parse(row, text)?;
        }
    }
    let number = |name: &str| effective_value(config, overrides, group::row(name)?).as_i64();
    for (name, min, max) in GROUP_BOUNDS {
        let Some(value) = number(name) else { continue };
        let bound = |key: &Option<&'static str>| key.map(|key| (key, config.get_i64(key)));
        if let Some((key, _)) = bound(min).filter(|(_, min)| value < *min) {
            let message = format!("{name} must be greater than or equal to {key}");
            return Err(ConfigError::invalid_config(message).about(name));
        }
        if let Some((key, _)) = bound(max).filter(|(_, max)| value > *max) {
            let message = format!("{name} must be less than or equal to {key}");
            return Err(ConfigError::invalid_config(message).about(name));
        }
    }
    for kind in ["consumer", "share", "streams"] {
        let (session, beat) = (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
        if number(&session) <= number(&beat) {
            return Err(
                ConfigError::invalid_config(format!("{session} must be greater than {beat}")).about(&session)
            );
        }
    }
    Ok(())
}

/// All keys that a client metrics subscription would have after a change.
pub fn validate_client_metrics(subscription: &str, values: &ConfigMap) -> Result<(), ConfigError> {
    if subscription.is_empty() {
        return Err(ConfigError::invalid_request("Subscription name can't be empty"));
    }
    for (name, text) in values {
        let Some(row) = client_metrics::row(name) else {
            let message = format!("Unknown client metrics configuration: {name}");
            return Err(ConfigError::invalid_request(message).about(name));
        };
        let value = value::parse(row, text)?;
        match (name.as_str(), value) {
            ("interval.ms", ConfigValue::Int(ms)) if !(100..=3_600_000).contains(&ms) => {
                let message = format!(
                    "Invalid value {ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                );
                return Err(ConfigError::invalid_request(message).about(name));
            }
            ("match", ConfigValue::List(patterns)) => {
                ClientMatch::parse(&patterns).map_err(|bad| {
                    let message = format!("Illegal client matching pattern: {bad}");
                    ConfigError::invalid_config(message).about(name)
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}
