//! What a client with a limit gets of a broker, in virtual time, with requests through the dispatch.
//! Shell.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ottla_api::Dispatch;
use ottla_env::{Clock, Monotonic};
use ottla_model::ErrorCode;
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler, Response};
use ottla_protocol::ApiKey;
use ottla_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    AlterClientQuotasRequest, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse,
};
use ottla_records::BatchBuilder;
use ottla_sim::rooms::{World, wait, wire as text};
use ottla_sim::wire;

const TOPIC: &str = "t";
const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;
const LIMIT: f64 = 10_000.0;

struct Lab {
    world: World,
    connection: Arc<ConnectionInfo>,
}

/// An answer with the rest that the network is told of.
struct Answered {
    response: Option<Response>,
    mute: Duration,
    /// Whether nothing was admitted behind it before it was known.
    held_the_others: bool,
}

fn answered(answer: Answer, held_the_others: bool) -> Answered {
    match answer {
        Answer::Respond(response) => {
            Answered { response: Some(response), mute: Duration::ZERO, held_the_others }
        }
        Answer::Silent => Answered { response: None, mute: Duration::ZERO, held_the_others },
        Answer::ThenMute { answer, mute } => {
            Answered { mute: mute.max(answered_mute(&answer)), ..answered(*answer, held_the_others) }
        }
        Answer::Close(why) => panic!("closed: {why}"),
        Answer::CloseAfter { why, .. } => panic!("closed: {why}"),
    }
}

fn answered_mute(answer: &Answer) -> Duration {
    match answer {
        Answer::ThenMute { mute, .. } => *mute,
        _ => Duration::ZERO,
    }
}

impl Lab {
    fn new() -> Lab {
        let lab = Lab { world: World::new(3), connection: wire::info(1) };
        let topic = CreatableTopic::default()
            .with_name(text(TOPIC).into())
            .with_num_partitions(1)
            .with_replication_factor(1);
        lab.world.make_topic(topic);
        // The first windows of a clock at zero would hide that times are kept.
        lab.world.clock.advance(Duration::from_secs(100));
        lab
    }

    fn dispatch(&self) -> &Dispatch {
        &self.world.rooms().dispatch
    }

    fn now(&self) -> Monotonic {
        self.world.clock.monotonic()
    }

    fn limit(&self, key: &str, value: Option<f64>) {
        let entity =
            EntityData::default().with_entity_type(text("user")).with_entity_name(Some(text("ANONYMOUS")));
        let op = OpData::default()
            .with_key(text(key))
            .with_value(value.unwrap_or_default())
            .with_remove(value.is_none());
        let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
        let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
        let altered = self.world.rooms().metadata.alter_client_quotas(request, BTreeSet::new());
        let altered = self.world.ask(altered).expect("a healthy disk");
        assert_eq!(altered.entries[0].error_code, 0);
    }

    fn send<Q: ottla_protocol::Encode>(&self, key: ApiKey, version: i16, request: &Q) -> Answered {
        let handler: &dyn Handler = self.dispatch();
        let frame = wire::frame(key, version, request);
        match handler.admit(&self.connection, frame) {
            Admitted::Ready(answer) => answered(answer, true),
            Admitted::Parked(future) => answered(wait(future), false),
            Admitted::Exclusive(future) | Admitted::ExclusiveAfterEarlier(future) => {
                answered(wait(future), true)
            }
        }
    }

    fn told<R: ottla_protocol::Decode>(&self, key: ApiKey, version: i16, answered: &Answered) -> R {
        let response = answered.response.as_ref().expect("an answer");
        wire::decoded(key, version, wire::bytes_of(response))
    }

