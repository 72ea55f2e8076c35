//! A reader: it reads each partition from its beginning, wherever its leader is, and believes what it was given once.
//! Shell.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::ErrorCode;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_records::{EndTxnMarker, batches};

use super::book::Place;
use super::client::{Client, code, is_retriable};
use super::options::TOPIC;
use crate::rooms::wire;

const WAIT_MS: i32 = 100;
const BACKOFF_MS: u64 = 120;

pub struct Reader {
    pub client: Client,
    pub partitions: i32,
    /// What an application wrote in a transaction is read when it was committed, and not at all when it was not.
    pub is_committed_only: bool,
}

impl Reader {
    pub async fn live(mut self) {
        let mut next: BTreeMap<Place, i64> = (0..self.partitions).map(|place| (place, 0)).collect();
        loop {
            for place in 0..self.partitions {
                let at = next[&place];
                match self.read(place, at).await {
                    Some(after) => {
                        next.insert(place, after);
                    }
                    None => {
                        self.client.forget(place);
                        self.client.pause(BACKOFF_MS).await;
                    }
                }
            }
        }
    }

    /// Reads once; returns where to go on.
    async fn read(&mut self, place: Place, at: i64) -> Option<i64> {
        let leader = self.client.leader(place).await;
        let partition = FetchPartition::default()
            .with_partition(place)
            .with_fetch_offset(at)
            .with_current_leader_epoch(-1)
            .with_partition_max_bytes(100_000);
        let topic = FetchTopic::default()
            .with_topic(wire(TOPIC).into())
            .with_topic_id(self.client.topic_id)
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_wait_ms(WAIT_MS)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_isolation_level(i8::from(self.is_committed_only))
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let answer = self.client.call(leader, &request).await.ok()?;
        if answer.error_code != 0 {
            return None;
        }
        let data = answer.responses.first()?.partitions.first()?;
        match code(data.error_code) {
            ErrorCode::None => {}
            ErrorCode::OffsetOutOfRange if at < self.client.book.lock().deletion_asked(place) => {
                // A leader that has not deleted it yet has it.
                return Some(data.log_start_offset).filter(|start| *start > at);
            }
            code if is_retriable(code) => return None,
            code => panic!("{place}@{at} cannot be read at {}: {code}", leader + 1),
        }
        let (next, values) = given(at, data);
        let mut book = self.client.book.lock();
        for (offset, value) in values {
            book.on_read(place, offset, value);
            if self.is_committed_only {
                book.transactions.on_found(value);
            }
        }
        // A new leader may not know yet what its reader knows.
        let bound = if self.is_committed_only { data.last_stable_offset } else { data.high_watermark };
        assert!(
            next == at || next <= bound,
            "{place}@{at}: read up to {next}, beyond the high watermark {bound}"
        );
        assert!(
            data.last_stable_offset <= data.high_watermark,
            "{place}@{at}: stable beyond the high watermark"
        );
        Some(next)
    }
}

/// What a consumer is given of an answer, and where it goes on (`CompletedFetch` of the Java client).
fn given(at: i64, data: &PartitionData) -> (i64, Vec<(i64, u64)>) {
    let mut aborted: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for transaction in data.aborted_transactions.iter().flatten() {
        aborted.entry(transaction.first_offset).or_default().insert(transaction.producer_id.0);
    }
    let (mut next, mut values, mut skipped) = (at, Vec::new(), BTreeSet::new());
    let (bytes, mut scratch) = (data.records.clone().unwrap_or_default(), Vec::new());
    for batch in batches(&bytes) {
        let Ok(batch) = batch else { break };
        batch.verify_checksum().expect("nothing wrong is served");
        let header = batch.header();
        let later = aborted.split_off(&(header.last_offset().0 + 1));
        skipped.extend(std::mem::replace(&mut aborted, later).into_values().flatten());
        next = next.max(header.next_offset().0);
        if header.attributes.is_control() {
            if EndTxnMarker::parse(&batch).is_some_and(|marker| !marker.is_commit) {
                skipped.remove(&header.producer_id.0);
            }
            continue;
        }
        if header.attributes.is_transactional() && skipped.contains(&header.producer_id.0) {
            continue;
        }
        let base = header.base_offset.0;
        for record in batch.records(&mut scratch).expect("opens") {
            let record = record.expect("a record");
            let offset = base + i64::from(record.offset_delta);
            let text = String::from_utf8(record.value.unwrap_or_default().to_vec()).expect("text");
            if offset >= at {
                values.push((offset, text.parse().expect("a number")));
            }
        }
    }
    (next, values)
}
