//! Which entities a command line means.
//! Core.

use crate::admin;
use crate::error::{Exception, Failure};
use crate::options::Options;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Topics,
    Clients,
    Users,
    Brokers,
    Ips,
    ClientMetrics,
    Groups,
    BrokerLoggers,
}

const KINDS: [(Kind, &str, &str); 8] = [
    (Kind::Topics, "topics", "topic"),
    (Kind::Clients, "clients", "client"),
    (Kind::Users, "users", "user"),
    (Kind::Brokers, "brokers", "broker"),
    (Kind::Ips, "ips", "ip"),
    (Kind::ClientMetrics, "client-metrics", "client-metric"),
    (Kind::Groups, "groups", "group"),
    (Kind::BrokerLoggers, "broker-loggers", "broker-logger"),
];

impl Kind {
    pub fn plural(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, plural, _)| plural)
    }

    pub fn singular(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., singular)| singular)
    }

    /// The type of config resource; users, clients and addresses have quotas instead.
    pub fn resource(self) -> Option<i8> {
        match self {
            Kind::Topics => Some(admin::TOPIC),
            Kind::Brokers => Some(admin::BROKER),
            Kind::ClientMetrics => Some(admin::CLIENT_METRICS),
            Kind::Groups => Some(admin::GROUP),
            Kind::BrokerLoggers => Some(admin::BROKER_LOGGER),
            Kind::Clients | Kind::Users | Kind::Ips => None,
        }
    }

    /// What it is in a quota.
    pub fn quota_entity(self) -> &'static str {
        match self {
            Kind::Users => "user",
            Kind::Clients => "client-id",
            _ => "ip",
        }
    }
}

/// One entity: a name, the default (an empty name), or all of the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    pub kind: Kind,
    pub name: Option<String>,
}

/// Options that say kind and name at once, and those that say the default of a kind.
const NAMED: [(&str, Kind); 8] = [
    ("topic", Kind::Topics),
    ("client", Kind::Clients),
    ("user", Kind::Users),
    ("broker", Kind::Brokers),
    ("ip", Kind::Ips),
    ("client-metrics", Kind::ClientMetrics),
    ("group", Kind::Groups),
    ("broker-logger", Kind::BrokerLoggers),
];
const DEFAULTS: [(&str, Kind); 4] = [
    ("client-defaults", Kind::Clients),
    ("user-defaults", Kind::Users),
    ("broker-defaults", Kind::Brokers),
    ("ip-defaults", Kind::Ips),
];

/// The entities in the order of the command line: the names go with the types in their order.
pub fn of(options: &Options) -> Result<Vec<Entity>, Failure> {
    let mut kinds = Vec::new();
    let mut names = Vec::new();
    for (option, value) in options.given() {
        match option {
            "entity-type" => {
                let Some((kind, ..)) = KINDS.iter().find(|(_, plural, _)| *plural == value) else {
                    let all: Vec<&str> = KINDS.iter().map(|(_, plural, _)| *plural).collect();
                    let message = format!(
                        "Invalid entity type {value}, the entity type must be one of {}",
                        all.join(", ")
                    );
                    return Err(Exception::illegal_argument(message).into());
                };
                kinds.push(*kind);
            }
            "entity-name" => names.push(value.to_owned()),
            "entity-default" => names.push(String::new()),
            _ => {}
        }
    }
    if names.len() > kinds.len() {
        let message = "--entity-name and --entity-default need an --entity-type each".to_owned();
        return Err(Exception::illegal_argument(message).into());
    }
    let mut names = names.into_iter();
    let mut entities: Vec<Entity> =
        kinds.into_iter().map(|kind| Entity { kind, name: names.next() }).collect();
    for (option, kind) in NAMED {
        if let Some(name) = options.get(option) {
            entities.push(Entity { kind, name: Some(name.to_owned()) });
        }
    }
    for (option, kind) in DEFAULTS {
        if options.has(option) {
            entities.push(Entity { kind, name: Some(String::new()) });
        }
    }
    Ok(entities)
}
