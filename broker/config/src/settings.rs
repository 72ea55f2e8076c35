//! The broker's configuration in force: static values with dynamic ones laid over them, typed, cheap to share.
//! core

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use crate::broker;
use crate::error::ConfigError;
use crate::listeners::{self, Listener, ProtocolMap};
use crate::startup;
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

/// The keys of the authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizerSettings {
    /// Principals with semicolons between.
    pub super_users: String,
    pub allow_everyone_if_no_acl_found: bool,
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

/// Everything the broker reads; fields follow the keys' names.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    pub(crate) given: BTreeMap<String, Given>,
    pub(crate) dynamic_broker: ConfigMap,
    pub(crate) dynamic_cluster_default: ConfigMap,
    values: Vec<ConfigValue>,

    pub node_id: i32,
    /// CLUSTER_ID of the environment; the data directory's own wins once there is one.
    pub cluster_id: Option<String>,
    pub rack: Option<String>,
    pub process_roles: Vec<String>,
    pub log_dirs: Vec<String>,
    pub durability: Durability,
    /// None when it is switched off.
    pub http_listener: Option<String>,
    pub memory_budget_bytes: u64,
    pub metrics_series_max: usize,

    /// Listeners for clients, in the order given.
    pub listeners: Vec<Listener>,
    /// Listeners named in controller.listener.names: read, and not opened.
    pub controller_listeners: Vec<Listener>,
    /// Unset, a connection is told the address it dialled.
    pub advertised_listeners: Option<Vec<Listener>>,
    pub listener_security_protocol_map: ProtocolMap,
    pub inter_broker_listener_name: Option<String>,
    pub socket_request_bytes_max: usize,
    pub socket_send_buffer_bytes: i32,
    pub socket_receive_buffer_bytes: i32,
    pub socket_listen_backlog: i32,
    pub connections_idle_ms_max: i64,
    pub connections_max: usize,
    pub connections_per_ip_max: usize,
    /// Host as written, with its own limit.
    pub connections_per_ip_max_overrides: Vec<(String, usize)>,

    pub num_partitions: i32,
    pub default_replication_factor: i16,
    pub auto_create_topics_enable: bool,
    pub delete_topic_enable: bool,
    pub message_bytes_max: i32,
    pub fetch_bytes_max: i32,
    pub incremental_fetch_session_slots_max: usize,
    pub request_partition_size_limit: i32,

    pub group_session_timeout_ms_min: i32,
    pub group_session_timeout_ms_max: i32,
    pub group_initial_rebalance_delay_ms: i32,
    /// False: nobody set it, and the delay is adaptive (no wait for a lone first member).
    pub group_initial_rebalance_delay_is_set: bool,
    pub group_max_size: usize,
    pub offset_metadata_bytes_max: usize,
    pub offsets_retention_ms: i64,
    pub offsets_retention_check_interval_ms: i64,
    pub offsets_commit_timeout_ms: i32,
    pub offsets_topic_num_partitions: i32,
    /// The wish; a creation takes as many as there are live brokers.
    pub offsets_topic_replication_factor: i16,
    pub offsets_topic_segment_bytes: i32,
    /// Kafka's number of a codec; 0 is none.
    pub offsets_topic_compression_codec: i32,
    pub producer_id_expiration_ms: i32,

    pub log_cleaner_enable: bool,
    pub log_cleaner_threads: i32,
    pub log_cleaner_backoff_ms: i64,
    pub log_cleaner_dedupe_buffer_bytes: i64,
    pub log_cleaner_io_buffer_bytes: i32,
    pub log_cleaner_io_buffer_load_factor: f64,
    pub log_cleaner_io_bytes_per_second_max: f64,
    pub transaction_timeout_ms_max: i32,
    pub transaction_abort_interval_ms: i32,
    pub transaction_expiration_interval_ms: i32,
    pub transactional_id_expiration_ms: i32,
    pub transaction_topic_num_partitions: i32,
    /// The wish; a creation takes as many as there are live brokers.
    pub transaction_topic_replication_factor: i16,
    pub transaction_topic_segment_bytes: i32,
    pub transaction_topic_min_isr: i32,

    pub log_retention_check_interval_ms: i64,
    pub log_segment_delete_delay_ms: i64,
    pub log_flush_interval_messages: i64,
    pub log_flush_interval_ms: i64,
    pub log_flush_scheduler_interval_ms: i64,
    pub log_flush_offset_checkpoint_interval_ms: i32,
    pub log_flush_start_offset_checkpoint_interval_ms: i32,
    pub high_watermark_checkpoint_interval_ms: i64,
    pub num_io_threads: i32,
    pub num_network_threads: i32,
    pub num_recovery_threads_per_data_dir: i32,
    pub background_threads: i32,
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
        Self::build(self.given.clone(), self.cluster_id.clone(), own, default)
            .unwrap_or_else(|_| self.clone())
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
        let delay_is_set = texts.contains_key("group.initial.rebalance.delay.ms");
        drop(texts);
        let reader = Reader { values: &values };
        let settings = reader.settings(delay_is_set, cluster_id)?;
        Ok(BrokerConfig(Arc::new(BrokerSettings {
            given,
            dynamic_broker,
            dynamic_cluster_default,
            values,
            ..settings
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
    /// The value in force of any broker key.
    pub fn value(&self, name: &str) -> &ConfigValue {
        match broker::index(name) {
            Some(index) => &self.values[index],
            None => &ConfigValue::Null,
        }
    }

    /// A whole number key; asking for anything else is a mistake of the caller.
    pub fn get_i64(&self, name: &str) -> i64 {
        Reader { values: &self.values }.long(name)
    }

    pub fn get_bool(&self, name: &str) -> bool {
        Reader { values: &self.values }.boolean(name)
    }

    pub fn get_f64(&self, name: &str) -> f64 {
        Reader { values: &self.values }.double(name)
    }

    pub fn get_str(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            ConfigValue::String(text) | ConfigValue::Class(text) => Some(text),
            _ => None,
        }
    }

    pub fn get_list(&self, name: &str) -> &[String] {
        match self.value(name) {
            ConfigValue::List(entries) => entries,
            _ => &[],
        }
    }

    /// Whether somebody set the key, statically or while running.
    pub fn is_set(&self, name: &str) -> bool {
        self.given.contains_key(name)
            || self.dynamic_broker.contains_key(name)
            || self.dynamic_cluster_default.contains_key(name)
    }

    /// What the authorizer is told, if there is to be one.
    pub fn authorizer(&self) -> Option<AuthorizerSettings> {
        let given = |key: &str| self.given.get(key).map(|given| given.value.trim()).unwrap_or_default();
        let is_wanted = self.get_str("authorizer.class.name") == Some(startup::STANDARD_AUTHORIZER);
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
        let ms = self.value("log.retention.ms").as_i64();
        let minutes = || self.value("log.retention.minutes").as_i64().map(|minutes| minutes * 60_000);
        let ms = ms.or_else(minutes).unwrap_or_else(|| self.get_i64("log.retention.hours") * 3_600_000);
        ms.max(-1)
    }

    /// log.roll.ms, or its hours.
    pub fn log_roll_ms(&self) -> i64 {
        self.value("log.roll.ms").as_i64().unwrap_or_else(|| self.get_i64("log.roll.hours") * 3_600_000)
    }

    /// log.roll.jitter.ms, or its hours.
    pub fn log_roll_jitter_ms(&self) -> i64 {
        let ms = self.value("log.roll.jitter.ms").as_i64();
        ms.unwrap_or_else(|| self.get_i64("log.roll.jitter.hours") * 3_600_000)
    }
}

/// Typed access to the values of all rows.
struct Reader<'a> {
    values: &'a [ConfigValue],
}

impl Reader<'_> {
    fn get(&self, name: &str) -> &ConfigValue {
        match broker::index(name) {
            Some(index) => &self.values[index],
            None => panic!("{name} is not a broker key"),
        }
    }

    fn long(&self, name: &str) -> i64 {
        match self.get(name).as_i64() {
            Some(number) => number,
            None => panic!("{name} has no whole number"),
        }
    }

    fn int(&self, name: &str) -> i32 {
        match self.get(name) {
            ConfigValue::Int(number) => *number,
            other => panic!("{name} is no INT but {other:?}"),
        }
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.long(name)).unwrap_or(0)
    }

    fn short(&self, name: &str) -> i16 {
        i16::try_from(self.long(name)).unwrap_or(i16::MAX)
    }

    fn boolean(&self, name: &str) -> bool {
        match self.get(name) {
            ConfigValue::Boolean(value) => *value,
            other => panic!("{name} is no BOOLEAN but {other:?}"),
        }
    }

    fn double(&self, name: &str) -> f64 {
        match self.get(name) {
            ConfigValue::Double(value) => *value,
            other => panic!("{name} is no DOUBLE but {other:?}"),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).text()
    }

    fn list(&self, name: &str) -> Option<&[String]> {
        match self.get(name) {
            ConfigValue::List(entries) => Some(entries),
            _ => None,
        }
    }

    fn settings(
        &self,
        delay_is_set: bool,
        cluster_id: Option<String>,
    ) -> Result<BrokerSettings, ConfigError> {
        let sockets = self.sockets()?;
        let log_dirs = self.list("log.dirs").or(self.list("log.dir")).unwrap_or(&[]).to_vec();
        let flush_scheduler = self.long("log.flush.scheduler.interval.ms");
        Ok(BrokerSettings {
            given: BTreeMap::new(),
            dynamic_broker: ConfigMap::new(),
            dynamic_cluster_default: ConfigMap::new(),
            values: Vec::new(),
            node_id: self.int("node.id"),
            cluster_id,
            rack: self.text("broker.rack"),
            process_roles: self.list("process.roles").unwrap_or(&[]).to_vec(),
            log_dirs,
            durability: match self.text("ottla.durability").as_deref() {
                Some("os") => Durability::Os,
                Some("fsync") => Durability::Fsync,
                _ => Durability::SurviveOne,
            },
            http_listener: self.text("ottla.http.listener").filter(|address| !address.is_empty()),
            memory_budget_bytes: self.long("ottla.memory.budget.bytes").unsigned_abs(),
            metrics_series_max: self.count("ottla.metrics.series.max"),
            listeners: sockets.listeners,
            controller_listeners: sockets.controller_listeners,
            advertised_listeners: sockets.advertised,
            listener_security_protocol_map: sockets.map,
            inter_broker_listener_name: self.text("inter.broker.listener.name").map(|n| n.to_uppercase()),
            socket_request_bytes_max: self.count("socket.request.max.bytes"),
            socket_send_buffer_bytes: self.int("socket.send.buffer.bytes"),
            socket_receive_buffer_bytes: self.int("socket.receive.buffer.bytes"),
            socket_listen_backlog: self.int("socket.listen.backlog.size"),
            connections_idle_ms_max: self.long("connections.max.idle.ms"),
            connections_max: self.count("max.connections"),
            connections_per_ip_max: self.count("max.connections.per.ip"),
            connections_per_ip_max_overrides: self.per_ip_overrides()?,
            num_partitions: self.int("num.partitions"),
            default_replication_factor: self.short("default.replication.factor"),
            auto_create_topics_enable: self.boolean("auto.create.topics.enable"),
            delete_topic_enable: self.boolean("delete.topic.enable"),
            message_bytes_max: self.int("message.max.bytes"),
            fetch_bytes_max: self.int("fetch.max.bytes"),
            incremental_fetch_session_slots_max: self.count("max.incremental.fetch.session.cache.slots"),
            request_partition_size_limit: self.int("max.request.partition.size.limit"),
            group_session_timeout_ms_min: self.int("group.min.session.timeout.ms"),
            group_session_timeout_ms_max: self.int("group.max.session.timeout.ms"),
            group_initial_rebalance_delay_ms: self.int("group.initial.rebalance.delay.ms"),
            group_initial_rebalance_delay_is_set: delay_is_set,
            group_max_size: self.count("group.max.size"),
            offset_metadata_bytes_max: self.count("offset.metadata.max.bytes"),
            offsets_retention_ms: self.long("offsets.retention.minutes") * 60_000,
            offsets_retention_check_interval_ms: self.long("offsets.retention.check.interval.ms"),
            offsets_commit_timeout_ms: self.int("offsets.commit.timeout.ms"),
            offsets_topic_num_partitions: self.int("offsets.topic.num.partitions"),
            offsets_topic_replication_factor: self.short("offsets.topic.replication.factor"),
            offsets_topic_segment_bytes: self.int("offsets.topic.segment.bytes"),
            offsets_topic_compression_codec: self.int("offsets.topic.compression.codec"),
            producer_id_expiration_ms: self.int("producer.id.expiration.ms"),
            log_cleaner_enable: self.boolean("log.cleaner.enable"),
            log_cleaner_threads: self.int("log.cleaner.threads"),
            log_cleaner_backoff_ms: self.long("log.cleaner.backoff.ms"),
            log_cleaner_dedupe_buffer_bytes: self.long("log.cleaner.dedupe.buffer.size"),
            log_cleaner_io_buffer_bytes: self.int("log.cleaner.io.buffer.size"),
            log_cleaner_io_buffer_load_factor: self.double("log.cleaner.io.buffer.load.factor"),
            log_cleaner_io_bytes_per_second_max: self.double("log.cleaner.io.max.bytes.per.second"),
            transaction_timeout_ms_max: self.int("transaction.max.timeout.ms"),
            transaction_abort_interval_ms: self
                .int("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            transaction_expiration_interval_ms: self
                .int("transaction.remove.expired.transaction.cleanup.interval.ms"),
            transactional_id_expiration_ms: self.int("transactional.id.expiration.ms"),
            transaction_topic_num_partitions: self.int("transaction.state.log.num.partitions"),
            transaction_topic_replication_factor: self.short("transaction.state.log.replication.factor"),
            transaction_topic_segment_bytes: self.int("transaction.state.log.segment.bytes"),
            transaction_topic_min_isr: self.int("transaction.state.log.min.isr"),
            log_retention_check_interval_ms: self.long("log.retention.check.interval.ms"),
            log_segment_delete_delay_ms: self.long("log.segment.delete.delay.ms"),
            log_flush_interval_messages: self.long("log.flush.interval.messages"),
            log_flush_interval_ms: self.get("log.flush.interval.ms").as_i64().unwrap_or(flush_scheduler),
            log_flush_scheduler_interval_ms: flush_scheduler,
            log_flush_offset_checkpoint_interval_ms: self.int("log.flush.offset.checkpoint.interval.ms"),
            log_flush_start_offset_checkpoint_interval_ms: self
                .int("log.flush.start.offset.checkpoint.interval.ms"),
            high_watermark_checkpoint_interval_ms: self.long("replica.high.watermark.checkpoint.interval.ms"),
            num_io_threads: self.int("num.io.threads"),
            num_network_threads: self.int("num.network.threads"),
            num_recovery_threads_per_data_dir: self.int("num.recovery.threads.per.data.dir"),
            background_threads: self.int("background.threads"),
        })
    }

    fn sockets(&self) -> Result<Sockets, ConfigError> {
        let map_text = self.text("listener.security.protocol.map").unwrap_or_default();
        let mut map = listeners::parse_protocol_map(&map_text)?;
        let controllers: Vec<String> = self
            .list("controller.listener.names")
            .unwrap_or(&[])
            .iter()
            .map(|name| name.to_uppercase())
            .collect();
        if map_text == DEFAULT_PROTOCOL_MAP {
            // Kafka's convenience: an unmapped controller listener is plaintext while nobody wrote a map.
            for name in &controllers {
                map.entry(name.clone()).or_insert(listeners::SecurityProtocol::Plaintext);
            }
        }
        let all = listeners::parse_listeners("listeners", self.list("listeners").unwrap_or(&[]), &map, true)?;
        let advertised = self
            .list("advertised.listeners")
            .map(|entries| listeners::parse_listeners("advertised.listeners", entries, &map, false))
            .transpose()?;
        let (controller_listeners, listeners) =
            all.into_iter().partition(|listener| controllers.contains(&listener.name));
        let not_controller = |l: &Listener| !controllers.contains(&l.name);
        let advertised: Option<Vec<Listener>> =
            advertised.map(|entries| entries.into_iter().filter(not_controller).collect());
        let advertised = advertised.filter(|entries| !entries.is_empty());
        Ok(Sockets { listeners, controller_listeners, advertised, map })
    }

    fn per_ip_overrides(&self) -> Result<Vec<(String, usize)>, ConfigError> {
        const KEY: &str = "max.connections.per.ip.overrides";
        let text = self.text(KEY).unwrap_or_default();
        let mut overrides = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let parsed = entry.rsplit_once(':').and_then(|(host, count)| {
                let host = host.trim();
                let count = count.trim().parse().ok()?;
                (!host.is_empty()).then(|| (host.to_owned(), count))
            });
            let why = || ConfigError::value(KEY, &text, format!("`{entry}` is not of the form host:count"));
            overrides.push(parsed.ok_or_else(why)?);
        }
        Ok(overrides)
    }
}

struct Sockets {
    listeners: Vec<Listener>,
    controller_listeners: Vec<Listener>,
    advertised: Option<Vec<Listener>>,
    map: ProtocolMap,
}

const DEFAULT_PROTOCOL_MAP: &str =
    "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT";
