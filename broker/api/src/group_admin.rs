//! Classic groups and lists of groups between the wire and the group coordinator: DescribeGroups, ListGroups, DeleteGroups.
//! Core: the coordinator is asked by a function.

use ottla_coordinator::Reply;
use ottla_coordinator::group::answers::{ClassicMemberDescription, ListedGroup};
use ottla_coordinator::group::modern::GroupError;
use ottla_coordinator::group::{ClassicDescription, ClassicGroupState};
use ottla_model::ErrorCode;
use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
use ottla_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use ottla_protocol::messages::list_groups_response::ListedGroup as WireListedGroup;
use ottla_protocol::messages::{
    DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId, ListGroupsRequest,
    ListGroupsResponse,
};

use crate::handlers::prelude::text;

/// The first version of DescribeGroups that says of a group that it is not there (KIP-1043).
const ABSENT_VERSION_MIN: i16 = 6;

pub fn describe(
    version: i16,
    request: &DescribeGroupsRequest,
    ask: impl FnOnce(&[&str]) -> Reply<Vec<(String, Result<ClassicDescription, GroupError>)>>,
) -> Reply<DescribeGroupsResponse> {
    let ids: Vec<&str> = request.groups.iter().map(|id| &***id).collect();
    ask(&ids).map(move |groups| {
        let groups = groups.into_iter().map(|(id, group)| described(version, &id, group));
        DescribeGroupsResponse::default().with_groups(groups.collect())
    })
}

fn described(version: i16, id: &str, group: Result<ClassicDescription, GroupError>) -> DescribedGroup {
    let named = DescribedGroup::default().with_group_id(GroupId(text(id)));
    match group {
        Ok(group) => named
            .with_group_state(text(group.state))
            .with_protocol_type(text(&group.protocol_type))
            .with_protocol_data(text(&group.protocol_name))
            .with_members(group.members.into_iter().map(described_member).collect()),
        Err(error) if error.code == ErrorCode::GroupIdNotFound => {
            let dead = named.with_group_state(text(ClassicGroupState::Dead.name()));
            match version >= ABSENT_VERSION_MIN {
                true => {
                    dead.with_error_code(error.code.code()).with_error_message(Some(text(&error.message)))
                }
                // Its state says it.
                false => dead,
            }
        }
        Err(error) => named.with_error_code(error.code.code()),
    }
}

fn described_member(member: ClassicMemberDescription) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(text(member.member_id.as_str()))
        .with_group_instance_id(member.group_instance_id.as_deref().map(text))
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_member_metadata(member.metadata)
        .with_member_assignment(member.assignment)
}

pub fn list(
    request: &ListGroupsRequest,
    ask: impl FnOnce(&[&str], &[&str]) -> Result<Vec<ListedGroup>, ErrorCode>,
) -> ListGroupsResponse {
    let states: Vec<&str> = request.states_filter.iter().map(|name| &**name).collect();
    let types: Vec<&str> = request.types_filter.iter().map(|name| &**name).collect();
    let listed = |group: ListedGroup| {
        WireListedGroup::default()
            .with_group_id(GroupId(text(group.group_id.as_str())))
            .with_protocol_type(text(&group.protocol_type))
            .with_group_state(text(group.state))
            .with_group_type(text(group.group_type))
    };
    match ask(&states, &types) {
        Ok(groups) => ListGroupsResponse::default().with_groups(groups.into_iter().map(listed).collect()),
        Err(error) => ListGroupsResponse::default().with_error_code(error.code()),
    }
}

pub fn delete(
    group_ids: &[GroupId],
    ask: impl FnOnce(&[&str]) -> Reply<Vec<(String, ErrorCode)>>,
) -> Reply<DeleteGroupsResponse> {
    let ids: Vec<&str> = group_ids.iter().map(|id| &***id).collect();
    ask(&ids).map(|groups| {
        let result = |(id, error): (String, ErrorCode)| {
            DeletableGroupResult::default().with_group_id(GroupId(text(&id))).with_error_code(error.code())
        };
        DeleteGroupsResponse::default().with_results(groups.into_iter().map(result).collect())
    })
}

#[cfg(test)]
#[path = "group_admin_tests.rs"]
mod tests;
