//! OffsetCommit: who may commit, and what is written.
//! Core.

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, Offset, TopicId, TopicName};

use super::Group;
use super::classic::{ClassicGroup, ClassicGroupState};
use super::shard::GroupShard;
use super::turn::{Effects, Turn};
use crate::record::codec::shared_text;
use crate::record::{CommittedOffset, Record};

/// Who commits; the group's rules are checked against it.
pub struct Committer<'a> {
    pub group_id: &'a str,
    pub member_id: &'a str,
    pub group_instance_id: Option<&'a str>,
    /// -1 from outside the group's protocol.
    pub generation_id: i32,
    /// The request may name a member epoch, and be told that a group is not there (KIP-848).
    pub knows_member_epochs: bool,
    /// What old clients ask for; -1 leaves it to the broker.
    pub retention_time_ms: i64,
}

/// One offset to commit. The topic is known to exist.
pub struct OffsetToCommit<'a> {
    pub topic: &'a TopicName,
    pub topic_id: TopicId,
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: &'a str,
}

impl ClassicGroup {
    /// Whether the member may commit offsets now.
    fn validate_offset_commit(&self, committer: &Committer<'_>) -> Result<(), ErrorCode> {
        if self.is_in_state(ClassicGroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        // From outside the protocol (tools, simple consumers) only while nobody is in the group.
        if committer.generation_id < 0 && self.is_in_state(ClassicGroupState::Empty) {
            return Ok(());
        }
        if committer.generation_id >= 0
            || !committer.member_id.is_empty()
            || committer.group_instance_id.is_some()
        {
            self.validate_member(committer.member_id, committer.group_instance_id)?;
            if committer.generation_id != self.generation_id {
                return Err(ErrorCode::IllegalGeneration);
            }
        } else if !self.is_in_state(ClassicGroupState::Empty) {
            return Err(ErrorCode::UnknownMemberId);
        }
        // The member knows the generation but not yet its assignment: it has nothing to commit.
        if self.is_in_state(ClassicGroupState::CompletingRebalance) {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    fn on_offset_commit(&mut self, turn: &mut Turn<'_>, committer: &Committer<'_>) -> Result<(), ErrorCode> {
        self.validate_offset_commit(committer)?;
        // A commit is a sign of life too.
        if matches!(self.state, ClassicGroupState::Stable | ClassicGroupState::PreparingRebalance) {
            self.reschedule_heartbeat(turn, committer.member_id);
        }
        Ok(())
    }
}

impl ClassicGroup {
    /// KIP-447: a transactional producer that says who it is, is held to it; one that does not say it may
    /// commit as producers always could.
    pub(super) fn validate_transactional_commit(&self, committer: &Committer<'_>) -> Result<(), ErrorCode> {
        if self.is_in_state(ClassicGroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let is_named = !committer.member_id.is_empty() || committer.group_instance_id.is_some();
        if committer.generation_id < 0 && (!is_named || self.is_in_state(ClassicGroupState::Empty)) {
            return Ok(());
        }
        self.validate_member(committer.member_id, committer.group_instance_id)?;
        match committer.generation_id == self.generation_id {
            true => Ok(()),
            false => Err(ErrorCode::IllegalGeneration),
        }
    }
}

impl GroupShard {
    /// As `on_offset_commit`, for offsets that a transaction decides on later.
    pub fn on_transactional_commit(
        &mut self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
        wall_ms: i64,
    ) -> Result<(Vec<Record>, Vec<ErrorCode>), ErrorCode> {
        match self.groups.get(committer.group_id) {
            Some(group) => group.validate_transactional_commit(committer, offsets, &self.settings)?,
            None if committer.generation_id < 0 => {}
            None => return Err(ErrorCode::IllegalGeneration),
        }
        let mut records = Vec::with_capacity(offsets.len());
        let errors = self.offset_records(committer, offsets, None, wall_ms, &mut records);
        Ok((records, errors))
    }

    fn offset_records(
        &self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
        expire_timestamp_ms: Option<i64>,
        wall_ms: i64,
        records: &mut Vec<Record>,
    ) -> Vec<ErrorCode> {
        let group = GroupId::new(committer.group_id);
        let errors = offsets.iter().map(|one| {
            if is_metadata_too_large(one.metadata, self.settings.offset_metadata_max) {
                return ErrorCode::OffsetMetadataTooLarge;
            }
            let value = CommittedOffset {
                offset: one.offset,
                leader_epoch: one.leader_epoch.max(-1),
                metadata: shared_text(one.metadata),
                commit_timestamp_ms: wall_ms,
                expire_timestamp_ms,
                topic_id: one.topic_id,
                record_offset: Offset::NONE,
            };
            records.push(Record::OffsetCommit {
                group: group.clone(),
                topic: one.topic.clone(),
                partition: one.partition,
                value: Some(value),
            });
            ErrorCode::None
        });
        errors.collect()
    }

    /// Decides on each offset in order: its error is in the second part of the answer. An error for all
    /// is the outer one.
    pub fn on_offset_commit(
        &mut self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
        now: Monotonic,
        wall_ms: i64,
    ) -> Result<(Effects, Vec<ErrorCode>), ErrorCode> {
        let mut turn = Turn {
            timers: &mut self.timers,
            settings: &self.settings,
            now,
            wall_ms,
            effects: Effects::default(),
        };
        match self.groups.get_mut(committer.group_id) {
            Some(Group::Classic(group)) => group.on_offset_commit(&mut turn, committer)?,
            Some(Group::Share(_)) => return Err(ErrorCode::GroupIdNotFound),
            Some(Group::Consumer(group)) => {
                group.validate_offset_commit(committer, false)?.check_all(offsets, &self.settings)?;
            }
            Some(Group::Streams(group)) => group.validate_offset_commit(committer, offsets)?,
            // The first commit of a simple consumer makes its group, by the replay of its record.
            None if committer.generation_id < 0 => {}
            None if committer.knows_member_epochs => return Err(ErrorCode::GroupIdNotFound),
            None => return Err(ErrorCode::IllegalGeneration),
        }
        let mut effects = turn.effects;
        let expire_timestamp_ms =
            (committer.retention_time_ms != -1).then(|| wall_ms.saturating_add(committer.retention_time_ms));
        let errors =
            self.offset_records(committer, offsets, expire_timestamp_ms, wall_ms, &mut effects.records);
        Ok((effects, errors))
    }
}

/// Kafka counts the UTF-16 units of Java's strings.
pub(super) fn is_metadata_too_large(metadata: &str, max: i32) -> bool {
    let max = max.max(0) as usize;
    metadata.len() > max && metadata.encode_utf16().count() > max
}
