//! The records of `__share_group_state` as Kafka 4.3.1 writes them.
//! Core.
//!
//! ```text
//! snapshot  key 0 | group | topic id | partition    value version 0: the whole state; a tombstone deletes it
//! update    key 1 | group | topic id | partition    value version 0: what has changed since the snapshot
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_model::{GroupId, TopicId};
use ottla_protocol::records::share::{
    ShareKey, ShareSnapshotKey, ShareSnapshotValue, ShareUpdateKey, ShareUpdateValue, ShareValue,
    share_snapshot_value, share_update_value,
};
use ottla_protocol::records::{RecordSet, decode_key, decode_value, encode_key, encode_value};
use ottla_protocol::{DecodeError, EncodeError};

use super::combine::StateBatch;
use super::state::{SharePartitionKey, SharePartitionState, ShareStateRecord};
use crate::record::codec::CoordinatorRecord;
use crate::wire::text;

const VALUE_VERSION: i16 = 0;

pub fn encode(record: &ShareStateRecord) -> Result<CoordinatorRecord, EncodeError> {
    let (key, value): (ShareKey, Option<ShareValue>) = match record {
        ShareStateRecord::Snapshot(key, state) => {
            let wire = ShareSnapshotKey {
                group_id: text(key.group.as_str()),
                topic_id: key.topic_id.0,
                partition: key.partition,
            };
            (wire.into(), state.as_ref().map(|state| snapshot(state).into()))
        }
        ShareStateRecord::Update(key, state) => {
            let wire = ShareUpdateKey {
                group_id: text(key.group.as_str()),
                topic_id: key.topic_id.0,
                partition: key.partition,
            };
            (wire.into(), Some(update(state).into()))
        }
    };
    let value = value.map(|value| encode_value(&value, VALUE_VERSION)).transpose()?;
    Ok(CoordinatorRecord { key: encode_key(&key)?, value })
}

fn snapshot(state: &SharePartitionState) -> ShareSnapshotValue {
    let batches = state.batches.iter().map(|batch| share_snapshot_value::StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
        unknown_tagged_fields: BTreeMap::new(),
    });
    ShareSnapshotValue {
        snapshot_epoch: state.snapshot_epoch,
        state_epoch: state.state_epoch,
        leader_epoch: state.leader_epoch,
        start_offset: state.start_offset,
        delivery_complete_count: state.delivery_complete_count,
        create_timestamp: state.create_timestamp_ms,
        write_timestamp: state.write_timestamp_ms,
        state_batches: batches.collect(),
        unknown_tagged_fields: BTreeMap::new(),
    }
}

fn update(state: &SharePartitionState) -> ShareUpdateValue {
    let batches = state.batches.iter().map(|batch| share_update_value::StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
        unknown_tagged_fields: BTreeMap::new(),
    });
    ShareUpdateValue {
        snapshot_epoch: state.snapshot_epoch,
        leader_epoch: state.leader_epoch,
        start_offset: state.start_offset,
        delivery_complete_count: state.delivery_complete_count,
        state_batches: batches.collect(),
        unknown_tagged_fields: BTreeMap::new(),
    }
}

/// `None` for a record of a kind that this release does not keep.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<ShareStateRecord>, DecodeError> {
    let key = match decode_key::<ShareKey>(Bytes::copy_from_slice(key)) {
        Err(DecodeError::UnknownRecord { .. }) => return Ok(None),
        decoded => decoded?,
    };
    let value = value
        .map(|value| {
            decode_value::<ShareValue>(key.api_key(), Bytes::copy_from_slice(value)).map(|(value, _)| value)
        })
        .transpose()?;
    Ok(match (key, value) {
        (ShareKey::ShareSnapshot(key), None) => {
            Some(ShareStateRecord::Snapshot(stored_key(&key.group_id, key.topic_id, key.partition), None))
        }
        (ShareKey::ShareSnapshot(key), Some(ShareValue::ShareSnapshot(value))) => {
            let key = stored_key(&key.group_id, key.topic_id, key.partition);
            Some(ShareStateRecord::Snapshot(key, Some(stored_snapshot(&value))))
        }
        (ShareKey::ShareUpdate(key), Some(ShareValue::ShareUpdate(value))) => {
            let key = stored_key(&key.group_id, key.topic_id, key.partition);
            Some(ShareStateRecord::Update(key, stored_update(&value)))
        }
        _ => None,
    })
}

fn stored_key(group: &str, topic_id: uuid::Uuid, partition: i32) -> SharePartitionKey {
    SharePartitionKey { group: GroupId::new(group), topic_id: TopicId(topic_id), partition }
}

fn stored_snapshot(value: &ShareSnapshotValue) -> SharePartitionState {
    let batches = value.state_batches.iter().map(|batch| StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
    });
    SharePartitionState {
        snapshot_epoch: value.snapshot_epoch,
        state_epoch: value.state_epoch,
        leader_epoch: value.leader_epoch,
        start_offset: value.start_offset,
        delivery_complete_count: value.delivery_complete_count,
        create_timestamp_ms: value.create_timestamp,
        write_timestamp_ms: value.write_timestamp,
        batches: batches.collect(),
    }
}

fn stored_update(value: &ShareUpdateValue) -> SharePartitionState {
    let batches = value.state_batches.iter().map(|batch| StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
    });
    SharePartitionState {
        snapshot_epoch: value.snapshot_epoch,
        state_epoch: 0,
        leader_epoch: value.leader_epoch,
        start_offset: value.start_offset,
        delivery_complete_count: value.delivery_complete_count,
        create_timestamp_ms: 0,
        write_timestamp_ms: 0,
        batches: batches.collect(),
    }
}
