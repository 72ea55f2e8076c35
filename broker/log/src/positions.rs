//! Where recently written and recently read offsets are, so that a reader near them needs no index.
//! Core.
//! Core.

use std::collections::VecDeque;

use ottla_model::Offset;

const RECENT_MAX: usize = 64;
const CURSORS_MAX: usize = 16;

/// A batch boundary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    pub offset: Offset,
    pub segment: Offset,
    pub position: u64,
}

#[derive(Default)]
pub struct Positions {
    /// Starts of the last batches and the end of the log, in order.
    recent: VecDeque<Position>,
    /// Where readers will continue.
    cursors: VecDeque<Position>,
}

impl Positions {
    /// The end of the log is there now.
    #[inline]
    pub fn push_end(&mut self, end: Position) {
        assert!(
            self.recent.back().is_none_or(|last| last.offset <= end.offset),
            "the end of a log goes back by a reset only"
        );
        if self.recent.back().is_some_and(|last| last.offset == end.offset) {
            self.recent.pop_back();
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(end);
    }

    pub fn push_cursor(&mut self, cursor: Position) {
        if self.cursors.iter().any(|known| *known == cursor) {
            return;
        }
        if self.cursors.len() == CURSORS_MAX {
            self.cursors.pop_front();
        }
        self.cursors.push_back(cursor);
    }

    #[inline]
    pub fn find(&self, offset: Offset) -> Option<Position> {
        if self.recent.front().is_some_and(|first| first.offset <= offset) {
            let index = self.recent.partition_point(|known| known.offset < offset);
            let found = self.recent.get(index).filter(|known| known.offset == offset);
            if found.is_some() {
                return found.copied();
            }
        }
        self.cursors.iter().find(|known| known.offset == offset).copied()
    }

    /// Nothing known of these segments is true any more.
    pub fn forget(&mut self, is_replaced: impl Fn(Offset) -> bool) {
        self.recent.retain(|known| !is_replaced(known.segment));
        self.cursors.retain(|known| !is_replaced(known.segment));
    }

    /// After a truncation nothing known is sure.
    pub fn reset(&mut self, end: Option<Position>) {
        *self = Positions::default();
        self.recent.extend(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Position {
        Position { offset: Offset(offset), segment: Offset(0), position: offset as u64 * 10 }
    }

    #[test]
    fn recent_ends_and_cursors_are_found_until_pushed_out() {
        let mut positions = Positions::default();
        for offset in 0..100 {
            positions.push_end(at(offset));
        }
        assert_eq!(positions.find(Offset(99)), Some(at(99)));
        assert_eq!(positions.find(Offset(36)), Some(at(36)));
        assert_eq!(positions.find(Offset(35)), None);
        positions.push_cursor(at(3));
        assert_eq!(positions.find(Offset(3)), Some(at(3)));
        positions.reset(Some(at(50)));
        assert_eq!(positions.find(Offset(99)), None);
        assert_eq!(positions.find(Offset(50)), Some(at(50)));
    }
}
