//! DescribeDelegationToken (key 41), versions 1-3: the tokens that somebody may see (KIP-48).
//! Shell: reads the image and the cluster's secret. The answer holds what is as good as passwords.
//!
//! - v2: flexible.
//! - v3 (KIP-373): who asked for a token.

use ottla_metadata::controller::delegation_tokens::{is_of, parts};
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use ottla_protocol::messages::describe_delegation_token_response::{
    DescribedDelegationToken, DescribedDelegationTokenRenewer,
};
use ottla_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};
use ottla_protocol::records::metadata::DelegationTokenRecord;
use ottla_security::{Secret, token_hmac};

use super::prelude::*;
use crate::delegation_tokens::may_ask;

pub const API: Api = Api { key: ApiKey::DescribeDelegationToken, min: 1, max: 3, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeDelegationTokenRequest = request.decode()?;
    let refused = |error: ErrorCode| DescribeDelegationTokenResponse::default().with_error_code(error.code());
    if !may_ask(&request) {
        return request.ready(&refused(ErrorCode::DelegationTokenRequestNotAllowed));
    }
    let Some(secret) = &broker.config.token_secret_key else {
        return request.ready(&refused(ErrorCode::DelegationTokenAuthDisabled));
    };
    let secret = Secret::new(secret.text());
    let name =
        |owner: &DescribeDelegationTokenOwner| format!("{}:{}", owner.principal_type, owner.principal_name);
    let owners = body.owners.as_ref().map(|owners| owners.iter().map(name).collect::<Vec<String>>());
    let (access, principal) = (Access::of(broker, &request), request.principal());
    // `DelegationTokenManager.filterToken`.
    let is_shown = |token: &DelegationTokenRecord| {
        owners.as_ref().is_none_or(|owners| owners.iter().any(|owner| is_of(token, owner)))
            && (is_of(token, principal.as_str())
                || access.delegation_token(AclOperation::Describe, &token.token_id)
                || access.user(AclOperation::DescribeTokens, &token.owner))
    };
    let image = broker.image();
    let shown = image.tokens().filter(|token| is_shown(token));
    let tokens = shown.map(|token| described(token, &secret, request.version())).collect();
    request.ready(&DescribeDelegationTokenResponse::default().with_tokens(tokens))
}

fn described(token: &DelegationTokenRecord, secret: &Secret, version: i16) -> DescribedDelegationToken {
    let (owner, requester) = (parts(&token.owner), parts(&token.requester));
    let renewer = |renewer: &StrBytes| {
        let (kind, name) = parts(renewer);
        DescribedDelegationTokenRenewer::default()
            .with_principal_type(text(kind))
            .with_principal_name(text(name))
    };
    let described = DescribedDelegationToken::default()
        .with_principal_type(text(owner.0))
        .with_principal_name(text(owner.1))
        .with_issue_timestamp(token.issue_timestamp)
        .with_expiry_timestamp(token.expiration_timestamp)
        .with_max_timestamp(token.max_timestamp)
        .with_token_id(token.token_id.clone())
        .with_hmac(token_hmac(secret, &token.token_id).bytes().to_vec().into())
        .with_renewers(token.renewers.iter().map(renewer).collect());
    match version >= 3 {
        true => described
            .with_token_requester_principal_type(text(requester.0))
            .with_token_requester_principal_name(text(requester.1)),
        false => described,
    }
}
