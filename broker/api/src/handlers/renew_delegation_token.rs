//! RenewDelegationToken (key 39), versions 1-2: a later end for a token (KIP-48).
//! Shell: the controller decides.
//!
//! - v2: flexible.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::RenewDelegationTokenRequest;

use super::prelude::*;
use crate::delegation_tokens::{may_ask, renewal_refused};

pub const API: Api = Api { key: ApiKey::RenewDelegationToken, min: 1, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: RenewDelegationTokenRequest = request.decode()?;
    if !may_ask(&request) {
        return request.ready(&renewal_refused(ErrorCode::DelegationTokenRequestNotAllowed));
    }
    let (broker, principal) = (broker.clone(), request.principal().clone());
    let decision = async move { broker.metadata.renew_delegation_token(body, principal).await };
    forward_to_controller(request, decision, |error, _why| renewal_refused(error))
}
