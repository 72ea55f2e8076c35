//! LeaveGroup (key 13), versions 0-5: members go, or are sent away by an administrator.
//! Core over the coordinator's interface.
//!
//! - v1: throttle time. v3: several members, by instance id too (KIP-345). v4: flexible. v5: reason
//!   (KIP-800).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::prelude::*;
use crate::{group_membership, groups};

pub const API: Api = Api { key: ApiKey::LeaveGroup, min: 0, max: 5, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: LeaveGroupRequest = request.decode()?;
    if !Access::of(broker, &request).group(AclOperation::Read, &body.group_id) {
        let error = ErrorCode::GroupAuthorizationFailed.code();
        return request.ready(&LeaveGroupResponse::default().with_error_code(error));
    }
    let reply = group_membership::leave(request.version(), &body, |group_id, leavers| {
        broker.groups.leave_group(group_id, leavers)
    });
    groups::relay(request, reply)
}
