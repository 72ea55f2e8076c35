//! ShareGroupDescribe (key 77), version 1: members of share groups and what they are assigned (KIP-932).
//! Core over the coordinator's interface.
//!
//! - v0 was early access and is not served by Kafka any more. v1: KIP-932.

use std::collections::HashSet;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::share_group_describe_response::DescribedGroup;
use ottla_protocol::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};

use super::prelude::*;
use crate::groups::Topics;
use crate::share;

pub const API: Api = Api { key: ApiKey::ShareGroupDescribe, min: 1, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: ShareGroupDescribeRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refused = |group_id, error: ErrorCode| {
        DescribedGroup::default().with_group_id(group_id).with_error_code(error.code())
    };
    if !share::is_enabled(broker) {
        let groups = body.group_ids.into_iter().map(|id| refused(id, ErrorCode::UnsupportedVersion));
        return request.ready(&ShareGroupDescribeResponse::default().with_groups(groups.collect()));
    }
    let unauthorized =
        access.take_refused(&mut body.group_ids, |id| access.group(AclOperation::Describe, id));
    let mut groups: Vec<DescribedGroup> =
        unauthorized.into_iter().map(|id| refused(id, ErrorCode::GroupAuthorizationFailed)).collect();
    let (unnamed, named): (Vec<_>, Vec<_>) = body.group_ids.into_iter().partition(|id| id.is_empty());
    groups.extend(unnamed.into_iter().map(|id| refused(id, ErrorCode::InvalidGroupId)));
    let topics = Topics(broker.image());
    let replies: Vec<_> = named.iter().map(|id| broker.groups.describe_share_group(id, &topics)).collect();
    let tells_operations = body.include_authorized_operations;
    park(async move {
        for reply in replies {
            let mut group = reply.into_future().await;
            if tells_operations && group.error_code == 0 {
                group.authorized_operations = access.group_operations(&group.group_id);
            }
            groups.push(hide_unauthorized(&access, group));
        }
        request.answer(&ShareGroupDescribeResponse::default().with_groups(groups))
    })
}

/// Who may not see a topic does not see a group that reads it.
fn hide_unauthorized(access: &Access, group: DescribedGroup) -> DescribedGroup {
    if !access.is_limited() {
        return group;
    }
    let topics = group.members.iter().flat_map(|member| &member.assignment.topic_partitions);
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
