//! Which brokers hold the replicas of new partitions.
//! Core.

use std::sync::Arc;

use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, TopicId};
use ottla_protocol::records::metadata::{PartitionRecord, RegisterBrokerRecord};
use uuid::Uuid;

use crate::controller::ApiError;
use crate::controller::striped_placement::{UsableBroker, place_striped};
use crate::image::{DIRECTORY_UNASSIGNED, Image};

/// The replicas of each new partition; the first leads. The id of a topic is random: it says where the placement begins.
pub(crate) fn place(
    image: &Image,
    topic_id: TopicId,
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
    let usable = usable_brokers(image);
    if usable.iter().all(|broker| broker.is_fenced) {
        return refuse(
            "All brokers are currently fenced, or have all their log directories cordoned.".to_owned(),
        );
    }
    let factor = replication_factor as usize;
    if factor > usable.len() {
        return refuse(format!(
            "The target replication factor of {factor} cannot be reached because only {} broker(s) are \
             registered or some brokers have all their log directories cordoned.",
            usable.len()
        ));
    }
    let (high, low) = topic_id.0.as_u64_pair();
    Ok(place_striped(&usable, high ^ low ^ first_partition as u64, partition_count, factor))
}

/// Whether a broker takes new replicas: not one that is about to stop, or whose directories are all cordoned (KIP-1066).
fn is_usable(broker: &RegisterBrokerRecord) -> bool {
    let is_stopping = broker.in_controlled_shutdown && !broker.fenced;
    !is_stopping && !is_cordoned(broker)
}

/// Whether it does so, and lives.
pub fn takes_replicas(broker: &RegisterBrokerRecord) -> bool {
    !broker.fenced && is_usable(broker)
}

/// Whether none of its directories takes new replicas (KIP-1066).
pub(crate) fn is_cordoned(broker: &RegisterBrokerRecord) -> bool {
    let cordoned = broker.cordoned_log_dirs.as_deref().unwrap_or_default();
    !broker.log_dirs.is_empty() && broker.log_dirs.iter().all(|dir| cordoned.contains(dir))
}

fn usable_brokers(image: &Image) -> Vec<UsableBroker> {
    let usable = |(id, broker): (BrokerId, &Arc<RegisterBrokerRecord>)| UsableBroker {
        id,
        rack: broker.rack.as_ref().map(|rack| rack.as_str().to_owned()),
        is_fenced: broker.fenced,
    };
    image.brokers().filter(|(_, broker)| is_usable(broker)).map(usable).collect()
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
