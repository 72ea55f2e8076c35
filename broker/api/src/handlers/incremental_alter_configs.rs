//! IncrementalAlterConfigs (key 44), versions 0-1: changes single overrides of resources (KIP-339).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: flexible.
//!
//! Levels of loggers are changed here, whoever the controller is: they are no facts of the cluster (KIP-412).

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use ottla_metadata::ResourceType;
use ottla_metadata::controller::configs::{Through, decide_incremental_alter_configs};
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::config_access::take_unauthorized;
use crate::errors::code_of;
use crate::loggers::{DELETE, LevelChange};
use crate::own_settings::{Left, encoded, take_refused, through};
use crate::quotas::rest;
use crate::request::Refusal;

pub const API: Api = Api { key: ApiKey::IncrementalAlterConfigs, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: IncrementalAlterConfigsRequest = request.decode()?;
    let own = take(broker, &request, &mut body);
    if body.resources.is_empty() && !own.is_empty() {
        let response = IncrementalAlterConfigsResponse::default().with_responses(own);
        return request.ready(&response);
    }
    let (access, through) = (Access::of(broker, &request), through(&request));
    let (broker, mut allowed, done) = (broker.clone(), body.clone(), own.clone());
    let decision = async move {
        let unauthorized = take_unauthorized(&access, &mut allowed.resources, |resource| {
            (resource.resource_type, &resource.resource_name)
        });
        let mut response = broker.metadata.incremental_alter_configs_through(through, allowed).await?;
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
        IncrementalAlterConfigsResponse::default().with_responses(refused.chain(own).collect())
    })
}

/// What is this broker's own of a request for the controller.
pub(crate) fn take_own(broker: &Arc<Broker>, request: &Request) -> Result<Left, Refusal> {
    let mut body: IncrementalAlterConfigsRequest = request.decode()?;
    let own = take(broker, request, &mut body);
    if own.is_empty() {
        return Ok(Left::Whole);
    }
    if body.resources.is_empty() {
        let response = IncrementalAlterConfigsResponse::default().with_responses(own);
        return Ok(Left::Nothing(request.answer(&response)));
    }
    let complete = move |request: &Request, bytes: Bytes| {
        let mut response: IncrementalAlterConfigsResponse = request.answer_of_controller(bytes)?;
        response.responses.extend(own);
        Some(rest(request.answer(&response), response.throttle_time_ms))
    };
    Ok(Left::Part(encoded(&body, request.version()), Box::new(complete)))
}

/// Does what is said of this broker's loggers, and refuses what this broker would not take.
fn take(
    broker: &Arc<Broker>,
    request: &Request,
    body: &mut IncrementalAlterConfigsRequest,
) -> Vec<AlterConfigsResourceResponse> {
    let access = Access::of(broker, request);
    let mut own = alter_loggers(broker, &access, body);
    let refused = take_refused(
        request,
        &access,
        &mut body.resources,
        |resource| (resource.resource_type, &resource.resource_name),
        |rules, resources| {
            let asked = IncrementalAlterConfigsRequest::default().with_resources(resources);
            let decided =
                decide_incremental_alter_configs(&broker.image(), rules, Through::Broker, &asked).response;
            let refused = |one: AlterConfigsResourceResponse| {
                (one.resource_type, one.resource_name, code_of(one.error_code), one.error_message)
            };
            decided.responses.into_iter().map(refused).collect()
        },
    );
    own.extend(refused.into_iter().map(|(kind, name, error, why)| answer(kind, name, error, why)));
    own
}

/// Takes the loggers out of the request, and does what it says of them (`ConfigAdminManager.preprocess`). A resource that
/// comes twice is left to the controller, which refuses it.
fn alter_loggers(
    broker: &Broker,
    access: &Access,
    body: &mut IncrementalAlterConfigsRequest,
) -> Vec<AlterConfigsResourceResponse> {
    let is_logger = |resource: &AlterConfigsResource| {
        ResourceType::from_code(resource.resource_type) == Some(ResourceType::BrokerLogger)
    };
    if !body.resources.iter().any(is_logger) {
        return Vec::new();
    }
    let mut counts: HashMap<StrBytes, usize> = HashMap::new();
    for resource in body.resources.iter().filter(|resource| is_logger(resource)) {
        *counts.entry(resource.resource_name.clone()).or_default() += 1;
    }
    let is_once = |resource: &AlterConfigsResource| counts[&resource.resource_name] == 1;
    let (loggers, others) = std::mem::take(&mut body.resources)
        .into_iter()
        .partition::<Vec<_>, _>(|resource| is_logger(resource) && is_once(resource));
    body.resources = others;
    let altered = loggers.into_iter().map(|resource| {
        let (error, why) = match alter(broker, access, &resource, body.validate_only) {
            Ok(()) => (ErrorCode::None, None),
            Err((error, why)) => (error, why),
        };
        answer(resource.resource_type, resource.resource_name, error, why.and_then(message))
    });
    altered.collect()
}

fn alter(
    broker: &Broker,
    access: &Access,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), (ErrorCode, Option<String>)> {
    let invalid = |why: String| Err((ErrorCode::InvalidRequest, Some(why)));
    let mut names = HashSet::new();
    if !resource.configs.iter().all(|config| names.insert(config.name.as_str())) {
        return invalid("Error due to duplicate config keys".to_owned());
    }
    let is_null = |config: &&AlterableConfig| config.config_operation != DELETE && config.value.is_none();
    let nulls: Vec<&str> =
        resource.configs.iter().filter(is_null).map(|config| config.name.as_str()).collect();
    if !nulls.is_empty() {
        return invalid(format!("Null value not supported for : {}", nulls.join(", ")));
    }
    if !access.cluster(AclOperation::AlterConfigs) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return Err((error, Some(text_of(error).to_owned())));
    }
    let (name, ours) = (resource.resource_name.as_str(), broker.node_id.0);
    match name.parse::<i32>() {
        Ok(id) if id == ours => {}
        Ok(id) => return invalid(format!("Unexpected node id. Expected {ours}, but received {id}")),
        Err(_) => return invalid(format!("Node id must be an integer, but it is: {name}")),
    }
    let changes: Vec<LevelChange<'_>> = resource
        .configs
        .iter()
        .map(|config| LevelChange {
            name: config.name.as_str(),
            operation: config.config_operation,
            value: config.value.as_deref(),
        })
        .collect();
    broker.loggers.alter(&changes, validate_only)
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
