//! Control records: the broker's own marks among a partition's records.
//! Core.
//!
//! ```text
//! key:   version i16 (0) | type i16
//! value: version i16 (0) | coordinator epoch i32        (end of transaction)
//! ```

use bytes::Bytes;
use ottla_model::{ProducerEpoch, ProducerId};

use crate::builder::BatchBuilder;
use crate::view::BatchView;

/// What a control record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlRecordType {
    Abort,
    Commit,
    LeaderChange,
    SnapshotHeader,
    SnapshotFooter,
    KraftVersion,
    KraftVoters,
    /// Of a later version: to be passed over.
    Unknown(i16),
}

impl ControlRecordType {
    pub fn id(self) -> i16 {
        match self {
            ControlRecordType::Abort => 0,
            ControlRecordType::Commit => 1,
            ControlRecordType::LeaderChange => 2,
            ControlRecordType::SnapshotHeader => 3,
            ControlRecordType::SnapshotFooter => 4,
            ControlRecordType::KraftVersion => 5,
            ControlRecordType::KraftVoters => 6,
            ControlRecordType::Unknown(id) => id,
        }
    }

    /// Reads a control record's key; `None` when it is too short or its version negative.
    pub fn parse_key(key: &[u8]) -> Option<ControlRecordType> {
        let key = key.first_chunk::<4>()?;
        if i16::from_be_bytes([key[0], key[1]]) < 0 {
            return None;
        }
        Some(match i16::from_be_bytes([key[2], key[3]]) {
            0 => ControlRecordType::Abort,
            1 => ControlRecordType::Commit,
            2 => ControlRecordType::LeaderChange,
            3 => ControlRecordType::SnapshotHeader,
            4 => ControlRecordType::SnapshotFooter,
            5 => ControlRecordType::KraftVersion,
            6 => ControlRecordType::KraftVoters,
            id => ControlRecordType::Unknown(id),
        })
    }

    pub fn key(self) -> [u8; 4] {
        let id = self.id().to_be_bytes();
        [0, 0, id[0], id[1]]
    }
}

/// How a transaction ended on this partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndTxnMarker {
    pub is_commit: bool,
    pub coordinator_epoch: i32,
    pub timestamp: i64,
}

impl EndTxnMarker {
    /// The marker in a control batch; `None` when the batch is another kind of control batch or
    /// does not hold together.
    pub fn parse(batch: &BatchView<'_>) -> Option<EndTxnMarker> {
        if !batch.header().attributes.is_control() {
            return None;
        }
        let mut scratch = Vec::new();
        let record = batch.records(&mut scratch).ok()?.next()?.ok()?;
        let is_commit = match ControlRecordType::parse_key(record.key?)? {
            ControlRecordType::Commit => true,
            ControlRecordType::Abort => false,
            _ => return None,
        };
        let value = record.value?.first_chunk::<6>()?;
        if i16::from_be_bytes([value[0], value[1]]) < 0 {
            return None;
        }
        Some(EndTxnMarker {
            is_commit,
            coordinator_epoch: i32::from_be_bytes([value[2], value[3], value[4], value[5]]),
            timestamp: record.timestamp,
        })
    }

    /// The control batch that a transaction coordinator has written.
    pub fn build(&self, producer_id: ProducerId, producer_epoch: ProducerEpoch) -> Bytes {
        assert!(producer_id.0 >= 0, "a marker ends the transaction of a producer");
        let mut value = [0; 6];
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        let kind = if self.is_commit { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let mut builder = BatchBuilder::new().control().transactional().producer(
            producer_id,
            producer_epoch,
            ottla_model::Sequence::NONE,
        );
        builder.append(self.timestamp, Some(&kind.key()), Some(&value), &[]);
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_survives_a_round_trip() {
        for is_commit in [true, false] {
            let marker = EndTxnMarker { is_commit, coordinator_epoch: 7, timestamp: 42 };
            let bytes = marker.build(ProducerId(9), ProducerEpoch(3));
            let view = BatchView::first(&bytes).expect("a batch");
            assert_eq!(EndTxnMarker::parse(&view), Some(marker));
            assert!(view.header().attributes.is_transactional());
            assert_eq!(view.header().producer_id, ProducerId(9));
        }
    }
}
