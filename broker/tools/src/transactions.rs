//! `kafka-transactions`: which transactions there are, who has some open, and an end for those that hang.
//! Shell over the client and the clock; which of them hang is decided by a plain function.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ottla_env::Clock;
use ottla_env::real::RealClock;
use ottla_model::ErrorCode;
use ottla_protocol::messages::describe_producers_request::TopicRequest;
use ottla_protocol::messages::describe_producers_response::ProducerState;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use ottla_protocol::messages::{
    DescribeProducersRequest, DescribeTransactionsRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListTransactionsRequest, ProducerId, TransactionalId, WriteTxnMarkersRequest,
};

use crate::admin;
use crate::client::Client;
use crate::command::{Action, Actions, client};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::table;
use crate::terminal::Terminal;

const GLOBALS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
];
const HELP: Known = flag("help", "Show this.").or('h');
const TOPIC: Known = value("topic", "The topic.");
const PARTITION: Known = value("partition", "The partition.");

pub const ACTIONS: Actions = Actions {
    name: "kafka-transactions.sh",
    globals: GLOBALS,
    is_terse: false,
    actions: &[
        Action {
            name: "list",
            options: &[
                value("duration-filter", "Show those that run longer, in ms."),
                value("transactional-id-pattern", "Show those whose ids match, as a regular expression."),
                HELP,
            ],
            run: list,
        },
        Action { name: "describe", options: &[value("transactional-id", "The id."), HELP], run: describe },
        Action {
            name: "describe-producers",
            options: &[
                value("broker-id", "The replica to ask instead of the leader."),
                TOPIC,
                PARTITION,
                HELP,
            ],
            run: describe_producers,
        },
        Action {
            name: "abort",
            options: &[
                TOPIC,
                PARTITION,
                value("start-offset", "Where the transaction begins."),
                value("producer-id", "Instead, for old brokers: the producer."),
                value("producer-epoch", "Its epoch."),
                value("coordinator-epoch", "The epoch of its coordinator."),
                HELP,
            ],
            run: abort,
        },
        Action {
            name: "find-hanging",
            options: &[
                value("broker-id", "The broker to look at."),
                value("max-transaction-timeout", "In minutes: younger ones do not hang. Default: 15."),
                TOPIC,
                PARTITION,
                HELP,
            ],
            run: find_hanging,
        },
        Action {
            name: "forceTerminateTransaction",
            options: &[value("transactionalId", "The id."), HELP],
            run: force_terminate,
        },
    ],
};

const TRANSACTION_KEY: i8 = 1;
/// Kafka's version of the transactions that this marker ends: whoever writes it knows of no newer one.
const OLD_TRANSACTIONS: i8 = 0;
const MINUTE_MS: i64 = 60_000;
/// Before a coordinator that is not there yet is asked for again.
const PAUSE: Duration = Duration::from_millis(100);

fn connect(options: &Options) -> Result<Client, Failure> {
    if !options.has("bootstrap-server") {
        return Err(Failure::Usage("argument --bootstrap-server is required".to_owned()));
    }
    client(options, "bootstrap-server")
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Sentence(message.into(), 1))
}

fn needed<'a>(options: &'a Options, name: &str) -> Result<&'a str, Failure> {
    options.get(name).ok_or_else(|| Failure::Usage(format!("argument --{name} is required")))
}

fn number<T: std::str::FromStr>(options: &Options, name: &str) -> Result<Option<T>, Failure> {
    let Some(text) = options.get(name) else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| Failure::Usage(format!("argument --{name}: could not convert '{text}' to a number")))
}

/// `Failed to … Enable debug logging for additional detail.`
fn failed(what: &str) -> impl Fn(Exception) -> Failure + '_ {
    move |exception| {
        let why = exception.message;
        Failure::Sentence(format!("{what}: {why}. Enable debug logging for additional detail."), 1)
    }
}

fn print(terminal: &mut Terminal<'_>, head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    for line in table::lines(head, rows) {
        terminal.say(&line)?;
    }
    Ok(())
}

