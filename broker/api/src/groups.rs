//! Between the handlers and the group coordinator: who asks, and how its reply leaves.
//! Shell.

use std::sync::Arc;

use ottla_coordinator::client_quirks::first_rebalance_wait_ms;
use ottla_coordinator::topic_hash::topic_hash;
use ottla_coordinator::{Reply, RequestContext, TopicLookup};
use ottla_metadata::Image;
use ottla_model::{PartitionIndex, TopicId, TopicName};
use ottla_network::Admitted;
use ottla_protocol::Encode;

use crate::request::{Handled, Request, park};
use ottla_protocol::ErrorCodes;

/// What the coordinator sees of a request.
pub fn context(request: &Request) -> RequestContext {
    let software = request.connection.software.get();
    RequestContext {
        first_rebalance_wait_ms: software.map_or(0, |(name, _)| first_rebalance_wait_ms(name)),
        api_version: request.version(),
        client_id: request.client_id(),
        // As Java prints an address: "/" and no name before it.
        client_host: format!("/{}", request.connection.peer_addr.ip().to_canonical()),
    }
}

/// Answers now, or when the coordinator does.
pub fn relay<T: Encode + ErrorCodes + Send + 'static>(request: Request, reply: Reply<T>) -> Handled {
    match reply {
        Reply::Now(response) => Ok(Admitted::Ready(request.answer(&response))),
        Reply::Later(response) => park(async move { request.answer(&response.await) }),
    }
}

/// Topics as the coordinator looks them up.
pub struct Topics(pub Arc<Image>);

impl TopicLookup for Topics {
    fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.0.topic(name).map(|topic| topic.id)
    }

    fn topic_name(&self, id: TopicId) -> Option<TopicName> {
        self.0.topic_by_id(id).map(|topic| topic.name.clone())
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        self.0.partition(name, PartitionIndex(partition)).is_some()
    }

    fn partition_count(&self, id: TopicId) -> Option<i32> {
        self.0.topic_by_id(id).map(|topic| topic.partitions.len() as i32)
    }

    fn topic_hash(&self, name: &str) -> i64 {
        let Some(topic) = self.0.topic(name) else { return 0 };
        let rack_of = |id| self.0.broker(id)?.rack.as_ref().map(|rack| rack.to_string());
        let racks: Vec<Vec<String>> = topic
            .partitions
            .iter()
            .map(|partition| partition.replicas.iter().filter_map(|id| rack_of(*id)).collect())
            .collect();
        topic_hash(topic.id, name, &racks)
    }
}
