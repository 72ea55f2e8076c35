//! Acquiring: records that a fetch found become a member's for the time of a lock.
//! Core.

use ottla_env::Monotonic;
use ottla_model::MemberId;

use super::aborted::{self, AbortedTransaction};
use super::in_flight::{InFlightBatch, InFlightState, RecordState, States};
use super::partition::{Limits, SharePartition};

/// Below this delivery count nothing is delivered more carefully than the rest.
const THROTTLE_DELIVERY_COUNT_MIN: i32 = 2;

/// What a fetch may take.
#[derive(Clone, Copy, Debug)]
pub struct Acquire<'a> {
    pub member: &'a MemberId,
    /// Exactly so many records and not one more (`share.acquire.mode=record_limit`); otherwise whole
    /// batches.
    pub is_record_limit: bool,
    /// Acquired ranges are cut at batches after so many records.
    pub batch_records: i32,
    pub records_max: i32,
    pub fetch_offset: i64,
    pub now: Monotonic,
}

/// A batch that the fetch read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchedBatch {
    pub base_offset: i64,
    pub last_offset: i64,
    /// -1 when it has none.
    pub producer_id: i64,
    pub is_transactional: bool,
    pub is_abort_marker: bool,
}

/// Records that are the member's now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AcquiredRange {
    pub first_offset: i64,
    pub last_offset: i64,
    pub delivery_count: i16,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Acquired {
    pub ranges: Vec<AcquiredRange>,
    pub count: i64,
}

impl Acquired {
    fn add(&mut self, other: Acquired) {
        self.ranges.extend(other.ranges);
        self.count += other.count;
    }
}

/// What is left of a request while it walks the batches.
struct Room {
    first_offset: i64,
    last_offset: i64,
    records_max: i64,
}

/// Delivered so often, records are delivered fewer at a time, and the last time each alone: one of them
/// may be what the members fail at.
fn throttle_delivery_count(limit: i32) -> i32 {
    THROTTLE_DELIVERY_COUNT_MIN.max((limit + 1) / 2)
}

