//! A broker without a vote: how it finds the leader of the quorum, and reads the metadata log and its snapshots.
//! Core: it says what to ask, answers go in, and what is committed comes out. `observer_loop` publishes it, the process
//! carries the requests.
//!
//! Invariants:
//! - I1. What comes out is committed: below a high watermark that a leader has named.
//! - I2. What was fetched and is not committed is held here alone, and cut where the leader says that it diverges.
//! - I3. Nothing is kept on a disk: a start reads the newest snapshot of the leader and what is behind it
//!   (docs/decisions/0036).

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset, TopicId};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::messages::fetch_snapshot_request::{
    PartitionSnapshot, SnapshotId as AskedSnapshotId, TopicSnapshot,
};
use ottla_protocol::messages::{FetchRequest, FetchResponse, FetchSnapshotRequest, FetchSnapshotResponse};
use ottla_records::batches;
use uuid::Uuid;

use crate::quorum::{Leadership, Voter};
use crate::raft::log_store::StoredBatch;
use crate::snapshot::{self, SnapshotId};

/// How long a controller may hold an answer back while nothing happens.
const FETCH_WAIT_MS: i32 = 500;
const FETCH_BYTES_MAX: i32 = 8 << 20;
/// A snapshot is held in memory until it is whole.
const SNAPSHOT_BYTES_MAX: i64 = 1 << 30;

/// What is to be asked: of the leader where one is known, of any controller else.
#[derive(Clone, PartialEq, Debug)]
pub enum Ask {
    Fetch(FetchRequest),
    Snapshot(FetchSnapshotRequest),
}

/// What the observer has found out, for `Metadata::observe`.
#[derive(Debug)]
pub struct Observed(pub(crate) Finding);

#[derive(PartialEq, Debug)]
pub(crate) enum Finding {
    Leadership(Leadership),
    Committed(Vec<StoredBatch>),
    Installed(SnapshotId, Bytes),
    /// The controllers' log has not what they said was committed.
    Lost(String),
}

/// What an answer led to.
#[derive(Default, Debug)]
pub struct Outcome {
    pub observed: Vec<Observed>,
    /// Where controllers listen, as far as the answer said it.
    pub controllers: Vec<Voter>,
    /// Nothing was learned: another controller is to be asked, after a moment.
    pub is_vain: bool,
}

pub struct Observer {
    me: (BrokerId, Uuid),
    cluster_id: String,
    leadership: Leadership,
    /// Where the next committed record stands, and the epoch of the one before it.
    committed: (Offset, LeaderEpoch),
    high_watermark: Offset,
    held: VecDeque<StoredBatch>,
    snapshot: Option<(SnapshotId, BytesMut)>,
}

impl Observer {
    /// `directory_id`: of the directory where this broker would keep a copy.
    pub fn new(node_id: BrokerId, directory_id: Uuid, cluster_id: String) -> Observer {
        let zero = (Offset::ZERO, LeaderEpoch(0));
        Observer {
            me: (node_id, directory_id),
            cluster_id,
            leadership: Leadership { leader: None, epoch: LeaderEpoch(0) },
            committed: zero,
            high_watermark: Offset::ZERO,
            held: VecDeque::new(),
            snapshot: None,
        }
    }

    /// Whom to ask; `None`: any controller.
    pub fn leader(&self) -> Option<BrokerId> {
        self.leadership.leader
    }

    /// Where the next record is fetched, and the epoch of the one before it.
    fn end(&self) -> (Offset, LeaderEpoch) {
        self.held.back().map_or(self.committed, |last| (last.next, last.epoch))
    }

