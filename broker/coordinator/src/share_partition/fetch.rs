//! One share fetch: looks for records that are free, reads them, and makes them the member's.
//! Shell. After Kafka's `DelayedShareFetch`.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Monotonic;
use ottla_log::{ReadData, ReadSlice};
use ottla_model::{ErrorCode, GroupId, MemberId, TopicId};
use ottla_records::header::HEADER_BYTES;
use ottla_records::{BatchHeader, BatchView, EndTxnMarker, batches};
use ottla_replica::wake::WaitList;
use ottla_replica::{
    DelayedFetch, FetchIsolation, FollowerState, Look, Partition, PartitionRead, ReadRequest, Reader, Woken,
    read,
};

use super::aborted::AbortedTransaction;
use super::acquire::{Acquire, AcquiredRange, FetchedBatch};
use super::manager::{Cell, SharePartitionManager};
use super::partition::{Limits, SharePartition};
use crate::settings::{IsolationLevel, ShareGroupConfig};
use crate::share::SharePartitionKey;

/// What a member asks for, and the share partitions that it is served from.
pub struct ShareFetch {
    pub group: GroupId,
    pub member: MemberId,
    pub is_record_limit: bool,
    pub batch_records: i32,
    pub records_max: i32,
    pub bytes_min: usize,
    pub bytes_max: usize,
    cells: Vec<Arc<Cell>>,
    /// So many of them, the first, were there before this fetch.
    known_count: usize,
    /// What cannot be served; part of every answer.
    failed: Vec<FetchedPartition>,
    /// What is stored at other nodes and not read yet.
    elsewhere: Vec<(SharePartitionKey, Arc<Partition>)>,
}

/// What one partition answers.
#[derive(Clone)]
pub struct FetchedPartition {
    pub topic_id: TopicId,
    pub partition: i32,
    pub error: ErrorCode,
    pub message: Option<String>,
    pub records: ReadData,
    pub record_bytes: usize,
    pub acquired: Vec<AcquiredRange>,
}

impl FetchedPartition {
    pub fn failed(topic_id: TopicId, partition: i32, error: ErrorCode, message: Option<String>) -> Self {
        FetchedPartition {
            topic_id,
            partition,
            error,
            message,
            records: ReadData::Empty,
            record_bytes: 0,
            acquired: Vec::new(),
        }
    }
}

/// A batch and where it lies in what was read.
struct Span {
    batch: FetchedBatch,
    position: usize,
    bytes: usize,
}

impl ShareFetch {
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        self.cells.iter().map(|cell| Arc::clone(&cell.partition)).collect()
    }

    pub fn waiters(&self) -> Vec<Arc<WaitList>> {
        self.cells.iter().map(|cell| Arc::clone(&cell.waiters)).collect()
    }

    pub fn is_hopeless(&self) -> bool {
        self.cells.is_empty()
    }

    /// Share partitions that must be read from other nodes first.
    pub fn take_elsewhere(&mut self) -> Vec<(SharePartitionKey, Arc<Partition>)> {
        std::mem::take(&mut self.elsewhere)
    }

    pub fn failures(&self) -> Vec<FetchedPartition> {
        self.failed.clone()
    }
}

impl SharePartitionManager {
    /// Finds the share partitions of a fetch, in the order in which they are served.
    pub fn prepare(&self, fetch: ShareFetchRequest<'_>) -> ShareFetch {
        let (mut cells, mut fresh) = (Vec::with_capacity(fetch.partitions.len()), Vec::new());
        let (mut failed, mut elsewhere) = (Vec::new(), Vec::new());
        for partition in fetch.partitions {
            let key = SharePartitionKey {
                group: fetch.group.clone(),
                topic_id: partition.topic_id,
                partition: partition.name.partition.0,
            };
            let is_known = self.cell(&key).is_some();
            match self.cell_for(&key, partition) {
                Ok(Some(cell)) if is_known => cells.push(cell),
                Ok(Some(cell)) => fresh.push(cell),
                Ok(None) => elsewhere.push((key, Arc::clone(partition))),
                Err(error) => failed.push(FetchedPartition::failed(
                    key.topic_id,
                    key.partition,
                    error.code,
                    Some(error.message),
                )),
            }
        }
        let known_count = cells.len();
        cells.extend(fresh);
        ShareFetch {
            group: fetch.group.clone(),
            member: fetch.member.clone(),
            is_record_limit: fetch.is_record_limit,
            batch_records: fetch.batch_records,
            records_max: fetch.records_max,
            bytes_min: fetch.bytes_min,
            bytes_max: fetch.bytes_max,
            cells,
            known_count,
            failed,
            elsewhere,
        }
    }

