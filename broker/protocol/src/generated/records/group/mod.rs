//! Records of `__consumer_offsets`.
//! Core. Written by ottla-protocol-generator; never edited by hand.

use bytes::{Bytes, BytesMut};

use crate::codec::{Decode, DecodeError, Encode, EncodeError, RecordSet, Schema};

pub mod consumer_group_current_member_assignment_key;
pub mod consumer_group_current_member_assignment_value;
pub mod consumer_group_member_metadata_key;
pub mod consumer_group_member_metadata_value;
pub mod consumer_group_metadata_key;
pub mod consumer_group_metadata_value;
pub mod consumer_group_partition_metadata_key;
pub mod consumer_group_partition_metadata_value;
pub mod consumer_group_regular_expression_key;
pub mod consumer_group_regular_expression_value;
pub mod consumer_group_target_assignment_member_key;
pub mod consumer_group_target_assignment_member_value;
pub mod consumer_group_target_assignment_metadata_key;
pub mod consumer_group_target_assignment_metadata_value;
pub mod group_metadata_key;
pub mod group_metadata_value;
pub mod legacy_offset_commit_key;
pub mod legacy_offset_commit_value;
pub mod offset_commit_key;
pub mod offset_commit_value;
pub mod share_group_current_member_assignment_key;
pub mod share_group_current_member_assignment_value;
pub mod share_group_member_metadata_key;
pub mod share_group_member_metadata_value;
pub mod share_group_metadata_key;
pub mod share_group_metadata_value;
pub mod share_group_state_partition_metadata_key;
pub mod share_group_state_partition_metadata_value;
pub mod share_group_target_assignment_member_key;
pub mod share_group_target_assignment_member_value;
pub mod share_group_target_assignment_metadata_key;
pub mod share_group_target_assignment_metadata_value;
pub mod streams_group_current_member_assignment_key;
pub mod streams_group_current_member_assignment_value;
pub mod streams_group_member_metadata_key;
pub mod streams_group_member_metadata_value;
pub mod streams_group_metadata_key;
pub mod streams_group_metadata_value;
pub mod streams_group_target_assignment_member_key;
pub mod streams_group_target_assignment_member_value;
pub mod streams_group_target_assignment_metadata_key;
pub mod streams_group_target_assignment_metadata_value;
pub mod streams_group_topology_key;
pub mod streams_group_topology_value;

pub use consumer_group_current_member_assignment_key::ConsumerGroupCurrentMemberAssignmentKey;
pub use consumer_group_current_member_assignment_value::ConsumerGroupCurrentMemberAssignmentValue;
pub use consumer_group_member_metadata_key::ConsumerGroupMemberMetadataKey;
pub use consumer_group_member_metadata_value::ConsumerGroupMemberMetadataValue;
pub use consumer_group_metadata_key::ConsumerGroupMetadataKey;
pub use consumer_group_metadata_value::ConsumerGroupMetadataValue;
pub use consumer_group_partition_metadata_key::ConsumerGroupPartitionMetadataKey;
pub use consumer_group_partition_metadata_value::ConsumerGroupPartitionMetadataValue;
pub use consumer_group_regular_expression_key::ConsumerGroupRegularExpressionKey;
pub use consumer_group_regular_expression_value::ConsumerGroupRegularExpressionValue;
pub use consumer_group_target_assignment_member_key::ConsumerGroupTargetAssignmentMemberKey;
pub use consumer_group_target_assignment_member_value::ConsumerGroupTargetAssignmentMemberValue;
pub use consumer_group_target_assignment_metadata_key::ConsumerGroupTargetAssignmentMetadataKey;
pub use consumer_group_target_assignment_metadata_value::ConsumerGroupTargetAssignmentMetadataValue;
pub use group_metadata_key::GroupMetadataKey;
pub use group_metadata_value::GroupMetadataValue;
pub use legacy_offset_commit_key::LegacyOffsetCommitKey;
pub use legacy_offset_commit_value::LegacyOffsetCommitValue;
pub use offset_commit_key::OffsetCommitKey;
pub use offset_commit_value::OffsetCommitValue;
pub use share_group_current_member_assignment_key::ShareGroupCurrentMemberAssignmentKey;
pub use share_group_current_member_assignment_value::ShareGroupCurrentMemberAssignmentValue;
pub use share_group_member_metadata_key::ShareGroupMemberMetadataKey;
pub use share_group_member_metadata_value::ShareGroupMemberMetadataValue;
pub use share_group_metadata_key::ShareGroupMetadataKey;
pub use share_group_metadata_value::ShareGroupMetadataValue;
pub use share_group_state_partition_metadata_key::ShareGroupStatePartitionMetadataKey;
pub use share_group_state_partition_metadata_value::ShareGroupStatePartitionMetadataValue;
pub use share_group_target_assignment_member_key::ShareGroupTargetAssignmentMemberKey;
pub use share_group_target_assignment_member_value::ShareGroupTargetAssignmentMemberValue;
pub use share_group_target_assignment_metadata_key::ShareGroupTargetAssignmentMetadataKey;
pub use share_group_target_assignment_metadata_value::ShareGroupTargetAssignmentMetadataValue;
pub use streams_group_current_member_assignment_key::StreamsGroupCurrentMemberAssignmentKey;
pub use streams_group_current_member_assignment_value::StreamsGroupCurrentMemberAssignmentValue;
pub use streams_group_member_metadata_key::StreamsGroupMemberMetadataKey;
pub use streams_group_member_metadata_value::StreamsGroupMemberMetadataValue;
pub use streams_group_metadata_key::StreamsGroupMetadataKey;
pub use streams_group_metadata_value::StreamsGroupMetadataValue;
pub use streams_group_target_assignment_member_key::StreamsGroupTargetAssignmentMemberKey;
pub use streams_group_target_assignment_member_value::StreamsGroupTargetAssignmentMemberValue;
pub use streams_group_target_assignment_metadata_key::StreamsGroupTargetAssignmentMetadataKey;
pub use streams_group_target_assignment_metadata_value::StreamsGroupTargetAssignmentMetadataValue;
pub use streams_group_topology_key::StreamsGroupTopologyKey;
pub use streams_group_topology_value::StreamsGroupTopologyValue;

