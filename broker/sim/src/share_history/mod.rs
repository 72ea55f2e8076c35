//! Histories of a share group over the rooms of a whole broker: members, share partitions, share state.
//! Shell. Requests are late, answers are lost, members are slow and die, and the broker breaks between any two steps.
//! Reading order: this file, `book` (what must hold), `member`.
//!
//! When nobody breaks anything any more, a member that accepts all it gets finds every record that is not settled, but
//! for those that were delivered as often as may be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_coordinator::share::SharePartitionKey;
use ottla_env::memory::SeededRng;
use ottla_env::{BoxFuture, Clock};
use ottla_log::ReadLimits;
use ottla_model::{ErrorCode, GroupId, TopicId};
use ottla_network::Handler;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    IncrementalAlterConfigsRequest, ProduceRequest, ProduceResponse, ShareFetchResponse,
};
use ottla_records::BatchBuilder;

use self::book::{Book, Delivered, Fetched};
use self::member::{FETCH_VERSION, Life, Member};
use crate::breaking::Breaking;
use crate::rooms::{End, World, wire as text};
use crate::wire::{Client, Manners, Request, TurnTasks, Wire, decoded};

pub mod book;
mod member;

const TOPIC: &str = "in";
const GROUP: &str = "shared";
const PARTITIONS: i32 = 2;
const MEMBERS: usize = 4;
const DELIVERY_COUNT_LIMIT: i16 = 3;
const LOCK_MS: i64 = 1_500;

/// Locks, sessions and snapshots are short, so that they end within a history.
const SETTINGS: [(&str, &str); 9] = [
    ("group.share.min.record.lock.duration.ms", "1000"),
    ("group.share.record.lock.duration.ms", "1500"),
    ("group.share.delivery.count.limit", "3"),
    ("group.share.min.heartbeat.interval.ms", "500"),
    ("group.share.heartbeat.interval.ms", "500"),
    ("group.share.min.session.timeout.ms", "2000"),
    ("group.share.session.timeout.ms", "4000"),
    ("share.coordinator.state.topic.num.partitions", "2"),
    ("share.coordinator.snapshot.update.records.per.snapshot", "7"),
];

/// What the network does to clients.
const ROUGH: Manners = Manners { late: 30, answer_lost: 30, abandoned_arrives: 500 };
const KIND: Manners = Manners { late: 0, answer_lost: 0, abandoned_arrives: 0 };

pub struct ShareHistory {
    world: World,
    wire: Arc<Wire>,
    clients: Vec<BoxFuture<'static, ()>>,
    pub book: Arc<Book>,
    manners: Manners,
    /// Where share partitions start as it was stored last, and as far as that is on the disk.
    stored_starts: BTreeMap<i32, i64>,
    durable_starts: BTreeMap<i32, i64>,
    pub restarts: usize,
}

impl ShareHistory {
    pub fn new(seed: u64) -> ShareHistory {
        let tasks = TurnTasks::default();
        let world = World::with_settings(seed, Arc::new(tasks.clone()), true, &SETTINGS);
        let rng = Arc::new(SeededRng::new(seed ^ 0x005a_a7e5));
        let book = Arc::new(Book::default());
        let seen_by = book.clone();
        let see = move |wire: &Wire, request: &Request, response: &bytes::Bytes| {
            see(wire, &seen_by, request, response);
        };
        let wire = Wire::seen(rng, world.clock.clone(), tasks, see);
        let mut history = ShareHistory {
            world,
            wire,
            clients: Vec::new(),
            book,
            manners: ROUGH,
            stored_starts: BTreeMap::new(),
            durable_starts: BTreeMap::new(),
            restarts: 0,
        };
        history.make_topics();
        history.start_clients();
        history
    }

    fn make_topics(&mut self) {
        let rooms = self.world.rooms();
        self.world.ask(rooms.groups.ensure_topic()).expect("a healthy disk");
        self.world.ask(rooms.share_state.ensure_topic()).expect("a healthy disk");
        let topic = CreatableTopic::default()
            .with_name(text(TOPIC).into())
            .with_num_partitions(PARTITIONS)
            .with_replication_factor(1);
        self.world.make_topic(topic);
        const GROUP_RESOURCE: i8 = 32;
        let earliest = AlterableConfig::default()
            .with_name(text("share.auto.offset.reset"))
            .with_value(Some(text("earliest")));
        let group = AlterConfigsResource::default()
            .with_resource_type(GROUP_RESOURCE)
            .with_resource_name(text(GROUP))
            .with_configs(vec![earliest]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![group]);
        let made = self.world.ask(rooms.metadata.incremental_alter_configs(request)).expect("a healthy disk");
        assert_eq!(made.responses[0].error_code, 0);
    }

