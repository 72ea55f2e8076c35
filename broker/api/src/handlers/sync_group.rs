//! SyncGroup (key 14), versions 0-5: members take the assignment their leader gives.
//! Core over the coordinator's interface.
//!
//! - v1: throttle time. v3: static members (KIP-345). v4: flexible. v5: protocol type and name (KIP-559).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::prelude::*;
use crate::{group_membership, groups};

pub const API: Api = Api { key: ApiKey::SyncGroup, min: 0, max: 5, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: SyncGroupRequest = request.decode()?;
    // A request without its protocol is refused for that first.
    let is_whole = group_membership::names_its_protocol(request.version(), &body);
    if is_whole && !Access::of(broker, &request).group(AclOperation::Read, &body.group_id) {
        let error = ErrorCode::GroupAuthorizationFailed.code();
        return request.ready(&SyncGroupResponse::default().with_error_code(error));
    }
    let reply = group_membership::sync(request.version(), &body, |syncer| broker.groups.sync_group(syncer));
    groups::relay(request, reply)
}
