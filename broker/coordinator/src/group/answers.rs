//! What members of classic groups ask and are answered, and what is seen of groups from outside.
//! Core. No version of the wire is known here: the handlers translate.

use std::sync::Arc;

use bytes::Bytes;
use ottla_model::{ErrorCode, GroupId, MemberId, TopicId, TopicName};

use super::member::ClassicGroupMember;

/// What a JoinGroup is answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Joined {
    pub error: ErrorCode,
    pub member_id: MemberId,
    /// -1 where there is none.
    pub generation_id: i32,
    pub protocol_type: Option<Arc<str>>,
    pub protocol_name: Option<Arc<str>>,
    pub leader: Option<MemberId>,
    /// All members, where the answer is the leader's.
    pub members: Vec<JoinedMember>,
    /// The leader has nothing to assign (KIP-814).
    pub skip_assignment: bool,
}

/// A member as the leader sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinedMember {
    pub member_id: MemberId,
    pub group_instance_id: Option<Arc<str>>,
    pub metadata: Bytes,
}

impl Joined {
    pub fn refused(member_id: &str, error: ErrorCode) -> Joined {
        Joined {
            error,
            member_id: MemberId::new(member_id),
            generation_id: -1,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: Vec::new(),
            skip_assignment: false,
        }
    }

    /// Empty where nobody leads yet.
    pub fn leader_id(&self) -> &str {
        self.leader.as_ref().map_or("", MemberId::as_str)
    }
}

/// A SyncGroup request.
#[derive(Clone, Debug)]
pub struct Syncer<'a> {
    pub group_id: &'a str,
    pub member_id: &'a str,
    pub group_instance_id: Option<&'a str>,
    pub generation_id: i32,
    /// What the member believes it syncs, where it says so (KIP-559).
    pub protocol_type: Option<&'a str>,
    pub protocol_name: Option<&'a str>,
    /// The leader's: what each member gets.
    pub assignments: Vec<(&'a str, &'a [u8])>,
}

/// What a SyncGroup is answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Synced {
    pub error: ErrorCode,
    pub protocol_type: Option<Arc<str>>,
    pub protocol_name: Option<Arc<str>>,
    pub assignment: Bytes,
}

impl Synced {
    pub fn refused(error: ErrorCode) -> Synced {
        Synced { error, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

/// A Heartbeat request.
#[derive(Clone, Copy, Debug)]
pub struct Beat<'a> {
    pub group_id: &'a str,
    pub member_id: &'a str,
    pub group_instance_id: Option<&'a str>,
    pub generation_id: i32,
}

/// A classic group as DescribeGroups shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct ClassicDescription {
    pub state: &'static str,
    pub protocol_type: Arc<str>,
    /// The chosen protocol of a stable group.
    pub protocol_name: Arc<str>,
    pub members: Vec<ClassicMemberDescription>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ClassicMemberDescription {
    pub member_id: MemberId,
    pub group_instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    /// What it said under the chosen protocol.
    pub metadata: Bytes,
    pub assignment: Bytes,
}

impl ClassicMemberDescription {
    pub fn of(member: &ClassicGroupMember, protocol_name: Option<&str>) -> ClassicMemberDescription {
        ClassicMemberDescription {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: Arc::clone(&member.client_id),
            client_host: Arc::clone(&member.client_host),
            metadata: protocol_name.map(|name| member.metadata(name)).unwrap_or_default(),
            assignment: member.assignment.clone(),
        }
    }
}

/// A group as ListGroups shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct ListedGroup {
    pub group_id: GroupId,
    pub protocol_type: Arc<str>,
    pub state: &'static str,
    /// Kafka's name of the protocol that runs the group.
    pub group_type: &'static str,
}

/// Partitions by topic, where the topic is there.
pub type DescribedPartitions = Vec<(TopicId, TopicName, Vec<i32>)>;
