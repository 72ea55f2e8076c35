//! Concurrent work: named, with an owner that can await or end it.
//! Shell: interfaces that `real/` and `memory/` implement.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::Mutex;

use crate::BoxFuture;

pub trait Tasks: Send + Sync {
    /// Runs a future beside others. It must not block.
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle;

    /// Runs a future on a thread with its own timers and sockets: whatever keeps the others busy does not hold it up.
    /// Everywhere but on the machine it is a task like any other.
    fn spawn_apart(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        self.spawn(name, work)
    }

    /// Tasks that share one such thread, for as long as somebody has them. `None` where there is no such thing: in a
    /// simulated world all tasks are alike.
    fn apart(&self, _name: &'static str) -> Option<Arc<dyn Tasks>> {
        None
    }

    /// Runs a function that may block on a thread of its own.
    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle;

    /// Drives a future on a thread of its own, which it may block between its waits (with files, never with another
    /// thread). In a simulated world all that lies between two waits is one turn.
    fn spawn_machine(&self, name: &'static str, work: BoxFuture<'static, ()>) -> ThreadHandle {
        self.spawn_thread(name, Box::new(move || block_on(work)))
    }

    /// Lends a thread to something that has a queue of its own.
    fn spawn_worker(&self, name: &'static str, worker: Arc<dyn Worker>) -> ThreadHandle {
        self.spawn_thread(name, Box::new(move || worker.run()))
    }

    /// Blocks the calling thread, which must be one of its own, while the machine does something by itself
    /// (another thread lets go of a file's lock). Not for waiting until a time: that is the clock's.
    fn pause(&self, wait: Duration) {
        std::thread::sleep(wait);
    }

    /// Gives memory that the threads have freed back to the machine, also where it lies between what is in use; the
    /// first time also the pages of the program that its start ran through. May block for milliseconds, and who
    /// allocates meanwhile waits for a part of them. Nothing to do but on the machine.
    fn give_back_memory(&self) {}
}

/// A queue of work, and how a thread works it off.
pub trait Worker: Send + Sync {
    /// Does what comes until it is closed; what is queued then is done first.
    fn run(&self);

    /// Whether a piece of work waits. For a world without threads, as `step` is.
    fn has_work(&self) -> bool;

    /// Does one piece, if there is one.
    fn step(&self);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Drives a future on the calling thread, which sleeps between its turns.
pub(crate) fn block_on(mut work: BoxFuture<'static, ()>) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    while work.as_mut().poll(&mut context).is_pending() {
        std::thread::park();
    }
}

/// Ends its task when dropped, unless `detach` was called.
pub struct TaskHandle {
    pub(crate) abort: Option<Box<dyn FnOnce() + Send + Sync>>,
    pub(crate) done: BoxFuture<'static, ()>,
}

impl TaskHandle {
    /// For implementations of `Tasks`: how to end the task and how to await its end.
    pub fn new(abort: Box<dyn FnOnce() + Send + Sync>, done: BoxFuture<'static, ()>) -> TaskHandle {
        TaskHandle { abort: Some(abort), done }
    }

    /// Waits until the task has ended by itself.
    pub async fn join(mut self) {
        self.abort = None;
        let done = std::mem::replace(&mut self.done, Box::pin(async {}));
        done.await;
    }

    /// Lets the task run without an owner; only for tasks that end with their connection.
    pub fn detach(mut self) {
        self.abort = None;
    }

    pub fn abort(mut self) {
        if let Some(abort) = self.abort.take() {
            abort();
        }
    }
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        if let Some(abort) = self.abort.take() {
            abort();
        }
    }
}

/// A thread; joined by its owner.
pub struct ThreadHandle {
    join: Option<Box<dyn FnOnce() + Send + Sync>>,
    /// Where its end can be awaited.
    ended: Option<Mutex<BoxFuture<'static, ()>>>,
}

impl ThreadHandle {
    pub fn new(join: Box<dyn FnOnce() + Send + Sync>) -> ThreadHandle {
        ThreadHandle { join: Some(join), ended: None }
    }

    /// For a world without threads.
    pub fn awaited(ended: BoxFuture<'static, ()>) -> ThreadHandle {
        ThreadHandle { join: None, ended: Some(Mutex::new(ended)) }
    }

    /// Blocks until it has ended. Not for machines, which `ended` is for.
    pub fn join(mut self) {
        if let Some(join) = self.join.take() {
            join();
        }
    }

    /// Waits until it has ended, and blocks the thread meanwhile where it must.
    pub async fn ended(self) {
        match self.ended {
            Some(ended) => ended.into_inner().await,
            None => self.join(),
        }
    }
}
