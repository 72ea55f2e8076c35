//! Tests of what topologies need of topics: counts, copartition groups, what is missing.
//! Core.

use std::collections::BTreeMap;

use ottla_model::{ErrorCode, TopicId, TopicName};

use super::{ConfiguredTopology, Status};
use crate::group::modern::GroupError;
use crate::record::streams::{CopartitionGroup, Subtopology, TopicConfig, TopicInfo, Topology};
use crate::topic_lookup::TopicLookup;
use crate::wire::text;

/// Topics by name, with their partition counts.
struct Topics(Vec<(&'static str, i32)>);

impl Topics {
    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| *known == name)
    }
}

impl TopicLookup for Topics {
    fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.place(name).map(|place| TopicId(uuid::Uuid::from_u128(place as u128 + 1)))
    }

    fn topic_name(&self, _id: TopicId) -> Option<TopicName> {
        None
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        self.place(name).is_some_and(|place| partition < self.0[place].1)
    }

    fn partition_count(&self, id: TopicId) -> Option<i32> {
        self.0.get(id.0.as_u128() as usize - 1).map(|(_, count)| *count)
    }

    fn topic_hash(&self, _name: &str) -> i64 {
        0
    }
}

fn info(name: &str, partitions: i32) -> TopicInfo {
    TopicInfo { name: text(name), partitions, ..TopicInfo::default() }
}

fn subtopology(id: &str, sources: &[&str]) -> Subtopology {
    Subtopology {
        subtopology_id: text(id),
        source_topics: sources.iter().map(|name| text(name)).collect(),
        ..Subtopology::default()
    }
}

fn topology(subtopologies: Vec<Subtopology>) -> Topology {
    let by_id = subtopologies.into_iter().map(|one| (one.subtopology_id.to_string(), one)).collect();
    Topology { epoch: 1, subtopologies: by_id }
}

/// `in` is counted by word: a repartition topic, and a changelog behind it.
fn word_count() -> Topology {
    let first = Subtopology { repartition_sink_topics: vec![text("by-word")], ..subtopology("0", &["in"]) };
    let config = TopicConfig { key: text("cleanup.policy"), value: text("compact"), ..Default::default() };
    let changelog = TopicInfo { topic_configs: vec![config], replication_factor: 1, ..info("counts", 0) };
    let second = Subtopology {
        repartition_source_topics: vec![info("by-word", 0)],
        state_changelog_topics: vec![changelog],
        ..subtopology("1", &[])
    };
    topology(vec![first, second])
}

fn problem(configured: Result<ConfiguredTopology, GroupError>) -> Option<Status> {
    configured.unwrap_or_else(|error| panic!("{error:?}")).problem.map(|(status, _)| status)
}

#[test]
fn internal_topics_get_the_partitions_of_what_is_read_and_are_missing_until_they_are_there() {
    let configured = word_count().configure(&Topics(vec![("in", 3)])).unwrap();
    let why = "Internal topics are missing: counts, by-word".to_owned();
    assert_eq!(configured.problem, Some((Status::MissingInternalTopics, why)));
    let counts: Vec<(&str, i32)> = configured
        .missing_topics
        .iter()
        .map(|(name, topic)| (name.as_str(), topic.partition_count))
        .collect();
    assert_eq!(counts, [("by-word", 3), ("counts", 3)]);
    let changelog = &configured.missing_topics["counts"];
    assert_eq!(changelog.configs, [("cleanup.policy".to_owned(), "compact".to_owned())]);
    assert_eq!(
        (changelog.replication_factor, configured.missing_topics["by-word"].replication_factor),
        (Some(1), None)
    );
    let there = Topics(vec![("in", 3), ("by-word", 3), ("counts", 3)]);
    let configured = word_count().configure(&there).unwrap();
    assert!(configured.is_ready() && configured.missing_topics.is_empty());
    let tasks: Vec<i32> = configured.subtopologies.iter().flatten().map(|(_, one)| one.task_count).collect();
    assert_eq!(tasks, [3, 3]);
}

#[test]
fn an_internal_topic_of_another_size_does_not_fit() {
    let there = Topics(vec![("in", 3), ("by-word", 3), ("counts", 2)]);
    let configured = word_count().configure(&there).unwrap();
    let why = "Existing topic counts has different number of partitions: expected 3, found 2".to_owned();
    assert_eq!(configured.problem, Some((Status::IncorrectlyPartitionedTopics, why)));
    assert_eq!(configured.subtopologies, None);
}

#[test]
fn missing_sources_are_told_but_not_all_of_them() {
    let configured =
        topology(vec![subtopology("0", &["e", "d", "c", "b", "a"])]).configure(&Topics(vec![("c", 1)]));
    let why = "Source topics a, b, d and 1 additional topics are missing.".to_owned();
    assert_eq!(configured.unwrap().problem, Some((Status::MissingSourceTopics, why)));
}

