//! A host's tasks, threads and workers: each is polled, or run whole, when its turn comes.
//! Shell.
//!
//! A thread that is no machine and no worker runs from its begin to its end in one turn. One that waits for others in a
//! way that this world does not know of is left out until it is joined (`LEFT_OUT`): it must find then that it is closed.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::agenda::Event;
use super::turns::{TaskWaker, Turn};
use super::{HostId, Shared};
use crate::BoxFuture;
use crate::tasks::{TaskHandle, Tasks, ThreadHandle, Worker};

/// Threads that sleep on a lock between rounds.
const LEFT_OUT: [&str; 2] = ["log-cleaner", "log-mover"];
/// Machines whose turns begin with what a device does.
const OF_DEVICES: [&str; 1] = ["metadata-writer"];
/// How long a device takes where nobody says it.
const DISK_DELAY: (Duration, Duration) = (Duration::from_micros(50), Duration::from_micros(600));

#[derive(Default)]
pub(super) struct TaskTable {
    tasks: BTreeMap<u64, Task>,
    workers: BTreeMap<HostId, Vec<Working>>,
    pub disk_delays: BTreeMap<HostId, (Duration, Duration)>,
    next: u64,
}

struct Task {
    host: HostId,
    name: &'static str,
    /// Out while it is polled.
    work: Option<BoxFuture<'static, ()>>,
    waker: Arc<TaskWaker>,
    end: Arc<End>,
}

struct Working {
    name: &'static str,
    worker: Arc<dyn Worker>,
    /// Its device is at work, or its turn is to come.
    is_due: bool,
}

/// Whether a task has ended, and who waits for it.
#[derive(Default)]
struct End {
    is_there: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

struct Ended(Arc<End>);

impl Future for Ended {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.is_there.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        self.0.waiting.lock().push(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.end.is_there.store(true, Ordering::Release);
        std::mem::take(&mut *self.end.waiting.lock()).into_iter().for_each(Waker::wake);
    }
}

impl TaskTable {
    /// Takes a host's tasks out, to be dropped outside of the lock.
    #[must_use]
    pub fn remove_host(&mut self, host: HostId) -> Vec<Box<dyn Send>> {
        let mut removed: Vec<Box<dyn Send>> = Vec::new();
        for working in self.workers.remove(&host).unwrap_or_default() {
            removed.push(Box::new(working.worker));
        }
        let ids: Vec<u64> =
            self.tasks.iter().filter(|(_, task)| task.host == host).map(|(id, _)| *id).collect();
        removed.extend(ids.iter().filter_map(|id| self.tasks.remove(id)).map(|task| Box::new(task) as _));
        removed
    }

    pub fn hosts(&self) -> Vec<HostId> {
        let all = self.tasks.values().map(|task| task.host).chain(self.workers.keys().copied());
        all.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    pub fn of(&self, host: HostId) -> usize {
        self.tasks.values().filter(|task| task.host == host).count()
    }
}

/// Takes a turn; says whose it was.
pub(super) fn take_turn(shared: &Arc<Shared>, host: HostId, turn: Turn) -> &'static str {
    let name = match turn {
        Turn::Task(id) if is_of_device(shared, id) => {
            let delay = disk_delay(shared, host);
            shared.at(shared.now() + delay, Event::Disk(host, Turn::TaskOfDevice(id)));
            return "device";
        }
        Turn::Task(id) | Turn::TaskOfDevice(id) => poll(shared, id),
        Turn::Worker(place) => {
            let found = shared.tasks.lock().workers.get_mut(&host).and_then(|all| {
                let working = all.get_mut(place)?;
                working.is_due = false;
                Some((working.name, working.worker.clone()))
            });
            match found {
                None => "gone",
                Some((name, worker)) => {
                    worker.step();
                    name
                }
            }
        }
    };
    find_work(shared, host);
    name
}

fn is_of_device(shared: &Shared, id: u64) -> bool {
    shared.tasks.lock().tasks.get(&id).is_some_and(|task| OF_DEVICES.contains(&task.name))
}

fn disk_delay(shared: &Shared, host: HostId) -> Duration {
    let (from, to) = shared.tasks.lock().disk_delays.get(&host).copied().unwrap_or(DISK_DELAY);
    shared.between(from, to)
}

fn poll(shared: &Arc<Shared>, id: u64) -> &'static str {
    let taken = shared.tasks.lock().tasks.get_mut(&id).map(|task| {
        task.waker.is_queued.store(false, Ordering::Release);
        (task.name, task.work.take(), Waker::from(task.waker.clone()))
    });
    let Some((name, Some(mut work), waker)) = taken else { return "gone" };
    match work.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Pending => {
            let mut tasks = shared.tasks.lock();
            match tasks.tasks.get_mut(&id) {
                Some(task) => task.work = Some(work),
                // It was ended meanwhile.
                None => {
                    drop(tasks);
                    drop(work);
                }
            }
        }
        Poll::Ready(()) => {
            drop(work);
            let ended = shared.tasks.lock().tasks.remove(&id);
            drop(ended);
        }
    }
    name
}

