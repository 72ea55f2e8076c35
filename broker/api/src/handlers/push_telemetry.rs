//! PushTelemetry (key 72), version 0: a client's metrics (KIP-714).
//! Core, but for the lock of the telemetry room. Nobody needs a permission for it, as in Kafka.
//!
//! - v0 only. Always advertised: docs/decisions/0022-telemetry-is-always-received.md.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{PushTelemetryRequest, PushTelemetryResponse};
use ottla_telemetry::Push;

use super::prelude::*;
use crate::telemetry::facts;

pub const API: Api = Api { key: ApiKey::PushTelemetry, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: PushTelemetryRequest = request.decode()?;
    let push = Push {
        subscription_id: body.subscription_id,
        terminating: body.terminating,
        compression_type: body.compression_type,
        metrics: &body.metrics,
    };
    let (id, connection) = (body.client_instance_id, request.connection.id);
    let pushed = broker.telemetry.push(id, connection, || facts(&request), &push, request.received);
    let error_code = pushed.err().map_or(0, |error| error.code());
    request.ready(&PushTelemetryResponse::default().with_error_code(error_code))
}
