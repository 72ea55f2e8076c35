//! TLS with stores that OpenSSL and keytool made: openssl, Kafka's command lines and librdkafka against a broker of its own.
//! Shell: child processes, files and sockets.
//!
//! The broker has three listeners: PLAINTEXT for what prepares, MUTUAL (JKS, clients must show a certificate) and
//! PEM (a PEM file, clients need none). An authorizer lets the client's certificate do everything and no other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::failure::{Outcome, While, fail};
use crate::ports::free_ports;
use crate::process::{capture, require};
use crate::reference::java;
use crate::steps::{Setting, Steps};
use crate::wire::Connection;

const LIMIT: Duration = Duration::from_secs(60);
const HEAP_MIB: u32 = 256;
const LINE_COUNT: usize = 200;
const PASSWORD: &str = "changeit";
const AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
const CONSOLE_PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const CONFIGS: &str = "kafka.admin.ConfigCommand";

/// What OpenSSL and keytool are asked for, one command a line. The password is the environment's.
const STORES: &str = r#"set -e
ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
  -keyout "$1.key" -out "$1.pem" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign; }
issue() { openssl req -newkey "$3" -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA "$4.pem" -CAkey "$4.key" -days 30 -extfile extensions -out "$1.pem"
  cat "$1.pem" "$4.pem" > "$1.chain"
  openssl pkcs12 -export -in "$1.chain" -inkey "$1.key" -name "$1" -passout env:STORES -out "$1.p12"; }
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > extensions
ca authority; ca stranger
issue broker /O=Ottla/CN=broker rsa:2048 authority
issue broker2 /O=Ottla/CN=broker rsa:2048 authority
issue client "/O=Ottla/OU=compat/CN=Client One" rsa:2048 authority
issue nobody /O=Ottla/CN=nobody rsa:2048 authority
issue mallory "/O=Ottla/OU=compat/CN=Client One" rsa:2048 stranger
cat broker.key broker.chain > broker.both
for name in broker broker2 client; do
  keytool -importkeystore -noprompt -srckeystore $name.p12 -srcstoretype PKCS12 -srcstorepass:env STORES \
    -destkeystore $name.jks -deststoretype JKS -deststorepass:env STORES; done
keytool -importcert -noprompt -alias ca -file authority.pem -keystore trust.jks -storetype JKS -storepass:env STORES
keytool -importcert -noprompt -alias ca -file authority.pem -keystore trust.p12 -storetype PKCS12 -storepass:env STORES
"#;

struct Tls<'a> {
    setting: &'a Setting,
    broker: Box<dyn Broker>,
    mutual: String,
    pem: String,
    topic: String,
    serial: u32,
}

pub fn play(setting: &Setting, steps: &mut Steps) -> Outcome<()> {
    let dir = setting.work_dir.clone();
    steps.step("stores", || make_stores(&dir))?;
    let mut tls = steps.step("start", || Tls::start(setting))?;
    for version in ["-tls1_2", "-tls1_3"] {
        steps.step(&format!("openssl{version}"), || tls.openssl(version))?;
    }
    steps.step("resumption", || tls.resumption())?;
    steps.step("java-jks", || tls.java("JKS", "jks"))?;
    steps.step("java-pkcs12", || tls.java("PKCS12", "p12"))?;
    steps.step("librdkafka", || tls.librdkafka())?;
    steps.step("principal", || tls.principal())?;
    steps.step("refusals", || tls.refusals())?;
    steps.step("reload", || tls.reload())?;
    steps.step("stop", || tls.broker.stop())
}

fn make_stores(dir: &Path) -> Outcome<()> {
    require("openssl", "OpenSSL 3 (apt: openssl)")?;
    require("keytool", "Java 17 (apt: openjdk-17-jdk-headless)")?;
    let mut command = Command::new("bash");
    command.args(["-c", STORES]).env("STORES", PASSWORD).current_dir(dir);
    capture("stores", &mut command, None, dir, LIMIT).map(drop)
}

