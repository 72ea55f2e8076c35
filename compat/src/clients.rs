//! The clients of a run: what each needs on this machine, how that is fetched, and how it is started.
//! Shell: package managers and compilers as child processes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::contract::Program;
use crate::failure::{Outcome, While, fail};
use crate::places::{cache_dir, compat_dir};
use crate::process::{find, require, run};
use crate::sasl::Login;
use crate::steps::{Setting, Steps};
use crate::{absent, kcat, scenario, tls, tools, transactions, words};

/// A download or a build that takes longer than this has stalled.
const PREPARE_LIMIT: Duration = Duration::from_secs(600);

/// One row of a run.
#[derive(Debug, Clone, Copy)]
pub struct ClientRow {
    pub name: &'static str,
    pub about: &'static str,
    kind: Kind,
    /// Its members speak the new consumer protocol (KIP-848).
    is_new_protocol: bool,
}

const fn row(name: &'static str, about: &'static str, kind: Kind) -> ClientRow {
    ClientRow { name, about, kind, is_new_protocol: false }
}

const fn new_protocol(name: &'static str, about: &'static str, kind: Kind) -> ClientRow {
    ClientRow { name, about, kind, is_new_protocol: true }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Java(&'static str),
    Rdkafka,
    Python(&'static str),
    KafkaJs,
    Go(&'static str),
    KafkaGo,
    Kcat,
    Tools,
    Words,
    Tls,
}

impl Kind {
    /// Whether its program has the verbs about transactions.
    fn has_transactions(self) -> bool {
        matches!(self, Kind::Java(_) | Kind::Go(_) | Kind::Python("confluent-kafka"))
    }
}

/// The slowest come first, so that they do not run alone at the end.
pub const CLIENTS: [ClientRow; 17] = [
    row("rdkafka", "librdkafka through the Rust crate rdkafka", Kind::Rdkafka),
    row("kafka-tools", "the command lines of Apache Kafka 4.3.1", Kind::Tools),
    row("sarama", "IBM/sarama, Go", Kind::Go("sarama")),
    row("franz-go", "twmb/franz-go, Go", Kind::Go("franz-go")),
    row("kafka-go", "segmentio/kafka-go, Go", Kind::KafkaGo),
    row("java-4.3.1", "kafka-clients 4.3.1", Kind::Java("4.3.1")),
    row("java-2.1.1", "kafka-clients 2.1.1", Kind::Java("2.1.1")),
    new_protocol("java-consumer", "kafka-clients 4.3.1 with group.protocol=consumer", Kind::Java("4.3.1")),
    new_protocol("rdkafka-consumer", "librdkafka with group.protocol=consumer", Kind::Rdkafka),
    new_protocol("franz-go-consumer", "franz-go with the broker's assignors", Kind::Go("franz-go")),
    row("confluent-kafka", "librdkafka through Python", Kind::Python("confluent-kafka")),
    row("kafka-python", "kafka-python", Kind::Python("kafka-python")),
    row("aiokafka", "aiokafka, Python", Kind::Python("aiokafka")),
    row("kafkajs", "KafkaJS, Node", Kind::KafkaJs),
    row("tls", "openssl, Kafka's command lines and librdkafka over TLS", Kind::Tls),
    row("kcat", "kcat, C on an older librdkafka", Kind::Kcat),
    row("words", "the word list through a topic, counted by wc", Kind::Words),
];

/// What stands ready to be run.
#[derive(Debug, Clone)]
pub struct Prepared {
    kind: Kind,
    program: Program,
}

impl ClientRow {
    /// Whether it starts the broker that it speaks to.
    pub fn has_own_broker(&self) -> bool {
        matches!(self.kind, Kind::Tls)
    }

    /// Fetches and builds what is not there yet; `say` hears what is installed.
    pub fn prepare(&self, say: &dyn Fn(&str)) -> Outcome<Prepared> {
        // Rows that share a program must not build it at the same time.
        static PREPARING: Mutex<()> = Mutex::new(());
        let _alone = PREPARING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = match self.kind {
            Kind::Java(version) => prepare_java(version, say)?,
            Kind::Rdkafka => prepare_rdkafka(say)?,
            Kind::Python(folder) => prepare_python(folder, say)?,
            Kind::KafkaJs => prepare_kafkajs(say)?,
            Kind::Go(folder) => prepare_go(folder, say)?,
            Kind::KafkaGo => prepare_go("kafka-go", say)?,
            Kind::Kcat => prepare_apt("kcat", Path::new("/usr/bin/kcat"), say)?,
            Kind::Tools => prepare_tools(say)?,
            Kind::Tls => {
                prepare_apt("kcat", Path::new("/usr/bin/kcat"), say)?;
                prepare_tools(say)?
            }
            Kind::Words => {
                prepare_apt("wamerican", Path::new(words::WORDS_PATH), say)?;
                prepare_apt("kcat", Path::new("/usr/bin/kcat"), say)?
            }
        };
        if self.is_new_protocol {
            command.splice(0..0, ["env", "GROUP_PROTOCOL=consumer"].map(OsString::from));
        }
        Ok(Prepared { kind: self.kind, program: Program { name: self.name.to_owned(), command } })
    }
}

impl Prepared {
    /// Its processes find the login in their environment, and who signed the certificate of a broker with TLS.
    pub fn with_login(mut self, login: Login, authority: Option<&Path>) -> Prepared {
        let Login { mechanism, name, password } = login;
        let variables = [("MECHANISM", mechanism), ("USERNAME", name), ("PASSWORD", password)];
        let pairs = variables.map(|(key, value)| OsString::from(format!("SASL_{key}={value}")));
        let tls = authority.map(|path| OsString::from(format!("SASL_CA={}", path.display())));
        let words = std::iter::once(OsString::from("env")).chain(pairs).chain(tls);
        self.program.command.splice(0..0, words);
        self
    }

    /// A topic, some records and a group: enough to have logged in at every connection.
    pub fn play_briefly(&self, setting: &Setting, steps: &mut Steps) -> Outcome<()> {
        scenario::play_briefly(&self.program, setting, steps)
    }

    pub fn play(&self, setting: &Setting, steps: &mut Steps) -> Outcome<()> {
        match self.kind {
            Kind::Kcat => kcat::play(setting, steps),
            Kind::Tools => tools::play(setting, steps),
            Kind::Words => words::play(setting, steps),
            Kind::Tls => tls::play(setting, steps),
            Kind::KafkaGo => {
                scenario::play(&self.program, setting, steps)?;
                absent::play(&self.program, setting, steps)
            }
            kind => {
                scenario::play(&self.program, setting, steps)?;
                if !kind.has_transactions() {
                    return Ok(());
                }
                transactions::play(&self.program, matches!(kind, Kind::Java(_)), setting, steps)
            }
        }
    }
}

/// Runs one step of a preparation with its output in the cache, where a person can read it afterwards.
pub(crate) fn prepare(name: &str, command: &mut Command) -> Outcome<()> {
    let output_path = cache_dir()?.join(format!("prepare-{name}.log"));
    let _ = fs::remove_file(&output_path);
    run(name, command, &output_path, PREPARE_LIMIT)
}

/// Whether the preparation marked by `name` was made from just these files.
pub(crate) fn is_current(name: &str, sources: &[PathBuf]) -> Outcome<bool> {
    Ok(fs::read(mark_path(name)?).is_ok_and(|mark| sources_text(sources).is_ok_and(|text| text == mark)))
}

pub(crate) fn mark_current(name: &str, sources: &[PathBuf]) -> Outcome<()> {
    Ok(fs::write(mark_path(name)?, sources_text(sources)?)?)
}

fn mark_path(name: &str) -> Outcome<PathBuf> {
    Ok(cache_dir()?.join(format!("{name}.made-from")))
}

fn sources_text(sources: &[PathBuf]) -> Outcome<Vec<u8>> {
    let mut text = Vec::new();
    for source in sources {
        text.extend(fs::read(source).while_doing(|| format!("reading {}", source.display()))?);
    }
    Ok(text)
}

fn prepare_java(version: &str, say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    java_program(version).prepare(say)
}

/// The program that counts the transactions of the Java client, for the benchmark.
pub(crate) fn java_transaction_rate() -> Outcome<Vec<OsString>> {
    JavaProgram { main_class: "TransactionRate", ..java_program("4.3.1") }.prepare(&|_| ())
}

/// The same of librdkafka, with its own first argument behind the bootstrap address.
pub(crate) fn rdkafka_transaction_rate() -> Outcome<Vec<OsString>> {
    prepare_rdkafka(&|_| ())
}

fn java_program(version: &str) -> JavaProgram {
    let folder = compat_dir().join("clients/java");
    let own = folder.join(format!("src-{version}"));
    JavaProgram {
        name: format!("java-{version}"),
        about: format!("kafka-clients {version}"),
        sources: vec![
            folder.join("pom.xml"),
            folder.join("src/Client.java"),
            folder.join("src/Transactions.java"),
            folder.join("src/TransactionRate.java"),
            own.join("AlterConfig.java"),
            own.join("SendOffsets.java"),
        ],
        maven_arguments: vec![format!("-Dclient.version={version}")],
        main_class: "Client",
        heap_mib: 256,
    }
}

/// The program of `cargo compat eos`: Kafka Streams, the copier, and their surroundings.
pub(crate) fn prepare_eos(say: &dyn Fn(&str)) -> Outcome<Program> {
    let folder = compat_dir().join("clients/java-eos");
    let source = |name: &str| folder.join(format!("src/{name}.java"));
    let program = JavaProgram {
        name: "java-eos".to_owned(),
        about: "Kafka Streams 4.3.1".to_owned(),
        sources: vec![
            folder.join("pom.xml"),
            source("Eos"),
            source("Look"),
            source("Feed"),
            source("Copier"),
            source("WordCount"),
        ],
        maven_arguments: Vec::new(),
        main_class: "Eos",
        heap_mib: 384,
    };
    Ok(Program { name: program.name.clone(), command: program.prepare(say)? })
}

/// The share consumer of `cargo compat cluster`.
pub(crate) fn prepare_share(say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    let folder = compat_dir().join("clients/java-share");
    let program = JavaProgram {
        name: "java-share".to_owned(),
        about: "kafka-clients 4.3.1".to_owned(),
        sources: vec![folder.join("pom.xml"), folder.join("src/Share.java")],
        maven_arguments: Vec::new(),
        main_class: "Share",
        heap_mib: 256,
    };
    program.prepare(say)
}

/// The class path of Apache Kafka's own tests with our classes in front of those that start a cluster in the JVM.
pub(crate) fn java_suite_class_path(say: &dyn Fn(&str)) -> Outcome<String> {
    let folder = compat_dir().join("java");
    let mut sources = vec![folder.join("pom.xml")];
    for package in [
        "ottla/suite",
        "org/apache/kafka/common/test",
        "org/apache/kafka/common/test/junit",
        "org/apache/kafka/server/metrics",
    ] {
        let entries = fs::read_dir(folder.join("src").join(package))?;
        let files = entries.filter_map(Result::ok).map(|entry| entry.path());
        sources.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "java")));
    }
    // Their order is the mark's.
    sources[1..].sort();
    let program = JavaProgram {
        name: "java-suite".to_owned(),
        about: "Apache Kafka's own tests".to_owned(),
        sources,
        maven_arguments: Vec::new(),
        main_class: "ottla.suite.Run",
        heap_mib: 512,
    };
    program.class_path(say)
}

