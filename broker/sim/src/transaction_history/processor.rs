//! An application that consumes, processes and produces in transactions, in either generation of the protocol.
//! Shell in memory. It tries again what was lost, as Kafka's own client does.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, Sequence};
use ottla_protocol::ApiKey;
use ottla_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use ottla_protocol::messages::{
    self, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse,
    OffsetFetchRequest, OffsetFetchResponse, ProduceRequest, ProduceResponse, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use ottla_records::BatchBuilder;

use super::book::{Book, Output, output_count, output_partition};
use super::{IN, INPUTS, OUT, TIMEOUT_MS, fetch};
use crate::rooms::wire;
use crate::wire::{Asked, Client};

/// The generation of the protocol that an application speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Generation {
    First,
    Second,
}

#[derive(Clone, Copy, Debug)]
struct Producer {
    id: i64,
    epoch: i16,
}

/// Why a transaction does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    /// It must be aborted.
    Abort,
    /// Somebody else has this transactional id now, or nobody knows.
    Over,
}

type Going<T> = Result<T, Stop>;

pub struct Processor {
    pub app: usize,
    pub instance: char,
    pub generation: Generation,
    pub client: Client,
    pub book: Arc<Book>,
    pub sequences: BTreeMap<i32, i32>,
    /// Nothing that was given up arrives in a later transaction.
    pub forgets_abandoned: bool,
}

/// Trials of one request before the transaction is given up.
const TRIES: usize = 8;

fn code(error: i16) -> ErrorCode {
    ErrorCode::from_code(error).expect("a known error")
}

/// What to do about an answer.
fn judge(error: ErrorCode) -> Result<bool, Stop> {
    match error {
        ErrorCode::None => Ok(true),
        ErrorCode::ConcurrentTransactions
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotLeaderOrFollower
        | ErrorCode::UnknownTopicOrPartition
        | ErrorCode::UnstableOffsetCommit
        | ErrorCode::KafkaStorageError => Ok(false),
        ErrorCode::InvalidTxnState
        | ErrorCode::TransactionAbortable
        | ErrorCode::OutOfOrderSequenceNumber
        | ErrorCode::UnknownProducerId => Err(Stop::Abort),
        ErrorCode::InvalidProducerEpoch | ErrorCode::ProducerFenced | ErrorCode::InvalidProducerIdMapping => {
            Err(Stop::Over)
        }
        other => panic!("no answer to a well-behaved producer: {other:?}"),
    }
}

impl Processor {
    fn name(&self) -> String {
        format!("app-{}", self.app)
    }

    fn group(&self) -> String {
        format!("group-{}", self.app)
    }

    fn note(&self, text: &str) {
        self.book.note(format!("{}{}: {text}", self.app, self.instance));
    }

    pub async fn live(mut self) {
        loop {
            // The second of two sleeps long, and then takes over from the first, which does not know.
            self.client.pause(if self.instance == 'a' { 400 } else { 12_000 }).await;
            let Ok(mut producer) = self.init(None).await else { continue };
            self.note(&format!("is producer {producer:?}"));
            let Some(mut position) = self.position().await else { continue };
            for _ in 0..1 + self.client.wire.rng.below(20) {
                match self.transact(&mut producer, &mut position).await {
                    Ok(()) => {}
                    Err(why) => {
                        self.note(&format!("stops: {why:?}"));
                        break;
                    }
                }
            }
        }
    }

    async fn init(&mut self, present: Option<Producer>) -> Going<Producer> {
        if self.forgets_abandoned {
            self.client.forget_abandoned();
        }
        let version = if self.generation == Generation::First { 4 } else { 5 };
        let mut request = InitProducerIdRequest {
            transactional_id: Some(wire(&self.name())),
            transaction_timeout_ms: TIMEOUT_MS,
            ..InitProducerIdRequest::default()
        };
        if let Some(present) = present {
            (request.producer_id, request.producer_epoch) = (present.id, present.epoch);
        }
        for _ in 0..20 {
            let answer: Result<InitProducerIdResponse, _> =
                self.client.call(ApiKey::InitProducerId, version, &request).await;
            if let Ok(answer) = answer
                && judge(code(answer.error_code))?
            {
                self.sequences.clear();
                let producer = Producer { id: answer.producer_id, epoch: answer.producer_epoch };
                if producer.epoch == 0 {
                    self.book.new_producer(producer.id);
                }
                return Ok(producer);
            }
            self.client.pause(100).await;
        }
        Err(Stop::Over)
    }

