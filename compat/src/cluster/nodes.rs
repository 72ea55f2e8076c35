//! Several `ottla` processes that are one cluster, and what each of them is at a moment.
//! Shell: processes, sockets, the clock.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::broker::{Broker as _, BrokerOptions, OttlaServer};
use crate::cluster::network::Network;
use crate::failure::{Failure, Outcome, While, fail};
use crate::ports::free_port_list;
use crate::wire::{Answer, Body, Connection};

const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const CREATE_TOPICS: i16 = 19;

/// How long a request may take while nodes come and go.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How long the cluster may take to be whole again.
const WHOLE_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub struct Nodes {
    servers: Vec<OttlaServer>,
    layout: Layout,
    /// Where clients reach them, whether they run or not.
    pub addresses: Vec<String>,
    /// Where each node has a host of its own. Behind the servers, which end first.
    pub network: Option<Network>,
}

/// Where the nodes listen: three ports each, for clients, controllers, and for each other.
struct Layout {
    /// Those that each of them knows as voters. More may have ports, which join later.
    count: usize,
    ports: Vec<u16>,
    inside: Option<&'static str>,
    places: Places,
}

/// Where a node is another than usual, by place.
#[derive(Default)]
pub struct Places {
    /// Three for each node; any where there are none.
    pub ports: Vec<u16>,
    pub log_dirs: Vec<Option<PathBuf>>,
    /// The port by which the others reach its inside listener.
    pub relays: Vec<Option<u16>>,
}

impl Layout {
    fn options(&self, index: usize, overrides: &[String], network: Option<&Network>) -> BrokerOptions {
        let voter =
            |index: usize| format!("{}@{}:{}", index + 1, host(network, index), self.ports[3 * index + 1]);
        let voters: Vec<String> = (0..self.count).map(voter).collect();
        let (client, controller, inner) =
            (self.ports[3 * index], self.ports[3 * index + 1], self.ports[3 * index + 2]);
        let host = host(network, index);
        let mut listeners = format!("listeners=PLAINTEXT://{host}:{client},CONTROLLER://{host}:{controller}");
        if let Some(name) = self.inside {
            listeners.push_str(&format!(",{name}://{host}:{inner}"));
        }
        let mut all = vec![
            format!("node.id={}", index + 1),
            listeners,
            "controller.listener.names=CONTROLLER".to_owned(),
            // Leaders move when something is done to a node, and not otherwise.
            "auto.leader.rebalance.enable=false".to_owned(),
        ];
        if let (Some(name), Some(Some(relay))) = (self.inside, self.places.relays.get(index)) {
            all.push(format!("inter.broker.listener.name={name}"));
            all.push(format!("advertised.listeners=PLAINTEXT://{host}:{client},{name}://{host}:{relay}"));
        } else if let (Some(name), false) = (self.inside, self.places.relays.is_empty()) {
            all.push(format!("inter.broker.listener.name={name}"));
        }
        if !self.places.relays.is_empty() {
            let map = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT";
            all.push(format!("listener.security.protocol.map={map}"));
        }
        all.push(match index < self.count {
            true => format!("controller.quorum.voters={}", voters.join(",")),
            false => {
                let addresses = voters.iter().filter_map(|voter| voter.split_once('@'));
                let addresses: Vec<&str> = addresses.map(|(_, address)| address).collect();
                format!("controller.quorum.bootstrap.servers={}", addresses.join(","))
            }
        });
        all.extend_from_slice(overrides);
        let under = network.map_or_else(Vec::new, |network| network.under(index));
        let log_dir = self.places.log_dirs.get(index).cloned().flatten();
        BrokerOptions { port: Some(client), overrides: all, under, log_dir, ..BrokerOptions::default() }
    }
}

fn host(network: Option<&Network>, index: usize) -> String {
    network.map_or_else(|| Ipv4Addr::LOCALHOST.to_string(), |network| network.host(index))
}

/// A topic and the cluster around it, as one node sees them.
#[derive(Debug)]
pub struct Map {
    pub brokers: BTreeMap<i32, String>,
    pub controller: i32,
    pub leaders: Vec<i32>,
    pub epochs: Vec<i32>,
    pub isr: Vec<Vec<i32>>,
    pub replicas: Vec<Vec<i32>>,
}

impl Nodes {
    /// Starts them at once: none is ready before a majority is there. `inside` is the name of a listener that the
    /// nodes have for each other beside the one for clients. Each is on a host of its own where there is a network.
    pub fn start(
        count: usize,
        inside: Option<&'static str>,
        overrides: &[String],
        network: Option<Network>,
    ) -> Outcome<Self> {
        Self::start_in(count, inside, overrides, network, Places::default())
    }

