//! Writing as a part of a transaction: what is appended, is appended while its partition is known to
//! belong to the transaction, and cannot end up behind the marker.
//! Shell.
//!
//! A write that has to wait (its partition's record is not durable yet) queues behind those of the same
//! producer that wait already, so that a producer's batches keep their order.

use std::sync::Arc;

use ottla_env::BoxFuture;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId};
use tokio::sync::oneshot;

use super::coordinator::TransactionCoordinator;
use super::decide;
use super::metadata::{PartitionSet, TransactionVersion};
use crate::shard::CoordinatorShard;

/// Who writes where.
#[derive(Clone, Debug)]
pub struct Joining {
    pub transactional_id: Box<str>,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub partitions: PartitionSet,
    /// The write itself adds its partitions (KIP-890, version 2).
    pub adds: bool,
}

/// What the writer is told: an error for all, or one for each partition in their order.
pub type Verified = Result<Vec<ErrorCode>, ErrorCode>;

/// What became of a try.
enum Tried<R> {
    Done(R),
    Wait(BoxFuture<'static, Result<(), ErrorCode>>),
}

impl TransactionCoordinator {
    /// Calls `write` once: now, or when nothing has to be waited for any more. It is called under the
    /// lock of the transaction's shard and must not wait.
    pub fn write_in_transaction<R: Send + 'static>(
        self: &Arc<Self>,
        joining: Joining,
        write: impl FnOnce(Verified) -> R + Send + 'static,
    ) -> crate::runtime::Reply<R> {
        let mut write = Some(write);
        let mut queues = self.queues.lock();
        let before = queues.remove(&joining.producer_id).filter_map_live();
        let mut first_wait = None;
        if before.is_none() {
            drop(queues);
            match self.try_write(&joining, &mut write) {
                Tried::Done(result) => return crate::runtime::Reply::Now(result),
                Tried::Wait(wait) => first_wait = Some(wait),
            }
            queues = self.queues.lock();
        }
        let (done, end) = oneshot::channel();
        queues.insert(joining.producer_id, end);
        drop(queues);
        let coordinator = Arc::clone(self);
        crate::runtime::Reply::Later(Box::pin(async move {
            if let Some(before) = before {
                // Whether it ended well or its connection is gone: it is no longer before this one.
                let _ = before.await;
            }
            if let Some(wait) = first_wait {
                // A loss has closed the shard, which the next try finds.
                let _ = wait.await;
            }
            let result = loop {
                match coordinator.try_write(&joining, &mut write) {
                    Tried::Done(result) => break result,
                    Tried::Wait(wait) => {
                        let _ = wait.await;
                    }
                }
            };
            drop(done);
            let mut queues = coordinator.queues.lock();
            if let Some(end) = queues.remove(&joining.producer_id).filter_map_live() {
                queues.insert(joining.producer_id, end);
            }
            drop(queues);
            result
        }))
    }

    fn try_write<R>(
        self: &Arc<Self>,
        joining: &Joining,
        write: &mut Option<impl FnOnce(Verified) -> R>,
    ) -> Tried<R> {
        let mut finish = |verified| match write.take() {
            Some(write) => Tried::Done(write(verified)),
            None => unreachable!("a write is done once"),
        };
        let id = &*joining.transactional_id;
        let (producer_id, epoch) = (joining.producer_id, joining.producer_epoch);
        if id.is_empty() {
            return finish(Err(ErrorCode::InvalidRequest));
        }
        let shard = match self.runtime.shard_for(id) {
            Ok(shard) => shard,
            Err(error) => return finish(Err(error)),
        };
        let tried = self.runtime.turn(&shard, |guard| {
            if joining.adds {
                let added = self.step_in(&shard, guard, id, |present, wall_ms| {
                    let version = TransactionVersion::V2;
                    decide::add_partitions(present, producer_id, epoch, &joining.partitions, version, wall_ms)
                });
                if let Err(error) = added {
                    return finish(Err(error));
                }
            }
            let core = guard.core();
            let verified = decide::verify_partitions(core.get(id), producer_id, epoch, &joining.partitions);
            let is_any = verified.as_ref().is_ok_and(|errors| errors.contains(&ErrorCode::None));
            if is_any
                && let after @ Some(_) = core.last_record_offset(id)
                && let Some(wait) = self.runtime.commit_wait(&shard, after)
            {
                return Tried::Wait(Box::pin(wait.wait()));
            }
            // The lock is held while it is written: a decision to end comes after it.
            finish(verified)
        });
        tried.unwrap_or_else(|error| finish(Err(error)))
    }
}

trait LiveQueue {
    fn filter_map_live(self) -> Option<oneshot::Receiver<()>>;
}

impl LiveQueue for Option<oneshot::Receiver<()>> {
    /// The queue's end, if somebody still stands there.
    fn filter_map_live(self) -> Option<oneshot::Receiver<()>> {
        let mut end = self?;
        match end.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => Some(end),
            _ => None,
        }
    }
}
