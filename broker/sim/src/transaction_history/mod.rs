//! Histories of transactions over the rooms of a whole broker: coordinator, partitions, groups and fetches.
//! Shell. Requests are late, answers are lost, there are zombies, and crashes between any two steps.
//!
//! The rule: of each transaction all outputs and the offsets count, or nothing. A commit that was
//! acknowledged counts; what was not asked to be committed never does. Every input is counted once. When
//! nobody does anything any more, nothing holds a reader back.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ottla_env::memory::SeededRng;
use ottla_env::{BoxFuture, Clock};
use ottla_log::AppendOrigin;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_records::BatchBuilder;
use ottla_replica::Acks;
use parking_lot::Mutex;

use self::book::{Book, Output};
use self::check::Durable;
pub use self::processor::Generation;
use self::processor::Processor;
use crate::breaking::Breaking;
use crate::rooms::{End, World, wire as text};
use crate::wire::{Client, Manners, TurnTasks, Wire};

pub mod book;
mod check;
mod fetch;
mod processor;

const IN: &str = "in";
const OUT: &str = "out";
const OUT_PARTITIONS: i32 = 3;
/// Inputs of each application.
const INPUTS: i64 = 60;
const TIMEOUT_MS: i32 = 3_000;
/// One application of the first generation, two of the second.
pub const APPS: [Generation; 3] = [Generation::First, Generation::Second, Generation::Second];

/// What the network does to a client of the second generation.
const ROUGH: Manners = Manners { late: 60, answer_lost: 40, abandoned_arrives: 600 };

/// What happens to the broker and its clients.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub manners: Manners,
    pub breaks: bool,
    /// Two clients have the same transactional id.
    pub has_zombies: bool,
    /// Nothing of the first generation's arrives in a transaction after its own. With `false` that
    /// generation shows its weakness.
    pub forgets_abandoned: bool,
}

impl Weather {
    pub const STORM: Weather =
        Weather { manners: ROUGH, breaks: true, has_zombies: true, forgets_abandoned: true };
    /// A broker that never breaks, and a network that delays.
    pub const DELAYS: Weather = Weather {
        manners: Manners { late: 200, answer_lost: 20, abandoned_arrives: 900 },
        breaks: false,
        has_zombies: false,
        forgets_abandoned: false,
    };
}

pub struct TransactionHistory {
    world: World,
    wire: Arc<Wire>,
    clients: Vec<BoxFuture<'static, ()>>,
    pub book: Arc<Book>,
    durable: Durable,
    weather: Weather,
    apps: Vec<Generation>,
    pub restarts: usize,
}

impl TransactionHistory {
    pub fn new(seed: u64) -> TransactionHistory {
        TransactionHistory::with(seed, Weather::STORM, &APPS)
    }

    pub fn with(seed: u64, weather: Weather, apps: &[Generation]) -> TransactionHistory {
        let tasks = TurnTasks::default();
        let world = World::with_tasks(seed, Arc::new(tasks.clone()), true);
        let rng = Arc::new(SeededRng::new(seed ^ 0x7a_5ac7));
        let wire = Arc::new(Wire::new(rng, world.clock.clone(), tasks));
        let mut history = TransactionHistory {
            world,
            wire,
            clients: Vec::new(),
            book: Arc::default(),
            durable: Durable::default(),
            weather,
            apps: apps.to_vec(),
            restarts: 0,
        };
        history.make_topics();
        history.start_clients();
        history
    }

    fn make_topics(&mut self) {
        let rooms = self.world.rooms();
        self.world.ask(rooms.groups.ensure_topic()).expect("a healthy disk");
        self.world.ask(rooms.transactions.ensure_topic()).expect("a healthy disk");
        for (name, partitions) in [(IN, self.apps.len() as i32), (OUT, OUT_PARTITIONS)] {
            // Segments are rolled by time, and snapshots of the producers with them.
            let roll =
                CreatableTopicConfig::default().with_name(text("segment.ms")).with_value(Some(text("4000")));
            let topic = CreatableTopic::default()
                .with_name(text(name).into())
                .with_num_partitions(partitions)
                .with_configs(vec![roll])
                .with_replication_factor(1);
            self.world.make_topic(topic);
        }
        for app in 0..self.apps.len() {
            let partition = rooms.replicas.partition(IN, app as i32).expect("hosted");
            let mut batch = BatchBuilder::new();
            for input in 0..INPUTS {
                batch.append(self.world.clock.wall_ms(), None, Some(input.to_string().as_bytes()), &[]);
            }
            partition
                .append(batch.build(), AppendOrigin::Client, Acks::Leader, self.world.clock.wall_ms())
                .expect("a healthy disk");
            partition.log().expect("opens").flush().expect("a healthy disk");
        }
    }

