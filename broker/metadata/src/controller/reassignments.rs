//! AlterPartitionReassignments: where the replicas of a partition ought to be (KIP-455, KIP-860).
//! Core. `ReplicationControlManager.alterPartitionReassignments`, with `PartitionReassignmentReplicas` and
//! `PartitionReassignmentRevert`.
//!
//! A reassignment is a fact of its partition: who is being added and who removed. It ends with the change that has all of
//! the added in sync (`PartitionChange`), whoever brings that change about. Until then it can be given another target, or
//! be cancelled (docs/decisions/0035).

use ottla_model::{BrokerId, ErrorCode, PartitionIndex};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition,
};
use ottla_protocol::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};
use ottla_protocol::records::metadata::{MetadataRecord, PartitionChangeRecord};

use crate::controller::fencing::online_election;
use crate::controller::partition_change::{Candidates, PartitionChange};
use crate::controller::placement::validate_manual;
use crate::controller::{ApiError, Decision, Rules, wire_error};
use crate::image::{Image, PartitionImage, Replicas, TopicImage};

/// Each partition has its own answer.
pub fn decide_alter_partition_reassignments(
    image: &Image,
    rules: &Rules,
    request: &AlterPartitionReassignmentsRequest,
) -> Decision<AlterPartitionReassignmentsResponse> {
    if request.topics.is_empty() {
        // As Kafka's controller, which answers before it looks (`QuorumController`).
        let nothing = AlterPartitionReassignmentsResponse::default();
        return Decision::answer(nothing.with_error_message(Some(StrBytes::default())));
    }
    let may_change_factor = request.allow_replication_factor_change;
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut response = AlterPartitionReassignmentsResponse::default()
        .with_allow_replication_factor_change(may_change_factor)
        .with_error_message(None);
    for topic in &request.topics {
        let decide = |asked: &ReassignablePartition| {
            let result = decide_partition(image, rules, &topic.name, asked, may_change_factor);
            let (code, text) =
                wire_error(&result.map(|record| records.extend(record.map(MetadataRecord::from))));
            ReassignablePartitionResponse::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(code)
                .with_error_message(text)
        };
        let partitions = topic.partitions.iter().map(decide).collect();
        response.responses.push(
            ReassignableTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions),
        );
    }
    Decision { records, response }
}

fn decide_partition(
    image: &Image,
    rules: &Rules,
    name: &str,
    asked: &ReassignablePartition,
    may_change_factor: bool,
) -> Result<Option<PartitionChangeRecord>, ApiError> {
    let index = asked.partition_index;
    let (topic, partition) = find(image, name, index)?;
    let change = PartitionChange::of(Candidates::of(image), rules, topic, index as usize);
    match &asked.replicas {
        None => cancel(rules, topic, (index, partition), change),
        Some(target) => {
            let target: Vec<BrokerId> = target.iter().map(|id| BrokerId(id.0)).collect();
            validate_manual(image, &target, None)?;
            let factor = replication_factor(partition);
            if !may_change_factor && target.len() != factor {
                let text = format!("The replication factor is changed from {factor} to {}", target.len());
                return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, text));
            }
            Ok(reassign(partition, &target, change))
        }
    }
}

/// A move of the balancer, where the partition is still as the balancer saw it: what a person began is never changed.
pub fn decide_begin_move(
    image: &Image,
    rules: &Rules,
    (name, index): (&str, i32),
    before: &[i32],
    target: &[i32],
) -> Result<Decision<()>, ApiError> {
    let (topic, partition) = find(image, name, index)?;
    if is_under_way(partition) || !partition.replicas.iter().map(|id| id.0).eq(before.iter().copied()) {
        return Err(has_changed());
    }
    let target: Vec<BrokerId> = target.iter().copied().map(BrokerId).collect();
    validate_manual(image, &target, None)?;
    let change = PartitionChange::of(Candidates::of(image), rules, topic, index as usize);
    let record = reassign(partition, &target, change);
    Ok(Decision { records: record.map(MetadataRecord::from).into_iter().collect(), response: () })
}

