//! Who a node is, and its place among the controllers: found together with the others where its directories are new.
//! Shell.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use ottla_api::peers::{VoterEvents, VoterTransport, observe};
use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_metadata::{Metadata, Quorum, RaftTransport, Voter, found_cluster};
use ottla_model::BrokerId;
use tokio::sync::mpsc;

use crate::cluster::{ClusterOpening, NodeSettings, Part, voters};
use crate::controller_listeners::ControllerListeners;
use crate::identity::{Identity, Known};
use crate::tls::ListenersTls;

/// Frames that wait while a cluster is founded; a voter asks again.
const FRAMES_MAX: usize = 256;

/// Reads who this node is. A node of several waits for the others where it has no cluster yet.
pub async fn find(
    env: &Env,
    config: &BrokerConfig,
    dirs: &[PathBuf],
    controller: Option<&ControllerListeners>,
    tls: &ListenersTls,
) -> Result<(Identity, Option<ClusterOpening>), String> {
    let known = Known::read(env, dirs, config)?;
    if !config.is_controller() {
        let settings = NodeSettings::of(config, tls.disk(), |listener| tls.dials(listener))?;
        let found = match known.cluster_id {
            Some(_) => None,
            None => {
                let controllers =
                    observe::peers_at(env, &config.controller_addresses(), &settings.controllers);
                Some(observe::cluster_id_of(env, &controllers).await)
            }
        };
        let identity = known.keep(env, found)?;
        let directory_id = identity.directory_ids[0].0;
        let part = Part::Observer { directory_id };
        return Ok((identity, Some(ClusterOpening { part, settings })));
    }
    if config.has_peers() && config.this_voter().is_none() && !config.names_other_controllers() {
        return Err("nothing says which controllers vote: set controller.quorum.voters, format the directory with \
                    kafka-storage format --initial-controllers, or name the controllers of a quorum that this one is to \
                    join by controller.quorum.bootstrap.servers"
            .to_owned());
    }
    let Some(controller) = controller.filter(|_| config.has_peers()) else {
        return Ok((known.keep(env, None)?, None));
    };
    let (node_id, mut voters) = (BrokerId(config.node_id), voters(config));
    let settings = NodeSettings::of(config, tls.disk(), |listener| tls.dials(listener))?;
    let me = this_controller(config)?;
    // One that joins a quorum is told by it which it is.
    let mut found = None;
    if config.this_voter().is_none() && (voters.is_empty() || known.cluster_id.is_none()) {
        let named = observe::peers_at(env, &config.controller_addresses(), &settings.controllers);
        let (cluster_id, controllers) = observe::cluster_of(env, &named).await;
        if voters.is_empty() {
            voters = controllers;
        }
        found = Some(cluster_id);
    }
    let transport =
        VoterTransport::new(&controller.env, node_id, &voters, &settings.controllers, &controller.voices);
    let transport: Arc<dyn RaftTransport> = Arc::new(transport);
    let found = match known.cluster_id {
        _ if found.is_some() => found,
        Some(_) => None,
        None => {
            let (sender, mut frames) = mpsc::channel(FRAMES_MAX);
            controller.voices.follow(Arc::new(Founding(sender)));
            Some(found_cluster(env, node_id, &voters, &transport, &mut frames).await)
        }
    };
    let identity = known.keep(env, found)?;
    let directory_id = identity.directory_ids[0].0;
    let listener = config.controller_listener_name();
    let part = Part::Voter(Quorum { voters, me, listener, directory_id, transport });
    Ok((identity, Some(ClusterOpening { part, settings })))
}

/// Where the other controllers reach this one.
pub fn this_controller(config: &BrokerConfig) -> Result<Voter, String> {
    let listener = config.controller_listeners.first();
    match listener.and_then(|listener| config.controller_reached_at(listener)) {
        Some((host, port)) => Ok(Voter { id: BrokerId(config.node_id), host, port }),
        None => Err("neither advertised.listeners nor listeners names a host for the controller's listener, so that the \
                     quorum that this node joins can't dial it: one of them must"
            .to_owned()),
    }
}

/// Puts this node among voters of a log where the others reach it now, which may be elsewhere than at its last start: it has
/// the log say so (UpdateRaftVoter). Where its configuration says nothing of that it is where the log has it.
pub fn move_own_voter(voters: &mut [Voter], config: &BrokerConfig) {
    let own = voters.iter_mut().find(|voter| voter.id == BrokerId(config.node_id));
    if let (Some(own), Ok(this)) = (own, this_controller(config)) {
        *own = this;
    }
}

/// Hears voters before there is a quorum.
struct Founding(mpsc::Sender<(BrokerId, Bytes)>);

impl VoterEvents for Founding {
    fn on_frame(&self, from: BrokerId, bytes: Bytes) {
        // One that finds no room is lost, as a frame may be.
        drop(self.0.try_send((from, bytes)));
    }

    fn on_disconnected(&self, _voter: BrokerId) {}
}

/// Hears voters from then on.
pub struct Voting(pub Arc<Metadata>);

impl VoterEvents for Voting {
    fn on_frame(&self, from: BrokerId, bytes: Bytes) {
        self.0.on_raft_frame(from, bytes);
    }

    fn on_disconnected(&self, voter: BrokerId) {
        self.0.on_voter_disconnected(voter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(controllers: &str, advertised: &str) -> Vec<String> {
        let pairs = [
            ("node.id", "2"),
            ("listeners", &*format!("PLAINTEXT://b:9092,{controllers}")),
            ("advertised.listeners", &*format!("PLAINTEXT://b:9092{advertised}")),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.bootstrap.servers", "a:9093,b:9093"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let (config, _) = ottla_config::load(None, &[], &pairs).expect("a config");
        let voter = |id, host: &str| Voter { id: BrokerId(id), host: host.to_owned(), port: 9093 };
        let mut voters = [voter(1, "a"), voter(2, "b")];
        move_own_voter(&mut voters, &config);
        voters.iter().map(|voter| format!("{}@{}:{}", voter.id, voter.host, voter.port)).collect()
    }

    #[test]
    fn a_voter_is_where_its_configuration_has_it_reached_or_where_the_log_says() {
        let at = |own: &str| vec!["1@a:9093".to_owned(), format!("2@{own}")];
        assert_eq!(moved("CONTROLLER://c:9094", ""), at("c:9094"));
        assert_eq!(moved("CONTROLLER://0.0.0.0:9093", ""), at("b:9093"), "no host is said");
        assert_eq!(moved("CONTROLLER://:9093", ""), at("b:9093"), "no host is said");
        for controllers in ["CONTROLLER://:9093", "CONTROLLER://c:9093"] {
            assert_eq!(moved(controllers, ",CONTROLLER://d:19093"), at("d:19093"), "it is advertised");
        }
    }
}
