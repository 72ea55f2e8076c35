//! What a node writes when it starts: the facts of a new cluster, itself as a broker, new leader epochs.
//! Core.

use ottla_model::{BrokerId, Offset};
use ottla_protocol::StrBytes;
use ottla_protocol::records::metadata::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::records::metadata::{
    FeatureLevelRecord, MetadataRecord, PartitionChangeRecord, RegisterBrokerRecord,
};
use uuid::Uuid;

use crate::controller::features::{Feature, KRAFT_VERSION};
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

/// Features that this release finalizes and the log does not hold yet: a cluster made by an older
/// release is raised when the node starts, never lowered.
pub(crate) fn feature_upgrades(image: &Image, features: &[Feature]) -> Vec<MetadataRecord> {
    let missing: Vec<Feature> = features
        .iter()
        .filter(|feature| image.feature_level(&feature.name) == 0 && feature.finalized > 0)
        .cloned()
        .collect();
    bootstrap_records(&missing)
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

/// After an unclean stop the end of a partition's log may lie before what a reader has seen: a new
/// leader epoch for each partition this node leads lets clients notice.
pub(crate) fn leader_epoch_bumps(image: &Image, broker_id: BrokerId) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    for topic in image.topics() {
        for (index, partition) in topic.partitions.iter().enumerate() {
            if partition.leader == Some(broker_id) {
                let record = PartitionChangeRecord {
                    partition_id: index as i32,
                    topic_id: topic.id.0,
                    leader: broker_id.0,
                    ..PartitionChangeRecord::default()
                };
                records.push(record.into());
            }
        }
    }
    records
}
