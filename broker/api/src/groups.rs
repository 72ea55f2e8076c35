//! Between the handlers and the group coordinator: who asks, and how its reply leaves.
//! Shell.

use std::sync::Arc;

use ottla_coordinator::client_quirks::first_rebalance_wait_ms;
use ottla_coordinator::group::consumer::{PatternTask, TopicNames};
use ottla_coordinator::{Reply, RequestContext};
use ottla_metadata::Image;
use ottla_network::Admitted;
use ottla_protocol::Encode;
use ottla_security::AclOperation;

use crate::access::Access;
use crate::context::Broker;
use crate::request::{Handled, Request, park};
use ottla_protocol::ErrorCodes;

/// What the coordinator sees of a request.
pub fn context(request: &Request) -> RequestContext {
    let software = request.connection.software.get();
    RequestContext {
        first_rebalance_wait_ms: software.map_or(0, |software| first_rebalance_wait_ms(&software.0)),
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
pub use ottla_coordinator::topic_lookup::ImageTopics as Topics;

/// Whether the cluster's features and the configuration let consumer groups be.
pub fn is_consumer_enabled(broker: &Broker) -> bool {
    broker.metadata.image().feature_level("group.version") >= 1
        && broker.config.rebalance_protocols.iter().any(|protocol| protocol == "consumer")
}

/// The topics that a client may see.
pub struct VisibleTopics {
    image: Arc<Image>,
    access: Access,
}

impl VisibleTopics {
    pub fn new(image: Arc<Image>, access: Access) -> VisibleTopics {
        VisibleTopics { image, access }
    }
}

impl TopicNames for VisibleTopics {
    fn version(&self) -> i64 {
        self.image.metadata_offset().0
    }

    fn for_each(&self, visit: &mut dyn FnMut(&str)) {
        self.image.topics().for_each(|topic| visit(topic.name.as_str()));
    }

    fn may_describe(&self, name: &str) -> bool {
        self.access.topic(AclOperation::Describe, name)
    }
}

/// Resolves the regular expressions of a group behind the answer to the heartbeat that asked for it.
pub fn resolve_patterns(broker: &Arc<Broker>, names: VisibleTopics, task: PatternTask) {
    let worker = broker.clone();
    let of_task = task.clone();
    let work = async move {
        let topics = Topics(names.image.clone());
        worker.groups.resolve_patterns(&of_task, &names, &topics);
    };
    if !broker.pattern_tasks.begin(&*broker.env.tasks, "resolve-patterns", Box::pin(work)) {
        broker.groups.drop_patterns(&task);
    }
}
