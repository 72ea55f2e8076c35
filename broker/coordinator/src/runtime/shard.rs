//! One shard under one leader epoch, and its lock: append, replay, answer.
//! Shell.
//!
//! Invariants:
//! - I1. A shard is loading, active or gone, in this order, and is gone for good.
//! - I2. A parked request is in the shard that took it. Its answer leaves only while that shard is active:
//!   no leader epoch answers for one that has ended.
//! - I3. The offsets of a shard's records only grow.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ottla_env::{BoxFuture, Clock, Monotonic};
use ottla_log::verification::Verification;
use ottla_model::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use ottla_records::{BatchBuilder, EndTxnMarker};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use super::log::{CoordinatorLog, response_error};
use crate::shard::{Answer, CoordinatorShard, Effects, Waiter};

/// Records that need not be in one batch are appended so many at a time.
const SPLIT_RECORDS_MAX: usize = 500;

/// "No deadline" in the atomic copies.
pub(crate) const NEVER: u64 = u64::MAX;

/// What every shard of a coordinator works with.
pub(crate) struct Outside {
    pub log: Arc<dyn CoordinatorLog>,
    pub clock: Arc<dyn Clock>,
}

/// A response and the record that must be committed before it leaves.
pub(crate) struct ParkedAnswer<R> {
    pub response: R,
    pub after: Option<Offset>,
}

struct ParkedRequest<R> {
    /// What the answer is about.
    key: Box<str>,
    sender: oneshot::Sender<ParkedAnswer<R>>,
}

enum Phase<S> {
    Loading,
    Active(Box<S>),
    /// Led elsewhere or under another epoch, or its log has failed.
    Gone,
}

pub(crate) struct Shard<S: CoordinatorShard> {
    pub partition: i32,
    /// The leader epoch under which this node leads the partition.
    pub epoch: LeaderEpoch,
    outside: Arc<Outside>,
    state: Mutex<State<S>>,
    /// The earliest deadline in microseconds; read without the lock.
    next_deadline_us: AtomicU64,
    has_ended: AtomicBool,
    /// Wakes those whose answer waits for a commit.
    ended: Notify,
}

struct State<S: CoordinatorShard> {
    phase: Phase<S>,
    parked: HashMap<u64, ParkedRequest<S::Response>>,
    next_token: u64,
    last_appended: Option<Offset>,
}

/// The shard while its lock is held.
pub(crate) struct ShardGuard<'a, S: CoordinatorShard> {
    shard: &'a Shard<S>,
    state: MutexGuard<'a, State<S>>,
    actions: Vec<S::Action>,
    pub now: Monotonic,
    pub wall_ms: i64,
}

impl<S: CoordinatorShard> Shard<S> {
    pub fn loading(partition: i32, epoch: LeaderEpoch, outside: Arc<Outside>) -> Shard<S> {
        let state =
            State { phase: Phase::Loading, parked: HashMap::new(), next_token: 0, last_appended: None };
        Shard {
            partition,
            epoch,
            outside,
            state: Mutex::new(state),
            next_deadline_us: AtomicU64::new(NEVER),
            has_ended: AtomicBool::new(false),
            ended: Notify::new(),
        }
    }

    pub fn next_deadline_us(&self) -> u64 {
        self.next_deadline_us.load(Ordering::SeqCst)
    }

    /// Whether the shard is gone: it answers nothing any more.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    pub fn enter(&self) -> Result<ShardGuard<'_, S>, ErrorCode> {
        let (now, wall_ms) = (self.outside.clock.monotonic(), self.outside.clock.wall_ms());
        let state = self.state.lock();
        match state.phase {
            Phase::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Gone => Err(ErrorCode::NotCoordinator),
            Phase::Active(_) => Ok(ShardGuard { shard: self, state, actions: Vec::new(), now, wall_ms }),
        }
    }

    /// The log was read: the shard answers from now on. `None` when the leadership ended meanwhile.
    pub fn activate(&self, core: S) -> Option<ShardGuard<'_, S>> {
        let (now, wall_ms) = (self.outside.clock.monotonic(), self.outside.clock.wall_ms());
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Gone) {
            return None;
        }
        assert!(matches!(state.phase, Phase::Loading), "a shard is loaded once");
        assert!(state.parked.is_empty(), "a shard that is not loaded parks nothing");
        state.phase = Phase::Active(Box::new(core));
        Some(ShardGuard { shard: self, state, actions: Vec::new(), now, wall_ms })
    }

    /// Ends the shard: every parked request and every answer that waits is sent away.
    pub fn close(&self) {
        if let Ok(mut guard) = self.enter() {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let answers = guard.core().on_unloaded(now, wall_ms);
            guard.answer(answers, false);
        }
        {
            let mut state = self.state.lock();
            state.phase = Phase::Gone;
            // A request that is still parked learns it from the closed channel.
            state.parked.clear();
            self.next_deadline_us.store(NEVER, Ordering::SeqCst);
            self.has_ended.store(true, Ordering::SeqCst);
        }
        self.ended.notify_waiters();
    }

    /// Completes when the shard has ended.
    async fn until_ended(&self) {
        let mut ended = std::pin::pin!(self.ended.notified());
        ended.as_mut().enable();
        // An end between the caller's look and the registration has woken nobody.
        if !self.has_ended() {
            ended.await;
        }
    }
}

