//! DeleteTopics (key 20), versions 1-6: removes topics and what is in them.
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v3: TOPIC_DELETION_DISABLED. v4: flexible. v5: error text, throttling quota (KIP-599). v6: topic ids (KIP-516).

use std::collections::HashMap;

use ottla_metadata::Image;
use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName as WireTopicName};
use uuid::Uuid;

use super::prelude::*;
use crate::access::text_of;
use crate::errors::{self, operation_error};

pub const API: Api = Api { key: ApiKey::DeleteTopics, min: 1, max: 6, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DeleteTopicsRequest = request.decode()?;
    let broker = broker.clone();
    let access = Access::of(&broker, &request);
    let quota = request.mutations(5);
    park(async move {
        let mut allowed = body.clone();
        let unauthorized = take_unauthorized(&access, &broker, &mut allowed);
        let response = match broker.metadata.delete_topics_within(allowed, quota.clone()).await {
            Ok(mut response) => {
                response.responses.extend(unauthorized);
                response
            }
            Err(error) => {
                let (error, why) = operation_error(&error);
                let (error, why) = match error {
                    // They know no code of its own.
                    ErrorCode::TopicDeletionDisabled if request.version() < 3 => {
                        (ErrorCode::InvalidRequest, Some("Topic deletion is disabled.".to_owned()))
                    }
                    error => (error, why),
                };
                refused(&body, error.code(), why.map(StrBytes::from_string))
            }
        };
        request.throttle(quota.throttle_ms());
        request.answer(&response)
    })
}

/// Takes out what may not be deleted, with its answers. A name or an id that comes twice is refused for that.
fn take_unauthorized(
    access: &Access,
    broker: &Broker,
    body: &mut DeleteTopicsRequest,
) -> Vec<DeletableTopicResult> {
    if !access.is_limited() || access.quietly().cluster(AclOperation::Delete) {
        return Vec::new();
    }
    let image = broker.image();
    let mut counts: HashMap<Place, usize> = HashMap::new();
    let named = body.topic_names.iter().map(|name| (Some(name.clone()), Uuid::nil()));
    for place in named.chain(body.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id))) {
        *counts.entry(place).or_default() += 1;
    }
    let refusal_of = |place: &Place| match counts[place] {
        1 => refusal_of(access, &image, place),
        _ => None,
    };
    let place_of = |name: &WireTopicName| (Some(name.clone()), Uuid::nil());
    let names = access.take_refused(&mut body.topic_names, |name| refusal_of(&place_of(name)).is_none());
    let topics = access
        .take_refused(&mut body.topics, |topic| refusal_of(&(topic.name.clone(), topic.topic_id)).is_none());
    let places = names.iter().map(place_of);
    let places = places.chain(topics.into_iter().map(|topic| (topic.name, topic.topic_id)));
    places.filter_map(|place| refusal_of(&place)).collect()
}

/// A topic by name, or by id.
type Place = (Option<WireTopicName>, Uuid);

/// What is answered for a topic that may not be deleted. Nothing of it is left to the controller: what is
/// absent now might be there when it decides. What may not be looked at is not told by name to whoever
/// asked by id. (`ControllerApis.deleteTopics`.)
fn refusal_of(access: &Access, image: &Image, place: &Place) -> Option<DeletableTopicResult> {
    let refuse = |name: Option<WireTopicName>, id: Uuid, error: ErrorCode, why: &str| {
        let result = DeletableTopicResult::default().with_name(name).with_topic_id(id);
        Some(result.with_error_code(error.code()).with_error_message(message(why)))
    };
    let unauthorized = ErrorCode::TopicAuthorizationFailed;
    let why = text_of(unauthorized);
    match place {
        // Both or none of them: refused for that.
        (Some(_), id) if !id.is_nil() => None,
        (Some(name), nil) => {
            if !access.topic(AclOperation::Describe, name) {
                return refuse(Some(name.clone()), *nil, unauthorized, why);
            }
            if access.topic(AclOperation::Delete, name) {
                return None;
            }
            match image.topic(name.as_str()) {
                Some(_) => refuse(Some(name.clone()), *nil, unauthorized, why),
                None => {
                    refuse(Some(name.clone()), *nil, ErrorCode::UnknownTopicOrPartition, errors::NOT_HOSTED)
                }
            }
        }
        (None, id) => {
            let topic = image.topic_by_id(TopicId(*id))?;
            let name = topic.name.as_str();
            if access.topic(AclOperation::Delete, name) {
                return None;
            }
            let shown = access.topic(AclOperation::Describe, name).then(|| WireTopicName(text(name)));
            refuse(shown, *id, unauthorized, why)
        }
    }
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