impl<'a> Tls<'a> {
    fn start(setting: &'a Setting) -> Outcome<Tls<'a>> {
        let against = if setting.changes_at_once { Against::Ottla } else { Against::Kafka };
        let [plain, mutual, pem, controller] = free_ports()?;
        let listeners =
            format!("PLAINTEXT://127.0.0.1:{plain},MUTUAL://127.0.0.1:{mutual},PEM://127.0.0.1:{pem}");
        let file = |name: &str| setting.work_dir.join(name).display().to_string();
        let pairs = [
            ("listeners", format!("{listeners},CONTROLLER://127.0.0.1:{controller}")),
            ("advertised.listeners", listeners),
            ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,MUTUAL:SSL,PEM:SSL".to_owned(),
            ),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("node.id", "1".to_owned()),
            ("offsets.topic.replication.factor", "1".to_owned()),
            ("authorizer.class.name", AUTHORIZER.to_owned()),
            ("super.users", "User:ANONYMOUS;User:client one@compat".to_owned()),
            ("ssl.principal.mapping.rules", "RULE:^CN=(.*?),OU=(.*?),.*$/$1@$2/L,DEFAULT".to_owned()),
            ("ssl.truststore.location", file("trust.p12")),
            ("ssl.truststore.type", "PKCS12".to_owned()),
            ("ssl.truststore.password", PASSWORD.to_owned()),
            ("listener.name.mutual.ssl.client.auth", "required".to_owned()),
            ("listener.name.mutual.ssl.keystore.location", file("broker.jks")),
            ("listener.name.mutual.ssl.keystore.password", PASSWORD.to_owned()),
            ("listener.name.pem.ssl.keystore.type", "PEM".to_owned()),
            ("listener.name.pem.ssl.keystore.location", file("broker.both")),
        ];
        let overrides = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let options = BrokerOptions { overrides, port: Some(plain), ..BrokerOptions::default() };
        let broker = broker::start(against, &options)?;
        let topic = format!("{}-topic", setting.namespace);
        Connection::open(&format!("127.0.0.1:{plain}"), LIMIT)?.create_topic(&topic, 1, &[])?;
        let address = |port: u16| format!("localhost:{port}");
        Ok(Tls { setting, broker, mutual: address(mutual), pem: address(pem), topic, serial: 0 })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.setting.work_dir.join(name)
    }

    fn capture(&mut self, name: &str, command: &mut Command, input: Option<&Path>) -> Outcome<String> {
        self.serial += 1;
        let name = format!("{:02}-{name}", self.serial);
        let printed = capture(&name, command, input, &self.setting.work_dir, LIMIT)?;
        Ok(format!("{}{}", printed.output, printed.errors))
    }

