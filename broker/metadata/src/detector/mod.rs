//! Who is heard of the other nodes: this node's own evidence, whom it suspects, and whether it is itself cut off.
//! Core. Time, what was heard and the image are arguments; the shell is `peers/watch.rs` of `api`.
//!
//! Every node pings the others (`targets`), and says in each ping for how long it has not heard whom.
//!
//! Invariants:
//! - D1. A node whose own clock came late, or that has no time for what others send it, judges nobody for a while: it is
//!   the sick one (KAFKA-15019).
//! - D2. Silent is who is not heard by this node and by none of those that this node hears.
//! - D3. A node takes itself for cut off only where those that it does not hear could elect a controller without it:
//!   that the controllers are away stops nobody.
//! - D4. A node that was cut off comes back with all that others knew then: it learns first that it was deposed.
//! - D5. Who answers Kafka's requests and no ping is judged by its heartbeats alone: it is a node of Apache Kafka.

mod silence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ottla_env::clock::Monotonic;
use ottla_model::{BrokerId, Offset};

use silence::Gaps;

/// Between two pings to one node.
pub const PING_INTERVAL: Duration = Duration::from_millis(100);
/// How often the detector looks.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// A silence of a node that pings regularly; more where it was seen to be less regular.
const SILENCE: Duration = Duration::from_millis(400);
/// How much longer it must last until others have said that they don't hear it either.
const CONFIRMATION: Duration = Duration::from_millis(100);
/// Nobody is fenced for a shorter silence.
pub const SILENCE_MIN: Duration = Duration::from_millis(500);
const _: () = assert!(SILENCE_MIN.as_millis() == SILENCE.as_millis() + CONFIRMATION.as_millis());
/// From when on a client is rather let wait than sent to a node.
const SUSPICION: Duration = Duration::from_millis(250);
/// For how long a node goes on without an answer of anybody.
const LEASE: Duration = Duration::from_millis(350);
/// From when on it is looked whether a node's machine answers, where the node does not.
const PROBE: Duration = Duration::from_millis(150);
/// Where requests were not served for so long, pings were not either.
const DEAFNESS: Duration = Duration::from_millis(200);
/// For how long a node whose clock came late judges nobody.
const SICKNESS: Duration = Duration::from_secs(1);
/// A node that stood still reads what came meanwhile before it takes itself for cut off.
const GRACE: Duration = Duration::from_millis(150);
/// What a node said of others is as good as its last words.
const WORD: Duration = Duration::from_millis(300);
/// Who is heard again so soon was not gone.
const MISTAKE: Duration = Duration::from_millis(500);
/// For how long it is then waited twice as long for it.
const PATIENCE: Duration = Duration::from_secs(600);
/// Up to so many nodes each pings each.
const MESH_MAX: usize = 8;
/// Beyond, each pings the voters and so many of the others behind it.
const NEXT: usize = 4;

/// What a node says in a ping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ping {
    pub from: BrokerId,
    /// Where the sender's image is.
    pub metadata_offset: Offset,
    /// For how many milliseconds it has not heard whom; empty where it can't judge.
    pub silences: Vec<(BrokerId, u16)>,
}

/// One other node.
#[derive(Clone, Debug)]
struct Other {
    /// It may lead partitions.
    is_broker: bool,
    /// Anything of it.
    heard: Monotonic,
    /// An answer, of the node or of its machine: the way there and back works.
    answered: Monotonic,
    /// Its connection was closed since it was heard.
    is_closed: bool,
    /// It closes connections for a ping.
    is_foreign: bool,
    gaps: Gaps,
    /// When this node had it fenced.
    fenced: Option<Monotonic>,
    patience: Option<Monotonic>,
    word: Option<(Monotonic, Vec<(BrokerId, u16)>)>,
}

/// Whether this node may act for the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lease {
    Held,
    /// Since it was lost, somebody was heard whose image was there.
    Lost {
        heard_of: Option<Offset>,
    },
}

/// What a look found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Those to whom clients should not be sent now, in order.
    pub suspects: Vec<BrokerId>,
    /// Those whom this node does not hear, whatever others do.
    pub unheard: Vec<BrokerId>,
    /// Those whom nobody hears, with how long this node has not.
    pub silent: Vec<(BrokerId, Duration)>,
    pub is_cut_off: bool,
}

#[derive(Debug)]
pub struct Detector {
    me: BrokerId,
    looked: Option<Monotonic>,
    sick_until: Option<Monotonic>,
    grace_until: Option<Monotonic>,
    /// When this node last had time for requests.
    served: Option<Monotonic>,
    others: BTreeMap<BrokerId, Other>,
    voters: BTreeSet<BrokerId>,
    lease: Lease,
}

impl Detector {
    pub fn new(me: BrokerId) -> Detector {
        Detector {
            me,
            looked: None,
            sick_until: None,
            grace_until: None,
            served: None,
            others: BTreeMap::new(),
            voters: BTreeSet::new(),
            lease: Lease::Held,
        }
    }

