//! Group commit: one sync of a file for all who wait, several files at a time.
//! Shell.
//!
//! A log is in the queue at most once. What is appended while it is being synced waits for its
//! next turn, which is taken as soon as this one ends: under load the batches of a sync grow by
//! themselves, and alone a write waits for nothing but its own sync.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use ottla_model::Offset;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::error::StorageFailure;

/// Called after each flush of its log, on the thread that did it: everything below the offset is on
/// the device, or nothing will be any more. Must not block.
pub trait FlushListener: Send + Sync {
    fn on_flush(&self, flushed: Result<Offset, StorageFailure>);
}

pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Something that is flushed when its turn comes.
pub(crate) trait Flush: Send + Sync {
    fn take_flush_turn(self: Arc<Self>);
}

enum Job {
    Flush(Arc<dyn Flush>),
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

impl FlushTurn {
    /// Whether the log is to be put into the queue: it is not there, and no turn is running.
    fn request(&self) -> bool {
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(RUNNING_AND_QUEUED),
            _ => None,
        });
        before == Ok(IDLE)
    }

    pub fn begin(&self) {
        let before = self.state.swap(RUNNING, Ordering::AcqRel);
        assert_eq!(before, QUEUED, "a turn that was not requested");
    }

    /// Whether another turn was requested meanwhile; the log then goes into the queue again.
    fn end(&self) -> bool {
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            Some(if state == RUNNING_AND_QUEUED { QUEUED } else { IDLE })
        });
        before == Ok(RUNNING_AND_QUEUED)
    }

    /// While it is held nothing but an append touches the folder, and the folder stays where it is.
    pub fn hold(&self) -> MutexGuard<'_, ()> {
        self.running.lock()
    }
}

/// The queue and what its threads sleep on.
pub(crate) struct Flusher {
    queue: Mutex<Queue>,
    ready: Condvar,
    is_inline: bool,
    is_writing_out: AtomicBool,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

impl Flusher {
    pub fn new(is_inline: bool) -> Flusher {
        Flusher {
            queue: Mutex::default(),
            ready: Condvar::new(),
            is_inline,
            is_writing_out: AtomicBool::new(false),
        }
    }

    /// Runs work that may block, after what is queued; at once where there are no threads.
    pub fn run(&self, work: Work) {
        if self.is_inline { work() } else { self.push(Job::Run(work)) }
    }

    fn push(&self, job: Job) {
        self.queue.lock().jobs.push_back(job);
        self.ready.notify_one();
    }

    pub fn is_inline(&self) -> bool {
        self.is_inline
    }

    /// Queues a flush unless one waits already.
    pub fn request(&self, turn: &FlushTurn, flush: Arc<dyn Flush>) {
        if turn.request() {
            self.push(Job::Flush(flush));
        }
    }

    /// Ends a turn that `begin` began; one that was requested meanwhile is queued.
    pub fn end(&self, turn: &FlushTurn, flush: Arc<dyn Flush>) {
        if turn.end() {
            self.push(Job::Flush(flush));
        }
    }

    /// Takes the one turn to give bytes to the device, if it is free.
    pub fn begin_write_out(&self) -> bool {
        !self.is_inline && !self.is_writing_out.swap(true, Ordering::AcqRel)
    }

    /// Ends the turn.
    pub fn end_write_out(&self) {
        let was_writing_out = self.is_writing_out.swap(false, Ordering::AcqRel);
        assert!(was_writing_out, "a turn is ended once");
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

    pub fn has_work(&self) -> bool {
        !self.queue.lock().jobs.is_empty()
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
