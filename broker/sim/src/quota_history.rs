//! Seeded clients with quotas that come and go, with requests through the dispatch in virtual time, against a plain model.
//! Shell in memory. The model (`Windowed`, `Tokens`) is Kafka's arithmetic written anew: it shares no code with the broker's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ottla_env::Clock;
use ottla_env::memory::SeededRng;
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler, Response};
use ottla_protocol::header::RequestHeader;
use ottla_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    AlterClientQuotasRequest, CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse,
    ProduceRequest, ProduceResponse,
};
use ottla_protocol::{ApiKey, Encode};
use ottla_records::BatchBuilder;
use ottla_security::{Identity, KafkaPrincipal};

use crate::rooms::{World, wait, wire as text};
use crate::wire::{bytes_of, decoded, info};

const TOPIC: &str = "t";
const USERS: [&str; 3] = ["alice", "bob", "carol"];
const CLIENT_IDS: [&str; 3] = ["app", "web", "job"];
/// Whose limit is never reached: it says how large an answer is to somebody who need not rest.
const FREE: &str = "free";
const FREE_LIMIT: f64 = 1e15;
/// Kafka's defaults of `quota.window.num` and `quota.window.size.seconds`.
const SAMPLES: usize = 11;
const SAMPLE_MS: i64 = 1_000;
const SPAN_MS: i64 = SAMPLES as i64 * SAMPLE_MS;
const EXCEEDED: i16 = 89;
/// The first version of CreateTopics that is refused where an older one is told to rest.
const STRICT_SINCE: i16 = 6;

/// What was recorded in a sample.
#[derive(Clone, Debug)]
struct Sample {
    begun: i64,
    last: i64,
    sum: f64,
}

/// `SampledStat` and `Rate`: the samples of a bucket, the oldest first.
#[derive(Default, Debug)]
struct Windowed(VecDeque<Sample>);

impl Windowed {
    fn add(&mut self, value: f64, now: i64) {
        let is_over = self.0.back().is_none_or(|sample| now - sample.begun >= SAMPLE_MS);
        if is_over {
            if self.0.len() > SAMPLES {
                self.0.pop_front();
            }
            self.0.push_back(Sample { begun: now, last: now, sum: 0.0 });
        }
        if let Some(sample) = self.0.back_mut() {
            sample.sum += value;
            sample.last = now;
        }
    }

    /// How long to rest, 0 where the rate is within the bound.
    fn rest_ms(&mut self, bound: f64, now: i64) -> i64 {
        for sample in self.0.iter_mut().filter(|sample| now - sample.last >= SPAN_MS) {
            *sample = Sample { begun: now, last: now, sum: 0.0 };
        }
        let oldest = self.0.iter().map(|sample| sample.begun).fold(now, i64::min);
        let (whole, part) = ((now - oldest) / SAMPLE_MS, (now - oldest) % SAMPLE_MS);
        let window_ms = whole.max(SAMPLES as i64 - 1) * SAMPLE_MS + part;
        let sum: f64 = self.0.iter().map(|sample| sample.sum).sum();
        let rate = sum / (window_ms as f64 / 1_000.0);
        if rate > bound { ((rate - bound) / bound * window_ms as f64 + 0.5).floor() as i64 } else { 0 }
    }
}

/// `TokenBucket`.
#[derive(Default, Debug)]
struct Tokens {
    left: f64,
    at: Option<i64>,
}

impl Tokens {
    fn come(&mut self, rate: f64, now: i64) -> f64 {
        let most = SPAN_MS as f64 / 1_000.0 * rate;
        let since = self.at.map(|at| (now - at) as f64 / 1_000.0);
        self.left = since.map_or(most, |since| most.min(self.left + rate * since));
        self.at = Some(now);
        most
    }

    fn take(&mut self, count: f64, rate: f64, now: i64) {
        let most = self.come(rate, now);
        self.left = most.min(self.left - count);
    }

    fn rest_ms(&mut self, rate: f64, now: i64) -> i64 {
        self.come(rate, now);
        if self.left < 0.0 { (-self.left / rate * 1_000.0 + 0.5).floor() as i64 } else { 0 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Produce,
    Fetch,
    Mutation,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Produce, Kind::Fetch, Kind::Mutation];

    fn key(self) -> &'static str {
        match self {
            Kind::Produce => "producer_byte_rate",
            Kind::Fetch => "consumer_byte_rate",
            Kind::Mutation => "controller_mutation_rate",
        }
    }
}