/// The programs of `cargo compat image`: Testcontainers' own modules, in an environment each.
pub(crate) fn prepare_image_java(say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    let folder = compat_dir().join("clients/image-java");
    let program = JavaProgram {
        name: "image-java".to_owned(),
        about: "Testcontainers' modules for Java".to_owned(),
        sources: vec![folder.join("pom.xml"), folder.join("src/Modules.java")],
        maven_arguments: Vec::new(),
        main_class: "Modules",
        heap_mib: 256,
    };
    program.prepare(say)
}

pub(crate) fn prepare_image_python(say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    let folder = compat_dir().join("clients/image-python");
    let python =
        prepare_venv("image-python", &folder.join("requirements.txt"), "Testcontainers for Python", say)?;
    Ok(vec![python.into(), "-B".into(), "-W".into(), "ignore".into(), folder.join("modules.py").into()])
}

pub(crate) fn prepare_image_node(say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    let folder = compat_dir().join("clients/image-node");
    prepare_npm("image-node", &folder, "Testcontainers' modules for Node", say)?;
    Ok(vec!["node".into(), folder.join("modules.js").into()])
}

/// A program of a few Java files and the libraries that its pom names.
pub(crate) struct JavaProgram {
    pub(crate) name: String,
    pub(crate) about: String,
    /// The pom first; no file behind it where the libraries have the program.
    pub(crate) sources: Vec<PathBuf>,
    pub(crate) maven_arguments: Vec<String>,
    pub(crate) main_class: &'static str,
    pub(crate) heap_mib: u32,
}

