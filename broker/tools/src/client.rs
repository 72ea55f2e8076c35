//! A client of a cluster for one command: connections that block, versions agreed on each, nodes by id.
//! Shell: sockets and the machine's clock (docs/decisions/0026-the-commands-have-a-blocking-client.md).
//!
//! ```text
//! | length i32 | api key i16 | version i16 | correlation id i32 | client id | [tags] | body |   out
//! | length i32 | correlation id i32 | [tags] | body |                                          in
//! ```

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse, StrBytes,
    api_versions_response,
};
use ottla_protocol::{
    ApiKey, Encode, Request, RequestHeader, decode_response, decode_response_header, versions,
};

use crate::error::Exception;
use crate::terminal::Terminal;

/// A response that promises more is not read.
const RESPONSE_BYTES_MAX: usize = 104_857_600;
const DIAL_LIMIT: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
const UNSUPPORTED_VERSION: i16 = 35;

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
}

impl Default for ClientSettings {
    fn default() -> ClientSettings {
        ClientSettings {
            client_id: "adminclient-1".to_owned(),
            kind: "AdminClient",
            api_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            is_patient: true,
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
    bootstrap: Vec<(String, u16)>,
    nodes: BTreeMap<i32, Node>,
    /// By node id; that of the address of the command line is -1.
    connections: BTreeMap<i32, Connection>,
}

/// One connection, its versions agreed on.
struct Connection {
    stream: TcpStream,
    next_correlation_id: i32,
    api_keys: Vec<api_versions_response::ApiVersion>,
}

/// Why a call over a connection has no answer.
enum Broken {
    /// The connection is of no use any more.
    Lost(String),
    /// No other connection would do better.
    Told(Exception),
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
        Ok(Client { settings, bootstrap, nodes: BTreeMap::new(), connections: BTreeMap::new() })
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
        if !self.nodes.contains_key(&node) {
            self.metadata(terminal, call, Some(Vec::new()))?;
        }
        self.ask(terminal, call, node, request)
    }

    /// The cluster as any broker describes it; `None` asks for all topics.
    pub fn metadata(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        topics: Option<Vec<ottla_protocol::messages::metadata_request::MetadataRequestTopic>>,
    ) -> Result<MetadataResponse, Exception> {
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
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
        Ok(self.connections[&node].api_keys.clone())
    }

    fn ask<R: Request>(
        &mut self,
        terminal: &mut Terminal<'_>,
        call: &str,
        node: i32,
        request: &R,
    ) -> Result<R::Response, Exception> {
        let deadline = Instant::now() + self.settings.api_timeout;
        loop {
            self.reach(terminal, call, node, deadline)?;
            let connection = self.connections.get_mut(&node).expect("it was reached");
            match connection.call(&self.settings.client_id, request) {
                Ok(response) => return Ok(response),
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
                match Connection::open(host, *port, &self.settings) {
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

impl Connection {
    fn open(host: &str, port: u16, settings: &ClientSettings) -> Result<Connection, Broken> {
        let lost = |error: std::io::Error| Broken::Lost(error.to_string());
        let mut last = Broken::Lost("the name has no address".to_owned());
        for address in (host, port).to_socket_addrs().map_err(lost)? {
            match TcpStream::connect_timeout(&address, DIAL_LIMIT) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(lost)?;
                    stream.set_read_timeout(Some(settings.request_timeout)).map_err(lost)?;
                    let mut connection = Connection { stream, next_correlation_id: 0, api_keys: Vec::new() };
                    connection.agree(settings)?;
                    return Ok(connection);
                }
                Err(error) => last = lost(error),
            }
        }
        Err(last)
    }

    /// Asks what the broker serves; an old one is asked again in the first version (KIP-511).
    fn agree(&mut self, settings: &ClientSettings) -> Result<(), Broken> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("ottla"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let highest = versions::of(ApiKey::ApiVersions).decodable.expect("it has messages").max;
        let mut response: ApiVersionsResponse = match self.exchange(&settings.client_id, &request, highest) {
            // The answer of a broker that does not know the version is one of version 0.
            Err(Broken::Told(_)) => self.exchange(&settings.client_id, &ApiVersionsRequest::default(), 0)?,
            other => other?,
        };
        if response.error_code == UNSUPPORTED_VERSION {
            response = self.exchange(&settings.client_id, &ApiVersionsRequest::default(), 0)?;
        }
        Exception::check(response.error_code, None).map_err(Broken::Told)?;
        self.api_keys = response.api_keys;
        Ok(())
    }

    fn call<R: Request>(&mut self, client_id: &str, request: &R) -> Result<R::Response, Broken> {
        let version = common(&self.api_keys, R::API_KEY).ok_or_else(|| {
            Broken::Told(Exception::kafka(
                "UnsupportedVersionException",
                format!("The node does not support {}", R::API_KEY.name()),
            ))
        })?;
        self.exchange(client_id, request, version)
    }

    fn exchange<R: Request>(
        &mut self,
        client_id: &str,
        request: &R,
        version: i16,
    ) -> Result<R::Response, Broken> {
        let malformed = |why: String| Broken::Told(Exception::new("java.lang.IllegalStateException", why));
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let frame = frame(client_id, request, version, correlation_id).map_err(Broken::Told)?;
        self.stream.write_all(&frame).map_err(|error| Broken::Lost(error.to_string()))?;
        let mut answer = self.read().map_err(|error| Broken::Lost(error.to_string()))?;
        let answered = decode_response_header(&mut answer, R::API_KEY, version)
            .map_err(|error| malformed(error.to_string()))?;
        if answered != correlation_id {
            return Err(malformed(format!(
                "the answer to {answered} came instead of that to {correlation_id}"
            )));
        }
        decode_response(R::API_KEY, version, answer).map_err(|error| malformed(error.to_string()))
    }

    fn read(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > RESPONSE_BYTES_MAX {
            return Err(std::io::Error::other(format!("an answer of {length} bytes is too long")));
        }
        let mut answer = Vec::with_capacity(length.min(64 * 1024));
        let read = (&mut self.stream).take(length as u64).read_to_end(&mut answer)?;
        if read < length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.into())
    }
}

/// A whole request as it goes over the wire.
fn frame<R: Request>(
    client_id: &str,
    request: &R,
    version: i16,
    correlation_id: i32,
) -> Result<BytesMut, Exception> {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let header = RequestHeader {
        api_key: R::API_KEY.to_i16(),
        api_version: version,
        correlation_id,
        client_id: Some(StrBytes::from_string(client_id.to_owned())),
    };
    header.encode(&mut frame);
    Encode::encode(request, &mut frame, version)
        .map_err(|error| Exception::kafka("UnsupportedVersionException", error.to_string()))?;
    let length = i32::try_from(frame.len() - 4)
        .map_err(|_| Exception::kafka("RecordTooLargeException", "The request is too long"))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// The highest version that both sides have.
pub fn common(api_keys: &[api_versions_response::ApiVersion], key: ApiKey) -> Option<i16> {
    let theirs = api_keys.iter().find(|row| row.api_key == key.to_i16())?;
    let ours = versions::of(key).decodable?;
    let highest = theirs.max_version.min(ours.max);
    (highest >= theirs.min_version.max(ours.min)).then_some(highest)
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

    #[test]
    fn a_frame_says_how_long_it_is() {
        let frame = frame("c", &MetadataRequest::default(), 12, 7).expect("a frame");
        assert_eq!(frame[..4], i32::to_be_bytes(frame.len() as i32 - 4));
        let mut rest = frame.freeze().slice(4..);
        let header = RequestHeader::decode(&mut rest).expect("a header");
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (3, 12, 7));
    }
}
