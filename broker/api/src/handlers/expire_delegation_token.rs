//! ExpireDelegationToken (key 40), versions 1-2: an earlier end for a token, or its end now (KIP-48).
//! Shell: the controller decides.
//!
//! - v2: flexible.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::ExpireDelegationTokenRequest;

use super::prelude::*;
use crate::delegation_tokens::{expiry_refused, may_ask};

pub const API: Api = Api { key: ApiKey::ExpireDelegationToken, min: 1, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ExpireDelegationTokenRequest = request.decode()?;
    if !may_ask(&request) {
        return request.ready(&expiry_refused(ErrorCode::DelegationTokenRequestNotAllowed));
    }
    let (broker, principal) = (broker.clone(), request.principal().clone());
    let decision = async move { broker.metadata.expire_delegation_token(body, principal).await };
    forward_to_controller(request, decision, |error, _why| expiry_refused(error))
}
