//! Answers that would send clients to a node that is perhaps gone: they wait until another one leads, or it is heard.
//! Shell. A client that is told too early comes back only after its next pause; the wait is bounded.

use ottla_metadata::{Image, TopicImage};
use ottla_model::limits::METADATA_PARKED_MAX;
use ottla_model::{BrokerId, TopicId};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use tokio::sync::OwnedSemaphorePermit;

use crate::context::{Broker, ClusterLinks};

/// The topics that a client asked for; `None` asks for all.
type Asked<'a> = Option<&'a [MetadataRequestTopic]>;

/// A place to wait, where one of the topics is led by a node that is suspected. `None`: there is nothing to wait for,
/// or too many wait already.
pub fn place(broker: &Broker, asked: Asked<'_>) -> Option<OwnedSemaphorePermit> {
    let links = broker.cluster.as_ref().filter(|links| links.presence.has_suspects())?;
    if !leads_any(&broker.image(), asked, &links.presence.suspects()) {
        return None;
    }
    links.parked_metadata.clone().try_acquire_owned().ok()
}

/// Until no suspect leads any of the topics, or the time is over.
pub async fn wait(broker: &Broker, asked: Asked<'_>, place: OwnedSemaphorePermit) {
    let Some(ClusterLinks { presence, reached, .. }) = &broker.cluster else { return };
    let clock = &broker.env.clock;
    let mut over = clock.sleep_until(clock.monotonic().after(METADATA_PARKED_MAX));
    // Registered before anything is looked at.
    let (mut changes, mut images) = (presence.changes(), reached.changes());
    while leads_any(&broker.image(), asked, &presence.suspects()) {
        tokio::select! {
            biased;
            () = &mut over => break,
            changed = changes.changed() => if changed.is_err() { break },
            changed = images.changed() => if changed.is_err() { break },
        }
    }
    drop(place);
}

fn leads_any(image: &Image, asked: Asked<'_>, suspects: &[BrokerId]) -> bool {
    if suspects.is_empty() {
        return false;
    }
    let is_led = |topic: &TopicImage| {
        topic.partitions.iter().any(|partition| partition.leader.is_some_and(|id| suspects.contains(&id)))
    };
    let Some(asked) = asked else { return image.topics().any(|topic| is_led(topic)) };
    asked.iter().any(|topic| {
        let found = match &topic.name {
            Some(name) if topic.topic_id.is_nil() => image.topic(name.as_str()),
            _ => image.topic_by_id(TopicId(topic.topic_id)),
        };
        found.is_some_and(|topic| is_led(topic))
    })
}
