//! UnregisterBroker (key 64), versions 0-0: takes a broker off the list of those that are registered (KIP-631).
//! Shell: the controller decides.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::UnregisterBroker, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: UnregisterBrokerRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed, None));
    }
    let broker = broker.clone();
    let decision = async move { broker.metadata.unregister_broker(body).await };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, why: Option<StrBytes>) -> UnregisterBrokerResponse {
    UnregisterBrokerResponse::default().with_error_code(error.code()).with_error_message(why)
}
