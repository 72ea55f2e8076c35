//! Waiting for records at the end of partitions: the parked half of a long-polling fetch.
//! Core. Time is a future handed in.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ottla_env::BoxFuture;

use crate::partition::Partition;
use crate::wake::{WaitList, WaiterId};

/// One waiting fetch. Registered with all its partitions before it looks, so that no append is
/// missed between the look and the wait; leaves all lists when dropped.
pub struct TailWait {
    id: WaiterId,
    partitions: Vec<Arc<Partition>>,
    others: Vec<Arc<WaitList>>,
    deadline: BoxFuture<'static, ()>,
    expired: bool,
}

/// Why a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Woken {
    Append,
    Deadline,
}

impl TailWait {
    pub fn new(partitions: Vec<Arc<Partition>>, deadline: BoxFuture<'static, ()>) -> TailWait {
        TailWait { id: WaiterId::next(), partitions, others: Vec::new(), deadline, expired: false }
    }

    /// Looks also when one of these lists is woken: something other than an append may bring records.
    pub fn also(mut self, others: Vec<Arc<WaitList>>) -> TailWait {
        self.others = others;
        self
    }

    /// Looks with `look` now and after every append, until it finds something or the deadline
    /// passes; at the deadline the last look counts.
    pub async fn until<T>(mut self, mut look: impl FnMut(Woken) -> Option<T>) -> Option<T> {
        std::future::poll_fn(|context| self.poll_until(context, &mut look)).await
    }

    fn poll_until<T>(
        &mut self,
        context: &mut Context<'_>,
        look: &mut impl FnMut(Woken) -> Option<T>,
    ) -> Poll<Option<T>> {
        for partition in &self.partitions {
            partition.readers.join(self.id, context.waker());
        }
        for list in &self.others {
            list.join(self.id, context.waker());
        }
        if !self.expired {
            self.expired = Pin::new(&mut self.deadline).poll(context).is_ready();
        }
        let why = if self.expired { Woken::Deadline } else { Woken::Append };
        match look(why) {
            Some(found) => Poll::Ready(Some(found)),
            None if self.expired => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Drop for TailWait {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.readers.leave(self.id);
        }
        for list in &self.others {
            list.leave(self.id);
        }
    }
}