/// Takes it back, where it still leads to this target.
pub fn decide_cancel_move(
    image: &Image,
    rules: &Rules,
    (name, index): (&str, i32),
    target: &[i32],
) -> Result<Decision<()>, ApiError> {
    let (topic, partition) = find(image, name, index)?;
    let stays = |id: &&BrokerId| !partition.removing_replicas().contains(id);
    if !partition.replicas.iter().filter(stays).map(|id| id.0).eq(target.iter().copied()) {
        return Err(has_changed());
    }
    let change = PartitionChange::of(Candidates::of(image), rules, topic, index as usize);
    let record = cancel(rules, topic, (index, partition), change)?;
    Ok(Decision { records: record.map(MetadataRecord::from).into_iter().collect(), response: () })
}

fn has_changed() -> ApiError {
    ApiError::new(ErrorCode::InvalidReplicaAssignment, "The partition is not as it was any more.")
}

fn find<'a>(
    image: &'a Image,
    name: &str,
    index: i32,
) -> Result<(&'a TopicImage, &'a PartitionImage), ApiError> {
    let unknown = |text: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, text);
    let topic = image.topic(name).ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
    let partition = topic
        .partition(PartitionIndex(index))
        .ok_or_else(|| unknown(format!("Unable to find partition {name}:{index}.")))?;
    Ok((topic, partition))
}

fn is_under_way(partition: &PartitionImage) -> bool {
    !partition.adding_replicas().is_empty() || !partition.removing_replicas().is_empty()
}

/// How many replicas the partition has, or will have when the reassignment under way is done.
fn replication_factor(partition: &PartitionImage) -> usize {
    partition.replicas.iter().filter(|id| !partition.removing_replicas().contains(id)).count()
}

/// Towards `target`, from what was there before the first target: whoever only an earlier target added, and this one does
/// not want, leaves at once.
fn reassign(
    partition: &PartitionImage,
    target: &[BrokerId],
    change: PartitionChange<'_>,
) -> Option<PartitionChangeRecord> {
    let sole = sole_holders(partition, target);
    let was_before = |id: &BrokerId| {
        partition.replicas.contains(id) && (!partition.adding_replicas().contains(id) || sole.contains(id))
    };
    let mut adding: Vec<BrokerId> = target.iter().copied().filter(|id| !was_before(id)).collect();
    let goes = |id: &BrokerId| was_before(id) && !target.contains(id);
    let mut removing: Vec<BrokerId> = partition.replicas.iter().copied().filter(goes).collect();
    adding.sort_unstable();
    removing.sort_unstable();
    let replicas: Replicas = target.iter().chain(&removing).copied().collect();
    let isr: Replicas = partition.isr.iter().filter(|id| replicas.contains(id)).copied().collect();
    change.isr(isr).replicas(replicas, adding, removing).build()
}

/// Who has all that was acknowledged: whoever is in sync, and where nobody is, whoever is eligible.
fn complete(partition: &PartitionImage) -> &[BrokerId] {
    if partition.isr.is_empty() { partition.elr() } else { &partition.isr }
}

/// Those that an earlier target added, where they alone have all that was acknowledged and `target` wants none of them:
/// they go when others have it too, and not before.
fn sole_holders<'a>(partition: &'a PartitionImage, target: &[BrokerId]) -> &'a [BrokerId] {
    let complete = complete(partition);
    let is_new = |id: &BrokerId| partition.adding_replicas().contains(id) && !target.contains(id);
    if complete.iter().all(is_new) { complete } else { &[] }
}

