//! DescribeQuorum: a quorum of one node.
//! Core.

use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::describe_quorum_request::DescribeQuorumRequest;
use ottla_protocol::messages::describe_quorum_response::{
    DescribeQuorumResponse, Node, PartitionData, ReplicaState, TopicData,
};

use crate::image::Image;

const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// The node is its own leader and only voter: all that is in the image is committed.
pub fn describe_quorum(
    image: &Image,
    request: &DescribeQuorumRequest,
    version: i16,
    now_ms: i64,
) -> DescribeQuorumResponse {
    let mut response = DescribeQuorumResponse::default();
    let controller = image.controller_id().0;
    let end = image.metadata_offset().0 + 1;
    for topic in &request.topics {
        let partition = |index: i32| {
            let partition = PartitionData::default().with_partition_index(index);
            if topic.topic_name.as_str() != CLUSTER_METADATA_TOPIC || index != 0 {
                let refused = partition.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
                let text = StrBytes::from_static_str("This server does not host this topic-partition.");
                return if version >= 2 { refused.with_error_message(Some(text)) } else { refused };
            }
            let mut voter =
                ReplicaState::default().with_replica_id(controller.into()).with_log_end_offset(end);
            if version >= 1 {
                voter = voter.with_last_fetch_timestamp(now_ms).with_last_caught_up_timestamp(now_ms);
            }
            partition
                .with_leader_id(controller.into())
                .with_leader_epoch(image.leader_epoch().0)
                .with_high_watermark(end)
                .with_current_voters(vec![voter])
        };
        let partitions = topic.partitions.iter().map(|asked| partition(asked.partition_index)).collect();
        response
            .topics
            .push(TopicData::default().with_topic_name(topic.topic_name.clone()).with_partitions(partitions));
    }
    let is_known = response.topics.iter().flat_map(|topic| &topic.partitions).all(|one| one.error_code == 0);
    if version >= 2 && is_known {
        // The controller has no listener of its own: on one node it is in the broker's process.
        response.nodes.push(Node::default().with_node_id(controller.into()));
    }
    response
}
