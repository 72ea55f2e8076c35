//! AssignReplicasToDirs (key 73), version 0: a broker says in which of its log directories replicas are (KIP-858).
//! Shell: the controller decides.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::AssignReplicasToDirs, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AssignReplicasToDirsRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed, None));
    }
    let broker = broker.clone();
    let decision = async move {
        ottla_metadata::ControllerChannel::assign_replicas_to_dirs(&*broker.metadata, body).await
    };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, _why: Option<StrBytes>) -> AssignReplicasToDirsResponse {
    AssignReplicasToDirsResponse::default().with_error_code(error.code())
}
