//! Which brokers live, as the active controller knows it: one session a broker, on the steady clock.
//! Core (`BrokerHeartbeatTracker`, `BrokerHeartbeatManager`). What is lasting (fenced or not) is in the image; this is
//! built anew by each controller that begins to lead.
//!
//! Invariants:
//! - I1. A controller that begins to lead gives every broker a fresh session: nothing that another controller heard, or
//!   failed to hear, fences anybody (KAFKA-13841).
//! - I2. A session belongs to one broker epoch.
//! - I3. A session ends before its time only when the broker's connection was closed *and* nobody listens at its address:
//!   its process is gone. A connection alone may break, and a port alone may not be open yet. Or when no node has heard
//!   it for a while (`detector`), this one's heartbeats included.

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
    /// It has not beaten since this controller leads.
    is_given: bool,
    /// Its connection to this controller was closed since it was heard last.
    is_disconnected: bool,
    /// Where its registration is, if that is not its epoch (it registered again as the same incarnation).
    registered_at: Option<Offset>,
}

impl Session {
    fn of(epoch: i64, heard: Option<Monotonic>) -> Session {
        Session {
            epoch,
            heard,
            metadata_offset: Offset::NONE,
            shutdown_offset: None,
            is_given: true,
            is_disconnected: false,
            registered_at: None,
        }
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
        if let Some(session) = self.sessions.get_mut(&id).filter(|session| session.epoch == epoch)
            && session.heard < Some(heard)
        {
            session.heard = Some(heard);
            session.is_given = false;
            session.is_disconnected = false;
        }
    }

    /// The broker's connection to this controller was closed. Says whether it is worth a look at its address.
    pub fn on_disconnect(&mut self, id: BrokerId, epoch: i64) -> bool {
        let session = self.sessions.get_mut(&id).filter(|session| session.epoch == epoch);
        let Some(session) = session.filter(|session| session.heard.is_some()) else { return false };
        session.is_disconnected = true;
        true
    }

    /// Nobody listens at the broker's address. Says whether its session ends by this: not where it was heard since its
    /// connection was closed.
    pub fn on_dial_refused(&mut self, id: BrokerId, epoch: i64) -> bool {
        let session = self.sessions.get_mut(&id).filter(|session| session.epoch == epoch);
        let Some(session) = session.filter(|session| session.is_disconnected) else { return false };
        session.heard = None;
        true
    }

    /// No node hears the broker. Says whether its session ends by this: not where it beat in the last `silence`. A
    /// session that was given with the leadership is no beat.
    pub fn on_silence(&mut self, id: BrokerId, epoch: i64, now: Monotonic, silence: Duration) -> bool {
        let session = self.sessions.get_mut(&id).filter(|session| session.epoch == epoch);
        let is_over = |session: &&mut Session| {
            let is_silent = |heard: Monotonic| session.is_given || heard.until(now) >= silence;
            session.heard.is_some_and(is_silent)
        };
        let Some(session) = session.filter(is_over) else { return false };
        session.heard = None;
        true
    }

    /// A controller that begins to lead has no connection of a broker yet: as if each were closed.
    pub fn on_begin(&mut self) {
        self.sessions.values_mut().for_each(|session| session.is_disconnected = true);
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

    /// Whether nobody may take the broker's place. One whose connection was closed may have been started anew.
    pub fn has_session(&self, id: BrokerId, epoch: i64, now: Monotonic) -> bool {
        let session =
            self.sessions.get(&id).filter(|session| session.epoch == epoch && !session.is_disconnected);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::Cluster;

    const ID: BrokerId = BrokerId(1);

    fn at(ms: i64) -> Monotonic {
        Monotonic::default().after_ms(ms)
    }

    fn liveness() -> Liveness {
        let cluster = Cluster::of(&[1, 2]);
        Liveness::of(cluster.image(), Duration::from_secs(9), None, at(0))
    }

    fn epoch() -> i64 {
        Cluster::of(&[1]).image().broker(ID).expect("registered").broker_epoch
    }

    #[test]
    fn a_process_that_is_gone_ends_its_session_at_once() {
        let mut liveness = liveness();
        assert!(!liveness.on_dial_refused(ID, epoch()), "a port alone says nothing");
        assert!(liveness.on_disconnect(ID, epoch()));
        assert!(!liveness.has_session(ID, epoch(), at(1)), "another process may take its place");
        assert!(liveness.on_dial_refused(ID, epoch()));
        assert!(!liveness.on_dial_refused(BrokerId(2), epoch()));
        assert_eq!(liveness.next_deadline(), Some(at(9_000)), "the other one's");
        assert!(!liveness.on_disconnect(ID, epoch()), "it is known already");
    }

    #[test]
    fn a_silence_ends_the_session_of_who_did_not_beat_meanwhile() {
        let mut liveness = liveness();
        let silence = Duration::from_millis(500);
        let mut given = liveness.clone();
        assert!(given.on_silence(ID, epoch(), at(1), silence), "nothing was heard of it here");
        liveness.on_contact(ID, epoch(), at(700));
        assert!(!liveness.on_silence(ID, epoch(), at(1_199), silence), "it beat since");
        assert!(!liveness.on_silence(ID, epoch() + 1, at(1_200), silence), "of another incarnation");
        assert!(liveness.on_silence(ID, epoch(), at(1_200), silence));
        assert!(!liveness.on_silence(ID, epoch(), at(1_300), silence), "it is known already");
        assert!(!liveness.has_session(ID, epoch(), at(1_300)));
    }

    #[test]
    fn a_connection_that_breaks_ends_nothing_when_the_broker_is_heard_again() {
        let mut liveness = liveness();
        liveness.on_contact(ID, epoch(), at(5));
        assert!(liveness.on_disconnect(ID, epoch()));
        // What was said before the connection broke is no news.
        liveness.on_contact(ID, epoch(), at(5));
        assert!(!liveness.has_session(ID, epoch(), at(6)));
        liveness.on_contact(ID, epoch(), at(7));
        assert!(liveness.has_session(ID, epoch(), at(8)));
        assert!(!liveness.on_dial_refused(ID, epoch()));
        assert!(!liveness.on_disconnect(ID, epoch() + 1), "of another incarnation");
    }

    #[test]
    fn a_controller_that_begins_looks_for_each_broker_and_waits_for_those_it_finds() {
        let mut liveness = liveness();
        liveness.on_begin();
        liveness.on_contact(ID, epoch(), at(1));
        assert!(!liveness.on_dial_refused(ID, epoch()), "it was heard");
        assert!(liveness.on_dial_refused(BrokerId(2), epoch()));
        assert_eq!(liveness.take_expired(at(9_001)), []);
        assert_eq!(liveness.take_expired(at(9_002)), [ID]);
    }
}
