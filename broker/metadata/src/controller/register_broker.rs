//! BrokerRegistration and UnregisterBroker: who belongs to the cluster.
//! Core. `ClusterControlManager.registerBroker`. A broker epoch is the offset of the record that began it.

use ottla_env::clock::Monotonic;
use ottla_model::{BrokerId, ErrorCode, Offset};
use ottla_protocol::messages::broker_registration_request::Feature as RequestedFeature;
use ottla_protocol::messages::{
    BrokerRegistrationRequest, BrokerRegistrationResponse, ControllerRegistrationRequest,
    ControllerRegistrationResponse, UnregisterBrokerRequest, UnregisterBrokerResponse,
};
use ottla_protocol::records::metadata::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::records::metadata::register_controller_record::{ControllerEndpoint, ControllerFeature};
use ottla_protocol::records::metadata::{RegisterBrokerRecord, RegisterControllerRecord};
use uuid::Uuid;

use crate::controller::features::{KRAFT_VERSION, METADATA_VERSION};
use crate::controller::fencing::{replace_incarnation, unregister};
use crate::controller::liveness::Liveness;
use crate::controller::partition_change::{has_directories, is_reserved_directory};
use crate::controller::{ApiError, Decision, Rules};
use crate::image::Image;

/// A broker that registers is fenced until it has caught up; one that does so again as the same incarnation stays what
/// it is.
pub(crate) fn decide_register_broker(
    image: &Image,
    rules: &Rules,
    liveness: &mut Liveness,
    request: &BrokerRegistrationRequest,
    now: Monotonic,
) -> Result<Decision<BrokerRegistrationResponse>, ApiError> {
    let id = BrokerId(request.broker_id.0);
    let refuse = |error: ErrorCode, text: String| Err(ApiError::new(error, text));
    if image.cluster_id() != request.cluster_id.as_str() {
        let (own, other) = (image.cluster_id(), &request.cluster_id);
        return refuse(
            ErrorCode::InconsistentClusterId,
            format!("Expected cluster ID {own}, but got cluster ID {other}"),
        );
    }
    let existing = image.broker(id);
    let is_same = existing.is_some_and(|broker| broker.incarnation_id == request.incarnation_id);
    if existing.is_some_and(|broker| !is_same && liveness.has_session(id, broker.broker_epoch, now)) {
        let text = "Another broker is registered with that broker id. If the broker was recently restarted this should \
                    self-resolve once the heartbeat manager expires the broker's session.";
        return refuse(ErrorCode::DuplicateBrokerRegistration, text.to_owned());
    }
    if request.is_migrating_zk_broker {
        let text = "Controller does not support registering ZK brokers.";
        return refuse(ErrorCode::BrokerIdNotRegistered, text.to_owned());
    }
    check_directories(image, id, &request.log_dirs)?;
    check_features(image, &request.features)?;

    let mut records = Vec::new();
    if !is_same {
        let is_clean = existing.is_some_and(|broker| broker.broker_epoch == request.previous_broker_epoch);
        replace_incarnation(image, rules, id, is_clean, &mut records);
    }
    let offset = image.metadata_offset() + 1 + records.len() as i64;
    let mut record = record_of(request, offset);
    if let Some(broker) = existing.filter(|_| is_same) {
        record.broker_epoch = broker.broker_epoch;
        record.fenced = broker.fenced;
        record.in_controlled_shutdown = broker.in_controlled_shutdown;
    }
    liveness.on_registered(id, record.broker_epoch, offset);
    let response = BrokerRegistrationResponse::default().with_broker_epoch(record.broker_epoch);
    records.push(record.into());
    Ok(Decision { records, response })
}

fn record_of(request: &BrokerRegistrationRequest, offset: Offset) -> RegisterBrokerRecord {
    let end_points = request.listeners.iter().map(|listener| BrokerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..BrokerEndpoint::default()
    });
    let features = request.features.iter().map(|feature| BrokerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..BrokerFeature::default()
    });
    RegisterBrokerRecord {
        broker_id: request.broker_id.0,
        incarnation_id: request.incarnation_id,
        broker_epoch: offset.0,
        end_points: end_points.collect(),
        features: features.collect(),
        rack: request.rack.clone(),
        fenced: true,
        log_dirs: request.log_dirs.clone(),
        ..RegisterBrokerRecord::default()
    }
}