    /// The brokers that there are, and who elects controllers. Who is new is taken as heard.
    pub fn set_nodes(&mut self, now: Monotonic, nodes: &BTreeSet<BrokerId>, voters: &BTreeSet<BrokerId>) {
        self.others.retain(|id, _| nodes.contains(id) || voters.contains(id));
        for id in nodes.union(voters).filter(|id| **id != self.me) {
            self.others.entry(*id).or_insert_with(|| Other {
                is_broker: true,
                heard: now,
                answered: now,
                is_closed: false,
                is_foreign: false,
                gaps: Gaps::default(),
                fenced: None,
                patience: None,
                word: None,
            });
        }
        for (id, other) in &mut self.others {
            other.is_broker = nodes.contains(id);
        }
        self.voters.clone_from(voters);
    }

    /// Whom this node pings.
    pub fn targets(&self) -> BTreeSet<BrokerId> {
        if self.others.len() < MESH_MAX || self.voters.contains(&self.me) {
            return self.others.keys().copied().collect();
        }
        let behind = self.others.range(self.me..).chain(self.others.range(..self.me));
        let next = behind.map(|(id, _)| *id).filter(|id| !self.voters.contains(id)).take(NEXT);
        next.chain(self.voters.iter().copied().filter(|id| *id != self.me)).collect()
    }

    fn is_sick(&self, now: Monotonic) -> bool {
        self.sick_until.is_some_and(|until| now < until)
    }

    /// What this node says now.
    pub fn ping(&self, now: Monotonic, metadata_offset: Offset) -> Ping {
        let silence = |other: &Other| u16::try_from(other.heard.until(now).as_millis()).unwrap_or(u16::MAX);
        let silences = match self.is_sick(now) {
            true => Vec::new(),
            false => self.others.iter().map(|(id, other)| (*id, silence(other))).collect(),
        };
        Ping { from: self.me, metadata_offset, silences }
    }

    pub fn on_ping(&mut self, now: Monotonic, ping: &Ping) {
        self.on_heard(now, ping.from);
        if let Lease::Lost { heard_of } = &mut self.lease {
            *heard_of = (*heard_of).max(Some(ping.metadata_offset));
        }
        if let Some(other) = self.others.get_mut(&ping.from) {
            other.word = (!ping.silences.is_empty()).then(|| (now, ping.silences.clone()));
        }
    }

    pub fn on_answer(&mut self, now: Monotonic, id: BrokerId) {
        self.on_heard(now, id);
        if let Some(other) = self.others.get_mut(&id) {
            other.answered = now;
        }
    }

    /// This node has time for requests.
    pub fn on_served(&mut self, now: Monotonic) {
        self.served = Some(now);
    }

    /// Whether it should be looked if a node's machine answers.
    pub fn is_unanswered(&self, now: Monotonic, id: BrokerId) -> bool {
        self.others.get(&id).is_some_and(|other| !other.is_foreign && other.answered.until(now) > PROBE)
    }

    /// Its machine answered, whatever the node does.
    pub fn on_reached(&mut self, now: Monotonic, id: BrokerId) {
        if let Some(other) = self.others.get_mut(&id) {
            other.answered = now;
        }
    }

    /// Its machine says that nobody listens there: it is not heard, and the way there works.
    pub fn on_refused(&mut self, now: Monotonic, id: BrokerId) {
        if let Some(other) = self.others.get_mut(&id) {
            other.answered = now;
            other.is_closed = true;
        }
    }

    /// The connection to it was closed by its side.
    pub fn on_closed(&mut self, id: BrokerId) {
        if let Some(other) = self.others.get_mut(&id) {
            other.is_closed = true;
        }
    }

    /// It was reached and closed the connection for the first ping (D5).
    pub fn on_foreign(&mut self, id: BrokerId) {
        if let Some(other) = self.others.get_mut(&id) {
            other.is_foreign = true;
        }
    }

    /// It was fenced since nobody heard it.
    pub fn on_fenced(&mut self, now: Monotonic, id: BrokerId) {
        if let Some(other) = self.others.get_mut(&id) {
            other.fenced = Some(now);
        }
    }

    fn on_heard(&mut self, now: Monotonic, id: BrokerId) {
        let Some(other) = self.others.get_mut(&id) else { return };
        other.gaps.on_gap(other.heard.until(now));
        other.heard = now;
        other.is_closed = false;
        other.is_foreign = false;
        if let Some(fenced) = other.fenced.take()
            && fenced.until(now) <= MISTAKE
        {
            other.patience = Some(now.after(PATIENCE));
        }
    }

    /// Whether more patience is had with a node, since it was once fenced and lived.
    pub fn is_patient_with(&self, now: Monotonic, id: BrokerId) -> bool {
        self.others.get(&id).is_some_and(|other| other.patience.is_some_and(|until| now < until))
    }

