//! All share partitions that are led here, and their operations.
//! Shell. A share partition's lock is its loop: decide, let the persister take it, keep it; waiting for
//! the persister's record to be durable is outside. Locks are taken in this order: the list of share
//! partitions, one share partition, the persister's shard.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Clock, Tasks};
use ottla_metadata::{Delta, Image};
use ottla_model::{ErrorCode, GroupId, MemberId, PartitionIndex, TopicId};
use ottla_replica::wake::WaitList;
use ottla_replica::{Partition, error_codes};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, oneshot};

use super::acknowledge::{AcknowledgeError, Acknowledgement};
use super::in_flight::RecordState;
use super::partition::{Change, Limits, SharePartition};
use super::session::{SessionKey, SessionPartition, ShareFetchContext, ShareSessions};
use crate::runtime::{BoundedTasks, Durable};
use crate::settings::{AutoOffsetReset, ShareGroupConfigs};
use crate::share::{SharePartitionKey, SharePartitionState, ShareStateChannel, StateError, StateWrite};
use crate::transaction::markers::all;

pub(super) const NEVER: u64 = u64::MAX;

/// Share fetches whose share partitions are being read at other nodes.
const OPENING_MAX: usize = 4_096;
/// Changes that are on their way to other nodes.
const CHANGES_SENT_MAX: usize = 16_384;

/// One share partition and its lock.
pub struct Cell {
    pub(super) key: SharePartitionKey,
    pub(super) partition: Arc<Partition>,
    /// Fetches that wait for records to become available.
    pub(super) waiters: Arc<WaitList>,
    /// `None` once it was fenced: a later one goes on from what was stored.
    core: Mutex<Option<SharePartition>>,
    next_deadline_us: AtomicU64,
    /// The leader epoch under which it was restored.
    leader_epoch: i32,
    /// Changes that are on their way to a coordinator elsewhere, and the last of them: the next waits for it.
    on_their_way: AtomicUsize,
    last_sent: Mutex<Option<oneshot::Receiver<bool>>>,
}

impl Cell {
    /// One turn; `None` when the share partition is fenced.
    pub(super) fn turn<R>(&self, call: impl FnOnce(&mut SharePartition) -> R) -> Option<R> {
        let mut core = self.core.lock();
        let core = core.as_mut()?;
        let result = call(core);
        let next_us = core.next_lock_deadline().map_or(NEVER, |deadline| deadline.0.as_micros() as u64);
        self.next_deadline_us.store(next_us, Ordering::SeqCst);
        Some(result)
    }

    pub(super) fn next_deadline_us(&self) -> u64 {
        self.next_deadline_us.load(Ordering::SeqCst)
    }

    fn fence(&self) {
        *self.core.lock() = None;
        self.next_deadline_us.store(NEVER, Ordering::SeqCst);
        self.waiters.wake_all();
    }
}

pub struct SharePartitionManager {
    pub(super) persister: Arc<ShareStateChannel>,
    pub(super) configs: Arc<dyn ShareGroupConfigs>,
    pub(super) clock: Arc<dyn Clock>,
    sessions: Mutex<ShareSessions>,
    cells: RwLock<HashMap<SharePartitionKey, Arc<Cell>>>,
    /// Counts share partitions that were fenced: what was read of one before is not gone on from.
    fences: AtomicU64,
    /// Wakes the timer task when a lock ends before the one it sleeps for.
    pub(super) wake: Notify,
    pub(super) armed_us: AtomicU64,
    pub(super) tasks: Arc<dyn Tasks>,
    /// Work that goes on though the request that began it may be gone; it ends with the manager.
    pub(super) opening: BoundedTasks,
    pub(super) changes: BoundedTasks,
    pub(super) timers: Mutex<Option<TaskHandle>>,
    pub(super) me: Weak<SharePartitionManager>,
}

impl SharePartitionManager {
    pub fn new(
        persister: Arc<ShareStateChannel>,
        configs: Arc<dyn ShareGroupConfigs>,
        clock: Arc<dyn Clock>,
        tasks: Arc<dyn Tasks>,
        sessions_max: usize,
    ) -> Arc<SharePartitionManager> {
        Arc::new_cyclic(|me| SharePartitionManager {
            persister,
            configs,
            clock,
            sessions: Mutex::new(ShareSessions::new(sessions_max)),
            cells: RwLock::new(HashMap::new()),
            fences: AtomicU64::new(0),
            wake: Notify::new(),
            armed_us: AtomicU64::new(NEVER),
            opening: BoundedTasks::new(tasks.clone(), OPENING_MAX),
            changes: BoundedTasks::new(tasks.clone(), CHANGES_SENT_MAX),
            tasks,
            timers: Mutex::new(None),
            me: me.clone(),
        })
    }

