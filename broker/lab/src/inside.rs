//! Requests of the lab's own to a cluster, past all rules and past the journal: as a client's, without a socket.
//! Shell.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use ottla_network::{Admitted, Answer, ConnectionInfo, Response};
use ottla_protocol::{Request, RequestHeader, StrBytes, decode_response, decode_response_header};

use crate::cluster::Cluster;
use crate::passing::whole;

/// No connection of a client has it: those count from 1.
const CONNECTION: u64 = u64::MAX;

/// Asks, and waits for the answer.
pub async fn ask<R: Request>(cluster: &Cluster, version: i16, request: &R) -> Result<R::Response, String> {
    send(cluster, version, request)?.await
}

/// Asks: the request is admitted when this returns, and answered when the future ends.
pub fn send<R: Request>(
    cluster: &Cluster,
    version: i16,
    request: &R,
) -> Result<impl Future<Output = Result<R::Response, String>> + use<R>, String> {
    let (Some(handler), Some(listener)) = (cluster.handler(), cluster.listener()) else {
        return Err("the cluster does not serve yet".to_owned());
    };
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let connection = Arc::new(ConnectionInfo::new(CONNECTION, Arc::clone(&listener), here, listener.bound));
    let header = RequestHeader {
        api_key: R::API_KEY.to_i16(),
        api_version: version,
        correlation_id: 0,
        client_id: Some(StrBytes::from_static_str("ottla-lab")),
    };
    let mut frame = BytesMut::new();
    header.encode(&mut frame);
    request.encode(&mut frame, version).map_err(|error| error.to_string())?;
    let admitted = handler.admit(&connection, frame.freeze());
    Ok(async move {
        let answer = match admitted {
            Admitted::Ready(answer) => answer,
            Admitted::Parked(answer)
            | Admitted::Exclusive(answer)
            | Admitted::ExclusiveAfterEarlier(answer) => answer.await,
        };
        handler.on_close(&connection);
        let response =
            response_of(answer).ok_or_else(|| format!("{} was not answered", R::API_KEY.name()))?;
        let mut bytes = whole(&response).ok_or("an answer cannot be read")?;
        decode_response_header(&mut bytes, R::API_KEY, version).map_err(|error| error.to_string())?;
        decode_response(R::API_KEY, version, bytes).map_err(|error| error.to_string())
    })
}

fn response_of(answer: Answer) -> Option<Response> {
    match answer {
        Answer::Respond(response) => Some(response),
        Answer::CloseAfter { response, .. } => response,
        Answer::ThenMute { answer, .. } => response_of(*answer),
        Answer::Silent | Answer::Close(_) => None,
    }
}
