//! Produce (key 0), versions 3-13 served, 0-13 advertised (KAFKA-18659): appends batches as they came.
//! Shell.
//!
//! - v3: the v2 batch, transactional ids. v5: log start offset. v7: zstd (KIP-110).
//! - v8: record errors and a text (KIP-467). v9: flexible. v10: leader hints (KIP-951).
//! - v11, v12: transaction verification (KIP-890). v13: topic ids (KIP-516).
//!
//! Every partition is validated and appended while the request is admitted, so that the order of a
//! connection's requests is the order of its records; only the wait for the acknowledgement (replicas, the
//! disk, the request's timeout) is parked. A partition's
//! first batch in a transaction may wait too, for the record that the partition is part of it.

use std::collections::HashSet;

use ottla_coordinator::Reply;
use ottla_log::verification::FirstBatch;
use ottla_model::{ErrorCode, TopicId};
use ottla_network::{Admitted, Answer};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use ottla_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};
use ottla_records::{BatchHeader, CompressionType, LOG_OVERHEAD_BYTES};
use ottla_replica::{Acks, AllAcknowledged, AppendRefused, HostedTopic, Partition, Pending};

use super::prelude::*;
use crate::cluster::{LeaderHints, Node};
use crate::errors;
use crate::quotas::hold_the_rest;
use crate::transactional_write::{TransactionalWrite, VerifiedWrite};
use crate::transactions::TransactionSupportedOperation;

pub const API: Api = Api { key: ApiKey::Produce, min: 3, max: 13, admit };

/// Versions below this one know no zstd (KIP-110).
const ZSTD_VERSION_MIN: i16 = 7;
/// A batch up to and with its magic byte.
const BATCH_START_BYTES: usize = 17;
/// The smallest record of the oldest format (`LegacyRecord.RECORD_OVERHEAD_V0`).
const LEGACY_RECORD_BYTES_MIN: i32 = 14;
const MAGIC: u8 = 2;
/// The disk has at least so long, whatever the producer's timeout. That one is for replicas: Kafka answers a
/// lone leader's append with success though the timeout is 0, and has no wait for a disk to end.
const DISK_WAIT_MS_MIN: i32 = 100;

/// What a producer says of the acknowledgement it wants.
#[derive(Clone, Copy)]
struct Wanted {
    acks: i16,
    timeout_ms: i32,
}

/// A partition that was appended to and is not acknowledged yet: its place in the response.
struct Waiting {
    topic: usize,
    partition: usize,
    pending: Pending,
}

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ProduceRequest = request.decode()?;
    let is_throttled = request.charge_produced() > 0;
    let handled = admit_body(broker, request, body)?;
    Ok(if is_throttled { hold_the_rest(handled) } else { handled })
}

fn admit_body(broker: &Arc<Broker>, request: Request, mut body: ProduceRequest) -> Handled {
    let wanted = Wanted { acks: body.acks, timeout_ms: body.timeout_ms };
    keep_last_of_each_partition(&mut body);
    let unauthorized = match take_unauthorized(broker, &request, &mut body) {
        Ok(unauthorized) => unauthorized,
        Err(response) => return finish(broker, request, wanted, response, Vec::new()),
    };
    let part = match part_of_transaction(broker, &body, request.version()) {
        Ok(part) => part,
        Err(error) => {
            let mut response = refuse_all(&body, error);
            response.responses.extend(unauthorized);
            return finish(broker, request, wanted, response, Vec::new());
        }
    };
    let Some(part) = part else {
        let (mut response, waiting) = append_all(broker, &request, &body, &VerifiedWrite::default());
        response.responses.extend(unauthorized);
        return finish(broker, request, wanted, response, waiting);
    };
    admit_transactional(Transactional { broker: broker.clone(), request, body, part, unauthorized }, wanted)
}

/// A request with batches of a transaction.
struct Transactional {
    broker: Arc<Broker>,
    request: Request,
    body: ProduceRequest,
    part: TransactionalWrite,
    unauthorized: Vec<TopicProduceResponse>,
}

impl Transactional {
    fn append(self, verified: &VerifiedWrite) -> (Request, ProduceResponse, Vec<Waiting>) {
        let (mut response, waiting) = append_all(&self.broker, &self.request, &self.body, verified);
        response.responses.extend(self.unauthorized);
        (self.request, response, waiting)
    }
}

