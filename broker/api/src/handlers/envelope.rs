//! Envelope (key 58), version 0: a request that another broker forwards for its client (KIP-590).
//! Shell: the request inside is handled as if its client had come here.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use ottla_model::ErrorCode;
use ottla_network::{Admitted, Answer, Chunk, ConnectionInfo, Response};
use ottla_protocol::RequestHeader;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{EnvelopeRequest, EnvelopeResponse};
use ottla_security::Identity;

use super::prelude::*;
use crate::peers::{OFFSET_TAG, client_address, principal};
use crate::quotas::Throttle;
use crate::table::{Endpoint, Row};

pub const API: Api = Api { key: ApiKey::Envelope, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: EnvelopeRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed));
    }
    if !broker.is_active_controller() {
        return request.ready(&refused(ErrorCode::NotController));
    }
    let came_to_none = Arc::new(AtomicBool::new(false));
    let (inner, row) = match open(broker, &request, body, came_to_none.clone()) {
        Ok(inner) => inner,
        Err(error) => return request.ready(&refused(error)),
    };
    let admitted = (row.admit)(broker, inner)?;
    let broker = broker.clone();
    park(async move {
        let answer = match admitted {
            Admitted::Ready(answer) => answer,
            Admitted::Parked(answer)
            | Admitted::Exclusive(answer)
            | Admitted::ExclusiveAfterEarlier(answer) => answer.await,
        };
        // The broker that forwarded it has its client rest, as the answer says.
        let answer = match answer {
            Answer::ThenMute { answer, .. } => *answer,
            other => other,
        };
        let response = match answer {
            // Another node became active while it was decided: the broker asks that one.
            _ if came_to_none.load(Ordering::Acquire) => refused(ErrorCode::NotController),
            Answer::Respond(response) => answered(&broker, &response),
            Answer::Silent | Answer::Close(_) | Answer::ThenMute { .. } | Answer::CloseAfter { .. } => {
                refused(ErrorCode::UnknownServerError)
            }
        };
        request.answer(&response)
    })
}

fn refused(error: ErrorCode) -> EnvelopeResponse {
    EnvelopeResponse::default().with_error_code(error.code())
}

/// What the broker that forwarded it waits for, to show its client nothing older.
fn answered(broker: &Broker, response: &Response) -> EnvelopeResponse {
    let mut bytes = BytesMut::from(&response.head[4..]);
    for chunk in &response.rest {
        match chunk {
            Chunk::Bytes(part) => bytes.extend_from_slice(part),
            Chunk::File { .. } => return refused(ErrorCode::UnknownServerError),
        }
    }
    let mut answered = EnvelopeResponse::default().with_response_data(Some(bytes.freeze()));
    let offset = broker.metadata.image().metadata_offset();
    answered.unknown_tagged_fields.insert(OFFSET_TAG, Bytes::copy_from_slice(&offset.0.to_be_bytes()));
    answered
}

/// The request inside, and who handles it.
fn open(
    broker: &Arc<Broker>,
    request: &Request,
    body: EnvelopeRequest,
    came_to_none: Arc<AtomicBool>,
) -> Result<(Request, &'static Row), ErrorCode> {
    let principal = body.request_principal.and_then(principal::decode);
    let principal = principal.ok_or(ErrorCode::PrincipalDeserializationFailure)?;
    let address = client_address(body.client_host_address).ok_or(ErrorCode::InvalidRequest)?;
    let mut data = body.request_data;
    let header = RequestHeader::decode(&mut data).map_err(|_malformed| ErrorCode::InvalidRequest)?;
    let row = table::find(table::served(Endpoint::Controller), header.api_key);
    let row = row.filter(|row| row.is_forwarded()).ok_or(ErrorCode::InvalidRequest)?;
    if !(row.min..=row.max).contains(&header.api_version) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let of = &request.connection;
    let peer = SocketAddr::new(address, 0);
    let connection = ConnectionInfo::new(of.id, of.listener.clone(), peer, of.local_addr);
    let inner = Request {
        key: row.key,
        header,
        body: data,
        connection: Arc::new(connection),
        endpoint: Endpoint::Controller,
        identity: Some(Arc::new(Identity::without_sasl(principal))),
        received: request.received,
        frame_bytes: request.frame_bytes,
        throttle: Throttle::default(),
        broker: broker.clone(),
        came_to_none: Some(came_to_none),
    };
    Ok((inner, row))
}
