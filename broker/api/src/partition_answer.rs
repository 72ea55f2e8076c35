//! What Metadata and DescribeTopicPartitions answer of a partition alike.
//! Core.

use ottla_metadata::PartitionImage;
use ottla_model::ErrorCode;
use ottla_protocol::messages::BrokerId as WireBrokerId;

use crate::cluster::{Cluster, NO_LEADER, wire_ids};

pub struct PartitionAnswer {
    pub error: ErrorCode,
    pub leader_id: WireBrokerId,
    pub leader_epoch: i32,
    pub replicas: Vec<WireBrokerId>,
    pub isr: Vec<WireBrokerId>,
    pub offline_replicas: Vec<WireBrokerId>,
}

impl PartitionAnswer {
    pub fn of(cluster: &Cluster<'_>, partition: &PartitionImage) -> PartitionAnswer {
        let (error, leader) = match cluster.reachable_leader(partition) {
            Ok(leader) => (ErrorCode::None, leader),
            Err(error) => (error, NO_LEADER),
        };
        PartitionAnswer {
            error,
            leader_id: WireBrokerId(leader.0),
            leader_epoch: partition.leader_epoch.0,
            replicas: wire_ids(&partition.replicas),
            isr: wire_ids(&partition.isr),
            offline_replicas: wire_ids(&cluster.offline_replicas(partition)),
        }
    }
}
