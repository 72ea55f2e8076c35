//! CreateTopics (key 19), versions 2-7: makes topics.
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v4: -1 for the broker's defaults (KIP-464). v5: flexible, configs in the answer (KIP-525).
//! - v6: throttling quota (KIP-599). v7: topic ids (KIP-516).

use std::collections::HashMap;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName as WireTopicName};

use super::prelude::*;
use crate::errors::operation_error;

pub const API: Api = Api { key: ApiKey::CreateTopics, min: 2, max: 7, admit };

/// Refused by the controller, whoever asks.
const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: CreateTopicsRequest = request.decode()?;
    let broker = broker.clone();
    let access = Access::of(&broker, &request);
    let quota = request.mutations(6);
    park(async move {
        let mut allowed = body.clone();
        let unauthorized = take_unauthorized(&access, &mut allowed.topics);
        let response = match broker.metadata.create_topics_within(allowed, quota.clone()).await {
            Ok(response) => tell_by_access(&access, response, unauthorized),
            Err(error) => {
                let (error, why) = operation_error(&error);
                refused(&body, error.code(), why.map(StrBytes::from_string))
            }
        };
        request.throttle(quota.throttle_ms());
        request.answer(&response)
    })
}

/// Whoever may create in the cluster may create any topic. A name that comes twice is refused for that.
fn take_unauthorized(access: &Access, topics: &mut Vec<CreatableTopic>) -> Vec<CreatableTopic> {
    if !access.is_limited() || access.quietly().cluster(AclOperation::Create) {
        return Vec::new();
    }
    let mut counts: HashMap<WireTopicName, usize> = HashMap::new();
    for topic in topics.iter() {
        *counts.entry(topic.name.clone()).or_default() += 1;
    }
    access.take_refused(topics, |topic| {
        let is_refused_anyway = counts[&topic.name] > 1 || &*topic.name.0 == CLUSTER_METADATA_TOPIC;
        is_refused_anyway || access.topic(AclOperation::Create, &topic.name)
    })
}

/// Adds what was not allowed, and takes away what the client may not see of what it created.
fn tell_by_access(
    access: &Access,
    mut response: CreateTopicsResponse,
    unauthorized: Vec<CreatableTopic>,
) -> CreateTopicsResponse {
    if !access.is_limited() {
        return response;
    }
    let access = access.quietly();
    let error = ErrorCode::TopicAuthorizationFailed.code();
    for topic in response.topics.iter_mut().filter(|topic| topic.error_code == 0) {
        if !access.topic(AclOperation::DescribeConfigs, &topic.name) {
            topic.topic_config_error_code = error;
            topic.num_partitions = -1;
            topic.replication_factor = -1;
            topic.configs = Some(Vec::new());
        }
    }
    response.topics.extend(unauthorized.into_iter().map(|topic| {
        CreatableTopicResult::default()
            .with_name(topic.name)
            .with_error_code(error)
            .with_error_message(message("Authorization failed."))
    }));
    response
}

/// Every part of the request gets the same code and text.
fn refused(body: &CreateTopicsRequest, error: i16, why: Option<StrBytes>) -> CreateTopicsResponse {
    let topics = body.topics.iter().map(|topic| {
        CreatableTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(error)
            .with_error_message(why.clone())
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}
