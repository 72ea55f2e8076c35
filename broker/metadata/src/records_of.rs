//! An image written as records again: what a snapshot and the materialised image hold.
//! Core. Replaying what comes out gives an equal image.

use ottla_model::{BrokerId, TopicId};
use ottla_protocol::StrBytes;
use ottla_protocol::records::metadata::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord, TopicRecord,
};

use crate::controller::features::{KRAFT_VERSION, METADATA_VERSION};
use crate::controller::{acls, scram};
use crate::image::{
    ConfigResource, Image, Overrides, PartitionImage, RarePartitionFacts, ResourceType, TopicImage,
};

/// Everything but topics, the finalized features first as Kafka's snapshots have them.
pub fn records_of_cluster(image: &Image) -> Vec<MetadataRecord> {
    // Every fact is named, so that one that is added and not written here does not compile.
    let Image {
        // A snapshot's name says these, meta.properties and the configuration the next two.
        offset: _,
        epoch: _,
        cluster_id: _,
        controller_id: _,
        features,
        brokers,
        controllers,
        // `records_of_topic` writes these, one topic at a time.
        topics: _,
        // Replay makes these of the topics and of the producer ids.
        names: _,
        collisions: _,
        partition_count: _,
        next_producer_id: _,
        configs,
        producer_ids,
        acls,
        scram,
        client_quotas,
        tokens,
        // Control records, which are no records of the image.
        voters: _,
    } = image;
    let mut records = Vec::new();
    let feature = |(name, level): (&String, &i16)| -> MetadataRecord {
        let name = StrBytes::from_string(name.clone());
        FeatureLevelRecord { name, feature_level: *level, ..FeatureLevelRecord::default() }.into()
    };
    let is_first = |(name, _): &(&String, &i16)| *name == METADATA_VERSION;
    records.extend(features.iter().filter(is_first).map(feature));
    records.extend(features.iter().filter(|entry| !is_first(entry) && entry.0 != KRAFT_VERSION).map(feature));
    records.extend(controllers.values().map(|controller| MetadataRecord::from((**controller).clone())));
    records.extend(brokers.values().map(|broker| MetadataRecord::from((**broker).clone())));
    for (resource, overrides) in configs {
        records.extend(records_of_overrides(resource, overrides));
    }
    records.extend(producer_ids.as_deref().cloned());
    records.extend(acls.iter().map(|(id, binding)| acls::record_of(id, binding).into()));
    records.extend(scram.iter().map(|(name, mechanism, it)| scram::record_of(name, mechanism, it).into()));
    records.extend(client_quotas.records().map(MetadataRecord::from));
    records.extend(tokens.values().map(|token| MetadataRecord::from((**token).clone())));
    records
}

/// A topic with its partitions and settings.
pub fn records_of_topic(topic: &TopicImage) -> Vec<MetadataRecord> {
    // `internal` follows from the name.
    let TopicImage { name, id, partitions, internal: _, overrides } = topic;
    let mut records = Vec::with_capacity(1 + partitions.len() + overrides.len());
    let record_name = StrBytes::from_string(name.as_str().to_owned());
    records.push(TopicRecord { name: record_name, topic_id: id.0, ..TopicRecord::default() }.into());
    for (index, partition) in partitions.iter().enumerate() {
        records.push(record_of_partition(*id, index, partition).into());
    }
    let resource = ConfigResource::new(ResourceType::Topic, name.as_str());
    records.extend(records_of_overrides(&resource, overrides));
    records
}

fn record_of_partition(topic_id: TopicId, index: usize, partition: &PartitionImage) -> PartitionRecord {
    let PartitionImage {
        leader,
        leader_epoch,
        partition_epoch,
        replicas,
        isr,
        directories,
        recovering,
        rare,
    } = partition;
    let none = RarePartitionFacts::default();
    let RarePartitionFacts { adding_replicas, removing_replicas, elr, last_known_elr } =
        rare.as_deref().unwrap_or(&none);
    let ids = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect::<Vec<i32>>();
    let some_ids = |given: &[BrokerId]| (!given.is_empty()).then(|| ids(given));
    PartitionRecord {
        partition_id: index as i32,
        topic_id: topic_id.0,
        replicas: ids(replicas),
        isr: ids(isr),
        removing_replicas: ids(removing_replicas),
        adding_replicas: ids(adding_replicas),
        leader: leader.map_or(-1, |leader| leader.0),
        leader_recovery_state: i8::from(*recovering),
        leader_epoch: leader_epoch.0,
        partition_epoch: *partition_epoch,
        directories: directories.to_vec(),
        eligible_leader_replicas: some_ids(elr),
        last_known_elr: some_ids(last_known_elr),
        ..PartitionRecord::default()
    }
}

fn records_of_overrides(
    resource: &ConfigResource,
    overrides: &Overrides,
) -> impl Iterator<Item = MetadataRecord> {
    overrides.iter().map(|(name, value)| {
        let record = ConfigRecord {
            resource_type: resource.resource_type.code(),
            resource_name: StrBytes::from_string(resource.name.clone()),
            name: StrBytes::from_string(name.clone()),
            value: Some(StrBytes::from_string(value.clone())),
            ..ConfigRecord::default()
        };
        record.into()
    })
}