    pub fn next(&self) -> Ask {
        let (node_id, directory_id) = self.me;
        let cluster_id = Some(StrBytes::from_string(self.cluster_id.clone()));
        let name = StrBytes::from_static_str("__cluster_metadata");
        if let Some((id, bytes)) = &self.snapshot {
            let asked = AskedSnapshotId::default().with_end_offset(id.end_offset.0).with_epoch(id.epoch.0);
            let partition = PartitionSnapshot::default()
                .with_current_leader_epoch(self.leadership.epoch.0)
                .with_snapshot_id(asked)
                .with_position(bytes.len() as i64)
                .with_replica_directory_id(directory_id);
            let topic = TopicSnapshot::default().with_name(name.into()).with_partitions(vec![partition]);
            return Ask::Snapshot(
                FetchSnapshotRequest::default()
                    .with_cluster_id(cluster_id)
                    .with_replica_id(node_id.0.into())
                    .with_max_bytes(FETCH_BYTES_MAX)
                    .with_topics(vec![topic]),
            );
        }
        let (offset, epoch) = self.end();
        let partition = FetchPartition::default()
            .with_current_leader_epoch(self.leadership.epoch.0)
            .with_fetch_offset(offset.0)
            .with_last_fetched_epoch(epoch.0)
            .with_log_start_offset(0)
            .with_replica_directory_id(directory_id)
            .with_high_watermark(self.high_watermark.0);
        let topic = FetchTopic::default()
            .with_topic(name.into())
            .with_topic_id(TopicId::METADATA.0)
            .with_partitions(vec![partition]);
        let replica = ReplicaState::default().with_replica_id(node_id.0.into());
        Ask::Fetch(
            FetchRequest::default()
                .with_cluster_id(cluster_id)
                .with_replica_state(replica)
                .with_max_wait_ms(FETCH_WAIT_MS)
                .with_max_bytes(FETCH_BYTES_MAX)
                .with_topics(vec![topic]),
        )
    }

    /// The leader did not answer: it may be gone.
    pub fn on_unreachable(&mut self) -> Outcome {
        let mut outcome = Outcome { is_vain: true, ..Outcome::default() };
        if self.leadership.leader.is_some() {
            self.leadership.leader = None;
            outcome.observed.push(Observed(Finding::Leadership(self.leadership)));
        }
        outcome
    }

