//! The request and response types that this room reads and builds, from one place.
//! Core.

pub use ottla_protocol::StrBytes;
pub use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
pub use ottla_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
pub use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
pub use ottla_protocol::messages::leave_group_response::MemberResponse;
pub use ottla_protocol::messages::list_groups_response::ListedGroup;
pub use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
pub use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
pub use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
pub use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
pub use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
pub use ottla_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest,
    SyncGroupResponse,
};

#[cfg(test)]
pub use ottla_protocol::messages::{
    join_group_request::JoinGroupRequestProtocol,
    leave_group_request::MemberIdentity,
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch_request::OffsetFetchRequestTopic,
    sync_group_request::SyncGroupRequestAssignment,
};

/// Text of ours as the wire's type.
pub fn text(text: &str) -> StrBytes {
    if text.is_empty() { StrBytes::default() } else { StrBytes::from_string(text.to_owned()) }
}
