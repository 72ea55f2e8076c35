//! AllocateProducerIds (key 67), versions 0-0: a block of producer ids for a broker (KIP-730).
//! Shell: the controller decides.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::AllocateProducerIds, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AllocateProducerIdsRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed, None));
    }
    let broker = broker.clone();
    let decision = async move {
        ottla_metadata::ControllerChannel::allocate_producer_ids(&*broker.metadata, body).await
    };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, _why: Option<StrBytes>) -> AllocateProducerIdsResponse {
    AllocateProducerIdsResponse::default().with_error_code(error.code())
}
