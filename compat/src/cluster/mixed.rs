//! One cluster of both: a controller of Ottla, two brokers of Ottla and one of Apache Kafka, each killed under load.
//! Shell: processes, threads, the clock.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::broker::{self, Broker, BrokerOptions, OttlaServer};
use crate::cluster::audit;
use crate::cluster::load::{self, Stage};
use crate::cluster::nodes::map_of_any;
use crate::failure::{Failure, Outcome, fail};
use crate::ports::free_ports;
use crate::reference::{KafkaServer, java};
use crate::wire::Connection;

pub const NAME: &str = "mixed";
const TOPIC: &str = "mixed-load";
const CLIENTS_TOPIC: &str = "mixed-clients";
const GROUP: &str = "mixed-group";
const PARTITIONS: usize = 6;
/// The controller is node 1, the brokers follow it.
const BROKERS: [i32; 3] = [2, 3, 4];
const KAFKA: i32 = 4;
const LINES: usize = 500;
const CALM: Duration = Duration::from_secs(2);
const WHOLE_LIMIT: Duration = Duration::from_secs(90);

/// Runs all of it; true when nothing failed.
pub fn run() -> Outcome<bool> {
    println!("building ottla");
    broker::build_ottla()?;
    let begin = Instant::now();
    let mut cluster = Mixed::start()?;
    println!("a controller and three brokers serve after {} ms", begin.elapsed().as_millis());
    match under_load(&mut cluster) {
        Ok(text) => {
            println!("mixed passed in {:.0} s: {text}", begin.elapsed().as_secs_f64());
            Ok(true)
        }
        Err(failure) => {
            println!("{}", cluster.last_output(40));
            println!("mixed FAILED after {:.0} s: {failure}", begin.elapsed().as_secs_f64());
            Ok(false)
        }
    }
}

struct Mixed {
    controller: OttlaServer,
    brokers: Vec<Box<dyn Broker>>,
    addresses: Vec<String>,
}

impl Mixed {
    fn start() -> Outcome<Self> {
        let ports = free_ports::<4>()?;
        let of_controllers = ports[0];
        let controller = OttlaServer::start(&BrokerOptions {
            overrides: vec![
                "node.id=1".to_owned(),
                "process.roles=controller".to_owned(),
                format!("listeners=CONTROLLER://127.0.0.1:{of_controllers}"),
                "controller.listener.names=CONTROLLER".to_owned(),
                format!("controller.quorum.voters=1@127.0.0.1:{of_controllers}"),
            ],
            port: Some(of_controllers),
            ..BrokerOptions::default()
        })?;
        let shared = [
            "offsets.topic.num.partitions=5",
            "offsets.topic.replication.factor=3",
            "default.replication.factor=3",
        ];
        let mut brokers: Vec<Box<dyn Broker>> = Vec::new();
        for (id, port) in BROKERS.into_iter().zip(&ports[1..]) {
            let mut overrides =
                vec![format!("node.id={id}"), "controller.listener.names=CONTROLLER".to_owned()];
            // Kafka's brokers learn where controllers listen from the log where these change, and else from this key.
            overrides.push(match id {
                KAFKA => format!("controller.quorum.voters=1@127.0.0.1:{of_controllers}"),
                _ => format!("controller.quorum.bootstrap.servers=127.0.0.1:{of_controllers}"),
            });
            overrides.extend(shared.iter().map(|pair| (*pair).to_owned()));
            let mut options = BrokerOptions { port: Some(*port), overrides, ..BrokerOptions::default() };
            brokers.push(if id == KAFKA {
                Box::new(KafkaServer::join(&options, &cluster_id(&controller)?)?)
            } else {
                options.overrides.push("process.roles=broker".to_owned());
                Box::new(OttlaServer::start(&options)?)
            });
        }
        let addresses = ports[1..].iter().map(|port| format!("127.0.0.1:{port}")).collect();
        Ok(Self { controller, brokers, addresses })
    }

    fn broker(&mut self, id: i32) -> Outcome<&mut Box<dyn Broker>> {
        let place = BROKERS.iter().position(|one| *one == id);
        let broker = place.and_then(|place| self.brokers.get_mut(place));
        broker.ok_or_else(|| Failure(format!("there is no broker {id}")))
    }

