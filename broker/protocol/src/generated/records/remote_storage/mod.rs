//! Records of the remote log metadata topic.
//! Core. Written by ottla-protocol-generator; never edited by hand.

use bytes::{Bytes, BytesMut};

use crate::codec::{Decode, DecodeError, Encode, EncodeError, RecordSet, Schema};

pub mod remote_log_segment_metadata_record;
pub mod remote_log_segment_metadata_snapshot_record;
pub mod remote_log_segment_metadata_update_record;
pub mod remote_partition_delete_metadata_record;

pub use remote_log_segment_metadata_record::RemoteLogSegmentMetadataRecord;
pub use remote_log_segment_metadata_snapshot_record::RemoteLogSegmentMetadataSnapshotRecord;
pub use remote_log_segment_metadata_update_record::RemoteLogSegmentMetadataUpdateRecord;
pub use remote_partition_delete_metadata_record::RemotePartitionDeleteMetadataRecord;

/// A record of the remote log metadata topic.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Records are read one at a time; none is kept in this shape.
pub enum RemoteStorageRecord {
    RemoteLogSegmentMetadata(RemoteLogSegmentMetadataRecord),
    RemoteLogSegmentMetadataUpdate(RemoteLogSegmentMetadataUpdateRecord),
    RemotePartitionDeleteMetadata(RemotePartitionDeleteMetadataRecord),
    RemoteLogSegmentMetadataSnapshot(RemoteLogSegmentMetadataSnapshotRecord),
}

impl RecordSet for RemoteStorageRecord {
    const NAME: &'static str = "RemoteStorageRecord";
    fn api_key(&self) -> i16 {
        match self {
            Self::RemoteLogSegmentMetadata(_) => 0,
            Self::RemoteLogSegmentMetadataUpdate(_) => 1,
            Self::RemotePartitionDeleteMetadata(_) => 2,
            Self::RemoteLogSegmentMetadataSnapshot(_) => 3,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            Self::RemoteLogSegmentMetadata(_) => "RemoteLogSegmentMetadataRecord",
            Self::RemoteLogSegmentMetadataUpdate(_) => "RemoteLogSegmentMetadataUpdateRecord",
            Self::RemotePartitionDeleteMetadata(_) => "RemotePartitionDeleteMetadataRecord",
            Self::RemoteLogSegmentMetadataSnapshot(_) => "RemoteLogSegmentMetadataSnapshotRecord",
        }
    }
    fn highest_version(&self) -> i16 {
        match self {
            Self::RemoteLogSegmentMetadata(_) => RemoteLogSegmentMetadataRecord::HIGHEST_VERSION,
            Self::RemoteLogSegmentMetadataUpdate(_) => RemoteLogSegmentMetadataUpdateRecord::HIGHEST_VERSION,
            Self::RemotePartitionDeleteMetadata(_) => RemotePartitionDeleteMetadataRecord::HIGHEST_VERSION,
            Self::RemoteLogSegmentMetadataSnapshot(_) => {
                RemoteLogSegmentMetadataSnapshotRecord::HIGHEST_VERSION
            }
        }
    }
    fn encode_body(&self, buf: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::RemoteLogSegmentMetadata(record) => record.encode(buf, version),
            Self::RemoteLogSegmentMetadataUpdate(record) => record.encode(buf, version),
            Self::RemotePartitionDeleteMetadata(record) => record.encode(buf, version),
            Self::RemoteLogSegmentMetadataSnapshot(record) => record.encode(buf, version),
        }
    }
    fn decode_body(api_key: i16, buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        match api_key {
            0 => Ok(Self::RemoteLogSegmentMetadata(RemoteLogSegmentMetadataRecord::decode(buf, version)?)),
            1 => Ok(Self::RemoteLogSegmentMetadataUpdate(RemoteLogSegmentMetadataUpdateRecord::decode(
                buf, version,
            )?)),
            2 => Ok(Self::RemotePartitionDeleteMetadata(RemotePartitionDeleteMetadataRecord::decode(
                buf, version,
            )?)),
            3 => Ok(Self::RemoteLogSegmentMetadataSnapshot(RemoteLogSegmentMetadataSnapshotRecord::decode(
                buf, version,
            )?)),
            _ => Err(DecodeError::UnknownRecord { set: Self::NAME, api_key }),
        }
    }
}

impl From<RemoteLogSegmentMetadataRecord> for RemoteStorageRecord {
    fn from(record: RemoteLogSegmentMetadataRecord) -> Self {
        Self::RemoteLogSegmentMetadata(record)
    }
}

impl From<RemoteLogSegmentMetadataUpdateRecord> for RemoteStorageRecord {
    fn from(record: RemoteLogSegmentMetadataUpdateRecord) -> Self {
        Self::RemoteLogSegmentMetadataUpdate(record)
    }
}

impl From<RemotePartitionDeleteMetadataRecord> for RemoteStorageRecord {
    fn from(record: RemotePartitionDeleteMetadataRecord) -> Self {
        Self::RemotePartitionDeleteMetadata(record)
    }
}

impl From<RemoteLogSegmentMetadataSnapshotRecord> for RemoteStorageRecord {
    fn from(record: RemoteLogSegmentMetadataSnapshotRecord) -> Self {
        Self::RemoteLogSegmentMetadataSnapshot(record)
    }
}
