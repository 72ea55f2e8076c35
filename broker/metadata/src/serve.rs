//! What a controller gives to observers: its metadata log up to the commit offset, and its snapshots.
//! Shell: it reads the log's files. The rules are Kafka's (`KafkaRaftClient.handleFetchRequest`,
//! `ReplicatedLog.validateOffsetAndEpoch`); voters speak frames of their own and never come here.
//!
//! Invariants:
//! - I1. Nothing is given that is not committed and on this node's device: an observer never has to cut its log for a
//!   change of leaders.
//! - I2. Only the leader of the epoch that an observer knows gives anything; every refusal names the leader.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, OpenMode};
use ottla_log::{ReadLimits, UnifiedLog};
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset, TopicId};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::fetch_request::FetchPartition;
use ottla_protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
    SnapshotId as FetchSnapshotId,
};
use ottla_protocol::messages::{FetchRequest, FetchResponse, FetchSnapshotRequest, FetchSnapshotResponse};
use ottla_protocol::messages::{fetch_snapshot_request, fetch_snapshot_response};
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use crate::metadata::Metadata;
use crate::metadata_log::metadata_partition;
use crate::quorum::{Leadership, Voter, VoterState};
use crate::snapshot::{self, SnapshotId};

/// Bytes of records, or of a snapshot, in one answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Who has not fetched for so long is no observer any more (`LeaderState.OBSERVER_SESSION_TIMEOUT_MS`).
const OBSERVER_SESSION_MS: i64 = 300_000;
/// Observers that are remembered.
const OBSERVERS_MAX: usize = 10_000;

/// An observer as the leader knows it.
pub(crate) type ObserverStates = BTreeMap<(BrokerId, Uuid), VoterState>;

/// The log of a node that serves observers, beside whoever writes it.
pub(crate) struct ServedLog {
    env: Env,
    log: Arc<UnifiedLog>,
    folder: PathBuf,
    /// Below it everything is committed and on the device.
    high_watermark: watch::Sender<Offset>,
    /// Those of the epoch.
    observers: Mutex<(LeaderEpoch, ObserverStates)>,
}

impl ServedLog {
    pub fn new(env: &Env, log: Arc<UnifiedLog>, folder: PathBuf, high_watermark: Offset) -> Arc<ServedLog> {
        Arc::new(ServedLog {
            env: env.clone(),
            log,
            folder,
            high_watermark: watch::Sender::new(high_watermark),
            observers: Mutex::new((LeaderEpoch(0), BTreeMap::new())),
        })
    }

    /// Everything below it is committed and on the device.
    pub fn advance(&self, to: Offset) {
        self.high_watermark.send_if_modified(|known| {
            let is_ahead = to > *known;
            *known = to.max(*known);
            is_ahead
        });
    }

    /// Who reads this leader's log.
    pub fn observers(&self, epoch: LeaderEpoch, now_ms: i64) -> Vec<(BrokerId, Uuid, VoterState)> {
        let mut observers = self.observers.lock();
        let (of, states) = &mut *observers;
        if *of != epoch {
            return Vec::new();
        }
        states.retain(|_, state| now_ms - state.last_fetch_ms < OBSERVER_SESSION_MS);
        states.iter().map(|((id, directory), state)| (*id, *directory, *state)).collect()
    }

    fn note(&self, epoch: LeaderEpoch, observer: (BrokerId, Uuid), fetch_offset: Offset) {
        let (now_ms, end) = (self.env.clock.wall_ms(), *self.high_watermark.borrow());
        let mut observers = self.observers.lock();
        if observers.0 != epoch {
            *observers = (epoch, BTreeMap::new());
        }
        if observers.1.len() >= OBSERVERS_MAX && !observers.1.contains_key(&observer) {
            return;
        }
        let state = observers.1.entry(observer).or_default();
        state.last_fetch_ms = now_ms;
        state.log_end_offset = fetch_offset;
        if fetch_offset >= end {
            state.last_caught_up_ms = now_ms;
        }
    }

