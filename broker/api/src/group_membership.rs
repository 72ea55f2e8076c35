//! Members of classic groups between the wire and the group coordinator: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//! Core: the coordinator is asked by a function.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordinator::group::answers::JoinedMember;
use ottla_coordinator::group::{Beat, Joined, Joiner, Leaver, Left, Protocol, Synced, Syncer};
use ottla_coordinator::{Reply, RequestContext};
use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::leave_group_response::MemberResponse;
use ottla_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};

use crate::handlers::prelude::text;

/// The first version of JoinGroup with a rebalance timeout of its own.
const REBALANCE_TIMEOUT_VERSION_MIN: i16 = 1;
/// From this version of JoinGroup on a member comes back with the id it is given (KIP-394).
const KNOWN_ID_VERSION_MIN: i16 = 4;
/// The first version of JoinGroup that says null where there is no protocol, and not the empty text (KIP-559).
const NULL_PROTOCOL_VERSION_MIN: i16 = 7;
/// From this version of JoinGroup on a text may be longer than 15 bits can say.
const LONG_TEXT_VERSION_MIN: i16 = 6;
/// The first version of JoinGroup whose leader can be told to assign nothing (KIP-814).
const SKIP_ASSIGNMENT_VERSION_MIN: i16 = 9;
/// From this version of SyncGroup on a member says what it believes it syncs (KIP-559).
const SYNC_PROTOCOL_VERSION_MIN: i16 = 5;
/// The first version of LeaveGroup in which several may leave (KIP-345).
const LEAVERS_VERSION_MIN: i16 = 3;

pub fn join(
    context: &RequestContext,
    version: i16,
    request: &JoinGroupRequest,
    ask: impl FnOnce(&str, Joiner) -> Reply<Joined>,
) -> Reply<JoinGroupResponse> {
    ask(&request.group_id, joiner(context, version, request)).map(move |answer| joined(version, answer))
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

fn joined(version: i16, answer: Joined) -> JoinGroupResponse {
    // A member's id is its client's with more behind it. Kafka finds out when it writes the answer.
    let is_short = |id: &str| version >= LONG_TEXT_VERSION_MIN || id.len() <= i16::MAX as usize;
    if !is_short(answer.member_id.as_str())
        || !is_short(answer.leader_id())
        || !answer.members.iter().all(|member| is_short(member.member_id.as_str()))
    {
        return refused(version, ErrorCode::UnknownServerError);
    }
    let member = |member: JoinedMember| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member_id.as_str()))
            .with_group_instance_id(member.group_instance_id.as_deref().map(text))
            .with_metadata(member.metadata)
    };
    // It has another "none" in each version.
    let protocol_name = match answer.protocol_name.as_deref() {
        None | Some("") => (version < NULL_PROTOCOL_VERSION_MIN).then(StrBytes::default),
        Some(name) => Some(text(name)),
    };
    JoinGroupResponse::default()
        .with_error_code(answer.error.code())
        .with_member_id(text(answer.member_id.as_str()))
        .with_generation_id(answer.generation_id)
        .with_protocol_type(answer.protocol_type.as_deref().map(text))
        .with_protocol_name(protocol_name)
        .with_leader(text(answer.leader_id()))
        .with_members(answer.members.into_iter().map(member).collect())
        .with_skip_assignment(answer.skip_assignment)
}

/// `JoinGroupRequest.getErrorResponse`.
pub fn refused(version: i16, error: ErrorCode) -> JoinGroupResponse {
    let protocol_name = (version < NULL_PROTOCOL_VERSION_MIN).then(StrBytes::default);
    JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(-1)
        .with_protocol_name(protocol_name)
}

pub fn sync(
    version: i16,
    request: &SyncGroupRequest,
    ask: impl FnOnce(&Syncer<'_>) -> Reply<Synced>,
) -> Reply<SyncGroupResponse> {
    if !names_its_protocol(version, request) {
        let error = ErrorCode::InconsistentGroupProtocol.code();
        return Reply::Now(SyncGroupResponse::default().with_error_code(error));
    }
    let assignments = request.assignments.iter().map(|one| (&*one.member_id, &*one.assignment));
    let syncer = Syncer {
        group_id: &request.group_id,
        member_id: &request.member_id,
        group_instance_id: request.group_instance_id.as_deref(),
        generation_id: request.generation_id,
        protocol_type: request.protocol_type.as_deref(),
        protocol_name: request.protocol_name.as_deref(),
        assignments: assignments.collect(),
    };
    ask(&syncer).map(|answer| {
        SyncGroupResponse::default()
            .with_error_code(answer.error.code())
            .with_protocol_type(answer.protocol_type.as_deref().map(text))
            .with_protocol_name(answer.protocol_name.as_deref().map(text))
            .with_assignment(answer.assignment)
    })
}

/// Whether a SyncGroup says what its version must say.
pub fn names_its_protocol(version: i16, request: &SyncGroupRequest) -> bool {
    version < SYNC_PROTOCOL_VERSION_MIN
        || (request.protocol_type.is_some() && request.protocol_name.is_some())
}

pub fn heartbeat(
    request: &HeartbeatRequest,
    ask: impl FnOnce(&Beat<'_>) -> Reply<ErrorCode>,
) -> Reply<HeartbeatResponse> {
    let beat = Beat {
        group_id: &request.group_id,
        member_id: &request.member_id,
        group_instance_id: request.group_instance_id.as_deref(),
        generation_id: request.generation_id,
    };
    ask(&beat).map(|error| HeartbeatResponse::default().with_error_code(error.code()))
}

pub fn leave(
    version: i16,
    request: &LeaveGroupRequest,
    ask: impl FnOnce(&str, Vec<Leaver>) -> Reply<Left>,
) -> Reply<LeaveGroupResponse> {
    let leavers = if version >= LEAVERS_VERSION_MIN {
        let leaver = |member: &MemberIdentity| Leaver {
            member_id: Box::from(&*member.member_id),
            group_instance_id: member.group_instance_id.as_deref().map(Arc::from),
        };
        request.members.iter().map(leaver).collect()
    } else {
        vec![Leaver { member_id: Box::from(&*request.member_id), group_instance_id: None }]
    };
    ask(&request.group_id, leavers).map(move |answer| left(version, answer))
}

/// Before v3 a request is one member's, and its error is the response's.
fn left(version: i16, answer: Left) -> LeaveGroupResponse {
    let fail = |error: ErrorCode| LeaveGroupResponse::default().with_error_code(error.code());
    match answer {
        Err(error) => fail(error),
        Ok(members) if version >= LEAVERS_VERSION_MIN => {
            let member = |(leaver, error): (Leaver, ErrorCode)| {
                MemberResponse::default()
                    .with_member_id(text(&leaver.member_id))
                    .with_group_instance_id(leaver.group_instance_id.as_deref().map(text))
                    .with_error_code(error.code())
            };
            LeaveGroupResponse::default().with_members(members.into_iter().map(member).collect())
        }
        Ok(members) => fail(members.first().map_or(ErrorCode::None, |(_, error)| *error)),
    }
}

#[cfg(test)]
#[path = "group_membership_tests.rs"]
mod tests;