impl JavaProgram {
    /// Fetches the libraries and compiles when a source has changed; the answer starts it.
    pub(crate) fn prepare(&self, say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
        let class_path = self.class_path(say)?;
        let heap = format!("-Xmx{}m", self.heap_mib);
        let arguments = [
            "java",
            &heap,
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            &class_path,
            self.main_class,
        ];
        Ok(arguments.iter().map(OsString::from).collect())
    }

    /// The same preparation; the answer is the class path, the program's own classes first.
    pub(crate) fn class_path(&self, say: &dyn Fn(&str)) -> Outcome<String> {
        require("java", "Java 17 or newer (apt: default-jdk)")?;
        require("javac", "a Java compiler (apt: default-jdk)")?;
        let (name, cache) = (&self.name, cache_dir()?.join(&self.name));
        let class_path = format!("{}/libs/*", cache.display());
        if !is_current(name, &self.sources)? {
            require("mvn", "Maven (apt: maven)")?;
            say(&format!("{} through Maven", self.about));
            let mut fetch = Command::new("mvn");
            fetch
                .args(["-q", "-B", "-f"])
                .arg(&self.sources[0])
                .arg("org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies")
                .args(&self.maven_arguments)
                .arg("-DincludeScope=runtime")
                .arg(format!("-DoutputDirectory={}/libs", cache.display()));
            prepare(&format!("{name}-mvn"), &mut fetch)?;
            // A class whose source is gone must not stay in front of another of its name.
            let _ = fs::remove_dir_all(cache.join("classes"));
            if self.sources.len() > 1 {
                let mut compile = Command::new("javac");
                compile.arg("-d").arg(cache.join("classes"));
                compile.args(["-cp", &class_path]).args(&self.sources[1..]);
                prepare(&format!("{name}-javac"), &mut compile)?;
            }
            mark_current(name, &self.sources)?;
        }
        Ok(format!("{}/classes:{class_path}", cache.display()))
    }
}

