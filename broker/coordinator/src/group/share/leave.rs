//! Members that leave a share group, or whose session ends.
//! Core.

use ottla_model::{ErrorCode, MemberId};

use super::ShareGroup;
use super::heartbeat::not_a_share_group;
use crate::group::Group;
use crate::group::modern::{GroupError, SessionEnd};
use crate::group::shard::GroupShard;
use crate::group::turn::{Effects, Turn};
use crate::record::share::{ShareGroupEpoch, ShareRecord};
use crate::topic_hash::group_hash;
use crate::topic_lookup::TopicLookup;

impl GroupShard {
    pub fn on_share_leave(
        &mut self,
        group_id: &str,
        member_id: &str,
        topics: &dyn TopicLookup,
    ) -> Result<Effects, GroupError> {
        let group = match self.groups.get(group_id) {
            Some(Group::Share(group)) => group,
            Some(_) => return Err(not_a_share_group(group_id)),
            None => {
                let message = format!("Group {group_id} not found.");
                return Err(GroupError::new(ErrorCode::GroupIdNotFound, message));
            }
        };
        if !group.modern.members().contains_key(member_id) {
            return Err(group.unknown_member(member_id));
        }
        let member = MemberId::new(member_id);
        let subscribed = group.modern.subscribed_topics_with(&member, None);
        let hash = group_hash(subscribed.iter().map(|name| topics.topic_hash(name.as_str())));
        let mut effects = Effects::default();
        group.fence(&member, hash, &mut effects);
        Ok(effects)
    }
}

impl ShareGroup {
    fn fence(&self, member: &MemberId, metadata_hash: i64, effects: &mut Effects) {
        let records = [
            ShareRecord::CurrentMemberAssignment { member: member.clone(), value: None },
            ShareRecord::TargetAssignmentMember { member: member.clone(), value: None },
            ShareRecord::MemberMetadata { member: member.clone(), value: None },
            ShareRecord::Metadata(Some(ShareGroupEpoch { epoch: self.epoch() + 1, metadata_hash })),
        ];
        effects.records.extend(records.into_iter().map(|record| self.record(record)));
    }

    /// A member's timer came due: its session is over, or was prolonged meanwhile.
    pub(in crate::group) fn on_session_timer(&mut self, turn: &mut Turn<'_>, member: &MemberId) {
        if self.modern.sessions().on_timer(turn.timers, member, turn.now) == SessionEnd::NotYet {
            return;
        }
        if self.modern.members().contains_key(member) {
            tracing::info!(group = %self.group_id(), member = %member, "a share group member's session ended");
            // Without the topics at hand the hash stays: the next heartbeat looks at it again.
            self.modern.request_refresh();
            let hash = self.modern.metadata_hash();
            self.fence(member, hash, &mut turn.effects);
        }
    }
}
