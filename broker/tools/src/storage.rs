//! `kafka-storage`: ids, and what the log directories hold; `format` does beforehand what a first start does.
//! Shell: reads the configuration, writes meta.properties.

use std::path::{Path, PathBuf};

use ottla_config::BrokerConfig;
use ottla_env::real::{RealDisk, RealRng};
use ottla_env::{Disk, Rng};
use ottla_log::MetaProperties;
use ottla_model::TopicId;

use crate::command::{Action, Actions};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const CONFIG: Known = value("config", "The Kafka configuration file to use.").or('c');
const HELP: Known = flag("help", "Show this.").or('h');
const METADATA_VERSION: &str = "4.3-IV0";

pub const ACTIONS: Actions = Actions {
    name: "kafka-storage",
    globals: &[],
    is_terse: false,
    actions: &[
        Action { name: "info", options: &[CONFIG, HELP], run: info },
        Action {
            name: "format",
            options: &[
                CONFIG,
                HELP,
                value("cluster-id", "The cluster ID to use.").or('t'),
                value("add-scram", "Not served here: see the message.").or('S'),
                flag("ignore-formatted", "Pass over directories that are formatted.").or('g'),
                value("release-version", "Not served here: see the message.").or('r'),
                value("feature", "Not served here: see the message.").or('f'),
                flag("standalone", "This node is the only controller.").or('s'),
                flag("no-initial-controllers", "Not served here: see the message.").or('N'),
                value("initial-controllers", "Not served here: see the message.").or('I'),
            ],
            run: format_dirs,
        },
        Action { name: "random-uuid", options: &[HELP], run: random_uuid },
    ],
};

fn random_uuid(_options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    Ok(terminal.say(&TopicId::from_random(|| RealRng.next_16()).to_string())?)
}

/// The broker's configuration from the file, and from the environment as the broker reads it.
fn load(options: &Options) -> Result<BrokerConfig, Failure> {
    let Some(path) = options.get("config") else {
        return Err(Failure::Usage("argument --config/-c is required".to_owned()));
    };
    let text = std::fs::read_to_string(path)
        .map_err(|_| Exception::new("java.nio.file.NoSuchFileException", path))?;
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let (config, _warnings) =
        ottla_config::load(Some((path, &text)), &environment, &[]).map_err(|error| {
            Exception::new("org.apache.kafka.common.config.ConfigException", error.to_string())
        })?;
    Ok(config)
}

/// What a directory says of itself.
enum Found {
    Missing,
    Empty,
    Formatted(MetaProperties),
    Unreadable,
}

fn look(dir: &Path) -> Found {
    if !RealDisk.exists(dir) {
        return Found::Missing;
    }
    let path = meta_path(dir);
    if !RealDisk.exists(&path) {
        return Found::Empty;
    }
    let text = RealDisk.read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| MetaProperties::parse(&text)).map_or(Found::Unreadable, Found::Formatted)
}

fn meta_path(dir: &Path) -> PathBuf {
    dir.join("meta.properties")
}

fn dirs(config: &BrokerConfig) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = config.log_dirs.iter().map(PathBuf::from).collect();
    dirs.sort();
    dirs
}

fn info(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let config = load(options)?;
    let found: Vec<(PathBuf, Found)> = dirs(&config)
        .into_iter()
        .map(|dir| {
            let found = look(&dir);
            (dir, found)
        })
        .collect();
    let there: Vec<&PathBuf> =
        found.iter().filter(|(_, found)| !matches!(found, Found::Missing)).map(|(dir, _)| dir).collect();
    let mut problems = Vec::new();
    let mut known: Option<&MetaProperties> = None;
    for (dir, found) in &found {
        let path = meta_path(dir);
        match found {
            Found::Missing => problems.push(format!("{} does not exist", dir.display())),
            Found::Empty => problems.push(format!("{} is not formatted.", dir.display())),
            Found::Unreadable => problems.push(format!("{} cannot be read", path.display())),
            Found::Formatted(properties) => match known {
                Some(first) if first.cluster_id != properties.cluster_id => {
                    problems.push(format!(
                        "Mismatched cluster IDs between storage directories: {}",
                        path.display()
                    ));
                }
                _ => known = Some(known.unwrap_or(properties)),
            },
        }
    }
    if !there.is_empty() {
        let word = if there.len() == 1 { "directory" } else { "directories" };
        terminal.say(&format!("Found log {word}:"))?;
        for dir in there {
            terminal.say(&format!("  {}", dir.display()))?;
        }
        terminal.say("")?;
    }
    if let Some(properties) = known {
        terminal.say(&format!("Found metadata: {}", shown(properties)))?;
        terminal.say("")?;
    }
    if problems.is_empty() {
        return Ok(());
    }
    terminal.say(if problems.len() == 1 { "Found problem:" } else { "Found problems:" })?;
    for problem in problems {
        terminal.say(&format!("  {problem}"))?;
    }
    terminal.say("")?;
    Err(Failure::Exit(1))
}

fn shown(properties: &MetaProperties) -> String {
    let id = properties.directory_id.map(|id| format!("directory.id={id}, ")).unwrap_or_default();
    format!("{{cluster.id={}, {id}node.id={}, version=1}}", properties.cluster_id, properties.node_id)
}

/// Options that ask for something that only a start can do here, each with where it is done.
const NOT_SERVED: [(&str, &str); 5] = [
    ("add-scram", "add the credential with kafka-configs once the broker serves"),
    ("release-version", "say the level of each feature at the first start: ottla --feature NAME=LEVEL"),
    ("feature", "say it at the first start: ottla --feature NAME=LEVEL"),
    ("no-initial-controllers", "say the voters in controller.quorum.voters"),
    ("initial-controllers", "say the voters in controller.quorum.voters"),
];

