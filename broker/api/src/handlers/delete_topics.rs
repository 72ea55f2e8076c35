//! DeleteTopics (key 20), versions 1-6: removes topics and what is in them.
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v3: TOPIC_DELETION_DISABLED. v4: flexible. v5: error text. v6: topic ids (KIP-516).

use std::collections::HashMap;

use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName as WireTopicName};
use uuid::Uuid;

use super::prelude::*;
use crate::access::text_of;
use crate::errors::operation_error;

pub const API: Api = Api { key: ApiKey::DeleteTopics, min: 1, max: 6, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DeleteTopicsRequest = request.decode()?;
    let broker = broker.clone();
    let access = Access::of(&broker, &request);
    park(async move {
        let mut allowed = body.clone();
        let unauthorized = take_unauthorized(&access, &broker, &mut allowed);
        let response = match broker.metadata.delete_topics(allowed, request.version()).await {
            Ok(mut response) => {
                response.responses.extend(unauthorized);
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

/// Takes out what may not be deleted, with its answers. What may not be looked at is not told by name
/// if it was asked for by id. A name or an id that comes twice is refused for that.
fn take_unauthorized(
    access: &Access,
    broker: &Broker,
    body: &mut DeleteTopicsRequest,
) -> Vec<DeletableTopicResult> {
    if !access.is_limited() || access.cluster(AclOperation::Delete) {
        return Vec::new();
    }
    let image = broker.image();
    let mut counts: HashMap<(Option<WireTopicName>, Uuid), usize> = HashMap::new();
    let named = body.topic_names.iter().map(|name| (Some(name.clone()), Uuid::nil()));
    for place in named.chain(body.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id))) {
        *counts.entry(place).or_default() += 1;
    }
    let is_allowed = |name: &Option<WireTopicName>, id: Uuid| {
        let is_refused_anyway = counts[&(name.clone(), id)] > 1;
        let found = match name {
            // Both or none of them: refused for that.
            Some(_) if !id.is_nil() => None,
            Some(name) => Some(name.as_str().to_owned()),
            None => image.topic_by_id(TopicId(id)).map(|topic| topic.name.as_str().to_owned()),
        };
        let Some(found) = found.filter(|_| !is_refused_anyway) else { return true };
        let is_hidden_or_gone = name.is_some() && image.topic(&found).is_none();
        match is_hidden_or_gone {
            // A name that nobody has is told as such to whoever may look at it.
            true => access.topic(AclOperation::Describe, &found),
            false => access.topic(AclOperation::Delete, &found),
        }
    };
    let names =
        access.take_refused(&mut body.topic_names, |name| is_allowed(&Some(name.clone()), Uuid::nil()));
    let topics = access.take_refused(&mut body.topics, |topic| is_allowed(&topic.name, topic.topic_id));
    let named = names.into_iter().map(|name| (Some(name), Uuid::nil()));
    let refused = named.chain(topics.into_iter().map(|topic| (topic.name, topic.topic_id)));
    let error = ErrorCode::TopicAuthorizationFailed;
    refused
        .map(|(name, id)| {
            let known = || image.topic_by_id(TopicId(id)).map(|topic| topic.name.as_str().to_owned());
            let shown = || known().filter(|name| access.topic(AclOperation::Describe, name));
            let name = name.or_else(|| shown().map(|name| WireTopicName(StrBytes::from_string(name))));
            DeletableTopicResult::default()
                .with_name(name)
                .with_topic_id(id)
                .with_error_code(error.code())
                .with_error_message(message(text_of(error)))
        })
        .collect()
}

/// Every part of the request gets the same code and text.
fn refused(body: &DeleteTopicsRequest, error: i16, why: Option<StrBytes>) -> DeleteTopicsResponse {
    let named = body.topic_names.iter().map(|name| (Some(name.clone()), uuid::Uuid::nil()));
    let topics = body.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
    let responses = named.chain(topics).map(|(name, topic_id)| {
        DeletableTopicResult::default()
            .with_name(name)
            .with_topic_id(topic_id)
            .with_error_code(error)
            .with_error_message(why.clone())
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
}