impl<S: CoordinatorShard> ShardGuard<'_, S> {
    pub fn core(&mut self) -> &mut S {
        match &mut self.state.phase {
            Phase::Active(core) => core,
            Phase::Loading | Phase::Gone => unreachable!("a guard is made for an active shard only"),
        }
    }

    /// Keeps a request until a turn answers it; `key` is what it is about.
    pub fn park(&mut self, key: &str) -> (Waiter, oneshot::Receiver<ParkedAnswer<S::Response>>) {
        let (sender, receiver) = oneshot::channel();
        let token = self.state.next_token;
        self.state.next_token += 1;
        let before = self.state.parked.insert(token, ParkedRequest { key: key.into(), sender });
        assert!(before.is_none(), "a token names one request");
        (Waiter { token }, receiver)
    }

    /// Does what a turn wants done. An error means that the turn's own records were refused, as the
    /// client is to be answered; the core knows it, and its state is as before the turn.
    pub fn perform(&mut self, effects: Effects<S>) -> Result<(), ErrorCode> {
        let mut outcome = None;
        let mut next = Some(effects);
        // What follows an append may ask for another; a rebalance ends after two or three.
        while let Some(Effects { records, answers, then, split, actions }) = next.take() {
            let appended = self.append_parts(records, split);
            match appended {
                Ok(()) => self.actions.extend(actions),
                Err(error) => {
                    tracing::warn!(topic = S::TOPIC, partition = self.shard.partition, %error, "a coordinator's records were refused");
                }
            }
            if let Some(then) = then {
                let (now, wall_ms) = (self.now, self.wall_ms);
                next = Some(self.core().on_appended(then, appended, now, wall_ms));
            }
            self.answer(answers, true);
            outcome.get_or_insert(appended);
        }
        outcome.unwrap_or(Ok(()))
    }

    fn append_parts(&mut self, records: Vec<S::Record>, split: bool) -> Result<(), ErrorCode> {
        let at_a_time = if split { SPLIT_RECORDS_MAX } else { usize::MAX };
        if records.len() <= at_a_time {
            return self.append(records).map(drop);
        }
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            self.append(records.by_ref().take(at_a_time).collect())?;
        }
        Ok(())
    }

    /// Appends records as one batch and replays them; the offset is that of the last. After an error
    /// nothing has changed.
    pub fn append(&mut self, records: Vec<S::Record>) -> Result<Option<Offset>, ErrorCode> {
        if records.is_empty() {
            return Ok(None);
        }
        let encoded: Result<Vec<_>, _> = records.iter().map(S::encode).collect();
        // A name that is too long for the record's format cannot have come over the wire.
        let encoded = encoded.map_err(|_| ErrorCode::UnknownServerError)?;
        let last = self
            .shard
            .outside
            .log
            .append(self.shard.partition, self.shard.epoch, &encoded, self.wall_ms)
            .map_err(response_error)?;
        self.replay(last, None, records);
        Ok(Some(last))
    }

    pub fn append_one(&mut self, record: S::Record) -> Result<Offset, ErrorCode> {
        match self.append(vec![record])? {
            Some(offset) => Ok(offset),
            None => unreachable!("one record has an offset"),
        }
    }

    /// The same for the records of a producer's transaction, which its coordinator has verified.
    pub fn append_transactional(
        &mut self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        verification: Verification,
        records: Vec<S::Record>,
    ) -> Result<Option<Offset>, ErrorCode> {
        if records.is_empty() {
            return Ok(None);
        }
        let mut batch =
            BatchBuilder::new().transactional().producer(producer_id, producer_epoch, Sequence::NONE);
        for record in &records {
            let encoded = S::encode(record).map_err(|_| ErrorCode::UnknownServerError)?;
            batch.append(self.wall_ms, Some(&encoded.key), encoded.value.as_deref(), &[]);
        }
        let (partition, epoch) = (self.shard.partition, self.shard.epoch);
        let log = &self.shard.outside.log;
        let last = log
            .append_verified(partition, epoch, batch.build(), verification, self.wall_ms)
            .map_err(response_error)?;
        self.replay(last, Some(producer_id.0), records);
        Ok(Some(last))
    }

    /// Appends the end of a producer's transaction and replays it.
    pub fn append_marker(
        &mut self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        marker: EndTxnMarker,
    ) -> Result<Offset, ErrorCode> {
        let batch = marker.build(producer_id, producer_epoch);
        let (partition, epoch) = (self.shard.partition, self.shard.epoch);
        let offset = self.shard.outside.log.append_batch(partition, epoch, batch, self.wall_ms)?;
        self.grow_to(offset, offset);
        self.core().replay_end_transaction_marker(offset, producer_id.0, marker.is_commit);
        Ok(offset)
    }

    fn replay(&mut self, last: Offset, producer_id: Option<i64>, records: Vec<S::Record>) {
        let first = last.0 - (records.len() as i64 - 1);
        self.grow_to(Offset(first), last);
        for (offset, record) in (first..).zip(records) {
            self.core().replay(Offset(offset), producer_id, record);
        }
    }

    fn grow_to(&mut self, first: Offset, last: Offset) {
        let before = self.state.last_appended.replace(last);
        assert!(before.is_none_or(|before| before < first), "a log gives each offset once (I3)");
    }

    /// `waits` is false for the answers of an end, which rest on nothing.
    fn answer(&mut self, answers: Vec<Answer<S::Response>>, waits: bool) {
        assert!(
            answers.is_empty() || !self.shard.has_ended(),
            "an epoch that has ended answers nothing (I2)"
        );
        for Answer { waiter, response } in answers {
            let Some(ParkedRequest { key, sender }) = self.state.parked.remove(&waiter.token) else {
                tracing::error!(?waiter, ?response, "an answer that nobody waits for");
                continue;
            };
            let after = if waits { self.core().last_record_offset(&key) } else { None };
            // A connection that is gone has dropped its receiver.
            let _ = sender.send(ParkedAnswer { response, after });
        }
    }

    /// Lets the lock go; what comes back is to be done without it.
    pub fn leave(mut self) -> Vec<S::Action> {
        std::mem::take(&mut self.actions)
    }
}

