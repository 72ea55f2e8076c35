//! `ottla local`: a cluster of several nodes in this one process, for tests and for trying things.
//! Shell. The nodes are real: each has its own directory, listeners and identity, and they speak over TCP.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_api::loggers::Loggers;
use ottla_api::transactions::all;
use ottla_config::BrokerConfig;
use ottla_env::memory::MemoryDisk;
use ottla_env::net::SocketBuffers;
use ottla_env::real::{self, StopSignals};
use ottla_env::{BoxFuture, Env};

use crate::args::{Local, parse_override};
use crate::ready::{self, NodeReady, ReadyTarget};
use crate::serve::{ANSWERS_WAIT, start_logging};
use ottla_server::wiring::{self, Broker, StartOptions};

const HOST: &str = "127.0.0.1";

/// Runs until a signal asks to stop.
pub fn run(arguments: &Local) -> Result<(), String> {
    if !(1..=99).contains(&arguments.nodes) {
        return Err(format!("--nodes {}: from 1 to 99", arguments.nodes));
    }
    let loggers = start_logging();
    real::run(None, serve(arguments.clone(), loggers)).map_err(|error| error.to_string())?
}

async fn serve(arguments: Local, loggers: Arc<Loggers>) -> Result<(), String> {
    let mut signals = StopSignals::listen().map_err(|error| error.to_string())?;
    let machine = real::env();
    let ports = ports(&machine, &arguments)?;
    let mut starting: Vec<BoxFuture<'_, Result<Broker, String>>> = Vec::new();
    for index in 0..usize::from(arguments.nodes) {
        let config = config(&arguments, &ports, index)?;
        let disk_of_machine = machine.disk.clone();
        let env = match arguments.ephemeral {
            true => Env { disk: Arc::new(MemoryDisk::new()), ..machine.clone() },
            false => machine.clone(),
        };
        let options = StartOptions {
            ephemeral: arguments.ephemeral,
            loggers: Some(loggers.clone()),
            ..StartOptions::default()
        };
        starting.push(Box::pin(wiring::start(env, disk_of_machine, config, options)));
    }
    let started = tokio::select! {
        started = all(starting) => started,
        signal = signals.next() => {
            tracing::info!("{signal}: stopped before all nodes served");
            return Ok(());
        }
    };
    let brokers = started.into_iter().collect::<Result<Vec<Broker>, String>>()?;
    let nodes: Vec<NodeReady> = brokers.iter().map(node_ready).collect();
    if let Some(path) = &arguments.ready_file {
        ready::announce_nodes(&ReadyTarget::File(path.clone()), &nodes)
            .map_err(|error| format!("the ready line can't be written: {error}"))?;
    }
    greet(&arguments, &nodes);
    let signal = signals.next().await;
    tracing::info!("{signal}: stopping");
    // Side by side: a node that stops alone would hand over to one that stops next.
    all(brokers
        .into_iter()
        .map(|broker| -> BoxFuture<'_, ()> { Box::pin(broker.stop(ANSWERS_WAIT)) })
        .collect())
    .await;
    Ok(())
}

fn node_ready(broker: &Broker) -> NodeReady {
    NodeReady { id: broker.node_id(), bootstrap: broker.bootstrap(), http: broker.http() }
}

/// The client's and the controller's port of each node.
fn ports(env: &Env, arguments: &Local) -> Result<Vec<(u16, u16)>, String> {
    let count = usize::from(arguments.nodes);
    if arguments.port_base != 0 {
        let port = |place: usize| {
            let port = usize::from(arguments.port_base) + place;
            u16::try_from(port).map_err(|_| format!("--port-base {}: too high", arguments.port_base))
        };
        return (0..count).map(|index| Ok((port(2 * index)?, port(2 * index + 1)?))).collect();
    }
    // Held until all are found, so that none is found twice.
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let bound = (0..2 * count)
        .map(|_| env.net.bind(any, SocketBuffers::default()).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, String>>()?;
    Ok(bound.chunks(2).map(|pair| (pair[0].local_addr().port(), pair[1].local_addr().port())).collect())
}

fn config(arguments: &Local, ports: &[(u16, u16)], index: usize) -> Result<BrokerConfig, String> {
    let (client, controller) = ports[index];
    let id = index + 1;
    let dir: PathBuf = arguments.data_dir.join(id.to_string());
    let mut overrides = vec![
        ("node.id".to_owned(), id.to_string()),
        ("log.dirs".to_owned(), path_text(&dir)?),
        ("ottla.http.listener".to_owned(), format!("{HOST}:0")),
    ];
    if ports.len() > 1 {
        let listeners = format!("PLAINTEXT://{HOST}:{client},CONTROLLER://{HOST}:{controller}");
        let voters: Vec<String> =
            (1..).zip(ports).map(|(id, (_, port))| format!("{id}@{HOST}:{port}")).collect();
        overrides.push(("listeners".to_owned(), listeners));
        overrides.push(("controller.listener.names".to_owned(), "CONTROLLER".to_owned()));
        overrides.push(("controller.quorum.voters".to_owned(), voters.join(",")));
    } else {
        overrides.push(("listeners".to_owned(), format!("PLAINTEXT://{HOST}:{client}")));
    }
    for given in &arguments.overrides {
        overrides.push(parse_override(given)?);
    }
    let (config, warnings) = ottla_config::load(None, &[], &overrides).map_err(|error| error.to_string())?;
    if index == 0 {
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    }
    Ok(config)
}

fn path_text(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("{}: not a text", path.display()))
}

#[allow(clippy::print_stdout, reason = "the one line for whoever typed the command")]
fn greet(arguments: &Local, nodes: &[NodeReady]) {
    let data = match arguments.ephemeral {
        true => "in memory".to_owned(),
        false => format!("data in {}", arguments.data_dir.display()),
    };
    println!(
        "Ottla {}: {} nodes serve Kafka clients at {} ({data})",
        env!("CARGO_PKG_VERSION"),
        nodes.len(),
        ready::bootstrap_of(nodes)
    );
}
