//! config room: one row a key; who overrides whom; what a value may be; what DescribeConfigs answers.
//! Core, but for `dynamic`, which holds the configuration in force.
//!
//! Reading order: `row` (what is known of a key), `keys` (rows with their typed fields), `broker/in_force`, `topic`,
//! `group` (the keys that do something), `settings` and `load` (from texts to a configuration), `inherit` (a topic's
//! and a group's values), `dynamic`, `listener_keys` (values that a listener may
//! have of its own), `describe`, `alter`, `startup`, `quorum`, `effect` and `listing`.

pub mod broker;
pub mod client_metrics;
pub mod environment;
pub mod group;
pub mod jaas;
pub mod properties;
pub mod topic;

mod alter;
mod client_metrics_config;
mod describe;
mod dynamic;
mod effect;
mod error;
mod group_config;
mod inherit;
mod java_opts;
mod keys;
mod listener_keys;
mod listeners;
mod listing;
mod load;
mod nearest;
mod node_logins;
mod providers;
mod quorum;
mod row;
mod sasl;
mod settings;
mod signed_tokens;
mod start_topics;
mod startup;
mod topic_config;
mod validators;
mod value;

pub use alter::{
    OpType, ResourceKind, apply_op, validate_broker_change, validate_broker_settings,
    validate_client_metrics, validate_group, validate_topic, validate_topic_override,
};
pub use broker::{OTTLA_DEFAULTS, OttlaDefault};
pub use client_metrics_config::{CLIENT_METRICS_INTERVAL_MS, ClientMatch, ClientMetricsSubscription};
pub use describe::{
    ConfigEntry, ConfigSource, ConfigSynonym, describe_broker, describe_client_metrics,
    describe_cluster_default, describe_group, describe_topic,
};
pub use dynamic::DynamicBrokerConfig;
pub use effect::{Effect, effect_of_broker_key, effect_of_group_key, effect_of_topic_key, fields_in_force};
pub use error::{ConfigError, ConfigErrorKind, Warning};
pub use group::{ConsumerGroupConfig, ShareGroupConfig, StreamsGroupConfig};
pub use group_config::{AutoOffsetReset, IsolationLevel, MigrationPolicy};
pub use keys::HiddenText;
pub use listener_keys::{ListenerKeys, keys_of_listeners};
pub use listeners::Listener;
pub use listing::render_config_listing;
pub use load::{load, load_with};
pub use nearest::nearest_key;
pub use node_logins::{NodeLogin, NodeSecret};
pub use providers::{Machine, NoFiles};
pub use quorum::QuorumVoter;
pub use row::{ConfigRow, ConfigType, CustomCheck, DynamicMode, Importance, Synonym, Validation, Visibility};
pub use sasl::{SaslListener, SaslMechanism, TokenCheck, UnsecuredTokens};
pub use settings::{
    AuthorizerSettings, Balance, BrokerConfig, BrokerSettings, ConfigMap, Durability, FailureDetection,
    Given, Origin, Reconfigurable, ReplicaSelector,
};
pub use signed_tokens::{EndpointTrust, KeysEndpoint, SignedTokens};
pub use start_topics::StartTopic;
pub use topic::TopicConfig;
pub use topic_config::{CleanupPolicy, CompressionType, ConfigSources, TimestampType};
pub use validators::consumer_assignor;
pub use value::{ConfigValue, parse as parse_value};