fn list(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut client = connect(options)?;
    let duration: Option<i64> = number(options, "duration-filter")?;
    client.metadata(terminal, "findAllBrokers", Some(Vec::new()))?;
    let nodes: Vec<i32> = client.nodes().map(|node| node.id).collect();
    let mut rows = Vec::new();
    for node in nodes {
        let request = ListTransactionsRequest::default()
            .with_duration_filter(duration.unwrap_or(-1))
            .with_transactional_id_pattern(options.get("transactional-id-pattern").map(admin::text));
        let response = client.node(terminal, "listTransactions", node, &request);
        let response = response.map_err(failed("Failed to list transactions"))?;
        Exception::check(response.error_code, None).map_err(failed("Failed to list transactions"))?;
        rows.extend(response.transaction_states.into_iter().map(|one| {
            vec![
                one.transactional_id.to_string(),
                node.to_string(),
                one.producer_id.0.to_string(),
                one.transaction_state.to_string(),
            ]
        }));
    }
    rows.sort();
    print(terminal, &["TransactionalId", "Coordinator", "ProducerId", "TransactionState"], &rows)
}

fn coordinator(client: &mut Client, terminal: &mut Terminal<'_>, id: &str) -> Result<i32, Exception> {
    let request = FindCoordinatorRequest::default()
        .with_key_type(TRANSACTION_KEY)
        .with_coordinator_keys(vec![admin::text(id)]);
    let deadline = Instant::now() + client.settings().api_timeout;
    loop {
        let response = client.any(terminal, "findCoordinator", &request)?;
        let found = response.coordinators.first();
        let code = found.map_or(response.error_code, |found| found.error_code);
        let is_coming = [ErrorCode::CoordinatorNotAvailable, ErrorCode::CoordinatorLoadInProgress]
            .iter()
            .any(|error| error.code() == code);
        if is_coming && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
            continue;
        }
        Exception::check(code, found.and_then(|found| found.error_message.as_deref()))?;
        return Ok(found.map_or(-1, |found| found.node_id.0));
    }
}

fn describe(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let id = needed(options, "transactional-id")?;
    let mut client = connect(options)?;
    let what = format!("Failed to describe transaction state of transactional-id `{id}`");
    let node = coordinator(&mut client, terminal, id).map_err(failed(&what))?;
    let request =
        DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(admin::text(id))]);
    let response = client.node(terminal, "describeTransactions", node, &request).map_err(failed(&what))?;
    let Some(one) = response.transaction_states.into_iter().next() else { return Ok(()) };
    if ErrorCode::from_code(one.error_code) == Some(ErrorCode::TransactionalIdNotFound) {
        let message = format!(
            "DescribeTransactions request for transactionalId `{id}` failed because the ID could not be found"
        );
        return Err(failed(&what)(Exception::kafka("TransactionalIdNotFoundException", message)));
    }
    Exception::check(one.error_code, None).map_err(failed(&what))?;
    let began = one.transaction_start_time_ms;
    let open = |value: i64| if began >= 0 { value.to_string() } else { "None".to_owned() };
    let partitions = one.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| format!("{}-{partition}", topic.topic.as_str()))
    });
    let row = vec![
        node.to_string(),
        id.to_owned(),
        one.producer_id.0.to_string(),
        one.producer_epoch.to_string(),
        one.transaction_state.to_string(),
        one.transaction_timeout_ms.to_string(),
        open(began),
        open(RealClock::new().wall_ms() - began),
        partitions.collect::<Vec<_>>().join(","),
    ];
    let head = [
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ];
    print(terminal, &head, &[row])
}

/// The producers of one partition, as a broker knows them.
fn producers(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    node: i32,
    topic: &str,
    partition: i32,
) -> Result<Vec<ProducerState>, Exception> {
    let asked =
        TopicRequest::default().with_name(admin::topic_name(topic)).with_partition_indexes(vec![partition]);
    let request = DescribeProducersRequest::default().with_topics(vec![asked]);
    let response = client.node(terminal, "describeProducers", node, &request)?;
    let found = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
    let found = found.ok_or_else(|| Exception::of(ErrorCode::UnknownTopicOrPartition.code(), None))?;
    Exception::check(found.error_code, found.error_message.as_deref())?;
    Ok(found.active_producers)
}

