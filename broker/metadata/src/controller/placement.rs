//! Which brokers hold the replicas of new partitions.
//! Core.

use ottla_model::{BrokerId, ErrorCode, LeaderEpoch};
use ottla_protocol::records::metadata::PartitionRecord;
use uuid::Uuid;

use crate::controller::ApiError;
use crate::image::{DIRECTORY_UNASSIGNED, Image};

/// The replicas of each new partition; the first leads.
pub(crate) fn place(
    image: &Image,
    first_partition: usize,
    partition_count: usize,
    replication_factor: i16,
) -> Result<Vec<Vec<BrokerId>>, ApiError> {
    let refuse = |text: String| Err(ApiError::new(ErrorCode::InvalidReplicationFactor, text));
    if replication_factor <= 0 {
        return refuse(format!(
            "Invalid replication factor {replication_factor}: the replication factor must be positive."
        ));
    }
    let active: Vec<BrokerId> = image.active_brokers().collect();
    if active.is_empty() {
        return refuse(
            "All brokers are currently fenced, or have all their log directories cordoned.".to_owned(),
        );
    }
    let registered: Vec<BrokerId> = image.brokers().map(|(id, _)| id).collect();
    let factor = replication_factor as usize;
    if factor > registered.len() {
        return refuse(format!(
            "The target replication factor of {factor} cannot be reached because only {} broker(s) are \
             registered or some brokers have all their log directories cordoned.",
            registered.len()
        ));
    }
    // An active broker leads; the others follow it round the ring.
    let place_one = |partition: usize| {
        let leader = active[partition % active.len()];
        let start = registered.iter().position(|id| *id == leader).unwrap_or(0);
        (0..factor).map(|step| registered[(start + step) % registered.len()]).collect()
    };
    Ok((first_partition..first_partition + partition_count).map(place_one).collect())
}

/// What Kafka asks of a list of replicas that a client chose.
pub(crate) fn validate_manual(
    image: &Image,
    replicas: &[BrokerId],
    replication_factor: Option<usize>,
) -> Result<(), ApiError> {
    let refuse = |text: String| Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, text));
    if replicas.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort();
    for (index, id) in sorted.iter().enumerate() {
        if image.broker(*id).is_none() {
            return refuse(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        }
        if index > 0 && sorted[index - 1] == *id {
            return refuse(format!(
                "The manual partition assignment includes the broker {id} more than once."
            ));
        }
    }
    match replication_factor {
        Some(expected) if expected != sorted.len() => refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not \
             consistent with previous partitions, which have {expected} replica(s).",
            sorted.len()
        )),
        _ => Ok(()),
    }
}

/// The record of a new partition; `None` when no replica can lead.
pub(crate) fn new_partition(
    image: &Image,
    topic_id: Uuid,
    partition: usize,
    replicas: &[BrokerId],
) -> Option<PartitionRecord> {
    let isr: Vec<i32> = replicas.iter().filter(|id| image.is_active(**id)).map(|id| id.0).collect();
    Some(PartitionRecord {
        partition_id: partition as i32,
        topic_id,
        leader: *isr.first()?,
        isr,
        replicas: replicas.iter().map(|id| id.0).collect(),
        directories: replicas.iter().map(|id| default_directory(image, *id)).collect(),
        leader_epoch: LeaderEpoch::default().0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    })
}

/// The directory a broker with only one will use (`ClusterControlManager.defaultDir`).
pub(crate) fn default_directory(image: &Image, id: BrokerId) -> Uuid {
    match image.broker(id).map(|broker| broker.log_dirs.as_slice()) {
        Some([only]) => *only,
        _ => DIRECTORY_UNASSIGNED,
    }
}
