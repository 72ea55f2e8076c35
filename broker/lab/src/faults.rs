//! The fault rules in force, in their order, and which of them acts on a request.
//! Core. Draws come from the seed and the rule's own place, so that other rules change none of them.

use std::collections::VecDeque;

use crate::facts::Facts;
use crate::rule::{Rule, Trigger};

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
}

impl Faults {
    pub fn new(seed: u64) -> Faults {
        Faults { seed, next: 1, rules: Vec::new() }
    }

    /// Behind those that are there. The id it is known by; nothing where there are too many.
    pub fn add(&mut self, rule: Rule) -> Option<String> {
        if self.rules.len() >= RULES_MAX {
            return None;
        }
        let id = format!("f{}", self.next);
        let draws = mix(self.seed ^ mix(self.next));
        self.next += 1;
        assert!(self.get(&id).is_none(), "an id names one rule");
        self.rules.push(Held { id: id.clone(), rule, seen: 0, hits: 0, last: VecDeque::new(), draws });
        Some(id)
    }

    /// These and no others.
    pub fn replace(&mut self, rules: Vec<Rule>) -> Option<Vec<String>> {
        if rules.len() > RULES_MAX {
            return None;
        }
        self.rules.clear();
        Some(rules.into_iter().filter_map(|rule| self.add(rule)).collect())
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

    /// The rule that acts on this request, if one does. `number` is the request's in the journal.
    pub fn decide(&mut self, facts: &Facts, number: u64) -> Option<Held> {
        for held in &mut self.rules {
            if !held.rule.matching.takes(facts) {
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
}

impl Held {
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