/// The key of a record in `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.
pub enum GroupKey {
    LegacyOffsetCommit(LegacyOffsetCommitKey),
    OffsetCommit(OffsetCommitKey),
    GroupMetadata(GroupMetadataKey),
    ConsumerGroupMetadata(ConsumerGroupMetadataKey),
    ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey),
    ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey),
    ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataKey),
    ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey),
    ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey),
    ShareGroupMemberMetadata(ShareGroupMemberMetadataKey),
    ShareGroupMetadata(ShareGroupMetadataKey),
    ShareGroupTargetAssignmentMetadata(ShareGroupTargetAssignmentMetadataKey),
    ShareGroupTargetAssignmentMember(ShareGroupTargetAssignmentMemberKey),
    ShareGroupCurrentMemberAssignment(ShareGroupCurrentMemberAssignmentKey),
    ShareGroupStatePartitionMetadata(ShareGroupStatePartitionMetadataKey),
    ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey),
    StreamsGroupMetadata(StreamsGroupMetadataKey),
    StreamsGroupMemberMetadata(StreamsGroupMemberMetadataKey),
    StreamsGroupTargetAssignmentMetadata(StreamsGroupTargetAssignmentMetadataKey),
    StreamsGroupTargetAssignmentMember(StreamsGroupTargetAssignmentMemberKey),
    StreamsGroupCurrentMemberAssignment(StreamsGroupCurrentMemberAssignmentKey),
    StreamsGroupTopology(StreamsGroupTopologyKey),
}

