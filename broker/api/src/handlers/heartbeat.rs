//! Heartbeat (key 12), versions 0-4: a member says it is alive.
//! Core over the coordinator's interface.
//!
//! - v1: throttle time. v3: static members (KIP-345). v4: flexible.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::prelude::*;
use crate::{group_membership, groups};

pub const API: Api = Api { key: ApiKey::Heartbeat, min: 0, max: 4, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: HeartbeatRequest = request.decode()?;
    if !Access::of(broker, &request).group(AclOperation::Read, &body.group_id) {
        let error = ErrorCode::GroupAuthorizationFailed.code();
        return request.ready(&HeartbeatResponse::default().with_error_code(error));
    }
    let reply = group_membership::heartbeat(&body, |beat| broker.groups.heartbeat(beat));
    groups::relay(request, reply)
}
