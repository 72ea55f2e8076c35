//! CreatePartitions (key 37), versions 0-3: adds partitions to topics (KIP-195).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v2: flexible. v3: throttling quota (KIP-599).

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::prelude::*;
use crate::errors::operation_error;

pub const API: Api = Api { key: ApiKey::CreatePartitions, min: 0, max: 3, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: CreatePartitionsRequest = request.decode()?;
    let broker = broker.clone();
    park(async move {
        let response = match broker.metadata.create_partitions(body.clone()).await {
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
fn refused(body: &CreatePartitionsRequest, error: i16, why: Option<StrBytes>) -> CreatePartitionsResponse {
    let results = body.topics.iter().map(|topic| {
        CreatePartitionsTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(error)
            .with_error_message(why.clone())
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}
