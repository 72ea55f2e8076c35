//! CreateAcls and DeleteAcls, and ACLs as records.
//! Core. `AclControlManager`, and the checks `AclApis` makes before it.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use ottla_protocol::messages::create_acls_response::{AclCreationResult, CreateAclsResponse};
use ottla_protocol::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use ottla_protocol::messages::delete_acls_response::{
    DeleteAclsFilterResult, DeleteAclsMatchingAcl, DeleteAclsResponse,
};
use ottla_protocol::records::metadata::{
    AccessControlEntryRecord, MetadataRecord, RemoveAccessControlEntryRecord,
};
use ottla_security::{
    AclBinding, AclBindingFilter, AclOperation, AclPermissionType, CLUSTER_NAME, PatternType, ResourceType,
};
use uuid::Uuid;

use crate::controller::{ApiError, Decision, TopicIds};
use crate::image::Image;
use crate::wire::text;

/// Records one request may write (`QuorumController.MAX_RECORDS_PER_USER_OP`).
const RECORDS_PER_REQUEST_MAX: usize = 10_000;

pub fn decide_create_acls(
    image: &Image,
    request: &CreateAclsRequest,
    ids: TopicIds<'_>,
) -> Result<Decision<CreateAclsResponse>, ApiError> {
    let bindings: Vec<AclBinding> = request.creations.iter().map(binding_of_creation).collect();
    if bindings.iter().any(is_filter) {
        // Kafka has no type for such a binding, and takes it for a mistake of its own.
        return Err(ApiError::bare(ErrorCode::UnknownServerError));
    }
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut created = BTreeSet::new();
    let mut results = Vec::with_capacity(bindings.len());
    for binding in &bindings {
        let checked = check(binding);
        results.push(match &checked {
            // Kafka leaves the text of a success empty here, and not null.
            Ok(()) => AclCreationResult::default().with_error_message(Some(StrBytes::default())),
            Err(error) => {
                AclCreationResult::default().with_error_code(error.code()).with_error_message(error.text())
            }
        });
        if checked.is_err() || image.acls().contains(binding) || !created.insert(binding) {
            continue;
        }
        let mut id = ids().0;
        while image.acls().contains_id(id) {
            id = ids().0;
        }
        records.push(record_of(id, binding).into());
    }
    if records.len() > RECORDS_PER_REQUEST_MAX {
        return Err(ApiError::bare(ErrorCode::UnknownServerError));
    }
    Ok(Decision { records, response: CreateAclsResponse::default().with_results(results) })
}

fn binding_of_creation(creation: &AclCreation) -> AclBinding {
    AclBinding {
        resource_type: ResourceType::from_code(creation.resource_type),
        resource_name: creation.resource_name.as_str().to_owned(),
        pattern_type: PatternType::from_code(creation.resource_pattern_type),
        principal: creation.principal.as_str().to_owned(),
        host: creation.host.as_str().to_owned(),
        operation: AclOperation::from_code(creation.operation),
        permission_type: AclPermissionType::from_code(creation.permission_type),
    }
}

/// Whether it has what only a filter may have.
fn is_filter(binding: &AclBinding) -> bool {
    binding.resource_type == ResourceType::Any
        || matches!(binding.pattern_type, PatternType::Any | PatternType::Match)
        || binding.operation == AclOperation::Any
        || binding.permission_type == AclPermissionType::Any
}

fn check(binding: &AclBinding) -> Result<(), ApiError> {
    let invalid = |text: String| Err(ApiError::new(ErrorCode::InvalidRequest, text));
    if binding.resource_type == ResourceType::Cluster && binding.resource_name != CLUSTER_NAME {
        return invalid(format!("The only valid name for the CLUSTER resource is {CLUSTER_NAME}"));
    }
    if binding.resource_name.is_empty() {
        return invalid("Invalid empty resource name".to_owned());
    }
    if binding.resource_type == ResourceType::Unknown {
        return invalid(format!("Invalid resourceType {}", binding.resource_type));
    }
    if binding.pattern_type == PatternType::Unknown {
        return invalid(format!("Invalid patternType {}", binding.pattern_type));
    }
    if binding.operation == AclOperation::Unknown {
        return invalid(format!("Invalid operation {}", binding.operation));
    }
    if binding.permission_type == AclPermissionType::Unknown {
        return invalid(format!("Invalid permissionType {}", binding.permission_type));
    }
    if !binding.principal.contains(':') {
        return invalid(format!(
            "Could not parse principal from `{}` (no colon is present separating the principal type from \
             the principal name)",
            binding.principal
        ));
    }
    Ok(())
}

