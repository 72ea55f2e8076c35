//! Tests of `filter`: a batch, what is known of its keys -> the batch that stays.
//! Core.

use std::collections::BTreeMap;

use ottla_model::{Offset, ProducerEpoch, ProducerId, Sequence};
use ottla_records::{BatchBuilder, BatchView, Codec, EndTxnMarker, TimestampType};

use super::filter::{ActiveProducers, LastRecord, Outcome, Rules, Scratch, filter_batch};
use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::txn_index::AbortedTxn;

const NOW_MS: i64 = 1_000_000;
const DELETE_RETENTION_MS: i64 = 500;

/// key, value, by offset from 10 on.
type Kv<'a> = (&'a str, Option<&'a str>);

fn batch(builder: BatchBuilder, records: &[Kv<'_>]) -> Vec<u8> {
    let mut builder = builder.base_offset(Offset(10));
    for (index, (key, value)) in records.iter().enumerate() {
        let header: (&[u8], Option<&[u8]>) = (b"h", Some(b"x"));
        builder.append(5_000 + index as i64, Some(key.as_bytes()), value.map(str::as_bytes), &[header]);
    }
    builder.build().to_vec()
}

/// Keys with their last offsets, all records to 100 seen.
fn map(keys: &[(&str, i64)]) -> OffsetMap {
    let mut map = OffsetMap::new(1 << 16, 0.9, 1_000, [1; 16]);
    for (key, offset) in keys {
        assert!(map.put(key.as_bytes(), Offset(*offset)));
    }
    map.update_latest(Offset(100));
    map
}

struct World {
    map: OffsetMap,
    producers: ActiveProducers,
    transactions: CleanedTransactions,
    now_ms: i64,
    must_stay: bool,
}

impl World {
    fn new(keys: &[(&str, i64)]) -> World {
        World {
            map: map(keys),
            producers: BTreeMap::new(),
            transactions: CleanedTransactions::default(),
            now_ms: NOW_MS,
            must_stay: false,
        }
    }

    /// What stays; `None` when nothing does.
    fn filter(&mut self, bytes: &[u8]) -> (Outcome, Option<Vec<u8>>) {
        let rules = Rules {
            map: &self.map,
            producers: &self.producers,
            now_ms: self.now_ms,
            delete_retention_ms: DELETE_RETENTION_MS,
        };
        let view = BatchView::first(bytes).expect("a batch");
        let mut out = b"before".to_vec();
        let mut scratch = Scratch::default();
        let outcome =
            filter_batch(&view, &rules, &mut self.transactions, self.must_stay, &mut scratch, &mut out)
                .expect("it can be read");
        assert!(out.starts_with(b"before"));
        let bytes = match outcome {
            Outcome::Kept => Some(bytes.to_vec()),
            Outcome::Gone => None,
            _ => Some(out[6..].to_vec()),
        };
        (outcome, bytes)
    }
}

fn contents(bytes: &[u8]) -> Vec<(i64, i64, String, Option<String>)> {
    let view = BatchView::first(bytes).expect("a batch");
    view.verify_checksum().expect("its checksum");
    assert_eq!(view.bytes().len(), bytes.len());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut scratch = Vec::new();
    let records = view.records(&mut scratch).expect("opens");
    records
        .map(|record| {
            let record = record.expect("a record");
            assert_eq!(record.headers().collect::<Vec<_>>(), [(&b"h"[..], Some(&b"x"[..]))]);
            (record.offset.0, record.timestamp, text(record.key.unwrap_or_default()), record.value.map(text))
        })
        .collect()
}

#[test]
fn a_batch_of_last_values_stays_as_it_is() {
    let bytes = batch(BatchBuilder::new(), &[("a", Some("1")), ("b", Some("2"))]);
    let (outcome, _) = World::new(&[("a", 10)]).filter(&bytes);
    assert_eq!(outcome, Outcome::Kept, "a is the last, and b was not written since");
}

#[test]
fn superseded_records_go_and_the_header_stays_what_it_was() {
    for codec in [Codec::None, Codec::Gzip(6), Codec::Snappy, Codec::Lz4(9), Codec::Zstd(3)] {
        let producer =
            BatchBuilder::new().codec(codec).producer(ProducerId(3), ProducerEpoch(1), Sequence(7));
        let bytes =
            batch(producer, &[("a", Some("1")), ("b", Some("2")), ("c", Some("3")), ("a", Some("4"))]);
        let (outcome, cleaned) = World::new(&[("a", 13), ("b", 11), ("c", 50)]).filter(&bytes);
        assert_eq!(outcome, Outcome::Rewritten);
        let cleaned = cleaned.expect("records");
        let expected = [(11, 5_001, "b".into(), Some("2".into())), (13, 5_003, "a".into(), Some("4".into()))];
        assert_eq!(contents(&cleaned), expected, "{codec:?}");
        let (before, after) = (
            *BatchView::first(&bytes).expect("a batch").header(),
            *BatchView::first(&cleaned).expect("a batch").header(),
        );
        assert_eq!((after.base_offset, after.last_offset()), (before.base_offset, before.last_offset()));
        assert_eq!((after.base_sequence, after.last_sequence()), (Sequence(7), Sequence(10)));
        assert_eq!(after.attributes, before.attributes);
        assert_eq!((after.record_count, after.max_timestamp), (2, 5_003));
    }
}

#[test]
fn what_lies_behind_the_map_stays() {
    let bytes = batch(BatchBuilder::new(), &[("a", Some("1"))]);
    let mut world = World::new(&[]);
    world.map = OffsetMap::new(1 << 16, 0.9, 1_000, [1; 16]);
    world.map.put(b"a", Offset(12));
    world.map.update_latest(Offset(9));
    assert_eq!(world.filter(&bytes).0, Outcome::Kept);
}

#[test]
fn a_tombstone_gets_a_delete_horizon_and_goes_when_it_has_passed() {
    for codec in [Codec::None, Codec::Lz4(9)] {
        let bytes = batch(BatchBuilder::new().codec(codec), &[("a", Some("1")), ("b", None)]);
        let mut world = World::new(&[]);
        let (outcome, marked) = world.filter(&bytes);
        assert_eq!(outcome, Outcome::Rewritten);
        let marked = marked.expect("records");
        let header = *BatchView::first(&marked).expect("a batch").header();
        assert_eq!(header.delete_horizon_ms(), Some(NOW_MS + DELETE_RETENTION_MS));
        assert_eq!(contents(&marked), contents(&bytes), "offsets, timestamps and values are the same");
        assert_eq!(header.max_timestamp, 5_001);

        world.now_ms = NOW_MS + DELETE_RETENTION_MS - 1;
        assert_eq!(world.filter(&marked).0, Outcome::Kept);
        world.now_ms += 1;
        let (outcome, cleaned) = world.filter(&marked);
        assert_eq!(outcome, Outcome::Rewritten);
        let cleaned = cleaned.expect("a record");
        assert_eq!(contents(&cleaned), [(10, 5_000, "a".into(), Some("1".into()))]);
    }
}

#[test]
fn the_broker_s_own_time_survives_a_delete_horizon() {
    let bytes = batch(BatchBuilder::new().log_append_time(777), &[("a", Some("1")), ("b", None)]);
    let (_, marked) = World::new(&[]).filter(&bytes);
    let marked = marked.expect("records");
    let header = *BatchView::first(&marked).expect("a batch").header();
    assert_eq!(
        (header.max_timestamp, header.attributes.timestamp_type()),
        (777, TimestampType::LogAppendTime)
    );
    assert!(contents(&marked).iter().all(|(_, timestamp, ..)| *timestamp == 777));
}

#[test]
fn an_active_producer_s_last_batch_stays_as_an_empty_one() {
    let producer = || BatchBuilder::new().producer(ProducerId(3), ProducerEpoch(1), Sequence(7));
    let bytes = batch(producer().codec(Codec::Zstd(3)), &[("a", Some("1")), ("a", Some("2"))]);
    let mut world = World::new(&[("a", 50)]);
    assert_eq!(world.filter(&bytes).0, Outcome::Gone);
    world
        .producers
        .insert(ProducerId(3), LastRecord { data_offset: Some(Offset(11)), epoch: ProducerEpoch(1) });
    let (outcome, empty) = world.filter(&bytes);
    assert_eq!(outcome, Outcome::Emptied);
    let empty = empty.expect("a header");
    let view = BatchView::first(&empty).expect("a batch");
    view.verify_checksum().expect("its checksum");
    let header = view.header();
    assert_eq!(
        (header.record_count, header.last_offset(), header.last_sequence()),
        (0, Offset(11), Sequence(8))
    );
    assert_eq!((header.base_timestamp, header.max_timestamp), (-1, 5_001));
    assert!(header.attributes.compression().is_some_and(|codec| codec.is_none()));
    assert_eq!(world.filter(&empty).0, Outcome::Kept);
    world.producers.clear();
    assert_eq!(world.filter(&empty).0, Outcome::Gone);
    world.must_stay = true;
    assert_eq!(world.filter(&bytes).0, Outcome::Emptied, "the last batch of a segment");
}

#[test]
fn aborted_records_go_at_once_and_their_marker_after_the_horizon() {
    let producer =
        || BatchBuilder::new().transactional().producer(ProducerId(3), ProducerEpoch(1), Sequence(0));
    let data = batch(producer(), &[("a", Some("1"))]);
    let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 0, timestamp: 6_000 };
    let mut marker = marker.build(ProducerId(3), ProducerEpoch(1)).to_vec();
    marker[..8].copy_from_slice(&11i64.to_be_bytes());
    let aborted = AbortedTxn {
        producer_id: ProducerId(3),
        first_offset: Offset(10),
        last_offset: Offset(11),
        last_stable_offset: Offset(12),
    };
    let mut world = World::new(&[]);
    world.transactions = CleanedTransactions::new(vec![aborted]);
    assert_eq!(world.filter(&data).0, Outcome::Gone);
    assert_eq!(world.filter(&marker).0, Outcome::Kept, "its transaction was met");
    assert_eq!(world.transactions.take_retained(), [aborted]);

    world.transactions = CleanedTransactions::new(vec![aborted]);
    let (outcome, marked) = world.filter(&marker);
    assert_eq!(outcome, Outcome::Rewritten);
    let marked = marked.expect("the marker");
    let view = BatchView::first(&marked).expect("a batch");
    assert_eq!(view.header().delete_horizon_ms(), Some(NOW_MS + DELETE_RETENTION_MS));
    let parsed = EndTxnMarker::parse(&view).expect("still a marker");
    assert_eq!((parsed.is_commit, parsed.timestamp), (false, 6_000));
    world.now_ms += DELETE_RETENTION_MS;
    assert_eq!(world.filter(&marked).0, Outcome::Gone);
}

#[test]
fn a_commit_marker_waits_for_its_records() {
    let producer =
        || BatchBuilder::new().transactional().producer(ProducerId(3), ProducerEpoch(1), Sequence(0));
    let data = batch(producer(), &[("a", Some("1"))]);
    let marker = EndTxnMarker { is_commit: true, coordinator_epoch: 0, timestamp: 6_000 };
    let marker = marker.build(ProducerId(3), ProducerEpoch(1)).to_vec();
    let mut world = World::new(&[]);
    assert_eq!(world.filter(&data).0, Outcome::Kept);
    assert_eq!(world.filter(&marker).0, Outcome::Kept);
    assert_eq!(world.filter(&marker).0, Outcome::Rewritten, "nothing of it is left");
}
