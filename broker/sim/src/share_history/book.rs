//! What is known of each record of a history of share groups, and what must not happen to it.
//! Core.
//!
//! Records are known by the number in their value: an offset may be given out again after a power loss.
//! - B1. What was accepted or rejected, and answered so, is not delivered again.
//! - B2. What is with a member is delivered to nobody while its lock stands.
//! - B3. Nothing is delivered more often than the limit, and each delivery brings its record.
//! - B4. A share partition's start does not go back: not while the broker runs, and after a start not behind what was
//!   on the disk.

use std::collections::{BTreeMap, BTreeSet};

use ottla_env::Monotonic;
use parking_lot::Mutex;

use super::{DELIVERY_COUNT_LIMIT, LOCK_MS};

/// A partition and an offset.
pub type Place = (i32, i64);

/// What a member says of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Accept,
    Release,
    Reject,
}

impl Verdict {
    pub fn id(self) -> i8 {
        match self {
            Verdict::Accept => 1,
            Verdict::Release => 2,
            Verdict::Reject => 3,
        }
    }
}

/// What became of what was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Taken,
    Refused,
    /// No answer came, or one that does not say.
    Unknown,
}

#[derive(Default)]
struct Fact {
    /// Where the producer was told that it is.
    produced: Option<Place>,
    /// Requests that were admitted before it was answered that nothing more becomes of the record.
    settled: Option<u64>,
    /// How often somebody said so and was not told what came of it.
    may_be_settled: usize,
    deliveries: usize,
}

/// The record is with somebody.
struct Claim {
    member: String,
    until: Monotonic,
    /// Requests that were admitted before.
    admitted: u64,
}

#[derive(Default)]
struct Known {
    facts: BTreeMap<u64, Fact>,
    claims: BTreeMap<Place, Claim>,
    members: BTreeMap<u64, String>,
    /// Delivered, or acquired, for the last time that the limit allows.
    exhausted: BTreeSet<Place>,
    /// Offsets that another record may have had before.
    reused: BTreeSet<Place>,
    starts: BTreeMap<i32, i64>,
    trace: Vec<String>,
}

/// How much happened in a history.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    /// Records of which it was answered that nothing more becomes of them.
    pub settled: usize,
    pub deliveries: usize,
    /// Offsets that need not be delivered again: by the limit, or because a power loss took what was there.
    pub excused: usize,
}

/// The outside checker's memory.
#[derive(Default)]
pub struct Book(Mutex<Known>);

/// One record that a fetch made somebody's.
pub struct Delivered {
    pub place: Place,
    pub value: u64,
    pub count: i16,
}

/// The fetch that did, and when.
pub struct Fetched {
    pub connection: u64,
    /// Its place among all requests, and the moment of its admission.
    pub number: u64,
    pub admitted_at: Monotonic,
    /// Requests admitted when it was answered.
    pub admitted: u64,
    pub now: Monotonic,
}

impl Book {
    pub fn note(&self, text: String) {
        self.0.lock().trace.push(text);
    }

    pub fn trace(&self) -> Vec<String> {
        self.0.lock().trace.clone()
    }

    /// A value that nothing has had.
    pub fn new_value(&self) -> u64 {
        let mut known = self.0.lock();
        let value = known.facts.len() as u64;
        known.facts.insert(value, Fact::default());
        value
    }

    pub fn produced(&self, value: u64, place: Place) {
        self.0.lock().fact(value).produced = Some(place);
    }

    pub fn connected(&self, connection: u64, member: &str) {
        self.0.lock().members.insert(connection, member.to_owned());
    }

