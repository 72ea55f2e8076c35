//! Topics that come to be because a client asked for them (`auto.create.topics.enable`).
//! Shell. As in Kafka 4: the asking request is answered at once with UNKNOWN_TOPIC_OR_PARTITION and
//! the topic is made beside it (`DefaultAutoTopicCreationManager`).

use std::sync::Arc;

use ottla_model::TopicName;

use crate::context::Broker;

/// Starts the creation of topics that were asked for and are not there.
pub fn start(broker: &Arc<Broker>, mut missing: Vec<TopicName>) {
    if !broker.config.auto_create_topics_enable {
        return;
    }
    // Internal topics are their coordinators' to create.
    missing.retain(|name| !name.is_internal());
    if missing.is_empty() {
        return;
    }
    let broker_for_task = broker.clone();
    let work = async move {
        if let Err(error) = broker_for_task.metadata.auto_create_topics(missing).await {
            tracing::warn!(%error, "topics that clients asked for were not created");
        }
    };
    broker.env.tasks.spawn("auto-create-topics", Box::pin(work)).detach();
}
