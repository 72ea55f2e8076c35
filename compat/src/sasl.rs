//! Unmodified clients that log in: each on a listener with SASL, by each mechanism that it has, right and wrong.
//! Shell: a broker, clients and Apache Kafka's command lines as child processes.
//!
//! The broker has two listeners for clients: one with logins, and one with TLS beneath them. An authorizer is there:
//! alice is a super user, sam has what she gives him, and `first` is there from the first start and has nothing.
#![allow(clippy::print_stdout, reason = "the table is this program's answer to a person")]

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::broker::{self, Against, BrokerOptions, ottla_binary};
use crate::clients::{CLIENTS, ClientRow};
use crate::failure::{Failure, Outcome, fail};
use crate::places::{ScratchDir, compat_dir};
use crate::ports::free_ports;
use crate::process::{capture, run as run_to_end};
use crate::reference::java;
use crate::runner::{Row, print_table};
use crate::sasl_tokens::Told;
use crate::steps::{Amounts, Setting, Steps};

pub const NAME: &str = "sasl";
const PARALLEL_COUNT: usize = 4;
const TOOL_LIMIT: Duration = Duration::from_secs(60);
const TOOL_HEAP_MIB: u32 = 128;

const PLAIN: &str = "PLAIN";
const SCRAM_256: &str = "SCRAM-SHA-256";
const SCRAM_512: &str = "SCRAM-SHA-512";

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const TOKENS: &str = "org.apache.kafka.tools.DelegationTokenCommand";
const ACLS: &str = "org.apache.kafka.tools.AclCommand";

/// The user of PLAIN, a super user, who makes the one of SCRAM.
const PLAIN_LOGIN: Login = Login { mechanism: PLAIN, name: "alice", password: "alice-secret" };
const SCRAM_NAME: &str = "sam";
const SCRAM_PASSWORD: &str = "sam-secret";
/// Made with the cluster (`--add-scram`).
const FIRST: Login = Login { mechanism: SCRAM_512, name: "first", password: "first-secret" };
/// The password of the stores, which protects nothing.
const STORES: &str = "changeit";

/// Who logs in, and how.
#[derive(Debug, Clone, Copy)]
pub struct Login {
    pub mechanism: &'static str,
    pub name: &'static str,
    pub password: &'static str,
}

