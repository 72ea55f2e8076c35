//! A node's part in a cluster of several: its broker is registered, and as controller it looks after the others.
//! Shell. A node that is alone has none of it.

use std::sync::Arc;
use std::time::Duration;

use ottla_api::peers::Watch;
use ottla_config::{BrokerConfig, FailureDetection};
use ottla_env::Env;
use ottla_env::tasks::TaskHandle;
use ottla_log::LogManager;
use ottla_metadata::{Feature, Registration};
use ottla_model::BrokerId;
use ottla_replica::ReplicaManager;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::balancing::{BalanceFigures, Balancing};
use crate::detection::{self, CloseClients, Events};
use crate::lifecycle::{Joining, Lifecycle};
use crate::own_vote::Voting;
use crate::rooms::Rooms;
use crate::{cluster, controller_registration};

/// Closed connections that wait to be looked after.
const CLOSED_QUEUED_MAX: usize = 1024;
/// What the watch finds and nobody has acted on; it is found again.
const FOUND_QUEUED_MAX: usize = 64;
/// How long a stop waits until all that this broker leads is led elsewhere.
const HAND_OVER: Duration = Duration::from_secs(10);

pub struct Membership {
    /// `None` on a node that is no broker.
    lifecycle: Option<Lifecycle>,
    replicas: Arc<ReplicaManager>,
    /// They end with this value. The lock makes them something that threads may share.
    _tasks: Mutex<Vec<TaskHandle>>,
}

/// What a node knows of itself when it begins to take part.
pub struct Member<'a> {
    pub env: &'a Env,
    pub config: &'a BrokerConfig,
    pub cluster_id: &'a str,
    pub registration: &'a Registration,
    pub features: &'a [Feature],
    pub logs: &'a Arc<LogManager>,
    pub rooms: &'a Rooms,
    /// Where the controller says what would move.
    pub balance: &'a Arc<BalanceFigures>,
    /// The directory of the controllers' log.
    pub directory_id: Uuid,
}

impl Membership {
    /// Begins to register. The listeners are there: whoever is told of this broker finds it.
    pub fn begin(member: &Member<'_>, close_clients: CloseClients) -> Membership {
        let Member { env, config, cluster_id, registration, features, logs, rooms, .. } = *member;
        let links = rooms.broker.cluster.as_ref().zip(rooms.nodes.as_ref());
        let Some((links, nodes)) = links else { unreachable!("a node of several has ways to the others") };
        let (tell, closed) = mpsc::channel(CLOSED_QUEUED_MAX);
        let (finds, found) = mpsc::channel(FOUND_QUEUED_MAX);
        rooms.broker.broker_connections.follow(tell);
        let listener = config.inter_broker_listener_name();
        let node_id = BrokerId(config.node_id);
        let watch = (config.failure_detection == FailureDetection::Pings).then(|| Watch {
            env: env.clone(),
            node_id,
            metadata: rooms.metadata.clone(),
            nodes: nodes.clone(),
            presence: links.presence.clone(),
            voters: cluster::voters(config),
            found: finds,
        });
        let events = Events { closed, found, presence: links.presence.clone(), close_clients };
        let detection = detection::start(env, &rooms.metadata, node_id, &listener, events);
        let mut tasks: Vec<TaskHandle> = watch.map(Watch::start).into_iter().chain([detection]).collect();
        if config.is_controller() {
            let (incarnation_id, controller) = (registration.incarnation_id, rooms.controller.clone());
            tasks.push(controller_registration::start(env, config, features, incarnation_id, controller));
            let balancing = Balancing {
                env: env.clone(),
                node_id,
                config: rooms.config.clone(),
                metadata: rooms.metadata.clone(),
                nodes: nodes.clone(),
                figures: member.balance.clone(),
            };
            tasks.push(balancing.start());
            let controllers = rooms.controllers.as_ref().expect("a node of several knows its controllers");
            tasks.push(Voting::new(env, config, member.directory_id, &rooms.metadata, controllers).start());
        }
        let joining = || Joining {
            env,
            config,
            dynamic_config: &rooms.config,
            cluster_id,
            registration,
            features,
            logs,
            metadata: &rooms.metadata,
            controller: rooms.controller.clone(),
            broker_epoch: rooms.broker_epoch.clone(),
            dir_failures: rooms.replicas.dir_failures(),
        };
        let lifecycle = config.is_broker().then(|| Lifecycle::start(joining()));
        Membership { lifecycle, replicas: rooms.replicas.clone(), _tasks: Mutex::new(tasks) }
    }

    /// Waits until this broker serves.
    pub async fn until_serving(&self) -> Result<(), String> {
        let Some(lifecycle) = &self.lifecycle else { return Ok(()) };
        match lifecycle.until_serving().await {
            true => Ok(()),
            false => Err("this broker could not register with a controller within \
                          initial.broker.registration.timeout.ms: is a majority of the controllers up?"
                .to_owned()),
        }
    }

    /// Lets others lead what this broker leads. Writes wait for them meanwhile.
    pub async fn leave(&self) {
        let Some(lifecycle) = &self.lifecycle else { return };
        self.replicas.hand_over().await;
        if !lifecycle.stop(HAND_OVER).await {
            tracing::warn!("no controller let this broker go: others notice that it is gone");
        }
    }
}
