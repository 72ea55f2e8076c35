//! CreateAcls (key 30), versions 1-3: adds ACLs (KIP-140).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: kinds of pattern (KIP-290). v2: flexible. v3: user resources (KIP-373).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::create_acls_response::AclCreationResult;
use ottla_protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use super::prelude::*;
use crate::access::refuse_acl_change;
use crate::request::Refusal;

pub const API: Api = Api { key: ApiKey::CreateAcls, min: 1, max: 3, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: CreateAclsRequest = request.decode()?;
    // `CreateAclsRequest`'s constructor.
    let has_unknown = body.creations.iter().any(|acl| {
        [acl.resource_type, acl.resource_pattern_type, acl.operation, acl.permission_type].contains(&0)
    });
    if has_unknown {
        return Err(Refusal("an ACL has UNKNOWN elements".to_owned()));
    }
    if let Err((error, why)) = refuse_acl_change(&Access::of(broker, &request)) {
        return request.ready(&refused(&body, error, message(why)));
    }
    let (broker, wanted) = (broker.clone(), body.clone());
    let decision = async move { broker.metadata.create_acls(wanted).await };
    forward_to_controller(request, decision, move |error, why| refused(&body, error, why))
}

/// Every part of the request gets the same code and text.
fn refused(body: &CreateAclsRequest, error: ErrorCode, why: Option<StrBytes>) -> CreateAclsResponse {
    let result = AclCreationResult::default().with_error_code(error.code()).with_error_message(why);
    CreateAclsResponse::default().with_results(vec![result; body.creations.len()])
}
