//! Histories of a consumer group over the rooms of a whole broker, with members of the new and of the classic protocol.
//! Shell. Members are slow, die and come back, topics come and go, requests are late, answers are lost, and the broker
//! breaks between any two steps. Whenever the first or the last member of the new protocol comes or goes, the group
//! changes its protocol. Reading order: this file, `book` (what must hold), `modern`, `classic`, `offsets`.
//!
//! When nobody breaks anything any more, each partition is soon with exactly one of the members that are there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::memory::SeededRng;
use ottla_env::{BoxFuture, Clock};
use ottla_model::ErrorCode;
use ottla_network::Handler;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatResponse, DeleteTopicsRequest, HeartbeatResponse, JoinGroupResponse,
    SyncGroupResponse,
};

use self::book::{Book, Place};
use self::classic::ClassicMember;
use self::modern::ModernMember;
use self::offsets::Positions;
use crate::breaking::Breaking;
use crate::rooms::{End, World, wire as text};
use crate::wire::{Manners, Request, TurnTasks, Wire, decoded};

pub mod book;
mod classic;
mod modern;
mod offsets;

const GROUP: &str = "group";
/// The last of them comes and goes.
const NAMES: [&str; 3] = ["t-0", "t-1", "t-x"];
const PARTITIONS: [i32; 3] = [4, 3, 2];
const PATTERN: &str = "t-.*";
const SLOTS: usize = 4;
const SESSION_MS: i64 = 6_000;
/// Nobody is let go for this: whoever is so slow has no session any more.
const REBALANCE_MS: i32 = 30_000;

const MOOD_SECONDS: u64 = 8;

/// Sessions are short, so that they end within a history.
const SETTINGS: [(&str, &str); 6] = [
    ("group.consumer.min.session.timeout.ms", "2000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.consumer.min.heartbeat.interval.ms", "200"),
    ("group.consumer.heartbeat.interval.ms", "500"),
    ("group.consumer.assignment.interval.ms", "100"),
    ("group.initial.rebalance.delay.ms", "100"),
];

/// What the network does to clients. Nothing arrives of what was given up: an old commit behind a new one would count.
const ROUGH: Manners = Manners { late: 30, answer_lost: 30, abandoned_arrives: 0 };
const KIND: Manners = Manners { late: 0, answer_lost: 0, abandoned_arrives: 0 };

pub struct ConsumerHistory {
    world: World,
    wire: Arc<Wire>,
    clients: Vec<BoxFuture<'static, ()>>,
    pub book: Arc<Book>,
    manners: Manners,
    pub restarts: usize,
}

impl ConsumerHistory {
    pub fn new(seed: u64) -> ConsumerHistory {
        let tasks = TurnTasks::default();
        let world = World::with_settings(seed, Arc::new(tasks.clone()), true, &SETTINGS);
        let rng = Arc::new(SeededRng::new(seed ^ 0x00c0_5e72));
        let book = Arc::new(Book::default());
        let seen_by = book.clone();
        let see = move |wire: &Wire, request: &Request, response: &bytes::Bytes| {
            see(wire, &seen_by, request, response);
        };
        let wire = Wire::seen(rng, world.clock.clone(), tasks, see);
        let mut history =
            ConsumerHistory { world, wire, clients: Vec::new(), book, manners: ROUGH, restarts: 0 };
        let rooms = history.world.rooms();
        history.world.ask(rooms.groups.ensure_topic()).expect("a healthy disk");
        (0..NAMES.len()).for_each(|place| history.create_topic(place));
        for slot in 0..SLOTS {
            let party = Party { wire: history.wire.clone(), book: history.book.clone(), manners: ROUGH };
            history.clients.push(Box::pin(party.take_turns(slot)));
        }
        history
    }

    fn create_topic(&mut self, place: usize) {
        let topic = CreatableTopic::default()
            .with_name(text(NAMES[place]).into())
            .with_num_partitions(PARTITIONS[place])
            .with_replication_factor(1);
        self.world.make_topic(topic);
        self.look_at_topics();
    }

    fn look_at_topics(&mut self) {
        let image = self.world.rooms().metadata.image();
        let topics = NAMES.iter().zip(PARTITIONS).filter_map(|(name, count)| {
            image.topic(name).map(|topic| ((*name).to_owned(), (topic.id.0, count)))
        });
        self.book.topics_are(topics.collect());
    }

    /// The last topic comes or goes.
    fn toggle_topic(&mut self) {
        if self.world.is_offline() {
            return;
        }
        let name = NAMES[2];
        let is_there = self.world.rooms().metadata.image().topic(name).is_some();
        self.book.note(format!("{name} {}", if is_there { "goes" } else { "comes" }));
        if !is_there {
            return self.create_topic(2);
        }
        let request = DeleteTopicsRequest::default().with_topic_names(vec![text(name).into()]);
        let gone = self.world.ask(self.world.rooms().metadata.delete_topics(request));
        assert_eq!(gone.expect("a healthy disk").responses[0].error_code, 0);
        self.look_at_topics();
    }

