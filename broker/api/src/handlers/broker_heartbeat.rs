//! BrokerHeartbeat (key 63), versions 0-2: a broker tells the controller that it lives, how far it is, and what it wants.
//! Shell: the controller decides, and the answer leaves when what it decided is committed.
//!
//! - v1: directories that failed (KIP-858). v2: directories that are cordoned (KIP-1066).

use ottla_metadata::ControllerChannel;
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::BrokerHeartbeat, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: BrokerHeartbeatRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed, None));
    }
    let decision = broker.metadata.heartbeat(body);
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, _why: Option<StrBytes>) -> BrokerHeartbeatResponse {
    BrokerHeartbeatResponse { error_code: error.code(), ..BrokerHeartbeatResponse::default() }
}