    fn produce(&self, acks: i16, bytes: usize) -> (Answered, usize) {
        let mut batch = BatchBuilder::new();
        batch.append(self.world.clock.wall_ms(), None, Some(&vec![7; bytes]), &[]);
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.build()));
        let topic = TopicProduceData::default().with_name(text(TOPIC).into()).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(vec![topic]);
        let frame_bytes = wire::frame(ApiKey::Produce, PRODUCE_VERSION, &request).len();
        (self.send(ApiKey::Produce, PRODUCE_VERSION, &request), frame_bytes)
    }

    fn fetch(&self, offset: i64) -> (FetchResponse, Answered, usize) {
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
        let answered = self.send(ApiKey::Fetch, FETCH_VERSION, &request);
        let bytes = answered.response.as_ref().expect("an answer").len();
        (self.told(ApiKey::Fetch, FETCH_VERSION, &answered), answered, bytes)
    }

    /// Holds a rate against its limit. Kafka's windows let all they hold through at once and make up for it by a
    /// rest, over and over: it is the mean that holds, and for any time the limit with what one turn of the
    /// windows has.
    fn assert_held(&self, limit: f64, mut request: impl FnMut() -> (Duration, usize)) {
        let first = self.drive(30, &mut request);
        assert!(first <= limit * (30.0 + 11.0) && first >= limit * 30.0 * 0.95, "{first} in 30 s at {limit}");
        let rest = self.drive(300, &mut request);
        assert!((rest / (300.0 * limit) - 1.0).abs() < 0.05, "{rest} in 300 s at {limit}");
    }

    /// What a client that sends as fast as it is let moves in so many seconds.
    fn drive(&self, seconds: u64, mut request: impl FnMut() -> (Duration, usize)) -> f64 {
        let end = self.now().after(Duration::from_secs(seconds));
        let mut moved = 0;
        while self.now() < end {
            let (mute, bytes) = request();
            moved += bytes;
            // A request takes its time, too.
            self.world.clock.advance(mute.max(Duration::from_millis(10)));
        }
        moved as f64
    }
}

#[test]
fn producers_are_held_to_their_byte_rate_whatever_they_want_acknowledged() {
    for acks in [-1, 0, 1] {
        let lab = Lab::new();
        let (free, _) = lab.produce(acks, 1_000);
        assert_eq!((free.mute, free.held_the_others || acks == -1), (Duration::ZERO, true));
        lab.limit("producer_byte_rate", Some(LIMIT));
        let produce = || {
            let (answered, bytes) = lab.produce(acks, 1_000);
            if acks != 0 {
                let told: ProduceResponse = lab.told(ApiKey::Produce, PRODUCE_VERSION, &answered);
                assert_eq!(told.responses[0].partition_responses[0].error_code, 0);
                assert_eq!(Duration::from_millis(told.throttle_time_ms as u64), answered.mute);
            }
            assert!(answered.held_the_others || answered.mute.is_zero(), "what comes behind it waits");
            (answered.mute, bytes)
        };
        lab.assert_held(LIMIT, produce);
        lab.limit("producer_byte_rate", Some(LIMIT / 4.0));
        // The client rests until its rate of before is below the new limit.
        lab.world.clock.advance(produce().0);
        lab.assert_held(LIMIT / 4.0, produce);
        lab.limit("producer_byte_rate", None);
        assert_eq!(lab.produce(acks, 1_000).0.mute, Duration::ZERO);
    }
}

#[test]
fn consumers_are_held_to_their_byte_rate_and_get_nothing_while_they_are_to_rest() {
    let lab = Lab::new();
    for _batch in 0..20 {
        lab.produce(1, 1_000);
    }
    assert_eq!(lab.fetch(0).1.mute, Duration::ZERO);
    lab.limit("consumer_byte_rate", Some(LIMIT));
    let mut empty_count = 0;
    let mut fetch = || {
        let (response, answered, bytes) = lab.fetch(0);
        assert_eq!(Duration::from_millis(response.throttle_time_ms as u64), answered.mute);
        assert_eq!(response.error_code, 0);
        if answered.mute.is_zero() {
            assert_eq!(response.responses.len(), 1);
            return (answered.mute, bytes);
        }
        assert!(response.responses.is_empty());
        empty_count += 1;
        (answered.mute, 0)
    };
    lab.assert_held(LIMIT, &mut fetch);
    assert!(empty_count > 10, "{empty_count}");
    // More than all windows' worth is not even looked for.
    lab.limit("consumer_byte_rate", Some(150.0));
    lab.world.clock.advance(Duration::from_secs(20));
    let (response, answered, bytes) = lab.fetch(0);
    assert_eq!((answered.mute, response.responses.len()), (Duration::ZERO, 1));
    assert!((1_000..1_500).contains(&bytes), "{bytes}");
}

