//! Which member of a consumer group reads which partitions (KIP-848), and which runs which tasks of a streams group.
//! Core. Reading order: this file, `range`, `uniform`, `heterogeneous` (uniform where members read different topics),
//! `streams/`. All of them are functions of their arguments and may run for long: call them outside of any lock.
//!
//! The results are those of Apache Kafka 4.3.1's classes, partition for partition (`tests/golden.rs`). Where those depend
//! on the order in which Java's hash tables list what they hold, that order is made here (`java_hash.rs`). One thing
//! cannot be known: there, entries that share a bucket are listed in the order in which they once came; here, in that of
//! ids. So another partition may move than in a Kafka group of the same past (about one target in a hundred), never more.
//! No assignor of 4.3.1 looks at a rack.

mod heterogeneous;
mod range;
pub mod streams;
#[cfg(test)]
mod tests;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ottla_model::{MemberId, TopicId, TopicName};

use crate::java_hash;
use crate::record::Assignment;

/// A member as an assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct MemberSubscription {
    /// Of a static member.
    pub instance_id: Option<Arc<str>>,
    /// The topics it reads, by name and by regular expression, that exist. Members that read the same can share it.
    pub topics: Arc<BTreeSet<TopicId>>,
    /// Its target assignment so far; of a static member that came back, that of the member it replaces.
    pub current: Arc<Assignment>,
}

/// Kafka derives it from names and regular expressions (`ConsumerGroup.subscriptionType`), before it is known which of
/// the topics exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubscriptionType {
    /// All members read the same topics.
    Homogeneous,
    Heterogeneous,
}

pub struct GroupSpec {
    pub members: BTreeMap<MemberId, MemberSubscription>,
    pub subscription_type: SubscriptionType,
}

#[derive(Clone, Debug)]
pub struct TopicSpec {
    pub name: TopicName,
    pub partition_count: i32,
}

pub type Topics = BTreeMap<TopicId, TopicSpec>;

/// The assignors of `group.consumer.assignors`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConsumerAssignor {
    Uniform,
    Range,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AssignorError {
    /// A member is subscribed to a topic that is not among the topics.
    UnknownTopic(TopicId),
    /// The current assignment was none that an assignor makes: a partition is in it twice.
    PartitionsLeft,
    /// There are tasks, and nobody to run them.
    NoMember,
}

impl ConsumerAssignor {
    pub const ALL: [ConsumerAssignor; 2] = [ConsumerAssignor::Uniform, ConsumerAssignor::Range];

    pub fn name(self) -> &'static str {
        match self {
            ConsumerAssignor::Uniform => "uniform",
            ConsumerAssignor::Range => "range",
        }
    }

    pub fn from_name(name: &str) -> Option<ConsumerAssignor> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// An assignment for each member of the group, which may be empty.
    pub fn assign(
        self,
        group: &GroupSpec,
        topics: &Topics,
    ) -> Result<BTreeMap<MemberId, Assignment>, AssignorError> {
        match (self, group.subscription_type) {
            (ConsumerAssignor::Uniform, SubscriptionType::Homogeneous) => uniform::assign(group, topics),
            (ConsumerAssignor::Uniform, SubscriptionType::Heterogeneous) => {
                heterogeneous::assign(group, topics)
            }
            (ConsumerAssignor::Range, _) => range::assign(group, topics),
        }
    }
}

impl SubscriptionType {
    /// By the topics alone.
    pub fn of(members: &BTreeMap<MemberId, MemberSubscription>) -> SubscriptionType {
        let mut topics = members.values().map(|member| &member.topics);
        let Some(first) = topics.next() else { return SubscriptionType::Homogeneous };
        match topics.all(|other| Arc::ptr_eq(other, first) || other == first) {
            true => SubscriptionType::Homogeneous,
            false => SubscriptionType::Heterogeneous,
        }
    }
}

impl GroupSpec {
    /// The members as a `HashMap` lists them.
    fn members_as_listed(&self) -> Vec<(&MemberId, &MemberSubscription)> {
        let mut members: Vec<_> = self.members.iter().collect();
        let capacity = java_hash::grown_capacity(java_hash::DEFAULT_CAPACITY, members.len());
        java_hash::order_as_listed(&mut members, capacity, |(id, _)| java_hash::string_hash(id.as_str()));
        members
    }
}

/// The topics that members read, as places in one list.
struct Subscriptions {
    /// All of them, ascending.
    topics: Vec<(TopicId, i32)>,
    /// Of each member, in the order in which they were given; those who read the same share it.
    of_members: Vec<Arc<[usize]>>,
}

impl Subscriptions {
    fn new(
        members: &[(&MemberId, &MemberSubscription)],
        topics: &Topics,
    ) -> Result<Subscriptions, AssignorError> {
        // Nearly always one set many times over, which need not be looked into again.
        let mut sets: Vec<(&Arc<BTreeSet<TopicId>>, usize)> = Vec::new();
        for (_, member) in members {
            match sets.last_mut() {
                Some((last, count)) if Arc::ptr_eq(last, &member.topics) || **last == member.topics => {
                    *count += 1
                }
                _ => sets.push((&member.topics, 1)),
            }
        }
        let mut places = BTreeMap::new();
        for id in sets.iter().flat_map(|(set, _)| set.iter()) {
            if !places.contains_key(id) {
                places.insert(*id, (0, topic(topics, *id)?.partition_count.max(0)));
            }
        }
        let mut all = Vec::with_capacity(places.len());
        for (id, (place, partition_count)) in &mut places {
            *place = all.len();
            all.push((*id, *partition_count));
        }
        let mut of_members = Vec::with_capacity(members.len());
        for (set, count) in sets {
            let of_set: Arc<[usize]> = set.iter().map(|id| places[id].0).collect();
            of_members.extend(std::iter::repeat_n(of_set, count));
        }
        Ok(Subscriptions { topics: all, of_members })
    }
}

fn topic(topics: &Topics, id: TopicId) -> Result<&TopicSpec, AssignorError> {
    topics.get(&id).ok_or(AssignorError::UnknownTopic(id))
}

impl fmt::Display for AssignorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssignorError::UnknownTopic(id) => {
                write!(f, "Members are subscribed to topic {id} which doesn't exist in the topic metadata.")
            }
            AssignorError::PartitionsLeft => f.write_str("Partitions were left unassigned"),
            AssignorError::NoMember => f.write_str("No member available to assign active tasks."),
        }
    }
}

impl std::error::Error for AssignorError {}
