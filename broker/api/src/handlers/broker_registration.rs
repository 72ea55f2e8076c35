//! BrokerRegistration (key 62), versions 0-4: a broker tells the controller that it is there (KIP-500).
//! Shell: the controller decides, and the answer leaves when the registration is committed.
//!
//! - v2: directories (KIP-858). v3: the epoch of the stop before (KIP-966). v4: features that begin at 0.

use ottla_metadata::ControllerChannel;
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{BrokerRegistrationRequest, BrokerRegistrationResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::BrokerRegistration, min: 0, max: 4, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: BrokerRegistrationRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed, None));
    }
    let decision = broker.metadata.register_broker(body);
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, _why: Option<StrBytes>) -> BrokerRegistrationResponse {
    BrokerRegistrationResponse::default().with_error_code(error.code())
}
