//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
//! Shell.

use std::sync::Arc;

use ottla_model::ErrorCode;

use super::Reply;
use super::coordinator::GroupCoordinator;
use crate::group::{Beat, Joined, Joiner, Leaver, Left, Response, Synced, Syncer};

impl GroupCoordinator {
    pub fn join_group(self: &Arc<Self>, group_id: &str, joiner: Joiner) -> Reply<Joined> {
        let refuse = |error| Reply::Now(Joined::refused(&joiner.member_id, error));
        if group_id.is_empty() {
            return refuse(ErrorCode::InvalidGroupId);
        }
        let timeouts =
            self.runtime.settings.session_timeout_min_ms..=self.runtime.settings.session_timeout_max_ms;
        if !timeouts.contains(&joiner.session_timeout_ms) {
            return refuse(ErrorCode::InvalidSessionTimeout);
        }
        let random = self.rng.next_16();
        let on_error = |error| Joined::refused("", error);
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
            let (waiter, receiver) = guard.park(group_id);
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

    pub fn sync_group(self: &Arc<Self>, syncer: &Syncer<'_>) -> Reply<Synced> {
        if syncer.group_id.is_empty() {
            return Reply::Now(Synced::refused(ErrorCode::InvalidGroupId));
        }
        let group_id = syncer.group_id;
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(Synced::refused(error)),
        };
        let parked = self.runtime.turn(&shard, |guard| {
            let (waiter, receiver) = guard.park(group_id);
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let effects = guard.core().on_sync(syncer, waiter, now, wall_ms);
            let _ = guard.perform(effects);
            receiver
        });
        match parked {
            Ok(receiver) => self.runtime.reply_parked(shard, receiver, synced, Synced::refused),
            Err(error) => Reply::Now(Synced::refused(error)),
        }
    }

    pub fn heartbeat(&self, beat: &Beat<'_>) -> Reply<ErrorCode> {
        if beat.group_id.is_empty() {
            return Reply::Now(ErrorCode::InvalidGroupId);
        }
        let shard = match self.runtime.shard_for(beat.group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(error),
        };
        let heard = self.runtime.turn(&shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let core = guard.core();
            let outcome = core.on_heartbeat(beat, now, wall_ms);
            (outcome.err().unwrap_or(ErrorCode::None), core.last_record_offset(beat.group_id))
        });
        match heard {
            Ok((error, after)) => self.runtime.reply_after(&shard, after, error, |error| error),
            // The member is not to blame: it keeps what it has until the groups are loaded.
            Err(ErrorCode::CoordinatorLoadInProgress) => Reply::Now(ErrorCode::None),
            Err(error) => Reply::Now(error),
        }
    }

    pub fn leave_group(&self, group_id: &str, leavers: Vec<Leaver>) -> Reply<Left> {
        if group_id.is_empty() {
            return Reply::Now(Err(ErrorCode::InvalidGroupId));
        }
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(Err(error)),
        };
        let left = self.runtime.turn(&shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let (effects, response) = guard.core().on_leave(group_id, leavers, now, wall_ms);
            guard.perform(effects)?;
            Ok((response, guard.core().last_record_offset(group_id)))
        });
        match left.and_then(|outcome| outcome) {
            Ok((response, after)) => self.runtime.reply_after(&shard, after, response, Err),
            Err(error) => Reply::Now(Err(error)),
        }
    }
}

/// What a parked JoinGroup is answered; the core answers a waiter in its own kind.
fn joined(response: Response) -> Joined {
    match response {
        Response::Join(response) => response,
        Response::Sync(_) => unreachable!("a JoinGroup is not answered as a SyncGroup"),
    }
}

fn synced(response: Response) -> Synced {
    match response {
        Response::Sync(response) => response,
        Response::Join(_) => unreachable!("a SyncGroup is not answered as a JoinGroup"),
    }
}
