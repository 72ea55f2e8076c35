//! A cluster whose nodes speak SASL_SSL among themselves, and nodes that must not get into it.
//! Shell: child processes, files.
//!
//! Each node has a listener with TLS and logins for the others, brokers and controllers, and one without for the clients
//! of the test. An authorizer gives ClusterAction to the nodes alone, as super users.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::broker::ottla_binary;
use crate::cluster::nodes::Nodes;
use crate::failure::{Outcome, fail};
use crate::places::ScratchDir;
use crate::process::run;

const PASSWORD: &str = "node-secret";
const STORES: &str = "changeit";
const LIMIT: Duration = Duration::from_secs(30);
/// What a node that is not let in says of it, if it is configured wrongly.
const REFUSED: &str = "a node does not let this one in";
const SILENT: &str = "takes no frame of this one";

/// The stores of the nodes. They vanish with this value.
pub struct Secured {
    scratch: ScratchDir,
}

impl Secured {
    pub fn make() -> Outcome<Self> {
        let scratch = ScratchDir::new("secured")?;
        let mut command = Command::new(ottla_binary()?);
        command.arg("tls-dev").arg(scratch.path().join("stores"));
        run("tls-dev", &mut command, &scratch.path().join("tls-dev.log"), LIMIT)?;
        Ok(Self { scratch })
    }

    fn store(&self, name: &str) -> PathBuf {
        self.scratch.path().join("stores").join(name)
    }

    /// What the configuration of each node says beyond its addresses.
    pub fn overrides(&self) -> Vec<String> {
        let mut lines = lines_of(&self.store("server.p12"), &self.store("trust.p12"));
        lines.extend(logins(PASSWORD));
        lines
    }

    /// Nodes in the place of node 3, which has stopped: with a wrong password, and with nothing of it all.
    pub fn check_strangers(&self, nodes: &Nodes) -> Outcome<()> {
        let mut wrong = lines_of(&self.store("server.p12"), &self.store("trust.p12"));
        wrong.extend(logins("a wrong one"));
        stranger(nodes, &wrong, "with a wrong password", &[REFUSED, "Invalid username or password"])?;
        let mut plain = self.overrides();
        plain.push(map("PLAINTEXT"));
        stranger(nodes, &plain, "without TLS and login", &[SILENT])
    }
}

fn stranger(nodes: &Nodes, overrides: &[String], what: &str, words: &[&str]) -> Outcome<()> {
    match nodes.stand_in(3, overrides) {
        Ok(_joined) => fail(format!("a node {what} became a part of the cluster")),
        Err(failure) => match words.iter().find(|word| !failure.0.contains(**word)) {
            None => Ok(()),
            Some(word) => fail(format!("a node {what} does not say `{word}`: {failure}")),
        },
    }
}

fn map(protocol: &str) -> String {
    format!("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INSIDE:{protocol},CONTROLLER:{protocol}")
}

fn lines_of(keys: &Path, trust: &Path) -> Vec<String> {
    vec![
        map("SASL_SSL"),
        "inter.broker.listener.name=INSIDE".to_owned(),
        "sasl.enabled.mechanisms=PLAIN".to_owned(),
        "sasl.mechanism.inter.broker.protocol=PLAIN".to_owned(),
        "sasl.mechanism.controller.protocol=PLAIN".to_owned(),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
        "super.users=User:node;User:ANONYMOUS".to_owned(),
        "ssl.keystore.type=PKCS12".to_owned(),
        format!("ssl.keystore.location={}", keys.display()),
        format!("ssl.keystore.password={STORES}"),
        "ssl.truststore.type=PKCS12".to_owned(),
        format!("ssl.truststore.location={}", trust.display()),
        format!("ssl.truststore.password={STORES}"),
    ]
}

fn logins(password: &str) -> impl Iterator<Item = String> {
    ["inside", "controller"].map(move |listener| {
        format!(
            "listener.name.{listener}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
             required username=\"node\" password=\"{password}\" user_node=\"{password}\";"
        )
    })
    .into_iter()
}
