//! CreatePartitions.
//! Core.

use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use ottla_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use ottla_protocol::records::metadata::MetadataRecord;

use crate::controller::placement::{new_partition, place, validate_manual};
use crate::controller::{ApiError, Decision, PARTITIONS_PER_REQUEST_MAX, duplicates, wire_error};
use crate::image::Image;

/// Adds partitions to the topics that can grow; each topic gets an answer of its own.
pub fn decide_create_partitions(
    image: &Image,
    request: &CreatePartitionsRequest,
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
    for name in &twice {
        let error = ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
        answer(StrBytes::from_string((*name).to_owned()), Err(error));
    }
    for topic in request.topics.iter().filter(|topic| !twice.contains(&topic.name.as_str())) {
        let before = records.len();
        let result = decide_topic(image, topic, &mut records);
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
    let factor = topic.replication_factor();
    let places = match &asked.assignments {
        None => place(image, current, additional, factor)?,
        Some(assignments) if assignments.len() != additional => {
            let text = format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, text));
        }
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
