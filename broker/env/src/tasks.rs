//! Concurrent work: named, with an owner that can await or end it.
//! Shell: interfaces that `real/` and `memory/` implement.

use std::time::Duration;

use crate::BoxFuture;

pub trait Tasks: Send + Sync {
    /// Runs a future beside others. It must not block.
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle;

    /// Runs a future on a thread with its own timers and sockets: whatever keeps the others busy does not hold it up.
    /// Everywhere but on the machine it is a task like any other.
    fn spawn_apart(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        self.spawn(name, work)
    }

    /// Runs a function that may block on a thread of its own.
    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle;

    /// Blocks the calling thread, which must be one of its own, while the machine does something by itself
    /// (another thread lets go of a file's lock). Not for waiting until a time: that is the clock's.
    fn pause(&self, wait: Duration) {
        std::thread::sleep(wait);
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
}

impl ThreadHandle {
    pub fn new(join: Box<dyn FnOnce() + Send + Sync>) -> ThreadHandle {
        ThreadHandle { join: Some(join) }
    }

    pub fn join(mut self) {
        if let Some(join) = self.join.take() {
            join();
        }
    }
}
