//! Fetch (key 1), versions 4-18: records from file to socket.
//! Shell.
//!
//! - v4: isolation level (KIP-98). v5: log start offset. v7: sessions (KIP-227).
//! - v9: current leader epoch (KIP-320). v10: zstd. v11: rack (KIP-392).
//! - v12: flexible, last fetched epoch and divergence (KIP-595). v13: topic ids (KIP-516).
//! - v14: tiered storage error for followers. v15: replica state (KIP-903). v16: leader hints
//!   (KIP-951). v17: directory ids (KIP-853). v18: high watermark of the follower (KIP-1166).
//!
//! The response is encoded here and not by the message crate: its records are file slices, which no
//! encoder may touch.

use std::time::Duration;

use bytes::BufMut;
use ottla_config::ReplicaSelector;
use ottla_env::{File, Monotonic};
use ottla_log::ReadData;
use ottla_metadata::Image;
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset, TopicId, TopicName};
use ottla_network::{Answer, Chunk, ResponseBuilder};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::FetchRequest;
use ottla_replica::{
    DelayedFetch, FetchIsolation, FollowerState, Hosted, HostedTopic, Look, Partition, PartitionRead,
    ReadRequest, Reader, TailWait, Woken, charge_followers, read,
};

use super::prelude::*;
use crate::cluster::{LeaderHints, Node};
use crate::fetch_session::{
    Answered, FetchContext, FetchKey, FetchParams, FetchTopic, Remembered, SessionRequest, Slot, Wanted,
};
use crate::quotas::rest;
use crate::{metadata_log, wire};

pub const API: Api = Api { key: ApiKey::Fetch, min: 4, max: 18, admit };

/// Slices of files up to this length are copied into the response.
const COPIED_SLICE_BYTES_MAX: usize = 8 << 10;
/// Once a response holds so much, nothing more is copied into it: what waits for a slow client waits in files.
const COPIED_RESPONSE_BYTES_MAX: usize = 32 << 10;

/// One partition of the fetch.
struct Requested {
    slot: Slot,
    partition: i32,
    place: Place,
}

/// Where a partition is served.
enum Place {
    /// Its read is in the plan.
    Served {
        topic: Arc<HostedTopic>,
    },
    Refused {
        topic: FetchTopic,
        error: ErrorCode,
    },
    /// Another replica is nearer to the consumer: nothing is read here.
    Elsewhere {
        topic: Arc<HostedTopic>,
        read: Box<PartitionRead>,
    },
}

impl Requested {
    fn is_refused(&self) -> bool {
        matches!(self.place, Place::Refused { .. })
    }

    fn name(&self) -> &str {
        match &self.place {
            Place::Served { topic } | Place::Elsewhere { topic, .. } => topic.name.as_str(),
            Place::Refused { topic: FetchTopic::Name(name), .. } => name.as_str(),
            Place::Refused { topic: FetchTopic::Id(_), .. } => "",
        }
    }

    fn id(&self) -> TopicId {
        match &self.place {
            Place::Served { topic } | Place::Elsewhere { topic, .. } => topic.id,
            Place::Refused { topic: FetchTopic::Id(id), .. } => *id,
            Place::Refused { topic: FetchTopic::Name(_), .. } => TopicId::ZERO,
        }
    }
}

impl Plan {
    fn is_follower(&self) -> bool {
        self.reader.is_follower()
    }
}