#[test]
fn a_count_that_was_asked_for_stands_over_what_is_read() {
    let mut asked = word_count();
    if let Some(second) = asked.subtopologies.get_mut("1") {
        second.repartition_source_topics[0].partitions = 5;
    }
    let configured = asked.configure(&Topics(vec![("in", 3)])).unwrap();
    assert_eq!(configured.missing_topics["by-word"].partition_count, 5);
    assert_eq!(configured.missing_topics["counts"].partition_count, 5);
}

fn joined(sources: &[&str], repartition: Vec<TopicInfo>, writer_reads: &str) -> Topology {
    let sinks = repartition.iter().map(|topic| topic.name.clone()).collect();
    let writer = Subtopology { repartition_sink_topics: sinks, ..subtopology("0", &[writer_reads]) };
    let group = CopartitionGroup {
        source_topics: (0..sources.len() as i16).collect(),
        repartition_source_topics: (0..repartition.len() as i16).collect(),
        ..CopartitionGroup::default()
    };
    let reader = Subtopology {
        repartition_source_topics: repartition,
        copartition_groups: vec![group],
        ..subtopology("1", sources)
    };
    topology(vec![writer, reader])
}

#[test]
fn what_is_joined_has_equally_many_partitions() {
    let topics = Topics(vec![("a", 4), ("b", 4), ("c", 2), ("in", 3)]);
    // A repartition topic is given what the source has beside which it is read.
    let coerced = joined(&["a"], vec![info("r", 0)], "in").configure(&topics).unwrap();
    assert_eq!(coerced.missing_topics["r"].partition_count, 4);
    // One with a count of its own keeps it, and does not fit.
    assert_eq!(
        problem(joined(&["a"], vec![info("r", 3)], "in").configure(&topics)),
        Some(Status::IncorrectlyPartitionedTopics)
    );
    // Sources cannot be changed.
    assert_eq!(problem(joined(&["a", "b"], Vec::new(), "in").configure(&topics)), None);
    let configured = joined(&["a", "c"], Vec::new(), "in").configure(&topics).unwrap();
    let why = "Following topics do not have the same number of partitions: [{a=4, c=2}]".to_owned();
    assert_eq!(configured.problem, Some((Status::IncorrectlyPartitionedTopics, why)));
    // Repartition topics alone: the largest, or what was asked for.
    let flexible = joined(&[], vec![info("r", 0), info("s", 0)], "in").configure(&topics).unwrap();
    assert_eq!(flexible.missing_topics["s"].partition_count, 3);
    let fixed = joined(&[], vec![info("r", 7), info("s", 0)], "in").configure(&topics).unwrap();
    assert_eq!(fixed.missing_topics["s"].partition_count, 7);
    let differ = joined(&[], vec![info("r", 7), info("s", 6)], "in").configure(&topics);
    assert_eq!(problem(differ), Some(Status::IncorrectlyPartitionedTopics));
}

#[test]
fn a_topology_that_can_never_run_is_refused() {
    let refused = |topology: Topology| {
        let configured = topology.configure(&Topics(vec![("in", 3)]));
        configured.map(|_| ()).map_err(|error| (error.code, error.message))
    };
    let says = |outcome: Result<(), (ErrorCode, String)>, what: &str| {
        let (code, message) = outcome.expect_err(what);
        assert!(code == ErrorCode::StreamsInvalidTopology && message.contains(what), "{message}");
    };
    let unwritten =
        Subtopology { repartition_source_topics: vec![info("r", 0)], ..subtopology("0", &["in"]) };
    says(refused(topology(vec![unwritten])), "never used as a sink topic");
    let turn = |id: &str, reads: &str, writes: &str| Subtopology {
        repartition_source_topics: vec![info(reads, 0)],
        repartition_sink_topics: vec![text(writes)],
        ..subtopology(id, &[])
    };
    says(refused(topology(vec![turn("0", "r", "s"), turn("1", "s", "r")])), "loops in the topology");
    says(refused(topology(vec![subtopology("0", &[])])), "No source topics found for subtopology 0");
    let mut outside = joined(&["in"], Vec::new(), "in");
    if let Some(reader) = outside.subtopologies.get_mut("1") {
        reader.copartition_groups[0].source_topics = vec![-1];
    }
    says(refused(outside), "names a topic that is not there");
    let negative = joined(&[], vec![info("r", -2)], "in");
    says(refused(negative), "must be set for topic r");
    assert_eq!(refused(Topology { epoch: 1, subtopologies: BTreeMap::new() }), Ok(()));
}
