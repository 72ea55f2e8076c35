//! What the handlers of transactions share: partitions by name, and errors by version.
//! Shell.

use std::collections::BTreeMap;
use std::task::Poll;

use ottla_coordinator::transaction::PartitionSet;
use ottla_env::BoxFuture;
use ottla_model::topic::GROUP_METADATA_TOPIC;
use ottla_model::{ErrorCode, PartitionIndex, TopicName, TopicPartition};

use crate::context::Broker;

pub fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition::new(TopicName::new(topic), PartitionIndex(index))
}

/// The partition of `__consumer_offsets` that a group's offsets go to.
pub async fn offsets_partition(broker: &Broker, group_id: &str) -> Result<PartitionSet, ErrorCode> {
    if broker.groups.partition_for(group_id).is_none() {
        broker.groups.ensure_topic().await?;
    }
    known_offsets_partition(broker, group_id).ok_or(ErrorCode::CoordinatorNotAvailable)
}

pub fn known_offsets_partition(broker: &Broker, group_id: &str) -> Option<PartitionSet> {
    let index = broker.groups.partition_for(group_id)?;
    Some(PartitionSet::from([partition(GROUP_METADATA_TOPIC, index)]))
}

/// PRODUCER_FENCED came with KIP-588; clients before it know INVALID_PRODUCER_EPOCH.
pub fn fenced_for(error: ErrorCode, knows_fenced: bool) -> ErrorCode {
    match error {
        ErrorCode::ProducerFenced if !knows_fenced => ErrorCode::InvalidProducerEpoch,
        other => other,
    }
}

/// What becomes of several works, in their order; each is begun before any is waited for.
pub async fn all<T>(works: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut works: Vec<(Option<BoxFuture<'_, T>>, Option<T>)> =
        works.into_iter().map(|work| (Some(work), None)).collect();
    std::future::poll_fn(|context| {
        for (work, done) in &mut works {
            if let Some(Poll::Ready(outcome)) = work.as_mut().map(|work| work.as_mut().poll(context)) {
                (*work, *done) = (None, Some(outcome));
            }
        }
        if works.iter().all(|(work, _)| work.is_none()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    works.into_iter().filter_map(|(_, done)| done).collect()
}

/// What the version of a request that writes in a transaction supports (KIP-890); Kafka's class of this name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionSupportedOperation {
    /// None of the newer errors.
    DefaultError,
    /// TRANSACTION_ABORTABLE.
    GenericErrorSupported,
    /// That too, and the write itself adds its partitions to the transaction.
    AddPartition,
}

/// What a refusal of the coordinator becomes in the answer to a write.
pub fn write_error(error: ErrorCode, supported: TransactionSupportedOperation) -> ErrorCode {
    match error {
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if supported == TransactionSupportedOperation::DefaultError => {
            ErrorCode::InvalidTxnState
        }
        other => other,
    }
}

/// The outcome of each partition of a write.
pub fn outcomes(
    partitions: &PartitionSet,
    verified: Result<Vec<ErrorCode>, ErrorCode>,
    supported: TransactionSupportedOperation,
) -> BTreeMap<TopicPartition, ErrorCode> {
    let errors = verified.unwrap_or_else(|error| vec![error; partitions.len()]);
    let outcome = |(name, error): (&TopicPartition, ErrorCode)| (name.clone(), write_error(error, supported));
    partitions.iter().zip(errors).map(outcome).collect()
}
