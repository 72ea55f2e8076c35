//! AlterConfigs (key 33), versions 0-2: replaces all overrides of resources (deprecated by KIP-339).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v2: flexible.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::config_access::take_unauthorized;

pub const API: Api = Api { key: ApiKey::AlterConfigs, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AlterConfigsRequest = request.decode()?;
    let (broker, access, mut allowed) = (broker.clone(), Access::of(broker, &request), body.clone());
    let decision = async move {
        let unauthorized = take_unauthorized(&access, &mut allowed.resources, |resource| {
            (resource.resource_type, &resource.resource_name)
        });
        let mut response = broker.metadata.alter_configs(allowed).await?;
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
        AlterConfigsResponse::default().with_responses(refused.collect())
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
