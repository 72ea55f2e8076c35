//! Subscriptions by regular expression: when they are resolved, and what becomes of it.
//! Core. Kafka takes RE2/J, we take the crate `regex`: both are RE2's syntax and both take linear time. What is resolved
//! is resolved outside of the shard's lock, for the rights of the member whose heartbeat asked for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::{ErrorCode, GroupId, TopicName};
use regex::Regex;

use super::deciding::Deciding;
use super::{ConsumerGroup, ConsumerMember};
use crate::group::Group;
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::group::turn::Effects;
use crate::record::consumer::{ConsumerGroupEpoch, ConsumerRecord, ResolvedPattern};
use crate::topic_hash::group_hash;
use crate::topic_lookup::TopicLookup;

/// Regular expressions of a group are looked at again after so long at the earliest.
const REFRESH_INTERVAL_MIN_MS: i64 = 10_000;

/// The topics of one metadata image, as the member whose heartbeat asks may see them.
pub trait TopicNames: Send + Sync {
    fn version(&self) -> i64;
    /// In order.
    fn for_each(&self, visit: &mut dyn FnMut(&str));
    fn may_describe(&self, name: &str) -> bool;
}

/// Regular expressions that are to be resolved outside of the lock.
#[derive(Clone, PartialEq, Debug)]
pub struct PatternTask {
    pub group: GroupId,
    patterns: Vec<Arc<str>>,
}

impl PatternTask {
    /// `TopicRegexResolver.resolveRegularExpressions`: a topic matches where the whole name does.
    pub fn resolve(&self, names: &dyn TopicNames, wall_ms: i64) -> Vec<(Arc<str>, ResolvedPattern)> {
        let compiled: Vec<_> = self.patterns.iter().map(|pattern| (pattern, compile(pattern).ok())).collect();
        let mut found: Vec<BTreeSet<TopicName>> = vec![BTreeSet::new(); compiled.len()];
        names.for_each(&mut |name| {
            let mut may_describe = None;
            for ((_, regex), topics) in compiled.iter().zip(&mut found) {
                let matches = regex.as_ref().is_some_and(|regex| regex.is_match(name));
                if matches && *may_describe.get_or_insert_with(|| names.may_describe(name)) {
                    topics.insert(TopicName::new(name));
                }
            }
        });
        let version = names.version();
        let resolved = compiled.into_iter().zip(found).map(|((pattern, _), topics)| {
            (Arc::clone(pattern), ResolvedPattern { topics, version, timestamp_ms: wall_ms })
        });
        resolved.collect()
    }
}

/// What a request makes of the group's regular expressions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PatternChange {
    None,
    /// The topics are not known yet: the group's epoch goes up when they are.
    Updated,
    UpdatedAndResolved,
}

impl Deciding<'_> {
    /// `maybeUpdateRegularExpressions`, but for the look at when to resolve (`patterns_to_resolve`).
    pub(super) fn update_pattern(
        &mut self,
        before: &ConsumerMember,
        member: &ConsumerMember,
        error: Option<&GroupError>,
    ) -> Result<PatternChange, GroupError> {
        let (old, new) = (&before.metadata.pattern, &member.metadata.pattern);
        if old == new {
            return Ok(PatternChange::None);
        }
        let count = |pattern| self.group.pattern_members.get(pattern).copied().unwrap_or(0);
        let is_last = !old.is_empty() && count(old) == 1;
        let is_first = !new.is_empty() && count(new) == 0;
        if let Some(error) = error.filter(|_| is_first) {
            return Err(error.clone());
        }
        if is_last {
            self.record(ConsumerRecord::RegularExpression { pattern: Arc::clone(old), value: None });
        }
        let is_resolved = match new.is_empty() {
            true => true,
            false => !is_first && self.group.patterns.contains_key(new),
        };
        Ok(if is_resolved { PatternChange::UpdatedAndResolved } else { PatternChange::Updated })
    }

    pub(super) fn patterns_to_resolve(&self, member: &ConsumerMember) -> Option<PatternTask> {
        let group = self.group;
        if group.pattern_members.is_empty() && member.metadata.pattern.is_empty() || group.is_resolving {
            return None;
        }
        let last = group.patterns.values().next();
        let last_ms = last.map(|resolved| resolved.timestamp_ms);
        // A wall clock that was set back must not hold anything up.
        let since_ms = last_ms.map(|last_ms| self.wall_ms - last_ms).filter(|since_ms| *since_ms >= 0);
        if since_ms.is_some_and(|since_ms| since_ms <= REFRESH_INTERVAL_MIN_MS) {
            return None;
        }
        let patterns: Vec<Arc<str>> = self.pattern_members_with(member).into_keys().collect();
        let is_due = patterns.iter().any(|pattern| !group.patterns.contains_key(pattern))
            || patterns.len() != group.patterns.len()
            || last.is_some_and(|last| last.version < self.settings.topics.newest_version())
            || since_ms.is_none_or(|since_ms| since_ms > self.settings.consumer_regex_refresh_interval_ms);
        (is_due && !patterns.is_empty()).then(|| PatternTask { group: group.group_id().clone(), patterns })
    }
}

