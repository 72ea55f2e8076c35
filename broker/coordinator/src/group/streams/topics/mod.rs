//! What a topology needs of the cluster's topics: its sources, and internal topics with their partition counts.
//! Core. After Kafka's `InternalTopicManager` with `ChangelogTopics`. Reading order: this file, `repartition`,
//! `copartition`.

mod copartition;
mod repartition;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::ErrorCode;

use crate::group::modern::GroupError;
use crate::java_hash;
use crate::record::streams::{Subtopology, TopicInfo, Topology};
use crate::topic_lookup::TopicLookup;

/// What a member is told of its group (Kafka's `StreamsGroupHeartbeatResponse.Status`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    StaleTopology,
    MissingSourceTopics,
    IncorrectlyPartitionedTopics,
    MissingInternalTopics,
    ShutdownApplication,
    AssignmentDelayed,
}

impl Status {
    pub fn code(self) -> i8 {
        match self {
            Status::StaleTopology => 0,
            Status::MissingSourceTopics => 1,
            Status::IncorrectlyPartitionedTopics => 2,
            Status::MissingInternalTopics => 3,
            Status::ShutdownApplication => 4,
            Status::AssignmentDelayed => 5,
        }
    }
}

/// A topic that the application's members write to and read from, and nobody else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InternalTopic {
    pub name: String,
    pub partition_count: i32,
    /// `None` leaves it to the broker.
    pub replication_factor: Option<i16>,
    pub configs: Vec<(String, String)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfiguredSubtopology {
    pub task_count: i32,
    pub source_topics: Vec<String>,
    pub repartition_source_topics: Vec<InternalTopic>,
    pub repartition_sink_topics: Vec<String>,
    pub state_changelog_topics: Vec<InternalTopic>,
}

/// A topology with the topics as they are now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfiguredTopology {
    pub epoch: i32,
    /// `None` where the source topics are not there or do not fit.
    pub subtopologies: Option<BTreeMap<String, ConfiguredSubtopology>>,
    /// By name, what is to be created.
    pub missing_topics: BTreeMap<String, InternalTopic>,
    /// Why nothing can be assigned.
    pub problem: Option<(Status, String)>,
}

impl ConfiguredTopology {
    pub fn is_ready(&self) -> bool {
        self.problem.is_none()
    }
}

/// Why a topology has no configuration.
#[derive(PartialEq, Eq, Debug)]
enum Unfit {
    /// With other topics it has one.
    Topics(Status, String),
    /// It never has.
    Topology(String),
}

/// How many partitions a topic has: as it is, or as was decided.
struct PartitionCounts<'a> {
    topics: &'a dyn TopicLookup,
    decided: BTreeMap<String, i32>,
}

impl PartitionCounts<'_> {
    fn of(&self, name: &str) -> Option<i32> {
        existing(self.topics, name).or_else(|| self.decided.get(name).copied())
    }

    fn of_known(&self, name: &str) -> Result<i32, Unfit> {
        let unknown = || Unfit::Topology(format!("Number of partitions is not set for topic: {name}"));
        self.of(name).ok_or_else(unknown)
    }
}

fn existing(topics: &dyn TopicLookup, name: &str) -> Option<i32> {
    topics.partition_count(topics.topic_id(name)?)
}

impl Topology {
    /// The names of all topics that it needs but those it only writes to.
    pub fn required_topics(&self) -> BTreeSet<&str> {
        self.subtopologies.values().flat_map(required_by).collect()
    }

    /// The configuration; an error for a topology that cannot have one.
    pub fn configure(&self, topics: &dyn TopicLookup) -> Result<ConfiguredTopology, GroupError> {
        match self.fit(topics) {
            Ok(configured) => Ok(configured),
            Err(Unfit::Topics(status, why)) => Ok(ConfiguredTopology {
                epoch: self.epoch,
                subtopologies: None,
                missing_topics: BTreeMap::new(),
                problem: Some((status, why)),
            }),
            Err(Unfit::Topology(message)) => {
                Err(GroupError { code: ErrorCode::StreamsInvalidTopology, message })
            }
        }
    }

    fn fit(&self, topics: &dyn TopicLookup) -> Result<ConfiguredTopology, Unfit> {
        self.check_sources(topics)?;
        let mut counts = PartitionCounts { topics, decided: BTreeMap::new() };
        counts.decided = repartition::partition_counts(self, &counts)?;
        copartition::enforce(self, &mut counts)?;
        let changelogs = self.changelog_counts(&counts)?;
        counts.decided.extend(changelogs);
        let mut subtopologies = BTreeMap::new();
        for (id, subtopology) in &self.subtopologies {
            subtopologies.insert(id.clone(), configured(subtopology, &counts)?);
        }
        let missing_topics = self.missing_topics(&subtopologies, topics)?;
        let problem = (!missing_topics.is_empty()).then(|| {
            let why = format!("Internal topics are missing: {}", summary(self.as_listed(&missing_topics)));
            (Status::MissingInternalTopics, why)
        });
        Ok(ConfiguredTopology {
            epoch: self.epoch,
            subtopologies: Some(subtopologies),
            missing_topics,
            problem,
        })
    }

