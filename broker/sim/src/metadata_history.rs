//! Histories of the metadata log on a disk that breaks between append, sync and publication.
//! Shell. The room's thread is asked for one thing at a time, so a seed repeats.
//!
//! The rule: what listeners were shown is there after every end of the process; what was not answered is
//! there or not, and whole. No start takes a crash for damage. Whoever reads the log's bytes as a follower
//! does has the image that the controller published.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_env::memory::{Faults, FaultyDisk, MemoryClock, NoNet, SeededRng, ThreadTasks};
use ottla_env::{Disk, Env};
use ottla_log::{LogManager, LogManagerSettings};
use ottla_metadata::controller::features::{Feature, METADATA_VERSION};
use ottla_metadata::{
    Delta, Image, ImageListener, Metadata, MetadataOptions, OpenError, OperationError, Registration,
    read_folder,
};
use ottla_model::{BrokerId, LeaderEpoch};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, UpdateFeaturesRequest,
};
use parking_lot::Mutex;

use crate::rooms::{End, wait, wire};

const DIR: &str = "/data";
const CLUSTER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";
const FEATURE: &str = "group.version";
const NAMES: u64 = 6;

/// What a history looks at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Facts {
    /// Partitions by topic.
    topics: BTreeMap<String, usize>,
    level: i16,
    next_producer_id: i64,
}

impl Facts {
    fn of(image: &Image) -> Facts {
        let topics = image.topics().map(|topic| (topic.name.as_str().to_owned(), topic.partitions.len()));
        Facts {
            topics: topics.collect(),
            level: image.feature_level(FEATURE),
            next_producer_id: image.next_producer_id(),
        }
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Create(name, partitions) => {
                self.topics.entry(name.clone()).or_insert(*partitions);
            }
            Change::Delete(name) => drop(self.topics.remove(name)),
            Change::Grow(name, partitions) => {
                if let Some(known) = self.topics.get_mut(name) {
                    *known = (*known).max(*partitions);
                }
            }
            Change::Level(level) => self.level = *level,
            Change::ProducerIds => self.next_producer_id += 1000,
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Create(String, usize),
    Delete(String),
    Grow(String, usize),
    Level(i16),
    ProducerIds,
}

async fn ask(metadata: &Metadata, change: &Change) -> Result<(), OperationError> {
    match change {
        Change::Create(name, partitions) => {
            let topic = CreatableTopic::default()
                .with_name(wire(name).into())
                .with_num_partitions(*partitions as i32)
                .with_replication_factor(1);
            metadata.create_topics(CreateTopicsRequest::default().with_topics(vec![topic])).await.map(drop)
        }
        Change::Delete(name) => {
            let names = DeleteTopicsRequest::default().with_topic_names(vec![wire(name).into()]);
            metadata.delete_topics(names).await.map(drop)
        }
        Change::Grow(name, partitions) => {
            let topic = CreatePartitionsTopic::default()
                .with_name(wire(name).into())
                .with_count(*partitions as i32)
                .with_assignments(None);
            metadata
                .create_partitions(CreatePartitionsRequest::default().with_topics(vec![topic]))
                .await
                .map(drop)
        }
        Change::Level(level) => {
            let update = FeatureUpdateKey::default()
                .with_feature(wire(FEATURE))
                .with_max_version_level(*level)
                .with_upgrade_type(if *level == 0 { 2 } else { 1 });
            let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]);
            metadata.update_features(request).await.map(drop)
        }
        Change::ProducerIds => metadata.allocate_producer_ids().await.map(drop),
    }
}

/// Hears what is published.
#[derive(Default)]
struct Published(Mutex<Option<Arc<Image>>>);

impl ImageListener for Published {
    fn on_image(&self, _: &Delta, image: &Arc<Image>) {
        let before = self.0.lock().replace(image.clone());
        if let Some(before) = before {
            assert!(before.metadata_offset() < image.metadata_offset(), "an image that is not newer");
        }
    }
}

