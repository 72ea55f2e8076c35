//! WriteTxnMarkers (key 27), versions 1-2: markers from elsewhere: a tool that ends a hanging transaction.
//! Shell.
//!
//! - v1: flexible. v2: the transaction version (KIP-1228).

use std::collections::HashMap;

use ottla_coordinator::transaction::write_marker;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::write_txn_markers_request::WritableTxnMarker;
use ottla_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use ottla_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use ottla_records::EndTxnMarker;

use super::prelude::*;
use crate::transactions::partition;

pub const API: Api = Api { key: ApiKey::WriteTxnMarkers, min: 1, max: 2, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: WriteTxnMarkersRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if !access.cluster(AclOperation::Alter) && !access.cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(&body, ErrorCode::ClusterAuthorizationFailed));
    }
    let broker = broker.clone();
    park(async move {
        // One result for each producer, as Kafka keeps them in a map.
        let mut places: HashMap<i64, usize> = HashMap::new();
        let mut markers: Vec<WritableTxnMarkerResult> = Vec::new();
        for marker in &body.markers {
            let topics = write(&broker, marker).await;
            let place = *places.entry(marker.producer_id).or_insert_with(|| {
                let producer_id = marker.producer_id;
                markers.push(WritableTxnMarkerResult { producer_id, ..Default::default() });
                markers.len() - 1
            });
            markers[place].topics.extend(topics);
        }
        request.answer(&WriteTxnMarkersResponse { markers, ..Default::default() })
    })
}

/// Every partition gets the same code.
fn refused(body: &WriteTxnMarkersRequest, error: ErrorCode) -> WriteTxnMarkersResponse {
    let markers = body.markers.iter().map(|marker| {
        let topics = marker.topics.iter().map(|topic| WritableTxnMarkerTopicResult {
            name: topic.name.clone(),
            partitions: topic
                .partition_indexes
                .iter()
                .map(|index| WritableTxnMarkerPartitionResult {
                    partition_index: *index,
                    error_code: error.code(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        WritableTxnMarkerResult {
            producer_id: marker.producer_id,
            topics: topics.collect(),
            ..Default::default()
        }
    });
    WriteTxnMarkersResponse { markers: markers.collect(), ..Default::default() }
}

async fn write(broker: &Broker, request: &WritableTxnMarker) -> Vec<WritableTxnMarkerTopicResult> {
    let wall_ms = broker.env.clock.wall_ms();
    let marker = EndTxnMarker {
        is_commit: request.transaction_result,
        coordinator_epoch: request.coordinator_epoch,
        timestamp: wall_ms,
    };
    let producer = (ProducerId(request.producer_id), ProducerEpoch(request.producer_epoch));
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut written = Vec::with_capacity(topic.partition_indexes.len());
        for index in &topic.partition_indexes {
            let name = partition(&topic.name, *index);
            let (replicas, groups) = (&broker.replicas, &broker.groups);
            let outcome = match request.transaction_version >= 2 && is_stale(broker, &name, producer) {
                true => Err(ErrorCode::InvalidProducerEpoch),
                false => write_marker(replicas, groups, &name, producer.0, producer.1, marker, wall_ms),
            };
            written.push((*index, outcome));
        }
        let mut partitions = Vec::with_capacity(written.len());
        for (partition_index, outcome) in written {
            let outcome = match outcome {
                Ok(Some(durable)) => durable.await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            let error_code = outcome.err().unwrap_or(ErrorCode::None).code();
            partitions.push(WritableTxnMarkerPartitionResult {
                partition_index,
                error_code,
                ..Default::default()
            });
        }
        topics.push(WritableTxnMarkerTopicResult {
            name: topic.name.clone(),
            partitions,
            ..Default::default()
        });
    }
    topics
}

/// The second generation ends a transaction with a newer epoch than its batches have (KIP-1228); the same
/// one is a repetition, if nothing is open.
fn is_stale(broker: &Broker, name: &TopicPartition, producer: (ProducerId, ProducerEpoch)) -> bool {
    let Some(partition) = broker.replicas.partition(name.topic.as_str(), name.partition.0) else {
        return false;
    };
    let Ok(log) = partition.log() else { return false };
    let known = log.producers().into_iter().find(|(id, _)| *id == producer.0);
    known.is_some_and(|(_, entry)| {
        producer.1 < entry.epoch || (producer.1 == entry.epoch && entry.current_txn_first_offset.is_some())
    })
}
