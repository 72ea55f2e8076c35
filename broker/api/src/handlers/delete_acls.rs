//! DeleteAcls (key 31), versions 1-3: removes ACLs that filters match (KIP-140).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: kinds of pattern (KIP-290). v2: flexible. v3: user resources (KIP-373).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use ottla_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};

use super::prelude::*;
use crate::access::refuse_acl_change;
use crate::request::Refusal;

pub const API: Api = Api { key: ApiKey::DeleteAcls, min: 1, max: 3, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DeleteAclsRequest = request.decode()?;
    // `DeleteAclsRequest`'s constructor.
    let has_unknown = body.filters.iter().any(|acl| {
        [acl.resource_type_filter, acl.pattern_type_filter, acl.operation, acl.permission_type].contains(&0)
    });
    if has_unknown {
        return Err(Refusal("an ACL has UNKNOWN elements".to_owned()));
    }
    if let Err((error, why)) = refuse_acl_change(&Access::of(broker, &request)) {
        return request.ready(&refused(&body, error, message(why)));
    }
    let (broker, wanted) = (broker.clone(), body.clone());
    let decision = async move { broker.metadata.delete_acls(wanted).await };
    forward_to_controller(request, decision, move |error, why| refused(&body, error, why))
}

/// Every part of the request gets the same code and text.
fn refused(body: &DeleteAclsRequest, error: ErrorCode, why: Option<StrBytes>) -> DeleteAclsResponse {
    let result = DeleteAclsFilterResult::default().with_error_code(error.code()).with_error_message(why);
    DeleteAclsResponse::default().with_filter_results(vec![result; body.filters.len()])
}