impl SharePartition {
    /// Makes the records of `batches` the member's, as far as they are free and the limits allow.
    pub fn acquire(
        &mut self,
        request: &Acquire<'_>,
        batches: &[FetchedBatch],
        aborted: &[AbortedTransaction],
        limits: &Limits,
    ) -> Acquired {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Acquired::default() };
        if request.records_max <= 0 || last.last_offset < self.start_offset {
            return Acquired::default();
        }
        let Some(mut room) = self.room(request, last.last_offset, limits) else { return Acquired::default() };
        room.first_offset = first.base_offset;
        self.archive_stale(request.fetch_offset, first.base_offset);
        let base_offset = match self.batches.range(..=first.base_offset).next_back() {
            None => first.base_offset.max(self.start_offset),
            Some((key, floor)) if floor.last_offset >= first.base_offset => *key,
            Some(_) => first.base_offset,
        };
        let from = first.base_offset.min(base_offset);
        let keys: Vec<i64> = match from <= room.last_offset {
            true => self.batches.range(from..=room.last_offset).map(|(key, _)| *key).collect(),
            false => Vec::new(),
        };
        let acquired = if keys.is_empty() {
            self.acquire_new(request, batches, base_offset, room.last_offset, room.records_max, limits)
        } else {
            self.acquire_among(request, batches, &keys, base_offset, room, limits)
        };
        aborted::filter(self, batches, acquired, aborted)
    }

    /// How many records may be taken, and up to where.
    fn room(&self, request: &Acquire<'_>, last_offset: i64, limits: &Limits) -> Option<Room> {
        let records_max = i64::from(request.records_max);
        let free = i64::from(limits.record_locks_max) - self.in_flight_count();
        let (records_max, last_offset) = match records_max.min(free) {
            count if count > 0 => (count, last_offset),
            // Nothing new may be taken, but what was released among the rest may.
            _ if request.fetch_offset <= self.end_offset => (
                records_max.min(self.end_offset - request.fetch_offset + 1),
                last_offset.min(self.end_offset),
            ),
            _ => return None,
        };
        (records_max > 0).then_some(Room { first_offset: 0, last_offset, records_max })
    }

    /// The log gave nothing between the offset that was asked for and the first batch: compaction took
    /// it.
    fn archive_stale(&mut self, fetch_offset: i64, base_offset: i64) {
        if fetch_offset >= base_offset {
            return;
        }
        let from = match self.batches.range(..=fetch_offset).next_back() {
            Some((key, floor)) if floor.last_offset >= fetch_offset => *key,
            _ => fetch_offset,
        };
        let keys: Vec<i64> = self.batches.range(from..base_offset).map(|(key, _)| *key).collect();
        if self.archive(&keys, fetch_offset, base_offset - 1, RecordState::Available, true) {
            self.find_next_fetch_offset = true;
        }
    }

    fn acquire_among(
        &mut self,
        request: &Acquire<'_>,
        batches: &[FetchedBatch],
        keys: &[i64],
        base_offset: i64,
        mut room: Room,
        limits: &Limits,
    ) -> Acquired {
        let mut acquired = Acquired::default();
        let mut gap_start = base_offset;
        let mut last_seen = base_offset;
        for key in keys {
            if acquired.count >= room.records_max {
                break;
            }
            let Some(batch) = self.batches.get(key) else { continue };
            let batch_last = batch.last_offset;
            last_seen = batch_last;
            if self.is_gap_active() {
                if gap_start < *key {
                    let left = room.records_max - acquired.count;
                    acquired.add(self.acquire_new(request, batches, gap_start, key - 1, left, limits));
                }
                gap_start = batch_last + 1;
                if acquired.count >= room.records_max {
                    break;
                }
            }
            if self.acquire_one(request, *key, &room, &mut acquired, limits) {
                room.records_max = 0;
            }
        }
        if let Some(last) = keys.last().and_then(|key| self.batches.get(key)) {
            last_seen = last_seen.max(last.last_offset);
        }
        if acquired.count < room.records_max && last_seen < room.last_offset {
            let left = room.records_max - acquired.count;
            acquired.add(self.acquire_new(request, batches, last_seen + 1, room.last_offset, left, limits));
        }
        if let Some(last) = acquired.ranges.last() {
            self.move_gap_start(last.last_offset + 1);
        }
        acquired
    }

    /// What is free of one batch; true when nothing more is to be taken after it.
    fn acquire_one(
        &mut self,
        request: &Acquire<'_>,
        key: i64,
        room: &Room,
        acquired: &mut Acquired,
        limits: &Limits,
    ) -> bool {
        let until = self.lock_until(request.now, limits);
        let Some(batch) = self.batches.get_mut(&key) else { return false };
        let is_throttled = is_throttled(batch, room, limits);
        if is_throttled && acquired.count > 0 {
            return true;
        }
        let left = room.records_max - acquired.count;
        let is_cut = request.is_record_limit && batch.record_count() > left;
        let is_whole = batch.lies_within(room.first_offset, room.last_offset);
        let (first_offset, last_offset, count) =
            (batch.first_offset, batch.last_offset, batch.record_count());
        if let States::Batch(state) = &mut batch.states {
            if state.state != RecordState::Available {
                return false;
            }
            if is_whole && !is_cut && !is_throttled {
                state.acquire(request.member, until);
                let delivery_count = state.delivery_count;
                acquired.ranges.push(AcquiredRange { first_offset, last_offset, delivery_count });
                acquired.count += count;
                return false;
            }
        }
        let count = acquire_subset(request, batch, room, left, until, limits, &mut acquired.ranges);
        acquired.count += count;
        is_throttled && count > 0
    }

    /// Records that were never in flight.
    fn acquire_new(
        &mut self,
        request: &Acquire<'_>,
        batches: &[FetchedBatch],
        first_offset: i64,
        last_offset: i64,
        records_max: i64,
        limits: &Limits,
    ) -> Acquired {
        let first = match self.batches.is_empty() {
            true => first_offset.max(self.end_offset),
            false => first_offset,
        };
        let mut last = last_offset;
        if records_max < last - first + 1 {
            last = end_of_batch_at(batches, first + records_max - 1);
            if self.is_gap_active() {
                last = last.min(last_offset);
            }
        }
        if last < first {
            return Acquired::default();
        }
        let ranges = self.create_batches(request, batches, first, last, records_max, limits);
        if self.batches.first_key_value().is_some_and(|(key, _)| *key == first) {
            self.start_offset = first;
        }
        self.end_offset = self.end_offset.max(last);
        if request.is_record_limit {
            last = ranges.first().map_or(last, |range| range.last_offset);
        }
        self.move_gap_start(last + 1);
        Acquired { ranges, count: last - first + 1 }
    }

    fn create_batches(
        &mut self,
        request: &Acquire<'_>,
        batches: &[FetchedBatch],
        first: i64,
        last: i64,
        records_max: i64,
        limits: &Limits,
    ) -> Vec<AcquiredRange> {
        let until = self.lock_until(request.now, limits);
        let state = InFlightState {
            state: RecordState::Acquired,
            delivery_count: 1,
            member: Some(request.member.clone()),
            lock_until: Some(until),
        };
        let range =
            |first_offset, last_offset| AcquiredRange { first_offset, last_offset, delivery_count: 1 };
        if request.is_record_limit && last - first + 1 > records_max {
            let mut batch = InFlightBatch::whole(first, last, state);
            for free in batch.per_offset().iter_mut().skip(records_max as usize) {
                *free = InFlightState {
                    state: RecordState::Available,
                    delivery_count: 0,
                    member: None,
                    lock_until: None,
                };
            }
            self.find_next_fetch_offset = true;
            self.batches.insert(first, batch);
            return vec![range(first, first + records_max - 1)];
        }
        let mut ranges = Vec::new();
        let mut from = first;
        if !request.is_record_limit && last - first + 1 > i64::from(request.batch_records) {
            for batch in batches.iter().take_while(|batch| batch.base_offset <= last) {
                if batch.base_offset - from >= i64::from(request.batch_records) {
                    ranges.push(range(from, batch.base_offset - 1));
                    from = batch.base_offset;
                }
            }
        }
        ranges.push(range(from, last));
        for one in &ranges {
            let batch = InFlightBatch::whole(one.first_offset, one.last_offset, state.clone());
            self.batches.insert(one.first_offset, batch);
        }
        ranges
    }
}

