//! How far one follower has come, as its fetches prove it to the leader.
//! Core. Rules are those of `kafka.cluster.Replica`. Time is an argument.

use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::{BrokerId, Offset};

use crate::session_news::Settled;

/// What a follower's fetch says of its replica, once the leader knows that both logs are one up to its offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FollowerFetch {
    pub follower: BrokerId,
    /// Of the registration that fetches (KIP-903); -1: it did not say.
    pub broker_epoch: i64,
    /// Whether a broker of this id and epoch may be in sync: it is registered, not fenced and not stopping.
    pub is_eligible: bool,
    /// The fetch offset: where the follower's log ends.
    pub end: Offset,
    /// -1: it did not say.
    pub log_start: Offset,
    /// Where the leader's log started and ended when it was read.
    pub leader_start: Offset,
    pub leader_end: Offset,
    pub received: Monotonic,
    /// `replica.lag.time.max.ms`.
    pub lag_time_max: Duration,
}

/// A follower as its leader knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaProgress {
    pub id: BrokerId,
    /// Nothing before its first fetch of this leader epoch.
    fetched: Option<Fetched>,
    /// When it last had everything; `None`: not since this leader epoch began.
    caught_up: Option<Monotonic>,
    /// Not in sync, but about to be: the high watermark waits for it, or it would never come near.
    pub is_joining: bool,
    /// Its fetch session does not look here before something changes.
    settled: Option<Settled>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fetched {
    end: Offset,
    log_start: Offset,
    broker_epoch: i64,
    leader_end: Offset,
    at: Monotonic,
}

impl ReplicaProgress {
    /// A replica that is in sync counts as caught up when its leader's epoch begins.
    pub fn new(id: BrokerId, in_sync_since: Option<Monotonic>) -> ReplicaProgress {
        ReplicaProgress { id, fetched: None, caught_up: in_sync_since, is_joining: false, settled: None }
    }

    /// Where its log ends; `None` before it was heard of in this leader epoch.
    pub fn end(&self) -> Option<Offset> {
        self.fetched.map(|fetched| fetched.end)
    }

    /// Where its log starts, if it ever said so.
    pub fn log_start(&self) -> Option<Offset> {
        self.fetched.map(|fetched| fetched.log_start).filter(|start| start.0 >= 0)
    }

    /// The registration that its progress belongs to; `None` before it was heard of in this leader epoch.
    pub fn broker_epoch(&self) -> Option<i64> {
        self.fetched.map(|fetched| fetched.broker_epoch)
    }

    /// Since when it has not been known to have everything; `None`: it never was in this leader epoch.
    pub fn behind(&self, now: Monotonic) -> Option<Duration> {
        self.caught_up().map(|caught_up| caught_up.until(now))
    }

    fn caught_up(&self) -> Option<Monotonic> {
        self.caught_up.max(self.settled.as_ref().map(Settled::had_all))
    }

    pub fn is_settled(&self) -> bool {
        self.settled.is_some()
    }

    /// Its session does not look here until it is told to.
    pub fn settle(&mut self, settled: Settled) {
        if self.settled.as_ref() != Some(&settled) {
            // Another session is to look for itself.
            self.unsettle();
        }
        self.settled = Some(settled);
    }

    /// Something is new, or was: until its session's last fetch it had everything.
    pub fn unsettle(&mut self) {
        let Some(settled) = self.settled.take() else { return };
        let had_all = settled.had_all();
        self.caught_up = self.caught_up.max(Some(had_all));
        if let Some(fetched) = &mut self.fetched {
            fetched.at = fetched.at.max(had_all);
        }
        settled.tell();
    }

    /// `Replica.updateFetchStateOrThrow`. A fetch up to the leader's end proves that the follower has everything now;
    /// one up to where the leader ended at the previous fetch, that it had everything then.
    pub fn on_fetch(&mut self, fetch: &FollowerFetch) {
        if self.end() != Some(fetch.end) {
            // It lost something, or another session fetches.
            self.unsettle();
        }
        let before = self.fetched;
        let has_all_since = match before {
            _ if fetch.end >= fetch.leader_end => Some(fetch.received),
            Some(before) if fetch.end >= before.leader_end => Some(before.at),
            _ => None,
        };
        self.caught_up = self.caught_up.max(has_all_since);
        let leader_end = before.map_or(fetch.leader_end, |before| before.leader_end.max(fetch.leader_end));
        self.fetched = Some(Fetched {
            end: fetch.end,
            log_start: fetch.log_start,
            broker_epoch: fetch.broker_epoch,
            leader_end,
            at: fetch.received,
        });
        self.is_joining =
            fetch.is_eligible && self.is_caught_up(fetch.leader_end, fetch.received, fetch.lag_time_max);
    }

    /// Whether it may stay in sync (`ReplicaState.isCaughtUp`).
    pub fn is_caught_up(&self, leader_end: Offset, now: Monotonic, lag_time_max: Duration) -> bool {
        self.end() == Some(leader_end)
            || self.caught_up().is_some_and(|caught_up| caught_up.until(now) <= lag_time_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: BrokerId = BrokerId(2);
    const LAG: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn fetch(end: i64, leader_end: i64, seconds: u64) -> FollowerFetch {
        FollowerFetch {
            follower: B,
            broker_epoch: 7,
            is_eligible: true,
            end: Offset(end),
            log_start: Offset(0),
            leader_start: Offset(0),
            leader_end: Offset(leader_end),
            received: at(seconds),
            lag_time_max: LAG,
        }
    }

    #[test]
    fn a_follower_that_always_fetches_what_was_there_at_its_last_fetch_is_caught_up() {
        let mut progress = ReplicaProgress::new(B, None);
        for seconds in 0..100 {
            // The leader is 10 further at each fetch.
            progress.on_fetch(&fetch(10 * seconds as i64, 10 * seconds as i64 + 10, seconds));
        }
        assert!(progress.is_caught_up(Offset(2000), at(98 + 30), LAG), "it had everything at second 98");
        assert!(!progress.is_caught_up(Offset(2000), at(98 + 31), LAG));
    }

    #[test]
    fn a_follower_that_falls_behind_is_not() {
        let mut progress = ReplicaProgress::new(B, Some(at(0)));
        for seconds in 0..100 {
            progress.on_fetch(&fetch(5 * seconds as i64, 10 * seconds as i64 + 10, seconds));
        }
        assert!(!progress.is_caught_up(Offset(1010), at(99), LAG));
        progress.on_fetch(&fetch(1010, 1010, 100));
        assert!(progress.is_caught_up(Offset(9999), at(130), LAG));
        // At the end of the log it is never behind, however long ago that was.
        assert!(progress.is_caught_up(Offset(1010), at(9999), LAG));
    }

    #[test]
    fn a_member_has_its_time_from_the_beginning_of_the_epoch_and_others_have_none() {
        let member = ReplicaProgress::new(B, Some(at(5)));
        assert!(member.is_caught_up(Offset(3), at(35), LAG) && !member.is_caught_up(Offset(3), at(36), LAG));
        assert!(!ReplicaProgress::new(B, None).is_caught_up(Offset(3), at(0), LAG));
    }

    #[test]
    fn who_is_fenced_is_not_waited_for() {
        let mut progress = ReplicaProgress::new(B, None);
        progress.on_fetch(&FollowerFetch { is_eligible: false, ..fetch(9, 9, 1) });
        assert!(!progress.is_joining);
        progress.on_fetch(&fetch(9, 9, 2));
        assert!(progress.is_joining);
    }
}
