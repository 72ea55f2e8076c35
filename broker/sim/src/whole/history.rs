//! One history: a cluster is founded, clients work while it is struck, and in the end all is well again.
//! Shell.

use std::cell::Cell;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use ottla_env::memory::sim::{HostId, SimWorld};
use ottla_env::memory::{MemoryDisk, SeededRng};
use ottla_metadata::Image;
use ottla_model::{BrokerId, TopicId};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{CreateTopicsRequest, UpdateFeaturesRequest};
use parking_lot::Mutex;

use super::admin::Admin;
use super::book::Book;
use super::checks::{self, Checks};
use super::client::{Client, code, is_retriable};
use super::committer::Committer;
use super::nemesis::{Nemesis, Spare};
use super::node::Node;
use super::options::{Disks, Options, TOPIC};
use super::producer::Producer;
use super::reader::Reader;
use super::transactor::Transactor;
use crate::rooms::wire;

/// Between two looks at what must always hold.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// So long it takes at the most until a cluster is founded and has its topic.
const FOUNDED_WITHIN: Duration = Duration::from_secs(20);
/// So long after everything was mended all serves.
const SERVES_WITHIN: Duration = Duration::from_secs(40);
/// And so much later all that was acknowledged is read.
const READ_WITHIN: Duration = Duration::from_secs(20);
const FIRST_CLIENT: usize = 100;
const BEFALLEN_TOLD: usize = 60;

/// What became of a history: equal for two runs of one seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    pub options: Options,
    pub trace: (u64, u64),
    pub acked: usize,
    pub read: usize,
    pub committed: usize,
    pub transactions: usize,
    pub deleted: i64,
    pub elections: usize,
    pub leaderships: usize,
    pub compared: usize,
    /// From the moment when all was mended until all served.
    pub healed_ms: u128,
}

struct History {
    options: Options,
    world: SimWorld,
    rng: SeededRng,
    nodes: Vec<Node>,
    nemesis: Nemesis,
    checks: Checks,
    book: Arc<Mutex<Book>>,
    trace: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    has_topic: Arc<AtomicBool>,
    /// Nobody changes the cluster any more.
    is_calm: Arc<AtomicBool>,
    healed_ms: u128,
}

/// Plays a seed; panics with what was found and the last steps before it.
pub fn play(seed: u64) -> Outcome {
    play_kept(seed, false).0
}

/// Two runs of a seed were not the same: plays it twice again, and tells at which turn they part.
pub fn panic_where_two_runs_part(seed: u64) -> ! {
    let (one, other) = (play_kept(seed, true), play_kept(seed, true));
    let (turns, others) = (one.1, other.1);
    let place = turns.iter().zip(&others).position(|(turn, other)| turn != other);
    let place = place.unwrap_or(turns.len().min(others.len()));
    let around = |turns: &[Kept]| {
        let until = turns.len().min(place + 3);
        turns[place.saturating_sub(12)..until]
            .iter()
            .map(|(_, at, name)| format!("  {at:?} {name}\n"))
            .collect::<String>()
    };
    panic!(
        "seed {seed} does not repeat: turns part at {place}:\n{}and\n{}{:?}\n{:?}",
        around(&turns),
        around(&others),
        one.0,
        other.0
    );
}

/// A turn that was kept: the hash up to it, when and whose it was.
type Kept = (u64, Duration, &'static str);

/// The same, with each turn if they are wanted.
fn play_kept(seed: u64, keeps: bool) -> (Outcome, Vec<Kept>) {
    tell_seed_on_abort(seed);
    let mut history = History::new(seed);
    if keeps {
        history.world.keep_trace();
    }
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play()));
    let outcome = history.outcome();
    let (trace, kept) = (std::mem::take(&mut *history.trace.lock()), history.world.kept_trace());
    let state = if played.is_err() { history.state() + &befallen(&trace) } else { String::new() };
    for node in &mut history.nodes {
        node.end(crate::rooms::End::Kill);
    }
    history.world.end();
    if played.is_err() {
        let options = history.options;
        crate::with_trace(seed, played.map_err(|panic| with_options(panic, options, &state)), &trace);
    }
    (outcome, kept)
}

