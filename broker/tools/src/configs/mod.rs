//! `kafka-configs`: describes and alters configurations of every kind of entity.
//! Shell over the client; what the command line means is decided by plain functions.

mod changes;
mod entities;
mod quotas;
mod resources;

use crate::admin;
use crate::command::{Line, client};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;
use changes::Changes;
use entities::{Entity, Kind};

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "The brokers to connect to."),
    value("bootstrap-controller", "The controllers to connect to."),
    value("command-config", "A properties file for the client."),
    flag("describe", "Show the configs of an entity."),
    flag("alter", "Change the configs of an entity."),
    value(
        "entity-type",
        "topics, clients, users, brokers, ips, client-metrics, groups or broker-loggers. Users may go with clients.",
    ),
    value("entity-name", "The name of the entity."),
    flag("entity-default", "The default of the type."),
    value("topic", "The topic's name."),
    value("client", "The client's id."),
    flag("client-defaults", "The default of clients."),
    value("user", "The user's principal."),
    flag("user-defaults", "The default of users."),
    value("broker", "The broker's id."),
    flag("broker-defaults", "The default of brokers."),
    value("ip", "The address."),
    flag("ip-defaults", "The default of addresses."),
    value("group", "The group."),
    value("client-metrics", "The subscription of client metrics."),
    value("broker-logger", "The id of the broker whose loggers are meant."),
    value("add-config", "k1=v1,k2=[v1,v2],k3=v3"),
    value("add-config-file", "A properties file with what --add-config would say."),
    value("delete-config", "k1,k2"),
    flag("all", "Show all configs, not only those that were set."),
    flag("force", "Do not ask."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line {
    about: "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, \
            client-metrics or group",
    options: OPTIONS,
    run,
};

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let outcome = act(options, terminal);
    let Err(Failure::Kafka(exception)) = outcome else { return outcome };
    // `ConfigCommand` tells a wrong argument from anything else by the exception.
    if exception.class == "java.lang.IllegalArgumentException" {
        return Err(Failure::Sentence(exception.message, 1));
    }
    let text = format!(
        "Error while executing config command with args '{}'\njava.util.concurrent.ExecutionException: {exception}\n\
         Caused by: {exception}",
        options.line()
    );
    Err(Failure::Sentence(text, 1))
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let entities = check(options)?;
    let address = if options.has("bootstrap-server") { "bootstrap-server" } else { "bootstrap-controller" };
    let changes = if options.has("alter") { Some(Changes::of(options)?) } else { None };
    let mut client = client(options, address)?;
    let client = &mut client;
    let kind = entities[0].kind;
    match (changes, kind.resource()) {
        (Some(changes), Some(resource)) => {
            resources::alter(client, terminal, &entities[0], resource, &changes)?;
        }
        (Some(changes), None) => quotas::alter(client, terminal, &entities, &changes)?,
        (None, Some(resource)) => {
            return resources::describe(client, terminal, &entities[0], resource, options.has("all"));
        }
        (None, None) => return quotas::describe(client, terminal, &entities),
    }
    let entity = &entities[0];
    let singular = kind.singular();
    let line = match &entity.name {
        Some(name) if !name.is_empty() => format!("Completed updating config for {singular} {name}."),
        _ => format!("Completed updating default config for {} in the cluster.", kind.plural()),
    };
    Ok(terminal.say(&line)?)
}

/// What `ConfigCommandOptions.checkArgs` refuses; the entities that are left.
fn check(options: &Options) -> Result<Vec<Entity>, Failure> {
    let refuse = |message: String| Err(Failure::Kafka(Exception::illegal_argument(message)));
    if options.has("describe") == options.has("alter") {
        let message = "Command must include exactly one action: --describe, --alter";
        return Err(Failure::Usage(message.to_owned()));
    }
    if !options.has("bootstrap-server") && !options.has("bootstrap-controller") {
        return refuse("Either --bootstrap-server or --bootstrap-controller must be specified.".to_owned());
    }
    let entities = entities::of(options)?;
    let Some(first) = entities.first() else {
        return refuse("At least one entity type must be specified".to_owned());
    };
    let kinds: Vec<Kind> = entities.iter().map(|entity| entity.kind).collect();
    let together = matches!(kinds.as_slice(), [Kind::Users, Kind::Clients] | [Kind::Clients, Kind::Users]);
    if kinds.len() > 1 && !together {
        return refuse("Only 'users' and 'clients' entity types may be specified together".to_owned());
    }
    if let Some(name) =
        entities.iter().find(|entity| entity.kind == Kind::Ips).and_then(|entity| entity.name.as_ref())
        && !name.is_empty()
        && std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0)).is_err()
    {
        return refuse(format!(
            "The entity name for ips must be a valid IP or resolvable host, but it is: {name}"
        ));
    }
    if matches!(first.kind, Kind::Brokers | Kind::BrokerLoggers)
        && let Some(name) = first.name.as_ref().filter(|name| !name.is_empty())
        && name.parse::<i32>().is_err()
    {
        return refuse(format!(
            "The entity name for {} must be a valid integer broker id, but it is: {name}",
            first.kind.plural()
        ));
    }
    if options.has("alter") {
        if entities.iter().any(|entity| entity.name.is_none()) {
            let message = "Only one of --entity-name or --entity-default must be specified with --alter of";
            return refuse(format!("{message} {}", first.kind.plural()));
        }
        let says_something =
            ["add-config", "add-config-file", "delete-config"].iter().any(|name| options.has(name));
        if !says_something {
            let message = "At least one of --add-config, --add-config-file, or --delete-config must be specified with \
                           --alter";
            return refuse(message.to_owned());
        }
    }
    Ok(entities)
}

/// What a source of config values is called.
fn source_name(source: i8) -> &'static str {
    match source {
        admin::TOPIC_SOURCE => "DYNAMIC_TOPIC_CONFIG",
        admin::BROKER_SOURCE => "DYNAMIC_BROKER_CONFIG",
        admin::DEFAULT_BROKER_SOURCE => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        admin::STATIC_SOURCE => "STATIC_BROKER_CONFIG",
        admin::DEFAULT_SOURCE => "DEFAULT_CONFIG",
        admin::LOGGER_SOURCE => "DYNAMIC_BROKER_LOGGER_CONFIG",
        admin::CLIENT_METRICS_SOURCE => "DYNAMIC_CLIENT_METRICS_CONFIG",
        admin::GROUP_SOURCE => "DYNAMIC_GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<Vec<Entity>, Failure> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        check(&Options::parse(OPTIONS, &arguments).expect("a good line"))
    }

    #[test]
    fn a_command_line_must_make_sense() {
        for bad in [
            "--bootstrap-server b:1 --describe",
            "--describe --topic t",
            "--bootstrap-server b:1 --describe --alter --topic t",
            "--bootstrap-server b:1 --alter --topic t",
            "--bootstrap-server b:1 --alter --entity-type topics --add-config a=b",
            "--bootstrap-server b:1 --describe --topic t --user u",
            "--bootstrap-server b:1 --describe --broker one",
            "--bootstrap-server b:1 --describe --entity-type broker-loggers --entity-name one",
            "--bootstrap-server b:1 --describe --entity-type shoes",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        let both =
            checked("--bootstrap-server b:1 --describe --user u --client-defaults").expect("a good line");
        assert_eq!(both.len(), 2);
    }
}
