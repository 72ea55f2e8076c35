//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
//! Shell.

use std::sync::Arc;

use bytes::Bytes;
use ottla_model::ErrorCode;

use super::coordinator::GroupCoordinator;
use super::{Reply, RequestContext};
use crate::group::turn::{join_error, sync_error};
use crate::group::{Joiner, Leaver, Protocol, Response};
use crate::wire::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, StrBytes, SyncGroupRequest, SyncGroupResponse,
};

impl GroupCoordinator {
    pub fn join_group(
        self: &Arc<Self>,
        context: &RequestContext,
        request: &JoinGroupRequest,
    ) -> Reply<JoinGroupResponse> {
        let version = context.api_version;
        if request.group_id.is_empty() {
            return Reply::Now(join_failure(version, &request.member_id, ErrorCode::InvalidGroupId));
        }
        let timeouts =
            self.runtime.settings.session_timeout_min_ms..=self.runtime.settings.session_timeout_max_ms;
        if !timeouts.contains(&request.session_timeout_ms) {
            return Reply::Now(join_failure(version, &request.member_id, ErrorCode::InvalidSessionTimeout));
        }
        let joiner = joiner(context, request);
        let random = self.rng.next_16();
        let group_id: &str = &request.group_id;
        let on_error = move |error| join_failure(version, "", error);
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(on_error(error)),
        };
        let parked = self.runtime.turn(&shard, |guard| {
            if joiner.member_id.is_empty() {
                // Refused, the group stays, and the join is told that it does not fit.
                let room = guard.core().make_room_for_classic(group_id);
                let _ = guard.perform(room);
            }
            let (waiter, receiver) = guard.park(group_id, version);
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let effects = guard.core().on_join(group_id, joiner, waiter, now, wall_ms, random);
            // A refused record is answered by the core, through the waiter.
            let _ = guard.perform(effects);
            receiver
        });
        match parked {
            Ok(receiver) => self.runtime.reply_parked(shard, receiver, joined, on_error),
            Err(error) => Reply::Now(on_error(error)),
        }
    }

    pub fn sync_group(
        self: &Arc<Self>,
        context: &RequestContext,
        request: &SyncGroupRequest,
    ) -> Reply<SyncGroupResponse> {
        // From v5 the client must say what it believes it syncs (KIP-559).
        if context.api_version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
            return Reply::Now(sync_error(ErrorCode::InconsistentGroupProtocol));
        }
        if request.group_id.is_empty() {
            return Reply::Now(sync_error(ErrorCode::InvalidGroupId));
        }
        let group_id: &str = &request.group_id;
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(sync_error(error)),
        };
        let parked = self.runtime.turn(&shard, |guard| {
            let (waiter, receiver) = guard.park(group_id, context.api_version);
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let effects = guard.core().on_sync(request, waiter, now, wall_ms);
            let _ = guard.perform(effects);
            receiver
        });
        match parked {
            Ok(receiver) => self.runtime.reply_parked(shard, receiver, synced, sync_error),
            Err(error) => Reply::Now(sync_error(error)),
        }
    }

    pub fn heartbeat(&self, request: &HeartbeatRequest) -> Reply<HeartbeatResponse> {
        let respond = |error: ErrorCode| HeartbeatResponse::default().with_error_code(error.code());
        if request.group_id.is_empty() {
            return Reply::Now(respond(ErrorCode::InvalidGroupId));
        }
        let group_id: &str = &request.group_id;
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(respond(error)),
        };
        let beat = self.runtime.turn(&shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let instance = request.group_instance_id.as_deref();
            let core = guard.core();
            let outcome = core.on_heartbeat(
                group_id,
                &request.member_id,
                instance,
                request.generation_id,
                now,
                wall_ms,
            );
            (outcome.err().unwrap_or(ErrorCode::None), core.last_record_offset(group_id))
        });
        match beat {
            Ok((error, after)) => self.runtime.reply_after(&shard, after, respond(error), respond),
            // The member is not to blame: it keeps what it has until the groups are loaded.
            Err(ErrorCode::CoordinatorLoadInProgress) => Reply::Now(respond(ErrorCode::None)),
            Err(error) => Reply::Now(respond(error)),
        }
    }

    pub fn leave_group(
        &self,
        context: &RequestContext,
        request: &LeaveGroupRequest,
    ) -> Reply<LeaveGroupResponse> {
        let version = context.api_version;
        let fail = |error: ErrorCode| LeaveGroupResponse::default().with_error_code(error.code());
        if request.group_id.is_empty() {
            return Reply::Now(fail(ErrorCode::InvalidGroupId));
        }
        let leavers = if version >= 3 {
            request
                .members
                .iter()
                .map(|member| Leaver {
                    member_id: member.member_id.clone(),
                    group_instance_id: member.group_instance_id.clone(),
                })
                .collect()
        } else {
            vec![Leaver { member_id: request.member_id.clone(), group_instance_id: None }]
        };
        let group_id: &str = &request.group_id;
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(fail(error)),
        };
        let left = self.runtime.turn(&shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let (effects, response) = guard.core().on_leave(group_id, leavers, now, wall_ms);
            guard.perform(effects)?;
            Ok((response, guard.core().last_record_offset(group_id)))
        });
        match left.and_then(|outcome| outcome) {
            Ok((response, after)) => {
                self.runtime.reply_after(&shard, after, for_version(response, version), fail)
            }
            Err(error) => Reply::Now(fail(error)),
        }
    }
}