    fn start_clients(&mut self) {
        for (app, generation) in self.apps.iter().copied().enumerate() {
            for instance in ['a', 'b'].into_iter().take(1 + usize::from(self.weather.has_zombies)) {
                let processor = Processor {
                    app,
                    instance,
                    generation,
                    client: self.wire.client(self.weather.manners),
                    book: self.book.clone(),
                    sequences: Default::default(),
                    forgets_abandoned: self.weather.forgets_abandoned && generation == Generation::First,
                };
                self.clients.push(Box::pin(processor.live()));
            }
        }
        self.clients.push(Box::pin(read(self.wire.client(self.weather.manners), self.book.clone())));
    }

    pub fn play(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            if self.weather.breaks {
                self.break_something();
            }
        }
        self.settle();
        self.check_completions();
        check::everything(&self.world, &self.book, self.apps.len());
    }

    /// What happened, and what the logs hold at the end of it.
    pub fn trace(&self) -> Vec<String> {
        let mut lines = self.book.trace();
        lines.extend(check::describe(&self.world));
        lines
    }

    fn break_something(&mut self) {
        match self.wire.rng.below(10_000) {
            0..4 => self.restart(End::Kill),
            4..8 => self.restart(End::PowerLoss),
            8..10 => self.restart(End::Clean),
            10..16 => self.die_slowly(),
            16..20 => self.fail_something(),
            20..35 => self.check_completions(),
            _ => {}
        }
    }

    fn check_completions(&mut self) {
        self.durable.note(&self.world);
        check::completed_have_markers(&self.world, &self.durable);
    }

    /// No client any more: what is open is aborted in time, and everything comes to its end.
    fn settle(&mut self) {
        self.book.note("the clients are gone".to_owned());
        self.clients.clear();
        if self.wire.rng.chance(300) {
            self.restart(End::Kill);
        }
        for round in 0..200 {
            self.world.clock.advance(Duration::from_millis(100));
            self.world.rooms().transactions.tick();
            for _ in 0..40 {
                self.step();
            }
            let is_quiet = self.wire.tasks.count() == 0 && self.wire.is_quiet();
            if round > 100 && is_quiet && !self.world.rooms().logs.flush_next() {
                return;
            }
        }
        panic!("a transaction was never completed: {} tasks are left", self.wire.tasks.count());
    }
}

impl Breaking for TransactionHistory {
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
            0..30 => drop(self.wire.tasks.poll_one(&self.wire.rng)),
            30..60 => self.poll_client(),
            60..78 => {
                let lost = self.weather.manners.answer_lost;
                let _was_there = self.wire.deliver_one(&self.world.rooms().dispatch, lost);
            }
            78..92 => drop(self.world.rooms().logs.flush_next()),
            92..98 => self.world.clock.advance(Duration::from_millis(self.wire.rng.below(60))),
            98 => self.world.rooms().transactions.tick(),
            _ => self.world.tick(),
        }
    }

    fn restart(&mut self, end: End) {
        self.book.note(format!("restart: {end:?}"));
        self.restarts += 1;
        self.durable.note(&self.world);
        self.wire.on_crash(end == End::PowerLoss);
        self.world.restart(end);
        self.durable.check(&self.world);
        check::completed_have_markers(&self.world, &self.durable);
        check::producers_are_those_of_the_records(&self.world);
    }

    fn end_of_slow_death(&self) -> End {
        if self.wire.rng.chance(500) { End::Kill } else { End::PowerLoss }
    }

    fn end_of_failed_disk(&self) -> End {
        if self.wire.rng.chance(700) { End::PowerLoss } else { End::Kill }
    }

    /// Clients end.
    fn poll_client(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let place = self.wire.rng.below(self.clients.len() as u64) as usize;
        let mut context = Context::from_waker(Waker::noop());
        if self.clients[place].as_mut().poll(&mut context).is_ready() {
            drop(self.clients.remove(place));
        }
    }
}

/// A consumer of committed records.
async fn read(mut client: Client, book: Arc<Book>) {
    let positions = Mutex::new([0; OUT_PARTITIONS as usize]);
    let mut losses = 0;
    loop {
        let partition = client.wire.rng.below(OUT_PARTITIONS as u64) as usize;
        if losses != client.wire.losses() {
            // What it saw of unsynced markers may be gone, and offsets be given out again.
            losses = client.wire.losses();
            *positions.lock() = [0; OUT_PARTITIONS as usize];
        }
        let from = positions.lock()[partition];
        let fetched = fetch::one(&mut client, OUT, partition as i32, from, true).await;
        if let Some(fetched) = fetched
            && losses == client.wire.losses()
        {
            for (offset, value) in &fetched.records {
                book.saw(partition as i32, *offset, Output::parse(value));
            }
            positions.lock()[partition] = fetched.next_offset;
        }
        client.pause(300).await;
    }
}