/// Which clients log in by which mechanisms, and by which over TLS. sarama has SCRAM only with a library beside it,
/// librdkafka's crate only with OpenSSL; kafka-clients 2.1.1 reads no authority from PEM.
type Pairs = (&'static str, &'static [&'static str], &'static [&'static str]);
const PAIRS: &[Pairs] = &[
    ("java-4.3.1", &[PLAIN, SCRAM_256, SCRAM_512], &[SCRAM_512]),
    ("java-2.1.1", &[SCRAM_512], &[]),
    ("rdkafka", &[PLAIN], &[]),
    ("confluent-kafka", &[PLAIN, SCRAM_256, SCRAM_512], &[SCRAM_256]),
    ("kafka-python", &[PLAIN, SCRAM_256, SCRAM_512], &[PLAIN]),
    ("aiokafka", &[SCRAM_256], &[SCRAM_512]),
    ("franz-go", &[PLAIN, SCRAM_256, SCRAM_512], &[SCRAM_256]),
    ("sarama", &[PLAIN], &[PLAIN]),
    ("kafkajs", &[PLAIN, SCRAM_256, SCRAM_512], &[SCRAM_512]),
];

/// Those of a short run: each mechanism once, Java and librdkafka, and one over TLS.
const SHORT: &[(&str, &str, bool)] =
    &[("java-4.3.1", SCRAM_512, true), ("confluent-kafka", SCRAM_256, false), ("franz-go", PLAIN, false)];

/// One client that logs in.
#[derive(Debug, Clone, Copy)]
struct Pair {
    client: ClientRow,
    mechanism: &'static str,
    has_tls: bool,
}

const COMMON: [&str; 10] = [
    "delegation.token.secret.key=cluster-secret",
    "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,SCRAM-SHA-256",
    "controller.listener.names=CONTROLLER",
    "node.id=1",
    "offsets.topic.replication.factor=1",
    "group.consumer.min.session.timeout.ms=6000",
    "group.consumer.session.timeout.ms=6000",
    // Clients log in again while they play: KafkaJS ten seconds before the end, the others later.
    "connections.max.reauth.ms=12000",
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    // The node itself comes as nobody through its own controller's listener.
    "super.users=User:alice;User:ANONYMOUS",
];

/// What the clients reach.
struct Stage {
    common: Setting,
    /// The listener with TLS, and who signed its certificate.
    tls_bootstrap: String,
    authority: PathBuf,
}

/// Plays all pairs, or those of the clients that are named; true when nothing failed.
pub fn run(against: Against, names: &[String]) -> Outcome<bool> {
    play_pairs(against, select(names)?, |tools, against, steps| tools.play(against, steps))
}

/// A few of them, as a part of `quick`.
pub fn run_briefly(against: Against) -> Outcome<bool> {
    let pairs = SHORT
        .iter()
        .map(|(name, mechanism, has_tls)| Ok(Pair { client: client(name)?, mechanism, has_tls: *has_tls }));
    play_pairs(against, pairs.collect::<Outcome<_>>()?, |tools, against, steps| {
        tools.play_briefly(against, steps)
    })
}

/// What the command lines do before the clients come.
type Play = fn(&Tools<'_>, Against, &mut Steps) -> Outcome<()>;

fn play_pairs(against: Against, pairs: VecDeque<Pair>, tools: Play) -> Outcome<bool> {
    let begin = Instant::now();
    if against == Against::Ottla {
        println!("building ottla");
        broker::build_ottla()?;
    }
    let mut work = ScratchDir::new("sasl")?;
    let [plain, tls, controller] = free_ports()?;
    let options = options(against, work.path(), [plain, tls, controller])?;
    let mut broker = broker::start(against, &options)?;
    println!("{against} serves on {} after {:.1} s", broker.bootstrap(), begin.elapsed().as_secs_f64());
    let stage = Stage {
        common: Setting {
            bootstrap: broker.bootstrap().to_owned(),
            log_dir: broker.log_dir().to_owned(),
            namespace: "sasl".to_owned(),
            work_dir: work.path().to_owned(),
            amounts: Amounts::QUICK,
            changes_at_once: against == Against::Ottla,
            replicas: 1,
        },
        tls_bootstrap: format!("localhost:{tls}"),
        authority: work.path().join("stores/ca.pem"),
    };
    let mut rows = vec![play_tools(&stage, against, tools)];
    let queue = Mutex::new(pairs);
    let finished = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL_COUNT {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(pair) = next else { return };
                    let row = play(&pair, &stage);
                    finished.lock().unwrap_or_else(PoisonError::into_inner).push(row);
                }
            });
        }
    });
    rows.extend(finished.into_inner().unwrap_or_else(PoisonError::into_inner));
    let alive = broker.is_running();
    let said = broker.last_output(10_000);
    broker.stop()?;
    let clean = print_table(&rows, begin.elapsed()) && alive;
    // Whatever was logged, no password was.
    let secrets = [PLAIN_LOGIN.password, SCRAM_PASSWORD, FIRST.password, "cluster-secret"];
    let told = secrets.iter().any(|secret| said.contains(secret));
    if told && against == Against::Ottla {
        println!("a password is in the broker's log:\n{said}");
    }
    if !clean {
        work.keep();
        println!("what the clients logged is in {}", work.path().display());
    }
    Ok(clean && !told)
}

/// The stores are made by `ottla tls-dev`, for Apache Kafka too.
fn options(against: Against, dir: &Path, [plain, tls, controller]: [u16; 3]) -> Outcome<BrokerOptions> {
    let stores = dir.join("stores");
    let mut command = Command::new(ottla_binary()?);
    command.arg("tls-dev").arg(&stores);
    run_to_end("tls-dev", &mut command, &dir.join("tls-dev.log"), TOOL_LIMIT)?;
    let listeners = format!("PLAINTEXT://127.0.0.1:{plain},SECURE://localhost:{tls}");
    let mut overrides = vec![
        format!("listeners={listeners},CONTROLLER://127.0.0.1:{controller}"),
        format!("advertised.listeners={listeners}"),
        "listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT"
            .to_owned(),
        format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        format!("ssl.keystore.location={}", stores.join("server.p12").display()),
        "ssl.keystore.type=PKCS12".to_owned(),
        format!("ssl.keystore.password={STORES}"),
    ];
    for listener in ["plaintext", "secure"] {
        let module = |mechanism: &str, module: &str, options: &str| {
            format!(
                "listener.name.{listener}.{mechanism}.sasl.jaas.config=org.apache.kafka.common.security.{module} \
                 required{options};"
            )
        };
        let users = " username=\"alice\" password=\"alice-secret\" user_alice=\"alice-secret\"";
        overrides.push(module("plain", "plain.PlainLoginModule", users));
        overrides.push(module("scram-sha-256", "scram.ScramLoginModule", ""));
        overrides.push(module("scram-sha-512", "scram.ScramLoginModule", ""));
    }
    if against == Against::Kafka {
        overrides.push("inter.broker.listener.name=PLAINTEXT".to_owned());
        overrides.push("sasl.mechanism.inter.broker.protocol=PLAIN".to_owned());
    }
    overrides.extend(COMMON.iter().map(|line| (*line).to_owned()));
    let first = format!("{}=[name={},password=\"{}\"]", FIRST.mechanism, FIRST.name, FIRST.password);
    let environment = vec![("OTTLA_ADD_SCRAM".to_owned(), first)];
    Ok(BrokerOptions { overrides, environment, port: Some(plain), ..BrokerOptions::default() })
}