/// Appends when the coordinator has said what it has to, and all that the producer sent before is appended.
fn admit_transactional(write: Transactional, wanted: Wanted) -> Handled {
    let producer_id = write.part.producer_id;
    let broker = write.broker.clone();
    let order = broker.write_order.clone();
    let mut begun = None;
    if order.is_free(producer_id) {
        match write.part.verify(&write.broker) {
            Reply::Now(verified) => {
                let (request, response, waiting) = write.append(&verified);
                return finish(&broker, request, wanted, response, waiting);
            }
            Reply::Later(verified) => begun = Some(verified),
        }
    }
    let mut turn = order.join(producer_id);
    park(async move {
        turn.reached().await;
        let verified = match begun {
            Some(verified) => verified.await,
            None => write.part.verify(&write.broker).into_future().await,
        };
        let (request, response, waiting) = write.append(&verified);
        drop(turn);
        match wanted.acks {
            0 => answer_nothing(&request, &response),
            _ => wait(broker, request, wanted, response, waiting).await,
        }
    })
}

/// Takes out the topics that may not be written, with their answers; an `Err` refuses the request whole.
fn take_unauthorized(
    broker: &Broker,
    request: &Request,
    body: &mut ProduceRequest,
) -> Result<Vec<TopicProduceResponse>, ProduceResponse> {
    let access = Access::of(broker, request);
    if !access.is_limited() {
        return Ok(Vec::new());
    }
    let data = || body.topic_data.iter().flat_map(|topic| &topic.partition_data);
    if let Some(id) = &body.transactional_id
        && data().any(|data| is_transactional(data.records.as_deref().unwrap_or_default()))
        && !access.transactional_id(AclOperation::Write, id)
    {
        return Err(refuse_all(body, ErrorCode::TransactionalIdAuthorizationFailed));
    }
    let hosted = broker.replicas.hosted();
    let by_id = request.version() >= 13;
    let unauthorized = access.take_refused(&mut body.topic_data, |topic| match by_id {
        // An id that nobody has is told as such.
        true => hosted
            .by_id(TopicId(topic.topic_id))
            .is_none_or(|topic| access.topic(AclOperation::Write, topic.name.as_str())),
        false => access.topic(AclOperation::Write, &topic.name),
    });
    let error = ErrorCode::TopicAuthorizationFailed;
    Ok(unauthorized.iter().map(|topic| refuse_topic(topic, error)).collect())
}

fn refuse_all(body: &ProduceRequest, error: ErrorCode) -> ProduceResponse {
    let responses = body.topic_data.iter().map(|topic| refuse_topic(topic, error)).collect();
    ProduceResponse::default().with_responses(responses)
}

fn finish(
    broker: &Arc<Broker>,
    request: Request,
    wanted: Wanted,
    response: ProduceResponse,
    waiting: Vec<Waiting>,
) -> Handled {
    if wanted.acks == 0 {
        return Ok(Admitted::Ready(answer_nothing(&request, &response)));
    }
    if waiting.is_empty() {
        return Ok(Admitted::Ready(answer(broker, &request, response)));
    }
    park(wait(broker.clone(), request, wanted, response, waiting))
}

fn append_all(
    broker: &Broker,
    request: &Request,
    body: &ProduceRequest,
    verified: &VerifiedWrite,
) -> (ProduceResponse, Vec<Waiting>) {
    let mut waiting = Vec::new();
    let mut responses = Vec::with_capacity(body.topic_data.len());
    for (topic_place, topic) in body.topic_data.iter().enumerate() {
        let has_transactional_id = body.transactional_id.is_some();
        let write = Write { broker, request, acks: body.acks, has_transactional_id, verified };
        responses.push(append_topic(&write, topic, topic_place, &mut waiting));
    }
    (ProduceResponse::default().with_responses(responses), waiting)
}

/// What one request's appends have in common.
struct Write<'a> {
    broker: &'a Broker,
    request: &'a Request,
    acks: i16,
    /// Without one the whole request is refused where a batch is one of a transaction.
    has_transactional_id: bool,
    /// What is known of the partitions with transactional batches.
    verified: &'a VerifiedWrite,
}

/// `AddPartitionsToTxnManager.produceRequestVersionToTransactionSupportedOperation`.
fn supported_operation_of(version: i16) -> TransactionSupportedOperation {
    match version {
        12.. => TransactionSupportedOperation::AddPartition,
        11 => TransactionSupportedOperation::GenericErrorSupported,
        _ => TransactionSupportedOperation::DefaultError,
    }
}

