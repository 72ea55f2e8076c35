//! AlterConfigs (key 33), versions 0-2: replaces all overrides of resources (deprecated by KIP-339).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v2: flexible.

use bytes::Bytes;
use ottla_metadata::controller::configs::{Through, decide_alter_configs};
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::config_access::take_unauthorized;
use crate::errors::code_of;
use crate::own_settings::{Left, encoded, take_refused, through};
use crate::quotas::rest;
use crate::request::Refusal;

pub const API: Api = Api { key: ApiKey::AlterConfigs, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: AlterConfigsRequest = request.decode()?;
    let own = take(broker, &request, &mut body);
    if body.resources.is_empty() && !own.is_empty() {
        return request.ready(&AlterConfigsResponse::default().with_responses(own));
    }
    let (access, through) = (Access::of(broker, &request), through(&request));
    let (broker, mut allowed, done) = (broker.clone(), body.clone(), own.clone());
    let decision = async move {
        let unauthorized = take_unauthorized(&access, &mut allowed.resources, |resource| {
            (resource.resource_type, &resource.resource_name)
        });
        let mut response = broker.metadata.alter_configs_through(through, allowed).await?;
        response.responses.extend(unauthorized.into_iter().map(|(resource, error)| {
            answer(resource.resource_type, resource.resource_name, error, message(text_of(error)))
        }));
        response.responses.extend(done);
        Ok(response)
    };
    forward_to_controller(request, decision, move |error, why| {
        let refused = body
            .resources
            .into_iter()
            .map(|resource| answer(resource.resource_type, resource.resource_name, error, why.clone()));
        AlterConfigsResponse::default().with_responses(refused.chain(own).collect())
    })
}

/// What is this broker's own of a request for the controller.
pub(crate) fn take_own(broker: &Arc<Broker>, request: &Request) -> Result<Left, Refusal> {
    let mut body: AlterConfigsRequest = request.decode()?;
    let own = take(broker, request, &mut body);
    if own.is_empty() {
        return Ok(Left::Whole);
    }
    if body.resources.is_empty() {
        let response = AlterConfigsResponse::default().with_responses(own);
        return Ok(Left::Nothing(request.answer(&response)));
    }
    let complete = move |request: &Request, bytes: Bytes| {
        let mut response: AlterConfigsResponse = request.answer_of_controller(bytes)?;
        response.responses.extend(own);
        Some(rest(request.answer(&response), response.throttle_time_ms))
    };
    Ok(Left::Part(encoded(&body, request.version()), Box::new(complete)))
}

/// Refuses what this broker would not take.
fn take(
    broker: &Arc<Broker>,
    request: &Request,
    body: &mut AlterConfigsRequest,
) -> Vec<AlterConfigsResourceResponse> {
    let refused = take_refused(
        request,
        &Access::of(broker, request),
        &mut body.resources,
        |resource| (resource.resource_type, &resource.resource_name),
        |rules, resources| {
            let asked = AlterConfigsRequest::default().with_resources(resources);
            let decided = decide_alter_configs(&broker.image(), rules, Through::Broker, &asked).response;
            let refused = |one: AlterConfigsResourceResponse| {
                (one.resource_type, one.resource_name, code_of(one.error_code), one.error_message)
            };
            decided.responses.into_iter().map(refused).collect()
        },
    );
    refused.into_iter().map(|(kind, name, error, why)| answer(kind, name, error, why)).collect()
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