struct Plan {
    requested: Vec<Requested>,
    /// The reads of those that are served, in the order of `requested`.
    reads: Vec<ReadRequest>,
    reader: Reader,
    /// A partition is there with another id than the session's: nothing is waited for.
    is_inconsistent: bool,
    max_bytes: usize,
    min_bytes: usize,
    max_wait: Duration,
}

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    if request.endpoint == table::Endpoint::Controller {
        return metadata_log::fetch(broker, request);
    }
    let mut body: FetchRequest = request.decode()?;
    let now = request.received;
    let context = broker.sessions.open(session_request(&mut body, request.version()), now);
    if let FetchContext::Refused(error) = context {
        return Ok(ottla_network::Admitted::Ready(answer_error(&request, error)));
    }
    let access = Access::of(broker, &request);
    let plan = plan(broker, &access, &request, &body, &context);
    if plan.is_follower() && access.cluster(AclOperation::ClusterAction) {
        request.exempt();
    }
    let first = read(&plan.reads, plan.reader, plan.max_bytes);
    if plan.max_wait.is_zero() || is_enough(&plan, &first) {
        return Ok(ottla_network::Admitted::Ready(respond(broker, &request, context, plan, first)));
    }
    drop(first);
    let delayed = DelayedFetch::new(&plan.reads, plan.reader, plan.min_bytes);
    if let Some(found) = delayed.found(&plan.reads, plan.max_bytes) {
        return Ok(ottla_network::Admitted::Ready(respond(broker, &request, context, plan, found)));
    }
    let deadline = broker.env.clock.sleep_until(now.after(plan.max_wait));
    let broker = broker.clone();
    park(async move {
        let partitions = plan.reads.iter().map(|read| read.partition.clone()).collect();
        let wait = TailWait::new(partitions, deadline);
        wait.until(|woken| match woken {
            Woken::Append => delayed.look(&plan.reads),
            Woken::Deadline => Look::Found(()),
        })
        .await;
        let found = read(&plan.reads, plan.reader.again(), plan.max_bytes);
        respond(&broker, &request, context, plan, found)
    })
}

/// `ReplicaManager.fetchMessages`: what the first look must find for an answer at once. What may be enough on the way
/// is `DelayedFetch`'s.
fn is_enough(plan: &Plan, reads: &[PartitionRead]) -> bool {
    let bytes: usize = reads.iter().map(PartitionRead::counted_bytes).sum();
    let has_elsewhere = plan.requested.iter().any(|one| matches!(one.place, Place::Elsewhere { .. }));
    let is_empty = reads.is_empty() || plan.is_inconsistent || has_elsewhere;
    is_empty
        || bytes >= plan.min_bytes
        || reads.iter().any(|read| !read.error.is_none() || read.diverging.is_some())
}

fn session_request(body: &mut FetchRequest, version: i16) -> SessionRequest {
    let by_id = version >= 13;
    let topic_of = |name: &str, id: uuid::Uuid| {
        if by_id { FetchTopic::Id(TopicId(id)) } else { FetchTopic::Name(TopicName::new(name)) }
    };
    let mut partitions = Vec::new();
    for topic in &body.topics {
        let name = topic_of(topic.topic.as_str(), topic.topic_id);
        for partition in &topic.partitions {
            partitions.push((
                FetchKey { topic: name.clone(), partition: partition.partition },
                FetchParams {
                    current_leader_epoch: partition.current_leader_epoch,
                    fetch_offset: partition.fetch_offset,
                    last_fetched_epoch: partition.last_fetched_epoch,
                    partition_max_bytes: partition.partition_max_bytes,
                    follower: FollowerState {
                        log_start_offset: partition.log_start_offset,
                        high_watermark: partition.high_watermark,
                    },
                },
            ));
        }
    }
    let forgotten = body
        .forgotten_topics_data
        .iter()
        .flat_map(|topic| {
            let name = topic_of(topic.topic.as_str(), topic.topic_id);
            topic.partitions.iter().map(move |index| FetchKey { topic: name.clone(), partition: *index })
        })
        .collect();
    // Before sessions every fetch is complete in itself.
    let (session_id, session_epoch) =
        if version >= 7 { (body.session_id, body.session_epoch) } else { (0, -1) };
    SessionRequest { session_id, session_epoch, uses_topic_ids: by_id, partitions, forgotten }
}