    pub fn configs(&self) -> &dyn ShareGroupConfigs {
        &*self.configs
    }

    pub(super) fn limits(&self, group_id: &str) -> Limits {
        Limits::from(&self.configs.of(group_id))
    }

    pub(super) fn ring_if_earlier(&self, cell: &Cell) {
        if cell.next_deadline_us() < self.armed_us.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    pub fn session_count(&self) -> usize {
        self.sessions.lock().count()
    }

    pub fn open_session(
        &self,
        key: &SessionKey,
        epoch: i32,
        connection: u64,
        partitions: &[SessionPartition],
        forgotten: &[SessionPartition],
        has_acknowledgements: bool,
    ) -> Result<ShareFetchContext, ErrorCode> {
        let mut sessions = self.sessions.lock();
        sessions.open(key, epoch, connection, partitions, forgotten, has_acknowledgements)
    }

    pub fn acknowledge_session(&self, key: &SessionKey, epoch: i32) -> Result<(), ErrorCode> {
        self.sessions.lock().acknowledge(key, epoch)
    }

    /// Which of the answers leave; `None` when the session went on meanwhile.
    pub fn tell_session(
        &self,
        key: &SessionKey,
        epoch: i32,
        answers: impl Iterator<Item = (SessionPartition, bool, bool)>,
    ) -> Option<Vec<bool>> {
        self.sessions.lock().tell(key, epoch, answers)
    }

    /// A session ends: what its member still has is available again.
    pub fn release_session(&self, key: &SessionKey) {
        let partitions = self.sessions.lock().remove(key);
        self.release(key, &partitions.unwrap_or_default());
    }

    /// A connection ends, and with it the session that was made over it.
    pub fn on_disconnect(&self, connection: u64) {
        let ended = self.sessions.lock().on_disconnect(connection);
        if let Some((key, partitions)) = ended.left {
            self.release(&key, &partitions);
        }
        if let Some(group) = ended.emptied {
            self.fence_where(|key| key.group == group);
        }
    }

    fn release(&self, session: &SessionKey, partitions: &[SessionPartition]) {
        let limits = self.limits(session.group.as_str());
        for (topic_id, partition) in partitions {
            let key = SharePartitionKey {
                group: session.group.clone(),
                topic_id: *topic_id,
                partition: *partition,
            };
            let Some(cell) = self.cell(&key) else { continue };
            let released = cell.turn(|core| {
                let change = core.release(session.member.as_str(), &limits);
                self.persist(&cell, core, change).err()
            });
            if let Some(Some(error)) = released {
                // Their locks will end.
                tracing::warn!(share_partition = %key, code = %error.code, "records of a member that left stay locked");
                self.fence_if_lost(&cell, &error);
            }
        }
    }

    /// Where a share partition starts, and how often each record that is with a member was delivered; `None`
    /// where nobody has fetched. For who looks on from outside.
    pub fn look_on(&self, key: &SharePartitionKey) -> Option<(i64, Vec<(i64, i16)>)> {
        self.cell(key)?.turn(|core| {
            let batches = core.batches().flat_map(|batch| {
                let states = (batch.first_offset..=batch.last_offset).map(|at| (at, batch.state_at(at)));
                states.filter_map(|(at, state)| Some((at, state?)))
            });
            let acquired = batches.filter(|(_, state)| state.state == RecordState::Acquired);
            (core.start_offset(), acquired.map(|(at, state)| (at, state.delivery_count)).collect())
        })
    }

    pub(super) fn cell(&self, key: &SharePartitionKey) -> Option<Arc<Cell>> {
        self.cells.read().get(key).cloned()
    }

    pub(super) fn all_cells(&self) -> Vec<Arc<Cell>> {
        self.cells.read().values().cloned().collect()
    }

    /// The share partition, restored from what was stored if it is not there yet. `None`: it is stored at another node
    /// (`open`).
    pub(super) fn cell_for(
        &self,
        key: &SharePartitionKey,
        partition: &Arc<Partition>,
    ) -> Result<Option<Arc<Cell>>, AcknowledgeError> {
        let leader_epoch = partition.leader_epoch().0;
        let is_known = |cell: &Arc<Cell>| cell.leader_epoch == leader_epoch;
        if let Some(cell) = self.cell(key).filter(is_known) {
            return Ok(Some(cell));
        }
        let mut cells = self.cells.write();
        if let Some(cell) = cells.get(key).filter(|cell| is_known(cell)) {
            return Ok(Some(Arc::clone(cell)));
        }
        // What was read rests on records that are durable, or that answer for themselves later.
        match self.persister.local.read(key, leader_epoch) {
            Ok((stored, _durable)) => {
                self.restore(&mut cells, key, partition, leader_epoch, &stored).map(Some)
            }
            Err(error) if self.persister.is_elsewhere(&error) => Ok(None),
            Err(error) => Err(persister_error(error)),
        }
    }

    /// Restores share partitions that are stored at other nodes, whether or not it is waited for. Which of them could
    /// not be is seen when they are looked for again; where too many are under way, none is.
    pub fn open(&self, wanted: Vec<(SharePartitionKey, Arc<Partition>)>) -> BoxFuture<'static, ()> {
        let (tell, told) = oneshot::channel::<()>();
        if let Some(me) = self.me.upgrade().filter(|_| !self.opening.is_full()) {
            let opened = wanted.into_iter().map(|(key, partition)| -> BoxFuture<'static, ()> {
                Box::pin(me.clone().open_one(key, partition))
            });
            let opened = all(opened.collect());
            let work = async move {
                opened.await;
                drop(tell);
            };
            self.opening.spawn("share-open", Box::pin(work));
        }
        Box::pin(async move {
            // The sender is only ever dropped.
            let _done = told.await;
        })
    }

    async fn open_one(self: Arc<Self>, key: SharePartitionKey, partition: Arc<Partition>) {
        let leader_epoch = partition.leader_epoch().0;
        let fences = self.fences.load(Ordering::SeqCst);
        let stored = match self.persister.read(&key, leader_epoch).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::debug!(share_partition = %key, code = %error.code, "a share partition can't be read yet");
                return;
            }
        };
        let mut cells = self.cells.write();
        let is_there = cells.get(&key).is_some_and(|cell| cell.leader_epoch >= leader_epoch);
        // Of what was fenced meanwhile more may be stored by now.
        if is_there || fences != self.fences.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = self.restore(&mut cells, &key, &partition, leader_epoch, &stored) {
            tracing::debug!(share_partition = %key, code = %error.code, "a share partition can't begin yet");
        }
    }

    fn restore(
        &self,
        cells: &mut HashMap<SharePartitionKey, Arc<Cell>>,
        key: &SharePartitionKey,
        partition: &Arc<Partition>,
        leader_epoch: i32,
        stored: &SharePartitionState,
    ) -> Result<Arc<Cell>, AcknowledgeError> {
        let start_offset = match stored.start_offset {
            -1 => self.reset_offset(key, partition)?,
            offset => offset,
        };
        let core = SharePartition::restore(stored, start_offset, leader_epoch).map_err(|_| {
            tracing::error!(share_partition = %key, "the stored state of a share partition makes no sense");
            AcknowledgeError {
                code: ErrorCode::UnknownServerError,
                message: format!("Failed to initialize the share partition {key}"),
            }
        })?;
        let cell = Arc::new(Cell {
            key: key.clone(),
            partition: Arc::clone(partition),
            waiters: Arc::new(WaitList::default()),
            core: Mutex::new(Some(core)),
            next_deadline_us: AtomicU64::new(NEVER),
            leader_epoch,
            on_their_way: AtomicUsize::new(0),
            last_sent: Mutex::new(None),
        });
        if let Some(before) = cells.insert(key.clone(), Arc::clone(&cell)) {
            before.fence();
        }
        self.start_timers();
        Ok(cell)
    }

    /// Where a group begins that has read nothing of the partition.
    fn reset_offset(&self, key: &SharePartitionKey, partition: &Partition) -> Result<i64, AcknowledgeError> {
        let failed = |code: ErrorCode| AcknowledgeError { code, message: code.message().to_owned() };
        let led = partition.led(-1).map_err(|error| failed(error_codes::unavailable(error)))?;
        let log = led.log();
        let found = match self.configs.of(key.group.as_str()).auto_offset_reset {
            AutoOffsetReset::Latest => return Ok(led.high_watermark().0),
            AutoOffsetReset::Earliest => return Ok(log.log_start_offset().0),
            AutoOffsetReset::ByDuration { duration_ms } => {
                log.offset_for_timestamp(self.clock.wall_ms().saturating_sub(duration_ms))
            }
        };
        let found = found.map_err(|error| failed(error_codes::read_error(&error)))?;
        found.map(|place| place.offset.0).ok_or_else(|| AcknowledgeError {
            code: ErrorCode::OffsetNotAvailable,
            message: format!("Offset for timestamp not found for topic partition: {}", partition.name),
        })
    }

    /// A member says what became of records that it has.
    pub fn acknowledge(
        &self,
        key: &SharePartitionKey,
        member: &MemberId,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Durable, AcknowledgeError> {
        let Some(cell) = self.cell(key) else {
            return Err(AcknowledgeError {
                code: ErrorCode::UnknownTopicOrPartition,
                message: ErrorCode::UnknownTopicOrPartition.message().to_owned(),
            });
        };
        let limits = self.limits(key.group.as_str());
        let now = self.clock.monotonic();
        let outcome = cell.turn(|core| {
            let change = core.acknowledge(member.as_str(), acknowledgements, &limits, now)?;
            self.persist(&cell, core, change)
        });
        // A renewal moves deadlines too.
        self.ring_if_earlier(&cell);
        let outcome = outcome.unwrap_or_else(|| Err(fenced(&cell)));
        if let Err(error) = &outcome {
            self.fence_if_lost(&cell, error);
        }
        outcome
    }

    /// Lets the persister take a change, and keeps or undoes it. Wakes who waits for what came free.
    pub(super) fn persist(
        &self,
        cell: &Arc<Cell>,
        core: &mut SharePartition,
        change: Change,
    ) -> Result<Durable, AcknowledgeError> {
        if change.batches.is_empty() {
            return Ok(None);
        }
        match self.store(cell, core.write_of(change.batches.clone())) {
            Ok(durable) => {
                if core.commit(change) {
                    cell.waiters.wake_all();
                }
                Ok(durable)
            }
            Err(error) => {
                core.roll_back(change);
                Err(persister_error(error))
            }
        }
    }

    /// Lets the coordinator take a change, wherever it is. What it refuses later fences the share partition: the next
    /// fetch reads what is stored.
    pub(super) fn store(&self, cell: &Arc<Cell>, write: StateWrite) -> Result<Durable, StateError> {
        if !self.persister.has_others() {
            return self.persister.local.write(&cell.key, &write);
        }
        if self.changes.is_full() {
            return Err(ErrorCode::CoordinatorNotAvailable.into());
        }
        // In their order: what was decided later may not arrive before.
        if cell.on_their_way.load(Ordering::SeqCst) == 0 {
            match self.persister.local.write(&cell.key, &write) {
                Ok(None) => return Ok(None),
                Ok(Some(durable)) => {
                    let durable = Box::pin(async move { durable.await.map_err(StateError::from) });
                    return Ok(Some(self.see_through(cell, durable)));
                }
                Err(error) if self.persister.is_elsewhere(&error) => {}
                Err(error) => return Err(error),
            }
        }
        cell.on_their_way.fetch_add(1, Ordering::SeqCst);
        let (sent, next) = oneshot::channel();
        let before = cell.last_sent.lock().replace(next);
        let (persister, of_write) = (Arc::clone(&self.persister), Arc::clone(cell));
        let work = async move {
            let is_in_order = match before {
                Some(before) => before.await.unwrap_or(false),
                None => true,
            };
            let outcome = match is_in_order {
                true => persister.write(&of_write.key, write).await,
                false => Err(ErrorCode::NotCoordinator.into()),
            };
            let _nobody_waits = sent.send(outcome.is_ok());
            of_write.on_their_way.fetch_sub(1, Ordering::SeqCst);
            outcome
        };
        Ok(Some(self.see_through(cell, Box::pin(work))))
    }

    /// Goes on with a change though nobody may wait for it any more.
    fn see_through(
        &self,
        cell: &Arc<Cell>,
        work: BoxFuture<'static, Result<(), StateError>>,
    ) -> BoxFuture<'static, Result<(), ErrorCode>> {
        let (tell, told) = oneshot::channel();
        let (me, cell) = (self.me.clone(), Arc::clone(cell));
        let task = async move {
            let outcome = work.await.map_err(|error| error.code);
            if let (Err(code), Some(manager)) = (outcome, me.upgrade()) {
                tracing::info!(share_partition = %cell.key, %code, "a share partition is fenced: a change was not stored");
                manager.fence_cell(&cell);
            }
            let _nobody_waits = tell.send(outcome);
        };
        self.changes.spawn("share-state", Box::pin(task));
        Box::pin(async move { told.await.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable)) })
    }

    fn fence_cell(&self, lost: &Arc<Cell>) {
        self.fences.fetch_add(1, Ordering::SeqCst);
        let mut cells = self.cells.write();
        if cells.get(&lost.key).is_some_and(|cell| Arc::ptr_eq(cell, lost)) {
            cells.remove(&lost.key);
        }
        drop(cells);
        lost.fence();
    }

    /// Leaders changed: what was restored under another leader epoch is another leader's now.
    pub fn on_leaders_changed(&self, delta: &Delta, image: &Image) {
        if delta.partitions_changed.is_empty() || self.cells.read().is_empty() {
            return;
        }
        let epochs: HashMap<SharePartitionKey, i32> =
            self.cells.read().iter().map(|(key, cell)| (key.clone(), cell.leader_epoch)).collect();
        self.fence_where(|key| {
            let place = (key.topic_id, PartitionIndex(key.partition));
            let epoch = || Some(image.topic_by_id(place.0)?.partition(place.1)?.leader_epoch.0);
            delta.partitions_changed.contains(&place) && epoch() != epochs.get(key).copied()
        });
    }

    /// A share partition that is not ours any more is forgotten; the next fetch reads what is stored.
    pub(super) fn fence_if_lost(&self, cell: &Arc<Cell>, error: &AcknowledgeError) {
        let is_lost = matches!(
            error.code,
            ErrorCode::NotLeaderOrFollower | ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition
        );
        if is_lost {
            tracing::info!(share_partition = %cell.key, reason = %error.message, "a share partition is fenced");
            self.fence_where(|key| *key == cell.key);
        }
    }

    fn fence_where(&self, is_lost: impl Fn(&SharePartitionKey) -> bool) {
        self.fences.fetch_add(1, Ordering::SeqCst);
        let lost: Vec<Arc<Cell>> = {
            let mut cells = self.cells.write();
            let keys: Vec<_> = cells.keys().filter(|key| is_lost(key)).cloned().collect();
            keys.iter().filter_map(|key| cells.remove(key)).collect()
        };
        for cell in lost {
            cell.fence();
        }
    }

    /// The stored state of a group's topics was changed from outside.
    pub fn on_state_changed(&self, group: &GroupId, topics: &HashSet<TopicId>) {
        self.fence_where(|key| key.group == *group && topics.contains(&key.topic_id));
    }

    /// A group is deleted.
    pub fn on_group_deleted(&self, group: &GroupId) {
        self.fence_where(|key| key.group == *group);
    }

    pub fn on_topics_deleted(&self, topics: &HashSet<TopicId>) {
        self.fence_where(|key| topics.contains(&key.topic_id));
    }
}

fn fenced(cell: &Cell) -> AcknowledgeError {
    AcknowledgeError {
        code: ErrorCode::LeaderNotAvailable,
        message: format!("Share partition is fenced {}", cell.key),
    }
}

/// What a client hears of the persister's refusal (`SharePartition.fetchPersisterError`).
fn persister_error(error: StateError) -> AcknowledgeError {
    let code = match error.code {
        ErrorCode::NotCoordinator
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::CoordinatorLoadInProgress => ErrorCode::CoordinatorNotAvailable,
        code @ (ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition) => code,
        ErrorCode::FencedLeaderEpoch | ErrorCode::FencedStateEpoch => ErrorCode::NotLeaderOrFollower,
        _ => ErrorCode::UnknownServerError,
    };
    AcknowledgeError { code, message: error.message.unwrap_or_else(|| error.code.message()).to_owned() }
}
