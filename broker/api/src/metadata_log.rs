//! Fetch of the metadata log, as a controller's listener serves it.
//! Shell: the rules are `metadata`'s (`serve.rs`).

use std::sync::Arc;

use ottla_metadata::{CLUSTER_METADATA_TOPIC, Voter};
use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_security::AclOperation;

use crate::access::Access;
use crate::context::Broker;
use crate::request::{Handled, Request, park};

pub fn fetch(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: FetchRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        let refused = FetchResponse::default().with_error_code(ErrorCode::ClusterAuthorizationFailed.code());
        return request.ready(&refused);
    }
    let (broker, controllers) = (broker.clone(), controllers(broker, &request));
    park(async move {
        let version = request.version();
        let response = broker.metadata.fetch_log(in_newest_words(body, version), controllers).await;
        request.answer(&in_version(response, version))
    })
}

/// Topics had names before they had ids, and a replica its id in another place.
fn in_newest_words(mut body: FetchRequest, version: i16) -> FetchRequest {
    if version < 15 {
        body.replica_state.replica_id = body.replica_id;
    }
    if version < 13 {
        for topic in &mut body.topics {
            let is_metadata = topic.topic.as_str() == CLUSTER_METADATA_TOPIC;
            topic.topic_id = if is_metadata { TopicId::METADATA.0 } else { TopicId::ZERO.0 };
        }
    }
    body
}

fn in_version(mut response: FetchResponse, version: i16) -> FetchResponse {
    if version < 16 {
        response.node_endpoints = Vec::new();
    }
    if version < 13 {
        response.responses.iter_mut().for_each(|topic| topic.topic_id = TopicId::ZERO.0);
    }
    response
}

/// Every controller of the quorum; this one is where the client has reached it, if it is alone.
pub fn controllers(broker: &Broker, request: &Request) -> Vec<Voter> {
    if broker.config.has_peers() {
        let voters = broker.metadata.quorum_voters();
        if !voters.is_empty() {
            return voters;
        }
        let named = broker.config.quorum_voters.iter();
        let voter = |one: &ottla_config::QuorumVoter| Voter {
            id: ottla_model::BrokerId(one.id),
            host: one.host.clone(),
            port: one.port,
        };
        return named.map(voter).collect();
    }
    let (host, port) = request.connection.advertised();
    vec![Voter { id: broker.node_id, host, port }]
}
