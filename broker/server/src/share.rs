//! Share groups' outside: the share coordinator's topic, and the groups' settings.
//! Shell.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ottla_config::BrokerConfig;
use ottla_coordinator::share::ShareCoordinatorSettings;
use ottla_coordinator::{
    AutoOffsetReset, Loader, PartitionLog, ShareCoordinator, ShareGroupConfig, ShareGroupConfigs,
    SharePartitionManager,
};
use ottla_env::Env;
use ottla_metadata::Metadata;
use ottla_model::topic::SHARE_GROUP_STATE_TOPIC;
use ottla_records::Codec;
use ottla_replica::ReplicaManager;

/// The share coordinator and the share partitions.
pub fn rooms(
    env: &Env,
    config: &BrokerConfig,
    metadata: &Arc<Metadata>,
    replicas: &Arc<ReplicaManager>,
    loader: &Arc<Loader>,
) -> (Arc<ShareCoordinator>, Arc<SharePartitionManager>) {
    let log = PartitionLog::new(SHARE_GROUP_STATE_TOPIC, replicas.clone(), metadata.clone(), Codec::None);
    let state = ShareCoordinator::new(settings(config), Arc::new(log), env.clock.clone(), loader.clone());
    let configs = Arc::new(Configs {
        metadata: metadata.clone(),
        replicas: replicas.clone(),
        of_broker: Mutex::default(),
    });
    let sessions_max = number(config, "group.share.max.share.sessions", 2000) as usize;
    let (clock, tasks) = (env.clock.clone(), env.tasks.clone());
    let partitions = SharePartitionManager::new(state.clone(), configs, clock, tasks, sessions_max);
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

/// A group's own settings over the broker's, as they are when they are asked for.
struct Configs {
    metadata: Arc<Metadata>,
    replicas: Arc<ReplicaManager>,
    /// The broker's, and of which configuration they are.
    of_broker: Mutex<Option<(Arc<BrokerConfig>, ShareGroupConfig)>>,
}

impl Configs {
    fn of_broker(&self) -> ShareGroupConfig {
        let config = self.replicas.effective_config();
        let mut known = self.of_broker.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, settings)) if Arc::ptr_eq(of, &config) => *settings,
            _ => {
                let settings = broker_settings(&config);
                *known = Some((config, settings));
                settings
            }
        }
    }
}

impl ShareGroupConfigs for Configs {
    fn of(&self, group_id: &str) -> ShareGroupConfig {
        let settings = self.of_broker();
        let overrides = self.metadata.image().group_overrides(group_id);
        match overrides.is_empty() {
            true => settings,
            false => overridden(settings, &overrides),
        }
    }
}

fn broker_settings(config: &BrokerConfig) -> ShareGroupConfig {
    let default = ShareGroupConfig::default();
    let number = |name: &str, otherwise: i32| number(config, name, i64::from(otherwise)) as i32;
    ShareGroupConfig {
        session_timeout_ms: number("group.share.session.timeout.ms", default.session_timeout_ms),
        heartbeat_interval_ms: number("group.share.heartbeat.interval.ms", default.heartbeat_interval_ms),
        assignment_interval_ms: number("group.share.assignment.interval.ms", default.assignment_interval_ms),
        record_lock_duration_ms: number(
            "group.share.record.lock.duration.ms",
            default.record_lock_duration_ms,
        ),
        delivery_count_limit: number("group.share.delivery.count.limit", default.delivery_count_limit),
        partition_record_locks_max: number(
            "group.share.partition.max.record.locks",
            default.partition_record_locks_max,
        ),
        ..default
    }
}

fn overridden(mut settings: ShareGroupConfig, overrides: &BTreeMap<String, String>) -> ShareGroupConfig {
    for (name, value) in overrides {
        let number = |otherwise: i32| value.parse().unwrap_or(otherwise);
        let settings = &mut settings;
        match name.as_str() {
            "share.session.timeout.ms" => settings.session_timeout_ms = number(settings.session_timeout_ms),
            "share.heartbeat.interval.ms" => {
                settings.heartbeat_interval_ms = number(settings.heartbeat_interval_ms);
            }
            "share.assignment.interval.ms" => {
                settings.assignment_interval_ms = number(settings.assignment_interval_ms);
            }
            "share.record.lock.duration.ms" => {
                settings.record_lock_duration_ms = number(settings.record_lock_duration_ms);
            }
            "share.delivery.count.limit" => {
                settings.delivery_count_limit = number(settings.delivery_count_limit);
            }
            "share.partition.max.record.locks" => {
                settings.partition_record_locks_max = number(settings.partition_record_locks_max);
            }
            "share.auto.offset.reset" => settings.auto_offset_reset = auto_offset_reset(value),
            "share.isolation.level" => {
                settings.is_read_committed = value.eq_ignore_ascii_case("read_committed");
            }
            "share.renew.acknowledge.enable" => {
                settings.is_renew_enabled = !value.eq_ignore_ascii_case("false");
            }
            _ => {}
        }
    }
    settings
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
    fn a_group_s_own_settings_stand_over_the_broker_s() {
        let own = [("share.session.timeout.ms", "50000"), ("share.isolation.level", "read_committed")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = overridden(ShareGroupConfig::default(), &own);
        let expected = ShareGroupConfig {
            session_timeout_ms: 50_000,
            is_read_committed: true,
            ..ShareGroupConfig::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn a_group_begins_where_its_setting_says() {
        assert_eq!(auto_offset_reset("latest"), AutoOffsetReset::Latest);
        assert_eq!(auto_offset_reset("earliest"), AutoOffsetReset::Earliest);
        let by = |duration_ms| AutoOffsetReset::ByDuration { duration_ms };
        assert_eq!(auto_offset_reset("by_duration:PT1H30M"), by(5_400_000));
        assert_eq!(auto_offset_reset("by_duration:P1DT0.5S"), by(86_400_500));
    }
}
