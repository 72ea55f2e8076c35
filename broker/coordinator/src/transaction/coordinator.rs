//! The transaction coordinator: its shards, and the operations at its door.
//! Shell. A shard's lock is its loop, as with groups: decide, append, replay, let go; waiting is outside.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Clock, Monotonic, Tasks};
use ottla_model::{ErrorCode, Offset, ProducerEpoch, ProducerId};
use ottla_records::batches;
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use super::codec::{self, TransactionRecord};
use super::decide::{self, Decided, Decision, Ending};
use super::markers::{Completion, TransactionMarkers};
use super::metadata::{PartitionSet, TransactionMetadata, TransactionVersion};
use super::shard::TransactionShard;
use crate::java_hash;
use crate::runtime::CoordinatorLog;
use crate::runtime::response_error;

/// The numbers that transactions are run by, under Kafka's names.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`.
    pub timeout_max_ms: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_interval_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expiration_interval_ms: i64,
}

/// Where new producer ids come from.
pub trait ProducerIdSource: Send + Sync {
    fn next(&self) -> BoxFuture<'static, Result<ProducerId, ErrorCode>>;
}

pub(super) enum Phase {
    Loading,
    Active(TransactionShard),
    /// Unloaded, or its log has failed.
    Gone,
}

pub struct Shard {
    pub(super) partition: i32,
    pub(super) phase: Mutex<Phase>,
}

/// What became of an operation.
pub(super) enum Step {
    Same(Option<TransactionMetadata>),
    /// The record at this offset says it; the answer waits until it is durable. An end that was decided completes
    /// later.
    Next(TransactionMetadata, Offset, Option<Completion>),
    NeedsProducerId,
}

pub struct TransactionCoordinator {
    pub(super) settings: TransactionSettings,
    pub(super) log: Arc<dyn CoordinatorLog>,
    pub(super) markers: Arc<dyn TransactionMarkers>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: Arc<dyn Tasks>,
    pub(super) ids: Arc<dyn ProducerIdSource>,
    shards: RwLock<HashMap<i32, Arc<Shard>>>,
    /// By producer: the end of the queue of produce requests that wait (see `produce`).
    pub(super) queues: Mutex<HashMap<ProducerId, oneshot::Receiver<()>>>,
}

impl TransactionCoordinator {
    pub fn new(
        settings: TransactionSettings,
        log: Arc<dyn CoordinatorLog>,
        markers: Arc<dyn TransactionMarkers>,
        ids: Arc<dyn ProducerIdSource>,
        clock: Arc<dyn Clock>,
        tasks: Arc<dyn Tasks>,
    ) -> Arc<TransactionCoordinator> {
        Arc::new(TransactionCoordinator {
            settings,
            log,
            markers,
            clock,
            tasks,
            ids,
            shards: RwLock::new(HashMap::new()),
            queues: Mutex::new(HashMap::new()),
        })
    }

    pub fn is_topic_there(&self) -> bool {
        self.log.partition_count().is_some()
    }

