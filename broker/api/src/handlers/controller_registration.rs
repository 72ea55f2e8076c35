//! ControllerRegistration (key 70), version 0: a controller says where it is reached and what it serves (KIP-919).
//! Shell: the active controller decides, and the answer leaves when the registration is committed.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{ControllerRegistrationRequest, ControllerRegistrationResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::ControllerRegistration, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ControllerRegistrationRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(error, message(text_of(error))));
    }
    let broker = broker.clone();
    let decision = async move { broker.metadata.register_controller(body).await };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, why: Option<StrBytes>) -> ControllerRegistrationResponse {
    ControllerRegistrationResponse::default().with_error_code(error.code()).with_error_message(why)
}
