//! `kafka-reassign-partitions`: moves replicas to other brokers and directories, and says how far they are.
//! Shell over the client; `plan` reads and writes the files, `placement` proposes, `throttles` bounds, `directories` is
//! what happens inside of one broker.

mod directories;
mod placement;
mod plan;
mod throttles;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ottla_env::Rng;
use ottla_env::real::RealRng;
use ottla_model::ErrorCode;
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::list_partition_reassignments_response::OngoingPartitionReassignment;
use ottla_protocol::messages::{AlterPartitionReassignmentsRequest, BrokerId};

use self::placement::{Begin, Broker};
use self::plan::{Assignment, Directories, Plan, Replica, failed, list, name};
use crate::admin;
use crate::client::{Client, ClientSettings};
use crate::command::{Line, required, settings};
use crate::error::{Exception, Failure};
use crate::offset_reset::{Key, execution, trace};
use crate::options::{Known, Options, flag, value};
use crate::partitions_file::operation;
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    flag("generate", "Propose where the partitions of topics might go; nothing is done."),
    flag("execute", "Begin what the file says."),
    flag("verify", "Say how far it is; when it is done its throttles are taken away."),
    flag("cancel", "End what is going on."),
    flag("list", "List what is going on."),
    value("bootstrap-server", "The brokers to connect to."),
    value("bootstrap-controller", "The controllers to connect to, for --cancel and --list."),
    value("command-config", "A properties file for the client."),
    value("reassignment-json-file", "What is to be where."),
    value("topics-to-move-json-file", "The topics for --generate."),
    value("broker-list", "The brokers for --generate, between commas."),
    flag("disable-rack-aware", "Do not look at racks."),
    value("throttle", "The bytes a second that may move between brokers."),
    value("replica-alter-log-dirs-throttle", "The bytes a second that may move between directories."),
    value("timeout", "How long to wait for moves between directories to begin, in ms."),
    flag("additional", "Do it beside what is going on; also changes its throttle."),
    flag("preserve-throttles", "Leave the throttles as they are."),
    flag("disallow-replication-factor-change", "Refuse to change how many replicas a partition has."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line =
    Line { about: "This tool helps to move topic partitions between replicas.", options: OPTIONS, run };

/// An action with what it needs and what it takes beside that.
struct Action {
    name: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
}

const ACTIONS: [Action; 5] = [
    Action {
        name: "generate",
        needs: &["topics-to-move-json-file", "broker-list"],
        takes: &["bootstrap-server", "command-config", "disable-rack-aware"],
    },
    Action {
        name: "execute",
        needs: &["reassignment-json-file"],
        takes: &[
            "additional",
            "bootstrap-server",
            "command-config",
            "throttle",
            "replica-alter-log-dirs-throttle",
            "timeout",
            "disallow-replication-factor-change",
        ],
    },
    Action {
        name: "verify",
        needs: &["reassignment-json-file"],
        takes: &["bootstrap-server", "command-config", "preserve-throttles"],
    },
    Action {
        name: "cancel",
        needs: &["reassignment-json-file"],
        takes: &[
            "bootstrap-server",
            "bootstrap-controller",
            "command-config",
            "preserve-throttles",
            "timeout",
        ],
    },
    Action {
        name: "list",
        needs: &[],
        takes: &["bootstrap-server", "bootstrap-controller", "command-config"],
    },
];

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let action = check(options)?;
    match act(action, options, terminal) {
        Err(Failure::Kafka(exception)) => {
            terminal.say(&format!("Error: {}\n{}\n", exception.message, trace(&exception)))?;
            Err(Failure::Exit(1))
        }
        other => other,
    }
}

