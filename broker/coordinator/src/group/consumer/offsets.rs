//! Which offsets a member of a consumer group may commit and fetch.
//! Core.

use ottla_model::{ErrorCode, TopicId};

use super::{ConsumerGroup, ConsumerMember};
use crate::group::commit::{Committer, OffsetToCommit, is_metadata_too_large};
use crate::settings::GroupSettings;

/// What is still to be looked at for each partition.
pub(in crate::group) enum CommitCheck<'a> {
    All,
    /// The member is behind its epoch: it may commit what it was given in its own or before (KIP-1251).
    SinceAssigned(&'a ConsumerMember, i32),
}

impl CommitCheck<'_> {
    /// One that may not be committed fails them all. What is refused for itself is not looked at.
    pub fn check_all(
        &self,
        offsets: &[OffsetToCommit<'_>],
        settings: &GroupSettings,
    ) -> Result<(), ErrorCode> {
        let mut looked_at =
            offsets.iter().filter(|one| !is_metadata_too_large(one.metadata, settings.offset_metadata_max));
        looked_at.try_for_each(|one| self.check(one.topic_id, one.partition))
    }

    fn check(&self, topic: TopicId, partition: i32) -> Result<(), ErrorCode> {
        let CommitCheck::SinceAssigned(member, theirs) = self else { return Ok(()) };
        let of = |owned: &crate::record::consumer::Owned| {
            owned.get(&topic).and_then(|partitions| partitions.get(&partition)).copied()
        };
        match of(&member.assigned).or_else(|| of(&member.pending_revocation)) {
            Some(epoch) if *theirs >= epoch => Ok(()),
            _ => Err(member.stale()),
        }
    }
}

impl ConsumerMember {
    fn stale(&self) -> ErrorCode {
        match self.uses_classic_protocol() {
            true => ErrorCode::IllegalGeneration,
            false => ErrorCode::StaleMemberEpoch,
        }
    }
}

impl ConsumerGroup {
    /// `ConsumerGroup.validateOffsetCommit`.
    pub(in crate::group) fn validate_offset_commit(
        &self,
        committer: &Committer<'_>,
        is_transactional: bool,
    ) -> Result<CommitCheck<'_>, ErrorCode> {
        let theirs = committer.generation_id;
        if theirs < 0 && self.is_empty() {
            return Ok(CommitCheck::All);
        }
        let is_unnamed = committer.member_id.is_empty() && committer.group_instance_id.is_none();
        if is_transactional && theirs == -1 && is_unnamed {
            return Ok(CommitCheck::All);
        }
        let member = self.members().get(committer.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !is_transactional && !member.uses_classic_protocol() && !committer.knows_member_epochs {
            return Err(ErrorCode::UnsupportedVersion);
        }
        match theirs.cmp(&member.member_epoch) {
            std::cmp::Ordering::Equal => Ok(CommitCheck::All),
            std::cmp::Ordering::Greater => Err(member.stale()),
            std::cmp::Ordering::Less => Ok(CommitCheck::SinceAssigned(member, theirs)),
        }
    }

    /// As `validate_offset_commit`; a transactional producer knows no stale member epoch.
    pub(in crate::group) fn validate_transactional_commit(
        &self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
        settings: &GroupSettings,
    ) -> Result<(), ErrorCode> {
        let check = self.validate_offset_commit(committer, true);
        check.and_then(|check| check.check_all(offsets, settings)).map_err(|error| match error {
            ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
            other => other,
        })
    }

    /// `ConsumerGroup.validateOffsetFetch`.
    pub(in crate::group) fn validate_offset_fetch(
        &self,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        if member_id.is_none() && member_epoch < 0 {
            return Ok(());
        }
        let member = self.members().get(member_id.unwrap_or_default()).ok_or(ErrorCode::UnknownMemberId)?;
        match member.member_epoch == member_epoch {
            true => Ok(()),
            false => Err(member.stale()),
        }
    }
}
