//! One member's next step towards its target assignment (Kafka's `CurrentAssignmentBuilder`).
//! Core.
//!
//! A member gives back what is not its any more before it moves to the target's epoch; in that epoch it gets at once
//! what is free, and the rest when those who have it have given it back.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_model::{ErrorCode, TopicId};

use super::{ConsumerMember, MemberState};
use crate::group::modern::GroupError;
use crate::record::Assignment;
use crate::record::consumer::Owned;

/// What the step depends on besides the member.
pub(super) struct Surroundings<'a> {
    pub target_epoch: i32,
    pub target: &'a Assignment,
    /// What the member reads has changed in this very request.
    pub has_subscription_changed: bool,
    pub subscribed: &'a BTreeSet<TopicId>,
    /// The epoch of the member that has a partition; -1 of a free one.
    pub partition_epoch: &'a dyn Fn(TopicId, i32) -> i32,
    /// What the member says that it has; `None` where it does not say.
    pub owned: Option<&'a [(TopicId, Vec<i32>)]>,
}

impl ConsumerMember {
    pub(super) fn next_assignment(&self, around: &Surroundings<'_>) -> Result<ConsumerMember, GroupError> {
        match self.state {
            MemberState::Stable if self.member_epoch != around.target_epoch => {
                Ok(self.compute_next(self.member_epoch, around))
            }
            MemberState::Stable if around.has_subscription_changed => Ok(self.without_unsubscribed(around)),
            MemberState::Stable => Ok(self.clone()),
            MemberState::UnrevokedPartitions if around.owns_any_of(&self.pending_revocation) => {
                match around.has_subscription_changed {
                    true => Ok(self.without_unsubscribed(around)),
                    false => Ok(self.clone()),
                }
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
                Ok(self.compute_next(self.member_epoch, around))
            }
            MemberState::Unknown if around.owned.is_none_or(|owned| !owned.is_empty()) => {
                Err(GroupError::new(
                    ErrorCode::FencedMemberEpoch,
                    "The consumer group member is in a unknown state. The member must abandon all its \
                     partitions and rejoin.",
                ))
            }
            MemberState::Unknown => Ok(self.compute_next(around.target_epoch, around)),
        }
    }

    /// Takes away what is not read any more, short of a full step (`updateCurrentAssignment`).
    fn without_unsubscribed(&self, around: &Surroundings<'_>) -> ConsumerMember {
        let is_read = |id: &TopicId| around.subscribed.contains(id);
        if self.assigned.keys().all(is_read) {
            return self.clone();
        }
        let (mut assigned, mut pending) = (Owned::new(), Owned::clone(&self.pending_revocation));
        for (id, partitions) in self.assigned.iter() {
            match is_read(id) {
                true => assigned.insert(*id, partitions.clone()),
                false => {
                    pending.entry(*id).or_default().extend(partitions);
                    None
                }
            };
        }
        let assigned = Arc::new(assigned);
        if around.owns_any_of(&pending) {
            return ConsumerMember {
                state: MemberState::UnrevokedPartitions,
                assigned,
                pending_revocation: Arc::new(pending),
                ..self.with_member_epoch(self.member_epoch)
            };
        }
        // It has given them back already.
        ConsumerMember { assigned, ..self.with_member_epoch(self.member_epoch) }
    }

    /// `computeNextAssignment`.
    fn compute_next(&self, member_epoch: i32, around: &Surroundings<'_>) -> ConsumerMember {
        let (mut assigned, mut to_revoke, mut to_assign) = (Owned::new(), Owned::new(), Owned::new());
        let mut has_unreleased = false;
        let nothing = BTreeSet::new();
        let none = std::collections::BTreeMap::new();
        let topics: BTreeSet<&TopicId> = around.target.keys().chain(self.assigned.keys()).collect();
        for id in topics {
            let target = match around.subscribed.contains(id) {
                true => around.target.get(id).unwrap_or(&nothing),
                false => &nothing,
            };
            let had = self.assigned.get(id).unwrap_or(&none);
            for (partition, epoch) in had {
                let kept = if target.contains(partition) { &mut assigned } else { &mut to_revoke };
                kept.entry(*id).or_default().insert(*partition, *epoch);
            }
            let revoking = self.pending_revocation.get(id).unwrap_or(&none);
            for partition in target.iter().filter(|partition| !had.contains_key(partition)) {
                // What the member itself has still to give back is not another's.
                let is_taken = (around.partition_epoch)(*id, *partition) != -1;
                if is_taken && !revoking.contains_key(partition) {
                    has_unreleased = true;
                } else {
                    to_assign.entry(*id).or_default().insert(*partition, around.target_epoch);
                }
            }
        }
        if around.owns_any_of(&to_revoke) {
            return ConsumerMember {
                state: MemberState::UnrevokedPartitions,
                member_epoch,
                previous_member_epoch: self.member_epoch,
                assigned: Arc::new(assigned),
                pending_revocation: Arc::new(to_revoke),
                metadata: Arc::clone(&self.metadata),
            };
        }
        for (id, partitions) in to_assign {
            assigned.entry(id).or_default().extend(partitions);
        }
        let state = match has_unreleased {
            true => MemberState::UnreleasedPartitions,
            false => MemberState::Stable,
        };
        ConsumerMember {
            state,
            assigned: Arc::new(assigned),
            pending_revocation: Arc::default(),
            ..self.with_member_epoch(around.target_epoch)
        }
    }
}

impl Surroundings<'_> {
    /// Whether the member still has some of these, as far as it says; it has none of no partitions.
    fn owns_any_of(&self, revoked: &Owned) -> bool {
        if revoked.is_empty() {
            return false;
        }
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|(id, partitions)| {
            revoked.get(id).is_some_and(|revoked| partitions.iter().any(|p| revoked.contains_key(p)))
        })
    }
}