/// The leaders of a topic's partitions, or of all topics.
fn leaders(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    topic: Option<&str>,
) -> Result<BTreeMap<(String, i32), i32>, Exception> {
    let asked =
        topic.map(|topic| vec![MetadataRequestTopic::default().with_name(Some(admin::topic_name(topic)))]);
    let response = client.metadata(terminal, "describeTopics", asked)?;
    let mut leaders = BTreeMap::new();
    for topic in &response.topics {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            leaders.insert((name.to_string(), partition.partition_index), partition.leader_id.0);
        }
    }
    Ok(leaders)
}

fn leader(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    topic: &str,
    partition: i32,
) -> Result<i32, Exception> {
    let leaders = leaders(client, terminal, Some(topic))?;
    let leader = leaders.get(&(topic.to_owned(), partition)).copied();
    leader.ok_or_else(|| Exception::of(ErrorCode::UnknownTopicOrPartition.code(), None))
}

fn offset_or_none(offset: i64) -> String {
    if offset < 0 { "None".to_owned() } else { offset.to_string() }
}

fn describe_producers(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let topic = needed(options, "topic")?;
    needed(options, "partition")?;
    let partition: i32 = number(options, "partition")?.unwrap_or(0);
    let mut client = connect(options)?;
    let asked: Option<i32> = number(options, "broker-id")?;
    let who = asked.map_or("leader".to_owned(), |id| format!("broker {id}"));
    let what = format!("Failed to describe producers for partition {topic}-{partition} on {who}");
    let node = match asked {
        Some(node) => node,
        None => leader(&mut client, terminal, topic, partition).map_err(failed(&what))?,
    };
    let found = producers(&mut client, terminal, node, topic, partition).map_err(failed(&what))?;
    let row = |one: &ProducerState| {
        vec![
            one.producer_id.0.to_string(),
            one.producer_epoch.to_string(),
            one.coordinator_epoch.to_string(),
            one.last_sequence.to_string(),
            one.last_timestamp.to_string(),
            offset_or_none(one.current_txn_start_offset),
        ]
    };
    let head = [
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ];
    print(terminal, &head, &found.iter().map(row).collect::<Vec<_>>())
}

/// What a marker must name: the producer, its epoch, and the epoch of its coordinator.
fn to_abort(
    options: &Options,
    found: impl FnOnce(i64) -> Result<Option<(i64, i16, i32)>, Failure>,
) -> Result<Option<(i64, i16, i32)>, Failure> {
    if let Some(offset) = number(options, "start-offset")? {
        return found(offset);
    }
    let Some(producer_id) = number(options, "producer-id")? else {
        return refuse(
            "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) or with \
             --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)",
        );
    };
    let Some(epoch) = number(options, "producer-epoch")? else {
        return refuse("Missing required argument --producer-epoch");
    };
    let Some(coordinator_epoch) = number::<i32>(options, "coordinator-epoch")? else {
        return refuse("Missing required argument --coordinator-epoch");
    };
    Ok(Some((producer_id, epoch, coordinator_epoch.max(0))))
}

