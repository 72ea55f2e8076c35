//! In which log directories the replicas here are, as far as the controller does not know it yet (KIP-858).
//! Core. `assign_directories` is the shell that sends it. Rules are those of `AssignmentsManager`.
//!
//! Invariants:
//! - I1. What was noted is in the list until it was taken; who takes notes it again, unless it was answered.
//! - I2. Nothing is in the list while nobody takes from it: names of topics that are gone would stay.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use ottla_model::{BrokerId, ErrorCode, PartitionIndex, TopicId, TopicPartition};
use ottla_protocol::messages::assign_replicas_to_dirs_request::{DirectoryData, PartitionData, TopicData};
use ottla_protocol::messages::{
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerId as WireBrokerId,
};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::waiting_list::WaitingList;

/// Kafka's `MAX_ASSIGNMENTS_PER_REQUEST`.
const ASSIGNMENTS_MAX: usize = 2_250;

/// Partitions that may be elsewhere than the image says.
#[derive(Default)]
pub struct DirectoryAssignments {
    waiting: WaitingList<TopicPartition>,
    is_taken_from: Mutex<bool>,
}

/// A replica that is in another directory than the image says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    pub name: TopicPartition,
    pub topic_id: TopicId,
    pub directory: Uuid,
}

impl DirectoryAssignments {
    /// Somebody takes from now on, and is to look at all that is hosted: what changed before was not noted.
    pub fn begin(&self) {
        *self.is_taken_from.lock() = true;
    }

    pub fn note(&self, partitions: impl IntoIterator<Item = TopicPartition>) {
        if *self.is_taken_from.lock() {
            self.waiting.add(partitions.into_iter().map(|partition| (partition, ())));
        }
    }

    /// Ready when something was noted.
    pub fn poll_waiting(&self, context: &Context<'_>) -> Poll<()> {
        self.waiting.poll_waiting(context)
    }

    /// At most as many as go into one request.
    pub fn take(&self) -> Vec<TopicPartition> {
        self.waiting.take(ASSIGNMENTS_MAX).into_keys().collect()
    }
}

/// What the controller is sent.
pub fn request_of(broker: BrokerId, epoch: i64, placements: &[Placement]) -> AssignReplicasToDirsRequest {
    let mut directories: BTreeMap<Uuid, BTreeMap<TopicId, Vec<PartitionData>>> = BTreeMap::new();
    for Placement { name, topic_id, directory } in placements {
        let partition = PartitionData::default().with_partition_index(name.partition.0);
        directories.entry(*directory).or_default().entry(*topic_id).or_default().push(partition);
    }
    let directory = |(id, topics): (Uuid, BTreeMap<TopicId, Vec<PartitionData>>)| {
        let topic = |(id, partitions): (TopicId, Vec<PartitionData>)| {
            TopicData::default().with_topic_id(id.0).with_partitions(partitions)
        };
        DirectoryData::default().with_id(id).with_topics(topics.into_iter().map(topic).collect())
    };
    AssignReplicasToDirsRequest::default()
        .with_broker_id(WireBrokerId(broker.0))
        .with_broker_epoch(epoch)
        .with_directories(directories.into_iter().map(directory).collect())
}

/// Those that the controller has not taken, and may take later. A topic or a replica that it does not know is gone, or
/// comes with an image that has it noted again.
pub fn left_of(sent: Vec<Placement>, answer: &AssignReplicasToDirsResponse) -> Vec<TopicPartition> {
    let mut results = BTreeMap::new();
    for directory in &answer.directories {
        for topic in &directory.topics {
            for partition in &topic.partitions {
                let index = PartitionIndex(partition.partition_index);
                results.insert((directory.id, topic.topic_id, index), partition.error_code);
            }
        }
    }
    let is_left = |placement: &Placement| {
        let key = (placement.directory, placement.topic_id.0, placement.name.partition);
        let settled = [
            ErrorCode::None,
            ErrorCode::UnknownTopicId,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::NotLeaderOrFollower,
        ];
        !results.get(&key).is_some_and(|code| settled.iter().any(|error| error.code() == *code))
    };
    sent.into_iter().filter(is_left).map(|placement| placement.name).collect()
}

#[cfg(test)]
mod tests {
    use ottla_model::TopicName;
    use ottla_protocol::messages::assign_replicas_to_dirs_response as answered;

    use super::*;

    fn name(index: i32) -> TopicPartition {
        TopicPartition::new(TopicName::from("t"), PartitionIndex(index))
    }

    fn placement(index: i32, directory: u128) -> Placement {
        let topic_id = TopicId(Uuid::from_u128(7));
        Placement { name: name(index), topic_id, directory: Uuid::from_u128(directory) }
    }

    #[test]
    fn what_is_noted_is_taken_once_and_as_much_as_goes_into_a_request() {
        let assignments = DirectoryAssignments::default();
        assignments.note([name(7)]);
        assignments.begin();
        assert!(assignments.take().is_empty(), "nobody would have taken it");
        assignments.note((0..3_000).chain(0..10).map(name));
        let first = assignments.take();
        assert_eq!((first.len(), &first[0]), (ASSIGNMENTS_MAX, &name(0)));
        let second = assignments.take();
        assert_eq!((second.len(), &second[0]), (750, &name(2_250)));
        assert!(assignments.take().is_empty());
    }

    #[test]
    fn a_request_says_each_directory_once() {
        let request = request_of(BrokerId(4), 9, &[placement(0, 101), placement(2, 102), placement(1, 101)]);
        let said: Vec<(Uuid, Vec<i32>)> = request
            .directories
            .iter()
            .map(|directory| {
                let partitions = directory.topics.iter().flat_map(|topic| &topic.partitions);
                (directory.id, partitions.map(|one| one.partition_index).collect())
            })
            .collect();
        assert_eq!(said, [(Uuid::from_u128(101), vec![0, 1]), (Uuid::from_u128(102), vec![2])]);
        assert_eq!((request.broker_id.0, request.broker_epoch), (4, 9));
    }

    #[test]
    fn what_was_not_answered_or_may_be_taken_later_is_left() {
        let sent: Vec<Placement> = (0..4).map(|index| placement(index, 101)).collect();
        let result = |index: i32, error: ErrorCode| {
            answered::PartitionData::default().with_partition_index(index).with_error_code(error.code())
        };
        let partitions = vec![
            result(0, ErrorCode::None),
            result(1, ErrorCode::UnknownTopicId),
            result(2, ErrorCode::UnknownServerError),
        ];
        let topic =
            answered::TopicData::default().with_topic_id(Uuid::from_u128(7)).with_partitions(partitions);
        let directory =
            answered::DirectoryData::default().with_id(Uuid::from_u128(101)).with_topics(vec![topic]);
        let answer = AssignReplicasToDirsResponse::default().with_directories(vec![directory]);
        assert_eq!(left_of(sent, &answer), [name(2), name(3)]);
    }
}
