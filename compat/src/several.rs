//! Several nodes of one kind that are one cluster, each of them controller and broker, behind the trait of one broker.
//! Shell: processes and threads.

use std::path::{Path, PathBuf};

use crate::broker::{self, Against, Broker, BrokerOptions, OttlaServer};
use crate::failure::{Failure, Outcome};
use crate::ports::free_port_list;
use crate::reference::KafkaServer;

/// The nodes of Apache Kafka are formatted with it.
const CLUSTER_ID: &str = "b3R0bGFDb21wYXQwMDAwMg";
/// What stands for the id of a node in a line for all of them.
const ID: &str = "{id}";
/// The internal topics as a cluster has them, but for the number of their partitions.
const REPLICATED: [&str; 9] = [
    "default.replication.factor=3",
    "offsets.topic.replication.factor=3",
    "offsets.topic.num.partitions=5",
    "transaction.state.log.replication.factor=3",
    "transaction.state.log.min.isr=2",
    "transaction.state.log.num.partitions=5",
    "share.coordinator.state.topic.replication.factor=3",
    "share.coordinator.state.topic.min.isr=2",
    "share.coordinator.state.topic.num.partitions=5",
];

/// What a cluster is.
#[derive(Debug, Clone)]
pub struct Layout {
    pub count: usize,
    /// Lines for the configuration of each node; `{id}` in one is the id of the node.
    pub overrides: Vec<String>,
    /// A listener beside that for the nodes, by its name and its protocol.
    pub listener: Option<(&'static str, &'static str)>,
}

impl Layout {
    /// Topics and internal topics have three replicas if nobody says otherwise.
    pub fn replicated(count: usize, overrides: Vec<String>) -> Self {
        let lines = REPLICATED.iter().map(|line| (*line).to_owned()).chain(overrides).collect();
        Self { count, overrides: lines, listener: None }
    }
}

/// Nodes with the ids from 1 on.
pub struct Several {
    nodes: Vec<Box<dyn Broker>>,
    /// Ports of the listener that the layout asked for.
    listener_ports: Vec<u16>,
    /// Nodes of Apache Kafka that stop together wait for a majority that is gone.
    can_stop: bool,
}

/// One node, or so many with all replicated.
pub fn start(against: Against, count: usize, overrides: Vec<String>) -> Outcome<Box<dyn Broker>> {
    if count <= 1 {
        return broker::start(against, &BrokerOptions { overrides, ..BrokerOptions::default() });
    }
    Ok(Box::new(Several::start(against, &Layout::replicated(count, overrides))?))
}

impl Several {
    /// Starts them at once: none is ready before a majority is there.
    pub fn start(against: Against, layout: &Layout) -> Outcome<Self> {
        let ports = free_port_list(3 * layout.count)?;
        let start = |index: usize| -> Outcome<Box<dyn Broker>> {
            let options = options(layout, &ports, index);
            Ok(match against {
                Against::Ottla => Box::new(OttlaServer::start(&options)?),
                Against::Kafka => Box::new(KafkaServer::join(&options, CLUSTER_ID)?),
            })
        };
        let nodes = std::thread::scope(|scope| {
            let start = &start;
            let starting: Vec<_> = (0..layout.count).map(|index| scope.spawn(move || start(index))).collect();
            let joined = starting.into_iter().map(|one| one.join().map_err(|_| panicked())?);
            joined.collect::<Outcome<Vec<_>>>()
        })?;
        let listener_ports = ports[2 * layout.count..].to_vec();
        Ok(Self { nodes, listener_ports, can_stop: against == Against::Ottla })
    }

    /// Where clients reach the listener beside that for the nodes.
    pub fn listener_addresses(&self) -> Vec<String> {
        self.listener_ports.iter().map(|port| format!("localhost:{port}")).collect()
    }

    pub fn log_dirs(&self) -> Vec<PathBuf> {
        self.nodes.iter().map(|node| node.log_dir().to_owned()).collect()
    }

    pub fn node(&mut self, id: i32) -> Outcome<&mut Box<dyn Broker>> {
        let place = usize::try_from(id - 1).ok();
        let node = place.and_then(|place| self.nodes.get_mut(place));
        node.ok_or_else(|| Failure(format!("there is no node {id}")))
    }

