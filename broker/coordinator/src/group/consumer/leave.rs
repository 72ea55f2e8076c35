//! Members that leave a consumer group, or that are let go.
//! Core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::{ErrorCode, MemberId, TopicName};

use super::heartbeat::{ConsumerHeartbeatOutcome, fenced_instance, unknown_instance};
use super::{ConsumerGroup, ConsumerMember, LEAVE_STATIC_EPOCH, not_a_consumer_group};
use crate::group::Group;
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::group::turn::Effects;
use crate::record::Record;
use crate::record::consumer::{ConsumerGroupEpoch, ConsumerRecord, Owned};
use crate::settings::GroupSettings;
use crate::topic_hash::group_hash;

impl GroupShard {
    pub fn on_consumer_leave(
        &mut self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        member_epoch: i32,
        wall_ms: i64,
    ) -> Result<(Effects, ConsumerHeartbeatOutcome), GroupError> {
        let group = self.consumer_group(group_id)?;
        let member = match instance_id {
            None => {
                group.member(member_id)?;
                MemberId::new(member_id)
            }
            Some(instance_id) => match group.static_member(instance_id) {
                None => return Err(unknown_instance(instance_id)),
                Some((id, _)) if id.as_str() != member_id => {
                    return Err(fenced_instance(member_id, instance_id, id));
                }
                Some((id, _)) => id.clone(),
            },
        };
        tracing::info!(group = group_id, %member, member_epoch, "a member leaves the consumer group");
        let outcome = ConsumerHeartbeatOutcome {
            member_id: member.clone(),
            member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
            patterns: None,
            awaited: None,
        };
        let effects = match instance_id {
            Some(_) if member_epoch == LEAVE_STATIC_EPOCH => {
                Effects::of_records(vec![group.away_static_member(&member)])
            }
            _ => group.fence(&[member], &self.settings, wall_ms),
        };
        Ok((effects, outcome))
    }

    pub(in crate::group) fn consumer_group(&self, group_id: &str) -> Result<&ConsumerGroup, GroupError> {
        match self.groups.get(group_id) {
            Some(Group::Consumer(group)) => Ok(group),
            Some(_) => Err(not_a_consumer_group(group_id)),
            None => Err(GroupError::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} not found."))),
        }
    }
}

impl ConsumerGroup {
    /// A static member goes to come back: it keeps what it has, as from the beginning.
    fn away_static_member(&self, member: &MemberId) -> Record {
        let was = &self.members()[member];
        let since_ever = was.assigned.iter().map(|(id, partitions)| {
            (*id, partitions.keys().map(|partition| (*partition, 0)).collect::<BTreeMap<_, _>>())
        });
        let away = ConsumerMember {
            member_epoch: LEAVE_STATIC_EPOCH,
            assigned: Arc::new(since_ever.collect::<Owned>()),
            pending_revocation: Arc::default(),
            ..was.clone()
        };
        self.record(ConsumerRecord::CurrentMemberAssignment {
            member: member.clone(),
            value: Some(away.to_current_assignment()),
        })
    }

    /// Takes members out; timers go with the records (`consumerGroupFenceMembers`).
    pub(in crate::group) fn fence(
        &self,
        gone: &[MemberId],
        settings: &GroupSettings,
        wall_ms: i64,
    ) -> Effects {
        let mut effects = Effects::default();
        if gone.is_empty() {
            return effects;
        }
        if let Some(downgraded) = self.downgrade_without(gone, settings, wall_ms) {
            return downgraded;
        }
        let topics = settings.topics.get();
        for member in gone {
            self.remove_member(member, &mut effects.records);
        }
        let stay = || self.members().iter().filter(|(id, _)| !gone.contains(id)).map(|(_, member)| member);
        let patterns: BTreeSet<&Arc<str>> = stay().map(|member| &member.metadata.pattern).collect();
        let had: BTreeSet<&Arc<str>> =
            gone.iter().map(|id| &self.members()[id].metadata.pattern).filter(|p| !p.is_empty()).collect();
        for pattern in had.into_iter().filter(|pattern| !patterns.contains(pattern)) {
            let pattern = Arc::clone(pattern);
            effects.records.push(self.record(ConsumerRecord::RegularExpression { pattern, value: None }));
        }
        let names: BTreeSet<&TopicName> = stay().flat_map(|member| self.topics_of(member)).collect();
        let metadata_hash = group_hash(names.into_iter().map(|name| topics.topic_hash(name.as_str())));
        let value = Some(ConsumerGroupEpoch { epoch: self.epoch() + 1, metadata_hash });
        effects.records.push(self.record(ConsumerRecord::Metadata(value)));
        effects
    }
}