    pub fn play(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            match self.wire.rng.below(10_000) {
                0..2 => self.restart(End::Kill),
                2..4 => self.restart(End::PowerLoss),
                4 => self.restart(End::Clean),
                5..8 => self.die_slowly(),
                8..10 => self.fail_something(),
                10..20 => self.toggle_topic(),
                _ => {}
            }
        }
        self.settle();
    }

    /// Nobody breaks anything any more: three members, of each kind, share all partitions.
    fn settle(&mut self) {
        self.book.note("everybody is gone".to_owned());
        self.clients.clear();
        self.restart(if self.wire.rng.chance(500) { End::Kill } else { End::PowerLoss });
        self.manners = KIND;
        let heirs: Vec<String> = (0..3).map(|number| format!("heir-{number}")).collect();
        for (number, name) in heirs.iter().enumerate() {
            let party = Party { wire: self.wire.clone(), book: self.book.clone(), manners: KIND };
            let name = name.clone();
            self.clients.push(Box::pin(async move {
                match number {
                    0 => party.modern(name, false, None).live(u64::MAX, true).await,
                    1 => party.modern(name, true, None).live(u64::MAX, true).await,
                    _ => party.classic(name).live(u64::MAX, true).await,
                }
            }));
        }
        let (mut quiet, mut left) = (0, Vec::new());
        for _ in 0..4_000 {
            for _ in 0..50 {
                self.step();
            }
            left = self.book.not_used_once(&heirs);
            quiet = if left.is_empty() { quiet + 1 } else { 0 };
            // Long enough to have looked at each offset.
            if quiet > 150 {
                return;
            }
        }
        panic!("not with exactly one member: {left:?}");
    }
}

impl Breaking for ConsumerHistory {
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
            88..96 => self.world.clock.advance(Duration::from_millis(self.wire.rng.below(90))),
            96 => {
                if let Some(ended) = self.wire.next_ended() {
                    self.world.rooms().dispatch.on_close(&ended);
                }
            }
            _ => self.world.tick(),
        }
    }

    fn restart(&mut self, end: End) {
        self.book.note(format!("restart: {end:?}"));
        self.restarts += 1;
        self.wire.on_crash(end == End::PowerLoss);
        self.world.restart(end);
        self.look_at_topics();
    }
}

/// Where members come from.
struct Party {
    wire: Arc<Wire>,
    book: Arc<Book>,
    manners: Manners,
}

impl Party {
    /// One member after another, of either protocol.
    async fn take_turns(self, slot: usize) {
        let rng = self.wire.rng.clone();
        for number in 0.. {
            let rounds = 3 + rng.below(25);
            // There are times of the one protocol and of the other.
            let is_classic_time = (self.wire.clock.monotonic().0.as_secs() / MOOD_SECONDS).is_multiple_of(2);
            if rng.chance(if is_classic_time { 950 } else { 250 }) {
                self.classic(format!("classic-{slot}-{number}")).live(rounds, false).await;
            } else {
                let instance = rng.chance(300).then(|| format!("instance-{slot}"));
                let name = format!("modern-{slot}-{number}");
                self.modern(name, rng.chance(400), instance).live(rounds, false).await;
            }
            self.wire.client(self.manners).pause(1_500).await;
        }
    }

    fn positions(&self) -> Positions {
        Positions::new(self.wire.client(self.manners), self.book.clone())
    }

    fn modern(&self, name: String, is_by_pattern: bool, instance: Option<String>) -> ModernMember {
        ModernMember {
            name,
            client: self.wire.client(self.manners),
            positions: self.positions(),
            book: self.book.clone(),
            is_by_pattern,
            instance,
            assignor: [None, Some("uniform"), Some("range")][self.wire.rng.below(3) as usize],
            epoch: 0,
            owned: BTreeSet::new(),
            target: None,
            is_full: false,
        }
    }

    fn classic(&self, name: String) -> ClassicMember {
        ClassicMember {
            name,
            client: self.wire.client(self.manners),
            positions: self.positions(),
            book: self.book.clone(),
            member_id: String::new(),
            generation: -1,
            owned: BTreeSet::new(),
        }
    }
}

/// The broker answers: what it gives to whom is noted, whether the answer arrives or not.
fn see(wire: &Wire, book: &Book, request: &Request, response: &bytes::Bytes) {
    let bytes = response.clone();
    let given: Vec<Place> = match request.key {
        key if key == ApiKey::ConsumerGroupHeartbeat as i16 => {
            let answer: ConsumerGroupHeartbeatResponse =
                decoded(ApiKey::ConsumerGroupHeartbeat, request.version, bytes);
            if answer.error_code != 0 || answer.member_epoch < 0 {
                return;
            }
            book.is_consumer_group();
            let topics = answer.assignment.into_iter().flat_map(|assignment| assignment.topic_partitions);
            let places = topics.flat_map(|topic| {
                topic.partitions.into_iter().map(move |partition| (topic.topic_id, partition))
            });
            places.filter(|place| book.name(place.0).is_some()).collect()
        }
        key if key == ApiKey::SyncGroup as i16 => {
            let answer: SyncGroupResponse = decoded(ApiKey::SyncGroup, request.version, bytes);
            if answer.error_code != 0 {
                return;
            }
            book.has_classic_member(request.connection);
            classic::places(book, &answer.assignment)
        }
        key if key == ApiKey::Heartbeat as i16 => {
            let answer: HeartbeatResponse = decoded(ApiKey::Heartbeat, request.version, bytes);
            if ![ErrorCode::None.code(), ErrorCode::RebalanceInProgress.code()].contains(&answer.error_code) {
                return;
            }
            Vec::new()
        }
        key if key == ApiKey::JoinGroup as i16 => {
            let answer: JoinGroupResponse = decoded(ApiKey::JoinGroup, request.version, bytes);
            if answer.error_code == 0 && !answer.members.is_empty() {
                book.is_classic_group(request.connection);
            }
            return;
        }
        _ => return,
    };
    book.renewed(request);
    book.given(request, &given, wire.admitted(), wire.clock.monotonic());
}
