//! Which versions of which API Apache Kafka 4.3.1 speaks on which listener.
//! Core. The advertised table is this one and never the kafka-protocol crate's own.

use crate::api_key::ApiKey;
use crate::generated::versions::ROWS;

/// An inclusive range of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    pub min: i16,
    pub max: i16,
}

impl VersionRange {
    pub fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// What Kafka 4.3.1 says about one API.
#[derive(Clone, Copy, Debug)]
pub struct ApiRow {
    pub key: ApiKey,
    pub name: &'static str,
    /// Advertised on a broker's listeners. Telemetry (71, 72) is not: Kafka advertises it only when
    /// a receiver plugin is loaded. Produce is advertised from 0 (KAFKA-18659).
    pub broker: Option<VersionRange>,
    /// Advertised on a controller's listeners.
    pub controller: Option<VersionRange>,
    /// The versions that have messages: those that can be decoded. Produce starts at 3.
    pub decodable: Option<VersionRange>,
    /// The version that is not released yet: served with `unstable.api.versions.enable` alone.
    pub unstable: Option<i16>,
    /// The first version with compact lengths and tagged fields.
    pub flexible_from: Option<i16>,
}

const _: () = {
    let mut key = 0;
    while key < ROWS.len() {
        assert!(ROWS[key].key as usize == key, "the index of a row is its key");
        key += 1;
    }
};

/// Every API that Kafka has given a key, by key.
pub fn all() -> &'static [ApiRow] {
    &ROWS
}

/// The row of one API.
pub const fn of(key: ApiKey) -> &'static ApiRow {
    &ROWS[key as usize]
}

/// Whether messages of this version can be decoded and encoded.
pub fn is_decodable(key: ApiKey, version: i16) -> bool {
    of(key).decodable.is_some_and(|range| range.contains(version))
}

fn is_flexible(key: ApiKey, version: i16) -> bool {
    of(key).flexible_from.is_some_and(|from| version >= from)
}

/// The version of the header before a request of this version, known to us or not.
pub fn request_header_version(key: ApiKey, version: i16) -> i16 {
    if is_flexible(key, version) { 2 } else { 1 }
}

/// The version of the header before a response of this version. ApiVersions always answers with 0:
/// a client must be able to read the answer before it knows what the broker speaks.
pub fn response_header_version(key: ApiKey, version: i16) -> i16 {
    if key != ApiKey::ApiVersions && is_flexible(key, version) { 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: i16, max: i16) -> Option<VersionRange> {
        Some(VersionRange { min, max })
    }

    #[test]
    fn the_listeners_advertise_as_many_apis_as_a_real_4_3_1_does() {
        assert_eq!(all().iter().filter(|row| row.broker.is_some()).count(), 75);
        assert_eq!(all().iter().filter(|row| row.controller.is_some()).count(), 41);
        assert_eq!(all().iter().filter(|row| row.broker.or(row.controller).is_some()).count(), 87);
    }

    #[test]
    fn the_rows_that_are_exceptions_are_right() {
        assert_eq!(of(ApiKey::Produce).broker, range(0, 13));
        assert_eq!(of(ApiKey::Produce).decodable, range(3, 13));
        // Two-phase commit is not released (KIP-939).
        let unstable = |row: &ApiRow| Some((row.key, row.unstable?));
        assert_eq!(all().iter().filter_map(unstable).collect::<Vec<_>>(), [(ApiKey::InitProducerId, 6)]);
        assert_eq!(of(ApiKey::InitProducerId).broker, range(0, 5));
        assert_eq!(of(ApiKey::InitProducerId).decodable, range(0, 6));
        assert_eq!(of(ApiKey::LeaderAndIsr).decodable, None);
        assert_eq!(of(ApiKey::PushTelemetry).broker, None);
        assert_eq!(of(ApiKey::PushTelemetry).decodable, range(0, 0));
        assert_eq!(of(ApiKey::ListOffsets).broker, range(1, 11));
        assert_eq!(of(ApiKey::OffsetCommit).broker, range(2, 10));
        assert_eq!(of(ApiKey::OffsetFetch).broker, range(1, 10));
        assert_eq!(of(ApiKey::Vote).broker, None);
        assert_eq!(of(ApiKey::Vote).controller, range(0, 2));
        assert_eq!(of(ApiKey::SaslHandshake).flexible_from, None);
    }

    #[test]
    fn header_versions_follow_flexibility_except_for_the_answer_of_api_versions() {
        assert_eq!(request_header_version(ApiKey::ApiVersions, 2), 1);
        assert_eq!(request_header_version(ApiKey::ApiVersions, 99), 2);
        assert_eq!(response_header_version(ApiKey::ApiVersions, 4), 0);
        assert_eq!(response_header_version(ApiKey::Fetch, 11), 0);
        assert_eq!(response_header_version(ApiKey::Fetch, 12), 1);
        assert_eq!(request_header_version(ApiKey::OffsetDelete, 0), 1);
    }
}