    /// Makes `__transaction_state` on its first use.
    pub fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        self.log.ensure_topic()
    }

    pub(super) fn all_shards(&self) -> Vec<Arc<Shard>> {
        let mut shards: Vec<_> = self.shards.read().values().cloned().collect();
        shards.sort_by_key(|shard| shard.partition);
        shards
    }

    pub(super) fn shard_for(&self, transactional_id: &str) -> Result<Arc<Shard>, ErrorCode> {
        let count = self.log.partition_count().ok_or(ErrorCode::NotCoordinator)?;
        let partition = java_hash::partition_for(transactional_id, count);
        self.shards.read().get(&partition).cloned().ok_or(ErrorCode::NotCoordinator)
    }

    /// Reads a partition of `__transaction_state`, answers for its ids from then on, and goes on with
    /// every transaction whose end was decided. Blocks as long as the log is long.
    pub fn load(self: &Arc<Self>, partition: i32) -> Result<(), ErrorCode> {
        let shard = Arc::new(Shard { partition, phase: Mutex::new(Phase::Loading) });
        if let Some(before) = self.shards.write().insert(partition, Arc::clone(&shard)) {
            before.close();
        }
        let core = self.read_shard(partition).inspect_err(|error| {
            tracing::error!(partition, %error, "the transactions of a partition could not be loaded");
            shard.close();
        })?;
        let mut ending: Vec<_> = core
            .iter()
            .filter(|(_, value)| value.state.is_ending())
            .map(|(id, value)| (Box::<str>::from(id), value.clone()))
            .collect();
        // In the order of the ids, so that the same past has the same future.
        ending.sort_by(|a, b| a.0.cmp(&b.0));
        let offsets: Vec<_> = ending
            .iter()
            .map(|(id, _)| core.entry(id).map_or(Offset::ZERO, |entry| entry.last_record_offset))
            .collect();
        *shard.phase.lock() = Phase::Active(core);
        for ((id, value), offset) in ending.iter().zip(offsets) {
            // No client waits for it.
            let _ = self.finish(&shard, id, value, offset);
        }
        Ok(())
    }

    pub fn unload_all(&self) {
        for shard in std::mem::take(&mut *self.shards.write()).into_values() {
            shard.close();
        }
    }

    fn read_shard(&self, partition: i32) -> Result<TransactionShard, ErrorCode> {
        let mut core = TransactionShard::default();
        let (mut from, mut scratch) = (Offset::ZERO, Vec::new());
        loop {
            let (bytes, next) = self.log.read(partition, from)?;
            if bytes.is_empty() {
                return Ok(core);
            }
            for batch in batches(&bytes) {
                let batch = batch.map_err(|_| ErrorCode::KafkaStorageError)?;
                if batch.header().attributes.is_control() {
                    continue;
                }
                let base = batch.header().base_offset;
                for record in batch.records(&mut scratch).map_err(|_| ErrorCode::KafkaStorageError)? {
                    let record = record.map_err(|_| ErrorCode::KafkaStorageError)?;
                    let offset = base + i64::from(record.offset_delta);
                    match record.key.map(|key| codec::decode(key, record.value)) {
                        Some(Ok(Some(record))) => core.replay(offset, record),
                        Some(Ok(None)) | None => {}
                        Some(Err(error)) => {
                            tracing::error!(%offset, %error, "a record of __transaction_state cannot be read and is passed over");
                        }
                    }
                }
            }
            from = next;
        }
    }

    /// One operation on one id.
    pub(super) fn step(
        self: &Arc<Self>,
        shard: &Arc<Shard>,
        transactional_id: &str,
        decide: impl FnOnce(Option<&TransactionMetadata>, i64) -> Decision,
    ) -> Result<Step, ErrorCode> {
        let mut phase = shard.phase.lock();
        self.step_locked(shard, &mut phase, transactional_id, decide)
    }

    pub(super) fn step_locked(
        self: &Arc<Self>,
        shard: &Arc<Shard>,
        phase: &mut Phase,
        transactional_id: &str,
        decide: impl FnOnce(Option<&TransactionMetadata>, i64) -> Decision,
    ) -> Result<Step, ErrorCode> {
        let core = phase.core()?;
        let wall_ms = self.clock.wall_ms();
        let next = match decide(core.get(transactional_id), wall_ms)? {
            Decided::Same => return Ok(Step::Same(core.get(transactional_id).cloned())),
            Decided::NeedsProducerId => return Ok(Step::NeedsProducerId),
            Decided::Next(next) => next,
        };
        let record =
            TransactionRecord { transactional_id: Box::from(transactional_id), value: Some(next.clone()) };
        let offset = core.record(&*self.log, shard.partition, record, wall_ms)?;
        let completion = next.state.is_ending().then(|| self.finish(shard, transactional_id, &next, offset));
        Ok(Step::Next(next, offset, completion))
    }

    /// Waits until the record is durable; a loss closes the shard, as its memory is ahead of its log.
    pub(super) async fn committed(&self, shard: &Shard, offset: Offset) -> Result<(), ErrorCode> {
        let Some(wait) = self.log.committed(shard.partition, offset) else { return Ok(()) };
        wait.await.map_err(|error| {
            tracing::error!(partition = shard.partition, %error, "records of the transaction coordinator were not committed; it stops answering");
            shard.close();
            response_error(error)
        })
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
        let mut spare = None;
        loop {
            let shard = self.shard_for(transactional_id)?;
            let step = self.step(&shard, transactional_id, |present, wall_ms| {
                decide::init_producer_id(present, timeout_ms, expected, spare, wall_ms)
            })?;
            match step {
                Step::NeedsProducerId => spare = Some(self.ids.next().await?),
                Step::Same(_) => return Err(ErrorCode::ConcurrentTransactions),
                Step::Next(next, offset, _) => {
                    self.committed(&shard, offset).await?;
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
        let shard = self.shard_for(transactional_id)?;
        let step = self.step(&shard, transactional_id, |present, wall_ms| {
            decide::add_partitions(present, producer_id, producer_epoch, partitions, version, wall_ms)
        })?;
        match step {
            Step::Next(_, offset, _) => self.committed(&shard, offset).await,
            // What was added before may still be on its way to the disk.
            _ => match shard.last_record_offset(transactional_id) {
                Some(offset) => self.committed(&shard, offset).await,
                None => Ok(()),
            },
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
        let shard = self.shard_for(transactional_id)?;
        let mut phase = shard.phase.lock();
        let present = phase.core()?.get(transactional_id);
        decide::verify_partitions(present, producer_id, producer_epoch, partitions)
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
            let shard = self.shard_for(transactional_id)?;
            let step = self.step(&shard, transactional_id, |present, wall_ms| {
                decide::end_transaction(present, &ending, spare, wall_ms)
            })?;
            let (now, offset, completion) = match step {
                Step::NeedsProducerId => {
                    spare = Some(self.ids.next().await?);
                    continue;
                }
                Step::Same(present) => (present, shard.last_record_offset(transactional_id), None),
                Step::Next(next, offset, completion) => (Some(next), Some(offset), completion),
            };
            if let Some(offset) = offset {
                self.committed(&shard, offset).await?;
            }
            if let Some(completion) = completion {
                self.hold_answer(completion).await;
            }
            let now = now.ok_or(ErrorCode::InvalidProducerIdMapping)?;
            return Ok(match now.next_producer_id.is_none() {
                true => (now.producer_id, now.producer_epoch),
                false => (now.next_producer_id, ProducerEpoch(0)),
            });
        }
    }

    /// Starts the task that ends late transactions and forgets old ids; dropping the handle ends it.
    pub fn start_timers(self: &Arc<Self>) -> TaskHandle {
        let coordinator = Arc::clone(self);
        self.tasks.spawn("transaction timers", Box::pin(async move { coordinator.run_timers().await }))
    }

    async fn run_timers(self: &Arc<Self>) {
        let after = |now: Monotonic, ms: i64| Monotonic(now.0 + Duration::from_millis(ms.max(1) as u64));
        let now = self.clock.monotonic();
        let mut abort_at = after(now, self.settings.abort_interval_ms);
        let mut expire_at = after(now, self.settings.expiration_interval_ms);
        loop {
            self.clock.sleep_until(abort_at.min(expire_at)).await;
            let now = self.clock.monotonic();
            let expires_ids = now >= expire_at;
            self.tick(expires_ids);
            abort_at = after(now, self.settings.abort_interval_ms);
            if expires_ids {
                expire_at = after(now, self.settings.expiration_interval_ms);
            }
        }
    }
}

impl Phase {
    pub(super) fn core(&mut self) -> Result<&mut TransactionShard, ErrorCode> {
        match self {
            Phase::Active(core) => Ok(core),
            Phase::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Gone => Err(ErrorCode::NotCoordinator),
        }
    }
}

impl TransactionShard {
    /// Appends one record and replays it.
    fn record(
        &mut self,
        log: &dyn CoordinatorLog,
        partition: i32,
        record: TransactionRecord,
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        // An id that is too long for the record's format cannot have come over the wire.
        let encoded = codec::encode(&record).map_err(|_| ErrorCode::UnknownServerError)?;
        let epoch = log.leader_epoch(partition);
        let offset = log.append(partition, epoch, &[encoded], wall_ms).map_err(response_error)?;
        self.replay(offset, record);
        Ok(offset)
    }
}

impl Shard {
    pub(super) fn close(&self) {
        *self.phase.lock() = Phase::Gone;
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.phase.lock(), Phase::Gone)
    }

    pub(super) fn last_record_offset(&self, transactional_id: &str) -> Option<Offset> {
        match &*self.phase.lock() {
            Phase::Active(core) => core.entry(transactional_id).map(|entry| entry.last_record_offset),
            Phase::Loading | Phase::Gone => None,
        }
    }

    /// The ids for which this holds, in order.
    pub(super) fn select(&self, holds: impl Fn(&TransactionMetadata) -> bool) -> Vec<Box<str>> {
        let mut found: Vec<Box<str>> = match &*self.phase.lock() {
            Phase::Active(core) => {
                core.iter().filter(|(_, value)| holds(value)).map(|(id, _)| Box::from(id)).collect()
            }
            Phase::Loading | Phase::Gone => Vec::new(),
        };
        found.sort_unstable();
        found
    }

    /// Writes a tombstone, if this still holds.
    pub(super) fn forget(
        &self,
        log: &dyn CoordinatorLog,
        tombstone: TransactionRecord,
        wall_ms: i64,
        holds: impl Fn(&TransactionMetadata) -> bool,
    ) -> Result<(), ErrorCode> {
        let mut phase = self.phase.lock();
        let core = phase.core()?;
        if core.get(&tombstone.transactional_id).is_some_and(holds) {
            core.record(log, self.partition, tombstone, wall_ms)?;
        }
        Ok(())
    }
}
