//! From frame to handler: header, row, version gate, panic fence.
//! Shell.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler, ResponseBuilder};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::header::{HeaderError, RequestHeader};
use ottla_protocol::throttle::{ThrottlePlace, throttle_place};
use ottla_protocol::versions;
use ottla_replica::HAND_OVER_MAX;
use ottla_security::AclOperation;

use crate::access::Access;
use crate::context::{Broker, ClusterLinks};
use crate::delegation_tokens::refused_here;
use crate::fence::{Fence, log_panic};
use crate::own_settings::{Left, take_own};
use crate::peers::ping::{self, PingFrame};
use crate::peers::{Forward, Forwarded, envelope};
use crate::quotas::{Throttle, rest};
use crate::request::{Handled, Refusal, Request, park};
use crate::table::{self, ByKey, Endpoint, Row, Treatment};

pub struct Dispatch {
    broker: Arc<Broker>,
    endpoint: Endpoint,
    served: &'static ByKey,
}

impl Dispatch {
    /// For the listeners of one kind.
    pub fn new(broker: Arc<Broker>, endpoint: Endpoint) -> Dispatch {
        Dispatch { broker, endpoint, served: table::served(endpoint) }
    }

    fn route(&self, connection: &Arc<ConnectionInfo>, mut frame: Bytes) -> Handled {
        let frame_bytes = frame.len();
        let header = match RequestHeader::decode(&mut frame) {
            Ok(header) => header,
            Err(HeaderError::UnknownKey(ping::KEY)) => return self.on_ping(connection, frame),
            Err(error) => return Err(Refusal(error.to_string())),
        };
        let refuse = |what: &str| {
            Err(Refusal(format!("{what} (API key {}, version {})", header.api_key, header.api_version)))
        };
        // But for ApiVersions, with which the other nodes' connections begin.
        if self.endpoint == Endpoint::Broker
            && self.broker.cluster.as_ref().is_some_and(|links| links.presence.is_cut_off())
            && header.api_key != ApiKey::ApiVersions.to_i16()
        {
            return Ok(Admitted::Ready(Answer::Close("this node is cut off from its cluster")));
        }
        let Some(api) = table::find(self.served, header.api_key) else {
            return refuse("this API is not served");
        };
        let from_the_future = api.key == ApiKey::ApiVersions && header.api_version > api.max;
        let version_max = table::version_max(api, self.broker.config.unstable_api_versions);
        if !(api.min..=version_max).contains(&header.api_version) && !from_the_future {
            return refuse("this version is not served");
        }
        let broker = &self.broker;
        let mut request = Request {
            key: api.key,
            header,
            body: frame,
            connection: connection.clone(),
            endpoint: self.endpoint,
            identity: connection.identity(),
            received: broker.env.clock.monotonic(),
            frame_bytes,
            throttle: Throttle::default(),
            broker: broker.clone(),
            came_to_none: None,
        };
        match request.begin_time(api.treatment == Treatment::Exempt) {
            None => self.answer(api, request),
            Some(time) => self.answer(api, request).map(|admitted| time.go_on(admitted)),
        }
    }

