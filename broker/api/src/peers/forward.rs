//! Requests that the active controller decides, forwarded to it with the client's principal and address (KIP-590).
//! Shell.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use ottla_env::{BoxFuture, Env};
use ottla_metadata::OperationError;
use ottla_model::{ErrorCode, Offset};
use ottla_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, EnvelopeRequest, EnvelopeResponse,
};
use ottla_protocol::{
    ApiKey, Encode, RequestHeader, StrBytes, decode_response, decode_response_header, versions,
};
use ottla_security::{Identity, KafkaPrincipal};

use super::controllers::{Active, Controllers};
use super::{Reached, principal};

/// How long a controller is looked for on behalf of a client, which asks again itself after 30 s.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long an answer is held back for this node's image, which follows within milliseconds.
const IMAGE_PATIENCE: Duration = Duration::from_secs(5);
/// A tagged field of the answer to Envelope that Kafka does not have: the offset up to which the controller's image
/// says what was decided. Kafka's own controllers leave it out.
pub const OFFSET_TAG: i32 = 10_000;

pub struct Forward {
    env: Env,
    controllers: Arc<Controllers>,
    reached: Arc<Reached>,
}

/// What became of a forwarded request.
pub enum Forwarded {
    /// The answer with its header, as the client is to have it.
    Answer(Bytes),
    /// This node's controller became active meanwhile, or none was found: the request is this node's own.
    Ours,
    /// The controller refused to look at it.
    Refused(ErrorCode),
}

impl Forward {
    pub fn new(env: Env, controllers: Arc<Controllers>, reached: Arc<Reached>) -> Forward {
        Forward { env, controllers, reached }
    }

    /// Whether a request for the controller is decided here.
    pub fn decides_here(&self) -> bool {
        self.controllers.leads_here()
    }

    /// Has the active controller decide a request.
    pub async fn forward(&self, envelope: EnvelopeRequest) -> Result<Forwarded, OperationError> {
        let attempt = move |active| -> BoxFuture<'static, Option<Option<EnvelopeResponse>>> {
            let Active::There(peer) = active else { return Box::pin(async { Some(None) }) };
            let envelope = envelope.clone();
            Box::pin(async move {
                match peer.call(&envelope).await {
                    Ok(answer) if answer.error_code == ErrorCode::NotController.code() => None,
                    Ok(answer) => Some(Some(answer)),
                    Err(error) => {
                        tracing::debug!(%error, "a request could not be forwarded");
                        None
                    }
                }
            })
        };
        let Some(answer) = self.controllers.reach(PATIENCE, attempt).await? else {
            return Ok(Forwarded::Ours);
        };
        match answer.response_data {
            Some(bytes) if answer.error_code == 0 => {
                let offset = answer
                    .unknown_tagged_fields
                    .get(&OFFSET_TAG)
                    .and_then(|bytes| Some(Offset(i64::from_be_bytes(*bytes.first_chunk()?))));
                if let Some(offset) = offset
                    && !self.reached.wait_for(&*self.env.clock, offset, IMAGE_PATIENCE).await
                {
                    tracing::warn!(%offset, "what the controller decided is not in force here yet");
                }
                Ok(Forwarded::Answer(bytes))
            }
            _ => Ok(Forwarded::Refused(
                ErrorCode::from_code(answer.error_code).unwrap_or(ErrorCode::UnknownServerError),
            )),
        }
    }

    /// Topics that this broker needs; `None` where its own controller is to make them.
    pub async fn create_topics(
        &self,
        request: &CreateTopicsRequest,
    ) -> Result<Option<CreateTopicsResponse>, OperationError> {
        let key = ApiKey::CreateTopics;
        let version = versions::of(key).decodable.map_or(0, |range| range.max);
        let header = RequestHeader {
            api_key: key.to_i16(),
            api_version: version,
            correlation_id: 0,
            client_id: Some(StrBytes::from_static_str("broker")),
        };
        let mut body = BytesMut::new();
        request.encode(&mut body, version).expect("a request of this broker's own in its newest version");
        let here = IpAddr::from([127, 0, 0, 1]);
        let envelope = envelope(&header, &body, &Identity::anonymous().principal, here);
        match self.forward(envelope).await? {
            Forwarded::Ours => Ok(None),
            Forwarded::Refused(error) => Err(OperationError::Refused(ottla_metadata::ApiError::bare(error))),
            Forwarded::Answer(mut bytes) => {
                let unreadable = |_| {
                    OperationError::Refused(ottla_metadata::ApiError::bare(ErrorCode::UnknownServerError))
                };
                if decode_response_header(&mut bytes, key, version).is_err() {
                    return Err(unreadable(()));
                }
                decode_response(key, version, bytes).map(Some).map_err(|_| unreadable(()))
            }
        }
    }
}

/// A request in its envelope.
pub fn envelope(header: &RequestHeader, body: &[u8], by: &KafkaPrincipal, from: IpAddr) -> EnvelopeRequest {
    let mut data = BytesMut::with_capacity(64 + body.len());
    header.encode(&mut data);
    data.extend_from_slice(body);
    let address = match from {
        IpAddr::V4(address) => Bytes::copy_from_slice(&address.octets()),
        IpAddr::V6(address) => Bytes::copy_from_slice(&address.octets()),
    };
    EnvelopeRequest::default()
        .with_request_data(data.freeze())
        .with_request_principal(Some(principal::encode(by)))
        .with_client_host_address(address)
}

/// The address of the client whose request is in an envelope.
pub fn client_address(mut bytes: Bytes) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(bytes.get_u32().to_be_bytes())),
        16 => Some(IpAddr::from(bytes.get_u128().to_be_bytes())),
        _ => None,
    }
}