/// Back to what was before. Where only those are in sync that leave again, somebody who may lack records must lead, which
/// the topic has to allow.
fn cancel(
    rules: &Rules,
    topic: &TopicImage,
    (index, partition): (i32, &PartitionImage),
    change: PartitionChange<'_>,
) -> Result<Option<PartitionChangeRecord>, ApiError> {
    if !is_under_way(partition) {
        return Err(ApiError::bare(ErrorCode::NoReassignmentInProgress));
    }
    let stays = |id: &&BrokerId| !partition.adding_replicas().contains(id);
    let replicas: Replicas = partition.replicas.iter().filter(stays).copied().collect();
    let mut isr: Replicas = partition.isr.iter().filter(stays).copied().collect();
    // Where nobody was in sync before, nobody is after, as long as somebody is eligible who was.
    let had_all = complete(partition);
    if !had_all.is_empty() && !had_all.iter().any(|id| replicas.contains(id)) {
        if !rules.may_elect_unclean(topic) {
            let text = format!(
                "Unable to revert partition assignment for {}:{index} because it would require an unclean leader \
                 election.",
                topic.name
            );
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, text));
        }
        let Some(first) = replicas.first() else {
            let text = "Invalid replica assignment: addingReplicas contains all replicas.";
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, text));
        };
        isr.push(*first);
    }
    let change = change.election(online_election(rules, topic));
    Ok(change.isr(isr).replicas(replicas, Vec::new(), Vec::new()).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::alter_partition::decide_alter_partition;
    use crate::controller::features::ELIGIBLE_LEADER_REPLICAS;
    use crate::controller::testing::{Cluster, IntoStr, topic};
    use ottla_protocol::messages::AlterPartitionRequest;
    use ottla_protocol::messages::alter_partition_reassignments_request::ReassignableTopic;
    use ottla_protocol::messages::alter_partition_request::{PartitionData, TopicData};
    use std::sync::Arc;

    const PROGRESS: i16 = ErrorCode::NoReassignmentInProgress.code();
    const ASSIGNMENT: i16 = ErrorCode::InvalidReplicaAssignment.code();

    fn request(name: &str, index: i32, replicas: Option<&[i32]>) -> AlterPartitionReassignmentsRequest {
        let replicas = replicas.map(|ids| ids.iter().map(|id| (*id).into()).collect());
        let partition = ReassignablePartition::default().with_partition_index(index).with_replicas(replicas);
        let topic =
            ReassignableTopic::default().with_name(name.into_str().into()).with_partitions(vec![partition]);
        AlterPartitionReassignmentsRequest::default().with_topics(vec![topic])
    }

    fn send(cluster: &mut Cluster, request: &AlterPartitionReassignmentsRequest) -> (i16, String) {
        let decision = decide_alter_partition_reassignments(cluster.image(), &cluster.rules, request);
        cluster.apply(decision.records);
        let told = &decision.response.responses[0].partitions[0];
        let text = told.error_message.as_ref().map(|text| text.as_str().to_owned());
        (told.error_code, text.unwrap_or_default())
    }

    fn ask(cluster: &mut Cluster, name: &str, index: i32, replicas: Option<&[i32]>) -> (i16, String) {
        let request = request(name, index, replicas).with_allow_replication_factor_change(false);
        send(cluster, &request)
    }

    fn go(cluster: &mut Cluster, replicas: Option<&[i32]>) -> i16 {
        send(cluster, &request("t", 0, replicas)).0
    }

    /// A topic with one partition on these brokers; the first leads.
    fn placed(cluster: &mut Cluster, replicas: &[i32]) {
        cluster.create(topic("t", 1, replicas.len() as i16));
        assert_eq!(go(cluster, Some(replicas)), 0);
        while state(cluster) != (replicas.to_vec(), vec![], vec![], sorted(replicas), replicas[0]) {
            let (all, .., leader) = state(cluster);
            in_sync(cluster, &all);
            let rule = |image: &Image, rules: &Rules, _: &mut _, _| {
                let election = crate::controller::partition_change::Election::Preferred;
                let topic = image.topic("t").expect("t");
                let change = PartitionChange::of(Candidates::of(image), rules, topic, 0).election(election);
                let records = change.build().into_iter().map(MetadataRecord::from).collect();
                Ok(Decision { records, response: () })
            };
            cluster.decide(rule).expect("an election");
            assert!((all, leader) != (state(cluster).0, state(cluster).4), "it comes nearer");
        }
    }

    fn sorted(ids: &[i32]) -> Vec<i32> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    }

    /// Replicas, adding, removing, in sync (in order) and the leader.
    fn state(cluster: &Cluster) -> (Vec<i32>, Vec<i32>, Vec<i32>, Vec<i32>, i32) {
        let ids = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect::<Vec<i32>>();
        let partition = cluster.partition("t", 0);
        let leader = partition.leader.map_or(-1, |leader| leader.0);
        (
            ids(&partition.replicas),
            ids(partition.adding_replicas()),
            ids(partition.removing_replicas()),
            sorted(&ids(&partition.isr)),
            leader,
        )
    }

    /// The leader says who is in sync.
    fn in_sync(cluster: &mut Cluster, isr: &[i32]) -> i16 {
        let partition: Arc<PartitionImage> = cluster.partition("t", 0);
        let topic_id = cluster.image().topic("t").expect("t").id.0;
        let leader = partition.leader.expect("a leader");
        let data = PartitionData::default()
            .with_leader_epoch(partition.leader_epoch.0)
            .with_partition_epoch(partition.partition_epoch)
            .with_new_isr(isr.iter().map(|id| (*id).into()).collect());
        let topic = TopicData::default().with_topic_id(topic_id).with_partitions(vec![data]);
        let epoch = cluster.image().broker(leader).map_or(-1, |broker| broker.broker_epoch);
        let request = AlterPartitionRequest::default()
            .with_broker_id(leader.0.into())
            .with_broker_epoch(epoch)
            .with_topics(vec![topic]);
        let answer = cluster.decide(|image, rules, _, _| decide_alter_partition(image, rules, &request));
        answer.expect("not refused whole").topics[0].partitions[0].error_code
    }

    /// A topic, a partition, where its replicas ought to be, and the answer's code and text.
    type Case<'a> = (&'a str, i32, Option<&'a [i32]>, i16, String);

    #[test]
    fn what_cannot_be_is_refused_with_kafkas_codes_and_texts() {
        let mut cluster = Cluster::of(&[1, 2, 3]);
        placed(&mut cluster, &[1, 2]);
        let before = cluster.image().metadata_offset();
        assert_eq!(ask(&mut cluster, "t", 0, Some(&[1, 2])), (0, String::new()));
        let manual = "The manual partition assignment includes";
        let cases: [Case<'_>; 8] = [
            ("no", 0, Some(&[1]), 3, "Unable to find a topic named no.".to_owned()),
            ("t", 7, Some(&[1]), 3, "Unable to find partition t:7.".to_owned()),
            ("t", 0, None, PROGRESS, String::new()),
            ("t", 0, Some(&[]), ASSIGNMENT, format!("{manual} an empty replica list.")),
            ("t", 0, Some(&[9, 1]), 39, format!("{manual} broker 9, but no such broker is registered.")),
            ("t", 0, Some(&[1, 1]), 39, format!("{manual} the broker 1 more than once.")),
            ("t", 0, Some(&[1]), 38, "The replication factor is changed from 2 to 1".to_owned()),
            ("t", 0, Some(&[1, 2, 3]), 38, "The replication factor is changed from 2 to 3".to_owned()),
        ];
        for (name, index, replicas, code, text) in cases {
            assert_eq!(ask(&mut cluster, name, index, replicas), (code, text));
        }
        assert_eq!(cluster.image().metadata_offset(), before, "nothing was changed");
        assert_eq!(ask(&mut cluster, "t", 0, Some(&[2, 1])), (0, String::new()));
        assert_eq!(state(&cluster), (vec![2, 1], vec![], vec![], vec![1, 2], 1), "only the order");
    }

    #[test]
    fn a_replica_moves_when_the_new_one_is_in_sync_and_the_leader_moves_last() {
        let mut cluster = Cluster::of(&[1, 2, 3, 4]);
        placed(&mut cluster, &[1, 2]);
        let epoch = cluster.partition("t", 0).leader_epoch;
        assert_eq!(ask(&mut cluster, "t", 0, Some(&[3, 4])), (0, String::new()));
        assert_eq!(state(&cluster), (vec![3, 4, 1, 2], vec![3, 4], vec![1, 2], vec![1, 2], 1));
        assert_eq!(cluster.partition("t", 0).leader_epoch, epoch, "nobody goes yet");
        // The factor that counts is the one to come.
        assert_eq!(ask(&mut cluster, "t", 0, Some(&[3, 4, 1])).0, 38);
        assert_eq!(in_sync(&mut cluster, &[1, 2, 3]), 0);
        assert_eq!(state(&cluster).0, [3, 4, 1, 2], "one is missing");
        // The one that asks leads no more.
        assert_eq!(in_sync(&mut cluster, &[1, 2, 3, 4]), ErrorCode::NewLeaderElected.code());
        assert_eq!(state(&cluster), (vec![3, 4], vec![], vec![], vec![3, 4], 3));
        assert!(cluster.partition("t", 0).leader_epoch > epoch);
        assert_eq!(ask(&mut cluster, "t", 0, None).0, PROGRESS, "it is over");
    }

    #[test]
    fn the_number_of_replicas_changes_both_ways() {
        let mut cluster = Cluster::of(&[1, 2, 3]);
        placed(&mut cluster, &[1]);
        assert_eq!(go(&mut cluster, Some(&[1, 2, 3])), 0);
        assert_eq!(state(&cluster), (vec![1, 2, 3], vec![2, 3], vec![], vec![1], 1));
        assert_eq!(in_sync(&mut cluster, &[1, 2, 3]), 0);
        assert_eq!(state(&cluster), (vec![1, 2, 3], vec![], vec![], vec![1, 2, 3], 1));
        let epoch = cluster.partition("t", 0).leader_epoch;
        assert_eq!(go(&mut cluster, Some(&[2])), 0);
        assert_eq!(state(&cluster), (vec![2], vec![], vec![], vec![2], 2), "at once: it has all there is");
        assert!(cluster.partition("t", 0).leader_epoch > epoch);
        assert_eq!(go(&mut cluster, Some(&[2, 3])), 0);
        assert_eq!(in_sync(&mut cluster, &[2, 3]), 0);
        assert_eq!(in_sync(&mut cluster, &[2]), 0);
        assert_eq!(go(&mut cluster, Some(&[3])), 0);
        let under_way = (vec![3, 2], vec![], vec![2], vec![2], 2);
        assert_eq!(state(&cluster), under_way, "who stays is not in sync: it waits");
        assert_eq!(in_sync(&mut cluster, &[2, 3]), ErrorCode::NewLeaderElected.code());
        assert_eq!(state(&cluster), (vec![3], vec![], vec![], vec![3], 3));
    }

    #[test]
    fn another_target_or_none_leads_away_from_the_first() {
        let mut cluster = Cluster::of(&[1, 2, 3, 4]);
        placed(&mut cluster, &[1, 2]);
        assert_eq!(go(&mut cluster, Some(&[1, 3])), 0);
        // Asked again, nothing is forgotten.
        assert_eq!(go(&mut cluster, Some(&[1, 3])), 0);
        assert_eq!(state(&cluster), (vec![1, 3, 2], vec![3], vec![2], vec![1, 2], 1));
        let epoch = cluster.partition("t", 0).leader_epoch;
        assert_eq!(go(&mut cluster, Some(&[1, 4])), 0);
        assert_eq!(state(&cluster), (vec![1, 4, 2], vec![4], vec![2], vec![1, 2], 1), "3 was never there");
        assert!(cluster.partition("t", 0).leader_epoch > epoch, "it follows this epoch no more");
        assert_eq!(go(&mut cluster, Some(&[3, 1])), 0);
        assert_eq!(in_sync(&mut cluster, &[1, 2]), 0);
        let epoch = cluster.partition("t", 0).leader_epoch;
        assert_eq!(go(&mut cluster, Some(&[1, 2])), 0);
        assert_eq!(state(&cluster), (vec![1, 2], vec![], vec![], vec![1, 2], 1), "back where it was");
        assert!(cluster.partition("t", 0).leader_epoch > epoch, "those that go follow this epoch no more");
        assert_eq!(go(&mut cluster, Some(&[3, 4])), 0);
        assert_eq!(in_sync(&mut cluster, &[1, 2, 3]), 0);
        assert_eq!(go(&mut cluster, None), 0);
        assert_eq!(state(&cluster), (vec![1, 2], vec![], vec![], vec![1, 2], 1));
    }

    #[test]
    fn a_cancellation_leads_back_to_what_was_before_the_first_target() {
        let mut cluster = Cluster::of(&[1, 2, 3, 4]);
        placed(&mut cluster, &[1, 2]);
        assert_eq!(go(&mut cluster, Some(&[3, 4, 1])), 0);
        assert_eq!(in_sync(&mut cluster, &[1, 3]), 0);
        assert_eq!(go(&mut cluster, Some(&[4, 1])), 0);
        assert_eq!(state(&cluster), (vec![4, 1, 2], vec![4], vec![2], vec![1], 1));
        assert_eq!(go(&mut cluster, None), 0);
        assert_eq!(state(&cluster), (vec![1, 2], vec![], vec![], vec![1], 1));
    }

    /// 1 and 2 are gone, and only 3, which is being added, has what was acknowledged.
    fn with_a_sole_holder(cluster: &mut Cluster) {
        placed(cluster, &[1, 2]);
        assert_eq!(go(cluster, Some(&[3, 4])), 0);
        assert_eq!(in_sync(cluster, &[1, 2, 3]), 0);
        [1, 2].into_iter().for_each(|gone| fenced(cluster, gone));
        assert_eq!(state(cluster), (vec![3, 4, 1, 2], vec![3, 4], vec![1, 2], vec![3], 3));
    }

    fn fenced(cluster: &mut Cluster, id: i32) {
        let mut records = Vec::new();
        crate::controller::fencing::fence(cluster.image(), &cluster.rules, BrokerId(id), &mut records);
        cluster.apply(records);
    }

    #[test]
    fn who_alone_has_what_was_acknowledged_goes_when_others_have_it() {
        let mut cluster = Cluster::of(&[1, 2, 3, 4, 5]);
        with_a_sole_holder(&mut cluster);
        assert_eq!(go(&mut cluster, Some(&[4, 5])), 0);
        assert_eq!(state(&cluster), (vec![4, 5, 1, 2, 3], vec![4, 5], vec![1, 2, 3], vec![3], 3));
        assert_eq!(in_sync(&mut cluster, &[3, 4, 5]), ErrorCode::NewLeaderElected.code());
        assert_eq!(state(&cluster), (vec![4, 5], vec![], vec![], vec![4, 5], 4));
    }

    #[test]
    fn the_only_eligible_replica_is_not_cancelled_away() {
        let mut cluster = Cluster::configured(&[1, 2, 3, 4, 5], &[("min.insync.replicas", "2")]);
        cluster.finalize("metadata.version", 30);
        cluster.finalize(ELIGIBLE_LEADER_REPLICAS, 1);
        placed(&mut cluster, &[1]);
        assert_eq!(go(&mut cluster, Some(&[2, 3])), 0);
        assert_eq!(in_sync(&mut cluster, &[1, 2]), 0);
        // The log of 1 may have lost its end, and 2, which has all of it, is away.
        fenced(&mut cluster, 2);
        fenced(&mut cluster, 1);
        let partition = cluster.partition("t", 0);
        assert_eq!((partition.isr.len(), partition.elr()), (0, &[BrokerId(1), BrokerId(2)][..]));
        let mut records = Vec::new();
        crate::controller::fencing::replace_incarnation(
            cluster.image(),
            &cluster.rules,
            BrokerId(1),
            false,
            &mut records,
        );
        cluster.apply(records);
        assert_eq!(cluster.partition("t", 0).elr(), [BrokerId(2)]);
        assert_eq!(go(&mut cluster, None), ASSIGNMENT);
        assert_eq!(go(&mut cluster, Some(&[3, 4])), 0);
        assert_eq!(cluster.partition("t", 0).elr(), [BrokerId(2)], "nobody else has it yet");
    }

    #[test]
    fn what_only_the_added_have_is_given_up_only_where_the_topic_allows_it() {
        for is_allowed in ["false", "true"] {
            let mut cluster =
                Cluster::configured(&[1, 2, 3, 4], &[("unclean.leader.election.enable", is_allowed)]);
            with_a_sole_holder(&mut cluster);
            let (code, text) = ask(&mut cluster, "t", 0, None);
            if is_allowed == "true" {
                assert_eq!((code, state(&cluster)), (0, (vec![1, 2], vec![], vec![], vec![1], -1)));
            } else {
                let why = "Unable to revert partition assignment for t:0 because it would require an unclean leader \
                           election.";
                assert_eq!((code, text.as_str()), (ASSIGNMENT, why));
                assert_eq!(state(&cluster).4, 3, "nothing has changed");
            }
        }
    }

    #[test]
    fn whoever_loses_its_replica_is_eligible_no_more() {
        let mut cluster = Cluster::configured(&[1, 2, 3], &[("min.insync.replicas", "2")]);
        cluster.finalize("metadata.version", 30);
        cluster.finalize(ELIGIBLE_LEADER_REPLICAS, 1);
        placed(&mut cluster, &[1, 2, 3]);
        assert_eq!(in_sync(&mut cluster, &[1]), 0);
        assert_eq!(cluster.partition("t", 0).elr(), [BrokerId(2), BrokerId(3)]);
        assert_eq!(go(&mut cluster, Some(&[1])), 0);
        assert_eq!(state(&cluster), (vec![1], vec![], vec![], vec![1], 1));
        assert_eq!(cluster.partition("t", 0).elr(), []);
    }

    #[test]
    fn a_move_of_the_balancer_changes_nothing_that_a_person_began() {
        let mut cluster = Cluster::of(&[1, 2, 3, 4]);
        placed(&mut cluster, &[1, 2]);
        let begin = |cluster: &Cluster, before: &[i32], target: &[i32]| {
            decide_begin_move(cluster.image(), &cluster.rules, ("t", 0), before, target)
        };
        assert!(begin(&cluster, &[2, 1], &[3, 1]).is_err(), "another order");
        assert!(begin(&cluster, &[1, 2], &[9, 2]).is_err(), "no such broker");
        let begun = begin(&cluster, &[1, 2], &[3, 2]).expect("as it was").records;
        cluster.apply(begun);
        assert_eq!(state(&cluster), (vec![3, 2, 1], vec![3], vec![1], vec![1, 2], 1));
        assert!(begin(&cluster, &[3, 2, 1], &[4, 2]).is_err(), "one is under way");
        let back = |cluster: &Cluster| decide_cancel_move(cluster.image(), &cluster.rules, ("t", 0), &[3, 2]);
        let taken_back = back(&cluster).expect("its own").records;
        cluster.apply(taken_back);
        assert_eq!(state(&cluster), (vec![2, 1], vec![], vec![], vec![1, 2], 1));
        assert_eq!(go(&mut cluster, Some(&[4, 2])), 0);
        assert!(back(&cluster).is_err(), "a person chose another target");
        assert_eq!(state(&cluster).0, [4, 2, 1], "it goes on");
        assert_eq!(go(&mut cluster, None), 0);
        assert!(back(&cluster).is_err(), "it is over");
    }
}
