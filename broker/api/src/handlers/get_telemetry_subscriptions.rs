//! GetTelemetrySubscriptions (key 71), version 0: which of its metrics a client is asked to push (KIP-714).
//! Shell (draws ids). Nobody needs a permission for it, as in Kafka.
//!
//! - v0 only. Always advertised: docs/decisions/0022-telemetry-is-always-received.md.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};
use ottla_records::CompressionType;
use uuid::Uuid;

use super::prelude::*;
use crate::telemetry::facts;

pub const API: Api = Api { key: ApiKey::GetTelemetrySubscriptions, min: 0, max: 0, admit };

/// In the order of our liking.
const CODECS: [CompressionType; 4] =
    [CompressionType::Zstd, CompressionType::Lz4, CompressionType::Gzip, CompressionType::Snappy];

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: GetTelemetrySubscriptionsRequest = request.decode()?;
    let new_id = || Uuid::from_bytes(broker.env.rng.next_16());
    let (telemetry, now) = (&broker.telemetry, request.received);
    let asked =
        telemetry.get(body.client_instance_id, request.connection.id, || facts(&request), new_id, now);
    let response = match asked {
        Ok((id, asked)) => GetTelemetrySubscriptionsResponse::default()
            .with_error_code(ErrorCode::None.code())
            .with_client_instance_id(id)
            .with_subscription_id(asked.subscription_id)
            .with_accepted_compression_types(CODECS.iter().map(|codec| codec.id() as i8).collect())
            .with_push_interval_ms(asked.interval_ms)
            .with_telemetry_max_bytes(i32::try_from(telemetry.payload_bytes_max()).unwrap_or(i32::MAX))
            .with_delta_temporality(true)
            .with_requested_metrics(asked.metrics.iter().map(|name| text(name)).collect()),
        Err(error) => GetTelemetrySubscriptionsResponse::default().with_error_code(error.code()),
    };
    request.ready(&response)
}
