//! A write that begins its transaction in a partition: the coordinator adds the partition, or verifies it.
//! Shell. As Kafka's `AddPartitionsToTxnManager.addOrVerifyTransaction`.

use std::sync::Arc;

use ottla_model::{ErrorCode, ProducerEpoch, ProducerId};

use super::coordinator::TransactionCoordinator;
use super::decide;
use super::metadata::{PartitionSet, TransactionVersion};
use crate::runtime::Reply;
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

/// An error for all, or one for each partition in their order.
pub type Verified = Result<Vec<ErrorCode>, ErrorCode>;

impl TransactionCoordinator {
    /// What comes back is true of the moment before it comes: a guard in the partition's log shows whether the
    /// transaction has ended since. Success is given when the record that says it is durable: a batch must not be
    /// in a log whose transaction may yet be lost.
    pub fn add_or_verify(self: &Arc<Self>, joining: Joining) -> Reply<Verified> {
        let id = &*joining.transactional_id;
        let (producer_id, epoch) = (joining.producer_id, joining.producer_epoch);
        if id.is_empty() {
            return Reply::Now(Err(ErrorCode::InvalidRequest));
        }
        let shard = match self.runtime.shard_for(id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(Err(error)),
        };
        let decided = match joining.adds {
            true => self
                .step(&shard, id, |present, wall_ms| {
                    let version = TransactionVersion::V2;
                    decide::add_partitions(present, producer_id, epoch, &joining.partitions, version, wall_ms)
                })
                .map(|step| (vec![ErrorCode::None; joining.partitions.len()], step.last_record_offset())),
            false => self
                .runtime
                .turn(&shard, |guard| {
                    let core = guard.core();
                    let errors =
                        decide::verify_partitions(core.get(id), producer_id, epoch, &joining.partitions)?;
                    Ok::<_, ErrorCode>((errors, core.last_record_offset(id)))
                })
                .flatten(),
        };
        let (errors, last) = match decided {
            Ok(decided) => decided,
            Err(error) => return Reply::Now(Err(error)),
        };
        let is_any = errors.contains(&ErrorCode::None);
        match self.runtime.commit_wait(&shard, last.filter(|_| is_any)) {
            None => Reply::Now(Ok(errors)),
            Some(wait) => Reply::Later(Box::pin(async move {
                wait.wait().await?;
                Ok(errors)
            })),
        }
    }
}
