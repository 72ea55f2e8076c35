//! One life of the broker: start, serve, stop.
//! Shell.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ottla_api::loggers::Loggers;
use ottla_config::{BrokerConfig, Warning};
use ottla_env::Env;
use ottla_env::memory::MemoryDisk;
use ottla_env::real::{self, RealDisk, ReloadSignal, StopSignals};
use ottla_metadata::{formatted_voters, logged_voters};
use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use ottla_server::{founding, scram_users};
use tracing_subscriber::EnvFilter;

use crate::args::{Serve, Sources, parse_feature};
use crate::ready::{self, ReadyTarget};
use ottla_server::wiring::{self, Broker, StartOptions};

/// What is logged at first, as directives of tracing's filter.
const LOG_VARIABLE: &str = "OTTLA_LOG";
const LOG_DEFAULT: &str = "info,sled=warn";

/// The loggers that are always there: the process, the rooms that write log lines, and what logs under Kafka's names.
const LOGGERS: [&str; 12] = [
    "kafka.authentication",
    "kafka.authorizer.logger",
    "ottla",
    "ottla_admin",
    "ottla_api",
    "ottla_coordinator",
    "ottla_log",
    "ottla_metadata",
    "ottla_network",
    "ottla_replica",
    "ottla_security",
    "ottla_server",
];

/// How log lines are written: `json` or `text`.
const LOG_FORMAT_VARIABLE: &str = "OTTLA_LOG_FORMAT";

/// Users of a new cluster, one a line.
const SCRAM_USERS_VARIABLE: &str = "OTTLA_ADD_SCRAM";

/// How long answers in flight may take to leave when the process stops.
pub(crate) const ANSWERS_WAIT: Duration = Duration::from_millis(50);

/// Runs until a signal asks to stop.
pub fn run(arguments: &Serve) -> Result<(), String> {
    let (config, warnings) = load(&arguments.sources)?;
    let loggers = start_logging();
    real::run(None, serve(arguments.clone(), config, warnings, loggers)).map_err(|error| error.to_string())?
}

/// The configuration, with the voters that the directory was formatted with where it names none itself.
fn load(sources: &Sources) -> Result<(BrokerConfig, Vec<Warning>), String> {
    let (config, warnings) = crate::load(sources)?;
    if !config.is_controller() || !config.quorum_voters.is_empty() {
        return Ok((config, warnings));
    }
    let dirs: Vec<PathBuf> = config.log_dirs.iter().map(PathBuf::from).collect();
    let listener = config.controller_listeners.first().map(|listener| listener.name.clone());
    let joins = config.names_other_controllers();
    let voters = match joins {
        true => logged_voters(&RealDisk, &dirs, &listener.unwrap_or_default()),
        false => formatted_voters(&RealDisk, &dirs, &listener.unwrap_or_default()),
    };
    let mut voters = voters.map_err(|error| error.to_string())?;
    if joins {
        founding::move_own_voter(&mut voters, &config);
    }
    let is_alone = voters.len() < 2 && config.is_broker() && !joins && !config.brokers_join;
    if voters.is_empty() || is_alone {
        return Ok((config, warnings));
    }
    let voters: Vec<String> =
        voters.iter().map(|voter| format!("{}@{}:{}", voter.id, voter.host, voter.port)).collect();
    let mut sources = sources.clone();
    sources.overrides.push(format!("controller.quorum.voters={}", voters.join(",")));
    crate::load(&sources)
}

/// Begins to log; the loggers change what is logged from then on.
pub(crate) fn start_logging() -> Arc<Loggers> {
    let given = std::env::var(LOG_VARIABLE).ok();
    let is_valid = |given: &String| given.parse::<EnvFilter>().is_ok();
    let directives = given.filter(is_valid).unwrap_or_else(|| LOG_DEFAULT.to_owned());
    let format = std::env::var(LOG_FORMAT_VARIABLE);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&directives))
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let obey: Box<dyn Fn(&str) + Send + Sync> = if format.as_deref() == Ok("json") {
        let lines = lines.json().flatten_event(true).with_ansi(false).with_filter_reloading();
        let handle = lines.reload_handle();
        lines.init();
        // It fails where the subscriber is gone, which lives as long as the process.
        Box::new(move |directives| {
            let _gone = handle.reload(EnvFilter::new(directives));
        })
    } else {
        let lines = lines.with_filter_reloading();
        let handle = lines.reload_handle();
        lines.init();
        Box::new(move |directives| {
            let _gone = handle.reload(EnvFilter::new(directives));
        })
    };
    match format.as_deref() {
        Ok("json" | "text") | Err(_) => {}
        Ok(other) => tracing::warn!("{LOG_FORMAT_VARIABLE}={other} is not known: json or text"),
    }
    Arc::new(Loggers::new(&LOGGERS, &directives, obey))
}

