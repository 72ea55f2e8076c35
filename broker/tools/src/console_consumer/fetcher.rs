//! Reads partitions from their leaders: where each is read next, what came, and where reading begins.
//! Shell over the client; which records of a fetched range count is a plain function.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use ottla_model::ErrorCode;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{BrokerId, FetchRequest, TopicName};
use ottla_records::{BatchError, EndTxnMarker, batches};

use super::assignment::Partition;
use crate::admin;
use crate::client::Client;
use crate::error::Exception;
use crate::get_offsets::offsets_seen;
use crate::terminal::Terminal;

const FETCH_BYTES_MAX: i32 = 50 * 1024 * 1024;
const PARTITION_BYTES_MAX: i32 = 1024 * 1024;
const BACKOFF: Duration = Duration::from_millis(100);
/// Fetches outside of a session (KIP-227).
const NO_SESSION: (i32, i32) = (0, -1);

pub const EARLIEST: i64 = -2;
pub const LATEST: i64 = -1;

/// Where a partition is read from that has no offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    To(i64),
    /// `auto.offset.reset=none`.
    Refuse,
}

/// A range of a partition that was fetched.
pub struct Range {
    pub partition: Partition,
    pub bytes: Bytes,
    /// Producers with the offset at which a transaction begins that was aborted.
    aborted: Vec<(i64, i64)>,
}

pub struct Fetcher {
    reset: Reset,
    is_read_committed: bool,
    may_create: bool,
    positions: BTreeMap<Partition, i64>,
    /// The leader epoch of the batch that was read last of each.
    epochs: BTreeMap<Partition, i32>,
    leaders: BTreeMap<Partition, i32>,
    /// The last fetch brought records: more are likely there already.
    had_records: bool,
    is_stale: bool,
}

impl Fetcher {
    pub fn new(reset: Reset, is_read_committed: bool, may_create: bool) -> Fetcher {
        Fetcher {
            reset,
            is_read_committed,
            may_create,
            positions: BTreeMap::new(),
            epochs: BTreeMap::new(),
            leaders: BTreeMap::new(),
            had_records: false,
            is_stale: false,
        }
    }

    /// Where each partition is read next.
    pub fn positions(&self) -> &BTreeMap<Partition, i64> {
        &self.positions
    }

    /// The leader epoch in which what was read last of each was written.
    pub fn epochs(&self) -> &BTreeMap<Partition, i32> {
        &self.epochs
    }

    /// All partitions of topics that are there, each with its leader.
    pub fn look_up(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        topics: &BTreeSet<String>,
    ) -> Result<Vec<Partition>, Exception> {
        let asked = topics
            .iter()
            .map(|topic| MetadataRequestTopic::default().with_name(Some(admin::topic_name(topic))));
        let response = client.metadata_of(terminal, "metadata", Some(asked.collect()), self.may_create)?;
        for topic in &response.topics {
            let name = topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
            match ErrorCode::from_code(topic.error_code) {
                Some(ErrorCode::TopicAuthorizationFailed) => return Err(not_authorized(&name)),
                Some(ErrorCode::InvalidTopicException) => {
                    let message = format!("Invalid topics: [{name}]");
                    return Err(Exception::kafka("InvalidTopicException", message));
                }
                _ => {}
            }
            for partition in &topic.partitions {
                let found = Partition {
                    topic: name.clone(),
                    index: partition.partition_index,
                    topic_id: topic.topic_id,
                };
                self.leaders.insert(found, partition.leader_id.0);
            }
        }
        self.is_stale = false;
        Ok(self.leaders.keys().filter(|partition| topics.contains(&partition.topic)).cloned().collect())
    }

    /// Reads these from now on: where `known` says, else where the reset says.
    pub fn assign(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        partitions: &[Partition],
        known: &BTreeMap<Partition, i64>,
    ) -> Result<(), Exception> {
        self.positions.retain(|partition, _| partitions.contains(partition));
        self.positions.extend(known.iter().map(|(partition, offset)| (partition.clone(), *offset)));
        let missing: Vec<Partition> =
            partitions.iter().filter(|partition| !self.positions.contains_key(*partition)).cloned().collect();
        self.reset_all(client, terminal, &missing)
    }

