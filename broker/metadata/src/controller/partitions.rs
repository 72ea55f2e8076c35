//! CreatePartitions.
//! Core.

use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use ottla_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use ottla_protocol::records::metadata::MetadataRecord;
use ottla_quota::MutationQuota;

use crate::controller::placement::{new_partition, place, validate_manual};
use crate::controller::{ApiError, Decision, PARTITIONS_PER_REQUEST_MAX, duplicates, wire_error};
use crate::image::Image;

/// Adds partitions to the topics that can grow; each topic gets an answer of its own.
pub fn decide_create_partitions(
    image: &Image,
    request: &CreatePartitionsRequest,
    quota: &MutationQuota,
) -> Result<Decision<CreatePartitionsResponse>, ApiError> {
    let mut records = Vec::new();
    let mut response = CreatePartitionsResponse::default();
    let twice = duplicates(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut answer = |name: StrBytes, result: Result<(), ApiError>| {
        let (code, text) = wire_error(&result);
        response.results.push(
            CreatePartitionsTopicResult::default()
                .with_name(name.into())
                .with_error_code(code)
                .with_error_message(text),
        );
    };
    for name in &twice.names {
        let error = ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
        answer(StrBytes::from_string((*name).to_owned()), Err(error));
    }
    for topic in request.topics.iter().filter(|topic| !twice.contains(&topic.name)) {
        let before = records.len();
        let result = decide_topic(image, topic, quota, &mut records);
        if result.is_err() {
            records.truncate(before);
        }
        if records.len() > PARTITIONS_PER_REQUEST_MAX {
            let text = "Excessively large number of partitions per request.";
            return Err(ApiError::new(ErrorCode::PolicyViolation, text));
        }
        answer(topic.name.0.clone(), result);
    }
    if request.validate_only {
        records.clear();
    }
    Ok(Decision { records, response })
}

fn decide_topic(
    image: &Image,
    asked: &CreatePartitionsTopic,
    quota: &MutationQuota,
    records: &mut Vec<MetadataRecord>,
) -> Result<(), ApiError> {
    let Some(topic) = image.topic(&asked.name) else {
        return Err(ApiError::bare(ErrorCode::UnknownTopicOrPartition));
    };
    let current = topic.partitions.len();
    let additional = match usize::try_from(asked.count) {
        Ok(count) if count > current => count - current,
        Ok(count) if count == current => {
            let text = format!("Topic already has {current} partition(s).");
            return Err(ApiError::new(ErrorCode::InvalidPartitions, text));
        }
        _ => {
            let text = format!(
                "The topic {} currently has {current} partition(s); {} would not be an increase.",
                topic.name, asked.count
            );
            return Err(ApiError::new(ErrorCode::InvalidPartitions, text));
        }
    };
    // The bound on records of one request, checked before anything is built.
    if additional > PARTITIONS_PER_REQUEST_MAX {
        let text = format!("Excessively large number of partitions: {additional} to add to {}.", topic.name);
        return Err(ApiError::new(ErrorCode::PolicyViolation, text));
    }
    let assigned = asked.assignments.as_ref().map(Vec::len);
    if let Some(assigned) = assigned.filter(|assigned| *assigned != additional) {
        let text = format!(
            "Attempted to add {additional} additional partition(s), but only {assigned} assignment(s) were \
             specified."
        );
        return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, text));
    }
    quota.record(additional)?;
    let factor = topic.replication_factor();
    let places = match &asked.assignments {
        None => place(image, topic.id, current, additional, factor)?,
        Some(assignments) => {
            let mut places = Vec::new();
            for assignment in assignments {
                let replicas: Vec<BrokerId> = assignment.broker_ids.iter().map(|id| BrokerId(id.0)).collect();
                validate_manual(image, &replicas, Some(factor as usize))?;
                places.push(replicas);
            }
            places
        }
    };
    for (index, replicas) in places.iter().enumerate() {
        let partition = current + index;
        let record = new_partition(image, topic.id.0, partition, replicas).ok_or_else(|| match asked.assignments {
            Some(_) => ApiError::new(
                ErrorCode::InvalidReplicaAssignment,
                format!(
                    "All brokers specified in the manual partition assignment for partition {partition} are \
                     fenced or in controlled shutdown."
                ),
            ),
            None => ApiError::new(
                ErrorCode::InvalidReplicationFactor,
                format!(
                    "Unable to replicate the partition {factor} time(s): All brokers are currently fenced or in \
                     controlled shutdown."
                ),
            ),
        })?;
        records.push(record.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, IntoStr, topic};
    use ottla_protocol::messages::create_partitions_request::CreatePartitionsAssignment;

    fn grow(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
        let assignment = |brokers: &&[i32]| {
            CreatePartitionsAssignment::default()
                .with_broker_ids(brokers.iter().map(|id| (*id).into()).collect())
        };
        CreatePartitionsTopic::default()
            .with_name(name.into_str().into())
            .with_count(count)
            .with_assignments(assignments.map(|list| list.iter().map(assignment).collect()))
    }

    fn ask(cluster: &mut Cluster, topics: Vec<CreatePartitionsTopic>) -> Vec<(i16, Option<String>)> {
        let request = CreatePartitionsRequest::default().with_topics(topics);
        let decision = decide_create_partitions(cluster.image(), &request, &MutationQuota::UNLIMITED)
            .expect("not refused whole");
        cluster.apply(decision.records);
        let text = |result: &CreatePartitionsTopicResult| {
            result.error_message.as_ref().map(|text| text.as_str().to_owned())
        };
        decision.response.results.iter().map(|result| (result.error_code, text(result))).collect()
    }

    #[test]
    fn a_topic_grows_and_keeps_what_it_had() {
        let mut cluster = Cluster::of(&[1]);
        cluster.create(topic("t", 2, 1));
        let before = cluster.image().topic("t").expect("t").clone();
        assert_eq!(ask(&mut cluster, vec![grow("t", 5, None)]), [(0, None)]);
        let after = cluster.image().topic("t").expect("t").clone();
        assert_eq!(after.partitions.len(), 5);
        assert_eq!(after.partitions[..2], before.partitions[..]);
        assert_eq!(cluster.image().partition_count(), 5);
    }

    #[test]
    fn each_rule_has_kafka_s_code_and_text() {
        let mut cluster = Cluster::of(&[1, 2]);
        cluster.create(topic("t", 2, 1));
        let cases: [(CreatePartitionsTopic, i16, Option<&str>); 7] = [
            (grow("t", 2, None), 37, Some("Topic already has 2 partition(s).")),
            (
                grow("t", 1, None),
                37,
                Some("The topic t currently has 2 partition(s); 1 would not be an increase."),
            ),
            (
                grow("t", -4, None),
                37,
                Some("The topic t currently has 2 partition(s); -4 would not be an increase."),
            ),
            (grow("no", 3, None), 3, None),
            (
                grow("t", 4, Some(&[&[1]])),
                39,
                Some("Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."),
            ),
            (
                grow("t", 3, Some(&[&[1, 2]])),
                39,
                Some(
                    "The manual partition assignment includes a partition with 2 replica(s), but this is not \
                     consistent with previous partitions, which have 1 replica(s).",
                ),
            ),
            (grow("t", 3, Some(&[&[2]])), 0, None),
        ];
        for (asked, code, text) in cases {
            assert_eq!(ask(&mut cluster, vec![asked]), [(code, text.map(str::to_owned))]);
        }
        let twice = ask(&mut cluster, vec![grow("t", 5, None), grow("t", 6, None)]);
        assert_eq!(twice, [(42, Some("Duplicate topic name.".to_owned()))]);
        assert_eq!(cluster.image().partition_count(), 3);
    }

    #[test]
    fn asking_whether_changes_nothing() {
        let mut cluster = Cluster::of(&[1]);
        cluster.create(topic("t", 2, 1));
        let request =
            CreatePartitionsRequest::default().with_topics(vec![grow("t", 5, None)]).with_validate_only(true);
        let decision = decide_create_partitions(cluster.image(), &request, &MutationQuota::UNLIMITED)
            .expect("a decision");
        assert_eq!((decision.records.len(), decision.response.results[0].error_code), (0, 0));
    }
}
