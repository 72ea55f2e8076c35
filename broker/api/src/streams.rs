//! Internal topics of streams applications: made when a heartbeat finds them missing, on behalf of who sent it.
//! Shell. After `createStreamsInternalTopics` of Kafka's `DefaultAutoTopicCreationManager`: the heartbeat does not
//! wait; what a creation failed of is told with a later one, and meanwhile is not tried again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_config::StreamsGroupConfig;
use ottla_coordinator::group::streams::topics::InternalTopic;
use ottla_env::Monotonic;
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_quota::MutationQuota;
use parking_lot::Mutex;

use crate::context::Broker;
use crate::errors::operation_error;
use crate::handlers::prelude::text;
use crate::owned_tasks::OwnedTasks;

/// How many creations are under way at a time; a later heartbeat begins what found no room.
const CREATIONS_MAX: usize = 100;
/// Of so many topics it is remembered that they are being made, or why they were not.
const TOPICS_MAX: usize = 10_000;

/// Whether the cluster's features and `group.coordinator.rebalance.protocols` let streams groups be.
pub fn is_enabled(broker: &Broker) -> bool {
    broker.config.rebalance_protocols.iter().any(|protocol| protocol == "streams")
        && broker.metadata.image().feature_level("streams.version") >= 1
}

/// A group's own settings over the broker's, as they are now.
pub fn config_of(broker: &Broker, group_id: &str) -> StreamsGroupConfig {
    let overrides = broker.metadata.image().group_overrides(group_id);
    StreamsGroupConfig::effective(&broker.dynamic_config.current(), &overrides)
}

/// Topics that are being made, and why others were not.
pub struct InternalTopics {
    creations: OwnedTasks,
    topics: Arc<Mutex<HashMap<String, Creation>>>,
}

enum Creation {
    UnderWay,
    Failed { why: String, until: Monotonic },
}

impl Default for InternalTopics {
    fn default() -> InternalTopics {
        InternalTopics { creations: OwnedTasks::new(CREATIONS_MAX), topics: Arc::default() }
    }
}

impl InternalTopics {
    /// Begins to make what is not being made already, and has not failed a moment ago.
    /// On behalf of a client, within what it may change.
    pub fn create(
        &self,
        broker: &Arc<Broker>,
        wanted: Vec<InternalTopic>,
        failure_kept_ms: i64,
        quota: &MutationQuota,
    ) {
        let now = broker.env.clock.monotonic();
        let begun: Vec<InternalTopic> = {
            let mut topics = self.topics.lock();
            topics.retain(|_, creation| !creation.is_over(now));
            let is_new = |topic: &InternalTopic| {
                let has_room = topics.len() < TOPICS_MAX && !topics.contains_key(&topic.name);
                let partitions = topic.partition_count.max(0) as usize;
                has_room
                    && quota.record(partitions).is_ok()
                    && topics.insert(topic.name.clone(), Creation::UnderWay).is_none()
            };
            wanted.into_iter().filter(is_new).collect()
        };
        if begun.is_empty() {
            return;
        }
        let names: Vec<String> = begun.iter().map(|topic| topic.name.clone()).collect();
        let (broker, topics) = (broker.clone(), self.topics.clone());
        let tasks = broker.env.tasks.clone();
        let making = UnderWay { topics, names };
        // Dropped without having run, it forgets the topics: a later heartbeat begins them again.
        self.creations.begin(
            &*tasks,
            "streams-internal-topics",
            Box::pin(make(broker, making, begun, failure_kept_ms)),
        );
    }

    /// Why topics were not made, of those that failed a moment ago.
    pub fn failures<'a>(&self, names: impl Iterator<Item = &'a str>, now: Monotonic) -> Vec<String> {
        let topics = self.topics.lock();
        let failure = |name: &str| match topics.get(name)? {
            Creation::Failed { why, until } if *until > now => Some(format!("{name} ({why})")),
            _ => None,
        };
        names.filter_map(failure).collect()
    }
}

impl Creation {
    fn is_over(&self, now: Monotonic) -> bool {
        matches!(self, Creation::Failed { until, .. } if *until <= now)
    }
}

/// Topics that are no longer under way when this is gone, however that comes.
struct UnderWay {
    topics: Arc<Mutex<HashMap<String, Creation>>>,
    names: Vec<String>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut topics = self.topics.lock();
        for name in &self.names {
            if matches!(topics.get(name), Some(Creation::UnderWay)) {
                topics.remove(name);
            }
        }
    }
}

async fn make(broker: Arc<Broker>, making: UnderWay, wanted: Vec<InternalTopic>, failure_kept_ms: i64) {
    let topics = wanted.into_iter().map(|topic| {
        let configs = topic.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        });
        CreatableTopic::default()
            .with_name(text(&topic.name).into())
            .with_num_partitions(topic.partition_count)
            .with_replication_factor(topic.replication_factor.unwrap_or(-1))
            .with_configs(configs.collect())
    });
    let request = CreateTopicsRequest::default().with_topics(topics.collect());
    let failures: BTreeMap<String, String> = match broker.controller.create_topics(request).await {
        Ok(response) => response
            .topics
            .into_iter()
            .filter(|topic| topic.error_code != 0)
            .map(|topic| {
                let code = ottla_model::ErrorCode::from_code(topic.error_code);
                let own = || text(code.map_or("Unknown error.", |code| code.message()));
                let why = topic.error_message.filter(|why| !why.is_empty()).unwrap_or_else(own);
                (topic.name.to_string(), why.to_string())
            })
            .collect(),
        Err(error) => {
            let (code, why) = operation_error(&error);
            let why = why.unwrap_or_else(|| code.message().to_owned());
            making.names.iter().map(|name| (name.clone(), why.clone())).collect()
        }
    };
    let until = broker.env.clock.monotonic().after_ms(failure_kept_ms);
    let mut known = making.topics.lock();
    for (name, why) in failures {
        tracing::warn!(topic = name, why, "an internal topic of a streams application was not created");
        known.insert(name, Creation::Failed { why, until });
    }
}
