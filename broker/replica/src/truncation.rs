//! Where a follower's log is cut when its leader says that the two have parted.
//! Core. Rules are those of `kafka.server.AbstractFetcherThread.getOffsetTruncationState` (KIP-101, KIP-279, KIP-595).
//!
//! Never by the high watermark: it lags behind what is committed, and what was committed would be lost or forked
//! (KAFKA-6361). The leader says the last epoch that it has of those not above the follower's, and where its records
//! end; the follower cuts what it has of later epochs, and asks again until both name the same epoch.

use ottla_model::{LeaderEpoch, Offset};

/// The leader's largest epoch that is not above the follower's last, and where its records end in the leader's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DivergingEpoch {
    pub epoch: LeaderEpoch,
    pub end: Offset,
}

/// Where the follower's log is cut. `own`: the follower's largest epoch that is not above the leader's, and where its
/// records end in the follower's log.
pub fn cut_at(leader: DivergingEpoch, own: Option<(LeaderEpoch, Offset)>, own_end: Offset) -> Offset {
    match own {
        // The leader's epoch is not here: what is here of later ones goes, and the leader is asked again.
        Some((epoch, end)) if epoch != leader.epoch => end.min(own_end),
        Some((_same, end)) => end.min(leader.end).min(own_end),
        // All that is here is of later epochs, or of none that is known.
        None => leader.end.min(own_end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(leader: (i32, i64), own: Option<(i32, i64)>, own_end: i64) -> i64 {
        let leader = DivergingEpoch { epoch: LeaderEpoch(leader.0), end: Offset(leader.1) };
        let own = own.map(|(epoch, end)| (LeaderEpoch(epoch), Offset(end)));
        cut_at(leader, own, Offset(own_end)).0
    }

    #[test]
    fn an_epoch_that_both_have_ends_where_it_ends_first() {
        assert_eq!(cut((3, 20), Some((3, 15)), 30), 15, "the follower has less of epoch 3");
        assert_eq!(cut((3, 10), Some((3, 15)), 30), 10, "the leader has less of epoch 3");
        assert_eq!(cut((3, 40), Some((3, 50)), 30), 30, "never behind the end");
    }

    #[test]
    fn what_is_of_epochs_after_one_that_is_not_here_goes_and_the_leader_is_asked_again() {
        // Two elections in a row with unequal tails: the follower has 1 and 4, the leader 1, 2 and 3.
        assert_eq!(cut((3, 40), Some((1, 12)), 30), 12);
        assert_eq!(cut((1, 14), Some((1, 12)), 12), 12, "and the second answer names an epoch of both");
    }

    #[test]
    fn a_follower_without_any_such_epoch_takes_the_leader_s_end() {
        assert_eq!(cut((1, 14), None, 30), 14);
        assert_eq!(cut((1, 14), None, 9), 9);
    }
}
