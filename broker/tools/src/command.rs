//! What all commands have in common: how one is described, its client, its errors.
//! Shell: reads the client's properties file.

use std::time::Duration;

use crate::client::{Client, ClientSettings};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options};
use crate::terminal::Terminal;

/// A command of options alone (joptsimple).
pub struct Line {
    pub about: &'static str,
    pub options: &'static [Known],
    pub run: fn(&Options, &mut Terminal<'_>) -> Result<(), Failure>,
}

/// A command of actions with options each (argparse4j).
pub struct Actions {
    pub name: &'static str,
    /// Options that stand before the action.
    pub globals: &'static [Known],
    /// Whether a wrong line is answered in one line instead of with what would be right.
    pub is_terse: bool,
    pub actions: &'static [Action],
}

pub struct Action {
    pub name: &'static str,
    pub options: &'static [Known],
    pub run: fn(&Options, &mut Terminal<'_>) -> Result<(), Failure>,
}

/// How a command reads its command line.
pub enum Shape {
    Line(Line),
    Actions(Actions),
}

/// Kafka's words for an option that is not there.
pub fn required(options: &Options, name: &str) -> Result<(), Failure> {
    if options.has(name) {
        return Ok(());
    }
    Err(Failure::Usage(format!("Missing required argument \"[{name}]\"")))
}

/// The client that `--bootstrap-server` and `--command-config` ask for.
pub fn client(options: &Options, address: &str) -> Result<Client, Failure> {
    let settings = settings(options.get("command-config"), ClientSettings::default())?;
    Ok(Client::new(options.get(address).unwrap_or_default(), settings)?)
}

/// The option that says where the cluster is, of the two that may; `missing` is the complaint where neither does.
pub fn bootstrap(options: &Options, missing: &str) -> Result<&'static str, Failure> {
    match (options.has("bootstrap-server"), options.has("bootstrap-controller")) {
        (true, false) => Ok("bootstrap-server"),
        (false, true) => Ok("bootstrap-controller"),
        (true, true) => {
            let message = "argument --bootstrap-controller: not allowed with argument --bootstrap-server";
            Err(Failure::Usage(message.to_owned()))
        }
        (false, false) => Err(Failure::Usage(missing.to_owned())),
    }
}

/// The settings of a client's properties file over those given.
pub fn settings(file: Option<&str>, mut settings: ClientSettings) -> Result<ClientSettings, Failure> {
    let Some(path) = file else { return Ok(settings) };
    let text = std::fs::read_to_string(path)
        .map_err(|_| Exception::new("java.nio.file.NoSuchFileException", path))?;
    let properties = ottla_config::properties::parse(&text)
        .map_err(|error| Exception::illegal_argument(format!("{path}: {error}")))?;
    for property in properties {
        apply(&mut settings, &property.key, &property.value)?;
    }
    Ok(settings)
}

/// One key of a client's configuration; those that steer what these clients do not have are passed over.
pub fn apply(settings: &mut ClientSettings, key: &str, value: &str) -> Result<(), Failure> {
    let value = value.trim();
    let ms = || match value.parse() {
        Ok(ms) => Ok(Duration::from_millis(ms)),
        Err(_) => Err(Exception::new(
            "org.apache.kafka.common.config.ConfigException",
            format!("Invalid value {value} for configuration {key}: Not a number of type INT"),
        )),
    };
    match key {
        "client.id" => settings.client_id = value.to_owned(),
        "request.timeout.ms" => settings.request_timeout = ms()?,
        "default.api.timeout.ms" => settings.api_timeout = ms()?,
        _ => {
            settings.security.take(key, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_set_by_kafka_s_keys() {
        let mut settings = ClientSettings::default();
        apply(&mut settings, "default.api.timeout.ms", " 250 ").expect("a number");
        apply(&mut settings, "client.id", "x").expect("a name");
        apply(&mut settings, "metadata.max.age.ms", "1").expect("of no use here");
        assert_eq!((settings.api_timeout, &*settings.client_id), (Duration::from_millis(250), "x"));
        assert!(apply(&mut settings, "request.timeout.ms", "soon").is_err());
        apply(&mut settings, "security.protocol", "TLS").expect("it is looked at when the client is made");
        assert!(Client::new("b:1", settings).is_err());
    }
}
