//! The state of share partitions: what is decided about it, and how its records change it.
//! Core. Rules are those of Kafka's `ShareCoordinatorShard`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, Offset, TopicId};

use super::combine::{StateBatch, combine};
use super::coordinator::ShareCoordinatorSettings;
use crate::shard::Effects;

/// A partition as one share group reads it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SharePartitionKey {
    pub group: GroupId,
    pub topic_id: TopicId,
    pub partition: i32,
}

/// As FindCoordinator names it, and as it is placed on a partition of `__share_group_state`.
impl fmt::Display for SharePartitionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.group, self.topic_id, self.partition)
    }
}

/// Kafka's `ShareGroupOffset`.
#[derive(Clone, PartialEq, Debug)]
pub struct SharePartitionState {
    pub snapshot_epoch: i32,
    pub state_epoch: i32,
    pub leader_epoch: i32,
    /// -1 until the group begins to read.
    pub start_offset: i64,
    /// -1 while it is not known.
    pub delivery_complete_count: i32,
    pub create_timestamp_ms: i64,
    pub write_timestamp_ms: i64,
    pub batches: Vec<StateBatch>,
}

/// One record of `__share_group_state`.
#[derive(Clone, PartialEq, Debug)]
pub enum ShareStateRecord {
    /// The whole state; `None` is a tombstone.
    Snapshot(SharePartitionKey, Option<SharePartitionState>),
    /// What has changed since the snapshot.
    Update(SharePartitionKey, SharePartitionState),
}

/// What a leader writes of its share partition.
#[derive(Clone, PartialEq, Debug)]
pub struct StateWrite {
    pub state_epoch: i32,
    pub leader_epoch: i32,
    /// -1 leaves it as it is.
    pub start_offset: i64,
    pub delivery_complete_count: i32,
    pub batches: Vec<StateBatch>,
}

/// What is read when only the progress matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateSummary {
    pub start_offset: i64,
    pub delivery_complete_count: i32,
    pub leader_epoch: i32,
    pub state_epoch: i32,
}

/// Why the coordinator refuses; `message` is Kafka's text where it is not the error's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateError {
    pub code: ErrorCode,
    pub message: Option<&'static str>,
}

impl From<ErrorCode> for StateError {
    fn from(code: ErrorCode) -> StateError {
        StateError { code, message: None }
    }
}

const WRITE_UNINITIALIZED: &str = "Write operation on uninitialized share partition not allowed.";
const READ_UNINITIALIZED: &str = "Read operation on uninitialized share partition not allowed.";
const NEGATIVE_PARTITION: &str = "The partition id cannot be a negative number.";

struct Entry {
    state: SharePartitionState,
    /// The greatest epochs seen; who knows smaller ones is fenced.
    leader_epoch: i32,
    state_epoch: i32,
    updates_since_snapshot: i32,
    snapshot_offset: Offset,
}

/// The share partitions of one partition of `__share_group_state`.
pub struct ShareStateShard {
    settings: Arc<ShareCoordinatorSettings>,
    entries: HashMap<SharePartitionKey, Entry>,
    last_replayed_offset: Option<Offset>,
    /// When cold state is snapshotted, and when the log is pruned; `None` until the log has been read.
    snapshot_at: Option<Monotonic>,
    prune_at: Option<Monotonic>,
}

/// The log before `needed` is of no use once the record at `last` is committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prune {
    pub needed: Offset,
    pub last: Offset,
}

impl ShareStateShard {
    pub fn new(settings: Arc<ShareCoordinatorSettings>) -> ShareStateShard {
        ShareStateShard {
            settings,
            entries: HashMap::new(),
            last_replayed_offset: None,
            snapshot_at: None,
            prune_at: None,
        }
    }

    /// The log has been read: what time brings is counted from now on.
    pub fn schedule(&mut self, now: Monotonic) {
        self.snapshot_at = Some(now.after_ms(self.settings.cold_snapshot_interval_ms.max(1)));
        self.prune_at = Some(now.after_ms(self.settings.prune_interval_ms.max(1)));
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.snapshot_at.into_iter().chain(self.prune_at).min()
    }

    /// Handles one deadline that has passed. What is refused is tried again with the next round.
    pub fn on_tick(&mut self, now: Monotonic, wall_ms: i64) -> Option<Effects<ShareStateShard>> {
        if self.snapshot_at.is_some_and(|at| at <= now) {
            self.snapshot_at = Some(now.after_ms(self.settings.cold_snapshot_interval_ms.max(1)));
            return Some(Effects::of_records(self.snapshots_of_cold(wall_ms)));
        }
        if self.prune_at.is_some_and(|at| at <= now) {
            self.prune_at = Some(now.after_ms(self.settings.prune_interval_ms.max(1)));
            return Some(Effects { actions: self.prune().into_iter().collect(), ..Effects::default() });
        }
        None
    }

