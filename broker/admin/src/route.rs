//! Requests that a route answers: their bodies, their bounds, and connections that are served for a route alone.
//! Shell.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use ottla_env::Env;
use ottla_env::net::Stream;

use crate::pages::{self, Asked, Route, Told};
use crate::stream_io::StreamIo;

/// A route may let a request wait; its connections live longer than those of who only looks.
pub const ROUTE_LIFE: Duration = Duration::from_secs(3600);
/// A body; 413 beyond.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
const PLAIN: &str = "text/plain; charset=utf-8";

/// Serves a connection, of which `bytes` were read already, for a route alone.
pub async fn serve_route(env: &Env, stream: Box<dyn Stream>, bytes: BytesMut, route: Arc<dyn Route>) {
    let clock = &env.clock;
    let service = service_fn(move |request: Request<Incoming>| {
        let route = Arc::clone(&route);
        async move {
            if !route.takes(request.uri().path()) {
                let bare = Full::new(Bytes::from_static(b"not found\n"));
                return hyper::Result::Ok(pages::answer_with(StatusCode::NOT_FOUND, PLAIN, bare));
            }
            hyper::Result::Ok(ask(&route, request).await)
        }
    });
    let http = http1::Builder::new().serve_connection(StreamIo::with_bytes(stream, bytes), service);
    let served = tokio::select! {
        served = http => served,
        () = clock.sleep_until(clock.monotonic().after(ROUTE_LIFE)) => return,
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to a route failed");
    }
}

/// Reads the request whole, and has the route answer it.
pub async fn ask(route: &Arc<dyn Route>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let refuse = |status, why: String| pages::answer_with(status, PLAIN, Full::new(Bytes::from(why)));
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, format!("the body: {error}\n")),
    };
    let asked = Asked {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    let Told { status, content_type, body } = route.answer(asked).await;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    pages::answer_with(status, content_type, Full::new(body))
}
