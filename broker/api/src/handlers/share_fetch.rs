//! ShareFetch (key 78), versions 1-2: records for a member of a share group, and acknowledgements (KIP-932).
//! Shell. Records go from file to socket as with Fetch: the response is encoded here.
//!
//! - v1: KIP-932. v2: renewals of locks (KIP-1222), and exact record limits (KIP-1206).

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use ottla_coordinator::share_partition::Acknowledgement;
use ottla_coordinator::share_partition::fetch::{FetchedPartition, ShareFetch, ShareFetchRequest as Plan};
use ottla_coordinator::share_partition::session::{SessionKey, SessionPartition, ShareFetchContext};
use ottla_log::ReadData;
use ottla_model::{ErrorCode, TopicId};
use ottla_network::{Admitted, Answer, Chunk, ResponseBuilder};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::ShareFetchRequest;
use ottla_replica::{Partition, TailWait};

use super::prelude::*;
use crate::cluster::LeaderHints;
use crate::quotas::rest;
use crate::share::{self, AcknowledgeMode, Acknowledged, PartitionAcknowledgements};
use crate::wire;

pub const API: Api = Api { key: ApiKey::ShareFetch, min: 1, max: 2, admit };

const RECORD_LIMIT: i8 = 1;

/// One admitted fetch.
struct Fetching {
    session: SessionKey,
    context: ShareFetchContext,
    acknowledged: Vec<Acknowledged>,
    /// What cannot be fetched.
    refused: Vec<FetchedPartition>,
    /// `None` when nothing is fetched.
    fetch: Option<ShareFetch>,
}

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ShareFetchRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let who = share::member_of(broker, &access, body.group_id.as_ref(), body.member_id.as_ref());
    let (group, member) = match who {
        Ok(who) => who,
        Err(error) => return Ok(Admitted::Ready(answer_error(&request, error))),
    };
    let is_renew = request.version() >= 2 && body.is_renew_ack;
    if is_renew && (body.max_bytes, body.min_bytes, body.max_records, body.max_wait_ms) != (0, 0, 0, 0) {
        return Ok(Admitted::Ready(answer_error(&request, ErrorCode::InvalidRequest)));
    }
    let session = SessionKey { group, member };
    let max_wait = Duration::from_millis(body.max_wait_ms.max(0) as u64);
    let deadline = || broker.env.clock.sleep_until(request.received.after(max_wait));
    let context = match open_session(broker, &session, request.connection.id, &body) {
        Ok(context) => context,
        Err(ErrorCode::ShareSessionLimitReached) => {
            // So that the client does not try again at once.
            let deadline = deadline();
            return park(async move {
                deadline.await;
                answer_error(&request, ErrorCode::ShareSessionLimitReached)
            });
        }
        Err(error) => return Ok(Admitted::Ready(answer_error(&request, error))),
    };
    let acknowledged = acknowledge(broker, &access, &session, request.version(), &body);
    let (fetch, refused) = match is_renew {
        true => (None, Vec::new()),
        false => prepare(broker, &access, &session, &body, &context),
    };
    let mut fetching = Fetching { session, context, acknowledged, refused, fetch };
    let deadline = deadline();
    let broker = broker.clone();
    park(async move {
        if let Some(elsewhere) = fetching.fetch.as_mut().map(ShareFetch::take_elsewhere)
            && !elsewhere.is_empty()
        {
            let patience = broker.env.clock.sleep_until(request.received.after(max_wait));
            tokio::select! {
                biased;
                () = broker.share_partitions.open(elsewhere) => {}
                () = patience => {}
            }
            let access = Access::of(&broker, &request);
            (fetching.fetch, fetching.refused) =
                prepare(&broker, &access, &fetching.session, &body, &fetching.context);
        }
        let fetched = fetch_records(&broker, fetching.fetch.take(), deadline).await;
        share::settle(&mut fetching.acknowledged).await;
        respond(&broker, &request, fetching, fetched)
    })
}

fn open_session(
    broker: &Broker,
    session: &SessionKey,
    connection: u64,
    body: &ShareFetchRequest,
) -> Result<ShareFetchContext, ErrorCode> {
    let mut partitions = Vec::new();
    let mut has_acknowledgements = false;
    for topic in &body.topics {
        for partition in &topic.partitions {
            partitions.push((TopicId(topic.topic_id), partition.partition_index));
            has_acknowledgements |= !partition.acknowledgement_batches.is_empty();
        }
    }
    let forgotten: Vec<SessionPartition> = body
        .forgotten_topics_data
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|index| (TopicId(topic.topic_id), *index)))
        .collect();
    let epoch = body.share_session_epoch;
    broker.share_partitions.open_session(
        session,
        epoch,
        connection,
        &partitions,
        &forgotten,
        has_acknowledgements,
    )
}

