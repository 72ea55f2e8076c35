//! AlterPartitionReassignments (KIP-455, KIP-860), as far as a cluster without replication can do it.
//! Core. `ReplicationControlManager.alterPartitionReassignments`.
//!
//! An assignment is checked as Kafka checks it; on one broker the only one that passes is the one that is there. What would
//! need a replica to be copied is refused (docs/exceptions/clusters.md).

use ottla_model::{BrokerId, ErrorCode, PartitionIndex};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition,
};
use ottla_protocol::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};
use ottla_protocol::records::metadata::{MetadataRecord, PartitionChangeRecord};

use crate::controller::{ApiError, Decision, wire_error};
use crate::image::{Image, PartitionImage};

/// Each partition has its own answer.
pub fn decide_alter_partition_reassignments(
    image: &Image,
    request: &AlterPartitionReassignmentsRequest,
) -> Decision<AlterPartitionReassignmentsResponse> {
    if request.topics.is_empty() {
        // As Kafka's controller, which answers before it looks (`QuorumController`).
        let nothing = AlterPartitionReassignmentsResponse::default();
        return Decision::answer(nothing.with_error_message(Some(StrBytes::default())));
    }
    let may_grow = request.allow_replication_factor_change;
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut response = AlterPartitionReassignmentsResponse::default()
        .with_allow_replication_factor_change(may_grow)
        .with_error_message(None);
    for topic in &request.topics {
        let decide = |asked: &ReassignablePartition| {
            let result = decide_partition(image, &topic.name, asked, may_grow);
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
    name: &str,
    asked: &ReassignablePartition,
    may_grow: bool,
) -> Result<Option<PartitionChangeRecord>, ApiError> {
    let unknown = |text: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, text);
    let index = asked.partition_index;
    let topic = image.topic(name).ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
    let partition = topic
        .partition(PartitionIndex(index))
        .ok_or_else(|| unknown(format!("Unable to find partition {name}:{index}.")))?;
    let Some(target) = &asked.replicas else { return Err(no_reassignment()) };
    let target: Vec<BrokerId> = target.iter().map(|id| BrokerId(id.0)).collect();
    check_assignment(image, &target)?;
    if !may_grow && target.len() != partition.replicas.len() {
        let text = format!(
            "The replication factor is changed from {} to {}",
            partition.replicas.len(),
            target.len()
        );
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, text));
    }
    if target.as_slice() == partition.replicas.as_slice() {
        return Ok(None);
    }
    reordered(partition, &target).map(|replicas| {
        Some(PartitionChangeRecord {
            topic_id: topic.id.0,
            partition_id: index,
            replicas: Some(replicas),
            ..PartitionChangeRecord::default()
        })
    })
}

/// Nothing is cancelled, for nothing is ever under way.
fn no_reassignment() -> ApiError {
    ApiError::bare(ErrorCode::NoReassignmentInProgress)
}

fn invalid(text: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidReplicaAssignment, text)
}

/// `validateManualPartitionAssignment`.
fn check_assignment(image: &Image, target: &[BrokerId]) -> Result<(), ApiError> {
    if target.is_empty() {
        return Err(invalid("The manual partition assignment includes an empty replica list.".to_owned()));
    }
    let mut sorted = target.to_vec();
    sorted.sort_unstable();
    let mut before = None;
    for id in sorted {
        let what = "The manual partition assignment includes";
        if image.broker(id).is_none() {
            return Err(invalid(format!("{what} broker {id}, but no such broker is registered.")));
        }
        if before == Some(id) {
            return Err(invalid(format!("{what} the broker {id} more than once.")));
        }
        before = Some(id);
    }
    Ok(())
}

/// The same replicas in another order: who is preferred changes, and nothing is copied.
fn reordered(partition: &PartitionImage, target: &[BrokerId]) -> Result<Vec<i32>, ApiError> {
    let is_same =
        target.len() == partition.replicas.len() && target.iter().all(|id| partition.replicas.contains(id));
    match is_same {
        true => Ok(target.iter().map(|id| id.0).collect()),
        false => Err(invalid("No replica is moved between brokers here.".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, IntoStr, topic};
    use ottla_protocol::messages::alter_partition_reassignments_request::ReassignableTopic;

    fn ask(cluster: &mut Cluster, name: &str, index: i32, replicas: Option<&[i32]>) -> (i16, String) {
        let replicas = replicas.map(|ids| ids.iter().map(|id| (*id).into()).collect());
        let partition = ReassignablePartition::default().with_partition_index(index).with_replicas(replicas);
        let topic =
            ReassignableTopic::default().with_name(name.into_str().into()).with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default()
            .with_allow_replication_factor_change(false)
            .with_topics(vec![topic]);
        let decision = decide_alter_partition_reassignments(cluster.image(), &request);
        cluster.apply(decision.records);
        let told = &decision.response.responses[0].partitions[0];
        let text = told.error_message.as_ref().map(|text| text.as_str().to_owned());
        (told.error_code, text.unwrap_or_default())
    }

    /// A topic, a partition, where its replicas ought to be, and the answer's code and text.
    type Case<'a> = (&'a str, i32, Option<&'a [i32]>, i16, String);

    #[test]
    fn what_is_there_stays_and_what_would_be_copied_is_refused() {
        let mut cluster = Cluster::of(&[1, 2, 3]);
        cluster.create(topic("t", 1, 2));
        let replicas: Vec<i32> =
            cluster.image().topic("t").expect("t").partitions[0].replicas.iter().map(|id| id.0).collect();
        let before = cluster.image().metadata_offset();
        assert_eq!(ask(&mut cluster, "t", 0, Some(&replicas)), (0, String::new()));
        assert_eq!(cluster.image().metadata_offset(), before);
        let turned: Vec<i32> = replicas.iter().rev().copied().collect();
        assert_eq!(ask(&mut cluster, "t", 0, Some(&turned)), (0, String::new()));
        let partition = &cluster.image().topic("t").expect("t").partitions[0];
        assert_eq!(partition.preferred_leader(), Some(BrokerId(turned[0])));
        assert!(partition.isr.len() == 2 && partition.leader == Some(BrokerId(replicas[0])));
        let manual = "The manual partition assignment includes";
        let cases: [Case<'_>; 8] = [
            ("no", 0, Some(&[1]), 3, "Unable to find a topic named no.".to_owned()),
            ("t", 7, Some(&[1]), 3, "Unable to find partition t:7.".to_owned()),
            ("t", 0, None, 85, String::new()),
            ("t", 0, Some(&[]), 39, format!("{manual} an empty replica list.")),
            ("t", 0, Some(&[9, 1]), 39, format!("{manual} broker 9, but no such broker is registered.")),
            ("t", 0, Some(&[1, 1]), 39, format!("{manual} the broker 1 more than once.")),
            ("t", 0, Some(&[1]), 38, "The replication factor is changed from 2 to 1".to_owned()),
            ("t", 0, Some(&[1, 3]), 39, "No replica is moved between brokers here.".to_owned()),
        ];
        for (name, index, replicas, code, text) in cases {
            assert_eq!(ask(&mut cluster, name, index, replicas), (code, text));
        }
    }
}
