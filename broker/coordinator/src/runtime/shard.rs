//! One shard and its lock: append, replay, answer.
//! Shell.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_env::{BoxFuture, Monotonic};
use ottla_model::{ErrorCode, Offset};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::log::{CoordinatorLog, response_error};
use crate::group::{Answer, Effects, GroupShard, Response, Waiter};
use crate::record::Record;
use crate::record::codec;
use crate::wire::{JoinGroupResponse, SyncGroupResponse};

/// Records that need not be in one batch are appended so many at a time.
const SPLIT_RECORDS_MAX: usize = 500;

/// "No deadline" in the atomic copies.
pub(super) const NEVER: u64 = u64::MAX;

/// A response and the record that must be committed before it leaves.
pub(super) struct Parked<T> {
    pub response: T,
    pub after: Option<Offset>,
}

enum Parking {
    Join(Box<str>, oneshot::Sender<Parked<JoinGroupResponse>>),
    Sync(Box<str>, oneshot::Sender<Parked<SyncGroupResponse>>),
}

/// What a shard can be asked now.
enum Phase {
    Loading,
    Active(Box<GroupShard>),
    /// Unloaded, or its log has failed.
    Gone,
}

pub(super) struct Shard {
    pub partition: i32,
    state: Mutex<State>,
    /// The earliest deadline in microseconds; read without the lock.
    next_deadline_us: AtomicU64,
}

struct State {
    phase: Phase,
    parked: HashMap<u64, Parking>,
    next_token: u64,
}

/// The shard while its lock is held.
pub(super) struct Turnstile<'a> {
    shard: &'a Shard,
    state: MutexGuard<'a, State>,
    log: &'a dyn CoordinatorLog,
    pub now: Monotonic,
    pub wall_ms: i64,
}

impl Shard {
    pub fn loading(partition: i32) -> Shard {
        let state = State { phase: Phase::Loading, parked: HashMap::new(), next_token: 0 };
        Shard { partition, state: Mutex::new(state), next_deadline_us: AtomicU64::new(NEVER) }
    }

    pub fn next_deadline_us(&self) -> u64 {
        self.next_deadline_us.load(Ordering::SeqCst)
    }

    pub fn enter<'a>(
        &'a self,
        log: &'a dyn CoordinatorLog,
        now: Monotonic,
        wall_ms: i64,
    ) -> Result<Turnstile<'a>, ErrorCode> {
        let state = self.state.lock();
        match state.phase {
            Phase::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Gone => Err(ErrorCode::NotCoordinator),
            Phase::Active(_) => Ok(Turnstile { shard: self, state, log, now, wall_ms }),
        }
    }

    /// The log was read: the shard answers from now on.
    pub fn activate<'a>(
        &'a self,
        core: GroupShard,
        log: &'a dyn CoordinatorLog,
        now: Monotonic,
        wall_ms: i64,
    ) -> Result<(), ErrorCode> {
        {
            let mut state = self.state.lock();
            if !matches!(state.phase, Phase::Loading) {
                return Err(ErrorCode::NotCoordinator);
            }
            state.phase = Phase::Active(Box::new(core));
        }
        let mut turnstile = self.enter(log, now, wall_ms)?;
        let effects = turnstile.core().on_loaded(now, wall_ms);
        turnstile.perform(effects)
    }

    /// Stops answering; whoever waits is sent to look for the coordinator.
    pub fn close(&self, log: &dyn CoordinatorLog, now: Monotonic, wall_ms: i64) {
        if let Ok(mut turnstile) = self.enter(log, now, wall_ms) {
            let effects = turnstile.core().on_unloaded(now, wall_ms);
            turnstile.answer(effects.answers);
        }
        let mut state = self.state.lock();
        state.phase = Phase::Gone;
        // Whoever still waits hears it from the closed channel.
        state.parked.clear();
        self.next_deadline_us.store(NEVER, Ordering::SeqCst);
    }
}