    /// What is done to all of them at once; the first failure is told.
    fn each(&mut self, act: impl Fn(&mut dyn Broker) -> Outcome<()> + Sync) -> Outcome<()> {
        std::thread::scope(|scope| {
            let acting: Vec<_> =
                self.nodes.iter_mut().map(|node| scope.spawn(|| act(node.as_mut()))).collect();
            acting.into_iter().try_for_each(|one| one.join().map_err(|_| panicked())?)
        })
    }
}

/// The ports are those for clients, then those of the controllers, then those of the listener that is asked for.
fn options(layout: &Layout, ports: &[u16], index: usize) -> BrokerOptions {
    let count = layout.count;
    let voters: Vec<String> =
        (0..count).map(|index| format!("{}@127.0.0.1:{}", index + 1, ports[count + index])).collect();
    let mut listeners = format!("PLAINTEXT://127.0.0.1:{}", ports[index]);
    let mut protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
    if let Some((name, protocol)) = layout.listener {
        let port = ports[2 * count + index];
        listeners.push_str(&format!(",{name}://localhost:{port}"));
        protocols.push_str(&format!(",{name}:{protocol}"));
    }
    let id = (index + 1).to_string();
    let mut overrides = vec![
        format!("node.id={id}"),
        "process.roles=broker,controller".to_owned(),
        format!("listeners={listeners},CONTROLLER://127.0.0.1:{}", ports[count + index]),
        format!("advertised.listeners={listeners}"),
        format!("listener.security.protocol.map={protocols}"),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("controller.quorum.voters={}", voters.join(",")),
    ];
    overrides.extend(layout.overrides.iter().map(|line| line.replace(ID, &id)));
    BrokerOptions { port: Some(ports[index]), overrides, ..BrokerOptions::default() }
}

fn panicked() -> Failure {
    Failure("a thread of a cluster panicked".to_owned())
}

impl Broker for Several {
    fn bootstrap(&self) -> &str {
        self.nodes[0].bootstrap()
    }

    fn bootstraps(&self) -> String {
        self.nodes.iter().map(|node| node.bootstrap()).collect::<Vec<_>>().join(",")
    }

    fn pid(&self) -> u32 {
        self.nodes[0].pid()
    }

    fn pids(&self) -> Vec<u32> {
        self.nodes.iter().map(|node| node.pid()).collect()
    }

    fn log_dir(&self) -> &Path {
        self.nodes[0].log_dir()
    }

    fn restart(&mut self) -> Outcome<()> {
        self.each(|node| node.restart())
    }

    fn kill9(&mut self) -> Outcome<()> {
        self.each(|node| node.kill9())
    }

    fn stop(&mut self) -> Outcome<()> {
        if self.can_stop { self.each(|node| node.stop()) } else { self.kill9() }
    }

    fn is_running(&mut self) -> bool {
        self.nodes.iter_mut().all(|node| node.is_running())
    }

    fn last_output(&self, line_count: usize) -> String {
        (1_usize..)
            .zip(&self.nodes)
            .map(|(id, node)| format!("--- node {id}\n{}\n", node.last_output(line_count)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_its_own_ports_and_its_own_name_in_the_lines_for_all() {
        let overrides = vec!["broker.rack=RACK{id}".to_owned()];
        let layout = Layout { count: 2, overrides, listener: Some(("LOGIN", "SASL_PLAINTEXT")) };
        let options = options(&layout, &[10, 11, 20, 21, 30, 31], 1);
        assert_eq!(options.port, Some(11));
        let has =
            |line: &str| assert!(options.overrides.iter().any(|one| one == line), "{line}: {options:?}");
        has("node.id=2");
        has("broker.rack=RACK2");
        has("controller.quorum.voters=1@127.0.0.1:20,2@127.0.0.1:21");
        has("listeners=PLAINTEXT://127.0.0.1:11,LOGIN://localhost:31,CONTROLLER://127.0.0.1:21");
        has("advertised.listeners=PLAINTEXT://127.0.0.1:11,LOGIN://localhost:31");
        has("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT");
    }
}
