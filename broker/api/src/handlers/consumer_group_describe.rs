//! ConsumerGroupDescribe (key 69), versions 0-1: members of consumer groups and what they have (KIP-848).
//! Core over the coordinator's interface.
//!
//! - v0: KIP-848. v1: the protocol that a member speaks (KIP-1099).

use std::collections::HashSet;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::consumer_group_describe_response::DescribedGroup;
use ottla_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use super::prelude::*;
use crate::groups::{self, Topics};

pub const API: Api = Api { key: ApiKey::ConsumerGroupDescribe, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: ConsumerGroupDescribeRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refused = |group_id, error: ErrorCode| {
        DescribedGroup::default().with_group_id(group_id).with_error_code(error.code())
    };
    if !groups::is_consumer_enabled(broker) {
        let groups = body.group_ids.into_iter().map(|id| refused(id, ErrorCode::UnsupportedVersion));
        return request.ready(&ConsumerGroupDescribeResponse::default().with_groups(groups.collect()));
    }
    let unauthorized =
        access.take_refused(&mut body.group_ids, |id| access.group(AclOperation::Describe, id));
    let mut groups: Vec<DescribedGroup> =
        unauthorized.into_iter().map(|id| refused(id, ErrorCode::GroupAuthorizationFailed)).collect();
    let (unnamed, named): (Vec<_>, Vec<_>) = body.group_ids.into_iter().partition(|id| id.is_empty());
    groups.extend(unnamed.into_iter().map(|id| refused(id, ErrorCode::InvalidGroupId)));
    let topics = Topics(broker.image());
    let replies: Vec<_> = named.iter().map(|id| broker.groups.describe_consumer_group(id, &topics)).collect();
    let tells_operations = body.include_authorized_operations;
    park(async move {
        for reply in replies {
            let mut group = reply.into_future().await;
            if tells_operations && group.error_code == 0 {
                group.authorized_operations = access.group_operations(&group.group_id);
            }
            groups.push(hide_unauthorized(&access, group));
        }
        request.answer(&ConsumerGroupDescribeResponse::default().with_groups(groups))
    })
}

/// Who may not see a topic does not see a group that reads it.
fn hide_unauthorized(access: &Access, group: DescribedGroup) -> DescribedGroup {
    if !access.is_limited() {
        return group;
    }
    let assignments = group.members.iter().flat_map(|member| [&member.assignment, &member.target_assignment]);
    let topics = assignments.flat_map(|assignment| &assignment.topic_partitions);
    let names: HashSet<&str> = topics.map(|topic| topic.topic_name.as_str()).collect();
    if names.into_iter().all(|name| access.topic(AclOperation::Describe, name)) {
        return group;
    }
    DescribedGroup::default()
        .with_group_id(group.group_id)
        .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
        .with_error_message(message(
            "The group has described topic(s) that the client is not authorized to describe.",
        ))
}
