//! The quorum of controllers as it is configured, and the addresses at which the other nodes reach this one.
//! Core.

use crate::error::ConfigError;
use crate::listeners::{self, Listener};
use crate::settings::BrokerSettings;
use crate::startup::refuse;

const VOTERS: &str = "controller.quorum.voters";
const ROLES: &str = "process.roles";
const CONTROLLER_NAMES: &str = "controller.listener.names";
const BROKER: &str = "broker";
const CONTROLLER: &str = "controller";

/// One controller that votes: `id@host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumVoter {
    pub id: i32,
    pub host: String,
    pub port: u16,
}

/// The entries of `controller.quorum.voters`, in the order of their ids. Their form was checked by the key's row.
pub(crate) fn voters(entries: &[String]) -> Vec<QuorumVoter> {
    let voter = |entry: &String| {
        let (id, address) = entry.split_once('@')?;
        let (host, port) = host_and_port(address)?;
        Some(QuorumVoter { id: id.trim().parse().ok()?, host, port })
    };
    let mut voters: Vec<QuorumVoter> = entries.iter().filter_map(voter).collect();
    voters.sort_by_key(|voter| voter.id);
    voters
}

fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host.to_owned(), port.trim().parse().ok()?))
}

impl BrokerSettings {
    /// Whether clients are served and partitions are hosted here.
    pub fn is_broker(&self) -> bool {
        self.roles_given.iter().any(|role| role == BROKER)
    }

    /// Whether this node votes.
    pub fn is_controller(&self) -> bool {
        self.roles_given.iter().any(|role| role == CONTROLLER)
    }

    /// Whether this node shares its cluster with others. One that is broker and controller, and the only voter, is
    /// alone, unless `ottla.brokers.join` says that other brokers are to come.
    pub fn has_peers(&self) -> bool {
        self.quorum_voters.len() > 1
            || self.brokers_join
            || !(self.is_broker() && self.is_controller())
            || self.names_other_controllers()
    }

    /// Whether `controller.quorum.bootstrap.servers` of a controller names others: it belongs to a quorum whose log says who
    /// votes. One address that is this node's own names nobody.
    pub fn names_other_controllers(&self) -> bool {
        // A broker with a vote whose only address has its own port, and whose listener has no host, is taken to be alone.
        let is_one = self.is_broker() && self.quorum_bootstrap_given.len() == 1;
        let own = |address: &(String, u16)| {
            let (host, port) = address;
            self.controller_listeners.iter().any(|listener| {
                let is_told = self.controller_reached_at(listener).as_ref() == Some(address);
                let is_here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
                let has_no_host = listener.host.as_deref().is_none_or(is_everywhere);
                let is_opened = is_here || listener.host.as_ref() == Some(host) || (is_one && has_no_host);
                is_told || (listener.port == *port && is_opened)
            })
        };
        let mut named = self.quorum_bootstrap_given.iter().filter_map(|entry| host_and_port(entry));
        self.is_controller() && named.any(|address| !own(&address))
    }

    /// Where controllers listen.
    pub fn controller_addresses(&self) -> Vec<(String, u16)> {
        let named = self.quorum_bootstrap_given.iter().filter_map(|entry| host_and_port(entry));
        let voters = self.quorum_voters.iter().map(|voter| (voter.host.clone(), voter.port));
        voters.chain(named).collect()
    }

    /// This node among the voters.
    pub fn this_voter(&self) -> Option<&QuorumVoter> {
        self.quorum_voters.iter().find(|voter| voter.id == self.node_id)
    }

    /// The listener by which controllers reach each other, as a broker alone names it too.
    pub fn controller_listener_name(&self) -> String {
        let own = self.controller_listeners.first().map(|listener| listener.name.clone());
        let named = || self.controller_listener_names.iter().flatten().next().map(|name| name.to_uppercase());
        own.or_else(named).unwrap_or_default()
    }

