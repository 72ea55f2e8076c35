//! Listener addresses and names: `NAME://host:port` lists, the security protocol map, and which are for clients.
//! Core.

use std::collections::BTreeMap;

use ottla_model::SecurityProtocol;

use crate::error::ConfigError;

/// One address of a listener list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// In upper case, as Kafka keeps it.
    pub name: String,
    pub protocol: SecurityProtocol,
    /// None is every interface.
    pub host: Option<String>,
    /// 0 is a free port.
    pub port: u16,
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.host.as_deref().unwrap_or("");
        if host.contains(':') {
            write!(f, "{}://[{host}]:{}", self.name, self.port)
        } else {
            write!(f, "{}://{host}:{}", self.name, self.port)
        }
    }
}

/// Listener name (upper case) to its protocol.
pub type ProtocolMap = BTreeMap<String, SecurityProtocol>;

/// Reads `listener.security.protocol.map`.
pub(crate) fn parse_protocol_map(text: &str) -> Result<ProtocolMap, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let mut map = ProtocolMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let Some((name, protocol)) = entry.rsplit_once(':') else {
            return Err(ConfigError::value(KEY, text, format!("`{entry}` is not of the form name:protocol")));
        };
        let Some(protocol) = SecurityProtocol::from_name(protocol.trim()) else {
            let why = format!("`{protocol}` is not one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL");
            return Err(ConfigError::value(KEY, text, why));
        };
        map.insert(name.trim().to_uppercase(), protocol);
    }
    Ok(map)
}

/// Reads a list of listeners; `distinct_ports` is Kafka's rule for what is really opened.
pub(crate) fn parse_listeners(
    key: &str,
    entries: &[String],
    map: &ProtocolMap,
    distinct_ports: bool,
) -> Result<Vec<Listener>, ConfigError> {
    let mut listeners: Vec<Listener> = Vec::with_capacity(entries.len());
    for entry in entries {
        let listener = parse_listener(key, entry, map)?;
        if listeners.iter().any(|other| other.name == listener.name) {
            let why = format!("Each listener must have a different name, {} is there twice", listener.name);
            return Err(ConfigError::value(key, entries.join(","), why));
        }
        let same = |other: &&Listener| other.port == listener.port && !may_share(other, &listener);
        if distinct_ports && listener.port != 0 && listeners.iter().any(|other| same(&other)) {
            let why = format!("Each listener must have a different port, {} is there twice", listener.port);
            return Err(ConfigError::value(key, entries.join(","), why));
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// One IPv4 and one IPv6 address may share a port.
fn may_share(one: &Listener, other: &Listener) -> bool {
    let family = |l: &Listener| l.host.as_deref().and_then(|h| h.parse::<std::net::IpAddr>().ok());
    match (family(one), family(other)) {
        (Some(one), Some(other)) => one.is_ipv4() != other.is_ipv4(),
        _ => false,
    }
}

fn parse_listener(key: &str, entry: &str, map: &ProtocolMap) -> Result<Listener, ConfigError> {
    let form = || {
        let why = "a listener has the form NAME://host:port, and the host may be empty";
        ConfigError::value(key, entry, why)
    };
    let (name, address) = entry.split_once("://").ok_or_else(form)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '%' | '.' | '_' | ':');
    if name.is_empty() || !bare.chars().all(allowed) || (bare.contains(':') && bare == host) {
        return Err(form());
    }
    let number: u16 =
        port.parse().map_err(|_| ConfigError::value(key, entry, "the port must be from 0 to 65535"))?;
    let name = name.to_uppercase();
    let Some(protocol) = map.get(&name).copied() else {
        let why =
            format!("No security protocol defined for listener {name} in listener.security.protocol.map");
        return Err(ConfigError::value(key, entry, why));
    };
    let host = (!bare.is_empty()).then(|| bare.to_owned());
    Ok(Listener { name, protocol, host, port: number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(text: &str) -> Result<Vec<Listener>, ConfigError> {
        let map = parse_protocol_map("PLAINTEXT:PLAINTEXT,external:PLAINTEXT,SSL:SSL").unwrap();
        let entries: Vec<String> = text.split(',').map(str::to_owned).collect();
        parse_listeners("listeners", &entries, &map, true)
    }

    #[test]
    fn addresses_of_every_form() {
        let found =
            listeners("PLAINTEXT://:9092,EXTERNAL://[::1]:0,ssl://kafka-1.example_net:65535").unwrap();
        let text: Vec<String> = found.iter().map(Listener::to_string).collect();
        assert_eq!(text, ["PLAINTEXT://:9092", "EXTERNAL://[::1]:0", "SSL://kafka-1.example_net:65535"]);
        assert_eq!(found[0].host, None);
        assert_eq!(found[1].host.as_deref(), Some("::1"));
        assert_eq!(found[2].protocol, SecurityProtocol::Ssl);
    }

    #[test]
    fn what_is_not_a_listener_is_refused() {
        for bad in [
            "localhost:9092",
            "PLAINTEXT://localhost",
            "PLAINTEXT://localhost:x",
            "PLAINTEXT://localhost:65536",
            "PLAINTEXT://localhost:-1",
            "PLAINTEXT://::1:9092",
            "PLAINTEXT://a b:9092",
            "OTHER://localhost:9092",
            "PLAINTEXT://a:1,PLAINTEXT://a:2",
            "PLAINTEXT://a:1,EXTERNAL://b:1",
        ] {
            assert!(listeners(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_may_be_shared_by_two_families_and_by_free_ports() {
        assert!(listeners("PLAINTEXT://127.0.0.1:1,EXTERNAL://[::1]:1").is_ok());
        assert!(listeners("PLAINTEXT://127.0.0.1:0,EXTERNAL://127.0.0.1:0").is_ok());
    }
}
