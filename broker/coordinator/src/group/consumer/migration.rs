//! Online migration: a classic group becomes a consumer group, and one without a member of the new protocol a classic one.
//! Core. Which of it happens is said by `group.consumer.migration.policy`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId, TopicName};

use super::classic_member::known_partitions;
use super::deciding::Deciding;
use super::{ConsumerGroup, ConsumerMember, MemberState};
use crate::consumer_protocol::{self, NamedPartitions};
use crate::group::answers::Joined;
use crate::group::classic::{ClassicGroup, ClassicGroupState};
use crate::group::member::{ClassicGroupMember, Protocol};
use crate::group::modern::GroupError;
use crate::group::turn::{Downgraded, Effects, Then, Turn};
use crate::record::consumer::{
    ClassicMember, ConsumerGroupEpoch, ConsumerMemberMetadata, ConsumerRecord, Owned,
};
use crate::record::{Assignment, Record, TargetAssignmentEpoch};
use crate::settings::GroupSettings;
use crate::topic_hash::group_hash;
use crate::topic_lookup::TopicLookup;

const PROTOCOL_TYPE: &str = "consumer";

impl ClassicGroup {
    /// `validateOnlineUpgrade`.
    pub(in crate::group) fn check_upgrade(&self, settings: &GroupSettings) -> Result<(), GroupError> {
        let why = if !settings.consumer_migration_policy.is_upgrade_enabled() {
            "online upgrade is disabled"
        } else if !self.uses_consumer_group_protocol() {
            "the group does not use the consumer embedded protocol"
        } else if self.members.len() > settings.consumer_members_max.max(0) as usize {
            "the group size exceeds the consumer group maximum size"
        } else {
            return Ok(());
        };
        Err(self.cannot_upgrade(why))
    }

    fn cannot_upgrade(&self, why: &str) -> GroupError {
        let message =
            format!("Cannot upgrade classic group {} to consumer group because {why}.", self.group_id());
        GroupError::new(ErrorCode::GroupIdNotFound, message)
    }

    /// The consumer group that its records make of this one (`ConsumerGroup.fromClassicGroup`): all members in its
    /// generation, with what the last assignment gave them.
    pub(in crate::group) fn to_consumer_group(
        &self,
        topics: &dyn TopicLookup,
        records: &mut Vec<Record>,
    ) -> Result<Box<ConsumerGroup>, GroupError> {
        let generation = self.generation_id();
        let mut members = BTreeMap::new();
        for member in self.members.values() {
            members.insert(member.member_id.clone(), self.to_consumer_member(member, topics)?);
        }
        let names: std::collections::BTreeSet<TopicName> =
            members.values().flat_map(|(member, _)| member.metadata.subscribed_topics.clone()).collect();
        let metadata_hash = group_hash(names.iter().map(|name| topics.topic_hash(name.as_str())));
        let epoch = ConsumerGroupEpoch { epoch: generation, metadata_hash };
        let target_epoch = TargetAssignmentEpoch { epoch: generation, timestamp_ms: 0 };
        let metadata = members.iter().map(|(id, (member, _))| ConsumerRecord::MemberMetadata {
            member: id.clone(),
            value: Some(Arc::clone(&member.metadata)),
        });
        let targets = members.iter().map(|(id, (_, target))| ConsumerRecord::TargetAssignmentMember {
            member: id.clone(),
            value: Some(target.clone()),
        });
        let current = members.iter().map(|(id, (member, _))| ConsumerRecord::CurrentMemberAssignment {
            member: id.clone(),
            value: Some(member.to_current_assignment()),
        });
        let made = metadata
            .chain([ConsumerRecord::Metadata(Some(epoch))])
            .chain(targets)
            .chain([ConsumerRecord::TargetAssignmentMetadata(Some(target_epoch))])
            .chain(current);
        let mut group = Box::new(ConsumerGroup::new(self.group_id().clone()));
        records.push(Record::GroupMetadata { group: self.group_id().clone(), value: None });
        for record in made {
            records.push(group.record(record.clone()));
            group.replay(record);
        }
        Ok(group)
    }

