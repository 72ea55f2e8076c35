//! Where a response says for how long its client is to rest (`throttle_time_ms`).
//! Core. From Kafka's message definitions; a test of protocol-tests holds it against them.

use crate::api_key::ApiKey;

/// The place of the field in an encoded body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThrottlePlace {
    /// The response does not say it.
    Absent,
    /// So many bytes from the start of the body.
    At(usize),
    /// Behind fields of any length: whoever makes the response has to say it.
    Behind,
}

pub fn throttle_place(key: ApiKey, version: i16) -> ThrottlePlace {
    let (since, place) = match key {
        ApiKey::Produce | ApiKey::ApiVersions => (1, ThrottlePlace::Behind),
        ApiKey::CreateDelegationToken => (0, ThrottlePlace::Behind),
        ApiKey::RenewDelegationToken | ApiKey::ExpireDelegationToken => (0, ThrottlePlace::At(10)),
        ApiKey::DescribeDelegationToken => (0, ThrottlePlace::Behind),
        ApiKey::OffsetDelete => (0, ThrottlePlace::At(2)),
        ApiKey::SaslHandshake
        | ApiKey::SaslAuthenticate
        | ApiKey::WriteTxnMarkers
        | ApiKey::Vote
        | ApiKey::BeginQuorumEpoch
        | ApiKey::EndQuorumEpoch
        | ApiKey::DescribeQuorum
        | ApiKey::Envelope
        | ApiKey::InitializeShareGroupState
        | ApiKey::ReadShareGroupState
        | ApiKey::WriteShareGroupState
        | ApiKey::DeleteShareGroupState
        | ApiKey::ReadShareGroupStateSummary => return ThrottlePlace::Absent,
        ApiKey::ListOffsets | ApiKey::JoinGroup | ApiKey::CreateTopics | ApiKey::OffsetForLeaderEpoch => {
            (2, ThrottlePlace::At(0))
        }
        ApiKey::Metadata | ApiKey::OffsetCommit | ApiKey::OffsetFetch => (3, ThrottlePlace::At(0)),
        ApiKey::Fetch
        | ApiKey::FindCoordinator
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::SyncGroup
        | ApiKey::DescribeGroups
        | ApiKey::ListGroups
        | ApiKey::DeleteTopics => (1, ThrottlePlace::At(0)),
        _ => (0, ThrottlePlace::At(0)),
    };
    if version >= since { place } else { ThrottlePlace::Absent }
}
