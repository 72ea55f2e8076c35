//! What a fetch may see of each partition: epochs checked, within the high watermark and the fetch's limits.
//! Core over the log's interface. Rules are those of `kafka.server.ReplicaManager.readFromLog` (KIP-74,
//! KIP-320, KIP-98). A read_committed fetch ends at the last stable offset, a follower's at the end of the log.

use std::sync::Arc;

use std::time::Duration;

use ottla_env::Monotonic;
use ottla_log::{AbortedTxn, ReadLimits, ReadSlice, UnifiedLog};
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset};

use crate::error_codes;
use crate::partition::{Led, Partition, Unavailable};
use crate::replica_progress::FollowerFetch;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FetchIsolation {
    ReadUncommitted,
    ReadCommitted,
}

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    Consumer(FetchIsolation),
    /// A consumer that a leader may send to a follower, and that a follower serves (KIP-392).
    RackConsumer(FetchIsolation),
    Follower(ReplicaReader),
}

/// A broker that copies the partitions it follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplicaReader {
    pub id: BrokerId,
    /// Of the registration that fetches (KIP-903); -1: it did not say.
    pub broker_epoch: i64,
    pub standing: Standing,
    /// When the request came; `None` for a second look at it, which proves nothing new.
    pub received: Option<Monotonic>,
    /// `replica.lag.time.max.ms`.
    pub lag_time_max: Duration,
}

/// What the image says of a broker that fetches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It may be in sync.
    Eligible,
    /// It is unknown, fenced or stopping.
    NotEligible,
    /// A later registration of the same id is there: what this one fetches counts for nothing.
    Stale,
}

impl Reader {
    pub fn is_follower(self) -> bool {
        matches!(self, Reader::Follower(_))
    }

    /// For a later look at the same request.
    pub fn again(self) -> Reader {
        match self {
            Reader::Follower(replica) => Reader::Follower(ReplicaReader { received: None, ..replica }),
            Reader::Consumer(_) | Reader::RackConsumer(_) => self,
        }
    }

    /// What a consumer may see.
    pub(crate) fn isolation(self) -> Option<FetchIsolation> {
        match self {
            Reader::Consumer(isolation) | Reader::RackConsumer(isolation) => Some(isolation),
            Reader::Follower(_) => None,
        }
    }
}

/// What a follower says of its replica of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FollowerState {
    /// -1: it does not say.
    pub log_start_offset: i64,
    /// The high watermark that it knows; -1: none yet; the largest number: it does not say (KIP-1166).
    pub high_watermark: i64,
}

impl FollowerState {
    pub const UNSAID: FollowerState = FollowerState { log_start_offset: -1, high_watermark: i64::MAX };
}