impl RecordSet for GroupKey {
    const NAME: &'static str = "GroupKey";
    fn api_key(&self) -> i16 {
        match self {
            Self::LegacyOffsetCommit(_) => 0,
            Self::OffsetCommit(_) => 1,
            Self::GroupMetadata(_) => 2,
            Self::ConsumerGroupMetadata(_) => 3,
            Self::ConsumerGroupPartitionMetadata(_) => 4,
            Self::ConsumerGroupMemberMetadata(_) => 5,
            Self::ConsumerGroupTargetAssignmentMetadata(_) => 6,
            Self::ConsumerGroupTargetAssignmentMember(_) => 7,
            Self::ConsumerGroupCurrentMemberAssignment(_) => 8,
            Self::ShareGroupMemberMetadata(_) => 10,
            Self::ShareGroupMetadata(_) => 11,
            Self::ShareGroupTargetAssignmentMetadata(_) => 12,
            Self::ShareGroupTargetAssignmentMember(_) => 13,
            Self::ShareGroupCurrentMemberAssignment(_) => 14,
            Self::ShareGroupStatePartitionMetadata(_) => 15,
            Self::ConsumerGroupRegularExpression(_) => 16,
            Self::StreamsGroupMetadata(_) => 17,
            Self::StreamsGroupMemberMetadata(_) => 19,
            Self::StreamsGroupTargetAssignmentMetadata(_) => 20,
            Self::StreamsGroupTargetAssignmentMember(_) => 21,
            Self::StreamsGroupCurrentMemberAssignment(_) => 22,
            Self::StreamsGroupTopology(_) => 23,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            Self::LegacyOffsetCommit(_) => "LegacyOffsetCommitKey",
            Self::OffsetCommit(_) => "OffsetCommitKey",
            Self::GroupMetadata(_) => "GroupMetadataKey",
            Self::ConsumerGroupMetadata(_) => "ConsumerGroupMetadataKey",
            Self::ConsumerGroupPartitionMetadata(_) => "ConsumerGroupPartitionMetadataKey",
            Self::ConsumerGroupMemberMetadata(_) => "ConsumerGroupMemberMetadataKey",
            Self::ConsumerGroupTargetAssignmentMetadata(_) => "ConsumerGroupTargetAssignmentMetadataKey",
            Self::ConsumerGroupTargetAssignmentMember(_) => "ConsumerGroupTargetAssignmentMemberKey",
            Self::ConsumerGroupCurrentMemberAssignment(_) => "ConsumerGroupCurrentMemberAssignmentKey",
            Self::ShareGroupMemberMetadata(_) => "ShareGroupMemberMetadataKey",
            Self::ShareGroupMetadata(_) => "ShareGroupMetadataKey",
            Self::ShareGroupTargetAssignmentMetadata(_) => "ShareGroupTargetAssignmentMetadataKey",
            Self::ShareGroupTargetAssignmentMember(_) => "ShareGroupTargetAssignmentMemberKey",
            Self::ShareGroupCurrentMemberAssignment(_) => "ShareGroupCurrentMemberAssignmentKey",
            Self::ShareGroupStatePartitionMetadata(_) => "ShareGroupStatePartitionMetadataKey",
            Self::ConsumerGroupRegularExpression(_) => "ConsumerGroupRegularExpressionKey",
            Self::StreamsGroupMetadata(_) => "StreamsGroupMetadataKey",
            Self::StreamsGroupMemberMetadata(_) => "StreamsGroupMemberMetadataKey",
            Self::StreamsGroupTargetAssignmentMetadata(_) => "StreamsGroupTargetAssignmentMetadataKey",
            Self::StreamsGroupTargetAssignmentMember(_) => "StreamsGroupTargetAssignmentMemberKey",
            Self::StreamsGroupCurrentMemberAssignment(_) => "StreamsGroupCurrentMemberAssignmentKey",
            Self::StreamsGroupTopology(_) => "StreamsGroupTopologyKey",
        }
    }
    fn highest_version(&self) -> i16 {
        match self {
            Self::LegacyOffsetCommit(_) => LegacyOffsetCommitKey::HIGHEST_VERSION,
            Self::OffsetCommit(_) => OffsetCommitKey::HIGHEST_VERSION,
            Self::GroupMetadata(_) => GroupMetadataKey::HIGHEST_VERSION,
            Self::ConsumerGroupMetadata(_) => ConsumerGroupMetadataKey::HIGHEST_VERSION,
            Self::ConsumerGroupPartitionMetadata(_) => ConsumerGroupPartitionMetadataKey::HIGHEST_VERSION,
            Self::ConsumerGroupMemberMetadata(_) => ConsumerGroupMemberMetadataKey::HIGHEST_VERSION,
            Self::ConsumerGroupTargetAssignmentMetadata(_) => {
                ConsumerGroupTargetAssignmentMetadataKey::HIGHEST_VERSION
            }
            Self::ConsumerGroupTargetAssignmentMember(_) => {
                ConsumerGroupTargetAssignmentMemberKey::HIGHEST_VERSION
            }
            Self::ConsumerGroupCurrentMemberAssignment(_) => {
                ConsumerGroupCurrentMemberAssignmentKey::HIGHEST_VERSION
            }
            Self::ShareGroupMemberMetadata(_) => ShareGroupMemberMetadataKey::HIGHEST_VERSION,
            Self::ShareGroupMetadata(_) => ShareGroupMetadataKey::HIGHEST_VERSION,
            Self::ShareGroupTargetAssignmentMetadata(_) => {
                ShareGroupTargetAssignmentMetadataKey::HIGHEST_VERSION
            }
            Self::ShareGroupTargetAssignmentMember(_) => ShareGroupTargetAssignmentMemberKey::HIGHEST_VERSION,
            Self::ShareGroupCurrentMemberAssignment(_) => {
                ShareGroupCurrentMemberAssignmentKey::HIGHEST_VERSION
            }
            Self::ShareGroupStatePartitionMetadata(_) => ShareGroupStatePartitionMetadataKey::HIGHEST_VERSION,
            Self::ConsumerGroupRegularExpression(_) => ConsumerGroupRegularExpressionKey::HIGHEST_VERSION,
            Self::StreamsGroupMetadata(_) => StreamsGroupMetadataKey::HIGHEST_VERSION,
            Self::StreamsGroupMemberMetadata(_) => StreamsGroupMemberMetadataKey::HIGHEST_VERSION,
            Self::StreamsGroupTargetAssignmentMetadata(_) => {
                StreamsGroupTargetAssignmentMetadataKey::HIGHEST_VERSION
            }
            Self::StreamsGroupTargetAssignmentMember(_) => {
                StreamsGroupTargetAssignmentMemberKey::HIGHEST_VERSION
            }
            Self::StreamsGroupCurrentMemberAssignment(_) => {
                StreamsGroupCurrentMemberAssignmentKey::HIGHEST_VERSION
            }
            Self::StreamsGroupTopology(_) => StreamsGroupTopologyKey::HIGHEST_VERSION,
        }
    }
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::LegacyOffsetCommit(record) => record.encode(buf, version),
            Self::OffsetCommit(record) => record.encode(buf, version),
            Self::GroupMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupPartitionMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupMemberMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupTargetAssignmentMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupTargetAssignmentMember(record) => record.encode(buf, version),
            Self::ConsumerGroupCurrentMemberAssignment(record) => record.encode(buf, version),
            Self::ShareGroupMemberMetadata(record) => record.encode(buf, version),
            Self::ShareGroupMetadata(record) => record.encode(buf, version),
            Self::ShareGroupTargetAssignmentMetadata(record) => record.encode(buf, version),
            Self::ShareGroupTargetAssignmentMember(record) => record.encode(buf, version),
            Self::ShareGroupCurrentMemberAssignment(record) => record.encode(buf, version),
            Self::ShareGroupStatePartitionMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupRegularExpression(record) => record.encode(buf, version),
            Self::StreamsGroupMetadata(record) => record.encode(buf, version),
            Self::StreamsGroupMemberMetadata(record) => record.encode(buf, version),
            Self::StreamsGroupTargetAssignmentMetadata(record) => record.encode(buf, version),
            Self::StreamsGroupTargetAssignmentMember(record) => record.encode(buf, version),
            Self::StreamsGroupCurrentMemberAssignment(record) => record.encode(buf, version),
            Self::StreamsGroupTopology(record) => record.encode(buf, version),
        }
    }
    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        match api_key {
            0 => Ok(Self::LegacyOffsetCommit(LegacyOffsetCommitKey::decode(buf, version)?)),
            1 => Ok(Self::OffsetCommit(OffsetCommitKey::decode(buf, version)?)),
            2 => Ok(Self::GroupMetadata(GroupMetadataKey::decode(buf, version)?)),
            3 => Ok(Self::ConsumerGroupMetadata(ConsumerGroupMetadataKey::decode(buf, version)?)),
            4 => Ok(Self::ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey::decode(
                buf, version,
            )?)),
            5 => Ok(Self::ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey::decode(buf, version)?)),
            6 => Ok(Self::ConsumerGroupTargetAssignmentMetadata(
                ConsumerGroupTargetAssignmentMetadataKey::decode(buf, version)?,
            )),
            7 => Ok(Self::ConsumerGroupTargetAssignmentMember(
                ConsumerGroupTargetAssignmentMemberKey::decode(buf, version)?,
            )),
            8 => Ok(Self::ConsumerGroupCurrentMemberAssignment(
                ConsumerGroupCurrentMemberAssignmentKey::decode(buf, version)?,
            )),
            10 => Ok(Self::ShareGroupMemberMetadata(ShareGroupMemberMetadataKey::decode(buf, version)?)),
            11 => Ok(Self::ShareGroupMetadata(ShareGroupMetadataKey::decode(buf, version)?)),
            12 => Ok(Self::ShareGroupTargetAssignmentMetadata(
                ShareGroupTargetAssignmentMetadataKey::decode(buf, version)?,
            )),
            13 => Ok(Self::ShareGroupTargetAssignmentMember(ShareGroupTargetAssignmentMemberKey::decode(
                buf, version,
            )?)),
            14 => Ok(Self::ShareGroupCurrentMemberAssignment(ShareGroupCurrentMemberAssignmentKey::decode(
                buf, version,
            )?)),
            15 => Ok(Self::ShareGroupStatePartitionMetadata(ShareGroupStatePartitionMetadataKey::decode(
                buf, version,
            )?)),
            16 => Ok(Self::ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey::decode(
                buf, version,
            )?)),
            17 => Ok(Self::StreamsGroupMetadata(StreamsGroupMetadataKey::decode(buf, version)?)),
            19 => Ok(Self::StreamsGroupMemberMetadata(StreamsGroupMemberMetadataKey::decode(buf, version)?)),
            20 => Ok(Self::StreamsGroupTargetAssignmentMetadata(
                StreamsGroupTargetAssignmentMetadataKey::decode(buf, version)?,
            )),
            21 => Ok(Self::StreamsGroupTargetAssignmentMember(
                StreamsGroupTargetAssignmentMemberKey::decode(buf, version)?,
            )),
            22 => Ok(Self::StreamsGroupCurrentMemberAssignment(
                StreamsGroupCurrentMemberAssignmentKey::decode(buf, version)?,
            )),
            23 => Ok(Self::StreamsGroupTopology(StreamsGroupTopologyKey::decode(buf, version)?)),
            _ => Err(DecodeError::UnknownRecord { set: Self::NAME, api_key }),
        }
    }
}

