//! Whether a fetch has enough to be answered, and how far its partitions must grow until it may have.
//! Core over the log's interface. Rules are those of `kafka.server.DelayedFetch`.

use ottla_log::{Position, UnifiedLog};
use ottla_model::{LeaderEpoch, Offset};

use crate::read::{FetchIsolation, ReadRequest};
use crate::tail::Look;
use crate::wake::LogPlace;

/// A fetch that found too little at its first look.
pub struct DelayedFetch {
    isolation: FetchIsolation,
    min_bytes: u64,
    /// Where each partition's first batch begins; `None` when that cannot be said, which ends the wait.
    starts: Vec<Option<Position>>,
}

/// What one partition adds.
struct Available {
    /// Its bytes, up to the partition's limit.
    bytes: u64,
    /// Its bytes alone.
    grown_bytes: u64,
}

impl DelayedFetch {
    pub fn new(requests: &[ReadRequest], isolation: FetchIsolation, min_bytes: usize) -> DelayedFetch {
        let starts = requests.iter().map(start_of).collect();
        DelayedFetch { isolation, min_bytes: min_bytes as u64, starts }
    }

    /// `Found`: the fetch is to be answered with what can be read now, which may be an error.
    pub fn look(&self, requests: &[ReadRequest]) -> Look<()> {
        assert_eq!(requests.len(), self.starts.len(), "the requests it was made from");
        let mut available = Vec::with_capacity(requests.len());
        for (request, start) in requests.iter().zip(&self.starts) {
            let Some(one) = start.as_ref().and_then(|start| self.available(request, start)) else {
                return Look::Found(());
            };
            available.push(one);
        }
        let bytes: u64 = available.iter().map(|one| one.bytes).sum();
        if bytes >= self.min_bytes {
            return Look::Found(());
        }
        // What is missing cannot come before one of the partitions has grown by its part of it.
        let part = (self.min_bytes - bytes).div_ceil(requests.len().max(1) as u64);
        let places = self.starts.iter().flatten().zip(&available);
        Look::Places(
            places.map(|(start, one)| LogPlace::from(*start).plus(one.grown_bytes).plus(part)).collect(),
        )
    }

    /// `None`: this partition alone is a reason to answer.
    fn available(&self, request: &ReadRequest, start: &Position) -> Option<Available> {
        let led = request.partition.led(request.current_leader_epoch).ok()?;
        let log = led.log();
        let end_offset = match self.isolation {
            FetchIsolation::ReadUncommitted => led.high_watermark(),
            FetchIsolation::ReadCommitted => led.last_stable_offset(),
        };
        if is_diverging(log, request) || start.offset > end_offset {
            return None;
        }
        if start.offset == end_offset {
            // The next segment may have begun: what comes is behind it.
            return Some(Available { bytes: 0, grown_bytes: 0 });
        }
        let end = log.position_of(end_offset).ok()?;
        if start.segment < end.segment {
            return None;
        }
        let is_behind = start.segment == end.segment && start.position <= end.position;
        let grown_bytes = if is_behind { end.position - start.position } else { 0 };
        let bytes = grown_bytes.min(request.partition_max_bytes.max(0) as u64);
        Some(Available { bytes, grown_bytes })
    }
}

fn start_of(request: &ReadRequest) -> Option<Position> {
    let led = request.partition.led(request.current_leader_epoch).ok()?;
    led.log().position_of(Offset(request.fetch_offset)).ok()
}

/// Whether the reader's log has parted from ours (KIP-595).
fn is_diverging(log: &UnifiedLog, request: &ReadRequest) -> bool {
    let epoch = request.last_fetched_epoch;
    epoch >= 0
        && log
            .end_offset_for_epoch(LeaderEpoch(epoch))
            .is_none_or(|(known, end)| known.0 < epoch || end.0 < request.fetch_offset)
}
