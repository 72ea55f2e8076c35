//! Whether a fetch has enough to be answered, and how far its partitions must grow until it may have.
//! Core over the log's interface. Rules are those of `kafka.server.DelayedFetch`.

use ottla_log::{Position, UnifiedLog};
use ottla_model::{LeaderEpoch, Offset};

use crate::read::{FetchIsolation, PartitionRead, ReadRequest, Reader, read};
use crate::tail::Look;
use crate::wake::LogPlace;

/// A fetch that found too little at its first look.
pub struct DelayedFetch {
    reader: Reader,
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
    pub fn new(requests: &[ReadRequest], reader: Reader, min_bytes: usize) -> DelayedFetch {
        let starts = requests.iter().map(start_of).collect();
        DelayedFetch { reader, min_bytes: min_bytes as u64, starts }
    }

    /// What there is now, if it is enough. It is read after the look: what the fetch's first look read lacks whatever was
    /// appended between the two.
    pub fn found(&self, requests: &[ReadRequest], max_bytes: usize) -> Option<Vec<PartitionRead>> {
        match self.look(requests) {
            Look::Found(()) => Some(read(requests, self.reader.again(), max_bytes)),
            Look::Any | Look::Places(_) => None,
        }
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
        if let Reader::Follower(_) = self.reader {
            // Whatever is appended is for a follower, and so is a high watermark that moved.
            return Look::Any;
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
        if let Reader::RackConsumer(isolation) = self.reader
            && !request.partition.is_led()
        {
            return self.available_here(request, start, isolation);
        }
        let led = request.partition.led(request.current_leader_epoch).ok()?;
        let log = led.log();
        if let Reader::Follower(replica) = self.reader
            && request.partition.holds_back(&led, replica.id)
        {
            return Some(Available { bytes: 0, grown_bytes: 0 });
        }
        let end_offset = match self.reader {
            Reader::Consumer(FetchIsolation::ReadUncommitted)
            | Reader::RackConsumer(FetchIsolation::ReadUncommitted) => led.high_watermark(),
            Reader::Consumer(FetchIsolation::ReadCommitted)
            | Reader::RackConsumer(FetchIsolation::ReadCommitted) => led.last_stable_offset(),
            // A follower hears at once of a high watermark that it does not know (KIP-1166).
            Reader::Follower(_) if led.high_watermark().0 > request.follower.high_watermark => return None,
            Reader::Follower(_) => log.log_end_offset(),
        };
        // Beyond the last stable offset Kafka answers at once; beyond the high watermark there is something to wait for.
        let bound = match self.reader.isolation() {
            Some(FetchIsolation::ReadCommitted) => end_offset,
            Some(FetchIsolation::ReadUncommitted) | None => log.log_end_offset(),
        };
        if is_diverging(log, request) || start.offset > bound {
            return None;
        }
        grown(log, request, start, end_offset)
    }

    /// The same of a partition that is followed here.
    fn available_here(
        &self,
        request: &ReadRequest,
        start: &Position,
        isolation: FetchIsolation,
    ) -> Option<Available> {
        let replica = request.partition.readable(request.current_leader_epoch).ok()?;
        let (log, high_watermark) = (replica.log(), replica.high_watermark());
        let end_offset = match isolation {
            FetchIsolation::ReadUncommitted => high_watermark,
            FetchIsolation::ReadCommitted => log.last_stable_offset(high_watermark),
        };
        if start.offset > log.log_end_offset() || start.offset < log.log_start_offset() {
            return None;
        }
        grown(log, request, start, end_offset)
    }
}

/// What is between the place of a fetch and the end of what it may see.
fn grown(log: &UnifiedLog, request: &ReadRequest, start: &Position, end_offset: Offset) -> Option<Available> {
    if start.offset >= end_offset {
        // The next segment may have begun: what comes is behind it. And a reader may be ahead of what this leader
        // knows to be committed.
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

fn start_of(request: &ReadRequest) -> Option<Position> {
    let replica = request.partition.readable(request.current_leader_epoch).ok()?;
    replica.log().position_of(Offset(request.fetch_offset)).ok()
}

/// Whether the reader's log has parted from ours (KIP-595).
fn is_diverging(log: &UnifiedLog, request: &ReadRequest) -> bool {
    let epoch = request.last_fetched_epoch;
    epoch >= 0
        && log
            .end_offset_for_epoch(LeaderEpoch(epoch))
            .is_none_or(|(known, end)| known.0 < epoch || end.0 < request.fetch_offset)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::Duration;

    use super::*;
    use crate::acknowledge::{Acks, Durability};
    use crate::partition::Partition;
    use crate::read::FollowerState;
    use crate::tail::{TailWait, Woken};
    use crate::test_world::{World, append, batch};

    const CONSUMER: Reader = Reader::Consumer(FetchIsolation::ReadUncommitted);

    fn request(partition: &Arc<Partition>, fetch_offset: i64, partition_max_bytes: usize) -> ReadRequest {
        ReadRequest {
            partition: partition.clone(),
            fetch_offset,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            partition_max_bytes: partition_max_bytes as i32,
            follower: FollowerState::UNSAID,
        }
    }

    fn is_enough(requests: &[ReadRequest], min_bytes: usize) -> bool {
        let delayed = DelayedFetch::new(requests, CONSUMER, min_bytes);
        matches!(delayed.look(requests), Look::Found(()))
    }

    #[test]
    fn bytes_count_from_the_batch_s_beginning_up_to_the_partition_s_limit() {
        let world = World::new();
        let partition = world.alone(Durability::Os);
        let one = batch(2).len();
        for _ in 0..3 {
            append(&partition, 2, Acks::Leader).expect("stored");
        }
        let enough = |offset, limit, min_bytes| is_enough(&[request(&partition, offset, limit)], min_bytes);
        assert!(enough(0, 1 << 20, 3 * one) && !enough(0, 1 << 20, 3 * one + 1));
        assert!(enough(1, 1 << 20, 3 * one) && !enough(2, 1 << 20, 2 * one + 1));
        assert!(enough(0, one + 1, one + 1) && !enough(0, one + 1, one + 2));
        // Nothing at the end; what is not there is a reason to answer.
        assert!(enough(6, 1 << 20, 0) && !enough(6, 1 << 20, 1));
        assert!(enough(7, 1 << 20, 1) && enough(-1, 1 << 20, 1));
    }

    #[test]
    fn what_came_after_the_first_look_is_in_the_answer() {
        let world = World::new();
        let partition = world.alone(Durability::Os);
        let requests = [request(&partition, 0, 1 << 20)];
        let first = read(&requests, CONSUMER, 1 << 20);
        assert_eq!((first[0].record_bytes(), first[0].high_watermark), (0, 0));
        let delayed = DelayedFetch::new(&requests, CONSUMER, 1);
        assert!(delayed.found(&requests, 1 << 20).is_none());
        append(&partition, 1, Acks::Leader).expect("stored");
        let found = delayed.found(&requests, 1 << 20).expect("enough");
        assert_eq!((found[0].record_bytes(), found[0].high_watermark), (batch(1).len(), 1));
    }

    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_fetch_of_two_partitions_is_woken_when_one_has_grown_by_half_of_what_is_missing() {
        let worlds = [World::new(), World::new()];
        let partitions = worlds.each_ref().map(|world| world.alone(Durability::Os));
        let one = batch(1).len();
        let requests = partitions.each_ref().map(|partition| request(partition, 0, 1 << 20));
        let delayed = DelayedFetch::new(&requests, CONSUMER, 4 * one);
        let wait = TailWait::new(partitions.to_vec(), worlds[0].deadline(Duration::from_secs(1)));
        let mut wait = Box::pin(wait.until(|woken| match woken {
            Woken::Append => delayed.look(&requests),
            Woken::Deadline => Look::Any,
        }));
        let counter = Arc::new(Counter(AtomicUsize::new(0)));
        let waker = Waker::from(counter.clone());
        let mut context = Context::from_waker(&waker);
        assert!(wait.as_mut().poll(&mut context).is_pending());
        // Half of four is two: the first append to each partition wakes nobody.
        for partition in &partitions {
            append(partition, 1, Acks::Leader).expect("stored");
        }
        assert_eq!(counter.0.load(Ordering::SeqCst), 0);
        append(&partitions[0], 1, Acks::Leader).expect("stored");
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
        assert!(wait.as_mut().poll(&mut context).is_pending());
        // One is missing, of which each may bring half.
        append(&partitions[1], 1, Acks::Leader).expect("stored");
        assert_eq!(counter.0.load(Ordering::SeqCst), 2);
        assert_eq!(wait.as_mut().poll(&mut context), Poll::Ready(Some(())));
    }
}
