//! IncrementalAlterConfigs (key 44), versions 0-1: changes single overrides of resources (KIP-339).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: flexible.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::config_access::take_unauthorized;

pub const API: Api = Api { key: ApiKey::IncrementalAlterConfigs, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: IncrementalAlterConfigsRequest = request.decode()?;
    let (broker, access, mut allowed) = (broker.clone(), Access::of(broker, &request), body.clone());
    let decision = async move {
        let unauthorized = take_unauthorized(&access, &mut allowed.resources, |resource| {
            (resource.resource_type, &resource.resource_name)
        });
        let mut response = broker.metadata.incremental_alter_configs(allowed).await?;
        response.responses.extend(unauthorized.into_iter().map(|(resource, error)| {
            answer(resource.resource_type, resource.resource_name, error, message(text_of(error)))
        }));
        Ok(response)
    };
    forward_to_controller(request, decision, move |error, why| {
        let refused = body
            .resources
            .into_iter()
            .map(|resource| answer(resource.resource_type, resource.resource_name, error, why.clone()));
        IncrementalAlterConfigsResponse::default().with_responses(refused.collect())
    })
}

fn answer(
    resource_type: i8,
    name: StrBytes,
    error: ErrorCode,
    why: Option<StrBytes>,
) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse::default()
        .with_error_code(error.code())
        .with_error_message(why)
        .with_resource_type(resource_type)
        .with_resource_name(name)
}
