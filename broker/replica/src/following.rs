//! What a follower does to its log on its leader's word: it appends, cuts, and moves its start and its high watermark.
//! Shell.
//!
//! Invariants:
//! - I1. Each step is made while this broker follows in the leader epoch that the step belongs to, or not at all.
//! - I2. The high watermark is taken from a leader only with records, or the lack of them, behind an offset up to which
//!   both logs are one (KAFKA-14704). It goes back only where the log is cut below it.

use bytes::Bytes;
use ottla_log::{AppendError, ChangeError};
use ottla_model::{LeaderEpoch, Offset};

use crate::high_watermark::{self, Bounds};
use crate::partition::{Opened, Partition, Unavailable};
use crate::role::{Follower, Role};
use crate::truncation::{DivergingEpoch, cut_at};

/// Where a follower goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FollowerPosition {
    pub log_start: Offset,
    pub high_watermark: Offset,
    pub log_end: Offset,
    /// Of its last record, or of the epoch that it led without one; `None` for an empty log.
    pub last_epoch: Option<LeaderEpoch>,
}

/// Why a step was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotFollowed {
    /// This broker does not follow in that leader epoch, or not any more.
    #[error("the leader epoch has ended")]
    Ended,
    /// The log does not end where the records begin.
    #[error("the log ends at {0}")]
    Elsewhere(Offset),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Partition {
    fn following<T>(
        &self,
        epoch: LeaderEpoch,
        step: impl FnOnce(&Follower, &Opened) -> Result<T, NotFollowed>,
    ) -> Result<T, NotFollowed> {
        let opened = self.opened()?;
        let _no_change = self.changing.lock();
        let role = self.role();
        match &**role {
            Role::Follower(follower) if follower.epoch() == epoch => {
                let known = follower.high_watermark();
                let done = step(follower, opened);
                if follower.high_watermark() != known {
                    self.topic.shared.high_watermarks.note();
                }
                done
            }
            _ => Err(NotFollowed::Ended),
        }
    }

    /// Where this replica goes on as a follower in that leader epoch.
    pub fn follower_position(&self, epoch: LeaderEpoch) -> Result<FollowerPosition, NotFollowed> {
        self.following(epoch, |follower, opened| Ok(position(follower, opened)))
    }

    /// Appends what the leader had at `from`, which may be nothing, and takes its high watermark.
    pub fn append_fetched(
        &self,
        epoch: LeaderEpoch,
        from: Offset,
        records: Bytes,
        leaders_high_watermark: Offset,
        wall_ms: i64,
    ) -> Result<FollowerPosition, NotFollowed> {
        self.following(epoch, |follower, opened| {
            let log = &opened.log;
            if log.log_end_offset() != from {
                return Err(NotFollowed::Elsewhere(log.log_end_offset()));
            }
            if !records.is_empty() {
                log.append_as_follower(records, wall_ms)?;
            }
            let (log_start, log_end) = (log.log_start_offset(), log.log_end_offset());
            let leaders = high_watermark::of_follower(leaders_high_watermark, log_start, log_end);
            let known = follower.high_watermark();
            set_high_watermark(follower, opened, leaders.max(known));
            if leaders > known {
                self.wake_readers(log);
            }
            Ok(position(follower, opened))
        })
    }

    /// The leader's log starts at `leaders`: records before it are gone for good. Durable before it returns; may block.
    pub fn follow_log_start(&self, epoch: LeaderEpoch, leaders: Offset) -> Result<(), NotFollowed> {
        self.following(epoch, |follower, opened| {
            let to = leaders.min(follower.high_watermark());
            if to > opened.log.log_start_offset() {
                opened.log.delete_records(to)?;
            }
            Ok(())
        })
    }

    /// The leader's log has parted from this one. Durable before it returns; may block.
    pub fn truncate_to_leader(
        &self,
        epoch: LeaderEpoch,
        leader: DivergingEpoch,
    ) -> Result<FollowerPosition, NotFollowed> {
        self.following(epoch, |follower, opened| {
            let log = &opened.log;
            let cut = cut_at(leader, log.end_offset_for_epoch(leader.epoch), log.log_end_offset());
            let known = follower.high_watermark();
            if cut < known {
                // Only an election of a replica out of sync does this: what was committed is given up.
                tracing::warn!(partition = %self.name, %cut, high_watermark = %known, "cut below the high watermark");
            }
            tracing::info!(
                partition = %self.name, %epoch, at = %cut, log_end = %log.log_end_offset(),
                "the leader's log has parted from this one at epoch {}", leader.epoch
            );
            // Readers first: none may see a record that is about to go.
            follower.set_high_watermark(known.min(cut));
            log.truncate_to(cut)?;
            set_high_watermark(follower, opened, known.min(cut).max(log.log_start_offset()));
            Ok(position(follower, opened))
        })
    }

    /// Nothing of this log is in the leader's, which starts at `offset`: this one begins anew there. Durable before it
    /// returns; may block.
    pub fn restart_from_leader(
        &self,
        epoch: LeaderEpoch,
        offset: Offset,
    ) -> Result<FollowerPosition, NotFollowed> {
        self.following(epoch, |follower, opened| {
            let log = &opened.log;
            tracing::warn!(
                partition = %self.name, %epoch, log_start = %log.log_start_offset(), log_end = %log.log_end_offset(),
                "this log has nothing that its leader has, which starts at {offset}: it begins anew there"
            );
            follower.set_high_watermark(follower.high_watermark().min(offset));
            log.truncate_fully_and_start_at(offset)?;
            set_high_watermark(follower, opened, offset);
            Ok(position(follower, opened))
        })
    }
}

fn position(follower: &Follower, opened: &Opened) -> FollowerPosition {
    let log = &opened.log;
    FollowerPosition {
        log_start: log.log_start_offset(),
        high_watermark: follower.high_watermark(),
        log_end: log.log_end_offset(),
        last_epoch: log.latest_epoch(),
    }
}

fn set_high_watermark(follower: &Follower, opened: &Opened, high_watermark: Offset) {
    let log = &opened.log;
    let (log_start, log_end) = (log.log_start_offset(), log.log_end_offset());
    let bounds = Bounds { log_start, high_watermark, log_end }.checked();
    follower.set_high_watermark(bounds.high_watermark);
    log.on_high_watermark(bounds.high_watermark);
}
