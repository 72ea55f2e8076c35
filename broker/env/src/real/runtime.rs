//! The tokio runtime and the signals that the process obeys.
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

/// SIGHUP, which no longer ends the process once this is made.
pub struct ReloadSignal(tokio::signal::unix::Signal);

impl ReloadSignal {
    pub fn listen() -> io::Result<ReloadSignal> {
        signal(SignalKind::hangup()).map(ReloadSignal)
    }

    /// Waits until what was read at the start is to be read again.
    pub async fn next(&mut self) {
        self.0.recv().await;
    }
}