    fn topic_id(&self) -> TopicId {
        self.world.rooms().metadata.image().topic(TOPIC).expect("made").id
    }

    fn key(&self, partition: i32) -> SharePartitionKey {
        SharePartitionKey { group: GroupId::new(GROUP), topic_id: self.topic_id(), partition }
    }

    fn member(&self, name: &str, is_thorough: bool) -> Member {
        Member {
            name: name.to_owned(),
            beats: self.wire.client(self.manners),
            fetches: self.wire.client(self.manners),
            book: self.book.clone(),
            topic_id: self.topic_id().0,
            is_thorough,
            life: Life::default(),
        }
    }

    fn start_clients(&mut self) {
        for number in 0..MEMBERS {
            let member = self.member(&format!("member-{number}"), false);
            self.clients.push(Box::pin(member.live()));
        }
        self.clients.push(Box::pin(produce(self.wire.client(self.manners), self.book.clone())));
    }

    pub fn play(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            match self.wire.rng.below(10_000) {
                0..4 => self.restart(End::Kill),
                4..8 => self.restart(End::PowerLoss),
                8..10 => self.restart(End::Clean),
                10..14 => self.die_slowly(),
                14..18 => self.fail_something(),
                _ => {}
            }
        }
        self.settle();
    }

    /// The broker notices that a connection was cut.
    fn end_connection(&mut self) {
        let Some(ended) = self.wire.next_ended() else { return };
        self.look_on();
        self.book.disconnected(ended.id);
        self.world.rooms().dispatch.on_close(&ended);
    }

    fn end_locks(&mut self) {
        self.look_on();
        self.world.rooms().share_partitions.tick();
    }

    /// Looks at the share partitions, before anything releases what members have.
    fn look_on(&mut self) {
        for partition in 0..PARTITIONS {
            if let Some((start, acquired)) = self.world.rooms().share_partitions.look_on(&self.key(partition))
            {
                self.book.looked_on(partition, start, &acquired);
            }
        }
        if self.world.is_offline() {
            return;
        }
        let state = self.world.rooms().replicas.hosted();
        let state = state.topics().find(|topic| topic.name.as_str() == "__share_group_state");
        let is_flushed = state.iter().flat_map(|topic| topic.partitions.iter()).all(|partition| {
            partition.opened_log().is_none_or(|log| log.flushed_offset() >= log.log_end_offset())
        });
        let now = self.stored_starts();
        no_start_is_before(&now, &self.stored_starts);
        self.stored_starts = now;
        if is_flushed {
            self.durable_starts = self.stored_starts.clone();
        }
    }

    fn stored_starts(&self) -> BTreeMap<i32, i64> {
        let state = &self.world.rooms().share_state;
        let stored = (0..PARTITIONS).filter_map(|partition| {
            let (summary, _) = state.summary(&self.key(partition)).ok()?;
            Some((partition, summary.start_offset))
        });
        stored.collect()
    }

    fn log_ends(&self) -> Vec<i64> {
        let hosted = self.world.rooms().replicas.hosted();
        let ends = (0..PARTITIONS).map(|index| {
            let partition = hosted.partition(TOPIC, index).expect("hosted");
            partition.log().map_or(0, |log| log.log_end_offset().0)
        });
        ends.collect()
    }

    /// Nobody breaks anything any more, and one member takes what is left.
    fn settle(&mut self) {
        self.book.note("everybody is gone".to_owned());
        self.clients.clear();
        self.restart(if self.wire.rng.chance(500) { End::Kill } else { End::PowerLoss });
        self.manners = KIND;
        self.clients.push(Box::pin(self.member("heir", true).live()));
        let logs: Vec<BTreeMap<i64, u64>> = (0..PARTITIONS).map(|index| self.log(index)).collect();
        for (value, (partition, offset)) in self.book.all_produced() {
            let found = logs[partition as usize].get(&offset);
            assert_eq!(found, Some(&value), "what is at {partition}@{offset} when {value} was acknowledged");
        }
        let mut left: Vec<_> = logs
            .iter()
            .zip(0..)
            .flat_map(|(log, index)| log.iter().map(move |(offset, value)| ((index, *offset), *value)))
            .collect();
        for _ in 0..4_000 {
            for _ in 0..50 {
                self.step();
            }
            left.retain(|(place, value)| !self.book.is_done(*place, *value));
            if left.is_empty() {
                return;
            }
        }
        panic!("never delivered again: {left:?}");
    }

    /// All records of a partition.
    fn log(&self, index: i32) -> BTreeMap<i64, u64> {
        let partition = self.world.rooms().replicas.partition(TOPIC, index).expect("hosted");
        let log = partition.log().expect("healthy");
        let (mut next, mut found) = (log.log_start_offset(), BTreeMap::new());
        while next < log.log_end_offset() {
            let limits = ReadLimits { max_bytes: 1 << 20, bound: log.log_end_offset(), min_one_batch: true };
            let slice = log.read(next, limits).expect("readable");
            found.extend(member::values(&slice.read_bytes().expect("readable")));
            next = slice.next_offset;
        }
        found
    }
}