    pub fn on_fetch(&mut self, answer: FetchResponse) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.controllers = answer
            .node_endpoints
            .iter()
            .filter_map(|node| {
                let port = u16::try_from(node.port).ok()?;
                Some(Voter { id: BrokerId(*node.node_id), host: node.host.to_string(), port })
            })
            .collect();
        let partition =
            answer.responses.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
        let Some(partition) = partition.filter(|_| answer.error_code == 0) else {
            self.note_refusal(answer.error_code, &mut outcome);
            return outcome;
        };
        let leader = &partition.current_leader;
        self.on_leader(*leader.leader_id, leader.leader_epoch, &mut outcome);
        if partition.error_code != 0 {
            self.on_error(partition.error_code, &mut outcome);
            return outcome;
        }
        if self.leadership.epoch.0 != leader.leader_epoch {
            outcome.is_vain = true;
            return outcome;
        }
        if partition.diverging_epoch.epoch >= 0 {
            self.on_diverging(Offset(partition.diverging_epoch.end_offset), &mut outcome);
        } else if partition.snapshot_id.epoch >= 0 {
            let id = SnapshotId {
                end_offset: Offset(partition.snapshot_id.end_offset),
                epoch: LeaderEpoch(partition.snapshot_id.epoch),
            };
            outcome.is_vain = id.end_offset <= self.committed.0;
            if !outcome.is_vain {
                self.snapshot = Some((id, BytesMut::new()));
            }
        } else {
            self.on_records(partition, &mut outcome);
        }
        outcome
    }

    fn on_records(&mut self, partition: PartitionData, outcome: &mut Outcome) {
        for batch in whole_batches(&partition.records.unwrap_or_default()) {
            if batch.base != self.end().0 {
                // The first may begin before what was asked for; nothing else can follow a hole.
                if batch.next <= self.end().0 {
                    continue;
                }
                outcome.is_vain = true;
                break;
            }
            self.held.push_back(batch);
        }
        self.high_watermark = self.high_watermark.max(Offset(partition.high_watermark));
        let mut committed = Vec::new();
        while self.held.front().is_some_and(|first| first.next <= self.high_watermark) {
            let batch = self.held.pop_front().expect("looked at");
            self.committed = (batch.next, batch.epoch);
            committed.push(batch);
        }
        if !committed.is_empty() {
            outcome.observed.push(Observed(Finding::Committed(committed)));
        }
    }

    fn on_diverging(&mut self, end: Offset, outcome: &mut Outcome) {
        if end < self.committed.0 {
            outcome.observed.push(Observed(Finding::Lost(format!(
                "the controllers' log ends at offset {end} where this broker has read committed records up to {}",
                self.committed.0
            ))));
            return;
        }
        let before = self.held.len();
        self.held.retain(|batch| batch.next <= end);
        // A leader that names the same place again would be asked for ever.
        outcome.is_vain = self.held.len() == before;
    }

    pub fn on_snapshot(&mut self, answer: FetchSnapshotResponse) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.controllers = answer
            .node_endpoints
            .iter()
            .map(|node| Voter { id: BrokerId(*node.node_id), host: node.host.to_string(), port: node.port })
            .collect();
        let partition =
            answer.topics.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
        let Some(partition) = partition.filter(|_| answer.error_code == 0) else {
            self.snapshot = None;
            self.note_refusal(answer.error_code, &mut outcome);
            return outcome;
        };
        let leader = &partition.current_leader;
        self.on_leader(*leader.leader_id, leader.leader_epoch, &mut outcome);
        if partition.error_code != 0 {
            self.snapshot = None;
            self.on_error(partition.error_code, &mut outcome);
            return outcome;
        }
        let Some((id, bytes)) = &mut self.snapshot else { return outcome };
        let is_next = partition.position == bytes.len() as i64
            && partition.size <= SNAPSHOT_BYTES_MAX
            && !partition.unaligned_records.is_empty()
            && partition.snapshot_id.end_offset == id.end_offset.0
            && partition.snapshot_id.epoch == id.epoch.0;
        if !is_next {
            self.snapshot = None;
            outcome.is_vain = true;
            return outcome;
        }
        bytes.extend_from_slice(&partition.unaligned_records);
        if (bytes.len() as i64) < partition.size {
            return outcome;
        }
        let (id, bytes) = self.snapshot.take().expect("looked at");
        let bytes = bytes.freeze();
        if let Err(error) = snapshot::verify(&bytes) {
            tracing::warn!("the snapshot {} of the controller can't be used: {error}", id.file_name());
            outcome.is_vain = true;
            return outcome;
        }
        self.committed = (id.end_offset, id.epoch);
        self.high_watermark = self.high_watermark.max(id.end_offset);
        self.held.clear();
        outcome.observed.push(Observed(Finding::Installed(id, bytes)));
        outcome
    }

    /// An answer names the leader that its sender knows.
    fn on_leader(&mut self, leader: i32, epoch: i32, outcome: &mut Outcome) {
        let told =
            Leadership { leader: (leader >= 0).then_some(BrokerId(leader)), epoch: LeaderEpoch(epoch) };
        let is_news = told.epoch > self.leadership.epoch
            || (told.epoch == self.leadership.epoch && self.leadership.leader.is_none());
        if is_news && told != self.leadership {
            self.leadership = told;
            self.snapshot = None;
            outcome.observed.push(Observed(Finding::Leadership(told)));
        }
    }

    fn on_error(&mut self, code: i16, outcome: &mut Outcome) {
        let is_of_election = [
            ErrorCode::FencedLeaderEpoch,
            ErrorCode::UnknownLeaderEpoch,
            ErrorCode::NotLeaderOrFollower,
            ErrorCode::BrokerNotAvailable,
            ErrorCode::SnapshotNotFound,
        ]
        .iter()
        .any(|error| error.code() == code);
        // Whoever was taken for the leader is none, or was asked for what is another's.
        let is_told = !outcome.observed.is_empty() && self.leadership.leader.is_some();
        if is_of_election {
            outcome.is_vain = !is_told;
        } else {
            self.note_refusal(code, outcome);
        }
    }

    fn note_refusal(&self, code: i16, outcome: &mut Outcome) {
        let error = ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError);
        tracing::warn!("a controller gives this broker nothing of the metadata log: {error}");
        outcome.is_vain = true;
    }
}

/// Those that are there whole, each with its checksum looked at; an answer may end in the middle of one.
fn whole_batches(bytes: &Bytes) -> Vec<StoredBatch> {
    let (mut found, mut at) = (Vec::new(), 0);
    for view in batches(bytes) {
        let Ok(view) = view else { break };
        if view.verify_checksum().is_err() {
            break;
        }
        let end = at + view.bytes().len();
        let Some(batch) = StoredBatch::parse(bytes.slice(at..end)) else { break };
        found.push(batch);
        at = end;
    }
    found
}
