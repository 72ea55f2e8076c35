//! The effective configuration of a group: its own values over the broker's.
//! Core. The keys with their fields are in `group.rs`.

use crate::group::{ConsumerGroupConfig, ShareGroupConfig, StreamsGroupConfig};
use crate::inherit::effective_value;
use crate::keys::FromValue;
use crate::settings::{BrokerConfig, ConfigMap};
use crate::validators;
use crate::value::ConfigValue;

/// Where a share group begins to read a partition (`share.auto.offset.reset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoOffsetReset {
    Latest,
    Earliest,
    /// So long before now.
    ByDuration {
        duration_ms: i64,
    },
}

impl FromValue for AutoOffsetReset {
    fn from_value(value: ConfigValue) -> Option<AutoOffsetReset> {
        let text = value.text()?;
        match text.to_ascii_lowercase().as_str() {
            "latest" => Some(AutoOffsetReset::Latest),
            "earliest" => Some(AutoOffsetReset::Earliest),
            _ => {
                let duration_ms = validators::reset_duration_ms(&text)?;
                Some(AutoOffsetReset::ByDuration { duration_ms })
            }
        }
    }
}

/// `share.isolation.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    ReadUncommitted,
    ReadCommitted,
}

impl FromValue for IsolationLevel {
    fn from_value(value: ConfigValue) -> Option<IsolationLevel> {
        match value.text()?.as_str() {
            "read_uncommitted" => Some(IsolationLevel::ReadUncommitted),
            "read_committed" => Some(IsolationLevel::ReadCommitted),
            _ => None,
        }
    }
}

/// `group.consumer.migration.policy`: which groups become which without a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationPolicy {
    Disabled,
    /// A consumer group whose last member of the new protocol leaves becomes a classic one.
    Downgrade,
    /// A classic group that a member of the new protocol joins becomes a consumer group.
    Upgrade,
    Bidirectional,
}

impl MigrationPolicy {
    pub fn is_upgrade_enabled(self) -> bool {
        matches!(self, MigrationPolicy::Upgrade | MigrationPolicy::Bidirectional)
    }

    pub fn is_downgrade_enabled(self) -> bool {
        matches!(self, MigrationPolicy::Downgrade | MigrationPolicy::Bidirectional)
    }
}

impl FromValue for MigrationPolicy {
    fn from_value(value: ConfigValue) -> Option<MigrationPolicy> {
        match value.text()?.to_ascii_lowercase().as_str() {
            "disabled" => Some(MigrationPolicy::Disabled),
            "downgrade" => Some(MigrationPolicy::Downgrade),
            "upgrade" => Some(MigrationPolicy::Upgrade),
            "bidirectional" => Some(MigrationPolicy::Bidirectional),
            _ => None,
        }
    }
}

impl ConsumerGroupConfig {
    /// The values in force. An override that does not parse is passed over: it was checked when accepted.
    pub fn effective(broker: &BrokerConfig, overrides: &ConfigMap) -> ConsumerGroupConfig {
        ConsumerGroupConfig::read(|row| effective_value(broker, overrides, row))
    }
}

impl Default for ConsumerGroupConfig {
    fn default() -> ConsumerGroupConfig {
        ConsumerGroupConfig::effective(&BrokerConfig::defaults(), &ConfigMap::new())
    }
}

impl ShareGroupConfig {
    /// The values in force. An override that does not parse is passed over: it was checked when accepted.
    pub fn effective(broker: &BrokerConfig, overrides: &ConfigMap) -> ShareGroupConfig {
        ShareGroupConfig::read(|row| effective_value(broker, overrides, row))
    }
}

impl Default for ShareGroupConfig {
    fn default() -> ShareGroupConfig {
        ShareGroupConfig::effective(&BrokerConfig::defaults(), &ConfigMap::new())
    }
}

impl StreamsGroupConfig {
    /// The values in force. An override that does not parse is passed over: it was checked when accepted.
    pub fn effective(broker: &BrokerConfig, overrides: &ConfigMap) -> StreamsGroupConfig {
        StreamsGroupConfig::read(|row| effective_value(broker, overrides, row))
    }
}

impl Default for StreamsGroupConfig {
    fn default() -> StreamsGroupConfig {
        StreamsGroupConfig::effective(&BrokerConfig::defaults(), &ConfigMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_s_own_settings_stand_over_the_broker_s() {
        let own = |pairs: &[(&str, &str)]| -> ConfigMap {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let dynamic = own(&[("group.share.delivery.count.limit", "7")]);
        let broker = BrokerConfig::defaults().with_dynamic(&ConfigMap::new(), &dynamic);
        let settings = ShareGroupConfig::effective(
            &broker,
            &own(&[
                ("share.session.timeout.ms", "50000"),
                ("share.isolation.level", "read_committed"),
                ("share.heartbeat.interval.ms", "not a number"),
            ]),
        );
        assert_eq!(settings.session_timeout_ms, 50_000);
        assert_eq!(settings.isolation_level, IsolationLevel::ReadCommitted);
        assert_eq!(settings.heartbeat_interval_ms, 5_000);
        assert_eq!(settings.delivery_count_limit, 7);
        assert_eq!(settings.auto_offset_reset, AutoOffsetReset::Latest);
    }

    #[test]
    fn a_share_group_begins_where_its_setting_says() {
        let reset = |text: &str| AutoOffsetReset::from_value(ConfigValue::String(text.to_owned()));
        assert_eq!(reset("EARLIEST"), Some(AutoOffsetReset::Earliest));
        assert_eq!(reset("latest"), Some(AutoOffsetReset::Latest));
        let duration_ms = 86_400_000 + 2 * 3_600_000 + 3 * 60_000 + 4_500;
        assert_eq!(reset("by_duration:P1DT2H3M4.5S"), Some(AutoOffsetReset::ByDuration { duration_ms }));
        assert_eq!(reset("by_duration:1 hour"), None);
    }
}