    fn to_consumer_member(
        &self,
        member: &ClassicGroupMember,
        topics: &dyn TopicLookup,
    ) -> Result<(ConsumerMember, Assignment), GroupError> {
        let malformed = || self.cannot_upgrade("the embedded consumer protocol is malformed");
        let mut target = Assignment::new();
        if !member.assignment.is_empty() {
            let assignment = consumer_protocol::assignment(&member.assignment).ok_or_else(malformed)?;
            if assignment.has_user_data {
                return Err(self.cannot_upgrade(
                    "an unsupported custom assignor is in use. Please refer to the documentation or switch to a \
                     default assignor before re-attempting the upgrade",
                ));
            }
            let known = known_partitions(&assignment.partitions, topics);
            target.extend(known.into_iter().map(|(id, partitions)| (id, partitions.into_iter().collect())));
        }
        let selected = self.protocol_name.clone().or_else(|| self.select_protocol());
        let metadata = member.metadata(selected.as_deref().unwrap_or_default());
        let subscription = consumer_protocol::subscription(&metadata).ok_or_else(malformed)?;
        let generation = self.generation_id();
        let assigned: Owned = target
            .iter()
            .map(|(id, partitions)| (*id, partitions.iter().map(|p| (*p, generation)).collect()))
            .collect();
        let rack_id = subscription.rack_id.as_deref().filter(|rack| !rack.is_empty());
        let metadata = ConsumerMemberMetadata {
            instance_id: member.group_instance_id.clone(),
            rack_id: rack_id.map(Arc::from),
            client_id: Arc::clone(&member.client_id),
            client_host: Arc::clone(&member.client_host),
            subscribed_topics: subscription.topics.iter().map(|name| TopicName::new(name)).collect(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            classic: Some(ClassicMember {
                session_timeout_ms: member.session_timeout_ms,
                protocols: member
                    .supported_protocols
                    .iter()
                    .map(|protocol| (Arc::clone(&protocol.name), protocol.metadata.clone()))
                    .collect(),
            }),
            ..ConsumerMemberMetadata::default()
        };
        let member = ConsumerMember {
            metadata: Arc::new(metadata),
            member_epoch: generation,
            previous_member_epoch: generation,
            state: MemberState::Stable,
            assigned: Arc::new(assigned),
            pending_revocation: Arc::default(),
        };
        Ok((member, target))
    }

    /// Whoever waits for a rebalance is to join the group that this one becomes.
    pub(in crate::group) fn send_away(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for id in ids {
            let response = Joined::refused(id.as_str(), ErrorCode::RebalanceInProgress);
            self.complete_join(turn, id.as_str(), response);
            if let Some(waiter) = self.members.get_mut(&id).and_then(|member| member.awaiting_sync.take()) {
                turn.answer_sync_error(waiter, ErrorCode::RebalanceInProgress);
            }
        }
    }
}

impl ConsumerGroup {
    /// Whether all members but these speak the classic protocol.
    pub(super) fn is_classic_but_for(&self, others: &[MemberId]) -> bool {
        let rest = self.members().iter().filter(|(id, _)| !others.contains(id));
        rest.into_iter().all(|(_, member)| member.uses_classic_protocol())
    }

    pub(super) fn may_downgrade_to(&self, member_count: usize, settings: &GroupSettings) -> bool {
        settings.consumer_migration_policy.is_downgrade_enabled()
            && member_count <= settings.members_max.max(0) as usize
    }

    /// The records and what follows where the group becomes a classic one without these members
    /// (`validateOnlineDowngradeWithFencedMembers`); `None` where it stays what it is.
    pub(super) fn downgrade_without(
        &self,
        gone: &[MemberId],
        settings: &GroupSettings,
        wall_ms: i64,
    ) -> Option<Effects> {
        let rest: Vec<(&MemberId, &ConsumerMember)> =
            self.members().iter().filter(|(id, _)| !gone.contains(id)).collect();
        let may =
            !rest.is_empty() && self.is_classic_but_for(gone) && self.may_downgrade_to(rest.len(), settings);
        if !may {
            return None;
        }
        let mut effects = Effects::of_records(self.tombstones());
        let members = rest.into_iter().map(|(id, member)| (id.clone(), member, id)).collect();
        let topics = settings.topics.get();
        match self.to_classic(members, &*topics, wall_ms, true, &mut effects.records) {
            Ok(downgraded) => {
                tracing::info!(group = %self.group_id(), "a consumer group becomes a classic one");
                effects.then = Some(Then::Downgraded(Box::new(downgraded)));
                Some(effects)
            }
            // What it was accepted with cannot be read any more: it stays a consumer group.
            Err(error) => {
                tracing::warn!(group = %self.group_id(), why = error.message, "no downgrade");
                None
            }
        }
    }

