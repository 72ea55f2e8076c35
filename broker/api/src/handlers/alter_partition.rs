//! AlterPartition (key 56), versions 2-3: a leader proposes other in-sync replicas (KIP-497).
//! Shell: the controller decides.
//!
//! - v2: topic ids. v3: members with their broker epochs (KIP-903).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::AlterPartition, min: 2, max: 3, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AlterPartitionRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed, None));
    }
    let broker = broker.clone();
    let decision =
        async move { ottla_metadata::ControllerChannel::alter_partition(&*broker.metadata, body).await };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, _why: Option<StrBytes>) -> AlterPartitionResponse {
    AlterPartitionResponse::default().with_error_code(error.code())
}
