//! The sessions of a group's members. They are in no record: a load begins them anew.
//! Core. A heartbeat moves the member's deadline alone; its timer is moved when it comes due.

use std::collections::HashMap;

use ottla_env::Monotonic;
use ottla_model::{GroupId, MemberId};

use crate::timers::{TimerId, TimerKey, Timers};

struct Session {
    deadline: Monotonic,
    timer: Option<TimerId>,
}

pub struct Sessions {
    group_id: GroupId,
    by_member: HashMap<MemberId, Session>,
}

/// What a timer that came due means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionEnd {
    /// A heartbeat came meanwhile, or there is no such session any more.
    NotYet,
    Ended,
}

impl Sessions {
    pub fn new(group_id: GroupId) -> Sessions {
        Sessions { group_id, by_member: HashMap::new() }
    }

    /// A heartbeat: the session lasts until `deadline`.
    pub fn renew(&mut self, timers: &mut Timers, member: &MemberId, deadline: Monotonic) {
        match self.by_member.get_mut(member) {
            // The timer in the queue is moved when it comes due, unless it would come too late.
            Some(session) if session.timer.is_some_and(|timer| timer.at() <= deadline) => {
                session.deadline = deadline;
            }
            session => {
                if let Some(session) = session {
                    timers.cancel(&mut session.timer);
                }
                let key = TimerKey::Member(self.group_id.clone(), member.clone());
                let timer = Some(timers.schedule(deadline, key));
                self.by_member.insert(member.clone(), Session { deadline, timer });
            }
        }
    }

    pub fn end(&mut self, timers: &mut Timers, member: &MemberId) {
        if let Some(mut session) = self.by_member.remove(member) {
            timers.cancel(&mut session.timer);
        }
    }

    pub fn end_all(&mut self, timers: &mut Timers) {
        for (_, mut session) in self.by_member.drain() {
            timers.cancel(&mut session.timer);
        }
    }

    /// A member's timer came due.
    pub fn on_timer(&mut self, timers: &mut Timers, member: &MemberId, now: Monotonic) -> SessionEnd {
        let Some(session) = self.by_member.get_mut(member) else { return SessionEnd::NotYet };
        session.timer = None;
        if session.deadline > now {
            let key = TimerKey::Member(self.group_id.clone(), member.clone());
            session.timer = Some(timers.schedule(session.deadline, key));
            return SessionEnd::NotYet;
        }
        self.by_member.remove(member);
        SessionEnd::Ended
    }
}