    /// The listener through which brokers reach each other: the one that is named, or the one that is called as
    /// `security.inter.broker.protocol` says.
    pub fn inter_broker_listener(&self) -> Option<&Listener> {
        let name = self.inter_broker_listener_name();
        self.listeners.iter().find(|listener| listener.name == name)
    }

    /// Its name, which a controller without one of its own knows as well.
    pub fn inter_broker_listener_name(&self) -> String {
        let named = self.inter_broker_listener_given.as_deref();
        named.or(self.get_str("security.inter.broker.protocol")).unwrap_or("PLAINTEXT").to_uppercase()
    }

    /// The listener at which other brokers are dialled. A controller without the role of a broker does not open it.
    pub fn dialled_broker_listener(&self) -> Option<Listener> {
        self.dialled(self.inter_broker_listener_name())
    }

    /// The listener at which controllers are dialled. A broker without the role of a controller does not open it.
    pub fn dialled_controller_listener(&self) -> Option<Listener> {
        self.dialled(self.controller_listener_name())
    }

    fn dialled(&self, name: String) -> Option<Listener> {
        let opened = self.listeners.iter().chain(&self.controller_listeners).find(|one| one.name == name);
        opened.cloned().or_else(|| {
            let map = listeners::parse_protocol_map(&self.protocol_map_text).ok()?;
            let protocol = *map.get(&name)?;
            Some(Listener { name, protocol, host: None, port: 0 })
        })
    }

    /// The host and port that are advertised of a controller's listener.
    pub fn controller_advertised(&self, listener: &Listener) -> Option<(String, u16)> {
        let advertised = self.advertised_controllers.iter().find(|other| other.name == listener.name)?;
        Some((advertised.host.clone()?, advertised.port))
    }

    /// The host and port at which others reach a controller's listener of this node: what is advertised, or where
    /// `controller.quorum.voters` has this node, or the listener's own host. `None` where nothing says it.
    pub fn controller_reached_at(&self, listener: &Listener) -> Option<(String, u16)> {
        let is_first = self.controller_listeners.first().is_some_and(|first| first.name == listener.name);
        let as_voter = || {
            let voter = self.this_voter()?;
            Some((voter.host.clone(), if is_first { voter.port } else { listener.port }))
        };
        let as_opened = || {
            let host = listener.host.clone().filter(|host| !is_everywhere(host))?;
            Some((host, listener.port))
        };
        self.controller_advertised(listener).or_else(as_voter).or_else(as_opened)
    }

    /// The host and port at which others reach a broker's listener of this node: what is advertised, or the listener's own
    /// host, or the host by which this node is named among the voters. `None` where nothing says it. Port 0 is the
    /// port that is picked.
    pub fn reachable_at(&self, listener: &Listener) -> Option<(String, u16)> {
        let advertised = self.advertised_listeners.iter().flatten().find(|other| other.name == listener.name);
        let told = advertised.unwrap_or(listener);
        let host = told.host.clone().or_else(|| self.this_voter().map(|voter| voter.host.clone()))?;
        Some((host, told.port))
    }
}

/// Whether it means every address of a machine, which nobody can dial.
fn is_everywhere(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "::")
}

