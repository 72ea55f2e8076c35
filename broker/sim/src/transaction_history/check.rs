//! What must be true of the logs of a history, read from their first byte.
//! Shell.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_coordinator::transaction::{PartitionSet, TransactionState, codec};
use ottla_log::producer_state::{ProducerEntry, ProducerState};
use ottla_log::{ReadLimits, UnifiedLog};
use ottla_model::{Offset, ProducerId, TopicPartition};
use ottla_network::{Admitted, Answer, Handler};
use ottla_protocol::ApiKey;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use ottla_protocol::messages::{FetchResponse, OffsetFetchRequest, OffsetFetchResponse};
use ottla_protocol::{Decode, Encode};
use ottla_records::{BatchHeader, EndTxnMarker, batches};
use ottla_replica::Partition;

use super::book::{Book, Output, output_count, output_partition};
use super::{IN, OUT, OUT_PARTITIONS, fetch};
use crate::rooms::{World, wait, wire as text};
use crate::wire;

const TRANSACTIONS: &str = "__transaction_state";

struct Batch {
    header: BatchHeader,
    marker: Option<EndTxnMarker>,
    records: Vec<(Bytes, Option<Bytes>)>,
}

fn read_all(log: &UnifiedLog) -> Vec<Batch> {
    let (mut next, mut found, mut scratch) = (log.log_start_offset(), Vec::new(), Vec::new());
    while next < log.log_end_offset() {
        let limits = ReadLimits { max_bytes: 1 << 20, bound: log.log_end_offset(), min_one_batch: true };
        let slice = log.read(next, limits).expect("readable");
        for batch in batches(&slice.read_bytes().expect("readable")) {
            let batch = batch.expect("whole batches are served");
            let (marker, header) = (EndTxnMarker::parse(&batch), *batch.header());
            let records = batch.records(&mut scratch).expect("opens").map(|record| {
                let record = record.expect("a record");
                let key = Bytes::copy_from_slice(record.key.unwrap_or_default());
                (key, record.value.map(Bytes::copy_from_slice))
            });
            found.push(Batch { header, marker, records: records.collect() });
        }
        next = slice.next_offset;
    }
    found
}

fn partitions(world: &World) -> Vec<std::sync::Arc<Partition>> {
    let mut all: Vec<_> =
        world.rooms().replicas.hosted().topics().flat_map(|topic| topic.partitions.iter().cloned()).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Below which offsets everything was seen to be on the disk.
#[derive(Default)]
pub struct Durable(BTreeMap<TopicPartition, Offset>);

impl Durable {
    /// A start knows less of it than the life before did.
    pub fn note(&mut self, world: &World) {
        for partition in partitions(world) {
            if let Some(log) = partition.opened_log() {
                let known = self.0.entry(partition.name.clone()).or_default();
                *known = log.flushed_offset().max(*known);
            }
        }
    }

    pub fn check(&self, world: &World) {
        for partition in partitions(world) {
            let end = partition.log().expect("healthy").log_end_offset();
            let known = self.0.get(&partition.name).copied().unwrap_or_default();
            assert!(end >= known, "{} ends at {end} and was synced to {known}", partition.name);
        }
    }
}

/// One decided end: of which partitions, by whom, and how.
type Ended = (TopicPartition, ProducerId, i16, bool);

/// A completion is never recorded before the markers are in every partition's log, on the disk.
pub fn completed_have_markers(world: &World, durable: &Durable) {
    if world.is_offline() {
        return;
    }
    let mut required: BTreeMap<Ended, usize> = BTreeMap::new();
    for partition in partitions(world).iter().filter(|one| one.name.topic.as_str() == TRANSACTIONS) {
        let mut prepared: BTreeMap<Box<str>, (ProducerId, i16, bool, PartitionSet)> = BTreeMap::new();
        for batch in read_all(partition.log().expect("healthy")) {
            for (key, value) in batch.records {
                let Ok(Some(record)) = codec::decode(&key, value.as_deref()) else { continue };
                let Some(value) = record.value else { continue };
                match value.state {
                    TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                        let is_commit = value.state == TransactionState::PrepareCommit;
                        let epoch = value.producer_epoch.0;
                        let ending = (value.producer_id, epoch, is_commit, value.partitions);
                        let before = prepared.insert(record.transactional_id, ending);
                        assert!(before.is_none(), "a decision is made while another stands");
                    }
                    TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
                        let is_commit = value.state == TransactionState::CompleteCommit;
                        let Some((id, epoch, was_commit, places)) = prepared.remove(&record.transactional_id)
                        else {
                            panic!("a completion without a decision: {value:?}");
                        };
                        assert_eq!(is_commit, was_commit, "what was decided is done");
                        for place in places {
                            *required.entry((place, id, epoch, is_commit)).or_default() += 1;
                        }
                    }
                    _ => assert!(!prepared.contains_key(&record.transactional_id), "a decision is dropped"),
                }
            }
        }
    }
    let mut found: BTreeMap<Ended, usize> = BTreeMap::new();
    for partition in partitions(world) {
        let durable = durable.0.get(&partition.name).copied().unwrap_or_default();
        for batch in read_all(partition.log().expect("healthy")) {
            if let Some(marker) = batch.marker
                && batch.header.base_offset < durable
            {
                let header = batch.header;
                let place =
                    (partition.name.clone(), header.producer_id, header.producer_epoch.0, marker.is_commit);
                *found.entry(place).or_default() += 1;
            }
        }
    }
    for (ended, count) in required {
        let there = found.get(&ended).copied().unwrap_or(0);
        assert!(there >= count, "{count} completed transactions with {there} markers: {ended:?}");
    }
}