/// A topic id is looked up, and one that is not there by the name that the session knows of it: a topic of that name
/// may have been made again.
fn find(hosted: &Hosted, wanted: &Wanted<'_>) -> Result<Arc<HostedTopic>, ErrorCode> {
    let index = wanted.key.partition;
    match &wanted.key.topic {
        FetchTopic::Name(name) => {
            hosted.by_name(name.as_str()).cloned().ok_or_else(|| hosted.not_hosted(name.as_str(), index))
        }
        FetchTopic::Id(id) => hosted.by_id(*id).cloned().ok_or_else(|| {
            match (hosted.not_hosted_by_id(*id, index), wanted.name) {
                (ErrorCode::UnknownTopicId, Some(name)) => {
                    let again = hosted.by_name(name.as_str()).and_then(|topic| topic.partition(index));
                    let inconsistent = again.map(|_| ErrorCode::InconsistentTopicId);
                    inconsistent.unwrap_or_else(|| hosted.not_hosted(name.as_str(), index))
                }
                (error, _) => error,
            }
        }),
    }
}

/// A topic by its id is looked up before it is asked who may read it; one by its name after.
fn may_fetch(
    access: &Access,
    is_follower: bool,
    wanted: &Wanted<'_>,
    place: Result<Arc<HostedTopic>, ErrorCode>,
) -> Result<Arc<HostedTopic>, ErrorCode> {
    let name = match (&wanted.key.topic, &place) {
        (FetchTopic::Name(name), _) => Some(name),
        (FetchTopic::Id(_), Ok(topic)) => Some(&topic.name),
        (FetchTopic::Id(_), Err(_)) => wanted.name,
    };
    let is_allowed = match name {
        _ if is_follower => access.cluster(AclOperation::ClusterAction),
        Some(name) => access.topic(AclOperation::Read, name.as_str()),
        None => true,
    };
    if is_allowed { place } else { Err(ErrorCode::TopicAuthorizationFailed) }
}

/// Who fetches: a broker, by its id, or a consumer. A broker reads up to the end of the log.
fn reader(broker: &Broker, request: &Request, body: &FetchRequest) -> Reader {
    let (replica_id, broker_epoch) = match request.version() {
        15.. => (body.replica_state.replica_id.0, body.replica_state.replica_epoch),
        _ => (body.replica_id.0, -1),
    };
    match replica_id {
        0.. => {
            let id = BrokerId(replica_id);
            Reader::Follower(broker.replicas.replica_reader(id, broker_epoch, request.received))
        }
        _ => {
            let isolation = match body.isolation_level {
                1 => FetchIsolation::ReadCommitted,
                _ => FetchIsolation::ReadUncommitted,
            };
            // From this version on consumers can be sent to followers.
            match request.version() {
                11.. => Reader::RackConsumer(isolation),
                _ => Reader::Consumer(isolation),
            }
        }
    }
}

/// A consumer with a rack, where consumers are sent to the replicas of theirs (KIP-392).
struct Near<'a> {
    rack: &'a str,
    image: Arc<Image>,
    broker: &'a Broker,
    now: Monotonic,
}

impl<'a> Near<'a> {
    fn of(broker: &'a Broker, body: &'a FetchRequest, reader: Reader) -> Option<Near<'a>> {
        let is_near = matches!(reader, Reader::RackConsumer(_))
            && broker.config.replica_selector == Some(ReplicaSelector::RackAware)
            && !body.rack_id.is_empty();
        is_near.then(|| Near {
            rack: &body.rack_id,
            image: broker.image(),
            broker,
            now: broker.env.clock.monotonic(),
        })
    }

    /// What is answered where another replica is nearer.
    fn elsewhere(&self, partition: &Partition, params: &FetchParams) -> Option<PartitionRead> {
        let led = partition.led(params.current_leader_epoch).ok()?;
        let rack_of = |id: BrokerId| {
            let broker = self.image.broker(id).filter(|broker| !broker.fenced)?;
            broker.rack.as_ref().map(|rack| rack.as_str())
        };
        let offset = Offset(params.fetch_offset);
        let own = self.broker.config.rack.as_deref();
        let preferred = led.read_replica(self.rack, own, offset, self.now, rack_of)?;
        let high_watermark = led.high_watermark();
        Some(PartitionRead {
            high_watermark: high_watermark.0,
            last_stable_offset: led.last_stable_offset().0,
            log_start_offset: led.log().log_start_offset().0,
            preferred: Some(preferred),
            ..PartitionRead::failed(ErrorCode::None)
        })
    }
}