    /// Time has passed. `controller` is who leads the quorum as far as this node knows, `metadata_offset` where its
    /// image is.
    pub fn look(&mut self, now: Monotonic, controller: Option<BrokerId>, metadata_offset: Offset) -> Look {
        let since = self.looked.replace(now).map_or(Duration::ZERO, |looked| looked.until(now));
        let is_late = since > LOOK_INTERVAL + PING_INTERVAL;
        let is_deaf = self.served.is_some_and(|served| served.until(now) > DEAFNESS);
        if is_late || is_deaf {
            self.sick_until = Some(now.after(SICKNESS));
        }
        if is_late {
            self.grace_until = Some(now.after(GRACE));
        }
        self.renew_lease(now, controller, metadata_offset);
        let is_cut_off = self.lease != Lease::Held;
        if self.is_sick(now) {
            return Look { is_cut_off, ..Look::default() };
        }
        let ids = self.others.iter().filter(|(_, other)| !other.is_foreign);
        let suspects = ids.clone().filter(|(_, other)| other.is_closed || other.heard.until(now) > SUSPICION);
        let silence = |other: &Other| other.heard.until(now);
        let unheard = ids.clone().filter(|(id, other)| silence(other) > self.allowance(now, **id));
        let silent = ids.filter(|(id, _)| self.is_silent(now, **id));
        Look {
            unheard: unheard.map(|(id, _)| *id).collect(),
            suspects: suspects.map(|(id, _)| *id).collect(),
            silent: silent.map(|(id, other)| (*id, silence(other))).collect(),
            is_cut_off,
        }
    }

    /// How long a node may not be heard.
    fn allowance(&self, now: Monotonic, id: BrokerId) -> Duration {
        let usual = self.others.get(&id).map_or(SILENCE, |other| other.gaps.longest_expected().max(SILENCE));
        if self.is_patient_with(now, id) { usual * 2 } else { usual }
    }

    fn is_silent(&self, now: Monotonic, id: BrokerId) -> bool {
        let Some(other) = self.others.get(&id) else { return false };
        let silence = other.heard.until(now);
        let allowance = self.allowance(now, id);
        if silence <= allowance + CONFIRMATION {
            return false;
        }
        let rest = || self.others.iter().filter(|(other, state)| **other != id && !state.is_foreign);
        let mut heard = rest().filter(|(_, other)| other.heard.until(now) <= SILENCE).peekable();
        if heard.peek().is_none() {
            // Who hears nobody at all is cut off itself; where there are but two it can't be told apart.
            return rest().next().is_none() && silence > 2 * allowance + CONFIRMATION;
        }
        let mut witnesses = heard.filter_map(|(_, witness)| {
            let (at, silences) = witness.word.as_ref().filter(|(at, _)| at.until(now) <= WORD)?;
            let (_, ms) = silences.iter().find(|(of, _)| *of == id)?;
            Some(at.until(now) + Duration::from_millis(u64::from(*ms)))
        });
        match witnesses.next() {
            Some(first) => first > allowance && witnesses.all(|silence| silence > allowance),
            None => silence > 2 * allowance + CONFIRMATION,
        }
    }

    fn renew_lease(&mut self, now: Monotonic, controller: Option<BrokerId>, own: Offset) {
        let is_alone = self.hears_too_few(now, controller);
        let has_grace = self.grace_until.is_some_and(|until| now < until) && !self.may_be_fenced(now);
        match self.lease {
            Lease::Held if is_alone && has_grace => {}
            Lease::Held if is_alone => self.lease = Lease::Lost { heard_of: None },
            Lease::Lost { heard_of } if !is_alone => {
                let is_heard = self.others.values().any(|other| other.heard.until(now) <= LEASE);
                let knows_all = match heard_of {
                    Some(offset) => own >= offset,
                    None => !is_heard,
                };
                if knows_all {
                    self.lease = Lease::Held;
                }
            }
            Lease::Held | Lease::Lost { .. } => {}
        }
    }

    fn may_be_fenced(&self, now: Monotonic) -> bool {
        self.others.values().all(|other| other.is_foreign || other.answered.until(now) > SILENCE_MIN)
    }

    /// No answer from the controller, none from half of the other brokers, and those that do not answer can elect.
    fn hears_too_few(&self, now: Monotonic, controller: Option<BrokerId>) -> bool {
        let is_away = |id: &BrokerId| {
            self.others.get(id).is_some_and(|other| !other.is_foreign && other.answered.until(now) > LEASE)
        };
        if controller.is_some_and(|id| id != self.me && self.others.contains_key(&id) && !is_away(&id)) {
            return false;
        }
        let brokers = self.others.iter().filter(|(_, other)| other.is_broker && !other.is_foreign);
        let (count, away) = (brokers.clone().count(), brokers.filter(|(id, _)| is_away(id)).count());
        let voters_away = self.voters.iter().filter(|id| is_away(id)).count();
        2 * (count - away) < count && voters_away > self.voters.len() / 2
    }
}
