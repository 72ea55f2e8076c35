//! How long members may take to give up what they are told to. In no record: a load begins them anew.
//! Core. A member that takes longer is taken out of its group.

use std::collections::HashMap;

use ottla_env::Monotonic;
use ottla_model::{GroupId, MemberId};

use crate::timers::{TimerId, TimerKey, Timers};

pub(super) struct RebalanceTimeouts {
    group_id: GroupId,
    by_member: HashMap<MemberId, Waiting>,
}

struct Waiting {
    /// The epoch that the member is to leave.
    member_epoch: i32,
    timer: TimerId,
}

impl RebalanceTimeouts {
    pub fn new(group_id: GroupId) -> RebalanceTimeouts {
        RebalanceTimeouts { group_id, by_member: HashMap::new() }
    }

    /// The member has until `deadline` to leave the epoch.
    pub fn begin(&mut self, timers: &mut Timers, member: &MemberId, member_epoch: i32, deadline: Monotonic) {
        self.end(timers, member);
        let key = TimerKey::Rebalance(self.group_id.clone(), member.clone());
        let timer = timers.schedule(deadline, key);
        self.by_member.insert(member.clone(), Waiting { member_epoch, timer });
    }

    pub fn end(&mut self, timers: &mut Timers, member: &MemberId) {
        if let Some(waiting) = self.by_member.remove(member) {
            timers.cancel(&mut Some(waiting.timer));
        }
    }

    pub fn end_all(&mut self, timers: &mut Timers) {
        for (_, waiting) in self.by_member.drain() {
            timers.cancel(&mut Some(waiting.timer));
        }
    }

    /// A member's timer came due: the epoch that it should have left.
    pub fn on_timer(&mut self, member: &MemberId) -> Option<i32> {
        self.by_member.remove(member).map(|waiting| waiting.member_epoch)
    }
}