/// Errors that a producer may not try again after become one that it does (`ReplicaManager`).
fn to_client(error: ErrorCode, supported: TransactionSupportedOperation) -> ErrorCode {
    let is_passing = match error {
        ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => true,
        ErrorCode::ConcurrentTransactions => supported != TransactionSupportedOperation::AddPartition,
        _ => false,
    };
    if is_passing { ErrorCode::NotEnoughReplicas } else { error }
}

/// The transaction that a request writes in, or what refuses the whole request.
fn part_of_transaction(
    broker: &Broker,
    body: &ProduceRequest,
    version: i16,
) -> Result<Option<TransactionalWrite>, ErrorCode> {
    if !matches!(body.acks, -1..=1) {
        return Err(ErrorCode::InvalidRequiredAcks);
    }
    let hosted = broker.replicas.hosted();
    let supported = supported_operation_of(version);
    let (mut partitions, mut producer, mut is_transactional) = (Vec::new(), None, false);
    for topic in &body.topic_data {
        let found =
            if version >= 13 { hosted.by_id(TopicId(topic.topic_id)) } else { hosted.by_name(&topic.name) };
        for data in &topic.partition_data {
            let records = data.records.as_deref().unwrap_or_default();
            let Some(header) = records.first_chunk().map(BatchHeader::parse) else { continue };
            if !header.attributes.is_transactional() {
                continue;
            }
            is_transactional = true;
            let of = (header.producer_id, header.producer_epoch);
            if producer.get_or_insert(of).0 != of.0 {
                return Err(ErrorCode::InvalidProducerIdMapping);
            }
            if let Some(partition) = found.and_then(|topic| topic.partition(data.index)) {
                let first = FirstBatch::of(&header, supported == TransactionSupportedOperation::AddPartition);
                partitions.push((partition.clone(), first));
            }
        }
    }
    let transactional_id = match (&body.transactional_id, is_transactional) {
        (_, false) => return Ok(None),
        (None, true) => return Err(ErrorCode::TransactionalIdAuthorizationFailed),
        (Some(id), true) => Box::from(&*id.0 as &str),
    };
    let Some((producer_id, producer_epoch)) = producer.filter(|_| !partitions.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(TransactionalWrite { transactional_id, producer_id, producer_epoch, partitions, supported }))
}

/// A partition named twice counts once, with what is said last; a topic without partitions not at
/// all: Kafka keeps the request as a map.
fn keep_last_of_each_partition(body: &mut ProduceRequest) {
    let count: usize = body.topic_data.iter().map(|topic| topic.partition_data.len()).sum();
    if count > 1 {
        let mut seen = HashSet::with_capacity(count);
        for topic in body.topic_data.iter_mut().rev() {
            let place = (topic.name.clone(), topic.topic_id);
            topic.partition_data.reverse();
            topic.partition_data.retain(|partition| seen.insert((place.clone(), partition.index)));
            topic.partition_data.reverse();
        }
    }
    body.topic_data.retain(|topic| !topic.partition_data.is_empty());
}

/// Versions from this one on say who leads instead (KIP-951).
const LEADER_HINT_VERSION_MIN: i16 = 10;

/// Answers; a client that came to the wrong broker is told the right one.
fn answer(broker: &Broker, request: &Request, mut response: ProduceResponse) -> Answer {
    let moved = ErrorCode::NotLeaderOrFollower.code();
    let all = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    if request.version() >= LEADER_HINT_VERSION_MIN
        && all.map(|partition| partition.error_code).any(|code| code == moved)
    {
        let mut hints = LeaderHints::of(broker, &request.connection);
        for topic in &mut response.responses {
            let (id, name) = (TopicId(topic.topic_id), topic.name.clone());
            for partition in topic.partition_responses.iter_mut().filter(|one| one.error_code == moved) {
                let leader = match id.is_zero() {
                    true => hints.add(&name, partition.index),
                    false => hints.add_by_id(id, partition.index),
                };
                if let Some((leader, epoch)) = leader {
                    partition.current_leader = LeaderIdAndEpoch::default()
                        .with_leader_id(BrokerId(leader.0))
                        .with_leader_epoch(epoch.0);
                }
            }
        }
        response.node_endpoints = hints.nodes().iter().map(node_endpoint).collect();
    }
    let throttle_ms = request.settle_throttle();
    response.throttle_time_ms = throttle_ms;
    request.answer_throttled(&response, request.version(), throttle_ms)
}

