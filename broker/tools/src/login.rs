//! How a connection is protected and who says it is: TLS and SASL, from the keys of a client's properties file.
//! Shell: reads stores of keys; the mathematics is `security`'s.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use ottla_config::{BrokerConfig, ConfigMap, jaas};
use ottla_env::Clock;
use ottla_env::real::{RealClock, RealDisk};
use ottla_security::Secret;
use ottla_security::sasl::{Credentials, SaslMechanism};
use ottla_security::tls::ClientTls;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::error::Exception;

/// The keys `security.protocol`, `sasl.*` and `ssl.*` as they were given. Some are secrets: nothing prints them.
#[derive(Clone, Default)]
pub struct SecurityKeys(BTreeMap<String, String>);

impl std::fmt::Debug for SecurityKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SecurityKeys({:?})", self.0.keys())
    }
}

impl SecurityKeys {
    /// Takes a key if it is one of these.
    pub fn take(&mut self, key: &str, value: &str) -> bool {
        let is_one = key == "security.protocol" || key.starts_with("sasl.") || key.starts_with("ssl.");
        if is_one {
            self.0.insert(key.to_owned(), value.to_owned());
        }
        is_one
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// What a connection does before its first request.
#[derive(Default)]
pub struct Login {
    tls: Option<ClientTls>,
    sasl: Option<Sasl>,
}

struct Sasl {
    mechanism: SaslMechanism,
    name: String,
    password: String,
}

fn refused(key: &str, value: &str, why: &str) -> Exception {
    let message = format!("Invalid value {value} for configuration {key}: {why}");
    Exception::new("org.apache.kafka.common.config.ConfigException", message)
}

impl Login {
    pub fn new(keys: &SecurityKeys) -> Result<Login, Exception> {
        let protocol = keys.get("security.protocol").unwrap_or("PLAINTEXT").trim();
        let (has_tls, has_sasl) = match protocol.to_uppercase().as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                let why =
                    "String must be one of (case insensitive): SASL_PLAINTEXT, PLAINTEXT, SSL, SASL_SSL";
                return Err(refused("security.protocol", protocol, why));
            }
        };
        let tls = if has_tls { Some(tls(keys)?) } else { None };
        let sasl = if has_sasl { Some(sasl(keys)?) } else { None };
        Ok(Login { tls, sasl })
    }

    /// The mechanism and who logs in; nobody does where the listener asks nobody.
    pub fn credentials(&self) -> Option<(SaslMechanism, Credentials)> {
        let sasl = self.sasl.as_ref()?;
        let password = Secret::new(sasl.password.as_bytes());
        Some((sasl.mechanism, Credentials { name: sasl.name.clone(), password }))
    }

    /// Begins TLS where it is wanted; nothing has been said on the socket yet.
    pub fn protect(&self, socket: TcpStream, host: &str) -> io::Result<Wire> {
        let Some(tls) = &self.tls else { return Ok(Wire::Plain(socket)) };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(tls.config(), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        // A handshake that fails is told of before the first request.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Wire::Tls(Box::new(stream)))
    }
}

fn tls(keys: &SecurityKeys) -> Result<ClientTls, Exception> {
    const LISTENER: &str = "client";
    let own = |(key, value): (&String, &String)| (format!("listener.name.{LISTENER}.{key}"), value.clone());
    let own: ConfigMap = keys.0.iter().filter(|(key, _)| key.starts_with("ssl.")).map(own).collect();
    let config = BrokerConfig::defaults().with_dynamic(&own, &ConfigMap::new());
    let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
    ClientTls::load(&config.of_listener(LISTENER), &RealDisk, &clock).map_err(|error| {
        let message = error.to_string().replace(&format!("listener.name.{LISTENER}."), "");
        Exception::kafka("SslAuthenticationException", message)
    })
}

fn sasl(keys: &SecurityKeys) -> Result<Sasl, Exception> {
    let name = keys.get("sasl.mechanism").unwrap_or("GSSAPI").trim();
    let mechanism =
        SaslMechanism::from_name(name).filter(|mechanism| *mechanism != SaslMechanism::OauthBearer);
    let mechanism = mechanism.ok_or_else(|| {
        refused(
            "sasl.mechanism",
            name,
            "the commands of Ottla log in with PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512",
        )
    })?;
    let missing =
        "Could not find a 'KafkaClient' entry in the JAAS configuration: sasl.jaas.config is not set";
    let line = keys.get("sasl.jaas.config").ok_or_else(|| Exception::illegal_argument(missing))?;
    let entries = jaas::parse(line).map_err(Exception::illegal_argument)?;
    let entry = entries.first().ok_or_else(|| Exception::illegal_argument(missing))?;
    let option = |key: &str| entry.options.get(key).cloned().unwrap_or_default();
    Ok(Sasl { mechanism, name: option("username"), password: option("password") })
}

/// A socket, with or without TLS around it.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// From now on a read may take so long.
    pub fn read_within(&self, limit: Duration) -> io::Result<()> {
        match self {
            Wire::Plain(socket) => socket.set_read_timeout(Some(limit)),
            Wire::Tls(stream) => stream.sock.set_read_timeout(Some(limit)),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(into),
            Wire::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(socket) => socket.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(lines: &[(&str, &str)]) -> Result<Login, String> {
        let mut keys = SecurityKeys::default();
        lines.iter().for_each(|(key, value)| assert!(keys.take(key, value), "{key}"));
        Login::new(&keys).map_err(|exception| exception.message)
    }

    #[test]
    fn who_logs_in_is_in_the_jaas_line() {
        let line = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"bob\" password=\"p\";";
        let login = login(&[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.jaas.config", line),
        ]);
        let login = login.unwrap_or_else(|bad| panic!("{bad}"));
        let (mechanism, credentials) = login.credentials().expect("a login");
        assert_eq!((mechanism.name(), credentials.name.as_str()), ("SCRAM-SHA-256", "bob"));
        assert!(credentials.password.is(b"p") && login.tls.is_none());
    }

    #[test]
    fn what_cannot_be_had_is_said() {
        let told = |lines: &[(&str, &str)]| login(lines).err().unwrap_or_default();
        assert!(told(&[("security.protocol", "TLS")]).contains("must be one of"));
        let sasl = ("security.protocol", "SASL_SSL");
        assert!(told(&[sasl, ("ssl.truststore.location", "/no/such")]).contains("ssl.truststore.location"));
        let sasl = ("security.protocol", "SASL_PLAINTEXT");
        assert!(told(&[sasl]).contains("GSSAPI"));
        assert!(told(&[sasl, ("sasl.mechanism", "PLAIN")]).contains("sasl.jaas.config"));
        assert!(login(&[]).is_ok_and(|login| login.credentials().is_none()));
        let mut keys = SecurityKeys::default();
        assert!(!keys.take("client.id", "x") && keys.take("ssl.key.password", "hush"));
        assert!(!format!("{keys:?}").contains("hush"));
    }
}
