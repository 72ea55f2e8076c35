//! JoinGroup (key 11), versions 0-9: a member enters its group's next generation.
//! Core over the coordinator's interface.
//!
//! - v1: rebalance timeout. v2: throttle time. v4: MEMBER_ID_REQUIRED (KIP-394). v5: static members
//!   (KIP-345). v6: flexible. v7: protocol type (KIP-559). v8: reason (KIP-800). v9: SkipAssignment.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::JoinGroupRequest;

use super::prelude::*;
use crate::{group_membership, groups};

pub const API: Api = Api { key: ApiKey::JoinGroup, min: 0, max: 9, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: JoinGroupRequest = request.decode()?;
    if !Access::of(broker, &request).group(AclOperation::Read, &body.group_id) {
        return request
            .ready(&group_membership::refused(request.version(), ErrorCode::GroupAuthorizationFailed));
    }
    let context = groups::context(&request);
    let reply = group_membership::join(&context, request.version(), &body, |group_id, joiner| {
        broker.groups.join_group(group_id, joiner)
    });
    groups::relay(request, reply)
}