fn plan(
    broker: &Broker,
    access: &Access,
    request: &Request,
    body: &FetchRequest,
    context: &FetchContext,
) -> Plan {
    let hosted = broker.replicas.hosted();
    let reader = reader(broker, request, body);
    let is_follower = reader.is_follower();
    let (mut requested, mut reads) = (Vec::new(), Vec::new());
    let mut is_inconsistent = false;
    let near = Near::of(broker, body, reader);
    let name_of = |id| hosted.by_id(id).map(|topic| topic.name.clone());
    context.for_each(name_of, |wanted| {
        let Wanted { slot, key, params, .. } = wanted;
        let mut place = find(&hosted, &wanted);
        if access.is_limited() {
            place = may_fetch(access, is_follower, &wanted, place);
        }
        let place = place.and_then(|topic| {
            let partition = topic
                .partition(key.partition)
                .cloned()
                .ok_or_else(|| hosted.not_hosted(topic.name.as_str(), key.partition))?;
            if let Some(read) = near.as_ref().and_then(|near| near.elsewhere(&partition, params)) {
                return Ok(Place::Elsewhere { topic, read: Box::new(read) });
            }
            reads.push(ReadRequest {
                partition,
                fetch_offset: params.fetch_offset,
                current_leader_epoch: params.current_leader_epoch,
                last_fetched_epoch: params.last_fetched_epoch,
                partition_max_bytes: params.partition_max_bytes,
                follower: params.follower,
            });
            Ok(Place::Served { topic })
        });
        is_inconsistent |= matches!(place, Err(ErrorCode::InconsistentTopicId));
        let refused = |error| Place::Refused { topic: key.topic.clone(), error };
        let place = place.unwrap_or_else(refused);
        requested.push(Requested { slot, partition: key.partition, place });
    });
    assert!(reads.len() <= requested.len(), "a read for each partition at most");
    // `KafkaApis.handleFetchRequest`: nothing is waited for that would not be sent.
    let mut max_bytes = body.max_bytes.clamp(0, broker.config.fetch_bytes_max);
    // More would be throttled for certain, however long the client rested before.
    if let Some(most) = request.most_fetched().filter(|_| !is_follower) {
        max_bytes = max_bytes.min(most);
    }
    let min_bytes = body.min_bytes.clamp(0, max_bytes);
    Plan {
        requested,
        reads,
        reader,
        is_inconsistent,
        max_bytes: max_bytes as usize,
        min_bytes: min_bytes as usize,
        max_wait: Duration::from_millis(body.max_wait_ms.max(0) as u64),
    }
}

