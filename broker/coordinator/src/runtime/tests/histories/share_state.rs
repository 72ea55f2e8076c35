//! The share coordinator in these histories: how far one share partition was read.
//! Shell in memory.

use std::sync::Arc;

use ottla_env::memory::{MemoryClock, SeededRng};
use ottla_env::{BoxFuture, Tasks};
use ottla_model::{ErrorCode, GroupId};

use super::super::TOPIC_ID;
use super::{Subject, play};
use crate::runtime::{CoordinatorLog, CoordinatorRuntime, Loader};
use crate::share::state::ShareStateShard;
use crate::share::{ShareCoordinator, ShareCoordinatorSettings, SharePartitionKey, StateWrite};

const SETTINGS: ShareCoordinatorSettings = ShareCoordinatorSettings {
    updates_per_snapshot: 3,
    prune_interval_ms: 50_000,
    cold_snapshot_interval_ms: 100_000,
};

fn key() -> SharePartitionKey {
    SharePartitionKey { group: GroupId::new("g"), topic_id: TOPIC_ID, partition: 0 }
}

impl Subject for Arc<ShareCoordinator> {
    type Shard = ShareStateShard;

    fn new(
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<MemoryClock>,
        loader: Arc<Loader>,
        _rng: Arc<SeededRng>,
        _tasks: Arc<dyn Tasks>,
    ) -> Arc<ShareCoordinator> {
        ShareCoordinator::new(SETTINGS, log, clock, loader)
    }

    fn runtime(&self) -> &Arc<CoordinatorRuntime<ShareStateShard>> {
        &self.runtime
    }

    /// The first sets the share partition up.
    fn write(&self, number: i64) -> BoxFuture<'static, Result<i64, ErrorCode>> {
        let write = StateWrite {
            state_epoch: 1,
            leader_epoch: 0,
            start_offset: number,
            delivery_complete_count: 0,
            batches: Vec::new(),
        };
        let written = match ShareCoordinator::write(self, &key(), &write) {
            Err(error) if error.code == ErrorCode::InvalidRequest => self.initialize(&key(), 1, number),
            written => written,
        };
        Box::pin(async move {
            if let Some(durable) = written.map_err(|error| error.code)? {
                durable.await?;
            }
            Ok(number)
        })
    }

    fn read(&self) -> BoxFuture<'static, Result<i64, ErrorCode>> {
        let read = ShareCoordinator::summary(self, &key());
        Box::pin(async move {
            let (summary, durable) = read.map_err(|error| error.code)?;
            if let Some(durable) = durable {
                durable.await?;
            }
            Ok(summary.start_offset)
        })
    }
}

#[test]
fn share_state_is_answered_by_the_epoch_that_took_the_request() {
    play::<Arc<ShareCoordinator>>();
}
