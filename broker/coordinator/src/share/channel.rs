//! Share state, wherever its share coordinator is: here, or at another node.
//! Shell. A coordinator that moves is looked for; all that is asked may be asked twice.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::{BoxFuture, Clock};
use ottla_metadata::Metadata;
use ottla_model::topic::SHARE_GROUP_STATE_TOPIC;
use ottla_model::{BrokerId, ErrorCode};
use ottla_network::outgoing::{Nodes, Peer};

use super::coordinator::ShareCoordinator;
use super::remote::{self, Answer};
use super::state::{SharePartitionKey, SharePartitionState, StateError, StateSummary, StateWrite};
use crate::runtime::Durable;

/// How long a coordinator is looked for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before it is looked for again: the image tells of another one in that time, or it has loaded.
const AGAIN: Duration = Duration::from_millis(20);

/// The way to the share coordinators of other nodes.
pub struct OtherShareCoordinators {
    pub node_id: BrokerId,
    pub metadata: Arc<Metadata>,
    pub nodes: Arc<dyn Nodes>,
    pub clock: Arc<dyn Clock>,
}

impl OtherShareCoordinators {
    /// Who leads a partition of the topic; `None` while it is not known, or where it is this node.
    fn leader(&self, partition: i32) -> Option<Peer> {
        let image = self.metadata.image();
        let topic = image.topic(SHARE_GROUP_STATE_TOPIC)?;
        let led = topic.partitions.get(usize::try_from(partition).ok()?)?;
        led.leader.filter(|leader| *leader != self.node_id).and_then(|leader| self.nodes.peer(leader))
    }
}

pub struct ShareStateChannel {
    pub local: Arc<ShareCoordinator>,
    /// `None` on a node that is alone.
    others: Option<Arc<OtherShareCoordinators>>,
}

/// Whether another node may know more, or this one later.
fn is_passing(error: &StateError) -> bool {
    matches!(
        error.code,
        ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::RequestTimedOut
    )
}

impl ShareStateChannel {
    pub fn new(
        local: Arc<ShareCoordinator>,
        others: Option<OtherShareCoordinators>,
    ) -> Arc<ShareStateChannel> {
        Arc::new(ShareStateChannel { local, others: others.map(Arc::new) })
    }

    pub fn has_others(&self) -> bool {
        self.others.is_some()
    }

    /// Whether what this node's coordinator refuses is to be asked of another.
    pub fn is_elsewhere(&self, error: &StateError) -> bool {
        self.others.is_some() && is_passing(error)
    }

    pub fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: i32,
    ) -> BoxFuture<'static, Result<SharePartitionState, StateError>> {
        let (of_local, of_remote) = (key.clone(), key.clone());
        self.ask(
            key,
            move |local| local.read(&of_local, leader_epoch),
            move |peer| Box::pin(remote::read(peer, of_remote.clone(), leader_epoch)),
        )
    }

    pub fn write(
        &self,
        key: &SharePartitionKey,
        write: StateWrite,
    ) -> BoxFuture<'static, Result<(), StateError>> {
        let (of_local, of_remote) = ((key.clone(), write.clone()), (key.clone(), write));
        self.ask(
            key,
            move |local| local.write(&of_local.0, &of_local.1).map(|durable| ((), durable)),
            move |peer| Box::pin(remote::write(peer, of_remote.0.clone(), of_remote.1.clone())),
        )
    }

    pub fn initialize(
        &self,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: i64,
    ) -> BoxFuture<'static, Result<(), StateError>> {
        let (of_local, of_remote) = (key.clone(), key.clone());
        self.ask(
            key,
            move |local| local.initialize(&of_local, state_epoch, start_offset).map(|durable| ((), durable)),
            move |peer| Box::pin(remote::initialize(peer, of_remote.clone(), state_epoch, start_offset)),
        )
    }

    pub fn delete(&self, key: &SharePartitionKey) -> BoxFuture<'static, Result<(), StateError>> {
        let (of_local, of_remote) = (key.clone(), key.clone());
        self.ask(
            key,
            move |local| local.delete(&of_local).map(|durable| ((), durable)),
            move |peer| Box::pin(remote::delete(peer, of_remote.clone())),
        )
    }

    pub fn summary(&self, key: &SharePartitionKey) -> BoxFuture<'static, Result<StateSummary, StateError>> {
        let (of_local, of_remote) = (key.clone(), key.clone());
        self.ask(
            key,
            move |local| local.summary(&of_local),
            move |peer| Box::pin(remote::summary(peer, of_remote.clone())),
        )
    }

    /// Asks until somebody decides, or for so long that somebody would have.
    fn ask<T: Send + 'static>(
        &self,
        key: &SharePartitionKey,
        here: impl Fn(&ShareCoordinator) -> Result<(T, Durable), StateError> + Send + Sync + 'static,
        there: impl Fn(Peer) -> BoxFuture<'static, Answer<T>> + Send + Sync + 'static,
    ) -> BoxFuture<'static, Result<T, StateError>> {
        let (local, others, key) = (self.local.clone(), self.others.clone(), key.to_string());
        // What is decided here is decided now: requests keep their order.
        let first = here(&local);
        Box::pin(async move {
            let mut error = match settle(first).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let Some(others) = others else { return Err(error) };
            let deadline = others.clock.monotonic().after(PATIENCE);
            while is_passing(&error) && others.clock.monotonic() < deadline {
                let leader = local.runtime.partition_for(&key).and_then(|place| others.leader(place));
                let answer = match leader {
                    Some(peer) => there(peer).await.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable.into())),
                    None => settle(here(&local)).await,
                };
                error = match answer {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                };
                if is_passing(&error) {
                    others.clock.sleep_until(others.clock.monotonic().after(AGAIN)).await;
                }
            }
            Err(error)
        })
    }
}

async fn settle<T>(outcome: Result<(T, Durable), StateError>) -> Result<T, StateError> {
    let (value, durable) = outcome?;
    match durable {
        None => Ok(value),
        Some(durable) => durable.await.map(|()| value).map_err(StateError::from),
    }
}
