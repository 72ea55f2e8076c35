//! Topics that are joined have equally many partitions; repartition topics are given what the others have.
//! Core. After Kafka's `CopartitionedTopicsEnforcer`.

use std::collections::{BTreeMap, BTreeSet};

use super::{PartitionCounts, Status, Unfit};
use crate::record::streams::{CopartitionGroup, Subtopology, Topology};

pub(super) fn enforce(topology: &Topology, counts: &mut PartitionCounts<'_>) -> Result<(), Unfit> {
    let subtopologies = topology.subtopologies.values();
    let repartition: BTreeMap<&str, bool> = subtopologies
        .clone()
        .flat_map(|subtopology| &subtopology.repartition_source_topics)
        .map(|topic| (&*topic.name, topic.partitions != 0))
        .collect();
    for subtopology in subtopologies {
        for group in &subtopology.copartition_groups {
            let topics = topics_of(subtopology, group)?;
            let decided = enforce_group(&topics, &repartition, counts)?;
            counts.decided.extend(decided);
        }
    }
    Ok(())
}

fn topics_of<'a>(subtopology: &'a Subtopology, group: &CopartitionGroup) -> Result<BTreeSet<&'a str>, Unfit> {
    let unknown = || {
        let id = &subtopology.subtopology_id;
        Unfit::Topology(format!("A copartition group of subtopology {id} names a topic that is not there."))
    };
    let mut topics = BTreeSet::new();
    for place in &group.source_topics {
        let place = usize::try_from(*place).map_err(|_| unknown())?;
        topics.insert(&**subtopology.source_topics.get(place).ok_or_else(unknown)?);
    }
    for place in &group.repartition_source_topics {
        let place = usize::try_from(*place).map_err(|_| unknown())?;
        topics.insert(&*subtopology.repartition_source_topics.get(place).ok_or_else(unknown)?.name);
    }
    Ok(topics)
}

/// The repartition topics of the group with their partition count. `repartition` says of each repartition topic of the
/// topology whether its count was asked for.
fn enforce_group(
    topics: &BTreeSet<&str>,
    repartition: &BTreeMap<&str, bool>,
    counts: &PartitionCounts<'_>,
) -> Result<BTreeMap<String, i32>, Unfit> {
    let (mut internal, mut external) = (BTreeMap::new(), BTreeMap::new());
    for name in topics {
        let list = if repartition.contains_key(name) { &mut internal } else { &mut external };
        list.insert(*name, counts.of_known(name)?);
    }
    let Some(first_external) = external.values().next().copied() else {
        return all_internal(&internal, repartition, counts);
    };
    if external.values().any(|count| *count != first_external) {
        return Err(differ(&external));
    }
    coerce(&internal, repartition, first_external)
}

fn all_internal(
    internal: &BTreeMap<&str, i32>,
    repartition: &BTreeMap<&str, bool>,
    counts: &PartitionCounts<'_>,
) -> Result<BTreeMap<String, i32>, Unfit> {
    let Some(most) = internal.values().copied().max() else { return Ok(BTreeMap::new()) };
    // As Kafka does, all topics of the topology that have a count of their own must agree, not those of this group
    // alone.
    let fixed = repartition.iter().filter(|(_, is_fixed)| **is_fixed).map(|(name, _)| *name);
    let mut count = None;
    for name in fixed {
        let this = counts.of_known(name)?;
        if *count.get_or_insert(this) != this {
            return Err(differ(internal));
        }
    }
    coerce(internal, repartition, count.unwrap_or(most))
}

fn coerce(
    internal: &BTreeMap<&str, i32>,
    repartition: &BTreeMap<&str, bool>,
    count: i32,
) -> Result<BTreeMap<String, i32>, Unfit> {
    for (name, has) in internal {
        if repartition.get(name) == Some(&true) && *has != count {
            let why = format!(
                "Number of partitions [{has}] of repartition topic [{name}] doesn't match number of partitions \
                 [{count}] of the source topic."
            );
            return Err(Unfit::Topics(Status::IncorrectlyPartitionedTopics, why));
        }
    }
    Ok(internal.keys().map(|name| ((*name).to_owned(), count)).collect())
}

fn differ(topics: &BTreeMap<&str, i32>) -> Unfit {
    let list: Vec<String> = topics.iter().map(|(name, count)| format!("{name}={count}")).collect();
    let why =
        format!("Following topics do not have the same number of partitions: [{{{}}}]", list.join(", "));
    Unfit::Topics(Status::IncorrectlyPartitionedTopics, why)
}
