//! What this broker's configuration says to the controller.
//! Core.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_config::{
    BrokerConfig, ConfigError, ConfigErrorKind, ConfigSources, OpType, ResourceKind, apply_op,
    describe_topic, validate_broker_change, validate_broker_settings, validate_client_metrics,
    validate_group, validate_topic,
};
use ottla_model::topic::{GROUP_METADATA_TOPIC, SHARE_GROUP_STATE_TOPIC, TRANSACTION_STATE_TOPIC};
use ottla_model::{BrokerId, ErrorCode, TopicName};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::create_topics_response::CreatableTopicConfigs;
use ottla_protocol::records::metadata::MetadataRecord;
use ottla_security::Secret;
use uuid::Uuid;

use crate::controller::ApiError;
use crate::controller::delegation_tokens::TokenRules;
use crate::controller::features::Feature;
use crate::image::{ConfigResource, Image, ResourceType, TopicImage};

/// The configuration in force and what the process serves.
#[derive(Clone, Debug)]
pub struct Rules {
    pub node_id: BrokerId,
    pub features: Vec<Feature>,
    /// What a new cluster has beside its features: whoever leads first writes it.
    pub first_records: Vec<MetadataRecord>,
    config: BrokerConfig,
}

/// The shape an internal topic needs.
pub struct InternalTopic {
    pub partitions: i32,
    pub replication_factor: i16,
    pub configs: Vec<(&'static str, String)>,
}

impl Rules {
    pub fn new(config: &BrokerConfig, features: Vec<Feature>) -> Rules {
        Rules {
            node_id: BrokerId(config.node_id),
            features,
            first_records: Vec::new(),
            config: config.clone(),
        }
    }

    /// The same for a node that begins a new cluster with more than its features.
    pub fn beginning_with(mut self, first_records: Vec<MetadataRecord>) -> Rules {
        self.first_records = first_records;
        self
    }

    pub fn num_partitions(&self) -> i32 {
        self.config.num_partitions
    }

    /// Brokers that the configuration names; a controller alone is told of none.
    pub fn brokers_named(&self) -> usize {
        if self.config.is_broker() { self.config.quorum_voters.len() } else { 0 }
    }

    /// Whether this node is the whole cluster.
    pub fn is_alone(&self) -> bool {
        !self.config.has_peers()
    }

    /// Whether controllers have a listener, by which others may come to this one.
    pub fn may_be_joined(&self) -> bool {
        self.config.is_controller() && !self.config.controller_listeners.is_empty()
    }

    pub fn default_replication_factor(&self) -> i16 {
        self.config.default_replication_factor
    }

    /// How long a broker that is not heard still counts as alive.
    pub fn broker_session_timeout(&self) -> Duration {
        Duration::from_millis(self.config.broker_session_timeout_ms.max(1) as u64)
    }

    /// In-sync replicas a topic needs: one number for the whole cluster (KAFKA-16540), and not more than it has replicas
    /// (`ReplicationControlManager.getTopicEffectiveMinIsr`).
    pub fn min_isr(&self, topic: &TopicImage) -> usize {
        let given = topic.overrides.get("min.insync.replicas").and_then(|value| value.parse().ok());
        let min_isr = given.unwrap_or(self.config.min_insync_replicas);
        usize::try_from(min_isr)
            .unwrap_or(1)
            .min(usize::try_from(topic.replication_factor()).unwrap_or(1))
            .max(1)
    }

    /// In-sync replicas that a topic needs where nothing says it otherwise.
    pub fn default_min_isr(&self) -> i32 {
        self.config.min_insync_replicas
    }

    /// How often preferred replicas are made to lead again; `None`: not by themselves.
    pub fn leader_balance_interval(&self) -> Option<Duration> {
        let seconds = self.config.leader_imbalance_check_interval_seconds.max(1) as u64;
        self.config.auto_leader_rebalance_enable.then_some(Duration::from_secs(seconds))
    }

    /// How often leaders are looked for among those that are out of sync.
    pub fn unclean_election_interval(&self) -> Duration {
        Duration::from_millis(self.config.unclean_leader_election_interval_ms.max(1) as u64)
    }

    /// Whether a topic would rather lose records than be without a leader.
    pub fn may_elect_unclean(&self, topic: &TopicImage) -> bool {
        let given = topic.overrides.get("unclean.leader.election.enable");
        given.map_or(self.config.unclean_leader_election_enable, |value| {
            value.trim().eq_ignore_ascii_case("true")
        })
    }

    /// What is said of delegation tokens; `None` where there are none.
    pub fn tokens(&self) -> Option<TokenRules> {
        let secret = self.config.token_secret_key.as_ref()?;
        Some(TokenRules {
            secret: Secret::new(secret.text()),
            lifetime_max_ms: self.config.token_lifetime_ms_max,
            renewal_ms: self.config.token_renewal_ms,
        })
    }

    /// How often tokens that have ended are removed.
    pub fn token_sweep_interval(&self) -> Duration {
        Duration::from_millis(self.config.token_expiry_check_interval_ms.max(1) as u64)
    }

    pub fn delete_topic_enable(&self) -> bool {
        self.config.delete_topic_enable
    }

    /// Takes over dynamic broker settings after they changed.
    pub fn refresh(&mut self, image: &Image) {
        self.config = self.config_of(image);
    }

