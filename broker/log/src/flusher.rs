//! Group commit: one sync of a file for all who wait, several files at a time.
//! Shell.
//!
//! A log is in the queue at most once. What is appended while it is being synced waits for its
//! next turn, which is taken as soon as this one ends: under load the batches of a sync grow by
//! themselves, and alone a write waits for nothing but its own sync.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ottla_env::OpenMode;
use ottla_model::Offset;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::error::StorageFailure;
use crate::names;
use crate::segment::Segment;
use crate::unified_log::UnifiedLog;

/// Told after each flush of its log, on the thread that did it: everything below the offset is on
/// the device, or nothing will be any more. Must not block.
pub trait FlushListener: Send + Sync {
    fn on_flush(&self, flushed: Result<Offset, StorageFailure>);
}

pub(crate) type Work = Box<dyn FnOnce() + Send>;

enum Job {
    Flush(Arc<UnifiedLog>),
    Run(Work),
}

impl Job {
    fn perform(self) {
        match self {
            Job::Run(work) => work(),
            Job::Flush(log) => log.take_flush_turn(),
        }
    }
}

/// Where a log is in the queue.
#[derive(Default)]
pub(crate) struct FlushTurn {
    state: AtomicU8,
    /// One flush of a log at a time: the second would report names synced that the first still syncs.
    running: Mutex<()>,
}

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const RUNNING_AND_QUEUED: u8 = 3;

/// The queue and what its threads sleep on.
pub(crate) struct Flusher {
    queue: Mutex<Queue>,
    ready: Condvar,
    is_inline: bool,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

impl Flusher {
    pub fn new(is_inline: bool) -> Flusher {
        Flusher { queue: Mutex::default(), ready: Condvar::new(), is_inline }
    }

    /// Runs work that may block, after what is queued; at once where there are no threads.
    pub fn run(&self, work: Work) {
        if self.is_inline { work() } else { self.push(Job::Run(work)) }
    }

    fn push(&self, job: Job) {
        self.queue.lock().jobs.push_back(job);
        self.ready.notify_one();
    }

    /// What a thread of the flusher does until `close`, after which the queue is emptied first.
    pub fn work(&self) {
        loop {
            let mut queue = self.queue.lock();
            let job = loop {
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                if queue.is_closed {
                    return;
                }
                self.ready.wait(&mut queue);
            };
            drop(queue);
            job.perform();
        }
    }

    /// Does the first job of the queue; false when there is none.
    pub fn work_once(&self) -> bool {
        let job = self.queue.lock().jobs.pop_front();
        job.map(Job::perform).is_some()
    }

    pub fn close(&self) {
        self.queue.lock().is_closed = true;
        self.ready.notify_all();
    }
}

/// What one flush syncs, and what it proves when done.
struct FlushPlan {
    end: Offset,
    generation: u64,
    rolled: Vec<Arc<Segment>>,
    txn_indexes: Vec<Offset>,
    active: Option<(Arc<Segment>, u64)>,
    names: bool,
    topic_id: bool,
    folder_number: u64,
    records: i64,
    bytes: u64,
}

impl FlushPlan {
    fn is_empty(&self) -> bool {
        self.rolled.is_empty() && self.active.is_none() && !self.names && !self.topic_id
    }
}

impl UnifiedLog {
    /// Who is told of flushes; replaces the one before. It is told at once how far the log is
    /// flushed, so that no flush falls between asking and listening.
    pub fn set_flush_listener(&self, listener: Option<Arc<dyn FlushListener>>) {
        self.flush_listener.write().clone_from(&listener);
        if let Some(listener) = listener {
            listener.on_flush(Ok(self.flushed_offset()));
        }
    }

    /// Asks that everything below `up_to` reaches the device. `true`: it is there already, and no
    /// call of the listener follows from this one.
    pub fn request_flush(self: &Arc<Self>, up_to: Offset) -> bool {
        if self.flushed_offset() >= up_to {
            return true;
        }
        self.enqueue_flush();
        false
    }