fn abort(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let topic = needed(options, "topic")?;
    needed(options, "partition")?;
    let partition: i32 = number(options, "partition")?.unwrap_or(0);
    let mut client = connect(options)?;
    let validating = format!("Failed to validate producer state for partition {topic}-{partition}");
    let meant = to_abort(options, |offset| {
        let node = leader(&mut client, terminal, topic, partition).map_err(failed(&validating))?;
        let found = producers(&mut client, terminal, node, topic, partition).map_err(failed(&validating))?;
        let open = found.iter().find(|one| one.current_txn_start_offset == offset);
        Ok(open.map(|one| {
            let epoch = i16::try_from(one.producer_epoch).unwrap_or(i16::MAX);
            // No coordinator ended a transaction of this producer yet.
            (one.producer_id.0, epoch, one.coordinator_epoch.max(0))
        }))
    })?;
    let Some((producer_id, producer_epoch, coordinator_epoch)) = meant else {
        let offset = options.get("start-offset").unwrap_or_default();
        return refuse(format!(
            "Could not find any open transactions starting at offset {offset} on partition {topic}-{partition}"
        ));
    };
    let aborting = format!("Failed to abort transaction of producer {producer_id} on {topic}-{partition}");
    let node = leader(&mut client, terminal, topic, partition).map_err(failed(&aborting))?;
    let marked = WritableTxnMarkerTopic {
        name: admin::text(topic),
        partition_indexes: vec![partition],
        ..WritableTxnMarkerTopic::default()
    };
    let marker = WritableTxnMarker {
        producer_id,
        producer_epoch,
        transaction_result: false,
        topics: vec![marked],
        coordinator_epoch,
        transaction_version: OLD_TRANSACTIONS,
        ..WritableTxnMarker::default()
    };
    let request = WriteTxnMarkersRequest { markers: vec![marker], ..WriteTxnMarkersRequest::default() };
    let response = client.node(terminal, "abortTransaction", node, &request).map_err(failed(&aborting))?;
    let partitions =
        response.markers.iter().flat_map(|marker| &marker.topics).flat_map(|topic| &topic.partitions);
    for partition in partitions {
        Exception::check(partition.error_code, None).map_err(failed(&aborting))?;
    }
    Ok(())
}

/// An open transaction, as the leader of one of its partitions sees it.
struct Open {
    topic: String,
    partition: i32,
    state: ProducerState,
}

/// Those that are old, and of which no coordinator says that they have this partition.
fn hanging(open: Vec<Open>, known: &BTreeSet<(i64, String, i32)>) -> Vec<Open> {
    let is_known = |one: &Open| known.contains(&(one.state.producer_id.0, one.topic.clone(), one.partition));
    open.into_iter().filter(|one| !is_known(one)).collect()
}

fn find_hanging(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let broker: Option<i32> = number(options, "broker-id")?;
    if broker.is_none() && !options.has("topic") {
        return refuse(
            "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search",
        );
    }
    if options.has("partition") && !options.has("topic") {
        return refuse("The --partition argument requires --topic to be provided");
    }
    let partition: Option<i32> = number(options, "partition")?;
    let minutes: i64 = number(options, "max-transaction-timeout")?.unwrap_or(15);
    let mut client = connect(options)?;
    let listing = failed("Failed to list topics");
    let leaders = leaders(&mut client, terminal, options.get("topic")).map_err(listing)?;
    let now = RealClock::new().wall_ms();
    let mut open = Vec::new();
    for ((topic, index), leader) in leaders {
        let node = broker.unwrap_or(leader);
        if partition.is_some_and(|partition| partition != index) || leader < 0 || node != leader {
            continue;
        }
        let what = format!("Failed to describe producers of {topic}-{index}");
        let states = producers(&mut client, terminal, node, &topic, index).map_err(failed(&what))?;
        let is_old = |state: &ProducerState| {
            state.current_txn_start_offset >= 0 && now - state.last_timestamp > minutes * MINUTE_MS
        };
        open.extend(states.into_iter().filter(is_old).map(|state| Open {
            topic: topic.clone(),
            partition: index,
            state,
        }));
    }
    let known = if open.is_empty() { BTreeSet::new() } else { ongoing(&mut client, terminal, &open)? };
    let row = |one: &Open| {
        vec![
            one.topic.clone(),
            one.partition.to_string(),
            one.state.producer_id.0.to_string(),
            one.state.producer_epoch.to_string(),
            one.state.coordinator_epoch.to_string(),
            offset_or_none(one.state.current_txn_start_offset),
            one.state.last_timestamp.to_string(),
            ((now - one.state.last_timestamp) / MINUTE_MS).to_string(),
        ]
    };
    let head = [
        "Topic",
        "Partition",
        "ProducerId",
        "ProducerEpoch",
        "CoordinatorEpoch",
        "StartOffset",
        "LastTimestamp",
        "Duration(min)",
    ];
    print(terminal, &head, &hanging(open, &known).iter().map(row).collect::<Vec<_>>())
}

