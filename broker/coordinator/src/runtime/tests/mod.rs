//! Tests of the groups' APIs: a coordinator over a log in memory.
//! Shell.

mod histories;
mod versions;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::memory::{MemoryClock, SeededRng, ThreadTasks};
use ottla_env::{BoxFuture, Clock};
use ottla_model::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, TopicName};
use ottla_records::{BatchBuilder, BatchView, EndTxnMarker};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::*;
use crate::group::tests::protocols;
use crate::group::{Beat, Committer, Joined, Joiner, OffsetToCommit, Syncer, WatchedOffset};
use crate::record::codec::CoordinatorRecord;
use crate::settings::GroupSettings;

/// A log in memory whose commits the test decides on.
struct MemoryLog {
    batches: Mutex<Vec<(Offset, Bytes)>>,
    end: Mutex<i64>,
    refuse: Mutex<Option<ErrorCode>>,
    /// Records below this are committed; an error fails every wait.
    committed: watch::Sender<Result<i64, ErrorCode>>,
}

impl MemoryLog {
    fn new() -> Arc<MemoryLog> {
        Arc::new(MemoryLog {
            batches: Mutex::default(),
            end: Mutex::default(),
            refuse: Mutex::default(),
            committed: watch::Sender::new(Ok(i64::MAX)),
        })
    }

    fn commit_to(&self, state: Result<i64, ErrorCode>) {
        self.committed.send_modify(|committed| *committed = state);
    }

    fn push(&self, batch: Bytes) {
        let mut end = self.end.lock();
        let count = BatchView::first(&batch).map_or(1, |view| view.header().last_offset().0 - *end + 1);
        self.batches.lock().push((Offset(*end), batch));
        *end += count;
    }
}