fn node_endpoint(node: &Node) -> NodeEndpoint {
    NodeEndpoint::default()
        .with_node_id(BrokerId(node.id.0))
        .with_host(text(&node.host))
        .with_port(node.port)
        .with_rack(node.rack.as_deref().map(text))
}

/// With acks=0 an error closes the connection: the client would never learn of it otherwise.
fn answer_nothing(request: &Request, response: &ProduceResponse) -> Answer {
    let failed = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    if failed.clone().any(|partition| partition.error_code != 0) {
        return Answer::Close("a produce request with acks=0 failed");
    }
    request.silent()
}

/// Answers when every append is acknowledged, or when the producer's time is over (`DelayedProduce`). The
/// place of an append that is not acknowledged is answered all the same: it may be in the log.
async fn wait(
    broker: Arc<Broker>,
    request: Request,
    wanted: Wanted,
    mut response: ProduceResponse,
    waiting: Vec<Waiting>,
) -> Answer {
    let (places, pending): (Vec<(usize, usize)>, Vec<Pending>) =
        waiting.into_iter().map(|one| ((one.topic, one.partition), one.pending)).unzip();
    let timeout_ms = match pending.iter().all(Pending::is_replicated) {
        true => wanted.timeout_ms.max(DISK_WAIT_MS_MIN),
        false => wanted.timeout_ms,
    };
    let deadline = request.broker.env.clock.monotonic().after_ms(i64::from(timeout_ms));
    let outcomes = AllAcknowledged::until(pending, request.broker.env.clock.sleep_until(deadline)).await;
    assert_eq!(places.len(), outcomes.len(), "each append has its outcome");
    for ((topic, partition), outcome) in places.into_iter().zip(outcomes) {
        if let Err(error) = outcome {
            let answer = &mut response.responses[topic].partition_responses[partition];
            answer.error_code = errors::not_acknowledged(error).code();
        }
    }
    answer(&broker, &request, response)
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
    write: &Write<'_>,
    topic: &TopicProduceData,
    topic_place: usize,
    waiting: &mut Vec<Waiting>,
) -> TopicProduceResponse {
    let by_id = write.request.version() >= 13;
    let hosted = write.broker.replicas.hosted();
    let found =
        if by_id { hosted.by_id(TopicId(topic.topic_id)) } else { hosted.by_name(topic.name.as_str()) };
    let not_hosted = |index: i32| match by_id {
        true => hosted.not_hosted_by_id(TopicId(topic.topic_id), index),
        false => hosted.not_hosted(topic.name.as_str(), index),
    };
    let Some(found) = found else {
        let refuse = |partition: &PartitionProduceData| failed(partition.index, not_hosted(partition.index));
        return topic_response(topic, topic.partition_data.iter().map(refuse).collect());
    };
    let partitions = topic
        .partition_data
        .iter()
        .enumerate()
        .map(|(place, data)| match append_one(write, found, data, not_hosted) {
            Ok((answer, pending)) => {
                if let Some(pending) = pending {
                    waiting.push(Waiting { topic: topic_place, partition: place, pending });
                }
                answer
            }
            Err(answer) => {
                found.metrics.failed_produce_requests.inc_by(1);
                *answer
            }
        })
        .collect();
    found.metrics.produce_requests.inc_by(topic.partition_data.len() as u64);
    topic_response(topic, partitions)
}

type Appending = Result<(PartitionProduceResponse, Option<Pending>), Box<PartitionProduceResponse>>;

