//! Unmodified clients that log in: each on a listener with SASL, by each mechanism that it has, right and wrong.
//! Shell: a broker, clients and Apache Kafka's command lines as child processes.
#![allow(clippy::print_stdout, reason = "the table is this program's answer to a person")]

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::broker::{self, Against, BrokerOptions};
use crate::clients::{CLIENTS, ClientRow};
use crate::failure::{Outcome, fail};
use crate::places::ScratchDir;
use crate::process::capture;
use crate::reference::java;
use crate::runner::{Row, print_table};
use crate::steps::{Amounts, Setting, Steps};

const PARALLEL_COUNT: usize = 4;
const TOOL_LIMIT: Duration = Duration::from_secs(60);
const TOOL_HEAP_MIB: u32 = 128;

const PLAIN: &str = "PLAIN";
const SCRAM_256: &str = "SCRAM-SHA-256";
const SCRAM_512: &str = "SCRAM-SHA-512";

/// The user of PLAIN, who makes the one of SCRAM.
pub const PLAIN_LOGIN: Login = Login { mechanism: PLAIN, name: "alice", password: "alice-secret" };
const SCRAM_NAME: &str = "sam";
const SCRAM_PASSWORD: &str = "sam-secret";

/// Who logs in, and how.
#[derive(Debug, Clone, Copy)]
pub struct Login {
    pub mechanism: &'static str,
    pub name: &'static str,
    pub password: &'static str,
}

/// Which clients log in by which mechanisms; sarama has SCRAM only with a library beside it.
const PAIRS: &[(&str, &[&str])] = &[
    ("java-4.3.1", &[PLAIN, SCRAM_256, SCRAM_512]),
    ("java-2.1.1", &[SCRAM_512]),
    ("rdkafka", &[SCRAM_256]),
    ("confluent-kafka", &[PLAIN, SCRAM_256, SCRAM_512]),
    ("kafka-python", &[PLAIN, SCRAM_256, SCRAM_512]),
    ("aiokafka", &[SCRAM_256]),
    ("franz-go", &[PLAIN, SCRAM_256, SCRAM_512]),
    ("sarama", &[PLAIN]),
    ("kafkajs", &[PLAIN, SCRAM_256, SCRAM_512]),
];

/// The listener keeps its name and gets another protocol, so that brokers start as for every other run.
const SETTINGS: [&str; 8] = [
    "listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
    "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,SCRAM-SHA-256",
    "listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alice-secret\";",
    "listener.name.plaintext.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "listener.name.plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "group.consumer.min.session.timeout.ms=6000",
    "group.consumer.session.timeout.ms=6000",
    // Clients log in again while they play: KafkaJS ten seconds before the end, the others later.
    "connections.max.reauth.ms=12000",
];