    /// Another node says that it lives. `frame` begins behind the key.
    fn on_ping(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Handled {
        let refuse = |why: &str| Err(Refusal(format!("a ping is refused: {why}")));
        let Some(links) = &self.broker.cluster else { return refuse("nobody listens to pings here") };
        if !Access::of_connection(&self.broker, connection).cluster(AclOperation::ClusterAction) {
            return refuse("its sender may not act for the cluster");
        }
        let Some(PingFrame { correlation_id, ping }) = ping::decode(frame) else {
            return refuse("it is none of ours");
        };
        links.presence.on_ping(&ping);
        let mut answer = ResponseBuilder::with_capacity(4);
        answer.buffer.extend_from_slice(&correlation_id.to_be_bytes());
        match answer.finish() {
            Some(answer) => Ok(Admitted::Ready(Answer::Respond(answer))),
            None => unreachable!("four bytes are a frame"),
        }
    }

    fn answer(&self, api: &'static Row, request: Request) -> Handled {
        let broker = &self.broker;
        if api.key == ApiKey::Produce && broker.cluster.is_some() && broker.replicas.hand_over.is_under_way()
        {
            return Ok(until_handed_over(broker, api, request));
        }
        match &broker.cluster {
            Some(ClusterLinks { forward, .. }) if api.is_forwarded() && self.endpoint == Endpoint::Broker => {
                forwarded(broker, forward, api, request)
            }
            _ => (api.admit)(broker, request),
        }
    }
}

/// A write to a broker that is about to stop waits until others lead what it leads. Nothing overtakes it.
fn until_handed_over(broker: &Arc<Broker>, api: &'static Row, request: Request) -> Admitted {
    let broker = broker.clone();
    Admitted::Exclusive(Box::pin(Fence::new(async move {
        if let Some(links) = &broker.cluster {
            let clock = &broker.env.clock;
            let mut over = clock.sleep_until(clock.monotonic().after(HAND_OVER_MAX));
            let mut images = links.reached.changes();
            let is_led_elsewhere = || {
                let image = broker.image();
                image.broker(broker.node_id).is_none_or(|own| own.fenced || own.in_controlled_shutdown)
            };
            while !is_led_elsewhere() {
                tokio::select! {
                    biased;
                    () = &mut over => break,
                    changed = images.changed() => if changed.is_err() { break },
                }
            }
        }
        own(&broker, api, request).await
    })))
}

/// Leaves a request to the active controller, if that is not here.
fn forwarded(broker: &Arc<Broker>, forward: &Arc<Forward>, api: &'static Row, request: Request) -> Handled {
    if forward.decides_here() {
        return (api.admit)(broker, request);
    }
    let (body, complete) = match take_own(broker, &request)? {
        Left::Nothing(answer) => return Ok(Admitted::Ready(answer)),
        Left::Whole => (request.body.clone(), None),
        Left::Part(body, complete) => (body, Some(complete)),
    };
    if let Some(refused) = refused_here(&request) {
        return refused.map(Admitted::Ready);
    }
    let host = request.connection.peer_addr.ip().to_canonical();
    let envelope = envelope(&request.header, &body, request.principal(), host);
    let (broker, forward) = (broker.clone(), forward.clone());
    park(async move {
        let bytes = match forward.forward(envelope).await {
            Ok(Forwarded::Answer(bytes)) => bytes,
            Ok(Forwarded::Refused(error)) => {
                tracing::warn!(%error, api = api.key.name(), "the controller refuses a forwarded request");
                return Answer::Close("a forwarded request was refused");
            }
            // Decided here after all, or answered as one that has found no controller.
            Ok(Forwarded::Ours) | Err(_) => return own(&broker, api, request).await,
        };
        if let Some(complete) = complete {
            return complete(&request, bytes)
                .unwrap_or(Answer::Close("the controller's answer is unreadable"));
        }
        let mut answer = ResponseBuilder::with_capacity(bytes.len());
        answer.buffer.extend_from_slice(&bytes);
        // It is the controller's word that counts (`RequestHandlerHelper.sendForwardedResponse`).
        rest(request.finish(answer, &[]), told_throttle_ms(&request, &bytes))
    })
}

/// For how long a response to a request has its client rest.
fn told_throttle_ms(request: &Request, response: &[u8]) -> i32 {
    let ThrottlePlace::At(place) = throttle_place(request.key, request.version()) else { return 0 };
    let header = 4 + usize::from(versions::response_header_version(request.key, request.version()) >= 1);
    let field = response.get(header + place..).and_then(|rest| rest.first_chunk());
    field.map_or(0, |bytes| i32::from_be_bytes(*bytes))
}

async fn own(broker: &Arc<Broker>, api: &'static Row, request: Request) -> Answer {
    match (api.admit)(broker, request) {
        Ok(Admitted::Ready(answer)) => answer,
        Ok(
            Admitted::Parked(answer) | Admitted::Exclusive(answer) | Admitted::ExclusiveAfterEarlier(answer),
        ) => answer.await,
        Err(Refusal(why)) => {
            tracing::debug!(%why, "a request is refused");
            Answer::Close("a request was refused")
        }
    }
}

/// What becomes of a frame. One that is refused, or that meets a bug, ends its connection and nothing else.
pub(crate) fn fenced(
    broker: Option<&Broker>,
    connection: &ConnectionInfo,
    admit: impl FnOnce() -> Handled,
) -> Admitted {
    match catch_unwind(AssertUnwindSafe(admit)) {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(Refusal(why))) => {
            if let Some(broker) = broker {
                broker.metrics.refused.inc();
            }
            tracing::debug!(connection = connection.id, peer = %connection.peer_addr, %why, "a request is refused");
            Admitted::Ready(Answer::Close("a request was refused"))
        }
        Err(panic) => {
            log_panic(&*panic);
            Admitted::Ready(Answer::Close("a handler failed"))
        }
    }
}

impl Dispatch {
    /// Where a topic was missing a moment ago, a client's pause begins with its last answer (docs/decisions/0018).
    fn note_answer(&self, connection: &ConnectionInfo, admitted: Admitted) -> Admitted {
        let (broker, id) = (self.broker.clone(), connection.id);
        match admitted {
            Admitted::Parked(answer) => Admitted::Parked(Box::pin(async move {
                let answer = answer.await;
                broker.auto_create.on_answer(id);
                answer
            })),
            other => {
                broker.auto_create.on_answer(id);
                other
            }
        }
    }
}

impl Handler for Dispatch {
    fn admit(&self, connection: &Arc<ConnectionInfo>, frame: Bytes) -> Admitted {
        fenced(Some(&self.broker), connection, || {
            let admitted = self.route(connection, frame)?;
            if self.broker.auto_create.has_answers() {
                return Ok(self.note_answer(connection, admitted));
            }
            Ok(admitted)
        })
    }

    fn on_close(&self, connection: &Arc<ConnectionInfo>) {
        self.broker.share_partitions.on_disconnect(connection.id);
        self.broker.telemetry.on_disconnect(connection.id);
        self.broker.broker_connections.on_close(connection.id);
        if let Some(software) = connection.software.get() {
            self.broker.metrics.software.on_close(software);
        }
    }
}
