//! The broker's configuration in force: static values with dynamic ones laid over them, typed, cheap to share.
//! Core.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use ottla_model::SecurityProtocol;

use crate::broker::{self, KeysInForce};
use crate::error::ConfigError;
use crate::inherit::inherited;
use crate::keys::FromValue;
use crate::listeners::{self, Listener};
use crate::quorum::{self, QuorumVoter};
use crate::start_topics::{self, StartTopic};
use crate::startup;
use crate::topic;
use crate::value::{self, ConfigValue};

/// Keys with their texts, as the metadata log holds them.
pub type ConfigMap = BTreeMap<String, String>;

/// Where a static value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File {
        path: String,
        line: usize,
    },
    Environment {
        variable: String,
    },
    Override,
    /// Given there, with variables in it that a config provider has resolved: what it is stays hidden.
    Variables {
        within: Box<Origin>,
    },
    /// Not given: it follows from the other name of the same thing (node.id and broker.id).
    Derived {
        from: &'static str,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Environment { variable } => write!(f, "environment variable {variable}"),
            Origin::Override => f.write_str("--override"),
            Origin::Variables { within } => write!(f, "{within}, with variables"),
            Origin::Derived { from } => write!(f, "{from}"),
        }
    }
}

/// A static value as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub value: String,
    pub origin: Origin,
}

/// What acks=all promises (`ottla.durability`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    SurviveOne,
    Os,
    Fsync,
}

impl FromValue for Durability {
    fn from_value(value: ConfigValue) -> Option<Durability> {
        match value.text()?.as_str() {
            "survive-one" => Some(Durability::SurviveOne),
            "os" => Some(Durability::Os),
            "fsync" => Some(Durability::Fsync),
            _ => None,
        }
    }
}

/// How nodes find out that another one is away (`ottla.failure.detection`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureDetection {
    Pings,
    Kafka,
}

impl FromValue for FailureDetection {
    fn from_value(value: ConfigValue) -> Option<FailureDetection> {
        match value.text()?.as_str() {
            "pings" => Some(FailureDetection::Pings),
            "kafka" => Some(FailureDetection::Kafka),
            _ => None,
        }
    }
}

/// What a cluster does about replicas that are not evenly spread (`ottla.balance`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    Off,
    Propose,
    Auto,
}

impl FromValue for Balance {
    fn from_value(value: ConfigValue) -> Option<Balance> {
        match value.text()?.as_str() {
            "off" => Some(Balance::Off),
            "propose" => Some(Balance::Propose),
            "auto" => Some(Balance::Auto),
            _ => None,
        }
    }
}

/// Which replica consumers read from (`replica.selector.class`, KIP-392).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaSelector {
    Leader,
    RackAware,
}

impl FromValue for ReplicaSelector {
    fn from_value(value: ConfigValue) -> Option<ReplicaSelector> {
        match value.text()?.as_str() {
            "org.apache.kafka.common.replica.LeaderSelector" => Some(ReplicaSelector::Leader),
            "org.apache.kafka.common.replica.RackAwareReplicaSelector" => Some(ReplicaSelector::RackAware),
            _ => None,
        }
    }
}

/// The keys of the authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizerSettings {
    /// Principals with semicolons between.
    pub super_users: String,
    pub allow_everyone_if_no_acl_found: bool,
}

/// A part of the broker that a change must suit before it is accepted (Kafka's Reconfigurable): it says why it
/// cannot take a candidate.
pub type Reconfigurable = Arc<dyn Fn(&BrokerConfig) -> Result<(), String> + Send + Sync>;

/// The parts that a change must suit.
#[derive(Clone, Default)]
pub(crate) struct Reconfigurables(Vec<Reconfigurable>);

impl std::fmt::Debug for Reconfigurables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} reconfigurable parts", self.0.len())
    }
}

/// The configuration as a value: a clone is one reference.
#[derive(Clone, Debug)]
pub struct BrokerConfig(Arc<BrokerSettings>);

impl Deref for BrokerConfig {
    type Target = BrokerSettings;

    fn deref(&self) -> &BrokerSettings {
        &self.0
    }
}