/// Each directory belongs to one broker (KIP-858).
fn check_directories(image: &Image, id: BrokerId, log_dirs: &[Uuid]) -> Result<(), ApiError> {
    let refuse = |text: &str| Err(ApiError::new(ErrorCode::InvalidRegistration, text));
    if !has_directories(image) {
        return Ok(());
    }
    if log_dirs.is_empty() {
        return refuse("No directories specified in request");
    }
    if log_dirs.iter().any(|dir| is_reserved_directory(*dir)) {
        return refuse("Reserved directory ID in request");
    }
    for (index, dir) in log_dirs.iter().enumerate() {
        if log_dirs[..index].contains(dir) {
            return refuse("Duplicate directory ID in request");
        }
        let owner = image.brokers().find(|(other, broker)| *other != id && broker.log_dirs.contains(dir));
        if let Some((owner, _)) = owner {
            let dir = ottla_model::TopicId(*dir);
            return refuse(&format!("Broker {owner} is already registered with directory {dir}"));
        }
    }
    Ok(())
}

/// A broker must serve every level that is finalized, also of features it does not name.
fn check_features(image: &Image, features: &[RequestedFeature]) -> Result<(), ApiError> {
    let check = |name: &str, level: i16, min: i16, max: i16| match (min..=max).contains(&level) {
        true => Ok(()),
        false => Err(ApiError::new(
            ErrorCode::UnsupportedVersion,
            format!(
                "Unable to register because the broker does not support finalized version {level} of {name}. The broker \
                 wants a version between {min} and {max}, inclusive."
            ),
        )),
    };
    for feature in features.iter().filter(|feature| feature.name.as_str() != KRAFT_VERSION) {
        let level = image.feature_level(&feature.name);
        check(&feature.name, level, feature.min_supported_version, feature.max_supported_version)?;
    }
    let is_named = |name: &str| features.iter().any(|feature| feature.name.as_str() == name);
    if !is_named(METADATA_VERSION) {
        let text = "Request features do not contain 'metadata.version'";
        return Err(ApiError::new(ErrorCode::InvalidRegistration, text));
    }
    image
        .finalized_features()
        .filter(|(name, level)| *level != 0 && *name != KRAFT_VERSION && !is_named(name))
        .try_for_each(|(name, level)| check(name, level, 0, 0))
}

/// A controller says where it is reached and what it serves (KIP-919).
pub(crate) fn decide_register_controller(
    request: &ControllerRegistrationRequest,
) -> Decision<ControllerRegistrationResponse> {
    let end_points = request.listeners.iter().map(|listener| ControllerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..ControllerEndpoint::default()
    });
    let features = request.features.iter().map(|feature| ControllerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..ControllerFeature::default()
    });
    let record = RegisterControllerRecord {
        controller_id: request.controller_id,
        incarnation_id: request.incarnation_id,
        zk_migration_ready: false,
        end_points: end_points.collect(),
        features: features.collect(),
        ..RegisterControllerRecord::default()
    };
    let response = ControllerRegistrationResponse::default().with_error_message(None);
    Decision { records: vec![record.into()], response }
}

/// Takes a broker off the list; it may register again.
pub(crate) fn decide_unregister_broker(
    image: &Image,
    rules: &Rules,
    liveness: &mut Liveness,
    request: &UnregisterBrokerRequest,
) -> Result<Decision<UnregisterBrokerResponse>, ApiError> {
    let id = BrokerId(request.broker_id.0);
    if image.broker(id).is_none() {
        let text = format!("Broker ID {id} is not currently registered");
        return Err(ApiError::new(ErrorCode::BrokerIdNotRegistered, text));
    }
    let mut records = Vec::new();
    unregister(image, rules, id, &mut records);
    liveness.on_unregistered(id);
    Ok(Decision { records, response: UnregisterBrokerResponse::default() })
}