    /// The configuration of this node as of this image.
    fn config_of(&self, image: &Image) -> BrokerConfig {
        let own = image.broker_dynamic(Some(self.node_id));
        self.config.with_dynamic(&own, &image.broker_dynamic(None))
    }

    /// Those of this node's directories, named in the order of `log.dirs`, that take no new replicas as of this image.
    pub fn cordoned_of(&self, image: &Image, log_dirs: &[Uuid]) -> Vec<Uuid> {
        self.config_of(image).cordoned_of(log_dirs)
    }

    /// Whether a resource may have these settings; `existing` is what it has now.
    pub fn validate(
        &self,
        resource: &ConfigResource,
        settings: &BTreeMap<String, String>,
        existing: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        match resource.resource_type {
            ResourceType::Topic => validate_topic(&self.config, existing, settings),
            // Another broker has looked at its own before it let the controller know.
            ResourceType::Broker if self.is_of_another_broker(resource) => {
                validate_broker_settings(true, settings)
            }
            ResourceType::Broker => validate_broker_change(&self.config, !resource.name.is_empty(), settings),
            ResourceType::Group => validate_group(&self.config, settings),
            ResourceType::ClientMetrics => validate_client_metrics(&resource.name, settings),
            ResourceType::BrokerLogger => Ok(()),
        }
        .map_err(refused)
    }

    fn is_of_another_broker(&self, resource: &ConfigResource) -> bool {
        !resource.name.is_empty() && resource.name != self.node_id.to_string()
    }

    /// The value after an operation of IncrementalAlterConfigs.
    pub fn apply(
        &self,
        resource_type: ResourceType,
        name: &str,
        current: Option<&str>,
        operation: OpType,
        operand: Option<&str>,
    ) -> Result<Option<String>, ApiError> {
        let kind = match resource_type {
            ResourceType::Topic => ResourceKind::Topic,
            ResourceType::Broker | ResourceType::BrokerLogger => ResourceKind::Broker,
            ResourceType::Group => ResourceKind::Group,
            ResourceType::ClientMetrics => ResourceKind::ClientMetrics,
        };
        apply_op(kind, name, current, operation, operand).map_err(refused)
    }

    /// The settings a topic with these overrides has, as CreateTopics answers them.
    pub fn describe_new_topic(&self, overrides: &BTreeMap<String, String>) -> Vec<CreatableTopicConfigs> {
        let mut entries = describe_topic(&ConfigSources { broker: &self.config, overrides }, None);
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let describe = |entry: ottla_config::ConfigEntry| {
            CreatableTopicConfigs::default()
                .with_name(StrBytes::from_string(entry.name))
                .with_value(entry.value.filter(|_| !entry.is_sensitive).map(StrBytes::from_string))
                .with_read_only(entry.read_only)
                .with_config_source(entry.source.code())
                .with_is_sensitive(entry.is_sensitive)
        };
        entries.into_iter().map(describe).collect()
    }

    /// How an internal topic of this release is made; `None` for all other topics.
    pub fn internal_topic(&self, name: &TopicName) -> Option<InternalTopic> {
        let config = &self.config;
        let (partitions, replication_factor, compression, segment_bytes) = match name.as_str() {
            GROUP_METADATA_TOPIC => (
                config.offsets_topic_num_partitions,
                config.offsets_topic_replication_factor,
                "producer",
                config.offsets_topic_segment_bytes,
            ),
            TRANSACTION_STATE_TOPIC => (
                config.transaction_topic_num_partitions,
                config.transaction_topic_replication_factor,
                "uncompressed",
                config.transaction_topic_segment_bytes,
            ),
            SHARE_GROUP_STATE_TOPIC => {
                let codec = usize::try_from(config.share_topic_compression_codec).unwrap_or(0);
                let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
                (
                    config.share_topic_num_partitions,
                    config.share_topic_replication_factor,
                    codecs.get(codec).copied().unwrap_or("none"),
                    config.share_topic_segment_bytes,
                )
            }
            _ => return None,
        };
        if name.as_str() == SHARE_GROUP_STATE_TOPIC {
            // The coordinator deletes what it does not need: as Kafka's, the log itself deletes nothing.
            let configs = vec![
                ("cleanup.policy", "delete".to_owned()),
                ("compression.type", if compression == "none" { "producer" } else { compression }.to_owned()),
                ("segment.bytes", segment_bytes.to_string()),
                ("retention.ms", "-1".to_owned()),
            ];
            return Some(InternalTopic { partitions, replication_factor, configs });
        }
        let mut configs = vec![
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", compression.to_owned()),
            ("segment.bytes", segment_bytes.to_string()),
        ];
        if name.as_str() == TRANSACTION_STATE_TOPIC {
            // As Kafka makes it; with one replica the smaller of the two numbers counts.
            configs.push(("min.insync.replicas", config.transaction_topic_min_isr.to_string()));
            configs.push(("unclean.leader.election.enable", "false".to_owned()));
        }
        Some(InternalTopic { partitions, replication_factor, configs })
    }
}

fn refused(error: ConfigError) -> ApiError {
    let code = match error.kind {
        ConfigErrorKind::InvalidConfig => ErrorCode::InvalidConfig,
        ConfigErrorKind::InvalidRequest => ErrorCode::InvalidRequest,
    };
    ApiError::new(code, error.message)
}
