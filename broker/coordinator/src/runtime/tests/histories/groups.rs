//! The group coordinator in these histories: committed offsets, and members that wait for each other.
//! Shell in memory.

use std::sync::Arc;

use ottla_env::memory::{MemoryClock, SeededRng};
use ottla_env::{BoxFuture, Tasks};
use ottla_model::{ErrorCode, TopicName};

use super::super::{TOPIC_ID, joiner, settled};
use super::{Subject, play};
use crate::group::{Committer, GroupShard, OffsetToCommit};
use crate::runtime::{
    CoordinatorLog, CoordinatorRuntime, GroupCoordinator, Loader, WantedOffsets, WantedTopic,
};
use crate::settings::GroupSettings;

impl Subject for Arc<GroupCoordinator> {
    type Shard = GroupShard;

    fn new(
        log: Arc<dyn CoordinatorLog>,
        clock: Arc<MemoryClock>,
        loader: Arc<Loader>,
        rng: Arc<SeededRng>,
        _tasks: Arc<dyn Tasks>,
    ) -> Arc<GroupCoordinator> {
        GroupCoordinator::new(GroupSettings::default(), log, clock, rng, loader)
    }

    fn runtime(&self) -> &Arc<CoordinatorRuntime<GroupShard>> {
        &self.runtime
    }

    fn write(&self, number: i64) -> BoxFuture<'static, Result<i64, ErrorCode>> {
        let topic = TopicName::new("t");
        let committer = Committer {
            group_id: "g",
            member_id: "",
            group_instance_id: None,
            generation_id: -1,
            knows_member_epochs: true,
            retention_time_ms: -1,
        };
        let offset = OffsetToCommit {
            topic: &topic,
            topic_id: TOPIC_ID,
            partition: 0,
            offset: number,
            leader_epoch: -1,
            metadata: "",
        };
        let committed = settled(self.commit_offsets(&committer, &[offset]));
        Box::pin(async move { committed.await.map(|_| number) })
    }

    fn read(&self) -> BoxFuture<'static, Result<i64, ErrorCode>> {
        let topic = WantedTopic { name: TopicName::new("t"), id: TOPIC_ID, partitions: &[0] };
        let wanted = WantedOffsets {
            group_id: "g",
            member_id: None,
            member_epoch: -1,
            require_stable: false,
            topics: Some(vec![topic]),
        };
        let fetched = settled(self.fetch_offsets(&wanted));
        Box::pin(async move { fetched.await.map(|topics| topics[0].1[0].offset) })
    }

    /// A new member: it waits until the others have joined again, or their time is over.
    fn other(&self) -> Option<BoxFuture<'static, Result<i64, ErrorCode>>> {
        let reply = self.join_group("joined", joiner(3, "")).into_future();
        Some(Box::pin(async move {
            match reply.await.error {
                ErrorCode::None => Ok(0),
                error => Err(error),
            }
        }))
    }
}

#[test]
fn groups_are_answered_by_the_epoch_that_took_the_request() {
    play::<Arc<GroupCoordinator>>();
}
