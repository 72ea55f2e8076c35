//! The rooms of one broker as the process opens them, without a network, on a disk that breaks.
//! Shell. The controller keeps its thread; it is asked one thing at a time, so a seed repeats.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use ottla_api::Dispatch;
use ottla_api::groups::Topics;
use ottla_api::loggers::Loggers;
use ottla_config::BrokerConfig;
use ottla_coordinator::transaction::{ProducerIdSource, TransactionCoordinator, TransactionSettings};
use ottla_coordinator::{GroupCoordinator, ShareCoordinator, SharePartitionManager};
use ottla_env::memory::{Faults, FaultyDisk, MemoryClock, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Env, Tasks};
use ottla_log::{LogManager, LogManagerSettings};
use ottla_metadata::{Metadata, Registration};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};
use ottla_replica::ReplicaManager;
use ottla_server::{rooms as server, settings as server_settings};
use prometheus::Registry;

/// Offsets are kept so long by an empty group of a simulated broker.
pub const OFFSETS_RETENTION_MS: u64 = 60 * 60_000;

/// Transactions are looked after by calls of `tick`, not by time.
const TRANSACTION_SETTINGS: TransactionSettings = TransactionSettings {
    timeout_max_ms: 900_000,
    allows_two_phase: false,
    id_expiration_ms: 1 << 40,
    abort_interval_ms: 1_000,
    expiration_interval_ms: 3_600_000,
};

/// How a life of the broker ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Clean,
    Kill,
    PowerLoss,
}

pub struct Rooms {
    pub logs: Arc<LogManager>,
    pub metadata: Arc<Metadata>,
    pub replicas: Arc<ReplicaManager>,
    pub groups: Arc<GroupCoordinator>,
    pub transactions: Arc<TransactionCoordinator>,
    pub share_state: Arc<ShareCoordinator>,
    pub share_partitions: Arc<SharePartitionManager>,
    /// Takes whole requests, as the network hands them over.
    pub dispatch: Dispatch,
    /// As the process opens them.
    pub(crate) all: server::Rooms,
}