    /// Where the application goes on.
    async fn position(&mut self) -> Option<i64> {
        let topic = OffsetFetchRequestTopic {
            name: wire(IN),
            partition_indexes: vec![self.app as i32],
            ..Default::default()
        };
        let request = OffsetFetchRequest {
            group_id: wire(&self.group()),
            topics: Some(vec![topic]),
            require_stable: true,
            ..Default::default()
        };
        for _ in 0..20 {
            let floor = self.book.committed_to(self.app);
            let answer: Result<OffsetFetchResponse, _> =
                self.client.call(ApiKey::OffsetFetch, 7, &request).await;
            if let Ok(answer) = answer
                && judge(code(answer.error_code)).unwrap_or(false)
            {
                let partition = &answer.topics[0].partitions[0];
                if judge(code(partition.error_code)).unwrap_or(false) {
                    let position = partition.committed_offset.max(0);
                    assert!(position >= floor, "app {} is sent back from {floor} to {position}", self.app);
                    return Some(position);
                }
            }
            self.client.pause(100).await;
        }
        None
    }

    async fn transact(&mut self, producer: &mut Producer, position: &mut i64) -> Going<()> {
        let rng = self.client.wire.rng.clone();
        if *position >= INPUTS {
            return Err(Stop::Over);
        }
        let inputs = fetch::one(&mut self.client, IN, self.app as i32, *position, true).await;
        let Some(inputs) = inputs.filter(|inputs| !inputs.records.is_empty()) else { return Ok(()) };
        let end = (*position + 1 + rng.below(3) as i64).min(INPUTS);
        let count = inputs.records.iter().filter(|(offset, _)| (*position..end).contains(offset)).count();
        assert_eq!(count as i64, end - *position, "the inputs are all there");
        let transaction = self.book.begin(self.app, *position, end);
        self.note(&format!("transaction {transaction}: inputs {position}..{end} as {producer:?}"));
        let worked = self.work(transaction, *producer, *position, end).await;
        if rng.chance(60) {
            return Err(Stop::Over);
        }
        if rng.chance(60) {
            self.client.pause(2 * TIMEOUT_MS as u64).await;
        }
        let is_commit = match worked {
            Ok(()) => rng.chance(850),
            Err(Stop::Abort) => false,
            Err(Stop::Over) => return Err(Stop::Over),
        };
        self.book.ask(transaction, is_commit);
        self.note(&format!("transaction {transaction}: to end, is_commit {is_commit}"));
        let next = self.end(*producer, is_commit).await?;
        self.book.answered(transaction);
        self.note(&format!("transaction {transaction}: has ended, is_commit {is_commit}"));
        if self.forgets_abandoned {
            self.client.forget_abandoned();
        }
        if let Some(next) = next {
            *producer = next;
            self.sequences.clear();
        } else if worked.is_err() {
            // What became of its batches is unknown: it begins anew with the next epoch (KIP-360).
            *producer = self.init(Some(*producer)).await?;
        }
        if is_commit {
            *position = end;
        }
        Ok(())
    }

    async fn work(&mut self, transaction: u64, producer: Producer, first: i64, end: i64) -> Going<()> {
        let rng = self.client.wire.rng.clone();
        let mut outputs: BTreeMap<i32, Vec<Vec<Output>>> = BTreeMap::new();
        for input in first..end {
            for place in 0..output_count(self.app, input) {
                let batches = outputs.entry(output_partition(self.app, input, place)).or_default();
                if batches.is_empty() || rng.chance(500) {
                    batches.push(Vec::new());
                }
                let output = Output { transaction, app: self.app, input, place };
                batches.last_mut().expect("pushed").push(output);
            }
        }
        let is_offsets_first = rng.chance(200);
        if is_offsets_first {
            self.commit_offsets(producer, end).await?;
        }
        for (partition, batches) in outputs {
            if self.generation == Generation::First {
                self.add_partition(producer, partition).await?;
            }
            self.produce(producer, partition, &batches).await?;
        }
        if !is_offsets_first {
            self.commit_offsets(producer, end).await?;
        }
        Ok(())
    }

