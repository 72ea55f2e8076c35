//! BrokerRegistration (key 62), versions 0-4: a broker joins the cluster (KIP-631).
//! Shell: the controller decides.
//!
//! - v2: log directories (KIP-858). v3: the epoch of a clean stop (KIP-966). v4: features from 0.

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
    let broker = broker.clone();
    let decision =
        async move { ottla_metadata::ControllerChannel::register_broker(&*broker.metadata, body).await };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, _why: Option<StrBytes>) -> BrokerRegistrationResponse {
    BrokerRegistrationResponse::default().with_error_code(error.code())
}
