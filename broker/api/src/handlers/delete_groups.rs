//! DeleteGroups (key 42), versions 0-2: empty groups go, with their offsets (KIP-229).
//! Core over the coordinator's door.
//!
//! - v1: throttle time. v2: flexible.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::DeleteGroupsRequest;
use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;

use super::prelude::*;
use crate::groups;

pub const API: Api = Api { key: ApiKey::DeleteGroups, min: 0, max: 2, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: DeleteGroupsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let mut refused =
        access.take_refused(&mut body.groups_names, |group| access.group(AclOperation::Delete, group));
    let reply = broker.groups.delete_groups(&body);
    if refused.is_empty() {
        return groups::relay(request, reply);
    }
    refused.sort();
    refused.dedup();
    let reply = reply.map(move |mut response| {
        response.results.extend(refused.into_iter().map(|group| {
            DeletableGroupResult::default()
                .with_group_id(group)
                .with_error_code(ErrorCode::GroupAuthorizationFailed.code())
        }));
        response
    });
    groups::relay(request, reply)
}
