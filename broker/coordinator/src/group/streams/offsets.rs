//! Who may commit, read and delete a streams group's offsets.
//! Core. After `validateOffsetCommit` and `validateOffsetFetch` of Kafka's `StreamsGroup`.

use ottla_model::ErrorCode;

use super::{StreamsGroup, StreamsMember};
use crate::group::{Committer, OffsetToCommit};

impl StreamsGroup {
    /// Whether the member may commit these offsets now: all of them or none.
    pub(in crate::group) fn validate_offset_commit(
        &self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
    ) -> Result<(), ErrorCode> {
        // From outside the protocol only while nobody is in the group.
        if committer.generation_id < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.members().get(committer.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !committer.knows_member_epochs {
            return Err(ErrorCode::UnsupportedVersion);
        }
        self.validate_epoch(member, committer.generation_id, offsets)
    }

    /// As above, for offsets that a transaction decides on: a producer that does not say who it is may commit as
    /// producers always could, and no version knows member epochs.
    pub(in crate::group) fn validate_transactional_commit(
        &self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
    ) -> Result<(), ErrorCode> {
        let is_named = !committer.member_id.is_empty() || committer.group_instance_id.is_some();
        if committer.generation_id < 0 && (self.is_empty() || !is_named) {
            return Ok(());
        }
        let member = self.members().get(committer.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        let validated = self.validate_epoch(member, committer.generation_id, offsets);
        validated.map_err(|error| match error {
            ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
            other => other,
        })
    }

    /// An older epoch will do for tasks that the member has had since then.
    fn validate_epoch(
        &self,
        member: &StreamsMember,
        epoch: i32,
        offsets: &[OffsetToCommit<'_>],
    ) -> Result<(), ErrorCode> {
        if epoch == member.member_epoch {
            return Ok(());
        }
        let has_since = |offset: &OffsetToCommit<'_>| {
            let subtopology = self.subtopology_reading(offset.topic.as_str())?;
            let tasks = [&member.assigned, &member.pending_revocation];
            let assigned_in = tasks
                .into_iter()
                .find_map(|tasks| tasks.active.get(subtopology)?.get(&offset.partition).copied())?;
            Some(epoch >= assigned_in)
        };
        let is_good =
            epoch < member.member_epoch && offsets.iter().all(|offset| has_since(offset) == Some(true));
        if is_good { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }

    /// Who says that it is a member must be one, of this epoch.
    pub(in crate::group) fn validate_offset_fetch(
        &self,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        if member_id.is_none() && member_epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.members().get(id)).ok_or(ErrorCode::UnknownMemberId)?;
        if member.member_epoch == member_epoch { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }
}