#[test]
fn changes_are_refused_or_made_and_paid_for_by_the_version_that_asks() {
    let lab = Lab::new();
    lab.limit("controller_mutation_rate", Some(1.0));
    let create = |version: i16, names: &[&str], partitions: i32| {
        let topic = |name: &&str| {
            CreatableTopic::default()
                .with_name(text(name).into())
                .with_num_partitions(partitions)
                .with_replication_factor(1)
        };
        let topics = names.iter().map(topic).collect();
        let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(1_000);
        let answered = lab.send(ApiKey::CreateTopics, version, &request);
        let told: CreateTopicsResponse = lab.told(ApiKey::CreateTopics, version, &answered);
        assert_eq!(Duration::from_millis(told.throttle_time_ms as u64), answered.mute);
        let codes: Vec<i16> = told.topics.iter().map(|topic| topic.error_code).collect();
        (codes, told.throttle_time_ms)
    };
    let exceeded = ErrorCode::ThrottlingQuotaExceeded.code();
    // Eleven tokens are there. The one that takes more than are left passes whole, the next does not.
    assert_eq!(create(7, &["a", "b", "c"], 8), (vec![0, 0, exceeded], 5_000));
    assert_eq!(create(7, &["a"], 8).0, [ErrorCode::TopicAlreadyExists.code()], "it takes nothing");
    assert_eq!(create(5, &["d"], 2), (vec![0], 7_000));
    lab.world.clock.advance(Duration::from_millis(6_999));
    assert_eq!(create(6, &["e"], 1), (vec![exceeded], 1));
    // A thousandth of a token more than is owed: their sum is not exact.
    lab.world.clock.advance(Duration::from_millis(2));
    assert_eq!(create(6, &["e"], 1), (vec![0], 0));
    let names = vec![text("a").into(), text("b").into()];
    let request = DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(1_000);
    let answered = lab.send(ApiKey::DeleteTopics, 5, &request);
    let told: DeleteTopicsResponse = lab.told(ApiKey::DeleteTopics, 5, &answered);
    let codes: Vec<i16> = told.responses.iter().map(|topic| topic.error_code).collect();
    assert_eq!((codes, told.throttle_time_ms), (vec![exceeded, exceeded], 999));
    lab.limit("controller_mutation_rate", None);
    assert_eq!(create(7, &["f"], 100), (vec![0], 0));
}

/// Time stands in this world while a request is served, and moves while it waits.
#[test]
fn a_request_that_waits_takes_no_time_of_those_who_serve() {
    let lab = Lab::new();
    lab.limit("request_percentage", Some(1e-9));
    let answered = lab.send(ApiKey::Metadata, 12, &MetadataRequest::default());
    let told: MetadataResponse = lab.told(ApiKey::Metadata, 12, &answered);
    assert_eq!((told.brokers.len(), told.throttle_time_ms, answered.mute), (1, 0, Duration::ZERO));
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(1_000);
    let topic = FetchTopic::default().with_topic(text(TOPIC).into()).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_wait_ms(5_000)
        .with_min_bytes(1)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let frame = wire::frame(ApiKey::Fetch, FETCH_VERSION, &request);
    let Admitted::Parked(mut waiting) = lab.dispatch().admit(&lab.connection, frame) else {
        panic!("it waits for records, and lets others in")
    };
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    lab.world.clock.advance(Duration::from_secs(5));
    let Poll::Ready(answer) = waiting.as_mut().poll(&mut context) else { panic!("its time is over") };
    assert!(matches!(answer, Answer::Respond(_)), "it has nothing to rest for");
}