    /// Takes what is there, if it is enough or if it is too late to wait for more.
    ///
    /// In Kafka share partitions come to be one after another, and the first with records answers the fetch
    /// that waits for them: clients' tests count on that.
    pub fn look(&self, fetch: &ShareFetch, woken: Woken) -> Option<Vec<FetchedPartition>> {
        let all = fetch.cells.len();
        let first = if woken == Woken::Deadline { all } else { fetch.known_count.clamp(1, all) };
        let config = self.configs.of(fetch.group.as_str());
        (first..=all).find_map(|count| self.look_at(fetch, &config, &fetch.cells[..count], woken))
    }

    fn look_at(
        &self,
        fetch: &ShareFetch,
        config: &ShareGroupConfig,
        cells: &[Arc<Cell>],
        woken: Woken,
    ) -> Option<Vec<FetchedPartition>> {
        let limits = Limits::from(config);
        let reader = Reader::Consumer(match config.isolation_level {
            IsolationLevel::ReadCommitted => FetchIsolation::ReadCommitted,
            IsolationLevel::ReadUncommitted => FetchIsolation::ReadUncommitted,
        });
        let open: Vec<(&Arc<Cell>, i64)> = cells
            .iter()
            .filter_map(|cell| {
                let at = cell.turn(|core| core.can_acquire(&limits).then(|| core.next_fetch_offset()));
                Some((cell, at??))
            })
            .collect();
        if open.is_empty() {
            return (woken == Woken::Deadline).then(|| fetch.failed.clone());
        }
        let share_bytes = (fetch.bytes_max / open.len()).max(1);
        let asked: Vec<ReadRequest> =
            open.iter().map(|(cell, at)| read_request(cell, *at, share_bytes)).collect();
        // `DelayedShareFetch.isMinBytesSatisfied`; what cannot be read is a reason to answer as well.
        if woken != Woken::Deadline {
            let delayed = DelayedFetch::new(&asked, reader, fetch.bytes_min);
            if !matches!(delayed.look(&asked), Look::Found(())) {
                return None;
            }
        }
        let reads = read(&asked, reader, fetch.bytes_max);
        let mut answers = Vec::with_capacity(open.len() + fetch.failed.len());
        let mut taking =
            Taking { fetch, limits: &limits, now: self.clock.monotonic(), records_max: fetch.records_max };
        for ((cell, at), found) in open.into_iter().zip(reads) {
            let taken = cell.turn(|core| {
                // Another fetch may have been here since: what it took is not read for us again.
                if core.next_fetch_offset() != at {
                    let again = read_request(cell, core.next_fetch_offset(), share_bytes);
                    let at = again.fetch_offset;
                    let found = read(&[again], reader, share_bytes).into_iter().next();
                    return taking.take(cell, core, at, found?);
                }
                taking.take(cell, core, at, found)
            });
            let Some(Some((answer, count))) = taken else { continue };
            taking.records_max = taking.records_max.saturating_sub(i32::try_from(count).unwrap_or(i32::MAX));
            self.ring_if_earlier(cell);
            answers.push(answer);
        }
        answers.extend(fetch.failed.iter().cloned());
        Some(answers)
    }
}

/// A fetch on its way from partition to partition.
struct Taking<'a> {
    fetch: &'a ShareFetch,
    limits: &'a Limits,
    now: Monotonic,
    /// How many records it may still take.
    records_max: i32,
}

impl Taking<'_> {
    /// Makes what a read found the member's.
    fn take(
        &self,
        cell: &Cell,
        core: &mut SharePartition,
        at: i64,
        found: PartitionRead,
    ) -> Option<(FetchedPartition, i64)> {
        let (topic_id, partition) = (cell.key.topic_id, cell.key.partition);
        let nothing = |error: ErrorCode| {
            let message = (!error.is_none()).then(|| error.to_string());
            Some((FetchedPartition::failed(topic_id, partition, error, message), 0))
        };
        if found.error == ErrorCode::OffsetOutOfRange {
            // The log begins later now: the next fetch goes on from there.
            if let Ok(log) = cell.partition.log() {
                core.on_log_start(log.log_start_offset().0);
            }
            return nothing(ErrorCode::None);
        }
        if !found.error.is_none() {
            return nothing(found.error);
        }
        let Some(slice) = &found.data else { return nothing(ErrorCode::None) };
        let spans = match spans_of(slice) {
            Ok(spans) => spans,
            Err(error) => {
                tracing::error!(partition = %cell.partition.name, %error, "a share fetch can't read the log");
                return nothing(ErrorCode::KafkaStorageError);
            }
        };
        let fetched: Vec<FetchedBatch> = spans.iter().map(|span| span.batch).collect();
        let aborted: Vec<AbortedTransaction> = found
            .aborted_transactions
            .iter()
            .flatten()
            .map(|one| AbortedTransaction {
                producer_id: one.producer_id.0,
                first_offset: one.first_offset.0,
            })
            .collect();
        let request = Acquire {
            member: &self.fetch.member,
            is_record_limit: self.fetch.is_record_limit,
            batch_records: self.fetch.batch_records,
            records_max: self.records_max,
            fetch_offset: at,
            now: self.now,
        };
        let acquired = core.acquire(&request, &fetched, &aborted, self.limits);
        let (Some(first), Some(last)) = (acquired.ranges.first(), acquired.ranges.last()) else {
            return nothing(ErrorCode::None);
        };
        let (records, record_bytes) = cut(slice, &spans, first.first_offset, last.last_offset);
        let answer = FetchedPartition {
            topic_id,
            partition,
            error: ErrorCode::None,
            message: None,
            records,
            record_bytes,
            acquired: acquired.ranges,
        };
        Some((answer, acquired.count))
    }
}

