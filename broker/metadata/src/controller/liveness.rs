//! Which brokers live, as the active controller knows it: one session a broker, on the steady clock.
//! Core (`BrokerHeartbeatTracker`, `BrokerHeartbeatManager`). What is lasting (fenced or not) is in the image; this is
//! built anew by each controller that begins to lead.
//!
//! Invariants:
//! - I1. A controller that begins to lead gives every broker a fresh session: nothing that another controller heard, or
//!   failed to hear, fences anybody (KAFKA-13841).
//! - I2. A session belongs to one broker epoch.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_env::clock::Monotonic;
use ottla_model::{BrokerId, Offset};

use crate::image::Image;

/// When brokers were last heard, by id; with the broker epoch they said.
pub(crate) type Contacts = BTreeMap<BrokerId, (i64, Monotonic)>;

#[derive(Clone, Debug)]
pub(crate) struct Liveness {
    timeout: Duration,
    sessions: BTreeMap<BrokerId, Session>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Session {
    epoch: i64,
    /// `None`: registered, and not heard yet. It can't expire, and another incarnation may take its place.
    heard: Option<Monotonic>,
    /// Where its image is.
    metadata_offset: Offset,
    /// Since its controlled shutdown began: the offset that all others must have before it may go.
    shutdown_offset: Option<Offset>,
    /// Where its registration is, if that is not its epoch (it registered again as the same incarnation).
    registered_at: Option<Offset>,
}

impl Session {
    fn of(epoch: i64, heard: Option<Monotonic>) -> Session {
        Session { epoch, heard, metadata_offset: Offset::NONE, shutdown_offset: None, registered_at: None }
    }
}

impl Liveness {
    /// For a controller that begins to lead. `local` is this process where it registers itself without a session.
    pub fn of(image: &Image, timeout: Duration, local: Option<BrokerId>, now: Monotonic) -> Liveness {
        let watched = image.brokers().filter(|(id, _)| Some(*id) != local);
        let session = |(id, broker): (BrokerId, &std::sync::Arc<_>)| {
            let broker: &ottla_protocol::records::metadata::RegisterBrokerRecord = broker;
            (id, Session::of(broker.broker_epoch, (!broker.fenced).then_some(now)))
        };
        Liveness { timeout, sessions: watched.map(session).collect() }
    }

    /// A new incarnation has no session until it is heard; the same one keeps its own.
    pub fn on_registered(&mut self, id: BrokerId, epoch: i64, at: Offset) {
        let kept = self.sessions.get(&id).filter(|session| session.epoch == epoch).copied();
        let session = kept.unwrap_or(Session::of(epoch, None));
        self.sessions.insert(id, Session { registered_at: Some(at), ..session });
    }

    pub fn on_unregistered(&mut self, id: BrokerId) {
        self.sessions.remove(&id);
    }

    /// Somebody who was heard lives, whatever becomes of the request.
    pub fn on_contact(&mut self, id: BrokerId, epoch: i64, heard: Monotonic) {
        if let Some(session) = self.sessions.get_mut(&id).filter(|session| session.epoch == epoch) {
            session.heard = session.heard.max(Some(heard));
        }
    }

    /// A broker told how far it is, and is fenced or not from now on.
    pub fn on_heartbeat(&mut self, id: BrokerId, metadata_offset: Offset, is_fenced: bool) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.metadata_offset = metadata_offset;
            if is_fenced {
                session.shutdown_offset = None;
            }
        }
    }

    /// A controlled shutdown goes on: those who serve must reach `offset` before it ends.
    pub fn on_controlled_shutdown(&mut self, id: BrokerId, offset: Offset) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.shutdown_offset.get_or_insert(offset);
        }
    }

    pub fn shutdown_offset(&self, id: BrokerId) -> Option<Offset> {
        self.sessions.get(&id)?.shutdown_offset
    }

    /// Where the broker's registration is: whoever has it has caught up (KAFKA-13959).
    pub fn registered_at(&self, id: BrokerId) -> Option<Offset> {
        self.sessions.get(&id)?.registered_at
    }

    /// The lowest offset among brokers that serve and are not about to stop.
    pub fn lowest_active_offset(&self, image: &Image) -> Option<Offset> {
        let is_active = |id: BrokerId, session: &Session| {
            session.shutdown_offset.is_none() && image.broker(id).is_some_and(|broker| !broker.fenced)
        };
        let active = self.sessions.iter().filter(|(id, session)| is_active(**id, session));
        active.map(|(_, session)| session.metadata_offset).min()
    }

    pub fn has_session(&self, id: BrokerId, epoch: i64, now: Monotonic) -> bool {
        let session = self.sessions.get(&id).filter(|session| session.epoch == epoch);
        session.and_then(|session| session.heard).is_some_and(|heard| now <= heard.after(self.timeout))
    }

    /// All whose session is over; it ends by this. Every stale broker in one pass (KAFKA-13173).
    pub fn take_expired(&mut self, now: Monotonic) -> Vec<BrokerId> {
        let timeout = self.timeout;
        let is_over = |session: &Session| session.heard.is_some_and(|heard| now > heard.after(timeout));
        let expired = self.sessions.iter_mut().filter(|(_, session)| is_over(session));
        expired
            .map(|(id, session)| {
                session.heard = None;
                *id
            })
            .collect()
    }

    /// When the next session may be over.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let timeout = self.timeout;
        self.sessions.values().filter_map(|session| session.heard).min().map(|heard| heard.after(timeout))
    }
}
