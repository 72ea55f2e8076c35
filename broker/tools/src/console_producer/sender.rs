//! Batches of records on their way to the leaders of a topic's partitions.
//! Shell over the client: asks for leaders and sends, again where that may help.
//!
//! Invariants:
//! - S1. The batches of one partition are sent in the order in which their records came.
//! - S2. A batch that is sent again is the same bytes: the broker knows it by its sequence.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_env::real::{RealClock, RealRng};
use ottla_env::{Clock, Rng};
use ottla_model::ErrorCode;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::PartitionProduceResponse;
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use ottla_records::header::checksum;
use ottla_records::{BatchBuilder, BatchHeader, Codec, HEADER_BYTES};

use super::partitioner::{Sticky, of_key};
use super::reader::Line;
use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure, constant_name};
use crate::terminal::Terminal;

/// Requests that one broker is sent at once (`max.in.flight.requests.per.connection`).
const IN_FLIGHT_MAX: usize = 5;
/// What may wait before it is sent, whatever the linger.
const WAITING_BYTES_MAX: usize = 512 * 1024;
const REQUEST_BYTES_MAX: usize = 1_048_576;
const CALLBACK: &str = "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback";
const NETWORK: &str = "org.apache.kafka.clients.NetworkClient";

pub struct SenderSettings {
    pub acks: i16,
    pub codec: Codec,
    pub batch_bytes: usize,
    pub request_timeout_ms: i32,
    pub max_block: Duration,
    pub retries: u32,
    pub backoff: Duration,
    pub is_idempotent: bool,
    /// A failure ends the command instead of being logged.
    pub is_sync: bool,
}

/// A topic as the cluster knows it.
struct Topic {
    id: uuid::Uuid,
    leaders: BTreeMap<i32, i32>,
    available: Vec<i32>,
}

struct Open {
    builder: BatchBuilder,
    records: Vec<Sizes>,
}

/// What a log line says of a record: the bytes of its key and value.
type Sizes = (Option<usize>, Option<usize>);

struct Batch {
    bytes: Bytes,
    records: Vec<Sizes>,
    is_numbered: bool,
    attempts: u32,
}

#[derive(Clone, Copy)]
struct Producer {
    id: i64,
    epoch: i16,
}

pub struct Sender {
    client: Client,
    topic: String,
    settings: SenderSettings,
    known: Option<Topic>,
    producer: Option<Producer>,
    sequences: BTreeMap<i32, i32>,
    sticky: Sticky,
    open: BTreeMap<i32, Open>,
    waiting: BTreeMap<i32, VecDeque<Batch>>,
    waiting_bytes: usize,
    since: Option<Instant>,
    metadata_count: u32,
}

impl Sender {
    pub fn new(client: Client, topic: &str, settings: SenderSettings) -> Sender {
        Sender {
            client,
            topic: topic.to_owned(),
            settings,
            known: None,
            producer: None,
            sequences: BTreeMap::new(),
            sticky: Sticky::default(),
            open: BTreeMap::new(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            since: None,
            metadata_count: 0,
        }
    }

    /// Since when something waits to be sent.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    pub fn add(&mut self, terminal: &mut Terminal<'_>, line: &Line) -> Result<(), Failure> {
        let sizes = (line.key.as_ref().map(Vec::len), line.value.as_ref().map(Vec::len));
        let bytes = upper_bound(line);
        if bytes > REQUEST_BYTES_MAX {
            let message = format!(
                "The message is {bytes} bytes when serialized which is larger than {REQUEST_BYTES_MAX}, which is the \
                 value of the max.request.size configuration."
            );
            let exception = Exception::kafka("RecordTooLargeException", message);
            return self.failed(terminal, &[sizes], &exception);
        }
        if self.known.is_none()
            && let Err(exception) = self.learn(terminal)
        {
            return self.failed(terminal, &[sizes], &exception);
        }
        let topic = self.known.as_ref().expect("the topic was learnt");
        let batch_bytes = self.settings.batch_bytes;
        let partition = match &line.key {
            Some(key) => of_key(key, topic.leaders.len()),
            None => self.sticky.next(&topic.available, bytes, batch_bytes, RealRng.next_u64()),
        };
        let is_full = |open: &mut Open| open.builder.size_bytes() + bytes > batch_bytes;
        if self.open.get_mut(&partition).is_some_and(is_full) {
            self.close(partition);
        }
        let codec = self.settings.codec;
        let open = self
            .open
            .entry(partition)
            .or_insert_with(|| Open { builder: BatchBuilder::new().codec(codec), records: Vec::new() });
        let headers: Vec<_> =
            line.headers.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
        let now = RealClock::new().wall_ms();
        open.builder.append(now, line.key.as_deref(), line.value.as_deref(), &headers);
        open.records.push(sizes);
        self.waiting_bytes += bytes;
        self.since.get_or_insert_with(Instant::now);
        if self.settings.is_sync || self.waiting_bytes >= WAITING_BYTES_MAX {
            self.flush(terminal)?;
        }
        Ok(())
    }

