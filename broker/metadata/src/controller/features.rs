//! UpdateFeatures.
//! Core.

use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use ottla_protocol::messages::update_features_response::UpdateFeaturesResponse;
use ottla_protocol::records::metadata::{ConfigRecord, FeatureLevelRecord, MetadataRecord};

use crate::controller::{ApiError, Decision, Rules};
use crate::image::{Image, ResourceType};

pub const METADATA_VERSION: &str = "metadata.version";
/// The first metadata.version (4.3-IV0) with cordoned directories.
pub const CORDONED_LOG_DIRS: i16 = 30;
pub const KRAFT_VERSION: &str = "kraft.version";
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";
const MIN_ISR: &str = "min.insync.replicas";

/// What this broker knows of a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    pub name: String,
    pub min: i16,
    pub max: i16,
    /// The level written into a new cluster; 0 leaves it off.
    pub finalized: i16,
}

/// All updates are made or none.
pub fn decide_update_features(
    image: &Image,
    rules: &Rules,
    request: &UpdateFeaturesRequest,
) -> Decision<UpdateFeaturesResponse> {
    let mut records = Vec::new();
    for update in &request.feature_updates {
        match decide_feature(image, rules, &update.feature, update.max_version_level, update.upgrade_type) {
            Ok(record) => records.extend(record),
            Err(error) => {
                let text = format!(
                    "The update failed for all features since the following feature had an error: {}",
                    error.message.as_deref().unwrap_or_default()
                );
                return Decision::answer(
                    UpdateFeaturesResponse::default()
                        .with_error_code(error.code())
                        .with_error_message(Some(StrBytes::from_string(text))),
                );
            }
        }
    }
    let turns_elr_on = |update: &FeatureUpdateKey| {
        update.feature.as_str() == ELIGIBLE_LEADER_REPLICAS && update.max_version_level > 0
    };
    if request.feature_updates.iter().any(turns_elr_on) {
        records.splice(0..0, one_min_isr(image, rules));
    }
    if request.validate_only {
        records.clear();
    }
    Decision { records, response: UpdateFeaturesResponse::default().with_error_message(None) }
}

/// Eligible leader replicas need one `min.insync.replicas` that all nodes agree on (KAFKA-16540,
/// `ConfigurationControlManager.maybeGenerateElrSafetyRecords`).
pub(crate) fn one_min_isr(image: &Image, rules: &Rules) -> Vec<MetadataRecord> {
    let record = |name: &str, value: Option<String>| {
        let record = ConfigRecord {
            resource_type: ResourceType::Broker.code(),
            resource_name: StrBytes::from_string(name.to_owned()),
            name: StrBytes::from_static_str(MIN_ISR),
            value: value.map(StrBytes::from_string),
            ..ConfigRecord::default()
        };
        MetadataRecord::from(record)
    };
    let mut records = Vec::new();
    if !image.broker_dynamic(None).contains_key(MIN_ISR) {
        records.push(record("", Some(rules.default_min_isr().to_string())));
    }
    let of_brokers = image.configured_resources().filter(|(resource, overrides)| {
        resource.resource_type == ResourceType::Broker
            && !resource.name.is_empty()
            && overrides.contains_key(MIN_ISR)
    });
    records.extend(of_brokers.map(|(resource, _)| record(&resource.name, None)));
    records
}

fn decide_feature(
    image: &Image,
    rules: &Rules,
    name: &str,
    level: i16,
    upgrade_type: i8,
) -> Result<Option<MetadataRecord>, ApiError> {
    let refuse = |text: &str| {
        let text = format!("Invalid update version {level} for feature {name}. {text}");
        Err(ApiError::new(ErrorCode::InvalidUpdateVersion, text))
    };
    let (upgrade, safe_downgrade, unsafe_downgrade) = (1, 2, 3);
    if ![upgrade, safe_downgrade, unsafe_downgrade].contains(&upgrade_type) {
        return refuse("The controller does not support the given upgrade type.");
    }
    if level < 0 {
        return refuse("A feature version cannot be less than 0.");
    }
    if let Some(reason) = not_supported(rules, name, level) {
        return refuse(&reason);
    }
    let current = image.feature_level(name);
    if level < current && upgrade_type == upgrade {
        return refuse(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or \
             unsafe downgrade.",
        );
    }
    if level > current && upgrade_type != upgrade {
        return refuse("Can't downgrade to a newer version.");
    }
    if name == METADATA_VERSION && level < current {
        let reason = match upgrade_type == unsafe_downgrade {
            true => "Unsafe metadata downgrade is not supported in this version.",
            false => {
                "Refusing to perform the requested downgrade because it might delete metadata information."
            }
        };
        let text = format!("Unsupported metadata.version downgrade from {current} to {level}. {reason}");
        return Err(ApiError::new(ErrorCode::InvalidUpdateVersion, text));
    }
    if name == KRAFT_VERSION {
        // The quorum's version is no record of the image. The quorum has raised it before this (`voter_changes.rs`).
        return match level {
            _ if level == current || (level > current && (!rules.is_alone() || rules.may_be_joined())) => {
                Ok(None)
            }
            _ if level < current => {
                let text = format!(
                    "Invalid upgrade of {name} from version {current} to {level} because the new version is a downgrade"
                );
                Err(ApiError::new(ErrorCode::InvalidUpdateVersion, text))
            }
            _ => refuse("The quorum has a static set of voters."),
        };
    }
    let record = FeatureLevelRecord {
        name: StrBytes::from_string(name.to_owned()),
        feature_level: level,
        ..FeatureLevelRecord::default()
    };
    Ok(Some(record.into()))
}