/// The logs in words, for the trace of a history that failed.
pub fn describe(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for partition in partitions(world) {
        let Ok(log) = partition.log() else { continue };
        for batch in read_all(log) {
            let (header, records) = (&batch.header, batch.records.iter());
            let values: Vec<String> = records
                .map(|(key, value)| match codec::decode(key, value.as_deref()) {
                    Ok(Some(record)) => format!("{record:?}"),
                    _ => String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned(),
                })
                .collect();
            lines.push(format!(
                "{}@{}: producer {} epoch {} sequence {} {:?} {values:?}",
                partition.name,
                header.base_offset.0,
                header.producer_id.0,
                header.producer_epoch.0,
                header.base_sequence.0,
                batch.marker
            ));
        }
        let bound = log.log_end_offset();
        lines.push(format!(
            "{}: aborted {:?}",
            partition.name,
            log.aborted_transactions(Offset::ZERO, bound)
        ));
    }
    lines
}

/// What a snapshot keeps of a producer: its last batch, but for the time of it.
fn kept(entry: &ProducerEntry) -> ProducerEntry {
    let mut entry = entry.clone();
    let surplus = entry.batches.len().saturating_sub(1);
    entry.batches.drain(..surplus);
    for batch in &mut entry.batches {
        batch.timestamp = -1;
    }
    entry
}

pub fn producers_are_those_of_the_records(world: &World) {
    for partition in partitions(world) {
        let log = partition.log().expect("healthy");
        let mut state = ProducerState::starting_at(log.log_start_offset());
        for batch in read_all(log) {
            let _completed = state.apply(&batch.header, batch.marker.as_ref());
        }
        let found: Vec<_> = log.producers().iter().map(|(id, entry)| (*id, kept(entry))).collect();
        let expected: Vec<_> = state.entries().map(|(id, entry)| (id, kept(entry))).collect();
        assert_eq!(found, expected, "the producers of {} after a restart", partition.name);
        state.on_high_watermark(log.log_end_offset());
        assert_eq!(log.first_unstable_offset(), state.first_unstable_offset(), "of {}", partition.name);
    }
}

/// Asks the broker without a network.
fn ask<Q: Encode, A: Decode>(world: &World, key: ApiKey, version: i16, request: &Q) -> A {
    let handler: &dyn Handler = &world.rooms().dispatch;
    let answer = match handler.admit(&wire::info(0), wire::frame(key, version, request)) {
        Admitted::Ready(answer) => answer,
        Admitted::Parked(answer) | Admitted::Exclusive(answer) | Admitted::ExclusiveAfterEarlier(answer) => {
            while world.rooms().logs.flush_next() {}
            wait(answer)
        }
    };
    let Answer::Respond(response) = answer else { panic!("an answer of {key:?}") };
    wire::decoded(key, version, wire::bytes_of(&response))
}