pub(crate) fn check(config: &BrokerSettings) -> Result<(), ConfigError> {
    let voters = &config.quorum_voters;
    if let Some(pair) = voters.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(refuse(VOTERS, config, format!("the id {} is there twice", pair[0].id)));
    }
    let this = match (voters.as_slice(), config.this_voter()) {
        _ if !config.is_controller() => return check_between_nodes(config),
        ([], _) => return Ok(()),
        (_, Some(this)) => this,
        // The log says who votes.
        (_, None) if config.names_other_controllers() => return check_between_nodes(config),
        (_, None) => {
            let why = format!("this node must be a voter, and node.id is {}", config.node_id);
            return Err(refuse(VOTERS, config, why));
        }
    };
    if !config.has_peers() {
        return Ok(());
    }
    let Some(controller) = config.controller_listeners.first() else {
        let why = "several voters speak through a listener that controller.listener.names names and listeners opens";
        return Err(refuse(VOTERS, config, why));
    };
    let address = |host: &str| host.parse::<std::net::IpAddr>().ok().filter(|addr| !addr.is_unspecified());
    let opened = controller.host.as_deref().and_then(address);
    let is_elsewhere = opened.zip(address(&this.host)).is_some_and(|(opened, voter)| opened != voter);
    // What is advertised says that others come another way than directly.
    let is_advertised = config.controller_advertised(controller).is_some();
    if !is_advertised && (this.port != controller.port || is_elsewhere) {
        let why = format!(
            "it names {}:{} for this node, and its controller listener is {controller}: where others reach it elsewhere \
             than there, advertised.listeners says so",
            this.host, this.port
        );
        return Err(refuse(VOTERS, config, why));
    }
    check_between_nodes(config)
}

/// What a node of several needs to be reached by the others.
fn check_between_nodes(config: &BrokerSettings) -> Result<(), ConfigError> {
    if config.is_broker() { reachable(config) } else { Ok(()) }
}

/// The rules of a node that is broker or controller alone (`KafkaConfig.validateValues`).
pub(crate) fn check_roles(config: &BrokerSettings) -> Result<(), ConfigError> {
    let (is_broker, is_controller) = (config.is_broker(), config.is_controller());
    if config.quorum_auto_join && !is_controller {
        let why = "it is only supported when process.roles contains the 'controller' role";
        return Err(refuse("controller.quorum.auto.join.enable", config, why));
    }
    if is_broker && is_controller {
        return Ok(());
    }
    if is_controller {
        if config.controller_addresses().is_empty() {
            let why =
                "a controller of a cluster needs controller.quorum.voters, which names it and the others";
            return Err(refuse(ROLES, config, why));
        }
        if !config.listeners.is_empty() {
            let why = "it may only contain controller listeners from controller.listener.names when \
                       process.roles=controller";
            return Err(refuse("listeners", config, why));
        }
        return match config.controller_listeners.is_empty() {
            true => Err(refuse(CONTROLLER_NAMES, config, "it must name a listener of a controller")),
            false => Ok(()),
        };
    }
    if config.controller_addresses().is_empty() {
        let why = "either controller.quorum.bootstrap.servers or controller.quorum.voters must say where the \
                   controllers are";
        return Err(refuse(ROLES, config, why));
    }
    if config.this_voter().is_some() {
        let why = format!("the node id {} must not be among controller.quorum.voters", config.node_id);
        return Err(refuse(ROLES, config, why));
    }
    if config.controller_listener_names.iter().flatten().next().is_none() {
        let why = "it must name a listener of the controllers, also on a broker";
        return Err(refuse(CONTROLLER_NAMES, config, why));
    }
    if !config.controller_listeners.is_empty() {
        let why = "it must not name one of listeners when process.roles=broker";
        return Err(refuse(CONTROLLER_NAMES, config, why));
    }
    Ok(())
}

/// What this node registers is what other nodes and their clients dial.
fn reachable(config: &BrokerSettings) -> Result<(), ConfigError> {
    if config.inter_broker_listener().is_none() {
        let why = "brokers reach each other through a listener of that name, and listeners has none";
        let key = "inter.broker.listener.name";
        return match config.inter_broker_listener_given {
            Some(_) => Err(refuse(key, config, why)),
            None => Err(refuse("listeners", config, "inter.broker.listener.name must name one of them")),
        };
    }
    for listener in &config.listeners {
        if config.reachable_at(listener).is_none_or(|(host, _)| is_everywhere(&host)) {
            let why = format!(
                "{} names every interface, which is no address that other nodes can dial: advertised.listeners \
                 must say one",
                listener.name
            );
            return Err(refuse("listeners", config, why));
        }
    }
    Ok(())
}
