//! DescribeGroups (key 15), versions 0-6: the members and states of groups.
//! Core over the coordinator's interface.
//!
//! - v1: throttle time. v3: authorized operations. v4: static members. v5: flexible. v6: error and text
//!   for a group that is not there (KIP-1043).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::DescribeGroupsRequest;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;

use super::prelude::*;
use crate::{group_admin, groups};

pub const API: Api = Api { key: ApiKey::DescribeGroups, min: 0, max: 6, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: DescribeGroupsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refused = access.take_refused(&mut body.groups, |group| access.group(AclOperation::Describe, group));
    let describe = |ids: &[&str]| broker.groups.describe_groups(ids);
    let reply = group_admin::describe(request.version(), &body, describe);
    let tells_operations = body.include_authorized_operations && request.version() >= 3;
    if !tells_operations && refused.is_empty() {
        return groups::relay(request, reply);
    }
    let reply = reply.map(move |mut response| {
        for group in response.groups.iter_mut().filter(|group| tells_operations && group.error_code == 0) {
            group.authorized_operations = access.group_operations(&group.group_id);
        }
        response.groups.extend(refused.into_iter().map(|group| {
            DescribedGroup::default()
                .with_group_id(group)
                .with_error_code(ErrorCode::GroupAuthorizationFailed.code())
        }));
        response
    });
    groups::relay(request, reply)
}
