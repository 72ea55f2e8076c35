//! ElectLeaders and ListPartitionReassignments.
//! Core.

use ottla_model::{BrokerId, ErrorCode, PartitionIndex, TopicName};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::elect_leaders_request::ElectLeadersRequest;
use ottla_protocol::messages::elect_leaders_response::{
    ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use ottla_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use ottla_protocol::messages::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ottla_protocol::records::metadata::{MetadataRecord, PartitionChangeRecord};

use crate::controller::partition_change::{Candidates, Election, PartitionChange};
use crate::controller::{ApiError, Decision, Rules, wire_error};
use crate::image::{Image, TopicImage};

/// Moves leadership where it is wanted. Asked for all partitions, only those are named where
/// something happened.
pub fn decide_elect_leaders(
    image: &Image,
    rules: &Rules,
    request: &ElectLeadersRequest,
) -> Result<Decision<ElectLeadersResponse>, ApiError> {
    let election = match request.election_type {
        0 => Election::Preferred,
        1 => Election::Unclean,
        other => {
            return Err(ApiError::new(ErrorCode::InvalidRequest, format!("Unknown election type {other}")));
        }
    };
    let mut records = Vec::new();
    let mut response = ElectLeadersResponse::default();
    match &request.topic_partitions {
        None => {
            for topic in image.topics() {
                let indexes = 0..topic.partitions.len() as i32;
                let mut result = elect_in_topic((image, rules), &topic.name, indexes, election, &mut records);
                result
                    .partition_result
                    .retain(|partition| partition.error_code != ErrorCode::ElectionNotNeeded.code());
                response.replica_election_results.push(result);
            }
        }
        Some(topics) => {
            for topic in topics {
                let name = TopicName::new(&topic.topic);
                let indexes = topic.partitions.iter().copied();
                let result = elect_in_topic((image, rules), &name, indexes, election, &mut records);
                response.replica_election_results.push(result);
            }
        }
    }
    Ok(Decision { records, response })
}

fn elect_in_topic(
    facts: (&Image, &Rules),
    name: &TopicName,
    indexes: impl Iterator<Item = i32>,
    election: Election,
    records: &mut Vec<MetadataRecord>,
) -> ReplicaElectionResult {
    let partition = |index: i32| {
        let result =
            elect(facts, name, PartitionIndex(index), election).map(|record| records.push(record.into()));
        let (code, text) = wire_error(&result);
        PartitionResult::default().with_partition_id(index).with_error_code(code).with_error_message(text)
    };
    ReplicaElectionResult::default()
        .with_topic(StrBytes::from_string(name.as_str().to_owned()).into())
        .with_partition_result(indexes.map(partition).collect())
}

fn elect(
    (image, rules): (&Image, &Rules),
    name: &TopicName,
    index: PartitionIndex,
    election: Election,
) -> Result<PartitionChangeRecord, ApiError> {
    let unknown = |text: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, text);
    let topic = image.topic(name.as_str()).ok_or_else(|| unknown(format!("No such topic as {name}")))?;
    let partition =
        topic.partition(index).ok_or_else(|| unknown(format!("No such partition as {name}-{index}")))?;
    let is_settled = match election {
        Election::Preferred => partition.leader.is_some() && partition.leader == partition.preferred_leader(),
        Election::Online | Election::Unclean => partition.leader.is_some(),
    };
    if is_settled {
        let text = "Leader election not needed for topic partition.";
        return Err(ApiError::new(ErrorCode::ElectionNotNeeded, text));
    }
    let change = PartitionChange::of(Candidates::of(image), rules, topic, index.0 as usize);
    change.election(election).build().ok_or_else(|| match election {
        Election::Preferred => {
            ApiError::new(ErrorCode::PreferredLeaderNotAvailable, "The preferred leader was not available.")
        }
        Election::Online | Election::Unclean => ApiError::new(
            ErrorCode::EligibleLeadersNotAvailable,
            "Eligible topic partition leaders are not available.",
        ),
    })
}

/// The reassignments under way.
pub fn list_partition_reassignments(
    image: &Image,
    request: &ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let mut response = ListPartitionReassignmentsResponse::default().with_error_message(None);
    let mut add = |topic: &TopicImage, indexes: &mut dyn Iterator<Item = i32>| {
        let partitions: Vec<_> = indexes.filter_map(|index| ongoing(topic, index)).collect();
        if !partitions.is_empty() {
            let name = StrBytes::from_string(topic.name.as_str().to_owned());
            response
                .topics
                .push(OngoingTopicReassignment::default().with_name(name.into()).with_partitions(partitions));
        }
    };
    match &request.topics {
        None => image.topics().for_each(|topic| add(topic, &mut (0..topic.partitions.len() as i32))),
        Some(topics) => {
            for asked in topics {
                if let Some(topic) = image.topic(&asked.name) {
                    add(topic, &mut asked.partition_indexes.iter().copied());
                }
            }
        }
    }
    response
}

