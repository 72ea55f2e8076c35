//! The partitions this broker hosts: name or id to `Partition`, kept in step with the metadata image.
//! Shell.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_config::DynamicBrokerConfig;
use ottla_log::{LogConfig, LogError, LogManager};
use ottla_metadata::{Delta, Image, ImageListener, ResourceType, TopicImage};
use ottla_model::{PartitionIndex, TopicId, TopicName, TopicPartition};

use crate::config::log_config;
use crate::metrics::{ReplicaMetrics, TopicMetrics};
use crate::partition::{Durability, OpenLog, Partition};

/// A topic as this broker hosts it.
pub struct HostedTopic {
    pub name: TopicName,
    pub id: TopicId,
    pub partitions: Vec<Arc<Partition>>,
    pub metrics: Arc<TopicMetrics>,
    config: Arc<ArcSwap<LogConfig>>,
}

impl HostedTopic {
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get(index))
    }

    /// The effective configuration of the topic's logs.
    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }
}

#[derive(Clone, Default)]
pub struct Hosted {
    by_name: imbl::HashMap<TopicName, Arc<HostedTopic>>,
    by_id: imbl::HashMap<TopicId, Arc<HostedTopic>>,
}

impl Hosted {
    pub fn by_name(&self, name: &str) -> Option<&Arc<HostedTopic>> {
        self.by_name.get(name)
    }

    pub fn by_id(&self, id: TopicId) -> Option<&Arc<HostedTopic>> {
        self.by_id.get(&id)
    }

    pub fn topics(&self) -> impl Iterator<Item = &Arc<HostedTopic>> {
        self.by_name.values()
    }
}

pub struct ReplicaManager {
    logs: Arc<LogManager>,
    config: Arc<DynamicBrokerConfig>,
    durability: Durability,
    hosted: ArcSwap<Hosted>,
    pub metrics: Arc<ReplicaMetrics>,
}

impl ReplicaManager {
    pub fn new(
        logs: Arc<LogManager>,
        config: Arc<DynamicBrokerConfig>,
        durability: Durability,
        metrics: Arc<ReplicaMetrics>,
    ) -> ReplicaManager {
        ReplicaManager { logs, config, durability, hosted: ArcSwap::default(), metrics }
    }

    /// What is hosted now; a snapshot.
    pub fn hosted(&self) -> arc_swap::Guard<Arc<Hosted>> {
        self.hosted.load()
    }

    pub fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.hosted.load().by_name(topic)?.partition(index).cloned()
    }

    pub fn logs(&self) -> &Arc<LogManager> {
        &self.logs
    }

    fn host(&self, topic: &TopicImage, known: Option<&Arc<HostedTopic>>) -> Arc<HostedTopic> {
        let config = match known {
            Some(known) => known.config.clone(),
            None => Arc::new(ArcSwap::from(log_config(&self.config.current(), topic))),
        };
        let open_log: Arc<OpenLog> = {
            let (logs, config) = (self.logs.clone(), config.clone());
            Arc::new(move |name, id| logs.get_or_create(name, id, config.load_full()))
        };
        let mut partitions = known.map_or_else(Vec::new, |known| known.partitions.clone());
        for index in partitions.len()..topic.partitions.len() {
            let name = TopicPartition::new(topic.name.clone(), PartitionIndex(index as i32));
            self.claim_folder(&name, topic.id, &config.load_full());
        }
        for (index, partition) in topic.partitions.iter().enumerate().skip(partitions.len()) {
            partitions.push(Arc::new(Partition::new(
                TopicPartition::new(topic.name.clone(), PartitionIndex(index as i32)),
                topic.id,
                partition.leader_epoch,
                self.durability,
                open_log.clone(),
            )));
        }
        for (hosted, partition) in partitions.iter().zip(topic.partitions.iter()) {
            hosted.set_leader_epoch(partition.leader_epoch);
        }
        let metrics = known
            .map(|known| known.metrics.clone())
            .unwrap_or_else(|| Arc::new(self.metrics.topic(topic.name.as_str())));
        Arc::new(HostedTopic { name: topic.name.clone(), id: topic.id, partitions, metrics, config })
    }

    /// A folder that a start found gets its topic's configuration at once, so that retention follows it
    /// though nobody uses the partition. One that belongs to an earlier topic of that name was to be
    /// deleted when the process ended.
    fn claim_folder(&self, name: &TopicPartition, id: TopicId, config: &Arc<LogConfig>) {
        if self.logs.get(name).is_none() {
            return;
        }
        match self.logs.get_or_create(name, id, config.clone()) {
            Ok(_claimed) => {}
            Err(LogError::InconsistentTopicId { found, .. }) => {
                tracing::info!(partition = %name, id = %found, "removing what is left of a deleted topic");
                self.delete_folder(name);
            }
            Err(error) => tracing::error!(partition = %name, %error, "the partition's folder can't be used"),
        }
    }

    fn delete_folder(&self, name: &TopicPartition) {
        if let Err(error) = self.logs.delete(name) {
            tracing::error!(partition = %name, %error, "a deleted partition's folder can't be moved away");
        }
    }

    fn drop_topic(&self, topic: &HostedTopic) {
        for partition in &topic.partitions {
            partition.mark_deleted();
            self.delete_folder(&partition.name);
        }
        self.metrics.forget_topic(topic.name.as_str());
    }

    fn reconfigure(&self, topic: &TopicImage, hosted: &HostedTopic) {
        let config = log_config(&self.config.current(), topic);
        hosted.config.store(config.clone());
        for partition in &hosted.partitions {
            partition.set_config(config.clone());
        }
    }
}

impl ImageListener for ReplicaManager {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        let brokers_changed =
            delta.configs_changed.iter().any(|resource| resource.resource_type == ResourceType::Broker);
        let mut hosted = Hosted::clone(&self.hosted.load());
        for (name, id) in &delta.topics_deleted {
            if let Some(gone) = hosted.by_id.remove(id) {
                if hosted.by_name.get(name.as_str()).is_some_and(|named| named.id == *id) {
                    hosted.by_name.remove(name.as_str());
                }
                self.drop_topic(&gone);
            }
        }
        let changed = delta
            .topics_created
            .iter()
            .chain(delta.partitions_added.keys())
            .chain(delta.partitions_changed.iter().map(|(id, _)| id));
        for id in changed {
            let Some(topic) = image.topic_by_id(*id) else { continue };
            let now = self.host(topic, hosted.by_id.get(id));
            hosted.by_name.insert(topic.name.clone(), now.clone());
            hosted.by_id.insert(*id, now);
        }
        if brokers_changed {
            for known in hosted.by_name.values() {
                if let Some(topic) = image.topic_by_id(known.id) {
                    self.reconfigure(topic, known);
                }
            }
        } else {
            let topics = delta.configs_changed.iter().filter(|r| r.resource_type == ResourceType::Topic);
            for resource in topics {
                let name = resource.name.as_str();
                if let (Some(known), Some(topic)) = (hosted.by_name.get(name), image.topic(name)) {
                    self.reconfigure(topic, known);
                }
            }
        }
        self.hosted.store(Arc::new(hosted));
    }
}
