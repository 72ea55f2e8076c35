//! Waiting for records at the end of partitions: the parked half of a long-polling fetch.
//! Core. Time is a future handed in.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ottla_env::BoxFuture;

use crate::partition::Partition;
use crate::wake::{LogPlace, WaitList, WaiterId};

/// One waiting fetch. Registered with all its partitions before it looks, so that no append is
/// missed between the look and the wait; leaves all lists when dropped.
pub struct TailWait {
    id: WaiterId,
    /// Each with the place from which on an append wakes this fetch.
    partitions: Vec<(Arc<Partition>, LogPlace)>,
    others: Vec<Arc<WaitList>>,
    deadline: BoxFuture<'static, ()>,
    expired: bool,
}

/// Why a fetch looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Woken {
    Append,
    Deadline,
}

/// What a look found.
pub enum Look<T> {
    Found(T),
    /// Not enough; any append is a reason to look again.
    Any,
    /// Not enough before the log of at least one partition, in the order of the wait, reaches its place.
    Places(Vec<LogPlace>),
}

impl<T> Look<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Look::Found(found) => Look::Found(change(found)),
            Look::Any => Look::Any,
            Look::Places(places) => Look::Places(places),
        }
    }
}

impl<T> From<Option<T>> for Look<T> {
    fn from(found: Option<T>) -> Look<T> {
        found.map_or(Look::Any, Look::Found)
    }
}

impl TailWait {
    pub fn new(partitions: Vec<Arc<Partition>>, deadline: BoxFuture<'static, ()>) -> TailWait {
        let partitions = partitions.into_iter().map(|partition| (partition, LogPlace::START)).collect();
        TailWait { id: WaiterId::next(), partitions, others: Vec::new(), deadline, expired: false }
    }

    /// Looks also when one of these lists is woken: something other than an append may bring records.
    pub fn also(mut self, others: Vec<Arc<WaitList>>) -> TailWait {
        self.others = others;
        self
    }

    /// Looks with `look` now and after every append that may change what it finds, until it finds something or the
    /// deadline passes; at the deadline the last look counts.
    pub async fn until<T>(mut self, mut look: impl FnMut(Woken) -> Look<T>) -> Option<T> {
        std::future::poll_fn(|context| self.poll_until(context, &mut look)).await
    }

    fn poll_until<T>(
        &mut self,
        context: &mut Context<'_>,
        look: &mut impl FnMut(Woken) -> Look<T>,
    ) -> Poll<Option<T>> {
        for (partition, place) in &self.partitions {
            partition.readers.join(*place, self.id, context.waker());
        }
        for list in &self.others {
            list.join(LogPlace::START, self.id, context.waker());
        }
        if !self.expired {
            self.expired = Pin::new(&mut self.deadline).poll(context).is_ready();
        }
        let why = if self.expired { Woken::Deadline } else { Woken::Append };
        match look(why) {
            Look::Found(found) => return Poll::Ready(Some(found)),
            _ if self.expired => return Poll::Ready(None),
            Look::Any => {}
            Look::Places(places) => self.wait_for(&places),
        }
        Poll::Pending
    }

    /// From here on only these places are a reason to look. An append since the look has woken this fetch already, or
    /// reached none of them.
    fn wait_for(&mut self, places: &[LogPlace]) {
        assert_eq!(places.len(), self.partitions.len(), "a place for each partition");
        for ((partition, place), new) in self.partitions.iter_mut().zip(places) {
            if *place < *new {
                partition.readers.change(*place, *new, self.id);
                *place = *new;
            }
        }
    }
}

impl Drop for TailWait {
    fn drop(&mut self) {
        for (partition, place) in &self.partitions {
            partition.readers.leave(*place, self.id);
        }
        for list in &self.others {
            list.leave(LogPlace::START, self.id);
        }
    }
}
