//! A client of a cluster for one command: connections that block, versions agreed on each, nodes by id.
//! Shell: the machine's clock (docs/decisions/0026-the-commands-have-a-blocking-client.md).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ottla_protocol::Request;
use ottla_protocol::messages::{MetadataRequest, MetadataResponse, api_versions_response};

use crate::connection::{Broken, Connection};
use crate::error::Exception;
use crate::login::{Login, SecurityKeys};
use crate::terminal::Terminal;

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How a cluster is reached.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub client_id: String,
    /// What its log lines call it.
    pub kind: &'static str,
    /// How long a call is tried (`default.api.timeout.ms`).
    pub api_timeout: Duration,
    /// From a request to its answer (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// Whether a broker that cannot be reached is tried again.
    pub is_patient: bool,
    /// How connections are protected, and who logs in.
    pub security: SecurityKeys,
}

impl Default for ClientSettings {
    fn default() -> ClientSettings {
        ClientSettings {
            client_id: "adminclient-1".to_owned(),
            kind: "AdminClient",
            api_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            is_patient: true,
            security: SecurityKeys::default(),
        }
    }
}

/// A broker as the cluster names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: i32,
    pub host: String,
    pub port: u16,
    pub rack: Option<String>,
}

/// The connections of one command.
pub struct Client {
    settings: ClientSettings,
    login: Login,
    bootstrap: Vec<(String, u16)>,
    nodes: BTreeMap<i32, Node>,
    /// By node id; that of the address of the command line is -1.
    connections: BTreeMap<i32, Connection>,
}

