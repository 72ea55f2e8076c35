//! ElectLeaders (key 43), versions 0-2: leads partitions by their preferred replica (KIP-183).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: unclean elections (KIP-460). v2: flexible.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::ElectLeaders, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ElectLeadersRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(&body, request.version(), error.code(), message(text_of(error))));
    }
    let (broker, version, wanted) = (broker.clone(), request.version(), body.clone());
    let decision = async move { broker.metadata.elect_leaders(wanted).await };
    forward_to_controller(request, decision, move |error, why| refused(&body, version, error.code(), why))
}

/// Every part of the request gets the same code and text.
fn refused(
    body: &ElectLeadersRequest,
    version: i16,
    error: i16,
    why: Option<StrBytes>,
) -> ElectLeadersResponse {
    let results = body.topic_partitions.iter().flatten().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            PartitionResult::default()
                .with_partition_id(*partition)
                .with_error_code(error)
                .with_error_message(why.clone())
        });
        ReplicaElectionResult::default()
            .with_topic(topic.topic.clone())
            .with_partition_result(partitions.collect())
    });
    // An error for all has a place since v1.
    let error_for_all = if version >= 1 { error } else { 0 };
    ElectLeadersResponse::default()
        .with_error_code(error_for_all)
        .with_replica_election_results(results.collect())
}
