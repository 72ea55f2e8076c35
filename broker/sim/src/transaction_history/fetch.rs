//! Reading a partition as Kafka's consumer does, the records of aborted transactions left out.
//! Shell in memory.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_model::ErrorCode;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_records::{EndTxnMarker, batches};

use crate::rooms::wire;
use crate::wire::Client;

pub const VERSION: i16 = 11;

/// What a consumer was given.
pub struct Fetched {
    pub records: Vec<(i64, Bytes)>,
    pub next_offset: i64,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
}

pub fn request(topic: &str, partition: i32, from: i64, is_committed_only: bool) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(from)
        .with_partition_max_bytes(100_000);
    let topic = FetchTopic::default().with_topic(wire(topic).into()).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_isolation_level(i8::from(is_committed_only))
        .with_topics(vec![topic])
}

/// Asks once; `None` when no answer came or an error.
pub async fn one(
    client: &mut Client,
    topic: &str,
    partition: i32,
    from: i64,
    is_committed_only: bool,
) -> Option<Fetched> {
    let request = request(topic, partition, from, is_committed_only);
    let answer: FetchResponse = client.call(ApiKey::Fetch, VERSION, &request).await.ok()?;
    consumed(from, &answer)
}

pub fn consumed(from: i64, answer: &FetchResponse) -> Option<Fetched> {
    let data = &answer.responses[0].partitions[0];
    match ErrorCode::from_code(data.error_code) {
        Some(ErrorCode::None) => Some(filter(from, data)),
        Some(
            ErrorCode::OffsetOutOfRange | ErrorCode::KafkaStorageError | ErrorCode::UnknownTopicOrPartition,
        ) => None,
        other => panic!("a fetch is answered {other:?}"),
    }
}

/// `CompletedFetch` of the Java client.
fn filter(from: i64, data: &PartitionData) -> Fetched {
    let mut aborted: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for transaction in data.aborted_transactions.iter().flatten() {
        aborted.entry(transaction.first_offset).or_default().insert(transaction.producer_id.0);
    }
    let mut skipped: BTreeSet<i64> = BTreeSet::new();
    let mut fetched = Fetched {
        records: Vec::new(),
        next_offset: from,
        high_watermark: data.high_watermark,
        last_stable_offset: data.last_stable_offset,
    };
    assert!(data.last_stable_offset <= data.high_watermark, "the last stable offset is above the end");
    let (bytes, mut scratch) = (data.records.clone().unwrap_or_default(), Vec::new());
    for batch in batches(&bytes) {
        let batch = batch.expect("whole batches are served");
        batch.verify_checksum().expect("nothing wrong is served");
        let header = batch.header();
        let later = aborted.split_off(&(header.last_offset().0 + 1));
        skipped.extend(std::mem::replace(&mut aborted, later).into_values().flatten());
        fetched.next_offset = header.next_offset().0;
        if header.attributes.is_control() {
            if EndTxnMarker::parse(&batch).is_some_and(|marker| !marker.is_commit) {
                skipped.remove(&header.producer_id.0);
            }
            continue;
        }
        if header.attributes.is_transactional() {
            assert!(
                header.last_offset().0 < data.last_stable_offset || data.aborted_transactions.is_none(),
                "a record above the last stable offset is shown"
            );
            if skipped.contains(&header.producer_id.0) {
                continue;
            }
        }
        for record in batch.records(&mut scratch).expect("opens") {
            let record = record.expect("a record");
            let offset = header.base_offset.0 + i64::from(record.offset_delta);
            if offset >= from {
                let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
                fetched.records.push((offset, value));
            }
        }
    }
    fetched
}