fn check(options: &Options) -> Result<&'static Action, Failure> {
    let wrong = |message: String| Err(Failure::Usage(message));
    let mut given = ACTIONS.iter().filter(|action| options.has(action.name));
    let (Some(action), None) = (given.next(), given.next()) else {
        let names: Vec<String> = ACTIONS.iter().map(|action| format!("--{}", action.name)).collect();
        return wrong(format!("Command must include exactly one action: {}", names.join(", ")));
    };
    match (options.has("bootstrap-server"), options.has("bootstrap-controller")) {
        (true, true) => {
            return wrong(
                "Please don't specify both --bootstrap-server and --bootstrap-controller".to_owned(),
            );
        }
        (false, false) => {
            return wrong("Please specify either --bootstrap-server or --bootstrap-controller".to_owned());
        }
        _ => {}
    }
    for name in action.needs {
        required(options, name)?;
    }
    let is_taken =
        |name: &str| name == action.name || action.needs.contains(&name) || action.takes.contains(&name);
    if let Some((name, _)) = options.given().find(|(name, _)| !is_taken(name)) {
        return wrong(format!("Option \"[{name}]\" can't be used with action \"[{}]\"", action.name));
    }
    for name in ["throttle", "replica-alter-log-dirs-throttle", "timeout"] {
        number(options, name)?;
    }
    Ok(action)
}

fn number(options: &Options, name: &str) -> Result<Option<i64>, Failure> {
    let Some(text) = options.get(name) else { return Ok(None) };
    let parsed = text.parse().ok();
    parsed.map(Some).ok_or_else(|| Failure::Usage(format!("Cannot parse argument '{text}' of option {name}")))
}

fn act(action: &Action, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let address = options.get("bootstrap-controller").or_else(|| options.get("bootstrap-server"));
    let default =
        ClientSettings { client_id: "reassign-partitions-tool".to_owned(), ..ClientSettings::default() };
    let settings = settings(options.get("command-config"), default)?;
    let mut client = Client::new(address.unwrap_or_default(), settings)?;
    match action.name {
        "generate" => generate(&mut client, options, terminal),
        "execute" => execute(&mut client, options, terminal),
        "verify" => verify(&mut client, options, terminal),
        "cancel" => cancel(&mut client, options, terminal),
        _ => {
            let ongoing = admin::reassignments(&mut client, terminal).map_err(execution)?;
            Ok(terminal.say(&ongoing_text(&ongoing))?)
        }
    }
}

fn read(options: &Options, name: &str) -> Result<String, Exception> {
    let path = options.get(name).unwrap_or_default();
    let message = format!("Unable to read file {path}");
    std::fs::read_to_string(path).map_err(|_| Exception::new("java.io.IOException", message))
}

