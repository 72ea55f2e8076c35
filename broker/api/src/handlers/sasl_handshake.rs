//! SaslHandshake (key 17), versions 0-1: which mechanism a login uses (KIP-43; v1 KIP-152).
//! Core. A login is served before any request is dispatched (`authentication.rs`): what comes here is out of place,
//! on a listener without SASL or behind a login.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::SaslHandshake, min: 0, max: 1, admit };

fn admit(_broker: &Arc<Broker>, request: Request) -> Handled {
    let _body: SaslHandshakeRequest = request.decode()?;
    request.ready(&out_of_place())
}

pub(crate) fn out_of_place() -> SaslHandshakeResponse {
    SaslHandshakeResponse::default().with_error_code(ErrorCode::IllegalSaslState.code())
}