impl From<LegacyOffsetCommitKey> for GroupKey {
    fn from(record: LegacyOffsetCommitKey) -> Self {
        Self::LegacyOffsetCommit(record)
    }
}

impl From<OffsetCommitKey> for GroupKey {
    fn from(record: OffsetCommitKey) -> Self {
        Self::OffsetCommit(record)
    }
}

impl From<GroupMetadataKey> for GroupKey {
    fn from(record: GroupMetadataKey) -> Self {
        Self::GroupMetadata(record)
    }
}

impl From<ConsumerGroupMetadataKey> for GroupKey {
    fn from(record: ConsumerGroupMetadataKey) -> Self {
        Self::ConsumerGroupMetadata(record)
    }
}

impl From<ConsumerGroupPartitionMetadataKey> for GroupKey {
    fn from(record: ConsumerGroupPartitionMetadataKey) -> Self {
        Self::ConsumerGroupPartitionMetadata(record)
    }
}

impl From<ConsumerGroupMemberMetadataKey> for GroupKey {
    fn from(record: ConsumerGroupMemberMetadataKey) -> Self {
        Self::ConsumerGroupMemberMetadata(record)
    }
}

impl From<ConsumerGroupTargetAssignmentMetadataKey> for GroupKey {
    fn from(record: ConsumerGroupTargetAssignmentMetadataKey) -> Self {
        Self::ConsumerGroupTargetAssignmentMetadata(record)
    }
}

impl From<ConsumerGroupTargetAssignmentMemberKey> for GroupKey {
    fn from(record: ConsumerGroupTargetAssignmentMemberKey) -> Self {
        Self::ConsumerGroupTargetAssignmentMember(record)
    }
}

impl From<ConsumerGroupCurrentMemberAssignmentKey> for GroupKey {
    fn from(record: ConsumerGroupCurrentMemberAssignmentKey) -> Self {
        Self::ConsumerGroupCurrentMemberAssignment(record)
    }
}