fn acknowledge(
    broker: &Broker,
    access: &Access,
    session: &SessionKey,
    version: i16,
    body: &ShareFetchRequest,
) -> Vec<Acknowledged> {
    let partitions =
        || body.topics.iter().flat_map(|topic| topic.partitions.iter().map(|one| (topic.topic_id, one)));
    if partitions().all(|(_, partition)| partition.acknowledgement_batches.is_empty()) {
        return Vec::new();
    }
    let asked = partitions().map(|(topic_id, partition)| PartitionAcknowledgements {
        topic_id: TopicId(topic_id),
        partition: partition.partition_index,
        batches: partition
            .acknowledgement_batches
            .iter()
            .map(|batch| Acknowledgement {
                first_offset: batch.first_offset,
                last_offset: batch.last_offset,
                types: batch.acknowledge_types.clone(),
            })
            .collect(),
    });
    let mode = AcknowledgeMode { knows_renew: version == 2, is_renew: body.is_renew_ack };
    share::acknowledge(broker, access, &session.group, &session.member, mode, asked.collect())
}

/// Finds what the session fetches; what is not there or not allowed is answered.
fn prepare(
    broker: &Broker,
    access: &Access,
    session: &SessionKey,
    body: &ShareFetchRequest,
    context: &ShareFetchContext,
) -> (Option<ShareFetch>, Vec<FetchedPartition>) {
    let wanted = match context {
        ShareFetchContext::First { partitions } | ShareFetchContext::Next { partitions, .. } => partitions,
        ShareFetchContext::Final => return (None, Vec::new()),
    };
    let hosted = broker.replicas.hosted();
    let mut refused = Vec::new();
    let mut partitions: Vec<Arc<Partition>> = Vec::with_capacity(wanted.len());
    for (topic_id, index) in wanted {
        let found = match hosted.by_id(*topic_id) {
            None => Err(hosted.not_hosted_by_id(*topic_id, *index)),
            Some(topic) if !access.topic(AclOperation::Read, topic.name.as_str()) => {
                Err(ErrorCode::TopicAuthorizationFailed)
            }
            Some(topic) => {
                topic.partition(*index).cloned().ok_or_else(|| hosted.not_hosted(topic.name.as_str(), *index))
            }
        };
        match found {
            Ok(partition) if !partition.is_led() => {
                let error = ErrorCode::NotLeaderOrFollower;
                refused.push(FetchedPartition::failed(*topic_id, *index, error, None));
            }
            Ok(partition) => partitions.push(partition),
            Err(error) => refused.push(FetchedPartition::failed(*topic_id, *index, error, None)),
        }
    }
    let bytes_max = body.max_bytes.clamp(0, broker.config.fetch_bytes_max) as usize;
    if partitions.is_empty() || body.max_records == 0 || bytes_max == 0 {
        return (None, refused);
    }
    // Each fetch begins with another partition, so that none is served last every time.
    let turns = usize::try_from(body.share_session_epoch).unwrap_or(0) % partitions.len();
    partitions.rotate_left(turns);
    let fetch = broker.share_partitions.prepare(Plan {
        group: &session.group,
        member: &session.member,
        is_record_limit: body.share_acquire_mode == RECORD_LIMIT,
        batch_records: body.batch_size,
        records_max: body.max_records,
        bytes_min: body.min_bytes.clamp(0, bytes_max as i32) as usize,
        bytes_max,
        partitions: &partitions,
    });
    (Some(fetch), refused)
}

async fn fetch_records(
    broker: &Broker,
    fetch: Option<ShareFetch>,
    deadline: ottla_env::BoxFuture<'static, ()>,
) -> Vec<FetchedPartition> {
    let Some(fetch) = fetch else { return Vec::new() };
    if fetch.is_hopeless() {
        return fetch.failures();
    }
    let wait = TailWait::new(fetch.partitions(), deadline).also(fetch.waiters());
    wait.until(|woken| broker.share_partitions.look(&fetch, woken).into()).await.unwrap_or_default()
}

/// One partition of the answer.
struct Entry {
    fetched: FetchedPartition,
    acknowledge_error: ErrorCode,
    acknowledge_message: Option<String>,
}

fn respond(broker: &Broker, request: &Request, fetching: Fetching, fetched: Vec<FetchedPartition>) -> Answer {
    let Fetching { session, context, acknowledged, refused, .. } = fetching;
    let mut answers = fetched;
    answers.extend(refused);
    if let ShareFetchContext::Next { epoch, .. } = &context {
        let told = answers.iter().map(|one| {
            let is_error = !one.error.is_none();
            ((one.topic_id, one.partition), one.record_bytes > 0, is_error)
        });
        let Some(told) = broker.share_partitions.tell_session(&session, *epoch, told) else {
            return answer_error(request, ErrorCode::InvalidShareSessionEpoch);
        };
        let mut told = told.into_iter();
        answers.retain(|_| told.next().unwrap_or(true));
    }
    let mut topics: Vec<(TopicId, Vec<Entry>)> = Vec::new();
    for fetched in answers {
        let entry = Entry { fetched, acknowledge_error: ErrorCode::None, acknowledge_message: None };
        push(&mut topics, entry);
    }
    for answer in acknowledged {
        let (topic_id, partition) = (answer.topic_id, answer.partition);
        let entries = topics.iter_mut().filter(|(id, _)| *id == topic_id).flat_map(|(_, entries)| entries);
        match entries.into_iter().find(|entry| entry.fetched.partition == partition) {
            Some(entry) => {
                entry.acknowledge_error = answer.error;
                entry.acknowledge_message = answer.message;
            }
            None => {
                let fetched = FetchedPartition::failed(topic_id, partition, ErrorCode::None, None);
                let (acknowledge_error, acknowledge_message) = (answer.error, answer.message);
                push(&mut topics, Entry { fetched, acknowledge_error, acknowledge_message });
            }
        }
    }
    if context == ShareFetchContext::Final {
        broker.share_partitions.release_session(&session);
    }
    encode(broker, request, session.group.as_str(), topics)
}

