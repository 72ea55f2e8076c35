//! The fault rules in force, in their order, and which of them acts on a request.
//! Core. Draws come from the seed and the rule's own place, so that other rules change none of them.

use std::collections::VecDeque;

use ottla_env::Monotonic;

use crate::facts::Facts;
use crate::rule::{After, Rule, Trigger};

/// Rules at a time.
pub const RULES_MAX: usize = 1_000;
/// Of the last requests that a rule acted on, so many are shown.
const LAST_MAX: usize = 8;

#[derive(Debug)]
pub struct Faults {
    seed: u64,
    next: u64,
    rules: Vec<Held>,
}

/// A rule with what came of it.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: String,
    pub rule: Rule,
    /// Requests it was about.
    pub seen: u64,
    /// Those it acted on.
    pub hits: u64,
    /// Numbers of the last of these in the journal.
    pub last: VecDeque<u64>,
    draws: u64,
    /// When it was made, or is in force from.
    from: Monotonic,
    phase: Phase,
}

/// Where a rule is with what comes before it (`after`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// So many requests that it is about have passed.
    Before(u64),
    InForce,
}

impl Faults {
    pub fn new(seed: u64) -> Faults {
        Faults { seed, next: 1, rules: Vec::new() }
    }

    /// Behind those that are there. The id it is known by; nothing where there are too many.
    pub fn add(&mut self, rule: Rule, now: Monotonic) -> Option<String> {
        if self.rules.len() >= RULES_MAX {
            return None;
        }
        let id = format!("f{}", self.next);
        let draws = mix(self.seed ^ mix(self.next));
        self.next += 1;
        assert!(self.get(&id).is_none(), "an id names one rule");
        let phase = if rule.window.after == After::Nothing { Phase::InForce } else { Phase::Before(0) };
        let last = VecDeque::new();
        self.rules.push(Held { id: id.clone(), rule, seen: 0, hits: 0, last, draws, from: now, phase });
        Some(id)
    }

    /// These and no others.
    pub fn replace(&mut self, rules: Vec<Rule>, now: Monotonic) -> Option<Vec<String>> {
        if rules.len() > RULES_MAX {
            return None;
        }
        self.rules.clear();
        Some(rules.into_iter().filter_map(|rule| self.add(rule, now)).collect())
    }

    pub fn all(&self) -> &[Held] {
        &self.rules
    }

    /// Whether a rule holds requests at it.
    pub fn names_gate(&self, gate: &str) -> bool {
        self.rules.iter().any(|held| held.rule.act.hold.as_deref() == Some(gate))
    }

    pub fn get(&self, id: &str) -> Option<&Held> {
        self.rules.iter().find(|held| held.id == id)
    }

    pub fn remove(&mut self, id: &str) -> Option<Held> {
        let place = self.rules.iter().position(|held| held.id == id)?;
        Some(self.rules.remove(place))
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rule that acts on this request, if one does. `number` is the request's in the journal, `now` of the clock of
    /// timers.
    pub fn decide(&mut self, facts: &Facts, number: u64, now: Monotonic) -> Option<Held> {
        let acting = self.acting(facts, number, now);
        // Whatever acted, a request may be the one that others come after.
        for held in &mut self.rules {
            held.note_passed(facts, now);
        }
        acting
    }

    fn acting(&mut self, facts: &Facts, number: u64, now: Monotonic) -> Option<Held> {
        for held in &mut self.rules {
            if !held.rule.matching.takes(facts) || !held.is_in_force(now) {
                continue;
            }
            held.seen += 1;
            if !held.fires() {
                continue;
            }
            held.hits += 1;
            assert!(held.hits <= held.seen, "a rule acts on what it has seen");
            if held.last.len() == LAST_MAX {
                held.last.pop_front();
            }
            held.last.push_back(number);
            return Some(held.clone());
        }
        None
    }

    /// A rule that fired found nothing in the request or its answer that it could change.
    pub fn take_back(&mut self, id: &str, number: u64) {
        let Some(held) = self.rules.iter_mut().find(|held| held.id == id) else { return };
        assert!(held.hits > 0, "what is taken back was counted");
        held.hits -= 1;
        held.last.retain(|known| *known != number);
    }
}

impl Held {
    /// Looks whether its time has come, or is over.
    fn is_in_force(&mut self, now: Monotonic) -> bool {
        if let Phase::Before(passed) = self.phase {
            match &self.rule.window.after {
                After::Time(wait) if now >= self.from.after(*wait) => self.begin(self.from.after(*wait)),
                After::Requests(count) => {
                    match passed + 1 == *count {
                        true => self.begin(now),
                        false => self.phase = Phase::Before(passed + 1),
                    }
                    // The last of them passes, too.
                    return false;
                }
                _not_yet => return false,
            }
        }
        self.rule.window.lasts.is_none_or(|lasts| now < self.from.after(lasts))
    }

    fn begin(&mut self, from: Monotonic) {
        self.phase = Phase::InForce;
        self.from = from;
    }

    fn note_passed(&mut self, facts: &Facts, now: Monotonic) {
        if let (Phase::Before(_), After::Request(matching)) = (self.phase, &self.rule.window.after)
            && matching.takes(facts)
        {
            self.begin(now);
        }
    }

    fn fires(&mut self) -> bool {
        match self.rule.trigger {
            Trigger::Every => true,
            Trigger::Times(count) => self.hits < count,
            Trigger::Nth(place) => self.seen == place,
            Trigger::EveryNth(step) => self.seen.is_multiple_of(step),
            Trigger::Probability(chance) => {
                self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
                // 53 bits: a fraction of [0, 1).
                (mix(self.draws) >> 11) as f64 / ((1u64 << 53) as f64) < chance
            }
        }
    }
}

/// The finaliser of splitmix64.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
