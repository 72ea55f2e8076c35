//! The configuration as each room takes it.
//! Core.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ottla_api::authentication::SaslServers;
use ottla_config::{
    BrokerConfig, ConfigMap, Durability as ConfiguredDurability, ShareGroupConfig, StreamsGroupConfig,
    TokenCheck, consumer_assignor,
};
use ottla_coordinator::GroupSettings;
use ottla_coordinator::assignor::ConsumerAssignor;
use ottla_coordinator::share::ShareCoordinatorSettings;
use ottla_coordinator::transaction::TransactionSettings;
use ottla_env::Env;
use ottla_log::LogManagerSettings;
use ottla_metadata::Registration;
use ottla_metadata::controller::features::{ELIGIBLE_LEADER_REPLICAS, Feature, METADATA_VERSION};
use ottla_model::TopicId;
use ottla_network::{ConnectionLimits, NetworkSettings};
use ottla_quota::{ConnectionRateLimits, QuotaSettings, Windows};
use ottla_records::{Codec, CompressionType};
use ottla_replica::config::cleaner_settings;
use ottla_replica::{DirectoryIds, Durability};
use ottla_security::sasl::{
    EnabledMechanism, SaslMechanism, SaslServer, SignedRules, SignedTokens, TokenValidator, UnsecuredTokens,
};
use ottla_security::{Authorizer, Secret};

use crate::identity::Identity;
use crate::issuers::Issuers;

/// No device fills up under what is kept in memory: there is nothing to reserve, and it would take room of the machine.
pub fn log_manager(config: &BrokerConfig, ephemeral: bool) -> LogManagerSettings {
    let usual = LogManagerSettings::default();
    LogManagerSettings {
        reserve_bytes: if ephemeral { 0 } else { usual.reserve_bytes },
        recovery_threads: config.num_recovery_threads_per_data_dir.max(1) as usize,
        checkpoint_interval_ms: i64::from(config.log_flush_offset_checkpoint_interval_ms).min(5_000),
        retention_check_interval_ms: config.log_retention_check_interval_ms,
        producer_id_expiration_ms: i64::from(config.producer_id_expiration_ms),
        cleaner: cleaner_settings(config),
        ..usual
    }
}

pub fn network(env: &Env, config: &BrokerConfig) -> NetworkSettings {
    NetworkSettings {
        socket_request_bytes_max: config.socket_request_bytes_max,
        connections_idle_ms_max: config.connections_idle_ms_max,
        limits: connection_limits(env, config),
        quota_windows: quotas(config).windows,
        memory_budget_bytes: config.memory_budget_bytes as usize,
        failed_authentication_delay_ms: config.failed_authentication_delay_ms,
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
        creation_rates: creation_rates(config),
    }
}

/// Connections a second; Kafka's largest number is no limit.
fn creation_rates(config: &BrokerConfig) -> ConnectionRateLimits {
    const KEY: &str = "max.connection.creation.rate";
    let limit = |rate: i64| (rate != i64::from(i32::MAX)).then_some(rate as f64);
    let names = config.listeners.iter().map(|listener| listener.name.clone());
    let of_listener = |name: String| {
        let rate = limit(config.of_listener(&name).value(KEY).as_i64()?)?;
        Some((name, rate))
    };
    ConnectionRateLimits {
        broker: limit(i64::from(config.connection_creation_rate_max)),
        listeners: names.filter_map(of_listener).collect(),
        // Limits of clients are not those of nodes among themselves, where these have a listener of their own.
        exempt_listener: config
            .inter_broker_listener()
            .filter(|_| config.listeners.len() > 1)
            .map(|listener| listener.name.clone()),
    }
}

pub fn quotas(config: &BrokerConfig) -> QuotaSettings {
    QuotaSettings {
        windows: Windows::of_seconds(config.quota_window_num, config.quota_window_size_seconds),
        controller_windows: Windows::of_seconds(
            config.controller_quota_window_num,
            config.controller_quota_window_size_seconds,
        ),
    }
}

/// How clients log in on each SASL listener.
pub fn sasl_servers(config: &BrokerConfig, issuers: &Issuers) -> SaslServers {
    let servers = config.sasl_listeners().filter_map(|listener| {
        // A start and a change refuse what cannot be read.
        let sasl = config.sasl_of(listener).ok()?;
        let mut server = SaslServer::default();
        for given in sasl.mechanisms {
            let session_max = given.session_max_ms.map(Duration::from_millis);
            let mechanism = SaslMechanism::from_name(given.name)?;
            server.enabled.push(EnabledMechanism { mechanism, session_max });
            let users = given.users.into_iter().map(|(name, password)| (name, Secret::new(password)));
            server.plain_users.extend(users);
            if let Some(tokens) = given.tokens {
                server.tokens = Some(token_validator(tokens, issuers)?);
            }
        }
        Some((listener.name.clone(), Arc::new(server)))
    });
    servers.collect()
}