    fn reset_all(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        partitions: &[Partition],
    ) -> Result<(), Exception> {
        if partitions.is_empty() {
            return Ok(());
        }
        let Reset::To(time) = self.reset else {
            let names: Vec<String> = partitions.iter().map(|p| format!("{}-{}", p.topic, p.index)).collect();
            let message =
                format!("Undefined offset with no reset policy for partitions: [{}]", names.join(", "));
            return Err(Exception::new(
                "org.apache.kafka.clients.consumer.NoOffsetForPartitionException",
                message,
            ));
        };
        if time >= 0 {
            self.positions.extend(partitions.iter().map(|partition| (partition.clone(), time)));
            return Ok(());
        }
        let mut left: BTreeSet<Partition> = partitions.iter().cloned().collect();
        loop {
            let asked = left.iter().map(|partition| {
                let leader = self.leaders.get(partition).copied().unwrap_or(-1);
                ((partition.topic.clone(), partition.index), leader)
            });
            let asked = asked.collect();
            let found = offsets_seen(client, terminal, &asked, time, self.is_read_committed)?;
            for partition in std::mem::take(&mut left) {
                match found.get(&(partition.topic.clone(), partition.index)) {
                    Some(Ok(offset)) if *offset >= 0 => {
                        self.positions.insert(partition, *offset);
                    }
                    Some(Err(exception)) if exception.is_of(ErrorCode::TopicAuthorizationFailed) => {
                        return Err(not_authorized(&partition.topic));
                    }
                    _ => {
                        left.insert(partition);
                    }
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            std::thread::sleep(BACKOFF);
            let topics = left.iter().map(|partition| partition.topic.clone()).collect();
            self.look_up(client, terminal, &topics)?;
        }
    }

    /// Asks the leaders of all partitions for records; waits no longer than that if there are none.
    pub fn fetch(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        wait: Duration,
    ) -> Result<Vec<Range>, Exception> {
        if self.is_stale {
            std::thread::sleep(BACKOFF);
            let topics = self.positions.keys().map(|partition| partition.topic.clone()).collect();
            self.look_up(client, terminal, &topics)?;
        }
        let mut by_leader: BTreeMap<i32, Vec<(&Partition, i64)>> = BTreeMap::new();
        for (partition, position) in &self.positions {
            match self.leaders.get(partition) {
                Some(leader) if *leader >= 0 => {
                    by_leader.entry(*leader).or_default().push((partition, *position));
                }
                _ => self.is_stale = true,
            }
        }
        // While one leader is waited for, another may have records.
        let each = wait / u32::try_from(by_leader.len().max(1)).unwrap_or(u32::MAX);
        let each = if self.had_records { Duration::ZERO } else { each };
        if by_leader.is_empty() {
            std::thread::sleep(each.min(BACKOFF));
        }
        let requests: Vec<(i32, FetchRequest)> = by_leader
            .into_iter()
            .map(|(leader, partitions)| (leader, self.request(&partitions, each)))
            .collect();
        let mut ranges = Vec::new();
        let mut out_of_range = Vec::new();
        for (leader, request) in requests {
            let response = client.node(terminal, "fetch", leader, &request)?;
            Exception::check(response.error_code, None)?;
            for topic in response.responses {
                for data in topic.partitions {
                    let is_it = |partition: &&Partition| {
                        let same = match topic.topic.is_empty() {
                            true => partition.topic_id == topic.topic_id,
                            false => *partition.topic == **topic.topic,
                        };
                        same && partition.index == data.partition_index
                    };
                    let Some(partition) = self.positions.keys().find(is_it).cloned() else { continue };
                    if self.take(&partition, data, &mut ranges)? {
                        out_of_range.push(partition);
                    }
                }
            }
        }
        for partition in &out_of_range {
            self.positions.remove(partition);
        }
        self.reset_all(client, terminal, &out_of_range)?;
        self.had_records = !ranges.is_empty();
        Ok(ranges)
    }

    /// What came of a partition; true when its position is not in its log.
    fn take(
        &mut self,
        partition: &Partition,
        data: PartitionData,
        ranges: &mut Vec<Range>,
    ) -> Result<bool, Exception> {
        match ErrorCode::from_code(data.error_code) {
            Some(ErrorCode::None) => {
                let bytes = data.records.unwrap_or_default();
                if !bytes.is_empty() {
                    let aborted = data.aborted_transactions.unwrap_or_default();
                    let aborted = aborted.iter().map(|one| (one.producer_id.0, one.first_offset)).collect();
                    ranges.push(Range { partition: partition.clone(), bytes, aborted });
                }
                Ok(false)
            }
            Some(ErrorCode::OffsetOutOfRange) => Ok(true),
            Some(ErrorCode::TopicAuthorizationFailed) => Err(not_authorized(&partition.topic)),
            Some(error) if error.is_retriable() => {
                self.is_stale = true;
                Ok(false)
            }
            _ => Err(Exception::of(data.error_code, None)),
        }
    }

    fn request(&self, partitions: &[(&Partition, i64)], wait: Duration) -> FetchRequest {
        let mut topics: BTreeMap<&str, FetchTopic> = BTreeMap::new();
        for (partition, position) in partitions {
            let topic = topics.entry(&partition.topic).or_insert_with(|| {
                FetchTopic::default()
                    .with_topic(TopicName(admin::text(&partition.topic)))
                    .with_topic_id(partition.topic_id)
            });
            topic.partitions.push(
                FetchPartition::default()
                    .with_partition(partition.index)
                    .with_current_leader_epoch(-1)
                    .with_fetch_offset(*position)
                    .with_last_fetched_epoch(-1)
                    .with_log_start_offset(-1)
                    .with_partition_max_bytes(PARTITION_BYTES_MAX),
            );
        }
        FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES_MAX)
            .with_isolation_level(i8::from(self.is_read_committed))
            .with_session_id(NO_SESSION.0)
            .with_session_epoch(NO_SESSION.1)
            .with_topics(topics.into_values().collect())
    }

    /// A record was read, or all of a batch: here reading goes on.
    pub fn move_to(&mut self, partition: &Partition, position: i64, leader_epoch: i32) {
        self.positions.insert(partition.clone(), position);
        self.epochs.insert(partition.clone(), leader_epoch);
    }
}

fn not_authorized(topic: &str) -> Exception {
    Exception::kafka("TopicAuthorizationException", format!("Not authorized to access topics: [{topic}]"))
}

/// What a reader does with a record, and with the end of a batch: whether to go on.
pub enum Seen<'a> {
    /// With the leader epoch of its batch.
    Record(Box<super::formatter::Message<'a>>, i32),
    BatchEnd(i64, i32),
}

/// Walks the records of a range from a position on. Those of aborted transactions are left out, and markers; `on` says
/// whether to go on.
pub fn walk(
    range: &Range,
    position: i64,
    on: &mut dyn FnMut(Seen<'_>) -> Result<bool, crate::error::Failure>,
) -> Result<bool, crate::error::Failure> {
    let corrupt = |why: String| {
        let (topic, index) = (&range.partition.topic, range.partition.index);
        let message = format!("Received exception when fetching the next record from {topic}-{index}: {why}");
        Exception::new("org.apache.kafka.common.KafkaException", message)
    };
    let mut aborted = range.aborted.clone();
    aborted.sort_by_key(|(_, first_offset)| *first_offset);
    let mut begun = aborted.into_iter().peekable();
    let mut is_aborted = BTreeSet::new();
    for batch in batches(&range.bytes) {
        let batch = match batch {
            Ok(batch) => batch,
            // The end of what was asked for may cut a batch.
            Err(BatchError::Truncated { .. }) => return Ok(true),
            Err(error) => return Err(corrupt(error.to_string()).into()),
        };
        let header = batch.header();
        while let Some((producer, _)) = begun.next_if(|(_, first)| *first <= header.last_offset().0) {
            is_aborted.insert(producer);
        }
        let attributes = header.attributes;
        let is_counted = if attributes.is_control() {
            let marker = EndTxnMarker::parse(&batch);
            if marker.is_some_and(|marker| !marker.is_commit) {
                is_aborted.remove(&header.producer_id.0);
            }
            false
        } else {
            !(attributes.is_transactional() && is_aborted.contains(&header.producer_id.0))
        };
        if is_counted {
            batch.verify_checksum().map_err(|error| corrupt(error.to_string()))?;
            let mut scratch = Vec::new();
            for record in batch.records(&mut scratch).map_err(|error| corrupt(error.to_string()))? {
                let record = record.map_err(|error| corrupt(error.to_string()))?;
                if record.offset.0 < position {
                    continue;
                }
                let message = super::formatter::Message {
                    partition: range.partition.index,
                    offset: record.offset.0,
                    timestamp: record.timestamp,
                    timestamp_type: attributes.timestamp_type(),
                    key: record.key,
                    value: record.value,
                    headers: record.headers().collect(),
                };
                if !on(Seen::Record(Box::new(message), header.leader_epoch.0))? {
                    return Ok(false);
                }
            }
        }
        if !on(Seen::BatchEnd(header.next_offset().0, header.leader_epoch.0))? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use ottla_model::{Offset, ProducerEpoch, ProducerId, Sequence};
    use ottla_records::BatchBuilder;

    use super::*;

    fn batch(base: i64, producer: Option<i64>, values: &[&str]) -> Bytes {
        let mut builder = BatchBuilder::new().base_offset(Offset(base));
        if let Some(id) = producer {
            builder = builder.transactional().producer(ProducerId(id), ProducerEpoch(0), Sequence(0));
        }
        values.iter().for_each(|value| builder.append(1, None, Some(value.as_bytes()), &[]));
        builder.build()
    }

    fn abort(base: i64, producer: i64) -> Bytes {
        let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 0, timestamp: 1 };
        let mut bytes = marker.build(ProducerId(producer), ProducerEpoch(0)).to_vec();
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes.into()
    }

    fn seen(parts: &[Bytes], aborted: &[(i64, i64)], position: i64) -> (Vec<String>, i64) {
        let range = Range {
            partition: Partition::new("t", 0),
            bytes: parts.concat().into(),
            aborted: aborted.to_vec(),
        };
        let (mut values, mut end) = (Vec::new(), position);
        let whole = walk(&range, position, &mut |seen| {
            match seen {
                Seen::Record(message, _) => {
                    values.push(String::from_utf8_lossy(message.value.unwrap_or_default()).into_owned());
                }
                Seen::BatchEnd(offset, _) => end = offset,
            }
            Ok(true)
        });
        assert!(whole.expect("good bytes"));
        (values, end)
    }

    #[test]
    fn records_before_the_position_and_a_cut_batch_are_left_out() {
        let whole = batch(0, None, &["a", "b", "c"]);
        assert_eq!(seen(std::slice::from_ref(&whole), &[], 1), (vec!["b".to_owned(), "c".to_owned()], 3));
        let next = batch(3, None, &["d"]);
        let cut = next.slice(..next.len() - 1);
        assert_eq!(seen(&[whole, cut], &[], 2), (vec!["c".to_owned()], 3));
    }

    #[test]
    fn records_of_an_aborted_transaction_are_left_out_up_to_its_marker() {
        let parts = [
            batch(0, Some(7), &["lost"]),
            batch(1, Some(8), &["kept"]),
            abort(2, 7),
            batch(3, Some(7), &["later"]),
        ];
        let kept = (vec!["kept".to_owned(), "later".to_owned()], 4);
        assert_eq!(seen(&parts, &[(7, 0)], 0), kept);
        assert_eq!(seen(&parts, &[], 0).0.len(), 3, "who reads uncommitted sees all");
    }

    #[test]
    fn damaged_bytes_are_no_records() {
        let mut bytes = batch(0, None, &["a"]).to_vec();
        *bytes.last_mut().expect("bytes") ^= 1;
        let range = Range { partition: Partition::new("t", 0), bytes: bytes.into(), aborted: Vec::new() };
        assert!(walk(&range, 0, &mut |_seen| Ok(true)).is_err());
    }
}
