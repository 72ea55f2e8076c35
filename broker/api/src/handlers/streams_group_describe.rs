//! StreamsGroupDescribe (key 89), version 0: topologies of streams groups, members and their tasks (KIP-1071).
//! Core over the coordinator's interface.

use std::collections::HashSet;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::streams_group_describe_response::DescribedGroup;
use ottla_protocol::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

use super::prelude::*;
use crate::streams;

pub const API: Api = Api { key: ApiKey::StreamsGroupDescribe, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: StreamsGroupDescribeRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refused = |group_id, error: ErrorCode| DescribedGroup {
        group_id,
        error_code: error.code(),
        ..Default::default()
    };
    if !streams::is_enabled(broker) {
        let groups = body.group_ids.into_iter().map(|id| refused(id, ErrorCode::UnsupportedVersion));
        return request.ready(&response_of(groups.collect()));
    }
    let unauthorized =
        access.take_refused(&mut body.group_ids, |id| access.group(AclOperation::Describe, id));
    let mut groups: Vec<DescribedGroup> =
        unauthorized.into_iter().map(|id| refused(id, ErrorCode::GroupAuthorizationFailed)).collect();
    let (unnamed, named): (Vec<_>, Vec<_>) = body.group_ids.into_iter().partition(|id| id.is_empty());
    groups.extend(unnamed.into_iter().map(|id| refused(id, ErrorCode::InvalidGroupId)));
    let replies: Vec<_> = named.iter().map(|id| broker.groups.describe_streams_group(id)).collect();
    let tells_operations = body.include_authorized_operations;
    park(async move {
        for reply in replies {
            let mut group = reply.into_future().await;
            if tells_operations && group.error_code == 0 {
                group.authorized_operations = access.group_operations(&group.group_id);
            }
            groups.push(hide_unauthorized(&access, group));
        }
        request.answer(&response_of(groups))
    })
}

fn response_of(groups: Vec<DescribedGroup>) -> StreamsGroupDescribeResponse {
    StreamsGroupDescribeResponse { groups, ..Default::default() }
}

/// Who may not see a topic does not see a group whose topology has it.
fn hide_unauthorized(access: &Access, group: DescribedGroup) -> DescribedGroup {
    if !access.is_limited() {
        return group;
    }
    let subtopologies = group.topology.iter().flat_map(|topology| topology.subtopologies.iter().flatten());
    let names: HashSet<&str> = subtopologies
        .flat_map(|one| {
            let internal = one.repartition_source_topics.iter().chain(&one.state_changelog_topics);
            let named = one.source_topics.iter().chain(&one.repartition_sink_topics);
            named.chain(internal.map(|topic| &topic.name)).map(|name| &**name)
        })
        .collect();
    if names.into_iter().all(|name| access.topic(AclOperation::Describe, name)) {
        return group;
    }
    DescribedGroup {
        group_id: group.group_id,
        error_code: ErrorCode::TopicAuthorizationFailed.code(),
        error_message: message(
            "The described group uses topics that the client is not authorized to describe.",
        ),
        ..Default::default()
    }
}
