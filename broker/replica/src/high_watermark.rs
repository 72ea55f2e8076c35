//! The arithmetic of the high watermark: the end of what every in-sync replica has.
//! Core.
//!
//! Invariants:
//! - I1. log start <= high watermark <= log end (`Bounds::checked`), after each step.
//! - I2. A leader's high watermark never goes back while its epoch lasts.

use ottla_model::Offset;

/// Where a replica's log starts and ends and how much of it is committed, at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    pub log_start: Offset,
    pub high_watermark: Offset,
    pub log_end: Offset,
}

impl Bounds {
    /// The one place where I1 is checked.
    pub fn checked(self) -> Bounds {
        let Bounds { log_start, high_watermark, log_end } = self;
        assert!(
            log_start <= high_watermark && high_watermark <= log_end,
            "high watermark {high_watermark} is outside of the log [{log_start}, {log_end}]"
        );
        self
    }
}

/// The leader's new high watermark: the smallest log end among the in-sync replicas, its own included
/// (`Partition.maybeIncrementLeaderHW`). It stands while too few are in sync (KIP-966).
pub fn of_leader(
    current: Offset,
    own_end: Offset,
    follower_ends: impl IntoIterator<Item = Offset>,
    is_under_min_isr: bool,
) -> Offset {
    if is_under_min_isr {
        return current;
    }
    let smallest = follower_ends.into_iter().fold(own_end, Offset::min);
    // A replica that has just joined may lie behind: what was committed stays committed.
    current.max(smallest)
}

/// A follower's high watermark: the leader's, as far as its own log goes
/// (`UnifiedLog.maybeUpdateHighWatermark`). Only once its log is cut to the leader's.
pub fn of_follower(leaders: Offset, log_start: Offset, own_end: Offset) -> Offset {
    leaders.min(own_end).max(log_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(current: i64, own_end: i64, ends: &[i64]) -> i64 {
        of_leader(Offset(current), Offset(own_end), ends.iter().map(|end| Offset(*end)), false).0
    }

    #[test]
    fn a_lone_leader_has_committed_what_it_has() {
        assert_eq!(leader(0, 0, &[]), 0);
        assert_eq!(leader(3, 7, &[]), 7);
    }

    #[test]
    fn the_slowest_in_sync_replica_decides_the_leader_included() {
        assert_eq!(leader(0, 10, &[4, 8]), 4);
        assert_eq!(leader(0, 10, &[12, 11]), 10);
        assert_eq!(leader(4, 10, &[10, 10]), 10);
    }

    #[test]
    fn a_high_watermark_of_a_leader_never_goes_back() {
        assert_eq!(leader(6, 10, &[4, 8]), 6);
    }

    #[test]
    fn it_stands_while_too_few_are_in_sync() {
        assert_eq!(of_leader(Offset(3), Offset(9), [Offset(9)], true), Offset(3));
    }

    #[test]
    fn a_follower_takes_the_leader_s_within_its_own_log() {
        let follower = |leaders, start, end| of_follower(Offset(leaders), Offset(start), Offset(end)).0;
        assert_eq!(follower(5, 0, 9), 5);
        assert_eq!(follower(9, 0, 5), 5);
        assert_eq!(follower(2, 4, 9), 4, "the leader deleted less than this replica (KAFKA-9491)");
    }

    #[test]
    fn bounds_hold_at_their_edges() {
        let bounds = |log_start, high_watermark, log_end| Bounds {
            log_start: Offset(log_start),
            high_watermark: Offset(high_watermark),
            log_end: Offset(log_end),
        };
        for held in [bounds(0, 0, 0), bounds(3, 3, 9), bounds(3, 9, 9)] {
            assert_eq!(held.checked(), held);
        }
        for broken in [bounds(4, 3, 9), bounds(0, 10, 9)] {
            assert!(std::panic::catch_unwind(|| broken.checked()).is_err(), "{broken:?}");
        }
    }
}
