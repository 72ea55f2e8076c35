//! IncrementalAlterConfigs (key 44), versions 0-1: changes single overrides of resources (KIP-339).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: flexible.
//!
//! Levels of loggers are changed here, whoever the controller is: they are no facts of the cluster (KIP-412).

use std::collections::{HashMap, HashSet};

use ottla_metadata::ResourceType;
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::config_access::take_unauthorized;
use crate::loggers::{DELETE, LevelChange};

pub const API: Api = Api { key: ApiKey::IncrementalAlterConfigs, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: IncrementalAlterConfigsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let of_loggers = alter_loggers(broker, &access, &mut body);
    if body.resources.is_empty() && !of_loggers.is_empty() {
        let response = IncrementalAlterConfigsResponse::default().with_responses(of_loggers);
        return request.ready(&response);
    }
    let (broker, mut allowed, done) = (broker.clone(), body.clone(), of_loggers.clone());
    let decision = async move {
        let unauthorized = take_unauthorized(&access, &mut allowed.resources, |resource| {
            (resource.resource_type, &resource.resource_name)
        });
        let mut response = broker.metadata.incremental_alter_configs(allowed).await?;
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
        IncrementalAlterConfigsResponse::default().with_responses(refused.chain(of_loggers).collect())
    })
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
