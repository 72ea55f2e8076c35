//! Which version of an API two nodes have in common.
//! Core.

use ottla_protocol::ApiKey;
use ottla_protocol::messages::ApiVersionsResponse;
use ottla_protocol::versions;
use ottla_protocol::versions::VersionRange;

/// What the other node said it serves.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerVersions {
    /// By key; a node has fewer than a hundred.
    ranges: Vec<(ApiKey, VersionRange)>,
}

impl PeerVersions {
    /// What a login needs, at a node that is known to be as old as this one and is not asked.
    pub fn of_login() -> PeerVersions {
        let range = |key: ApiKey, max: i16| (key, VersionRange { min: max, max });
        PeerVersions { ranges: vec![range(ApiKey::SaslHandshake, 1), range(ApiKey::SaslAuthenticate, 2)] }
    }

    /// Keys that this release does not know are left out.
    pub fn of(response: &ApiVersionsResponse) -> PeerVersions {
        let known = |row: &ottla_protocol::messages::api_versions_response::ApiVersion| {
            let range = VersionRange { min: row.min_version, max: row.max_version };
            Some((ApiKey::from_i16(row.api_key)?, range))
        };
        PeerVersions { ranges: response.api_keys.iter().filter_map(known).collect() }
    }

    pub fn range(&self, key: ApiKey) -> Option<VersionRange> {
        self.ranges.iter().find(|(known, _)| *known == key).map(|(_, range)| *range)
    }

    /// The highest version that the other node serves and this one can write and read.
    pub fn common(&self, key: ApiKey) -> Option<i16> {
        let theirs = self.range(key)?;
        let ours = versions::of(key).decodable?;
        let highest = theirs.max.min(ours.max);
        (highest >= theirs.min.max(ours.min)).then_some(highest)
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::api_versions_response::ApiVersion;

    use super::*;

    fn versions_of(key: ApiKey, min: i16, max: i16) -> PeerVersions {
        let row =
            ApiVersion::default().with_api_key(key.to_i16()).with_min_version(min).with_max_version(max);
        let unknown = ApiVersion::default().with_api_key(9999).with_max_version(3);
        PeerVersions::of(&ApiVersionsResponse::default().with_api_keys(vec![unknown, row]))
    }

    #[test]
    fn the_highest_common_version_is_taken() {
        let ours = versions::of(ApiKey::Fetch).decodable.expect("Fetch is served");
        let common = |min, max| versions_of(ApiKey::Fetch, min, max).common(ApiKey::Fetch);
        assert_eq!(common(0, i16::MAX), Some(ours.max));
        assert_eq!(common(ours.min, ours.min + 1), Some(ours.min + 1));
        assert_eq!(common(ours.max, ours.max), Some(ours.max));
        assert_eq!(common(ours.max + 1, i16::MAX), None, "it is newer than this node");
        assert_eq!(common(0, ours.min - 1), None, "it is older than this node");
        assert_eq!(versions_of(ApiKey::Fetch, 0, 9).common(ApiKey::Produce), None);
    }
}
