//! `kafka-metadata-quorum add-controller` and `remove-controller`: who votes (KIP-853).
//! Shell: reads the controller's configuration and `meta.properties`.

use std::path::Path;

use ottla_log::MetaProperties;
use ottla_model::TopicId;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::add_raft_voter_request::Listener;
use ottla_protocol::messages::{AddRaftVoterRequest, DescribeClusterRequest, RemoveRaftVoterRequest};

use crate::client::Client;
use crate::command::{bootstrap, client};
use crate::error::{Exception, Failure};
use crate::options::Options;
use crate::properties::Properties;
use crate::terminal::Terminal;

/// What the answer waits for, in the client's words (`default.api.timeout.ms`).
const TIMEOUT_MS: i32 = 30_000;
/// What DescribeCluster calls controllers.
const CONTROLLERS: i8 = 2;

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Sentence(message.into(), 1))
}

/// A client of who can answer for the quorum: any broker, or the controller that leads.
pub fn of_quorum(options: &Options, terminal: &mut Terminal<'_>) -> Result<Client, Failure> {
    let missing = "one of the arguments --bootstrap-server --bootstrap-controller is required";
    let address = bootstrap(options, missing)?;
    let mut client = client(options, address)?;
    if address == "bootstrap-server" {
        return Ok(client);
    }
    let request = DescribeClusterRequest::default().with_endpoint_type(CONTROLLERS);
    let cluster = client.any(terminal, "describeCluster", &request)?;
    Exception::check(cluster.error_code, cluster.error_message.as_deref())?;
    match cluster.brokers.iter().find(|node| node.broker_id == cluster.controller_id) {
        Some(leader) => {
            let host = match leader.host.contains(':') {
                true => format!("[{}]", leader.host),
                false => leader.host.to_string(),
            };
            Ok(Client::new(&format!("{host}:{}", leader.port), client.settings().clone())?)
        }
        None => Ok(client),
    }
}

/// A controller as its own configuration and directory say it.
struct Controller {
    id: i32,
    directory_id: TopicId,
    listeners: Vec<(String, String, u16)>,
}

fn controller_of(path: &str) -> Result<Controller, Failure> {
    let properties = Properties::read(Some(path), std::iter::empty())?;
    let Some(id) = properties.get("node.id") else {
        return refuse(
            "node.id not found in configuration file. Is this a valid controller configuration file?",
        );
    };
    let Some(id) = id.trim().parse::<i32>().ok().filter(|id| *id >= 0) else {
        return refuse(format!("Invalid node.id {id}"));
    };
    if !properties
        .get("process.roles")
        .is_some_and(|roles| roles.split(',').any(|role| role.trim() == "controller"))
    {
        return refuse("process.roles did not contain 'controller'");
    }
    let Some(dir) = properties.get("metadata.log.dir").or(properties.get("log.dirs")) else {
        return refuse(
            "Neither metadata.log.dir nor log.dirs were found. Is this a valid controller configuration file?",
        );
    };
    let dir = dir.split(',').next().unwrap_or_default().trim();
    let file = Path::new(dir).join("meta.properties");
    let meta = std::fs::read_to_string(&file).ok().and_then(|text| MetaProperties::parse(&text));
    let Some(meta) = meta else {
        return refuse(format!("Unable to read {}", file.display()));
    };
    let Some(directory_id) = meta.directory_id else {
        return refuse(format!("No directory id found in {}", file.display()));
    };
    Ok(Controller { id, directory_id, listeners: listeners_of(&properties)? })
}

/// Where it is reached: what is advertised of its controllers' listeners, or what they are; `localhost` where neither names a
/// host, as Kafka's command has it.
fn listeners_of(properties: &Properties) -> Result<Vec<(String, String, u16)>, Failure> {
    let Some(names) = properties.get("controller.listener.names") else {
        return refuse(
            "controller.listener.names was not found. Is this a valid controller configuration file?",
        );
    };
    let read = |key: &str| -> Vec<(String, String, u16)> {
        let entries = properties.get(key).unwrap_or_default().split(',').map(str::trim);
        entries
            .filter_map(|entry| {
                let (name, address) = entry.split_once("://")?;
                let (host, port) = address.rsplit_once(':')?;
                let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
                let host = if host.is_empty() { "localhost" } else { host };
                Some((name.to_uppercase(), host.to_owned(), port.trim().parse().ok()?))
            })
            .collect()
    };
    let (own, advertised) = (read("listeners"), read("advertised.listeners"));
    let mut found = Vec::new();
    for name in names.split(',').map(|name| name.trim().to_uppercase()) {
        let of = |all: &[(String, String, u16)]| all.iter().find(|one| one.0 == name).cloned();
        match of(&advertised).or_else(|| of(&own)) {
            Some(listener) => found.push(listener),
            None => return refuse(format!("Cannot find information about controller listener name: {name}")),
        }
    }
    Ok(found)
}

pub fn add_controller(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Some(path) = options.get("command-config") else {
        return refuse(
            "You must supply the configuration file of the controller you are adding when using add-controller.",
        );
    };
    let Controller { id, directory_id, listeners } = controller_of(path)?;
    let endpoints: Vec<String> = listeners
        .iter()
        .map(|(name, host, port)| match host.contains(':') {
            true => format!("{name}://[{host}]:{port}"),
            false => format!("{name}://{host}:{port}"),
        })
        .collect();
    let is_asked = options.has("dry-run");
    if !is_asked {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let listener = |(name, host, port): &(String, String, u16)| Listener {
            name: text(name),
            host: text(host),
            port: *port,
            ..Listener::default()
        };
        let request = AddRaftVoterRequest {
            cluster_id: None,
            timeout_ms: TIMEOUT_MS,
            voter_id: id,
            voter_directory_id: directory_id.0,
            listeners: listeners.iter().map(listener).collect(),
            ack_when_committed: true,
            ..AddRaftVoterRequest::default()
        };
        let answer = of_quorum(options, terminal)?.any(terminal, "addRaftVoter", &request)?;
        Exception::check(answer.error_code, answer.error_message.as_deref())?;
    }
    let done = if is_asked { "DRY RUN of adding" } else { "Added" };
    let endpoints = endpoints.join(", ");
    let line = format!("{done} controller {id} with directory id {directory_id} and endpoints: {endpoints}");
    Ok(terminal.say(&line)?)
}

pub fn remove_controller(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let given = |name: &'static str| match options.get(name) {
        Some(value) => Ok(value),
        None => Err(Failure::Usage(format!("argument --{name} is required"))),
    };
    let (id, directory) = (given("controller-id")?, given("controller-directory-id")?);
    let Some(id) = id.parse::<i32>().ok() else {
        return Err(Failure::Usage(format!(
            "argument --controller-id/-i: could not convert '{id}' to Integer"
        )));
    };
    if id < 0 {
        return refuse(format!("Invalid negative --controller-id: {id}"));
    }
    let Some(directory_id) = TopicId::parse(directory) else {
        return refuse(format!("Failed to parse --controller-directory-id: {directory}"));
    };
    let is_asked = options.has("dry-run");
    if !is_asked {
        let request = RemoveRaftVoterRequest::default()
            .with_cluster_id(None)
            .with_voter_id(id)
            .with_voter_directory_id(directory_id.0);
        let answer = of_quorum(options, terminal)?.any(terminal, "removeRaftVoter", &request)?;
        Exception::check(answer.error_code, answer.error_message.as_deref())?;
    }
    let done = if is_asked { "DRY RUN of removing " } else { "Removed " };
    Ok(terminal.say(&format!("{done} KRaft controller {id} with directory id {directory_id}"))?)
}