impl From<ShareGroupMemberMetadataKey> for GroupKey {
    fn from(record: ShareGroupMemberMetadataKey) -> Self {
        Self::ShareGroupMemberMetadata(record)
    }
}

impl From<ShareGroupMetadataKey> for GroupKey {
    fn from(record: ShareGroupMetadataKey) -> Self {
        Self::ShareGroupMetadata(record)
    }
}

impl From<ShareGroupTargetAssignmentMetadataKey> for GroupKey {
    fn from(record: ShareGroupTargetAssignmentMetadataKey) -> Self {
        Self::ShareGroupTargetAssignmentMetadata(record)
    }
}

impl From<ShareGroupTargetAssignmentMemberKey> for GroupKey {
    fn from(record: ShareGroupTargetAssignmentMemberKey) -> Self {
        Self::ShareGroupTargetAssignmentMember(record)
    }
}

impl From<ShareGroupCurrentMemberAssignmentKey> for GroupKey {
    fn from(record: ShareGroupCurrentMemberAssignmentKey) -> Self {
        Self::ShareGroupCurrentMemberAssignment(record)
    }
}

impl From<ShareGroupStatePartitionMetadataKey> for GroupKey {
    fn from(record: ShareGroupStatePartitionMetadataKey) -> Self {
        Self::ShareGroupStatePartitionMetadata(record)
    }
}

impl From<ConsumerGroupRegularExpressionKey> for GroupKey {
    fn from(record: ConsumerGroupRegularExpressionKey) -> Self {
        Self::ConsumerGroupRegularExpression(record)
    }
}

impl From<StreamsGroupMetadataKey> for GroupKey {
    fn from(record: StreamsGroupMetadataKey) -> Self {
        Self::StreamsGroupMetadata(record)
    }
}

impl From<StreamsGroupMemberMetadataKey> for GroupKey {
    fn from(record: StreamsGroupMemberMetadataKey) -> Self {
        Self::StreamsGroupMemberMetadata(record)
    }
}

impl From<StreamsGroupTargetAssignmentMetadataKey> for GroupKey {
    fn from(record: StreamsGroupTargetAssignmentMetadataKey) -> Self {
        Self::StreamsGroupTargetAssignmentMetadata(record)
    }
}

impl From<StreamsGroupTargetAssignmentMemberKey> for GroupKey {
    fn from(record: StreamsGroupTargetAssignmentMemberKey) -> Self {
        Self::StreamsGroupTargetAssignmentMember(record)
    }
}

impl From<StreamsGroupCurrentMemberAssignmentKey> for GroupKey {
    fn from(record: StreamsGroupCurrentMemberAssignmentKey) -> Self {
        Self::StreamsGroupCurrentMemberAssignment(record)
    }
}

impl From<StreamsGroupTopologyKey> for GroupKey {
    fn from(record: StreamsGroupTopologyKey) -> Self {
        Self::StreamsGroupTopology(record)
    }
}

/// The value of a record in `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.
pub enum GroupValue {
    LegacyOffsetCommit(LegacyOffsetCommitValue),
    OffsetCommit(OffsetCommitValue),
    GroupMetadata(GroupMetadataValue),
    ConsumerGroupMetadata(ConsumerGroupMetadataValue),
    ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataValue),
    ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataValue),
    ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataValue),
    ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberValue),
    ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentValue),
    ShareGroupMemberMetadata(ShareGroupMemberMetadataValue),
    ShareGroupMetadata(ShareGroupMetadataValue),
    ShareGroupTargetAssignmentMetadata(ShareGroupTargetAssignmentMetadataValue),
    ShareGroupTargetAssignmentMember(ShareGroupTargetAssignmentMemberValue),
    ShareGroupCurrentMemberAssignment(ShareGroupCurrentMemberAssignmentValue),
    ShareGroupStatePartitionMetadata(ShareGroupStatePartitionMetadataValue),
    ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionValue),
    StreamsGroupMetadata(StreamsGroupMetadataValue),
    StreamsGroupMemberMetadata(StreamsGroupMemberMetadataValue),
    StreamsGroupTargetAssignmentMetadata(StreamsGroupTargetAssignmentMetadataValue),
    StreamsGroupTargetAssignmentMember(StreamsGroupTargetAssignmentMemberValue),
    StreamsGroupCurrentMemberAssignment(StreamsGroupCurrentMemberAssignmentValue),
    StreamsGroupTopology(StreamsGroupTopologyValue),
}