fn ongoing_text(ongoing: &BTreeMap<Key, OngoingPartitionReassignment>) -> String {
    if ongoing.is_empty() {
        return "No partition reassignments found.".to_owned();
    }
    let lines = ongoing.iter().map(|(key, reassignment)| {
        let part = |word: &str, ids: &[BrokerId]| match ids.is_empty() {
            true => String::new(),
            false => format!(" {word}: {}.", ids_text(ids)),
        };
        format!(
            "{}: replicas: {}.{}{}",
            name(key),
            ids_text(&reassignment.replicas),
            part("adding", &reassignment.adding_replicas),
            part("removing", &reassignment.removing_replicas)
        )
    });
    format!("Current partition reassignments:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

fn ids_text(ids: &[BrokerId]) -> String {
    list(&ids.iter().map(|id| id.0).collect::<Vec<_>>())
}

/// Where all partitions of topics are.
fn assigned(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    topics: &BTreeSet<&str>,
) -> Result<Assignment, Exception> {
    let mut assignment = Assignment::new();
    for name in topics {
        let described = admin::describe_topics(client, terminal, &[(*name).to_owned()]).map_err(|error| {
            execution(match error.is_of(ErrorCode::UnknownTopicOrPartition) {
                true => {
                    Exception::kafka("UnknownTopicOrPartitionException", format!("Topic {name} not found."))
                }
                false => error,
            })
        })?;
        for partition in described.iter().flat_map(|topic| &topic.partitions) {
            let replicas = partition.replica_nodes.iter().map(|id| id.0).collect();
            assignment.insert(((*name).to_owned(), partition.partition_index), replicas);
        }
    }
    Ok(assignment)
}

/// The directory of each replica whose broker is there.
fn directories_of(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    assignment: &Assignment,
) -> Result<Directories, Exception> {
    client.metadata(terminal, "describeCluster", Some(Vec::new()))?;
    let there: BTreeSet<i32> = client.nodes().map(|node| node.id).collect();
    let replicas: BTreeSet<Replica> = assignment
        .iter()
        .flat_map(|((topic, partition), replicas)| {
            let there = replicas.iter().filter(|id| there.contains(id));
            there.map(move |id| (*id, topic.clone(), *partition))
        })
        .collect();
    let places = directories::places(client, terminal, &replicas).map_err(execution)?;
    Ok(places.into_iter().filter_map(|(replica, place)| Some((replica, place.current?))).collect())
}

fn generate(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let file = read(options, "topics-to-move-json-file")?;
    let text = options.get("broker-list").unwrap_or_default();
    let parse = |word: &str| {
        let message = format!("For input string: \"{word}\"");
        word.parse().map_err(|_| Exception::new("java.lang.NumberFormatException", message))
    };
    let wanted: Vec<i32> = text.split(',').map(parse).collect::<Result<_, _>>()?;
    let twice = plan::duplicates(wanted.iter().copied());
    if !twice.is_empty() {
        let twice = list(&twice).replace(',', ", ");
        return Err(failed(format!("Broker list contains duplicate entries: [{twice}]")).into());
    }
    let topics = plan::topics(&file)?;
    let twice = plan::duplicates(topics.iter().map(String::as_str)).join(", ");
    if !twice.is_empty() {
        let message = format!("List of topics to reassign contains duplicate entries: [{twice}]");
        return Err(failed(message).into());
    }
    let current = assigned(client, terminal, &topics.iter().map(String::as_str).collect())?;
    let known = directories_of(client, terminal, &current)?;
    let brokers = brokers(client, &wanted, !options.has("disable-rack-aware"))?;
    let mut proposed = Assignment::new();
    for topic in &topics {
        let mut partitions = current.iter().filter(|((name, _), _)| name == topic).peekable();
        let Some((_, replicas)) = partitions.peek() else { continue };
        let (replica_count, partition_count) = (replicas.len(), partitions.count());
        let place = || usize::try_from(RealRng.next_u64() % brokers.len().max(1) as u64).unwrap_or(0);
        let begin = Begin { leader: place(), shift: place() };
        let placed = placement::place(&brokers, partition_count, replica_count, begin)?;
        proposed
            .extend((0..).zip(placed).map(|(partition, replicas)| ((topic.clone(), partition), replicas)));
    }
    terminal.say(&format!("Current partition replica assignment\n{}\n", plan::json(&current, &known)))?;
    let json = plan::json(&proposed, &Directories::new());
    Ok(terminal.say(&format!("Proposed partition reassignment configuration\n{json}"))?)
}

/// Those of the brokers that are there.
fn brokers(client: &mut Client, wanted: &[i32], with_racks: bool) -> Result<Vec<Broker>, Exception> {
    let there = client.nodes().filter(|node| wanted.contains(&node.id));
    let brokers: Vec<Broker> =
        there.map(|node| Broker { id: node.id, rack: node.rack.clone().filter(|_| with_racks) }).collect();
    let rackless = brokers.iter().filter(|broker| broker.rack.is_none()).count();
    if with_racks && rackless != 0 && rackless != brokers.len() {
        return Err(operation(
            "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica \
             assignment without rack information.",
        ));
    }
    Ok(brokers)
}

const EXISTING: &str = "Cannot execute because there is an existing partition assignment.  Use --additional to override \
                        this and create a new partition assignment in addition to the existing one. The --additional \
                        flag can also be used to change the throttle by resubmitting the current reassignment.";
const VERIFY_WARNING: &str = "Warning: You must run --verify periodically, until the reassignment completes, to ensure the \
                              throttle is removed.";

/// What Kafka throws as a `TerseException`: a sentence on standard output.
fn terse(terminal: &mut Terminal<'_>, sentence: &str) -> Result<(), Failure> {
    terminal.say(sentence)?;
    Err(Failure::Exit(1))
}

fn timeout(options: &Options) -> Result<Duration, Failure> {
    let ms = number(options, "timeout")?.unwrap_or(10_000);
    Ok(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

fn execute(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let plan = Plan::parse(&read(options, "reassignment-json-file")?)?;
    let proposed = plan.checked()?;
    let ongoing = admin::reassignments(client, terminal).map_err(execution)?;
    if !options.has("additional") && !ongoing.is_empty() {
        return terse(terminal, EXISTING);
    }
    client.metadata(terminal, "describeCluster", Some(Vec::new()))?;
    let there: BTreeSet<i32> = client.nodes().map(|node| node.id).collect();
    if let Some(unknown) = proposed.values().flatten().find(|id| !there.contains(id)) {
        return Err(failed(format!("Unknown broker id {unknown}")).into());
    }
    let mut current =
        assigned(client, terminal, &proposed.keys().map(|(topic, _)| topic.as_str()).collect())?;
    current.retain(|key, _| proposed.contains_key(key));
    let missing: Vec<String> = proposed.keys().filter(|key| !current.contains_key(*key)).map(name).collect();
    if !missing.is_empty() {
        let message = format!("Unable to find partition: {}", missing.join(", "));
        return Err(execution(Exception::kafka("UnknownTopicOrPartitionException", message)).into());
    }
    let known = directories_of(client, terminal, &current)?;
    terminal.say(&format!(
        "Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during \
         rollback",
        plan::json(&current, &known)
    ))?;
    throttle(client, options, terminal, (&ongoing, &proposed, &current), &plan)?;
    let allow_change = !options.has("disallow-replication-factor-change");
    let wanted = proposed.iter().map(|(key, replicas)| (key.clone(), Some(replicas.clone()))).collect();
    let errors = alter(client, terminal, &wanted, allow_change)?;
    if !errors.is_empty() {
        return terse(terminal, &format!("Error reassigning partition(s):\n{}", error_lines(&errors)));
    }
    let several = if proposed.len() == 1 { "" } else { "s" };
    let names = proposed.keys().map(name).collect::<Vec<_>>().join(",");
    terminal.say(&format!("Successfully started partition reassignment{several} for {names}"))?;
    if plan.directories.is_empty() {
        return Ok(());
    }
    directories::start(client, terminal, &plan.directories, timeout(options)?)
}

fn throttle(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
    moving: (&BTreeMap<Key, OngoingPartitionReassignment>, &Assignment, &Assignment),
    plan: &Plan,
) -> Result<(), Failure> {
    let rate = |name| Ok::<_, Failure>(number(options, name)?.filter(|rate| *rate >= 0));
    let (between_brokers, between_directories) =
        (rate("throttle")?, rate("replica-alter-log-dirs-throttle")?);
    if between_brokers.is_some() || between_directories.is_some() {
        terminal.say(VERIFY_WARNING)?;
    }
    if let Some(rate) = between_brokers {
        let (ongoing, proposed, current) = moving;
        let moves = throttles::moves(ongoing, proposed, current);
        throttles::set_between_brokers(client, terminal, &moves, rate)?;
    }
    if let Some(rate) = between_directories {
        let brokers = plan.directories.keys().map(|(broker, _, _)| *broker).collect();
        throttles::set_between_directories(client, terminal, &brokers, rate)?;
    }
    Ok(())
}

type Errors = BTreeMap<Key, Exception>;

fn error_lines(errors: &Errors) -> String {
    let lines = errors.iter().map(|(key, error)| format!("{}: {}", name(key), error.message));
    lines.collect::<Vec<_>>().join("\n")
}

/// Begins moves, or ends those that have no replicas to go to; what is refused is returned.
fn alter(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    wanted: &BTreeMap<Key, Option<Vec<i32>>>,
    allow_change: bool,
) -> Result<Errors, Exception> {
    let mut topics: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
    for ((topic, partition), replicas) in wanted {
        let replicas = replicas.as_ref().map(|ids| ids.iter().map(|id| BrokerId(*id)).collect());
        let partition =
            ReassignablePartition::default().with_partition_index(*partition).with_replicas(replicas);
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        ReassignableTopic::default().with_name(admin::topic_name(topic)).with_partitions(partitions)
    });
    let request = AlterPartitionReassignmentsRequest::default()
        .with_timeout_ms(30_000)
        .with_allow_replication_factor_change(allow_change)
        .with_topics(topics.collect());
    let response = client.any(terminal, "alterPartitionReassignments", &request)?;
    let whole = Exception::check(response.error_code, response.error_message.as_deref());
    if let Err(exception) = whole {
        return Ok(wanted.keys().map(|key| (key.clone(), exception.clone())).collect());
    }
    let mut errors = Errors::new();
    for topic in &response.responses {
        for partition in &topic.partitions {
            let checked = Exception::check(partition.error_code, partition.error_message.as_deref());
            if let Err(exception) = checked {
                errors.insert((topic.name.to_string(), partition.partition_index), exception);
            }
        }
    }
    Ok(errors)
}

fn verify(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let plan = Plan::parse(&read(options, "reassignment-json-file")?)?;
    let ongoing = admin::reassignments(client, terminal).map_err(execution)?;
    let mut lines = vec!["Status of partition reassignment:".to_owned()];
    let mut partitions: Vec<&(Key, Vec<i32>)> = plan.partitions.iter().collect();
    partitions.sort_by(|a, b| a.0.cmp(&b.0));
    for (key, target) in partitions {
        let current = match ongoing.contains_key(key) {
            true => None,
            false => Some(replicas_of(client, terminal, key)?),
        };
        lines.push(verdict(key, current.as_deref(), target));
    }
    terminal.say(&lines.join("\n"))?;
    let places = places_of(client, terminal, &plan.directories)?;
    let states: Vec<(String, bool)> = plan
        .directories
        .iter()
        .map(|(replica, target)| directories::state(replica, &places[replica], target))
        .collect();
    terminal.say(&states.iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>().join("\n"))?;
    let is_done = ongoing.is_empty() && states.iter().all(|(_, is_moving)| !is_moving);
    if is_done && !options.has("preserve-throttles") {
        throttles::clear(client, terminal, &plan.partitions)?;
    }
    Ok(())
}

fn places_of(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    directories: &Directories,
) -> Result<BTreeMap<Replica, directories::Place>, Exception> {
    let replicas: BTreeSet<Replica> = directories.keys().cloned().collect();
    directories::places(client, terminal, &replicas).map_err(execution)
}

/// The replicas of a partition that does not move; none of one that is not there.
fn replicas_of(client: &mut Client, terminal: &mut Terminal<'_>, key: &Key) -> Result<Vec<i32>, Exception> {
    let (topic, partition) = key;
    let topics = match admin::describe_topics(client, terminal, std::slice::from_ref(topic)) {
        Ok(topics) => topics,
        Err(error) if error.is_of(ErrorCode::UnknownTopicOrPartition) => return Ok(Vec::new()),
        Err(error) => return Err(execution(error)),
    };
    let mut partitions = topics.iter().flat_map(|topic| &topic.partitions);
    let found = partitions.find(|found| found.partition_index == *partition);
    Ok(found.map(|found| found.replica_nodes.iter().map(|id| id.0).collect()).unwrap_or_default())
}

fn verdict(key: &Key, current: Option<&[i32]>, target: &[i32]) -> String {
    let partition = name(key);
    match current {
        None => format!("Reassignment of partition {partition} is still in progress."),
        Some(current) if current == target => format!("Reassignment of partition {partition} is completed."),
        Some(current) => format!(
            "There is no active reassignment of partition {partition}, but replica set is {} rather than {}.",
            list(current),
            list(target)
        ),
    }
}

fn cancel(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let plan = Plan::parse(&read(options, "reassignment-json-file")?)?;
    let mut ongoing = admin::reassignments(client, terminal).map_err(execution)?;
    ongoing.retain(|key, _| plan.partitions.iter().any(|(named, _)| named == key));
    ongoing.retain(|_, one| !(one.adding_replicas.is_empty() && one.removing_replicas.is_empty()));
    if ongoing.is_empty() {
        terminal.say("None of the specified partition reassignments are active.")?;
    } else {
        let wanted = ongoing.keys().map(|key| (key.clone(), None)).collect();
        let errors = alter(client, terminal, &wanted, true)?;
        if !errors.is_empty() {
            let several = if errors.len() == 1 { "" } else { "s" };
            let lines = error_lines(&errors);
            let sentence = format!("Error cancelling partition reassignment{several} for:\n{lines}");
            return terse(terminal, &sentence);
        }
        let several = if ongoing.len() == 1 { "" } else { "s" };
        let names = ongoing.keys().map(name).collect::<Vec<_>>().join(",");
        terminal.say(&format!("Successfully cancelled partition reassignment{several} for: {names}"))?;
    }
    let moving: Directories = places_of(client, terminal, &plan.directories)?
        .into_iter()
        .filter_map(|(replica, place)| Some((replica, place.future.and(place.current)?)))
        .collect();
    if moving.is_empty() {
        write!(terminal.out, "None of the specified partition moves are active.")?;
    } else {
        directories::start(client, terminal, &moving, timeout(options)?)?;
    }
    if !options.has("preserve-throttles") {
        throttles::clear(client, terminal, &plan.partitions)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Option<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match check(&Options::parse(OPTIONS, &words).expect("a good line")) {
            Ok(_) => None,
            Err(Failure::Usage(message)) => Some(message),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wrong_line_is_told_in_kafka_s_words() {
        let said = [
            (
                "--list --verify",
                "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list",
            ),
            ("--list", "Please specify either --bootstrap-server or --bootstrap-controller"),
            ("--execute --bootstrap-server b", "Missing required argument \"[reassignment-json-file]\""),
            (
                "--verify --bootstrap-server b --reassignment-json-file f --throttle 1",
                "Option \"[throttle]\" can't be used with action \"[verify]\"",
            ),
            (
                "--execute --bootstrap-controller b --reassignment-json-file f",
                "Option \"[bootstrap-controller]\" can't be used with action \"[execute]\"",
            ),
        ];
        for (line, message) in said {
            assert_eq!(checked(line).as_deref(), Some(message), "{line}");
        }
        for right in [
            "--list --bootstrap-controller b",
            "--execute --bootstrap-server b --reassignment-json-file f --timeout 1",
        ] {
            assert_eq!(checked(right), None, "{right}");
        }
    }

    #[test]
    fn what_goes_on_is_told_as_kafka_tells_it() {
        assert_eq!(ongoing_text(&BTreeMap::new()), "No partition reassignments found.");
        let ids = |ids: &[i32]| ids.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
        let one = OngoingPartitionReassignment::default()
            .with_replicas(ids(&[3, 1]))
            .with_adding_replicas(ids(&[3]))
            .with_removing_replicas(ids(&[1]));
        let ongoing = BTreeMap::from([(("t".to_owned(), 0), one)]);
        assert_eq!(
            ongoing_text(&ongoing),
            "Current partition reassignments:\nt-0: replicas: 3,1. adding: 3. removing: 1."
        );
        let key = ("t".to_owned(), 0);
        assert_eq!(verdict(&key, Some(&[1]), &[1]), "Reassignment of partition t-0 is completed.");
        assert_eq!(
            verdict(&key, Some(&[1, 2]), &[1]),
            "There is no active reassignment of partition t-0, but replica set is 1,2 rather than 1."
        );
    }
}
