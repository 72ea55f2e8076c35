//! The group coordinator in these histories: committed offsets, and members that wait for each other.
//! Shell in memory.

use std::sync::Arc;

use ottla_env::memory::{MemoryClock, SeededRng};
use ottla_env::{BoxFuture, Tasks};
use ottla_model::ErrorCode;

use super::super::{Topics, context, join_request};
use super::{Subject, play};
use crate::group::GroupShard;
use crate::runtime::{CoordinatorLog, CoordinatorRuntime, GroupCoordinator, Loader};
use crate::settings::GroupSettings;
use crate::wire::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetFetchRequest,
    OffsetFetchRequestTopic, text,
};

fn outcome(code: i16, number: i64) -> Result<i64, ErrorCode> {
    match ErrorCode::from_code(code).expect("a known error") {
        ErrorCode::None => Ok(number),
        error => Err(error),
    }
}

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
        let partition = OffsetCommitRequestPartition {
            partition_index: 0,
            committed_offset: number,
            committed_leader_epoch: -1,
            ..Default::default()
        };
        let topic =
            OffsetCommitRequestTopic { name: text("t"), partitions: vec![partition], ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: text("g"),
            generation_id_or_member_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let reply = self.commit_offsets(&context(9), &request, &Topics).into_future();
        Box::pin(async move { outcome(reply.await.topics[0].partitions[0].error_code, number) })
    }

    fn read(&self) -> BoxFuture<'static, Result<i64, ErrorCode>> {
        let topic =
            OffsetFetchRequestTopic { name: text("t"), partition_indexes: vec![0], ..Default::default() };
        let request =
            OffsetFetchRequest { group_id: text("g"), topics: Some(vec![topic]), ..Default::default() };
        let reply = self.fetch_offsets(&context(7), &request, &Topics).into_future();
        Box::pin(async move {
            let response = reply.await;
            let offset = response
                .topics
                .first()
                .and_then(|topic| topic.partitions.first())
                .map_or(-1, |partition| partition.committed_offset);
            outcome(response.error_code, offset)
        })
    }

    /// A new member: it waits until the others have joined again, or their time is over.
    fn other(&self) -> Option<BoxFuture<'static, Result<i64, ErrorCode>>> {
        let request = join_request("").with_group_id(text("joined").into());
        let reply = self.join_group(&context(3), &request).into_future();
        Some(Box::pin(async move { outcome(reply.await.error_code, 0) }))
    }
}

#[test]
fn groups_are_answered_by_the_epoch_that_took_the_request() {
    play::<Arc<GroupCoordinator>>();
}
