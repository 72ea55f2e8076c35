//! Tests of share state: what is decided, what a restart finds, what the log may forget.
//! Core, and the shell over a log in memory.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::BoxFuture;
use ottla_env::memory::{MemoryClock, ThreadTasks};
use ottla_model::{ErrorCode, GroupId, LeaderEpoch, Offset, TopicId};
use ottla_records::{BatchBuilder, BatchView};
use parking_lot::Mutex;

use super::codec;
use super::state::{ShareStateRecord, ShareStateShard};
use super::{
    ShareCoordinator, ShareCoordinatorSettings, SharePartitionKey, SharePartitionState, StateBatch,
    StateError, StateSummary, StateWrite,
};
use crate::record::codec::CoordinatorRecord;
use crate::runtime::{CoordinatorLog, Loader};

const TOPIC: TopicId = TopicId(uuid::Uuid::from_u128(0xa));
const WALL_MS: i64 = 1_700_000_000_000;

fn key(partition: i32) -> SharePartitionKey {
    SharePartitionKey { group: GroupId::new("g"), topic_id: TOPIC, partition }
}

fn batch(first_offset: i64, last_offset: i64, delivery_state: i8) -> StateBatch {
    StateBatch { first_offset, last_offset, delivery_state, delivery_count: 1 }
}

fn write(leader_epoch: i32, start_offset: i64, batches: &[StateBatch]) -> StateWrite {
    StateWrite {
        state_epoch: 1,
        leader_epoch,
        start_offset,
        delivery_complete_count: 0,
        batches: batches.to_vec(),
    }
}

const SETTINGS: ShareCoordinatorSettings = ShareCoordinatorSettings {
    updates_per_snapshot: 3,
    prune_interval_ms: 100_000,
    cold_snapshot_interval_ms: 300_000,
};

/// A shard with a log that is a list.
struct Lab {
    shard: ShareStateShard,
    log: Vec<ShareStateRecord>,
}

impl Default for Lab {
    fn default() -> Lab {
        Lab { shard: ShareStateShard::new(Arc::new(SETTINGS)), log: Vec::new() }
    }
}

impl Lab {
    fn initialized() -> Lab {
        let mut lab = Lab::default();
        let record = lab.shard.initialize(&key(0), 1, -1, WALL_MS).unwrap();
        lab.append(record);
        lab
    }

    fn append(&mut self, record: ShareStateRecord) {
        self.shard.replay(Offset(self.log.len() as i64), record.clone());
        self.log.push(record);
    }

    fn write(&mut self, what: &StateWrite) -> Result<(), StateError> {
        let record = self.shard.write(&key(0), what, WALL_MS)?;
        self.append(record);
        Ok(())
    }

    fn code(outcome: Result<impl Sized, StateError>) -> ErrorCode {
        outcome.map_or_else(|error| error.code, |_| ErrorCode::None)
    }
}

#[test]
fn what_was_never_set_up_is_neither_read_nor_written() {
    let mut lab = Lab::default();
    assert_eq!(Lab::code(lab.shard.read(&key(0), 0, WALL_MS)), ErrorCode::InvalidRequest);
    assert_eq!(Lab::code(lab.write(&write(0, 0, &[]))), ErrorCode::InvalidRequest);
    assert_eq!(Lab::code(lab.shard.initialize(&key(-1), 1, -1, WALL_MS)), ErrorCode::InvalidRequest);
    let nothing =
        StateSummary { start_offset: -1, delivery_complete_count: -1, leader_epoch: 0, state_epoch: 0 };
    assert_eq!(lab.shard.summary(&key(0)), Ok(nothing));
    assert_eq!(lab.shard.delete(&key(0)), Ok(None));
}

#[test]
fn updates_become_one_state_and_after_so_many_a_snapshot() {
    let mut lab = Lab::initialized();
    for offset in 0..5 {
        lab.write(&write(0, -1, &[batch(offset, offset, 2)])).unwrap();
    }
    let kinds: Vec<bool> =
        lab.log.iter().map(|record| matches!(record, ShareStateRecord::Snapshot(..))).collect();
    assert_eq!(kinds, [true, false, false, false, true, false]);
    let state = lab.shard.get(&key(0)).unwrap();
    assert_eq!(state.batches, [batch(0, 4, 2)], "neighbours that agree are one");
    assert_eq!(state.snapshot_epoch, 1);
    assert_eq!(lab.shard.first_needed_offset(), Some(Offset(4)));
}

