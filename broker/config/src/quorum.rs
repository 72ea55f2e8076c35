//! The quorum of controllers as it is configured, and the addresses at which the other nodes reach this one.
//! Core.

use crate::error::ConfigError;
use crate::listeners::Listener;
use crate::settings::BrokerSettings;
use crate::startup::refuse;

const VOTERS: &str = "controller.quorum.voters";

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
        let (host, port) = address.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(QuorumVoter {
            id: id.trim().parse().ok()?,
            host: host.to_owned(),
            port: port.trim().parse().ok()?,
        })
    };
    let mut voters: Vec<QuorumVoter> = entries.iter().filter_map(voter).collect();
    voters.sort_by_key(|voter| voter.id);
    voters
}

impl BrokerSettings {
    /// Whether this node shares its quorum with others.
    pub fn has_peers(&self) -> bool {
        self.quorum_voters.len() > 1
    }

    /// This node among the voters.
    pub fn this_voter(&self) -> Option<&QuorumVoter> {
        self.quorum_voters.iter().find(|voter| voter.id == self.node_id)
    }

    /// The listener through which brokers reach each other: the one that is named, or the one that is called as
    /// `security.inter.broker.protocol` says.
    pub fn inter_broker_listener(&self) -> Option<&Listener> {
        let named = self.inter_broker_listener_given.as_deref();
        let name = named.or(self.get_str("security.inter.broker.protocol")).unwrap_or("PLAINTEXT");
        self.listeners.iter().find(|listener| listener.name.eq_ignore_ascii_case(name))
    }

    /// The host and port at which others reach a listener of this node: what is advertised, or the listener's own
    /// host, or the host by which this node is named among the voters. `None` where nothing says it. Port 0 is the
    /// port that is picked.
    pub fn reachable_at(&self, listener: &Listener) -> Option<(String, u16)> {
        let advertised = self.advertised_listeners.iter().flatten().find(|other| other.name == listener.name);
        let told = advertised.unwrap_or(listener);
        let host = told.host.clone().or_else(|| self.this_voter().map(|voter| voter.host.clone()))?;
        Some((host, told.port))
    }
}

pub(crate) fn check(config: &BrokerSettings) -> Result<(), ConfigError> {
    let voters = &config.quorum_voters;
    if let Some(pair) = voters.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(refuse(VOTERS, config, format!("the id {} is there twice", pair[0].id)));
    }
    let this = match (voters.as_slice(), config.this_voter()) {
        ([], _) => return Ok(()),
        (_, Some(this)) => this,
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
    if this.port != controller.port || is_elsewhere {
        let why = format!(
            "it names {}:{} for this node, and its controller listener is {controller}",
            this.host, this.port
        );
        return Err(refuse(VOTERS, config, why));
    }
    reachable(config)
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
    let is_everywhere = |host: &str| matches!(host, "0.0.0.0" | "::");
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
