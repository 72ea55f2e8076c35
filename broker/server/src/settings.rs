//! The configuration as each room takes it.
//! Core.

use ottla_config::{BrokerConfig, ConfigMap, Durability as ConfiguredDurability, ShareGroupConfig};
use ottla_coordinator::GroupSettings;
use ottla_coordinator::share::ShareCoordinatorSettings;
use ottla_coordinator::transaction::TransactionSettings;
use ottla_env::Env;
use ottla_log::{CleanerSettings, LogManagerSettings};
use ottla_metadata::Registration;
use ottla_metadata::controller::features::{Feature, METADATA_VERSION};
use ottla_model::TopicId;
use ottla_network::{ConnectionLimits, NetworkSettings};
use ottla_records::{Codec, CompressionType};
use ottla_replica::Durability;
use ottla_security::Authorizer;

use crate::identity::Identity;

pub fn log_manager(config: &BrokerConfig) -> LogManagerSettings {
    LogManagerSettings {
        recovery_threads: config.num_recovery_threads_per_data_dir.max(1) as usize,
        checkpoint_interval_ms: i64::from(config.log_flush_offset_checkpoint_interval_ms).min(5_000),
        retention_check_interval_ms: config.log_retention_check_interval_ms,
        producer_id_expiration_ms: i64::from(config.producer_id_expiration_ms),
        cleaner: CleanerSettings {
            is_enabled: config.log_cleaner_enable,
            threads: usize::try_from(config.log_cleaner_threads).unwrap_or(0),
            backoff_ms: config.log_cleaner_backoff_ms,
            dedupe_buffer_bytes: u64::try_from(config.log_cleaner_dedupe_buffer_bytes).unwrap_or(0),
            dedupe_buffer_load_factor: config.log_cleaner_io_buffer_load_factor,
            io_buffer_bytes: usize::try_from(config.log_cleaner_io_buffer_bytes).unwrap_or(0),
            io_bytes_per_second_max: config.log_cleaner_io_bytes_per_second_max,
        },
        ..LogManagerSettings::default()
    }
}

pub fn network(env: &Env, config: &BrokerConfig) -> NetworkSettings {
    NetworkSettings {
        socket_request_bytes_max: config.socket_request_bytes_max,
        connections_idle_ms_max: config.connections_idle_ms_max,
        limits: connection_limits(env, config),
        memory_budget_bytes: config.memory_budget_bytes as usize,
        ..NetworkSettings::default()
    }
}

pub fn connection_limits(env: &Env, config: &BrokerConfig) -> ConnectionLimits {
    ConnectionLimits {
        connections_max: config.connections_max,
        connections_per_ip_max: config.connections_per_ip_max,
        connections_per_ip_max_overrides: config
            .connections_per_ip_max_overrides
            .iter()
            // A name that means nothing now limits nobody.
            .flat_map(|(host, count)| {
                let addrs = env.net.resolve(host, 0).unwrap_or_default();
                addrs.into_iter().map(|addr| (addr.ip().to_canonical(), *count))
            })
            .collect(),
    }
}

