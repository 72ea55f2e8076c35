//! The tokio runtime and the signals that stop the process.
//! Shell.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Runs the process's main future on as many workers as there are processors (or as told).
pub fn run<T>(workers: Option<usize>, main: impl Future<Output = T>) -> io::Result<T> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_io().enable_time().thread_name("ottla-worker");
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    let runtime = builder.build()?;
    let result = runtime.block_on(main);
    // Tasks still running belong to connections that were told to end; nobody waits for them.
    runtime.shutdown_background();
    Ok(result)
}

/// Signals that ask the process to stop; made once, before there is anything to lose.
pub struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    pub fn listen() -> io::Result<StopSignals> {
        Ok(StopSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for SIGTERM or SIGINT and says which came.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