    pub(crate) fn enqueue_flush(self: &Arc<Self>) {
        if self.shared.flusher.is_inline {
            self.flush_and_tell();
            return;
        }
        let turn = &self.flush_turn.state;
        let before = turn.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(RUNNING_AND_QUEUED),
            _ => None,
        });
        if before == Ok(IDLE) {
            self.shared.flusher.push(Job::Flush(self.clone()));
        }
    }

    fn take_flush_turn(self: Arc<Self>) {
        self.flush_turn.state.store(RUNNING, Ordering::Release);
        self.flush_and_tell();
        let before = self.flush_turn.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            Some(if state == RUNNING_AND_QUEUED { QUEUED } else { IDLE })
        });
        if before == Ok(RUNNING_AND_QUEUED) {
            let shared = self.shared.clone();
            shared.flusher.push(Job::Flush(self));
        }
    }

    fn flush_and_tell(self: &Arc<Self>) {
        let flushed = self.flush();
        let listener = self.flush_listener.read().clone();
        if let Some(listener) = listener {
            listener.on_flush(flushed);
        }
    }

    /// While it is held nothing but an append touches the folder, and the folder stays where it is.
    pub(crate) fn hold_files(&self) -> MutexGuard<'_, ()> {
        self.flush_turn.running.lock()
    }

    /// Syncs what was written so far. Returns the offset below which everything is on the device.
    /// The listener is not told by this.
    pub fn flush(&self) -> Result<Offset, StorageFailure> {
        self.ensure_loaded()?;
        let _one_at_a_time = self.hold_files();
        loop {
            self.dir.check()?;
            let plan = self.plan_flush();
            let begun = self.shared.env.clock.monotonic();
            if let Err(error) = self.sync(&plan) {
                if !self.is_deleted() {
                    return Err(self.dir.fail(&format!("syncing {}", self.folder.display()), &error));
                }
            } else if !plan.is_empty()
                && let Some(observer) = self.shared.on_sync.get()
            {
                observer(begun.until(self.shared.env.clock.monotonic()));
            }
            if let Some(flushed) = self.finish_flush(&plan) {
                return Ok(flushed);
            }
        }
    }

    fn plan_flush(&self) -> FlushPlan {
        let mut writer = self.writer.lock();
        let synced = writer.active_synced_bytes;
        let active = writer.active.as_ref().and_then(|active| {
            let size = active.size_bytes();
            (size > synced).then(|| (active.clone(), size))
        });
        FlushPlan {
            end: self.log_end_offset(),
            generation: writer.generation,
            rolled: writer.unsynced.clone(),
            txn_indexes: std::mem::take(&mut writer.unsynced_txn_indexes),
            active,
            names: std::mem::take(&mut writer.are_names_unsynced),
            topic_id: std::mem::take(&mut writer.is_topic_id_unsynced),
            folder_number: writer.folder_number,
            records: writer.unflushed_records,
            bytes: writer.unflushed_bytes,
        }
    }

    fn sync(&self, plan: &FlushPlan) -> std::io::Result<()> {
        let files = &self.shared.files;
        for segment in &plan.rolled {
            // Finished indexes are synced with their segment: retention believes their last entry.
            for slot in [segment.slot(), segment.index.slot(), segment.time_index.slot()] {
                match files.get(slot, OpenMode::Read) {
                    Ok(file) => file.sync_data()?,
                    // Indexes have no file while they have no entry; deleted segments have none.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        for base in &plan.txn_indexes {
            // A start believes the entries of markers that were flushed.
            let path = names::segment_file(&self.folder, *base, names::TXN_INDEX_SUFFIX);
            match self.shared.env.disk.open(&path, ottla_env::OpenMode::ReadWrite) {
                Ok(file) => file.sync_data()?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if let Some((active, _)) = &plan.active {
            active.file(files)?.sync_data()?;
        }
        if plan.topic_id {
            // A start takes a folder without an id for one that never held a promised record.
            let path = self.folder.join(names::PARTITION_METADATA);
            self.shared.env.disk.open(&path, OpenMode::Read)?.sync_data()?;
        }
        if plan.names {
            self.shared.env.disk.sync_dir(&self.folder)?;
            self.dir.sync_folders(plan.folder_number)?;
        }
        Ok(())
    }

    /// `None`: the log was truncated meanwhile, so the sync proves nothing.
    fn finish_flush(&self, plan: &FlushPlan) -> Option<Offset> {
        let mut writer = self.writer.lock();
        if writer.generation != plan.generation {
            return None;
        }
        writer.unsynced.retain(|segment| {
            let is_synced = plan.rolled.iter().any(|synced| Arc::ptr_eq(synced, segment));
            if is_synced {
                segment.slot().pin(false);
            }
            !is_synced
        });
        if let Some((synced, size)) = &plan.active
            && let Some(active) = &writer.active
            && Arc::ptr_eq(synced, active)
        {
            if active.size_bytes() == *size {
                active.slot().pin(false);
            }
            writer.active_synced_bytes = *size;
        }
        writer.unflushed_records -= plan.records;
        writer.unflushed_bytes -= plan.bytes;
        let flushed = self.flushed_offset().max(plan.end);
        self.set_flushed(flushed);
        Some(flushed)
    }
}
