//! A node that was alone becomes one of three while it is written to; then another one's controllers listen elsewhere.
//! Shell: processes, sockets, the clock.
//!
//! As docs/OPERATING.md says it is done. Nothing that was acknowledged is lost, and in the end those vote who ought to.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::broker::{Broker as _, BrokerOptions, OttlaServer};
use crate::cluster::audit;
use crate::cluster::load::{self, Stage};
use crate::cluster::voters::{Commands, LIMIT, Quorum, calm, directory_of, wait_until_in_sync};
use crate::failure::{Failure, Outcome};
use crate::places::ScratchDir;
use crate::ports::free_port_list;
use crate::wire::Connection;

const TOPIC: &str = "cluster-founder";
const GROUP: &str = "cluster-founder-group";
const NODES: usize = 3;
const PARTITIONS: usize = 2;

/// The nodes, by place; those that are not there yet have ports.
struct Founding {
    servers: Vec<OttlaServer>,
    clients: Vec<u16>,
    controllers: Vec<u16>,
    overrides: Vec<String>,
    // Last, so that the processes are gone before their directories are.
    scratch: ScratchDir,
}

impl Founding {
    fn options(&self, place: usize, is_alone: bool) -> BrokerOptions {
        let (client, controller) = (self.clients[place], self.controllers[place]);
        let mut all = vec![
            format!("node.id={}", place + 1),
            format!("listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}"),
            "controller.listener.names=CONTROLLER".to_owned(),
            "controller.quorum.auto.join.enable=true".to_owned(),
        ];
        if !is_alone {
            let known: Vec<String> =
                self.controllers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
            all.push(format!("controller.quorum.bootstrap.servers={}", known.join(",")));
        }
        all.extend_from_slice(&self.overrides);
        let dir = Some(self.scratch.path().join(format!("node-{}", place + 1)));
        BrokerOptions { dir, port: Some(client), overrides: all, ..BrokerOptions::default() }
    }

    /// Stops it and starts it with what it is to know now.
    fn start_anew(&mut self, place: usize) -> Outcome<()> {
        self.servers[place].stop()?;
        self.servers[place] = OttlaServer::start(&self.options(place, false))?;
        Ok(())
    }

    fn addresses(&self) -> Vec<String> {
        self.clients.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    fn directories(&self) -> Outcome<BTreeMap<i32, String>> {
        (1..).zip(&self.servers).map(|(id, server)| Ok((id, directory_of(server.log_dir())?))).collect()
    }
}

pub fn run(overrides: &[String]) -> Outcome<String> {
    let ports = free_port_list(2 * NODES)?;
    let (clients, controllers) = ports.split_at(NODES);
    let mut founding = Founding {
        servers: Vec::new(),
        clients: clients.to_vec(),
        controllers: controllers.to_vec(),
        overrides: overrides.to_vec(),
        scratch: ScratchDir::new("founder")?,
    };
    founding.servers.push(OttlaServer::start(&founding.options(0, true))?);
    let result = under_load(&mut founding);
    if result.is_err() {
        for (id, server) in (1..).zip(&founding.servers) {
            println!("--- node {id}\n{}", server.last_output(25));
        }
    }
    result
}

fn under_load(founding: &mut Founding) -> Outcome<String> {
    let commands = Commands { scratch: ScratchDir::new("founder-commands")? };
    let mut open = Connection::open(&founding.addresses()[0], Duration::from_secs(10))?;
    open.create_topic(TOPIC, PARTITIONS as i32, &[])?;
    let stage = Stage::new(founding.addresses(), TOPIC, GROUP);
    let (grown, acknowledged) = load::produce_while(&stage, PARTITIONS, || grow(&commands, founding, &stage));
    grown?;
    let acknowledged = acknowledged?;
    wait_until_in_sync(&founding.addresses(), TOPIC, &[1, 2, 3])?;
    audit::records(&founding.addresses(), TOPIC, &acknowledged)?;
    founding.servers.iter_mut().try_for_each(|server| server.stop())?;
    let dirs: Vec<_> = founding.servers.iter().map(|server| server.log_dir().to_owned()).collect();
    let bytes = audit::copies(&dirs, TOPIC, PARTITIONS)?;
    Ok(format!(
        "{} records acknowledged; each is there once and in order, and the {bytes} bytes of every copy are equal",
        acknowledged.iter().sum::<u64>()
    ))
}

fn grow(commands: &Commands, founding: &mut Founding, stage: &Stage) -> Outcome<()> {
    let mut clock = Instant::now();
    let mut tell = |what: &str| {
        println!("  founder: {what}, {} ms", clock.elapsed().as_millis());
        clock = Instant::now();
    };
    let all = founding.addresses();
    let first = &all[..1];
    calm(stage)?;
    commands.run(first, &["kafka-features", "upgrade", "--feature", "kraft.version=1"])?;
    commands.wait_until_vote(first, &founding.directories()?)?;
    tell("the log of a node that is alone says that it votes");

    founding.start_anew(0)?;
    commands.wait_until_vote(first, &founding.directories()?)?;
    calm(stage)?;
    tell("it is a quorum of one");

    for place in 1..NODES {
        let options = founding.options(place, false);
        founding.servers.push(OttlaServer::start(&options)?);
    }
    commands.wait_until_vote(&all, &founding.directories()?)?;
    Connection::open(&all[0], LIMIT)?.reassign(TOPIC, &vec![vec![1, 2, 3]; PARTITIONS])?;
    wait_until_in_sync(&all, TOPIC, &[1, 2, 3])?;
    calm(stage)?;
    tell("two have joined it, and have copies of its records");

    founding.servers[0].kill9()?;
    calm(stage)?;
    founding.servers[0].restart()?;
    commands.wait_until_vote(&all, &founding.directories()?)?;
    wait_until_in_sync(&all, TOPIC, &[1, 2, 3])?;
    tell("it was killed, the others went on, and it is back");

    founding.controllers[2] = *free_port_list(1)?.first().ok_or_else(|| Failure("no port".to_owned()))?;
    founding.servers[2].stop()?;
    // It does not hear of the election that follows.
    let led = |quorum: &Quorum| quorum.leader >= 0;
    let leader = commands.wait_until(&all[..2], "somebody is to lead", led)?.leader;
    let leader = usize::try_from(leader - 1).ok().filter(|place| *place < 2);
    let leader = leader.ok_or_else(|| Failure("a node that does not run leads".to_owned()))?;
    founding.servers[leader].kill9()?;
    founding.servers[leader].restart()?;
    founding.start_anew(2)?;
    let port = format!(":{}", founding.controllers[2]);
    let is_at = |endpoints: &Vec<String>| endpoints.iter().any(|one| one.ends_with(&port));
    commands.wait_until(&all, &format!("node 3 is to be at {port}"), |quorum| {
        quorum.endpoints.get(&3).is_some_and(is_at)
    })?;
    wait_until_in_sync(&all, TOPIC, &[1, 2, 3])?;
    tell("the controllers of node 3 listen elsewhere, and the log says so");

    // The first does not know node 3's new port but from the log.
    founding.servers[1].kill9()?;
    calm(stage)?;
    commands.wait_until_vote(&[all[0].clone(), all[2].clone()], &founding.directories()?)?;
    founding.servers[1].restart()?;
    wait_until_in_sync(&all, TOPIC, &[1, 2, 3])?;
    tell("node 2 was killed, and the others are a majority at their new addresses");
    Ok(())
}
