//! Waiting for the disk on behalf of acknowledgements: one future for all partitions of a request.
//! Core.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ottla_model::Offset;

use crate::partition::Partition;
use crate::wake::StorageFailed;

/// What one append waits for.
pub struct Pending {
    pub partition: Arc<Partition>,
    pub end: Offset,
    outcome: Option<Result<(), StorageFailed>>,
}

impl Pending {
    pub fn new(partition: Arc<Partition>, end: Offset) -> Pending {
        Pending { partition, end, outcome: None }
    }
}

/// Completes when each append is durable or has failed; the outcomes are in the order given.
pub struct AllDurable(Vec<Pending>);

impl AllDurable {
    pub fn new(pending: Vec<Pending>) -> AllDurable {
        for one in &pending {
            one.partition.request_flush(one.end);
        }
        AllDurable(pending)
    }
}

impl Future for AllDurable {
    type Output = Vec<Result<(), StorageFailed>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waiting = false;
        for one in &mut self.0 {
            if one.outcome.is_none() {
                match one.partition.poll_durable(one.end, context) {
                    Poll::Ready(outcome) => one.outcome = Some(outcome),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            return Poll::Pending;
        }
        Poll::Ready(self.0.iter().map(|one| one.outcome.unwrap_or(Err(StorageFailed))).collect())
    }
}