impl CoordinatorLog for MemoryLog {
    fn ensure_topic(&self) -> BoxFuture<'static, Result<(), ErrorCode>> {
        Box::pin(async { Ok(()) })
    }

    fn append(
        &self,
        _: i32,
        _: LeaderEpoch,
        records: &[CoordinatorRecord],
        wall_ms: i64,
    ) -> Result<Offset, ErrorCode> {
        if let Some(error) = self.refuse.lock().take() {
            return Err(error);
        }
        let mut batch = BatchBuilder::new().base_offset(Offset(*self.end.lock()));
        for record in records {
            batch.append(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        self.push(batch.build());
        Ok(Offset(*self.end.lock() - 1))
    }

    fn append_batch(&self, _: i32, _: LeaderEpoch, batch: Bytes, _: i64) -> Result<Offset, ErrorCode> {
        let mut bytes = batch.to_vec();
        bytes[..8].copy_from_slice(&self.end.lock().to_be_bytes());
        self.push(bytes.into());
        Ok(Offset(*self.end.lock() - 1))
    }

    fn committed(
        &self,
        _: i32,
        _: LeaderEpoch,
        offset: Offset,
    ) -> Option<BoxFuture<'static, Result<(), ErrorCode>>> {
        if matches!(*self.committed.borrow(), Ok(end) if offset.0 < end) {
            return None;
        }
        let mut committed = self.committed.subscribe();
        Some(Box::pin(async move {
            let done = committed
                .wait_for(|state| match state {
                    Ok(end) => offset.0 < *end,
                    Err(_) => true,
                })
                .await;
            match done {
                Ok(state) => (*state).map(|_| ()),
                Err(_) => Err(ErrorCode::KafkaStorageError),
            }
        }))
    }

    fn read(&self, _: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode> {
        let batches = self.batches.lock();
        let next = batches.iter().find(|(base, _)| *base >= from);
        Ok(match next {
            Some((_, batch)) => {
                let view = BatchView::first(batch).map_err(|_| ErrorCode::KafkaStorageError)?;
                (batch.clone(), view.header().next_offset())
            }
            None => (Bytes::new(), from),
        })
    }
}

const TOPIC_ID: TopicId = TopicId(uuid::Uuid::from_u128(0xa));

struct Lab {
    log: Arc<MemoryLog>,
    clock: Arc<MemoryClock>,
    coordinator: Arc<GroupCoordinator>,
}

impl Lab {
    fn over(log: Arc<MemoryLog>) -> Lab {
        let clock = Arc::new(MemoryClock::new(1_700_000_000_000));
        let coordinator = GroupCoordinator::new(
            GroupSettings::default(),
            log.clone(),
            clock.clone(),
            Arc::new(SeededRng::new(7)),
            Loader::new(Arc::new(ThreadTasks)),
        );
        coordinator.runtime.set_partition_count(Some(1));
        Lab { log, clock, coordinator }
    }

    fn new() -> Lab {
        let lab = Lab::over(MemoryLog::new());
        lab.load();
        lab
    }

    fn load(&self) -> LoadSummary {
        let loaded = self.coordinator.runtime.load_now(0, LeaderEpoch(0));
        loaded.expect("a new epoch").unwrap_or_else(|error| panic!("{error}"))
    }

    fn advance(&self, by_ms: u64) {
        self.clock.advance(Duration::from_millis(by_ms));
        self.coordinator.tick();
    }

    fn join(&self, version: i16, member_id: &str) -> Parked<Joined> {
        Parked(self.coordinator.join_group("g", joiner(version, member_id)).into_future())
    }

    /// A lone member in a stable group of generation 1.
    fn stable_member(&self) -> String {
        let id = self.join(9, "").now().member_id.to_string();
        let mut joined = self.join(9, &id);
        self.advance(0);
        assert_eq!(joined.now().generation_id, 1);
        let request = syncer(&id, 1);
        let mut synced = Parked(self.coordinator.sync_group(&request).into_future());
        assert_eq!(&synced.now().assignment[..], b"all");
        id
    }

    /// Offset 42 of both partitions of `t`.
    fn commit(&self, member_id: &str, generation_id: i32) -> Parked<Result<Vec<ErrorCode>, ErrorCode>> {
        let topic = TopicName::new("t");
        let committer = Committer {
            group_id: "g",
            member_id,
            group_instance_id: None,
            generation_id,
            knows_member_epochs: true,
            retention_time_ms: -1,
        };
        let offsets = [0, 1].map(|partition| OffsetToCommit {
            topic: &topic,
            topic_id: TOPIC_ID,
            partition,
            offset: 42,
            leader_epoch: 3,
            metadata: "",
        });
        Parked(settled(self.coordinator.commit_offsets(&committer, &offsets)))
    }

    /// Partitions 0 and 5 of `t`, each with its offset and error.
    fn fetch(&self, require_stable: bool) -> Parked<Result<Vec<(i64, ErrorCode)>, ErrorCode>> {
        self.fetch_of(TOPIC_ID, Some(&[0, 5]), require_stable)
    }

    fn fetch_of(
        &self,
        id: TopicId,
        partitions: Option<&[i32]>,
        require_stable: bool,
    ) -> Parked<Result<Vec<(i64, ErrorCode)>, ErrorCode>> {
        let topic = |partitions| WantedTopic { name: TopicName::new("t"), id, partitions };
        let wanted = WantedOffsets {
            group_id: "g",
            member_id: None,
            member_epoch: -1,
            require_stable,
            topics: partitions.map(|partitions| vec![topic(partitions)]),
        };
        let fetched = settled(self.coordinator.fetch_offsets(&wanted));
        Parked(Box::pin(async move {
            let topics = fetched.await?;
            Ok(topics.into_iter().flat_map(|(_, of)| of).map(|one| (one.offset, one.error)).collect())
        }))
    }
}

/// What was answered, once it is durable.
fn settled<T: Send + 'static>(
    outcome: Result<(T, Durable), ErrorCode>,
) -> BoxFuture<'static, Result<T, ErrorCode>> {
    Box::pin(async move {
        let (answer, durable) = outcome?;
        match durable {
            None => Ok(answer),
            Some(durable) => durable.await.map(|()| answer),
        }
    })
}

/// An answer under way.
struct Parked<T>(BoxFuture<'static, T>);

impl<T> Parked<T> {
    fn poll(&mut self) -> Option<T> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn now(&mut self) -> T {
        self.poll().unwrap_or_else(|| panic!("the answer is not there"))
    }
}

/// As a client of this version of JoinGroup.
fn joiner(version: i16, member_id: &str) -> Joiner {
    Joiner {
        protocols: protocols(&["range"]),
        must_know_its_id: version >= 4,
        may_skip_assignment: version >= 9,
        ..crate::group::tests::joiner(member_id)
    }
}

fn syncer(member_id: &str, generation_id: i32) -> Syncer<'_> {
    Syncer {
        group_id: "g",
        member_id,
        group_instance_id: None,
        generation_id,
        protocol_type: Some("consumer"),
        protocol_name: Some("range"),
        assignments: vec![(member_id, b"all")],
    }
}