fn push(topics: &mut Vec<(TopicId, Vec<Entry>)>, entry: Entry) {
    let topic_id = entry.fetched.topic_id;
    match topics.iter_mut().find(|(id, _)| *id == topic_id) {
        Some((_, entries)) => entries.push(entry),
        None => topics.push((topic_id, vec![entry])),
    }
}

fn put_head(buffer: &mut BytesMut, throttle_ms: i32, error: ErrorCode, lock_ms: i32) {
    buffer.put_i32(throttle_ms);
    buffer.put_i16(error.code());
    buffer.put_u8(0); // error message: null
    buffer.put_i32(lock_ms);
}

/// A response that carries only a top-level error.
fn answer_error(request: &Request, error: ErrorCode) -> Answer {
    let mut builder = request.response(16);
    let throttle_ms = request.settle_throttle();
    put_head(&mut builder.buffer, throttle_ms, error, 0);
    wire::put_array_len(&mut builder.buffer, 0, true);
    wire::put_array_len(&mut builder.buffer, 0, true);
    wire::put_no_tags(&mut builder.buffer, true);
    rest(request.finish(builder, &[error]), throttle_ms)
}

fn encode(broker: &Broker, request: &Request, group: &str, topics: Vec<(TopicId, Vec<Entry>)>) -> Answer {
    let lock_ms = broker.share_partitions.configs().of(group).record_lock_duration_ms;
    let mut builder = request.response(64 + 64 * topics.len());
    let entries = topics.iter().flat_map(|(_, entries)| entries);
    // The fixed fields of a partition are some thirty bytes.
    let throttle_ms = request.charge_shared(entries.map(|entry| entry.fetched.record_bytes + 32).sum());
    put_head(&mut builder.buffer, throttle_ms, ErrorCode::None, lock_ms);
    wire::put_array_len(&mut builder.buffer, topics.len(), true);
    let hosted = broker.replicas.hosted();
    let mut errors = vec![ErrorCode::None];
    let mut hints = LeaderHints::of(broker, &request.connection);
    for (topic_id, entries) in topics {
        let topic = hosted.by_id(topic_id);
        builder.buffer.put_slice(topic_id.0.as_bytes());
        wire::put_array_len(&mut builder.buffer, entries.len(), true);
        for entry in entries {
            errors.push(entry.fetched.error);
            if let Some(topic) = topic {
                topic.metrics.bytes_out.inc_by(entry.fetched.record_bytes as u64);
            }
            let is_moved =
                matches!(entry.fetched.error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
            let leader = match is_moved {
                true => hints.add_by_id(topic_id, entry.fetched.partition),
                false => None,
            };
            let leader = leader.map_or((0, 0), |(leader, epoch)| (leader.0, epoch.0));
            put_partition(&mut builder, entry, leader);
        }
        wire::put_no_tags(&mut builder.buffer, true);
    }
    wire::put_node_endpoints(&mut builder.buffer, &hints.nodes());
    wire::put_no_tags(&mut builder.buffer, true);
    rest(request.finish(builder, &errors), throttle_ms)
}

fn put_partition(builder: &mut ResponseBuilder, entry: Entry, leader: (i32, i32)) {
    let buffer = &mut builder.buffer;
    buffer.put_i32(entry.fetched.partition);
    buffer.put_i16(entry.fetched.error.code());
    buffer.put_u8(0); // error message: never told, as in Kafka
    buffer.put_i16(entry.acknowledge_error.code());
    match &entry.acknowledge_message {
        Some(message) => wire::put_string(buffer, message, true),
        None => buffer.put_u8(0),
    }
    buffer.put_i32(leader.0);
    buffer.put_i32(leader.1);
    wire::put_no_tags(buffer, true);
    wire::put_bytes_len(buffer, entry.fetched.record_bytes, true);
    match entry.fetched.records {
        ReadData::Empty => {}
        ReadData::File { file, position, len } => builder.push(Chunk::File { file, position, len }),
        ReadData::Memory(chunks) => chunks.into_iter().for_each(|bytes| builder.push(Chunk::Bytes(bytes))),
    }
    let buffer = &mut builder.buffer;
    wire::put_array_len(buffer, entry.fetched.acquired.len(), true);
    for range in &entry.fetched.acquired {
        buffer.put_i64(range.first_offset);
        buffer.put_i64(range.last_offset);
        buffer.put_i16(range.delivery_count);
        wire::put_no_tags(buffer, true);
    }
    wire::put_no_tags(buffer, true);
}
