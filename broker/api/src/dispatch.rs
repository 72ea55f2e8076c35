//! From frame to handler: header, row, version gate, panic fence.
//! Shell.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::header::RequestHeader;

use crate::context::Broker;
use crate::fence::log_panic;
use crate::quotas::Throttle;
use crate::request::{Handled, Refusal, Request};
use crate::table;

pub struct Dispatch {
    broker: Arc<Broker>,
}

impl Dispatch {
    pub fn new(broker: Arc<Broker>) -> Dispatch {
        Dispatch { broker }
    }

    fn route(&self, connection: &Arc<ConnectionInfo>, mut frame: Bytes) -> Handled {
        let frame_bytes = frame.len();
        let header = RequestHeader::decode(&mut frame).map_err(|error| Refusal(error.to_string()))?;
        let refuse = |what: &str| {
            Err(Refusal(format!("{what} (API key {}, version {})", header.api_key, header.api_version)))
        };
        let Some(api) = table::find(header.api_key) else { return refuse("this API is not served") };
        let from_the_future = api.key == ApiKey::ApiVersions && header.api_version > api.max;
        if !(api.min..=api.max).contains(&header.api_version) && !from_the_future {
            return refuse("this version is not served");
        }
        let broker = &self.broker;
        let mut request = Request {
            key: api.key,
            header,
            body: frame,
            connection: connection.clone(),
            identity: connection.identity(),
            received: broker.env.clock.monotonic(),
            frame_bytes,
            throttle: Throttle::default(),
            broker: broker.clone(),
        };
        match request.begin_time() {
            None => (api.admit)(broker, request),
            Some(time) => (api.admit)(broker, request).map(|admitted| time.go_on(admitted)),
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
        match catch_unwind(AssertUnwindSafe(|| self.route(connection, frame))) {
            Ok(Ok(admitted)) if self.broker.auto_create.has_answers() => {
                self.note_answer(connection, admitted)
            }
            Ok(Ok(admitted)) => admitted,
            Ok(Err(Refusal(why))) => {
                self.broker.metrics.refused.inc();
                tracing::debug!(connection = connection.id, peer = %connection.peer_addr, %why, "a request is refused");
                Admitted::Ready(Answer::Close("a request was refused"))
            }
            Err(panic) => {
                log_panic(&*panic);
                Admitted::Ready(Answer::Close("a handler failed"))
            }
        }
    }

    fn on_close(&self, connection: &Arc<ConnectionInfo>) {
        self.broker.share_partitions.on_disconnect(connection.id);
        self.broker.telemetry.on_disconnect(connection.id);
    }
}
