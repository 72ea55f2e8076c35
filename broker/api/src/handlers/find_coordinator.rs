//! FindCoordinator (key 10), versions 0-6: who coordinates a group or a transactional id.
//! Shell (the first call creates the topic): the leader of its partition of the coordinator's topic, once that topic
//! is there.
//!
//! - v1: key types. v3: flexible. v4: several keys (KIP-699). v5: TRANSACTION_ABORTABLE (KIP-890).
//! - v6: share groups (KIP-932).

use ottla_model::topic::{GROUP_METADATA_TOPIC, SHARE_GROUP_STATE_TOPIC, TRANSACTION_STATE_TOPIC};
use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::find_coordinator_response::Coordinator;
use ottla_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::cluster::Cluster;

pub const API: Api = Api { key: ApiKey::FindCoordinator, min: 0, max: 6, admit };

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// A type that no version knows.
const NO_TYPE: i8 = -1;
const SHARE_VERSION_MIN: i16 = 6;

/// The topic whose partitions' leaders coordinate.
fn topic_of(key_type: i8) -> Option<&'static str> {
    match key_type {
        GROUP => Some(GROUP_METADATA_TOPIC),
        TRANSACTION => Some(TRANSACTION_STATE_TOPIC),
        SHARE => Some(SHARE_GROUP_STATE_TOPIC),
        _ => None,
    }
}

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: FindCoordinatorRequest = request.decode()?;
    let version = request.version();
    let keys = if version >= 4 { body.coordinator_keys } else { vec![body.key] };
    let key_type = match body.key_type {
        _ if version < 1 => GROUP,
        SHARE if version < SHARE_VERSION_MIN => NO_TYPE,
        key_type => key_type,
    };
    let access = Access::of(broker, &request);
    if key_type == SHARE && !keys.is_empty() && !access.cluster(AclOperation::ClusterAction) {
        return request.ready(&refused(&keys, ErrorCode::ClusterAuthorizationFailed));
    }
    let can_ask = |key: &StrBytes| {
        let is_named = version < 4 || !key.is_empty();
        is_named && may_find(&access, key_type, key).is_ok() && (key_type != SHARE || is_share_key(key))
    };
    let asks = keys.iter().any(can_ask);
    let is_there = topic_of(key_type).is_none_or(|topic| broker.image().topic(topic).is_some());
    if !asks || is_there {
        let outcome_of =
            |key: &str| may_find(&access, key_type, key).and_then(|()| outcome(key_type, key, Ok(())));
        return request.ready(&answer(broker, &request, key_type, &keys, outcome_of));
    }
    let broker = broker.clone();
    park(async move {
        let available = match key_type {
            GROUP => broker.groups.ensure_topic().await,
            SHARE => broker.share_state.ensure_topic().await,
            _ => broker.transactions.ensure_topic().await,
        };
        let outcome_of =
            |key: &str| may_find(&access, key_type, key).and_then(|()| outcome(key_type, key, available));
        request.answer(&answer(&broker, &request, key_type, &keys, outcome_of))
    })
}

fn answer(
    broker: &Broker,
    request: &Request,
    key_type: i8,
    keys: &[StrBytes],
    outcome_of: impl Fn(&str) -> Result<(), ErrorCode>,
) -> FindCoordinatorResponse {
    let cluster = Cluster::of(broker, &request.connection);
    let find = |key: &StrBytes| {
        outcome_of(key)?;
        cluster.coordinator(topic_of(key_type).ok_or(ErrorCode::InvalidRequest)?, key)
    };
    let coordinators: Vec<Coordinator> = keys
        .iter()
        .map(|key| match find(key) {
            Ok(node) => Coordinator::default()
                .with_key(key.clone())
                .with_node_id(BrokerId(node.id.0))
                .with_host(text(&node.host))
                .with_port(node.port),
            Err(error) => Coordinator::default()
                .with_key(key.clone())
                .with_node_id(BrokerId(-1))
                .with_port(-1)
                .with_error_code(error.code()),
        })
        .collect();
    if request.version() >= 4 {
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    let Some(one) = coordinators.into_iter().next() else { return FindCoordinatorResponse::default() };
    FindCoordinatorResponse::default()
        .with_error_code(one.error_code)
        .with_node_id(one.node_id)
        .with_host(one.host)
        .with_port(one.port)
}

fn may_find(access: &Access, key_type: i8, key: &str) -> Result<(), ErrorCode> {
    match key_type {
        GROUP if !access.group(AclOperation::Describe, key) => Err(ErrorCode::GroupAuthorizationFailed),
        TRANSACTION if !access.transactional_id(AclOperation::Describe, key) => {
            Err(ErrorCode::TransactionalIdAuthorizationFailed)
        }
        _ => Ok(()),
    }
}

/// Every key gets the same code.
fn refused(keys: &[StrBytes], error: ErrorCode) -> FindCoordinatorResponse {
    let coordinators = keys.iter().map(|key| {
        Coordinator::default()
            .with_key(key.clone())
            .with_node_id(BrokerId(-1))
            .with_port(-1)
            .with_error_code(error.code())
            .with_error_message(message(text_of(error)))
    });
    FindCoordinatorResponse::default().with_coordinators(coordinators.collect())
}

fn outcome(key_type: i8, key: &str, available: Result<(), ErrorCode>) -> Result<(), ErrorCode> {
    match key_type {
        GROUP | TRANSACTION => available,
        SHARE if !is_share_key(key) => Err(ErrorCode::InvalidRequest),
        SHARE => available,
        _ => Err(ErrorCode::InvalidRequest),
    }
}

/// `SharePartitionKey.validate`: group, topic id and partition.
fn is_share_key(key: &str) -> bool {
    let parts: Vec<&str> = key.split(':').collect();
    match parts[..] {
        [group, topic_id, partition] => {
            !group.is_empty()
                && TopicId::parse(topic_id).is_some()
                && partition.parse::<i32>().is_ok_and(|partition| partition >= 0)
        }
        _ => false,
    }
}
