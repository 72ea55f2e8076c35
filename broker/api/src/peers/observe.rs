//! A broker without a vote reads the metadata log from the controllers, one request after the other.
//! Shell: one task around `Observer`.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_env::tasks::TaskHandle;
use ottla_metadata::{Ask, Metadata, Observer, Outcome, Voter};
use ottla_model::BrokerId;
use ottla_network::outgoing::{CallError, Peer, PeerSettings};
use ottla_protocol::messages::DescribeClusterRequest;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;

use super::controllers::ControllerNodes;

/// Before another controller is asked, where one could say nothing.
const PAUSE: Duration = Duration::from_millis(20);
/// A controller answers a fetch after half a second at the latest (`controller.quorum.fetch.timeout.ms`).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// How often somebody is told that no controller answers.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// What DescribeCluster calls controllers.
const CONTROLLERS: i8 = 2;

/// How controllers are asked for the log: on connections of their own, for an answer may be long in coming.
pub fn settings_of(settings: &PeerSettings) -> PeerSettings {
    let client_id = format!("{}-metadata", settings.client_id);
    PeerSettings { request_timeout: REQUEST_TIMEOUT, client_id, ..settings.clone() }
}

/// The controllers at the addresses that the configuration names.
pub fn peers_at(env: &Env, addresses: &[(String, u16)], settings: &PeerSettings) -> Vec<Peer> {
    let settings = settings_of(settings);
    let peer = |(host, port): &(String, u16)| Peer::new(env.clone(), host.clone(), *port, settings.clone());
    addresses.iter().map(peer).collect()
}

/// Begins to read. `first` are asked while no leader is known; `nodes` learns where the others are.
pub fn observe(
    env: &Env,
    observer: Observer,
    metadata: Arc<Metadata>,
    first: Vec<Peer>,
    nodes: Arc<ControllerNodes>,
) -> TaskHandle {
    assert!(!first.is_empty(), "a broker is told of a controller");
    let observing = Observing { env: env.clone(), observer, metadata, first, nodes, turn: 0 };
    env.tasks.spawn("metadata-observer", Box::pin(observing.run()))
}

struct Observing {
    env: Env,
    observer: Observer,
    metadata: Arc<Metadata>,
    first: Vec<Peer>,
    nodes: Arc<ControllerNodes>,
    /// Counts those that were asked because no leader was known.
    turn: usize,
}

impl Observing {
    async fn run(mut self) {
        loop {
            let leader = self.observer.leader().and_then(|id| self.nodes.observed(id));
            let is_of_leader = leader.is_some();
            let peer = leader.unwrap_or_else(|| self.first[self.turn % self.first.len()].clone());
            let outcome = match self.ask(&peer).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    tracing::debug!(%error, "a controller gave nothing of the metadata log");
                    if is_of_leader { self.observer.on_unreachable() } else { vain() }
                }
            };
            self.nodes.learn(&outcome.controllers);
            for observed in outcome.observed {
                self.metadata.observe(observed).await;
            }
            if outcome.is_vain {
                self.turn += 1;
                self.env.clock.sleep_until(self.env.clock.monotonic().after(PAUSE)).await;
            }
        }
    }

    async fn ask(&mut self, peer: &Peer) -> Result<Outcome, CallError> {
        Ok(match self.observer.next() {
            Ask::Fetch(request) => self.observer.on_fetch(peer.call(&request).await?),
            Ask::Snapshot(request) => self.observer.on_snapshot(peer.call(&request).await?),
        })
    }
}

fn vain() -> Outcome {
    Outcome { is_vain: true, ..Outcome::default() }
}

/// The id of the cluster to which the controllers belong. Waits as long as it takes for one of them.
pub async fn cluster_id_of(env: &Env, controllers: &[Peer]) -> String {
    cluster_of(env, controllers).await.0
}

/// The same with the controllers that one of them knows, at their addresses.
pub async fn cluster_of(env: &Env, controllers: &[Peer]) -> (String, Vec<Voter>) {
    let request = DescribeClusterRequest::default().with_endpoint_type(CONTROLLERS);
    let begun = env.clock.monotonic();
    let mut next_line = begun.after(TELL_EVERY);
    for peer in controllers.iter().cycle() {
        match peer.call(&request).await {
            Ok(answer) if answer.error_code == 0 && !answer.cluster_id.is_empty() => {
                let voter = |one: &DescribeClusterBroker| {
                    let (id, port) = (BrokerId(*one.broker_id), u16::try_from(one.port).ok()?);
                    Some(Voter { id, host: one.host.to_string(), port })
                };
                return (answer.cluster_id.to_string(), answer.brokers.iter().filter_map(voter).collect());
            }
            Ok(answer) => tracing::debug!(answer.error_code, "a controller does not say its cluster's id"),
            Err(error) => tracing::debug!(%error, "a controller does not say its cluster's id"),
        }
        let now = env.clock.monotonic();
        if now >= next_line {
            tracing::info!("waiting {} s for a controller to answer", begun.until(now).as_secs());
            next_line = now.after(TELL_EVERY);
        }
        env.clock.sleep_until(now.after(PAUSE)).await;
    }
    unreachable!("a broker is told of a controller")
}
