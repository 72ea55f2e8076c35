//! IncrementalAlterConfigs (key 44), versions 0-1: changes single overrides of resources (KIP-339).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: flexible.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::config_access::take_unauthorized;
use crate::errors::operation_error;

pub const API: Api = Api { key: ApiKey::IncrementalAlterConfigs, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: IncrementalAlterConfigsRequest = request.decode()?;
    let broker = broker.clone();
    let access = Access::of(&broker, &request);
    park(async move {
        let mut allowed = body.clone();
        let unauthorized = take_unauthorized(&access, &mut allowed.resources, |resource| {
            (resource.resource_type, &resource.resource_name)
        });
        let response = match broker.metadata.incremental_alter_configs(allowed).await {
            Ok(mut response) => {
                response.responses.extend(unauthorized.into_iter().map(|(resource, error)| {
                    AlterConfigsResourceResponse::default()
                        .with_error_code(error.code())
                        .with_error_message(message(text_of(error)))
                        .with_resource_type(resource.resource_type)
                        .with_resource_name(resource.resource_name)
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

/// Every part of the request gets the same code and text.
fn refused(
    body: &IncrementalAlterConfigsRequest,
    error: i16,
    why: Option<StrBytes>,
) -> IncrementalAlterConfigsResponse {
    let responses = body.resources.iter().map(|resource| {
        AlterConfigsResourceResponse::default()
            .with_error_code(error)
            .with_error_message(why.clone())
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}
