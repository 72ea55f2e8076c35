//! Commits and fetches with member epochs.
//! Core.

use super::*;
use crate::group::{Committer, OffsetToCommit};

impl Lab {
    fn commit(
        &mut self,
        member: &str,
        epoch: i32,
        partition: i32,
        api_version: i16,
    ) -> Result<(), ErrorCode> {
        let name = TopicName::new("t");
        let offset = OffsetToCommit {
            topic: &name,
            topic_id: T,
            partition,
            offset: 1,
            leader_epoch: -1,
            metadata: "",
        };
        let committer = Committer {
            group_id: GROUP,
            member_id: member,
            group_instance_id: None,
            generation_id: epoch,
            knows_member_epochs: api_version >= 9,
            retention_time_ms: -1,
        };
        let (effects, errors) = self.shard.on_offset_commit(&committer, &[offset], self.now, self.wall_ms)?;
        assert_eq!(errors, [ErrorCode::None]);
        self.perform(effects);
        Ok(())
    }
}

#[test]
fn a_member_commits_in_its_epoch_or_since_it_was_given_the_partition() {
    let mut lab = Lab::new(&[("t", 1)]);
    lab.join("a", &["t"]);
    lab.set_topics(&[("t", 2)]);
    lab.beat("a", 2).expect("a member");
    assert_eq!(lab.commit("a", 3, 0, 9), Ok(()));
    assert_eq!(lab.commit("a", 2, 0, 9), Ok(()), "it had partition 0 in epoch 2 (KIP-1251)");
    assert_eq!(lab.commit("a", 2, 1, 9), Err(ErrorCode::StaleMemberEpoch), "but not partition 1");
    assert_eq!(lab.commit("a", 1, 0, 9), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(lab.commit("a", 4, 0, 9), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(lab.commit("b", 3, 0, 9), Err(ErrorCode::UnknownMemberId));
    assert_eq!(lab.commit("", -1, 0, 9), Err(ErrorCode::UnknownMemberId), "only while it is empty");
    assert_eq!(lab.commit("a", 3, 0, 8), Err(ErrorCode::UnsupportedVersion));
    lab.leave("a");
    assert_eq!(lab.commit("", -1, 0, 9), Ok(()));
}

#[test]
fn a_fetch_that_names_a_member_is_held_to_its_epoch() {
    let mut lab = Lab::new(&[("t", 1)]);
    lab.join("a", &["t"]);
    let fetch = |member, epoch| lab.shard.validate_offset_fetch(GROUP, member, epoch);
    assert_eq!(fetch(None, -1), Ok(()));
    assert_eq!(fetch(Some("a"), 2), Ok(()));
    assert_eq!(fetch(Some("a"), 1), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(fetch(Some("b"), 2), Err(ErrorCode::UnknownMemberId));
    assert_eq!(fetch(Some(""), 2), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn offsets_of_an_empty_group_expire_and_the_group_goes_with_the_last() {
    let mut lab = Lab::new(&[("t", 1)]);
    lab.join("a", &["t"]);
    lab.commit("a", 2, 0, 9).expect("its own");
    let week_ms = lab.settings.offsets_retention_ms;
    let effects = lab.shard.cleanup_group_metadata(lab.wall_ms + week_ms);
    assert!(effects.records.is_empty(), "a member reads the topic");
    lab.leave("a");
    let effects = lab.shard.cleanup_group_metadata(lab.wall_ms + week_ms - 1);
    assert!(effects.records.is_empty(), "too early");
    let effects = lab.shard.cleanup_group_metadata(lab.wall_ms + week_ms);
    lab.perform(effects);
    assert!(lab.shard.group(GROUP).is_none());
    lab.restart();
    assert!(lab.shard.group(GROUP).is_none());
    assert_eq!(lab.shard.offsets().count(), 0);
}

#[test]
fn a_group_of_offsets_alone_becomes_a_consumer_group_and_keeps_them() {
    let mut lab = Lab::new(&[("t", 1)]);
    lab.commit("", -1, 0, 9).expect("nobody is there");
    lab.join("a", &["t"]);
    assert_eq!(lab.shard.offsets().count(), 1);
    lab.restart();
    assert_eq!(lab.shard.offsets().count(), 1);
    assert_eq!(lab.group().members().len(), 1);
}