/// What was just done may have left work to the host's workers. One at a time takes it.
fn find_work(shared: &Arc<Shared>, host: HostId) {
    let idle: Vec<(usize, Arc<dyn Worker>)> = match shared.tasks.lock().workers.get(&host) {
        None => return,
        Some(all) => all
            .iter()
            .enumerate()
            .filter(|(_, one)| !one.is_due)
            .map(|(place, one)| (place, one.worker.clone()))
            .collect(),
    };
    let Some((place, _)) = idle.into_iter().find(|(_, worker)| worker.has_work()) else { return };
    if let Some(working) = shared.tasks.lock().workers.get_mut(&host).and_then(|all| all.get_mut(place)) {
        working.is_due = true;
    }
    let delay = disk_delay(shared, host);
    shared.at(shared.now() + delay, Event::Disk(host, Turn::Worker(place)));
}

/// A host's way to run things beside others.
pub(super) struct HostTasks {
    pub shared: Arc<Shared>,
    pub host: HostId,
}

impl HostTasks {
    fn begin(&self, name: &'static str, work: BoxFuture<'static, ()>) -> (u64, Arc<End>) {
        let end = Arc::<End>::default();
        let mut tasks = self.shared.tasks.lock();
        tasks.next += 1;
        let id = tasks.next;
        let waker = Arc::new(TaskWaker {
            ready: self.shared.ready.clone(),
            host: self.host,
            task: id,
            is_queued: AtomicBool::new(true),
        });
        let task = Task { host: self.host, name, work: Some(work), waker, end: end.clone() };
        tasks.tasks.insert(id, task);
        drop(tasks);
        self.shared.ready.push(self.host, Turn::Task(id));
        (id, end)
    }
}

impl Tasks for HostTasks {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        let (id, end) = self.begin(name, work);
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        let abort = move || {
            let Some(shared) = shared.upgrade() else { return };
            let aborted = shared.tasks.lock().tasks.remove(&id);
            drop(aborted);
        };
        TaskHandle::new(Box::new(abort), Box::pin(Ended(end)))
    }

    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        let work = Arc::new(Mutex::new(Some(work)));
        let of_task = work.clone();
        if !LEFT_OUT.contains(&name) {
            let run = async move {
                let work = of_task.lock().take();
                if let Some(work) = work {
                    work();
                }
            };
            self.begin(name, Box::pin(run));
        }
        // Whoever waits for it takes its turn.
        ThreadHandle::new(Box::new(move || {
            let work = work.lock().take();
            if let Some(work) = work {
                work();
            }
        }))
    }

    fn spawn_machine(&self, name: &'static str, work: BoxFuture<'static, ()>) -> ThreadHandle {
        let (_id, end) = self.begin(name, work);
        ThreadHandle::awaited(Box::pin(Ended(end)))
    }

    fn spawn_worker(&self, name: &'static str, worker: Arc<dyn Worker>) -> ThreadHandle {
        let working = Working { name, worker: worker.clone(), is_due: false };
        self.shared.tasks.lock().workers.entry(self.host).or_default().push(working);
        find_work(&self.shared, self.host);
        ThreadHandle::new(Box::new(move || worker.run()))
    }

    fn pause(&self, _wait: Duration) {
        // The other thread has had its turn, or will have it: nothing here is held over a turn.
    }
}