fn append_one(
    write: &Write<'_>,
    topic: &HostedTopic,
    data: &PartitionProduceData,
    not_hosted: impl Fn(i32) -> ErrorCode,
) -> Appending {
    let Write { broker, request, acks, has_transactional_id, verified } = *write;
    let index = data.index;
    let refuse = |error: ErrorCode| Box::new(failed(index, error));
    let partition = topic.partition(index).ok_or_else(|| refuse(not_hosted(index)))?;
    let records = data.records.clone().unwrap_or_default();
    let size_bytes = check_one_batch(&records, request.version()).map_err(refuse)?;
    let records = records.slice(..size_bytes);
    if topic.name.is_internal() && !may_write_internal(request) {
        return Err(refuse(ErrorCode::InvalidTopicException));
    }
    if let Some(error) = verified.refusal(&partition.name) {
        return Err(refuse(to_client(error, supported_operation_of(request.version()))));
    }
    let bytes = records.len() as u64;
    let wall_ms = broker.env.clock.wall_ms();
    let is_verified = verified.has(&partition.name);
    // The partition came here after the guards were taken: the coordinator was not asked, the producer tries again.
    if has_transactional_id && !is_verified && is_transactional(&records) {
        return Err(refuse(ErrorCode::NotLeaderOrFollower));
    }
    let acks = if acks == -1 { Acks::All } else { Acks::Leader };
    let appended = partition
        .append(records, verified.origin(&partition.name), acks, wall_ms)
        .map_err(|error| Box::new(append_failed(partition, &error, is_verified)))?;
    topic.metrics.bytes_in.inc_by(bytes);
    topic.metrics.messages_in.inc_by((appended.info.last_offset - appended.info.base_offset) as u64 + 1);
    let answer = PartitionProduceResponse::default()
        .with_index(index)
        .with_base_offset(appended.info.base_offset.0)
        .with_log_append_time_ms(if appended.info.duplicate {
            appended.info.max_timestamp
        } else {
            appended.info.log_append_time
        })
        .with_log_start_offset(appended.info.log_start_offset.0);
    Ok((answer, appended.pending))
}

/// Whether the first batch is one of a transaction.
fn is_transactional(records: &[u8]) -> bool {
    let header = records.first_chunk().map(BatchHeader::parse);
    header.is_some_and(|header| header.attributes.is_transactional())
}

/// `AdminUtils.ADMIN_CLIENT_ID` is the one client that may write to internal topics
/// (`ReplicaManager.appendToLocalLog`).
fn may_write_internal(request: &Request) -> bool {
    request.header.client_id.as_deref() == Some("__admin_client")
}

/// `ProduceRequest.validateRecords`: exactly one batch of the current format; its length is handed
/// back. A batch that is cut off counts as none, as in Kafka's reader of batches.
fn check_one_batch(records: &[u8], version: i16) -> Result<usize, ErrorCode> {
    let Some((size_bytes, magic)) = next_batch(records)? else { return Err(ErrorCode::InvalidRecord) };
    if magic != MAGIC {
        return Err(ErrorCode::InvalidRecord);
    }
    if let Some(header) = records.first_chunk().map(BatchHeader::parse)
        && header.attributes.compression() == Some(CompressionType::Zstd)
        && version < ZSTD_VERSION_MIN
    {
        return Err(ErrorCode::UnsupportedCompressionType);
    }
    match next_batch(&records[size_bytes..])? {
        Some(_another) => Err(ErrorCode::InvalidRecord),
        None => Ok(size_bytes),
    }
}

/// Length and magic of the batch at the front (`ByteBufferLogInputStream.nextBatch`).
fn next_batch(bytes: &[u8]) -> Result<Option<(usize, u8)>, ErrorCode> {
    let Some(start) = bytes.first_chunk::<LOG_OVERHEAD_BYTES>() else { return Ok(None) };
    let batch_length = i32::from_be_bytes([start[8], start[9], start[10], start[11]]);
    if batch_length < LEGACY_RECORD_BYTES_MIN {
        return Err(ErrorCode::CorruptMessage);
    }
    let Some(start) = bytes.first_chunk::<BATCH_START_BYTES>() else { return Ok(None) };
    let magic = start[BATCH_START_BYTES - 1];
    if magic > MAGIC {
        return Err(ErrorCode::CorruptMessage);
    }
    let size_bytes = LOG_OVERHEAD_BYTES + batch_length as usize;
    Ok((bytes.len() >= size_bytes).then_some((size_bytes, magic)))
}

fn failed(index: i32, error: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
}

fn append_failed(
    partition: &Partition,
    error: &AppendRefused,
    is_verified: bool,
) -> PartitionProduceResponse {
    let code = errors::append_refused(error);
    let mut answer = failed(partition.index().0, code);
    // In Kafka the epoch of a write that is verified is looked at before it is appended.
    let is_checked_before = is_verified && code == ErrorCode::InvalidProducerEpoch;
    if errors::has_log_start(code)
        && !is_checked_before
        && let Ok(log) = partition.log()
    {
        answer.log_start_offset = log.log_start_offset().0;
    }
    answer.error_message = errors::append_text(error).and_then(message);
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
