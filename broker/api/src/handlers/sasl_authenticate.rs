//! SaslAuthenticate (key 36), versions 0-2: a token of a login (KIP-152; v1 session lifetime, KIP-368).
//! Core. A login is served before any request is dispatched (`authentication.rs`): what comes here is out of place,
//! on a listener without SASL or behind a login.

use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::SaslAuthenticate, min: 0, max: 2, admit };

const AFTER_LOGIN: &str = "SaslAuthenticate request received after successful authentication";

fn admit(_broker: &Arc<Broker>, request: Request) -> Handled {
    let _body: SaslAuthenticateRequest = request.decode()?;
    let response = SaslAuthenticateResponse::default()
        .with_error_code(ErrorCode::IllegalSaslState.code())
        .with_error_message(Some(StrBytes::from_static_str(AFTER_LOGIN)));
    request.ready(&response)
}
