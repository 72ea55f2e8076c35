//! Who may see and change settings: a topic's and a group's by their own ACLs, all others by the cluster's.
//! Core.

use std::collections::HashMap;

use ottla_metadata::ResourceType;
use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_security::AclOperation;

use crate::access::Access;

/// Whether an operation on the settings of a resource is allowed; what is no resource is refused for that.
pub fn check(
    access: &Access,
    operation: AclOperation,
    resource_type: i8,
    name: &str,
) -> Result<(), ErrorCode> {
    let (is_allowed, error) = match ResourceType::from_code(resource_type) {
        None => return Ok(()),
        Some(ResourceType::Topic) => (access.topic(operation, name), ErrorCode::TopicAuthorizationFailed),
        Some(ResourceType::Group) => (access.group(operation, name), ErrorCode::GroupAuthorizationFailed),
        Some(ResourceType::Broker | ResourceType::BrokerLogger | ResourceType::ClientMetrics) => {
            (access.cluster(operation), ErrorCode::ClusterAuthorizationFailed)
        }
    };
    if is_allowed { Ok(()) } else { Err(error) }
}

/// Takes out what may not be changed, with its errors. A resource that comes twice is refused for that.
pub fn take_unauthorized<T>(
    access: &Access,
    resources: &mut Vec<T>,
    name_of: impl Fn(&T) -> (i8, &StrBytes),
) -> Vec<(T, ErrorCode)> {
    if !access.is_limited() {
        return Vec::new();
    }
    let mut counts: HashMap<(i8, StrBytes), usize> = HashMap::new();
    for resource in resources.iter() {
        let (resource_type, name) = name_of(resource);
        *counts.entry((resource_type, name.clone())).or_default() += 1;
    }
    let error_of = |resource: &T| {
        let (resource_type, name) = name_of(resource);
        match counts[&(resource_type, name.clone())] {
            1 => check(access, AclOperation::AlterConfigs, resource_type, name).err(),
            _ => None,
        }
    };
    let unauthorized = access.take_refused(resources, |resource| error_of(resource).is_none());
    let with_error = |resource: T| error_of(&resource).map(|error| (resource, error));
    unauthorized.into_iter().filter_map(with_error).collect()
}