impl RecordSet for GroupValue {
    const NAME: &'static str = "GroupValue";
    fn api_key(&self) -> i16 {
        match self {
            Self::LegacyOffsetCommit(_) => 0,
            Self::OffsetCommit(_) => 1,
            Self::GroupMetadata(_) => 2,
            Self::ConsumerGroupMetadata(_) => 3,
            Self::ConsumerGroupPartitionMetadata(_) => 4,
            Self::ConsumerGroupMemberMetadata(_) => 5,
            Self::ConsumerGroupTargetAssignmentMetadata(_) => 6,
            Self::ConsumerGroupTargetAssignmentMember(_) => 7,
            Self::ConsumerGroupCurrentMemberAssignment(_) => 8,
            Self::ShareGroupMemberMetadata(_) => 10,
            Self::ShareGroupMetadata(_) => 11,
            Self::ShareGroupTargetAssignmentMetadata(_) => 12,
            Self::ShareGroupTargetAssignmentMember(_) => 13,
            Self::ShareGroupCurrentMemberAssignment(_) => 14,
            Self::ShareGroupStatePartitionMetadata(_) => 15,
            Self::ConsumerGroupRegularExpression(_) => 16,
            Self::StreamsGroupMetadata(_) => 17,
            Self::StreamsGroupMemberMetadata(_) => 19,
            Self::StreamsGroupTargetAssignmentMetadata(_) => 20,
            Self::StreamsGroupTargetAssignmentMember(_) => 21,
            Self::StreamsGroupCurrentMemberAssignment(_) => 22,
            Self::StreamsGroupTopology(_) => 23,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            Self::LegacyOffsetCommit(_) => "LegacyOffsetCommitValue",
            Self::OffsetCommit(_) => "OffsetCommitValue",
            Self::GroupMetadata(_) => "GroupMetadataValue",
            Self::ConsumerGroupMetadata(_) => "ConsumerGroupMetadataValue",
            Self::ConsumerGroupPartitionMetadata(_) => "ConsumerGroupPartitionMetadataValue",
            Self::ConsumerGroupMemberMetadata(_) => "ConsumerGroupMemberMetadataValue",
            Self::ConsumerGroupTargetAssignmentMetadata(_) => "ConsumerGroupTargetAssignmentMetadataValue",
            Self::ConsumerGroupTargetAssignmentMember(_) => "ConsumerGroupTargetAssignmentMemberValue",
            Self::ConsumerGroupCurrentMemberAssignment(_) => "ConsumerGroupCurrentMemberAssignmentValue",
            Self::ShareGroupMemberMetadata(_) => "ShareGroupMemberMetadataValue",
            Self::ShareGroupMetadata(_) => "ShareGroupMetadataValue",
            Self::ShareGroupTargetAssignmentMetadata(_) => "ShareGroupTargetAssignmentMetadataValue",
            Self::ShareGroupTargetAssignmentMember(_) => "ShareGroupTargetAssignmentMemberValue",
            Self::ShareGroupCurrentMemberAssignment(_) => "ShareGroupCurrentMemberAssignmentValue",
            Self::ShareGroupStatePartitionMetadata(_) => "ShareGroupStatePartitionMetadataValue",
            Self::ConsumerGroupRegularExpression(_) => "ConsumerGroupRegularExpressionValue",
            Self::StreamsGroupMetadata(_) => "StreamsGroupMetadataValue",
            Self::StreamsGroupMemberMetadata(_) => "StreamsGroupMemberMetadataValue",
            Self::StreamsGroupTargetAssignmentMetadata(_) => "StreamsGroupTargetAssignmentMetadataValue",
            Self::StreamsGroupTargetAssignmentMember(_) => "StreamsGroupTargetAssignmentMemberValue",
            Self::StreamsGroupCurrentMemberAssignment(_) => "StreamsGroupCurrentMemberAssignmentValue",
            Self::StreamsGroupTopology(_) => "StreamsGroupTopologyValue",
        }
    }
    fn highest_version(&self) -> i16 {
        match self {
            Self::LegacyOffsetCommit(_) => LegacyOffsetCommitValue::HIGHEST_VERSION,
            Self::OffsetCommit(_) => OffsetCommitValue::HIGHEST_VERSION,
            Self::GroupMetadata(_) => GroupMetadataValue::HIGHEST_VERSION,
            Self::ConsumerGroupMetadata(_) => ConsumerGroupMetadataValue::HIGHEST_VERSION,
            Self::ConsumerGroupPartitionMetadata(_) => ConsumerGroupPartitionMetadataValue::HIGHEST_VERSION,
            Self::ConsumerGroupMemberMetadata(_) => ConsumerGroupMemberMetadataValue::HIGHEST_VERSION,
            Self::ConsumerGroupTargetAssignmentMetadata(_) => {
                ConsumerGroupTargetAssignmentMetadataValue::HIGHEST_VERSION
            }
            Self::ConsumerGroupTargetAssignmentMember(_) => {
                ConsumerGroupTargetAssignmentMemberValue::HIGHEST_VERSION
            }
            Self::ConsumerGroupCurrentMemberAssignment(_) => {
                ConsumerGroupCurrentMemberAssignmentValue::HIGHEST_VERSION
            }
            Self::ShareGroupMemberMetadata(_) => ShareGroupMemberMetadataValue::HIGHEST_VERSION,
            Self::ShareGroupMetadata(_) => ShareGroupMetadataValue::HIGHEST_VERSION,
            Self::ShareGroupTargetAssignmentMetadata(_) => {
                ShareGroupTargetAssignmentMetadataValue::HIGHEST_VERSION
            }
            Self::ShareGroupTargetAssignmentMember(_) => {
                ShareGroupTargetAssignmentMemberValue::HIGHEST_VERSION
            }
            Self::ShareGroupCurrentMemberAssignment(_) => {
                ShareGroupCurrentMemberAssignmentValue::HIGHEST_VERSION
            }
            Self::ShareGroupStatePartitionMetadata(_) => {
                ShareGroupStatePartitionMetadataValue::HIGHEST_VERSION
            }
            Self::ConsumerGroupRegularExpression(_) => ConsumerGroupRegularExpressionValue::HIGHEST_VERSION,
            Self::StreamsGroupMetadata(_) => StreamsGroupMetadataValue::HIGHEST_VERSION,
            Self::StreamsGroupMemberMetadata(_) => StreamsGroupMemberMetadataValue::HIGHEST_VERSION,
            Self::StreamsGroupTargetAssignmentMetadata(_) => {
                StreamsGroupTargetAssignmentMetadataValue::HIGHEST_VERSION
            }
            Self::StreamsGroupTargetAssignmentMember(_) => {
                StreamsGroupTargetAssignmentMemberValue::HIGHEST_VERSION
            }
            Self::StreamsGroupCurrentMemberAssignment(_) => {
                StreamsGroupCurrentMemberAssignmentValue::HIGHEST_VERSION
            }
            Self::StreamsGroupTopology(_) => StreamsGroupTopologyValue::HIGHEST_VERSION,
        }
    }
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::LegacyOffsetCommit(record) => record.encode(buf, version),
            Self::OffsetCommit(record) => record.encode(buf, version),
            Self::GroupMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupPartitionMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupMemberMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupTargetAssignmentMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupTargetAssignmentMember(record) => record.encode(buf, version),
            Self::ConsumerGroupCurrentMemberAssignment(record) => record.encode(buf, version),
            Self::ShareGroupMemberMetadata(record) => record.encode(buf, version),
            Self::ShareGroupMetadata(record) => record.encode(buf, version),
            Self::ShareGroupTargetAssignmentMetadata(record) => record.encode(buf, version),
            Self::ShareGroupTargetAssignmentMember(record) => record.encode(buf, version),
            Self::ShareGroupCurrentMemberAssignment(record) => record.encode(buf, version),
            Self::ShareGroupStatePartitionMetadata(record) => record.encode(buf, version),
            Self::ConsumerGroupRegularExpression(record) => record.encode(buf, version),
            Self::StreamsGroupMetadata(record) => record.encode(buf, version),
            Self::StreamsGroupMemberMetadata(record) => record.encode(buf, version),
            Self::StreamsGroupTargetAssignmentMetadata(record) => record.encode(buf, version),
            Self::StreamsGroupTargetAssignmentMember(record) => record.encode(buf, version),
            Self::StreamsGroupCurrentMemberAssignment(record) => record.encode(buf, version),
            Self::StreamsGroupTopology(record) => record.encode(buf, version),
        }
    }
    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        match api_key {
            0 => Ok(Self::LegacyOffsetCommit(LegacyOffsetCommitValue::decode(buf, version)?)),
            1 => Ok(Self::OffsetCommit(OffsetCommitValue::decode(buf, version)?)),
            2 => Ok(Self::GroupMetadata(GroupMetadataValue::decode(buf, version)?)),
            3 => Ok(Self::ConsumerGroupMetadata(ConsumerGroupMetadataValue::decode(buf, version)?)),
            4 => Ok(Self::ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataValue::decode(
                buf, version,
            )?)),
            5 => {
                Ok(Self::ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataValue::decode(buf, version)?))
            }
            6 => Ok(Self::ConsumerGroupTargetAssignmentMetadata(
                ConsumerGroupTargetAssignmentMetadataValue::decode(buf, version)?,
            )),
            7 => Ok(Self::ConsumerGroupTargetAssignmentMember(
                ConsumerGroupTargetAssignmentMemberValue::decode(buf, version)?,
            )),
            8 => Ok(Self::ConsumerGroupCurrentMemberAssignment(
                ConsumerGroupCurrentMemberAssignmentValue::decode(buf, version)?,
            )),
            10 => Ok(Self::ShareGroupMemberMetadata(ShareGroupMemberMetadataValue::decode(buf, version)?)),
            11 => Ok(Self::ShareGroupMetadata(ShareGroupMetadataValue::decode(buf, version)?)),
            12 => Ok(Self::ShareGroupTargetAssignmentMetadata(
                ShareGroupTargetAssignmentMetadataValue::decode(buf, version)?,
            )),
            13 => Ok(Self::ShareGroupTargetAssignmentMember(ShareGroupTargetAssignmentMemberValue::decode(
                buf, version,
            )?)),
            14 => Ok(Self::ShareGroupCurrentMemberAssignment(
                ShareGroupCurrentMemberAssignmentValue::decode(buf, version)?,
            )),
            15 => Ok(Self::ShareGroupStatePartitionMetadata(ShareGroupStatePartitionMetadataValue::decode(
                buf, version,
            )?)),
            16 => Ok(Self::ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionValue::decode(
                buf, version,
            )?)),
            17 => Ok(Self::StreamsGroupMetadata(StreamsGroupMetadataValue::decode(buf, version)?)),
            19 => {
                Ok(Self::StreamsGroupMemberMetadata(StreamsGroupMemberMetadataValue::decode(buf, version)?))
            }
            20 => Ok(Self::StreamsGroupTargetAssignmentMetadata(
                StreamsGroupTargetAssignmentMetadataValue::decode(buf, version)?,
            )),
            21 => Ok(Self::StreamsGroupTargetAssignmentMember(
                StreamsGroupTargetAssignmentMemberValue::decode(buf, version)?,
            )),
            22 => Ok(Self::StreamsGroupCurrentMemberAssignment(
                StreamsGroupCurrentMemberAssignmentValue::decode(buf, version)?,
            )),
            23 => Ok(Self::StreamsGroupTopology(StreamsGroupTopologyValue::decode(buf, version)?)),
            _ => Err(DecodeError::UnknownRecord { set: Self::NAME, api_key }),
        }
    }
}