/// The markers of each partition: none goes back, and one epoch of the second generation ends one way.
fn check_markers(world: &World) {
    for partition in partitions(world) {
        let mut last: BTreeMap<ProducerId, (i16, i32)> = BTreeMap::new();
        let mut open: BTreeMap<ProducerId, i16> = BTreeMap::new();
        for batch in read_all(partition.log().expect("healthy")) {
            let (id, epoch) = (batch.header.producer_id, batch.header.producer_epoch.0);
            if id.is_none() {
                continue;
            }
            let (last_epoch, coordinator) = last.get(&id).copied().unwrap_or((-1, -1));
            assert!(epoch >= last_epoch, "{}: producer {id:?} goes back to epoch {epoch}", partition.name);
            match batch.marker {
                None => {
                    let of = *open.entry(id).or_insert(epoch);
                    assert_eq!(of, epoch, "{}: two epochs in one transaction of {id:?}", partition.name);
                    last.insert(id, (epoch, coordinator));
                }
                Some(marker) => {
                    open.remove(&id);
                    let now = marker.coordinator_epoch;
                    assert!(now >= coordinator, "{}: a marker of an old coordinator", partition.name);
                    last.insert(id, (epoch, now));
                }
            }
        }
        assert!(open.is_empty(), "{}: {open:?} are open for ever", partition.name);
    }
}

/// When nobody does anything any more.
pub fn everything(world: &World, book: &Book, apps: usize) {
    check_markers(world);
    for partition in partitions(world) {
        let (stable, end) = (partition.last_stable_offset(), partition.high_watermark());
        assert_eq!(stable, end, "readers of {} are held back", partition.name);
    }
    let mut shown: BTreeMap<(i32, i64), Output> = BTreeMap::new();
    for partition in 0..OUT_PARTITIONS {
        let mut next = 0;
        loop {
            let request = fetch::request(OUT, partition, next, true);
            let answer: FetchResponse = ask(world, ApiKey::Fetch, fetch::VERSION, &request);
            let fetched = fetch::consumed(next, &answer).expect("readable");
            assert_eq!(fetched.last_stable_offset, fetched.high_watermark);
            for (offset, value) in &fetched.records {
                book.saw(partition, *offset, Output::parse(value));
                shown.insert((partition, *offset), Output::parse(value));
            }
            if fetched.next_offset == next {
                assert_eq!(next, fetched.high_watermark, "a reader gets to the end");
                break;
            }
            next = fetched.next_offset;
        }
    }
    for (place, output) in book.seen() {
        assert_eq!(shown.get(&place), Some(&output), "{output:?} was shown at {place:?} and is gone");
    }
    check_counts(world, book, apps, &shown);
}

fn check_counts(world: &World, book: &Book, apps: usize, shown: &BTreeMap<(i32, i64), Output>) {
    let mut outputs: BTreeMap<(usize, i64, i64), u64> = BTreeMap::new();
    let mut committed: BTreeSet<u64> = BTreeSet::new();
    for ((partition, _), output) in shown {
        assert_eq!(*partition, output_partition(output.app, output.input, output.place));
        committed.insert(output.transaction);
        let key = (output.app, output.input, output.place);
        let before = outputs.insert(key, output.transaction);
        assert!(before.is_none(), "counted twice: {output:?}, and in {before:?}");
    }
    for (number, fact) in book.facts() {
        if fact.is_answered && fact.asked == Some(true) {
            assert!(committed.contains(&number), "the acknowledged commit of {number} is lost");
        }
        if committed.contains(&number) {
            for input in fact.first_input..fact.end_input {
                for place in 0..output_count(fact.app, input) {
                    let of = outputs.get(&(fact.app, input, place));
                    assert_eq!(of, Some(&number), "transaction {number} is torn at {input}.{place}");
                }
            }
        }
    }
    for app in 0..apps {
        let offset = committed_offset(world, app);
        let counted: BTreeSet<i64> =
            outputs.keys().filter(|(of, ..)| *of == app).map(|(_, input, _)| *input).collect();
        let expected: BTreeSet<i64> = (0..offset).collect();
        assert_eq!(counted, expected, "what app {app} counted, and its offset {offset}");
    }
}

fn committed_offset(world: &World, app: usize) -> i64 {
    let topic =
        OffsetFetchRequestTopic { name: text(IN), partition_indexes: vec![app as i32], ..Default::default() };
    let request = OffsetFetchRequest {
        group_id: text(&format!("group-{app}")),
        topics: Some(vec![topic]),
        require_stable: true,
        ..Default::default()
    };
    let answer: OffsetFetchResponse = ask(world, ApiKey::OffsetFetch, 7, &request);
    let partition = &answer.topics[0].partitions[0];
    assert_eq!((answer.error_code, partition.error_code), (0, 0), "the offset of app {app} is stable");
    partition.committed_offset.max(0)
}
