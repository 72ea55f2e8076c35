//! What a seed chooses before its history begins.
//! Core.

use std::ops::Range;

use ottla_config::BrokerConfig;
use ottla_env::memory::SeededRng;

pub const TOPIC: &str = "t";
const NODES: usize = 3;
/// One history in five has one of so many.
const NODES_MANY: [u64; 2] = [4, 5];
/// So far a machine's clock may be off, either way.
const CLOCK_MILLIONTHS: u64 = 500;

/// What of a machine's disks may be lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disks {
    /// One, with the vote on it; the vote is the configuration's, and nothing can replace it.
    One,
    /// A second with records alone.
    Two,
    /// One, and the log says who votes: a machine that comes back with an empty one votes under another directory.
    Replaceable,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    pub nodes: usize,
    pub partitions: i32,
    pub producers: usize,
    pub readers: usize,
    pub committers: usize,
    /// One application writes in transactions.
    pub transactors: usize,
    /// Somebody moves replicas, deletes records, and makes and deletes topics.
    pub admins: usize,
    pub disks: Disks,
    /// The machines' clocks run at different speeds.
    pub is_skewed: bool,
    /// Every acknowledgement waits for the leader's device.
    pub is_synced: bool,
    pub session_ms: u64,
    pub lag_ms: u64,
    /// How long clients work while things fail, in seconds.
    pub seconds: u64,
    /// How long it is between two of them at the most.
    pub calm_ms: u64,
}

impl Options {
    pub fn draw(rng: &SeededRng) -> Options {
        let one_of = |choices: &[u64]| choices[rng.below(choices.len() as u64) as usize];
        let transactors = usize::from(rng.chance(500));
        Options {
            nodes: if rng.chance(200) { one_of(&NODES_MANY) as usize } else { NODES },
            partitions: 1 + rng.below(3) as i32,
            producers: 1 + rng.below(3) as usize,
            // The last of them reads what is committed, where somebody commits.
            readers: 1 + transactors.max(rng.below(2) as usize),
            committers: rng.below(3) as usize,
            transactors,
            admins: usize::from(rng.chance(600)),
            disks: [Disks::One, Disks::Two, Disks::Replaceable][rng.below(3) as usize],
            is_skewed: rng.chance(300),
            is_synced: rng.chance(300),
            session_ms: one_of(&[1_500, 3_000, 9_000]),
            lag_ms: one_of(&[500, 2_000, 10_000]),
            seconds: 8 + rng.below(10),
            calm_ms: one_of(&[300, 800, 2_500]),
        }
    }

    pub fn clients(&self) -> usize {
        self.transactors().end + self.admins
    }

    /// The numbers of the clients that commit offsets.
    pub fn committers(&self) -> Range<usize> {
        let first = self.producers + self.readers;
        first..first + self.committers
    }

    pub fn transactors(&self) -> Range<usize> {
        let first = self.committers().end;
        first..first + self.transactors
    }

    /// Whether a client reads what is committed alone.
    pub fn reads_committed(&self, number: usize) -> bool {
        self.transactors > 0 && number + 1 == self.producers + self.readers
    }

    pub fn draw_clock(&self, rng: &SeededRng) -> i32 {
        match self.is_skewed {
            true => rng.below(2 * CLOCK_MILLIONTHS + 1) as i32 - CLOCK_MILLIONTHS as i32,
            false => 0,
        }
    }

    /// The place of the directory, and its device, that a machine may lose.
    pub fn lost_dir(&self) -> Option<usize> {
        match self.disks {
            Disks::One => None,
            Disks::Two => Some(1),
            Disks::Replaceable => Some(0),
        }
    }

    pub fn config(&self, id: usize) -> BrokerConfig {
        let voters: Vec<String> = (1..=self.nodes).map(|id| format!("{id}@10.0.0.{id}:9093")).collect();
        let durability = if self.is_synced { "fsync" } else { "survive-one" };
        let data = format!("/data-{id}");
        let given = [
            ("node.id", id.to_string()),
            ("log.dirs", if self.disks == Disks::Two { format!("{data},{data}-more") } else { data }),
            ("controller.quorum.auto.join.enable", (self.disks == Disks::Replaceable).to_string()),
            // Transactions of an application that is cut off end by themselves.
            ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000".to_owned()),
            ("listeners", format!("PLAINTEXT://10.0.0.{id}:9092,CONTROLLER://10.0.0.{id}:9093")),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("controller.quorum.voters", voters.join(",")),
            ("ottla.http.listener", String::new()),
            ("ottla.durability", durability.to_owned()),
            ("min.insync.replicas", "2".to_owned()),
            ("default.replication.factor", self.nodes.min(3).to_string()),
            ("offsets.topic.num.partitions", "2".to_owned()),
            ("transaction.state.log.num.partitions", "2".to_owned()),
            ("num.recovery.threads.per.data.dir", "1".to_owned()),
            ("broker.session.timeout.ms", self.session_ms.to_string()),
            ("broker.heartbeat.interval.ms", (self.session_ms / 5).to_string()),
            ("replica.lag.time.max.ms", self.lag_ms.to_string()),
        ];
        let given: Vec<(String, String)> =
            given.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        ottla_config::load(None, &[], &given).expect("a valid configuration").0
    }
}
