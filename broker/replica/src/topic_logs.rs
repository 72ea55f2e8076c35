//! What the partitions of a topic have in common: how their logs are opened and what they obey.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use arc_swap::ArcSwap;
use ottla_log::{LogConfig, LogError, LogManager, UnifiedLog};
use ottla_model::{TopicId, TopicPartition};

use crate::acknowledge::Durability;
use crate::config::TopicSettings;

pub(crate) struct TopicLogs {
    logs: Arc<LogManager>,
    config: ArcSwap<LogConfig>,
    min_insync_replicas: AtomicI32,
    pub durability: Durability,
}

impl TopicLogs {
    pub fn new(logs: Arc<LogManager>, durability: Durability, settings: TopicSettings) -> TopicLogs {
        TopicLogs {
            logs,
            config: ArcSwap::new(settings.log),
            min_insync_replicas: AtomicI32::new(settings.min_insync_replicas),
            durability,
        }
    }

    /// In force from the next operation on.
    pub fn set(&self, settings: TopicSettings) {
        self.config.store(settings.log);
        self.min_insync_replicas.store(settings.min_insync_replicas, Ordering::Release);
    }

    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    #[inline]
    pub fn min_isr(&self) -> i32 {
        self.min_insync_replicas.load(Ordering::Acquire)
    }

    pub fn open(&self, partition: &TopicPartition, id: TopicId) -> Result<Arc<UnifiedLog>, LogError> {
        self.logs.get_or_create(partition, id, self.config())
    }
}
