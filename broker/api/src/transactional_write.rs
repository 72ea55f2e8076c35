//! A write in a transaction: a guard from the log, the word of the coordinator, and then the append (KIP-890).
//! Shell.
//!
//! The guard is taken first. A marker that is appended while the coordinator is asked takes it away again, and the
//! log refuses the batch: it can never lie behind the end of its transaction. No lock is held from one step to the
//! next. A partition in which the transaction has a batch already needs no guard, and the coordinator is not asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_coordinator::Reply;
use ottla_coordinator::transaction::{Joining, PartitionSet};
use ottla_log::AppendOrigin;
use ottla_log::verification::{FirstBatch, Verification};
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use ottla_replica::Partition;

use crate::context::Broker;
use crate::transaction_joining::{add_or_verify, retriable};
use crate::transactions::{TransactionSupportedOperation, outcomes};

/// Who writes where, in which transaction.
pub struct TransactionalWrite {
    pub transactional_id: Box<str>,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub partitions: Vec<(Arc<Partition>, FirstBatch)>,
    pub supported: TransactionSupportedOperation,
}

/// What is known of the partitions of a write when it is to be appended.
#[derive(Default)]
pub struct VerifiedWrite {
    verifications: BTreeMap<TopicPartition, Verification>,
    /// What the coordinator said of those that needed a guard.
    outcomes: BTreeMap<TopicPartition, ErrorCode>,
}

impl TransactionalWrite {
    /// Takes the guards, and asks the coordinator where one is needed.
    pub fn verify(&self, broker: &Broker) -> Reply<VerifiedWrite> {
        let wall_ms = broker.env.clock.wall_ms();
        let (mut verifications, mut needed) = (BTreeMap::new(), PartitionSet::new());
        for (partition, first) in &self.partitions {
            // A partition that is not led here refuses the append.
            let Ok(led) = partition.led(-1) else { continue };
            let verification = led.log().begin_verification(first, wall_ms);
            if verification != Verification::Ongoing {
                needed.insert(partition.name.clone());
            }
            verifications.insert(partition.name.clone(), verification);
        }
        if needed.is_empty() {
            return Reply::Now(VerifiedWrite { verifications, outcomes: BTreeMap::new() });
        }
        let joining = Joining {
            transactional_id: self.transactional_id.clone(),
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            partitions: needed.clone(),
            adds: self.supported == TransactionSupportedOperation::AddPartition,
        };
        let supported = self.supported;
        add_or_verify(broker, joining).map(move |verified| VerifiedWrite {
            verifications,
            outcomes: outcomes(&needed, verified.map_err(for_write), supported),
        })
    }
}

/// Producers know nothing of coordinators here; this they try again (`ReplicaManager.appendRecords`).
fn for_write(error: ErrorCode) -> ErrorCode {
    if retriable(error) { ErrorCode::NotEnoughReplicas } else { error }
}

impl VerifiedWrite {
    /// What refuses the batch of a partition before it is appended.
    pub fn refusal(&self, name: &TopicPartition) -> Option<ErrorCode> {
        self.outcomes.get(name).copied().filter(|error| *error != ErrorCode::None)
    }

    /// The batch of a partition is one of a transaction.
    pub fn has(&self, name: &TopicPartition) -> bool {
        self.verifications.contains_key(name)
    }

    pub fn origin(&self, name: &TopicPartition) -> AppendOrigin {
        match self.verifications.get(name) {
            Some(verification) => AppendOrigin::verified_client(*verification),
            None => AppendOrigin::Client,
        }
    }
}
