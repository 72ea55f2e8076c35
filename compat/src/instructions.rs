//! `cargo compat instructions`: how many instructions the broker executes for one request of each kind, counted by callgrind.
//! Shell: runs the broker under valgrind, one request at a time on one connection.
//!
//! A count needs no quiet machine: each kind is run twice with a different number of requests, and the difference
//! of both counts holds only the requests. The kernel's work (copies, sends, syncs) is not in it.
#![allow(clippy::print_stderr, reason = "progress for the person who waits")]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::bench::answers;
use crate::bench::frames::{self, Frame};
use crate::bench::load;
use crate::bench::scene::TOPIC;
use crate::bench::workloads;
use crate::broker::{self, Broker, BrokerOptions, OttlaServer};
use crate::failure::{Outcome, While, fail};
use crate::places::ScratchDir;
use crate::process;
use crate::wire::{Body, Connection};

/// Requests before the counting begins to matter: lazy set-up is in both runs.
const FEW: u64 = 200;
const MANY: u64 = 5_200;

/// How long a coordinator may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a request, once the broker runs and its topic is there.
type Prepare = fn(&dyn Broker) -> Outcome<Frame>;

/// The kinds of request by name.
const KINDS: &[(&str, Prepare)] = &[
    ("Produce, one batch of 64 KiB (64 records), acks=1", |_| Ok(produce(64, 1_010))),
    ("Produce, one record of 100 B, acks=1", |_| Ok(produce(1, 100))),
    ("Fetch, one batch of 64 KiB", |broker| fetch(broker, 64, 1_010)),
    ("Fetch, one batch of 100 B", |broker| fetch(broker, 1, 100)),
    ("Metadata, one topic", |_| Ok(frames::metadata(TOPIC))),
    ("ApiVersions", |_| Ok(frames::api_versions())),
    ("Heartbeat", workloads::member),
    ("OffsetCommit, one partition, synced", |broker| {
        let frame = frames::offset_commit("counted", TOPIC);
        load::until_answered(broker.bootstrap(), &frame, PATIENCE)?;
        Ok(frame)
    }),
];

fn produce(records: usize, value_bytes: usize) -> Frame {
    frames::produce(TOPIC, 0, 1, &frames::batch(records, value_bytes))
}

/// A fetch of the first batch, and of nothing behind it.
fn fetch(broker: &dyn Broker, records: usize, value_bytes: usize) -> Outcome<Frame> {
    let batch = frames::batch(records, value_bytes);
    load::ask_once(broker.bootstrap(), &frames::produce(TOPIC, 0, 1, &batch))?;
    let bytes_max = i32::try_from(batch.len()).unwrap_or(i32::MAX);
    Ok(frames::FetchFrame::new(TOPIC, 0, bytes_max, 0).frame)
}

/// Counts every kind whose name holds one of `wanted`, or all; the table as Markdown. What callgrind wrote of
/// the longer run is kept in `keep`, for callgrind_annotate.
pub fn run(wanted: &[String], keep: Option<&Path>) -> Outcome<String> {
    process::require("valgrind", "the counts come from its tool callgrind")?;
    broker::build_ottla()?;
    let mut table = String::from("| request | instructions |\n| --- | ---: |\n");
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    for (index, (name, prepare)) in KINDS.iter().enumerate().filter(|(_, (name, _))| is_wanted(name)) {
        let keep = keep.map(|folder| folder.join(format!("callgrind.out.{index}")));
        let (few, many) = (count(*prepare, FEW, None)?, count(*prepare, MANY, keep.as_deref())?);
        let each = many.saturating_sub(few) / (MANY - FEW);
        eprintln!("{name}: {each}");
        writeln!(table, "| {name} | {each} |").map_err(|_| "writing to memory").or_else(fail)?;
    }
    Ok(table)
}

/// The instructions of a whole life of the broker in which it answers so many requests.
fn count(prepare: Prepare, requests: u64, keep: Option<&Path>) -> Outcome<u64> {
    let scratch = ScratchDir::new("instructions")?;
    let counts = scratch.path().join("callgrind.out");
    let under = ["valgrind", "--tool=callgrind", "--quiet"].map(str::to_owned);
    let mut options = BrokerOptions { under: under.to_vec(), ..BrokerOptions::default() };
    options.under.push(format!("--callgrind-out-file={}", counts.display()));
    // One worker: which of several takes up a request is chance, and waking one costs instructions.
    options.environment.push(("TOKIO_WORKER_THREADS".to_owned(), "1".to_owned()));
    let mut broker = OttlaServer::start(&options)?;
    let mut connection = Connection::open(broker.bootstrap(), Duration::from_secs(30))?;
    connection.create_topic(TOPIC, 1, &[])?;
    // Asking for the coordinator is what makes the topic of the offsets.
    connection.ask(10, 0, Body::default().string("counted"))?;
    let frame = prepare(&broker)?;
    let mut stream = load::connect(broker.bootstrap())?;
    for _ in 0..requests {
        ask(&mut stream, &frame).while_doing(|| broker.last_output(5))?;
    }
    broker.stop()?;
    if let Some(kept) = keep {
        std::fs::copy(&counts, kept).while_doing(|| format!("writing {}", kept.display()))?;
    }
    total(&counts)
}

/// Sends one request and reads its whole answer.
fn ask(stream: &mut TcpStream, frame: &Frame) -> Outcome<()> {
    stream.write_all(&frame.bytes)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = length.to_vec();
    answer.resize(4 + usize::try_from(i32::from_be_bytes(length)).unwrap_or(0), 0);
    stream.read_exact(&mut answer[4..])?;
    answers::check(&answer, frame)
}

/// What callgrind wrote at the end of the process.
fn total(counts: &Path) -> Outcome<u64> {
    let text = std::fs::read_to_string(counts).while_doing(|| format!("reading {}", counts.display()))?;
    let totals = text.lines().rev().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    match totals {
        Some(total) => Ok(total),
        None => fail(format!("{} has no line of totals", counts.display())),
    }
}