fn prepare_rdkafka(say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    require("cargo", "Rust")?;
    require("make", "make, which builds librdkafka (apt: build-essential)")?;
    require("cc", "a C compiler, which builds librdkafka (apt: build-essential)")?;
    let target = cache_dir()?.join("rdkafka");
    if !target.exists() {
        say("the crate rdkafka and its librdkafka through Cargo");
    }
    let mut build = Command::new("cargo");
    build
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(compat_dir().join("clients/rdkafka/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    prepare("rdkafka-cargo", &mut build)?;
    Ok(vec![target.join("release/compat-rdkafka").into()])
}

fn prepare_python(folder: &str, say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    // The three share one environment; the first to come makes it.
    static ENVIRONMENT: Mutex<()> = Mutex::new(());
    let _alone = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    let about = "confluent-kafka, kafka-python and aiokafka";
    let python = prepare_venv("python", &compat_dir().join("clients/python/requirements.txt"), about, say)?;
    let script = compat_dir().join("clients/python").join(folder).join("client.py");
    Ok(vec![python.into(), "-B".into(), script.into()])
}

/// A Python environment of its own with what a file names; returns its interpreter.
pub(crate) fn prepare_venv(
    name: &str,
    requirements: &Path,
    about: &str,
    say: &dyn Fn(&str),
) -> Outcome<PathBuf> {
    let venv = cache_dir()?.join(name);
    let sources = [requirements.to_path_buf()];
    if !is_current(name, &sources)? {
        require("python3", "Python 3.9 or newer with venv (apt: python3-venv)")?;
        say(&format!("{about} through pip, into an environment of their own"));
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&venv);
        prepare(&format!("{name}-venv"), &mut make)?;
        let mut install = Command::new(venv.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&sources[0]);
        prepare(&format!("{name}-pip"), &mut install)?;
        mark_current(name, &sources)?;
    }
    Ok(venv.join("bin/python"))
}

fn prepare_kafkajs(say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    let folder = compat_dir().join("clients/kafkajs");
    prepare_npm("kafkajs", &folder, "KafkaJS and its codecs", say)?;
    Ok(vec!["node".into(), folder.join("client.js").into()])
}

/// What a folder's lock file names, in the folder.
pub(crate) fn prepare_npm(name: &str, folder: &Path, about: &str, say: &dyn Fn(&str)) -> Outcome<()> {
    require("node", "Node 20.15 or newer (apt: nodejs)")?;
    require("npm", "npm (apt: npm)")?;
    let sources = [folder.join("package-lock.json")];
    if !is_current(name, &sources)? || !folder.join("node_modules").is_dir() {
        say(&format!("{about} through npm"));
        let mut install = Command::new("npm");
        install.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder);
        prepare(&format!("{name}-npm"), &mut install)?;
        mark_current(name, &sources)?;
    }
    Ok(())
}

