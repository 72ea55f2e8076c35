//! What is due when, and what time it is.
//! Core.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use super::HostId;
use super::net::NetEvent;
use super::turns::Turn;

pub(super) enum Event {
    Wake(Waker),
    Net(NetEvent),
    /// A device has done what somebody waits for.
    Disk(HostId, Turn),
}

#[derive(Default)]
pub(super) struct Agenda {
    pub now: Duration,
    /// By moment; of one moment in the order in which they were added.
    due: BTreeMap<(Duration, u64), Event>,
    next: u64,
}

impl Agenda {
    /// Returns the place, by which it is removed.
    pub fn add(&mut self, moment: Duration, event: Event) -> (Duration, u64) {
        self.next += 1;
        let place = (moment.max(self.now), self.next);
        self.due.insert(place, event);
        place
    }

    pub fn remove(&mut self, place: (Duration, u64)) {
        self.due.remove(&place);
    }

    /// Replaces a waker where its moment is still to come.
    pub fn rewake(&mut self, place: (Duration, u64), waker: &Waker) {
        if let Some(Event::Wake(known)) = self.due.get_mut(&place) {
            known.clone_from(waker);
        }
    }

    /// What is due next, at most at `moment`; time passes to there. Without, time passes to `moment`.
    pub fn take_due(&mut self, moment: Duration) -> Option<Event> {
        match self.due.first_key_value() {
            Some(((at, _), _)) if *at <= moment => {
                let ((at, _), event) = self.due.pop_first().expect("looked at");
                assert!(at >= self.now, "time never goes back");
                self.now = at;
                Some(event)
            }
            _ => {
                self.now = self.now.max(moment);
                None
            }
        }
    }
}