/// Whether a batch holds records that were delivered so often that few are delivered at a time.
fn is_throttled(batch: &InFlightBatch, room: &Room, limits: &Limits) -> bool {
    let throttled_from = throttle_delivery_count(limits.delivery_count_limit);
    let is_so = |state: &InFlightState| {
        state.state == RecordState::Available && i32::from(state.delivery_count) >= throttled_from
    };
    match &batch.states {
        States::Batch(state) => is_so(state),
        States::Offsets(states) => (batch.first_offset..)
            .zip(states)
            .any(|(offset, state)| (room.first_offset..=room.last_offset).contains(&offset) && is_so(state)),
    }
}

fn acquire_subset(
    request: &Acquire<'_>,
    batch: &mut InFlightBatch,
    room: &Room,
    left: i64,
    until: Monotonic,
    limits: &Limits,
    ranges: &mut Vec<AcquiredRange>,
) -> i64 {
    let limit = limits.delivery_count_limit;
    let throttled_from = throttle_delivery_count(limit);
    let first_offset = batch.first_offset;
    let states = batch.per_offset();
    let total = states.len() as i64;
    let mut count = 0;
    let mut throttled_max = None;
    let mut last: Option<AcquiredRange> = None;
    for (offset, state) in (first_offset..).zip(states) {
        if offset < room.first_offset || state.state != RecordState::Available {
            continue;
        }
        if offset > room.last_offset {
            break;
        }
        let delivery_count = i32::from(state.delivery_count);
        let is_isolated = limit > THROTTLE_DELIVERY_COUNT_MIN;
        if is_isolated && delivery_count == limit - 1 && count > 0 {
            break;
        }
        if delivery_count >= throttled_from && throttled_max.is_none() {
            throttled_max = Some((total >> (delivery_count - throttled_from + 1)).max(1));
        }
        state.acquire(request.member, until);
        count += 1;
        match &mut last {
            Some(range)
                if range.last_offset + 1 == offset && range.delivery_count == state.delivery_count =>
            {
                range.last_offset = offset;
            }
            _ => ranges.extend(last.replace(AcquiredRange {
                first_offset: offset,
                last_offset: offset,
                delivery_count: state.delivery_count,
            })),
        }
        let is_last_delivery = is_isolated && i32::from(state.delivery_count) == limit;
        if is_last_delivery || (request.is_record_limit && count == left) || throttled_max == Some(count) {
            break;
        }
    }
    ranges.extend(last);
    count
}

/// The last offset of the batch that holds an offset; the offset itself where there is none.
fn end_of_batch_at(batches: &[FetchedBatch], offset: i64) -> i64 {
    let at = batches.iter().take_while(|batch| batch.base_offset <= offset).last();
    at.filter(|batch| offset <= batch.last_offset).map_or(offset, |batch| batch.last_offset)
}
