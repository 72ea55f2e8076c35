//! Metadata (key 3), versions 0-13: brokers, topics and where their partitions lead.
//! Shell (automatic creation runs beside the answer).
//!
//! - v0: an empty topic list asks for all. v1+: null asks for all, empty for none; controller id.
//! - v2: cluster id. v3: throttle time. v4: `allow_auto_topic_creation` (KIP-204).
//! - v5: offline replicas. v7: leader epochs (KIP-320). v8: authorized operations (KIP-430).
//! - v9: flexible. v10: topic ids (KIP-516). v11: no cluster operations. v12: topics by id alone.
//! - v13: top-level error (KIP-1102).

use ottla_metadata::TopicImage;
use ottla_model::{ErrorCode, TopicId, TopicName};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName as WireTopicName};

use super::prelude::*;
use crate::auto_create;
use crate::context::{CLUSTER_OPERATIONS, OPERATIONS_OMITTED, TOPIC_OPERATIONS};

pub const API: Api = Api { key: ApiKey::Metadata, min: 0, max: 13, class: Class::Inline, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: MetadataRequest = request.decode()?;
    let version = request.version();
    let image = broker.image();
    let operations =
        if body.include_topic_authorized_operations { TOPIC_OPERATIONS } else { OPERATIONS_OMITTED };
    if version < 12
        && body.topics.iter().flatten().any(|topic| topic.name.is_none() || !topic.topic_id.is_nil())
    {
        return request.ready(&refuse(&body, ErrorCode::InvalidRequest));
    }
    let nameless = |topic: &MetadataRequestTopic| topic.name.is_none() && topic.topic_id.is_nil();
    if body.topics.iter().flatten().any(nameless) {
        // Kafka stumbles over it too.
        return request.ready(&refuse(&body, ErrorCode::UnknownServerError));
    }
    let asked = match &body.topics {
        Some(topics) if topics.is_empty() && version == 0 => None,
        asked => asked.as_ref(),
    };
    // Where one topic is named by id, names are not looked at (`KafkaApis.handleTopicMetadataRequest`).
    let by_id = asked.is_some_and(|topics| topics.iter().any(|topic| !topic.topic_id.is_nil()));
    let topics = match asked {
        None => image.topics().map(|topic| describe(topic, operations)).collect(),
        Some(asked) => {
            let mut missing = Vec::new();
            let mut answers: Vec<MetadataResponseTopic> = Vec::with_capacity(asked.len());
            // A topic asked for twice is answered once.
            let mut seen = std::collections::HashSet::with_capacity(asked.len());
            for topic in asked {
                let place = (topic.name.clone(), topic.topic_id);
                if (by_id && topic.topic_id.is_nil()) || !seen.insert(place) {
                    continue;
                }
                answers.push(answer_topic(&image, topic, operations, &mut missing));
            }
            if body.allow_auto_topic_creation || version < 4 {
                auto_create::start(broker, missing);
            }
            answers
        }
    };
    let (host, port) = broker.endpoint(&request.connection);
    let brokers = vec![
        MetadataResponseBroker::default()
            .with_node_id(broker.wire_node_id())
            .with_host(text(&host))
            .with_port(port)
            .with_rack(broker.config.rack.as_deref().map(text)),
    ];
    let cluster_operations =
        if body.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { OPERATIONS_OMITTED };
    let response = MetadataResponse::default()
        .with_brokers(brokers)
        .with_cluster_id(Some(text(image.cluster_id())))
        .with_controller_id(broker.wire_node_id())
        .with_topics(topics)
        .with_cluster_authorized_operations(cluster_operations);
    request.ready(&response)
}

fn answer_topic(
    image: &ottla_metadata::Image,
    asked: &MetadataRequestTopic,
    operations: i32,
    missing: &mut Vec<TopicName>,
) -> MetadataResponseTopic {
    let id = TopicId(asked.topic_id);
    match &asked.name {
        Some(name) if id.is_zero() => match image.topic(name.as_str()) {
            Some(topic) => describe(topic, operations),
            None => {
                let ours = TopicName::new(name.as_str());
                let error = if ours.validate().is_ok() {
                    missing.push(ours.clone());
                    ErrorCode::UnknownTopicOrPartition
                } else {
                    ErrorCode::InvalidTopicException
                };
                unknown(Some(name.clone()), TopicId::ZERO, error, ours.is_internal())
            }
        },
        _ => match image.topic_by_id(id) {
            Some(topic) => describe(topic, operations),
            None => unknown(None, id, ErrorCode::UnknownTopicId, false),
        },
    }
}

/// The whole request is refused.
fn refuse(body: &MetadataRequest, error: ErrorCode) -> MetadataResponse {
    let topics = body.topics.iter().flatten().map(|topic| {
        let name = topic.name.clone().unwrap_or_default();
        unknown(Some(name), TopicId(topic.topic_id), error, false)
    });
    MetadataResponse::default()
        .with_controller_id(BrokerId(-1))
        .with_topics(topics.collect())
        .with_cluster_authorized_operations(OPERATIONS_OMITTED)
}

fn unknown(
    name: Option<WireTopicName>,
    id: TopicId,
    error: ErrorCode,
    is_internal: bool,
) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(error.code())
        .with_name(name)
        .with_topic_id(id.0)
        .with_is_internal(is_internal)
        .with_topic_authorized_operations(OPERATIONS_OMITTED)
}

fn describe(topic: &Arc<TopicImage>, operations: i32) -> MetadataResponseTopic {
    let ids = |brokers: &[ottla_model::BrokerId]| brokers.iter().map(|id| BrokerId(id.0)).collect::<Vec<_>>();
    let partitions = topic
        .partitions
        .iter()
        .enumerate()
        .map(|(index, partition)| {
            let error =
                if partition.leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
            MetadataResponsePartition::default()
                .with_error_code(error.code())
                .with_partition_index(index as i32)
                .with_leader_id(BrokerId(partition.leader.map_or(-1, |leader| leader.0)))
                .with_leader_epoch(partition.leader_epoch.0)
                .with_replica_nodes(ids(&partition.replicas))
                .with_isr_nodes(ids(&partition.isr))
        })
        .collect();
    MetadataResponseTopic::default()
        .with_name(Some(WireTopicName(text(topic.name.as_str()))))
        .with_topic_id(topic.id.0)
        .with_is_internal(topic.internal)
        .with_partitions(partitions)
        .with_topic_authorized_operations(operations)
}
