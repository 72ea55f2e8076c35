//! CreateAcls (key 30), versions 1-3: adds ACLs (KIP-140).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: kinds of pattern (KIP-290). v2: flexible. v3: user resources (KIP-373).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::create_acls_response::AclCreationResult;
use ottla_protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use super::prelude::*;
use crate::access::{NO_AUTHORIZER, text_of};
use crate::errors::operation_error;
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
    let access = Access::of(broker, &request);
    if !access.cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(&body, error, message(text_of(error))));
    }
    if !access.is_limited() {
        return request.ready(&refused(&body, ErrorCode::SecurityDisabled, message(NO_AUTHORIZER)));
    }
    let broker = broker.clone();
    park(async move {
        let response = match broker.metadata.create_acls(body.clone()).await {
            Ok(response) => response,
            Err(error) => {
                let (error, why) = operation_error(&error);
                refused(&body, error, why.map(StrBytes::from_string))
            }
        };
        request.answer(&response)
    })
}

/// Every part of the request gets the same code and text.
fn refused(body: &CreateAclsRequest, error: ErrorCode, why: Option<StrBytes>) -> CreateAclsResponse {
    let result = AclCreationResult::default().with_error_code(error.code()).with_error_message(why);
    CreateAclsResponse::default().with_results(vec![result; body.creations.len()])
}
