//! What Metadata and DescribeTopicPartitions answer of a partition alike.
//! Core.

use ottla_metadata::PartitionImage;
use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::messages::BrokerId as WireBrokerId;

pub struct PartitionAnswer {
    pub error: ErrorCode,
    /// -1: none.
    pub leader_id: WireBrokerId,
    pub leader_epoch: i32,
    pub replicas: Vec<WireBrokerId>,
    pub isr: Vec<WireBrokerId>,
}

impl PartitionAnswer {
    pub fn of(partition: &PartitionImage) -> PartitionAnswer {
        let ids = |brokers: &[BrokerId]| brokers.iter().map(|id| WireBrokerId(id.0)).collect();
        PartitionAnswer {
            error: if partition.leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
            leader_id: WireBrokerId(partition.leader.map_or(-1, |leader| leader.0)),
            leader_epoch: partition.leader_epoch.0,
            replicas: ids(&partition.replicas),
            isr: ids(&partition.isr),
        }
    }
}
