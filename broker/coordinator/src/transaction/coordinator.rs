//! The transaction coordinator: its operations, over the shards in the runtime.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ottla_env::{BoxFuture, Clock, Tasks};
use ottla_model::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use super::codec::TransactionRecord;
use super::decide::{self, Decided, Decision, Ending};
use super::markers::{Completion, MarkerChannel};
use super::metadata::{PartitionSet, TransactionMetadata, TransactionVersion};
use super::shard::{TransactionAction, TransactionShard};
use crate::runtime::{CoordinatorLog, CoordinatorRuntime, Loader, ShardGuard, TaskSet};
use crate::shard::CoordinatorShard;

pub(super) type Shard = crate::runtime::Shard<TransactionShard>;

/// The numbers that transactions are run by, under Kafka's names.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`.
    pub timeout_max_ms: i32,
    /// `transaction.two.phase.commit.enable`.
    pub allows_two_phase: bool,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_interval_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expiration_interval_ms: i64,
}

/// What a producer wants of two-phase commit (KIP-939).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TwoPhaseWish {
    pub enables: bool,
    /// The transaction that is open is to stay.
    pub keeps_prepared: bool,
}

/// Where new producer ids come from.
pub trait ProducerIdSource: Send + Sync {
    fn next(&self) -> BoxFuture<'static, Result<ProducerId, ErrorCode>>;
}

/// What became of an operation.
pub(super) enum Step {
    /// Nothing changes; the record at this offset said what is.
    Same(Option<TransactionMetadata>, Option<Offset>),
    /// The record at this offset says it; the answer waits until it is durable. An end that was decided completes
    /// later.
    Next(TransactionMetadata, Offset, Option<Completion>),
    NeedsProducerId,
}

impl Step {
    /// Where the record lies that says what is.
    pub(super) fn last_record_offset(&self) -> Option<Offset> {
        match self {
            Step::Same(_, last) => *last,
            Step::Next(_, last, _) => Some(*last),
            Step::NeedsProducerId => None,
        }
    }
}

/// What a task does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Errand {
    /// Brings the transaction whose end was decided at this offset of a partition, under this leader epoch, to its end.
    /// Its id takes no other decision before.
    Finish { partition: i32, epoch: LeaderEpoch, decided_at: Offset },
    /// Gets a producer id to abort a transaction with that is open for too long. However long that takes, the rounds that
    /// find the transaction late do not add to it.
    TimeOut { transactional_id: Box<str> },
}

pub struct TransactionCoordinator {
    pub runtime: Arc<CoordinatorRuntime<TransactionShard>>,
    pub(super) settings: Arc<TransactionSettings>,
    pub(super) markers: Arc<dyn MarkerChannel>,
    pub(super) clock: Arc<dyn Clock>,
    /// What outlives its request: at most two a transactional id.
    pub(super) tasks: TaskSet<Errand>,
    pub(super) ids: Arc<dyn ProducerIdSource>,
    /// Transactions that were aborted for their age.
    pub(super) timed_out: AtomicU64,
}

impl TransactionCoordinator {
    pub fn new(
        settings: TransactionSettings,
        log: Arc<dyn CoordinatorLog>,
        markers: Arc<dyn MarkerChannel>,
        ids: Arc<dyn ProducerIdSource>,
        clock: Arc<dyn Clock>,
        tasks: Arc<dyn Tasks>,
        loader: Arc<Loader>,
    ) -> Arc<TransactionCoordinator> {
        Arc::new_cyclic(|me: &std::sync::Weak<TransactionCoordinator>| {
            let me = me.clone();
            let perform = Box::new(move |shard: &Arc<Shard>, action| {
                // Nobody asks a coordinator that is gone to go on.
                if let Some(coordinator) = me.upgrade() {
                    coordinator.perform(shard, action);
                }
            });
            let runtime = CoordinatorRuntime::new(settings, log, clock.clone(), loader, perform);
            let settings = Arc::clone(&runtime.settings);
            let tasks = TaskSet::new(tasks);
            let timed_out = AtomicU64::new(0);
            TransactionCoordinator { runtime, settings, markers, clock, tasks, ids, timed_out }
        })
    }

