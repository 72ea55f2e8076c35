//! BrokerHeartbeat (key 63), versions 0-2: a broker says that it lives and what it wants (KIP-631).
//! Shell: the controller decides.
//!
//! - v1: directories that failed (KIP-858). v2: directories that take no new replicas (KIP-1066).

use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::BrokerHeartbeat, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: BrokerHeartbeatRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed, None));
    }
    let id = BrokerId(body.broker_id);
    broker.broker_connections.on_heartbeat(request.connection.id, id, body.broker_epoch);
    let broker = broker.clone();
    let decision = async move { ottla_metadata::ControllerChannel::heartbeat(&*broker.metadata, body).await };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, _why: Option<StrBytes>) -> BrokerHeartbeatResponse {
    BrokerHeartbeatResponse { error_code: error.code(), ..BrokerHeartbeatResponse::default() }
}
