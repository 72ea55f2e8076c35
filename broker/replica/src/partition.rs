//! One hosted partition: its log, the reign it is led under, and who waits for it.
//! Shell. The high watermark of a lone replica is its log's end: every other in-sync replica (there
//! is none) has it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use ottla_log::{
    AppendError, AppendInfo, AppendOrigin, FlushListener, LogConfig, LogError, StorageFailure, UnifiedLog,
};
use ottla_model::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};
use parking_lot::Mutex;

use crate::wake::{FlushGate, LogPlace, StorageFailed, WaitList};

/// When an acknowledgement to all in-sync replicas may leave (`ottla.durability`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The record survives any single failure: on a lone replica, after an fsync.
    SurviveOne,
    /// Kafka's trade: the page cache is enough.
    Os,
    /// Always after an fsync.
    Fsync,
}

/// How a partition gets its log when it is first used: an idle one costs nothing.
pub(crate) type OpenLog = dyn Fn(&TopicPartition, TopicId) -> Result<Arc<UnifiedLog>, LogError> + Send + Sync;

pub struct Partition {
    pub name: TopicPartition,
    pub topic_id: TopicId,
    leader_epoch: AtomicI32,
    deleted: AtomicBool,
    durability: Durability,
    open_log: Arc<OpenLog>,
    log: OnceLock<Arc<UnifiedLog>>,
    opening: Mutex<()>,
    gate: Arc<FlushGate>,
    pub(crate) readers: WaitList,
}

/// What became of an append, and what its acknowledgement must wait for.
#[derive(Debug)]
pub struct Appended {
    pub info: AppendInfo,
    /// The end of the append: durable when the flush gate passed it.
    pub end: Offset,
}

/// Why a partition can't serve; each is one of Kafka's answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unavailable {
    /// The request knows an older reign than ours.
    FencedLeaderEpoch,
    /// The request knows a newer reign than ours.
    UnknownLeaderEpoch,
    /// The log directory failed.
    Storage,
}

impl Unavailable {
    pub fn code(self) -> ErrorCode {
        match self {
            Unavailable::FencedLeaderEpoch => ErrorCode::FencedLeaderEpoch,
            Unavailable::UnknownLeaderEpoch => ErrorCode::UnknownLeaderEpoch,
            Unavailable::Storage => ErrorCode::KafkaStorageError,
        }
    }
}

struct GateListener(Arc<FlushGate>);

impl FlushListener for GateListener {
    fn on_flush(&self, flushed: Result<Offset, StorageFailure>) {
        match flushed {
            Ok(offset) => self.0.on_flush(offset),
            Err(_) => self.0.on_failure(),
        }
    }
}

impl Partition {
    pub(crate) fn new(
        name: TopicPartition,
        topic_id: TopicId,
        leader_epoch: LeaderEpoch,
        durability: Durability,
        open_log: Arc<OpenLog>,
    ) -> Partition {
        Partition {
            name,
            topic_id,
            leader_epoch: AtomicI32::new(leader_epoch.0),
            deleted: AtomicBool::new(false),
            durability,
            open_log,
            log: OnceLock::new(),
            opening: Mutex::new(()),
            gate: Arc::new(FlushGate::new(Offset::ZERO)),
            readers: WaitList::default(),
        }
    }

    pub fn topic(&self) -> &TopicName {
        &self.name.topic
    }