    /// What an observer is given now. `me`: this node, and whom it takes for the leader.
    pub fn fetch(
        &self,
        asked: &FetchPartition,
        observer: (BrokerId, Uuid),
        me: (BrokerId, Leadership),
        max_bytes: usize,
    ) -> PartitionData {
        let (node_id, leadership) = me;
        if let Some(error) = refusal(leadership, node_id, LeaderEpoch(asked.current_leader_epoch)) {
            return refused(leadership, error);
        }
        let offset = Offset(asked.fetch_offset);
        if observer.0 >= BrokerId(0) {
            self.note(leadership.epoch, observer, offset);
        }
        let partition = empty(leadership)
            .with_high_watermark(self.high_watermark.borrow().0)
            .with_log_start_offset(self.log.log_start_offset().0);
        match self.place(offset, LeaderEpoch(asked.last_fetched_epoch)) {
            Place::Snapshot(id) => partition.with_snapshot_id(
                FetchSnapshotId::default().with_end_offset(id.end_offset.0).with_epoch(id.epoch.0),
            ),
            Place::Diverging(epoch, end) => partition
                .with_diverging_epoch(EpochEndOffset::default().with_epoch(epoch.0).with_end_offset(end.0)),
            Place::Valid => match self.read(offset, max_bytes) {
                Ok(records) => partition.with_records(Some(records)),
                Err(error) => refused(leadership, error),
            },
        }
    }

    /// What becomes of a fetch that begins at `offset`, behind a record of `epoch`.
    fn place(&self, offset: Offset, epoch: LeaderEpoch) -> Place {
        let start = self.log.log_start_offset();
        if start == Offset::ZERO && offset == Offset::ZERO {
            return Place::Valid;
        }
        let mut snapshots = snapshot::list(&*self.env.disk, &self.folder).unwrap_or_default();
        // One that is behind the high watermark is another's, on its way to this node.
        let high_watermark = *self.high_watermark.borrow();
        snapshots.retain(|id| id.end_offset > Offset::ZERO && id.end_offset <= high_watermark);
        if let (Some(newest), Some(oldest)) = (snapshots.first(), snapshots.last())
            && (offset < start || (offset == start && epoch != oldest.epoch) || epoch < oldest.epoch)
        {
            return Place::Snapshot(*newest);
        }
        match self.log.end_offset_for_epoch(epoch) {
            Some((known, end)) if known == epoch && offset <= end => Place::Valid,
            Some((known, end)) => Place::Diverging(known, end),
            // All that is left of the log begins in a snapshot of this very epoch.
            None if offset == start && self.log.log_end_offset() == start => Place::Valid,
            None => Place::Diverging(LeaderEpoch(0), start),
        }
    }

    fn read(&self, from: Offset, bytes_max: usize) -> Result<Bytes, ErrorCode> {
        let bound = *self.high_watermark.borrow();
        let max_bytes = bytes_max.clamp(1, ANSWER_BYTES_MAX);
        let failed = |why: &dyn std::fmt::Display| {
            tracing::warn!("the metadata log could not be read at offset {from} for an observer: {why}");
            ErrorCode::UnknownServerError
        };
        let limits = ReadLimits { max_bytes, bound, min_one_batch: true };
        let slice = self.log.read(from, limits).map_err(|error| failed(&error))?;
        slice.read_bytes().map_err(|error| failed(&error))
    }

    /// A part of a snapshot, with the size of the whole.
    fn read_snapshot(&self, id: SnapshotId, position: i64, max: usize) -> Result<(u64, Bytes), ErrorCode> {
        let path = self.folder.join(id.file_name());
        let missing = |_| ErrorCode::SnapshotNotFound;
        let file = self.env.disk.open(&path, OpenMode::Read).map_err(missing)?;
        let size = file.len().map_err(missing)?;
        let position = u64::try_from(position).map_err(|_| ErrorCode::PositionOutOfRange)?;
        if position >= size {
            return Err(ErrorCode::PositionOutOfRange);
        }
        let count = (size - position).min(max.clamp(1, ANSWER_BYTES_MAX) as u64);
        let mut bytes = vec![0; count as usize];
        file.read_exact_at(&mut bytes, position).map_err(missing)?;
        Ok((size, bytes.into()))
    }
}

enum Place {
    Valid,
    Snapshot(SnapshotId),
    Diverging(LeaderEpoch, Offset),
}

