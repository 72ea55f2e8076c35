//! What a node writes when it starts: the facts of a new cluster, itself as a broker, new leader epochs.
//! Core.

use ottla_model::{BrokerId, Offset};
use ottla_protocol::StrBytes;
use ottla_protocol::records::metadata::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::records::metadata::{
    FeatureLevelRecord, MetadataRecord, PartitionChangeRecord, RegisterBrokerRecord,
};
use uuid::Uuid;

use crate::controller::features::{Feature, KRAFT_VERSION, METADATA_VERSION};
use crate::image::Image;

/// Where and as what this node serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registration {
    /// Name, host, port and security protocol (0 is PLAINTEXT) of each listener.
    pub endpoints: Vec<(String, String, u16, i16)>,
    pub rack: Option<String>,
    /// The ids of the log directories (`directory.id` in their meta.properties).
    pub log_dirs: Vec<Uuid>,
    /// Random for each start of the process.
    pub incarnation_id: Uuid,
}

/// The first records of a new cluster.
pub(crate) fn bootstrap_records(features: &[Feature]) -> Vec<MetadataRecord> {
    // kraft.version is a control record of the quorum, never a feature record.
    let written = features.iter().filter(|feature| feature.finalized > 0 && feature.name != KRAFT_VERSION);
    let record = |feature: &Feature| {
        let record = FeatureLevelRecord {
            name: StrBytes::from_string(feature.name.clone()),
            feature_level: feature.finalized,
            ..FeatureLevelRecord::default()
        };
        record.into()
    };
    written.map(record).collect()
}

/// What the finalized features must become when a node begins to lead. A new cluster gets its features
/// once, with its first records (Kafka's bootstrap metadata, written by the format step); from then on
/// their levels are the operator's, also one that was lowered to 0. A level that this release does not
/// serve (a log of Apache Kafka may have one) is lowered to what it does: no client may be shown what is
/// not there.
pub(crate) fn feature_changes(image: &Image, features: &[Feature]) -> Vec<MetadataRecord> {
    // Every cluster has a metadata.version: no release can be lowered to 0.
    if image.feature_level(METADATA_VERSION) == 0 {
        return bootstrap_records(features);
    }
    let mut records = Vec::new();
    for (name, level) in image.finalized_features().filter(|(name, _)| *name != KRAFT_VERSION) {
        let served = features.iter().find(|feature| feature.name == name).map_or(0, |feature| feature.max);
        if level > served {
            let name = StrBytes::from_string(name.to_owned());
            records.push(
                FeatureLevelRecord { name, feature_level: served, ..FeatureLevelRecord::default() }.into(),
            );
        }
    }
    records
}

/// This node as a broker that serves; its epoch is the offset of the record.
pub(crate) fn register_broker(
    broker_id: BrokerId,
    registration: &Registration,
    features: &[Feature],
    offset: Offset,
) -> RegisterBrokerRecord {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let endpoint = |(name, host, port, protocol): &(String, String, u16, i16)| BrokerEndpoint {
        name: text(name),
        host: text(host),
        port: *port,
        security_protocol: *protocol,
        ..BrokerEndpoint::default()
    };
    let feature = |feature: &Feature| BrokerFeature {
        name: text(&feature.name),
        min_supported_version: feature.min,
        max_supported_version: feature.max,
        ..BrokerFeature::default()
    };
    RegisterBrokerRecord {
        broker_id: broker_id.0,
        incarnation_id: registration.incarnation_id,
        broker_epoch: offset.0,
        end_points: registration.endpoints.iter().map(endpoint).collect(),
        features: features.iter().map(feature).collect(),
        rack: registration.rack.as_deref().map(text),
        fenced: false,
        log_dirs: registration.log_dirs.clone(),
        ..RegisterBrokerRecord::default()
    }
}

/// The leaderships this node takes when it starts. Partitions without a leader (Kafka leaves them so
/// when its last broker stops) get it if it was in sync. After an unclean stop the end of a log may
/// lie before what a reader has seen: a new leader epoch for each partition that this node leads
/// lets clients notice.
pub(crate) fn leader_changes(image: &Image, broker_id: BrokerId, unclean_stop: bool) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    for topic in image.topics() {
        for (index, partition) in topic.partitions.iter().enumerate() {
            let change = || PartitionChangeRecord {
                partition_id: index as i32,
                topic_id: topic.id.0,
                leader: broker_id.0,
                ..PartitionChangeRecord::default()
            };
            match partition.leader {
                Some(leader) if leader == broker_id && unclean_stop => records.push(change().into()),
                Some(_) => {}
                None if partition.isr.contains(&broker_id) => records.push(change().into()),
                None if partition.isr.is_empty() && partition.elr().contains(&broker_id) => {
                    let isr = Some(vec![broker_id.0]);
                    let others = partition.elr().iter().filter(|id| **id != broker_id);
                    let elr = Some(others.map(|id| id.0).collect());
                    let change = PartitionChangeRecord { isr, eligible_leader_replicas: elr, ..change() };
                    records.push(change.into());
                }
                None => {}
            }
        }
    }
    records
}