fn client(name: &str) -> Outcome<ClientRow> {
    match CLIENTS.iter().find(|client| client.name == name) {
        Some(client) => Ok(*client),
        None => fail(format!("no client is called {name}")),
    }
}

fn select(names: &[String]) -> Outcome<VecDeque<Pair>> {
    let mut pairs = VecDeque::new();
    for (name, mechanisms, over_tls) in PAIRS {
        let client = client(name)?;
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            let pair = |has_tls| move |mechanism: &&'static str| Pair { client, mechanism, has_tls };
            pairs.extend(mechanisms.iter().map(pair(false)));
            pairs.extend(over_tls.iter().map(pair(true)));
        }
    }
    Ok(pairs)
}

fn login(mechanism: &'static str) -> Login {
    match mechanism {
        PLAIN => PLAIN_LOGIN,
        mechanism => Login { mechanism, name: SCRAM_NAME, password: SCRAM_PASSWORD },
    }
}

fn play(pair: &Pair, stage: &Stage) -> Row {
    let Pair { client, mechanism, has_tls } = *pair;
    let mut steps = Steps::default();
    let begin = Instant::now();
    let name = client.name;
    let say = |what: &str| println!("{name}: {what}");
    let what = if has_tls { format!("{mechanism} over TLS") } else { mechanism.to_owned() };
    let prepared = steps.step(&what, || client.prepare(&say));
    let prepared_in = begin.elapsed();
    let begin = Instant::now();
    if let Ok(prepared) = prepared {
        let protocol = if has_tls { "tls" } else { "plain" };
        let namespace = format!("sasl-{name}-{}-{protocol}", mechanism.to_lowercase());
        let work_dir = stage.common.work_dir.join(&namespace);
        let made = steps.step("folder", || Ok(fs::create_dir_all(&work_dir)?));
        let bootstrap = if has_tls { &stage.tls_bootstrap } else { &stage.common.bootstrap };
        let setting = Setting { namespace, work_dir, bootstrap: bootstrap.clone(), ..stage.common.clone() };
        let prepared = prepared.with_login(login(mechanism), has_tls.then_some(stage.authority.as_path()));
        // A failure is in the steps.
        let _played = made.and_then(|()| prepared.play_briefly(&setting, &mut steps));
    }
    Row { name, prepared_in, played_in: begin.elapsed(), steps }
}

/// The command lines: they make the user of SCRAM, give him what he needs, and are told why they are refused.
fn play_tools(stage: &Stage, against: Against, play: Play) -> Row {
    let mut steps = Steps::default();
    let begin = Instant::now();
    // A failure is in the steps.
    let _played = play(&Tools { stage }, against, &mut steps);
    Row { name: "kafka-tools", prepared_in: Duration::ZERO, played_in: begin.elapsed(), steps }
}

struct Tools<'a> {
    stage: &'a Stage,
}