/// A part of an entity: not named, its default, or a name.
type Part = Option<Option<&'static str>>;
type Bucket = (Kind, &'static str, &'static str);

#[derive(Default)]
struct Model {
    limits: BTreeMap<(Kind, Part, Part), f64>,
    rates: BTreeMap<Bucket, Windowed>,
    tokens: BTreeMap<Bucket, Tokens>,
}

impl Model {
    /// The most specific limit, and who shares what it allows (`DefaultQuotaCallback`).
    fn find(&self, kind: Kind, user: &'static str, client: &'static str) -> Option<(f64, Bucket)> {
        let (any, both, of_user, of_client) =
            (Some(None), (kind, user, client), (kind, user, ""), (kind, "", client));
        let levels: [(Part, Part, Bucket); 8] = [
            (Some(Some(user)), Some(Some(client)), both),
            (Some(Some(user)), any, both),
            (Some(Some(user)), None, of_user),
            (any, Some(Some(client)), both),
            (any, any, both),
            (any, None, of_user),
            (None, Some(Some(client)), of_client),
            (None, any, of_client),
        ];
        levels.into_iter().find_map(|(user, client, bucket)| {
            self.limits.get(&(kind, user, client)).map(|limit| (*limit, bucket))
        })
    }

    fn record(&mut self, kind: Kind, who: Who, bytes: usize, now: i64) -> i64 {
        let Some((limit, bucket)) = self.find(kind, who.user, who.client) else { return 0 };
        let rate = self.rates.entry(bucket).or_default();
        rate.add(bytes as f64, now);
        rate.rest_ms(limit, now)
    }

    fn take_back(&mut self, who: Who, bytes: usize, now: i64) {
        let Some((_, bucket)) = self.find(Kind::Fetch, who.user, who.client) else { return };
        self.rates.entry(bucket).or_default().add(-(bytes as f64), now);
    }

    /// Whether the change may be made, and how long its client has to rest.
    fn mutate(&mut self, who: Who, count: usize, is_strict: bool, now: i64) -> (bool, i64) {
        let Some((limit, bucket)) = self.find(Kind::Mutation, who.user, who.client) else { return (true, 0) };
        let tokens = self.tokens.entry(bucket).or_default();
        if is_strict {
            let rest = tokens.rest_ms(limit, now);
            if tokens.left < 0.0 {
                return (false, rest);
            }
            tokens.take(count as f64, limit, now);
            return (true, 0);
        }
        tokens.take(count as f64, limit, now);
        (true, tokens.rest_ms(limit, now))
    }
}

#[derive(Clone, Copy, Debug)]
struct Who {
    user: &'static str,
    client: &'static str,
}

#[derive(Default, Debug)]
pub struct Counts {
    pub free: u64,
    pub rested: u64,
    pub refused: u64,
    pub limits: u64,
}

pub struct QuotaHistory {
    world: World,
    rng: Arc<SeededRng>,
    /// One of each user, who comes under any client id.
    connections: BTreeMap<&'static str, Arc<ConnectionInfo>>,
    model: Model,
    topics: u64,
    pub counts: Counts,
    pub trace: Vec<String>,
}

/// What a client is told, and for how long it is not read.
struct Told {
    response: Option<Response>,
    mute_ms: i64,
}

fn told(answer: Answer) -> Told {
    match answer {
        Answer::Respond(response) => Told { response: Some(response), mute_ms: 0 },
        Answer::Silent => Told { response: None, mute_ms: 0 },
        Answer::ThenMute { answer, mute } => {
            let inner = told(*answer);
            Told { mute_ms: inner.mute_ms.max(mute.as_millis() as i64), ..inner }
        }
        Answer::Close(why) | Answer::CloseAfter { why, .. } => panic!("closed: {why}"),
    }
}

