//! WriteTxnMarkers (key 27), versions 1-2: markers from elsewhere: a tool that ends a hanging transaction.
//! Shell.
//!
//! - v1: flexible. v2: the transaction version (KIP-1228).

use std::collections::HashMap;

use ottla_coordinator::transaction::TransactionMarker;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use ottla_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use ottla_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use ottla_records::EndTxnMarker;

use super::prelude::*;
use crate::transactions::partition;

pub const API: Api = Api { key: ApiKey::WriteTxnMarkers, min: 1, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: WriteTxnMarkersRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if !access.quietly().cluster(AclOperation::Alter) && !access.cluster(AclOperation::ClusterAction) {
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
    let marker = EndTxnMarker {
        is_commit: request.transaction_result,
        coordinator_epoch: request.coordinator_epoch,
        timestamp: broker.env.clock.wall_ms(),
    };
    let named = |topic: &WritableTxnMarkerTopic| -> Vec<TopicPartition> {
        topic.partition_indexes.iter().map(|index| partition(&topic.name, *index)).collect()
    };
    let marker = TransactionMarker {
        producer_id: ProducerId(request.producer_id),
        producer_epoch: ProducerEpoch(request.producer_epoch),
        marker,
        needs_newer_epoch: request.transaction_version >= 2,
        partitions: request.topics.iter().flat_map(named).collect(),
    };
    let mut outcomes = broker.transactions.markers().send(broker.node_id, marker).await.into_iter();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().zip(outcomes.by_ref()).map(|(index, outcome)| {
            let error_code = outcome.err().unwrap_or(ErrorCode::None).code();
            WritableTxnMarkerPartitionResult { partition_index: *index, error_code, ..Default::default() }
        });
        WritableTxnMarkerTopicResult {
            name: topic.name.clone(),
            partitions: partitions.collect(),
            ..Default::default()
        }
    });
    topics.collect()
}