impl<S: CoordinatorShard> Drop for ShardGuard<'_, S> {
    fn drop(&mut self) {
        let next = match &self.state.phase {
            Phase::Active(core) => core.next_deadline(),
            Phase::Loading | Phase::Gone => None,
        };
        let next_us = next.map_or(NEVER, |deadline| deadline.0.as_micros() as u64);
        self.shard.next_deadline_us.store(next_us, Ordering::SeqCst);
    }
}

/// Waits for a record's commit. A loss ends the shard, as its memory is ahead of its log; an end of the
/// shard ends the wait. That too few replicas are in sync is no loss.
pub(crate) struct CommitWait<S: CoordinatorShard> {
    shard: Arc<Shard<S>>,
    committed: BoxFuture<'static, Result<(), ErrorCode>>,
}

impl<S: CoordinatorShard> CommitWait<S> {
    /// `None` when the record is committed already.
    pub fn new(shard: &Arc<Shard<S>>, after: Offset) -> Option<CommitWait<S>> {
        let committed = shard.outside.log.committed(shard.partition, shard.epoch, after)?;
        Some(CommitWait { shard: Arc::clone(shard), committed })
    }

    pub async fn wait(self) -> Result<(), ErrorCode> {
        let committed = tokio::select! {
            biased;
            () = self.shard.until_ended() => return Err(ErrorCode::NotCoordinator),
            committed = self.committed => committed,
        };
        if committed == Err(ErrorCode::NotEnoughReplicasAfterAppend) {
            // It is in the log, and this epoch's: nothing is lost, and memory is not ahead. More replicas may come.
            return Err(response_error(ErrorCode::NotEnoughReplicasAfterAppend));
        }
        if let Err(error) = committed {
            tracing::error!(topic = S::TOPIC, partition = self.shard.partition, %error, "a coordinator's records were not committed; it stops answering");
            self.shard.close();
            return Err(response_error(error));
        }
        // What was committed may be what another leader goes on from: it is not this epoch's to answer.
        match self.shard.has_ended() {
            true => Err(ErrorCode::NotCoordinator),
            false => Ok(()),
        }
    }
}
