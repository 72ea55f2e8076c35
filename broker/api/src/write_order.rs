//! The order of a producer's transactional writes: what comes behind one that waits for its verification waits, too.
//! Core: who waits wakes who stands behind.
//!
//! Kafka takes the next request of a connection when the one before is answered. Here requests are admitted while
//! others wait, and a producer's batches must not pass each other on the way to their partitions.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_model::ProducerId;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// The writes that wait, by producer.
#[derive(Default)]
pub struct WriteOrder {
    /// The end of each producer's queue: completes when the write that stands there is done.
    ends: Mutex<HashMap<ProducerId, oneshot::Receiver<()>>>,
}

/// A place in the queue of one producer; the next one's turn comes when it is dropped.
pub struct Turn {
    order: Arc<WriteOrder>,
    producer_id: ProducerId,
    before: Option<oneshot::Receiver<()>>,
    done: Option<oneshot::Sender<()>>,
}

impl WriteOrder {
    /// Whether no write of the producer waits.
    pub fn is_free(&self, producer_id: ProducerId) -> bool {
        self.forget_if_done(producer_id)
    }

    /// Stands behind the writes that wait.
    pub fn join(self: &Arc<Self>, producer_id: ProducerId) -> Turn {
        let (done, end) = oneshot::channel();
        let before = self.ends.lock().insert(producer_id, end);
        Turn { order: Arc::clone(self), producer_id, before, done: Some(done) }
    }

    fn forget_if_done(&self, producer_id: ProducerId) -> bool {
        let mut ends = self.ends.lock();
        let Some(end) = ends.get_mut(&producer_id) else { return true };
        let is_done = !matches!(end.try_recv(), Err(TryRecvError::Empty));
        if is_done {
            ends.remove(&producer_id);
        }
        is_done
    }
}

impl Turn {
    /// Completes when all that stood before are done, or their connections are gone.
    pub async fn reached(&mut self) {
        if let Some(before) = self.before.take() {
            // An error says the same: the sender is gone.
            let _ = before.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.done.take());
        self.order.forget_if_done(self.producer_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const ID: ProducerId = ProducerId(7);

    fn is_reached(future: &mut std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn a_write_is_reached_when_those_before_it_are_done() {
        let order = Arc::new(WriteOrder::default());
        assert!(order.is_free(ID));
        let mut first = order.join(ID);
        assert!(is_reached(&mut pin!(first.reached())));
        assert!(!order.is_free(ID) && order.is_free(ProducerId(8)));
        let (mut second, mut third) = (order.join(ID), order.join(ID));
        {
            let (mut second, mut third) = (pin!(second.reached()), pin!(third.reached()));
            assert!(!is_reached(&mut second) && !is_reached(&mut third));
            drop(first);
            assert!(is_reached(&mut second) && !is_reached(&mut third));
        }
        drop(second);
        assert!(!order.is_free(ID));
        drop(third);
        assert!(order.is_free(ID));
        assert!(order.ends.lock().is_empty(), "nothing is kept of a producer that waits no more");
    }
}