/// Why this node answers nothing of what it has (`KafkaRaftClient.validateLeaderOnlyRequest`).
pub(crate) fn refusal(leadership: Leadership, me: BrokerId, known: LeaderEpoch) -> Option<ErrorCode> {
    if known < leadership.epoch {
        Some(ErrorCode::FencedLeaderEpoch)
    } else if known > leadership.epoch {
        Some(ErrorCode::UnknownLeaderEpoch)
    } else if leadership.leader != Some(me) {
        Some(ErrorCode::NotLeaderOrFollower)
    } else {
        None
    }
}

/// The one partition that a fetch may name, by its topic's id; `None` for any other request.
pub(crate) fn partition_of(request: &FetchRequest) -> Option<&FetchPartition> {
    let [topic] = request.topics.as_slice() else { return None };
    let [partition] = topic.partitions.as_slice() else { return None };
    let is_named = topic.topic_id == TopicId::METADATA.0;
    (is_named && partition.partition == 0).then_some(partition)
}

fn leader_of(leadership: Leadership) -> LeaderIdAndEpoch {
    LeaderIdAndEpoch::default()
        .with_leader_id(leadership.leader.unwrap_or(BrokerId(-1)).0.into())
        .with_leader_epoch(leadership.epoch.0)
}

fn empty(leadership: Leadership) -> PartitionData {
    PartitionData::default()
        .with_records(Some(Bytes::new()))
        .with_aborted_transactions(Some(Vec::new()))
        .with_high_watermark(-1)
        .with_current_leader(leader_of(leadership))
}

fn refused(leadership: Leadership, error: ErrorCode) -> PartitionData {
    empty(leadership).with_error_code(error.code())
}

impl Metadata {
    pub(crate) fn is_own_cluster(&self, cluster_id: Option<&StrBytes>) -> bool {
        cluster_id.is_none_or(|id| id.as_str() == self.image().cluster_id())
    }

    /// Fetch of the metadata log by an observer, which may wait for more. `controllers` is where they listen.
    pub async fn fetch_log(&self, request: FetchRequest, controllers: Vec<Voter>) -> FetchResponse {
        if !self.is_own_cluster(request.cluster_id.as_ref()) {
            return FetchResponse::default().with_error_code(ErrorCode::InconsistentClusterId.code());
        }
        let Some(asked) = partition_of(&request) else {
            return FetchResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
        };
        let observer = (BrokerId(*request.replica_state.replica_id), asked.replica_directory_id);
        let max_bytes = usize::try_from(request.max_bytes).unwrap_or_default();
        let clock = &self.env.clock;
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or_default());
        let deadline = clock.monotonic().after(wait);
        let mut leaders = self.leadership_changes();
        let mut commits = self.served.as_ref().map(|served| served.high_watermark.subscribe());
        let is_invalid = request.max_wait_ms < 0
            || asked.fetch_offset < 0
            || asked.last_fetched_epoch < 0
            || asked.current_leader_epoch < 0;
        loop {
            let leadership = *leaders.borrow_and_update();
            if let Some(commits) = &mut commits {
                commits.mark_unchanged();
            }
            let partition = match is_invalid {
                true => refused(leadership, ErrorCode::InvalidRequest),
                false => match &self.served {
                    Some(served) => served.fetch(asked, observer, (self.node_id(), leadership), max_bytes),
                    None => refused(leadership, ErrorCode::UnknownTopicOrPartition),
                },
            };
            let is_told = partition.error_code != 0
                || partition.records.as_ref().is_some_and(|records| !records.is_empty())
                || partition.diverging_epoch.epoch >= 0
                || partition.snapshot_id.epoch >= 0
                || partition.high_watermark > asked.high_watermark;
            let now = clock.monotonic();
            if is_told || now >= deadline {
                return fetch_response(&request, leadership, partition, &controllers);
            }
            let Some(commits) = &mut commits else {
                return fetch_response(&request, leadership, partition, &controllers);
            };
            tokio::select! {
                biased;
                committed = commits.changed() => if committed.is_err() { clock.sleep_until(deadline).await },
                changed = leaders.changed() => if changed.is_err() { clock.sleep_until(deadline).await },
                () = clock.sleep_until(deadline) => {}
            }
        }
    }

    /// FetchSnapshot of an observer.
    pub fn fetch_snapshot(
        &self,
        request: &FetchSnapshotRequest,
        controllers: &[Voter],
    ) -> FetchSnapshotResponse {
        if !self.is_own_cluster(request.cluster_id.as_ref()) {
            let error = ErrorCode::InconsistentClusterId;
            return FetchSnapshotResponse::default().with_error_code(error.code());
        }
        let leadership = self.leadership();
        let leader = controllers.iter().find(|node| Some(node.id) == leadership.leader);
        let endpoint = |node: &Voter| {
            fetch_snapshot_response::NodeEndpoint::default()
                .with_node_id(node.id.0.into())
                .with_host(StrBytes::from_string(node.host.clone()))
                .with_port(node.port)
        };
        let me = (self.node_id(), leadership);
        fetch_snapshot(self.served.as_deref(), request, me)
            .with_node_endpoints(leader.map(endpoint).into_iter().collect())
    }
}