    /// The same on this machine's own network, with nodes at places that are not usual.
    pub fn start_at(
        count: usize,
        inside: Option<&'static str>,
        overrides: &[String],
        places: Places,
    ) -> Outcome<Self> {
        Self::start_in(count, inside, overrides, None, places)
    }

    fn start_in(
        count: usize,
        inside: Option<&'static str>,
        overrides: &[String],
        network: Option<Network>,
        mut places: Places,
    ) -> Outcome<Self> {
        let ports = match std::mem::take(&mut places.ports) {
            ports if ports.is_empty() => free_port_list(3 * count)?,
            ports => ports,
        };
        let layout = Layout { count, ports, inside, places };
        let options = |index: usize| layout.options(index, overrides, network.as_ref());
        let servers = std::thread::scope(|scope| {
            let starting: Vec<_> =
                (0..count).map(|index| scope.spawn(move || OttlaServer::start(&options(index)))).collect();
            let joined = starting
                .into_iter()
                .map(|one| one.join().unwrap_or_else(|_| fail("a thread that starts a node panicked")));
            joined.collect::<Outcome<Vec<_>>>()
        })?;
        let addresses =
            (0..count).map(|index| format!("{}:{}", host(network.as_ref(), index), layout.ports[3 * index]));
        let addresses = addresses.collect();
        Ok(Self { servers, layout, addresses, network })
    }

    /// Starts a process with nothing on its disk in the place of a node that does not run.
    pub fn stand_in(&self, id: i32, overrides: &[String]) -> Outcome<OttlaServer> {
        let place = usize::try_from(id - 1).map_err(|_| Failure(format!("there is no node {id}")))?;
        OttlaServer::start(&self.layout.options(place, overrides, self.network.as_ref()))
    }

    /// Finds ports for one node more. Gives the address where clients will reach it.
    pub fn reserve(&mut self) -> Outcome<String> {
        self.layout.ports.extend(free_port_list(3)?);
        let port = self.layout.ports[self.layout.ports.len() - 3];
        Ok(format!("{}:{port}", host(None, 0)))
    }

    /// Starts the node that has ports: it knows the controllers by their addresses alone. Gives its id.
    pub fn join(&mut self, overrides: &[String]) -> Outcome<i32> {
        let index = self.servers.len();
        let options = self.layout.options(index, overrides, None);
        self.servers.push(OttlaServer::start(&options)?);
        self.addresses.push(format!("{}:{}", host(None, 0), self.layout.ports[3 * index]));
        i32::try_from(index + 1).map_err(|_| Failure("too many nodes".to_owned()))
    }

    /// Empties the disk of a node that does not run.
    pub fn wipe(&mut self, id: i32) -> Outcome<()> {
        let dir = self.server(id)?.log_dir().to_owned();
        std::fs::remove_dir_all(&dir).while_doing(|| format!("removing {}", dir.display()))
    }

    fn server(&mut self, id: i32) -> Outcome<&mut OttlaServer> {
        let place = usize::try_from(id - 1).ok();
        let server = place.and_then(|place| self.servers.get_mut(place));
        server.ok_or_else(|| Failure(format!("there is no node {id}")))
    }

    pub fn kill9(&mut self, id: i32) -> Outcome<()> {
        self.server(id)?.kill9()
    }

    /// SIGTERM, and the wait for the end.
    pub fn stop(&mut self, id: i32) -> Outcome<()> {
        self.server(id)?.stop()
    }

    pub fn restart(&mut self, id: i32) -> Outcome<()> {
        self.server(id)?.restart()
    }

    /// Stops the process where it stands, or lets it go on.
    pub fn pause(&mut self, id: i32, is_paused: bool) -> Outcome<()> {
        let pid = i32::try_from(self.server(id)?.pid()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure(format!("node {id} does not run")))?;
        kill_process(pid, if is_paused { Signal::STOP } else { Signal::CONT })
            .map_err(std::io::Error::from)?;
        Ok(())
    }

    pub fn log_dirs(&self) -> Vec<PathBuf> {
        self.servers.iter().map(|server| server.log_dir().to_owned()).collect()
    }

    pub fn last_output(&self, line_count: usize) -> String {
        let one = |(id, server): (usize, &OttlaServer)| {
            format!("--- node {id}\n{}\n", server.last_output(line_count))
        };
        (1..).zip(&self.servers).map(one).collect()
    }

