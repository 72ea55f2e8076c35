//! ControllerRegistration (key 70), versions 0-0: where a controller is reached, and what it serves (KIP-919).
//! Shell: the controller decides.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{ControllerRegistrationRequest, ControllerRegistrationResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::ControllerRegistration, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ControllerRegistrationRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed, None));
    }
    let broker = broker.clone();
    let decision =
        async move { ottla_metadata::ControllerChannel::register_controller(&*broker.metadata, body).await };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, why: Option<StrBytes>) -> ControllerRegistrationResponse {
    ControllerRegistrationResponse::default().with_error_code(error.code()).with_error_message(why)
}
