//! DescribeShareGroupOffsets (key 90), versions 0-1: where share groups are in partitions (KIP-932).
//! Shell: looks at the ends of logs.
//!
//! - v1: the lag (KIP-1226).

use std::collections::BTreeSet;

use ottla_coordinator::share::SharePartitionKey;
use ottla_env::BoxFuture;
use ottla_model::{ErrorCode, GroupId, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use ottla_protocol::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use ottla_protocol::messages::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse};

use super::prelude::*;
use crate::partition_end::end_offset;
use crate::share;
use crate::transactions::all;

pub const API: Api = Api { key: ApiKey::DescribeShareGroupOffsets, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeShareGroupOffsetsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let broker = broker.clone();
    park(async move {
        let mut groups = Vec::with_capacity(body.groups.len());
        for asked in body.groups {
            groups.push(describe(&broker, &access, asked).await);
        }
        request.answer(&DescribeShareGroupOffsetsResponse { groups, ..Default::default() })
    })
}

async fn describe(
    broker: &Broker,
    access: &Access,
    asked: DescribeShareGroupOffsetsRequestGroup,
) -> DescribeShareGroupOffsetsResponseGroup {
    let mut group =
        DescribeShareGroupOffsetsResponseGroup { group_id: asked.group_id.clone(), ..Default::default() };
    if !share::is_enabled(broker) {
        group.error_code = ErrorCode::UnsupportedVersion.code();
        return group;
    }
    if !access.group(AclOperation::Describe, &asked.group_id) {
        group.error_code = ErrorCode::GroupAuthorizationFailed.code();
        return group;
    }
    let id = GroupId::new(&asked.group_id);
    if let Some(topics) = asked.topics {
        group.topics = asked_for(broker, access, &id, topics).await;
        return group;
    }
    match broker.groups.initialized_share_partitions(id.as_str()).into_future().await {
        Err(error) => {
            group.error_code = error.code.code();
            group.error_message = message(error.message);
        }
        Ok(initialized) => {
            let image = broker.image();
            let quiet = access.quietly();
            for (topic_id, partitions) in &initialized {
                let Some(topic) = image.topic_by_id(*topic_id) else { continue };
                if quiet.topic(AclOperation::Describe, topic.name.as_str()) {
                    let described = offsets(broker, &id, topic.name.as_str(), *topic_id, partitions).await;
                    group.topics.push(described);
                }
            }
        }
    }
    group
}

async fn asked_for(
    broker: &Broker,
    access: &Access,
    group: &GroupId,
    mut topics: Vec<DescribeShareGroupOffsetsRequestTopic>,
) -> Vec<DescribeShareGroupOffsetsResponseTopic> {
    let refused =
        access.take_refused(&mut topics, |topic| access.topic(AclOperation::Describe, &topic.topic_name));
    let image = broker.image();
    // Topics that are not there come behind those that are, and those one may not see last.
    let (known, unknown): (Vec<_>, Vec<_>) =
        topics.into_iter().partition(|topic| image.topic(&topic.topic_name).is_some());
    let mut answers = Vec::with_capacity(known.len() + unknown.len() + refused.len());
    for topic in known {
        let Some(topic_id) = image.topic(&topic.topic_name).map(|found| found.id) else { continue };
        let partitions: BTreeSet<i32> = topic.partitions.iter().copied().collect();
        answers.push(offsets(broker, group, &topic.topic_name, topic_id, &partitions).await);
    }
    answers.extend(unknown.into_iter().map(|topic| nothing(topic, ErrorCode::None)));
    answers.extend(refused.into_iter().map(|topic| nothing(topic, ErrorCode::TopicAuthorizationFailed)));
    answers
}

fn nothing(
    topic: DescribeShareGroupOffsetsRequestTopic,
    error: ErrorCode,
) -> DescribeShareGroupOffsetsResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| DescribeShareGroupOffsetsResponsePartition {
        partition_index: *partition,
        start_offset: -1,
        lag: -1,
        error_code: error.code(),
        error_message: (!error.is_none()).then(|| text(error.message())),
        ..Default::default()
    });
    DescribeShareGroupOffsetsResponseTopic {
        topic_name: topic.topic_name,
        partitions: partitions.collect(),
        ..Default::default()
    }
}

async fn offsets(
    broker: &Broker,
    group: &GroupId,
    name: &str,
    topic_id: TopicId,
    partitions: &BTreeSet<i32>,
) -> DescribeShareGroupOffsetsResponseTopic {
    let partitions = partitions.iter().map(|partition| {
        let key = SharePartitionKey { group: group.clone(), topic_id, partition: *partition };
        let described: BoxFuture<'_, _> = Box::pin(offset(broker, name, key));
        described
    });
    DescribeShareGroupOffsetsResponseTopic {
        topic_name: text(name),
        topic_id: topic_id.0,
        partitions: all(partitions.collect()).await,
        ..Default::default()
    }
}

/// What is not known is -1, and what cannot be known too: Kafka tells no error of the share coordinator.
async fn offset(
    broker: &Broker,
    name: &str,
    key: SharePartitionKey,
) -> DescribeShareGroupOffsetsResponsePartition {
    let partition_index = key.partition;
    let unknown = DescribeShareGroupOffsetsResponsePartition {
        partition_index,
        start_offset: -1,
        lag: -1,
        ..Default::default()
    };
    if share::check_place(broker, key.topic_id, key.partition).is_err() {
        return unknown;
    }
    let Ok(summary) = broker.share_channel.summary(&key).await else { return unknown };
    let unknown = DescribeShareGroupOffsetsResponsePartition {
        start_offset: summary.start_offset,
        leader_epoch: summary.leader_epoch,
        ..unknown
    };
    if summary.start_offset == -1 || summary.delivery_complete_count == -1 {
        return unknown;
    }
    match end_offset(broker, name, key.partition).await {
        Ok(end) => DescribeShareGroupOffsetsResponsePartition {
            lag: end - summary.start_offset - i64::from(summary.delivery_complete_count),
            ..unknown
        },
        Err(error) => refused(partition_index, error),
    }
}

fn refused(partition_index: i32, error: ErrorCode) -> DescribeShareGroupOffsetsResponsePartition {
    DescribeShareGroupOffsetsResponsePartition {
        partition_index,
        error_code: error.code(),
        error_message: message(error.message()),
        lag: -1,
        ..Default::default()
    }
}
