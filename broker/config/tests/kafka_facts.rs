//! Our answers beside those recorded from a real Apache Kafka 4.3.1 node (tests/fixtures): describe, values, changes.
//! Core.

use std::collections::BTreeMap;

use ottla_config::{
    BrokerConfig, ConfigEntry, ConfigErrorKind, ConfigMap, ConfigSource, ConfigSources, ConfigType,
    OTTLA_DEFAULTS, OpType, ResourceKind, apply_op, describe_broker, describe_client_metrics,
    describe_cluster_default, describe_group, describe_topic, load, topic, validate_broker_change,
    validate_client_metrics, validate_group, validate_topic, validate_topic_override,
};

const PROPERTIES: &str = include_str!("fixtures/server.properties");
const DESCRIBED: &str = include_str!("fixtures/describe.txt");
const TOPIC_VALUES: &str = include_str!("fixtures/topic-values.txt");
const CHANGES: &str = include_str!("fixtures/changes.txt");

fn map(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn loaded() -> BrokerConfig {
    let (config, warnings) = load(Some(("server.properties", PROPERTIES)), &[], &[]).unwrap();
    let unknown: Vec<&str> = warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(unknown, ["my.custom.key", "my.custom.password"]);
    config
}

/// Formatting a Kafka node finalizes ELR, and that sets min.insync.replicas for all brokers.
fn formatted() -> BrokerConfig {
    loaded().with_dynamic(&ConfigMap::new(), &map(&[("min.insync.replicas", "1")]))
}

fn changed() -> BrokerConfig {
    loaded().with_dynamic(
        &map(&[
            ("background.threads", "11"),
            ("leader.replication.throttled.rate", "5000"),
            ("log.retention.ms", "88000"),
            ("log.roll.ms", "99000"),
        ]),
        &map(&[
            ("log.cleaner.threads", "2"),
            ("log.retention.ms", "77000"),
            ("log.segment.bytes", "2000000"),
            ("message.max.bytes", "3000000"),
            ("min.insync.replicas", "1"),
        ]),
    )
}

fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Topic => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        ConfigSource::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigSource::StaticBroker => "STATIC_BROKER_CONFIG",
        ConfigSource::Default => "DEFAULT_CONFIG",
        ConfigSource::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
        ConfigSource::Group => "DYNAMIC_GROUP_CONFIG",
    }
}

/// An entry as the recording writes it. Defaults that are ours by decision are written as Kafka has them.
fn recorded_form(entry: &ConfigEntry) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "\\0".to_owned());
    let ours = |name: &str| OTTLA_DEFAULTS.iter().any(|default| default.name == name);
    let kafkas = |name: &str| ottla_config::broker::row(name).and_then(|row| row.default);
    let synonyms: Vec<String> = entry
        .synonyms
        .iter()
        .filter_map(|synonym| {
            let value = if synonym.source == ConfigSource::Default && ours(&synonym.name) {
                kafkas(&synonym.name)?.to_owned()
            } else {
                text(&synonym.value)
            };
            Some(format!("{}={value}@{}", synonym.name, source(synonym.source)))
        })
        .collect();
    let value = if entry.source == ConfigSource::Default && ours(&entry.name) {
        kafkas(&entry.name).map_or_else(|| "\\0".to_owned(), str::to_owned)
    } else {
        text(&entry.value)
    };
    format!(
        "{value}\t{}\t{}\t{}\t{}\t{}",
        entry.config_type.map_or("UNKNOWN", ConfigType::name),
        source(entry.source),
        if entry.read_only { "ro" } else { "rw" },
        if entry.is_sensitive { "sensitive" } else { "plain" },
        synonyms.join("|")
    )
}

fn recording(case: &str) -> BTreeMap<&'static str, &'static str> {
    let lines = DESCRIBED.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.map(|line| line.splitn(3, '\t').collect::<Vec<_>>());
    fields.filter(|fields| fields[0] == case).map(|fields| (fields[1], fields[2])).collect()
}

#[track_caller]
fn assert_described(case: &str, entries: &[ConfigEntry]) {
    let mut expected = recording(case.strip_prefix("dyn-").unwrap_or(case));
    if case.starts_with("dyn-") {
        expected.extend(recording(case));
    }
    assert!(!expected.is_empty());
    let found: BTreeMap<&str, String> = entries
        .iter()
        .filter(|entry| !entry.name.starts_with("ottla."))
        .map(|entry| (entry.name.as_str(), recorded_form(entry)))
        .collect();
    for (name, line) in &expected {
        assert_eq!(found.get(name).map(String::as_str), Some(*line), "{case}: {name}");
    }
    let more: Vec<&&str> = found.keys().filter(|name| !expected.contains_key(*name)).collect();
    assert!(more.is_empty(), "{case}: not in the recording: {more:?}");
}

