//! Tasks that outlive the request that began them, and their owner.
//! Shell.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Tasks};
use parking_lot::Mutex;

/// Knows every task that it began until the task has ended, and ends what is left when it is closed. There is one task
/// a key at a time: as many as there are different things to do, however often each is asked for.
pub(crate) struct TaskSet<K: Hash + Eq> {
    tasks: Arc<dyn Tasks>,
    running: Arc<Mutex<Running<K>>>,
}

struct Running<K> {
    is_closed: bool,
    /// `None` while the task is being begun.
    handles: HashMap<K, Option<TaskHandle>>,
}

impl<K: Hash + Eq + Clone + Send + 'static> TaskSet<K> {
    pub fn new(tasks: Arc<dyn Tasks>) -> TaskSet<K> {
        let running = Running { is_closed: false, handles: HashMap::new() };
        TaskSet { tasks, running: Arc::new(Mutex::new(running)) }
    }

    /// Does nothing where the same is under way, and once the set is closed.
    pub fn spawn(&self, key: K, name: &'static str, work: BoxFuture<'static, ()>) {
        {
            let mut running = self.running.lock();
            if running.is_closed || running.handles.contains_key(&key) {
                return;
            }
            running.handles.insert(key.clone(), None);
        }
        let end = End { running: Arc::clone(&self.running), key: key.clone() };
        let owned = async move {
            let _end = end;
            work.await;
        };
        // Without the lock: a task may run, and end, inside `spawn`.
        let handle = self.tasks.spawn(name, Box::pin(owned));
        let mut running = self.running.lock();
        let is_closed = running.is_closed;
        match running.handles.get_mut(&key) {
            Some(slot) => *slot = Some(handle),
            None => {
                drop(running);
                // Unless it was cut off before it was known, it has ended already.
                if is_closed { drop(handle) } else { handle.detach() }
            }
        }
    }

    /// Ends what still runs.
    pub fn close(&self) {
        let handles = {
            let mut running = self.running.lock();
            running.is_closed = true;
            std::mem::take(&mut running.handles)
        };
        // Without the lock: each takes itself off the list.
        drop(handles);
    }

    pub fn count(&self) -> usize {
        self.running.lock().handles.len()
    }
}

/// The same for tasks that are all different: there are at most so many at a time.
pub(crate) struct BoundedTasks {
    set: TaskSet<u64>,
    next_number: AtomicU64,
    tasks_max: usize,
}

impl BoundedTasks {
    pub fn new(tasks: Arc<dyn Tasks>, tasks_max: usize) -> BoundedTasks {
        assert!(tasks_max > 0, "an owner of no tasks");
        BoundedTasks { set: TaskSet::new(tasks), next_number: AtomicU64::new(0), tasks_max }
    }

    /// Whether as many are under way as there may be.
    pub fn is_full(&self) -> bool {
        self.set.count() >= self.tasks_max
    }

    /// Drops the work once the set is closed.
    pub fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) {
        self.set.spawn(self.next_number.fetch_add(1, Ordering::Relaxed), name, work);
    }

    /// Ends what still runs.
    pub fn close(&self) {
        self.set.close();
    }
}

/// Takes the task off the list when it ends, also by a panic or because it is cut off.
struct End<K: Hash + Eq> {
    running: Arc<Mutex<Running<K>>>,
    key: K,
}

impl<K: Hash + Eq> Drop for End<K> {
    fn drop(&mut self) {
        let handle = self.running.lock().handles.remove(&self.key).flatten();
        // It is this task's own, which has nothing left to do.
        if let Some(handle) = handle {
            handle.detach();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use ottla_env::tasks::ThreadHandle;
    use tokio::sync::oneshot;

    use super::*;

    /// Keeps what it is to run.
    #[derive(Default)]
    struct Held(Mutex<Vec<BoxFuture<'static, ()>>>);

    impl Tasks for Held {
        fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
            self.0.lock().push(work);
            TaskHandle::new(Box::new(|| {}), Box::pin(async {}))
        }

        fn spawn_thread(&self, _name: &'static str, _work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
            unreachable!("a set of tasks needs no thread")
        }
    }

    impl Held {
        fn count(&self) -> usize {
            self.0.lock().len()
        }

        fn poll_all(&self) {
            let mut works = std::mem::take(&mut *self.0.lock());
            let mut context = Context::from_waker(Waker::noop());
            works.retain_mut(|work| work.as_mut().poll(&mut context).is_pending());
            self.0.lock().extend(works);
        }
    }

    #[test]
    fn the_same_is_done_once_at_a_time() {
        let held = Arc::new(Held::default());
        let set = TaskSet::<&str>::new(held.clone());
        let (go, gone) = oneshot::channel::<()>();
        let waits = async move {
            let _sent = gone.await;
        };
        set.spawn("a", "test", Box::pin(waits));
        for _again in 0..3 {
            set.spawn("a", "test", Box::pin(async { panic!("it is under way") }));
        }
        set.spawn("b", "test", Box::pin(std::future::pending()));
        held.poll_all();
        assert_eq!((set.count(), held.count()), (2, 2));
        go.send(()).expect("it waits");
        held.poll_all();
        assert_eq!(set.count(), 1, "what has ended is forgotten");
        set.spawn("a", "test", Box::pin(std::future::pending()));
        assert_eq!((set.count(), held.count()), (2, 2), "and may begin anew");
        held.0.lock().clear();
        assert_eq!(set.count(), 0, "what is cut off is forgotten, too");
        set.close();
        set.spawn("c", "test", Box::pin(std::future::pending()));
        assert_eq!((set.count(), held.count()), (0, 0));
    }

    #[test]
    fn tasks_that_are_all_different_are_bounded_and_end_with_their_owner() {
        let held = Arc::new(Held::default());
        let tasks = BoundedTasks::new(held.clone(), 2);
        let (go, wait) = oneshot::channel::<()>();
        tasks.spawn("ends", Box::pin(async move { drop(wait.await) }));
        assert!(!tasks.is_full());
        let (held_by_task, gone) = oneshot::channel::<()>();
        let stays = async move {
            let _held = held_by_task;
            std::future::pending::<()>().await;
        };
        tasks.spawn("stays", Box::pin(stays));
        held.poll_all();
        assert!(tasks.is_full() && held.count() == 2, "each is a task of its own");
        go.send(()).expect("it waits");
        held.poll_all();
        assert!(!tasks.is_full(), "one that has ended makes room");
        tasks.close();
        held.0.lock().clear();
        assert!(gone.blocking_recv().is_err(), "its owner has ended it");
        tasks.spawn("late", Box::pin(std::future::pending()));
        assert_eq!(held.count(), 0);
    }
}
