//! A transaction's markers to another broker, which leads their partitions (WriteTxnMarkers).
//! Shell.

use std::collections::BTreeMap;

use ottla_model::{ErrorCode, PartitionIndex, TopicName, TopicPartition};
use ottla_network::outgoing::Peer;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use ottla_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::markers::{MarkerOutcomes, TransactionMarker};

pub(super) async fn send(peer: &Peer, marker: &TransactionMarker) -> MarkerOutcomes {
    match peer.call(&request(marker)).await {
        Ok(answer) => outcomes(marker, &answer),
        Err(error) => {
            tracing::debug!(%error, "a broker gave no answer to markers");
            // It may have taken them: the same marker again is no other.
            vec![Err(ErrorCode::NotLeaderOrFollower); marker.partitions.len()]
        }
    }
}

fn request(marker: &TransactionMarker) -> WriteTxnMarkersRequest {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for one in &marker.partitions {
        topics.entry(one.topic.as_str()).or_default().push(one.partition.0);
    }
    let topics = topics.into_iter().map(|(name, partition_indexes)| WritableTxnMarkerTopic {
        name: StrBytes::from_string(name.to_owned()),
        partition_indexes,
        ..WritableTxnMarkerTopic::default()
    });
    let marker = WritableTxnMarker {
        producer_id: marker.producer_id.0,
        producer_epoch: marker.producer_epoch.0,
        transaction_result: marker.marker.is_commit,
        coordinator_epoch: marker.marker.coordinator_epoch,
        transaction_version: if marker.needs_newer_epoch { 2 } else { 0 },
        topics: topics.collect(),
        ..WritableTxnMarker::default()
    };
    WriteTxnMarkersRequest { markers: vec![marker], ..WriteTxnMarkersRequest::default() }
}

fn outcomes(marker: &TransactionMarker, answer: &WriteTxnMarkersResponse) -> MarkerOutcomes {
    let mut told = BTreeMap::new();
    for topic in answer.markers.iter().flat_map(|one| &one.topics) {
        for one in &topic.partitions {
            let name = TopicPartition::new(TopicName::new(&topic.name), PartitionIndex(one.partition_index));
            told.insert(name, one.error_code);
        }
    }
    let outcome = |name: &TopicPartition| match told.get(name).copied().map(ErrorCode::from_code) {
        Some(Some(ErrorCode::None)) => Ok(()),
        // It does not know the partition yet, or not any more; only the image says that it is gone.
        Some(Some(ErrorCode::UnknownTopicOrPartition)) | None => Err(ErrorCode::NotLeaderOrFollower),
        Some(error) => Err(error.unwrap_or(ErrorCode::UnknownServerError)),
    };
    marker.partitions.iter().map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use ottla_model::{ProducerEpoch, ProducerId};
    use ottla_protocol::messages::write_txn_markers_response::{
        WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    };
    use ottla_records::EndTxnMarker;

    use super::*;

    fn partition(topic: &str, index: i32) -> TopicPartition {
        TopicPartition::new(TopicName::new(topic), PartitionIndex(index))
    }

    fn marker() -> TransactionMarker {
        TransactionMarker {
            producer_id: ProducerId(7),
            producer_epoch: ProducerEpoch(2),
            marker: EndTxnMarker { is_commit: true, coordinator_epoch: 5, timestamp: 0 },
            needs_newer_epoch: true,
            partitions: vec![partition("b", 1), partition("a", 0), partition("b", 0), partition("c", 3)],
        }
    }

    #[test]
    fn a_request_names_each_topic_once() {
        let request = request(&marker());
        let one = &request.markers[0];
        let topics: Vec<(&str, &[i32])> =
            one.topics.iter().map(|topic| (&*topic.name, &topic.partition_indexes[..])).collect();
        assert_eq!(topics, [("a", &[0][..]), ("b", &[1, 0]), ("c", &[3])]);
        assert_eq!((one.producer_id, one.producer_epoch, one.coordinator_epoch), (7, 2, 5));
        assert_eq!((one.transaction_result, one.transaction_version), (true, 2));
    }

    #[test]
    fn outcomes_are_in_the_order_of_the_partitions_and_only_the_image_says_that_one_is_gone() {
        let result = |name: &str, codes: &[(i32, ErrorCode)]| WritableTxnMarkerTopicResult {
            name: StrBytes::from_string(name.to_owned()),
            partitions: codes
                .iter()
                .map(|(index, code)| WritableTxnMarkerPartitionResult {
                    partition_index: *index,
                    error_code: code.code(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        let topics = vec![
            result("a", &[(0, ErrorCode::UnknownTopicOrPartition)]),
            result("b", &[(0, ErrorCode::None), (1, ErrorCode::InvalidProducerEpoch)]),
        ];
        let one = WritableTxnMarkerResult { producer_id: 7, topics, ..Default::default() };
        let answer = WriteTxnMarkersResponse { markers: vec![one], ..Default::default() };
        assert_eq!(
            outcomes(&marker(), &answer),
            [
                Err(ErrorCode::InvalidProducerEpoch),
                Err(ErrorCode::NotLeaderOrFollower),
                Ok(()),
                Err(ErrorCode::NotLeaderOrFollower)
            ]
        );
    }
}
