//! What a fetch is about: who fetches, which partitions it looks at, and the reads that makes of them.
//! Core over the rooms' interfaces.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ottla_config::ReplicaSelector;
use ottla_env::Monotonic;
use ottla_metadata::Image;
use ottla_model::{BrokerId, ErrorCode, Offset, TopicId, TopicName};
use ottla_protocol::messages::FetchRequest;
use ottla_replica::{
    FetchIsolation, FollowerState, Hosted, HostedTopic, Partition, PartitionRead, ReadRequest, Reader,
    SessionNews,
};
use ottla_security::AclOperation;

use crate::access::Access;
use crate::context::Broker;
use crate::fetch_session::{
    Answered, FetchContext, FetchKey, FetchParams, FetchTopic, SessionRequest, Slot, Wanted, Which,
};
use crate::request::Request;

/// One partition of the fetch.
pub(crate) struct Requested {
    pub slot: Slot,
    pub partition: i32,
    pub place: Place,
}

/// Where a partition is served.
pub(crate) enum Place {
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
    pub fn is_refused(&self) -> bool {
        matches!(self.place, Place::Refused { .. })
    }

    pub fn is_served(&self) -> bool {
        matches!(self.place, Place::Served { .. })
    }

    pub fn name(&self) -> &str {
        match &self.place {
            Place::Served { topic } | Place::Elsewhere { topic, .. } => topic.name.as_str(),
            Place::Refused { topic: FetchTopic::Name(name), .. } => name.as_str(),
            Place::Refused { topic: FetchTopic::Id(_), .. } => "",
        }
    }

    pub fn id(&self) -> TopicId {
        match &self.place {
            Place::Served { topic } | Place::Elsewhere { topic, .. } => topic.id,
            Place::Refused { topic: FetchTopic::Id(id), .. } => *id,
            Place::Refused { topic: FetchTopic::Name(_), .. } => TopicId::ZERO,
        }
    }
}

pub(crate) struct Plan {
    pub requested: Vec<Requested>,
    /// The reads of those that are served, in the order of `requested`.
    pub reads: Vec<ReadRequest>,
    pub reader: Reader,
    /// Of a follower's session, whose fetch looks at what it has not settled.
    pub news: Option<Arc<SessionNews>>,
    /// A partition is there with another id than the session's: nothing is waited for.
    pub is_inconsistent: bool,
    pub max_bytes: usize,
    pub min_bytes: usize,
    pub max_wait: Duration,
}

impl Plan {
    pub fn is_follower(&self) -> bool {
        self.reader.is_follower()
    }

    pub fn is_news(&self) -> bool {
        self.news.as_ref().is_some_and(|news| !news.is_empty())
    }

    /// Looks for a partition; what it says of its place was decided before.
    fn add(&mut self, hosted: &Hosted, near: Option<&Near<'_>>, wanted: &Wanted<'_>, place: Found) {
        let Wanted { slot, key, params, .. } = *wanted;
        let place = place.and_then(|topic| {
            let partition = topic
                .partition(key.partition)
                .cloned()
                .ok_or_else(|| hosted.not_hosted(topic.name.as_str(), key.partition))?;
            if let Some(read) = near.and_then(|near| near.elsewhere(&partition, params)) {
                return Ok(Place::Elsewhere { topic, read: Box::new(read) });
            }
            self.reads.push(ReadRequest {
                partition,
                fetch_offset: params.fetch_offset,
                current_leader_epoch: params.current_leader_epoch,
                last_fetched_epoch: params.last_fetched_epoch,
                partition_max_bytes: params.partition_max_bytes,
                follower: params.follower,
            });
            Ok(Place::Served { topic })
        });
        self.is_inconsistent |= matches!(place, Err(ErrorCode::InconsistentTopicId));
        let refused = |error| Place::Refused { topic: key.topic.clone(), error };
        let place = place.unwrap_or_else(refused);
        self.requested.push(Requested { slot, partition: key.partition, place });
    }

    /// Takes up what the follower's session has heard of since its fetch began.
    pub fn add_news(&mut self, broker: &Broker, context: &FetchContext) {
        let (hosted, looked_at) = (broker.replicas.hosted(), self.requested.len());
        context.for_each(
            Which::News,
            |id| name_of(&hosted, id),
            |wanted| self.add(&hosted, None, &wanted, find(&hosted, &wanted)),
        );
        broker.replicas.metrics.follower_looks.inc_by((self.requested.len() - looked_at) as u64);
    }

