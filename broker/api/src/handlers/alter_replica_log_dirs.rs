//! AlterReplicaLogDirs (key 34), versions 1-2: moves replicas of this broker between its log directories (KIP-113).
//! Shell: a replica that nothing has used yet is opened first.
//!
//! - v2: flexible.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_log::MoveRefused;
use ottla_model::{ErrorCode, PartitionIndex, TopicName as Topic, TopicPartition};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use ottla_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, TopicName};

use super::prelude::*;
use crate::blocking;

pub const API: Api = Api { key: ApiKey::AlterReplicaLogDirs, min: 1, max: 2, admit };

/// Topic and partition to the directory; where a request names a partition twice, the last one counts.
type Wanted = BTreeMap<String, BTreeMap<i32, String>>;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AlterReplicaLogDirsRequest = request.decode()?;
    let is_allowed = Access::of(broker, &request).cluster(AclOperation::Alter);
    let mut wanted = Wanted::new();
    for dir in &body.dirs {
        for topic in &dir.topics {
            let partitions = wanted.entry(topic.name.to_string()).or_default();
            partitions.extend(topic.partitions.iter().map(|index| (*index, dir.path.to_string())));
        }
    }
    if !is_allowed {
        return request.ready(&answer(&wanted, |_, _, _| ErrorCode::ClusterAuthorizationFailed));
    }
    let broker = broker.clone();
    park(async move {
        let env = broker.env.clone();
        let response = blocking::run(&env, move || {
            answer(&wanted, |topic, index, dir| move_replica(&broker, topic, index, Path::new(dir)))
        });
        let response = response.await;
        request.answer(&response)
    })
}

fn answer(wanted: &Wanted, change: impl Fn(&str, i32, &str) -> ErrorCode) -> AlterReplicaLogDirsResponse {
    let of_topic = |(name, partitions): (&String, &BTreeMap<i32, String>)| {
        let of_partition = |(index, dir): (&i32, &String)| {
            AlterReplicaLogDirPartitionResult::default()
                .with_partition_index(*index)
                .with_error_code(change(name, *index, dir).code())
        };
        AlterReplicaLogDirTopicResult::default()
            .with_topic_name(TopicName(StrBytes::from_string(name.clone())))
            .with_partitions(partitions.iter().map(of_partition).collect())
    };
    AlterReplicaLogDirsResponse::default().with_results(wanted.iter().map(of_topic).collect())
}

/// `ReplicaManager.alterReplicaLogDirs`: the directory first, then whether there is such a replica. For one that is
/// not here yet, the directory is remembered.
fn move_replica(broker: &Broker, topic: &str, index: i32, dir: &Path) -> ErrorCode {
    let logs = broker.replicas.logs();
    let name = TopicPartition::new(Topic::new(topic), PartitionIndex(index));
    let found = broker.replicas.find(topic, index);
    if let Ok(partition) = &found
        && logs.has_dir(dir)
        && partition.log().is_err()
    {
        return ErrorCode::KafkaStorageError;
    }
    if let Err(refused) = logs.move_log(&name, dir) {
        return match refused {
            MoveRefused::NameTooLong => ErrorCode::InvalidTopicException,
            MoveRefused::UnknownDir(_) => ErrorCode::LogDirNotFound,
            MoveRefused::Offline => ErrorCode::KafkaStorageError,
            MoveRefused::Cordoned => ErrorCode::InvalidReplicaAssignment,
        };
    }
    match found {
        Ok(_) => ErrorCode::None,
        Err(ErrorCode::NotLeaderOrFollower) => ErrorCode::ReplicaNotAvailable,
        Err(error) => error,
    }
}
