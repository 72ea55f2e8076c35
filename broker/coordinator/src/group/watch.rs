//! What metrics show of a shard's groups: committed offsets, read in pieces so that no request waits long.
//! Core.

use ottla_model::{GroupId, TopicName};

use super::Group;
use super::shard::GroupShard;

/// A piece ends after so many groups looked at, or at the first group behind so many offsets copied.
const GROUPS_A_PIECE: usize = 256;
const OFFSETS_A_PIECE: usize = 1024;

/// One committed offset of a group.
#[derive(Clone, PartialEq, Debug)]
pub struct WatchedOffset {
    pub group: GroupId,
    pub topic: TopicName,
    pub partition: i32,
    pub offset: i64,
}

impl GroupShard {
    /// Copies offsets of groups behind `after` that have members, or that have none, up to `room` of
    /// them in all. Returns the group to go on behind; `None` when all are looked at.
    pub fn watch_offsets(
        &self,
        after: Option<&GroupId>,
        with_members: bool,
        room: usize,
        into: &mut Vec<WatchedOffset>,
    ) -> Option<GroupId> {
        let (before, most) = (into.len(), into.len() + room);
        for (looked_at, (group, topics)) in self.offsets.groups_after(after).enumerate() {
            let has_members = self.groups.get(group).is_some_and(|known| !Group::is_empty(known));
            if has_members == with_members {
                let offsets = topics.iter().flat_map(|(topic, partitions)| {
                    partitions.iter().map(move |(partition, value)| WatchedOffset {
                        group: group.clone(),
                        topic: topic.clone(),
                        partition: *partition,
                        offset: value.offset,
                    })
                });
                into.extend(offsets.take(most - into.len()));
            }
            let is_full = into.len() == most;
            if is_full || looked_at + 1 >= GROUPS_A_PIECE || into.len() - before >= OFFSETS_A_PIECE {
                return Some(group.clone());
            }
        }
        None
    }
}