impl GroupShard {
    /// A heartbeat's task is over.
    pub fn on_resolving_ended(&mut self, group_id: &str) {
        if let Some(group) = self.consumer_group_mut(group_id) {
            group.is_resolving = false;
        }
    }

    /// `handleRegularExpressionsResult`.
    pub fn on_patterns_resolved(
        &mut self,
        group_id: &str,
        resolved: Vec<(Arc<str>, ResolvedPattern)>,
        topics: &dyn TopicLookup,
    ) -> Effects {
        self.on_resolving_ended(group_id);
        match self.groups.get(group_id) {
            Some(Group::Consumer(group)) => group.on_patterns_resolved(resolved, topics),
            _ => Effects::default(),
        }
    }
}

impl ConsumerGroup {
    fn on_patterns_resolved(
        &self,
        resolved: Vec<(Arc<str>, ResolvedPattern)>,
        topics: &dyn TopicLookup,
    ) -> Effects {
        let mut effects = Effects::default();
        let mut patterns: BTreeMap<&Arc<str>, BTreeSet<TopicName>> =
            self.patterns.iter().map(|(pattern, known)| (pattern, known.topics.clone())).collect();
        let mut is_changed = false;
        for (pattern, now) in &resolved {
            // Nobody reads by it any more.
            if !self.pattern_members.contains_key(pattern) {
                continue;
            }
            let before = patterns.insert(pattern, now.topics.clone()).unwrap_or_default();
            is_changed |= before != now.topics;
            let (pattern, value) = (Arc::clone(pattern), Some(now.clone()));
            effects.records.push(self.record(ConsumerRecord::RegularExpression { pattern, value }));
        }
        let named = self.members().values().flat_map(|member| &member.metadata.subscribed_topics);
        let names: BTreeSet<&TopicName> = named.chain(patterns.values().flatten()).collect();
        let metadata_hash = group_hash(names.into_iter().map(|name| topics.topic_hash(name.as_str())));
        if is_changed || metadata_hash != self.modern.metadata_hash() {
            let epoch = self.epoch() + 1;
            let value = Some(ConsumerGroupEpoch { epoch, metadata_hash });
            effects.records.push(self.record(ConsumerRecord::Metadata(value)));
        }
        effects
    }
}

/// What is wrong with a regular expression. It takes a while: outside of the lock.
pub fn check_pattern(pattern: &str) -> Option<GroupError> {
    compile(pattern).err()
}

fn compile(pattern: &str) -> Result<Regex, GroupError> {
    // First as it is: what it opens it has to close itself.
    let compiled = Regex::new(pattern).and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z")));
    compiled.map_err(|error| {
        let why = description(&error);
        let message = format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {why}.");
        GroupError::new(ErrorCode::InvalidRegularExpression, message)
    })
}

/// RE2/J's words for the usual mistakes, the crate's for others.
fn description(error: &regex::Error) -> String {
    let text = error.to_string();
    let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let known = match why {
        "unclosed character class" => "missing closing ]",
        "unclosed group" => "missing closing )",
        "unopened group" => "regexp/syntax: internal error",
        "repetition operator missing expression" => "missing argument to repetition operator",
        "incomplete escape sequence, reached end of pattern prematurely" => {
            "trailing backslash at end of expression"
        }
        "unrecognized escape sequence" => "invalid escape sequence",
        "invalid character class range, the start must be <= the end" => "invalid character class range",
        "look-around, including look-ahead and look-behind, is not supported" | "unrecognized flag" => {
            "invalid or unsupported Perl syntax"
        }
        other => other,
    };
    known.to_owned()
}
