//! The APIs of share groups at the group coordinator.
//! Shell. What needs the share coordinator too is put together by the room above: here a group only says what
//! is to be done there.

use ottla_model::{TopicId, TopicName};

use super::coordinator::GroupCoordinator;
use super::{Reply, TopicLookup};
use crate::group::modern::GroupError;
use crate::group::share::assignor::AssignorInput;
use crate::group::share::{
    AlteredOffsets, DeletedOffsets, OffsetsToAlter, ShareDescription, ShareHeartbeat, ShareHeartbeatOutcome,
};
use crate::group::turn::Effects;
use crate::record::Assignment;
use crate::settings::ShareGroupConfig;

/// What a heartbeat is answered; leaving has no outcome.
pub type ShareHeartbeatReply = Result<Option<ShareHeartbeatOutcome>, GroupError>;

/// The share state that goes before its group does.
pub type DeletingShareGroup = Option<Assignment>;

impl GroupCoordinator {
    pub fn share_heartbeat(
        &self,
        beat: &ShareHeartbeat<'_>,
        topics: &dyn TopicLookup,
        config: &ShareGroupConfig,
    ) -> Reply<ShareHeartbeatReply> {
        const LEAVES: i32 = -1;
        if beat.member_epoch == LEAVES {
            return self.group_turn(beat.group_id, |core, _, _| {
                core.on_share_leave(beat.group_id, beat.member_id, topics).map(|effects| (effects, None))
            });
        }
        let assignor = |input: AssignorInput| Ok(input.assign());
        let turn = self.heartbeat_turn(beat.group_id, assignor, |core, assigning, now, wall_ms| {
            core.on_share_heartbeat(beat, topics, config, assigning, now, wall_ms)
        });
        turn.map(|outcome| outcome.map(Some))
    }

    pub fn describe_share_group(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Reply<Result<ShareDescription, GroupError>> {
        self.group_turn(group_id, |core, _, _| {
            Ok((Effects::default(), core.describe_share(group_id, topics)?))
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
        self.group_turn(group_id, |core, _, _| {
            let effects = match is_there {
                true => core.on_share_state_initialized(group_id, partitions, topics),
                false => core.on_share_state_refused(group_id, partitions),
            };
            Ok((effects, ()))
        })
    }

    pub fn initialized_share_partitions(&self, group_id: &str) -> Reply<Result<Assignment, GroupError>> {
        self.group_turn(group_id, |core, _, _| {
            Ok((Effects::default(), core.initialized_share_partitions(group_id)))
        })
    }

    pub fn alter_share_offsets(
        &self,
        group_id: &str,
        topics: &[OffsetsToAlter],
    ) -> Reply<Result<AlteredOffsets, GroupError>> {
        self.group_turn(group_id, |core, _, wall_ms| core.on_alter_share_offsets(group_id, topics, wall_ms))
    }

    pub fn delete_share_offsets(
        &self,
        group_id: &str,
        names: &[TopicName],
        topics: &dyn TopicLookup,
    ) -> Reply<Result<DeletedOffsets, GroupError>> {
        self.group_turn(group_id, |core, _, _| core.on_delete_share_offsets(group_id, names, topics))
    }

    pub fn share_offsets_deleted(&self, group_id: &str, ids: &[TopicId]) -> Reply<Result<(), GroupError>> {
        self.group_turn(group_id, |core, _, _| Ok((core.on_share_offsets_deleted(group_id, ids), ())))
    }

    /// Begins the deletion of a share group; `None` when nothing has to go before it.
    pub fn deleting_share_group(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Reply<Result<DeletingShareGroup, GroupError>> {
        self.group_turn(group_id, |core, _, _| {
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
