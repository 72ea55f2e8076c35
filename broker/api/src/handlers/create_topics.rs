//! CreateTopics (key 19), versions 2-7: makes topics.
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v4: -1 for the broker's defaults (KIP-464). v5: flexible, configs in the answer (KIP-525).
//! - v6: throttling quota (KIP-599). v7: topic ids (KIP-516).

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::prelude::*;
use crate::errors::operation_error;

pub const API: Api = Api { key: ApiKey::CreateTopics, min: 2, max: 7, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: CreateTopicsRequest = request.decode()?;
    let broker = broker.clone();
    park(async move {
        let response = match broker.metadata.create_topics(body.clone()).await {
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
fn refused(body: &CreateTopicsRequest, error: i16, why: Option<StrBytes>) -> CreateTopicsResponse {
    let topics = body.topics.iter().map(|topic| {
        CreatableTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(error)
            .with_error_message(why.clone())
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}
