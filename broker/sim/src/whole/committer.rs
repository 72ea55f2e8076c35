//! A client that commits offsets to a group and asks for them again, wherever the group's coordinator is.
//! Shell. It is alone in its group and no member of it: what an answer never told may still be done, even later.

use std::collections::BTreeSet;

use ottla_model::ErrorCode;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ottla_protocol::messages::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};

use super::client::{Client, code, is_retriable};
use super::options::TOPIC;
use crate::rooms::wire;

const PAUSE_MS: u64 = 150;

pub struct Committer {
    pub client: Client,
    coordinator: Option<usize>,
    /// What was acknowledged last.
    acked: i64,
    /// What may have been committed, or may still be.
    unknown: BTreeSet<i64>,
}

impl Committer {
    pub fn new(client: Client) -> Committer {
        Committer { client, coordinator: None, acked: -1, unknown: BTreeSet::new() }
    }

    fn group(&self) -> String {
        format!("group-{}", self.client.number)
    }

    pub async fn live(mut self) {
        self.client.leader(0).await;
        for value in 0.. {
            if self.client.rng.chance(300) {
                self.fetch().await;
            } else {
                self.commit(value).await;
            }
            self.client.pause(PAUSE_MS).await;
        }
    }

    async fn find(&mut self) -> Option<usize> {
        if self.coordinator.is_none() {
            let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![wire(&self.group())]);
            let answer = self.client.call(self.client.any_node(), &request).await.ok()?;
            let found = answer.coordinators.first()?;
            match code(found.error_code) {
                ErrorCode::None => self.coordinator = Some(found.node_id.0 as usize - 1),
                code => assert!(is_retriable(code), "a coordinator is refused: {code}"),
            }
        }
        self.coordinator
    }

    async fn commit(&mut self, value: i64) {
        let Some(node) = self.find().await else { return };
        let partition = OffsetCommitRequestPartition {
            partition_index: 0,
            committed_offset: value,
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: wire(TOPIC),
            topic_id: self.client.topic_id,
            partitions: vec![partition],
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: wire(&self.group()),
            generation_id_or_member_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        self.unknown.insert(value);
        let answer = self.client.call(node, &request).await;
        let answer = answer.map(|answer| code(answer.topics[0].partitions[0].error_code));
        self.client.note(|| format!("commits {value} at {}: {answer:?}", node + 1));
        match answer {
            Ok(ErrorCode::None) => {
                self.acked = value;
                self.unknown.remove(&value);
                let now = self.client.env.clock.monotonic().0;
                self.client.book.lock().on_committed(now, self.client.number);
            }
            Ok(code) => {
                assert!(is_retriable(code), "a commit is refused: {code}");
                self.coordinator = None;
            }
            Err(_) => self.coordinator = None,
        }
    }

    async fn fetch(&mut self) {
        let Some(node) = self.find().await else { return };
        let topic = OffsetFetchRequestTopics {
            name: wire(TOPIC),
            topic_id: self.client.topic_id,
            partition_indexes: vec![0],
            ..Default::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: wire(&self.group()),
            topics: Some(vec![topic]),
            member_epoch: -1,
            ..Default::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() };
        let Ok(answer) = self.client.call(node, &request).await else {
            self.coordinator = None;
            return;
        };
        let group = &answer.groups[0];
        let partition = group.topics.first().and_then(|topic| topic.partitions.first());
        let outcome = match code(group.error_code) {
            ErrorCode::None => partition.map(|one| (code(one.error_code), one.committed_offset)),
            error => Some((error, 0)),
        };
        match outcome {
            Some((ErrorCode::None, found)) => {
                self.client.note(|| format!("finds {found} committed at {}", node + 1));
                assert!(
                    found == self.acked || self.unknown.contains(&found),
                    "{} was committed, and {found} is found at {}; {:?} may be",
                    self.acked,
                    node + 1,
                    self.unknown
                );
            }
            Some((error, _)) => {
                assert!(
                    is_retriable(error) || error == ErrorCode::UnstableOffsetCommit,
                    "committed offsets are refused: {error}"
                );
                self.coordinator = None;
            }
            None => self.coordinator = None,
        }
    }
}
