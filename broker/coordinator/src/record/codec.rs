//! The records as Kafka 4.3.1 writes them, and as any Kafka since 0.9 wrote them.
//! Core.
//!
//! ```text
//! group metadata  key 2 | group                        value version 3
//! offset commit   key 1 | group | topic | partition    value version 4 with the topic id as a tagged
//!                 (key 0 before Kafka 0.8.2)           field; version 1 when the client set its own
//!                                                      retention, as only that one has a place for it
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_model::{GroupId, MemberId, Offset, TopicId, TopicName};
use ottla_protocol::records::group::{
    GroupKey, GroupMetadataKey, GroupMetadataValue, GroupValue, OffsetCommitKey, OffsetCommitValue,
    group_metadata_value,
};
use ottla_protocol::records::{RecordSet, decode_key, decode_value, encode_key, encode_value};
use ottla_protocol::{DecodeError, EncodeError};

use super::{CommittedOffset, GroupMetadata, MemberMetadata, Record, consumer, share, streams};
use crate::wire::text;

const GROUP_METADATA_VALUE_VERSION: i16 = 3;
const OFFSET_COMMIT_VALUE_VERSION: i16 = 4;
/// The only version with an expire timestamp.
const OFFSET_COMMIT_VALUE_VERSION_EXPIRING: i16 = 1;

