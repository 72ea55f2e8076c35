//! One partition's part of an answer, done: appended, cut, begun anew, or not.
//! Shell over `fetch_apply`, which judges, and the partition, which does it. The fetcher and the histories take the same
//! steps.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Monotonic;
use ottla_log::{AppendError, ChangeError};
use ottla_model::{LeaderEpoch, Offset};

use crate::fetch_apply::{Verdict, judge};
use crate::fetch_plan::{Answered, FetchPlan, Key};
use crate::following::{FollowerPosition, NotFollowed};
use crate::partition::Partition;
use crate::truncation::DivergingEpoch;

/// A step that was made, or failed.
pub(crate) struct Step {
    key: Key,
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
    done: Done,
}

enum Done {
    Placed(Result<FollowerPosition, NotFollowed>),
    Moved(Result<FollowerPosition, NotFollowed>),
    /// The leader's answer says that nothing can be done now.
    Rests(String),
    AwaitsEpoch,
}

/// A step that waits for the disk.
pub(crate) struct Blocking {
    key: Key,
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
    work: Work,
}

enum Work {
    Truncate(DivergingEpoch),
    Restart(Offset),
    FollowStart(Offset),
    AppendEarlier { start: Offset, records: Bytes, high_watermark: Offset, log_start: Offset, wall_ms: i64 },
}

pub(crate) enum Begun {
    Made(Step),
    Blocks(Blocking),
}

/// Does what does not wait for the disk.
pub(crate) fn begin(answered: Answered, wall_ms: i64) -> Begun {
    let Answered { key, partition, asked, data } = answered;
    let epoch = asked.leader_epoch;
    let made = |partition, done| Begun::Made(Step { key, partition, epoch, done });
    let blocks = |partition, work| Begun::Blocks(Blocking { key, partition, epoch, work });
    partition.charge_followed(data.records.as_ref().map_or(0, bytes::Bytes::len));
    match judge(&asked, data) {
        Verdict::Append { records, high_watermark, log_start } => {
            let appended = partition.append_fetched(epoch, asked.offset, records, high_watermark, wall_ms);
            match appended {
                Ok(at) if at.log_start < log_start => blocks(partition, Work::FollowStart(log_start)),
                appended => made(partition, Done::Moved(appended)),
            }
        }
        Verdict::AppendEarlier { start, records, high_watermark, log_start } => {
            blocks(partition, Work::AppendEarlier { start, records, high_watermark, log_start, wall_ms })
        }
        Verdict::Truncate(leader) => blocks(partition, Work::Truncate(leader)),
        Verdict::Restart(Some(start)) => blocks(partition, Work::Restart(start)),
        Verdict::Restart(None) => {
            made(partition, Done::Rests("its log starts elsewhere, and it does not say where".to_owned()))
        }
        Verdict::AwaitEpoch => made(partition, Done::AwaitsEpoch),
        Verdict::Rest(error) => made(partition, Done::Rests(format!("{error:?}"))),
        Verdict::Unfit(why) => made(partition, Done::Rests(format!("its records do not fit: {why}"))),
    }
}

/// Does what waits for the disk. May block.
pub(crate) fn finish(blocking: Blocking) -> Step {
    let Blocking { key, partition, epoch, work } = blocking;
    let done = match work {
        Work::Truncate(leader) => partition.truncate_to_leader(epoch, leader),
        Work::Restart(offset) => partition.restart_from_leader(epoch, offset),
        Work::AppendEarlier { start, records, high_watermark, log_start, wall_ms } => partition
            .restart_from_leader(epoch, start)
            .and_then(|_| partition.append_fetched(epoch, start, records, high_watermark, wall_ms))
            .and_then(|_| partition.follow_log_start(epoch, log_start))
            .and_then(|()| partition.follower_position(epoch)),
        Work::FollowStart(offset) => {
            partition.follow_log_start(epoch, offset).and_then(|()| partition.follower_position(epoch))
        }
    };
    Step { key, partition, epoch, done: Done::Moved(done) }
}

impl Step {
    /// Looks where the log ends that is followed anew.
    pub fn place(key: Key, partition: Arc<Partition>, epoch: LeaderEpoch) -> Step {
        let found = partition.follower_position(epoch);
        Step { key, partition, epoch, done: Done::Placed(found) }
    }

    /// Tells the plan where the partition goes on, if it does.
    pub fn conclude(self, plan: &mut FetchPlan, now: Monotonic) {
        let Step { key, partition, epoch, done } = self;
        let error = match done {
            Done::Placed(Ok(at)) => return plan.placed(key, epoch, at),
            Done::Moved(Ok(at)) => return plan.moved(key, epoch, at),
            Done::AwaitsEpoch => return plan.await_epoch(key, epoch),
            Done::Rests(why) => {
                tracing::debug!(partition = %partition.name, why, "not fetched");
                return plan.rest(key, epoch, now);
            }
            Done::Placed(Err(error)) | Done::Moved(Err(error)) => error,
        };
        match error {
            // The image has said, or will say, whom it follows now; or its directory is offline.
            NotFollowed::Ended
            | NotFollowed::Unavailable(_)
            | NotFollowed::Append(AppendError::Deleted | AppendError::Storage(_))
            | NotFollowed::Change(ChangeError::Deleted | ChangeError::Storage(_)) => {
                plan.await_epoch(key, epoch);
            }
            NotFollowed::Elsewhere(_) | NotFollowed::Append(_) | NotFollowed::Change(_) => {
                tracing::warn!(partition = %partition.name, %error, "a replica does not get on");
                plan.rest(key, epoch, now);
            }
        }
    }
}
