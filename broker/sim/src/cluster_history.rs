//! Histories of a broker's topics, configs and records on a disk that breaks, against a plain model.
//! Shell.
//!
//! The rule: a change that was answered is in force and stays; one that was refused has not happened;
//! one whose answer says that the disk failed is there or not after the next start, and whole. Records
//! that were acknowledged are read back as they were written; those of a deleted topic never again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Clock;
use ottla_env::memory::Faults;
use ottla_log::{AppendError, AppendOrigin, ReadLimits};
use ottla_metadata::{CommitError, OperationError, TopicImage};
use ottla_model::{Offset, TopicId};
use ottla_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
};
use ottla_records::{BatchBuilder, batches};
use ottla_replica::{Acks, AppendRefused, Partition, Unavailable};

use crate::rooms::{End, World, wait, wire};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A topic as the controller knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Facts {
    /// Of a creation whose answer never came it is not known.
    id: Option<TopicId>,
    partitions: usize,
    max_message_bytes: Option<String>,
}

/// The records of a partition: one a batch.
#[derive(Clone, Default, Debug)]
struct Records {
    values: Vec<u64>,
    /// So many were acknowledged.
    acknowledged: usize,
    log_start: usize,
    /// Its append failed: there or not after a restart.
    uncertain: Option<u64>,
}

pub struct ClusterHistory {
    world: World,
    /// What is in force.
    topics: BTreeMap<&'static str, Facts>,
    /// What the next start may find instead.
    instead: BTreeMap<&'static str, Vec<Option<Facts>>>,
    records: BTreeMap<(TopicId, usize), Records>,
    next_value: u64,
    pub trace: Vec<String>,
}

/// What became of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Done,
    Refused,
    /// It may be on the disk all the same.
    Unknown,
}

fn outcome(answer: Result<i16, OperationError>) -> Outcome {
    match answer {
        Ok(0) => Outcome::Done,
        Ok(_) | Err(OperationError::Refused(_) | OperationError::Stopping) => Outcome::Refused,
        Err(OperationError::Commit(CommitError::Poisoned(_))) => Outcome::Unknown,
        Err(OperationError::Commit(_)) => Outcome::Refused,
    }
}

impl ClusterHistory {
    pub fn new(seed: u64) -> ClusterHistory {
        ClusterHistory {
            world: World::new(seed),
            topics: BTreeMap::new(),
            instead: BTreeMap::new(),
            records: BTreeMap::new(),
            next_value: 0,
            trace: Vec::new(),
        }
    }

    pub fn play(&mut self, steps: usize) {
        for _ in 0..steps {
            self.world.clock.advance(Duration::from_millis(self.world.rng.below(2_000)));
            match self.world.rng.below(100) {
                0..50 => self.step(),
                50..75 => self.produce(),
                75..80 => self.world.tick(),
                80..84 => self.restart(End::Clean),
                84..88 => self.restart(End::Kill),
                88..94 => self.restart(End::PowerLoss),
                _ => self.fail_something(),
            }
        }
        self.check();
    }

    fn step(&mut self) {
        match self.world.rng.below(100) {
            0..25 => self.create_topic(),
            25..35 => self.delete_topic(),
            35..45 => self.create_partitions(),
            45..55 => self.alter_config(),
            55..90 => self.produce(),
            _ => self.delete_records(),
        }
    }

    fn note(&mut self, text: String) {
        self.trace.push(text);
    }

