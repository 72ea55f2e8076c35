//! ApiVersions (key 18), versions 0-4: which APIs, versions and features this broker serves.
//! Core.
//!
//! - v0-v2: keys only (v1 adds throttle time).
//! - v3 (KIP-511, KIP-584): client software name and version; supported and finalized features.
//! - v4 (KIP-1022 follow-up): features whose minimum is 0 may be listed.
//! - above v4: error 35 in the v0 layout, naming this one API, so that a newer client asks again.

use arc_swap::ArcSwapOption;
use bytes::{Bytes, BytesMut};
use ottla_model::ErrorCode;
use ottla_network::{Admitted, Answer};
use ottla_protocol::Encode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::prelude::*;
use crate::request::Refusal;

pub const API: Api = Api { key: ApiKey::ApiVersions, min: 0, max: 4, admit };

const VERSIONS: usize = 5;
const ENDPOINTS: usize = 2;
/// Enough for all keys and features.
const BODY_BYTES: usize = 1024;
const _: () = assert!(VERSIONS == API.max as usize + 1);

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    answer(broker, &request).map(|(answer, _is_told)| Admitted::Ready(answer))
}

/// The answer, and whether it tells what was asked for.
pub(crate) fn answer(broker: &Arc<Broker>, request: &Request) -> Result<(Answer, bool), Refusal> {
    if request.version() > API.max {
        let fallback = ApiVersionsResponse::default()
            .with_error_code(ErrorCode::UnsupportedVersion.code())
            .with_api_keys(vec![row(API.key.to_i16(), API.min, API.max)]);
        return Ok((request.answer_in_version(&fallback, 0), false));
    }
    let body: ApiVersionsRequest = request.decode()?;
    if request.version() >= 3 {
        let (name, version) = (body.client_software_name.as_str(), body.client_software_version.as_str());
        if !(is_software_word(name) && is_software_word(version)) {
            let refused = ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
            return Ok((request.answer(&refused), false));
        }
        // What it says first counts.
        request.connection.software.get_or_init(|| broker.metrics.software.on_known(name, version));
    }
    let throttle_ms = request.settle_throttle();
    if throttle_ms > 0 {
        let response = supported(broker, request).with_throttle_time_ms(throttle_ms);
        return Ok((request.answer_throttled(&response, request.version(), throttle_ms), true));
    }
    let Some(body) = broker.supported_versions.body(broker, request) else {
        return Ok((Answer::Close("a response could not be encoded"), false));
    };
    let mut response = request.response(body.len());
    response.buffer.extend_from_slice(&body);
    Ok((request.finish(response, &[]), true))
}

/// The encoded responses of late, by listener and version: every connection asks, and they change with the metadata
/// alone.
#[derive(Default)]
pub struct SupportedVersions {
    bodies: [[ArcSwapOption<Body>; VERSIONS]; ENDPOINTS],
}

struct Body {
    /// The metadata offset that its features are of.
    epoch: i64,
    bytes: Bytes,
}

impl SupportedVersions {
    /// What follows the header of the response, of a client that need not rest.
    fn body(&self, broker: &Broker, request: &Request) -> Option<Bytes> {
        let slot = &self.bodies[request.endpoint as usize][usize::try_from(request.version()).ok()?];
        let epoch = broker.image().finalized_features_epoch();
        if let Some(body) = &*slot.load()
            && body.epoch == epoch
        {
            return Some(body.bytes.clone());
        }
        let mut buffer = BytesMut::with_capacity(BODY_BYTES);
        let response = supported(broker, request);
        if let Err(error) = response.encode(&mut buffer, request.version()) {
            tracing::error!(version = request.version(), %error, "a response could not be encoded");
            return None;
        }
        let bytes = buffer.freeze();
        slot.store(Some(Arc::new(Body { epoch: response.finalized_features_epoch, bytes: bytes.clone() })));
        Some(bytes)
    }
}

fn supported(broker: &Broker, request: &Request) -> ApiVersionsResponse {
    let image = broker.image();
    let unstable = broker.config.unstable_api_versions;
    let api_keys = table::rows(request.endpoint)
        .map(|api| row(api.key.to_i16(), api.advertised_min(), table::version_max(api, unstable)))
        .collect();
    let supported = broker
        .features
        .iter()
        .filter(|feature| request.version() >= 4 || feature.min > 0)
        .map(|feature| {
            SupportedFeatureKey::default()
                .with_name(text(&feature.name))
                .with_min_version(feature.min)
                .with_max_version(feature.max)
        })
        .collect();
    let finalized = image
        .finalized_features()
        .filter(|(_, level)| *level > 0)
        .map(|(name, level)| {
            FinalizedFeatureKey::default()
                .with_name(text(name))
                .with_min_version_level(level)
                .with_max_version_level(level)
        })
        .collect();
    ApiVersionsResponse::default()
        .with_api_keys(api_keys)
        .with_supported_features(supported)
        .with_finalized_features(finalized)
        .with_finalized_features_epoch(image.finalized_features_epoch())
}

/// The answer where versions may not be asked for.
pub(crate) fn refuse(request: &Request, error: ErrorCode) -> Result<Answer, Refusal> {
    if request.version() <= API.max {
        let _body: ApiVersionsRequest = request.decode()?;
    }
    let version = if request.version() > API.max { 0 } else { request.version() };
    let response = ApiVersionsResponse::default().with_error_code(error.code());
    Ok(request.answer_in_version(&response, version))
}

fn row(api_key: i16, min: i16, max: i16) -> ApiVersion {
    ApiVersion::default().with_api_key(api_key).with_min_version(min).with_max_version(max)
}

/// `ApiVersionsRequest.isValid`: letters, digits, `.` and `-`, not at the ends.
fn is_software_word(word: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    let bytes = word.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() && bytes.iter().copied().all(inner)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_software_word;

    #[test]
    fn software_words_are_kafka_s() {
        assert!(is_software_word("apache-kafka-java"));
        assert!(is_software_word("4.3.1"));
        assert!(!is_software_word(""));
        assert!(!is_software_word("-x"));
        assert!(!is_software_word("a b"));
    }
}