fn beat(member_id: &str, generation_id: i32) -> Beat<'_> {
    Beat { group_id: "g", member_id, group_instance_id: None, generation_id }
}

#[test]
fn without_the_topic_or_the_shard_there_is_no_coordinator() {
    let lab = Lab::over(MemoryLog::new());
    lab.coordinator.runtime.set_partition_count(None);
    let not_coordinator = ErrorCode::NotCoordinator;
    assert_eq!(lab.join(9, "").now().error, not_coordinator);
    assert_eq!(lab.coordinator.partition_for("g"), None);
    assert!(matches!(Parked(lab.coordinator.ensure_topic()).poll(), Some(Ok(()))));
    lab.coordinator.runtime.set_partition_count(Some(1));
    assert_eq!(lab.coordinator.partition_for("g"), Some(0));
    assert_eq!(lab.join(9, "").now().error, not_coordinator);
    assert_eq!(lab.coordinator.list_groups(&[], &[]), Ok(Vec::new()));
    lab.load();
    assert_eq!(lab.join(9, "").now().error, ErrorCode::MemberIdRequired);
    lab.coordinator.runtime.unload(0, LeaderEpoch(1));
    assert_eq!(lab.join(9, "").now().error, not_coordinator);
}

#[test]
fn while_a_shard_is_read_heartbeats_are_fine_and_the_rest_must_wait() {
    let lab = Lab::over(MemoryLog::new());
    let runtime = &lab.coordinator.runtime;
    let loading = shard::Shard::loading(0, LeaderEpoch(0), runtime.outside.clone());
    runtime.shards.write().insert(0, Arc::new(loading));
    let loading = ErrorCode::CoordinatorLoadInProgress;
    assert_eq!(lab.join(9, "").now().error, loading);
    let heard = lab.coordinator.heartbeat(&beat("", 0)).into_future();
    assert_eq!(Parked(heard).now(), ErrorCode::None);
    assert_eq!(lab.fetch(true).now(), Err(ErrorCode::CoordinatorLoadInProgress));
    assert_eq!(lab.coordinator.list_groups(&[], &[]), Err(loading));
}

#[test]
fn bad_requests_are_refused_before_a_shard_is_looked_for() {
    let lab = Lab::new();
    let join = |group_id: &str, joiner: Joiner| {
        Parked(lab.coordinator.join_group(group_id, joiner).into_future()).now().error
    };
    assert_eq!(join("", joiner(9, "")), ErrorCode::InvalidGroupId);
    for session_timeout_ms in [5_999, 1_800_001] {
        let joiner = Joiner { session_timeout_ms, ..joiner(9, "") };
        assert_eq!(join("g", joiner), ErrorCode::InvalidSessionTimeout);
    }
    let request = Syncer { group_id: "", ..syncer("m", 1) };
    let unnamed = Parked(lab.coordinator.sync_group(&request).into_future()).now();
    assert_eq!(unnamed.error, ErrorCode::InvalidGroupId);
}

#[test]
fn answers_leave_when_their_records_are_committed() {
    let lab = Lab::new();
    let id = lab.stable_member();
    let end = *lab.log.end.lock();
    lab.log.commit_to(Ok(end));
    let mut commit = lab.commit(&id, 1);
    let mut fetch = lab.fetch(true);
    let mut heartbeat = Parked(lab.coordinator.heartbeat(&beat(&id, 1)).into_future());
    assert!(commit.poll().is_none());
    // What is not committed is not shown either.
    assert!(fetch.poll().is_none());
    assert!(heartbeat.poll().is_none());
    lab.log.commit_to(Ok(end + 2));
    assert_eq!(commit.now(), Ok(vec![ErrorCode::None; 2]));
    assert_eq!(fetch.now(), Ok(vec![(42, ErrorCode::None), (-1, ErrorCode::None)]));
    assert_eq!(heartbeat.now(), ErrorCode::None);
}

