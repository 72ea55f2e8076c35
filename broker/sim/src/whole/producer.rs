//! An idempotent producer with acks=all: it sends a batch again until it is acknowledged.
//! Shell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, Sequence};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use ottla_records::BatchBuilder;

use super::book::Place;
use super::client::{Client, code, is_retriable};
use super::options::TOPIC;
use crate::rooms::wire;

/// Kafka's producers wait so long with acks=all in these histories (`timeout_ms`).
const ACK_TIMEOUT_MS: i32 = 1_500;
const PAUSE_MS: u64 = 60;
const BACKOFF_MS: u64 = 120;

pub struct Producer {
    pub client: Client,
    pub partitions: i32,
    /// Nothing new is sent any more; what was begun is finished.
    pub is_over: Arc<AtomicBool>,
}

impl Producer {
    pub async fn live(mut self) {
        let (id, epoch) = self.init().await;
        let mut sequences: BTreeMap<Place, i32> = BTreeMap::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let place = self.client.rng.below(self.partitions as u64) as i32;
            let count = 1 + self.client.rng.below(3);
            let values: Vec<u64> =
                (0..count).map(|_| self.client.book.lock().value(self.client.number, place)).collect();
            let sequence = sequences.entry(place).or_default();
            let mut batch = BatchBuilder::new().producer(id, epoch, Sequence(*sequence));
            *sequence += values.len() as i32;
            for value in &values {
                batch.append(self.client.env.clock.wall_ms(), None, Some(value.to_string().as_bytes()), &[]);
            }
            self.send(place, batch.build(), &values).await;
            self.client.pause(PAUSE_MS).await;
        }
    }

    async fn init(&mut self) -> (ProducerId, ProducerEpoch) {
        loop {
            let node = self.client.any_node();
            let request = InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: i32::MAX,
                ..InitProducerIdRequest::default()
            };
            match self.client.call(node, &request).await {
                Ok(answer) if answer.error_code == 0 => {
                    return (ProducerId(answer.producer_id), ProducerEpoch(answer.producer_epoch));
                }
                Ok(answer) => {
                    let code = code(answer.error_code);
                    assert!(is_retriable(code), "a producer id is refused: {code}");
                }
                Err(_) => {}
            }
            self.client.pause(BACKOFF_MS).await;
        }
    }

    async fn send(&mut self, place: Place, batch: Bytes, values: &[u64]) {
        loop {
            let leader = self.client.leader(place).await;
            let data = PartitionProduceData::default().with_index(place).with_records(Some(batch.clone()));
            let topic = TopicProduceData::default()
                .with_name(wire(TOPIC).into())
                .with_topic_id(self.client.topic_id)
                .with_partition_data(vec![data]);
            let request = ProduceRequest::default()
                .with_acks(-1)
                .with_timeout_ms(ACK_TIMEOUT_MS)
                .with_topic_data(vec![topic]);
            let outcome = match self.client.call(leader, &request).await {
                Ok(answer) => {
                    let answer = &answer.responses[0].partition_responses[0];
                    Ok((code(answer.error_code), answer.base_offset))
                }
                Err(error) => Err(error),
            };
            self.client.note(|| format!("{values:?} to {place} at {}: {outcome:?}", leader + 1));
            match outcome {
                Ok((ErrorCode::None, base)) => return self.acked(place, Some(base), values),
                Ok((ErrorCode::DuplicateSequenceNumber, _)) => return self.acked(place, None, values),
                Ok((code, _)) if is_retriable(code) => {}
                // With one batch on its way and no unclean election a leader knows what was acknowledged.
                Ok((code, _)) => panic!("{values:?} for {place} is refused: {code}"),
                Err(_) => {}
            }
            self.client.forget(place);
            self.client.pause(BACKOFF_MS).await;
        }
    }

    fn acked(&self, place: Place, base: Option<i64>, values: &[u64]) {
        let now = self.client.env.clock.monotonic().0;
        self.client.book.lock().on_acked(now, place, base, values);
    }
}