    /// Waits until every partition has a leader, and all brokers in its ISR.
    fn wait_until_whole(&self, topic: &str) -> Outcome<Duration> {
        let begin = Instant::now();
        let mut last = String::new();
        while begin.elapsed() < WHOLE_LIMIT {
            match map_of_any(&self.addresses, topic) {
                Ok(map)
                    if map.leaders.iter().all(|leader| *leader > 0)
                        && map.isr.iter().all(|isr| isr.len() == BROKERS.len()) =>
                {
                    return Ok(begin.elapsed());
                }
                Ok(map) => last = format!("{map:?}"),
                Err(failure) => last = failure.to_string(),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        fail(format!("{topic} is not whole after {WHOLE_LIMIT:?}: {last}"))
    }

    fn last_output(&self, line_count: usize) -> String {
        let mut text = format!("--- controller 1\n{}\n", self.controller.last_output(line_count));
        for (id, broker) in BROKERS.iter().zip(&self.brokers) {
            text += &format!("--- broker {id}\n{}\n", broker.last_output(line_count));
        }
        text
    }
}

/// What the controller's directory says.
fn cluster_id(controller: &OttlaServer) -> Outcome<String> {
    let text = std::fs::read_to_string(controller.log_dir().join("meta.properties"))?;
    let id = text.lines().find_map(|line| line.strip_prefix("cluster.id="));
    id.map(str::to_owned).ok_or_else(|| Failure("meta.properties names no cluster".to_owned()))
}

fn under_load(cluster: &mut Mixed) -> Outcome<String> {
    let mut open = Connection::open(&cluster.addresses[0], Duration::from_secs(10))?;
    for topic in [TOPIC, CLIENTS_TOPIC] {
        open.create_replicated_topic(topic, PARTITIONS as i32, BROKERS.len() as i16)?;
        cluster.wait_until_whole(topic)?;
    }
    let leaders = map_of_any(&cluster.addresses, TOPIC)?.leaders;
    if !leaders.contains(&KAFKA) || !leaders.iter().any(|leader| *leader != KAFKA) {
        return fail(format!("both kinds of brokers are to lead partitions: {leaders:?}"));
    }
    let stage = Stage::new(cluster.addresses.clone(), TOPIC, GROUP);
    let (disturbed, acknowledged, committed) =
        load::produce_and_commit_while(&stage, PARTITIONS, || disturb(cluster, &stage));
    let (acknowledged, committed) = (acknowledged?, committed?);
    disturbed?;
    java_clients(&cluster.addresses)?;
    cluster.wait_until_whole(TOPIC)?;
    audit::records(&cluster.addresses, TOPIC, &acknowledged)?;
    let stored = load::committed(&stage)?;
    if stored != committed && stored != committed + 1 {
        return fail(format!("offset {committed} was committed, {stored} is stored"));
    }
    // Those who stop first hand over to those who stop next; the controller lets each of them go.
    for id in BROKERS {
        cluster.broker(id)?.stop()?;
    }
    let log_dirs: Vec<_> = cluster.brokers.iter().map(|broker| broker.log_dir().to_owned()).collect();
    let bytes = audit::copies(&log_dirs, TOPIC, PARTITIONS)?;
    Ok(format!(
        "{} records acknowledged and {committed} commits; each record is there once and in order, and the {bytes} bytes \
         of every copy are equal",
        acknowledged.iter().sum::<u64>()
    ))
}

/// Apache Kafka's broker and one of Ottla's are killed in turn, and come back.
fn disturb(cluster: &mut Mixed, stage: &Stage) -> Outcome<()> {
    for id in [KAFKA, BROKERS[0]] {
        super::calm(stage)?;
        stage.take_longest_gap();
        cluster.broker(id)?.kill9()?;
        super::calm(stage)?;
        std::thread::sleep(CALM);
        let longest = stage.take_longest_gap();
        cluster.broker(id)?.restart()?;
        let whole = cluster.wait_until_whole(TOPIC)?;
        println!(
            "  broker {id} killed: longest gap of a partition {} ms, whole again {} ms after it was back",
            longest.as_millis(),
            whole.as_millis()
        );
    }
    super::calm(stage)
}

/// Kafka's own producer, whose default is acks=all, and consumer: what goes in comes out.
fn java_clients(addresses: &[String]) -> Outcome<()> {
    let bootstrap = addresses.join(",");
    let mut producer = java(256)?
        .arg("org.apache.kafka.tools.ConsoleProducer")
        .args(["--bootstrap-server", &bootstrap, "--topic", CLIENTS_TOPIC])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut lines) = producer.stdin.take() {
        for number in 0..LINES {
            writeln!(lines, "line {number}")?;
        }
    }
    let status = producer.wait()?;
    if !status.success() {
        return fail(format!("ConsoleProducer ended with {status}"));
    }
    let read = java(256)?
        .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
        .args(["--bootstrap-server", &bootstrap, "--topic", CLIENTS_TOPIC, "--from-beginning"])
        .args(["--max-messages", &LINES.to_string(), "--timeout-ms", "60000"])
        .stderr(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    if lines.len() != LINES {
        return fail(format!("ConsoleConsumer read {} of {LINES} lines", lines.len()));
    }
    Ok(())
}