    pub fn index(&self) -> PartitionIndex {
        self.name.partition
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    pub(crate) fn set_leader_epoch(&self, epoch: LeaderEpoch) {
        self.leader_epoch.store(epoch.0, Ordering::Release);
    }

    /// The partition's log, opened when it is first needed.
    pub fn log(&self) -> Result<&Arc<UnifiedLog>, Unavailable> {
        if let Some(log) = self.log.get() {
            return Ok(log);
        }
        let _one_opens = self.opening.lock();
        if let Some(log) = self.log.get() {
            return Ok(log);
        }
        let log = (self.open_log)(&self.name, self.topic_id).map_err(|error| {
            tracing::error!(partition = %self.name, %error, "the partition's log can't be opened");
            Unavailable::Storage
        })?;
        self.gate.on_flush(log.flushed_offset());
        // The lone replica has it all: a transaction that ended before the restart holds nobody back.
        log.on_high_watermark(log.log_end_offset());
        log.set_flush_listener(Some(Arc::new(GateListener(self.gate.clone()))));
        Ok(self.log.get_or_init(|| log))
    }

    /// The log, if anything has needed it yet.
    pub fn opened_log(&self) -> Option<&Arc<UnifiedLog>> {
        self.log.get()
    }

    pub(crate) fn set_config(&self, config: Arc<LogConfig>) {
        if let Some(log) = self.log.get() {
            log.set_config(config);
        }
    }

    /// Whether the epoch a request names is ours (KIP-320); −1 asks nothing.
    pub fn check_epoch(&self, current_leader_epoch: i32) -> Result<(), Unavailable> {
        let ours = self.leader_epoch().0;
        match current_leader_epoch {
            theirs if theirs < 0 || theirs == ours => Ok(()),
            theirs if theirs < ours => Err(Unavailable::FencedLeaderEpoch),
            _ => Err(Unavailable::UnknownLeaderEpoch),
        }
    }

    /// Appends whole batches and wakes who waits for records.
    pub fn append(
        &self,
        records: Bytes,
        origin: AppendOrigin,
        wall_ms: i64,
    ) -> Result<Appended, AppendError> {
        let log = self.log().map_err(|_| {
            let reason = format!("the log of {} can't be opened", self.name);
            AppendError::Storage(StorageFailure { dir: PathBuf::new(), reason })
        })?;
        let info = log.append(records, self.leader_epoch(), origin, wall_ms)?;
        log.on_high_watermark(log.log_end_offset());
        self.wake_readers(log);
        // A duplicate is acknowledged under the same rule: what it repeats must survive.
        let end = if info.duplicate { log.log_end_offset() } else { info.last_offset + 1 };
        Ok(Appended { info, end })
    }

    /// Wakes the fetches that wait for the log to be as long as it is now.
    fn wake_readers(&self, log: &UnifiedLog) {
        if self.readers.is_waited_for() {
            let reached = log.position_of(log.log_end_offset());
            self.readers.wake(reached.map_or(LogPlace::END, LogPlace::from));
        }
    }

    /// Whether an acknowledgement to all in-sync replicas waits for the disk here.
    pub fn waits_for_flush(&self) -> bool {
        self.durability != Durability::Os
    }

    /// Asks for a flush up to `end`, to be shared with all who ask meanwhile.
    pub fn request_flush(&self, end: Offset) {
        if let Some(log) = self.log.get()
            && !self.gate.is_durable(end)
            && log.request_flush(end)
        {
            // It was there before anybody listened: no call of the listener follows.
            self.gate.on_flush(log.flushed_offset());
        }
    }

    pub fn is_durable(&self, end: Offset) -> bool {
        self.gate.is_durable(end)
    }

    pub fn poll_durable(&self, end: Offset, context: &mut Context<'_>) -> Poll<Result<(), StorageFailed>> {
        self.gate.poll_durable(end, context)
    }

    /// The first offset not yet visible to consumers.
    pub fn high_watermark(&self) -> Result<Offset, Unavailable> {
        Ok(self.log()?.log_end_offset())
    }

    /// The first offset not visible to consumers that read committed records only.
    pub fn last_stable_offset(&self) -> Result<Offset, Unavailable> {
        let log = self.log()?;
        Ok(log.last_stable_offset(log.log_end_offset()))
    }

    /// What is answered for an append that will never be durable.
    pub fn lost_code(&self) -> ErrorCode {
        if self.is_deleted() { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::KafkaStorageError }
    }

    pub(crate) fn mark_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
        self.readers.wake_all();
        // Who waits for a flush of a deleted log would wait for ever.
        self.gate.on_failure();
    }

    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }
}
