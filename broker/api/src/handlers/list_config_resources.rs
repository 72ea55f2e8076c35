//! ListConfigResources (key 74), versions 0-1: what has settings (KIP-1142; v0 was ListClientMetricsResources).
//! Core over the metadata image.
//!
//! - v0: client metrics subscriptions alone. v1: topics, brokers, loggers and groups, too.

use ottla_metadata::{Image, ResourceType};
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::list_config_resources_response::ConfigResource;
use ottla_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::ListConfigResources, min: 0, max: 1, admit };

/// The types a client may ask for since v1, in the order in which they are answered.
const TYPES: [ResourceType; 5] = [
    ResourceType::Group,
    ResourceType::ClientMetrics,
    ResourceType::BrokerLogger,
    ResourceType::Broker,
    ResourceType::Topic,
];

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ListConfigResourcesRequest = request.decode()?;
    let refused = |error: ErrorCode| ListConfigResourcesResponse::default().with_error_code(error.code());
    if !Access::of(broker, &request).cluster(AclOperation::DescribeConfigs) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed));
    }
    let supported = if request.version() == 0 { &[ResourceType::ClientMetrics][..] } else { &TYPES };
    let is_supported = |code: &i8| supported.iter().any(|kind| kind.code() == *code);
    if !body.resource_types.iter().all(is_supported) {
        return request.ready(&refused(ErrorCode::UnsupportedVersion));
    }
    let is_asked =
        |kind: &&ResourceType| body.resource_types.is_empty() || body.resource_types.contains(&kind.code());
    let image = broker.image();
    let named = |kind: ResourceType| {
        let resource = move |name: &str| {
            ConfigResource::default().with_resource_name(text(name)).with_resource_type(kind.code())
        };
        names(&image, kind).into_iter().map(move |name| resource(&name))
    };
    let resources = supported.iter().filter(is_asked).copied().flat_map(named).collect();
    request.ready(&ListConfigResourcesResponse::default().with_config_resources(resources))
}

/// A group or a subscription is there while something is set on it.
fn names(image: &Image, kind: ResourceType) -> Vec<String> {
    match kind {
        ResourceType::Group | ResourceType::ClientMetrics => {
            let resources = image.configured_resources().map(|(resource, _)| resource);
            resources.filter(|of| of.resource_type == kind).map(|of| of.name.clone()).collect()
        }
        ResourceType::Broker | ResourceType::BrokerLogger => {
            image.active_brokers().map(|id| id.to_string()).collect()
        }
        ResourceType::Topic => image.topics().map(|topic| topic.name.as_str().to_owned()).collect(),
    }
}
