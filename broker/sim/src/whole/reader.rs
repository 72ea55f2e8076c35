//! A reader: it reads each partition from its beginning, wherever its leader is, and believes what it was given once.
//! Shell.

use std::collections::BTreeMap;

use ottla_model::ErrorCode;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_records::batches;

use super::book::Place;
use super::client::{Client, code, is_retriable};
use super::options::TOPIC;
use crate::rooms::wire;

const WAIT_MS: i32 = 100;
const BACKOFF_MS: u64 = 120;

pub struct Reader {
    pub client: Client,
    pub partitions: i32,
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
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let answer = self.client.call(leader, &request).await.ok()?;
        if answer.error_code != 0 {
            return None;
        }
        let data = answer.responses.first()?.partitions.first()?;
        match code(data.error_code) {
            ErrorCode::None => {}
            code if is_retriable(code) => return None,
            code => panic!("{place}@{at} cannot be read at {}: {code}", leader + 1),
        }
        let mut next = at;
        let (bytes, mut scratch) = (data.records.clone().unwrap_or_default(), Vec::new());
        for batch in batches(&bytes) {
            let Ok(batch) = batch else { break };
            batch.verify_checksum().expect("nothing wrong is served");
            let base = batch.header().base_offset.0;
            for (number, record) in batch.records(&mut scratch).expect("opens").enumerate() {
                let offset = base + number as i64;
                let value = record.expect("a record").value.unwrap_or_default().to_vec();
                let value = String::from_utf8(value).expect("text").parse().expect("a number");
                if offset >= at {
                    self.client.book.lock().on_read(place, offset, value);
                }
            }
            next = next.max(batch.header().next_offset().0);
        }
        // A new leader may not know yet what its reader knows.
        assert!(next == at || next <= data.high_watermark, "{place}@{at}: read beyond the high watermark");
        Some(next)
    }
}