/// Who decides what clients may do; `None` where everybody may do everything.
pub fn authorizer(config: &BrokerConfig) -> Result<Option<Authorizer>, String> {
    let Some(settings) = config.authorizer() else { return Ok(None) };
    Authorizer::new(&settings.super_users, settings.allow_everyone_if_no_acl_found)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Without a directory there is nothing to sync: memory is as durable as it gets.
pub fn durability(config: &BrokerConfig, ephemeral: bool) -> Durability {
    match config.durability {
        _ if ephemeral => Durability::Os,
        ConfiguredDurability::SurviveOne => Durability::SurviveOne,
        ConfiguredDurability::Os => Durability::Os,
        ConfiguredDurability::Fsync => Durability::Fsync,
    }
}

/// The codec coordinators write with (`offsets.topic.compression.codec`: Kafka's codec ids).
pub fn offsets_codec(config: &BrokerConfig) -> Codec {
    i16::try_from(config.offsets_topic_compression_codec)
        .ok()
        .and_then(CompressionType::from_id)
        .map_or(Codec::None, Codec::default_of)
}

pub fn groups(config: &BrokerConfig) -> GroupSettings {
    GroupSettings {
        session_timeout_min_ms: config.group_session_timeout_ms_min,
        session_timeout_max_ms: config.group_session_timeout_ms_max,
        initial_rebalance_delay_ms: config
            .group_initial_rebalance_delay_is_set
            .then_some(config.group_initial_rebalance_delay_ms),
        members_max: i32::try_from(config.group_max_size).unwrap_or(i32::MAX),
        offset_metadata_max: i32::try_from(config.offset_metadata_bytes_max).unwrap_or(i32::MAX),
        offsets_retention_ms: config.offsets_retention_minutes * 60_000,
        offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
        share_session_timeout_ms: ShareGroupConfig::effective(config, &ConfigMap::new()).session_timeout_ms,
        share_members_max: config.share_group_max_size,
        share_initialize_retry_interval_ms: config.share_initialize_retry_interval_ms,
        ..GroupSettings::default()
    }
}

pub fn share_coordinator(config: &BrokerConfig) -> ShareCoordinatorSettings {
    ShareCoordinatorSettings {
        updates_per_snapshot: config.share_updates_per_snapshot,
        prune_interval_ms: config.share_prune_interval_ms,
        cold_snapshot_interval_ms: config.share_cold_snapshot_interval_ms,
    }
}

pub fn transactions(config: &BrokerConfig) -> TransactionSettings {
    TransactionSettings {
        timeout_max_ms: config.transaction_timeout_ms_max,
        id_expiration_ms: i64::from(config.transactional_id_expiration_ms),
        abort_interval_ms: i64::from(config.transaction_abort_interval_ms),
        expiration_interval_ms: i64::from(config.transaction_expiration_interval_ms),
    }
}

/// What this broker knows of features: exactly the level of the records it writes, and transactions in
/// all their generations. Other features are finalized when what they switch on is served (docs/exceptions/).
pub fn features() -> Vec<Feature> {
    vec![
        Feature { name: METADATA_VERSION.to_owned(), min: 7, max: 30, finalized: 30 },
        Feature { name: "transaction.version".to_owned(), min: 0, max: 2, finalized: 2 },
        Feature { name: "share.version".to_owned(), min: 0, max: 1, finalized: 1 },
    ]
}

/// What the metadata log says of this broker.
pub fn registration(env: &Env, config: &BrokerConfig, identity: &Identity) -> Registration {
    const PLAINTEXT: i16 = 0;
    let endpoints = config.listeners.iter().map(|listener| {
        (listener.name.clone(), listener.host.clone().unwrap_or_default(), listener.port, PLAINTEXT)
    });
    Registration {
        endpoints: endpoints.collect(),
        rack: config.rack.clone(),
        log_dirs: identity.directory_ids.iter().map(|id| id.0).collect(),
        incarnation_id: TopicId::from_random(|| env.rng.next_16()).0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_config::{DynamicMode, Effect, broker, effect_of_broker_key, fields_in_force};

    /// `ottla config` says of these keys that a change takes effect while the broker runs. What a topic or a
    /// group inherits is read anew at each change; a field of its own must be handed on by what follows the
    /// configuration (`wiring.rs`).
    #[test]
    fn a_change_that_takes_effect_while_the_broker_runs_is_handed_on() {
        let env = ottla_env::memory::env(1);
        let started = BrokerConfig::defaults();
        let before = connection_limits(&env, &started);
        let changing = fields_in_force().into_iter().filter_map(|(_, key)| broker::row(key)).filter(|row| {
            row.dynamic != DynamicMode::ReadOnly && effect_of_broker_key(row) == Effect::InForce
        });
        let mut count = 0;
        for row in changing {
            let value = if row.name.ends_with(".overrides") { "127.0.0.9:7" } else { "7" };
            let change = ConfigMap::from([(row.name.to_owned(), value.to_owned())]);
            let after = connection_limits(&env, &started.with_dynamic(&ConfigMap::new(), &change));
            assert_ne!(after, before, "{}", row.name);
            count += 1;
        }
        assert_eq!(count, 3);
    }
}
