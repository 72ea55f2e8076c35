//! The panic fence: a bug in one request must not take the connection's task, let alone the process.
//! Core.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use ottla_network::Answer;

pin_project_lite::pin_project! {
    /// A parked request whose panic closes its connection.
    pub struct Fence<F> {
        #[pin]
        future: F,
    }
}

impl<F> Fence<F> {
    pub fn new(future: F) -> Fence<F> {
        Fence { future }
    }
}

impl<F: Future<Output = Answer>> Future for Fence<F> {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let future = self.project().future;
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll,
            Err(panic) => {
                log_panic(&*panic);
                Poll::Ready(Answer::Close("a handler failed"))
            }
        }
    }
}

/// Says what a caught panic said.
pub fn log_panic(panic: &(dyn Any + Send)) {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no text".to_owned());
    tracing::error!(panic = %text, "a handler panicked; its connection is closed. This is a bug of Ottla");
}
