//! The APIs of share groups at the group coordinator.
//! Shell. What needs the share coordinator too is put together by the room above: here a group only says what
//! is to be done there.

use ottla_model::{ErrorCode, TopicId, TopicName};
use ottla_protocol::messages::share_group_describe_response::DescribedGroup;

use super::coordinator::GroupCoordinator;
use super::{Reply, TopicLookup};
use crate::group::share::assignor::AssignorInput;
use crate::group::share::{
    AlteredOffsets, Assigning, DeletedOffsets, GroupError, OffsetsToAlter, ShareHeartbeat,
    ShareHeartbeatOutcome, ShareHeartbeatTurn,
};
use crate::group::turn::Effects;
use crate::record::share::Assignment;
use crate::settings::ShareGroupConfig;
use crate::wire::text;

/// So often an assignment that was computed outside of the shard's lock may be outrun by changes of its
/// group before one is computed under the lock.
const ASSIGNMENT_ATTEMPTS_MAX: u32 = 3;

/// What a heartbeat is answered; leaving has no outcome.
pub type ShareHeartbeatReply = Result<Option<ShareHeartbeatOutcome>, GroupError>;

/// The share state that goes before its group does.
pub type DeletingShareGroup = Option<Assignment>;

impl From<ErrorCode> for GroupError {
    fn from(code: ErrorCode) -> GroupError {
        GroupError { code, message: code.message().to_owned() }
    }
}

impl GroupCoordinator {
    pub fn share_heartbeat(
        &self,
        beat: &ShareHeartbeat<'_>,
        topics: &dyn TopicLookup,
        config: &ShareGroupConfig,
    ) -> Reply<ShareHeartbeatReply> {
        const LEAVES: i32 = -1;
        if beat.member_epoch == LEAVES {
            return self.share_turn(beat.group_id, |core, _, _| {
                core.on_share_leave(beat.group_id, beat.member_id, topics).map(|effects| (effects, None))
            });
        }
        let mut assigning = Assigning::Outside;
        let mut attempts = 0;
        loop {
            let mut task = None;
            let reply = self.share_turn(beat.group_id, |core, now, wall_ms| {
                match core.on_share_heartbeat(beat, topics, config, assigning, now, wall_ms)? {
                    ShareHeartbeatTurn::Done(effects, outcome) => Ok((effects, Some(outcome))),
                    ShareHeartbeatTurn::Assign(needed) => {
                        task = Some(needed);
                        Ok((Effects::default(), None))
                    }
                }
            });
            let Some(task) = task else { return reply };
            attempts += 1;
            // Outside of the shard's lock: other groups of the shard are served meanwhile.
            assigning = match attempts {
                ..=ASSIGNMENT_ATTEMPTS_MAX => Assigning::With(task.compute(AssignorInput::assign)),
                _too_many => Assigning::Here,
            };
        }
    }

    /// One turn on one group whose answer rests on the group's records.
    pub(super) fn share_turn<R: Send + 'static>(
        &self,
        group_id: &str,
        decide: impl FnOnce(
            &mut crate::group::GroupShard,
            ottla_env::Monotonic,
            i64,
        ) -> Result<(Effects, R), GroupError>,
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

    pub fn describe_share_group(&self, group_id: &str, topics: &dyn TopicLookup) -> Reply<DescribedGroup> {
        let described = self.share_turn(group_id, |core, _, _| {
            Ok((Effects::default(), core.describe_share(group_id, topics)?))
        });
        let group_id = group_id.to_owned();
        described.map(move |described| {
            described.unwrap_or_else(|error| {
                DescribedGroup::default()
                    .with_group_id(text(&group_id).into())
                    .with_error_code(error.code.code())
                    .with_error_message(Some(text(&error.message)))
            })
        })
    }

    /// The share coordinator took the state, or refused it.
    pub fn share_state_initialized(
        &self,
        group_id: &str,
        partitions: &Assignment,
        is_there: bool,
        topics: &dyn TopicLookup,
    ) -> Reply<Result<(), GroupError>> {
        self.share_turn(group_id, |core, _, _| {
            let effects = match is_there {
                true => core.on_share_state_initialized(group_id, partitions, topics),
                false => core.on_share_state_refused(group_id, partitions),
            };
            Ok((effects, ()))
        })
    }

    pub fn initialized_share_partitions(&self, group_id: &str) -> Reply<Result<Assignment, GroupError>> {
        self.share_turn(group_id, |core, _, _| {
            Ok((Effects::default(), core.initialized_share_partitions(group_id)))
        })
    }

    pub fn alter_share_offsets(
        &self,
        group_id: &str,
        topics: &[OffsetsToAlter],
    ) -> Reply<Result<AlteredOffsets, GroupError>> {
        self.share_turn(group_id, |core, _, wall_ms| core.on_alter_share_offsets(group_id, topics, wall_ms))
    }

    pub fn delete_share_offsets(
        &self,
        group_id: &str,
        names: &[TopicName],
        topics: &dyn TopicLookup,
    ) -> Reply<Result<DeletedOffsets, GroupError>> {
        self.share_turn(group_id, |core, _, _| core.on_delete_share_offsets(group_id, names, topics))
    }

    pub fn share_offsets_deleted(&self, group_id: &str, ids: &[TopicId]) -> Reply<Result<(), GroupError>> {
        self.share_turn(group_id, |core, _, _| Ok((core.on_share_offsets_deleted(group_id, ids), ())))
    }

    /// Begins the deletion of a share group; `None` when nothing has to go before it.
    pub fn deleting_share_group(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Reply<Result<DeletingShareGroup, GroupError>> {
        self.share_turn(group_id, |core, _, _| {
            Ok(match core.on_delete_share_group(group_id, topics)? {
                Some((effects, partitions)) => (effects, Some(partitions)),
                None => (Effects::default(), None),
            })
        })
    }

    pub fn is_share_group(&self, group_id: &str) -> bool {
        let found = self
            .runtime
            .shard_for(group_id)
            .and_then(|shard| self.runtime.turn(&shard, |guard| guard.core().is_share_group(group_id)));
        found.unwrap_or(false)
    }
}
