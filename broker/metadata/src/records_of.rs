//! An image written as records again: what a snapshot and the materialised image hold.
//! Core. Replaying what comes out gives an equal image.

use ottla_model::BrokerId;
use ottla_protocol::StrBytes;
use ottla_protocol::records::metadata::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord, TopicRecord,
};

use crate::controller::features::METADATA_VERSION;
use crate::controller::{acls, scram};
use crate::image::{ConfigResource, Image, Overrides, PartitionImage, ResourceType, TopicImage};

/// Everything but topics, the finalized features first as Kafka's snapshots have them.
pub fn records_of_cluster(image: &Image) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    let feature = |name: &str, level: i16| -> MetadataRecord {
        let name = StrBytes::from_string(name.to_owned());
        FeatureLevelRecord { name, feature_level: level, ..FeatureLevelRecord::default() }.into()
    };
    let is_first = |name: &str| name == METADATA_VERSION;
    records
        .extend(image.finalized_features().filter(|(n, _)| is_first(n)).map(|(n, level)| feature(n, level)));
    records
        .extend(image.finalized_features().filter(|(n, _)| !is_first(n)).map(|(n, level)| feature(n, level)));
    records.extend(image.controllers.values().map(|controller| MetadataRecord::from((**controller).clone())));
    records.extend(image.brokers.values().map(|broker| MetadataRecord::from((**broker).clone())));
    for (resource, overrides) in &image.configs {
        records.extend(records_of_overrides(resource, overrides));
    }
    records.extend(image.producer_ids.as_deref().cloned());
    records.extend(image.acls.iter().map(|(id, binding)| acls::record_of(id, binding).into()));
    let credentials = image.scram.iter();
    records.extend(credentials.map(|(name, mechanism, it)| scram::record_of(name, mechanism, it).into()));
    records.extend(image.others.values().map(|record| (**record).clone()));
    records
}

/// A topic with its partitions and settings.
pub fn records_of_topic(topic: &TopicImage) -> Vec<MetadataRecord> {
    let mut records = Vec::with_capacity(1 + topic.partitions.len() + topic.overrides.len());
    let name = StrBytes::from_string(topic.name.as_str().to_owned());
    records.push(TopicRecord { name, topic_id: topic.id.0, ..TopicRecord::default() }.into());
    for (index, partition) in topic.partitions.iter().enumerate() {
        records.push(record_of_partition(topic, index, partition).into());
    }
    let resource = ConfigResource::new(ResourceType::Topic, topic.name.as_str());
    records.extend(records_of_overrides(&resource, &topic.overrides));
    records
}

fn record_of_partition(topic: &TopicImage, index: usize, partition: &PartitionImage) -> PartitionRecord {
    let ids = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect::<Vec<i32>>();
    let some_ids = |given: &[BrokerId]| (!given.is_empty()).then(|| ids(given));
    PartitionRecord {
        partition_id: index as i32,
        topic_id: topic.id.0,
        replicas: ids(&partition.replicas),
        isr: ids(&partition.isr),
        removing_replicas: ids(partition.removing_replicas()),
        adding_replicas: ids(partition.adding_replicas()),
        leader: partition.leader.map_or(-1, |leader| leader.0),
        leader_recovery_state: i8::from(partition.recovering),
        leader_epoch: partition.leader_epoch.0,
        partition_epoch: partition.partition_epoch,
        directories: partition.directories.to_vec(),
        eligible_leader_replicas: some_ids(partition.elr()),
        last_known_elr: some_ids(partition.last_known_elr()),
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
