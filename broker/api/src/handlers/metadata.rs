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
use ottla_network::{Admitted, Answer};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName as WireTopicName};

use super::prelude::*;
use crate::access::OPERATIONS_OMITTED;
use crate::cluster::Cluster;
use crate::parked_metadata;
use crate::partition_answer::PartitionAnswer;

pub const API: Api = Api { key: ApiKey::Metadata, min: 0, max: 13, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: MetadataRequest = request.decode()?;
    match parked_metadata::place(broker, asked(&request, &body)) {
        None => Ok(Admitted::Ready(answer(broker, &request, &body))),
        Some(place) => {
            let broker = broker.clone();
            park(async move {
                parked_metadata::wait(&broker, asked(&request, &body), place).await;
                answer(&broker, &request, &body)
            })
        }
    }
}

/// The topics that are asked for; `None` asks for all.
fn asked<'a>(request: &Request, body: &'a MetadataRequest) -> Option<&'a [MetadataRequestTopic]> {
    match &body.topics {
        Some(topics) if topics.is_empty() && request.version() == 0 => None,
        asked => asked.as_deref(),
    }
}

fn answer(broker: &Arc<Broker>, request: &Request, body: &MetadataRequest) -> Answer {
    let version = request.version();
    let cluster = Cluster::of(broker, &request.connection);
    let image = cluster.image();
    let access = Access::of(broker, request);
    if version < 12
        && body.topics.iter().flatten().any(|topic| topic.name.is_none() || !topic.topic_id.is_nil())
    {
        return request.answer(&refuse(body, ErrorCode::InvalidRequest));
    }
    let nameless = |topic: &MetadataRequestTopic| topic.name.is_none() && topic.topic_id.is_nil();
    if body.topics.iter().flatten().any(nameless) {
        // Kafka stumbles over it too.
        return request.answer(&refuse(body, ErrorCode::UnknownServerError));
    }
    let asked = asked(request, body);
    // Where one topic is named by id, names are not looked at (`KafkaApis.handleTopicMetadataRequest`).
    let by_id = asked.is_some_and(|topics| topics.iter().any(|topic| !topic.topic_id.is_nil()));
    let may_create_missing =
        broker.config.auto_create_topics_enable && (body.allow_auto_topic_creation || version < 4);
    let view = View {
        version,
        cluster: &cluster,
        may_create_anything: !access.is_limited() || access.quietly().cluster(AclOperation::Create),
        access: &access,
        broker,
        connection: request.connection.id,
        tells_operations: body.include_topic_authorized_operations,
        may_create_missing,
    };
    let quiet = access.quietly();
    let topics = match asked {
        None => image
            .topics()
            .filter(|topic| quiet.topic(AclOperation::Describe, topic.name.as_str()))
            .map(|topic| view.describe(topic))
            .collect(),
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
                answers.push(view.answer_topic(topic, &mut missing));
            }
            if may_create_missing {
                broker.auto_create.start(request.connection.id, missing, &request.mutations(0));
            }
            answers
        }
    };
    let brokers = cluster.nodes().into_iter().map(|node| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(node.id.0))
            .with_host(text(&node.host))
            .with_port(node.port)
            .with_rack(node.rack.as_deref().map(text))
    });
    let cluster_operations = match body.include_cluster_authorized_operations {
        true => access.cluster_operations(),
        false => OPERATIONS_OMITTED,
    };
    let response = MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(text(image.cluster_id())))
        .with_controller_id(BrokerId(cluster.controller().map_or(-1, |id| id.0)))
        .with_topics(topics)
        .with_cluster_authorized_operations(cluster_operations);
    request.answer(&response)
}

/// What the client may see, and make.
struct View<'a> {
    version: i16,
    broker: &'a Broker,
    connection: u64,
    cluster: &'a Cluster<'a>,
    access: &'a Access,
    tells_operations: bool,
    may_create_missing: bool,
    /// Whether it may create in the whole cluster.
    may_create_anything: bool,
}

impl View<'_> {
    fn operations(&self, topic: &str) -> i32 {
        match self.tells_operations {
            true => self.access.topic_operations(topic),
            false => OPERATIONS_OMITTED,
        }
    }

    fn describe(&self, topic: &TopicImage) -> MetadataResponseTopic {
        let partitions = topic
            .partitions
            .iter()
            .enumerate()
            .map(|(index, partition)| {
                let answer = PartitionAnswer::of(self.cluster, partition).as_version(self.version);
                MetadataResponsePartition::default()
                    .with_error_code(answer.error.code())
                    .with_partition_index(index as i32)
                    .with_leader_id(answer.leader_id)
                    .with_leader_epoch(answer.leader_epoch)
                    .with_replica_nodes(answer.replicas)
                    .with_isr_nodes(answer.isr)
                    .with_offline_replicas(answer.offline_replicas)
            })
            .collect();
        MetadataResponseTopic::default()
            .with_name(Some(WireTopicName(text(topic.name.as_str()))))
            .with_topic_id(topic.id.0)
            .with_is_internal(topic.internal)
            .with_partitions(partitions)
            .with_topic_authorized_operations(self.operations(topic.name.as_str()))
    }

    fn answer_topic(
        &self,
        asked: &MetadataRequestTopic,
        missing: &mut Vec<TopicName>,
    ) -> MetadataResponseTopic {
        let id = TopicId(asked.topic_id);
        match &asked.name {
            Some(name) if id.is_zero() => self.answer_name(name, missing),
            _ => match self.cluster.image().topic_by_id(id) {
                Some(topic) if !self.access.topic(AclOperation::Describe, topic.name.as_str()) => {
                    unknown(None, id, ErrorCode::TopicAuthorizationFailed, false)
                }
                Some(topic) => self.describe(topic),
                None => unknown(None, id, ErrorCode::UnknownTopicId, false),
            },
        }
    }

    fn answer_name(&self, name: &WireTopicName, missing: &mut Vec<TopicName>) -> MetadataResponseTopic {
        if !self.access.topic(AclOperation::Describe, name) {
            // Whether it is there is not told.
            let error = ErrorCode::TopicAuthorizationFailed;
            return unknown(Some(name.clone()), TopicId::ZERO, error, false);
        }
        if let Some(topic) = self.cluster.image().topic(name.as_str()) {
            if self.broker.auto_create.is_held_back(self.connection, &topic.name) {
                return unknown(Some(name.clone()), TopicId::ZERO, ErrorCode::UnknownTopicOrPartition, false)
                    .with_topic_authorized_operations(self.operations(name));
            }
            return self.describe(topic);
        }
        let ours = TopicName::new(name.as_str());
        let may_be_made = !self.may_create_missing
            || self.may_create_anything
            || self.access.topic(AclOperation::Create, name);
        if !may_be_made {
            let error = ErrorCode::TopicAuthorizationFailed;
            return unknown(Some(name.clone()), TopicId::ZERO, error, ours.is_internal());
        }
        let error = match ours.validate() {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        if error == ErrorCode::UnknownTopicOrPartition {
            missing.push(ours.clone());
        }
        unknown(Some(name.clone()), TopicId::ZERO, error, ours.is_internal())
            .with_topic_authorized_operations(self.operations(name))
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