/// Everything the broker reads: the keys in force, what follows from several of them, and every value by name
/// for those who describe and check.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    pub(crate) given: BTreeMap<String, Given>,
    pub(crate) dynamic_broker: ConfigMap,
    pub(crate) dynamic_cluster_default: ConfigMap,
    values: Vec<ConfigValue>,
    in_force: KeysInForce,
    reconfigurables: Reconfigurables,

    /// CLUSTER_ID of the environment; the data directory's own wins once there is one.
    pub cluster_id: Option<String>,
    pub log_dirs: Vec<String>,
    /// None when it is switched off.
    pub http_listener: Option<String>,
    /// The topics that a start makes.
    pub start_topics: Vec<StartTopic>,
    /// Listeners for clients, in the order given.
    pub listeners: Vec<Listener>,
    /// Listeners named in controller.listener.names.
    pub controller_listeners: Vec<Listener>,
    /// Voters of the metadata quorum in the order of their ids; none where this node is alone and none was named.
    pub quorum_voters: Vec<QuorumVoter>,
    /// Of listeners for clients. Unset, a connection is told the address it dialled.
    pub advertised_listeners: Option<Vec<Listener>>,
    /// Of controllers' listeners.
    pub advertised_controllers: Vec<Listener>,
    /// Host as written, with its own limit.
    pub connections_per_ip_max_overrides: Vec<(String, usize)>,
    /// False: nobody set it, and the delay is adaptive (no wait for a lone first member).
    pub group_initial_rebalance_delay_is_set: bool,
}

/// The typed fields of the keys in force are read as if they were fields of the settings.
impl Deref for BrokerSettings {
    type Target = KeysInForce;

    fn deref(&self) -> &KeysInForce {
        &self.in_force
    }
}

impl BrokerConfig {
    /// The configuration of a broker nobody configured.
    pub fn defaults() -> Self {
        match Self::build(BTreeMap::new(), None, ConfigMap::new(), ConfigMap::new()) {
            Ok(config) => config,
            Err(error) => unreachable!("the defaults are values of their rows: {error}"),
        }
    }

    /// The same static values under other dynamic ones. What does not parse is left out: it was checked when
    /// it was accepted, and a replay cannot fail.
    pub fn with_dynamic(&self, dynamic_broker: &ConfigMap, dynamic_cluster_default: &ConfigMap) -> Self {
        let readable = |map: &ConfigMap| {
            let mut kept = map.clone();
            kept.retain(|name, text| {
                broker::typed_row(name).is_none_or(|row| value::parse_named(row, name, text).is_ok())
            });
            kept
        };
        let (own, default) = (readable(dynamic_broker), readable(dynamic_cluster_default));
        self.rebuild(own, default).unwrap_or_else(|_| self.clone())
    }

    /// The same static values and parts under other dynamic values.
    pub(crate) fn rebuild(&self, own: ConfigMap, default: ConfigMap) -> Result<Self, ConfigError> {
        let built = Self::build(self.given.clone(), self.cluster_id.clone(), own, default)?;
        Ok(built.with_reconfigurables(self.reconfigurables.clone()))
    }

    /// From here on a change must suit this part too.
    pub fn with_reconfigurable(self, part: Reconfigurable) -> Self {
        let mut parts = self.reconfigurables.clone();
        parts.0.push(part);
        self.with_reconfigurables(parts)
    }

    fn with_reconfigurables(mut self, parts: Reconfigurables) -> Self {
        Arc::make_mut(&mut self.0).reconfigurables = parts;
        self
    }

    /// Asks the parts of the running broker whether they can take this configuration.
    pub(crate) fn ask_reconfigurables(&self) -> Result<(), String> {
        self.reconfigurables.0.iter().try_for_each(|part| part(self))
    }

