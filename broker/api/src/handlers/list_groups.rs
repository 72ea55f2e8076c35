//! ListGroups (key 16), versions 0-5: all groups of this coordinator.
//! Core over the coordinator's interface.
//!
//! - v1: throttle time. v3: flexible. v4: states (KIP-518). v5: types (KIP-848).

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::ListGroupsRequest;

use super::prelude::*;
use crate::group_admin;

pub const API: Api = Api { key: ApiKey::ListGroups, min: 0, max: 5, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ListGroupsRequest = request.decode()?;
    let mut response = group_admin::list(&body, |states, types| broker.groups.list_groups(states, types));
    let access = Access::of(broker, &request).quietly();
    if access.is_limited() && !access.cluster(AclOperation::Describe) {
        response.groups.retain(|group| access.group(AclOperation::Describe, &group.group_id));
    }
    request.ready(&response)
}
