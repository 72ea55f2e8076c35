//! What Metadata and DescribeTopicPartitions answer of a partition alike.
//! Core.

use ottla_metadata::PartitionImage;
use ottla_model::ErrorCode;
use ottla_protocol::messages::BrokerId as WireBrokerId;

use crate::cluster::{Cluster, NO_LEADER, wire_ids};

/// The first version of Metadata that knows LISTENER_NOT_FOUND.
const KNOWS_LISTENERS: i16 = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// What a client of this version of Metadata can make use of (`KRaftMetadataCache.getPartitionMetadata`): the first
    /// one is told of no replica that is away, but that one is.
    pub fn as_version(mut self, version: i16) -> PartitionAnswer {
        if version < KNOWS_LISTENERS && self.error == ErrorCode::ListenerNotFound {
            self.error = ErrorCode::LeaderNotAvailable;
        }
        if version == 0 && !self.offline_replicas.is_empty() {
            let away = &self.offline_replicas;
            self.replicas.retain(|id| !away.contains(id));
            self.isr.retain(|id| !away.contains(id));
            if self.error == ErrorCode::None {
                self.error = ErrorCode::ReplicaNotAvailable;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[i32]) -> Vec<WireBrokerId> {
        ids.iter().copied().map(WireBrokerId).collect()
    }

    fn answer(error: ErrorCode, offline: &[i32]) -> PartitionAnswer {
        PartitionAnswer {
            error,
            leader_id: WireBrokerId(0),
            leader_epoch: 3,
            replicas: ids(&[0, 1, 2]),
            isr: ids(&[0, 2]),
            offline_replicas: ids(offline),
        }
    }

    #[test]
    fn the_first_version_is_told_that_a_replica_is_away_and_not_of_it() {
        let told = answer(ErrorCode::None, &[2]).as_version(0);
        assert_eq!((told.error, told.leader_id), (ErrorCode::ReplicaNotAvailable, WireBrokerId(0)));
        assert_eq!((told.replicas, told.isr), (ids(&[0, 1]), ids(&[0])));
        let without_leader = answer(ErrorCode::LeaderNotAvailable, &[2]).as_version(0);
        assert_eq!(without_leader.error, ErrorCode::LeaderNotAvailable);
        assert_eq!(answer(ErrorCode::None, &[]).as_version(0), answer(ErrorCode::None, &[]));
        assert_eq!(answer(ErrorCode::None, &[2]).as_version(1), answer(ErrorCode::None, &[2]));
    }

    #[test]
    fn a_client_that_knows_no_listeners_is_told_of_no_leader() {
        let told = |version| answer(ErrorCode::ListenerNotFound, &[]).as_version(version).error;
        assert_eq!(told(5), ErrorCode::LeaderNotAvailable);
        assert_eq!(told(6), ErrorCode::ListenerNotFound);
    }
}