/// What a parked JoinGroup is answered; the core answers a waiter in its own kind.
fn joined(response: Response) -> JoinGroupResponse {
    match response {
        Response::Join(response) => response,
        Response::Sync(_) => unreachable!("a JoinGroup is not answered as a SyncGroup"),
    }
}

fn synced(response: Response) -> SyncGroupResponse {
    match response {
        Response::Sync(response) => response,
        Response::Join(_) => unreachable!("a SyncGroup is not answered as a JoinGroup"),
    }
}

/// Before v3 a request is one member's, and its error is the response's.
fn for_version(response: LeaveGroupResponse, version: i16) -> LeaveGroupResponse {
    if version >= 3 {
        return response;
    }
    let member_error = response.members.first().map_or(0, |member| member.error_code);
    let error = if response.error_code != 0 { response.error_code } else { member_error };
    LeaveGroupResponse::default().with_error_code(error)
}

fn join_failure(version: i16, member_id: &str, error: ErrorCode) -> JoinGroupResponse {
    let response = join_error(member_id, error);
    if version < 7 { response.with_protocol_name(Some(StrBytes::default())) } else { response }
}

fn joiner(context: &RequestContext, request: &JoinGroupRequest) -> Joiner {
    let mut protocols: Vec<Protocol> = Vec::with_capacity(request.protocols.len());
    let mut names = std::collections::HashSet::new();
    for protocol in &request.protocols {
        // The first of a name counts. The bytes are copied: they stay long after the frame is gone.
        if names.insert(&*protocol.name) {
            protocols.push(Protocol {
                name: Arc::from(&*protocol.name),
                metadata: Bytes::copy_from_slice(&protocol.metadata),
            });
        }
    }
    Joiner {
        member_id: Box::from(&*request.member_id),
        group_instance_id: request.group_instance_id.as_deref().map(Arc::from),
        client_id: Arc::from(context.client_id.as_str()),
        client_host: Arc::from(context.client_host.as_str()),
        session_timeout_ms: request.session_timeout_ms,
        // v0 had one timeout for both.
        rebalance_timeout_ms: if context.api_version == 0 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        protocol_type: Arc::from(&*request.protocol_type),
        protocols,
        first_rebalance_wait_ms: context.first_rebalance_wait_ms,
    }
}
