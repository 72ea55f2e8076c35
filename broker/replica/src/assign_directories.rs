//! Says to the controller in which log directories the replicas here are, where it does not know it (KIP-858).
//! Shell: drives `directory_assignments`.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_env::Env;
use ottla_metadata::{ControllerChannel, OperationError};
use ottla_model::{ErrorCode, PartitionIndex, TopicPartition};
use uuid::Uuid;

use crate::directory_assignments::{Placement, left_of, request_of};
use crate::replica_manager::ReplicaManager;

/// More may come meanwhile, and goes with it (`AssignmentsManager.DISPATCH_INTERVAL` is 500 ms).
const GATHER: Duration = Duration::from_millis(50);
/// After an answer that leaves something.
const RETRY: Duration = Duration::from_millis(500);

/// The ids of log directories, by their paths.
#[derive(Clone, Debug, Default)]
pub struct DirectoryIds(pub Vec<(PathBuf, Uuid)>);

impl DirectoryIds {
    fn of(&self, path: &std::path::Path) -> Option<Uuid> {
        self.0.iter().find(|(known, _)| known == path).map(|(_, id)| *id)
    }
}

impl ReplicaManager {
    /// Where the replica of a partition is, if the image says something else. Nobody has said yet where one is that has
    /// nothing: the directory is chosen when it is opened.
    fn misplaced(&self, name: &TopicPartition) -> Option<Placement> {
        let replication = self.replication.get()?;
        let log = self.logs().get(name)?;
        let directory = replication.others.directories.of(&log.dir())?;
        let hosted = self.hosted();
        let topic = hosted.image()?.topic(name.topic.as_str())?;
        let partition = topic.partition(PartitionIndex(name.partition.0))?;
        let here = partition.replicas.iter().position(|replica| *replica == self.node_id)?;
        // A log of before 3.7 knows no directories.
        let known = partition.directories.get(here)?;
        (*known != directory).then(|| Placement { name: name.clone(), topic_id: topic.id, directory })
    }
}

/// Sends what is noted, one request at a time, until the controller has taken it.
pub(crate) async fn assign(replicas: Weak<ReplicaManager>, env: Env, controller: Arc<dyn ControllerChannel>) {
    let Some(shared) = replicas.upgrade().map(|replicas| replicas.shared.clone()) else { return };
    let assignments = &shared.directory_assignments;
    assignments.begin();
    if let Some(replicas) = replicas.upgrade() {
        let hosted = replicas.hosted().clone();
        let here = hosted.topics().flat_map(|topic| &topic.partitions);
        assignments.note(here.map(|partition| partition.name.clone()));
    }
    let sleep = |wait| env.clock.sleep_until(env.clock.monotonic().after(wait));
    loop {
        std::future::poll_fn(|context| assignments.poll_waiting(context)).await;
        sleep(GATHER).await;
        let names = assignments.take();
        let (sent, request) = {
            let Some(replicas) = replicas.upgrade() else { return };
            let sent: Vec<Placement> = names.iter().filter_map(|name| replicas.misplaced(name)).collect();
            let epoch =
                replicas.replication.get().and_then(|replication| replication.others.broker_epoch.get());
            let request = request_of(replicas.node_id, epoch.unwrap_or(-1), &sent);
            (sent, request)
        };
        if sent.is_empty() {
            continue;
        }
        let left = match controller.assign_replicas_to_dirs(request).await {
            Ok(answer) if answer.error_code == ErrorCode::None.code() => left_of(sent, &answer),
            // The cluster's metadata.version has no directories.
            Ok(answer) if answer.error_code == ErrorCode::UnsupportedVersion.code() => Vec::new(),
            Err(OperationError::Refused(refused)) if refused.error == ErrorCode::UnsupportedVersion => {
                Vec::new()
            }
            Ok(answer) => {
                let error = ErrorCode::from_code(answer.error_code);
                tracing::debug!(?error, "the controller takes no directories yet");
                sent.into_iter().map(|placement| placement.name).collect()
            }
            Err(error) => {
                tracing::debug!(%error, "directories of replicas did not reach the controller");
                sent.into_iter().map(|placement| placement.name).collect()
            }
        };
        if !left.is_empty() {
            assignments.note(left);
            sleep(RETRY).await;
        }
    }
}