impl Tools<'_> {
    /// A user who is made, gets what he needs over TLS, and is told of a wrong password.
    fn play_briefly(&self, _against: Against, steps: &mut Steps) -> Outcome<()> {
        for (name, mechanism) in [("add-256", SCRAM_256), ("add-512", SCRAM_512)] {
            let credential = format!("{mechanism}=[password={SCRAM_PASSWORD}]");
            steps.step(name, || self.add_user(name, SCRAM_NAME, &credential))?;
        }
        steps.step("super-user", || self.grant())?;
        self.wrong_password(steps)
    }

    fn play(&self, against: Against, steps: &mut Steps) -> Outcome<()> {
        // Not both in one request, in which a user is named once.
        for (name, mechanism, iterations) in
            [("add-256", SCRAM_256, ""), ("add-512", SCRAM_512, "iterations=8192,")]
        {
            let credential = format!("{mechanism}=[{iterations}password={SCRAM_PASSWORD}]");
            steps.step(name, || self.add_user(name, SCRAM_NAME, &credential))?;
        }
        if against == Against::Kafka {
            let credential = format!("{SCRAM_512}=[password={}]", FIRST.password);
            steps.step("add-first", || self.add_user("add-first", FIRST.name, &credential))?;
        }
        steps.step("first-user", || {
            let printed = self.tool("first", TOPICS, FIRST, false, &["--list"], None)?;
            if printed.trim().is_empty() { Ok(()) } else { fail(format!("he sees {printed}")) }
        })?;
        let create = ["--create", "--topic", "sasl-tools"];
        steps.step("no-rights", || {
            self.refused("no-rights", FIRST, &create, "TopicAuthorizationException")?;
            self.refused("no-rights-yet", login(SCRAM_256), &create, "TopicAuthorizationException")
        })?;
        steps.step("super-user", || self.grant())?;
        steps.step("create", || {
            self.tool("topics", TOPICS, login(SCRAM_256), true, &create, None).map(drop)
        })?;
        steps.step("console", || self.console())?;
        steps.step("token", || self.token())?;
        let wrong = Login { password: "wrong", ..PLAIN_LOGIN };
        let words = "Invalid username or password";
        steps.step("wrong-plain", || self.refused("wrong-plain", wrong, &["--list"], words))?;
        self.wrong_password(steps)
    }

    /// What the super user gives to sam.
    fn grant(&self) -> Outcome<()> {
        let sam = format!("User:{SCRAM_NAME}");
        let may = ["--add", "--force", "--allow-principal", sam.as_str(), "--operation", "All"];
        let on = ["--topic", "*", "--group", "*", "--cluster", "--transactional-id", "*"];
        self.tool("acls", ACLS, PLAIN_LOGIN, true, &[&may[..], &on[..]].concat(), None).map(drop)
    }

    fn wrong_password(&self, steps: &mut Steps) -> Outcome<()> {
        let wrong = Login { password: "wrong", ..login(SCRAM_512) };
        let words = "invalid credentials with SASL mechanism SCRAM-SHA-512";
        steps.step("wrong-scram", || self.refused("wrong-scram", wrong, &["--list"], words))
    }

    fn add_user(&self, name: &str, user: &str, credential: &str) -> Outcome<()> {
        let add = ["--alter", "--entity-type", "users", "--entity-name", user, "--add-config", credential];
        self.tool(name, CONFIGS, PLAIN_LOGIN, false, &add, None).map(drop)
    }

    fn console(&self) -> Outcome<()> {
        let lines = self.stage.common.work_dir.join("lines");
        fs::write(&lines, "one\ntwo\n")?;
        let producer = "org.apache.kafka.tools.ConsoleProducer";
        let to = ["--topic", "sasl-tools"];
        self.tool("producer", producer, login(SCRAM_512), true, &to, Some(&lines))?;
        let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
        let from = ["--topic", "sasl-tools", "--from-beginning", "--max-messages", "2"];
        let printed = self.tool("consumer", consumer, login(SCRAM_256), false, &from, None)?;
        if printed.contains("one\ntwo\n") { Ok(()) } else { fail(printed) }
    }

    /// A delegation token of sam's: made, seen by him and its renewer, used, renewed by alice, ended. What the command
    /// prints meanwhile is what it prints of Apache Kafka.
    fn token(&self) -> Outcome<()> {
        let mut told = Told::default();
        let step = |told: &mut Told, name: &str, login: Login, arguments: &[&str]| {
            let name = format!("token-{name}");
            let _refused_too = self.tool(&name, TOKENS, login, false, arguments, None);
            let (output, errors) = (self.printed(&name, "out")?, self.printed(&name, "err")?);
            told.add(&name, &output, &errors);
            Ok::<String, Failure>(output)
        };
        let sam = login(SCRAM_512);
        let make = ["--create", "--max-life-time-period", "-1", "--renewer-principal", "User:alice"];
        let made = step(&mut Told::default(), "create", sam, &make)?;
        let mut below = made.lines().skip_while(|line| !line.starts_with("TOKENID")).skip(1);
        let row = below.find(|line| !line.trim().is_empty());
        let mut words = row.into_iter().flat_map(str::split_whitespace);
        let (Some(id), Some(hmac)) = (words.next(), words.next()) else { return fail(made) };
        told.call(id, "ID");
        told.call(hmac, "HMAC");
        told.add("token-create", &made, "");
        step(&mut told, "seen", login(SCRAM_256), &["--describe"])?;
        step(&mut told, "of-owner", PLAIN_LOGIN, &["--describe", "--owner-principal", "User:sam"])?;
        step(&mut told, "unseen", FIRST, &["--describe"])?;
        self.with_token("token-login", TOPICS, id, hmac, &["--list"])?;
        let _refused = self.with_token("token-of-token", TOKENS, id, hmac, &make);
        told.add(
            "token-of-token",
            &self.printed("token-of-token", "out")?,
            &self.printed("token-of-token", "err")?,
        );
        let renew = ["--renew", "--hmac", hmac, "--renew-time-period", "-1"];
        step(&mut told, "renew", PLAIN_LOGIN, &renew)?;
        step(&mut told, "renew-stranger", FIRST, &renew)?;
        step(&mut told, "renew-nothing", sam, &["--renew", "--hmac", "AAAA", "--renew-time-period", "-1"])?;
        let for_alice = [&make[..], &["--owner-principal", "User:alice"]].concat();
        step(&mut told, "create-for-alice", FIRST, &for_alice)?;
        let end = ["--expire", "--hmac", hmac, "--expiry-time-period", "-1"];
        step(&mut told, "end-stranger", FIRST, &end)?;
        step(&mut told, "end", sam, &end)?;
        step(&mut told, "gone", sam, &["--describe"])?;
        step(&mut told, "end-again", sam, &end)?;
        match self.with_token("token-gone", TOPICS, id, hmac, &["--list"]) {
            Err(failure) if failure.0.contains("invalid credentials") => {}
            Err(failure) => return Err(failure),
            Ok(printed) => return fail(format!("a token that is gone lets in: {printed}")),
        }
        told.compare(&fs::read_to_string(compat_dir().join("tool-texts/tokens.txt"))?)
    }

    /// What a command has printed.
    fn printed(&self, name: &str, stream: &str) -> Outcome<String> {
        Ok(fs::read_to_string(self.stage.common.work_dir.join(format!("{name}.{stream}")))?)
    }

    /// A command with a token in the place of a password.
    fn with_token(
        &self,
        name: &str,
        class: &str,
        id: &str,
        hmac: &str,
        arguments: &[&str],
    ) -> Outcome<String> {
        let Setting { work_dir, bootstrap, .. } = &self.stage.common;
        let config = work_dir.join(format!("{name}.properties"));
        let text = format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism={SCRAM_256}\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{id}\" \
             password=\"{hmac}\" tokenauth=\"true\";\n"
        );
        fs::write(&config, text)?;
        let mut command = java(TOOL_HEAP_MIB)?;
        command.arg(class).args(["--bootstrap-server", bootstrap, "--command-config"]).arg(config);
        command.args(arguments);
        capture(name, &mut command, None, work_dir, TOOL_LIMIT).map(|printed| printed.output)
    }

    /// The topic command must be refused, in these words.
    fn refused(&self, name: &str, login: Login, arguments: &[&str], words: &str) -> Outcome<()> {
        match self.tool(name, TOPICS, login, false, arguments, None) {
            Ok(printed) => fail(format!("it was let in:\n{printed}")),
            Err(failure) if failure.0.contains(words) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    fn tool(
        &self,
        name: &str,
        class: &str,
        login: Login,
        has_tls: bool,
        arguments: &[&str],
        input: Option<&Path>,
    ) -> Outcome<String> {
        let Setting { work_dir, bootstrap, .. } = &self.stage.common;
        let config = self.client_config(name, login, has_tls)?;
        let bootstrap = if has_tls { &self.stage.tls_bootstrap } else { bootstrap };
        let mut command = java(TOOL_HEAP_MIB)?;
        command.arg(class).args(["--bootstrap-server", bootstrap, "--command-config"]);
        command.arg(config).args(arguments);
        capture(name, &mut command, input, work_dir, TOOL_LIMIT).map(|printed| printed.output)
    }

    fn client_config(&self, name: &str, login: Login, has_tls: bool) -> Outcome<PathBuf> {
        let Login { mechanism, name: user, password } = login;
        let module = if mechanism == PLAIN { "plain.PlainLoginModule" } else { "scram.ScramLoginModule" };
        let path = self.stage.common.work_dir.join(format!("{name}.properties"));
        let protocol = if has_tls { "SASL_SSL" } else { "SASL_PLAINTEXT" };
        let mut text = format!(
            "security.protocol={protocol}\nsasl.mechanism={mechanism}\n\
             sasl.jaas.config=org.apache.kafka.common.security.{module} required username=\"{user}\" \
             password=\"{password}\";\n"
        );
        if has_tls {
            let authority = self.stage.authority.display();
            text.push_str(&format!("ssl.truststore.type=PEM\nssl.truststore.location={authority}\n"));
        }
        fs::write(&path, text)?;
        Ok(path)
    }
}