impl From<LegacyOffsetCommitValue> for GroupValue {
    fn from(record: LegacyOffsetCommitValue) -> Self {
        Self::LegacyOffsetCommit(record)
    }
}

impl From<OffsetCommitValue> for GroupValue {
    fn from(record: OffsetCommitValue) -> Self {
        Self::OffsetCommit(record)
    }
}

impl From<GroupMetadataValue> for GroupValue {
    fn from(record: GroupMetadataValue) -> Self {
        Self::GroupMetadata(record)
    }
}

impl From<ConsumerGroupMetadataValue> for GroupValue {
    fn from(record: ConsumerGroupMetadataValue) -> Self {
        Self::ConsumerGroupMetadata(record)
    }
}

impl From<ConsumerGroupPartitionMetadataValue> for GroupValue {
    fn from(record: ConsumerGroupPartitionMetadataValue) -> Self {
        Self::ConsumerGroupPartitionMetadata(record)
    }
}

impl From<ConsumerGroupMemberMetadataValue> for GroupValue {
    fn from(record: ConsumerGroupMemberMetadataValue) -> Self {
        Self::ConsumerGroupMemberMetadata(record)
    }
}

impl From<ConsumerGroupTargetAssignmentMetadataValue> for GroupValue {
    fn from(record: ConsumerGroupTargetAssignmentMetadataValue) -> Self {
        Self::ConsumerGroupTargetAssignmentMetadata(record)
    }
}