/// A life of the process.
struct Life {
    logs: Arc<LogManager>,
    metadata: Arc<Metadata>,
    published: Arc<Published>,
}

pub struct MetadataHistory {
    rng: SeededRng,
    disk: FaultyDisk,
    clock: MemoryClock,
    life: Option<Life>,
    /// What listeners were shown last.
    shown: Facts,
    /// What was asked for since and not answered, in order.
    unanswered: Vec<Change>,
    /// The last epoch in which a change was answered.
    answered_epoch: LeaderEpoch,
    pub trace: Vec<String>,
}

impl MetadataHistory {
    pub fn new(seed: u64) -> MetadataHistory {
        let disk = FaultyDisk::new(seed ^ 0x5eed);
        disk.create_dir_all(Path::new(DIR)).expect("a folder");
        disk.sync_dir(Path::new("/")).expect("a durable folder");
        MetadataHistory {
            rng: SeededRng::new(seed),
            disk,
            clock: MemoryClock::new(1_700_000_000_000),
            life: None,
            shown: Facts::default(),
            unanswered: Vec::new(),
            answered_epoch: LeaderEpoch(0),
            trace: Vec::new(),
        }
    }

    pub fn play(&mut self, steps: usize) {
        self.start();
        for _ in 0..steps {
            self.clock.advance(Duration::from_millis(self.rng.below(500)));
            match self.rng.below(100) {
                0..80 => {
                    if self.rng.below(8) == 0 {
                        self.break_soon();
                    }
                    self.change();
                }
                80..84 => self.restart(End::Clean),
                84..91 => self.restart(End::Kill),
                _ => self.restart(End::PowerLoss),
            }
        }
        self.restart(End::PowerLoss);
    }

    /// The process dies within the next writes and syncs, or one of them fails.
    fn break_soon(&mut self) {
        if self.rng.below(3) == 0 {
            let faults = Faults { sync_fails: 400, write_fails: 200, ..Faults::default() };
            self.disk.set_faults(faults);
        } else {
            let left = self.rng.below(9);
            self.trace.push(format!("dies after {left} more writes"));
            self.disk.die_after(left);
        }
    }

    fn change(&mut self) {
        let change = self.draw();
        self.ask_for(vec![change]);
    }

    fn draw(&mut self) -> Change {
        let name = format!("t{}", self.rng.below(NAMES));
        match self.rng.below(20) {
            0..9 => Change::Create(name, 1 + self.rng.below(40) as usize),
            9..12 => Change::Delete(name),
            12..15 => Change::Grow(name, 1 + self.rng.below(60) as usize),
            15..17 => Change::Level(self.rng.below(2) as i16),
            _ => Change::ProducerIds,
        }
    }

    fn ask_for(&mut self, changes: Vec<Change>) {
        let Some(life) = &self.life else { return };
        for change in changes {
            let answer = wait(ask(&life.metadata, &change));
            self.trace.push(format!("{change:?}: {answer:?}"));
            // Its answer says that all that goes on behind an answer has been done.
            drop(wait(ask(&life.metadata, &Change::Delete("not there".to_owned()))));
            let seen = life.published.0.lock().clone().expect("an image");
            let facts = Facts::of(&seen);
            match answer {
                Ok(()) => {
                    let mut expected = self.shown.clone();
                    expected.apply(&change);
                    assert_eq!(facts, expected, "answered, and not what was published");
                    if facts != self.shown {
                        self.answered_epoch = seen.leader_epoch();
                    }
                    self.shown = facts;
                }
                Err(_) => {
                    assert_eq!(facts, self.shown, "published, and not committed");
                    self.unanswered.push(change);
                }
            }
        }
        self.check_follower();
    }

    /// A follower reads the same bytes. Not while the disk fails: what it took may be more than was published.
    fn check_follower(&self) {
        let Some(life) = self.life.as_ref().filter(|_| self.unanswered.is_empty()) else { return };
        let folder = Path::new(DIR).join("__cluster_metadata-0");
        let read = read_folder(&self.disk, &folder, CLUSTER, BrokerId(1)).expect("a whole folder");
        assert_eq!(read.image, **life.metadata.image(), "a follower has another image");
    }