#[test]
fn a_lost_record_closes_the_shard() {
    let lab = Lab::new();
    lab.log.commit_to(Ok(0));
    let mut commit = lab.commit("", -1);
    assert!(commit.poll().is_none());
    lab.log.commit_to(Err(ErrorCode::KafkaStorageError));
    assert_eq!(commit.now(), Err(ErrorCode::NotCoordinator));
    assert_eq!(lab.join(9, "").now().error, ErrorCode::NotCoordinator);
}

/// The leader goes on leading under its epoch: who ended its shard would answer nobody for as long.
#[test]
fn too_few_replicas_after_an_append_are_told_and_the_shard_goes_on() {
    let lab = Lab::new();
    lab.log.commit_to(Ok(0));
    let mut commit = lab.commit("", -1);
    assert!(commit.poll().is_none());
    lab.log.commit_to(Err(ErrorCode::NotEnoughReplicasAfterAppend));
    assert_eq!(commit.now(), Err(ErrorCode::CoordinatorNotAvailable));
    let end = *lab.log.end.lock();
    lab.log.commit_to(Ok(end + 100));
    assert_eq!(lab.commit("", -1).now(), Ok(vec![ErrorCode::None; 2]));
    assert_eq!(lab.fetch(true).now(), Ok(vec![(42, ErrorCode::None), (-1, ErrorCode::None)]));
}

#[test]
fn a_refused_append_is_answered_and_forgotten() {
    let lab = Lab::new();
    for (refusal, answer) in [
        (ErrorCode::NotEnoughReplicas, ErrorCode::CoordinatorNotAvailable),
        (ErrorCode::KafkaStorageError, ErrorCode::NotCoordinator),
        (ErrorCode::MessageTooLarge, ErrorCode::UnknownServerError),
    ] {
        *lab.log.refuse.lock() = Some(refusal);
        assert_eq!(lab.commit("", -1).now(), Err(answer));
        assert_eq!(lab.fetch(true).now(), Ok(vec![(-1, ErrorCode::None); 2]));
    }
}

#[test]
fn groups_and_offsets_are_read_again_at_a_start() {
    let lab = Lab::new();
    let id = lab.stable_member();
    assert_eq!(lab.commit(&id, 1).now(), Ok(vec![ErrorCode::None; 2]));
    // What Kafka's transactions leave in the log: one that committed, and one that is open.
    let key = b"\0\x01\0\x01g\0\x01t\0\0\0\x01";
    let value = |offset: u8| {
        let mut value = b"\0\x03\0\0\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\x01".to_vec();
        value[9] = offset;
        value
    };
    let transactional = |producer_id, offset| {
        let mut batch = BatchBuilder::new()
            .base_offset(Offset(*lab.log.end.lock()))
            .transactional()
            .producer(ProducerId(producer_id), ProducerEpoch(0), Sequence(0));
        batch.append(1, Some(key), Some(&value(offset)), &[]);
        lab.log.push(batch.build());
    };
    transactional(5, 77);
    let marker = EndTxnMarker { is_commit: true, coordinator_epoch: 0, timestamp: 1 };
    let mut bytes = marker.build(ProducerId(5), ProducerEpoch(0)).to_vec();
    bytes[..8].copy_from_slice(&lab.log.end.lock().to_be_bytes());
    lab.log.push(bytes.into());
    transactional(6, 99);
    // And a record that this release does not know.
    let mut other = BatchBuilder::new().base_offset(Offset(*lab.log.end.lock()));
    other.append(1, Some(b"\0\x63\0\x01k"), Some(b"\0\0\0\0\0\x01"), &[]);
    lab.log.push(other.build());

    let again = Lab::over(Arc::clone(&lab.log));
    let summary = again.load();
    assert_eq!((summary.records_of_other_kinds, summary.records_damaged), (1, 0));
    assert_eq!(again.coordinator.list_groups(&[], &[]).map(|groups| groups.len()), Ok(1));
    let offsets = |require_stable| again.fetch_of(TOPIC_ID, None, require_stable).now();
    assert_eq!(offsets(false), Ok(vec![(42, ErrorCode::None), (77, ErrorCode::None)]));
    assert_eq!(offsets(true), Ok(vec![(42, ErrorCode::None), (-1, ErrorCode::UnstableOffsetCommit)]));
    // The member goes on where it was, and its session began anew.
    again.advance(9_999);
    let heard = || Parked(again.coordinator.heartbeat(&beat(&id, 1)).into_future()).now();
    assert_eq!(heard(), ErrorCode::None);
    again.advance(10_001);
    assert_eq!(heard(), ErrorCode::UnknownMemberId);
}