    pub(crate) fn build(
        given: BTreeMap<String, Given>,
        cluster_id: Option<String>,
        dynamic_broker: ConfigMap,
        dynamic_cluster_default: ConfigMap,
    ) -> Result<Self, ConfigError> {
        let texts = effective_texts(&given, &dynamic_broker, &dynamic_cluster_default);
        let mut values = Vec::with_capacity(broker::rows().len());
        for row in broker::rows() {
            let text = texts.get(row.name).copied().or(broker::default_of(row));
            values.push(text.map_or(Ok(ConfigValue::Null), |text| value::parse(row, text))?);
        }
        for (name, text) in &texts {
            if let (None, Some(row)) = (broker::row(name), broker::typed_row(name)) {
                value::parse_named(row, name, text)?;
            }
        }
        let group_initial_rebalance_delay_is_set = texts.contains_key("group.initial.rebalance.delay.ms");
        drop(texts);
        assert!(values.len() == broker::rows().len(), "every key has a value");
        let in_force = KeysInForce::read(|row| match broker::index(row.name) {
            Some(index) => values[index].clone(),
            None => unreachable!("every row in force is a broker row"),
        });
        let sockets = sockets(&in_force)?;
        assert!(in_force.node_id >= 0, "the row of node.id takes no other");
        Ok(BrokerConfig(Arc::new(BrokerSettings {
            given,
            dynamic_broker,
            dynamic_cluster_default,
            values,
            cluster_id,
            log_dirs: in_force.log_dirs_given.as_ref().unwrap_or(&in_force.log_dir).clone(),
            start_topics: start_topics::parse(&in_force.start_topics_text).unwrap_or_default(),
            http_listener: Some(in_force.http_listener_text.clone()).filter(|address| !address.is_empty()),
            listeners: sockets.listeners,
            controller_listeners: sockets.controller_listeners,
            quorum_voters: quorum::voters(&in_force.quorum_voters_given),
            advertised_listeners: sockets.advertised,
            advertised_controllers: sockets.advertised_controllers,
            connections_per_ip_max_overrides: per_ip_overrides(&in_force.connections_per_ip_overrides_text)?,
            group_initial_rebalance_delay_is_set,
            in_force,
            reconfigurables: Reconfigurables::default(),
        })))
    }
}

/// The texts in force: a dynamic value also pushes aside the other names of its key, as in Kafka.
fn effective_texts<'a>(
    given: &'a BTreeMap<String, Given>,
    dynamic_broker: &'a ConfigMap,
    dynamic_cluster_default: &'a ConfigMap,
) -> BTreeMap<&'a str, &'a str> {
    let mut texts: BTreeMap<&str, &str> =
        given.iter().map(|(name, given)| (name.as_str(), given.value.as_str())).collect();
    for (name, text) in dynamic_cluster_default.iter().chain(dynamic_broker) {
        if broker::row(name).is_some() {
            for alternate in broker::alternates(name) {
                texts.remove(alternate);
            }
        }
        texts.insert(name, text);
    }
    texts
}

impl BrokerSettings {
    /// The value in force of any broker key. Rooms read typed fields; this is for describing and checking.
    pub(crate) fn value(&self, name: &str) -> &ConfigValue {
        match broker::index(name) {
            Some(index) => &self.values[index],
            None => &ConfigValue::Null,
        }
    }

    /// Whether the directory at this place takes no new replicas (KIP-1066); `*` is all of them.
    pub fn is_cordoned(&self, dir_place: usize) -> bool {
        let is_it = |dir: &String| dir == "*" || self.log_dirs.get(dir_place) == Some(dir);
        self.cordoned_log_dirs.iter().any(is_it)
    }

    /// Those of these directories, named in the order of `log.dirs`, that take no new replicas.
    pub fn cordoned_of<D: Clone>(&self, dirs: &[D]) -> Vec<D> {
        let named = dirs.iter().enumerate();
        named.filter(|(place, _)| self.is_cordoned(*place)).map(|(_, dir)| dir.clone()).collect()
    }

    /// A whole number key; asking for anything else is a mistake of the caller.
    pub(crate) fn get_i64(&self, name: &str) -> i64 {
        match self.value(name).as_i64() {
            Some(number) => number,
            None => panic!("{name} has no whole number"),
        }
    }

    pub(crate) fn get_bool(&self, name: &str) -> bool {
        self.value(name) == &ConfigValue::Boolean(true)
    }

