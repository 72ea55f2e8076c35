//! The ways from this node to the others of its cluster, as the rooms need them.
//! Shell.

use std::sync::Arc;

use ottla_api::context::ClusterLinks;
use ottla_api::peers::{
    self, ControllerNodes, Controllers, Forward, ImageNodes, Presence, Reached, ToController, observe,
};
use ottla_config::{BrokerConfig, ConfigError, Listener, NodeLogin, NodeSecret};
use ottla_env::tasks::TaskHandle;
use ottla_env::{Disk, Env};
use ottla_metadata::{ControllerChannel, Delta, Image, ImageListener, Metadata, Observer, Quorum, Voter};
use ottla_model::BrokerId;
use ottla_model::limits::METADATA_ANSWERS_PARKED_MAX;
use ottla_network::outgoing::{PeerLogin, PeerSecret, PeerSettings};
use ottla_security::Secret;
use ottla_security::sasl::SaslMechanism;
use ottla_security::tls::ClientTls;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// What makes a node of several out of a broker.
pub struct ClusterOpening {
    pub part: Part,
    pub settings: NodeSettings,
}

/// What the node is to the controllers' log.
pub enum Part {
    /// It votes with the others.
    Voter(Quorum),
    /// It reads what the controllers have decided; the directory would hold its copy.
    Observer { directory_id: Uuid },
}

impl ClusterOpening {
    pub fn quorum(&self) -> Option<&Quorum> {
        match &self.part {
            Part::Voter(quorum) => Some(quorum),
            Part::Observer { .. } => None,
        }
    }
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

/// How this node speaks to the others.
#[derive(Clone)]
pub struct NodeSettings {
    /// At their inter-broker listeners.
    pub brokers: PeerSettings,
    /// At their controller listeners.
    pub controllers: PeerSettings,
}

impl NodeSettings {
    /// `disk` is the machine's; `tls`: with what a listener is dialled, by its name.
    pub fn of(
        config: &BrokerConfig,
        disk: &Arc<dyn Disk>,
        tls: impl Fn(&str) -> Option<ClientTls>,
    ) -> Result<NodeSettings, String> {
        let of = |listener: Option<Listener>, login: Result<Option<NodeLogin>, ConfigError>| {
            let login = login.map_err(|error| error.to_string())?.map(|login| PeerLogin {
                mechanism: mechanism(login.mechanism),
                name: login.name,
                secret: match login.secret {
                    NodeSecret::Password(password) => PeerSecret::Known(Arc::new(Secret::new(password))),
                    NodeSecret::TokenFile(path) => {
                        PeerSecret::File { disk: Arc::clone(disk), path: path.into() }
                    }
                },
            });
            let tls = listener.and_then(|listener| tls(&listener.name));
            let settings = peers::settings(format!("node-{}", config.node_id));
            Ok::<_, String>(PeerSettings { login, tls, ..settings })
        };
        Ok(NodeSettings {
            brokers: of(config.dialled_broker_listener(), config.login_at_brokers())?,
            controllers: of(config.dialled_controller_listener(), config.login_at_controllers())?,
        })
    }
}

fn mechanism(name: &str) -> SaslMechanism {
    match SaslMechanism::from_name(name) {
        Some(mechanism) => mechanism,
        None => unreachable!("the configuration names no other mechanism than those there are"),
    }
}

/// Keeps in mind where the voters are that the log names.
struct FollowVoters {
    others: Arc<ControllerNodes>,
    listener: String,
}

impl ImageListener for FollowVoters {
    fn on_image(&self, _: &Delta, image: &Arc<Image>) {
        if let Some(voters) = image.voters() {
            self.others.learn(&voters.set.at(&self.listener));
        }
    }
}

pub struct Links {
    /// The active controller; on a node that is alone, its own.
    pub controller: Arc<dyn ControllerChannel>,
    pub cluster: Option<ClusterLinks>,
    /// To be told of images behind every room.
    pub reached: Option<Arc<Reached>>,
    /// Begins to read the controllers' log; on a broker without a vote.
    pub observing: Option<Box<dyn FnOnce() -> TaskHandle>>,
    /// The other brokers at their addresses.
    pub nodes: Option<Arc<ImageNodes>>,
    /// Which of the controllers is active.
    pub controllers: Option<Arc<Controllers>>,
}

pub fn links(
    env: &Env,
    config: &BrokerConfig,
    metadata: &Arc<Metadata>,
    cluster: Option<ClusterOpening>,
) -> Links {
    let Some(ClusterOpening { part, settings }) = cluster else {
        let (cluster, reached, nodes, controllers, observing) = (None, None, None, None, None);
        return Links { controller: metadata.clone(), cluster, reached, nodes, controllers, observing };
    };
    let node_id = BrokerId(config.node_id);
    let others = Arc::new(ControllerNodes::new(env.clone(), node_id, &voters(config), &settings.controllers));
    if let Part::Voter(quorum) = &part {
        others.learn(&quorum.voters);
    }
    metadata.subscribe(Arc::new(FollowVoters {
        others: others.clone(),
        listener: config.controller_listener_name(),
    }));
    let controllers = Arc::new(Controllers::new(env.clone(), node_id, metadata.clone(), others.clone()));
    let observing = match part {
        Part::Voter(_) => None,
        Part::Observer { directory_id } => {
            let cluster_id = metadata.image().cluster_id().to_owned();
            let observer = Observer::new(node_id, directory_id, cluster_id);
            let first = observe::peers_at(env, &config.controller_addresses(), &settings.controllers);
            let (env, metadata) = (env.clone(), metadata.clone());
            let begin = move || observe::observe(&env, observer, metadata, first, others);
            Some(Box::new(begin) as Box<dyn FnOnce() -> TaskHandle>)
        }
    };
    let reached = Arc::<Reached>::default();
    let forward = Arc::new(Forward::new(env.clone(), controllers.clone(), reached.clone()));
    let listener = config.inter_broker_listener_name();
    let nodes = Arc::new(ImageNodes::new(env.clone(), metadata.clone(), listener, settings.brokers));
    let presence = Arc::new(Presence::new(env.clock.clone(), node_id));
    let controller = Arc::new(ToController::new(controllers.clone(), metadata.clone(), forward.clone()));
    let links = ClusterLinks {
        forward,
        nodes: nodes.clone(),
        presence,
        reached: reached.clone(),
        parked_metadata: Arc::new(Semaphore::new(METADATA_ANSWERS_PARKED_MAX)),
    };
    let (reached, nodes, controllers) = (Some(reached), Some(nodes), Some(controllers));
    Links { controller, cluster: Some(links), reached, nodes, controllers, observing }
}
