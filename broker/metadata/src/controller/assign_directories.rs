//! AssignReplicasToDirs: a broker says in which of its log directories replicas are (KIP-858).
//! Core. `ReplicationControlManager.handleAssignReplicasToDirs`: every partition has a result of its own.

use ottla_model::{BrokerId, ErrorCode, PartitionIndex, TopicId};
use ottla_protocol::messages::AssignReplicasToDirsRequest;
use ottla_protocol::messages::assign_replicas_to_dirs_response::{
    AssignReplicasToDirsResponse, DirectoryData, PartitionData, TopicData,
};
use ottla_protocol::records::metadata::MetadataRecord;
use uuid::Uuid;

use crate::controller::fencing::{check_broker_epoch, online_election};
use crate::controller::partition_change::{Candidates, PartitionChange, has_directories};
use crate::controller::{ApiError, Decision, Rules};
use crate::image::{Image, Replicas, TopicImage};

/// An `Err` is an answer for the whole request.
pub(crate) fn decide_assign_replicas_to_dirs(
    image: &Image,
    rules: &Rules,
    request: &AssignReplicasToDirsRequest,
) -> Result<Decision<AssignReplicasToDirsResponse>, ApiError> {
    if !has_directories(image) {
        return Err(ApiError::new(
            ErrorCode::UnsupportedVersion,
            "Directory assignment is not supported yet.",
        ));
    }
    let id = BrokerId(request.broker_id.0);
    let broker = check_broker_epoch(image, id, request.broker_epoch)?;
    let mut records = Vec::new();
    let mut response = AssignReplicasToDirsResponse::default();
    for of_directory in &request.directories {
        let directory = of_directory.id;
        let is_offline = !broker.log_dirs.is_empty() && !broker.log_dirs.contains(&directory);
        let mut answered = DirectoryData::default().with_id(directory);
        for asked in &of_directory.topics {
            let topic = image.topic_by_id(TopicId(asked.topic_id));
            let partitions = asked.partitions.iter().map(|partition| {
                let index = PartitionIndex(partition.partition_index);
                let error = match topic {
                    None => ErrorCode::UnknownTopicId,
                    Some(topic) => {
                        let place = Place { broker: id, directory, is_offline };
                        assign(image, rules, (topic, index), place, &mut records)
                            .err()
                            .unwrap_or(ErrorCode::None)
                    }
                };
                PartitionData::default().with_partition_index(index.0).with_error_code(error.code())
            });
            let partitions = partitions.collect();
            answered
                .topics
                .push(TopicData::default().with_topic_id(asked.topic_id).with_partitions(partitions));
        }
        response.directories.push(answered);
    }
    Ok(Decision { records, response })
}

#[derive(Clone, Copy)]
struct Place {
    broker: BrokerId,
    directory: Uuid,
    is_offline: bool,
}