async fn serve(
    arguments: Serve,
    config: BrokerConfig,
    warnings: Vec<Warning>,
    loggers: Arc<Loggers>,
) -> Result<(), String> {
    let mut signals = StopSignals::listen().map_err(|error| error.to_string())?;
    let mut reload = ReloadSignal::listen().map_err(|error| error.to_string())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let machine = real::env();
    let machine_disk = machine.disk.clone();
    let env =
        if arguments.ephemeral { Env { disk: Arc::new(MemoryDisk::new()), ..machine } } else { machine };
    let options = StartOptions {
        ephemeral: arguments.ephemeral,
        accept_metadata_loss: arguments.accept_metadata_loss,
        features: arguments.features.iter().map(|text| parse_feature(text)).collect::<Result<_, _>>()?,
        scram_users: scram_users(&env, &arguments.scram_users)?,
        loggers: Some(loggers),
        lab: None,
    };
    // A node that waits for the others of its cluster is stopped as any other.
    let broker = tokio::select! {
        started = wiring::start(env, machine_disk, config, options) => started?,
        signal = signals.next() => {
            tracing::info!("{signal}: stopped before it served");
            return Ok(());
        }
    };
    let target = match (&arguments.ready_file, arguments.ready_fd) {
        (Some(path), _) => Some(ReadyTarget::File(path.clone())),
        (None, Some(number)) => Some(ReadyTarget::Descriptor(number)),
        (None, None) => None,
    };
    if let Some(target) = target {
        ready::announce(&target, &broker.bootstrap(), broker.http().as_deref())
            .map_err(|error| format!("the ready line can't be written: {error}"))?;
    }
    greet(&broker, arguments.ephemeral);
    if arguments.announce {
        announce(broker.node_id());
    }
    let failure = loop {
        tokio::select! {
            signal = signals.next() => {
                tracing::info!("{signal}: stopping");
                break None;
            }
            why = broker.failed() => break Some(why),
            () = reload.next() => {
                tracing::info!("SIGHUP: reading the stores of the listeners");
                broker.read_stores_anew();
            }
        }
    };
    broker.stop(ANSWERS_WAIT).await;
    match failure {
        None => {
            tracing::info!("stopped cleanly");
            Ok(())
        }
        // Whoever starts it again sees that it did not end well.
        Some(why) => Err(why),
    }
}

/// Those of the command line and of the environment.
fn scram_users(env: &Env, given: &[String]) -> Result<Vec<ScramCredentialUpsertion>, String> {
    let variable = std::env::var(SCRAM_USERS_VARIABLE).unwrap_or_default();
    let lines = variable.lines().map(str::trim).filter(|line| !line.is_empty());
    let users = given.iter().map(String::as_str).chain(lines);
    users.map(|text| scram_users::parse(text, &env.rng.next_16())).collect()
}

#[allow(clippy::print_stdout, reason = "the one line for whoever typed the command")]
fn greet(broker: &Broker, ephemeral: bool) {
    let bootstrap = broker.bootstrap();
    if !broker.serves_clients() {
        let version = env!("CARGO_PKG_VERSION");
        return println!("Ottla {version}: a controller at {bootstrap} (data in {})", broker.data_dirs());
    }
    let data = if ephemeral { "in memory".to_owned() } else { format!("data in {}", broker.data_dirs()) };
    let http = broker.http().map(|http| format!(", metrics at http://{http}/metrics")).unwrap_or_default();
    println!(
        "Ottla {} serves Kafka clients at {bootstrap} ({data}{http}). Try: echo hello | kcat -b {bootstrap} -t greetings -P",
        env!("CARGO_PKG_VERSION")
    );
}

/// What programs that start containers wait for: each knows the line of the image that it was written for.
#[allow(clippy::print_stdout, reason = "it is looked for on standard output")]
fn announce(node_id: i32) {
    println!(
        "[KafkaServer id={node_id}] started (kafka.server.KafkaServer)\n\
         [BrokerServer id={node_id}] Transitioning from RECOVERY to RUNNING (kafka.server.BrokerServer)\n\
         Creating new log file\n\
         Checking need to trigger auto leader balancing\n\
         [KafkaRaftServer nodeId={node_id}] Kafka Server started (kafka.server.KafkaRaftServer)\n\
         Kafka broker started\n\
         Started Kafka API server\n\
         Successfully started Redpanda!"
    );
}
