//! Share groups' outside: the share coordinator's topic, and the groups' settings.
//! Shell.

use std::sync::{Arc, Mutex, PoisonError};

use ottla_config::{BrokerConfig, ConfigMap, DynamicBrokerConfig, ShareGroupConfig};
use ottla_coordinator::share::{OtherShareCoordinators, ShareStateChannel};
use ottla_coordinator::{Loader, PartitionLog, ShareCoordinator, ShareGroupConfigs, SharePartitionManager};
use ottla_env::Env;
use ottla_metadata::{ControllerChannel, Metadata};
use ottla_model::topic::SHARE_GROUP_STATE_TOPIC;
use ottla_records::Codec;
use ottla_replica::ReplicaManager;

use crate::settings;

/// The share coordinator, the way to it wherever it is, and the share partitions.
pub struct Share {
    pub state: Arc<ShareCoordinator>,
    pub channel: Arc<ShareStateChannel>,
    pub partitions: Arc<SharePartitionManager>,
}

pub fn rooms(
    env: &Env,
    config: &Arc<DynamicBrokerConfig>,
    metadata: &Arc<Metadata>,
    controller: &Arc<dyn ControllerChannel>,
    replicas: &Arc<ReplicaManager>,
    loader: &Arc<Loader>,
    others: Option<OtherShareCoordinators>,
) -> Share {
    let log = PartitionLog::new(
        SHARE_GROUP_STATE_TOPIC,
        replicas.clone(),
        metadata.clone(),
        controller.clone(),
        Codec::None,
    );
    let settings = settings::share_coordinator(config.started_with());
    let state = ShareCoordinator::new(settings, Arc::new(log), env.clock.clone(), loader.clone());
    let configs =
        Arc::new(Configs { metadata: metadata.clone(), config: config.clone(), of_broker: Mutex::default() });
    let sessions_max = config.started_with().share_sessions_max;
    let (clock, tasks) = (env.clock.clone(), env.tasks.clone());
    let channel = ShareStateChannel::new(state.clone(), others);
    let partitions = SharePartitionManager::new(channel.clone(), configs, clock, tasks, sessions_max);
    Share { state, channel, partitions }
}

/// A group's own settings over the broker's, as they are when they are asked for.
struct Configs {
    metadata: Arc<Metadata>,
    config: Arc<DynamicBrokerConfig>,
    /// The broker's, and of which configuration they are.
    of_broker: Mutex<Option<(Arc<BrokerConfig>, ShareGroupConfig)>>,
}

impl Configs {
    fn of_broker(&self, config: Arc<BrokerConfig>) -> ShareGroupConfig {
        let mut known = self.of_broker.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, settings)) if Arc::ptr_eq(of, &config) => *settings,
            _ => {
                let settings = ShareGroupConfig::effective(&config, &ConfigMap::new());
                *known = Some((config, settings));
                settings
            }
        }
    }
}

impl ShareGroupConfigs for Configs {
    fn of(&self, group_id: &str) -> ShareGroupConfig {
        let config = self.config.current();
        let overrides = self.metadata.image().group_overrides(group_id);
        match overrides.is_empty() {
            true => self.of_broker(config),
            false => ShareGroupConfig::effective(&config, &overrides),
        }
    }
}
