//! A node's part in a cluster of several: its broker is registered, and as controller it looks after the others.
//! Shell. A node that is alone has none of it.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_env::tasks::TaskHandle;
use ottla_log::LogManager;
use ottla_metadata::{Feature, Registration};
use ottla_model::BrokerId;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::detection;
use crate::lifecycle::{Joining, Lifecycle};
use crate::rooms::Rooms;

/// Closed connections that wait to be looked after.
const CLOSED_QUEUED_MAX: usize = 1024;
/// How long a stop waits until all that this broker leads is led elsewhere.
const HAND_OVER: Duration = Duration::from_secs(10);

pub struct Membership {
    lifecycle: Lifecycle,
    /// Ends with this value. The lock makes it something that threads may share.
    _detection: Mutex<TaskHandle>,
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
}

impl Membership {
    /// Begins to register. The listeners are there: whoever is told of this broker finds it.
    pub fn begin(member: &Member<'_>) -> Membership {
        let Member { env, config, cluster_id, registration, features, logs, rooms } = *member;
        let (tell, closed) = mpsc::channel(CLOSED_QUEUED_MAX);
        rooms.broker.broker_connections.follow(tell);
        let listener =
            config.inter_broker_listener().map(|listener| listener.name.clone()).unwrap_or_default();
        let node_id = BrokerId(config.node_id);
        let detection = detection::start(env, &rooms.metadata, node_id, &listener, closed);
        let lifecycle = Lifecycle::start(Joining {
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
        });
        Membership { lifecycle, _detection: Mutex::new(detection) }
    }

    /// Waits until this broker serves.
    pub async fn until_serving(&self) -> Result<(), String> {
        match self.lifecycle.until_serving().await {
            true => Ok(()),
            false => Err("this broker could not register with a controller within \
                          initial.broker.registration.timeout.ms: is a majority of controller.quorum.voters up?"
                .to_owned()),
        }
    }

    /// Lets others lead what this broker leads.
    pub async fn leave(&self) {
        if !self.lifecycle.stop(HAND_OVER).await {
            tracing::warn!("no controller let this broker go: others notice that it is gone");
        }
    }
}
