//! The APIs of consumer groups at the group coordinator.
//! Shell. Assignors and regular expressions run here, outside of the shard's lock.

use ottla_env::Monotonic;
use ottla_model::ErrorCode;
use ottla_protocol::messages::consumer_group_describe_response::DescribedGroup;

use super::coordinator::GroupCoordinator;
use super::{Reply, TopicLookup};
use crate::assignor::ConsumerAssignor;
use crate::group::GroupShard;
use crate::group::consumer::{
    AssignorInput, ConsumerAssigning, ConsumerHeartbeat, ConsumerHeartbeatOutcome, ConsumerHeartbeatTurn,
    LEAVE_EPOCH, LEAVE_STATIC_EPOCH, PatternTask, TopicNames,
};
use crate::group::modern::{Computed, TargetTask};
use crate::group::share::GroupError;
use crate::group::turn::Effects;
use crate::record::share::Assignment;
use crate::wire::text;

/// So often an assignment that was computed outside of the shard's lock may be outrun by changes of its
/// group before one is computed under the lock.
const ASSIGNMENT_ATTEMPTS_MAX: u32 = 3;

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
        let mut assigning = ConsumerAssigning::Outside;
        let mut attempts = 0;
        loop {
            let mut task = None;
            let reply = self.group_turn(beat.group_id, |core, now, wall_ms| {
                match core.on_consumer_heartbeat(beat, topics, assigning, now, wall_ms)? {
                    ConsumerHeartbeatTurn::Done(effects, outcome) => Ok((effects, Some(outcome))),
                    ConsumerHeartbeatTurn::Assign(needed) => {
                        task = Some(needed);
                        Ok((Effects::default(), None))
                    }
                }
            });
            let Some(task) = task else {
                return reply.map(|reply| {
                    reply.map(|outcome| match outcome {
                        Some(outcome) => outcome,
                        None => unreachable!("a turn without a task has an outcome"),
                    })
                });
            };
            attempts += 1;
            assigning = match compute(task) {
                Err(error) => return Reply::Now(Err(error)),
                Ok(computed) if attempts <= ASSIGNMENT_ATTEMPTS_MAX => ConsumerAssigning::With(computed),
                Ok(_too_late) => ConsumerAssigning::Here,
            };
        }
    }

    /// One turn on one group whose answer rests on the group's records.
    fn group_turn<R: Send + 'static>(
        &self,
        group_id: &str,
        decide: impl FnOnce(&mut GroupShard, Monotonic, i64) -> Result<(Effects, R), GroupError>,
    ) -> Reply<Result<R, GroupError>> {
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(Err(error.into())),
        };
        let outcome = self.runtime.turn(&shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let (effects, result) = decide(guard.core(), now, wall_ms)?;
            guard.perform(effects)?;
            Ok((result, guard.core().last_record_offset(group_id)))
        });
        match outcome.map_err(GroupError::from).and_then(|outcome| outcome) {
            Err(error) => Reply::Now(Err(error)),
            Ok((result, after)) => {
                self.runtime.reply_after(&shard, after, Ok(result), |error| Err(error.into()))
            }
        }
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

    pub fn describe_consumer_group(&self, group_id: &str, topics: &dyn TopicLookup) -> Reply<DescribedGroup> {
        let described = self.group_turn(group_id, |core, _, _| {
            Ok((Effects::default(), core.describe_consumer(group_id, topics)?))
        });
        let group_id = group_id.to_owned();
        described.map(move |described| {
            described.unwrap_or_else(|error| {
                // Only of what is not there is it said why.
                let message = (error.code == ErrorCode::GroupIdNotFound).then(|| text(&error.message));
                DescribedGroup::default()
                    .with_group_id(text(&group_id).into())
                    .with_error_code(error.code.code())
                    .with_error_message(message)
            })
        })
    }
}

fn compute(task: TargetTask<AssignorInput>) -> Result<Computed<Assignment>, GroupError> {
    let mut failed = None;
    let computed = task.compute(|input| {
        input.assign().unwrap_or_else(|error| {
            failed = Some(error);
            std::collections::BTreeMap::new()
        })
    });
    failed.map_or(Ok(computed), Err)
}
