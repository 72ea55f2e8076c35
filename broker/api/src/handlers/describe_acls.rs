//! DescribeAcls (key 29), versions 1-3: ACLs that a filter matches (KIP-140).
//! Core over the metadata image.
//!
//! - v1: kinds of pattern (KIP-290). v2: flexible. v3: user resources (KIP-373).

use std::collections::BTreeMap;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use ottla_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use ottla_security::{AclBinding, AclBindingFilter, AclPermissionType, PatternType, ResourceType};

use super::prelude::*;
use crate::access::{NO_AUTHORIZER, text_of};
use crate::request::Refusal;

pub const API: Api = Api { key: ApiKey::DescribeAcls, min: 1, max: 3, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeAclsRequest = request.decode()?;
    // `DescribeAclsRequest`'s constructor.
    if [body.resource_type_filter, body.pattern_type_filter, body.operation, body.permission_type]
        .contains(&0)
    {
        return Err(Refusal("a filter of ACLs has UNKNOWN elements".to_owned()));
    }
    let access = Access::of(broker, &request);
    let refuse = |error: ErrorCode, text: &str| {
        DescribeAclsResponse::default().with_error_code(error.code()).with_error_message(message(text))
    };
    if !access.cluster(AclOperation::Describe) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refuse(error, text_of(error)));
    }
    if !access.is_limited() {
        return request.ready(&refuse(ErrorCode::SecurityDisabled, NO_AUTHORIZER));
    }
    let filter = filter_of(&body);
    let image = broker.image();
    let mut found: Vec<&AclBinding> = image
        .acls()
        .iter()
        .map(|(_, binding)| &**binding)
        .filter(|binding| filter.matches(binding))
        .collect();
    found.sort();
    let mut resources: BTreeMap<(ResourceType, &str, PatternType), Vec<AclDescription>> = BTreeMap::new();
    for binding in found {
        let resource = (binding.resource_type, &*binding.resource_name, binding.pattern_type);
        resources.entry(resource).or_default().push(
            AclDescription::default()
                .with_principal(text(&binding.principal))
                .with_host(text(&binding.host))
                .with_operation(binding.operation.code())
                .with_permission_type(binding.permission_type.code()),
        );
    }
    let resources = resources.into_iter().map(|((resource_type, name, pattern_type), acls)| {
        DescribeAclsResource::default()
            .with_resource_type(resource_type.code())
            .with_resource_name(text(name))
            .with_pattern_type(pattern_type.code())
            .with_acls(acls)
    });
    // Kafka leaves the text of a success empty here, and not null.
    let response = DescribeAclsResponse::default().with_error_message(message(""));
    request.ready(&response.with_resources(resources.collect()))
}

fn filter_of(body: &DescribeAclsRequest) -> AclBindingFilter {
    let owned = |text: &Option<StrBytes>| text.as_ref().map(|text| text.as_str().to_owned());
    AclBindingFilter {
        resource_type: ResourceType::from_code(body.resource_type_filter),
        resource_name: owned(&body.resource_name_filter),
        pattern_type: PatternType::from_code(body.pattern_type_filter),
        principal: owned(&body.principal_filter),
        host: owned(&body.host_filter),
        operation: AclOperation::from_code(body.operation),
        permission_type: AclPermissionType::from_code(body.permission_type),
    }
}