    fn s_client(&mut self, address: &str, arguments: &[&str]) -> Outcome<String> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", address, "-verify_return_error", "-CAfile", "authority.pem"]);
        command.args(["-verify_hostname", "localhost"]).args(arguments).current_dir(&self.setting.work_dir);
        self.capture("s_client", &mut command, None)
    }

    fn openssl(&mut self, version: &str) -> Outcome<()> {
        let pem = self.pem.clone();
        let said = self.s_client(&pem, &[version, "-showcerts"])?;
        expect(&said, &["Verify return code: 0 (ok)", "CN = authority"])?;
        let mutual = self.mutual.clone();
        let said = self.s_client(&mutual, &[version, "-cert", "client.pem", "-key", "client.key"])?;
        expect(&said, &["Verify return code: 0 (ok)", "Acceptable client certificate CA names"])
    }

    fn resumption(&mut self) -> Outcome<()> {
        let pem = self.pem.clone();
        self.s_client(&pem, &["-tls1_2", "-sess_out", "session"])?;
        let said = self.s_client(&pem, &["-tls1_2", "-sess_in", "session"])?;
        expect(&said, &["Reused, TLSv1.2"])
    }

    /// A configuration of a Java client.
    fn client_config(&self, name: &str, keys: &[(&str, &str)], trust: (&str, &str)) -> Outcome<PathBuf> {
        let trust_file = self.file(trust.1).display().to_string();
        let common = [
            ("security.protocol", "SSL"),
            ("ssl.truststore.type", trust.0),
            ("ssl.truststore.location", trust_file.as_str()),
            ("ssl.truststore.password", PASSWORD),
            ("request.timeout.ms", "15000"),
            ("delivery.timeout.ms", "20000"),
            ("max.block.ms", "20000"),
        ];
        let lines: Vec<String> =
            common.iter().chain(keys).map(|(key, value)| format!("{key}={value}\n")).collect();
        let path = self.file(name);
        fs::write(&path, lines.concat()).while_doing(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    fn lines(&self, head: &str, count: usize) -> Outcome<PathBuf> {
        let lines: Vec<String> = (0..count).map(|number| format!("{head} {number}\n")).collect();
        let path = self.file(&format!("{head}.lines"));
        fs::write(&path, lines.concat())?;
        Ok(path)
    }

    /// Runs a class of Kafka's tools against a listener with a client's configuration.
    fn tool(
        &mut self,
        class: &str,
        address: &str,
        config: &Path,
        arguments: &[&str],
        input: Option<&Path>,
    ) -> Outcome<String> {
        let mut command = java(HEAP_MIB)?;
        command.arg(class).args(["--bootstrap-server", address, "--command-config"]).arg(config);
        command.args(arguments);
        self.capture(class.rsplit('.').next().unwrap_or(class), &mut command, input)
    }

    fn java(&mut self, kind: &str, suffix: &str) -> Outcome<()> {
        let store = self.file(&format!("client.{suffix}")).display().to_string();
        let keys = [
            ("ssl.keystore.type", kind),
            ("ssl.keystore.location", store.as_str()),
            ("ssl.keystore.password", PASSWORD),
        ];
        let trust = format!("trust.{suffix}");
        let config = self.client_config(&format!("client-{suffix}.properties"), &keys, (kind, &trust))?;
        let (mutual, topic, lines) = (self.mutual.clone(), self.topic.clone(), self.lines(kind, LINE_COUNT)?);
        let said = self.tool(CONSOLE_PRODUCER, &mutual, &config, &["--topic", &topic], Some(&lines))?;
        not(&said, &["ERROR", "Exception"])?;
        let count = if kind == "JKS" { LINE_COUNT } else { 2 * LINE_COUNT }.to_string();
        let from_start = ["--topic", &topic, "--from-beginning", "--max-messages", &count];
        let said = self.tool(CONSOLE_CONSUMER, &mutual, &config, &from_start, None)?;
        let last = format!("{kind} {}\n", LINE_COUNT - 1);
        expect(&said, &[&format!("{kind} 0\n"), &last])
    }

    fn librdkafka(&mut self) -> Outcome<()> {
        let (mutual, topic) = (self.mutual.clone(), format!("{}-kcat", self.setting.namespace));
        let lines = self.lines("kcat", LINE_COUNT)?;
        let dir = self.setting.work_dir.clone();
        let kcat = |arguments: &[&str]| {
            let mut command = Command::new("kcat");
            command.current_dir(&dir).args(["-b", &mutual, "-X", "security.protocol=ssl"]);
            command.args([
                "-X",
                "ssl.ca.location=authority.pem",
                "-X",
                "ssl.certificate.location=client.chain",
            ]);
            command.args(["-X", "ssl.key.location=client.key"]);
            command.args(["-X", "ssl.endpoint.identification.algorithm=https"]).args(arguments);
            command
        };
        self.capture("kcat-P", &mut kcat(&["-P", "-t", &topic]), Some(&lines))?;
        let said =
            self.capture("kcat-C", &mut kcat(&["-C", "-t", &topic, "-o", "beginning", "-e", "-q"]), None)?;
        let expected = fs::read_to_string(&lines)?;
        if said == expected {
            return Ok(());
        }
        fail(format!("{} bytes were produced, {} came", expected.len(), said.len()))
    }

    /// Another certificate of the authority gets in, and may do nothing.
    fn principal(&mut self) -> Outcome<()> {
        let store = self.file("nobody.p12").display().to_string();
        let keys = [
            ("ssl.keystore.type", "PKCS12"),
            ("ssl.keystore.location", store.as_str()),
            ("ssl.keystore.password", PASSWORD),
        ];
        let config = self.client_config("nobody.properties", &keys, ("JKS", "trust.jks"))?;
        let (mutual, topic, lines) = (self.mutual.clone(), self.topic.clone(), self.lines("nobody", 1)?);
        let said = self.tool(CONSOLE_PRODUCER, &mutual, &config, &["--topic", &topic], Some(&lines))?;
        expect(&said, &["TopicAuthorizationException"])
    }

    /// No certificate, and one of an authority that is not trusted.
    fn refusals(&mut self) -> Outcome<()> {
        let none = self.client_config("none.properties", &[], ("JKS", "trust.jks"))?;
        let (mutual, topic) = (self.mutual.clone(), self.topic.clone());
        let lines = self.lines("none", 1)?;
        let said = self.tool(CONSOLE_PRODUCER, &mutual, &none, &["--topic", &topic], Some(&lines))?;
        expect(&said, &["SslAuthenticationException"])?;
        let mut command = Command::new("kcat");
        command.current_dir(&self.setting.work_dir).args(["-b", &mutual, "-L", "-m", "5"]);
        command.args(["-X", "security.protocol=ssl", "-X", "ssl.ca.location=authority.pem"]);
        command.args(["-X", "ssl.certificate.location=mallory.chain", "-X", "ssl.key.location=mallory.key"]);
        match self.capture("kcat-mallory", &mut command, None) {
            Ok(said) => fail(format!("a certificate of a stranger got in:\n{said}")),
            Err(_refused) => Ok(()),
        }
    }

    /// A new certificate by a change of the configuration: who comes then gets it.
    fn reload(&mut self) -> Outcome<()> {
        let serial = |said: &str| said.split("BEGIN CERTIFICATE").nth(1).map(|text| text[..100].to_owned());
        let mutual = self.mutual.clone();
        let shown = ["-cert", "client.pem", "-key", "client.key"];
        let before = serial(&self.s_client(&mutual, &shown)?);
        let config = self.file("client-jks.properties");
        let store = self.file("broker2.jks").display().to_string();
        let change = format!("listener.name.mutual.ssl.keystore.location={store}");
        let entity = ["--entity-type", "brokers", "--entity-name", "1", "--alter", "--add-config"];
        self.tool(CONFIGS, &mutual, &config, &[&entity[..], &[change.as_str()]].concat(), None)?;
        let begin = std::time::Instant::now();
        while serial(&self.s_client(&mutual, &shown)?) == before {
            if begin.elapsed() > Duration::from_secs(10) {
                return fail("the new certificate is not shown");
            }
        }
        let wrong = format!("listener.name.mutual.ssl.keystore.location={store}.missing");
        match self.tool(CONFIGS, &mutual, &config, &[&entity[..], &[wrong.as_str()]].concat(), None) {
            Ok(said) => expect(&said, &["InvalidRequestException"]),
            Err(refused) => expect(&refused.0, &["Invalid"]),
        }?;
        self.s_client(&mutual, &shown).map(drop)
    }
}

fn expect(text: &str, parts: &[&str]) -> Outcome<()> {
    match parts.iter().find(|part| !text.contains(**part)) {
        Some(part) => fail(format!("`{part}` is not in\n{text}")),
        None => Ok(()),
    }
}

fn not(text: &str, parts: &[&str]) -> Outcome<()> {
    match parts.iter().find(|part| text.contains(**part)) {
        Some(part) => fail(format!("`{part}` is in\n{text}")),
        None => Ok(()),
    }
}