fn respond(
    broker: &Broker,
    request: &Request,
    context: FetchContext,
    plan: Plan,
    reads: Vec<PartitionRead>,
) -> Answer {
    let is_follower = plan.is_follower();
    if is_follower {
        charge_followers(&plan.reads, &reads);
    }
    let mut reads = reads.into_iter();
    let mut answers: Vec<(Requested, PartitionRead)> = plan
        .requested
        .into_iter()
        .map(|mut requested| {
            let read = match &mut requested.place {
                Place::Elsewhere { read, .. } => {
                    std::mem::replace(&mut **read, PartitionRead::failed(ErrorCode::None))
                }
                // Both are in the order of the request.
                Place::Served { .. } => {
                    reads.next().unwrap_or_else(|| PartitionRead::failed(ErrorCode::UnknownServerError))
                }
                // An unknown place has an empty list here, and not null, in Kafka.
                Place::Refused { error, .. } => PartitionRead {
                    aborted_transactions: is_unknown(*error).then(Vec::new),
                    ..PartitionRead::failed(*error)
                },
            };
            (requested, read)
        })
        .collect();
    assert!(reads.next().is_none(), "each read has its partition");
    if !is_follower && request.is_fetch_limited() {
        let throttle_ms = request.charge_fetched(response_bytes(request.version(), &context, &answers));
        if throttle_ms > 0 {
            return answer_throttled(request, &context, throttle_ms);
        }
    }
    // What is not looked for in a log stands behind what is.
    answers.sort_by_key(|(requested, read)| {
        requested.is_refused() && read.error != ErrorCode::InconsistentTopicId
    });
    let session_id = match context {
        FetchContext::Sessionless { .. } | FetchContext::Refused(_) => 0,
        FetchContext::Full { partitions, uses_topic_ids } => {
            let remembered = answers.iter().map(|(requested, read)| Remembered {
                slot: requested.slot,
                name: match &requested.place {
                    Place::Served { topic } | Place::Elsewhere { topic, .. } if uses_topic_ids => {
                        Some(topic.name.clone())
                    }
                    _ => None,
                },
                answered: answered(read),
            });
            let full = (partitions.as_slice(), uses_topic_ids);
            let random = || broker.env.rng.next_u64();
            broker.sessions.remember(full, is_follower, remembered, request.received, random)
        }
        FetchContext::Incremental { session_id, epoch, session } => {
            let Some(mut answer) = session.answer(epoch) else {
                return answer_error(request, ErrorCode::InvalidFetchSessionEpoch);
            };
            answers.retain(|(requested, read)| answer.is_named(requested.slot, &answered(read)));
            session_id
        }
    };
    for (requested, read) in &answers {
        if let Place::Served { topic } = &requested.place
            && !is_follower
        {
            topic.metrics.bytes_out.inc_by(read.record_bytes() as u64);
            topic.metrics.fetch_requests.inc_by(1);
            topic.metrics.failed_fetch_requests.inc_by(u64::from(read.error != ErrorCode::None));
        }
    }
    encode(broker, request, session_id, is_follower, &answers)
}

/// Whether Kafka finds this before it looks for the replica.
fn is_unknown(error: ErrorCode) -> bool {
    !matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::InconsistentTopicId)
}

fn answered(read: &PartitionRead) -> Answered {
    Answered {
        error: read.error,
        high_watermark: read.high_watermark,
        log_start_offset: read.log_start_offset,
        record_bytes: read.record_bytes(),
        // Either must be told, with records or without.
        diverging: read.diverging.is_some() || read.preferred.is_some(),
    }
}

/// A response that carries only a top-level error.
fn answer_error(request: &Request, error: ErrorCode) -> Answer {
    let mut builder = request.response(16);
    let flexible = request.version() >= 12;
    let throttle_ms = request.settle_throttle();
    put_head(&mut builder, request.version(), throttle_ms, error, 0);
    wire::put_array_len(&mut builder.buffer, 0, flexible);
    wire::put_no_tags(&mut builder.buffer, flexible);
    rest(request.finish(builder, &[error]), throttle_ms)
}

/// Answers without records: the client asks for the same again when it has rested. The session is as it was
/// (`FetchContext.getThrottledResponse`).
fn answer_throttled(request: &Request, context: &FetchContext, throttle_ms: i32) -> Answer {
    let (session_id, error) = match context {
        FetchContext::Incremental { session_id, epoch, session } => {
            let is_over = session.answer(*epoch).is_none();
            let error = if is_over { ErrorCode::InvalidFetchSessionEpoch } else { ErrorCode::None };
            (*session_id, error)
        }
        _ => (0, ErrorCode::None),
    };
    let flexible = request.version() >= 12;
    let mut builder = request.response(24);
    put_head(&mut builder, request.version(), throttle_ms, error, session_id);
    wire::put_array_len(&mut builder.buffer, 0, flexible);
    wire::put_no_tags(&mut builder.buffer, flexible);
    rest(request.finish(builder, &[error]), throttle_ms)
}

