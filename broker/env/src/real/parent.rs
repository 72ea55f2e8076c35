//! The process that started this one, for those that are to end with it.
//! Shell.

use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::parent_id;
use std::time::Duration;

use tokio::sync::oneshot;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Waits until the parent is gone, or has closed the pipe that is this process's standard input. A standard input
/// that is no pipe (a terminal, a file, nothing) says nothing.
pub async fn parent_gone() {
    let parent = parent_id();
    let (ended, end) = oneshot::channel();
    if is_stdin_pipe() {
        let read = move || {
            let mut bytes = [0; 4096];
            let mut stdin = io::stdin().lock();
            while matches!(stdin.read(&mut bytes), Ok(count) if count > 0) {}
            // Nobody waits any more when the process ends by itself.
            let _gone = ended.send(());
        };
        // It ends with the process: a read of standard input cannot be given up.
        let _thread = std::thread::Builder::new().name("parent".to_owned()).spawn(read);
    }
    let left = async {
        while parent_id() == parent {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        Ok(()) = end => {}
        () = left => {}
    }
}

fn is_stdin_pipe() -> bool {
    let kind = std::fs::metadata("/proc/self/fd/0").map(|file| file.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
}