impl From<ConsumerGroupTargetAssignmentMemberValue> for GroupValue {
    fn from(record: ConsumerGroupTargetAssignmentMemberValue) -> Self {
        Self::ConsumerGroupTargetAssignmentMember(record)
    }
}

impl From<ConsumerGroupCurrentMemberAssignmentValue> for GroupValue {
    fn from(record: ConsumerGroupCurrentMemberAssignmentValue) -> Self {
        Self::ConsumerGroupCurrentMemberAssignment(record)
    }
}

impl From<ShareGroupMemberMetadataValue> for GroupValue {
    fn from(record: ShareGroupMemberMetadataValue) -> Self {
        Self::ShareGroupMemberMetadata(record)
    }
}

impl From<ShareGroupMetadataValue> for GroupValue {
    fn from(record: ShareGroupMetadataValue) -> Self {
        Self::ShareGroupMetadata(record)
    }
}

impl From<ShareGroupTargetAssignmentMetadataValue> for GroupValue {
    fn from(record: ShareGroupTargetAssignmentMetadataValue) -> Self {
        Self::ShareGroupTargetAssignmentMetadata(record)
    }
}

impl From<ShareGroupTargetAssignmentMemberValue> for GroupValue {
    fn from(record: ShareGroupTargetAssignmentMemberValue) -> Self {
        Self::ShareGroupTargetAssignmentMember(record)
    }
}

impl From<ShareGroupCurrentMemberAssignmentValue> for GroupValue {
    fn from(record: ShareGroupCurrentMemberAssignmentValue) -> Self {
        Self::ShareGroupCurrentMemberAssignment(record)
    }
}

impl From<ShareGroupStatePartitionMetadataValue> for GroupValue {
    fn from(record: ShareGroupStatePartitionMetadataValue) -> Self {
        Self::ShareGroupStatePartitionMetadata(record)
    }
}

impl From<ConsumerGroupRegularExpressionValue> for GroupValue {
    fn from(record: ConsumerGroupRegularExpressionValue) -> Self {
        Self::ConsumerGroupRegularExpression(record)
    }
}

impl From<StreamsGroupMetadataValue> for GroupValue {
    fn from(record: StreamsGroupMetadataValue) -> Self {
        Self::StreamsGroupMetadata(record)
    }
}

impl From<StreamsGroupMemberMetadataValue> for GroupValue {
    fn from(record: StreamsGroupMemberMetadataValue) -> Self {
        Self::StreamsGroupMemberMetadata(record)
    }
}

impl From<StreamsGroupTargetAssignmentMetadataValue> for GroupValue {
    fn from(record: StreamsGroupTargetAssignmentMetadataValue) -> Self {
        Self::StreamsGroupTargetAssignmentMetadata(record)
    }
}

impl From<StreamsGroupTargetAssignmentMemberValue> for GroupValue {
    fn from(record: StreamsGroupTargetAssignmentMemberValue) -> Self {
        Self::StreamsGroupTargetAssignmentMember(record)
    }
}

impl From<StreamsGroupCurrentMemberAssignmentValue> for GroupValue {
    fn from(record: StreamsGroupCurrentMemberAssignmentValue) -> Self {
        Self::StreamsGroupCurrentMemberAssignment(record)
    }
}

impl From<StreamsGroupTopologyValue> for GroupValue {
    fn from(record: StreamsGroupTopologyValue) -> Self {
        Self::StreamsGroupTopology(record)
    }
}
