//! What the partitions of a topic have in common: how their logs are opened and what they obey.
//! Shell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use arc_swap::{ArcSwap, Guard};
use ottla_env::Monotonic;
use ottla_log::{LogConfig, LogError, LogManager, UnifiedLog};
use ottla_model::{Offset, TopicId, TopicPartition};
use parking_lot::Mutex;

use crate::acknowledge::Durability;
use crate::config::TopicSettings;
use crate::directory_assignments::DirectoryAssignments;
use crate::isr_changes::IsrChanges;
use crate::metrics::Counter;
use crate::throttle::{Throttled, Throttles};

/// What all partitions of this broker have in common.
pub struct ReplicaShared {
    pub logs: Arc<LogManager>,
    pub durability: Durability,
    /// Where the controller is asked for other in-sync replicas.
    pub isr_changes: IsrChanges,
    /// Replicas that may be in other log directories than the controller knows.
    pub directory_assignments: DirectoryAssignments,
    /// How often one of a partition that is led here became another.
    pub isr_moves: IsrMoves,
    /// What throttled replicas may copy.
    pub throttles: Throttles,
    /// Whether high watermarks are other than they were last written down.
    pub high_watermarks: Moved,
    /// High watermarks as the last process wrote them down; read when the first is asked for, and each given once.
    checkpointed: Mutex<Option<BTreeMap<TopicPartition, Offset>>>,
}

/// Sets of in-sync replicas that lost or gained somebody, under one leader.
#[derive(Default)]
pub struct IsrMoves {
    pub shrinks: Counter,
    pub expands: Counter,
}

/// Something has moved since it was last asked.
#[derive(Default)]
pub struct Moved(AtomicBool);

impl Moved {
    pub fn note(&self) {
        // Most moves find it noted: the line stays with all that read it.
        if !self.0.load(Ordering::Acquire) {
            self.0.store(true, Ordering::Release);
        }
    }

    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl ReplicaShared {
    pub fn new(logs: Arc<LogManager>, durability: Durability) -> Arc<ReplicaShared> {
        let (isr_changes, throttles) = (IsrChanges::default(), Throttles::default());
        let high_watermarks = Moved::default();
        high_watermarks.note();
        let checkpointed = Mutex::default();
        let directory_assignments = DirectoryAssignments::default();
        Arc::new(ReplicaShared {
            logs,
            durability,
            isr_changes,
            directory_assignments,
            isr_moves: IsrMoves::default(),
            throttles,
            high_watermarks,
            checkpointed,
        })
    }

    /// What the last process knew of a replica's high watermark.
    fn take_checkpointed(&self, partition: &TopicPartition) -> Option<Offset> {
        let mut checkpointed = self.checkpointed.lock();
        checkpointed.get_or_insert_with(|| self.logs.read_high_watermarks()).remove(partition)
    }
}

pub(crate) struct TopicLogs {
    pub shared: Arc<ReplicaShared>,
    config: ArcSwap<LogConfig>,
    min_insync_replicas: AtomicI32,
    throttled: ArcSwap<Throttled>,
}

impl TopicLogs {
    pub fn new(shared: Arc<ReplicaShared>, settings: TopicSettings) -> TopicLogs {
        TopicLogs {
            shared,
            config: ArcSwap::new(settings.log),
            min_insync_replicas: AtomicI32::new(settings.min_insync_replicas),
            throttled: ArcSwap::from_pointee(settings.throttled),
        }
    }

    /// In force from the next operation on.
    pub fn set(&self, settings: TopicSettings) {
        self.config.store(settings.log);
        self.min_insync_replicas.store(settings.min_insync_replicas, Ordering::Release);
        self.set_throttled(settings.throttled);
    }

    pub fn set_throttled(&self, throttled: Throttled) {
        self.throttled.store(Arc::new(throttled));
    }

    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    pub fn throttled(&self) -> Guard<Arc<Throttled>> {
        self.throttled.load()
    }

    pub fn now(&self) -> Monotonic {
        self.shared.logs.clock().monotonic()
    }

    pub fn note_isr(&self, before: usize, after: usize) {
        let moves = &self.shared.isr_moves;
        match after.cmp(&before) {
            std::cmp::Ordering::Less => moves.shrinks.inc_by(1),
            std::cmp::Ordering::Greater => moves.expands.inc_by(1),
            std::cmp::Ordering::Equal => {}
        }
    }

    #[inline]
    pub fn durability(&self) -> Durability {
        self.shared.durability
    }

    #[inline]
    pub fn min_isr(&self) -> i32 {
        self.min_insync_replicas.load(Ordering::Acquire)
    }

    pub fn open(&self, partition: &TopicPartition, id: TopicId) -> Result<Arc<UnifiedLog>, LogError> {
        self.shared.logs.get_or_create(partition, id, self.config())
    }

    /// What the last process knew of a replica's high watermark.
    pub fn checkpointed_high_watermark(&self, partition: &TopicPartition) -> Option<Offset> {
        self.shared.take_checkpointed(partition)
    }
}