fn ongoing(topic: &TopicImage, index: i32) -> Option<OngoingPartitionReassignment> {
    let partition = topic.partition(PartitionIndex(index))?;
    if partition.adding_replicas().is_empty() && partition.removing_replicas().is_empty() {
        return None;
    }
    let ids = |ids: &[BrokerId]| ids.iter().map(|id| id.0.into()).collect();
    Some(
        OngoingPartitionReassignment::default()
            .with_partition_index(index)
            .with_replicas(ids(&partition.replicas))
            .with_adding_replicas(ids(partition.adding_replicas()))
            .with_removing_replicas(ids(partition.removing_replicas())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, IntoStr, topic};
    use ottla_model::LeaderEpoch;
    use ottla_protocol::messages::elect_leaders_request::TopicPartitions;

    fn ask(cluster: &mut Cluster, election_type: i8, topics: Option<&[(&str, &[i32])]>) -> Vec<i16> {
        let partitions = |(name, indexes): &(&str, &[i32])| {
            TopicPartitions::default().with_topic(name.into_str().into()).with_partitions(indexes.to_vec())
        };
        let request = ElectLeadersRequest::default()
            .with_election_type(election_type)
            .with_topic_partitions(topics.map(|topics| topics.iter().map(partitions).collect()));
        let decision = decide_elect_leaders(cluster.image(), &cluster.rules, &request).expect("a known type");
        cluster.apply(decision.records);
        let results = decision.response.replica_election_results;
        results.iter().flat_map(|topic| topic.partition_result.iter().map(|p| p.error_code)).collect()
    }

    #[test]
    fn a_settled_partition_needs_no_election() {
        let mut cluster = Cluster::of(&[1]);
        cluster.create(topic("t", 1, 1));
        assert_eq!(ask(&mut cluster, 0, Some(&[("t", &[0, 7]), ("no", &[0])])), [84, 3, 3]);
        assert_eq!(ask(&mut cluster, 1, Some(&[("t", &[0])])), [84]);
        assert!(ask(&mut cluster, 0, None).is_empty());
        let request = ElectLeadersRequest::default().with_election_type(5);
        let text = "Unknown election type 5";
        let refused = decide_elect_leaders(cluster.image(), &cluster.rules, &request).err();
        assert_eq!(refused, Some(ApiError::new(ErrorCode::InvalidRequest, text)));
    }

    #[test]
    fn the_preferred_replica_takes_over_when_it_is_in_sync() {
        let mut cluster = Cluster::of(&[1, 2]);
        cluster.create(topic("t", 1, 2));
        let id = cluster.image().topic("t").expect("t").id.0;
        let preferred = cluster.partition("t", 0).replicas[0];
        let other = 3 - preferred.0;
        let moved =
            PartitionChangeRecord { topic_id: id, partition_id: 0, leader: other, ..Default::default() };
        cluster.apply(vec![moved.into()]);
        assert_eq!(ask(&mut cluster, 0, None), [0]);
        let partition = cluster.image().partition("t", PartitionIndex(0)).expect("0").clone();
        assert_eq!((partition.leader, partition.leader_epoch), (Some(preferred), LeaderEpoch(2)));
        let shrunk = PartitionChangeRecord {
            topic_id: id,
            partition_id: 0,
            leader: other,
            isr: Some(vec![other]),
            ..Default::default()
        };
        cluster.apply(vec![shrunk.into()]);
        assert_eq!(ask(&mut cluster, 0, Some(&[("t", &[0])])), [80]);
    }

    #[test]
    fn reassignments_are_listed_while_they_run() {
        let mut cluster = Cluster::of(&[1, 2]);
        cluster.create(topic("t", 2, 1));
        let id = cluster.image().topic("t").expect("t").id.0;
        let request = ListPartitionReassignmentsRequest::default().with_topics(None);
        assert_eq!(list_partition_reassignments(cluster.image(), &request).topics, []);
        let adding = PartitionChangeRecord {
            topic_id: id,
            partition_id: 1,
            replicas: Some(vec![1, 2]),
            adding_replicas: Some(vec![2]),
            ..Default::default()
        };
        cluster.apply(vec![adding.into()]);
        let listed = list_partition_reassignments(cluster.image(), &request).topics;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].partitions.len(), 1);
        assert_eq!(listed[0].partitions[0].partition_index, 1);
        assert_eq!(listed[0].partitions[0].adding_replicas, [2i32]);
    }
}
