//! Whether what a metadata log says can go on here: one node, known features, nothing kept elsewhere.
//! Core.

use std::collections::BTreeSet;

use ottla_metadata::{FolderContents, Image, TopicImage};
use ottla_model::{BrokerId, PartitionIndex, TopicPartition};

use super::refusal::Refusal;

/// The features of Apache Kafka 4.3.1 and their highest levels. Which of them are served is said by
/// `settings::features`; the others are lowered by the first start.
const KNOWN_FEATURES: [(&str, i16, i16); 6] = [
    ("metadata.version", 7, 30),
    ("transaction.version", 0, 2),
    ("group.version", 0, 1),
    ("eligible.leader.replicas.version", 0, 1),
    ("share.version", 0, 1),
    ("streams.version", 0, 1),
];

/// Refuses what could not be served as it was, or would be lost.
pub fn check(contents: &FolderContents, node_id: BrokerId) -> Result<(), Refusal> {
    let image = &contents.image;
    check_nodes(contents, node_id)?;
    for (feature, level) in image.finalized_features() {
        match KNOWN_FEATURES.iter().find(|(name, _, _)| *name == feature) {
            Some((_, min, max)) if (*min..=*max).contains(&level) => {}
            Some((_, min, max)) => {
                let feature = feature.to_owned();
                return Err(Refusal::FeatureLevel { feature, level, min: *min, max: *max });
            }
            None => return Err(Refusal::FeatureUnknown { feature: feature.to_owned(), level }),
        }
    }
    image.topics().try_for_each(|topic| check_topic(topic, node_id))
}

fn check_nodes(contents: &FolderContents, node_id: BrokerId) -> Result<(), Refusal> {
    let image = &contents.image;
    let brokers: BTreeSet<BrokerId> = image.brokers().map(|(id, _)| id).collect();
    let nodes = [
        ("brokers", brokers.clone()),
        ("controllers", image.controllers().collect()),
        ("voters in its quorum", contents.voters.clone()),
    ];
    for (what, ids) in nodes {
        let others: Vec<String> = ids.iter().filter(|id| **id != node_id).map(BrokerId::to_string).collect();
        if !others.is_empty() {
            let others = others.join(", ");
            return Err(Refusal::OtherNodes { what, node_id: node_id.0, others });
        }
    }
    if !contents.voters.contains(&node_id) && !image.controllers().any(|id| id == node_id) {
        return Err(Refusal::NotAController { node_id: node_id.0 });
    }
    if !brokers.contains(&node_id) {
        return Err(Refusal::NotABroker { node_id: node_id.0 });
    }
    Ok(())
}

fn check_topic(topic: &TopicImage, node_id: BrokerId) -> Result<(), Refusal> {
    if topic.overrides.get("remote.storage.enable").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(Refusal::RemoteStorage(topic.name.as_str().to_owned()));
    }
    for (index, partition) in topic.partitions.iter().enumerate() {
        let name = || TopicPartition::new(topic.name.clone(), PartitionIndex(index as i32));
        if partition.replicas.as_slice() != [node_id] {
            let replicas: Vec<String> = partition.replicas.iter().map(BrokerId::to_string).collect();
            let replicas = replicas.join(", ");
            return Err(Refusal::Replicas { partition: name(), replicas, node_id: node_id.0 });
        }
        let may_lead = partition.isr.contains(&node_id)
            || (partition.isr.is_empty() && partition.elr().contains(&node_id));
        if !may_lead {
            return Err(Refusal::NoLeader(name()));
        }
    }
    Ok(())
}

/// Finalized features that are above what is served: name, level, level here.
pub fn lowered(image: &Image, served: impl Fn(&str) -> i16) -> Vec<(String, i16, i16)> {
    image
        .finalized_features()
        .map(|(name, level)| (name.to_owned(), level, served(name)))
        .filter(|(_, level, here)| level > here)
        .collect()
}
