//! Work that a request sets off and that goes on beside its answer: a bounded number of tasks.
//! Shell. Dropping the owner ends them all.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_env::BoxFuture;
use ottla_env::tasks::{TaskHandle, Tasks};
use parking_lot::Mutex;

pub struct OwnedTasks {
    running: Arc<Mutex<Running>>,
    tasks_max: usize,
}

#[derive(Default)]
struct Running {
    /// A handle comes a moment after its task has begun.
    by_number: HashMap<u64, Option<TaskHandle>>,
    next_number: u64,
}

impl OwnedTasks {
    pub fn new(tasks_max: usize) -> OwnedTasks {
        assert!(tasks_max > 0, "an owner of no tasks");
        OwnedTasks { running: Arc::default(), tasks_max }
    }

    /// Begins the work; false where as many tasks as there may be are under way.
    pub fn begin(&self, tasks: &dyn Tasks, name: &'static str, work: BoxFuture<'static, ()>) -> bool {
        let number = {
            let mut running = self.running.lock();
            if running.by_number.len() >= self.tasks_max {
                return false;
            }
            let number = running.next_number;
            running.next_number += 1;
            running.by_number.insert(number, None);
            number
        };
        let end = End { running: Arc::clone(&self.running), number };
        let owned = async move {
            let _end = end;
            work.await;
        };
        // Without the lock: a task may run, and end, inside `spawn`.
        let handle = tasks.spawn(name, Box::pin(owned));
        match self.running.lock().by_number.get_mut(&number) {
            Some(place) => *place = Some(handle),
            None => handle.detach(),
        }
        true
    }

    /// How many are under way.
    pub fn count(&self) -> usize {
        self.running.lock().by_number.len()
    }
}

impl Drop for OwnedTasks {
    fn drop(&mut self) {
        let ended = std::mem::take(&mut self.running.lock().by_number);
        // Without the lock: each takes itself off the list.
        drop(ended);
    }
}

/// Takes the task off the list when it ends, also by a panic or because it is cut off.
struct End {
    running: Arc<Mutex<Running>>,
    number: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        let ended = self.running.lock().by_number.remove(&self.number);
        // It ends by itself: its handle has nothing left to end.
        if let Some(Some(handle)) = ended {
            handle.detach();
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_env::real;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn there_are_never_more_than_the_bound_and_one_that_ends_makes_room() {
        let env = real::env();
        let owned = OwnedTasks::new(2);
        let (end, ended) = oneshot::channel::<()>();
        let waits = async move {
            let _sent = ended.await;
        };
        assert!(owned.begin(&*env.tasks, "waits", Box::pin(waits)));
        assert!(owned.begin(&*env.tasks, "stays", Box::pin(std::future::pending())));
        assert!(!owned.begin(&*env.tasks, "third", Box::pin(async {})));
        assert_eq!(owned.count(), 2);
        end.send(()).expect("the task waits");
        while owned.count() > 1 {
            tokio::task::yield_now().await;
        }
        assert!(owned.begin(&*env.tasks, "again", Box::pin(async { panic!("as it should") })));
        while owned.count() > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_owner_ends_what_it_began() {
        let env = real::env();
        let owned = OwnedTasks::new(1);
        let (held, gone) = oneshot::channel::<()>();
        let waits = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        assert!(owned.begin(&*env.tasks, "waits", Box::pin(waits)));
        drop(owned);
        assert!(gone.await.is_err(), "the task was dropped with what it held");
    }
}
