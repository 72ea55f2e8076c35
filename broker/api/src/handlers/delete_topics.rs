//! DeleteTopics (key 20), versions 1-6: removes topics and what is in them.
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v3: TOPIC_DELETION_DISABLED. v4: flexible. v5: error text. v6: topic ids (KIP-516).

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use super::prelude::*;
use crate::errors::operation_error;

pub const API: Api = Api { key: ApiKey::DeleteTopics, min: 1, max: 6, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DeleteTopicsRequest = request.decode()?;
    let broker = broker.clone();
    park(async move {
        let response = match broker.metadata.delete_topics(body.clone(), request.version()).await {
            Ok(response) => response,
            Err(error) => {
                let (error, why) = operation_error(&error);
                refused(&body, error.code(), why.map(StrBytes::from_string))
            }
        };
        request.answer(&response)
    })
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
