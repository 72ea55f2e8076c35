//! An application that writes in transactions, and goes on as another incarnation where one can't be finished.
//! Shell. Its transactions are of the second generation (KIP-890): each end gives it another epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, Sequence};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    self, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, ProduceRequest,
};
use ottla_records::BatchBuilder;

use super::book::Place;
use super::client::{Client, code, is_retriable};
use super::options::TOPIC;
use crate::rooms::wire;

const TRANSACTIONAL_ID: &str = "transactor";
const TIMEOUT_MS: i32 = 5_000;
const ACK_TIMEOUT_MS: i32 = 1_500;
const PAUSE_MS: u64 = 100;
const BACKOFF_MS: u64 = 120;
/// Of one batch, before its transaction is given up.
const TRIES: usize = 6;
/// Of the end of a transaction, before nobody knows it.
const END_TRIES: usize = 60;
const KEY_OF_TRANSACTION: i8 = 1;

pub struct Transactor {
    pub client: Client,
    pub partitions: i32,
    /// Nothing new is begun any more.
    pub is_over: Arc<AtomicBool>,
    coordinator: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Producer {
    id: i64,
    epoch: i16,
}

/// What an answer means.
enum Judged {
    Done,
    Again,
    /// This transaction, or this incarnation, does not go on.
    Over,
}

fn judge(error: ErrorCode) -> Judged {
    match error {
        ErrorCode::None => Judged::Done,
        ErrorCode::ConcurrentTransactions => Judged::Again,
        code if is_retriable(code) => Judged::Again,
        ErrorCode::InvalidTxnState
        | ErrorCode::TransactionAbortable
        | ErrorCode::OutOfOrderSequenceNumber
        | ErrorCode::InvalidProducerEpoch
        | ErrorCode::ProducerFenced
        | ErrorCode::InvalidProducerIdMapping
        | ErrorCode::UnknownProducerId => Judged::Over,
        other => panic!("no answer to an application that behaves: {other}"),
    }
}

impl Transactor {
    pub fn new(client: Client, partitions: i32, is_over: Arc<AtomicBool>) -> Transactor {
        Transactor { client, partitions, is_over, coordinator: None }
    }

    pub async fn live(mut self) {
        self.client.leader(0).await;
        while !self.is_over.load(Ordering::Relaxed) {
            let Some(mut producer) = self.init().await else {
                self.client.pause(BACKOFF_MS).await;
                continue;
            };
            for _ in 0..1 + self.client.rng.below(10) {
                if self.is_over.load(Ordering::Relaxed) || self.transact(&mut producer).await.is_none() {
                    break;
                }
                self.client.pause(PAUSE_MS).await;
            }
        }
    }

    async fn find(&mut self) -> Option<usize> {
        if self.coordinator.is_none() {
            let request = FindCoordinatorRequest::default()
                .with_key_type(KEY_OF_TRANSACTION)
                .with_coordinator_keys(vec![wire(TRANSACTIONAL_ID)]);
            let answer = self.client.call(self.client.any_node(), &request).await.ok()?;
            let found = answer.coordinators.first()?;
            match code(found.error_code) {
                ErrorCode::None => self.coordinator = Some(found.node_id.0 as usize - 1),
                code => assert!(is_retriable(code), "a coordinator is refused: {code}"),
            }
        }
        self.coordinator
    }

    async fn init(&mut self) -> Option<Producer> {
        let node = self.find().await?;
        let request = InitProducerIdRequest {
            transactional_id: Some(wire(TRANSACTIONAL_ID)),
            transaction_timeout_ms: TIMEOUT_MS,
            ..InitProducerIdRequest::default()
        };
        let answer = self.client.call(node, &request).await.ok();
        let judged = answer.as_ref().map(|answer| judge(code(answer.error_code)));
        if let Some(Judged::Done) = judged {
            return answer.map(|answer| Producer { id: answer.producer_id, epoch: answer.producer_epoch });
        }
        self.coordinator = None;
        None
    }

