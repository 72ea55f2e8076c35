//! Work that waits for the disk, away from the tasks that serve connections.
//! Shell.

use ottla_env::Env;

/// Runs `work` on a thread of its own and hands back what it returns.
pub async fn run<T: Send + 'static>(env: &Env, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let _thread = env.tasks.spawn_thread(
        "blocking-request",
        Box::new(move || {
            // The receiver is gone when the connection is: the work was done all the same.
            let _gone = sender.send(work());
        }),
    );
    receiver.await.expect("the thread answers before it ends, or its panic is this request's")
}