impl Turnstile<'_> {
    pub fn core(&mut self) -> &mut GroupShard {
        match &mut self.state.phase {
            Phase::Active(core) => core,
            Phase::Loading | Phase::Gone => unreachable!("a turnstile is made for an active shard only"),
        }
    }

    pub fn park_join(
        &mut self,
        group_id: &str,
        api_version: i16,
    ) -> (Waiter, oneshot::Receiver<Parked<JoinGroupResponse>>) {
        let (sender, receiver) = oneshot::channel();
        (self.park(Parking::Join(group_id.into(), sender), api_version), receiver)
    }

    pub fn park_sync(
        &mut self,
        group_id: &str,
        api_version: i16,
    ) -> (Waiter, oneshot::Receiver<Parked<SyncGroupResponse>>) {
        let (sender, receiver) = oneshot::channel();
        (self.park(Parking::Sync(group_id.into(), sender), api_version), receiver)
    }

    fn park(&mut self, parking: Parking, api_version: i16) -> Waiter {
        let token = self.state.next_token;
        self.state.next_token += 1;
        self.state.parked.insert(token, parking);
        Waiter { token, api_version }
    }

    /// Does what a turn asked for. An error means that the turn's own records were refused, as the
    /// client is to be told; the core has been told, and its state is as before the turn.
    pub fn perform(&mut self, effects: Effects) -> Result<(), ErrorCode> {
        let mut outcome = None;
        let mut next = Some(effects);
        // What follows an append may ask for another; a rebalance ends after two or three.
        while let Some(Effects { records, answers, then, split }) = next.take() {
            let appended = self.append_and_replay(records, split);
            if let Err(error) = appended {
                tracing::warn!(partition = self.shard.partition, %error, "the group coordinator's records were refused");
            }
            if let Some(then) = then {
                let (now, wall_ms) = (self.now, self.wall_ms);
                next = Some(self.core().on_appended(then, appended, now, wall_ms));
            }
            self.answer(answers);
            outcome.get_or_insert(appended);
        }
        outcome.unwrap_or(Ok(()))
    }

    fn append_and_replay(&mut self, records: Vec<Record>, split: bool) -> Result<(), ErrorCode> {
        let at_a_time = if split { SPLIT_RECORDS_MAX } else { usize::MAX };
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            let part: Vec<Record> = records.by_ref().take(at_a_time).collect();
            let encoded: Result<Vec<_>, _> = part.iter().map(codec::encode).collect();
            // A name that is too long for the record's format cannot have come over the wire.
            let encoded = encoded.map_err(|_| ErrorCode::UnknownServerError)?;
            let last =
                self.log.append(self.shard.partition, &encoded, self.wall_ms).map_err(response_error)?;
            let first = last.0 - (part.len() as i64 - 1);
            for (offset, record) in (first..).zip(part) {
                self.core().replay(Offset(offset), None, record);
            }
        }
        Ok(())
    }

    fn answer(&mut self, answers: Vec<Answer>) {
        for Answer { waiter, response } in answers {
            // A connection that is gone has dropped its receiver: nobody is there to be told.
            match (self.state.parked.remove(&waiter.token), response) {
                (Some(Parking::Join(group_id, sender)), Response::Join(response)) => {
                    let after = self.core().last_record_offset(&group_id);
                    let _ = sender.send(Parked { response, after });
                }
                (Some(Parking::Sync(group_id, sender)), Response::Sync(response)) => {
                    let after = self.core().last_record_offset(&group_id);
                    let _ = sender.send(Parked { response, after });
                }
                (_, response) => tracing::error!(?waiter, ?response, "an answer that nobody waits for"),
            }
        }
    }
}

impl Drop for Turnstile<'_> {
    fn drop(&mut self) {
        let next = match &self.state.phase {
            Phase::Active(core) => core.next_deadline(),
            Phase::Loading | Phase::Gone => None,
        };
        let next_us = next.map_or(NEVER, |deadline| deadline.0.as_micros() as u64);
        self.shard.next_deadline_us.store(next_us, Ordering::SeqCst);
    }
}

/// Waits for a record's commit; a loss closes the shard, as its memory is ahead of its log.
pub(super) struct CommitWait {
    pub shard: Arc<Shard>,
    pub log: Arc<dyn CoordinatorLog>,
    pub clock: Arc<dyn ottla_env::Clock>,
    pub committed: BoxFuture<'static, Result<(), ErrorCode>>,
}

impl CommitWait {
    pub async fn wait(self) -> Result<(), ErrorCode> {
        let Err(error) = self.committed.await else { return Ok(()) };
        tracing::error!(partition = self.shard.partition, %error, "records of the group coordinator were not committed; it stops answering");
        self.shard.close(&*self.log, self.clock.monotonic(), self.clock.wall_ms());
        Err(response_error(error))
    }
}
