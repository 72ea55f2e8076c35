//! CreatePartitions (key 37), versions 0-3: adds partitions to topics (KIP-195).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v2: flexible. v3: throttling quota (KIP-599).

use std::collections::HashMap;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, TopicName};

use super::prelude::*;
use crate::errors::operation_error;

pub const API: Api = Api { key: ApiKey::CreatePartitions, min: 0, max: 3, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: CreatePartitionsRequest = request.decode()?;
    let (broker, access, mut allowed) = (broker.clone(), Access::of(broker, &request), body.clone());
    let quota = request.mutations(3);
    park(async move {
        let unauthorized = take_unauthorized(&access, &mut allowed.topics);
        let response = match broker.metadata.create_partitions_within(allowed, quota.clone()).await {
            Ok(mut response) => {
                let error = ErrorCode::TopicAuthorizationFailed;
                response
                    .results
                    .extend(unauthorized.into_iter().map(|topic| answer(topic.name, error, None)));
                response
            }
            Err(error) => {
                let (error, why) = operation_error(&error);
                let why = why.map(StrBytes::from_string);
                let refused = body.topics.into_iter().map(|topic| answer(topic.name, error, why.clone()));
                CreatePartitionsResponse::default().with_results(refused.collect())
            }
        };
        request.throttle(quota.throttle_ms());
        request.answer(&response)
    })
}

fn answer(name: TopicName, error: ErrorCode, why: Option<StrBytes>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::default()
        .with_name(name)
        .with_error_code(error.code())
        .with_error_message(why)
}

/// A name that comes twice is refused for that.
fn take_unauthorized(access: &Access, topics: &mut Vec<CreatePartitionsTopic>) -> Vec<CreatePartitionsTopic> {
    if !access.is_limited() {
        return Vec::new();
    }
    let mut counts: HashMap<TopicName, usize> = HashMap::new();
    for topic in topics.iter() {
        *counts.entry(topic.name.clone()).or_default() += 1;
    }
    access.take_refused(topics, |topic| {
        counts[&topic.name] > 1 || access.topic(AclOperation::Alter, &topic.name)
    })
}
