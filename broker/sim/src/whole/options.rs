//! What a seed chooses before its history begins.
//! Core.

use ottla_config::BrokerConfig;
use ottla_env::memory::SeededRng;

pub const TOPIC: &str = "t";
const NODES: usize = 3;
/// One history in ten has so many.
const NODES_MANY: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    pub nodes: usize,
    pub partitions: i32,
    pub producers: usize,
    pub readers: usize,
    pub committers: usize,
    /// Every acknowledgement waits for the device: any number of machines may lose power at once.
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
        Options {
            nodes: if rng.chance(100) { NODES_MANY } else { NODES },
            partitions: 1 + rng.below(3) as i32,
            producers: 1 + rng.below(3) as usize,
            readers: 1 + rng.below(2) as usize,
            committers: rng.below(3) as usize,
            is_synced: rng.chance(300),
            session_ms: one_of(&[1_500, 3_000, 9_000]),
            lag_ms: one_of(&[500, 2_000, 10_000]),
            seconds: 8 + rng.below(10),
            calm_ms: one_of(&[300, 800, 2_500]),
        }
    }

    pub fn clients(&self) -> usize {
        self.producers + self.readers + self.committers
    }

    /// The numbers of the clients that commit offsets.
    pub fn committers(&self) -> std::ops::Range<usize> {
        self.producers + self.readers..self.clients()
    }

    pub fn config(&self, id: usize) -> BrokerConfig {
        let voters: Vec<String> = (1..=self.nodes).map(|id| format!("{id}@10.0.0.{id}:9093")).collect();
        let durability = if self.is_synced { "fsync" } else { "survive-one" };
        let given = [
            ("node.id", id.to_string()),
            ("log.dirs", format!("/data-{id}")),
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
