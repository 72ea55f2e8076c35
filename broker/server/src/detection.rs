//! Finds out that a broker's process is gone: its connection is closed, and nobody listens at its address any more.
//! Shell: one task on each node of a cluster, idle where the controller is elsewhere. The rule is the controller's
//! (`liveness` of `metadata`); heartbeats and sessions stay what they are for everything that is not so clear.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_env::net::DialOptions;
use ottla_env::tasks::TaskHandle;
use ottla_metadata::{Metadata, OperationError};
use ottla_model::BrokerId;
use tokio::sync::mpsc;

/// How long a broker may take to accept; one that doesn't answer is no process that is gone.
const DIAL_TIMEOUT: Duration = Duration::from_millis(100);
/// How soon it is looked whether a controller that was elected has begun to decide, and how often.
const BEGIN_PAUSE: Duration = Duration::from_millis(10);
const BEGIN_TRIES: usize = 300;

/// Brokers whose connections to this node's controller were closed, with the epochs they said there. One that does not
/// fit into the queue is found out by its session.
pub type Closed = mpsc::Receiver<(BrokerId, i64)>;

#[derive(Clone)]
struct Looking {
    env: Env,
    metadata: Arc<Metadata>,
    node_id: BrokerId,
    /// The listener by which brokers reach each other.
    listener: Arc<str>,
}

/// Begins to look. `closed` ends with whoever tells of connections.
pub fn start(
    env: &Env,
    metadata: &Arc<Metadata>,
    node_id: BrokerId,
    listener: &str,
    closed: Closed,
) -> TaskHandle {
    let looking =
        Looking { env: env.clone(), metadata: metadata.clone(), node_id, listener: Arc::from(listener) };
    env.tasks.spawn("broker-detection", Box::pin(looking.run(closed)))
}

impl Looking {
    async fn run(self, mut closed: Closed) {
        let mut leaders = self.metadata.leadership_changes();
        loop {
            tokio::select! {
                biased;
                gone = closed.recv() => {
                    let Some((id, epoch)) = gone else { return };
                    let this = self.clone();
                    self.env.tasks.spawn("broker-lookup", Box::pin(this.on_closed(id, epoch))).detach();
                }
                changed = leaders.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if leaders.borrow_and_update().leader == Some(self.node_id) {
                        self.look_at_all();
                    }
                }
            }
        }
    }

    /// Evidence that another controller had is void: a new one looks for itself.
    fn look_at_all(&self) {
        let image = self.metadata.image();
        let others = image.brokers().filter(|(id, broker)| *id != self.node_id && !broker.fenced);
        for (id, broker) in others {
            let (this, epoch) = (self.clone(), broker.broker_epoch);
            self.env.tasks.spawn("broker-lookup", Box::pin(this.look(id, epoch))).detach();
        }
    }

    async fn on_closed(self, id: BrokerId, epoch: i64) {
        if self.metadata.on_broker_disconnected(id, epoch).await {
            self.look(id, epoch).await;
        }
    }

    async fn look(self, id: BrokerId, epoch: i64) {
        if !self.is_refused(id).await {
            return;
        }
        for _ in 0..BEGIN_TRIES {
            match self.metadata.on_broker_refused(id, epoch).await {
                Ok(true) => return tracing::info!("broker {id} is fenced: its process is gone"),
                Ok(false) | Err(OperationError::Stopping | OperationError::Commit(_)) => return,
                // Elected, and about to begin; or not the controller any more.
                Err(OperationError::Refused(_))
                    if self.metadata.leadership().leader == Some(self.node_id) =>
                {
                    self.env.clock.sleep_until(self.env.clock.monotonic().after(BEGIN_PAUSE)).await;
                }
                Err(OperationError::Refused(_)) => return,
            }
        }
    }

    /// Whether the broker's machine says that nobody listens there.
    async fn is_refused(&self, id: BrokerId) -> bool {
        let image = self.metadata.image().clone();
        let Some(broker) = image.broker(id) else { return false };
        let named = broker.end_points.iter().find(|one| one.name.as_str() == &*self.listener);
        let Some(place) = named.or(broker.end_points.first()) else { return false };
        let dial = self.env.net.dial(place.host.as_str(), place.port, DialOptions::default());
        let deadline = self.env.clock.monotonic().after(DIAL_TIMEOUT);
        tokio::select! {
            biased;
            dialled = dial => dialled.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused),
            () = self.env.clock.sleep_until(deadline) => false,
        }
    }
}
