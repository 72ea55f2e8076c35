//! Who has which partition in a history of consumer groups, and what was committed of each.
//! Core.
//!
//! A member has a partition from the answer that gives it until the member says that it has it no more, or has been
//! silent for so long that its session may be over.
//! - B1. No partition is given to a member while another one has it.
//! - B2. Whoever takes over a partition finds the last offset whose commit was answered, or a later one.

use std::collections::{BTreeMap, BTreeSet};

use ottla_env::Monotonic;
use parking_lot::Mutex;
use uuid::Uuid;

use super::SESSION_MS;
use crate::wire::Request;

/// A topic and a partition of it.
pub type Place = (Uuid, i32);

/// The topics that are there: their ids and how many partitions they have.
pub type Topics = BTreeMap<String, (Uuid, i32)>;

struct Claim {
    member: String,
    until: Monotonic,
    /// Requests that were admitted before it was answered.
    admitted: u64,
}

#[derive(Default)]
struct Known {
    topics: Topics,
    members: BTreeMap<u64, String>,
    claims: BTreeMap<Place, Claim>,
    /// What members use, as they see it.
    used: BTreeMap<String, BTreeSet<Place>>,
    committed: BTreeMap<Place, i64>,
    /// Who was given a partition last.
    last_owners: BTreeMap<Place, String>,
    /// The group is one of the new protocol, and these of its members are not.
    is_consumer_group: bool,
    classic_inside: BTreeSet<String>,
    counts: Counts,
    trace: Vec<String>,
}

/// How much happened in a history.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    /// Partitions that went to another member than before.
    pub given: usize,
    /// Commits that were answered.
    pub committed: usize,
    pub upgrades: usize,
    pub downgrades: usize,
}

/// The outside checker's memory.
#[derive(Default)]
pub struct Book(Mutex<Known>);

impl Book {
    pub fn note(&self, text: String) {
        self.0.lock().trace.push(text);
    }

    pub fn trace(&self) -> Vec<String> {
        self.0.lock().trace.clone()
    }

    pub fn counts(&self) -> Counts {
        self.0.lock().counts
    }

    /// A member of the new protocol was answered.
    pub fn is_consumer_group(&self) {
        let mut known = self.0.lock();
        let is_upgraded = !known.is_consumer_group && known.is_used_by("classic");
        known.counts.upgrades += usize::from(is_upgraded);
        known.is_consumer_group = true;
    }

    /// A member of the classic protocol got its assignment.
    pub fn has_classic_member(&self, connection: u64) {
        let mut known = self.0.lock();
        if known.is_consumer_group
            && let Some(member) = known.members.get(&connection).cloned()
        {
            known.classic_inside.insert(member);
        }
    }

    /// A member of the classic protocol is to assign partitions.
    pub fn is_classic_group(&self, connection: u64) {
        let mut known = self.0.lock();
        let inside = std::mem::take(&mut known.classic_inside);
        let is_downgraded = known.is_consumer_group
            && known.members.get(&connection).is_some_and(|member| inside.contains(member));
        known.counts.downgrades += usize::from(is_downgraded);
        known.is_consumer_group = false;
    }

    pub fn topics(&self) -> Topics {
        self.0.lock().topics.clone()
    }

    /// Topics have come or gone.
    pub fn topics_are(&self, topics: Topics) {
        let mut known = self.0.lock();
        let is_there = |place: &Place| topics.values().any(|(id, _)| *id == place.0);
        known.claims.retain(|place, _| is_there(place));
        known.used.values_mut().for_each(|used| used.retain(is_there));
        known.topics = topics;
    }

    /// The partitions of a topic, as they are named.
    pub fn places(&self, topic: &str, partitions: &[i32]) -> Vec<Place> {
        let known = self.0.lock();
        let found = known.topics.get(topic).map(|(id, _)| *id);
        found.into_iter().flat_map(|id| partitions.iter().map(move |index| (id, *index))).collect()
    }

    pub fn name(&self, id: Uuid) -> Option<String> {
        let known = self.0.lock();
        known.topics.iter().find(|(_, topic)| topic.0 == id).map(|(name, _)| name.clone())
    }

    pub fn connected(&self, connection: u64, member: &str) {
        self.0.lock().members.insert(connection, member.to_owned());
    }

    /// The coordinator has heard of a member: its session begins anew.
    pub fn renewed(&self, request: &Request) {
        let mut known = self.0.lock();
        let Some(member) = known.members.get(&request.connection).cloned() else { return };
        let until = request.admitted.after_ms(SESSION_MS);
        known
            .claims
            .values_mut()
            .filter(|claim| claim.member == member)
            .for_each(|claim| claim.until = until);
    }

    /// The coordinator gives partitions to whoever sent the request.
    pub fn given(&self, request: &Request, places: &[Place], admitted: u64, now: Monotonic) {
        let mut known = self.0.lock();
        let Some(member) = known.members.get(&request.connection).cloned() else { return };
        let text = format!("{member} is given {:?}", places.iter().map(|place| place.1).collect::<Vec<_>>());
        known.trace.push(text);
        for place in places {
            if let Some(claim) = known.claims.get(place)
                && claim.member != member
            {
                let is_held = claim.until > now && request.number >= claim.admitted;
                assert!(!is_held, "{place:?} is with {} and is given to {member}", claim.member);
            }
            let last = known.last_owners.insert(*place, member.clone());
            known.counts.given += usize::from(last.is_some_and(|last| last != member));
            let until = request.admitted.after_ms(SESSION_MS);
            known.claims.insert(*place, Claim { member: member.clone(), until, admitted });
        }
    }

    /// The member has no more than this.
    pub fn has_only(&self, member: &str, owned: &BTreeSet<Place>) {
        let mut known = self.0.lock();
        known.claims.retain(|place, claim| claim.member != member || owned.contains(place));
        known.used.insert(member.to_owned(), owned.clone());
    }

    pub fn committed(&self, place: Place, offset: i64) {
        let mut known = self.0.lock();
        known.counts.committed += 1;
        let committed = known.committed.entry(place).or_default();
        *committed = offset.max(*committed);
    }

    /// Below this no committed offset may be found.
    pub fn floor(&self, place: Place) -> i64 {
        self.0.lock().committed.get(&place).copied().unwrap_or(0)
    }

    /// The partitions that not exactly one of these members uses.
    pub fn not_used_once(&self, members: &[String]) -> Vec<Place> {
        let known = self.0.lock();
        let all = known.topics.values().flat_map(|(id, count)| (0..*count).map(|index| (*id, index)));
        let users = |place: &Place| {
            let of = members.iter().filter_map(|member| known.used.get(member));
            of.filter(|used| used.contains(place)).count()
        };
        all.filter(|place| users(place) != 1).collect()
    }
}

impl Known {
    /// Whether a member whose name begins so uses anything.
    fn is_used_by(&self, prefix: &str) -> bool {
        self.used.iter().any(|(member, used)| member.starts_with(prefix) && !used.is_empty())
    }
}