/// A part of a snapshot, as it is given now.
pub(crate) fn fetch_snapshot(
    served: Option<&ServedLog>,
    request: &FetchSnapshotRequest,
    me: (BrokerId, Leadership),
) -> FetchSnapshotResponse {
    let invalid = || FetchSnapshotResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    let [topic] = request.topics.as_slice() else { return invalid() };
    let [asked] = topic.partitions.as_slice() else { return invalid() };
    let (node_id, leadership) = me;
    let is_named = topic.name.as_str() == metadata_partition().topic.as_str() && asked.partition == 0;
    let leader = fetch_snapshot_response::LeaderIdAndEpoch::default()
        .with_leader_id(leadership.leader.unwrap_or(BrokerId(-1)).0.into())
        .with_leader_epoch(leadership.epoch.0);
    let partition = fetch_snapshot_response::PartitionSnapshot::default()
        .with_index(asked.partition)
        .with_current_leader(leader);
    let part = match served.filter(|_| is_named) {
        None => Err(ErrorCode::UnknownTopicOrPartition),
        Some(served) => match refusal(leadership, node_id, LeaderEpoch(asked.current_leader_epoch)) {
            Some(error) => Err(error),
            None => {
                let max = usize::try_from(request.max_bytes).unwrap_or_default();
                served.read_snapshot(snapshot_id(&asked.snapshot_id), asked.position, max)
            }
        },
    };
    let partition = match part {
        Err(error) => partition.with_error_code(error.code()),
        Ok((size, bytes)) => {
            let id = fetch_snapshot_response::SnapshotId::default()
                .with_end_offset(asked.snapshot_id.end_offset)
                .with_epoch(asked.snapshot_id.epoch);
            partition
                .with_snapshot_id(id)
                .with_size(i64::try_from(size).unwrap_or(i64::MAX))
                .with_position(asked.position)
                .with_unaligned_records(bytes)
        }
    };
    let topic = fetch_snapshot_response::TopicSnapshot::default()
        .with_name(topic.name.clone())
        .with_partitions(vec![partition]);
    FetchSnapshotResponse::default().with_topics(vec![topic])
}

fn snapshot_id(asked: &fetch_snapshot_request::SnapshotId) -> SnapshotId {
    SnapshotId { end_offset: Offset(asked.end_offset), epoch: LeaderEpoch(asked.epoch) }
}

pub(crate) fn fetch_response(
    request: &FetchRequest,
    leadership: Leadership,
    partition: PartitionData,
    controllers: &[Voter],
) -> FetchResponse {
    let [topic] = request.topics.as_slice() else { unreachable!("a fetch of one partition") };
    let topic = FetchableTopicResponse::default()
        .with_topic(topic.topic.clone())
        .with_topic_id(topic.topic_id)
        .with_partitions(vec![partition]);
    let leader = controllers.iter().find(|node| Some(node.id) == leadership.leader);
    let endpoint = |node: &Voter| {
        NodeEndpoint::default()
            .with_node_id(node.id.0.into())
            .with_host(StrBytes::from_string(node.host.clone()))
            .with_port(i32::from(node.port))
    };
    FetchResponse::default()
        .with_responses(vec![topic])
        .with_node_endpoints(leader.map(endpoint).into_iter().collect())
}