impl Client {
    /// Reads `host:port,host:port`; nothing is dialled yet.
    pub fn new(addresses: &str, settings: ClientSettings) -> Result<Client, Exception> {
        let bootstrap = addresses
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty())
            .map(|address| parse_address(address).ok_or_else(|| bad_address(address)))
            .collect::<Result<Vec<_>, _>>()?;
        if bootstrap.is_empty() {
            return Err(Exception::new(
                "org.apache.kafka.common.config.ConfigException",
                "No resolvable bootstrap urls given in bootstrap.servers",
            ));
        }
        let login = Login::new(&settings.security)?;
        Ok(Client { settings, login, bootstrap, nodes: BTreeMap::new(), connections: BTreeMap::new() })
    }

    /// Asks any broker. `call` is what Kafka's Admin names the call in an error.
    pub fn any<R: Request>(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        request: &R,
    ) -> Result<R::Response, Exception> {
        self.ask(terminal, call, -1, request)
    }

    /// Asks one broker of the cluster.
    pub fn node<R: Request>(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        node: i32,
        request: &R,
    ) -> Result<R::Response, Exception> {
        self.ask(terminal, call, node, request)
    }

    /// The cluster as any broker describes it; `None` asks for all topics.
    pub fn metadata(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        topics: Option<Vec<ottla_protocol::messages::metadata_request::MetadataRequestTopic>>,
    ) -> Result<MetadataResponse, Exception> {
        self.metadata_of(terminal, call, topics, false)
    }

    /// The same; with `may_create` a topic that is not there is made, where the broker does so.
    pub fn metadata_of(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        topics: Option<Vec<ottla_protocol::messages::metadata_request::MetadataRequestTopic>>,
        may_create: bool,
    ) -> Result<MetadataResponse, Exception> {
        let request =
            MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(may_create);
        let response = self.any(terminal, call, &request)?;
        for broker in &response.brokers {
            let node = Node {
                id: broker.node_id.0,
                host: broker.host.to_string(),
                port: u16::try_from(broker.port).unwrap_or(0),
                rack: broker.rack.as_ref().map(ToString::to_string),
            };
            self.nodes.insert(node.id, node);
        }
        Ok(response)
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// The brokers of the last description.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// What a broker says it serves.
    pub fn api_keys(
        &mut self,
        terminal: &mut Terminal<'_>,
        node: i32,
    ) -> Result<Vec<api_versions_response::ApiVersion>, Exception> {
        let deadline = Instant::now() + self.settings.api_timeout;
        self.reach(terminal, "apiVersions", node, deadline)?;
        Ok(self.connections[&node].api_keys().to_vec())
    }

    /// Asks one broker several questions at once; its answers come in their order.
    pub fn many<R: Request>(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        node: i32,
        requests: &[R],
    ) -> Result<Vec<R::Response>, Exception> {
        self.talk(terminal, call, node, |connection, client_id| {
            let versions = requests.iter().map(|request| connection.send(client_id, request));
            let versions = versions.collect::<Result<Vec<_>, _>>()?;
            versions.into_iter().map(|sent| connection.receive::<R>(sent)).collect()
        })
    }

    /// Sends what is not answered (Produce with acks=0).
    pub fn tell<R: Request>(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        node: i32,
        request: &R,
    ) -> Result<(), Exception> {
        self.talk(terminal, call, node, |connection, client_id| {
            connection.send(client_id, request).map(|_sent| ())
        })
    }

    /// Asks one broker something whose answer may take longer than others do.
    pub fn node_within<R: Request>(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        node: i32,
        limit: Duration,
        request: &R,
    ) -> Result<R::Response, Exception> {
        let usual = self.settings.request_timeout;
        self.talk(terminal, call, node, |connection, client_id| {
            connection.answer_within(limit.max(usual))?;
            let response = connection.call(client_id, request);
            connection.answer_within(usual)?;
            response
        })
    }

    fn ask<R: Request>(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        node: i32,
        request: &R,
    ) -> Result<R::Response, Exception> {
        self.talk(terminal, call, node, |connection, client_id| connection.call(client_id, request))
    }

    /// Has a conversation with a broker, anew after each time its connection was lost.
    fn talk<T>(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        node: i32,
        mut conversation: impl FnMut(&mut Connection, &str) -> Result<T, Broken>,
    ) -> Result<T, Exception> {
        let deadline = Instant::now() + self.settings.api_timeout;
        if node >= 0 && !self.nodes.contains_key(&node) {
            self.metadata(terminal, call, Some(Vec::new()))?;
        }
        loop {
            self.reach(terminal, call, node, deadline)?;
            let connection = self.connections.get_mut(&node).expect("it was reached");
            match conversation(connection, &self.settings.client_id) {
                Ok(answer) => return Ok(answer),
                Err(Broken::Told(exception)) => return Err(exception),
                Err(Broken::Lost(why)) => {
                    self.connections.remove(&node);
                    terminal.log(
                        "WARN",
                        &self.line(&format!("Node {node} disconnected: {why}.")),
                        NETWORK,
                    )?;
                    if !self.settings.is_patient || Instant::now() >= deadline {
                        let message = format!("Call(callName={call}) timed out: {why}");
                        return Err(Exception::kafka("TimeoutException", message));
                    }
                    std::thread::sleep(BACKOFF_MIN);
                }
            }
        }
    }

    /// Dials until a broker answers, or the call's time is over.
    fn reach(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        node: i32,
        deadline: Instant,
    ) -> Result<(), Exception> {
        let mut backoff = BACKOFF_MIN;
        while !self.connections.contains_key(&node) {
            let addresses = match self.nodes.get(&node) {
                Some(node) => vec![(node.host.clone(), node.port)],
                None => self.bootstrap.clone(),
            };
            for (host, port) in &addresses {
                match Connection::open(host, *port, &self.settings, &self.login) {
                    Ok(connection) => {
                        self.connections.insert(node, connection);
                        return Ok(());
                    }
                    Err(Broken::Told(exception)) => return Err(exception),
                    Err(Broken::Lost(_)) => {
                        let what = format!(
                            "Connection to node {node} ({host}:{port}) could not be established. Node may not be \
                             available."
                        );
                        terminal.log("WARN", &self.line(&what), NETWORK)?;
                    }
                }
            }
            if !self.settings.is_patient || Instant::now() + backoff >= deadline {
                let message = format!("Timed out waiting for a node assignment. Call: {call}");
                return Err(Exception::kafka("TimeoutException", message));
            }
            std::thread::sleep(backoff);
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
        Ok(())
    }

    fn line(&self, what: &str) -> String {
        format!("[{} clientId={}] {what}", self.settings.kind, self.settings.client_id)
    }
}

const NETWORK: &str = "org.apache.kafka.clients.NetworkClient";

fn bad_address(address: &str) -> Exception {
    Exception::new(
        "org.apache.kafka.common.config.ConfigException",
        format!("Invalid url in bootstrap.servers: {address}"),
    )
}

/// `host:port`, or `[v6]:port`.
fn parse_address(address: &str) -> Option<(String, u16)> {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok()?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_with_ports() {
        let parsed = |text| parse_address(text);
        assert_eq!(parsed("localhost:9092"), Some(("localhost".to_owned(), 9092)));
        assert_eq!(parsed("[::1]:9092"), Some(("::1".to_owned(), 9092)));
        assert_eq!(parsed("PLAINTEXT://h:1"), Some(("h".to_owned(), 1)));
        for bad in ["localhost", ":9092", "h:port", "h:99999"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        let settings = ClientSettings::default;
        assert!(Client::new("a:1, b:2", settings()).is_ok());
        assert!(Client::new(" ", settings()).is_err());
    }
}