pub fn decide_delete_acls(
    image: &Image,
    request: &DeleteAclsRequest,
) -> Result<Decision<DeleteAclsResponse>, ApiError> {
    let mut removed = BTreeSet::new();
    let mut results = Vec::with_capacity(request.filters.len());
    for filter in &request.filters {
        let filter = filter_of_deletion(filter);
        if let Err(error) = check_filter(&filter) {
            results.push(
                DeleteAclsFilterResult::default()
                    .with_error_code(error.code())
                    .with_error_message(error.text()),
            );
            continue;
        }
        let matching: BTreeMap<_, Uuid> = image
            .acls()
            .iter()
            .filter(|(_, binding)| filter.matches(binding))
            .map(|(id, binding)| ((binding.clone(), id), id))
            .collect();
        removed.extend(matching.values().copied());
        let acls = matching.keys().map(|(binding, _)| matching_acl(binding)).collect();
        results.push(DeleteAclsFilterResult::default().with_error_message(None).with_matching_acls(acls));
    }
    if removed.len() > RECORDS_PER_REQUEST_MAX {
        return Err(ApiError::bare(ErrorCode::UnknownServerError));
    }
    let record = |id| RemoveAccessControlEntryRecord { id, ..Default::default() }.into();
    let records = removed.into_iter().map(record).collect();
    Ok(Decision { records, response: DeleteAclsResponse::default().with_filter_results(results) })
}

fn filter_of_deletion(filter: &DeleteAclsFilter) -> AclBindingFilter {
    let text = |text: &Option<StrBytes>| text.as_ref().map(|text| text.as_str().to_owned());
    AclBindingFilter {
        resource_type: ResourceType::from_code(filter.resource_type_filter),
        resource_name: text(&filter.resource_name_filter),
        pattern_type: PatternType::from_code(filter.pattern_type_filter),
        principal: text(&filter.principal_filter),
        host: text(&filter.host_filter),
        operation: AclOperation::from_code(filter.operation),
        permission_type: AclPermissionType::from_code(filter.permission_type),
    }
}

fn check_filter(filter: &AclBindingFilter) -> Result<(), ApiError> {
    let unknown = |what: &str| Err(ApiError::new(ErrorCode::InvalidRequest, format!("Unknown {what}.")));
    if !filter.is_pattern_known() {
        return unknown("patternFilter");
    }
    if !filter.is_entry_known() {
        return unknown("entryFilter");
    }
    Ok(())
}

fn matching_acl(binding: &AclBinding) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl::default()
        .with_error_message(None)
        .with_resource_type(binding.resource_type.code())
        .with_resource_name(text(&binding.resource_name))
        .with_pattern_type(binding.pattern_type.code())
        .with_principal(text(&binding.principal))
        .with_host(text(&binding.host))
        .with_operation(binding.operation.code())
        .with_permission_type(binding.permission_type.code())
}

pub(crate) fn record_of(id: Uuid, binding: &AclBinding) -> AccessControlEntryRecord {
    AccessControlEntryRecord {
        id,
        resource_type: binding.resource_type.code(),
        resource_name: text(&binding.resource_name),
        pattern_type: binding.pattern_type.code(),
        principal: text(&binding.principal),
        host: text(&binding.host),
        operation: binding.operation.code(),
        permission_type: binding.permission_type.code(),
        ..AccessControlEntryRecord::default()
    }
}

