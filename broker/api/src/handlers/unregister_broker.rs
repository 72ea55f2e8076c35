//! UnregisterBroker (key 64), version 0: takes a broker off the list of those that are registered (KIP-500).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::UnregisterBroker, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: UnregisterBrokerRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(error, message(text_of(error))));
    }
    let broker = broker.clone();
    let decision = async move { broker.metadata.unregister_broker(body).await };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, why: Option<StrBytes>) -> UnregisterBrokerResponse {
    UnregisterBrokerResponse::default().with_error_code(error.code()).with_error_message(why)
}
