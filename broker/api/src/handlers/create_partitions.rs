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
    let broker = broker.clone();
    let access = Access::of(&broker, &request);
    park(async move {
        let mut allowed = body.clone();
        let unauthorized = take_unauthorized(&access, &mut allowed.topics);
        let response = match broker.metadata.create_partitions(allowed).await {
            Ok(mut response) => {
                let error = ErrorCode::TopicAuthorizationFailed.code();
                response.results.extend(unauthorized.into_iter().map(|topic| {
                    CreatePartitionsTopicResult::default()
                        .with_name(topic.name)
                        .with_error_code(error)
                        .with_error_message(None)
                }));
                response
            }
            Err(error) => {
                let (error, why) = operation_error(&error);
                refused(&body, error.code(), why.map(StrBytes::from_string))
            }
        };
        request.answer(&response)
    })
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

/// Every part of the request gets the same code and text.
fn refused(body: &CreatePartitionsRequest, error: i16, why: Option<StrBytes>) -> CreatePartitionsResponse {
    let results = body.topics.iter().map(|topic| {
        CreatePartitionsTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(error)
            .with_error_message(why.clone())
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}
