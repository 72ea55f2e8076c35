//! What the tests of a number want of their cluster beside its scenario, and how the client is told of it.
//! Shell: starts brokers, makes certificates with openssl.
//!
//! librdkafka's own scripts give every test three brokers with racks. Here most have one broker, which is the harder case
//! for a test and the quicker one for a run; these have what they cannot do without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::failure::{Outcome, While};
use crate::process::{require, run};
use crate::several::{Layout, Several};

const NODES: usize = 3;
const USER: &str = "myuser";
const PASSWORD: &str = "mypassword";
const MAKING_LIMIT: Duration = Duration::from_secs(60);

/// Topics with three replicas, and the fetch from a follower.
const REPLICATED: [&str; 5] = ["0098", "0101", "0103", "0107", "0111"];
const RACKS: [&str; 2] = [
    "broker.rack=RACK{id}",
    "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector",
];
/// Logins, and topics with three replicas.
const LOGIN: [&str; 2] = ["0135", "0142"];
/// Certificates of both sides.
const TLS: [&str; 1] = ["0097"];

/// The listener for clients that log in or show a certificate.
const LISTENER: &str = "CLIENTS";

/// What OpenSSL is asked for: two authorities, and a certificate of the first for brokers and for clients. The names of the
/// variables that tell a test where they are come from librdkafka's own script.
const STORES: &str = r#"set -e
ca() { openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign; }
issue() { openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out "$1.pem"; }
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > extensions
ca ca; ca unused
issue broker; issue client
cat broker.key broker.pem > broker.both
cat ca.pem unused.pem > all.pem
openssl x509 -in ca.pem -outform DER -out ca.der
openssl x509 -in client.pem -outform DER -out client.der
openssl rsa -in client.key -outform DER -out client-key.der
openssl pkcs8 -topk8 -in client.key -out client-key.pem -passout env:STORES
openssl pkcs12 -export -in client.pem -inkey client.key -certfile ca.pem -name client -passout env:STORES -out client.p12
"#;

/// What a cluster has beyond one broker that takes everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    One,
    Three,
    /// Three nodes on which clients log in, and again every ten seconds.
    Login,
    /// Three nodes that ask clients for a certificate.
    Tls,
}

impl Ground {
    pub fn of(number: &str, client_only: bool) -> Self {
        let has = |numbers: &[&str]| !client_only && numbers.contains(&number);
        if has(&REPLICATED) {
            Self::Three
        } else if has(&LOGIN) {
            Self::Login
        } else if has(&TLS) {
            Self::Tls
        } else {
            Self::One
        }
    }

    /// As a row of the ledger says it.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::One => None,
            Self::Three => Some("three nodes"),
            Self::Login => Some("three nodes with SASL"),
            Self::Tls => Some("three nodes with TLS"),
        }
    }
}

/// A cluster that runs.
pub struct Stand {
    pub broker: Box<dyn Broker>,
    pub told: Told,
}

/// What tests must know of their cluster.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub bootstrap: String,
    /// For the scripts that tests call, which log in nowhere.
    pub plain_bootstrap: String,
    /// Lines for `test.conf`.
    pub conf: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
}

impl Stand {
    pub fn start(ground: Ground, against: Against, overrides: Vec<String>, dir: &Path) -> Outcome<Self> {
        if ground == Ground::One {
            let broker = broker::start(against, &BrokerOptions { overrides, ..BrokerOptions::default() })?;
            let bootstrap = broker.bootstrap().to_owned();
            let told = Told { plain_bootstrap: bootstrap.clone(), bootstrap, ..Told::default() };
            return Ok(Self { broker, told });
        }
        let mut layout = Layout::replicated(NODES, overrides);
        layout.overrides.extend(RACKS.map(str::to_owned));
        let mut told = Told::default();
        match ground {
            Ground::One | Ground::Three => {}
            Ground::Login => {
                layout.listener = Some((LISTENER, "SASL_PLAINTEXT"));
                layout.overrides.extend(lines_with_login());
                told.conf = conf_with_login();
            }
            Ground::Tls => {
                let stores = make_stores(dir)?;
                layout.listener = Some((LISTENER, "SSL"));
                layout.overrides.extend(lines_with_tls(&stores));
                told.conf = conf_with_tls(&stores);
                told.environment = environment_with_tls(&stores);
            }
        }
        let cluster = Several::start(against, &layout)?;
        told.plain_bootstrap = cluster.bootstraps();
        told.bootstrap = match layout.listener {
            Some(_) => cluster.listener_addresses().join(","),
            None => told.plain_bootstrap.clone(),
        };
        Ok(Self { broker: Box::new(cluster), told })
    }
}

