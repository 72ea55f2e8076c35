//! Tasks on tokio's runtime and threads of the machine.
//! Shell.

#[cfg(target_os = "linux")]
use std::ops::Range;
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::Once;

use tokio::runtime::{Builder, Handle, Runtime};
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
            runtime_for(name).block_on(async {
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

    fn apart(&self, name: &'static str) -> Option<Arc<dyn Tasks>> {
        let runtime = runtime_for(name);
        let tasks = TokioTasks(runtime.handle().clone());
        let (gone, is_gone) = oneshot::channel::<()>();
        let run = move || {
            // The sender is only ever dropped.
            let _gone = runtime.block_on(is_gone);
            // A name that is looked up meanwhile is not waited for.
            runtime.shutdown_background();
        };
        self.spawn_thread(name, Box::new(run));
        Some(Arc::new(ApartTasks { tasks, _ends_with: gone }))
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

    #[cfg(target_os = "linux")]
    fn give_back_memory(&self) {
        give_back_freed();
        // What has run since was used, and is better kept.
        static AFTER_THE_START: Once = Once::new();
        AFTER_THE_START.call_once(|| {
            if let Ok(maps) = std::fs::read_to_string("/proc/self/maps") {
                program_text(&maps).for_each(let_go_of_text);
            }
        });
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the allocator is C's")]
fn give_back_freed() {
    // SAFETY: the call is given no memory, and takes none that is in use. By itself the allocator gives back only
    // what lies at the end of a heap.
    let _was_there_any = unsafe { libc::malloc_trim(0) };
}

#[cfg(all(target_os = "linux", not(target_env = "gnu")))]
fn give_back_freed() {}

/// The program's text by `/proc/self/maps`: what is executable, comes from a file and can't be written.
#[cfg(target_os = "linux")]
fn program_text(maps: &str) -> impl Iterator<Item = Range<usize>> {
    maps.lines().filter_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let (addresses, access) = (columns.next()?, columns.next()?);
        let is_of_file = columns.nth(3).is_some_and(|path| path.starts_with('/'));
        if access != "r-xp" || !is_of_file {
            return None;
        }
        let (start, end) = addresses.split_once('-')?;
        let address = |digits| usize::from_str_radix(digits, 16).ok();
        Some(address(start)?..address(end)?)
    })
}

/// The machine maps some 64 KiB of text around each place that ran once; most of what the start touched never runs
/// again, and yet counts as this process's memory.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "the mappings are the linker's")]
fn let_go_of_text(text: Range<usize>) {
    let start = std::ptr::without_provenance_mut(text.start);
    // SAFETY: the pages are a file's, never written, and stay mapped: whoever runs in them next finds the same bytes.
    let _is_done = unsafe { libc::madvise(start, text.len(), libc::MADV_DONTNEED) };
}

/// Tasks that share a thread, which ends with them.
struct ApartTasks {
    tasks: TokioTasks,
    _ends_with: oneshot::Sender<()>,
}

impl Tasks for ApartTasks {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        self.tasks.spawn(name, work)
    }

    fn spawn_apart(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
        self.tasks.spawn_apart(name, work)
    }

    fn apart(&self, name: &'static str) -> Option<Arc<dyn Tasks>> {
        self.tasks.apart(name)
    }

    fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
        self.tasks.spawn_thread(name, work)
    }

    fn give_back_memory(&self) {
        self.tasks.give_back_memory();
    }
}

/// A runtime that one thread drives.
fn runtime_for(name: &str) -> Runtime {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build();
    runtime.unwrap_or_else(|error| panic!("no runtime for {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use crate::real;

    #[tokio::test]
    async fn what_is_apart_goes_on_while_all_other_tasks_are_held_up() {
        let env = real::env();
        let apart = env.tasks.apart("test").expect("a machine has threads");
        let (sender, done) = mpsc::channel();
        let (net, clock) = (env.net.clone(), env.clock.clone());
        let work = async move {
            let address = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
            let mut acceptor = net.bind(address, Default::default()).expect("a socket");
            let port = acceptor.local_addr().port();
            let dialled = net.dial("127.0.0.1", port, Default::default()).await.expect("it listens");
            let accepted = std::future::poll_fn(|context| acceptor.poll_accept(context)).await;
            let is_same = accepted.expect("a connection").peer_addr() == dialled.local_addr();
            clock.sleep_until(clock.monotonic().after_ms(1)).await;
            sender
                .send((is_same, std::thread::current().name().map(str::to_owned)))
                .expect("it is waited for");
        };
        let _task = apart.spawn("test", Box::pin(work));
        // The one thread that all other tasks have waits here.
        let heard = done.recv_timeout(std::time::Duration::from_secs(60));
        assert_eq!(heard, Ok((true, Some("test".to_owned()))));
    }

    #[tokio::test]
    async fn the_thread_ends_with_those_who_have_its_tasks() {
        let apart = real::env().tasks.apart("test").expect("a machine has threads");
        let (held, gone) = mpsc::channel::<()>();
        let waits = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        apart.spawn("test", Box::pin(waits)).detach();
        drop(apart);
        assert!(gone.recv().is_err(), "the task is gone, and what it held");
    }
}
