//! DeleteRecords (key 21), versions 0-2: moves the start of a log; durable before its answer (KIP-107).
//! Shell: the checkpoint is synced on a thread that may block.
//!
//! - v1: throttle time last. v2: flexible.

use ottla_model::{ErrorCode, Offset};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_records_request::DeleteRecordsTopic;
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use ottla_replica::Partition;

use super::prelude::*;
use crate::{blocking, errors};

pub const API: Api = Api { key: ApiKey::DeleteRecords, min: 0, max: 2, admit };

/// "Up to the high watermark."
const HIGH_WATERMARK: i64 = -1;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: DeleteRecordsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let unauthorized =
        access.take_refused(&mut body.topics, |topic| access.topic(AclOperation::Delete, &topic.name));
    let broker = broker.clone();
    park(async move {
        let env = broker.env.clone();
        let mut response = blocking::run(&env, move || delete(&broker, &body)).await;
        response.topics.extend(unauthorized.iter().map(refused));
        request.answer(&response)
    })
}

fn refused(topic: &DeleteRecordsTopic) -> DeleteRecordsTopicResult {
    let partitions = topic.partitions.iter().map(|partition| {
        DeleteRecordsPartitionResult::default()
            .with_partition_index(partition.partition_index)
            .with_low_watermark(-1)
            .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
    });
    DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
}

fn delete(broker: &Broker, body: &DeleteRecordsRequest) -> DeleteRecordsResponse {
    let hosted = broker.replicas.hosted();
    let topics = body
        .topics
        .iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|requested| {
                    let outcome = hosted
                        .partition(topic.name.as_str(), requested.partition_index)
                        .and_then(|partition| delete_in(partition, requested.offset));
                    let (error, low_watermark) = match outcome {
                        Ok(low_watermark) => (ErrorCode::None, low_watermark.0),
                        Err(error) => (error, -1),
                    };
                    DeleteRecordsPartitionResult::default()
                        .with_partition_index(requested.partition_index)
                        .with_low_watermark(low_watermark)
                        .with_error_code(error.code())
                })
                .collect();
            DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions)
        })
        .collect();
    DeleteRecordsResponse::default().with_topics(topics)
}

/// `Partition.deleteRecordsOnLeader`: only where the policy deletes, and not beyond the high watermark.
fn delete_in(partition: &Partition, offset: i64) -> Result<Offset, ErrorCode> {
    if partition.topic().is_internal() {
        return Err(ErrorCode::InvalidTopicException);
    }
    let led = partition.led(-1).map_err(errors::unavailable)?;
    let log = led.log();
    if !log.config().cleanup_policy.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let high_watermark = led.high_watermark();
    let before = if offset == HIGH_WATERMARK { high_watermark } else { Offset(offset) };
    if before.0 < 0 || before > high_watermark {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    log.delete_records(before).map_err(|error| errors::change_error(&error))
}
