//! A transaction's markers on this broker: by the group coordinator in the partitions that it must see, by the
//! partition itself in all others.
//! Shell.

use std::sync::Arc;

use ottla_log::AppendOrigin;
use ottla_model::topic::GROUP_METADATA_TOPIC;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use ottla_records::EndTxnMarker;
use ottla_replica::errors::append_error;
use ottla_replica::{AllDurable, Pending, ReplicaManager};

use super::markers::TransactionMarkers;
use crate::runtime::{Durable, GroupCoordinator};

/// Appends a transaction's marker to one partition.
pub fn write_marker(
    replicas: &ReplicaManager,
    groups: &GroupCoordinator,
    name: &TopicPartition,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    marker: EndTxnMarker,
    wall_ms: i64,
) -> Result<Durable, ErrorCode> {
    let index = name.partition.0;
    let partition =
        replicas.partition(name.topic.as_str(), index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if name.topic.as_str() == GROUP_METADATA_TOPIC {
        return groups.write_marker(index, producer_id, producer_epoch, marker);
    }
    let batch = marker.build(producer_id, producer_epoch);
    let appended =
        partition.append(batch, AppendOrigin::Coordinator, wall_ms).map_err(|error| append_error(&error))?;
    if !partition.waits_for_flush() || partition.is_durable(appended.end) {
        return Ok(None);
    }
    Ok(Some(Box::pin(async move {
        let outcomes = AllDurable::new(vec![Pending::new(partition, appended.end)]).await;
        match outcomes.into_iter().all(|outcome| outcome.is_ok()) {
            true => Ok(()),
            false => Err(ErrorCode::KafkaStorageError),
        }
    })))
}

pub struct PartitionMarkers {
    pub replicas: Arc<ReplicaManager>,
    pub groups: Arc<GroupCoordinator>,
}

impl TransactionMarkers for PartitionMarkers {
    fn write(
        &self,
        name: &TopicPartition,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        marker: EndTxnMarker,
        wall_ms: i64,
    ) -> Result<Durable, ErrorCode> {
        write_marker(&self.replicas, &self.groups, name, producer_id, producer_epoch, marker, wall_ms)
    }
}
