//! Fetch of the metadata log, as a controller's listener serves it.
//! Shell: the rules are `metadata`'s (`serve.rs`).

use std::sync::Arc;

use ottla_metadata::Voter;
use ottla_model::ErrorCode;
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
        let response = broker.metadata.fetch_log(body, request.version(), controllers).await;
        request.answer(&response)
    })
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