/// What the whole response would take, as Kafka counts it: the body and four bytes.
fn response_bytes(version: i16, context: &FetchContext, answers: &[(Requested, PartitionRead)]) -> usize {
    let (flexible, by_id) = (version >= 12, version >= 13);
    // The fixed fields, and the lengths of lists: 1 to 5 bytes as varints, 4 otherwise.
    let len_bytes = |len: usize| match flexible {
        true => (usize::BITS - (len + 1).leading_zeros()).div_ceil(7) as usize,
        false => 4,
    };
    let head = 4 + 4 + if version >= 7 { 6 } else { 0 } + usize::from(flexible);
    let fixed = 4 + 2 + 8 + 8 + if version >= 5 { 8 } else { 0 } + if version >= 11 { 4 } else { 0 };
    let mut bytes = head + len_bytes(answers.len());
    let mut last_topic = None;
    for (requested, read) in
        answers.iter().filter(|(requested, read)| context.names(requested.slot, &answered(read)))
    {
        let topic = (requested.id(), requested.name());
        if last_topic != Some(topic) {
            last_topic = Some(topic);
            let name = if flexible { len_bytes(topic.1.len()) } else { 2 } + topic.1.len();
            bytes += if by_id { 16 } else { name } + len_bytes(1) + usize::from(flexible);
        }
        let aborted = read.aborted_transactions.as_ref().map_or(0, Vec::len);
        bytes += fixed + len_bytes(aborted) + aborted * (16 + usize::from(flexible));
        bytes += len_bytes(read.record_bytes()) + read.record_bytes() + usize::from(flexible);
    }
    bytes
}

fn put_head(
    builder: &mut ResponseBuilder,
    version: i16,
    throttle_ms: i32,
    error: ErrorCode,
    session_id: i32,
) {
    builder.buffer.put_i32(throttle_ms);
    if version >= 7 {
        builder.buffer.put_i16(error.code());
        builder.buffer.put_i32(session_id);
    }
}

/// Partitions of one topic that follow each other in the answers stand under one topic entry.
fn encode(
    broker: &Broker,
    request: &Request,
    session_id: i32,
    is_follower: bool,
    answers: &[(Requested, PartitionRead)],
) -> Answer {
    let version = request.version();
    let (flexible, by_id) = (version >= 12, version >= 13);
    let mut builder = request.response(24 + 96 * answers.len());
    put_head(&mut builder, version, 0, ErrorCode::None, session_id);
    let is_same = |one: &(Requested, PartitionRead), other: &(Requested, PartitionRead)| match by_id {
        true => one.0.id() == other.0.id(),
        false => one.0.name() == other.0.name(),
    };
    let topic_count = answers.chunk_by(is_same).count();
    wire::put_array_len(&mut builder.buffer, topic_count, flexible);
    let mut hints = LeaderHints::of(broker, &request.connection);
    for topic in answers.chunk_by(is_same) {
        match by_id {
            true => builder.buffer.put_slice(topic[0].0.id().0.as_bytes()),
            false => wire::put_string(&mut builder.buffer, topic[0].0.name(), flexible),
        }
        wire::put_array_len(&mut builder.buffer, topic.len(), flexible);
        for (requested, read) in topic {
            put_partition(&mut hints, &mut builder, version, requested, read);
        }
        wire::put_no_tags(&mut builder.buffer, flexible);
    }
    if flexible {
        // A follower knows where brokers are.
        let hinted = if is_follower { Vec::new() } else { hints.nodes() };
        put_tags(&mut builder, &hinted);
    }
    let errors: Vec<ErrorCode> =
        answers.iter().map(|(_, read)| read.error).filter(|error| !error.is_none()).collect();
    request.finish(builder, &errors)
}