    fn close(&mut self, partition: i32) {
        let Some(Open { builder, records }) = self.open.remove(&partition) else { return };
        let batch = Batch { bytes: builder.build(), records, is_numbered: false, attempts: 0 };
        self.waiting.entry(partition).or_default().push_back(batch);
    }

    /// Sends all that waits; returns when each batch was taken or given up.
    pub fn flush(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let partitions: Vec<i32> = self.open.keys().copied().collect();
        partitions.into_iter().for_each(|partition| self.close(partition));
        while self.waiting.values().any(|batches| !batches.is_empty()) {
            if let Err(exception) = self.prepare(terminal) {
                self.give_up(terminal, &exception)?;
                break;
            }
            if self.send_round(terminal)? {
                std::thread::sleep(self.settings.backoff);
                self.known = None;
            }
        }
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.since = None;
        Ok(())
    }

    /// Knows the leaders and has a producer id; every batch that may go out has its sequence.
    fn prepare(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Exception> {
        if self.known.is_none() {
            self.learn(terminal)?;
        }
        if !self.settings.is_idempotent {
            return Ok(());
        }
        let producer = match self.producer {
            Some(producer) => producer,
            None => {
                let request = InitProducerIdRequest {
                    transactional_id: None,
                    transaction_timeout_ms: i32::MAX,
                    ..InitProducerIdRequest::default()
                };
                let response = self.client.any(terminal, "initProducerId", &request)?;
                Exception::check(response.error_code, None)?;
                let producer = Producer { id: response.producer_id, epoch: response.producer_epoch };
                *self.producer.insert(producer)
            }
        };
        for (partition, batches) in &mut self.waiting {
            let sequence = self.sequences.entry(*partition).or_insert(0);
            for batch in batches.iter_mut().filter(|batch| !batch.is_numbered) {
                batch.bytes = numbered(&batch.bytes, producer, *sequence);
                batch.is_numbered = true;
                *sequence = next_sequence(*sequence, batch.records.len());
            }
        }
        Ok(())
    }

    /// Sends each leader the first batches of its partitions; true when some must be sent again.
    fn send_round(&mut self, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
        let topic = self.known.as_ref().expect("prepared");
        let mut by_leader: BTreeMap<i32, Vec<ProduceRequest>> = BTreeMap::new();
        let mut without_leader = false;
        for (partition, batches) in &self.waiting {
            let leader = topic.leaders.get(partition).copied().unwrap_or(-1);
            if leader < 0 {
                without_leader |= !batches.is_empty();
                continue;
            }
            let requests = by_leader.entry(leader).or_default();
            for (at, batch) in batches.iter().take(IN_FLIGHT_MAX).enumerate() {
                if requests.len() == at {
                    requests.push(self.request(topic.id));
                }
                requests[at].topic_data[0].partition_data.push(
                    PartitionProduceData::default()
                        .with_index(*partition)
                        .with_records(Some(batch.bytes.clone())),
                );
            }
        }
        let mut again = without_leader;
        for (leader, requests) in by_leader.into_iter().filter(|(_, requests)| !requests.is_empty()) {
            if self.settings.acks == 0 {
                for request in &requests {
                    let told = self.client.tell(terminal, "produce", leader, request);
                    told.map_err(Failure::Kafka)?;
                    for partition in &request.topic_data[0].partition_data {
                        self.waiting.get_mut(&partition.index).and_then(VecDeque::pop_front);
                    }
                }
                continue;
            }
            match self.client.many(terminal, "produce", leader, &requests) {
                Ok(responses) => {
                    // The batches of a request stand where those before them stood, less what was taken.
                    let mut kept: BTreeMap<i32, usize> = BTreeMap::new();
                    for response in responses {
                        for topic in response.responses {
                            for partition in topic.partition_responses {
                                let at = kept.entry(partition.index).or_default();
                                if self.settle(terminal, &partition, *at)? {
                                    *at += 1;
                                    again = true;
                                }
                            }
                        }
                    }
                }
                Err(exception) => {
                    self.give_up(terminal, &exception)?;
                    return Ok(false);
                }
            }
        }
        if without_leader {
            for batch in self.waiting.values_mut().flatten() {
                batch.attempts += 1;
            }
            let exhausted = |batch: &Batch| batch.attempts > self.settings.retries;
            if self.waiting.values().flatten().any(exhausted) {
                let exception = Exception::of(ErrorCode::LeaderNotAvailable.code(), None);
                self.give_up(terminal, &exception)?;
                return Ok(false);
            }
        }
        Ok(again)
    }

    fn request(&self, topic_id: uuid::Uuid) -> ProduceRequest {
        let topic =
            TopicProduceData::default().with_name(admin::topic_name(&self.topic)).with_topic_id(topic_id);
        ProduceRequest::default()
            .with_acks(self.settings.acks)
            .with_timeout_ms(self.settings.request_timeout_ms)
            .with_topic_data(vec![topic])
    }

    /// What became of the batch at `at` of a partition; true when it is to be sent again.
    fn settle(
        &mut self,
        terminal: &mut Terminal<'_>,
        answer: &PartitionProduceResponse,
        at: usize,
    ) -> Result<bool, Failure> {
        let batches = self.waiting.get_mut(&answer.index).expect("only what waits is sent");
        let error = ErrorCode::from_code(answer.error_code);
        let is_taken = answer.error_code == 0 || error == Some(ErrorCode::DuplicateSequenceNumber);
        let is_behind_another = at > 0 && error == Some(ErrorCode::OutOfOrderSequenceNumber);
        let batch = batches.get_mut(at).expect("an answer has its batch");
        if !is_taken && (is_behind_another || error.is_some_and(ErrorCode::is_retriable)) {
            batch.attempts += u32::from(!is_behind_another);
            if batch.attempts <= self.settings.retries {
                return Ok(true);
            }
        }
        let batch = batches.remove(at).expect("it was there");
        if !is_taken {
            let exception = Exception::of(answer.error_code, answer.error_message.as_deref());
            self.forget_producer();
            self.failed(terminal, &batch.records, &exception)?;
        }
        Ok(false)
    }

    /// A batch that was given up leaves a hole in the sequences: what follows gets a producer id of its own.
    fn forget_producer(&mut self) {
        self.producer = None;
        self.sequences.clear();
        self.waiting.values_mut().flatten().for_each(|batch| batch.is_numbered = false);
    }

    fn give_up(&mut self, terminal: &mut Terminal<'_>, exception: &Exception) -> Result<(), Failure> {
        for batch in std::mem::take(&mut self.waiting).into_values().flatten() {
            self.failed(terminal, &batch.records, exception)?;
        }
        self.forget_producer();
        Ok(())
    }

    fn failed(
        &self,
        terminal: &mut Terminal<'_>,
        records: &[Sizes],
        exception: &Exception,
    ) -> Result<(), Failure> {
        if self.settings.is_sync {
            let said =
                format!("java.util.concurrent.ExecutionException: {exception}\nCaused by: {exception}");
            return Err(Failure::Sentence(said, 1));
        }
        let bytes = |bytes: Option<usize>| bytes.map_or("null".to_owned(), |bytes| format!("{bytes} bytes"));
        for (key, value) in records {
            let message = format!(
                "Error when sending message to topic {} with key: {}, value: {} with error:",
                self.topic,
                bytes(*key),
                bytes(*value)
            );
            terminal.log("ERROR", &message, CALLBACK)?;
            writeln!(terminal.err, "{exception}")?;
        }
        Ok(())
    }

    /// Asks who leads the partitions, and waits until there are some.
    fn learn(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Exception> {
        let begin = Instant::now();
        loop {
            let asked = MetadataRequestTopic::default().with_name(Some(admin::topic_name(&self.topic)));
            let response = self.client.metadata_of(terminal, "metadata", Some(vec![asked]), true)?;
            self.metadata_count += 1;
            let topic = response.topics.into_iter().next();
            let error = topic.as_ref().map_or(ErrorCode::UnknownTopicOrPartition.code(), |t| t.error_code);
            if let Some(topic) = topic.filter(|topic| topic.error_code == 0 && !topic.partitions.is_empty()) {
                let leaders: BTreeMap<i32, i32> =
                    topic.partitions.iter().map(|p| (p.partition_index, p.leader_id.0)).collect();
                let led = leaders.iter().filter(|(_, leader)| **leader >= 0);
                let available: Vec<i32> = led.map(|(partition, _)| *partition).collect();
                if !available.is_empty() {
                    self.known = Some(Topic { id: topic.topic_id, leaders, available });
                    return Ok(());
                }
            }
            self.unknown(terminal, error)?;
            if begin.elapsed() >= self.settings.max_block {
                let ms = self.settings.max_block.as_millis();
                let message = format!("Topic {} not present in metadata after {ms} ms.", self.topic);
                return Err(Exception::kafka("TimeoutException", message));
            }
            std::thread::sleep(self.settings.backoff);
        }
    }

    /// Says what the broker said of the topic; an error where asking again is of no use.
    fn unknown(&self, terminal: &mut Terminal<'_>, code: i16) -> Result<(), Exception> {
        let prefix = format!("[Producer clientId={}]", self.client.settings().client_id);
        let name = ErrorCode::from_code(code).map_or("NONE".to_owned(), constant_name);
        let (topic, count) = (&self.topic, self.metadata_count);
        let message = format!(
            "{prefix} The metadata response from the cluster reported a recoverable issue with correlation id {count} : \
             {{{topic}={name}}}"
        );
        terminal.log("WARN", &message, NETWORK)?;
        match ErrorCode::from_code(code) {
            Some(ErrorCode::InvalidTopicException) => {
                let message = format!("{prefix} Metadata response reported invalid topics [{topic}]");
                terminal.log("ERROR", &message, "org.apache.kafka.clients.Metadata")?;
                Err(Exception::kafka("InvalidTopicException", format!("Invalid topics: [{topic}]")))
            }
            Some(ErrorCode::TopicAuthorizationFailed) => {
                let message = format!("{prefix} Topic authorization failed for topics [{topic}]");
                terminal.log("ERROR", &message, "org.apache.kafka.clients.Metadata")?;
                let message = format!("Not authorized to access topics: [{topic}]");
                Err(Exception::kafka("TopicAuthorizationException", message))
            }
            _ => Ok(()),
        }
    }
}

/// The bytes that a record may take in a batch of its own (`DefaultRecordBatch.estimateBatchSizeUpperBound`).
fn upper_bound(line: &Line) -> usize {
    const RECORD_OVERHEAD: usize = 21;
    const LENGTH_MAX: usize = 5;
    let bytes =
        |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(1, |bytes| varint_bytes(bytes.len()) + bytes.len());
    let headers: usize = line.headers.iter().map(|(key, value)| LENGTH_MAX + key.len() + bytes(value)).sum();
    HEADER_BYTES + RECORD_OVERHEAD + bytes(&line.key) + bytes(&line.value) + 1 + headers
}

fn varint_bytes(length: usize) -> usize {
    // Zigzag takes one bit, each byte has seven.
    let bits = usize::BITS - (length << 1).leading_zeros();
    (bits.max(1) as usize).div_ceil(7)
}

/// The batch with its place among all that a producer sent to a partition.
fn numbered(batch: &Bytes, producer: Producer, sequence: i32) -> Bytes {
    let head: &[u8; HEADER_BYTES] = batch.first_chunk().expect("a batch has a header");
    let mut header = BatchHeader::parse(head);
    header.producer_id = ottla_model::ProducerId(producer.id);
    header.producer_epoch = ottla_model::ProducerEpoch(producer.epoch);
    header.base_sequence = ottla_model::Sequence(sequence);
    let body = &batch[HEADER_BYTES..];
    header.crc = checksum(&header.write(), body);
    [header.write().as_slice(), body].concat().into()
}

fn next_sequence(sequence: i32, count: usize) -> i32 {
    let next = i64::from(sequence) + count as i64;
    // After the largest number comes 0 (`DefaultRecordBatch.incrementSequence`).
    i32::try_from(next % (i64::from(i32::MAX) + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use ottla_records::BatchView;

    use super::*;

    #[test]
    fn a_numbered_batch_is_whole() {
        let mut builder = BatchBuilder::new().codec(Codec::Gzip(-1));
        builder.append(7, Some(b"k"), Some(b"v"), &[]);
        let batch = numbered(&builder.build(), Producer { id: 9, epoch: 2 }, 5);
        let view = BatchView::first(&batch).expect("a batch");
        view.verify_checksum().expect("its checksum");
        assert_eq!((view.header().producer_id.0, view.header().base_sequence.0), (9, 5));
        assert_eq!((next_sequence(5, 3), next_sequence(i32::MAX, 1)), (8, 0));
    }

    #[test]
    fn a_record_is_never_longer_than_its_bound() {
        let line = |value: usize| Line {
            key: None,
            value: Some(vec![b'x'; value]),
            headers: vec![(b"h".to_vec(), Some(b"v".to_vec()))],
        };
        for value in [0, 63, 64, 8191, 8192, 100_000] {
            let line = line(value);
            let mut builder = BatchBuilder::new();
            builder.append(0, None, line.value.as_deref(), &[(b"h", Some(b"v"))]);
            assert!(upper_bound(&line) >= builder.size_bytes(), "{value}");
        }
        // As Apache Kafka's producer says of the first value that is too long.
        let bare = Line { headers: Vec::new(), ..line(REQUEST_BYTES_MAX) };
        assert_eq!(upper_bound(&bare), REQUEST_BYTES_MAX + 88);
    }
}
