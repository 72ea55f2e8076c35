//! The APIs of consumer groups at the group coordinator.
//! Shell. Regular expressions are resolved here, outside of the shard's lock.

use super::coordinator::GroupCoordinator;
use super::{Reply, TopicLookup};
use crate::assignor::ConsumerAssignor;
use crate::group::consumer::{
    AssignorInput, ConsumerDescription, ConsumerHeartbeat, ConsumerHeartbeatOutcome, LEAVE_EPOCH,
    LEAVE_STATIC_EPOCH, PatternTask, TopicNames,
};
use crate::group::modern::GroupError;
use crate::group::turn::Effects;

pub type ConsumerHeartbeatReply = Result<ConsumerHeartbeatOutcome, GroupError>;

impl GroupCoordinator {
    /// Those that are switched on; the first is that of members who ask for none.
    pub fn assignors(&self) -> &[ConsumerAssignor] {
        &self.runtime.settings.consumer_assignors
    }

    pub fn consumer_heartbeat(
        &self,
        beat: &ConsumerHeartbeat<'_>,
        topics: &dyn TopicLookup,
    ) -> Reply<ConsumerHeartbeatReply> {
        if [LEAVE_EPOCH, LEAVE_STATIC_EPOCH].contains(&beat.member_epoch) {
            return self.group_turn(beat.group_id, |core, _, wall_ms| {
                let (member, instance) = (beat.member_id, beat.instance_id);
                core.on_consumer_leave(beat.group_id, member, instance, beat.member_epoch, wall_ms)
            });
        }
        self.heartbeat_turn(beat.group_id, AssignorInput::assign, |core, assigning, now, wall_ms| {
            core.on_consumer_heartbeat(beat, topics, assigning, now, wall_ms)
        })
    }

    /// Resolves the regular expressions that a heartbeat asked for.
    pub fn resolve_patterns(&self, task: &PatternTask, names: &dyn TopicNames, topics: &dyn TopicLookup) {
        let Ok(shard) = self.runtime.shard_for(task.group.as_str()) else { return };
        let resolved = task.resolve(names, self.runtime.outside.clock.wall_ms());
        // Where the shard is gone, whoever leads it now asks anew.
        let _ = self.runtime.turn(&shard, |guard| {
            let effects = guard.core().on_patterns_resolved(task.group.as_str(), resolved, topics);
            guard.perform(effects)
        });
    }

    /// A heartbeat's regular expressions are not going to be resolved: the next may ask again.
    pub fn drop_patterns(&self, task: &PatternTask) {
        let Ok(shard) = self.runtime.shard_for(task.group.as_str()) else { return };
        let _ = self.runtime.turn(&shard, |guard| guard.core().on_resolving_ended(task.group.as_str()));
    }

    pub fn describe_consumer_group(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Reply<Result<ConsumerDescription, GroupError>> {
        self.group_turn(group_id, |core, _, _| {
            Ok((Effects::default(), core.describe_consumer(group_id, topics)?))
        })
    }
}
