//! What a fetch may see of each partition: epochs checked, within the high watermark and the fetch's limits.
//! Core over the log's interface. Rules are those of `kafka.server.ReplicaManager.readFromLog` (KIP-74,
//! KIP-320, KIP-98). A read_committed fetch ends at the last stable offset.

use std::sync::Arc;

use ottla_log::{AbortedTxn, ReadLimits, ReadSlice};
use ottla_model::{ErrorCode, LeaderEpoch, Offset};

use crate::error_codes;
use crate::partition::Partition;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FetchIsolation {
    ReadUncommitted,
    ReadCommitted,
}

/// What is requested of one partition.
#[derive(Clone)]
pub struct ReadRequest {
    pub partition: Arc<Partition>,
    pub fetch_offset: i64,
    pub current_leader_epoch: i32,
    pub last_fetched_epoch: i32,
    pub partition_max_bytes: i32,
}

/// What one partition answers.
pub struct PartitionRead {
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    pub data: Option<ReadSlice>,
    pub aborted_transactions: Option<Vec<AbortedTxn>>,
    /// The epoch and end offset where the reader's log parted from ours (KIP-595).
    pub diverging: Option<(LeaderEpoch, Offset)>,
}

impl PartitionRead {
    pub fn failed(error: ErrorCode) -> PartitionRead {
        PartitionRead {
            error,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            data: None,
            aborted_transactions: None,
            diverging: None,
        }
    }

    pub fn record_bytes(&self) -> usize {
        self.data.as_ref().map_or(0, |slice| slice.bytes)
    }

    /// As Kafka counts them, which sends the part of a batch that a limit cuts off.
    pub fn counted_bytes(&self) -> usize {
        self.data.as_ref().map_or(0, |slice| slice.counted_bytes)
    }
}

/// Reads all partitions of a fetch in order. The first batch found is returned whole even above the
/// limits, so that a reader always gets on (KIP-74); after it the limits hold.
pub fn read(requests: &[ReadRequest], isolation: FetchIsolation, max_bytes: usize) -> Vec<PartitionRead> {
    let mut left = max_bytes;
    let mut found_any = false;
    requests
        .iter()
        .map(|request| {
            let limit = left.min(request.partition_max_bytes.max(0) as usize);
            let one = read_one(request, isolation, limit, !found_any);
            let bytes = one.counted_bytes();
            found_any |= bytes > 0;
            left = left.saturating_sub(bytes);
            one
        })
        .collect()
}

fn read_one(
    request: &ReadRequest,
    isolation: FetchIsolation,
    limit: usize,
    whole_batch: bool,
) -> PartitionRead {
    let led = match request.partition.led(request.current_leader_epoch) {
        Ok(led) => led,
        Err(unavailable) => return PartitionRead::failed(error_codes::unavailable(unavailable)),
    };
    let log = led.log();
    let log_start = log.log_start_offset();
    let high_watermark = led.high_watermark();
    let last_stable = log.last_stable_offset(high_watermark);
    let from = Offset(request.fetch_offset);
    let mut answer = PartitionRead {
        error: ErrorCode::None,
        high_watermark: high_watermark.0,
        last_stable_offset: last_stable.0,
        log_start_offset: log_start.0,
        data: None,
        aborted_transactions: None,
        diverging: None,
    };
    if request.last_fetched_epoch >= 0 {
        let ended = log.end_offset_for_epoch(LeaderEpoch(request.last_fetched_epoch));
        let Some((epoch, end)) = ended else {
            return PartitionRead::failed(ErrorCode::OffsetOutOfRange);
        };
        if epoch.0 < request.last_fetched_epoch || end < from {
            answer.diverging = Some((epoch, end));
            return answer;
        }
    }
    let bound = match isolation {
        FetchIsolation::ReadUncommitted => high_watermark,
        FetchIsolation::ReadCommitted => last_stable,
    };
    if from < log_start || from > high_watermark {
        return PartitionRead::failed(ErrorCode::OffsetOutOfRange);
    }
    if isolation == FetchIsolation::ReadCommitted {
        answer.aborted_transactions = Some(Vec::new());
    }
    if from >= bound {
        return answer;
    }
    let limits = ReadLimits { max_bytes: limit, bound, min_one_batch: whole_batch };
    let slice = match log.read(from, limits) {
        Ok(slice) => slice,
        Err(error) => return PartitionRead::failed(error_codes::read_error(&error)),
    };
    if isolation == FetchIsolation::ReadCommitted && slice.bytes > 0 {
        match log.aborted_transactions(from, slice.next_offset) {
            Ok(aborted) => answer.aborted_transactions = Some(aborted),
            Err(error) => return PartitionRead::failed(error_codes::read_error(&error)),
        }
    }
    answer.data = Some(slice);
    answer
}