    /// `None`: this incarnation does not go on.
    async fn transact(&mut self, producer: &mut Producer) -> Option<()> {
        let transaction = self.client.book.lock().transactions.begin();
        self.client.note(|| format!("transaction {transaction} begins as {producer:?}"));
        let (mut is_written, first) = (true, self.client.rng.below(self.partitions as u64) as i32);
        for number in 0..1 + self.client.rng.below(2) as i32 {
            let place = (first + number) % self.partitions;
            if number > 0 && place == first {
                break;
            }
            is_written = is_written && self.write(transaction, *producer, place).await;
        }
        // Some are left to time out, or to the next incarnation.
        if self.client.rng.chance(50) {
            return None;
        }
        let is_commit = is_written && self.client.rng.chance(750);
        if is_commit {
            self.client.book.lock().transactions.on_asked(transaction);
        }
        let next = self.end(*producer, is_commit).await;
        self.client.note(|| format!("transaction {transaction}: commit {is_commit} gives {next:?}"));
        *producer = next?;
        if is_commit {
            let now = self.client.env.clock.monotonic().0;
            self.client.book.lock().transactions.on_committed(now, transaction);
        }
        Some(())
    }

    async fn write(&mut self, transaction: usize, producer: Producer, place: Place) -> bool {
        let count = 1 + self.client.rng.below(3);
        let values: Vec<u64> =
            (0..count).map(|_| self.client.book.lock().value(self.client.number, place)).collect();
        self.client.book.lock().transactions.add(transaction, &values);
        let (id, epoch) = (ProducerId(producer.id), ProducerEpoch(producer.epoch));
        let mut batch = BatchBuilder::new().transactional().producer(id, epoch, Sequence(0));
        for value in &values {
            batch.append(self.client.env.clock.wall_ms(), None, Some(value.to_string().as_bytes()), &[]);
        }
        let batch = batch.build();
        for _ in 0..TRIES {
            let leader = self.client.leader(place).await;
            let data = PartitionProduceData::default().with_index(place).with_records(Some(batch.clone()));
            let topic = TopicProduceData::default()
                .with_name(wire(TOPIC).into())
                .with_topic_id(self.client.topic_id)
                .with_partition_data(vec![data]);
            let request = ProduceRequest::default()
                .with_transactional_id(Some(wire(TRANSACTIONAL_ID).into()))
                .with_acks(-1)
                .with_timeout_ms(ACK_TIMEOUT_MS)
                .with_topic_data(vec![topic]);
            let answer = self.client.call(leader, &request).await.ok();
            let answer = answer.map(|answer| {
                let answer = &answer.responses[0].partition_responses[0];
                (code(answer.error_code), answer.base_offset)
            });
            self.client
                .note(|| format!("{values:?} of {transaction} to {place} at {}: {answer:?}", leader + 1));
            match answer.map(|(error, base)| (judge(error), base)) {
                Some((Judged::Done, base)) => {
                    let now = self.client.env.clock.monotonic().0;
                    self.client.book.lock().on_acked(now, place, Some(base), &values);
                    return true;
                }
                Some((Judged::Over, _)) => return false,
                Some((Judged::Again, _)) | None => {}
            }
            self.client.forget(place);
            self.client.pause(BACKOFF_MS).await;
        }
        false
    }

    /// Asks until it is answered, which gives the next epoch.
    async fn end(&mut self, producer: Producer, is_commit: bool) -> Option<Producer> {
        let request = EndTxnRequest::default()
            .with_transactional_id(wire(TRANSACTIONAL_ID).into())
            .with_producer_id(messages::ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_committed(is_commit);
        for _ in 0..END_TRIES {
            if let Some(node) = self.find().await {
                let answer = self.client.call(node, &request).await.ok();
                match answer.as_ref().map(|answer| judge(code(answer.error_code))) {
                    Some(Judged::Done) => {
                        let answer = answer.expect("judged");
                        return Some(Producer { id: answer.producer_id.0, epoch: answer.producer_epoch });
                    }
                    Some(Judged::Over) => return None,
                    Some(Judged::Again) | None => self.coordinator = None,
                }
            }
            self.client.pause(BACKOFF_MS).await;
        }
        None
    }
}
