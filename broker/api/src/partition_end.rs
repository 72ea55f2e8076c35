//! Where a partition ends for consumers, wherever it is led.
//! Shell: the leader on another node is asked with ListOffsets.

use ottla_model::{ErrorCode, PartitionIndex};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::ListOffsetsRequest;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};

use crate::context::Broker;
use crate::errors;

/// ListOffsets' name for the end.
const LATEST: i64 = -1;
/// That asks as a consumer does.
const CONSUMER: i32 = -1;

pub async fn end_offset(broker: &Broker, topic: &str, index: i32) -> Result<i64, ErrorCode> {
    let here = broker.replicas.find(topic, index);
    let here = here.and_then(|partition| partition.high_watermark().map_err(errors::unavailable));
    let (Err(ErrorCode::NotLeaderOrFollower), Some(links)) = (&here, &broker.cluster) else {
        return here.map(|end| end.0);
    };
    let leader =
        broker.image().partition(topic, PartitionIndex(index)).and_then(|partition| partition.leader);
    let peer = leader.filter(|id| *id != broker.node_id).and_then(|id| links.nodes.peer(id));
    let Some(peer) = peer else { return Err(ErrorCode::NotLeaderOrFollower) };
    let partition =
        ListOffsetsPartition { partition_index: index, timestamp: LATEST, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic {
        name: StrBytes::from_string(topic.to_owned()),
        partitions: vec![partition],
        ..ListOffsetsTopic::default()
    };
    let request =
        ListOffsetsRequest { replica_id: CONSUMER, topics: vec![topic], ..ListOffsetsRequest::default() };
    let answer = peer.call(&request).await.map_err(|_no_answer| ErrorCode::NotLeaderOrFollower)?;
    let found = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
    match found.map(|found| (found.offset, ErrorCode::from_code(found.error_code))) {
        Some((end, Some(ErrorCode::None))) => Ok(end),
        Some((_, Some(error))) => Err(error),
        Some((_, None)) | None => Err(ErrorCode::UnknownServerError),
    }
}
