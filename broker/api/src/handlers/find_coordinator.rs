//! FindCoordinator (key 10), versions 0-6: who coordinates a group or a transactional id. On one
//! node: this broker, once the coordinator's topic is there.
//! Shell (the first call creates the topic).
//!
//! - v1: key types. v3: flexible. v4: several keys (KIP-699). v5: TRANSACTION_ABORTABLE (KIP-890).
//! - v6: share groups (KIP-932).

use ottla_model::{ErrorCode, TopicId};
use ottla_network::ConnectionInfo;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::find_coordinator_response::Coordinator;
use ottla_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::FindCoordinator, min: 0, max: 6, class: Class::Forwarded, admit };

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: FindCoordinatorRequest = request.decode()?;
    let version = request.version();
    let keys = if version >= 4 { body.coordinator_keys } else { vec![body.key] };
    let key_type = if version >= 1 { body.key_type } else { GROUP };
    let asks = keys.iter().any(|key| version < 4 || !key.is_empty());
    let is_there = match key_type {
        GROUP => broker.groups.partition_for("").is_some(),
        TRANSACTION => broker.transactions.is_topic_there(),
        _ => true,
    };
    if !asks || is_there {
        return request.ready(&answer(broker, &request.connection, version, key_type, &keys, Ok(())));
    }
    let broker = broker.clone();
    park(async move {
        let available = match key_type {
            GROUP => broker.groups.ensure_topic().await,
            _ => broker.transactions.ensure_topic().await,
        };
        let connection = request.connection.clone();
        request.answer(&answer(&broker, &connection, version, key_type, &keys, available))
    })
}

fn answer(
    broker: &Broker,
    connection: &ConnectionInfo,
    version: i16,
    key_type: i8,
    keys: &[StrBytes],
    available: Result<(), ErrorCode>,
) -> FindCoordinatorResponse {
    let coordinators: Vec<Coordinator> = keys
        .iter()
        .map(|key| match outcome(key_type, key, available) {
            Ok(()) => {
                let (host, port) = broker.endpoint(connection);
                Coordinator::default()
                    .with_key(key.clone())
                    .with_node_id(broker.wire_node_id())
                    .with_host(text(&host))
                    .with_port(port)
            }
            Err(error) => Coordinator::default()
                .with_key(key.clone())
                .with_node_id(BrokerId(-1))
                .with_port(-1)
                .with_error_code(error.code()),
        })
        .collect();
    if version >= 4 {
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    let Some(one) = coordinators.into_iter().next() else { return FindCoordinatorResponse::default() };
    FindCoordinatorResponse::default()
        .with_error_code(one.error_code)
        .with_node_id(one.node_id)
        .with_host(one.host)
        .with_port(one.port)
}

fn outcome(key_type: i8, key: &str, available: Result<(), ErrorCode>) -> Result<(), ErrorCode> {
    match key_type {
        GROUP | TRANSACTION => available,
        SHARE if !is_share_key(key) => Err(ErrorCode::InvalidRequest),
        SHARE => Err(ErrorCode::CoordinatorNotAvailable),
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
