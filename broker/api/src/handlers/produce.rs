//! Produce (key 0), versions 3-13 served, 0-13 advertised (KAFKA-18659): appends batches as they came.
//! Shell.
//!
//! - v3: the v2 batch, transactional ids. v5: log start offset. v7: zstd (KIP-110).
//! - v8: record errors and a text (KIP-467). v9: flexible. v10: leader hints (KIP-951).
//! - v11, v12: transaction verification (KIP-890). v13: topic ids (KIP-516).
//!
//! Every partition is validated and appended while the request is admitted, so that the order of a
//! connection's requests is the order of its records; only the wait for the disk is parked.

use bytes::Bytes;
use ottla_log::{AppendError, AppendOrigin};
use ottla_model::{ErrorCode, TopicId};
use ottla_network::{Admitted, Answer};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_records::{BatchHeader, CompressionType, LOG_OVERHEAD_BYTES};
use ottla_replica::{AllDurable, HostedTopic, Pending};

use super::prelude::*;
use crate::errors;

pub const API: Api = Api { key: ApiKey::Produce, min: 3, max: 13, class: Class::Ordered, admit };

/// Versions below this one know no zstd (KIP-110).
const ZSTD_VERSION_MIN: i16 = 7;
/// A batch up to and with its magic byte.
const BATCH_START_BYTES: usize = 17;
/// The smallest record of the oldest format (`LegacyRecord.RECORD_OVERHEAD_V0`).
const LEGACY_RECORD_BYTES_MIN: i32 = 14;
const MAGIC: u8 = 2;

/// A partition that was appended to and waits for the disk: its place in the response.
struct Waiting {
    topic: usize,
    partition: usize,
    pending: Pending,
}

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ProduceRequest = request.decode()?;
    let refused = refusal(&body);
    let mut waiting = Vec::new();
    let mut responses = Vec::with_capacity(body.topic_data.len());
    for (topic_place, topic) in body.topic_data.iter().enumerate() {
        let outcome = match refused {
            Some(error) => refuse_topic(topic, error),
            None => append_topic(broker, &request, topic, topic_place, body.acks, &mut waiting),
        };
        responses.push(outcome);
    }
    let response = ProduceResponse::default().with_responses(responses);
    if body.acks == 0 {
        return Ok(Admitted::Ready(answer_nothing(&request, &response)));
    }
    if waiting.is_empty() {
        return request.ready(&response);
    }
    park(wait_for_disk(request, response, waiting))
}

/// What refuses the whole request: every partition gets this code.
fn refusal(body: &ProduceRequest) -> Option<ErrorCode> {
    if !matches!(body.acks, -1..=1) {
        return Some(ErrorCode::InvalidRequiredAcks);
    }
    // No transaction can be open: no transactional id was ever handed out.
    body.transactional_id.is_some().then_some(ErrorCode::InvalidTxnState)
}

/// With acks=0 an error closes the connection: the client would never learn of it otherwise.
fn answer_nothing(request: &Request, response: &ProduceResponse) -> Answer {
    let failed = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    if failed.clone().any(|partition| partition.error_code != 0) {
        return Answer::Close("a produce request with acks=0 failed");
    }
    request.silent()
}

async fn wait_for_disk(request: Request, mut response: ProduceResponse, waiting: Vec<Waiting>) -> Answer {
    let (places, pending): (Vec<(usize, usize)>, Vec<Pending>) =
        waiting.into_iter().map(|one| ((one.topic, one.partition), one.pending)).unzip();
    let outcomes = AllDurable::new(pending).await;
    for ((topic, partition), outcome) in places.into_iter().zip(outcomes) {
        if outcome.is_err() {
            let answer = &mut response.responses[topic].partition_responses[partition];
            let index = answer.index;
            *answer = failed(index, ErrorCode::KafkaStorageError);
        }
    }
    request.answer(&response)
}

fn refuse_topic(topic: &TopicProduceData, error: ErrorCode) -> TopicProduceResponse {
    let partitions = topic.partition_data.iter().map(|partition| failed(partition.index, error)).collect();
    topic_response(topic, partitions)
}

fn topic_response(
    topic: &TopicProduceData,
    partitions: Vec<PartitionProduceResponse>,
) -> TopicProduceResponse {
    TopicProduceResponse::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic.topic_id)
        .with_partition_responses(partitions)
}

fn append_topic(
    broker: &Broker,
    request: &Request,
    topic: &TopicProduceData,
    topic_place: usize,
    acks: i16,
    waiting: &mut Vec<Waiting>,
) -> TopicProduceResponse {
    let by_id = request.version() >= 13;
    let hosted = broker.replicas.hosted();
    let found =
        if by_id { hosted.by_id(TopicId(topic.topic_id)) } else { hosted.by_name(topic.name.as_str()) };
    let Some(found) = found else {
        let unknown = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        return refuse_topic(topic, unknown);
    };
    let partitions = topic
        .partition_data
        .iter()
        .enumerate()
        .map(|(place, partition)| match append_one(broker, request, found, partition, acks) {
            Ok((answer, pending)) => {
                if let Some(pending) = pending {
                    waiting.push(Waiting { topic: topic_place, partition: place, pending });
                }
                answer
            }
            Err(answer) => *answer,
        })
        .collect();
    topic_response(topic, partitions)
}