/// A broker and the world it lives in.
pub struct World {
    pub rng: SeededRng,
    pub disk: FaultyDisk,
    pub clock: MemoryClock,
    pub config: BrokerConfig,
    tasks: Arc<dyn Tasks>,
    /// Files are synced when `LogManager::flush_next` is called, and not at once.
    flushes_later: bool,
    rooms: Option<Rooms>,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an answer on this thread.
pub fn wait<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Text as the wire's type.
pub fn wire(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

impl World {
    pub fn new(seed: u64) -> World {
        World::with_tasks(seed, Arc::new(ThreadTasks), false)
    }

    pub fn with_tasks(seed: u64, tasks: Arc<dyn Tasks>, flushes_later: bool) -> World {
        World::with_settings(seed, tasks, flushes_later, &[])
    }

    /// With broker settings of the history's own.
    pub fn with_settings(
        seed: u64,
        tasks: Arc<dyn Tasks>,
        flushes_later: bool,
        settings: &[(&str, &str)],
    ) -> World {
        let given = [
            ("node.id", "1"),
            ("offsets.topic.num.partitions", "2"),
            ("transaction.state.log.num.partitions", "2"),
            ("log.dirs", "/data"),
            ("offsets.retention.minutes", "60"),
        ];
        let given: Vec<(String, String)> = given
            .iter()
            .chain(settings)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let (config, _warnings) = ottla_config::load(None, &[], &given).expect("a valid configuration");
        let mut world = World {
            rng: SeededRng::new(seed),
            disk: FaultyDisk::new(seed ^ 0x5eed),
            clock: MemoryClock::new(1_700_000_000_000),
            config,
            tasks,
            flushes_later,
            rooms: None,
        };
        world.open();
        world
    }

    pub fn rooms(&self) -> &Rooms {
        self.rooms.as_ref().expect("open between steps")
    }

    pub fn topics(&self) -> Topics {
        Topics(self.rooms().metadata.image().clone())
    }

    fn open(&mut self) {
        let env = Env {
            clock: Arc::new(self.clock.clone()),
            disk: Arc::new(self.disk.of_process()),
            net: Arc::new(NoNet),
            rng: Arc::new(SeededRng::new(self.rng.below(u64::MAX))),
            tasks: self.tasks.clone(),
        };
        let settings = LogManagerSettings {
            flusher_threads: usize::from(self.flushes_later),
            is_background_on: false,
            recovery_threads: 1,
            reserve_bytes: 4096,
            background_flush_ms: 1_000,
            checkpoint_interval_ms: 2_000,
            ..LogManagerSettings::default()
        };
        let (logs, recovery) = LogManager::open(env.clone(), vec![PathBuf::from("/data")], settings)
            .expect("the directory opens");
        let rooms = server::Rooms::open(server::Opening {
            env: &env,
            config: &self.config,
            logs: &logs,
            was_clean: recovery.dirs.iter().all(|dir| dir.was_clean),
            cluster_id: "AAAAAAAAAAAAAAAAAAAAAQ",
            registration: Registration::default(),
            transactions: TRANSACTION_SETTINGS,
            cluster: None,
            ephemeral: false,
            keeps_metadata: false,
            accept_metadata_loss: false,
            features: server_settings::features(),
            first_users: Vec::new(),
            registry: &Registry::new(),
            loggers: Arc::new(Loggers::none()),
        })
        .expect("the rooms open");
        wait(rooms.loader.until_idle());
        let ids = rooms.producer_ids.clone();
        self.rooms = Some(Rooms {
            logs,
            metadata: rooms.metadata.clone(),
            replicas: rooms.replicas.clone(),
            groups: rooms.groups.clone(),
            transactions: rooms.transactions.clone(),
            share_state: rooms.share_state.clone(),
            share_partitions: rooms.share_partitions.clone(),
            dispatch: Dispatch::new(rooms.broker.clone(), ottla_api::Endpoint::Broker),
            all: rooms,
        });
        if self.flushes_later {
            // From here on nobody waits for the controller's thread, and a seed repeats.
            self.ask(ids.next()).expect("a block of producer ids");
        }
    }

    /// Waits for an answer of the controller, and until it has done what it does behind an answer.
    pub fn ask<R>(&self, answer: impl Future<Output = R>) -> R {
        let answer = wait(answer);
        // Its own outcome says nothing: there is nothing to decide in it.
        drop(wait(self.rooms().metadata.delete_topics(DeleteTopicsRequest::default())));
        answer
    }

    /// Makes a topic, on a healthy disk.
    pub fn make_topic(&self, topic: CreatableTopic) {
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let made = self.ask(self.rooms().metadata.create_topics(request)).expect("a healthy disk");
        assert_eq!(made.topics[0].error_code, 0, "the topic is made");
    }

    /// Ends this life of the broker and begins the next.
    pub fn restart(&mut self, end: End) {
        let rooms = self.rooms.take().expect("open");
        self.disk.set_faults(Faults::default());
        match end {
            End::Clean => {
                rooms.share_partitions.close();
                rooms.share_state.close();
                rooms.transactions.close();
                rooms.groups.close();
                rooms.all.loader.close();
                wait(rooms.metadata.stop());
                rooms.logs.clean_shutdown();
                self.disk.kill();
            }
            End::Kill => self.disk.kill(),
            End::PowerLoss => self.disk.lose_power(),
        }
        if end != End::Clean {
            // The controller's thread ends; the disk takes no more writes of this life.
            wait(rooms.metadata.stop());
        }
        drop(rooms);
        self.open();
    }

    pub fn is_offline(&self) -> bool {
        self.rooms().logs.dirs()[0].offline.is_some()
    }

    /// What the background does without being asked.
    pub fn tick(&self) {
        self.rooms().logs.tick();
        self.rooms().groups.tick();
    }

    /// One of the faults that a disk has.
    pub fn random_faults(&self) -> Faults {
        match self.rng.below(3) {
            0 => Faults { write_is_full: 1000, ..Faults::default() },
            1 => Faults { write_fails: 400, ..Faults::default() },
            _ => Faults { sync_fails: 600, ..Faults::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_broker_has_the_features_of_the_process() {
        let world = World::new(1);
        let image = world.rooms().metadata.image();
        let features = ottla_server::settings::features();
        assert!(features.iter().any(|feature| feature.name == "share.version"));
        for feature in features {
            assert_eq!(image.feature_level(&feature.name), feature.finalized, "{}", feature.name);
        }
    }
}
