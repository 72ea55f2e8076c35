//! Tasks on tokio's runtime and threads of the machine.
//! Shell.

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::BoxFuture;
use crate::tasks::{TaskHandle, Tasks, ThreadHandle};

pub struct TokioTasks(Handle);

impl TokioTasks {
    /// Tasks of the runtime this is called in.
    pub fn current() -> TokioTasks {
        TokioTasks(Handle::current())
    }
}

impl Tasks for TokioTasks {
    fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        let task = self.0.spawn(work);
        let abort = task.abort_handle();
        TaskHandle::new(
            Box::new(move || abort.abort()),
            Box::pin(async move {
                // A task that panicked or was ended has ended.
                let _ended = task.await;
            }),
        )
    }

    fn spawn_apart(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        let (stop, stopped) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            let runtime = Builder::new_current_thread().enable_io().enable_time().build();
            let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for {name}: {error}"));
            runtime.block_on(async {
                let stop = async {
                    // Dropped without a word: it has no owner, or one that waits for its end.
                    if stopped.await.is_err() {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    biased;
                    () = stop => {}
                    () = work => {}
                }
            });
            drop(end);
        };
        self.spawn_thread(name, Box::new(run));
        TaskHandle::new(
            Box::new(move || {
                // One that has ended hears nothing.
                let _ended = stop.send(());
            }),
            Box::pin(async move {
                // The sender is only ever dropped.
                let _ended = ended.await;
            }),
        )
    }

    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .unwrap_or_else(|error| panic!("no thread for {name}: {error}"));
        ThreadHandle::new(Box::new(move || {
            // A thread that panicked has ended.
            let _ended = thread.join();
        }))
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "the allocator is C's")]
    fn give_back_memory(&self) {
        // SAFETY: the call is given no memory, and takes none that is in use. By itself the allocator gives back only
        // what lies at the end of a heap.
        let _was_there_any = unsafe { libc::malloc_trim(0) };
    }
}
