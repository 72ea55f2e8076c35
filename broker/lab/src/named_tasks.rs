//! A cluster's tasks under their names, so that a timer that ends says whose it was.
//! Shell around the machine's tasks.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ottla_env::tasks::{TaskHandle, ThreadHandle, Worker};
use ottla_env::{BoxFuture, Tasks};

/// Of what no task of the cluster waits for.
const NOBODY: &str = "nobody";

thread_local! {
    static CURRENT: Cell<&'static str> = const { Cell::new(NOBODY) };
}

/// The task that this thread works at.
pub fn current() -> &'static str {
    CURRENT.get()
}

pub struct NamedTasks(Arc<dyn Tasks>);

impl NamedTasks {
    pub fn new(machine: Arc<dyn Tasks>) -> NamedTasks {
        NamedTasks(machine)
    }
}

/// A future in whose turns the thread has its name.
struct Named {
    name: &'static str,
    work: BoxFuture<'static, ()>,
}

impl Future for Named {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let before = CURRENT.replace(self.name);
        let polled = self.work.as_mut().poll(context);
        CURRENT.set(before);
        polled
    }
}

fn named(name: &'static str, work: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    Box::pin(Named { name, work })
}

impl Tasks for NamedTasks {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        self.0.spawn(name, named(name, work))
    }

    fn spawn_apart(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        self.0.spawn_apart(name, named(name, work))
    }

    fn apart(&self, name: &'static str) -> Option<Arc<dyn Tasks>> {
        Some(Arc::new(NamedTasks(self.0.apart(name)?)))
    }

    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        let work = move || {
            CURRENT.set(name);
            work();
        };
        self.0.spawn_thread(name, Box::new(work))
    }

    fn spawn_machine(&self, name: &'static str, work: BoxFuture<'static, ()>) -> ThreadHandle {
        self.0.spawn_machine(name, named(name, work))
    }

    fn spawn_worker(&self, name: &'static str, worker: Arc<dyn Worker>) -> ThreadHandle {
        self.0.spawn_worker(name, worker)
    }

    fn pause(&self, wait: Duration) {
        self.0.pause(wait);
    }

    fn give_back_memory(&self) {
        self.0.give_back_memory();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_task_has_its_name_in_its_own_turns() {
        let mut outer = named(
            "outer",
            Box::pin(async {
                assert_eq!(current(), "outer");
                named("inner", Box::pin(async { assert_eq!(current(), "inner") })).await;
                assert_eq!(current(), "outer");
            }),
        );
        assert!(outer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(current(), NOBODY);
    }
}
