//! Acts on what is found out of brokers: that a process is gone, that no node hears one, that this node is cut off.
//! Shell: one task on each node of a cluster. The rules are the controller's (`liveness` of `metadata`) and the detector's;
//! heartbeats and sessions stay what they are for everything that is not so clear.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ottla_api::owned_tasks::OwnedTasks;
use ottla_api::peers::{Found, Presence};
use ottla_env::net::DialOptions;
use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Env};
use ottla_metadata::{Metadata, OperationError};
use ottla_model::BrokerId;
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// How long a broker may take to accept; one that doesn't answer is no process that is gone.
const DIAL_TIMEOUT: Duration = Duration::from_millis(100);
/// How soon it is looked whether a controller that was elected has begun to decide, and how often.
const BEGIN_PAUSE: Duration = Duration::from_millis(10);
const BEGIN_TRIES: usize = 300;
/// Brokers that are looked after at a time. One beyond that is found out by its session.
const LOOKED_AFTER_MAX: usize = 1_024;
/// How often this node says to itself that it has time for requests.
const SERVED_PAUSE: Duration = Duration::from_millis(50);

/// Brokers whose connections to this node's controller were closed, with the epochs they said there. One that does not
/// fit into the queue is found out by its session.
pub type Closed = mpsc::Receiver<(BrokerId, i64)>;

/// Closes the connections of clients.
pub type CloseClients = Box<dyn Fn() + Send + Sync>;

/// What is to be acted on.
pub struct Events {
    pub closed: Closed,
    /// Ends at once where nodes are not pinged.
    pub found: mpsc::Receiver<Found>,
    pub presence: Arc<Presence>,
    pub close_clients: CloseClients,
}

#[derive(Clone)]
struct Looking {
    env: Env,
    metadata: Arc<Metadata>,
    node_id: BrokerId,
    /// The listener by which brokers reach each other.
    listener: Arc<str>,
    presence: Arc<Presence>,
    /// Who is being fenced since nobody hears it.
    fencing: Arc<Mutex<BTreeSet<BrokerId>>>,
}

/// Begins to look. It ends with whoever tells of connections.
pub fn start(
    env: &Env,
    metadata: &Arc<Metadata>,
    node_id: BrokerId,
    listener: &str,
    events: Events,
) -> TaskHandle {
    let looking = Looking {
        env: env.clone(),
        metadata: metadata.clone(),
        node_id,
        listener: Arc::from(listener),
        presence: events.presence.clone(),
        fencing: Arc::default(),
    };
    env.tasks.spawn("broker-detection", Box::pin(looking.run(events)))
}

impl Looking {
    async fn run(self, events: Events) {
        let Events { mut closed, mut found, close_clients, .. } = events;
        let mut leaders = self.metadata.leadership_changes();
        let clock = self.env.clock.clone();
        let mut served = clock.sleep_until(clock.monotonic());
        // They end with this task.
        let lookups = OwnedTasks::new(LOOKED_AFTER_MAX);
        loop {
            tokio::select! {
                biased;
                gone = closed.recv() => {
                    let Some((id, epoch)) = gone else { return };
                    self.begin(&lookups, "broker-lookup", Box::pin(self.clone().on_closed(id, epoch)));
                }
                () = &mut served => {
                    self.presence.on_served();
                    served = clock.sleep_until(clock.monotonic().after(SERVED_PAUSE));
                }
                Some(found) = found.recv() => match found {
                    Found::Silent(id, silence) => self.on_silent(&lookups, id, silence),
                    Found::CutOff(is_cut_off) => on_cut_off(is_cut_off, &close_clients),
                },
                changed = leaders.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if leaders.borrow_and_update().leader == Some(self.node_id) {
                        self.look_at_all(&lookups);
                    }
                }
            }
        }
    }

    /// Evidence that another controller had is void: a new one looks for itself.
    fn look_at_all(&self, lookups: &OwnedTasks) {
        let image = self.metadata.image();
        let others = image.brokers().filter(|(id, broker)| *id != self.node_id && !broker.fenced);
        for (id, broker) in others {
            self.begin(lookups, "broker-lookup", Box::pin(self.clone().look(id, broker.broker_epoch)));
        }
    }

    /// It is reported again as long as nothing has become of it.
    fn on_silent(&self, lookups: &OwnedTasks, id: BrokerId, silence: Duration) {
        let image = self.metadata.image();
        let Some(epoch) = image.broker(id).map(|broker| broker.broker_epoch) else { return };
        if self.fencing.lock().insert(id) {
            let work = Box::pin(self.clone().fence(id, epoch, silence));
            if !self.begin(lookups, "broker-silent", work) {
                self.fencing.lock().remove(&id);
            }
        }
    }

    /// False where too many are under way.
    fn begin(&self, lookups: &OwnedTasks, name: &'static str, work: BoxFuture<'static, ()>) -> bool {
        lookups.begin(&*self.env.tasks, name, work)
    }

    async fn fence(self, id: BrokerId, epoch: i64, silence: Duration) {
        if let Ok(true) = self.metadata.on_broker_silent(id, epoch).await {
            let ms = silence.as_millis();
            let longer = match self.presence.on_fenced(id) {
                true => "; it is waited twice as long for it, as it was fenced before and lived",
                false => "",
            };
            tracing::warn!("broker {id} is fenced: no node has heard it for {ms} ms{longer}");
        }
        self.fencing.lock().remove(&id);
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

/// Whoever is connected here would wait for answers that never come.
fn on_cut_off(is_cut_off: bool, close_clients: &CloseClients) {
    match is_cut_off {
        true => {
            tracing::warn!(
                "this node is cut off: it hears neither the controller nor enough of the others, which may have \
                 replaced it. It serves nobody until it hears them, and clients are to find another node"
            );
            close_clients();
        }
        false => tracing::info!("this node hears the others again, and serves what it leads"),
    }
}