    /// Waits until every partition of a topic has all nodes in its ISR.
    pub fn wait_until_whole(&self, topic: &str) -> Outcome<Duration> {
        let begin = Instant::now();
        let mut last = String::new();
        while begin.elapsed() < WHOLE_LIMIT {
            match map_of_any(&self.addresses, topic) {
                Ok(map) if map.is_whole(self.addresses.len()) => return Ok(begin.elapsed()),
                Ok(map) => last = format!("{map:?}"),
                Err(failure) => last = failure.to_string(),
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        fail(format!("{topic} is not whole after {WHOLE_LIMIT:?}: {last}"))
    }
}

impl Map {
    pub fn is_led(&self) -> bool {
        !self.leaders.is_empty() && self.leaders.iter().all(|leader| *leader > 0)
    }

    pub fn is_whole(&self, nodes: usize) -> bool {
        self.brokers.len() == nodes && self.is_led() && self.isr.iter().all(|isr| isr.len() == nodes)
    }

    pub fn leader_address(&self, partition: usize) -> Option<&str> {
        self.brokers.get(self.leaders.get(partition)?).map(String::as_str)
    }
}

/// The map of the first node that answers.
pub fn map_of_any(addresses: &[String], topic: &str) -> Outcome<Map> {
    map_within(addresses, topic, PATIENCE)
}

/// The same where each node may take so long.
pub fn map_within(addresses: &[String], topic: &str, patience: Duration) -> Outcome<Map> {
    let mut last = Failure("there is no node".to_owned());
    for address in addresses {
        match Connection::open(address, patience).and_then(|mut open| open.map(topic)) {
            Ok(map) => return Ok(map),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

impl Connection {
    /// Metadata v7 of one topic.
    pub fn map(&mut self, topic: &str) -> Outcome<Map> {
        let answer = self.ask(METADATA, 7, Body::default().i32(1).string(topic).i8(0))?;
        let mut answer = Answer(&answer);
        let _throttle_ms = answer.i32()?;
        let mut brokers = BTreeMap::new();
        for _ in 0..answer.i32()? {
            let (id, host, port, _rack) = (answer.i32()?, answer.string()?, answer.i32()?, answer.string()?);
            brokers.insert(id, format!("{}:{port}", host.unwrap_or_default()));
        }
        let (_cluster_id, controller, _topics) = (answer.string()?, answer.i32()?, answer.i32()?);
        let (error, _name, _is_internal) = (answer.i16()?, answer.string()?, answer.i8()?);
        if error != 0 {
            return fail(format!("Metadata of {topic} answered error {error}"));
        }
        let mut partitions = BTreeMap::new();
        for _ in 0..answer.i32()? {
            let (_error, index, leader) = (answer.i16()?, answer.i32()?, answer.i32()?);
            let epoch = answer.i32()?;
            let replicas = ids(&mut answer)?;
            let isr = ids(&mut answer)?;
            let _offline = ids(&mut answer)?;
            partitions.insert(index, (leader, epoch, isr, replicas));
        }
        let (leaders, epochs) = (Vec::new(), Vec::new());
        let mut map = Map { brokers, controller, leaders, epochs, isr: Vec::new(), replicas: Vec::new() };
        for (leader, epoch, isr, replicas) in partitions.into_values() {
            map.leaders.push(leader);
            map.epochs.push(epoch);
            map.isr.push(isr);
            map.replicas.push(replicas);
        }
        Ok(map)
    }

    /// FindCoordinator v1 of a group: the node and its address.
    pub fn coordinator(&mut self, group: &str) -> Outcome<(i32, String)> {
        let answer = self.ask(FIND_COORDINATOR, 1, Body::default().string(group).i8(0))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, error, _text) = (answer.i32()?, answer.i16()?, answer.string()?);
        if error != 0 {
            return fail(format!("FindCoordinator answered error {error}"));
        }
        let (id, host, port) = (answer.i32()?, answer.string()?, answer.i32()?);
        Ok((id, format!("{}:{port}", host.unwrap_or_default())))
    }

    /// CreateTopics v2 with so many replicas.
    pub fn create_replicated_topic(&mut self, topic: &str, partitions: i32, replicas: i16) -> Outcome<()> {
        let body = Body::default().i32(1).string(topic).i32(partitions).i16(replicas).i32(0).i32(1);
        let body = body.string("min.insync.replicas").string("2");
        let answer = self.ask(CREATE_TOPICS, 2, body.i32(30_000).i8(0))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, _count, _name) = (answer.i32()?, answer.i32()?, answer.string()?);
        match (answer.i16()?, answer.string()?) {
            (0, _) => Ok(()),
            (code, message) => {
                fail(format!("creating {topic}: error {code}, {}", message.unwrap_or_default()))
            }
        }
    }
}

fn ids(answer: &mut Answer<'_>) -> Outcome<Vec<i32>> {
    let count = answer.i32()?;
    (0..count).map(|_| answer.i32()).collect()
}
