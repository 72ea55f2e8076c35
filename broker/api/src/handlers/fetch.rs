//! Fetch (key 1), versions 4-18: records from file to socket.
//! Shell.
//!
//! - v4: isolation level (KIP-98). v5: log start offset. v7: sessions (KIP-227).
//! - v9: current leader epoch (KIP-320). v10: zstd. v11: rack (KIP-392).
//! - v12: flexible, last fetched epoch and divergence (KIP-595). v13: topic ids (KIP-516).
//! - v14: tiered storage error for followers. v15: replica state (KIP-903). v16: leader hints
//!   (KIP-951). v17: directory ids (KIP-853). v18: high watermark of the follower (KIP-1166).
//!
//! What it looks at is decided in `fetch_plan.rs`; the response is encoded in `fetch_response.rs`, and not by the message
//! crate: its records are file slices.

use ottla_env::Monotonic;
use ottla_model::ErrorCode;
use ottla_network::Answer;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::FetchRequest;
use ottla_replica::{DelayedFetch, Look, PartitionRead, Reader, TailWait, Woken, charge_followers, read};

use super::prelude::*;
use crate::fetch_plan::{Place, Plan, Requested, answered, plan, session_request};
use crate::fetch_response::{answer_error, answer_throttled, encode, response_bytes};
use crate::fetch_session::{FetchContext, Remembered};
use crate::metadata_log;

pub const API: Api = Api { key: ApiKey::Fetch, min: 4, max: 18, admit };

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
    let mut plan = plan(broker, &access, &request, &body, &context);
    if plan.is_follower() && access.cluster(AclOperation::ClusterAction) {
        request.exempt();
    }
    let first = read(&plan.reads, plan.reader, plan.max_bytes);
    let first = plan.settle(&context, first);
    if plan.max_wait.is_zero() || is_enough(&plan, &first) {
        return Ok(ottla_network::Admitted::Ready(respond(broker, &request, context, plan, first)));
    }
    drop(first);
    let delayed = DelayedFetch::new(&plan.reads, plan.reader, plan.min_bytes);
    if let Some(found) = delayed.found(&plan.reads, plan.max_bytes) {
        return Ok(ottla_network::Admitted::Ready(respond(broker, &request, context, plan, found)));
    }
    let (broker, deadline) = (broker.clone(), now.after(plan.max_wait));
    park(async move {
        let found = wait(&broker, &context, &mut plan, delayed, deadline).await;
        respond(&broker, &request, context, plan, found)
    })
}

/// Why a wait ends.
enum Ended {
    /// There is enough, or the time is over.
    Whole,
    /// A follower's session has heard of something.
    News,
}

/// What there is to read once it is enough or the time is over.
async fn wait(
    broker: &Broker,
    context: &FetchContext,
    plan: &mut Plan,
    mut delayed: DelayedFetch,
    deadline: Monotonic,
) -> Vec<PartitionRead> {
    loop {
        let partitions = plan.reads.iter().map(|read| read.partition.clone()).collect();
        let news = plan.news.iter().map(|news| news.waiting()).collect();
        let wait = TailWait::new(partitions, broker.env.clock.sleep_until(deadline)).also(news);
        let ended = wait.until(|woken| match woken {
            Woken::Deadline => Look::Found(Ended::Whole),
            Woken::Append if plan.is_news() => Look::Found(Ended::News),
            Woken::Append => delayed.look(&plan.reads).map(|()| Ended::Whole),
        });
        if !matches!(ended.await, Some(Ended::News)) {
            return read(&plan.reads, plan.reader.again(), plan.max_bytes);
        }
        plan.add_news(broker, context);
        delayed = DelayedFetch::new(&plan.reads, plan.reader, plan.min_bytes);
        if let Some(found) = delayed.found(&plan.reads, plan.max_bytes) {
            return found;
        }
        let found = read(&plan.reads, plan.reader.again(), plan.max_bytes);
        if plan.requested.iter().any(Requested::is_refused) || plan.names_any(context, &found) {
            return found;
        }
    }
}

/// `ReplicaManager.fetchMessages`: what the first look must find for an answer at once. What may be enough on the way
/// is `DelayedFetch`'s.
fn is_enough(plan: &Plan, reads: &[PartitionRead]) -> bool {
    let bytes: usize = reads.iter().map(PartitionRead::counted_bytes).sum();
    let has_elsewhere = plan.requested.iter().any(|one| matches!(one.place, Place::Elsewhere { .. }));
    let is_empty = (reads.is_empty() && plan.news.is_none()) || plan.is_inconsistent || has_elsewhere;
    is_empty
        || bytes >= plan.min_bytes
        || reads.iter().any(|read| !read.error.is_none() || read.diverging.is_some())
}

fn respond(
    broker: &Broker,
    request: &Request,
    context: FetchContext,
    plan: Plan,
    reads: Vec<PartitionRead>,
) -> Answer {
    let (is_follower, reader) = (plan.is_follower(), plan.reader);
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
            let follower = match &reader {
                Reader::Follower(replica) => Some(replica),
                Reader::Consumer(_) | Reader::RackConsumer(_) => None,
            };
            broker.sessions.remember(full, follower, remembered, request.received, random)
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
