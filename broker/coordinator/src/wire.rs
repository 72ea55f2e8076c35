//! The request and response types that this room reads and builds, from one place.
//! Core.

pub use ottla_protocol::StrBytes;
pub use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
pub use ottla_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
pub use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
pub use ottla_protocol::messages::leave_group_response::MemberResponse;
pub use ottla_protocol::messages::list_groups_response::ListedGroup;
pub use ottla_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    HeartbeatRequest, HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, ListGroupsRequest,
    ListGroupsResponse, SyncGroupRequest, SyncGroupResponse,
};

#[cfg(test)]
pub use ottla_protocol::messages::{
    join_group_request::JoinGroupRequestProtocol, leave_group_request::MemberIdentity,
    sync_group_request::SyncGroupRequestAssignment,
};

/// Text of ours as the wire's type.
pub fn text(text: &str) -> StrBytes {
    if text.is_empty() { StrBytes::default() } else { StrBytes::from_string(text.to_owned()) }
}