type Appending = Result<(PartitionProduceResponse, Option<Pending>), Box<PartitionProduceResponse>>;

fn append_one(
    broker: &Broker,
    request: &Request,
    topic: &HostedTopic,
    data: &PartitionProduceData,
    acks: i16,
) -> Appending {
    let index = data.index;
    let refuse = |error: ErrorCode, why: Option<String>| {
        let mut answer = failed(index, error);
        answer.error_message = why.map(StrBytes::from_string);
        Box::new(answer)
    };
    let partition = topic.partition(index).ok_or_else(|| refuse(ErrorCode::UnknownTopicOrPartition, None))?;
    let records = data.records.clone().unwrap_or_default();
    check_one_batch(&records, request.version()).map_err(|(error, why)| refuse(error, Some(why)))?;
    if topic.name.is_internal() && !may_write_internal(request) {
        return Err(refuse(
            ErrorCode::InvalidTopicException,
            Some(format!("Cannot append to internal topic {}", topic.name)),
        ));
    }
    let bytes = records.len() as u64;
    let wall_ms = broker.env.clock.wall_ms();
    let appended = partition
        .append(records, AppendOrigin::Client, wall_ms)
        .map_err(|error| Box::new(append_failed(index, &error)))?;
    topic.metrics.bytes_in.inc_by(bytes);
    topic.metrics.messages_in.inc_by((appended.info.last_offset - appended.info.base_offset) as u64 + 1);
    let answer = PartitionProduceResponse::default()
        .with_index(index)
        .with_base_offset(appended.info.base_offset.0)
        .with_log_append_time_ms(appended.info.log_append_time)
        .with_log_start_offset(appended.info.log_start_offset.0);
    let asked = (acks == -1 && partition.waits_for_flush()) || appended.info.must_flush;
    let waits = asked && !partition.is_durable(appended.end);
    let pending = waits.then(|| Pending::new(partition.clone(), appended.end));
    Ok((answer, pending))
}

/// `AdminUtils.ADMIN_CLIENT_ID` is the one client that may write to internal topics
/// (`ReplicaManager.appendToLocalLog`).
fn may_write_internal(request: &Request) -> bool {
    request.header.client_id.as_deref() == Some("__admin_client")
}

/// `ProduceRequest.validateRecords`: exactly one batch of the current format. A batch that is cut off
/// counts as none, as in Kafka's reader of batches.
fn check_one_batch(records: &Bytes, version: i16) -> Result<(), (ErrorCode, String)> {
    let invalid = |what: &str| {
        Err((ErrorCode::InvalidRecord, format!("Produce requests with version {version} {what}")))
    };
    const NONE: &str = "must have at least one record batch per partition";
    let Some(start) = records.first_chunk::<BATCH_START_BYTES>() else { return invalid(NONE) };
    let batch_length = i32::from_be_bytes([start[8], start[9], start[10], start[11]]);
    if batch_length < LEGACY_RECORD_BYTES_MIN {
        let why = format!(
            "Record size {batch_length} is less than the minimum record overhead ({LEGACY_RECORD_BYTES_MIN})"
        );
        return Err((ErrorCode::CorruptMessage, why));
    }
    let size_bytes = LOG_OVERHEAD_BYTES + batch_length as usize;
    if records.len() < size_bytes {
        return invalid(NONE);
    }
    if start[BATCH_START_BYTES - 1] != MAGIC {
        return invalid("are only allowed to contain record batches with magic version 2");
    }
    if let Some(header) = records.first_chunk().map(BatchHeader::parse)
        && header.attributes.compression() == Some(CompressionType::Zstd)
        && version < ZSTD_VERSION_MIN
    {
        let why =
            format!("Produce requests with version {version} are not allowed to use ZStandard compression");
        return Err((ErrorCode::UnsupportedCompressionType, why));
    }
    if records.len() > size_bytes {
        return invalid("are only allowed to contain exactly one record batch per partition");
    }
    Ok(())
}

fn failed(index: i32, error: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
}

fn append_failed(index: i32, error: &AppendError) -> PartitionProduceResponse {
    let mut answer = failed(index, errors::append_error(error));
    answer.error_message = message(error.to_string());
    answer.record_errors = errors::record_errors(error)
        .into_iter()
        .map(|(batch_index, why)| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(batch_index)
                .with_batch_index_error_message(message(why))
        })
        .collect();
    answer
}