/// Plays all pairs, or those of the clients that are named; true when nothing failed.
pub fn run(against: Against, names: &[String]) -> Outcome<bool> {
    let pairs = select(names)?;
    let begin = Instant::now();
    if against == Against::Ottla {
        println!("building ottla");
        broker::build_ottla()?;
    }
    let mut broker = broker::start(against, &BrokerOptions::with(&SETTINGS))?;
    println!("{against} serves on {} after {:.1} s", broker.bootstrap(), begin.elapsed().as_secs_f64());
    let mut work = ScratchDir::new("sasl")?;
    let common = Setting {
        bootstrap: broker.bootstrap().to_owned(),
        log_dir: broker.log_dir().to_owned(),
        namespace: "sasl".to_owned(),
        work_dir: work.path().to_owned(),
        amounts: Amounts::QUICK,
        changes_at_once: against == Against::Ottla,
    };
    let mut rows = vec![play_tools(&common)];
    let queue = Mutex::new(pairs);
    let finished = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL_COUNT {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((client, mechanism)) = next else { return };
                    let row = play(&client, mechanism, &common);
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
    let told = [PLAIN_LOGIN.password, SCRAM_PASSWORD].iter().any(|password| said.contains(password));
    if told && against == Against::Ottla {
        println!("a password is in the broker's log:\n{said}");
    }
    if !clean {
        work.keep();
        println!("what the clients logged is in {}", work.path().display());
    }
    Ok(clean && !told)
}

fn select(names: &[String]) -> Outcome<VecDeque<(ClientRow, &'static str)>> {
    let mut pairs = VecDeque::new();
    for (name, mechanisms) in PAIRS {
        let Some(client) = CLIENTS.iter().find(|client| client.name == *name) else {
            return fail(format!("no client is called {name}"));
        };
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            pairs.extend(mechanisms.iter().map(|mechanism| (*client, *mechanism)));
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

fn play(client: &ClientRow, mechanism: &'static str, common: &Setting) -> Row {
    let mut steps = Steps::default();
    let begin = Instant::now();
    let name = client.name;
    let say = |what: &str| println!("{name}: {what}");
    let prepared = steps.step(mechanism, || client.prepare(&say));
    let prepared_in = begin.elapsed();
    let begin = Instant::now();
    if let Ok(prepared) = prepared {
        let namespace = format!("sasl-{name}-{}", mechanism.to_lowercase());
        let work_dir = common.work_dir.join(&namespace);
        let made = steps.step("folder", || Ok(fs::create_dir_all(&work_dir)?));
        let setting = Setting { namespace, work_dir, ..common.clone() };
        // A failure is in the steps.
        let _played =
            made.and_then(|()| prepared.with_login(login(mechanism)).play_briefly(&setting, &mut steps));
    }
    Row { name, prepared_in, played_in: begin.elapsed(), steps }
}

/// The command lines: they make the user of SCRAM, and are told why they are refused.
fn play_tools(common: &Setting) -> Row {
    let mut steps = Steps::default();
    let begin = Instant::now();
    // A failure is in the steps.
    let _played = tools(common, &mut steps);
    Row { name: "kafka-tools", prepared_in: Duration::ZERO, played_in: begin.elapsed(), steps }
}

fn tools(common: &Setting, steps: &mut Steps) -> Outcome<()> {
    let tool = |name: &str, class: &str, login: Login, arguments: &[&str], input: Option<&Path>| {
        let config = client_config(&common.work_dir, name, login)?;
        let mut command = java(TOOL_HEAP_MIB)?;
        command.arg(class).args(["--bootstrap-server", &common.bootstrap, "--command-config"]);
        command.arg(config).args(arguments);
        let printed = capture(name, &mut command, input, &common.work_dir, TOOL_LIMIT);
        printed.map(|printed| printed.output)
    };
    const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
    // Not both in one request, in which a user is named once.
    for (name, credential) in [
        ("add-256", format!("SCRAM-SHA-256=[password={SCRAM_PASSWORD}]")),
        ("add-512", format!("SCRAM-SHA-512=[iterations=8192,password={SCRAM_PASSWORD}]")),
    ] {
        let add =
            ["--alter", "--entity-type", "users", "--entity-name", SCRAM_NAME, "--add-config", &credential];
        steps.step(name, || tool(name, "kafka.admin.ConfigCommand", PLAIN_LOGIN, &add, None))?;
    }
    steps.step("create", || {
        tool("topics", TOPICS, login(SCRAM_256), &["--create", "--topic", "sasl-tools"], None)
    })?;
    steps.step("console", || {
        let lines = common.work_dir.join("lines");
        fs::write(&lines, "one\ntwo\n")?;
        let producer = "org.apache.kafka.tools.ConsoleProducer";
        tool("producer", producer, login(SCRAM_512), &["--topic", "sasl-tools"], Some(&lines))?;
        let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
        let arguments = ["--topic", "sasl-tools", "--from-beginning", "--max-messages", "2"];
        let printed = tool("consumer", consumer, login(SCRAM_256), &arguments, None)?;
        if printed.contains("one\ntwo\n") { Ok(()) } else { fail(printed) }
    })?;
    let refused = |name: &str, login: Login, words: &str| match tool(name, TOPICS, login, &["--list"], None) {
        Ok(printed) => fail(format!("it was let in:\n{printed}")),
        Err(failure) if failure.0.contains(words) => Ok(()),
        Err(failure) => Err(failure),
    };
    let wrong = Login { password: "wrong", ..PLAIN_LOGIN };
    steps.step("wrong-plain", || refused("wrong-plain", wrong, "Invalid username or password"))?;
    let wrong = Login { password: "wrong", ..login(SCRAM_512) };
    let words = "invalid credentials with SASL mechanism SCRAM-SHA-512";
    steps.step("wrong-scram", || refused("wrong-scram", wrong, words))
}

fn client_config(dir: &Path, name: &str, login: Login) -> Outcome<PathBuf> {
    let Login { mechanism, name: user, password } = login;
    let module = if mechanism == PLAIN { "plain.PlainLoginModule" } else { "scram.ScramLoginModule" };
    let path = dir.join(format!("{name}.properties"));
    let text = format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\nsasl.jaas.config=org.apache.kafka.common.security.{module} \
         required username=\"{user}\" password=\"{password}\";\n"
    );
    fs::write(&path, text)?;
    Ok(path)
}