impl QuotaHistory {
    pub fn new(seed: u64) -> QuotaHistory {
        let world = World::new(seed);
        let topic = |name: &str| {
            CreatableTopic::default()
                .with_name(text(name).into())
                .with_num_partitions(1)
                .with_replication_factor(1)
        };
        world.make_topic(topic(TOPIC));
        let connections = USERS.into_iter().chain([FREE]).zip(1..).map(|(user, id)| {
            let connection = info(id);
            connection.authenticate(Arc::new(Identity::without_sasl(KafkaPrincipal::user(user))));
            (user, connection)
        });
        let mut history = QuotaHistory {
            connections: connections.collect(),
            world,
            rng: Arc::new(SeededRng::new(seed ^ 0x0090_7a5e)),
            model: Model::default(),
            topics: 0,
            counts: Counts::default(),
            trace: Vec::new(),
        };
        for _batch in 0..20 {
            history.produce(Who { user: FREE, client: "fill" }, 1_000, 1);
        }
        for kind in Kind::ALL {
            history.limit(kind, Some(Some(FREE)), None, Some(FREE_LIMIT));
        }
        history
    }

    pub fn step(&mut self) {
        match self.rng.below(100) {
            0..8 => self.change_a_limit(),
            8..38 => {
                let ms = match self.rng.below(10) {
                    0 => self.rng.below(20_000),
                    1..3 => self.rng.below(2_000),
                    _ => self.rng.below(100),
                };
                self.world.clock.advance(Duration::from_millis(ms));
            }
            38..68 => {
                let (who, bytes) = (self.who(), self.rng.below(4_000) as usize);
                let acks = i16::from(!self.rng.chance(200));
                self.produce(who, bytes, acks);
            }
            68..90 => {
                let (who, offset) = (self.who(), self.rng.below(20) as i64);
                self.fetch(who, offset);
            }
            _ => {
                let (who, count) = (self.who(), 1 + self.rng.below(4) as i32);
                let version = if self.rng.chance(500) { STRICT_SINCE } else { STRICT_SINCE - 1 };
                self.create(who, count, version);
            }
        }
    }

    fn now(&self) -> i64 {
        self.world.clock.monotonic().0.as_millis() as i64
    }

