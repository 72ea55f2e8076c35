//! A transaction's markers on this broker: by the group coordinator in the partitions that it must see, by the
//! partition itself in all others.
//! Shell.

use std::sync::Arc;

use ottla_log::AppendOrigin;
use ottla_model::topic::GROUP_METADATA_TOPIC;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use ottla_records::EndTxnMarker;
use ottla_replica::{Acks, ReplicaManager, error_codes};

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
    let partition = replicas.find(name.topic.as_str(), index)?;
    if name.topic.as_str() == GROUP_METADATA_TOPIC {
        return groups.write_marker(index, producer_id, producer_epoch, marker);
    }
    let batch = marker.build(producer_id, producer_epoch);
    let appended = partition
        .append(batch, AppendOrigin::Coordinator, Acks::All, wall_ms)
        .map_err(|refused| error_codes::append_refused(&refused))?;
    let Some(pending) = appended.pending else { return Ok(None) };
    Ok(Some(Box::pin(async move { pending.acknowledged().await.map_err(error_codes::not_acknowledged) })))
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
