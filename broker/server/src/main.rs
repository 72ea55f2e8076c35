//! The process: command line in, exit code out.
//! Shell.

mod args;
mod lab_command;
mod local;
mod ready;
mod serve;
mod tls_dev;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use ottla_config::{BrokerConfig, Machine, Warning};
use ottla_env::real::RealDisk;
use ottla_server::{adopt, listeners, settings};

use crate::args::{Adopt, Arguments, Command, Sources, parse_override};

fn main() -> ExitCode {
    if let Some(code) = kafka_command() {
        return code;
    }
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Config(sources)) => print_config(sources),
        Some(Command::ExplainListeners(sources)) => explain_listeners(sources),
        Some(Command::Adopt(asked)) => adopt_directories(asked),
        Some(Command::TlsDev(asked)) => make_tls_files(asked.clone()),
        Some(Command::Local(asked)) => local::run(asked),
        Some(Command::Lab(asked)) => lab_command::run(asked),
        Some(
            Command::Decommission(_)
            | Command::Balance(_)
            | Command::Topic(_)
            | Command::Group(_)
            | Command::Produce(_)
            | Command::Consume(_),
        ) => unreachable!("what begins so was run before the command line was read"),
        Some(Command::Commands) => {
            show(&ottla_tools::names().map(|name| format!("{name}\n")).collect::<String>())
        }
        None => serve::run(&arguments.serve),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ottla: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one of Kafka's commands when the program is called by its name, or it is the first argument.
fn kafka_command() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let program = arguments.next()?;
    let mut rest: Vec<String> = arguments.collect();
    if let Some(command) = ottla_tools::find(&program) {
        return Some(command.run(&rest));
    }
    if let Some(code) = ottla_tools::run_short(&rest) {
        return Some(code);
    }
    let name = rest.first().filter(|name| name.starts_with("kafka-"))?.clone();
    let Some(command) = ottla_tools::find(&name) else {
        let made: Vec<&str> = ottla_tools::names().collect();
        eprintln!("ottla: {name} is not among the commands of Kafka that Ottla has: {}", made.join(", "));
        return Some(ExitCode::FAILURE);
    };
    Some(command.run(&rest.split_off(1)))
}

/// Reads the file, the environment and the overrides; the first bad value stops the start.
pub(crate) fn load(sources: &Sources) -> Result<(BrokerConfig, Vec<Warning>), String> {
    let text = match &sources.properties {
        Some(path) => Some(read_text(path)?),
        None => None,
    };
    let path = sources.properties.as_ref().map(|path| path.display().to_string());
    let file = path.as_deref().zip(text.as_deref());
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let overrides =
        sources.overrides.iter().map(|text| parse_override(text)).collect::<Result<Vec<_>, _>>()?;
    ottla_config::load_with(&ThisMachine, file, &environment, &overrides).map_err(|error| error.to_string())
}

/// A file that an argument names.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

/// Why a file cannot be read, and what helps.
fn unreadable(path: &Path, error: &std::io::Error) -> String {
    let path = path.display();
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("{path} is not there: name a file that is, or none"),
        std::io::ErrorKind::PermissionDenied => {
            format!("{path} may not be read by this user: change its rights (chmod, chown), or the user")
        }
        _ => format!("{path} cannot be read: {error}"),
    }
}

/// What config providers read.
struct ThisMachine;

impl Machine for ThisMachine {
    fn read_file(&self, path: &Path) -> std::io::Result<String> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        std::fs::read_to_string(path)
    }

    fn real_path(&self, path: &Path) -> std::io::Result<PathBuf> {
        path.canonicalize()
    }
}

fn print_config(sources: &Sources) -> Result<(), String> {
    let (config, warnings) = load(sources)?;
    for warning in warnings {
        eprintln!("ottla: {warning}");
    }
    show(&ottla_config::render_config_listing(&config))
}

fn explain_listeners(sources: &Sources) -> Result<(), String> {
    let (config, _warnings) = load(sources)?;
    show(&listeners::explain(&config))
}

fn adopt_directories(asked: &Adopt) -> Result<(), String> {
    let data_dirs = match asked.data_dirs.as_slice() {
        [] => {
            let (config, _warnings) = load(&Sources { properties: None, overrides: Vec::new() })?;
            config.log_dirs.iter().map(PathBuf::from).collect()
        }
        given => given.to_vec(),
    };
    let plan = adopt::Plan { sources: asked.dirs.clone(), data_dirs, check_only: asked.check };
    let features = settings::features();
    let served = |name: &str| features.iter().find(|feature| feature.name == name).map_or(0, |f| f.max);
    show(&adopt::adopt(&RealDisk, &plan, served).map_err(|error| error.to_string())?)
}

/// Prints for a person, who may have seen enough (`ottla config | head`).
fn show(text: &str) -> Result<(), String> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// The machine's clock, disk and randomness come with a runtime.
fn make_tls_files(asked: args::TlsDev) -> Result<(), String> {
    let made = async move { tls_dev::make(&ottla_env::real::env(), &asked) };
    let made = ottla_env::real::run(None, made).map_err(|error| error.to_string())?;
    show(&made?)
}