    fn one_of(&self, of: [&'static str; 3]) -> &'static str {
        of[self.rng.below(3) as usize]
    }

    fn who(&self) -> Who {
        Who { user: self.one_of(USERS), client: self.one_of(CLIENT_IDS) }
    }

    fn part(&self, of: [&'static str; 3]) -> Part {
        match self.rng.below(3) {
            0 => None,
            1 => Some(None),
            _ => Some(Some(self.one_of(of))),
        }
    }

    fn change_a_limit(&mut self) {
        let kind = Kind::ALL[self.rng.below(3) as usize];
        let (user, client) = (self.part(USERS), self.part(CLIENT_IDS));
        if (user, client) == (None, None) {
            return;
        }
        let value = match (kind, self.rng.chance(250)) {
            (_, true) => None,
            (Kind::Mutation, false) => Some(0.25 * (1 + self.rng.below(8)) as f64),
            (_, false) => Some((500 + self.rng.below(4_000)) as f64),
        };
        self.limit(kind, user, client, value);
        self.counts.limits += 1;
    }

    fn limit(&mut self, kind: Kind, user: Part, client: Part, value: Option<f64>) {
        self.trace.push(format!("{}: {kind:?} of {user:?} {client:?} is {value:?}", self.now()));
        let entity = [("user", user), ("client-id", client)].into_iter().filter_map(|(entity, part)| {
            let named = EntityData::default().with_entity_type(text(entity));
            part.map(|name| named.with_entity_name(name.map(text)))
        });
        let op = OpData::default()
            .with_key(text(kind.key()))
            .with_value(value.unwrap_or_default())
            .with_remove(value.is_none());
        let entry = EntryData::default().with_entity(entity.collect()).with_ops(vec![op]);
        let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
        let altered = self.world.rooms().metadata.alter_client_quotas(request, BTreeSet::new());
        let altered = self.world.ask(altered).expect("a healthy disk");
        assert_eq!(altered.entries[0].error_code, 0);
        match value {
            Some(value) => self.model.limits.insert((kind, user, client), value),
            None => self.model.limits.remove(&(kind, user, client)),
        };
    }

    /// The answer to a request, and how large the request is.
    fn send<Q: Encode>(&self, who: Who, key: ApiKey, version: i16, request: &Q) -> (Told, usize) {
        let header = RequestHeader {
            api_key: key as i16,
            api_version: version,
            correlation_id: 7,
            client_id: Some(text(who.client)),
        };
        let mut frame = BytesMut::new();
        header.encode(&mut frame);
        request.encode(&mut frame, version).expect("a request of this version");
        let (frame, handler): (Bytes, &dyn Handler) = (frame.freeze(), &self.world.rooms().dispatch);
        let bytes = frame.len();
        let answer = match handler.admit(&self.connections[who.user], frame) {
            Admitted::Ready(answer) => answer,
            Admitted::Parked(future)
            | Admitted::Exclusive(future)
            | Admitted::ExclusiveAfterEarlier(future) => wait(future),
        };
        (told(answer), bytes)
    }

    fn check(&mut self, what: &str, who: Who, told_ms: i64, expected_ms: i64) {
        self.trace.push(format!("{}: {what} of {who:?} rests {told_ms}", self.now()));
        assert_eq!(told_ms, expected_ms, "{what} of {who:?} at {}", self.now());
        if who.user == FREE {
            return;
        }
        match told_ms {
            0 => self.counts.free += 1,
            _ => self.counts.rested += 1,
        }
    }

    fn produce(&mut self, who: Who, value_bytes: usize, acks: i16) {
        const VERSION: i16 = 9;
        let mut batch = BatchBuilder::new();
        batch.append(self.world.clock.wall_ms(), None, Some(&vec![7; value_bytes]), &[]);
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.build()));
        let topic = TopicProduceData::default().with_name(text(TOPIC).into()).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(vec![topic]);
        let (came, bytes) = self.send(who, ApiKey::Produce, VERSION, &request);
        if let Some(response) = &came.response {
            let response: ProduceResponse = decoded(ApiKey::Produce, VERSION, bytes_of(response));
            assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
            assert_eq!(i64::from(response.throttle_time_ms), came.mute_ms, "what is told is kept");
        }
        assert_eq!(came.response.is_some(), acks != 0);
        let expected = self.model.record(Kind::Produce, who, bytes, self.now());
        self.check("a produce", who, came.mute_ms, expected);
    }

    fn read(&self, who: Who, offset: i64) -> (Told, FetchResponse) {
        const VERSION: i16 = 12;
        let partition = FetchPartition::default()
            .with_partition(0)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(3_000);
        let topic = FetchTopic::default().with_topic(text(TOPIC).into()).with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_min_bytes(1)
            .with_max_wait_ms(0)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let (came, _) = self.send(who, ApiKey::Fetch, VERSION, &request);
        let response = bytes_of(came.response.as_ref().expect("an answer"));
        let response = decoded(ApiKey::Fetch, VERSION, response);
        (came, response)
    }

    fn fetch(&mut self, who: Who, offset: i64) {
        let (whole, _) = self.read(Who { user: FREE, client: who.client }, offset);
        // `FetchResponse.sizeOf`: the body and four bytes; here are the length, the correlation id and a tag before it.
        let bytes = whole.response.map_or(0, |response| response.len() - 9 + 4);
        let (came, response) = self.read(who, offset);
        let expected = self.model.record(Kind::Fetch, who, bytes, self.now());
        assert_eq!(i64::from(response.throttle_time_ms), came.mute_ms, "what is told is kept");
        if expected > 0 {
            self.model.take_back(who, bytes, self.now());
        }
        // Whoever has to rest is given nothing.
        assert_eq!(response.responses.is_empty(), expected > 0);
        self.check("a fetch", who, came.mute_ms, expected);
    }

    fn create(&mut self, who: Who, count: i32, version: i16) {
        self.topics += 1;
        let topic = CreatableTopic::default()
            .with_name(text(&format!("made-{}", self.topics)).into())
            .with_num_partitions(count)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1_000);
        let (came, _) = self.send(who, ApiKey::CreateTopics, version, &request);
        let response = bytes_of(came.response.as_ref().expect("an answer"));
        let response: CreateTopicsResponse = decoded(ApiKey::CreateTopics, version, response);
        let (is_made, expected) = self.model.mutate(who, count as usize, version >= STRICT_SINCE, self.now());
        assert_eq!(response.topics[0].error_code, if is_made { 0 } else { EXCEEDED });
        self.counts.refused += u64::from(!is_made);
        assert_eq!(i64::from(response.throttle_time_ms), came.mute_ms, "what is told is kept");
        self.check("a creation", who, came.mute_ms, expected);
    }
}
