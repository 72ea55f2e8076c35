//! Tasks that outlive the request that began them, and their owner.
//! Shell.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Tasks};
use parking_lot::Mutex;

/// Knows every task that it began until the task has ended, and ends what is left when it is closed. How many there
/// can be is for its owner to say.
pub(crate) struct TaskSet {
    tasks: Arc<dyn Tasks>,
    running: Arc<Mutex<Running>>,
}

#[derive(Default)]
struct Running {
    next: u64,
    is_closed: bool,
    /// `None` while the task is being begun.
    handles: HashMap<u64, Option<TaskHandle>>,
}

impl TaskSet {
    pub fn new(tasks: Arc<dyn Tasks>) -> TaskSet {
        TaskSet { tasks, running: Arc::default() }
    }

    /// Does nothing once the set is closed.
    pub fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) {
        let id = {
            let mut running = self.running.lock();
            if running.is_closed {
                return;
            }
            running.next += 1;
            let id = running.next;
            running.handles.insert(id, None);
            id
        };
        let ends = Arc::clone(&self.running);
        let handle = self.tasks.spawn(
            name,
            Box::pin(async move {
                work.await;
                let handle = ends.lock().handles.remove(&id).flatten();
                // It is this task's own, which has nothing left to do.
                if let Some(handle) = handle {
                    handle.detach();
                }
            }),
        );
        let mut running = self.running.lock();
        let is_closed = running.is_closed;
        match running.handles.get_mut(&id) {
            Some(slot) => *slot = Some(handle),
            None if is_closed => drop(handle),
            // It has ended already.
            None => handle.detach(),
        }
    }

    /// Ends what still runs.
    pub fn close(&self) {
        let handles = {
            let mut running = self.running.lock();
            running.is_closed = true;
            std::mem::take(&mut running.handles)
        };
        drop(handles);
    }
}
