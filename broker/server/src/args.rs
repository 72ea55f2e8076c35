//! The command line: Kafka's own plus a little.
//! Core.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A Kafka broker: existing Kafka clients and tools connect to it unchanged.
#[derive(Parser, Debug)]
#[command(name = "ottla", version, about, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: Serve,
}

#[derive(Args, Debug, Clone)]
pub struct Sources {
    /// A Kafka server.properties; without one, every key has its default.
    #[arg(value_name = "SERVER.PROPERTIES")]
    pub properties: Option<PathBuf>,
    /// Sets one key, over the file and the environment. May be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

#[derive(Args, Debug, Clone)]
pub struct Serve {
    #[command(flatten)]
    pub sources: Sources,
    /// Keep everything in memory: no directory, nothing left behind.
    #[arg(long)]
    pub ephemeral: bool,
    /// Start although the metadata log is damaged, without the topics, configs and other facts behind the
    /// damage. A copy of the log is kept. Only for the one start that follows an error which names it.
    #[arg(long, conflicts_with = "ephemeral")]
    pub accept_metadata_loss: bool,
    /// The level of a feature in a new cluster, where it is not to be this release's own. May be repeated. A
    /// cluster that is there keeps its levels; `kafka-features.sh` changes them.
    #[arg(long = "feature", value_name = "NAME=LEVEL")]
    pub features: Vec<String>,
    /// A user of a new cluster, as `kafka-storage format` takes one:
    /// SCRAM-SHA-256=[name=alice,password="secret"]. May be repeated. A cluster that is there keeps its users. The
    /// variable OTTLA_ADD_SCRAM says the same, a user a line, and shows in no list of processes.
    #[arg(long = "add-scram", value_name = "USER")]
    pub scram_users: Vec<String>,
    /// Write one JSON line here when every listener serves.
    #[arg(long, value_name = "PATH", conflicts_with = "ready_fd")]
    pub ready_file: Option<PathBuf>,
    /// Write the same line to this open descriptor.
    #[arg(long, value_name = "N")]
    pub ready_fd: Option<u32>,
    /// Print also the lines by which test environments know a broker that serves (the images of Apache Kafka
    /// and of others that speak its protocol). For containers.
    #[arg(long)]
    pub announce: bool,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print every key with type, default, meaning, and where the value in force comes from.
    Config(Sources),
    /// Print what a client on each listener will be told, and why.
    ExplainListeners(Sources),
    /// Take over the data of a cleanly stopped Apache Kafka (one node, broker and controller in one). What is
    /// there is copied and stays as it was.
    Adopt(Adopt),
    /// Make a throw-away authority with keys and stores for a broker and a client, in PEM, PKCS12 and JKS, and the
    /// configurations that use them. For tests: whoever has the directory can be anybody.
    TlsDev(TlsDev),
    /// Run a cluster of several nodes in this one process, for tests and for trying things.
    Local(Local),
    /// Run a broker in memory that a test can steer: faults by rule, a journal of requests, clusters by the dozen
    /// (docs/lab). One JSON line on the standard output says where.
    Lab(Lab),
    /// Move all replicas away from a broker, and take it out of the cluster; or take that back.
    #[command(disable_help_flag = true)]
    Decommission(Short),
    /// Show which replicas would have to move for the brokers of a cluster to be evenly used; or move them.
    #[command(disable_help_flag = true)]
    Balance(Short),
    /// List, describe, create, change and delete topics of a running cluster.
    #[command(disable_help_flag = true)]
    Topic(Short),
    /// List, describe, move and delete groups of a running cluster.
    #[command(disable_help_flag = true)]
    Group(Short),
    /// Write the lines of the standard input to a topic.
    #[command(disable_help_flag = true)]
    Produce(Short),
    /// Print the records of a topic.
    #[command(disable_help_flag = true)]
    Consume(Short),
    /// Print the names of those of Kafka's commands that this program has: it is each of them when it is called
    /// by its name, and as `ottla NAME`.
    Commands,
}

/// The words of a short form, which reads them itself (`ottla_tools::run_short`).
#[derive(Args, Debug, Clone)]
pub struct Short {
    #[arg(value_name = "WORDS; --help SAYS MORE", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

#[derive(Args, Debug, Clone)]
pub struct Local {
    /// How many nodes.
    #[arg(long, default_value_t = 3)]
    pub nodes: u16,
    /// The port of the first node for clients; the next one is its controller's, then come the other nodes. 0 picks
    /// free ones.
    #[arg(long, default_value_t = 9092)]
    pub port_base: u16,
    /// Keep everything in memory: no directory, nothing left behind.
    #[arg(long)]
    pub ephemeral: bool,
    /// Where each node has a directory.
    #[arg(long, value_name = "DIR", default_value = "ottla-local", conflicts_with = "ephemeral")]
    pub data_dir: PathBuf,
    /// Sets one key on every node. May be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Write one JSON line here when every node serves.
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

#[derive(Args, Debug, Clone)]
pub struct Lab {
    /// What the lab draws follows from it; without one it draws its own, and says which.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Topics, rules, and what else the main cluster is to be like, in the words of the control API.
    #[arg(long, value_name = "LAB.TOML")]
    pub config: Option<PathBuf>,
    /// What the main cluster's clocks do: real, or frozen until a test moves them.
    #[arg(long, value_name = "real|frozen")]
    pub clock: Option<String>,
    /// The port of the main cluster, on the loopback address. 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Sets one key of the main cluster's configuration. May be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// End when the process that started this one has ended, or closes the pipe that is the standard input.
    #[arg(long)]
    pub exit_with_parent: bool,
    /// End after this time (10m).
    #[arg(long, value_name = "DURATION")]
    pub ttl: Option<String>,
    /// Write the line to this file too.
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

#[derive(Args, Debug, Clone)]
pub struct Adopt {
    /// All log.dirs of that Kafka, and its metadata.log.dir if it is another.
    #[arg(value_name = "DIR", required = true)]
    pub dirs: Vec<PathBuf>,
    /// Where each of them goes, in the same order: empty, or not there yet. The log.dirs that `ottla` would
    /// use without a file when not given.
    #[arg(long = "data-dir", value_name = "OURS")]
    pub data_dirs: Vec<PathBuf>,
    /// Only say whether it can be taken over; nothing is written.
    #[arg(long, conflicts_with = "data_dirs")]
    pub check: bool,
}

#[derive(Args, Debug, Clone)]
pub struct TlsDev {
    /// Where the files go: empty, or not there yet.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// A name or an address by which clients reach the broker, beside localhost. May be repeated.
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,
}

/// Splits `KEY=VALUE`.
pub fn parse_override(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(format!("--override takes KEY=VALUE, not '{text}'")),
    }
}

/// Splits `NAME=LEVEL`.
pub fn parse_feature(text: &str) -> Result<(String, i16), String> {
    let split = text.split_once('=').map(|(name, level)| (name.trim(), level.trim().parse()));
    match split {
        Some((name, Ok(level))) if !name.is_empty() => Ok((name.to_owned(), level)),
        _ => Err(format!("--feature takes NAME=LEVEL with a number for LEVEL, not '{text}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_s_own_command_line_is_understood() {
        let parsed = Arguments::try_parse_from([
            "ottla",
            "server.properties",
            "--override",
            "node.id=3",
            "--override",
            "log.dirs=/tmp/a=b",
        ])
        .expect("a valid command line");
        assert_eq!(parsed.serve.sources.properties, Some(PathBuf::from("server.properties")));
        let overrides: Result<Vec<_>, _> =
            parsed.serve.sources.overrides.iter().map(|text| parse_override(text)).collect();
        assert_eq!(
            overrides,
            Ok(vec![("node.id".into(), "3".into()), ("log.dirs".into(), "/tmp/a=b".into())])
        );
        assert!(parse_override("novalue").is_err());
    }

    #[test]
    fn a_feature_has_a_name_and_a_level() {
        let parsed =
            Arguments::try_parse_from(["ottla", "--feature", "share.version=0"]).expect("a valid line");
        let levels: Vec<_> = parsed.serve.features.iter().map(|text| parse_feature(text)).collect();
        assert_eq!(levels, [Ok(("share.version".to_owned(), 0))]);
        for bad in ["share.version", "=1", "share.version=one", "share.version=99999"] {
            assert!(parse_feature(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_adoption_names_its_directories() {
        let line = ["ottla", "adopt", "/kafka/a", "/kafka/b", "--data-dir", "/a", "--data-dir", "/b"];
        let Some(Command::Adopt(adopt)) = Arguments::try_parse_from(line).expect("a valid line").command
        else {
            panic!("another command");
        };
        assert_eq!((adopt.dirs.len(), adopt.data_dirs.len(), adopt.check), (2, 2, false));
        assert!(Arguments::try_parse_from(["ottla", "adopt"]).is_err());
        assert!(
            Arguments::try_parse_from(["ottla", "adopt", "/kafka", "--check", "--data-dir", "/a"]).is_err()
        );
    }

    #[test]
    fn a_ready_file_and_a_ready_descriptor_exclude_each_other() {
        let both = ["ottla", "--ready-file", "x", "--ready-fd", "3"];
        assert!(Arguments::try_parse_from(both).is_err());
    }
}