    pub fn delivered(&self, fetched: &Fetched, delivered: &Delivered) {
        let mut known = self.0.lock();
        let Delivered { place, value, count } = *delivered;
        let member = known.members.get(&fetched.connection).cloned().unwrap_or_default();
        known.trace.push(format!("{member} gets {value} at {place:?} for the {count}. time"));
        let limit = DELIVERY_COUNT_LIMIT;
        assert!((1..=limit).contains(&count), "{value} at {place:?} is delivered {count} times");
        let settled = known.fact(value).settled;
        assert!(
            settled.is_none_or(|admitted| fetched.number < admitted),
            "{value} at {place:?} was settled, and is delivered again"
        );
        if let Some(claim) = known.claims.get(&place) {
            let is_held = claim.until > fetched.now && fetched.number >= claim.admitted;
            assert!(!is_held, "{value} at {place:?} is with {} and with {member}", claim.member);
        }
        let claim =
            Claim { member, until: fetched.admitted_at.after_ms(LOCK_MS), admitted: fetched.admitted };
        known.claims.insert(place, claim);
        known.fact(value).deliveries += 1;
        if count == limit {
            known.exhausted.insert(place);
        }
    }

    /// A member is about to say something of a record: from now on it may not have it any more.
    pub fn says(&self, member: &str, place: Place, value: u64, verdict: Verdict) {
        let mut known = self.0.lock();
        known.fact(value).may_be_settled += usize::from(verdict != Verdict::Release);
        if known.claims.get(&place).is_some_and(|claim| claim.member == member) {
            known.claims.remove(&place);
        }
    }

    /// A member ends its session.
    pub fn leaves(&self, member: &str) {
        self.0.lock().claims.retain(|_, claim| claim.member != member);
    }

    pub fn heard(&self, value: u64, verdict: Verdict, fate: Fate, admitted: u64) {
        let mut known = self.0.lock();
        let fact = known.fact(value);
        if verdict == Verdict::Release || fate == Fate::Unknown {
            return;
        }
        fact.may_be_settled -= 1;
        if fate == Fate::Taken {
            fact.settled.get_or_insert(admitted);
        }
    }

    /// The broker knows that a connection is gone: all that its member has is released, over whatever connection it
    /// came.
    pub fn disconnected(&self, connection: u64) {
        if let Some(member) = self.member(connection) {
            self.leaves(&member);
        }
    }

    fn member(&self, connection: u64) -> Option<String> {
        self.0.lock().members.get(&connection).cloned()
    }

    /// The broker is another one.
    pub fn restarted(&self) {
        let mut known = self.0.lock();
        known.claims.clear();
        known.starts.clear();
    }

    /// What was written there is gone.
    pub fn lost(&self, partition: i32, offsets: std::ops::Range<i64>) {
        let mut known = self.0.lock();
        known.reused.extend(offsets.map(|offset| (partition, offset)));
    }

    /// What a share partition is like now.
    pub fn looked_on(&self, partition: i32, start: i64, acquired: &[(i64, i16)]) {
        let mut known = self.0.lock();
        let before = known.starts.insert(partition, start).unwrap_or(start);
        assert!(start >= before, "the start of {partition} goes back from {before} to {start}");
        let last = acquired.iter().filter(|(_, count)| *count >= DELIVERY_COUNT_LIMIT);
        known.exhausted.extend(last.map(|(offset, _)| (partition, *offset)));
    }

    /// Whether nothing more is to become of a record that is there.
    pub fn is_done(&self, place: Place, value: u64) -> bool {
        let mut known = self.0.lock();
        let is_excused = known.exhausted.contains(&place) || known.reused.contains(&place);
        let fact = known.fact(value);
        is_excused || fact.settled.is_some() || fact.may_be_settled > 0
    }

    /// What producers were told that it is there.
    pub fn all_produced(&self) -> Vec<(u64, Place)> {
        let known = self.0.lock();
        let facts = known.facts.iter();
        facts.filter_map(|(value, fact)| Some((*value, fact.produced?))).collect()
    }

    /// How much happened.
    pub fn counts(&self) -> Counts {
        let known = self.0.lock();
        Counts {
            settled: known.facts.values().filter(|fact| fact.settled.is_some()).count(),
            deliveries: known.facts.values().map(|fact| fact.deliveries).sum(),
            excused: known.exhausted.union(&known.reused).count(),
        }
    }
}

impl Known {
    fn fact(&mut self, value: u64) -> &mut Fact {
        self.facts.get_mut(&value).expect("a value that was produced")
    }
}
