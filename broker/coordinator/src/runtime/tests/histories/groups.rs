//! The group coordinator in these histories: committed offsets, and members that wait for each other.
//! Shell in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_env::memory::{MemoryClock, SeededRng};
use ottla_env::{BoxFuture, Tasks};
use ottla_model::{ErrorCode, TopicId, TopicName};
use parking_lot::Mutex;

use super::super::{TOPIC_ID, joiner, settled};
use super::{Hook, Subject, play};
use crate::group::consumer::{AssignorInput, ConsumerHeartbeat};
use crate::group::{Committer, GroupShard, OffsetToCommit};
use crate::runtime::{
    CoordinatorLog, CoordinatorRuntime, GroupCoordinator, Loader, WantedOffsets, WantedTopic,
};
use crate::settings::GroupSettings;
use crate::topic_lookup::TopicLookup;

/// One topic of a few partitions.
struct Topics;

impl TopicLookup for Topics {
    fn topic_id(&self, name: &str) -> Option<TopicId> {
        (name == "t").then_some(TOPIC_ID)
    }

    fn topic_name(&self, id: TopicId) -> Option<TopicName> {
        (id == TOPIC_ID).then(|| TopicName::new("t"))
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        name == "t" && (0..8).contains(&partition)
    }

    fn partition_count(&self, id: TopicId) -> Option<i32> {
        (id == TOPIC_ID).then_some(8)
    }

    fn topic_hash(&self, _: &str) -> i64 {
        7
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

    /// A new member of a consumer group: it needs a target assignment, and the assignor may take its time.
    fn compute(&self, number: i64, meanwhile: Hook) -> Option<BoxFuture<'static, Result<i64, ErrorCode>>> {
        let (member_id, meanwhile) = (format!("m{number}"), Mutex::new(Some(meanwhile)));
        let beat = ConsumerHeartbeat {
            group_id: "consumers",
            member_id: &member_id,
            member_epoch: 0,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: 60_000,
            client_id: "c",
            client_host: "/127.0.0.1",
            subscribed_topics: Some(BTreeSet::from([TopicName::new("t")])),
            pattern: None,
            pattern_error: None,
            server_assignor: None,
            owned: Some(Vec::new()),
        };
        let assignor = |input: AssignorInput| {
            if let Some(meanwhile) = meanwhile.lock().take() {
                meanwhile();
            }
            input.assign()
        };
        let reply = self.heartbeat_turn("consumers", assignor, |core, assigning, now, wall_ms| {
            core.on_consumer_heartbeat(&beat, &Topics, assigning, now, wall_ms)
        });
        let heard = reply.into_future();
        Some(Box::pin(async move { heard.await.map(|_| 0).map_err(|error| error.code) }))
    }
}

#[test]
fn groups_are_answered_by_the_epoch_that_took_the_request() {
    let totals = play::<Arc<GroupCoordinator>>();
    assert!(totals.assignors_cut > 20, "assignors whose leader epoch ended: {totals:?}");
}