fn lines_with_login() -> [String; 3] {
    [
        "sasl.enabled.mechanisms=PLAIN".to_owned(),
        "connections.max.reauth.ms=10000".to_owned(),
        format!(
            "listener.name.clients.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
             required user_{USER}=\"{PASSWORD}\";"
        ),
    ]
}

fn conf_with_login() -> Vec<String> {
    vec![
        "security.protocol=SASL_PLAINTEXT".to_owned(),
        "sasl.mechanisms=PLAIN".to_owned(),
        format!("sasl.username={USER}"),
        format!("sasl.password={PASSWORD}"),
        // The name of the listeners' host stands for two addresses, of which brokers listen on one.
        "broker.address.family=v4".to_owned(),
    ]
}

fn make_stores(dir: &Path) -> Outcome<PathBuf> {
    require("openssl", "OpenSSL 3 (apt: openssl)")?;
    let stores = dir.join("stores");
    fs::create_dir_all(&stores).while_doing(|| format!("creating {}", stores.display()))?;
    let mut command = Command::new("bash");
    command.args(["-c", STORES]).env("STORES", PASSWORD).current_dir(&stores);
    run("openssl", &mut command, &dir.join("stores.log"), MAKING_LIMIT)?;
    Ok(stores)
}

fn lines_with_tls(stores: &Path) -> Vec<String> {
    let file = |name: &str| stores.join(name).display().to_string();
    [
        ("client.auth", "required".to_owned()),
        ("keystore.type", "PEM".to_owned()),
        ("keystore.location", file("broker.both")),
        ("truststore.type", "PEM".to_owned()),
        ("truststore.location", file("ca.pem")),
    ]
    .map(|(key, value)| format!("listener.name.clients.ssl.{key}={value}"))
    .to_vec()
}

fn conf_with_tls(stores: &Path) -> Vec<String> {
    let file = |name: &str| stores.join(name).display().to_string();
    vec![
        "security.protocol=SSL".to_owned(),
        format!("ssl.ca.location={}", file("ca.pem")),
        format!("ssl.certificate.location={}", file("client.pem")),
        format!("ssl.key.location={}", file("client-key.pem")),
        format!("ssl.key.password={PASSWORD}"),
        "broker.address.family=v4".to_owned(),
    ]
}

fn environment_with_tls(stores: &Path) -> Vec<(&'static str, String)> {
    let files = [
        ("SSL_pkcs", "client.p12"),
        ("SSL_pub_pem", "client.pem"),
        ("SSL_pub_der", "client.der"),
        ("SSL_priv_pem", "client-key.pem"),
        ("SSL_priv_der", "client-key.der"),
        ("SSL_ca_pem", "ca.pem"),
        ("SSL_ca_der", "ca.der"),
        ("SSL_unused_ca_pem", "unused.pem"),
        ("SSL_all_cas_pem", "all.pem"),
    ];
    let files = files.map(|(name, file)| (name, stores.join(file).display().to_string()));
    let words = [("SSL_password", PASSWORD), ("SSL_client_auth", "required")];
    files.into_iter().chain(words.map(|(name, word)| (name, word.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::Ground;

    #[test]
    fn a_test_that_stays_in_the_client_asks_for_nothing() {
        assert_eq!(Ground::of("0097", false), Ground::Tls);
        assert_eq!(Ground::of("0097", true), Ground::One);
        assert_eq!(Ground::of("0103", false), Ground::Three);
        assert_eq!(Ground::of("0142", false), Ground::Login);
        assert_eq!(Ground::of("0005", false), Ground::One);
    }
}