/// A record in bytes, as the log takes it.
#[derive(Clone, PartialEq, Debug)]
pub struct CoordinatorRecord {
    pub key: Bytes,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// What the bytes of a record turned out to be.
#[derive(Debug, PartialEq)]
pub enum Decoded {
    Record(Record),
    /// Of a kind that this release does not keep.
    Other,
}

pub fn encode(record: &Record) -> Result<CoordinatorRecord, EncodeError> {
    match record {
        Record::GroupMetadata { group, value } => {
            let key: GroupKey = GroupMetadataKey { group: text(group.as_str()) }.into();
            let value = value.as_deref().map(|value| {
                encode_value(&GroupValue::from(group_metadata(value)), GROUP_METADATA_VALUE_VERSION)
            });
            Ok(CoordinatorRecord { key: encode_key(&key)?, value: value.transpose()? })
        }
        Record::OffsetCommit { group, topic, partition, value } => {
            let key: GroupKey = OffsetCommitKey {
                group: text(group.as_str()),
                topic: text(topic.as_str()),
                partition: *partition,
            }
            .into();
            let value = value.as_ref().map(|value| {
                let version = match value.expire_timestamp_ms {
                    Some(_) => OFFSET_COMMIT_VALUE_VERSION_EXPIRING,
                    None => OFFSET_COMMIT_VALUE_VERSION,
                };
                encode_value(&GroupValue::from(offset_commit(value)), version)
            });
            Ok(CoordinatorRecord { key: encode_key(&key)?, value: value.transpose()? })
        }
        Record::Share { group, record } => share::encode(group, record),
        Record::Consumer { group, record } => consumer::encode(group, record),
        Record::Streams { group, record } => streams::encode(group, record),
    }
}

fn group_metadata(value: &GroupMetadata) -> GroupMetadataValue {
    let members = value.members.iter().map(|member| group_metadata_value::MemberMetadata {
        member_id: text(member.member_id.as_str()),
        group_instance_id: member.group_instance_id.as_deref().map(text),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
        unknown_tagged_fields: BTreeMap::new(),
    });
    GroupMetadataValue {
        protocol_type: text(&value.protocol_type),
        generation: value.generation,
        protocol: value.protocol.as_deref().map(text),
        leader: value.leader.as_ref().map(|leader| text(leader.as_str())),
        current_state_timestamp: value.current_state_timestamp_ms,
        members: members.collect(),
        unknown_tagged_fields: BTreeMap::new(),
    }
}

fn offset_commit(value: &CommittedOffset) -> OffsetCommitValue {
    OffsetCommitValue {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: text(&value.metadata),
        commit_timestamp: value.commit_timestamp_ms,
        expire_timestamp: value.expire_timestamp_ms.unwrap_or(-1),
        topic_id: value.topic_id.0,
        unknown_tagged_fields: BTreeMap::new(),
    }
}

pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Decoded, DecodeError> {
    // The bytes are copied: what is kept of them must not hold on to a whole read of the log.
    let key = match decode_key::<GroupKey>(Bytes::copy_from_slice(key)) {
        Err(DecodeError::UnknownRecord { .. }) => return Ok(Decoded::Other),
        decoded => decoded?,
    };
    let is_kept = matches!(
        key,
        GroupKey::GroupMetadata(_)
            | GroupKey::OffsetCommit(_)
            | GroupKey::LegacyOffsetCommit(_)
            | GroupKey::ShareGroupMemberMetadata(_)
            | GroupKey::ShareGroupMetadata(_)
            | GroupKey::ShareGroupTargetAssignmentMetadata(_)
            | GroupKey::ShareGroupTargetAssignmentMember(_)
            | GroupKey::ShareGroupCurrentMemberAssignment(_)
            | GroupKey::ShareGroupStatePartitionMetadata(_)
    );
    if !is_kept && !consumer::keeps(&key) && !streams::keeps(&key) {
        return Ok(Decoded::Other);
    }
    let value = value.map(|value| {
        decode_value::<GroupValue>(key.api_key(), Bytes::copy_from_slice(value)).map(|(value, _)| value)
    });
    Ok(match (key, value.transpose()?) {
        (GroupKey::GroupMetadata(key), None) => {
            Decoded::Record(Record::GroupMetadata { group: GroupId::new(&key.group), value: None })
        }
        (GroupKey::GroupMetadata(key), Some(GroupValue::GroupMetadata(value))) => {
            Decoded::Record(Record::GroupMetadata {
                group: GroupId::new(&key.group),
                value: Some(Arc::new(stored_group(value))),
            })
        }
        (GroupKey::OffsetCommit(key), None) => Decoded::Record(offset_record(&key, None)),
        (GroupKey::OffsetCommit(key), Some(GroupValue::OffsetCommit(value))) => {
            Decoded::Record(offset_record(&key, Some(&value)))
        }
        (GroupKey::LegacyOffsetCommit(key), value) => {
            let key = OffsetCommitKey { group: key.group, topic: key.topic, partition: key.partition };
            match value {
                None => Decoded::Record(offset_record(&key, None)),
                Some(GroupValue::LegacyOffsetCommit(value)) => {
                    let value = OffsetCommitValue {
                        offset: value.offset,
                        metadata: value.metadata,
                        commit_timestamp: value.commit_timestamp,
                        ..OffsetCommitValue::default()
                    };
                    Decoded::Record(offset_record(&key, Some(&value)))
                }
                Some(_) => Decoded::Other,
            }
        }
        (key, value) if consumer::keeps(&key) => match consumer::decode(key, value) {
            Some((group, record)) => Decoded::Record(Record::Consumer { group, record }),
            None => Decoded::Other,
        },
        (key, value) if streams::keeps(&key) => match streams::decode(key, value) {
            Some((group, record)) => Decoded::Record(Record::Streams { group, record }),
            None => Decoded::Other,
        },
        (key, value) => match share::decode(key, value) {
            Some((group, record)) => Decoded::Record(Record::Share { group, record }),
            None => Decoded::Other,
        },
    })
}

fn stored_group(value: GroupMetadataValue) -> GroupMetadata {
    let members = value.members.iter().map(|member| MemberMetadata {
        member_id: MemberId::new(&member.member_id),
        group_instance_id: member.group_instance_id.as_deref().map(Arc::from),
        client_id: Arc::from(&*member.client_id),
        client_host: Arc::from(&*member.client_host),
        // Before version 1 there was only the session's timeout.
        rebalance_timeout_ms: match member.rebalance_timeout {
            -1 => member.session_timeout,
            timeout => timeout,
        },
        session_timeout_ms: member.session_timeout,
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
    });
    GroupMetadata {
        protocol_type: Arc::from(&*value.protocol_type),
        generation: value.generation,
        protocol: value.protocol.as_deref().map(Arc::from),
        leader: value.leader.as_deref().map(MemberId::new),
        current_state_timestamp_ms: value.current_state_timestamp,
        members: members.collect(),
    }
}

/// The usual empty text is one for all.
pub(crate) fn shared_text(text: &str) -> Arc<str> {
    if text.is_empty() { Arc::default() } else { Arc::from(text) }
}

fn offset_record(key: &OffsetCommitKey, value: Option<&OffsetCommitValue>) -> Record {
    Record::OffsetCommit {
        group: GroupId::new(&key.group),
        topic: TopicName::new(&key.topic),
        partition: key.partition,
        value: value.map(|value| CommittedOffset {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: shared_text(&value.metadata),
            commit_timestamp_ms: value.commit_timestamp,
            expire_timestamp_ms: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
            topic_id: TopicId(value.topic_id),
            record_offset: Offset::NONE,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(expire_timestamp_ms: Option<i64>, topic_id: TopicId) -> Record {
        Record::OffsetCommit {
            group: GroupId::new("g"),
            topic: TopicName::new("t"),
            partition: 7,
            value: Some(CommittedOffset {
                offset: 42,
                leader_epoch: if expire_timestamp_ms.is_some() { -1 } else { 3 },
                metadata: Arc::from("m"),
                commit_timestamp_ms: 1000,
                expire_timestamp_ms,
                topic_id,
                record_offset: Offset::NONE,
            }),
        }
    }

    fn round_trip(record: &Record) -> CoordinatorRecord {
        let bytes = encode(record).unwrap_or_else(|error| panic!("{error}"));
        let decoded = decode(&bytes.key, bytes.value.as_deref()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(decoded, Decoded::Record(record.clone()));
        bytes
    }

    #[test]
    fn offsets_are_written_in_the_versions_of_kafka() {
        let id = TopicId(uuid::Uuid::from_u128(5));
        let bytes = round_trip(&offset(None, id));
        assert_eq!(&bytes.key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x07");
        let value = bytes.value.unwrap_or_default();
        let mut expected = b"\0\x04\0\0\0\0\0\0\0\x2a\0\0\0\x03\x02m\0\0\0\0\0\0\x03\xe8\x01\0\x10".to_vec();
        expected.extend_from_slice(id.0.as_bytes());
        assert_eq!(&value[..], &expected[..]);
        // Without an id there is no tagged field.
        let value = round_trip(&offset(None, TopicId::ZERO)).value.unwrap_or_default();
        assert_eq!(&value[value.len() - 1..], b"\0");
        // With a retention of the client's own it is version 1, which has no id and no epoch.
        let value = round_trip(&offset(Some(5000), TopicId::ZERO)).value.unwrap_or_default();
        assert_eq!(&value[..2], b"\0\x01");
        let tombstone = Record::OffsetCommit {
            group: GroupId::new("g"),
            topic: TopicName::new("t"),
            partition: 7,
            value: None,
        };
        assert_eq!(round_trip(&tombstone).value, None);
    }

    #[test]
    fn groups_are_written_in_version_3() {
        let member = MemberMetadata {
            member_id: MemberId::new("m-1"),
            group_instance_id: Some(Arc::from("i")),
            client_id: Arc::from("c"),
            client_host: Arc::from("/127.0.0.1"),
            rebalance_timeout_ms: 300_000,
            session_timeout_ms: 45_000,
            subscription: Bytes::from_static(b"sub"),
            assignment: Bytes::from_static(b"ass"),
        };
        let group = Record::GroupMetadata {
            group: GroupId::new("g"),
            value: Some(Arc::new(GroupMetadata {
                protocol_type: Arc::from("consumer"),
                generation: 2,
                protocol: Some(Arc::from("range")),
                leader: Some(MemberId::new("m-1")),
                current_state_timestamp_ms: 1000,
                members: vec![member],
            })),
        };
        let bytes = round_trip(&group);
        assert_eq!(&bytes.key[..], b"\0\x02\0\x01g");
        assert_eq!(&bytes.value.unwrap_or_default()[..2], b"\0\x03");
    }

    #[test]
    fn records_of_other_kinds_are_passed_over() {
        assert_eq!(decode(b"\x03\xe7abc", Some(b"x")).ok(), Some(Decoded::Other));
        assert!(decode(b"\0\x01\0\x05g", None).is_err());
    }
}
