//! Share groups' outside: the share coordinator's topic in the metadata image, and the groups' settings.
//! Shell. Subscribed behind the replica room: a partition is led before its share state loads.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use ottla_config::{BrokerConfig, ConfigMap, DynamicBrokerConfig, ShareGroupConfig};
use ottla_coordinator::{ShareCoordinator, ShareGroupConfigs, SharePartitionManager};
use ottla_env::Env;
use ottla_metadata::{Delta, Image, ImageListener, Metadata};
use ottla_records::Codec;
use ottla_replica::ReplicaManager;

use crate::groups_log::{self, GroupsLog};
use crate::settings;

/// The share coordinator and the share partitions, following the image from here on.
pub fn rooms(
    env: &Env,
    config: &Arc<DynamicBrokerConfig>,
    metadata: &Arc<Metadata>,
    replicas: &Arc<ReplicaManager>,
) -> (Arc<ShareCoordinator>, Arc<SharePartitionManager>) {
    let log = GroupsLog::new(groups_log::SHARE_TOPIC, replicas.clone(), metadata.clone(), Codec::None);
    let settings = settings::share_coordinator(config.started_with());
    let state = ShareCoordinator::new(settings, Arc::new(log), env.clock.clone(), env.tasks.clone());
    let configs =
        Arc::new(Configs { metadata: metadata.clone(), config: config.clone(), of_broker: Mutex::default() });
    let sessions_max = config.started_with().share_sessions_max;
    let (clock, tasks) = (env.clock.clone(), env.tasks.clone());
    let partitions = SharePartitionManager::new(state.clone(), configs, clock, tasks, sessions_max);
    metadata.subscribe(Arc::new(ShareFollow { state: state.clone(), partitions: partitions.clone() }));
    (state, partitions)
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