/// `None` for an issuer that was not there at the start, which a change cannot add.
fn token_validator(tokens: TokenCheck, issuers: &Issuers) -> Option<TokenValidator> {
    Some(match tokens {
        TokenCheck::Unsecured(tokens) => TokenValidator::Unsecured(UnsecuredTokens {
            principal_claim: tokens.principal_claim,
            scope_claim: tokens.scope_claim,
            required_scope: tokens.required_scope,
            clock_skew_ms: tokens.clock_skew_ms,
        }),
        TokenCheck::Signed(tokens) => {
            let keys = issuers.keys(&tokens)?;
            let rules = SignedRules {
                audience: tokens.audience,
                issuer: tokens.issuer,
                clock_skew_ms: tokens.clock_skew_ms,
                scope_claim: tokens.scope_claim,
                principal_claim: tokens.principal_claim,
            };
            TokenValidator::Signed(SignedTokens { rules, keys })
        }
    })
}

/// Who decides what clients may do; `None` where everybody may do everything.
pub fn authorizer(config: &BrokerConfig) -> Result<Option<Authorizer>, String> {
    let Some(settings) = config.authorizer() else { return Ok(None) };
    Authorizer::new(&settings.super_users, settings.allow_everyone_if_no_acl_found)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Without a directory there is nothing to sync: memory is as durable as it gets. Who says fsync waits for it all the
/// same: the lab's disks can be slow or forget.
pub fn durability(config: &BrokerConfig, ephemeral: bool) -> Durability {
    match config.durability {
        configured if ephemeral && configured != ConfiguredDurability::Fsync => Durability::Os,
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
        consumer_members_max: config.consumer_group_max_size,
        consumer_assignors: consumer_assignors(config),
        consumer_migration_policy: config.consumer_migration_policy,
        consumer_regex_refresh_interval_ms: config.consumer_regex_refresh_interval_ms,
        streams_session_timeout_ms: StreamsGroupConfig::effective(config, &ConfigMap::new())
            .session_timeout_ms,
        streams_members_max: config.streams_group_max_size,
        ..GroupSettings::default()
    }
}

/// The configuration's check let no other through, and not none.
fn consumer_assignors(config: &BrokerConfig) -> Vec<ConsumerAssignor> {
    let names = config.consumer_assignors.iter().filter_map(|entry| consumer_assignor(entry));
    let assignors: Vec<_> = names.filter_map(ConsumerAssignor::from_name).collect();
    assert!(!assignors.is_empty(), "the first assignor is that of members who name none");
    assignors
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
        allows_two_phase: config.transaction_two_phase_commit,
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
        // Raised by the operator alone: the log says from then on who votes.
        Feature { name: "kraft.version".to_owned(), min: 0, max: 1, finalized: 0 },
        Feature { name: "transaction.version".to_owned(), min: 0, max: 2, finalized: 2 },
        Feature { name: "group.version".to_owned(), min: 0, max: 1, finalized: 1 },
        Feature { name: ELIGIBLE_LEADER_REPLICAS.to_owned(), min: 0, max: 1, finalized: 0 },
        Feature { name: "share.version".to_owned(), min: 0, max: 1, finalized: 1 },
        Feature { name: "streams.version".to_owned(), min: 0, max: 1, finalized: 1 },
    ]
}

/// Every feature of Apache Kafka 4.3.1 beside metadata.version, whether this broker has it or not.
const FEATURES_OF_KAFKA: [&str; 6] = [
    "kraft.version",
    "transaction.version",
    "group.version",
    "eligible.leader.replicas.version",
    "share.version",
    "streams.version",
];

/// A metadata.version that Apache Kafka 4.3.1 has and does not release: `unstable.feature.versions.enable` allows it.
/// It has no record that the level before it has not.
const UNSTABLE_METADATA_VERSION: i16 = 31;

/// The same under the configuration, and for a cluster that is to begin with other levels than this release's own.
pub fn features_at(config: &BrokerConfig, levels: &[(String, i16)]) -> Result<Vec<Feature>, String> {
    let mut features = features();
    if config.unstable_feature_versions
        && let Some(feature) = features.iter_mut().find(|feature| feature.name == METADATA_VERSION)
    {
        feature.max = UNSTABLE_METADATA_VERSION;
    }
    // Without a second replica nobody is eligible: a cluster of several begins with it, as Kafka's do (KIP-966).
    if config.has_peers()
        && let Some(feature) = features.iter_mut().find(|feature| feature.name == ELIGIBLE_LEADER_REPLICAS)
    {
        feature.finalized = feature.max;
    }
    for (name, level) in levels {
        let Some(feature) = features.iter_mut().find(|feature| feature.name == *name) else {
            // Off is what it is.
            if *level == 0 && FEATURES_OF_KAFKA.contains(&name.as_str()) {
                continue;
            }
            return Err(format!("--feature {name}={level}: this broker has no feature of this name"));
        };
        // As in a request that changes it: 0 leaves a feature off, and metadata.version has no 0.
        if !(feature.min..=feature.max).contains(level) {
            let (min, max) = (feature.min, feature.max);
            return Err(format!("--feature {name}={level}: this broker serves the levels {min} to {max}"));
        }
        // kafka-storage says this as well: voters need directories and endpoints.
        if name == "kraft.version" && *level > 0 {
            return Err(format!(
                "--feature {name}={level}: a new cluster begins at level 0, or at that with which kafka-storage \
                 formatted its directories; raise it later with kafka-features upgrade"
            ));
        }
        feature.finalized = *level;
    }
    let is_served = |feature: &Feature| (feature.min..=feature.max).contains(&feature.finalized);
    assert!(
        features.iter().all(is_served),
        "a cluster begins with levels that this broker serves: {features:?}"
    );
    Ok(features)
}