    /// `None` while nothing was ever written.
    pub fn prune(&self) -> Option<Prune> {
        let last = self.last_replayed_offset?;
        // With no state at all the whole log is of no use, up to what is in it now.
        Some(Prune { needed: self.first_needed_offset().unwrap_or(last + 1), last })
    }

    /// The state of topics that are no more goes.
    pub fn without_topics(&self, is_gone: impl Fn(TopicId) -> bool) -> Effects<ShareStateShard> {
        let gone = self.keys_of_topics(is_gone);
        Effects::of_records(gone.into_iter().map(|key| ShareStateRecord::Snapshot(key, None)).collect())
    }

    pub fn get(&self, key: &SharePartitionKey) -> Option<&SharePartitionState> {
        self.entries.get(key).map(|entry| &entry.state)
    }

    pub fn last_replayed_offset(&self) -> Option<Offset> {
        self.last_replayed_offset
    }

    /// The first offset that is still needed: everything before it is older than every snapshot.
    pub fn first_needed_offset(&self) -> Option<Offset> {
        self.entries.values().map(|entry| entry.snapshot_offset).min()
    }

    /// The keys of topics that are no more.
    pub fn keys_of_topics(&self, is_gone: impl Fn(TopicId) -> bool) -> Vec<SharePartitionKey> {
        let mut keys: Vec<_> = self.entries.keys().filter(|key| is_gone(key.topic_id)).cloned().collect();
        keys.sort();
        keys
    }

    pub fn initialize(
        &self,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: i64,
        wall_ms: i64,
    ) -> Result<ShareStateRecord, StateError> {
        check_partition(key)?;
        let entry = self.entries.get(key);
        if state_epoch != -1 && entry.is_some_and(|entry| entry.state_epoch > state_epoch) {
            return Err(ErrorCode::FencedStateEpoch.into());
        }
        let state = SharePartitionState {
            snapshot_epoch: entry.map_or(0, |entry| entry.state.snapshot_epoch + 1),
            state_epoch,
            leader_epoch: 0,
            start_offset,
            delivery_complete_count: if start_offset == -1 { -1 } else { 0 },
            create_timestamp_ms: wall_ms,
            write_timestamp_ms: wall_ms,
            batches: Vec::new(),
        };
        Ok(ShareStateRecord::Snapshot(key.clone(), Some(state)))
    }

    /// The state, and a record when a new leader is heard of.
    pub fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: i32,
        wall_ms: i64,
    ) -> Result<(SharePartitionState, Option<ShareStateRecord>), StateError> {
        check_partition(key)?;
        let entry = self
            .entries
            .get(key)
            .ok_or(StateError { code: ErrorCode::InvalidRequest, message: Some(READ_UNINITIALIZED) })?;
        if leader_epoch != -1 && entry.leader_epoch > leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch.into());
        }
        let state = entry.state.clone();
        if leader_epoch == -1 || entry.leader_epoch == leader_epoch {
            return Ok((state, None));
        }
        let write = StateWrite {
            state_epoch: state.state_epoch,
            leader_epoch,
            start_offset: state.start_offset,
            delivery_complete_count: state.delivery_complete_count,
            batches: Vec::new(),
        };
        let record = record_of(key, entry, &write, leader_epoch, self.settings.updates_per_snapshot, wall_ms);
        Ok((state, Some(record)))
    }

    pub fn write(
        &self,
        key: &SharePartitionKey,
        write: &StateWrite,
        wall_ms: i64,
    ) -> Result<ShareStateRecord, StateError> {
        check_partition(key)?;
        let entry = self
            .entries
            .get(key)
            .ok_or(StateError { code: ErrorCode::InvalidRequest, message: Some(WRITE_UNINITIALIZED) })?;
        if write.leader_epoch != -1 && entry.leader_epoch > write.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch.into());
        }
        if write.state_epoch != -1 && entry.state_epoch > write.state_epoch {
            return Err(ErrorCode::FencedStateEpoch.into());
        }
        Ok(record_of(
            key,
            entry,
            write,
            entry.state.leader_epoch,
            self.settings.updates_per_snapshot,
            wall_ms,
        ))
    }

    /// `None` when there is nothing to delete.
    pub fn delete(&self, key: &SharePartitionKey) -> Result<Option<ShareStateRecord>, StateError> {
        check_partition(key)?;
        Ok(self.entries.contains_key(key).then(|| ShareStateRecord::Snapshot(key.clone(), None)))
    }

    pub fn summary(&self, key: &SharePartitionKey) -> Result<StateSummary, StateError> {
        check_partition(key)?;
        Ok(self.entries.get(key).map_or(
            StateSummary { start_offset: -1, delivery_complete_count: -1, leader_epoch: 0, state_epoch: 0 },
            |entry| StateSummary {
                start_offset: entry.state.start_offset,
                delivery_complete_count: entry.state.delivery_complete_count,
                leader_epoch: entry.state.leader_epoch,
                state_epoch: entry.state.state_epoch,
            },
        ))
    }

    /// Snapshots of what nobody has written for so long, so that the log before them may go.
    pub fn snapshots_of_cold(&self, wall_ms: i64) -> Vec<ShareStateRecord> {
        let cold_after_ms = self.settings.cold_snapshot_interval_ms;
        // A state that was snapshotted while cold differs in its two timestamps.
        if self
            .entries
            .values()
            .all(|entry| entry.state.create_timestamp_ms != entry.state.write_timestamp_ms)
        {
            return Vec::new();
        }
        let cold = self
            .entries
            .iter()
            .filter(|(_, entry)| wall_ms.saturating_sub(entry.state.write_timestamp_ms) >= cold_after_ms);
        let mut records: Vec<_> = cold
            .map(|(key, entry)| {
                let state = SharePartitionState {
                    snapshot_epoch: entry.state.snapshot_epoch + 1,
                    write_timestamp_ms: wall_ms,
                    ..entry.state.clone()
                };
                (key.clone(), state)
            })
            .collect();
        records.sort_by(|a, b| a.0.cmp(&b.0));
        records.into_iter().map(|(key, state)| ShareStateRecord::Snapshot(key, Some(state))).collect()
    }

    /// The only way by which anything changes here.
    pub fn replay(&mut self, offset: Offset, record: ShareStateRecord) {
        let updates_per_snapshot = self.settings.updates_per_snapshot;
        self.last_replayed_offset = Some(offset);
        match record {
            ShareStateRecord::Snapshot(key, None) => {
                self.entries.remove(&key);
            }
            ShareStateRecord::Snapshot(key, Some(state)) => match self.entries.get_mut(&key) {
                Some(entry) => {
                    entry.leader_epoch = entry.leader_epoch.max(state.leader_epoch);
                    entry.state_epoch = entry.state_epoch.max(state.state_epoch);
                    if entry.updates_since_snapshot >= updates_per_snapshot {
                        entry.updates_since_snapshot = 0;
                    }
                    entry.snapshot_offset = offset;
                    entry.state = state;
                }
                None => {
                    self.entries.insert(key, Entry::new(state, offset));
                }
            },
            ShareStateRecord::Update(key, update) => match self.entries.get_mut(&key) {
                Some(entry) => entry.update(update),
                // Its snapshot is gone from the log: what is left of it is what the update says.
                None => {
                    let mut entry = Entry::new(update, offset);
                    entry.updates_since_snapshot = 1;
                    self.entries.insert(key, entry);
                }
            },
        }
    }
}

