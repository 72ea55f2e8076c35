//! Members that leave a streams group, whose session ends, or that take too long; and the wait of a new group.
//! Core.

use ottla_model::{ErrorCode, MemberId};

use super::{StreamsGroup, not_a_streams_group};
use crate::group::Group;
use crate::group::modern::{GroupError, SessionEnd};
use crate::group::shard::GroupShard;
use crate::group::turn::{Effects, Turn};
use crate::record::streams::{StreamsGroupEpoch, StreamsRecord};
use crate::timers::Timers;

impl GroupShard {
    pub fn on_streams_leave(
        &mut self,
        group_id: &str,
        member_id: &str,
        shutdown_application: bool,
    ) -> Result<Effects, GroupError> {
        let group = match self.groups.get_mut(group_id) {
            Some(Group::Streams(group)) => group,
            Some(_) => return Err(not_a_streams_group(group_id)),
            None => {
                let message = format!("Group {group_id} not found.");
                return Err(GroupError { code: ErrorCode::GroupIdNotFound, message });
            }
        };
        let member = MemberId::new(member_id);
        if shutdown_application {
            // Also by a member that the group has given up meanwhile: its application wants to end all the same.
            group.request_shutdown(&member);
        }
        if !group.members().contains_key(&member) {
            return Err(group.unknown_member(member_id));
        }
        let mut effects = Effects::default();
        group.fence(&member, &mut effects);
        Ok(effects)
    }
}

impl StreamsGroup {
    fn fence(&self, member: &MemberId, effects: &mut Effects) {
        let epoch = StreamsGroupEpoch {
            epoch: self.epoch() + 1,
            metadata_hash: self.modern.metadata_hash(),
            validated_topology_epoch: self.validated_topology_epoch,
            assignment_configs: self.assignment_configs.clone(),
        };
        let records = [
            StreamsRecord::CurrentMemberAssignment { member: member.clone(), value: None },
            StreamsRecord::TargetAssignmentMember { member: member.clone(), value: None },
            StreamsRecord::MemberMetadata { member: member.clone(), value: None },
            StreamsRecord::Metadata(Some(epoch)),
        ];
        effects.records.extend(records.into_iter().map(|record| self.record(record)));
    }

    /// A member's timer came due: its session is over, or was prolonged meanwhile.
    pub(in crate::group) fn on_session_timer(&mut self, turn: &mut Turn<'_>, member: &MemberId) {
        if self.modern.sessions().on_timer(turn.timers, member, turn.now) == SessionEnd::NotYet {
            return;
        }
        if self.members().contains_key(member) {
            tracing::info!(group = %self.group_id(), member = %member, "a streams group member's session ended");
            self.fence(member, &mut turn.effects);
        }
    }

    /// A member was to give up tasks until now.
    pub(in crate::group) fn on_rebalance_timer(&mut self, turn: &mut Turn<'_>, member: &MemberId) {
        let Some(epoch) = self.rebalance_timeouts.on_timer(member) else { return };
        if self.members().get(member).is_some_and(|known| known.member_epoch == epoch) {
            tracing::info!(group = %self.group_id(), member = %member, epoch, "a streams group member kept its tasks too long");
            self.fence(member, &mut turn.effects);
        }
    }

    /// The group has waited for more members: the next heartbeat assigns. Kafka assigns at once, which a member sees
    /// with its next heartbeat too; here no assignor runs under the shard's lock.
    pub(in crate::group) fn on_delay_timer(&mut self) {
        self.delay = None;
    }

    /// The group is deleted: nothing of it is waited for.
    pub(super) fn end_timers(&mut self, timers: &mut Timers) {
        self.modern.sessions().end_all(timers);
        self.rebalance_timeouts.end_all(timers);
        timers.cancel(&mut self.delay);
    }

    /// The tombstones of an empty group.
    pub(in crate::group) fn tombstones(&self) -> Vec<crate::record::Record> {
        assert!(self.is_empty(), "a group with members is not deleted");
        let records = [
            StreamsRecord::TargetAssignmentMetadata(None),
            StreamsRecord::Metadata(None),
            StreamsRecord::Topology(None),
        ];
        records.into_iter().map(|record| self.record(record)).collect()
    }
}