    /// The names in the order of Kafka's text, which is that of a hash table of all internal topics.
    fn as_listed<'a>(&self, missing: &'a BTreeMap<String, InternalTopic>) -> std::vec::IntoIter<&'a String> {
        let all = self.subtopologies.values().map(|subtopology| {
            subtopology.repartition_source_topics.len() + subtopology.state_changelog_topics.len()
        });
        let mut names: Vec<&String> = missing.keys().collect();
        let capacity = java_hash::grown_capacity(java_hash::DEFAULT_CAPACITY, all.sum());
        java_hash::order_as_listed(&mut names, capacity, |name| java_hash::string_hash(name));
        names.into_iter()
    }

    fn check_sources(&self, topics: &dyn TopicLookup) -> Result<(), Unfit> {
        let sources = self.subtopologies.values().flat_map(|subtopology| &subtopology.source_topics);
        let missing: BTreeSet<&str> =
            sources.map(|name| &**name).filter(|name| existing(topics, name).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let why = format!("Source topics {} are missing.", summary(missing.iter()));
        Err(Unfit::Topics(Status::MissingSourceTopics, why))
    }

    /// A changelog has as many partitions as there are tasks that write to it.
    fn changelog_counts(&self, counts: &PartitionCounts<'_>) -> Result<BTreeMap<String, i32>, Unfit> {
        let mut decided = BTreeMap::new();
        for (id, subtopology) in &self.subtopologies {
            let mut most = None;
            for name in sources_of(subtopology) {
                most = most.max(Some(counts.of_known(name)?));
            }
            let nothing = || Unfit::Topology(format!("No source topics found for subtopology {id}"));
            let count = most.ok_or_else(nothing)?;
            let changelogs = subtopology.state_changelog_topics.iter();
            decided.extend(changelogs.map(|topic| (topic.name.to_string(), count)));
        }
        Ok(decided)
    }

    /// The internal topics that are not there; one that is there must have the partitions it should have.
    fn missing_topics(
        &self,
        subtopologies: &BTreeMap<String, ConfiguredSubtopology>,
        topics: &dyn TopicLookup,
    ) -> Result<BTreeMap<String, InternalTopic>, Unfit> {
        let internal = subtopologies
            .values()
            .flat_map(|one| one.repartition_source_topics.iter().chain(&one.state_changelog_topics));
        let mut missing: BTreeMap<String, InternalTopic> =
            internal.map(|topic| (topic.name.clone(), topic.clone())).collect();
        for name in self.required_topics() {
            let (Some(found), Some(topic)) = (existing(topics, name), missing.get(name)) else { continue };
            let expected = topic.partition_count;
            if found != expected {
                let why = format!(
                    "Existing topic {name} has different number of partitions: expected {expected}, found {found}"
                );
                return Err(Unfit::Topics(Status::IncorrectlyPartitionedTopics, why));
            }
            missing.remove(name);
        }
        Ok(missing)
    }
}

/// What the subtopology reads.
fn sources_of(subtopology: &Subtopology) -> impl Iterator<Item = &str> {
    let repartition = subtopology.repartition_source_topics.iter().map(|topic| &*topic.name);
    subtopology.source_topics.iter().map(|name| &**name).chain(repartition)
}

fn required_by(subtopology: &Subtopology) -> impl Iterator<Item = &str> {
    sources_of(subtopology).chain(subtopology.state_changelog_topics.iter().map(|topic| &*topic.name))
}

fn configured(
    subtopology: &Subtopology,
    counts: &PartitionCounts<'_>,
) -> Result<ConfiguredSubtopology, Unfit> {
    let mut task_count = 0;
    for name in sources_of(subtopology) {
        task_count = task_count.max(counts.of_known(name)?);
    }
    let internal = |topics: &[TopicInfo]| -> Result<Vec<InternalTopic>, Unfit> {
        topics.iter().map(|topic| internal_topic(topic, counts)).collect()
    };
    let names = |names: &[crate::wire::StrBytes]| names.iter().map(|name| name.to_string()).collect();
    Ok(ConfiguredSubtopology {
        task_count,
        source_topics: names(&subtopology.source_topics),
        repartition_source_topics: internal(&subtopology.repartition_source_topics)?,
        repartition_sink_topics: names(&subtopology.repartition_sink_topics),
        state_changelog_topics: internal(&subtopology.state_changelog_topics)?,
    })
}

fn internal_topic(topic: &TopicInfo, counts: &PartitionCounts<'_>) -> Result<InternalTopic, Unfit> {
    let name = topic.name.to_string();
    let decided = match topic.partitions {
        0 => counts.decided.get(&name).copied(),
        set => Some(set),
    };
    let Some(partition_count) = decided.filter(|count| *count > 0) else {
        return Err(Unfit::Topology(format!("Number of partitions must be set for topic {name}")));
    };
    let configs = topic.topic_configs.iter().map(|one| (one.key.to_string(), one.value.to_string()));
    Ok(InternalTopic {
        name,
        partition_count,
        replication_factor: (topic.replication_factor != 0).then_some(topic.replication_factor),
        configs: configs.collect(),
    })
}

/// The first of them, and how many there are besides.
fn summary<T: AsRef<str>>(names: impl ExactSizeIterator<Item = T>) -> String {
    const SHOWN_MAX: usize = 3;
    let count = names.len();
    let shown: Vec<String> = names.take(SHOWN_MAX).map(|name| name.as_ref().to_owned()).collect();
    match count.checked_sub(SHOWN_MAX) {
        Some(more @ 1..) => format!("{} and {more} additional topics", shown.join(", ")),
        _ => shown.join(", "),
    }
}