/// The partitions that the coordinators say are in the transactions of these producers.
fn ongoing(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    open: &[Open],
) -> Result<BTreeSet<(i64, String, i32)>, Failure> {
    let ids: BTreeSet<i64> = open.iter().map(|one| one.state.producer_id.0).collect();
    let nodes: Vec<i32> = client.nodes().map(|node| node.id).collect();
    let mut known = BTreeSet::new();
    let what = "Failed to list transactions";
    for node in nodes {
        let request = ListTransactionsRequest::default()
            .with_duration_filter(-1)
            .with_producer_id_filters(ids.iter().map(|id| ProducerId(*id)).collect());
        let listed = client.node(terminal, "listTransactions", node, &request).map_err(failed(what))?;
        Exception::check(listed.error_code, None).map_err(failed(what))?;
        let names: Vec<_> = listed.transaction_states.into_iter().map(|one| one.transactional_id).collect();
        if names.is_empty() {
            continue;
        }
        let request = DescribeTransactionsRequest::default().with_transactional_ids(names);
        let described =
            client.node(terminal, "describeTransactions", node, &request).map_err(failed(what))?;
        for one in described.transaction_states.iter().filter(|one| one.error_code == 0) {
            for topic in &one.topics {
                let partitions = topic.partitions.iter();
                known.extend(partitions.map(|index| (one.producer_id.0, topic.topic.to_string(), *index)));
            }
        }
    }
    Ok(known)
}

fn force_terminate(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let id = needed(options, "transactionalId")?;
    let mut client = connect(options)?;
    let what = format!("Failed to force terminate transactionalId `{id}`");
    let node = coordinator(&mut client, terminal, id).map_err(failed(&what))?;
    let request = InitProducerIdRequest {
        transactional_id: Some(admin::text(id)),
        transaction_timeout_ms: i32::try_from(MINUTE_MS).unwrap_or(i32::MAX),
        ..InitProducerIdRequest::default()
    };
    let response =
        client.node(terminal, "forceTerminateTransaction", node, &request).map_err(failed(&what))?;
    Exception::check(response.error_code, None).map_err(failed(&what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let abort = ACTIONS.actions.iter().find(|action| action.name == "abort").expect("an action");
        Options::parse(abort.options, &words).expect("a good line")
    }

    #[test]
    fn a_transaction_to_abort_is_named_in_one_of_two_ways() {
        let none = |_offset| Ok(None);
        assert!(matches!(
            to_abort(&options("--start-offset 5"), |offset| Ok(Some((offset, 0, 0)))),
            Ok(Some((5, 0, 0)))
        ));
        let line = "--producer-id 7 --producer-epoch 1 --coordinator-epoch 2";
        assert!(matches!(to_abort(&options(line), none), Ok(Some((7, 1, 2)))));
        for bad in ["", "--producer-id 7", "--producer-id 7 --producer-epoch 1", "--start-offset x"] {
            assert!(to_abort(&options(bad), none).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_transaction_hangs_that_no_coordinator_knows() {
        let open = |id: i64, partition: i32| Open {
            topic: "t".to_owned(),
            partition,
            state: ProducerState::default().with_producer_id(ProducerId(id)),
        };
        let known = BTreeSet::from([(7, "t".to_owned(), 0)]);
        let found = hanging(vec![open(7, 0), open(7, 1), open(8, 0)], &known);
        let names: Vec<(i64, i32)> =
            found.iter().map(|one| (one.state.producer_id.0, one.partition)).collect();
        assert_eq!(names, [(7, 1), (8, 0)]);
    }
}