/// Kafka's words for a level out of reach, here and on every registered broker.
fn not_supported(rules: &Rules, name: &str, level: i16) -> Option<String> {
    let BrokerId(node_id) = rules.node_id;
    let feature = rules.features.iter().find(|feature| feature.name == name);
    let (min, max) = feature.map_or((0, 0), |feature| (feature.min, feature.max));
    if (min..=max).contains(&level) {
        return None;
    }
    Some(match max {
        0 => format!("Local controller {node_id} does not support this feature."),
        _ if min == max => format!("Local controller {node_id} only supports versions {min}"),
        _ => format!("Local controller {node_id} only supports versions {min}-{max}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::registration::bootstrap_records;
    use crate::controller::testing::{Cluster, IntoStr, features};

    fn ask(cluster: &mut Cluster, name: &str, level: i16, upgrade_type: i8) -> (i16, String) {
        let update = FeatureUpdateKey::default()
            .with_feature(name.into_str())
            .with_max_version_level(level)
            .with_upgrade_type(upgrade_type);
        let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]);
        let decision = decide_update_features(cluster.image(), &cluster.rules, &request);
        cluster.apply(decision.records);
        let text = decision.response.error_message.map(|text| text.as_str().to_owned());
        (decision.response.error_code, text.unwrap_or_default())
    }

    #[test]
    fn a_level_rises_falls_and_stays_within_what_is_served() {
        let mut cluster = Cluster::of(&[1]);
        cluster.apply(bootstrap_records(&features()));
        let finalized: Vec<(String, i16)> =
            cluster.image().finalized_features().map(|(name, level)| (name.to_owned(), level)).collect();
        assert_eq!(finalized, [("metadata.version".to_owned(), 30)]);
        assert_eq!(ask(&mut cluster, "group.version", 1, 1).0, 0);
        assert_eq!(cluster.image().feature_level("group.version"), 1);
        let (code, text) = ask(&mut cluster, "group.version", 0, 1);
        assert_eq!(code, 95);
        assert!(text.ends_with("either safe or unsafe downgrade."), "{text}");
        assert_eq!(ask(&mut cluster, "group.version", 0, 2).0, 0);
        let (code, text) = ask(&mut cluster, "group.version", 2, 1);
        assert_eq!(code, 95);
        assert_eq!(
            text,
            "The update failed for all features since the following feature had an error: Invalid update version \
             2 for feature group.version. Local controller 1 only supports versions 0-1"
        );
        let (code, text) = ask(&mut cluster, "no.such", 1, 1);
        assert_eq!((code, text.ends_with("Local controller 1 does not support this feature.")), (95, true));
        assert_eq!(ask(&mut cluster, "metadata.version", 20, 3).0, 95);
    }

    #[test]
    fn eligible_leader_replicas_bring_one_minimum_for_all_brokers() {
        let mut cluster = Cluster::configured(&[1], &[("min.insync.replicas", "2")]);
        cluster.apply(bootstrap_records(&features()));
        let own = ConfigRecord {
            resource_type: ResourceType::Broker.code(),
            resource_name: "1".into_str(),
            name: MIN_ISR.into_str(),
            value: Some("3".into_str()),
            ..ConfigRecord::default()
        };
        cluster.apply(vec![own.into()]);
        assert_eq!(ask(&mut cluster, ELIGIBLE_LEADER_REPLICAS, 1, 1).0, 0);
        let image = cluster.image();
        assert_eq!(image.feature_level(ELIGIBLE_LEADER_REPLICAS), 1);
        assert_eq!(image.broker_dynamic(None).get(MIN_ISR).map(String::as_str), Some("2"));
        assert!(image.broker_dynamic(Some(BrokerId(1))).is_empty());
    }
}
