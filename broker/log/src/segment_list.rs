//! The segments of a log in order, and the places in them that were remembered.
//! Shell: a list that is replaced whole, beside a short lock.
//!
//! Invariants:
//! - I1. Base offsets strictly increase.
//! - I2. A remembered place is one in a segment of the list: list and places change together, under
//!   the lock of the places.
//! - I3. The lock is never held while a file is read, written or synced.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ottla_model::Offset;
use parking_lot::Mutex;

use crate::positions::{Position, Positions};
use crate::segment::Segment;
use crate::writer::WriteTurn;

pub(crate) type Segments = Vec<Arc<Segment>>;

#[derive(Default)]
pub(crate) struct SegmentList {
    list: ArcSwap<Segments>,
    positions: Mutex<Positions>,
}

impl SegmentList {
    #[inline]
    pub fn load(&self) -> Guard<Arc<Segments>> {
        self.list.load()
    }

    pub fn load_full(&self) -> Arc<Segments> {
        self.list.load_full()
    }

    pub fn is_same(&self, before: &Arc<Segments>) -> bool {
        Arc::ptr_eq(before, &self.list.load())
    }

    fn publish(&self, list: Segments) {
        let is_in_order = list.windows(2).all(|pair| pair[0].base_offset() < pair[1].base_offset());
        assert!(is_in_order, "segments out of order");
        self.list.store(Arc::new(list));
    }

    /// What a start found, and where the log ends in it.
    pub fn set_found(&self, _turn: &mut WriteTurn, list: Segments, log_end: Offset) {
        let end = list.last().map(|last| end_of(last, log_end));
        let mut positions = self.positions.lock();
        self.publish(list);
        positions.reset(end);
    }

    /// Batches end here now.
    #[inline]
    pub fn push_ends(&self, _turn: &mut WriteTurn, ends: &[Position]) {
        let mut positions = self.positions.lock();
        for end in ends {
            positions.push_end(*end);
        }
    }

    /// The next segment; an empty last one makes way for it.
    pub fn push(&self, _turn: &mut WriteTurn, segment: Arc<Segment>) {
        let mut list = Segments::clone(&self.list.load());
        if list.last().is_some_and(|last| last.size_bytes() == 0) {
            list.pop();
        }
        let base = segment.base_offset();
        list.push(segment);
        let mut positions = self.positions.lock();
        self.publish(list);
        positions.push_end(Position { offset: base, segment: base, position: 0 });
    }

    /// The first `count` stay, and the last of them ends at `log_end`. Returns the others.
    pub fn truncate(&self, _turn: &mut WriteTurn, count: usize, log_end: Offset, size: u64) -> Segments {
        let mut kept = Segments::clone(&self.list.load());
        let dropped = kept.split_off(count);
        if let Some(last) = kept.last() {
            last.set_size_bytes(size);
        }
        let end = kept.last().map(|last| end_of(last, log_end));
        let mut positions = self.positions.lock();
        self.publish(kept);
        positions.reset(end);
        dropped
    }

    /// Takes off the segments that lie wholly below `start`; the last one stays.
    pub fn remove_below(&self, _turn: &mut WriteTurn, start: Offset) -> Segments {
        let mut list = Segments::clone(&self.list.load());
        let count = list.windows(2).take_while(|pair| pair[1].base_offset() <= start).count();
        let removed: Segments = list.drain(..count).collect();
        if count > 0 {
            self.publish(list);
        }
        removed
    }

    /// `cleaned` takes the place of the group.
    pub fn replace(&self, _turn: &mut WriteTurn, group: &[Arc<Segment>], cleaned: &Arc<Segment>) {
        let is_replaced = |segment: &Arc<Segment>| group.iter().any(|other| Arc::ptr_eq(other, segment));
        let mut list = Segments::clone(&self.list.load());
        let before = list.len();
        list.retain(|segment| !is_replaced(segment));
        assert_eq!(list.len() + group.len(), before, "a replaced segment is in the list");
        let at = list.partition_point(|segment| segment.base_offset() < cleaned.base_offset());
        assert!(at < list.len(), "the active segment is never cleaned");
        list.insert(at, cleaned.clone());
        let mut positions = self.positions.lock();
        self.publish(list);
        positions.forget(|segment| group.iter().any(|other| other.base_offset() == segment));
    }

    /// The same segments in another folder: remembered places stay what they are.
    pub fn relocate(&self, _turn: &mut WriteTurn, list: Segments) {
        let bases = |list: &[Arc<Segment>]| list.iter().map(|s| s.base_offset()).collect::<Vec<_>>();
        assert_eq!(bases(&self.list.load()), bases(&list), "a move changes no segment");
        let _positions = self.positions.lock();
        self.publish(list);
    }

    /// A place that was remembered, if it is one in these segments.
    pub fn find_known(&self, segments: &[Arc<Segment>], offset: Offset) -> Option<(usize, u64)> {
        let positions = self.positions.lock();
        let known = positions.find(offset)?;
        let index =
            segments.partition_point(|segment| segment.base_offset() <= known.segment).checked_sub(1)?;
        let segment = &segments[index];
        let is_known = segment.base_offset() == known.segment && self.is_current(segment, index);
        is_known.then_some((index, known.position))
    }

    /// A reader of `segment` will go on there.
    pub fn push_cursor(&self, segment: &Arc<Segment>, index: usize, cursor: Position) {
        let mut positions = self.positions.lock();
        if self.is_current(segment, index) {
            positions.push_cursor(cursor);
        }
    }

    /// Whether the segment is (still, or by now) the log's. `index`: where it is likely to be.
    fn is_current(&self, segment: &Arc<Segment>, index: usize) -> bool {
        let now = self.list.load();
        now.get(index).is_some_and(|other| Arc::ptr_eq(other, segment))
            || now.iter().any(|other| Arc::ptr_eq(other, segment))
    }
}

fn end_of(last: &Segment, log_end: Offset) -> Position {
    Position { offset: log_end, segment: last.base_offset(), position: last.size_bytes() }
}
