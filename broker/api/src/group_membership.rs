//! Members of classic groups between the wire and the group coordinator: JoinGroup, SyncGroup, LeaveGroup, DescribeGroups.
//! Core: the coordinator is asked by a function.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordinator::group::{Joiner, Leaver, Protocol};
use ottla_coordinator::{Reply, RequestContext};
use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{
    DescribeGroupsRequest, DescribeGroupsResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};

/// The first version of JoinGroup with a rebalance timeout of its own.
const REBALANCE_TIMEOUT_VERSION_MIN: i16 = 1;
/// From this version of JoinGroup on a member comes back with the id it is given (KIP-394).
const KNOWN_ID_VERSION_MIN: i16 = 4;
/// The first version of JoinGroup that says null where there is no protocol, and not the empty text (KIP-559).
const NULL_PROTOCOL_VERSION_MIN: i16 = 7;
/// The first version of JoinGroup whose leader can be told to assign nothing (KIP-814).
const SKIP_ASSIGNMENT_VERSION_MIN: i16 = 9;
/// From this version of SyncGroup on a member says what it believes it syncs (KIP-559).
const SYNC_PROTOCOL_VERSION_MIN: i16 = 5;
/// The first version of LeaveGroup in which several may leave (KIP-345).
const LEAVERS_VERSION_MIN: i16 = 3;
/// The first version of DescribeGroups that says of a group that it is not there (KIP-1043).
const ABSENT_VERSION_MIN: i16 = 6;

pub fn join(
    context: &RequestContext,
    version: i16,
    request: &JoinGroupRequest,
    ask: impl FnOnce(&str, Joiner) -> Reply<JoinGroupResponse>,
) -> Reply<JoinGroupResponse> {
    ask(&request.group_id, joiner(context, version, request)).map(move |response| joined(version, response))
}

fn joiner(context: &RequestContext, version: i16, request: &JoinGroupRequest) -> Joiner {
    let mut protocols: Vec<Protocol> = Vec::with_capacity(request.protocols.len());
    let mut names = HashSet::new();
    for protocol in &request.protocols {
        // The first of a name counts. The bytes are copied: they stay long after the frame is gone.
        if names.insert(&*protocol.name) {
            protocols.push(Protocol {
                name: Arc::from(&*protocol.name),
                metadata: Bytes::copy_from_slice(&protocol.metadata),
            });
        }
    }
    let has_rebalance_timeout = version >= REBALANCE_TIMEOUT_VERSION_MIN;
    Joiner {
        member_id: Box::from(&*request.member_id),
        group_instance_id: request.group_instance_id.as_deref().map(Arc::from),
        client_id: Arc::from(context.client_id.as_str()),
        client_host: Arc::from(context.client_host.as_str()),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: match has_rebalance_timeout {
            true => request.rebalance_timeout_ms,
            false => request.session_timeout_ms,
        },
        protocol_type: Arc::from(&*request.protocol_type),
        protocols,
        first_rebalance_wait_ms: context.first_rebalance_wait_ms,
        must_know_its_id: version >= KNOWN_ID_VERSION_MIN,
        may_skip_assignment: version >= SKIP_ASSIGNMENT_VERSION_MIN,
    }
}

/// The protocol name has another "none" in each version.
fn joined(version: i16, mut response: JoinGroupResponse) -> JoinGroupResponse {
    let is_named = response.protocol_name.as_ref().is_some_and(|name| !name.is_empty());
    if !is_named {
        response.protocol_name = (version < NULL_PROTOCOL_VERSION_MIN).then(StrBytes::default);
    }
    response
}

pub fn sync(
    version: i16,
    request: &SyncGroupRequest,
    ask: impl FnOnce(&SyncGroupRequest) -> Reply<SyncGroupResponse>,
) -> Reply<SyncGroupResponse> {
    if !names_its_protocol(version, request) {
        let error = ErrorCode::InconsistentGroupProtocol.code();
        return Reply::Now(SyncGroupResponse::default().with_error_code(error));
    }
    ask(request)
}

/// Whether a SyncGroup says what its version must say.
pub fn names_its_protocol(version: i16, request: &SyncGroupRequest) -> bool {
    version < SYNC_PROTOCOL_VERSION_MIN
        || (request.protocol_type.is_some() && request.protocol_name.is_some())
}

pub fn leave(
    version: i16,
    request: &LeaveGroupRequest,
    ask: impl FnOnce(&str, Vec<Leaver>) -> Reply<LeaveGroupResponse>,
) -> Reply<LeaveGroupResponse> {
    let leavers = if version >= LEAVERS_VERSION_MIN {
        let leaver = |member: &ottla_protocol::messages::leave_group_request::MemberIdentity| Leaver {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
        };
        request.members.iter().map(leaver).collect()
    } else {
        vec![Leaver { member_id: request.member_id.clone(), group_instance_id: None }]
    };
    ask(&request.group_id, leavers).map(move |response| left(version, response))
}

/// Before v3 a request is one member's, and its error is the response's.
fn left(version: i16, response: LeaveGroupResponse) -> LeaveGroupResponse {
    if version >= LEAVERS_VERSION_MIN {
        return response;
    }
    let member_error = response.members.first().map_or(0, |member| member.error_code);
    let error = if response.error_code != 0 { response.error_code } else { member_error };
    LeaveGroupResponse::default().with_error_code(error)
}

pub fn describe(
    version: i16,
    request: &DescribeGroupsRequest,
    ask: impl FnOnce(&DescribeGroupsRequest) -> Reply<DescribeGroupsResponse>,
) -> Reply<DescribeGroupsResponse> {
    let reply = ask(request);
    if version >= ABSENT_VERSION_MIN {
        return reply;
    }
    reply.map(|mut response| {
        let absent = ErrorCode::GroupIdNotFound.code();
        for group in response.groups.iter_mut().filter(|group| group.error_code == absent) {
            // Its state is Dead, and says so.
            (group.error_code, group.error_message) = (ErrorCode::None.code(), None);
        }
        response
    })
}

#[cfg(test)]
#[path = "group_membership_tests.rs"]
mod tests;