    /// Ends this life and begins the next.
    pub fn restart(&mut self, end: End) {
        self.trace.push(format!("{end:?}"));
        if let Some(life) = self.life.take() {
            match end {
                End::Clean if self.unanswered.is_empty() => {
                    self.disk.set_faults(Faults::default());
                    wait(life.metadata.stop());
                    life.logs.clean_shutdown();
                }
                End::Clean | End::Kill => self.disk.kill(),
                End::PowerLoss => self.disk.lose_power(),
            }
            // What still runs writes to files that are dead.
            wait(life.metadata.stop());
        }
        self.disk.set_faults(Faults::default());
        self.disk.kill();
        self.start();
    }

    fn start(&mut self) {
        for attempt in 0.. {
            if attempt < 2 && self.rng.below(6) == 0 {
                let left = self.rng.below(12);
                self.trace.push(format!("the start dies after {left} writes"));
                self.disk.die_after(left);
            }
            match self.open() {
                Ok(life) => {
                    self.life = Some(life);
                    break;
                }
                Err(why) => {
                    self.trace.push(format!("no start: {why}"));
                    assert!(attempt < 2, "a start failed on a disk that works: {why}");
                }
            }
            if self.rng.below(2) == 0 { self.disk.kill() } else { self.disk.lose_power() }
        }
        self.check_start();
    }

    fn open(&mut self) -> Result<Life, String> {
        let env = Env {
            clock: Arc::new(self.clock.clone()),
            disk: Arc::new(self.disk.of_process()),
            net: Arc::new(NoNet),
            rng: Arc::new(SeededRng::new(self.rng.below(u64::MAX))),
            tasks: Arc::new(ThreadTasks),
        };
        let settings = LogManagerSettings {
            flusher_threads: 0,
            is_background_on: false,
            recovery_threads: 1,
            reserve_bytes: 4096,
            ..LogManagerSettings::default()
        };
        let (logs, recovery) = LogManager::open(env.clone(), vec![PathBuf::from(DIR)], settings)
            .map_err(|error| error.to_string())?;
        let feature =
            |name: &str, min, max, finalized| Feature { name: name.to_owned(), min, max, finalized };
        let options = MetadataOptions {
            logs: Some(logs.clone()),
            cluster_id: CLUSTER.to_owned(),
            config: BrokerConfig::defaults(),
            features: vec![feature(METADATA_VERSION, 7, 30, 30), feature(FEATURE, 0, 1, 0)],
            first_users: Vec::new(),
            sync: true,
            unclean_stop: recovery.dirs.iter().any(|dir| !dir.was_clean),
            accept_loss: false,
            quorum: None,
        };
        let metadata = Metadata::open(&env, options).map_err(|error| {
            assert!(!matches!(error, OpenError::Damaged { .. }), "a crash is taken for damage: {error}");
            error.to_string()
        })?;
        let published = Arc::new(Published::default());
        metadata.subscribe(published.clone());
        metadata.start(&Registration::default()).map_err(|error| error.to_string())?;
        Ok(Life { logs, metadata, published })
    }

    /// What was shown is there, with a beginning of what was not answered.
    fn check_start(&mut self) {
        let life = self.life.as_ref().expect("it has started");
        let image = life.metadata.image().clone();
        let found = Facts::of(&image);
        self.trace.push(format!("started in epoch {} with {found:?}", image.leader_epoch()));
        let mut possible = vec![self.shown.clone()];
        for change in self.unanswered.drain(..) {
            let mut next = possible.last().expect("one at least").clone();
            next.apply(&change);
            possible.push(next);
        }
        assert!(possible.contains(&found), "found {found:?}, possible are {possible:?}");
        assert!(image.leader_epoch() > self.answered_epoch, "an epoch that has answered began again");
        assert_eq!(image.feature_level(METADATA_VERSION), 30);
        self.shown = found;
        self.check_follower();
    }
}