impl Breaking for ShareHistory {
    fn world(&self) -> &World {
        &self.world
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn clients(&mut self) -> &mut Vec<BoxFuture<'static, ()>> {
        &mut self.clients
    }

    fn note(&self, text: String) {
        self.book.note(text);
    }

    fn step(&mut self) {
        match self.wire.rng.below(100) {
            0..28 => drop(self.wire.tasks.poll_one(&self.wire.rng)),
            28..56 => self.poll_client(),
            56..76 => drop(self.wire.deliver_one(&self.world.rooms().dispatch, self.manners.answer_lost)),
            76..88 => drop(self.world.rooms().logs.flush_next()),
            88..95 => self.world.clock.advance(Duration::from_millis(self.wire.rng.below(60))),
            95 => self.end_connection(),
            96 => self.end_locks(),
            97 => self.look_on(),
            98 => self.world.rooms().share_state.runtime.tick(),
            _ => self.world.tick(),
        }
    }

    fn restart(&mut self, end: End) {
        self.book.note(format!("restart: {end:?}"));
        self.restarts += 1;
        let is_healthy = !self.world.is_offline();
        let (ends, starts) = (self.log_ends(), self.stored_starts());
        self.wire.on_crash(end == End::PowerLoss);
        self.world.restart(end);
        self.book.restarted();
        for (index, (before, now)) in ends.into_iter().zip(self.log_ends()).enumerate() {
            self.book.lost(index as i32, now..before);
        }
        let floor = if end == End::PowerLoss || !is_healthy { &self.durable_starts } else { &starts };
        let now = self.stored_starts();
        no_start_is_before(&now, floor);
        self.stored_starts = now;
    }
}

fn no_start_is_before(now: &BTreeMap<i32, i64>, floor: &BTreeMap<i32, i64>) {
    for (partition, start) in floor {
        let now = now.get(partition).copied().unwrap_or(-1);
        assert!(now >= *start, "the start of {partition} was stored as {start} and is {now}");
    }
}

/// The broker answers: what a fetch made somebody's is noted, whether the answer arrives or not.
fn see(wire: &Wire, book: &Book, request: &Request, response: &bytes::Bytes) {
    if request.key != ApiKey::ShareFetch as i16 {
        return;
    }
    let answer: ShareFetchResponse = decoded(ApiKey::ShareFetch, request.version, response.clone());
    assert_eq!(request.version, FETCH_VERSION);
    let fetched = Fetched {
        connection: request.connection,
        number: request.number,
        admitted_at: request.admitted,
        admitted: wire.admitted(),
        now: wire.clock.monotonic(),
    };
    for partition in answer.responses.iter().flat_map(|topic| &topic.partitions) {
        let values = member::values(&partition.records);
        for range in &partition.acquired_records {
            for offset in range.first_offset..=range.last_offset {
                let place = (partition.partition_index, offset);
                let value = *values.get(&offset).expect("what is acquired is in the answer");
                book.delivered(&fetched, &Delivered { place, value, count: range.delivery_count });
            }
        }
    }
}

/// A producer of numbers; what it is not told the end of it does not send again.
async fn produce(mut client: Client, book: Arc<Book>) {
    loop {
        let rng = client.wire.rng.clone();
        let values: Vec<u64> = (0..1 + rng.below(5)).map(|_| book.new_value()).collect();
        let mut batch = BatchBuilder::new();
        for value in &values {
            batch.append(1_700_000_000_000, None, Some(value.to_string().as_bytes()), &[]);
        }
        let partition = rng.below(PARTITIONS as u64) as i32;
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.build()));
        let topic = TopicProduceData::default().with_name(text(TOPIC).into()).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        let answer: Result<ProduceResponse, _> = client.call(ApiKey::Produce, 11, &request).await;
        if let Ok(answer) = answer {
            let data = &answer.responses[0].partition_responses[0];
            if data.error_code == ErrorCode::None.code() {
                for (value, offset) in values.iter().zip(data.base_offset..) {
                    book.produced(*value, (partition, offset));
                }
            }
        }
        client.pause(300).await;
    }
}