pub(crate) fn binding_of(record: &AccessControlEntryRecord) -> AclBinding {
    AclBinding {
        resource_type: ResourceType::from_code(record.resource_type),
        resource_name: record.resource_name.as_str().to_owned(),
        pattern_type: PatternType::from_code(record.pattern_type),
        principal: record.principal.as_str().to_owned(),
        host: record.host.as_str().to_owned(),
        operation: AclOperation::from_code(record.operation),
        permission_type: AclPermissionType::from_code(record.permission_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, IntoStr};
    use crate::records_of::records_of_cluster;

    fn creation(name: &str) -> AclCreation {
        AclCreation::default()
            .with_resource_type(2)
            .with_resource_name(name.into_str())
            .with_resource_pattern_type(3)
            .with_principal("User:a".into_str())
            .with_host("*".into_str())
            .with_operation(3)
            .with_permission_type(3)
    }

    type Told = Result<Vec<(i16, Option<String>)>, ErrorCode>;

    fn create(cluster: &mut Cluster, creations: Vec<AclCreation>) -> Told {
        let request = CreateAclsRequest::default().with_creations(creations);
        let decision = cluster
            .with_ids(|image, _, ids| decide_create_acls(image, &request, ids))
            .map_err(|error| error.error)?;
        cluster.apply(decision.records);
        let told = |result: &AclCreationResult| {
            (result.error_code, result.error_message.as_ref().map(|text| text.as_str().to_owned()))
        };
        Ok(decision.response.results.iter().map(told).collect())
    }

    fn created() -> (i16, Option<String>) {
        (0, Some(String::new()))
    }

    fn any() -> DeleteAclsFilter {
        DeleteAclsFilter::default()
            .with_resource_type_filter(1)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(1)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1)
    }

    fn delete(cluster: &mut Cluster, filters: Vec<DeleteAclsFilter>) -> Vec<(i16, Vec<String>)> {
        let request = DeleteAclsRequest::default().with_filters(filters);
        let decision = decide_delete_acls(cluster.image(), &request).expect("not refused whole");
        cluster.apply(decision.records);
        let names = |result: &DeleteAclsFilterResult| {
            result.matching_acls.iter().map(|acl| acl.resource_name.as_str().to_owned()).collect()
        };
        decision.response.filter_results.iter().map(|it| (it.error_code, names(it))).collect()
    }

    #[test]
    fn an_acl_is_kept_once_and_lives_through_a_snapshot() {
        let mut cluster = Cluster::of(&[1]);
        let both = vec![creation("t"), creation("t"), creation("u").with_resource_pattern_type(4)];
        assert_eq!(create(&mut cluster, both), Ok(vec![created(); 3]));
        assert_eq!(create(&mut cluster, vec![creation("t")]), Ok(vec![created()]));
        assert_eq!(cluster.image().acls().count(), 2);
        let mut again = Cluster::of(&[]);
        again.apply(records_of_cluster(cluster.image()));
        assert_eq!(again.image().acls(), cluster.image().acls());
    }

    #[test]
    fn each_rule_has_kafka_s_code_and_text() {
        let mut cluster = Cluster::of(&[1]);
        let invalid = |text: &str| (42, Some(text.to_owned()));
        let told = create(
            &mut cluster,
            vec![
                creation("t").with_resource_type(4),
                creation(""),
                creation("t").with_resource_type(99),
                creation("t").with_resource_pattern_type(99),
                creation("t").with_operation(99),
                creation("t").with_permission_type(99),
                creation("t").with_principal("alice".into_str()),
                creation("good"),
            ],
        );
        let colon = "Could not parse principal from `alice` (no colon is present separating the principal \
                     type from the principal name)";
        let expected = [
            invalid("The only valid name for the CLUSTER resource is kafka-cluster"),
            invalid("Invalid empty resource name"),
            invalid("Invalid resourceType UNKNOWN"),
            invalid("Invalid patternType UNKNOWN"),
            invalid("Invalid operation UNKNOWN"),
            invalid("Invalid permissionType UNKNOWN"),
            invalid(colon),
            created(),
        ];
        assert_eq!(told, Ok(expected.to_vec()));
        assert_eq!(cluster.image().acls().count(), 1);
        for filter in [
            creation("t").with_resource_type(1),
            creation("t").with_resource_pattern_type(2),
            creation("t").with_operation(1),
            creation("t").with_permission_type(1),
        ] {
            let told = create(&mut cluster, vec![creation("other"), filter]);
            assert_eq!(told, Err(ErrorCode::UnknownServerError));
        }
        assert_eq!(cluster.image().acls().count(), 1);
    }

    #[test]
    fn filters_take_away_what_they_match_and_each_tells_its_own() {
        let mut cluster = Cluster::of(&[1]);
        let three = vec![creation("a"), creation("b"), creation("c").with_operation(4)];
        assert_eq!(create(&mut cluster, three), Ok(vec![created(); 3]));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let filters = vec![
            any().with_resource_name_filter(Some("a".into_str())),
            any().with_operation(3),
            any().with_resource_type_filter(99),
            any().with_permission_type(99),
            any().with_resource_type_filter(3),
        ];
        let expected =
            vec![(0, names(&["a"])), (0, names(&["a", "b"])), (42, vec![]), (42, vec![]), (0, vec![])];
        assert_eq!(delete(&mut cluster, filters), expected);
        assert_eq!(delete(&mut cluster, vec![any()]), [(0, names(&["c"]))]);
        assert!(cluster.image().acls().is_empty());
    }

    /// CVE-2024-27309: what goes takes nothing else of its resource along, over snapshots too.
    #[test]
    fn any_additions_and_removals_leave_what_a_list_of_them_leaves() {
        let mut state = 2_024_u64;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % bound
        };
        let mut cluster = Cluster::of(&[1]);
        // Resource, pattern, principal, operation, permission: few of each, so that they share resources.
        type Model = std::collections::BTreeSet<(String, i8, String, i8, i8)>;
        let mut model = Model::new();
        for step in 0..400 {
            let name = ["a", "ab", "b"][below(3)];
            let pattern = 3 + below(2) as i8;
            let principal = ["User:x", "User:y"][below(2)];
            let (operation, permission) = (3 + below(3) as i8, 2 + below(2) as i8);
            if below(5) < 3 {
                let acl = creation(name)
                    .with_resource_pattern_type(pattern)
                    .with_principal(principal.into_str())
                    .with_operation(operation)
                    .with_permission_type(permission);
                assert_eq!(create(&mut cluster, vec![acl]), Ok(vec![created()]));
                model.insert((name.to_owned(), pattern, principal.to_owned(), operation, permission));
            } else {
                let mut filter =
                    any().with_resource_name_filter(Some(name.into_str())).with_pattern_type_filter(pattern);
                let (by_principal, by_operation) = (below(2) == 0, below(2) == 0);
                if by_principal {
                    filter = filter.with_principal_filter(Some(principal.into_str()));
                }
                if by_operation {
                    filter = filter.with_operation(operation);
                }
                let matches = |acl: &(String, i8, String, i8, i8)| {
                    acl.0 == name
                        && acl.1 == pattern
                        && (!by_principal || acl.2 == principal)
                        && (!by_operation || acl.3 == operation)
                };
                let count = model.iter().filter(|acl| matches(acl)).count();
                assert_eq!(delete(&mut cluster, vec![filter])[0].1.len(), count, "step {step}");
                model.retain(|acl| !matches(acl));
            }
            if step % 20 == 19 {
                let mut again = Cluster::of(&[]);
                again.apply(records_of_cluster(cluster.image()));
                assert_eq!(again.image().acls(), cluster.image().acls(), "step {step}");
            }
            let there: Model = cluster
                .image()
                .acls()
                .iter()
                .map(|(_, acl)| {
                    let name = acl.resource_name.clone();
                    let (pattern, operation) = (acl.pattern_type.code(), acl.operation.code());
                    (name, pattern, acl.principal.clone(), operation, acl.permission_type.code())
                })
                .collect();
            assert_eq!(there, model, "step {step}");
        }
        assert!(!model.is_empty());
    }
}
