//! DescribeGroups (key 15), versions 0-6: the members and states of groups.
//! Core over the coordinator's door.
//!
//! - v1: throttle time. v3: authorized operations. v4: static members. v5: flexible. v6: error and text
//!   for a group that is not there (KIP-1043).

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::DescribeGroupsRequest;

use super::prelude::*;
use crate::context::GROUP_OPERATIONS;
use crate::groups;

pub const API: Api = Api { key: ApiKey::DescribeGroups, min: 0, max: 6, class: Class::Inline, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeGroupsRequest = request.decode()?;
    let reply = broker.groups.describe_groups(&groups::context(&request), &body);
    if !body.include_authorized_operations || request.version() < 3 {
        return groups::relay(request, reply);
    }
    let reply = reply.map(|mut response| {
        for group in response.groups.iter_mut().filter(|group| group.error_code == 0) {
            group.authorized_operations = GROUP_OPERATIONS;
        }
        response
    });
    groups::relay(request, reply)
}
