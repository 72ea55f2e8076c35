//! How many partitions the repartition topics have: as many as was asked for, or as what is written to them has.
//! Core. After Kafka's `RepartitionTopics`.

use std::collections::BTreeMap;

use super::{PartitionCounts, Unfit};
use crate::record::streams::{Subtopology, Topology};

pub(super) fn partition_counts(
    topology: &Topology,
    counts: &PartitionCounts<'_>,
) -> Result<BTreeMap<String, i32>, Unfit> {
    let subtopologies = || topology.subtopologies.values();
    let mut decided: BTreeMap<String, i32> = subtopologies()
        .flat_map(|subtopology| &subtopology.repartition_source_topics)
        .filter(|topic| topic.partitions != 0)
        .map(|topic| (topic.name.to_string(), topic.partitions))
        .collect();
    // Each round decides at least one topic, or ends.
    loop {
        let (mut is_incomplete, mut has_progressed) = (false, false);
        for subtopology in subtopologies() {
            for sink in &subtopology.repartition_sink_topics {
                if decided.contains_key(&**sink) {
                    continue;
                }
                match most_partitions(subtopology, &decided, counts) {
                    Some(count) => {
                        decided.insert(sink.to_string(), count);
                        has_progressed = true;
                    }
                    None => is_incomplete = true,
                }
            }
        }
        if !is_incomplete {
            break;
        }
        if !has_progressed {
            return Err(Unfit::Topology(
                "Failed to compute number of partitions for all repartition topics. There may be loops in the topology \
                 that cannot be resolved."
                    .to_owned(),
            ));
        }
    }
    let mut sources = subtopologies().flat_map(|subtopology| &subtopology.repartition_source_topics);
    if sources.any(|topic| !decided.contains_key(&*topic.name)) {
        return Err(Unfit::Topology(
            "Failed to compute number of partitions for all repartition topics, because a repartition source topic is \
             never used as a sink topic."
                .to_owned(),
        ));
    }
    Ok(decided)
}

/// Among what the subtopology reads and is known of.
fn most_partitions(
    subtopology: &Subtopology,
    decided: &BTreeMap<String, i32>,
    counts: &PartitionCounts<'_>,
) -> Option<i32> {
    let repartition =
        subtopology.repartition_source_topics.iter().filter_map(|topic| decided.get(&*topic.name).copied());
    let external = subtopology.source_topics.iter().filter_map(|name| counts.of(name));
    repartition.chain(external).max()
}