#[test]
fn a_start_that_moves_forgets_what_lies_before_it() {
    let mut lab = Lab::initialized();
    lab.write(&write(0, 0, &[batch(0, 9, 0)])).unwrap();
    lab.write(&write(0, 6, &[batch(6, 7, 2)])).unwrap();
    let state = lab.shard.get(&key(0)).unwrap();
    assert_eq!(
        (state.start_offset, state.batches.as_slice()),
        (6, [batch(6, 7, 2), batch(8, 9, 0)].as_slice())
    );
}

#[test]
fn who_knows_older_epochs_is_fenced() {
    let mut lab = Lab::initialized();
    let (_, record) = lab.shard.read(&key(0), 5, WALL_MS).unwrap();
    lab.append(record.unwrap());
    assert_eq!(Lab::code(lab.shard.read(&key(0), 4, WALL_MS)), ErrorCode::FencedLeaderEpoch);
    assert_eq!(lab.shard.read(&key(0), 5, WALL_MS).unwrap().1, None, "known: nothing to write");
    assert_eq!(Lab::code(lab.write(&write(4, 0, &[]))), ErrorCode::FencedLeaderEpoch);
    let older = StateWrite { state_epoch: 0, ..write(5, 0, &[]) };
    assert_eq!(Lab::code(lab.write(&older)), ErrorCode::FencedStateEpoch);
    assert_eq!(Lab::code(lab.shard.initialize(&key(0), 0, -1, WALL_MS)), ErrorCode::FencedStateEpoch);
    assert_eq!(Lab::code(lab.write(&write(5, 0, &[]))), ErrorCode::None);
}

#[test]
fn state_is_gone_when_it_was_deleted() {
    let mut lab = Lab::initialized();
    let record = lab.shard.delete(&key(0)).unwrap().unwrap();
    lab.append(record);
    assert_eq!(lab.shard.get(&key(0)), None);
    assert_eq!(lab.shard.first_needed_offset(), None);
}

#[test]
fn cold_state_is_written_again_once() {
    let mut lab = Lab::initialized();
    assert_eq!(lab.shard.snapshots_of_cold(WALL_MS + 299_999), []);
    let records = lab.shard.snapshots_of_cold(WALL_MS + 300_000);
    assert_eq!(records.len(), 1);
    records.into_iter().for_each(|record| lab.append(record));
    assert_eq!(lab.shard.snapshots_of_cold(WALL_MS + 900_000), [], "it has been");
    assert_eq!(lab.shard.first_needed_offset(), Some(Offset(1)));
}

#[test]
fn records_are_what_they_were_when_they_come_back() {
    let mut lab = Lab::initialized();
    lab.write(&write(0, 3, &[batch(3, 4, 2), batch(5, 5, 0)])).unwrap();
    let deleted = lab.shard.delete(&key(0)).unwrap().unwrap();
    lab.append(deleted);
    for record in &lab.log {
        let encoded = codec::encode(record).unwrap();
        let decoded = codec::decode(&encoded.key, encoded.value.as_deref()).unwrap();
        assert_eq!(decoded.as_ref(), Some(record));
    }
}

/// One partition of `__share_group_state` in memory; every append is committed.
#[derive(Default)]
struct MemoryLog {
    batches: Mutex<Vec<(Offset, Bytes)>>,
    deleted_before: Mutex<Offset>,
}

