//! `ottla lab`: a broker in memory that a test can steer.
//! Shell.

use std::time::Duration;

use ottla_env::Env;
use ottla_env::real::{self, StopSignals};
use ottla_lab::{ClusterSettings, Lab, LabSettings, MAIN, Mode};
use ottla_server::lab::Brokers;

use crate::args::{self, parse_override};
use crate::ready::{self, LabReady, ReadyTarget};
use crate::serve::start_logging;

/// Runs until a signal, the parent or the time says that it is enough.
pub fn run(arguments: &args::Lab) -> Result<(), String> {
    let settings = match &arguments.config {
        Some(path) => LabSettings::parse(&crate::read_text(path)?)
            .map_err(|bad| format!("{}: {bad}", path.display()))?,
        None => LabSettings::default(),
    };
    let ttl = arguments.ttl.as_deref().map(ottla_lab::duration).transpose();
    let ttl = ttl.map_err(|why| format!("--ttl: {why}"))?;
    let mut settings = settings;
    settings.main.clock = match arguments.clock.as_deref() {
        None => settings.main.clock,
        Some("real") => Some(Mode::Real),
        Some("frozen") => Some(Mode::Frozen),
        Some(other) => return Err(format!("--clock {other}: real or frozen")),
    };
    start_logging();
    real::run(None, serve(arguments.clone(), settings, ttl)).map_err(|error| error.to_string())?
}

async fn serve(arguments: args::Lab, settings: LabSettings, ttl: Option<Duration>) -> Result<(), String> {
    let mut signals = StopSignals::listen().map_err(|error| error.to_string())?;
    let env = real::env();
    // As many bits as every language's JSON keeps.
    let seed = arguments.seed.or(settings.seed).unwrap_or_else(|| env.rng.next_u64() >> 11);
    let overrides = arguments.overrides.iter().map(|given| parse_override(given));
    let overrides = overrides.collect::<Result<Vec<_>, _>>()?;
    let lab = Lab::new(env.clone(), seed);
    let brokers = Brokers::new(env.clone(), arguments.port, overrides, lab.route());
    lab.set_host(brokers.clone());
    let main = ClusterSettings { name: Some(MAIN.to_owned()), seed: Some(seed), ..settings.main };
    let created = tokio::select! {
        created = lab.create(main) => created?,
        _signal = signals.next() => return Ok(()),
    };
    let http = brokers.http();
    let address = format!("http://{}/lab/v1", http.as_deref().unwrap_or(&created.bootstrap));
    let target = arguments.ready_file.clone().map(ReadyTarget::File);
    let line = LabReady { bootstrap: &created.bootstrap, http: http.as_deref(), address: &address, seed };
    ready::announce_lab(target.as_ref(), &line)
        .map_err(|error| format!("the ready line can't be written: {error}"))?;
    let why = tokio::select! {
        signal = signals.next() => signal,
        () = parent_gone(arguments.exit_with_parent) => "its parent is gone",
        () = over(&env, ttl) => "its time is over",
    };
    tracing::info!("{why}: stopping");
    brokers.stop_all().await;
    Ok(())
}

async fn parent_gone(is_asked: bool) {
    match is_asked {
        true => real::parent_gone().await,
        false => std::future::pending().await,
    }
}

async fn over(env: &Env, ttl: Option<Duration>) {
    match ttl {
        Some(ttl) => env.clock.sleep_until(env.clock.monotonic().after(ttl)).await,
        None => std::future::pending().await,
    }
}