fn overrides() -> ConfigMap {
    map(&[
        ("cleanup.policy", "compact"),
        ("retention.ms", "5000"),
        ("min.cleanable.dirty.ratio", "0.25"),
        ("max.message.bytes", " 2000000 "),
        ("follower.replication.throttled.replicas", "*"),
        ("remote.log.copy.disable", "false"),
    ])
}

#[test]
fn topics_are_described_as_kafka_describes_them() {
    let (plain, set) = (ConfigMap::new(), overrides());
    for (prefix, config) in [("", formatted()), ("dyn-", changed())] {
        for (name, overrides) in [("topic-plain", &plain), ("topic-set", &set)] {
            let sources = ConfigSources { broker: &config, overrides };
            assert_described(&format!("{prefix}{name}"), &describe_topic(&sources, None));
        }
    }
}

#[test]
fn an_internal_key_is_described_where_it_is_set() {
    let (config, set) = (formatted(), map(&[("internal.segment.bytes", "1000")]));
    let entries = describe_topic(&ConfigSources { broker: &config, overrides: &set }, None);
    assert_eq!(entries.len(), 34);
    let entry = entries.iter().find(|entry| entry.name == "internal.segment.bytes").unwrap();
    assert_eq!(recorded_form(entry), recording("int-topic-plain")["internal.segment.bytes"]);
}

#[test]
fn brokers_are_described_as_kafka_describes_them() {
    assert_described("broker", &describe_broker(&formatted(), None));
    assert_described("dyn-broker", &describe_broker(&changed(), None));
    assert_described("cluster", &describe_cluster_default(&formatted(), None));
    assert_described("dyn-cluster", &describe_cluster_default(&changed(), None));
    let described = describe_broker(&formatted(), None);
    let is_alterable = |entry: &&ConfigEntry| !entry.read_only && !entry.name.starts_with("ottla.");
    assert_eq!(described.iter().filter(is_alterable).count(), 99);
}

#[test]
fn groups_and_client_metrics_are_described_as_kafka_describes_them() {
    let config = formatted();
    assert_described("group", &describe_group(&config, &ConfigMap::new(), None));
    let set = map(&[("consumer.session.timeout.ms", "50000")]);
    assert_described("dyn-group", &describe_group(&config, &set, None));
    assert_described("client-metrics", &describe_client_metrics(&ConfigMap::new(), None));
    let set = map(&[("interval.ms", "1000"), ("metrics", "a.b,c")]);
    assert_described("dyn-client-metrics", &describe_client_metrics(&set, None));
}

#[test]
fn only_the_keys_asked_for_are_described() {
    let (config, none) = (formatted(), ConfigMap::new());
    let sources = ConfigSources { broker: &config, overrides: &none };
    let keys = ["retention.ms".to_owned(), "no.such.key".to_owned()];
    let names = |entries: Vec<ConfigEntry>| entries.into_iter().map(|e| e.name).collect::<Vec<_>>();
    assert_eq!(names(describe_topic(&sources, Some(&keys))), ["retention.ms"]);
    assert_eq!(describe_topic(&sources, Some(&[])).len(), 33);
    assert_eq!(names(describe_broker(&config, Some(&["node.id".to_owned()]))), ["node.id"]);
}

#[test]
fn topic_values_are_read_and_refused_as_kafka_does() {
    let mut count = 0;
    for line in TOPIC_VALUES.lines().filter(|line| !line.starts_with('#')) {
        let [name, text, answer] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let ours = match validate_topic_override(name, text) {
            Ok(()) => {
                let value = ottla_config::parse_value(topic::row(name).unwrap(), text).unwrap();
                format!("OK {}", value.text().unwrap())
            }
            Err(error) => format!("ERR {error}"),
        };
        assert_eq!(ours, answer, "{name}={text:?}");
        count += 1;
    }
    assert!(count > 500);
}

