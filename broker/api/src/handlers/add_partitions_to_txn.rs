//! AddPartitionsToTxn (key 24), versions 0-5: partitions become part of a transaction.
//! Shell (the answer waits for the transaction's record).
//!
//! - v2: PRODUCER_FENCED (KIP-588). v3: flexible. v4: the batched form of brokers (KIP-890). v5: KIP-890 too.

use ottla_coordinator::transaction::{PartitionSet, TransactionVersion};
use ottla_env::BoxFuture;
use ottla_model::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId, TopicName};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use ottla_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use ottla_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use super::prelude::*;
use crate::transactions::{all, fenced_for, partition};

pub const API: Api = Api { key: ApiKey::AddPartitionsToTxn, min: 0, max: 5, admit };

/// The first version with several transactions in a request.
const BATCHED_VERSION_MIN: i16 = 4;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AddPartitionsToTxnRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if request.version() >= BATCHED_VERSION_MIN && !access.cluster(AclOperation::ClusterAction) {
        let error = ErrorCode::ClusterAuthorizationFailed.code();
        return request.ready(&AddPartitionsToTxnResponse::default().with_error_code(error));
    }
    let broker = broker.clone();
    park(async move {
        let version = request.version();
        if version >= BATCHED_VERSION_MIN {
            let works = body.transactions.iter().map(|one| -> BoxFuture<'_, _> {
                Box::pin(async {
                    AddPartitionsToTxnResult::default()
                        .with_transactional_id(one.transactional_id.clone())
                        .with_topic_results(add(&broker, &access, one, version).await)
                })
            });
            let results = all(works.collect()).await;
            return request
                .answer(&AddPartitionsToTxnResponse::default().with_results_by_transaction(results));
        }
        let one = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(body.v3_and_below_transactional_id)
            .with_producer_id(body.v3_and_below_producer_id)
            .with_producer_epoch(body.v3_and_below_producer_epoch)
            .with_topics(body.v3_and_below_topics);
        let topics = add(&broker, &access, &one, version).await;
        request.answer(&AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics))
    })
}

async fn add(
    broker: &Broker,
    access: &Access,
    transaction: &AddPartitionsToTxnTransaction,
    version: i16,
) -> Vec<AddPartitionsToTxnTopicResult> {
    // The batched form is for brokers, who may add anything.
    let is_client = version < BATCHED_VERSION_MIN;
    if is_client && !access.transactional_id(AclOperation::Write, &transaction.transactional_id) {
        return results(&transaction.topics, |_, _| ErrorCode::TransactionalIdAuthorizationFailed);
    }
    let may_write = |topic: &str| {
        !is_client || (!TopicName::new(topic).is_internal() && access.topic(AclOperation::Write, topic))
    };
    let image = broker.image();
    let is_known = |topic: &str, index: i32| image.partition(topic, PartitionIndex(index)).is_some();
    let named = || transaction.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (&*t.name, *p)));
    if named().any(|(topic, index)| !may_write(topic) || !is_known(topic, index)) {
        // All or nothing: what could be added is told that it was not tried.
        return results(&transaction.topics, |topic, index| match is_known(topic, index) {
            _ if !may_write(topic) => ErrorCode::TopicAuthorizationFailed,
            true => ErrorCode::OperationNotAttempted,
            false => ErrorCode::UnknownTopicOrPartition,
        });
    }
    let partitions: PartitionSet = named().map(|(topic, index)| partition(topic, index)).collect();
    let producer_id = ProducerId(transaction.producer_id.0);
    let epoch = ProducerEpoch(transaction.producer_epoch);
    let id: &str = &transaction.transactional_id;
    let told = |error| fenced_for(error, version >= 2);
    if transaction.verify_only {
        let verified = broker.transactions.verify_partitions(id, producer_id, epoch, &partitions);
        return results(&transaction.topics, |topic, index| {
            let place = partitions.iter().position(|one| *one == partition(topic, index));
            match (&verified, place) {
                (Ok(errors), Some(place)) => errors[place],
                (Err(error), _) => told(*error),
                (Ok(_), None) => ErrorCode::UnknownTopicOrPartition,
            }
        });
    }
    let client = if version >= BATCHED_VERSION_MIN { TransactionVersion::V2 } else { TransactionVersion::V0 };
    let added = broker.transactions.add_partitions(id, producer_id, epoch, &partitions, client).await;
    let error = added.err().map_or(ErrorCode::None, told);
    results(&transaction.topics, |_, _| error)
}

fn results(
    topics: &[AddPartitionsToTxnTopic],
    error_of: impl Fn(&str, i32) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let result = |topic: &AddPartitionsToTxnTopic| {
        let partitions = topic.partitions.iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(error_of(&topic.name, *index).code())
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions.collect())
    };
    topics.iter().map(result).collect()
}
