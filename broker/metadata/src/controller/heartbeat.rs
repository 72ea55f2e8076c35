//! BrokerHeartbeat: what becomes of a broker that says how far it is and what it wants.
//! Core. `ReplicationControlManager.processBrokerHeartbeat`, `BrokerHeartbeatManager.calculateNextBrokerState`.

use std::collections::BTreeSet;

use ottla_env::clock::Monotonic;
use ottla_model::{BrokerId, Offset};
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};
use ottla_protocol::records::metadata::{BrokerRegistrationChangeRecord, MetadataRecord};
use uuid::Uuid;

use crate::controller::features::{CORDONED_LOG_DIRS, METADATA_VERSION};
use crate::controller::fencing::{
    begin_controlled_shutdown, check_broker_epoch, fence, has_leaderships, lose_directories, unfence,
};
use crate::controller::liveness::Liveness;
use crate::controller::partition_change::has_directories;
use crate::controller::{ApiError, Decision, Rules};
use crate::image::Image;

/// Kafka's `BrokerControlState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BrokerState {
    Fenced,
    Unfenced,
    ControlledShutdown,
    ShutdownNow,
}

/// `heard`: when the request came, which may be long before it is decided.
pub(crate) fn decide_heartbeat(
    image: &Image,
    rules: &Rules,
    liveness: &mut Liveness,
    request: &BrokerHeartbeatRequest,
    heard: Monotonic,
) -> Result<Decision<BrokerHeartbeatResponse>, ApiError> {
    let id = BrokerId(request.broker_id);
    let broker = check_broker_epoch(image, id, request.broker_epoch)?;
    liveness.on_contact(id, request.broker_epoch, heard);
    let registered_at = liveness.registered_at(id).unwrap_or(Offset(broker.broker_epoch));
    let is_caught_up = request.current_metadata_offset >= registered_at.0;
    let current = match liveness.shutdown_offset(id) {
        Some(_) => BrokerState::ControlledShutdown,
        None if broker.fenced => BrokerState::Fenced,
        None => BrokerState::Unfenced,
    };
    let next = match next_state(image, liveness, current, request, is_caught_up) {
        // What fails first is lost first: nobody is elected on a directory that is gone.
        BrokerState::Unfenced if broker.log_dirs.iter().any(|dir| request.offline_log_dirs.contains(dir)) => {
            current
        }
        next => next,
    };
    let mut records = Vec::new();
    match next {
        _ if next == current => {}
        BrokerState::Fenced | BrokerState::ShutdownNow => fence(image, rules, id, &mut records),
        BrokerState::Unfenced => unfence(image, rules, id, &mut records),
        BrokerState::ControlledShutdown => begin_controlled_shutdown(image, rules, id, &mut records),
    }
    let is_fenced = matches!(next, BrokerState::Fenced | BrokerState::ShutdownNow);
    liveness.on_heartbeat(id, Offset(request.current_metadata_offset), is_fenced);
    if has_directories(image) {
        lose_directories(image, rules, id, &request.offline_log_dirs, &mut records);
    }
    records.extend(request.cordoned_log_dirs.as_ref().and_then(|dirs| cordon(image, id, dirs)));
    if next == BrokerState::ControlledShutdown {
        liveness.on_controlled_shutdown(id, image.metadata_offset() + records.len() as i64);
    }
    let response = BrokerHeartbeatResponse {
        is_caught_up,
        is_fenced,
        should_shut_down: next == BrokerState::ShutdownNow,
        ..BrokerHeartbeatResponse::default()
    };
    Ok(Decision { records, response })
}

fn next_state(
    image: &Image,
    liveness: &Liveness,
    current: BrokerState,
    request: &BrokerHeartbeatRequest,
    is_caught_up: bool,
) -> BrokerState {
    let id = BrokerId(request.broker_id);
    let (wants_fence, wants_shut_down) = (request.want_fence, request.want_shut_down);
    match current {
        BrokerState::Fenced if wants_shut_down => BrokerState::ShutdownNow,
        BrokerState::Fenced if !wants_fence && is_caught_up => BrokerState::Unfenced,
        BrokerState::Unfenced if wants_fence && wants_shut_down => BrokerState::ShutdownNow,
        BrokerState::Unfenced if wants_fence => BrokerState::Fenced,
        BrokerState::Unfenced if wants_shut_down => match has_leaderships(image, id) {
            true => BrokerState::ControlledShutdown,
            false => BrokerState::ShutdownNow,
        },
        // Its partitions are led elsewhere, and everybody who serves knows it.
        BrokerState::ControlledShutdown if !has_leaderships(image, id) => {
            let known = liveness.lowest_active_offset(image);
            let is_known =
                liveness.shutdown_offset(id).is_some_and(|offset| known.is_none_or(|low| offset <= low));
            if is_known { BrokerState::ShutdownNow } else { current }
        }
        BrokerState::Fenced
        | BrokerState::Unfenced
        | BrokerState::ControlledShutdown
        | BrokerState::ShutdownNow => current,
    }
}

/// These directories take no new replicas, and no others of this broker (KIP-1066). Nothing where that is known, in
/// whatever order (`BrokerRegistration.cordonedDirChanged`).
pub(crate) fn cordon(image: &Image, id: BrokerId, cordoned: &[Uuid]) -> Option<MetadataRecord> {
    let broker = image.broker(id)?;
    let known = broker.cordoned_log_dirs.as_deref().unwrap_or_default();
    let is_known = known.iter().collect::<BTreeSet<_>>() == cordoned.iter().collect();
    if is_known || image.feature_level(METADATA_VERSION) < CORDONED_LOG_DIRS {
        return None;
    }
    let record = BrokerRegistrationChangeRecord {
        broker_id: id.0,
        broker_epoch: broker.broker_epoch,
        cordoned_log_dirs: Some(cordoned.to_vec()),
        ..BrokerRegistrationChangeRecord::default()
    };
    Some(record.into())
}