fn put_partition(
    hints: &mut LeaderHints<'_>,
    builder: &mut ResponseBuilder,
    version: i16,
    requested: &Requested,
    read: &PartitionRead,
) {
    let flexible = version >= 12;
    let buffer = &mut builder.buffer;
    buffer.put_i32(requested.partition);
    buffer.put_i16(read.error.code());
    buffer.put_i64(read.high_watermark);
    buffer.put_i64(read.last_stable_offset);
    if version >= 5 {
        buffer.put_i64(read.log_start_offset);
    }
    match &read.aborted_transactions {
        None => wire::put_null_array(buffer, flexible),
        Some(aborted) => {
            wire::put_array_len(buffer, aborted.len(), flexible);
            for transaction in aborted {
                buffer.put_i64(transaction.producer_id.0);
                buffer.put_i64(transaction.first_offset.0);
                wire::put_no_tags(buffer, flexible);
            }
        }
    }
    if version >= 11 {
        buffer.put_i32(read.preferred.map_or(-1, |id| id.0));
    }
    wire::put_bytes_len(buffer, read.record_bytes(), flexible);
    if let Some(slice) = &read.data {
        push_records(builder, &slice.data);
    }
    if !flexible {
        return;
    }
    let is_moved = matches!(read.error, ErrorCode::FencedLeaderEpoch | ErrorCode::NotLeaderOrFollower);
    let leader = match is_moved && version >= 16 {
        true => hints.add_by_id(requested.id(), requested.partition),
        false => None,
    };
    put_partition_tags(builder, read, leader);
}

fn put_partition_tags(
    builder: &mut ResponseBuilder,
    read: &PartitionRead,
    leader: Option<(BrokerId, LeaderEpoch)>,
) {
    let count = u32::from(read.diverging.is_some()) + u32::from(leader.is_some());
    let buffer = &mut builder.buffer;
    wire::put_uvarint(buffer, count);
    if let Some((epoch, end)) = read.diverging {
        // tag 0: DivergingEpoch { epoch i32, end_offset i64, tags }
        wire::put_uvarint(buffer, 0);
        wire::put_uvarint(buffer, 13);
        buffer.put_i32(epoch.0);
        buffer.put_i64(end.0);
        buffer.put_u8(0);
    }
    if let Some((leader, epoch)) = leader {
        // tag 1: CurrentLeader { leader_id i32, leader_epoch i32, tags }
        wire::put_uvarint(buffer, 1);
        wire::put_uvarint(buffer, 9);
        buffer.put_i32(leader.0);
        buffer.put_i32(epoch.0);
        buffer.put_u8(0);
    }
}

/// The response's tags: tag 0, NodeEndpoints, when a leader was hinted at.
fn put_tags(builder: &mut ResponseBuilder, hinted: &[Node]) {
    let buffer = &mut builder.buffer;
    if hinted.is_empty() {
        wire::put_no_tags(buffer, true);
        return;
    }
    let mut endpoints = bytes::BytesMut::new();
    wire::put_node_endpoints(&mut endpoints, hinted);
    wire::put_uvarint(buffer, 1);
    wire::put_uvarint(buffer, 0);
    wire::put_uvarint(buffer, endpoints.len() as u32);
    buffer.put_slice(&endpoints);
}

/// Reads a short slice into the response: one system call more, where sending it from the file costs two and a path
/// through the kernel that only pays for itself with longer ones. False: it is to be sent from the file.
fn copy_records(builder: &mut ResponseBuilder, file: &dyn File, position: u64, len: usize) -> bool {
    // A file in memory is sent as it is.
    let is_short = len <= COPIED_SLICE_BYTES_MAX && builder.memory_bytes() + len <= COPIED_RESPONSE_BYTES_MAX;
    let buffer = &mut builder.buffer;
    let start = buffer.len();
    if !is_short || file.std_file().is_none() {
        return false;
    }
    buffer.resize(start + len, 0);
    let is_copied = file.read_exact_at(&mut buffer[start..], position).is_ok();
    if !is_copied {
        // Sending it meets the same failure, and closes the connection.
        buffer.truncate(start);
    }
    is_copied
}