    pub(crate) fn get_str(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            ConfigValue::String(text) | ConfigValue::Class(text) => Some(text),
            _ => None,
        }
    }

    /// Whether somebody set the key, statically or while running.
    pub fn is_set(&self, name: &str) -> bool {
        self.given.contains_key(name)
            || self.dynamic_broker.contains_key(name)
            || self.dynamic_cluster_default.contains_key(name)
    }

    /// Whether a config provider has resolved a part of the value in force, which is then a secret (CVE-2019-12399).
    pub(crate) fn is_resolved(&self, name: &str) -> bool {
        let is_of = |name: &&str| {
            self.given.get(*name).is_some_and(|given| matches!(given.origin, Origin::Variables { .. }))
        };
        broker::alternates(name).iter().any(is_of)
    }

    /// What the authorizer is told, if there is to be one.
    pub fn authorizer(&self) -> Option<AuthorizerSettings> {
        let given = |key: &str| self.given.get(key).map(|given| given.value.trim()).unwrap_or_default();
        let is_wanted = self.authorizer_class.as_deref() == Some(startup::STANDARD_AUTHORIZER);
        is_wanted.then(|| AuthorizerSettings {
            super_users: given(startup::SUPER_USERS).to_owned(),
            // Java's Boolean.parseBoolean.
            allow_everyone_if_no_acl_found: given(startup::ALLOW_EVERYONE).eq_ignore_ascii_case("true"),
        })
    }

    /// The static values as they were given.
    pub fn given(&self) -> &BTreeMap<String, Given> {
        &self.given
    }

    /// log.retention.ms, or its minutes, or its hours; -1 is for ever.
    pub fn log_retention_ms(&self) -> i64 {
        self.given_to_topics("retention.ms")
    }

    /// log.roll.ms, or its hours.
    pub fn log_roll_ms(&self) -> i64 {
        self.given_to_topics("segment.ms")
    }

    /// log.roll.jitter.ms, or its hours.
    pub fn log_roll_jitter_ms(&self) -> i64 {
        self.given_to_topics("segment.jitter.ms")
    }

    fn given_to_topics(&self, name: &str) -> i64 {
        topic::row(name).and_then(|row| inherited(self, row).as_i64()).unwrap_or(-1)
    }
}

fn sockets(keys: &KeysInForce) -> Result<Sockets, ConfigError> {
    let mut map = listeners::parse_protocol_map(&keys.protocol_map_text)?;
    let controllers: Vec<String> =
        keys.controller_listener_names.iter().flatten().map(|name| name.to_uppercase()).collect();
    if keys.protocol_map_text == DEFAULT_PROTOCOL_MAP {
        // Kafka's convenience: an unmapped controller listener is plaintext while nobody wrote a map.
        for name in &controllers {
            map.entry(name.clone()).or_insert(SecurityProtocol::Plaintext);
        }
    }
    let all = listeners::parse_listeners("listeners", &keys.listener_entries, &map, true)?;
    let advertised = keys
        .advertised_entries
        .as_ref()
        .map(|entries| listeners::parse_listeners("advertised.listeners", entries, &map, false))
        .transpose()?;
    let (controller_listeners, listeners) =
        all.into_iter().partition(|listener| controllers.contains(&listener.name));
    let (advertised_controllers, advertised): (Vec<Listener>, Vec<Listener>) =
        advertised.into_iter().flatten().partition(|listener| controllers.contains(&listener.name));
    let advertised = Some(advertised).filter(|entries| !entries.is_empty());
    Ok(Sockets { listeners, controller_listeners, advertised, advertised_controllers })
}

fn per_ip_overrides(text: &str) -> Result<Vec<(String, usize)>, ConfigError> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let mut overrides = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let parsed = entry.rsplit_once(':').and_then(|(host, count)| {
            let host = host.trim();
            let count = count.trim().parse().ok()?;
            (!host.is_empty()).then(|| (host.to_owned(), count))
        });
        let why = || ConfigError::value(KEY, text, format!("`{entry}` is not of the form host:count"));
        overrides.push(parsed.ok_or_else(why)?);
    }
    Ok(overrides)
}

struct Sockets {
    listeners: Vec<Listener>,
    controller_listeners: Vec<Listener>,
    advertised: Option<Vec<Listener>>,
    advertised_controllers: Vec<Listener>,
}

const DEFAULT_PROTOCOL_MAP: &str =
    "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT";