    /// The way of markers to their partitions, for those that come from elsewhere, too.
    pub fn markers(&self) -> &dyn MarkerChannel {
        &*self.markers
    }

    pub fn is_topic_there(&self) -> bool {
        self.runtime.partition_count().is_some()
    }

    /// Makes `__transaction_state` on its first use.
    pub fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        self.runtime.ensure_topic()
    }

    /// Ends late transactions and forgets old ids, in their time.
    pub fn start_timers(&self, tasks: &dyn Tasks) {
        self.runtime.start_timers(tasks);
    }

    /// Handles the deadlines that have passed; for simulated time.
    pub fn tick(&self) {
        self.runtime.tick();
    }

    /// The broker stops. A transaction whose end was decided is completed by the next load.
    pub fn close(&self) {
        self.runtime.close();
        self.tasks.close();
    }

    fn perform(self: &Arc<Self>, shard: &Arc<Shard>, action: TransactionAction) {
        match action {
            TransactionAction::Finish { transactional_id, prepared, offset } => {
                // No client waits for it.
                drop(self.finish(shard, &transactional_id, &prepared, offset));
            }
            TransactionAction::TimeOut { transactional_id } => self.time_out(shard, transactional_id),
        }
    }

    /// One operation on one id.
    pub(super) fn step(
        self: &Arc<Self>,
        shard: &Arc<Shard>,
        transactional_id: &str,
        decide: impl FnOnce(Option<&TransactionMetadata>, i64) -> Decision,
    ) -> Result<Step, ErrorCode> {
        self.runtime.turn(shard, |guard| self.step_in(shard, guard, transactional_id, decide))?
    }

    pub(super) fn step_in(
        self: &Arc<Self>,
        shard: &Arc<Shard>,
        guard: &mut ShardGuard<'_, TransactionShard>,
        transactional_id: &str,
        decide: impl FnOnce(Option<&TransactionMetadata>, i64) -> Decision,
    ) -> Result<Step, ErrorCode> {
        let wall_ms = guard.wall_ms;
        let core = guard.core();
        let next = match decide(core.get(transactional_id), wall_ms)? {
            Decided::Same => {
                let after = core.last_record_offset(transactional_id);
                return Ok(Step::Same(core.get(transactional_id).cloned(), after));
            }
            Decided::NeedsProducerId => return Ok(Step::NeedsProducerId),
            Decided::Next(next) => next,
        };
        if let Some(before) = core.get(transactional_id) {
            next.assert_follows(before);
        }
        let record =
            TransactionRecord { transactional_id: Box::from(transactional_id), value: Some(next.clone()) };
        let offset = guard.append_one(record)?;
        let completion = next.state.is_ending().then(|| self.finish(shard, transactional_id, &next, offset));
        Ok(Step::Next(next, offset, completion))
    }

    /// Waits until the record is durable; a loss ends the shard, as its memory is ahead of its log.
    pub(super) async fn committed(
        &self,
        shard: &Arc<Shard>,
        offset: Option<Offset>,
    ) -> Result<(), ErrorCode> {
        match self.runtime.commit_wait(shard, offset) {
            Some(wait) => wait.wait().await,
            None => Ok(()),
        }
    }

    pub async fn init_producer_id(
        self: &Arc<Self>,
        transactional_id: &str,
        timeout_ms: i32,
        expected: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch), ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        if timeout_ms <= 0 || timeout_ms > self.settings.timeout_max_ms {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        self.init(transactional_id, timeout_ms, expected).await
    }

    /// The same of a producer that knows of two-phase commit (KIP-939). It says itself how long its transactions may take.
    pub async fn init_two_phase(
        self: &Arc<Self>,
        transactional_id: &str,
        wish: TwoPhaseWish,
        timeout_ms: i32,
        expected: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch), ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        if wish.enables && !self.settings.allows_two_phase {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        if wish.keeps_prepared {
            // As Kafka 4.3.1, which has the field and not the deed.
            return Err(ErrorCode::UnsupportedVersion);
        }
        match wish.enables {
            true => self.init(transactional_id, decide::TWO_PHASE_TIMEOUT_MS, expected).await,
            false => self.init_producer_id(transactional_id, timeout_ms, expected).await,
        }
    }

    async fn init(
        self: &Arc<Self>,
        transactional_id: &str,
        timeout_ms: i32,
        expected: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch), ErrorCode> {
        let mut spare = None;
        loop {
            let shard = self.runtime.shard_for(transactional_id)?;
            let step = self.step(&shard, transactional_id, |present, wall_ms| {
                decide::init_producer_id(present, timeout_ms, expected, spare, wall_ms)
            })?;
            match step {
                Step::NeedsProducerId => spare = Some(self.ids.next().await?),
                Step::Same(..) => return Err(ErrorCode::ConcurrentTransactions),
                Step::Next(next, offset, _) => {
                    self.committed(&shard, Some(offset)).await?;
                    if next.state.is_ending() {
                        return Err(ErrorCode::ConcurrentTransactions);
                    }
                    return Ok((next.producer_id, next.producer_epoch));
                }
            }
        }
    }

    pub async fn add_partitions(
        self: &Arc<Self>,
        transactional_id: &str,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        partitions: &PartitionSet,
        version: TransactionVersion,
    ) -> Result<(), ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.runtime.shard_for(transactional_id)?;
        let step = self.step(&shard, transactional_id, |present, wall_ms| {
            decide::add_partitions(present, producer_id, producer_epoch, partitions, version, wall_ms)
        })?;
        match step {
            Step::Next(_, offset, _) => self.committed(&shard, Some(offset)).await,
            // What was added before may still be on its way to the disk.
            Step::Same(_, after) => self.committed(&shard, after).await,
            Step::NeedsProducerId => unreachable!("an addition needs no new producer id"),
        }
    }

    /// The batched form of brokers that only ask (AddPartitionsToTxn with verify-only).
    pub fn verify_partitions(
        &self,
        transactional_id: &str,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        partitions: &PartitionSet,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.runtime.shard_for(transactional_id)?;
        self.runtime.turn(&shard, |guard| {
            let present = guard.core().get(transactional_id);
            decide::verify_partitions(present, producer_id, producer_epoch, partitions)
        })?
    }

    /// The producer's id and epoch from now on.
    pub async fn end_transaction(
        self: &Arc<Self>,
        transactional_id: &str,
        ending: Ending,
    ) -> Result<(ProducerId, ProducerEpoch), ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let mut spare = None;
        loop {
            let shard = self.runtime.shard_for(transactional_id)?;
            let step = self.step(&shard, transactional_id, |present, wall_ms| {
                if decide::has_overtaken_its_writes(present, &ending, wall_ms) {
                    return Err(ErrorCode::ConcurrentTransactions);
                }
                decide::end_transaction(present, &ending, spare, wall_ms)
            })?;
            let (now, offset, completion) = match step {
                Step::NeedsProducerId => {
                    spare = Some(self.ids.next().await?);
                    continue;
                }
                Step::Same(present, after) => (present, after, None),
                Step::Next(next, offset, completion) => (Some(next), Some(offset), completion),
            };
            self.committed(&shard, offset).await?;
            if let Some(completion) = completion {
                self.hold_answer(completion).await;
                if shard.has_ended() {
                    // What was decided stands; the next leader answers for it.
                    return Err(ErrorCode::NotCoordinator);
                }
            }
            let now = now.ok_or(ErrorCode::InvalidProducerIdMapping)?;
            return Ok(match now.next_producer_id.is_none() {
                true => (now.producer_id, now.producer_epoch),
                false => (now.next_producer_id, ProducerEpoch(0)),
            });
        }
    }
}