    /// Settles what a follower has all of. Of that the answer says nothing, and no later one before something changes.
    pub fn settle(&mut self, context: &FetchContext, reads: Vec<PartitionRead>) -> Vec<PartitionRead> {
        let (Some(news), Reader::Follower(reader)) = (&self.news, self.reader) else { return reads };
        let slots: Vec<Slot> =
            self.requested.iter().filter(|one| one.is_served()).map(|one| one.slot).collect();
        let mut settled = BTreeSet::new();
        for ((slot, request), found) in slots.iter().zip(&self.reads).zip(&reads) {
            // Of what is to be said the answer speaks first.
            let is_silent = !context.names(*slot, &answered(found));
            if is_silent && news.settle(&reader, request, found, slot.0) {
                settled.insert(*slot);
            }
        }
        context.settle(settled.iter().copied());
        let stays = |slot: &Slot| !settled.contains(slot);
        self.requested.retain(|one| stays(&one.slot));
        let mut places = slots.iter();
        self.reads.retain(|_| places.next().is_some_and(stays));
        slots.iter().zip(reads).filter(|(slot, _)| stays(slot)).map(|(_, read)| read).collect()
    }

    /// Whether a follower is to be told something that is no records.
    pub fn names_any(&self, context: &FetchContext, reads: &[PartitionRead]) -> bool {
        let served = self.requested.iter().filter(|one| one.is_served());
        served
            .zip(reads)
            .any(|(one, read)| read.record_bytes() == 0 && context.names(one.slot, &answered(read)))
    }
}

pub(crate) fn session_request(body: &mut FetchRequest, version: i16) -> SessionRequest {
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
fn find(hosted: &Hosted, wanted: &Wanted<'_>) -> Found {
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

/// The topic, or what is answered for its partition.
type Found = Result<Arc<HostedTopic>, ErrorCode>;

/// What a topic id is called now.
fn name_of(hosted: &Hosted, id: TopicId) -> Option<TopicName> {
    hosted.by_id(id).map(|topic| topic.name.clone())
}

/// A topic by its id is looked up before it is asked who may read it; one by its name after.
fn may_fetch(access: &Access, is_follower: bool, wanted: &Wanted<'_>, place: Found) -> Found {
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

pub(crate) fn plan(
    broker: &Broker,
    access: &Access,
    request: &Request,
    body: &FetchRequest,
    context: &FetchContext,
) -> Plan {
    let hosted = broker.replicas.hosted();
    let reader = reader(broker, request, body);
    let is_follower = reader.is_follower();
    let near = Near::of(broker, body, reader);
    let news = news_of(access, &hosted, reader, body, context);
    if let Some(news) = &news {
        news.on_fetch(request.received);
    }
    // `KafkaApis.handleFetchRequest`: nothing is waited for that would not be sent.
    let mut max_bytes = body.max_bytes.clamp(0, broker.config.fetch_bytes_max);
    // More would be throttled for certain, however long the client rested before.
    if let Some(most) = request.most_fetched().filter(|_| !is_follower) {
        max_bytes = max_bytes.min(most);
    }
    let min_bytes = body.min_bytes.clamp(0, max_bytes);
    let which = if news.is_some() { Which::Unsettled } else { Which::All };
    let mut plan = Plan {
        requested: Vec::new(),
        reads: Vec::new(),
        reader,
        news,
        is_inconsistent: false,
        max_bytes: max_bytes as usize,
        min_bytes: min_bytes as usize,
        max_wait: Duration::from_millis(body.max_wait_ms.max(0) as u64),
    };
    context.for_each(
        which,
        |id| name_of(&hosted, id),
        |wanted| {
            let mut place = find(&hosted, &wanted);
            if access.is_limited() {
                place = may_fetch(access, is_follower, &wanted, place);
            }
            plan.add(&hosted, near.as_ref(), &wanted, place);
        },
    );
    assert!(plan.reads.len() <= plan.requested.len(), "a read for each partition at most");
    if is_follower {
        broker.replicas.metrics.follower_looks.inc_by(plan.requested.len() as u64);
    }
    plan
}

/// A follower's session looks only at what it has not settled, if nothing but the partitions decides what it is answered.
fn news_of(
    access: &Access,
    hosted: &Hosted,
    reader: Reader,
    body: &FetchRequest,
    context: &FetchContext,
) -> Option<Arc<SessionNews>> {
    let Reader::Follower(reader) = reader else { return None };
    for topic in &body.forgotten_topics_data {
        let Some(known) = hosted.by_id(TopicId(topic.topic_id)) else { continue };
        let partitions = topic.partitions.iter().filter_map(|index| known.partition(*index));
        partitions.for_each(|partition| partition.unsettle(reader.id));
    }
    let may_fetch = !access.is_limited() || access.cluster(AclOperation::ClusterAction);
    context.news_of(&reader).filter(|_| may_fetch)
}

pub(crate) fn answered(read: &PartitionRead) -> Answered {
    Answered {
        error: read.error,
        high_watermark: read.high_watermark,
        log_start_offset: read.log_start_offset,
        record_bytes: read.record_bytes(),
        // Either must be told, with records or without.
        diverging: read.diverging.is_some() || read.preferred.is_some(),
    }
}