fn with_options(
    panic: Box<dyn std::any::Any + Send>,
    options: Options,
    state: &str,
) -> Box<dyn std::any::Any + Send> {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Box::new(format!("{}\n  {options:?}{state}", text.unwrap_or_default()))
}

/// What went wrong in a history, in short.
fn befallen(trace: &[String]) -> String {
    let notes: Vec<&str> =
        trace.iter().map(String::as_str).filter(|note| !note.contains(" client ")).collect();
    let last = &notes[notes.len().saturating_sub(BEFALLEN_TOLD)..];
    format!("\n  befell:\n    {}\n  last:", last.join("\n    "))
}

thread_local! {
    static PLAYED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A panic of a controller's thread ends the process before a test can say which seed it was.
fn tell_seed_on_abort(seed: u64) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let Some(seed) = PLAYED.get() {
                // Past the capture of the test's output, which an abort would lose.
                let _told = writeln!(std::io::stderr(), "whole cluster, seed {seed}: {panic}");
            }
            before(panic);
        }));
    });
    PLAYED.set(Some(seed));
}

impl History {
    fn new(seed: u64) -> History {
        let rng = SeededRng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x0011_c1a5);
        let options = Options::draw(&rng);
        let world = SimWorld::new(rng.below(u64::MAX));
        let node = |id| {
            let node = Node::new(&world, id, options.config(id), rng.below(u64::MAX));
            world.set_clock_rate(node.host, options.draw_clock(&rng));
            node
        };
        let nodes = (1..=options.nodes).map(node).collect();
        let clients = (0..options.clients()).map(|number| FIRST_CLIENT + number).collect();
        let nemesis = Nemesis::new(&world, SeededRng::new(rng.below(u64::MAX)), options, clients);
        History {
            options,
            world,
            rng,
            nodes,
            nemesis,
            checks: Checks::default(),
            book: Arc::default(),
            trace: Arc::default(),
            is_over: Arc::default(),
            has_topic: Arc::default(),
            is_calm: Arc::default(),
            healed_ms: 0,
        }
    }

    fn outcome(&self) -> Outcome {
        let book = self.book.lock();
        Outcome {
            options: self.options,
            trace: self.world.trace(),
            acked: book.acked_count(),
            read: book.read_count(),
            committed: book.committed_count(),
            transactions: book.transactions.committed(),
            deleted: (0..self.options.partitions).map(|place| book.deleted(place)).sum(),
            elections: self.checks.elections,
            leaderships: self.checks.leaderships,
            compared: self.checks.compared,
            healed_ms: self.healed_ms,
        }
    }

    fn note(&self, text: &str) {
        self.trace.lock().push(format!("{} {text}", self.world.now().as_millis()));
    }

    fn play(&mut self) {
        self.found();
        self.begin_clients();
        let end = self.world.now() + Duration::from_secs(self.options.seconds);
        while self.world.now() < end {
            let calm = Duration::from_millis(20 + self.rng.below(self.options.calm_ms));
            self.go_on(calm);
            let is_complete = self.is_complete();
            let spare = Spare { unsynced: is_complete, disk: is_complete && self.all_vote() };
            let what = self.nemesis.strike(&mut self.nodes, spare);
            self.note(&what);
        }
        self.heal();
        self.finish();
    }

    /// Lets time pass, and looks.
    fn go_on(&mut self, time: Duration) {
        let until = self.world.now() + time;
        while self.world.now() < until {
            let next = (self.world.now() + LOOK_EVERY).min(until);
            self.world.run_until(next);
            let mut notes = Vec::new();
            self.nemesis.tend(&mut self.nodes, &mut notes);
            notes.iter().for_each(|note| self.note(note));
            self.checks.look(&self.nodes, &self.book.lock());
        }
    }

    /// Lets time pass until something is so; panics when it is not in time.
    fn until(&mut self, within: Duration, what: &str, is_so: impl Fn(&History) -> bool) {
        let deadline = self.world.now() + within;
        while !is_so(self) {
            assert!(self.world.now() < deadline, "not within {within:?}: {what}: {}", self.state());
            self.go_on(LOOK_EVERY * 5);
        }
    }

    /// What the nodes think, for whoever looks at what was found.
    fn state(&self) -> String {
        let of = |node: &Node| match node.serving() {
            None => format!("\n  node {}: up {}, does not serve", node.id, node.is_up()),
            Some(serving) => {
                let rooms = serving.rooms();
                let image = rooms.metadata.image();
                let partitions: Vec<String> = image
                    .topic(TOPIC)
                    .map(|topic| topic.partitions.iter().map(|one| format!("{one:?}")).collect())
                    .unwrap_or_default();
                let fenced: Vec<_> =
                    image.brokers().map(|(id, broker)| (id.0, broker.broker_epoch, broker.fenced)).collect();
                format!(
                    "\n  node {}: {:?} at {} brokers {fenced:?}\n    {}",
                    node.id,
                    rooms.metadata.leadership(),
                    image.metadata_offset(),
                    partitions.join("\n    ")
                )
            }
        };
        self.nodes.iter().map(of).collect()
    }

    fn found(&mut self) {
        for place in 0..self.nodes.len() {
            self.nodes[place].start();
            self.go_on(Duration::from_millis(self.rng.below(300)));
        }
        self.until(FOUNDED_WITHIN, "all nodes serve", |history| {
            history.nodes.iter().all(|node| node.serving().is_some())
        });
        let client = self.client(0, FIRST_CLIENT);
        let (partitions, factor) = (self.options.partitions, self.options.nodes.min(3) as i16);
        let is_dynamic = self.options.disks == Disks::Replaceable;
        let has_topic = self.has_topic.clone();
        let tasks = client.env.tasks.clone();
        let create = async move {
            create_topic(&client, partitions, factor).await;
            if is_dynamic {
                upgrade(&client).await;
            }
            has_topic.store(true, Ordering::Relaxed);
        };
        tasks.spawn("admin", Box::pin(create)).detach();
        self.until(FOUNDED_WITHIN, "the topic is there", |history| {
            history.has_topic.load(Ordering::Relaxed) && history.is_complete() && history.all_vote()
        });
        self.note("founded");
    }

    fn client(&self, number: usize, host: usize) -> Client {
        let seed = self.rng.below(u64::MAX);
        let env = self.world.env(HostId(host as u16), Arc::new(MemoryDisk::new()), seed);
        let rng = SeededRng::new(self.rng.below(u64::MAX));
        Client::new(number, env, self.options.nodes, rng, &self.book, &self.trace)
    }

    fn begin_clients(&mut self) {
        let (options, is_over) = (self.options, self.is_over.clone());
        let Options { producers, readers, .. } = options;
        for number in 0..self.options.clients() {
            let client = self.client(number, FIRST_CLIENT + number);
            let (tasks, partitions) = (client.env.tasks.clone(), self.options.partitions);
            let is_over = is_over.clone();
            if number < producers {
                let producer = Producer { client, partitions, is_over };
                tasks.spawn("producer", Box::pin(producer.live())).detach();
            } else if number < producers + readers {
                let is_committed_only = options.reads_committed(number);
                let reader = Reader { client, partitions, is_committed_only };
                tasks.spawn("reader", Box::pin(reader.live())).detach();
            } else if options.committers().contains(&number) {
                tasks.spawn("committer", Box::pin(Committer::new(client).live())).detach();
            } else if options.transactors().contains(&number) {
                let transactor = Transactor::new(client, partitions, is_over);
                tasks.spawn("transactor", Box::pin(transactor.live())).detach();
            } else {
                let admin = Admin { client, options, is_calm: self.is_calm.clone() };
                tasks.spawn("admin", Box::pin(admin.live())).detach();
            }
        }
    }

    /// Whether every node serves, and every partition has all its replicas in sync, as every node knows.
    fn is_complete(&self) -> bool {
        let has_all = |node: &Node| {
            node.serving().is_some_and(|serving| {
                let image = serving.rooms().metadata.image();
                image.topics().flat_map(|topic| topic.partitions.iter()).all(|partition| {
                    let is_moving =
                        !partition.adding_replicas().is_empty() || !partition.removing_replicas().is_empty();
                    partition.leader.is_some()
                        && !is_moving
                        && partition.isr.len() == partition.replicas.len()
                })
            })
        };
        self.nodes.iter().all(has_all)
    }

    /// Whether all nodes vote, with the directories that they have, as every node knows; where that is the log's to say.
    fn all_vote(&self) -> bool {
        let is_voter = |image: &Image, node: &Node| {
            let known = image.voters().and_then(|logged| logged.set.get(BrokerId(node.id as i32)));
            known.map(|voter| TopicId(voter.directory_id).to_string()) == node.directory()
        };
        self.options.disks != Disks::Replaceable
            || self.nodes.iter().all(|node| {
                node.serving().is_some_and(|serving| {
                    let image = serving.rooms().metadata.image();
                    self.nodes.iter().all(|node| is_voter(&image, node))
                })
            })
    }

    fn heal(&mut self) {
        self.is_calm.store(true, Ordering::Relaxed);
        self.nemesis.mend_all(&mut self.nodes);
        self.note("all is mended");
        let begun = self.world.now();
        self.until(SERVES_WITHIN, "after all was mended everything serves", |history| {
            let book = history.book.lock();
            let is_acked = |place| book.is_acked_since(place, begun);
            let is_committed = |client| book.is_committed_since(client, begun);
            history.is_complete()
                && history.all_vote()
                && (history.options.transactors == 0 || book.transactions.is_committed_since(begun))
                && (0..history.options.partitions).all(is_acked)
                && history.options.committers().all(is_committed)
        });
        self.healed_ms = (self.world.now() - begun).as_millis();
    }

    fn finish(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.until(READ_WITHIN, "all that was acknowledged is read", |history| {
            history.book.lock().missing().is_empty()
        });
        self.book.lock().check_order();
        checks::at_the_end(&self.nodes, &self.book.lock());
    }
}

async fn create_topic(client: &Client, partitions: i32, factor: i16) {
    let topic = CreatableTopic::default()
        .with_name(wire(TOPIC).into())
        .with_num_partitions(partitions)
        .with_replication_factor(factor);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(2_000);
    loop {
        if let Ok(answer) = client.call(client.any_node(), &request).await {
            match code(answer.topics[0].error_code) {
                ottla_model::ErrorCode::None | ottla_model::ErrorCode::TopicAlreadyExists => return,
                code => assert!(
                    is_retriable(code) || code == ottla_model::ErrorCode::InvalidReplicationFactor,
                    "the topic is refused: {code}"
                ),
            }
        }
        client.pause(200).await;
    }
}

/// The log says who votes from here on.
async fn upgrade(client: &Client) {
    let update = FeatureUpdateKey::default()
        .with_feature(wire("kraft.version"))
        .with_max_version_level(1)
        .with_upgrade_type(1);
    let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(2_000);
    loop {
        if let Ok(answer) = client.call(client.any_node(), &request).await {
            match code(answer.error_code) {
                ottla_model::ErrorCode::None => return,
                code => client.note(|| format!("the upgrade waits: {code} {:?}", answer.error_message)),
            }
        }
        client.pause(200).await;
    }
}