/// What is requested of one partition.
#[derive(Clone)]
pub struct ReadRequest {
    pub partition: Arc<Partition>,
    pub fetch_offset: i64,
    pub current_leader_epoch: i32,
    pub last_fetched_epoch: i32,
    pub partition_max_bytes: i32,
    /// Of a follower's fetch.
    pub follower: FollowerState,
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
    /// Who should be asked instead: nothing was read here.
    pub preferred: Option<BrokerId>,
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
            preferred: None,
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
pub fn read(requests: &[ReadRequest], reader: Reader, max_bytes: usize) -> Vec<PartitionRead> {
    let mut left = max_bytes;
    let mut found_any = false;
    requests
        .iter()
        .map(|request| {
            let limit = left.min(request.partition_max_bytes.max(0) as usize);
            let one = read_one(request, reader, limit, !found_any).unwrap_or_else(PartitionRead::failed);
            let bytes = one.counted_bytes();
            found_any |= bytes > 0;
            left = left.saturating_sub(bytes);
            one
        })
        .collect()
}

fn read_one(
    request: &ReadRequest,
    reader: Reader,
    limit: usize,
    whole_batch: bool,
) -> Result<PartitionRead, ErrorCode> {
    let led = match request.partition.led(request.current_leader_epoch) {
        Ok(led) => led,
        Err(Unavailable::NotLeader) if matches!(reader, Reader::RackConsumer(_)) => {
            return read_follower(request, reader, limit, whole_batch);
        }
        Err(error) => return Err(error_codes::unavailable(error)),
    };
    if let Reader::Follower(replica) = reader {
        check_replica(&led, replica, request.current_leader_epoch)?;
    }
    let log = led.log();
    let log_start = log.log_start_offset();
    // Before the read: what is appended during it keeps no follower out of sync.
    let log_end = log.log_end_offset();
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
        preferred: None,
    };
    let out_of_range = |answer: PartitionRead| match reader {
        // A follower that has to begin anew needs to know where.
        Reader::Follower(_) => PartitionRead {
            log_start_offset: answer.log_start_offset,
            ..PartitionRead::failed(ErrorCode::OffsetOutOfRange)
        },
        Reader::Consumer(_) | Reader::RackConsumer(_) => PartitionRead::failed(ErrorCode::OffsetOutOfRange),
    };
    if request.last_fetched_epoch >= 0 {
        let ended = log.end_offset_for_epoch(LeaderEpoch(request.last_fetched_epoch));
        let Some((epoch, end)) = ended else { return Ok(out_of_range(answer)) };
        if from < log_start {
            return Ok(out_of_range(answer));
        }
        if epoch.0 < request.last_fetched_epoch || end < from {
            answer.diverging = Some((epoch, end));
            return Ok(answer);
        }
    }
    let bound = match reader.isolation() {
        Some(FetchIsolation::ReadUncommitted) => high_watermark,
        Some(FetchIsolation::ReadCommitted) => last_stable,
        None => log_end,
    };
    // A reader may be ahead of what this leader knows to be committed: an earlier one knew more.
    if from < log_start || from > log_end {
        return Ok(out_of_range(answer));
    }
    if let Reader::Follower(replica) = reader
        && on_follower(request, &led, replica, log_start, log_end)
    {
        answer.high_watermark = led.high_watermark().0;
    }
    if let Reader::Follower(replica) = reader
        && request.partition.holds_back(&led, replica.id)
    {
        return Ok(answer);
    }
    let is_committed_only = reader.isolation() == Some(FetchIsolation::ReadCommitted);
    if is_committed_only {
        answer.aborted_transactions = Some(Vec::new());
    }
    if from >= bound {
        return Ok(answer);
    }
    let limits = ReadLimits { max_bytes: limit, bound, min_one_batch: whole_batch };
    read_records(log, from, limits, &mut answer)?;
    if reader.is_follower() && led.has_ended() {
        // What was read may be another leader's already.
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    Ok(answer)
}

/// Puts the records into the answer, and with them, where it has room for those, the aborted transactions.
fn read_records(
    log: &UnifiedLog,
    from: Offset,
    limits: ReadLimits,
    answer: &mut PartitionRead,
) -> Result<(), ErrorCode> {
    let slice = log.read(from, limits).map_err(|error| error_codes::read_error(&error))?;
    if answer.aborted_transactions.is_some() && slice.bytes > 0 {
        let aborted = log.aborted_transactions(from, slice.next_offset);
        answer.aborted_transactions = Some(aborted.map_err(|error| error_codes::read_error(&error))?);
    }
    answer.data = Some(slice);
    Ok(())
}

/// What a follower has for a consumer: up to the high watermark that it knows. It may be behind of what its leader told
/// the consumer, which is no reason for the consumer to begin anew: it asks again, or its leader.
fn read_follower(
    request: &ReadRequest,
    reader: Reader,
    limit: usize,
    whole_batch: bool,
) -> Result<PartitionRead, ErrorCode> {
    let replica =
        request.partition.readable(request.current_leader_epoch).map_err(error_codes::unavailable)?;
    let log = replica.log();
    let high_watermark = replica.high_watermark();
    let last_stable = log.last_stable_offset(high_watermark);
    let (log_start, log_end) = (log.log_start_offset(), log.log_end_offset());
    let from = Offset(request.fetch_offset);
    if from < log_start {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    if from > log_end {
        return Err(ErrorCode::OffsetNotAvailable);
    }
    let is_committed_only = reader.isolation() == Some(FetchIsolation::ReadCommitted);
    let bound = if is_committed_only { last_stable } else { high_watermark };
    let mut answer = PartitionRead {
        high_watermark: high_watermark.0,
        last_stable_offset: last_stable.0,
        log_start_offset: log_start.0,
        aborted_transactions: is_committed_only.then(Vec::new),
        ..PartitionRead::failed(ErrorCode::None)
    };
    if from >= bound {
        return Ok(answer);
    }
    let limits = ReadLimits { max_bytes: limit, bound, min_one_batch: whole_batch };
    read_records(log, from, limits, &mut answer)?;
    Ok(answer)
}

/// Whether the broker may fetch as a follower (`Partition.followerReplicaOrThrow`, `Replica.updateFetchStateOrThrow`).
fn check_replica(led: &Led<'_>, replica: ReplicaReader, current_leader_epoch: i32) -> Result<(), ErrorCode> {
    if !led.is_follower(replica.id) {
        // Both know the same leader epoch, but not the same replicas: one of them will hear more.
        return Err(match current_leader_epoch {
            0.. => ErrorCode::UnknownLeaderEpoch,
            _ => ErrorCode::NotLeaderOrFollower,
        });
    }
    match replica.standing {
        Standing::Stale => Err(ErrorCode::NotLeaderOrFollower),
        Standing::Eligible | Standing::NotEligible => Ok(()),
    }
}

/// Takes note of how far a follower is; false at a look that proves nothing new.
fn on_follower(
    request: &ReadRequest,
    led: &Led<'_>,
    replica: ReplicaReader,
    log_start: Offset,
    log_end: Offset,
) -> bool {
    let Some(received) = replica.received else { return false };
    let fetch = FollowerFetch {
        follower: replica.id,
        broker_epoch: replica.broker_epoch,
        is_eligible: replica.standing == Standing::Eligible,
        end: Offset(request.fetch_offset),
        log_start: Offset(request.follower.log_start_offset),
        leader_start: log_start,
        leader_end: log_end,
        received,
        lag_time_max: replica.lag_time_max,
    };
    request.partition.on_follower_fetch(led, &fetch);
    true
}
