//! A transaction's markers at the leaders of their partitions: on this broker by the group coordinator where it must see them, else by the partition.
//! Shell.

use std::sync::Arc;

use ottla_env::{BoxFuture, Clock};
use ottla_log::AppendOrigin;
use ottla_metadata::Metadata;
use ottla_model::topic::GROUP_METADATA_TOPIC;
use ottla_model::{BrokerId, ErrorCode, TopicPartition};
use ottla_network::outgoing::Nodes;
use ottla_replica::{Acks, Partition, ReplicaManager, error_codes};

use super::markers::{MarkerChannel, MarkerOutcomes, TransactionMarker, all};
use super::remote_markers;
use crate::runtime::{Durable, GroupCoordinator};

pub struct PartitionMarkers {
    pub node_id: BrokerId,
    pub metadata: Arc<Metadata>,
    pub replicas: Arc<ReplicaManager>,
    pub groups: Arc<GroupCoordinator>,
    pub clock: Arc<dyn Clock>,
    /// The other brokers, where there are any.
    pub nodes: Option<Arc<dyn Nodes>>,
}

impl MarkerChannel for PartitionMarkers {
    fn leader_of(&self, name: &TopicPartition) -> Result<BrokerId, ErrorCode> {
        let image = self.metadata.image();
        let topic = image.topic(name.topic.as_str()).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let index = usize::try_from(name.partition.0).map_err(|_| ErrorCode::UnknownTopicOrPartition)?;
        let partition = topic.partitions.get(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        partition.leader.ok_or(ErrorCode::LeaderNotAvailable)
    }

    fn send(&self, broker: BrokerId, marker: TransactionMarker) -> BoxFuture<'static, MarkerOutcomes> {
        if broker != self.node_id {
            let peer = self.nodes.as_ref().and_then(|nodes| nodes.peer(broker));
            return Box::pin(async move {
                match peer {
                    Some(peer) => remote_markers::send(&peer, &marker).await,
                    None => vec![Err(ErrorCode::NotLeaderOrFollower); marker.partitions.len()],
                }
            });
        }
        let (mut outcomes, mut places, mut waits) = (MarkerOutcomes::new(), Vec::new(), Vec::new());
        for name in &marker.partitions {
            let appended = self.append(name, &marker);
            outcomes.push(appended.as_ref().map(|_| ()).map_err(|error| *error));
            if let Ok(Some(durable)) = appended {
                places.push(outcomes.len() - 1);
                waits.push(durable);
            }
        }
        Box::pin(async move {
            for (place, outcome) in places.into_iter().zip(all(waits).await) {
                outcomes[place] = outcome;
            }
            outcomes
        })
    }
}

impl PartitionMarkers {
    /// What comes back completes when the marker is durable; `None` when it already is.
    fn append(&self, name: &TopicPartition, marker: &TransactionMarker) -> Result<Durable, ErrorCode> {
        let partition = self.replicas.find(name.topic.as_str(), name.partition.0)?;
        if marker.needs_newer_epoch && is_stale(&partition, marker) {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        let (producer_id, producer_epoch) = (marker.producer_id, marker.producer_epoch);
        if name.topic.as_str() == GROUP_METADATA_TOPIC {
            return self.groups.write_marker(name.partition.0, producer_id, producer_epoch, marker.marker);
        }
        let batch = marker.marker.build(producer_id, producer_epoch);
        let appended = partition
            .append(batch, AppendOrigin::Coordinator, Acks::All, self.clock.wall_ms())
            .map_err(|refused| error_codes::append_refused(&refused))?;
        let Some(pending) = appended.pending else { return Ok(None) };
        Ok(Some(Box::pin(async move { pending.acknowledged().await.map_err(error_codes::not_acknowledged) })))
    }
}

/// The second generation ends a transaction with a newer epoch than its batches have (KIP-1228); the same
/// one is a repetition, if nothing is open.
fn is_stale(partition: &Partition, marker: &TransactionMarker) -> bool {
    let Ok(log) = partition.log() else { return false };
    let known = log.producers().into_iter().find(|(id, _)| *id == marker.producer_id);
    known.is_some_and(|(_, entry)| {
        let is_open = entry.current_txn_first_offset.is_some();
        marker.producer_epoch < entry.epoch || (marker.producer_epoch == entry.epoch && is_open)
    })
}
