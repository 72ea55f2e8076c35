//! CreateDelegationToken (key 38), versions 1-3: a password that ends (KIP-48).
//! Shell: the controller decides.
//!
//! - v2: flexible.
//! - v3 (KIP-373): a token for another owner, and who asked for it.

use ottla_metadata::controller::delegation_tokens::{USER, owner_of};
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::CreateDelegationTokenRequest;

use super::prelude::*;
use crate::delegation_tokens::{creation_refused, in_version, may_ask};

pub const API: Api = Api { key: ApiKey::CreateDelegationToken, min: 1, max: 3, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: CreateDelegationTokenRequest = request.decode()?;
    if !may_ask(&request) {
        let error = ErrorCode::DelegationTokenRequestNotAllowed;
        return request.ready(&creation_refused(&body, &request, error));
    }
    let requester = request.principal().clone();
    let owner = owner_of(&body, &requester);
    let is_own = owner == requester;
    if !is_own && !Access::of(broker, &request).user(AclOperation::CreateTokens, owner.as_str()) {
        let error = ErrorCode::DelegationTokenAuthorizationFailed;
        return request.ready(&creation_refused(&body, &request, error));
    }
    if body.renewers.iter().any(|renewer| renewer.principal_type.as_str() != USER) {
        return request.ready(&creation_refused(&body, &request, ErrorCode::InvalidPrincipalType));
    }
    let (broker, wanted, version) = (broker.clone(), body.clone(), request.version());
    let decision = async move {
        let answer = broker.metadata.create_delegation_token(wanted, requester).await?;
        Ok(in_version(answer, version))
    };
    let refused = creation_refused(&body, &request, ErrorCode::None);
    forward_to_controller(request, decision, move |error, _why| refused.with_error_code(error.code()))
}
