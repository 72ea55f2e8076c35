//! The thread that reads what shards are loaded from, for all coordinators.
//! Shell. It is there only while there is something to read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ottla_env::tasks::ThreadHandle;
use ottla_env::{Clock, Tasks};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::task_set::TaskSet;

/// Between two attempts to load a shard.
const AGAIN: Duration = Duration::from_secs(1);

/// One shard to be loaded.
pub(crate) trait Load: Send {
    /// The leadership has ended meanwhile.
    fn is_stale(&self) -> bool;

    /// Blocks as long as the log is long.
    fn run(self: Box<Self>);
}

/// Loads wait here for their turn. At most one waits for each partition that is led: what is stale goes
/// when the next comes.
pub struct Loader {
    tasks: Arc<dyn Tasks>,
    queue: Mutex<Queue>,
    /// The thread that runs, or ran last; locked to start or end one.
    thread: Mutex<Option<ThreadHandle>>,
    idle: Notify,
    /// What is tried again after a pause, one after the other numbered.
    later: TaskSet<u64>,
    later_number: AtomicU64,
}

#[derive(Default)]
struct Queue {
    loads: VecDeque<Box<dyn Load>>,
    is_running: bool,
}

impl Loader {
    pub fn new(tasks: Arc<dyn Tasks>) -> Arc<Loader> {
        Arc::new(Loader {
            later: TaskSet::new(tasks.clone()),
            tasks,
            queue: Mutex::default(),
            thread: Mutex::default(),
            idle: Notify::new(),
            later_number: AtomicU64::new(0),
        })
    }

    pub(crate) fn submit(self: &Arc<Self>, load: Box<dyn Load>) {
        let mut thread = self.thread.lock();
        {
            let mut queue = self.queue.lock();
            queue.loads.retain(|waiting| !waiting.is_stale());
            queue.loads.push_back(load);
            if std::mem::replace(&mut queue.is_running, true) {
                return;
            }
        }
        if let Some(ended) = thread.take() {
            ended.join();
        }
        let loader = Arc::clone(self);
        *thread = Some(self.tasks.spawn_thread("coordinator-load", Box::new(move || loader.run())));
    }

    /// After a load that failed: a device that is full, or fails, may have been mended then.
    pub(crate) fn submit_later(self: &Arc<Self>, load: Box<dyn Load>, clock: Arc<dyn Clock>) {
        let loader = Arc::clone(self);
        let wait = clock.sleep_until(clock.monotonic().after(AGAIN));
        let work = async move {
            wait.await;
            if !load.is_stale() {
                loader.submit(load);
            }
        };
        let number = self.later_number.fetch_add(1, Ordering::Relaxed);
        self.later.spawn(number, "coordinator-load-again", Box::pin(work));
    }

    fn run(&self) {
        loop {
            let next = {
                let mut queue = self.queue.lock();
                assert!(queue.is_running, "one thread loads at a time");
                match queue.loads.pop_front() {
                    Some(load) => load,
                    None => {
                        queue.is_running = false;
                        break;
                    }
                }
            };
            if !next.is_stale() {
                next.run();
            }
        }
        self.idle.notify_waiters();
    }

    /// Waits until nothing is left to load.
    pub async fn until_idle(&self) {
        loop {
            let mut idle = std::pin::pin!(self.idle.notified());
            idle.as_mut().enable();
            if !self.queue.lock().is_running {
                return;
            }
            idle.await;
        }
    }

    /// Ends the thread; call when the shards are closed.
    pub fn close(&self) {
        self.later.close();
        let mut thread = self.thread.lock();
        self.queue.lock().loads.clear();
        if let Some(thread) = thread.take() {
            thread.join();
        }
    }
}