fn format_dirs(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Some(cluster_id) = options.get("cluster-id") else {
        return Err(Failure::Usage("argument --cluster-id/-t is required".to_owned()));
    };
    if let Some((option, instead)) = NOT_SERVED.iter().find(|(option, _)| options.has(option)) {
        let message = format!("kafka-storage format: --{option} has no effect with Ottla; {instead}");
        return Err(Failure::Sentence(message, 1));
    }
    let config = load(options)?;
    let mut unformatted = Vec::new();
    let mut formatted = 0;
    for dir in dirs(&config) {
        match look(&dir) {
            Found::Missing | Found::Empty => unformatted.push(dir),
            Found::Unreadable => {
                let message = format!("Error reading {}", meta_path(&dir).display());
                return Err(Exception::new("java.lang.RuntimeException", message).into());
            }
            Found::Formatted(properties) => {
                agree(&dir, "cluster.id", cluster_id, &properties.cluster_id)?;
                agree(&dir, "node.id", &config.node_id.to_string(), &properties.node_id.to_string())?;
                if !options.has("ignore-formatted") {
                    let message = format!(
                        "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory \
                         and format the others.",
                        dir.display()
                    );
                    return Err(Failure::Sentence(message, 1));
                }
                formatted += 1;
            }
        }
    }
    if unformatted.is_empty() && formatted > 0 {
        return Ok(terminal.say("All of the log directories are already formatted.")?);
    }
    let metadata_dir = config.log_dirs.first().map(PathBuf::from);
    for dir in unformatted {
        let kind = if Some(&dir) == metadata_dir.as_ref() { "metadata" } else { "data" };
        terminal.say(&format!(
            "Formatting {kind} directory {} with metadata.version {METADATA_VERSION}.",
            dir.display()
        ))?;
        write(&dir, cluster_id, config.node_id)
            .map_err(|error| Exception::new("java.io.IOException", format!("{}: {error}", dir.display())))?;
    }
    Ok(())
}

fn agree(dir: &Path, key: &str, expected: &str, read: &str) -> Result<(), Exception> {
    if expected == read {
        return Ok(());
    }
    let path = meta_path(dir);
    let message = format!("Invalid {key} in: {}. Expected {expected}, but read {read}", path.display());
    Err(Exception::new("java.lang.RuntimeException", message))
}

fn write(dir: &Path, cluster_id: &str, node_id: i32) -> std::io::Result<()> {
    RealDisk.create_dir_all(dir)?;
    let properties = MetaProperties {
        cluster_id: cluster_id.to_owned(),
        node_id,
        directory_id: Some(TopicId::from_random(|| RealRng.next_16())),
    };
    RealDisk.write_atomically(&meta_path(dir), properties.write().as_bytes())
}

#[cfg(test)]
mod tests {
    use crate::terminal::Terminal;

    fn run(line: &str) -> (i32, String, String) {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = {
            let mut terminal = Terminal { out: &mut out, err: &mut err };
            crate::find("kafka-storage").expect("a command").run_on(&arguments, &mut terminal)
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (code, text(out), text(err))
    }

    /// What Apache Kafka 4.3.1 printed of the same directories, but for the bootstrap records.
    #[test]
    fn directories_are_formatted_once_and_described() {
        let root = std::env::temp_dir().join(format!("ottla-storage-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("a directory");
        let (a, b, file) = (root.join("a"), root.join("b"), root.join("s.properties"));
        let (a, b, path) = (a.display(), b.display(), file.display());
        std::fs::write(&file, format!("node.id=1\nlog.dirs={a},{b}\n")).expect("a file");
        let id = "b3R0bGFDb21wYXQwMDAwMQ";

        let missing = format!("Found problems:\n  {a} does not exist\n  {b} does not exist\n\n");
        assert_eq!(run(&format!("info -c {path}")), (1, missing, String::new()));
        let (code, out, _) = run(&format!("format -t {id} -c {path}"));
        let lines = format!(
            "Formatting metadata directory {a} with metadata.version 4.3-IV0.\n\
             Formatting data directory {b} with metadata.version 4.3-IV0.\n"
        );
        assert_eq!((code, out), (0, lines));
        let (code, out, _) = run(&format!("info --config={path}"));
        assert_eq!(code, 0);
        assert!(out.starts_with(&format!(
            "Found log directories:\n  {a}\n  {b}\n\nFound metadata: {{cluster.id={id}, "
        )));
        assert!(out.ends_with(", node.id=1, version=1}\n\n"), "{out}");

        let again = format!(
            "Log directory {a} is already formatted. Use --ignore-formatted to ignore this directory and format the \
             others.\n"
        );
        assert_eq!(run(&format!("format -t {id} -c {path}")), (1, String::new(), again));
        let all = "All of the log directories are already formatted.\n".to_owned();
        assert_eq!(run(&format!("format -g -t {id} -c {path}")), (0, all, String::new()));
        let (code, _, err) = run(&format!("format -g -t AAAAAAAAAAAAAAAAAAAAAA -c {path}"));
        assert_eq!(code, 1);
        assert!(err.contains("/a/meta.properties. Expected AAAAAAAAAAAAAAAAAAAAAA, but read b3R0"), "{err}");
        let (code, _, err) = run(&format!("format -t {id} -c {path} --add-scram x"));
        assert_eq!(code, 1);
        assert!(err.contains("kafka-configs"), "{err}");
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
