//! Committed offsets: how they are stored, read and forgotten.
//! Shell.

use ottla_model::{ErrorCode, TopicId, TopicName};

use super::Durable;
use super::coordinator::GroupCoordinator;
use crate::group::{Committer, FetchedOffset, OffsetDeletePartitions, OffsetToCommit};

/// Whose offsets are to be read, and who asks.
pub struct WantedOffsets<'a> {
    pub group_id: &'a str,
    pub member_id: Option<&'a str>,
    pub member_epoch: i32,
    /// What a transaction may yet change is an error.
    pub require_stable: bool,
    /// `None`: all that there are.
    pub topics: Option<Vec<WantedTopic<'a>>>,
}

pub struct WantedTopic<'a> {
    pub name: TopicName,
    /// Zero where none is known. Offsets of an older topic of the name are not this one's.
    pub id: TopicId,
    pub partitions: &'a [i32],
}

/// By topic; of named topics each, in their order.
pub type FetchedOffsets = Vec<(TopicName, Vec<FetchedOffset>)>;

impl GroupCoordinator {
    /// The errors are those of the offsets, in their order; an error for all is the outer one.
    pub fn commit_offsets(
        &self,
        committer: &Committer<'_>,
        offsets: &[OffsetToCommit<'_>],
    ) -> Result<(Vec<ErrorCode>, Durable), ErrorCode> {
        let shard = self.runtime.shard_for(committer.group_id)?;
        let (errors, after) = self.runtime.turn(&shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let (effects, errors) = guard.core().on_offset_commit(committer, offsets, now, wall_ms)?;
            guard.perform(effects)?;
            Ok::<_, ErrorCode>((errors, guard.core().last_record_offset(committer.group_id)))
        })??;
        Ok((errors, self.runtime.durable(&shard, after)))
    }

    /// What is found may be shown once it is durable.
    pub fn fetch_offsets(&self, wanted: &WantedOffsets<'_>) -> Result<(FetchedOffsets, Durable), ErrorCode> {
        let group_id = wanted.group_id;
        let shard = self.runtime.shard_for(group_id)?;
        let (fetched, after) = self.runtime.turn(&shard, |guard| {
            let core = guard.core();
            core.validate_offset_fetch(group_id, wanted.member_id, wanted.member_epoch)?;
            let is_stable = wanted.require_stable;
            let fetched = match &wanted.topics {
                None => core.fetch_all_offsets(group_id, is_stable),
                Some(topics) => {
                    let of = |WantedTopic { name, id, partitions }: &WantedTopic<'_>| {
                        (name.clone(), core.fetch_offsets(group_id, name, *id, partitions, is_stable))
                    };
                    topics.iter().map(of).collect()
                }
            };
            Ok::<_, ErrorCode>((fetched, core.last_record_offset(group_id)))
        })??;
        Ok((fetched, self.runtime.durable(&shard, after)))
    }

    /// The errors are those of the topics, in their order; an error for all is the outer one.
    pub fn delete_offsets(
        &self,
        group_id: &str,
        topics: &[OffsetDeletePartitions],
    ) -> Result<(Vec<ErrorCode>, Durable), ErrorCode> {
        let shard = self.runtime.shard_for(group_id)?;
        let (errors, after) = self.runtime.turn(&shard, |guard| {
            let (effects, errors) = guard.core().on_offset_delete(group_id, topics)?;
            guard.perform(effects)?;
            Ok::<_, ErrorCode>((errors, guard.core().last_record_offset(group_id)))
        })??;
        Ok((errors, self.runtime.durable(&shard, after)))
    }
}