fn prepare_go(folder: &str, say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    let sources = compat_dir().join("clients").join(folder);
    Ok(vec![build_go(folder, &sources, ".", &format!("{folder} as a Go module"), say)?.into()])
}

/// Helm itself, and the program that reads what it renders.
pub(crate) fn prepare_chart(say: &dyn Fn(&str)) -> Outcome<[PathBuf; 2]> {
    let sources = compat_dir().join("chart");
    Ok([
        build_go("helm", &sources, "helm.sh/helm/v3/cmd/helm", "helm as a Go module", say)?,
        build_go("chart", &sources, ".", "a reader of Kubernetes' resources as a Go module", say)?,
    ])
}

pub(crate) fn build_go(
    name: &str,
    sources: &Path,
    package: &str,
    what: &str,
    say: &dyn Fn(&str),
) -> Outcome<PathBuf> {
    require("go", "Go 1.24 or newer")?;
    let binary = cache_dir()?.join(format!("go/{name}"));
    if !binary.exists() {
        say(what);
    }
    let mut build = Command::new("go");
    build.args(["build", "-mod=readonly", "-o"]).arg(&binary).arg(package).current_dir(sources);
    prepare(&format!("{name}-go"), &mut build)?;
    Ok(binary)
}

fn prepare_tools(say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    if !crate::reference::are_libs_here()? {
        say("Apache Kafka's tools through Maven");
    }
    crate::reference::libs_dir()?;
    Ok(Vec::new())
}

pub(crate) fn prepare_apt(package: &str, evidence: &Path, say: &dyn Fn(&str)) -> Outcome<Vec<OsString>> {
    // Two installations at once would wait for each other's lock and give up.
    static APT: Mutex<()> = Mutex::new(());
    let _alone = APT.lock().unwrap_or_else(PoisonError::into_inner);
    if evidence.exists() || find(package).is_some() {
        return Ok(Vec::new());
    }
    if !rustix::process::geteuid().is_root() || find("apt-get").is_none() {
        return fail(format!("{} is missing: install the package {package}", evidence.display()));
    }
    say(&format!("{package} through apt-get"));
    let install = || {
        let mut install = Command::new("apt-get");
        install.env("DEBIAN_FRONTEND", "noninteractive").args([
            "install",
            "-y",
            "--no-install-recommends",
            package,
        ]);
        prepare(&format!("apt-{package}"), &mut install)
    };
    // The package lists of a fresh image are empty or old: refreshed once, only when they are needed.
    if install().is_err() {
        prepare("apt-update", Command::new("apt-get").arg("update"))?;
        install()?;
    }
    Ok(Vec::new())
}
