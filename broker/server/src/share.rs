//! Share groups' outside: the share coordinator's topic in the metadata image, and the groups' settings.
//! Shell. Subscribed behind the replica room: a partition is led before its share state loads.

use std::collections::HashSet;
use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_coordinator::share::ShareCoordinatorSettings;
use ottla_coordinator::{
    AutoOffsetReset, ShareCoordinator, ShareGroupConfig, ShareGroupConfigs, SharePartitionManager,
};
use ottla_env::Env;
use ottla_metadata::{Delta, Image, ImageListener, Metadata};
use ottla_records::Codec;
use ottla_replica::ReplicaManager;

use crate::groups_log::{self, GroupsLog};

/// The share coordinator and the share partitions, following the image from here on.
pub fn rooms(
    env: &Env,
    config: &BrokerConfig,
    metadata: &Arc<Metadata>,
    replicas: &Arc<ReplicaManager>,
) -> (Arc<ShareCoordinator>, Arc<SharePartitionManager>) {
    let log = GroupsLog::new(groups_log::SHARE_TOPIC, replicas.clone(), metadata.clone(), Codec::None);
    let state = ShareCoordinator::new(settings(config), Arc::new(log), env.clock.clone(), env.tasks.clone());
    let configs = Arc::new(Configs { metadata: metadata.clone(), replicas: replicas.clone() });
    let sessions_max = number(config, "group.share.max.share.sessions", 2000) as usize;
    let (clock, tasks) = (env.clock.clone(), env.tasks.clone());
    let partitions = SharePartitionManager::new(state.clone(), configs, clock, tasks, sessions_max);
    metadata.subscribe(Arc::new(ShareFollow { state: state.clone(), partitions: partitions.clone() }));
    (state, partitions)
}

fn settings(config: &BrokerConfig) -> ShareCoordinatorSettings {
    ShareCoordinatorSettings {
        updates_per_snapshot: number(config, "share.coordinator.snapshot.update.records.per.snapshot", 500)
            as i32,
        prune_interval_ms: number(config, "share.coordinator.state.topic.prune.interval.ms", 300_000),
        cold_snapshot_interval_ms: number(
            config,
            "share.coordinator.cold.partition.snapshot.interval.ms",
            300_000,
        ),
    }
}

/// A number of the configuration; `otherwise` cannot be, as every row has its default.
pub fn number(config: &BrokerConfig, name: &str, otherwise: i64) -> i64 {
    config.value(name).text().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

struct ShareFollow {
    state: Arc<ShareCoordinator>,
    partitions: Arc<SharePartitionManager>,
}

impl ImageListener for ShareFollow {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        if let Some(topic) = image.topic(groups_log::SHARE_TOPIC) {
            let first = match delta.partitions_added.get(&topic.id) {
                _ if delta.topics_created.contains(&topic.id) => Some(0),
                added => added.map(|first| first.0),
            };
            for partition in first.into_iter().flat_map(|first| first..topic.partitions.len() as i32) {
                // A partition that can't be loaded has said so; its groups are told to look elsewhere.
                let _ = self.state.load(partition);
            }
            if first.is_some() {
                // A deletion is answered before the removal of its share state is on the disk.
                self.state.forget_topics(|id| image.topic_by_id(id).is_none());
            }
        }
        if !delta.topics_deleted.is_empty() {
            let gone: HashSet<_> = delta.topics_deleted.iter().map(|(_, id)| *id).collect();
            self.partitions.on_topics_deleted(&gone);
            self.state.on_topics_deleted(&gone);
        }
    }
}

/// A group's own settings over the broker's, as they are when they are asked for.
struct Configs {
    metadata: Arc<Metadata>,
    replicas: Arc<ReplicaManager>,
}

impl ShareGroupConfigs for Configs {
    fn of(&self, group_id: &str) -> ShareGroupConfig {
        let overrides = self.metadata.image().group_overrides(group_id);
        let config = self.replicas.effective_config();
        let default = ShareGroupConfig::default();
        let number = |name: &str, otherwise: i32| -> i32 {
            let own = overrides.get(name).and_then(|text| text.parse().ok());
            own.unwrap_or_else(|| number(&config, &format!("group.{name}"), i64::from(otherwise)) as i32)
        };
        ShareGroupConfig {
            session_timeout_ms: number("share.session.timeout.ms", default.session_timeout_ms),
            heartbeat_interval_ms: number("share.heartbeat.interval.ms", default.heartbeat_interval_ms),
            assignment_interval_ms: number("share.assignment.interval.ms", default.assignment_interval_ms),
            record_lock_duration_ms: number("share.record.lock.duration.ms", default.record_lock_duration_ms),
            delivery_count_limit: number("share.delivery.count.limit", default.delivery_count_limit),
            partition_record_locks_max: number(
                "share.partition.max.record.locks",
                default.partition_record_locks_max,
            ),
            auto_offset_reset: overrides
                .get("share.auto.offset.reset")
                .map_or(AutoOffsetReset::Latest, |text| auto_offset_reset(text)),
            is_read_committed: overrides
                .get("share.isolation.level")
                .is_some_and(|level| level.eq_ignore_ascii_case("read_committed")),
            is_renew_enabled: overrides
                .get("share.renew.acknowledge.enable")
                .is_none_or(|text| !text.eq_ignore_ascii_case("false")),
        }
    }
}

fn auto_offset_reset(text: &str) -> AutoOffsetReset {
    match text.split_once(':') {
        Some((_, duration)) => AutoOffsetReset::ByDuration { duration_ms: duration_ms(duration) },
        None if text.eq_ignore_ascii_case("earliest") => AutoOffsetReset::Earliest,
        None => AutoOffsetReset::Latest,
    }
}

/// An ISO 8601 duration as Java reads it: days, hours, minutes, seconds.
fn duration_ms(text: &str) -> i64 {
    let mut total = 0.0;
    let mut digits = String::new();
    for letter in text.chars() {
        let unit_ms = match letter.to_ascii_uppercase() {
            '0'..='9' | '.' | '-' | '+' => {
                digits.push(letter);
                continue;
            }
            'D' => 86_400_000.0,
            'H' => 3_600_000.0,
            'M' => 60_000.0,
            'S' => 1_000.0,
            _ => continue,
        };
        total += digits.parse().unwrap_or(0.0) * unit_ms;
        digits.clear();
    }
    total as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_begins_where_its_setting_says() {
        assert_eq!(auto_offset_reset("latest"), AutoOffsetReset::Latest);
        assert_eq!(auto_offset_reset("earliest"), AutoOffsetReset::Earliest);
        let by = |duration_ms| AutoOffsetReset::ByDuration { duration_ms };
        assert_eq!(auto_offset_reset("by_duration:PT1H30M"), by(5_400_000));
        assert_eq!(auto_offset_reset("by_duration:P1DT0.5S"), by(86_400_500));
    }
}
