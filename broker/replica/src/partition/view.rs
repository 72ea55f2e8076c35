//! A partition as a request has it while it is served: the role and the log that belong together.
//! Core. A part of `partition`.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use ottla_env::Monotonic;
use ottla_log::UnifiedLog;
use ottla_model::{BrokerId, LeaderEpoch, Offset};

use super::{Opened, Unavailable};
use crate::isr::Isr;
use crate::read_replica::{ReplicaView, in_rack};
use crate::replica_progress::ReplicaProgress;
use crate::role::{Leader, OfflineReason, Role};

/// A partition while this broker leads it: the role and the log that belong together.
pub struct Led<'a> {
    pub(super) role: Guard<Arc<Role>>,
    pub(crate) opened: &'a Opened,
}

impl Led<'_> {
    pub(crate) fn leader(&self) -> &Leader {
        match &**self.role {
            Role::Leader(leader) => leader,
            Role::Follower(_) | Role::Offline(_) => unreachable!("checked when it was made"),
        }
    }

    pub fn log(&self) -> &Arc<UnifiedLog> {
        &self.opened.log
    }

    pub fn epoch(&self) -> LeaderEpoch {
        self.leader().epoch()
    }

    /// The first offset that consumers may not see yet.
    #[inline]
    pub fn high_watermark(&self) -> Offset {
        self.leader().high_watermark()
    }

    /// The first offset that consumers of committed transactions may not see yet.
    pub fn last_stable_offset(&self) -> Offset {
        self.log().last_stable_offset(self.high_watermark())
    }

    /// The replica that a consumer in `rack` should read from; `None`: this one. `rack_of` knows where brokers are.
    pub fn read_replica<'r>(
        &self,
        rack: &str,
        leaders_rack: Option<&str>,
        fetch_offset: Offset,
        now: Monotonic,
        rack_of: impl Fn(BrokerId) -> Option<&'r str>,
    ) -> Option<BrokerId> {
        let views = |isr: &mut Isr| -> Vec<ReplicaView<'r>> {
            let view = |follower: &ReplicaProgress| ReplicaView {
                id: follower.id,
                rack: rack_of(follower.id),
                end: follower.end().unwrap_or(Offset::NONE),
                behind: follower.behind(now).unwrap_or(Duration::MAX),
            };
            isr.in_sync_at(fetch_offset).map(view).collect()
        };
        in_rack(rack, leaders_rack, &self.leader().with_isr(views)?)
    }

    /// Whether all that earlier epochs committed is known to be committed: before that, a new leader's
    /// "latest" could lie before an old one's (KIP-207).
    pub fn is_latest_known(&self) -> bool {
        self.high_watermark() >= self.leader().start_offset()
    }
}

/// A partition that this broker has a replica of, as its leader or not.
pub struct Readable<'a> {
    pub(super) role: Guard<Arc<Role>>,
    pub(super) opened: &'a Opened,
}

impl Readable<'_> {
    pub fn log(&self) -> &Arc<UnifiedLog> {
        &self.opened.log
    }

    /// The first offset that is not known here to be committed.
    pub fn high_watermark(&self) -> Offset {
        self.role.high_watermark().unwrap_or_else(|| self.log().log_start_offset())
    }
}

/// The leader that a request may be served by (`Partition.checkCurrentLeaderEpoch`).
pub(super) fn leader_of(role: &Role, current_leader_epoch: i32) -> Result<&Leader, Unavailable> {
    let leader = match role {
        Role::Leader(leader) => Ok(leader),
        Role::Follower(_) => Err(Unavailable::NotLeader),
        Role::Offline(offline) => match offline.reason {
            OfflineReason::Deleted => return Err(Unavailable::Deleted),
            OfflineReason::Storage => return Err(Unavailable::Storage),
            OfflineReason::Moved => Err(Unavailable::NotLeader),
        },
    };
    check_epoch(role, current_leader_epoch)?;
    leader
}

pub(super) fn check_epoch(role: &Role, current_leader_epoch: i32) -> Result<(), Unavailable> {
    match current_leader_epoch {
        theirs if theirs < 0 || theirs == role.epoch().0 => Ok(()),
        theirs if theirs < role.epoch().0 => Err(Unavailable::FencedLeaderEpoch),
        _ => Err(Unavailable::UnknownLeaderEpoch),
    }
}

pub(super) fn check_readable(role: &Role, current_leader_epoch: i32) -> Result<(), Unavailable> {
    match role {
        Role::Follower(_) => check_epoch(role, current_leader_epoch),
        Role::Leader(_) | Role::Offline(_) => leader_of(role, current_leader_epoch).map(|_| ()),
    }
}