/// Changes that are answered differently here, each with its reason.
const DIFFERENCES: &[(&str, &str)] = &[
    ("BROKER/1/SET/listeners=PLAINTEXT", "Kafka reopens listeners while running; here a restart does"),
    ("BROKER/1/SET/principal.builder.class", "no Java class can be run here, so none is looked for"),
    ("BROKER//SET/principal.builder.class", "no Java class can be run here, so none is looked for"),
    ("BROKER/1/SET/metric.reporters", "no Java class can be run here; the key has no effect"),
    ("BROKER//SET/metric.reporters", "no Java class can be run here; the key has no effect"),
    ("BROKER/1/SET/max.connections.per.ip.overrides", "Kafka answers texts of the Java library"),
    ("BROKER//SET/max.connections.per.ip.overrides", "Kafka answers texts of the Java library"),
    ("BROKER/1/SET/num.partitions=3;log.dirs", "Kafka lists the names in the order of a hash set"),
    ("BROKER//SET/num.partitions=3;log.dirs", "Kafka lists the names in the order of a hash set"),
    ("BROKER/1/SET/min.insync.replicas", "eligible leader replicas are not finalized here"),
    ("BROKER/1/DELETE/min.insync.replicas", "eligible leader replicas are not finalized here"),
    ("BROKER//DELETE/min.insync.replicas", "eligible leader replicas are not finalized here"),
    ("GROUP//SET/", "the name of the resource is checked by who answers the request"),
];

/// The state that the recorded changes build up.
struct Cluster {
    config: BrokerConfig,
    kept: BTreeMap<(String, String), ConfigMap>,
}

impl Cluster {
    fn change(&mut self, kind: &str, name: &str, op: &str, pairs: &str) -> String {
        let (resource, op) = (resource(kind), operation(op));
        let key = (kind.to_owned(), name.to_owned());
        let before = self.kept.get(&key).cloned().unwrap_or_default();
        let mut after = before.clone();
        for pair in pairs.split(';') {
            let (config, operand) = pair.split_once('=').unwrap();
            let operand = (operand != "null").then_some(operand);
            match apply_op(resource, config, before.get(config).map(String::as_str), op, operand) {
                Ok(Some(text)) => after.insert(config.to_owned(), text),
                Ok(None) => after.remove(config),
                Err(error) => return answer(Err(error)),
            };
        }
        let result = match resource {
            ResourceKind::Topic => validate_topic(&self.config, &before, &after),
            ResourceKind::Broker => validate_broker_change(&self.config, !name.is_empty(), &after),
            ResourceKind::Group => validate_group(&self.config, &after),
            ResourceKind::ClientMetrics => validate_client_metrics(name, &after),
        };
        if result.is_ok() {
            self.kept.insert(key, after);
            let of = |id: &str| self.kept.get(&("BROKER".to_owned(), id.to_owned())).cloned();
            self.config = self.config.with_dynamic(&of("1").unwrap_or_default(), &of("").unwrap_or_default());
        }
        answer(result)
    }
}

fn answer(result: Result<(), ottla_config::ConfigError>) -> String {
    match result {
        Ok(()) => "OK".to_owned(),
        Err(error) if error.kind == ConfigErrorKind::InvalidConfig => format!("40 {error}"),
        Err(error) => format!("42 {error}"),
    }
}

fn resource(kind: &str) -> ResourceKind {
    match kind {
        "TOPIC" => ResourceKind::Topic,
        "BROKER" => ResourceKind::Broker,
        "GROUP" => ResourceKind::Group,
        "CLIENT_METRICS" => ResourceKind::ClientMetrics,
        other => panic!("{other}"),
    }
}

fn operation(op: &str) -> OpType {
    let code = ["SET", "DELETE", "APPEND", "SUBTRACT"].iter().position(|name| *name == op).unwrap();
    OpType::from_code(i8::try_from(code).unwrap()).unwrap()
}

#[test]
fn changes_are_answered_as_kafka_answers_them() {
    let mut cluster = Cluster { config: loaded(), kept: BTreeMap::new() };
    let mut used = vec![false; DIFFERENCES.len()];
    for line in CHANGES.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [_, kind, name, op, pairs, expected] = fields[..] else { panic!("{line}") };
        let ours = cluster.change(kind, name, op, pairs);
        if ours != expected {
            let change = format!("{kind}/{name}/{op}/{pairs}");
            let known = DIFFERENCES.iter().position(|(prefix, _)| change.starts_with(prefix));
            let known = known.unwrap_or_else(|| panic!("{change}\n ours: {ours}\nkafka: {expected}"));
            used[known] = true;
        }
    }
    for (difference, used) in DIFFERENCES.iter().zip(used) {
        assert!(used, "no longer a difference: {difference:?}");
    }
}
