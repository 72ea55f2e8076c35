//! AlterPartition: a leader asks for other in-sync replicas (KIP-497, KIP-903).
//! Core. `ReplicationControlManager.alterPartition`: every partition has a result of its own.

use ottla_model::{BrokerId, ErrorCode, PartitionIndex, TopicId};
use ottla_protocol::messages::AlterPartitionRequest;
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData};
use ottla_protocol::messages::alter_partition_response::{
    AlterPartitionResponse, PartitionData as Altered, TopicData as AlteredTopic,
};
use ottla_protocol::records::metadata::{MetadataRecord, PartitionChangeRecord};

use crate::controller::fencing::{check_broker_epoch, online_election};
use crate::controller::partition_change::{Candidates, PartitionChange};
use crate::controller::{ApiError, Decision, Rules};
use crate::image::{Image, PartitionImage, Replicas, TopicImage};
use crate::replay::{NO_LEADER_CHANGE, changed_partition};

/// An `Err` is an answer for the whole request.
pub(crate) fn decide_alter_partition(
    image: &Image,
    rules: &Rules,
    request: &AlterPartitionRequest,
) -> Result<Decision<AlterPartitionResponse>, ApiError> {
    let asking = BrokerId(request.broker_id.0);
    check_broker_epoch(image, asking, request.broker_epoch)?;
    let mut records = Vec::new();
    let mut response = AlterPartitionResponse::default();
    for asked in &request.topics {
        let topic = image.topic_by_id(TopicId(asked.topic_id));
        let partition = |data: &PartitionData| {
            let index = PartitionIndex(data.partition_index);
            let altered = match topic {
                None => Err(ErrorCode::UnknownTopicId),
                Some(topic) => alter(image, rules, topic, asking, data, &mut records),
            };
            altered
                .unwrap_or_else(|error| Altered::default().with_error_code(error.code()))
                .with_partition_index(index.0)
        };
        let partitions = asked.partitions.iter().map(partition).collect();
        response
            .topics
            .push(AlteredTopic::default().with_topic_id(asked.topic_id).with_partitions(partitions));
    }
    Ok(Decision { records, response })
}

fn alter(
    image: &Image,
    rules: &Rules,
    topic: &TopicImage,
    asking: BrokerId,
    data: &PartitionData,
    records: &mut Vec<MetadataRecord>,
) -> Result<Altered, ErrorCode> {
    let index = PartitionIndex(data.partition_index);
    let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    // Before version 3 replicas come without their epochs.
    let without_epoch = |id: &ottla_protocol::messages::BrokerId| BrokerState::default().with_broker_id(*id);
    let states: Vec<BrokerState> = match data.new_isr_with_epochs.is_empty() {
        true => data.new_isr.iter().map(without_epoch).collect(),
        false => data.new_isr_with_epochs.clone(),
    };
    let isr: Replicas = states.iter().map(|state| BrokerId(state.broker_id.0)).collect();
    check_request(partition, asking, data, &isr)?;
    if !states.iter().all(|state| is_eligible(image, state)) {
        return Err(ErrorCode::IneligibleReplica);
    }
    let change = PartitionChange::of(Candidates::of(image), rules, topic, index.0 as usize)
        .election(online_election(rules, topic))
        .isr(isr)
        .recovering(data.leader_recovery_state == 1)
        .build();
    let after =
        change.as_ref().map_or_else(|| (**partition).clone(), |change| changed_partition(partition, change));
    let moves =
        |change: &PartitionChangeRecord| change.leader != NO_LEADER_CHANGE && change.leader != asking.0;
    let is_moved = change.as_ref().is_some_and(moves);
    records.extend(change.map(MetadataRecord::from));
    if is_moved {
        // The change completed a reassignment, and the one that asked leads no more.
        return Err(ErrorCode::NewLeaderElected);
    }
    let ids = after.isr.iter().map(|id| id.0.into()).collect();
    Ok(Altered::default()
        .with_leader_id(after.leader.map_or(-1, |leader| leader.0).into())
        .with_leader_epoch(after.leader_epoch.0)
        .with_isr(ids)
        .with_leader_recovery_state(i8::from(after.recovering))
        .with_partition_epoch(after.partition_epoch))
}

/// `ReplicationControlManager.validateAlterPartitionData`, up to what it says of other brokers.
fn check_request(
    partition: &PartitionImage,
    asking: BrokerId,
    data: &PartitionData,
    isr: &[BrokerId],
) -> Result<(), ErrorCode> {
    // Whoever asks knows more: another controller decided what this one has not heard of.
    if data.leader_epoch > partition.leader_epoch.0 || data.partition_epoch > partition.partition_epoch {
        return Err(ErrorCode::NotController);
    }
    if data.leader_epoch < partition.leader_epoch.0 {
        return Err(ErrorCode::FencedLeaderEpoch);
    }
    if Some(asking) != partition.leader {
        return Err(ErrorCode::InvalidRequest);
    }
    if data.partition_epoch < partition.partition_epoch {
        return Err(ErrorCode::InvalidUpdateVersion);
    }
    let is_valid =
        |(index, id): (usize, &BrokerId)| partition.replicas.contains(id) && !isr[..index].contains(id);
    if isr.is_empty() || !isr.iter().enumerate().all(is_valid) || !isr.contains(&asking) {
        return Err(ErrorCode::InvalidRequest);
    }
    let recovers = match data.leader_recovery_state {
        0 => false,
        1 => true,
        _ => return Err(ErrorCode::InvalidRequest),
    };
    if recovers && (isr.len() > 1 || !partition.recovering) {
        return Err(ErrorCode::InvalidRequest);
    }
    Ok(())
}

/// Neither fenced nor stopping (KIP-841), and the incarnation that the leader saw (KIP-903).
fn is_eligible(image: &Image, state: &BrokerState) -> bool {
    let id = BrokerId(state.broker_id.0);
    let is_of_epoch = |epoch: i64| state.broker_epoch == -1 || state.broker_epoch == epoch;
    image.is_active(id) && image.broker(id).is_some_and(|broker| is_of_epoch(broker.broker_epoch))
}
