//! The word of a transaction's coordinator on a write, from this node or another.
//! Shell. After Kafka's `AddPartitionsToTxnManager`.

use std::collections::BTreeMap;

use ottla_coordinator::Reply;
use ottla_coordinator::java_hash::partition_for;
use ottla_coordinator::transaction::{Joining, PartitionSet, Verified};
use ottla_model::topic::TRANSACTION_STATE_TOPIC;
use ottla_model::{BrokerId, ErrorCode, PartitionIndex, TopicPartition};
use ottla_network::outgoing::Peer;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use ottla_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ProducerId, TopicName,
};

use crate::context::Broker;
use crate::transactions::partition;

/// Has the coordinator add the partitions of a write, or verify that they were added.
pub fn add_or_verify(broker: &Broker, joining: Joining) -> Reply<Verified> {
    let Some(links) = &broker.cluster else { return broker.transactions.add_or_verify(joining) };
    let coordinator = coordinator_of(broker, &joining.transactional_id);
    if joining.transactional_id.is_empty() || coordinator == Some(broker.node_id) {
        return broker.transactions.add_or_verify(joining);
    }
    match coordinator.and_then(|id| links.nodes.peer(id)) {
        Some(peer) => Reply::Later(Box::pin(ask(peer, joining))),
        None => Reply::Now(Err(ErrorCode::CoordinatorNotAvailable)),
    }
}

/// Where the coordinator does not answer as it should, the producer tries its write again.
pub fn retriable(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator | ErrorCode::CoordinatorLoadInProgress
    )
}

fn coordinator_of(broker: &Broker, transactional_id: &str) -> Option<BrokerId> {
    let image = broker.image();
    let topic = image.topic(TRANSACTION_STATE_TOPIC)?;
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    topic.partition(PartitionIndex(partition_for(transactional_id, count)))?.leader
}

async fn ask(peer: Peer, joining: Joining) -> Verified {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for one in &joining.partitions {
        topics.entry(one.topic.as_str()).or_default().push(one.partition.0);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        AddPartitionsToTxnTopic::default().with_name(TopicName(text(name))).with_partitions(partitions)
    });
    let transaction = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(text(&joining.transactional_id).into())
        .with_producer_id(ProducerId(joining.producer_id.0))
        .with_producer_epoch(joining.producer_epoch.0)
        .with_verify_only(!joining.adds)
        .with_topics(topics.collect());
    let request = AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]);
    match peer.call(&request).await {
        Ok(answer) => told(&joining.partitions, &answer),
        Err(error) => {
            tracing::debug!(%error, "a transaction's coordinator gave no answer");
            Err(ErrorCode::CoordinatorNotAvailable)
        }
    }
}

fn told(partitions: &PartitionSet, answer: &AddPartitionsToTxnResponse) -> Verified {
    let code = |code: i16| ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError);
    if answer.error_code != 0 {
        return Err(code(answer.error_code));
    }
    let topics = answer.results_by_transaction.iter().flat_map(|one| &one.topic_results);
    let told: BTreeMap<TopicPartition, ErrorCode> = topics
        .flat_map(|topic| {
            let name = topic.name.clone();
            let results = topic.results_by_partition.iter();
            results.map(move |one| (partition(&name, one.partition_index), code(one.partition_error_code)))
        })
        .collect();
    // What the answer does not name was not decided.
    Ok(partitions.iter().map(|one| told.get(one).copied().unwrap_or(ErrorCode::UnknownServerError)).collect())
}