    async fn add_partition(&mut self, producer: Producer, partition: i32) -> Going<()> {
        let topic =
            AddPartitionsToTxnTopic::default().with_name(wire(OUT).into()).with_partitions(vec![partition]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(wire(&self.name()).into())
            .with_v3_and_below_producer_id(messages::ProducerId(producer.id))
            .with_v3_and_below_producer_epoch(producer.epoch)
            .with_v3_and_below_topics(vec![topic]);
        for _ in 0..TRIES {
            let answer: Result<AddPartitionsToTxnResponse, _> =
                self.client.call(ApiKey::AddPartitionsToTxn, 3, &request).await;
            if let Ok(answer) = answer {
                let result = &answer.results_by_topic_v3_and_below[0].results_by_partition[0];
                if judge(code(result.partition_error_code))? {
                    return Ok(());
                }
            }
            self.client.pause(60).await;
        }
        Err(Stop::Abort)
    }

    /// Several batches on their way at once; what is not acknowledged is sent again in order.
    async fn produce(&mut self, producer: Producer, partition: i32, batches: &[Vec<Output>]) -> Going<()> {
        let mut next = self.sequences.get(&partition).copied().unwrap_or(0);
        let mut left = Vec::new();
        for outputs in batches {
            left.push(self.produce_request(producer, partition, next, outputs));
            next += outputs.len() as i32;
        }
        let version = if self.generation == Generation::First { 11 } else { 12 };
        for _ in 0..TRIES {
            let asked: Vec<Asked<ProduceResponse>> =
                left.iter().map(|request| self.client.ask(ApiKey::Produce, version, request)).collect();
            let mut failed = Vec::new();
            let mut is_lost = false;
            for (request, asked) in left.into_iter().zip(asked) {
                let is_first = failed.is_empty();
                let is_done = match asked.await {
                    Err(_) => {
                        is_lost = true;
                        false
                    }
                    Ok(answer) => match judge(code(answer.responses[0].partition_responses[0].error_code)) {
                        // It came behind one that was refused.
                        Err(Stop::Abort) if !is_first => false,
                        judged => judged?,
                    },
                };
                if !is_done {
                    failed.push(request);
                }
            }
            left = failed;
            if left.is_empty() {
                self.sequences.insert(partition, next);
                return Ok(());
            }
            if is_lost {
                self.client.reconnect();
            }
            self.client.pause(60).await;
        }
        Err(Stop::Abort)
    }

    fn produce_request(
        &self,
        producer: Producer,
        partition: i32,
        sequence: i32,
        outputs: &[Output],
    ) -> ProduceRequest {
        let mut batch = BatchBuilder::new().transactional().producer(
            ProducerId(producer.id),
            ProducerEpoch(producer.epoch),
            Sequence(sequence),
        );
        for output in outputs {
            batch.append(1_700_000_000_000, None, Some(output.text().as_bytes()), &[]);
        }
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.build()));
        let topic = TopicProduceData::default().with_name(wire(OUT).into()).with_partition_data(vec![data]);
        ProduceRequest::default()
            .with_transactional_id(Some(wire(&self.name()).into()))
            .with_acks(-1)
            .with_timeout_ms(5_000)
            .with_topic_data(vec![topic])
    }

    async fn commit_offsets(&mut self, producer: Producer, end: i64) -> Going<()> {
        if self.generation == Generation::First {
            self.add_offsets(producer).await?;
        }
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(self.app as i32)
            .with_committed_offset(end);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(wire(IN).into())
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(wire(&self.name()).into())
            .with_group_id(wire(&self.group()).into())
            .with_producer_id(messages::ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_topics(vec![topic]);
        let version = if self.generation == Generation::First { 4 } else { 5 };
        for _ in 0..TRIES {
            let answer: Result<TxnOffsetCommitResponse, _> =
                self.client.call(ApiKey::TxnOffsetCommit, version, &request).await;
            if let Ok(answer) = answer
                && judge(code(answer.topics[0].partitions[0].error_code))?
            {
                return Ok(());
            }
            self.client.pause(60).await;
        }
        Err(Stop::Abort)
    }

    async fn add_offsets(&mut self, producer: Producer) -> Going<()> {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(wire(&self.name()).into())
            .with_producer_id(messages::ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_group_id(wire(&self.group()).into());
        for _ in 0..TRIES {
            let answer: Result<AddOffsetsToTxnResponse, _> =
                self.client.call(ApiKey::AddOffsetsToTxn, 3, &request).await;
            if let Ok(answer) = answer
                && judge(code(answer.error_code))?
            {
                return Ok(());
            }
            self.client.pause(60).await;
        }
        Err(Stop::Abort)
    }

    /// Asks until it is answered; the second generation gets its next epoch by it.
    async fn end(&mut self, producer: Producer, is_commit: bool) -> Going<Option<Producer>> {
        let version = if self.generation == Generation::First { 4 } else { 5 };
        let request = EndTxnRequest::default()
            .with_transactional_id(wire(&self.name()).into())
            .with_producer_id(messages::ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_committed(is_commit);
        for _ in 0..40 {
            let answer: Result<EndTxnResponse, _> = self.client.call(ApiKey::EndTxn, version, &request).await;
            if let Ok(answer) = answer
                && judge(code(answer.error_code))?
            {
                let next = Producer { id: answer.producer_id.0, epoch: answer.producer_epoch };
                return Ok((self.generation == Generation::Second).then_some(next));
            }
            self.client.pause(100).await;
        }
        Err(Stop::Over)
    }
}
