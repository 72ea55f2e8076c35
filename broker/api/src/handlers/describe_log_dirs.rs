//! DescribeLogDirs (key 35), versions 1-5: directories, their room, and what each partition takes.
//! Shell (asks the file system for its room).
//!
//! - v2: flexible. v3: top-level error. v4: total and usable bytes (KIP-827). v5: cordoned (KIP-1066).

use std::collections::{BTreeMap, HashSet};

use ottla_log::{DirState, MoveUnderWay};
use ottla_metadata::controller::features::{CORDONED_LOG_DIRS, METADATA_VERSION};
use ottla_model::ErrorCode;
use ottla_network::Answer;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_replica::Hosted;
use tokio::sync::oneshot;

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::DescribeLogDirs, min: 1, max: 5, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeLogDirsRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Describe) {
        let error_code = ErrorCode::ClusterAuthorizationFailed.code();
        return request.ready(&DescribeLogDirsResponse { error_code, ..Default::default() });
    }
    let (sender, receiver) = oneshot::channel();
    let of_work = broker.clone();
    let work = move || {
        // A client that is gone hears nothing.
        if !sender.is_closed() {
            let response = respond(&of_work, body);
            let _gone = sender.send((request, response));
        }
    };
    // A file system that hangs holds up no connection.
    broker.replicas.logs().read_aside(Box::new(work));
    park(async move {
        match receiver.await {
            Ok((request, response)) => request.answer(&response),
            Err(_) => Answer::Close("log directories could not be described"),
        }
    })
}

fn respond(broker: &Broker, body: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let asked: Option<HashSet<(String, i32)>> = body.topics.map(|topics| {
        topics
            .iter()
            .flat_map(|topic| {
                topic.partitions.iter().map(|partition| (topic.topic.as_str().to_owned(), *partition))
            })
            .collect()
    });
    let (dirs, config) = (broker.replicas.logs().dirs(), broker.dynamic_config.current());
    let (hosted, moves) = (broker.replicas.hosted(), broker.replicas.logs().moves_under_way());
    let knows_cordoned = broker.image().feature_level(METADATA_VERSION) >= CORDONED_LOG_DIRS;
    let results = dirs
        .iter()
        .enumerate()
        .map(|(place, dir)| DescribeLogDirsResult {
            is_cordoned: knows_cordoned && dir.offline.is_none() && config.is_cordoned(place),
            ..answer(dir, place == 0, &hosted, &moves, asked.as_ref())
        })
        .collect();
    DescribeLogDirsResponse { results, ..Default::default() }
}

fn answer(
    dir: &DirState,
    is_first: bool,
    hosted: &Hosted,
    moves: &[MoveUnderWay],
    asked: Option<&HashSet<(String, i32)>>,
) -> DescribeLogDirsResult {
    let log_dir = StrBytes::from_string(dir.path.display().to_string());
    if dir.offline.is_some() {
        return DescribeLogDirsResult {
            error_code: ErrorCode::KafkaStorageError.code(),
            log_dir,
            ..Default::default()
        };
    }
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in hosted.topics().flat_map(|topic| &topic.partitions) {
        let (topic, index) = (partition.topic().as_str(), partition.index().0);
        if asked.is_some_and(|asked| !asked.contains(&(topic.to_owned(), index))) {
            continue;
        }
        // A partition that nobody used yet has no folder: it counts where its folder would be made.
        let size_bytes = match partition.opened_log() {
            Some(log) if log.dir() == dir.path => log.size_bytes(),
            None if is_first => 0,
            Some(_) | None => continue,
        };
        topics.entry(topic.to_owned()).or_default().push(DescribeLogDirsPartition {
            partition_index: index,
            partition_size: size_bytes as i64,
            offset_lag: 0,
            is_future_key: false,
            ..Default::default()
        });
    }
    for future in moves.iter().filter(|future| future.dir == dir.path) {
        let (topic, index) = (future.partition.topic.as_str(), future.partition.partition.0);
        if asked.is_some_and(|asked| !asked.contains(&(topic.to_owned(), index))) {
            continue;
        }
        let current = hosted.partition(topic, index).ok().and_then(|current| current.opened_log());
        let Some(end) = current.map(|log| log.log_end_offset()) else { continue };
        topics.entry(topic.to_owned()).or_default().push(DescribeLogDirsPartition {
            partition_index: index,
            partition_size: future.bytes as i64,
            offset_lag: (end - future.end).max(0),
            is_future_key: true,
            ..Default::default()
        });
    }
    DescribeLogDirsResult {
        log_dir,
        topics: topics
            .into_iter()
            .map(|(name, partitions)| DescribeLogDirsTopic {
                name: StrBytes::from_string(name),
                partitions,
                ..Default::default()
            })
            .collect(),
        total_bytes: dir.total_bytes as i64,
        usable_bytes: dir.usable_bytes as i64,
        ..Default::default()
    }
}