    /// `ClassicGroup.fromConsumerGroup`: each member with who it is, and in whose name its target is.
    fn to_classic(
        &self,
        members: Vec<(MemberId, &ConsumerMember, &MemberId)>,
        topics: &dyn TopicLookup,
        wall_ms: i64,
        is_rebalancing: bool,
        records: &mut Vec<Record>,
    ) -> Result<Downgraded, GroupError> {
        let mut group = ClassicGroup::new(self.group_id().clone(), wall_ms);
        group.generation_id = self.epoch();
        group.protocol_type = Some(Arc::from(PROTOCOL_TYPE));
        let mut targets = BTreeMap::new();
        for (id, member, target_of) in members {
            let Some(classic) = &member.metadata.classic else { continue };
            group.add(classic_member(&id, &member.metadata, classic));
            targets.insert(id, self.modern.target().of(target_of).cloned().unwrap_or_default());
        }
        group.state = ClassicGroupState::Stable;
        group.protocol_name = group.select_protocol();
        let name = group.protocol_name.clone().unwrap_or_default();
        let mut protocols = Vec::new();
        for member in group.members.values_mut() {
            let subscription = consumer_protocol::subscription(&member.metadata(&name)).ok_or_else(|| {
                let message = format!("Cannot downgrade the classic group {}.", self.group_id());
                GroupError::new(ErrorCode::GroupIdNotFound, message)
            })?;
            let target = targets.remove(&member.member_id).unwrap_or_default();
            let named: NamedPartitions = target
                .iter()
                .filter_map(|(id, partitions)| {
                    Some((topics.topic_name(*id)?.as_str().to_owned(), partitions.iter().copied().collect()))
                })
                .collect();
            member.assignment = consumer_protocol::write_assignment(subscription.version, &named);
            protocols.push((member.member_id.clone(), member.supported_protocols.clone()));
        }
        let value = group.to_metadata(|member| member.assignment.clone());
        let group_id: GroupId = self.group_id().clone();
        records.push(Record::GroupMetadata { group: group_id.clone(), value: Some(Arc::new(value)) });
        Ok(Downgraded { group: group_id, protocols, is_rebalancing, joined: None })
    }
}

impl Deciding<'_> {
    /// A classic member took the place of the last one of the new protocol.
    pub(super) fn downgrade_with(
        &mut self,
        member: &ConsumerMember,
        is_rebalancing: bool,
    ) -> Result<Downgraded, GroupError> {
        let group = self.group;
        let replaced = self.replaced.clone();
        // The records that replaced the old member are there already.
        let id_of = |id: &MemberId| match Some(id) == replaced.as_ref() {
            true => self.member_id.clone(),
            false => id.clone(),
        };
        let ids: Vec<MemberId> = group.members().keys().map(id_of).collect();
        let members = group.members().iter().map(|(id, known)| match Some(id) == replaced.as_ref() {
            true => (self.member_id.clone(), member, id),
            false => (id.clone(), known, id),
        });
        let members = members.collect();
        group.tombstones_of(&ids, &mut self.records);
        group.to_classic(members, self.topics, self.wall_ms, is_rebalancing, &mut self.records)
    }
}

fn classic_member(
    id: &MemberId,
    metadata: &ConsumerMemberMetadata,
    classic: &ClassicMember,
) -> ClassicGroupMember {
    let protocol = |(name, metadata): &(Arc<str>, bytes::Bytes)| Protocol {
        name: Arc::clone(name),
        metadata: metadata.clone(),
    };
    ClassicGroupMember {
        member_id: id.clone(),
        group_instance_id: metadata.instance_id.clone(),
        client_id: Arc::clone(&metadata.client_id),
        client_host: Arc::clone(&metadata.client_host),
        rebalance_timeout_ms: metadata.rebalance_timeout_ms,
        session_timeout_ms: classic.session_timeout_ms,
        supported_protocols: classic.protocols.iter().map(protocol).collect(),
        assignment: bytes::Bytes::new(),
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
        session_deadline: Monotonic::default(),
        session_timer: None,
    }
}

impl ClassicGroup {
    /// The records of a downgrade are replayed: the group is what they say, but for what no record has.
    pub(in crate::group) fn on_downgraded(&mut self, turn: &mut Turn<'_>, downgraded: &Downgraded) {
        for (id, protocols) in downgraded.protocols.clone() {
            let timeouts = self.members.get(&id).map(|m| (m.rebalance_timeout_ms, m.session_timeout_ms));
            let Some((rebalance_timeout_ms, session_timeout_ms)) = timeouts else { continue };
            self.set_protocols(id.as_str(), protocols, rebalance_timeout_ms, session_timeout_ms);
            self.reschedule_heartbeat(turn, id.as_str());
        }
        if downgraded.is_rebalancing {
            self.prepare_rebalance(turn, "it was a consumer group");
        }
    }
}