#[test]
fn parked_requests_are_answered_when_the_shard_goes() {
    let lab = Lab::new();
    let id = lab.stable_member();
    let newcomer = lab.join(9, "").now().member_id.to_string();
    let mut joining = lab.join(9, &newcomer);
    assert!(joining.poll().is_none());
    lab.coordinator.runtime.unload_all();
    assert_eq!(joining.now().error, ErrorCode::NotCoordinator);
    assert!(!id.is_empty());
}

#[test]
fn what_metrics_show_of_offsets_is_bounded() {
    let lab = Lab::new();
    assert!(lab.commit("", -1).now().is_ok());
    let (watched, all) = lab.coordinator.watch_offsets(usize::MAX >> 1);
    let places: Vec<String> = watched
        .iter()
        .map(|one| format!("{} {}-{} {}", one.group, one.topic, one.partition, one.offset))
        .collect();
    assert_eq!((places, all), (vec!["g t-0 42".to_owned(), "g t-1 42".to_owned()], 2));
    assert_eq!(lab.coordinator.watch_offsets(1).0.len(), 1);
    assert_eq!(lab.coordinator.watch_offsets(0), (Vec::new(), 2));
}

#[test]
fn lag_is_measured_from_what_is_shown_and_deleted_topics_are_not() {
    let lab = Lab::new();
    assert!(lab.commit("", -1).now().is_ok());
    let shown = || {
        let (watched, _all) = lab.coordinator.watch_offsets(10);
        let line =
            |one: &WatchedOffset| format!("{} {}-{} {}", one.group, one.topic, one.partition, one.offset);
        watched.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(shown(), ["g t-0 42", "g t-1 42"]);
    lab.coordinator.on_topics_deleted(&[(TopicName::new("t"), TopicId(uuid::Uuid::from_u128(1)))]);
    assert_eq!(shown().len(), 2);
    lab.coordinator.on_topics_deleted(&[(TopicName::new("t"), TOPIC_ID)]);
    assert_eq!(shown().len(), 0);
}

#[tokio::test]
async fn the_timer_task_ends_what_is_due() {
    let lab = Lab::new();
    let timers = tokio::spawn({
        let runtime = Arc::clone(&lab.coordinator.runtime);
        async move { runtime.run_timers().await }
    });
    let id = lab.join(9, "").now().member_id.to_string();
    // Nobody ticks: the task hears of the new deadline and completes the join.
    let answer = lab.join(9, &id).0.await;
    assert_eq!(answer.generation_id, 1);
    let request = syncer(&id, 1);
    lab.coordinator.sync_group(&request).into_future().await;
    let groups = || lab.coordinator.list_groups(&[], &[]).expect("it is loaded")[0].state;
    assert_eq!(groups(), "Stable");
    let before = lab.clock.monotonic();
    lab.clock.advance(Duration::from_millis(10_000));
    for _ in 0..1000 {
        if groups() == "Empty" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(groups(), "Empty");
    assert_eq!(before.until(lab.clock.monotonic()), Duration::from_secs(10));
    timers.abort();
}

#[test]
fn offsets_that_a_full_device_did_not_forget_are_not_those_of_the_next_topic_of_that_name() {
    let lab = Lab::new();
    assert!(lab.commit("", -1).now().is_ok());
    *lab.log.refuse.lock() = Some(ErrorCode::KafkaStorageError);
    lab.coordinator.on_topics_deleted(&[(TopicName::new("t"), TOPIC_ID)]);
    let fetch = |id| lab.fetch_of(id, Some(&[0]), true).now();
    let next = TopicId(uuid::Uuid::from_u128(0xc));
    assert_eq!(
        (fetch(TOPIC_ID), fetch(next)),
        (Ok(vec![(42, ErrorCode::None)]), Ok(vec![(-1, ErrorCode::None)]))
    );
}
