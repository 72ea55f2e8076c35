//! What the groups of the newer protocols share (Kafka's `ModernGroup`): epochs, members, target, sessions.
//! Core. Reading order: this file, `target` (the assignment that members move to), `sessions`, `error`.
//! It knows when a group's topics must be looked at again.
//!
//! Invariants:
//! - M1. All but sessions, `needs_refresh` and `assigning` is changed by replay alone, and each replay of what an assignor
//!   is given counts in `changes`: what was computed outside of the shard's lock holds only while the count stands.
//! - M2. The target assignment's epoch is at most the group's.

mod error;
mod sessions;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::{GroupId, MemberId, TopicName};

use crate::topic_hash::group_hash;
use crate::topic_lookup::TopicLookup;

pub use error::GroupError;
pub use sessions::{SessionEnd, Sessions};
pub use target::{Assigning, Awaited, Computed, HeartbeatTurn, Target, TargetTask};

/// What a group must know of its members, whatever their protocol.
pub trait ModernMember: Clone + Default {
    /// What a target assignment says of one member.
    type Assignment: PartialEq;

    fn subscribed_topics(&self) -> &BTreeSet<TopicName>;
}

pub struct ModernGroup<M: ModernMember> {
    group_id: GroupId,
    epoch: i32,
    metadata_hash: i64,
    members: BTreeMap<MemberId, M>,
    target: Target<M::Assignment>,
    sessions: Sessions,
    /// The topics may be others than those of the hash.
    needs_refresh: bool,
    /// The computation of a target that was begun last.
    assigning: Option<Awaited>,
    changes: u64,
}

/// The group's epoch once a member's change and its topics have been looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NextEpoch {
    pub epoch: i32,
    /// The hash to be written with it; `None` where the epoch stays.
    pub new_hash: Option<i64>,
    /// The topics were looked at.
    pub is_refreshed: bool,
}

impl<M: ModernMember> ModernGroup<M> {
    /// `epoch` is that of a group whose first member has not been counted.
    pub fn new(group_id: GroupId, epoch: i32) -> ModernGroup<M> {
        ModernGroup {
            sessions: Sessions::new(group_id.clone()),
            group_id,
            epoch,
            metadata_hash: 0,
            members: BTreeMap::new(),
            target: Target::new(epoch),
            needs_refresh: true,
            assigning: None,
            changes: 0,
        }
    }

    pub fn group_id(&self) -> &GroupId {
        &self.group_id
    }

    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    pub fn metadata_hash(&self) -> i64 {
        self.metadata_hash
    }

    pub fn members(&self) -> &BTreeMap<MemberId, M> {
        &self.members
    }

    pub fn target(&self) -> &Target<M::Assignment> {
        &self.target
    }

    /// How many records have changed what an assignor is given.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        self.members.values().any(|member| member.subscribed_topics().contains(topic))
    }

    /// All topics that a member reads, with one member as it will be.
    pub fn subscribed_topics_with(&self, changed: &MemberId, now: Option<&M>) -> BTreeSet<TopicName> {
        let others = self.members.iter().filter(|(id, _)| *id != changed).map(|(_, member)| member);
        others.chain(now).flat_map(|member| member.subscribed_topics().iter().cloned()).collect()
    }

    /// The next epoch, where `is_changed` says whether a member's change alone asks for one.
    pub fn next_epoch(
        &self,
        is_changed: bool,
        subscribed: &BTreeSet<TopicName>,
        topics: &dyn TopicLookup,
    ) -> NextEpoch {
        if !is_changed && !self.needs_refresh {
            return NextEpoch { epoch: self.epoch, new_hash: None, is_refreshed: false };
        }
        let hash = group_hash(subscribed.iter().map(|name| topics.topic_hash(name.as_str())));
        let is_new = is_changed || hash != self.metadata_hash;
        let epoch = self.epoch + i32::from(is_new);
        assert!(self.target.epoch() <= epoch, "a target assignment is ahead of its group");
        NextEpoch { epoch, new_hash: is_new.then_some(hash), is_refreshed: true }
    }

    /// Whether the topics must be looked at again.
    pub fn needs_refresh(&self) -> bool {
        self.needs_refresh
    }

    /// The topics of the cluster have changed, or a member is gone without them at hand.
    pub fn request_refresh(&mut self) {
        self.needs_refresh = true;
    }

    pub fn on_refreshed(&mut self) {
        self.needs_refresh = false;
    }

    /// A target is being computed from now on.
    pub fn on_assigning(&mut self, awaited: Awaited) {
        self.assigning = Some(awaited);
    }

    /// The computation of a target that is under way.
    pub fn assigning(&self) -> Option<&Awaited> {
        self.assigning.as_ref().filter(|awaited| !awaited.is_over())
    }

    pub fn sessions(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    pub fn replay_epoch(&mut self, epoch: i32, metadata_hash: i64) {
        self.changes += 1;
        self.epoch = epoch;
        self.metadata_hash = metadata_hash;
    }

    pub fn replay_member(&mut self, member: MemberId) -> &mut M {
        self.changes += 1;
        self.members.entry(member).or_default()
    }

    /// As `replay_member`, for a record that makes no member.
    pub fn replay_known_member(&mut self, member: &MemberId) -> Option<&mut M> {
        self.changes += 1;
        self.members.get_mut(member)
    }

    /// As `replay_known_member`, for what no assignor is given.
    pub fn replay_progress(&mut self, member: &MemberId) -> Option<&mut M> {
        self.members.get_mut(member)
    }

    pub fn replay_member_gone(&mut self, member: &MemberId) {
        self.changes += 1;
        self.members.remove(member);
    }

    pub fn replay_target(&mut self) -> &mut Target<M::Assignment> {
        self.changes += 1;
        &mut self.target
    }

    /// A record of the protocol's own, which its assignor depends on.
    pub fn replay_other(&mut self) {
        self.changes += 1;
    }
}
