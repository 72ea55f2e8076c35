//! DescribeProducers (key 61), version 0: who produces to a partition (KIP-664).
//! Core over the log's interface.

use ottla_model::{ErrorCode, TopicName};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use ottla_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};
use ottla_replica::Partition;

use super::prelude::*;
use crate::access::text_of;
use crate::errors;

pub const API: Api = Api { key: ApiKey::DescribeProducers, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeProducersRequest = request.decode()?;
    let hosted = broker.replicas.hosted();
    let access = Access::of(broker, &request);
    let topics = body
        .topics
        .iter()
        .map(|topic| {
            let name = topic.name.as_str();
            let (refusal, why) = if TopicName::new(name).validate().is_err() {
                (ErrorCode::InvalidTopicException, "The topic has an invalid name.")
            } else if !access.topic(AclOperation::Read, name) {
                let error = ErrorCode::TopicAuthorizationFailed;
                (error, text_of(error))
            } else {
                (ErrorCode::UnknownTopicOrPartition, errors::NOT_HOSTED)
            };
            let may_see = refusal == ErrorCode::UnknownTopicOrPartition;
            let is_known = may_see && hosted.is_topic(name);
            let partitions = topic
                .partition_indexes
                .iter()
                .map(|index| {
                    let found = if may_see { hosted.partition(name, *index) } else { Err(refusal) };
                    let outcome = found.and_then(|partition| producers(partition));
                    match outcome {
                        Ok(active) => PartitionResponse::default()
                            .with_partition_index(*index)
                            .with_active_producers(active),
                        Err(error) => PartitionResponse::default()
                            .with_partition_index(*index)
                            .with_error_code(error.code())
                            .with_error_message((!is_known).then(|| text(why))),
                    }
                })
                .collect();
            TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
        })
        .collect();
    request.ready(&DescribeProducersResponse::default().with_topics(topics))
}

/// As this replica knows them: a follower is asked too (`Partition.activeProducerState`).
fn producers(partition: &Partition) -> Result<Vec<ProducerState>, ErrorCode> {
    let readable = partition.readable(-1).map_err(errors::unavailable)?;
    let states = readable.log().producers().into_iter().map(|producer| {
        let (id, producer) = producer;
        ProducerState::default()
            .with_producer_id(ProducerId(id.0))
            .with_producer_epoch(i32::from(producer.epoch.0))
            .with_last_sequence(producer.batches.last().map_or(-1, |batch| batch.last_sequence.0))
            .with_last_timestamp(producer.last_timestamp)
            .with_coordinator_epoch(producer.coordinator_epoch)
            .with_current_txn_start_offset(producer.current_txn_first_offset.map_or(-1, |offset| offset.0))
    });
    Ok(states.collect())
}
