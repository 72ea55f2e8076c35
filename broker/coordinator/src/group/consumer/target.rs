//! What an assignor of a consumer group is given, and which one it is.
//! Core.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ottla_model::{ErrorCode, MemberId, TopicId, TopicName};

use super::ConsumerGroup;
use super::deciding::Deciding;
use crate::assignor::{ConsumerAssignor, GroupSpec, MemberSubscription, SubscriptionType, TopicSpec, Topics};
use crate::group::consumer::ConsumerMember;
use crate::group::modern::GroupError;
use crate::java_hash;
use crate::record::Assignment;
use crate::topic_lookup::TopicLookup;

/// Taken under the shard's lock; `assign` runs without it.
pub struct AssignorInput {
    assignor: ConsumerAssignor,
    group: GroupSpec,
    topics: Topics,
    epoch: i32,
}

impl AssignorInput {
    pub fn assign(self) -> Result<BTreeMap<MemberId, Assignment>, GroupError> {
        self.assignor.assign(&self.group, &self.topics).map_err(|error| {
            let epoch = self.epoch;
            tracing::error!(epoch, %error, "no target assignment could be computed");
            let message = format!("Failed to compute a new target assignment for epoch {epoch}: {error}");
            GroupError::new(ErrorCode::UnknownServerError, message)
        })
    }
}

/// Members that read the same share one set.
#[derive(Default)]
struct Sets<'a> {
    by_subscription: HashMap<(&'a BTreeSet<TopicName>, &'a str), Arc<BTreeSet<TopicId>>>,
    topics: Topics,
}

impl<'a> Sets<'a> {
    fn of(
        &mut self,
        group: &'a ConsumerGroup,
        member: &'a ConsumerMember,
        topics: &dyn TopicLookup,
    ) -> Arc<BTreeSet<TopicId>> {
        let key = (&member.metadata.subscribed_topics, &*member.metadata.pattern);
        if let Some(known) = self.by_subscription.get(&key) {
            return Arc::clone(known);
        }
        let mut ids = BTreeSet::new();
        for name in group.topics_of(member) {
            let Some(id) = topics.topic_id(name.as_str()) else { continue };
            let Some(partition_count) = topics.partition_count(id) else { continue };
            self.topics.entry(id).or_insert_with(|| TopicSpec { name: name.clone(), partition_count });
            ids.insert(id);
        }
        let ids = Arc::new(ids);
        self.by_subscription.insert(key, Arc::clone(&ids));
        ids
    }
}

impl Deciding<'_> {
    /// The group with the member as it will be.
    pub(super) fn assignor_input(&self, member: &ConsumerMember, epoch: i32) -> AssignorInput {
        let mut sets = Sets::default();
        let mut members = BTreeMap::new();
        for (id, member) in self.members_with(Some(member)) {
            let target_of = match &self.replaced {
                Some(replaced) if *id == self.member_id => replaced,
                _ => id,
            };
            let spec = MemberSubscription {
                instance_id: member.metadata.instance_id.clone(),
                topics: sets.of(self.group, member, self.topics),
                current: self.group.modern.target().of(target_of).cloned().unwrap_or_default(),
            };
            members.insert(id.clone(), spec);
        }
        let group = GroupSpec { members, subscription_type: self.subscription_type(member) };
        let assignor = self.assignor(member);
        AssignorInput { assignor, group, topics: sets.topics, epoch }
    }

    /// The assignor that most members ask for; the default one where none does.
    fn assignor(&self, member: &ConsumerMember) -> ConsumerAssignor {
        let members = self.members_with(Some(member)).map(|(_, member)| member);
        preferred_assignor(members).unwrap_or(self.settings.consumer_assignors[0])
    }

    /// `ConsumerGroup.subscriptionType`: by what members name, before it is known what exists.
    fn subscription_type(&self, member: &ConsumerMember) -> SubscriptionType {
        let members = || self.members_with(Some(member)).map(|(_, member)| member);
        let mut patterns = members().map(|member| &member.metadata.pattern).filter(|p| !p.is_empty());
        let is_homogeneous = match patterns.next() {
            // One regular expression for all of them, and nobody names a topic besides.
            Some(first) => members().all(|member| {
                member.metadata.pattern == *first && member.metadata.subscribed_topics.is_empty()
            }),
            None => {
                let mut names = members().map(|member| &member.metadata.subscribed_topics);
                let first = names.next();
                names.all(|names| Some(names) == first)
            }
        };
        if is_homogeneous { SubscriptionType::Homogeneous } else { SubscriptionType::Heterogeneous }
    }
}

/// Of equals Kafka takes the first in the order of a Java hash map.
pub(super) fn preferred_assignor<'a>(
    members: impl Iterator<Item = &'a ConsumerMember>,
) -> Option<ConsumerAssignor> {
    let mut votes: BTreeMap<ConsumerAssignor, usize> = BTreeMap::new();
    let names = members.filter_map(|member| member.metadata.server_assignor.as_deref());
    for assignor in names.filter_map(ConsumerAssignor::from_name) {
        *votes.entry(assignor).or_default() += 1;
    }
    let bucket = |assignor: &ConsumerAssignor| {
        let hash = java_hash::string_hash(assignor.name()) as u32;
        (hash ^ (hash >> 16)) & 15
    };
    let most =
        votes.into_iter().min_by_key(|(assignor, count)| (std::cmp::Reverse(*count), bucket(assignor)));
    most.map(|(assignor, _)| assignor)
}
