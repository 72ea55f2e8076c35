//! DescribeTopicPartitions (key 75), version 0: topics page by page (KIP-966).
//! Core.

use ottla_metadata::{PartitionImage, TopicImage};
use ottla_model::{ErrorCode, TopicName};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName as WireTopicName,
};

use super::prelude::*;
use crate::access::OPERATIONS_OMITTED;
use crate::cluster::{Cluster, wire_ids};
use crate::partition_answer::PartitionAnswer;

pub const API: Api = Api { key: ApiKey::DescribeTopicPartitions, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeTopicPartitionsRequest = request.decode()?;
    let cluster = Cluster::of(broker, &request.connection);
    let image = cluster.image();
    let all = body.topics.is_empty();
    let mut names: Vec<TopicName> = if all {
        image.topics().map(|topic| topic.name.clone()).collect()
    } else {
        body.topics.iter().map(|topic| TopicName::new(topic.name.as_str())).collect()
    };
    names.sort();
    names.dedup();
    let access = Access::of(broker, &request);
    if let Some(cursor) = &body.cursor
        && (cursor.partition_index < 0
            || (!all && !names.iter().any(|name| name.as_str() == cursor.topic_name.as_str())))
    {
        let refused = names.iter().map(|name| unknown(name, ErrorCode::InvalidRequest, OPERATIONS_OMITTED));
        return request.ready(&DescribeTopicPartitionsResponse::default().with_topics(refused.collect()));
    }
    let mut first_partition = 0;
    if let Some(cursor) = &body.cursor {
        let from = cursor.topic_name.as_str();
        names.retain(|name| name.as_str() >= from);
        if names.first().is_some_and(|name| name.as_str() == from) {
            first_partition = cursor.partition_index.max(0) as usize;
        }
    }
    // What may not be looked at is not told to be there.
    let mut hidden =
        access.take_refused(&mut names, |name| access.topic(AclOperation::Describe, name.as_str()));
    if all {
        hidden.clear();
    }
    let limit = body.response_partition_limit.min(broker.config.request_partition_size_limit).max(1);
    let mut left = limit as usize;
    let mut topics = Vec::new();
    let mut next_cursor = None;
    for name in names {
        if left == 0 {
            next_cursor = Some(cursor(&name, 0));
            break;
        }
        let Some(topic) = image.topic(name.as_str()) else {
            if !all {
                let error = match name.validate() {
                    Ok(()) => ErrorCode::UnknownTopicOrPartition,
                    Err(_) => ErrorCode::InvalidTopicException,
                };
                topics.push(unknown(&name, error, access.topic_operations(name.as_str())));
            }
            continue;
        };
        let skipped = std::mem::take(&mut first_partition);
        let page: Vec<_> = topic.partitions.iter().enumerate().skip(skipped).take(left).collect();
        left -= page.len();
        let end = skipped + page.len();
        topics.push(describe(&cluster, topic, page, access.topic_operations(name.as_str())));
        if end < topic.partitions.len() {
            next_cursor = Some(cursor(&name, end as i32));
            break;
        }
    }
    topics.extend(hidden.iter().map(|name| {
        let error = ErrorCode::TopicAuthorizationFailed;
        unknown(name, error, OPERATIONS_OMITTED).with_is_internal(false)
    }));
    let response =
        DescribeTopicPartitionsResponse::default().with_topics(topics).with_next_cursor(next_cursor);
    request.ready(&response)
}

fn cursor(name: &TopicName, partition_index: i32) -> Cursor {
    Cursor::default()
        .with_topic_name(WireTopicName(text(name.as_str())))
        .with_partition_index(partition_index)
}

fn unknown(name: &TopicName, error: ErrorCode, operations: i32) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(error.code())
        .with_name(Some(WireTopicName(text(name.as_str()))))
        .with_is_internal(name.is_internal())
        .with_topic_authorized_operations(operations)
}

fn describe(
    cluster: &Cluster<'_>,
    topic: &TopicImage,
    page: Vec<(usize, &Arc<PartitionImage>)>,
    operations: i32,
) -> DescribeTopicPartitionsResponseTopic {
    let partitions = page
        .into_iter()
        .map(|(index, partition)| {
            // That there is no leader is no error here (`KRaftMetadataCache.getPartitionMetadataForDescribeTopicResponse`).
            let answer = PartitionAnswer::of(cluster, partition);
            DescribeTopicPartitionsResponsePartition::default()
                .with_partition_index(index as i32)
                .with_leader_id(answer.leader_id)
                .with_leader_epoch(answer.leader_epoch)
                .with_replica_nodes(answer.replicas)
                .with_isr_nodes(answer.isr)
                .with_eligible_leader_replicas(Some(wire_ids(partition.elr())))
                .with_last_known_elr(Some(wire_ids(partition.last_known_elr())))
                .with_offline_replicas(answer.offline_replicas)
        })
        .collect();
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(WireTopicName(text(topic.name.as_str()))))
        .with_topic_id(topic.id.0)
        .with_is_internal(topic.internal)
        .with_partitions(partitions)
        .with_topic_authorized_operations(operations)
}
