//! The ways from this node to the others of its cluster, as the rooms need them.
//! Shell.

use std::sync::Arc;

use ottla_api::context::ClusterLinks;
use ottla_api::peers::{self, Controllers, Forward, ImageNodes, Presence, Reached, ToController};
use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_metadata::{ControllerChannel, Metadata, Quorum, Voter};
use ottla_model::BrokerId;
use ottla_model::limits::METADATA_ANSWERS_PARKED_MAX;
use ottla_network::outgoing::PeerSettings;
use tokio::sync::Semaphore;

/// What makes a node of several out of a broker.
pub struct ClusterOpening {
    pub quorum: Quorum,
}

/// The voters that the configuration names.
pub fn voters(config: &BrokerConfig) -> Vec<Voter> {
    let voter = |one: &ottla_config::QuorumVoter| Voter {
        id: BrokerId(one.id),
        host: one.host.clone(),
        port: one.port,
    };
    config.quorum_voters.iter().map(voter).collect()
}

/// How this node speaks to others.
pub fn peer_settings(config: &BrokerConfig) -> PeerSettings {
    peers::settings(format!("node-{}", config.node_id))
}

pub struct Links {
    /// The active controller; on a node that is alone, its own.
    pub controller: Arc<dyn ControllerChannel>,
    pub cluster: Option<ClusterLinks>,
    /// To be told of images behind every room.
    pub reached: Option<Arc<Reached>>,
    /// The other brokers at their addresses.
    pub nodes: Option<Arc<ImageNodes>>,
}

pub fn links(
    env: &Env,
    config: &BrokerConfig,
    metadata: &Arc<Metadata>,
    cluster: Option<ClusterOpening>,
) -> Links {
    let Some(ClusterOpening { quorum }) = cluster else {
        return Links { controller: metadata.clone(), cluster: None, reached: None, nodes: None };
    };
    let settings = peer_settings(config);
    let node_id = BrokerId(config.node_id);
    let controllers =
        Arc::new(Controllers::new(env.clone(), node_id, metadata.clone(), &quorum.voters, &settings));
    let reached = Arc::<Reached>::default();
    let forward = Arc::new(Forward::new(env.clone(), controllers.clone(), reached.clone()));
    let listener = config.inter_broker_listener().map(|listener| listener.name.clone()).unwrap_or_default();
    let nodes = Arc::new(ImageNodes::new(env.clone(), metadata.clone(), listener, settings));
    let presence = Arc::new(Presence::new(env.clock.clone(), node_id));
    let controller = Arc::new(ToController::new(controllers, metadata.clone(), forward.clone()));
    let links = ClusterLinks {
        forward,
        nodes: nodes.clone(),
        presence,
        reached: reached.clone(),
        parked_metadata: Arc::new(Semaphore::new(METADATA_ANSWERS_PARKED_MAX)),
    };
    Links { controller, cluster: Some(links), reached: Some(reached), nodes: Some(nodes) }
}