    fn any_name(&self) -> &'static str {
        NAMES[self.world.rng.below(NAMES.len() as u64) as usize]
    }

    fn create_topic(&mut self) {
        let name = self.any_name();
        let partitions = 1 + self.world.rng.below(3) as usize;
        let max = self.world.rng.chance(300).then(|| (1_000 + self.world.rng.below(1_000)).to_string());
        let configs = max.iter().map(|max| {
            CreatableTopicConfig::default().with_name(wire("max.message.bytes")).with_value(Some(wire(max)))
        });
        let topic = CreatableTopic::default()
            .with_name(wire(name).into())
            .with_num_partitions(partitions as i32)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let answer = self.world.ask(self.world.rooms().metadata.create_topics(request));
        let id = answer.as_ref().ok().map(|answer| TopicId(answer.topics[0].topic_id));
        let outcome = outcome(answer.map(|answer| answer.topics[0].error_code));
        self.note(format!("create {name} of {partitions} with {max:?}: {outcome:?}"));
        if outcome != Outcome::Refused {
            assert!(!self.topics.contains_key(name), "a topic is created once");
        }
        self.decided(name, outcome, Some(Facts { id, partitions, max_message_bytes: max }));
    }

    fn delete_topic(&mut self) {
        let name = self.any_name();
        let request = DeleteTopicsRequest::default().with_topic_names(vec![wire(name).into()]);
        let answer = self.world.ask(self.world.rooms().metadata.delete_topics(request));
        let outcome = outcome(answer.map(|answer| answer.responses[0].error_code));
        self.note(format!("delete {name}: {outcome:?}"));
        self.decided(name, outcome, None);
    }

    fn create_partitions(&mut self) {
        let name = self.any_name();
        let Some(mut facts) = self.topics.get(name).cloned() else { return };
        facts.partitions += 1;
        let topic =
            CreatePartitionsTopic::default().with_name(wire(name).into()).with_count(facts.partitions as i32);
        let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
        let answer = self.world.ask(self.world.rooms().metadata.create_partitions(request));
        let outcome = outcome(answer.map(|answer| answer.results[0].error_code));
        self.note(format!("grow {name} to {}: {outcome:?}", facts.partitions));
        self.decided(name, outcome, Some(facts));
    }

    fn alter_config(&mut self) {
        let name = self.any_name();
        let Some(mut facts) = self.topics.get(name).cloned() else { return };
        let max = (1_000 + self.world.rng.below(1_000)).to_string();
        let config =
            AlterableConfig::default().with_name(wire("max.message.bytes")).with_value(Some(wire(&max)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(wire(name))
            .with_configs(vec![config]);
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.world.ask(self.world.rooms().metadata.alter_configs(request));
        let outcome = outcome(answer.map(|answer| answer.responses[0].error_code));
        self.note(format!("max.message.bytes of {name} is {max}: {outcome:?}"));
        facts.max_message_bytes = Some(max);
        self.decided(name, outcome, Some(facts));
    }

    fn decided(&mut self, name: &'static str, outcome: Outcome, facts: Option<Facts>) {
        match (outcome, facts) {
            (Outcome::Refused, _) => {}
            (Outcome::Unknown, facts) => self.instead.entry(name).or_default().push(facts),
            (Outcome::Done, Some(facts)) => drop(self.topics.insert(name, facts)),
            (Outcome::Done, None) => drop(self.topics.remove(name)),
        }
        self.check_topics();
    }

    fn any_partition(&self) -> Option<(&'static str, (TopicId, usize), Arc<Partition>)> {
        let name = self.any_name();
        let facts = self.topics.get(name)?;
        let index = self.world.rng.below(facts.partitions as u64) as usize;
        let partition =
            self.world.rooms().replicas.partition(name, index as i32).expect("an answered topic is hosted");
        Some((name, (facts.id.expect("in force"), index), partition))
    }

    fn produce(&mut self) {
        let Some((name, key, partition)) = self.any_partition() else { return };
        let value = self.next_value;
        self.next_value += 1;
        let mut batch = BatchBuilder::new();
        let padding = self.world.rng.below(100) as usize;
        batch.append(
            self.world.clock.wall_ms(),
            None,
            Some(format!("{value} {:padding$}", "").as_bytes()),
            &[],
        );
        let is_acks_all = self.world.rng.chance(500);
        let acks = if is_acks_all { Acks::All } else { Acks::Leader };
        let appended =
            partition.append(batch.build(), AppendOrigin::Client, acks, self.world.clock.wall_ms());
        let records = self.records.entry(key).or_default();
        let pending = match appended {
            Ok(appended) => {
                assert_eq!(appended.info.base_offset.0, records.values.len() as i64, "the next offset");
                records.values.push(value);
                appended.pending
            }
            Err(AppendRefused::Log(AppendError::NoSpace(_))) => {
                return self.note(format!("produce to {name}: no space"));
            }
            Err(
                AppendRefused::Log(AppendError::Storage(_))
                | AppendRefused::Unavailable(Unavailable::Storage),
            ) => {
                records.uncertain.get_or_insert(value);
                return self.note(format!("produce {value} to {name}: the disk failed"));
            }
            Err(error) => panic!("a good batch is refused: {error}"),
        };
        let is_acknowledged =
            is_acks_all && pending.is_none_or(|pending| wait(pending.acknowledged()).is_ok());
        if is_acknowledged {
            records.acknowledged = records.values.len();
        }
        self.note(format!("produce {value} to {name}-{}: {is_acknowledged}", key.1));
    }

    fn delete_records(&mut self) {
        let Some((name, key, partition)) = self.any_partition() else { return };
        let Ok(log) = partition.log() else { return };
        let records = self.records.entry(key).or_default();
        let left = records.values.len() - records.log_start;
        let before = records.log_start + self.world.rng.below(left as u64 + 1) as usize;
        if log.delete_records(Offset(before as i64)).is_ok() {
            records.log_start = before;
            self.note(format!("delete records of {name}-{} before {before}", key.1));
        }
    }

    fn fail_something(&mut self) {
        let faults = self.world.random_faults();
        self.note(format!("faults {faults:?}"));
        self.world.disk.set_faults(faults);
        for _ in 0..self.world.rng.below(6) {
            self.step();
        }
        self.world.disk.set_faults(Faults::default());
        self.note("faults end".to_owned());
        if self.world.is_offline() {
            self.restart(if self.world.rng.chance(700) { End::PowerLoss } else { End::Kill });
        } else {
            self.check();
        }
    }

    fn restart(&mut self, end: End) {
        self.note(format!("restart: {end:?}"));
        if end == End::Clean {
            for records in self.records.values_mut() {
                records.acknowledged = records.values.len();
            }
        }
        self.world.restart(end);
        let image = self.world.rooms().metadata.image().clone();
        for (name, candidates) in std::mem::take(&mut self.instead) {
            let found = image.topic(name).map(found);
            let known = self.topics.get(name).cloned();
            let is_found = |facts: &Option<Facts>| match (facts, &found) {
                (Some(facts), Some(found)) => {
                    let id = facts.id.or(found.id);
                    Facts { id, ..facts.clone() } == *found
                }
                (None, None) => true,
                _ => false,
            };
            assert!(
                is_found(&known) || candidates.iter().any(is_found),
                "{name} is neither as it was nor as it was to be: {found:?}, not {known:?} or {candidates:?}"
            );
            match found {
                Some(facts) => drop(self.topics.insert(name, facts)),
                None => drop(self.topics.remove(name)),
            }
        }
        self.check_topics();
        self.find_records(end);
        self.check();
    }

    /// Takes over what of the unacknowledged records is there.
    fn find_records(&mut self, end: End) {
        for (name, facts) in &self.topics {
            for index in 0..facts.partitions {
                let partition =
                    self.world.rooms().replicas.partition(name, index as i32).expect("it is hosted");
                let log = partition.log().expect("a healthy directory");
                let found = log.log_end_offset().0 as usize;
                let records = self.records.entry((facts.id.expect("in force"), index)).or_default();
                assert!(
                    found >= records.acknowledged,
                    "{name}-{index}: acknowledged records are lost: {found} of {}",
                    records.acknowledged
                );
                let uncertain = records.uncertain.take();
                if found > records.values.len() {
                    let Some(value) = uncertain else {
                        panic!("{name}-{index}: nobody wrote what was found: {found} records");
                    };
                    records.values.push(value);
                    assert_eq!(found, records.values.len());
                } else if end == End::Kill && uncertain.is_none() {
                    assert_eq!(found, records.values.len(), "a killed process loses nothing written");
                }
                records.values.truncate(found);
                records.log_start = records.log_start.min(found);
            }
        }
    }

    fn check_topics(&self) {
        let image = self.world.rooms().metadata.image().clone();
        for name in NAMES {
            let found = image.topic(name).map(found);
            assert_eq!(found.as_ref(), self.topics.get(name), "{name} as the image has it");
            let hosted = self.world.rooms().replicas.hosted().by_name(name).cloned();
            let hosted = hosted.map(|hosted| (hosted.partitions.len(), hosted.config().max_message_bytes));
            let expected = self.topics.get(name).map(|facts| {
                let default = 1_048_588;
                let max =
                    facts.max_message_bytes.as_ref().map_or(default, |max| max.parse().expect("a number"));
                (facts.partitions, max)
            });
            assert_eq!(hosted, expected, "{name} as it is hosted");
        }
    }

    fn check(&self) {
        self.check_topics();
        for (name, facts) in &self.topics {
            for index in 0..facts.partitions {
                let partition =
                    self.world.rooms().replicas.partition(name, index as i32).expect("it is hosted");
                let empty = Records::default();
                let records = self.records.get(&(facts.id.expect("in force"), index)).unwrap_or(&empty);
                let read = read_all(&partition, records.log_start);
                assert_eq!(read, records.values[records.log_start..], "{name}-{index} is read back");
            }
        }
    }
}

fn found(topic: &Arc<TopicImage>) -> Facts {
    Facts {
        id: Some(topic.id),
        partitions: topic.partitions.len(),
        max_message_bytes: topic.overrides.get("max.message.bytes").cloned(),
    }
}

fn read_all(partition: &Partition, from: usize) -> Vec<u64> {
    let log = partition.log().expect("a healthy directory");
    assert_eq!(log.log_start_offset().0 as usize, from, "{}: where the log begins", partition.name);
    let (mut next, mut values) = (Offset(from as i64), Vec::new());
    while next < log.log_end_offset() {
        let limits = ReadLimits { max_bytes: 1_000, bound: log.log_end_offset(), min_one_batch: true };
        let slice = log.read(next, limits).expect("readable");
        for batch in batches(&slice.read_bytes().expect("readable")) {
            let batch = batch.expect("whole batches are served");
            batch.verify_checksum().expect("nothing wrong is served");
            let mut scratch = Vec::new();
            for record in batch.records(&mut scratch).expect("opens") {
                let text = record.expect("a record").value.unwrap_or_default().to_vec();
                let text = String::from_utf8(text).expect("text");
                values.push(text.split(' ').next().unwrap_or_default().parse().expect("a number"));
            }
            next = batch.header().next_offset();
        }
    }
    values
}
