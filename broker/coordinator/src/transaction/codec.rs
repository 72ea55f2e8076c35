//! The records of `__transaction_state` as Kafka 4.3.1 writes them.
//! Core.
//!
//! ```text
//! key 0 | transactional id                value version 1 (flexible); partitions are null when Empty
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_model::{PartitionIndex, ProducerEpoch, ProducerId, TopicName, TopicPartition};
use ottla_protocol::records::transaction::transaction_log_value::PartitionsSchema;
use ottla_protocol::records::transaction::{
    TransactionKey, TransactionLogKey, TransactionLogValue, TransactionValue,
};
use ottla_protocol::records::{RecordSet, decode_key, decode_value, encode_key, encode_value};
use ottla_protocol::{DecodeError, EncodeError};

use super::metadata::{TransactionMetadata, TransactionState, TransactionVersion};
use crate::record::codec::CoordinatorRecord;
use crate::wire::text;

const VALUE_VERSION: i16 = 1;

/// One record; no value is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub struct TransactionRecord {
    pub transactional_id: Box<str>,
    pub value: Option<TransactionMetadata>,
}

pub fn encode(record: &TransactionRecord) -> Result<CoordinatorRecord, EncodeError> {
    let key: TransactionKey = TransactionLogKey { transactional_id: text(&record.transactional_id) }.into();
    let value = record
        .value
        .as_ref()
        .map(|value| encode_value(&TransactionValue::from(log_value(value)), VALUE_VERSION));
    Ok(CoordinatorRecord { key: encode_key(&key)?, value: value.transpose()? })
}

fn log_value(value: &TransactionMetadata) -> TransactionLogValue {
    let partitions = (value.state != TransactionState::Empty).then(|| {
        let mut topics: Vec<PartitionsSchema> = Vec::new();
        for one in &value.partitions {
            match topics.last_mut() {
                Some(last) if *last.topic == *one.topic.as_str() => last.partition_ids.push(one.partition.0),
                _ => topics.push(PartitionsSchema {
                    topic: text(one.topic.as_str()),
                    partition_ids: vec![one.partition.0],
                    unknown_tagged_fields: BTreeMap::new(),
                }),
            }
        }
        topics
    });
    TransactionLogValue {
        producer_id: value.producer_id.0,
        previous_producer_id: value.previous_producer_id.0,
        next_producer_id: value.next_producer_id.0,
        producer_epoch: value.producer_epoch.0,
        transaction_timeout_ms: value.timeout_ms,
        transaction_status: value.state.id(),
        transaction_partitions: partitions,
        transaction_last_update_timestamp_ms: value.last_update_timestamp_ms,
        transaction_start_timestamp_ms: value.start_timestamp_ms,
        client_transaction_version: value.client_version.0,
        ..TransactionLogValue::default()
    }
}

/// `None` for a record of a kind or state that this release does not keep.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<TransactionRecord>, DecodeError> {
    let key = match decode_key::<TransactionKey>(Bytes::copy_from_slice(key)) {
        Err(DecodeError::UnknownRecord { .. }) => return Ok(None),
        decoded => decoded?,
    };
    let value = value.map(|value| {
        decode_value::<TransactionValue>(key.api_key(), Bytes::copy_from_slice(value)).map(|(value, _)| value)
    });
    let TransactionKey::TransactionLog(key) = key;
    let transactional_id = Box::from(&*key.transactional_id);
    Ok(match value.transpose()? {
        None => Some(TransactionRecord { transactional_id, value: None }),
        Some(TransactionValue::TransactionLog(value)) => {
            stored(&value).map(|value| TransactionRecord { transactional_id, value: Some(value) })
        }
    })
}

fn stored(value: &TransactionLogValue) -> Option<TransactionMetadata> {
    let partitions = value.transaction_partitions.iter().flatten().flat_map(|topic| {
        let name = TopicName::new(&topic.topic);
        topic.partition_ids.iter().map(move |partition| TopicPartition {
            topic: name.clone(),
            partition: PartitionIndex(*partition),
        })
    });
    Some(TransactionMetadata {
        producer_id: ProducerId(value.producer_id),
        previous_producer_id: ProducerId(value.previous_producer_id),
        next_producer_id: ProducerId(value.next_producer_id),
        producer_epoch: ProducerEpoch(value.producer_epoch),
        last_producer_epoch: ProducerEpoch::NONE,
        timeout_ms: value.transaction_timeout_ms,
        state: TransactionState::from_id(value.transaction_status)?,
        partitions: partitions.collect(),
        start_timestamp_ms: value.transaction_start_timestamp_ms,
        last_update_timestamp_ms: value.transaction_last_update_timestamp_ms,
        client_version: TransactionVersion(value.client_transaction_version),
    })
}