/// What the metadata log says of this broker.
pub fn registration(env: &Env, config: &BrokerConfig, identity: &Identity) -> Registration {
    let endpoints = config.listeners.iter().map(|listener| {
        let (host, port) = match config.has_peers() {
            true => config.reachable_at(listener).unwrap_or_default(),
            false => (listener.host.clone().unwrap_or_default(), listener.port),
        };
        (listener.name.clone(), host, port, listener.protocol.id())
    });
    assert_eq!(identity.directory_ids.len(), config.log_dirs.len(), "each directory has its id");
    Registration {
        endpoints: endpoints.collect(),
        rack: config.rack.clone(),
        log_dirs: identity.directory_ids.iter().map(|id| id.0).collect(),
        incarnation_id: TopicId::from_random(|| env.rng.next_16()).0,
    }
}

/// Which log directory has which id, as this broker registers them.
pub fn directory_ids(config: &BrokerConfig, registration: &Registration) -> DirectoryIds {
    let paths = config.log_dirs.iter().map(PathBuf::from);
    DirectoryIds(paths.zip(registration.log_dirs.iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    use ottla_replica::config::copy_rates;

    use super::*;
    use ottla_config::{
        ConfigType, DynamicMode, Effect, broker, effect_of_broker_key, fields_in_force, group, topic,
    };

    #[test]
    fn a_new_cluster_begins_with_the_levels_that_the_command_line_names() {
        let defaults = BrokerConfig::defaults();
        let at = |name: &str, level| features_at(&defaults, &[(name.to_owned(), level)]);
        let lowered = at("transaction.version", 1).expect("a level that is served");
        let levels: Vec<_> =
            lowered.iter().map(|feature| (feature.name.as_str(), feature.finalized)).collect();
        assert!(levels.contains(&("transaction.version", 1)), "{levels:?}");
        assert!(levels.contains(&(METADATA_VERSION, 30)), "{levels:?}");
        assert!(at("share.version", 0).is_ok());
        for (name, level) in
            [("transaction.version", 3), ("share.version", -1), (METADATA_VERSION, 0), ("x", 1)]
        {
            let refused = at(name, level).expect_err("a level that is not served");
            assert!(refused.starts_with(&format!("--feature {name}={level}: this broker ")), "{refused}");
        }
        // A feature that is not there is off.
        assert!(at("kraft.version", 0).is_ok() && at("kraft.version", 1).is_err() && at("x", 0).is_err());
    }

    /// `ottla config` says of these keys that a change takes effect while the broker runs. What a topic or a
    /// group inherits is read anew at each change; a field of its own must be handed on by what follows the
    /// configuration (`wiring.rs`, and `replica` for the cleaner).
    #[test]
    fn a_change_that_takes_effect_while_the_broker_runs_is_handed_on() {
        // With a network, which knows what an address is.
        let net = std::sync::Arc::new(ottla_env::memory::net::MemoryNet::new());
        let env = Env { net, ..ottla_env::memory::env(1) };
        let started = BrokerConfig::defaults();
        // The balancer and the heartbeats look at each turn.
        let looked_at = |config: &BrokerConfig| {
            let balance = (config.balance, config.balance_bytes_per_second, config.balance_disk_max_percent);
            (balance, config.is_cordoned(0))
        };
        let obeyed = |config: &BrokerConfig| {
            (connection_limits(&env, config), cleaner_settings(config), copy_rates(config), looked_at(config))
        };
        let before = obeyed(&started);
        let is_inherited = |name: &str| {
            let rows = topic::rows().iter().chain(group::rows());
            rows.flat_map(|row| row.synonyms).any(|synonym| synonym.name == name)
        };
        let changing = fields_in_force().into_iter().filter_map(|(_, key)| broker::row(key)).filter(|row| {
            row.dynamic != DynamicMode::ReadOnly
                && effect_of_broker_key(row) == Effect::InForce
                && !is_inherited(row.name)
        });
        let mut count = 0;
        for row in changing {
            let value = match row.kind {
                ConfigType::String if row.name == "ottla.balance" => "auto",
                _ if row.name == "cordoned.log.dirs" => "*",
                ConfigType::String => "127.0.0.9:7",
                ConfigType::Double => "0.7",
                _ => "7",
            };
            let change = ConfigMap::from([(row.name.to_owned(), value.to_owned())]);
            let after = obeyed(&started.with_dynamic(&ConfigMap::new(), &change));
            assert_ne!(after, before, "{}", row.name);
            count += 1;
        }
        assert_eq!(count, 17);
    }
}
