//! The numbers that groups are run by, under Kafka's names.
//! Core.

use std::fmt;
use std::sync::Arc;

pub use ottla_config::{
    AutoOffsetReset, ConsumerGroupConfig, IsolationLevel, MigrationPolicy, ShareGroupConfig,
    StreamsGroupConfig,
};

use crate::assignor::ConsumerAssignor;
use crate::group::counts::GroupCounts;
use crate::topic_lookup::CurrentTopics;

/// Settings of the group coordinator; the defaults are Kafka's, but for the initial delay.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max_ms: i32,
    /// `group.initial.rebalance.delay.ms` when somebody set it; otherwise the delay is adaptive: a
    /// lone first member does not wait (see `group::rebalance`).
    pub initial_rebalance_delay_ms: Option<i32>,
    /// `group.max.size`.
    pub members_max: i32,
    /// `offset.metadata.max.bytes`; counted in UTF-16 units, as Kafka does.
    pub offset_metadata_max: i32,
    /// `offsets.retention.minutes`.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// How long a member that just joined may wait for its first rebalance; no Kafka setting either.
    pub new_member_join_timeout_ms: i64,
    /// `group.share.session.timeout.ms`, for members that a restart finds.
    pub share_session_timeout_ms: i32,
    /// `group.share.max.size`.
    pub share_members_max: i32,
    /// `group.share.initialize.retry.interval.ms`.
    pub share_initialize_retry_interval_ms: i64,
    pub consumer_configs: ConsumerConfigs,
    /// `group.consumer.max.size`.
    pub consumer_members_max: i32,
    /// `group.consumer.assignors`, at least one: the first is that of members who ask for none.
    pub consumer_assignors: Vec<ConsumerAssignor>,
    /// `group.consumer.migration.policy`.
    pub consumer_migration_policy: MigrationPolicy,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub consumer_regex_refresh_interval_ms: i64,
    pub topics: CurrentTopics,
    /// `group.streams.session.timeout.ms`, for members that a restart finds.
    pub streams_session_timeout_ms: i32,
    /// `group.streams.max.size`.
    pub streams_members_max: i32,
    /// No setting: where what happens to groups is counted.
    pub counts: Arc<GroupCounts>,
}

impl Default for GroupSettings {
    fn default() -> GroupSettings {
        GroupSettings {
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            initial_rebalance_delay_ms: None,
            members_max: i32::MAX,
            offset_metadata_max: 4096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
            offsets_retention_check_interval_ms: 600_000,
            new_member_join_timeout_ms: 5 * 60 * 1000,
            share_session_timeout_ms: 45_000,
            share_members_max: 200,
            share_initialize_retry_interval_ms: 30_000,
            consumer_configs: ConsumerConfigs::default(),
            consumer_members_max: i32::MAX,
            consumer_assignors: ConsumerAssignor::ALL.to_vec(),
            consumer_migration_policy: MigrationPolicy::Bidirectional,
            consumer_regex_refresh_interval_ms: 600_000,
            topics: CurrentTopics::default(),
            streams_session_timeout_ms: 45_000,
            streams_members_max: i32::MAX,
            counts: Arc::default(),
        }
    }
}

/// The settings of share groups, as they are now.
pub trait ShareGroupConfigs: Send + Sync {
    fn of(&self, group_id: &str) -> ShareGroupConfig;
}

/// The settings of consumer groups, as they are now: a group's own over the broker's.
#[derive(Clone)]
pub struct ConsumerConfigs(Arc<dyn Fn(&str) -> ConsumerGroupConfig + Send + Sync>);

impl ConsumerConfigs {
    pub fn new(of: impl Fn(&str) -> ConsumerGroupConfig + Send + Sync + 'static) -> ConsumerConfigs {
        ConsumerConfigs(Arc::new(of))
    }

    pub fn of(&self, group_id: &str) -> ConsumerGroupConfig {
        (self.0)(group_id)
    }
}

impl Default for ConsumerConfigs {
    fn default() -> ConsumerConfigs {
        let config = ConsumerGroupConfig::default();
        ConsumerConfigs::new(move |_| config)
    }
}

impl fmt::Debug for ConsumerConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsumerConfigs")
    }
}