impl MemoryLog {
    fn end(&self) -> i64 {
        let batches = self.batches.lock();
        batches.last().map_or(0, |(base, batch)| {
            BatchView::first(batch).map_or(base.0, |view| view.header().next_offset().0)
        })
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
        let base = Offset(self.end());
        let mut batch = BatchBuilder::new().base_offset(base);
        for record in records {
            batch.append(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        self.batches.lock().push((base, batch.build()));
        Ok(Offset(self.end() - 1))
    }

    fn append_batch(&self, _: i32, _: LeaderEpoch, _: Bytes, _: i64) -> Result<Offset, ErrorCode> {
        Err(ErrorCode::UnknownServerError)
    }

    fn committed(
        &self,
        _: i32,
        _: LeaderEpoch,
        _: Offset,
    ) -> Option<BoxFuture<'static, Result<(), ErrorCode>>> {
        None
    }

    fn read(&self, _: i32, from: Offset) -> Result<(Bytes, Offset), ErrorCode> {
        let batches = self.batches.lock();
        Ok(match batches.iter().find(|(base, _)| *base >= from) {
            Some((_, batch)) => {
                let view = BatchView::first(batch).map_err(|_| ErrorCode::KafkaStorageError)?;
                (batch.clone(), view.header().next_offset())
            }
            None => (Bytes::new(), from),
        })
    }

    fn delete_before(&self, _: i32, before: Offset) -> Result<(), ErrorCode> {
        *self.deleted_before.lock() = before;
        self.batches.lock().retain(|(base, _)| *base >= before);
        Ok(())
    }
}

fn coordinator(log: &Arc<MemoryLog>) -> (Arc<ShareCoordinator>, Arc<MemoryClock>) {
    let clock = Arc::new(MemoryClock::new(WALL_MS));
    let loader = Loader::new(Arc::new(ThreadTasks));
    let coordinator = ShareCoordinator::new(SETTINGS, log.clone(), clock.clone(), loader);
    coordinator.runtime.set_partition_count(Some(1));
    (coordinator, clock)
}

/// Lets the time of the next prune come.
fn prune(coordinator: &ShareCoordinator, clock: &MemoryClock) {
    clock.advance(Duration::from_millis(100_000));
    coordinator.runtime.tick();
}

fn load(coordinator: &ShareCoordinator) {
    coordinator.runtime.load_now(0, LeaderEpoch(0)).unwrap().unwrap();
}

fn stored(coordinator: &ShareCoordinator) -> SharePartitionState {
    let (state, wait) = coordinator.read(&key(0), -1).unwrap();
    assert!(wait.is_none(), "all is committed");
    state
}

#[test]
fn a_restart_finds_what_was_written_even_when_old_records_are_gone() {
    let log = Arc::new(MemoryLog::default());
    let (first, clock) = coordinator(&log);
    assert_eq!(first.read(&key(0), 0).map(|_| ()), Err(ErrorCode::NotCoordinator.into()), "it is not loaded");
    load(&first);
    assert!(first.initialize(&key(0), 1, 0).unwrap().is_none());
    for offset in 0..4 {
        assert!(first.write(&key(0), &write(0, 0, &[batch(offset, offset, 0)])).unwrap().is_none());
    }
    let before = stored(&first);
    prune(&first, &clock);
    assert_eq!(*log.deleted_before.lock(), Offset(4), "the snapshot is all that is needed");
    first.close();
    assert_eq!(first.read(&key(0), 0).map(|_| ()), Err(ErrorCode::NotCoordinator.into()));
    let (second, _) = coordinator(&log);
    load(&second);
    assert_eq!(stored(&second), before);
    second.close();
}

#[test]
fn the_state_of_a_deleted_topic_goes_with_it() {
    let log = Arc::new(MemoryLog::default());
    let (coordinator, clock) = coordinator(&log);
    load(&coordinator);
    assert!(coordinator.initialize(&key(0), 1, 0).unwrap().is_none());
    coordinator.on_topics_deleted(&HashSet::from([TopicId(uuid::Uuid::from_u128(0xb))]));
    assert!(coordinator.read(&key(0), -1).is_ok());
    coordinator.on_topics_deleted(&HashSet::from([TOPIC]));
    assert_eq!(Lab::code(coordinator.read(&key(0), -1)), ErrorCode::InvalidRequest);
    prune(&coordinator, &clock);
    assert_eq!(log.end(), 0, "with no state at all nothing is needed");
    coordinator.close();
}