/// What a fetch is prepared from.
pub struct ShareFetchRequest<'a> {
    pub group: &'a GroupId,
    pub member: &'a MemberId,
    pub is_record_limit: bool,
    pub batch_records: i32,
    pub records_max: i32,
    pub bytes_min: usize,
    pub bytes_max: usize,
    pub partitions: &'a [Arc<Partition>],
}

fn read_request(cell: &Cell, at: i64, bytes_max: usize) -> ReadRequest {
    ReadRequest {
        partition: Arc::clone(&cell.partition),
        fetch_offset: at,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        partition_max_bytes: i32::try_from(bytes_max).unwrap_or(i32::MAX),
        follower: FollowerState::UNSAID,
    }
}

/// The batches of a read. Only their headers are looked at: the records stay where they are.
fn spans_of(slice: &ReadSlice) -> std::io::Result<Vec<Span>> {
    let mut spans = Vec::new();
    match &slice.data {
        ReadData::Empty => {}
        ReadData::File { file, position, len } => {
            let mut at = 0;
            while at + HEADER_BYTES <= *len {
                let mut head = [0; HEADER_BYTES];
                file.read_exact_at(&mut head, position + at as u64)?;
                let header = BatchHeader::parse(&head);
                let bytes = header.size_bytes();
                let mut is_abort_marker = false;
                if header.attributes.is_control() && at + bytes <= *len {
                    let mut whole = vec![0; bytes];
                    file.read_exact_at(&mut whole, position + at as u64)?;
                    is_abort_marker = BatchView::first(&whole).is_ok_and(|batch| is_abort(&batch));
                }
                spans.push(Span { batch: fetched(&header, is_abort_marker), position: at, bytes });
                at += bytes.max(HEADER_BYTES);
            }
        }
        ReadData::Memory(_) => {
            let whole = slice.read_bytes()?;
            let mut at = 0;
            for batch in batches(&whole).map_while(Result::ok) {
                let bytes = batch.bytes().len();
                let batch = fetched(batch.header(), is_abort(&batch));
                spans.push(Span { batch, position: at, bytes });
                at += bytes;
            }
        }
    }
    Ok(spans)
}

fn is_abort(batch: &BatchView<'_>) -> bool {
    batch.header().attributes.is_control()
        && EndTxnMarker::parse(batch).is_some_and(|marker| !marker.is_commit)
}

fn fetched(header: &BatchHeader, is_abort_marker: bool) -> FetchedBatch {
    FetchedBatch {
        base_offset: header.base_offset.0,
        last_offset: header.last_offset().0,
        producer_id: header.producer_id.0,
        is_transactional: header.attributes.is_transactional(),
        is_abort_marker,
    }
}

/// The batches that hold what was acquired (`ShareFetchUtils.maybeSliceFetchRecords`).
fn cut(slice: &ReadSlice, spans: &[Span], first_offset: i64, last_offset: i64) -> (ReadData, usize) {
    let first = spans.iter().rposition(|span| span.batch.base_offset <= first_offset).unwrap_or(0);
    let last =
        spans.iter().rposition(|span| span.batch.base_offset <= last_offset).unwrap_or(first).max(first);
    let start = spans[first].position;
    let len = spans[last].position + spans[last].bytes - start;
    let data = match &slice.data {
        ReadData::Empty => ReadData::Empty,
        ReadData::File { file, position, len: read } => ReadData::File {
            file: Arc::clone(file),
            position: position + start as u64,
            len: len.min(read - start),
        },
        ReadData::Memory(pieces) => match pieces.as_slice() {
            [one] => ReadData::Memory(vec![one.slice(start..start + len)]),
            pieces => ReadData::Memory(vec![Bytes::from(pieces.concat()).slice(start..start + len)]),
        },
    };
    let bytes = match &data {
        ReadData::File { len, .. } => *len,
        _ => len,
    };
    (data, bytes)
}