/// A replica in a directory that has failed is out of sync with it, as if it had been known when the directory failed.
fn assign(
    image: &Image,
    rules: &Rules,
    (topic, index): (&TopicImage, PartitionIndex),
    place: Place,
    records: &mut Vec<MetadataRecord>,
) -> Result<(), ErrorCode> {
    let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if !partition.replicas.contains(&place.broker) {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    let leaving = place.is_offline.then_some(place.broker);
    let candidates = Candidates { leaving, ..Candidates::of(image) };
    let isr: Replicas = partition.isr.iter().filter(|id| Some(**id) != leaving).copied().collect();
    let change = PartitionChange::of(candidates, rules, topic, index.0 as usize)
        .election(online_election(rules, topic))
        .isr(isr)
        .directory(place.broker, place.directory)
        .build();
    records.extend(change.map(MetadataRecord::from));
    Ok(())
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::assign_replicas_to_dirs_request::{
        DirectoryData as InDirectory, PartitionData as Asked, TopicData as OfTopic,
    };

    use super::*;
    use crate::controller::register_broker::decide_register_broker;
    use crate::controller::testing::{Cluster, registration, topic};

    fn dir(id: i32, which: u128) -> Uuid {
        Uuid::from_u128(1_000 * (id as u128 + 1) + which)
    }

    /// Three brokers with two directories each, and "t" of two partitions on all of them.
    fn cluster() -> Cluster {
        let mut cluster = Cluster::configured(&[], &[]);
        cluster.finalize("metadata.version", 30);
        for id in 1..=3 {
            let request = registration(id, 1).with_log_dirs(vec![dir(id, 1), dir(id, 2)]);
            let registered = cluster.decide(|image, rules, liveness, now| {
                decide_register_broker(image, rules, liveness, &request, now)
            });
            assert!(registered.is_ok());
            assert!(cluster.beat(id, |_| {}).is_ok_and(|beat| !beat.is_fenced));
        }
        assert_eq!(cluster.create(topic("t", 2, 3)).0, 0);
        cluster
    }

    fn directory_of(cluster: &Cluster, index: i32, id: i32) -> Uuid {
        let partition = cluster.partition("t", index);
        let at = partition.replicas.iter().position(|replica| *replica == BrokerId(id)).expect("a replica");
        partition.directories[at]
    }

    fn asks(
        cluster: &Cluster,
        id: i32,
        directory: Uuid,
        topic: Uuid,
        index: i32,
    ) -> AssignReplicasToDirsRequest {
        let partition = Asked::default().with_partition_index(index);
        let topics = vec![OfTopic::default().with_topic_id(topic).with_partitions(vec![partition])];
        let epoch = cluster.image().broker(BrokerId(id)).map_or(-1, |broker| broker.broker_epoch);
        AssignReplicasToDirsRequest::default()
            .with_broker_id(id.into())
            .with_broker_epoch(epoch)
            .with_directories(vec![InDirectory::default().with_id(directory).with_topics(topics)])
    }

    fn send(cluster: &mut Cluster, request: &AssignReplicasToDirsRequest) -> Result<Vec<i16>, ErrorCode> {
        let answer =
            cluster.decide(|image, rules, _, _| decide_assign_replicas_to_dirs(image, rules, request))?;
        let topics = answer.directories.iter().flat_map(|directory| &directory.topics);
        Ok(topics.flat_map(|topic| &topic.partitions).map(|one| one.error_code).collect())
    }

    fn topic_id(cluster: &Cluster) -> Uuid {
        cluster.image().topic("t").expect("created").id.0
    }

    #[test]
    fn a_replica_is_known_to_be_where_its_broker_says_and_lost_with_it() {
        let mut cluster = cluster();
        let id = topic_id(&cluster);
        assert_eq!(directory_of(&cluster, 0, 1), crate::image::DIRECTORY_UNASSIGNED);
        let leader = cluster.partition("t", 0).leader.expect("a leader").0;
        let before = cluster.partition("t", 0);
        for (index, which) in [(0, 1), (1, 2)] {
            let request = asks(&cluster, leader, dir(leader, which), id, index);
            assert_eq!(send(&mut cluster, &request), Ok(vec![0]));
            assert_eq!(directory_of(&cluster, index, leader), dir(leader, which));
        }
        let after = cluster.partition("t", 0);
        assert_eq!((after.leader, after.leader_epoch), (before.leader, before.leader_epoch));
        assert_eq!((&after.isr, after.partition_epoch), (&before.isr, before.partition_epoch + 1));
        // The same again changes nothing.
        let request = asks(&cluster, leader, dir(leader, 1), id, 0);
        assert_eq!(send(&mut cluster, &request), Ok(vec![0]));
        assert_eq!(cluster.partition("t", 0).partition_epoch, after.partition_epoch);

        // One directory fails: what was in the other stays where it is.
        let other = cluster.partition("t", 1);
        let lost = vec![dir(leader, 1)];
        assert!(cluster.beat(leader, |beat| beat.offline_log_dirs = lost).is_ok_and(|beat| !beat.is_fenced));
        let moved = cluster.partition("t", 0);
        assert!(moved.leader.is_some_and(|id| id.0 != leader) && !moved.isr.contains(&BrokerId(leader)));
        assert_eq!(cluster.partition("t", 1), other);
    }

    #[test]
    fn a_replica_that_turns_out_to_be_in_a_failed_directory_is_out_of_sync_at_once() {
        let mut cluster = cluster();
        let id = topic_id(&cluster);
        let leader = cluster.partition("t", 0).leader.expect("a leader").0;
        let lost = vec![dir(leader, 2)];
        assert!(cluster.beat(leader, |beat| beat.offline_log_dirs = lost).is_ok());
        // Nobody knew what was in it.
        assert_eq!(cluster.partition("t", 0).leader, Some(BrokerId(leader)));
        let request = asks(&cluster, leader, dir(leader, 2), id, 0);
        assert_eq!(send(&mut cluster, &request), Ok(vec![0]));
        let moved = cluster.partition("t", 0);
        assert!(moved.leader.is_some_and(|id| id.0 != leader) && !moved.isr.contains(&BrokerId(leader)));
        assert_eq!(directory_of(&cluster, 0, leader), dir(leader, 2));
    }

    #[test]
    fn each_partition_is_answered_and_a_stale_broker_is_refused() {
        let mut cluster = cluster();
        let id = topic_id(&cluster);
        let of = |error: ErrorCode| Ok(vec![error.code()]);
        let request = asks(&cluster, 1, dir(1, 1), Uuid::from_u128(77), 0);
        assert_eq!(send(&mut cluster, &request), of(ErrorCode::UnknownTopicId));
        let request = asks(&cluster, 1, dir(1, 1), id, 9);
        assert_eq!(send(&mut cluster, &request), of(ErrorCode::UnknownTopicOrPartition));
        assert_eq!(cluster.create(topic("alone", 3, 1)).0, 0);
        let alone = cluster.image().topic("alone").expect("created").id.0;
        let elsewhere = (0..3).find(|index| cluster.partition("alone", *index).leader != Some(BrokerId(1)));
        let request = asks(&cluster, 1, dir(1, 1), alone, elsewhere.expect("spread over three brokers"));
        assert_eq!(send(&mut cluster, &request), of(ErrorCode::NotLeaderOrFollower));
        let request = asks(&cluster, 1, dir(1, 1), id, 0).with_broker_epoch(5_000);
        assert_eq!(send(&mut cluster, &request), Err(ErrorCode::StaleBrokerEpoch));
        let request = asks(&cluster, 9, dir(9, 1), id, 0);
        assert_eq!(send(&mut cluster, &request), Err(ErrorCode::StaleBrokerEpoch));
        cluster.finalize("metadata.version", 16);
        let request = asks(&cluster, 1, dir(1, 1), id, 0);
        assert_eq!(send(&mut cluster, &request), Err(ErrorCode::UnsupportedVersion));
    }
}