fn push_records(builder: &mut ResponseBuilder, data: &ReadData) {
    match data {
        ReadData::Empty => {}
        ReadData::File { file, position, len } => {
            if copy_records(builder, &**file, *position, *len) {
                return;
            }
            builder.push(Chunk::File { file: file.clone(), position: *position, len: *len });
        }
        ReadData::Memory(chunks) => {
            for bytes in chunks {
                builder.push(Chunk::Bytes(bytes.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::BufMut;
    use ottla_env::disk::{Disk, OpenMode};
    use ottla_env::real::RealDisk;

    use super::*;

    /// A file of the machine whose byte at each place is the place's lowest byte.
    fn file(name: &str, len: usize) -> Arc<dyn File> {
        let path = std::env::temp_dir().join(format!("ottla-fetch-{}-{name}", std::process::id()));
        let file = RealDisk.open(&path, OpenMode::Truncate).unwrap_or_else(|error| panic!("{error}"));
        RealDisk.remove_file(&path).unwrap_or_else(|error| panic!("{error}"));
        file.write_all_at(&content(0, len), 0).unwrap_or_else(|error| panic!("{error}"));
        file
    }

    fn content(from: usize, len: usize) -> Vec<u8> {
        (from..from + len).map(|place| (place % 256) as u8).collect()
    }

    #[test]
    fn short_slices_are_copied_and_long_ones_sent_from_the_file() {
        let file = file("lengths", COPIED_SLICE_BYTES_MAX + 2);
        for len in [1, COPIED_SLICE_BYTES_MAX, COPIED_SLICE_BYTES_MAX + 1] {
            let mut builder = ResponseBuilder::with_capacity(16);
            builder.buffer.put_u8(7);
            push_records(&mut builder, &ReadData::File { file: file.clone(), position: 1, len });
            builder.buffer.put_u8(9);
            let response = builder.finish().unwrap_or_else(|| panic!("it fits into a frame"));
            assert_eq!(response.len(), 4 + 1 + len + 1);
            let is_copied = response.rest.is_empty();
            assert_eq!(is_copied, len <= COPIED_SLICE_BYTES_MAX);
            if is_copied {
                let expected = [&[7][..], &content(1, len), &[9]].concat();
                assert_eq!(&response.head[4..], expected);
            }
        }
    }

    #[test]
    fn a_response_holds_only_so_much_of_files_in_memory() {
        let file = file("many", COPIED_SLICE_BYTES_MAX);
        let mut builder = ResponseBuilder::with_capacity(16);
        for _ in 0..100 {
            let slice = ReadData::File { file: file.clone(), position: 0, len: COPIED_SLICE_BYTES_MAX };
            push_records(&mut builder, &slice);
        }
        let response = builder.finish().unwrap_or_else(|| panic!("it fits into a frame"));
        assert_eq!(response.len(), 4 + 100 * COPIED_SLICE_BYTES_MAX);
        assert!(response.memory_bytes() <= COPIED_RESPONSE_BYTES_MAX, "{}", response.memory_bytes());
        assert!(response.memory_bytes() > COPIED_RESPONSE_BYTES_MAX - COPIED_SLICE_BYTES_MAX - 4);
    }

    #[test]
    fn what_a_file_no_longer_has_is_left_to_the_sending() {
        let mut builder = ResponseBuilder::with_capacity(16);
        push_records(&mut builder, &ReadData::File { file: file("cut", 10), position: 5, len: 6 });
        let response = builder.finish().unwrap_or_else(|| panic!("it fits into a frame"));
        assert_eq!((response.head.len(), response.rest.len(), response.len()), (4, 1, 10));
    }
}