impl Entry {
    fn new(state: SharePartitionState, offset: Offset) -> Entry {
        Entry {
            leader_epoch: state.leader_epoch,
            state_epoch: state.state_epoch,
            state,
            updates_since_snapshot: 0,
            snapshot_offset: offset,
        }
    }

    fn update(&mut self, update: SharePartitionState) {
        self.leader_epoch = self.leader_epoch.max(update.leader_epoch);
        self.updates_since_snapshot += 1;
        let state = &mut self.state;
        if update.start_offset != -1 {
            state.start_offset = update.start_offset;
        }
        if update.leader_epoch != -1 {
            state.leader_epoch = update.leader_epoch;
        }
        state.delivery_complete_count = update.delivery_complete_count;
        state.batches = combine(&state.batches, &update.batches, state.start_offset);
    }
}

fn check_partition(key: &SharePartitionKey) -> Result<(), StateError> {
    match key.partition < 0 {
        true => Err(StateError { code: ErrorCode::InvalidRequest, message: Some(NEGATIVE_PARTITION) }),
        false => Ok(()),
    }
}

/// An update, or after so many of them a snapshot.
fn record_of(
    key: &SharePartitionKey,
    entry: &Entry,
    write: &StateWrite,
    leader_epoch: i32,
    updates_per_snapshot: i32,
    wall_ms: i64,
) -> ShareStateRecord {
    let state = &entry.state;
    if entry.updates_since_snapshot >= updates_per_snapshot {
        let start_offset = if write.start_offset == -1 { state.start_offset } else { write.start_offset };
        let snapshot = SharePartitionState {
            snapshot_epoch: state.snapshot_epoch + 1,
            state_epoch: state.state_epoch,
            leader_epoch,
            start_offset,
            delivery_complete_count: write.delivery_complete_count,
            create_timestamp_ms: wall_ms,
            write_timestamp_ms: wall_ms,
            batches: combine(&state.batches, &write.batches, start_offset),
        };
        return ShareStateRecord::Snapshot(key.clone(), Some(snapshot));
    }
    let update = SharePartitionState {
        snapshot_epoch: state.snapshot_epoch,
        state_epoch: 0,
        leader_epoch,
        start_offset: write.start_offset,
        delivery_complete_count: write.delivery_complete_count,
        create_timestamp_ms: 0,
        write_timestamp_ms: 0,
        batches: combine(&[], &write.batches, write.start_offset),
    };
    ShareStateRecord::Update(key.clone(), update)
}
