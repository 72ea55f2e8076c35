//! Commits, fetches, deletions and expiry of offsets.
//! Core.

use ottla_model::GroupId;

use super::*;
use crate::group::OffsetDeletePartitions;
use crate::record::CommittedOffset;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn committer(generation_id: i32, member_id: &str) -> Committer<'_> {
    Committer {
        group_id: GROUP,
        member_id,
        group_instance_id: None,
        generation_id,
        knows_member_epochs: true,
        retention_time_ms: -1,
    }
}

fn value(offset: i64, record_offset: i64) -> CommittedOffset {
    CommittedOffset {
        offset,
        leader_epoch: -1,
        metadata: Arc::from(""),
        commit_timestamp_ms: 1,
        expire_timestamp_ms: None,
        topic_id: TopicId::ZERO,
        record_offset: Offset(record_offset),
    }
}

fn fetched(lab: &Lab) -> (i64, i16) {
    let one = lab.shard.fetch_offsets(GROUP, &TopicName::new("t"), TopicId::ZERO, &[0], true).remove(0);
    (one.offset, one.error.code())
}

#[test]
fn a_simple_consumer_commits_without_a_group() {
    let mut lab = Lab::new(GroupSettings::default());
    assert_eq!(fetched(&lab), (-1, 0));
    assert_eq!(lab.commit("", -1, 42), ErrorCode::None);
    assert_eq!(fetched(&lab), (42, 0));
    assert_eq!(lab.state(), ClassicGroupState::Empty);
    assert_eq!(&*lab.shard.describe(GROUP).expect("it is there").protocol_type, "");
    lab.assert_same_after_restart();
}

#[test]
fn a_commit_with_a_generation_needs_its_group() {
    let mut lab = Lab::new(GroupSettings::default());
    let now = lab.now;
    let mut error = |knows_member_epochs| {
        let committer = Committer { knows_member_epochs, ..committer(1, "m") };
        lab.shard.on_offset_commit(&committer, &[], now, 0).err()
    };
    assert_eq!(error(false), Some(ErrorCode::IllegalGeneration));
    assert_eq!(error(true), Some(ErrorCode::GroupIdNotFound));
}

#[test]
fn commits_are_checked_against_the_state_of_the_group() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(2);
    assert_eq!(lab.commit(&ids[0], 1, 1), ErrorCode::None);
    assert_eq!(lab.commit(&ids[0], 0, 1), ErrorCode::IllegalGeneration);
    assert_eq!(lab.commit("who", 1, 1), ErrorCode::UnknownMemberId);
    // From outside, while members are there.
    assert_eq!(lab.commit("", -1, 1), ErrorCode::UnknownMemberId);
    let fenced = Committer { group_instance_id: Some("i"), ..committer(1, &ids[0]) };
    let outcome = lab.shard.on_offset_commit(&fenced, &[], lab.now, 0).err();
    assert_eq!(outcome, Some(ErrorCode::UnknownMemberId));
    // While members are asked to rejoin they commit what they have read.
    lab.join(joiner(&ids[0]));
    assert_eq!(lab.commit(&ids[1], 1, 2), ErrorCode::None);
    lab.join(joiner(&ids[1]));
    // Between join and sync there is nothing to commit yet.
    assert_eq!(lab.commit(&ids[1], 2, 3), ErrorCode::RebalanceInProgress);
    assert_eq!(fetched(&lab), (2, 0));
}

#[test]
fn a_commit_keeps_a_member_alive() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(1);
    for _ in 0..10 {
        lab.advance(8_000);
        assert_eq!(lab.commit(&ids[0], 1, 1), ErrorCode::None);
    }
    lab.advance(10_001);
    assert_eq!(lab.commit(&ids[0], 1, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn metadata_that_is_too_large_is_refused_alone() {
    let mut lab = Lab::new(GroupSettings { offset_metadata_max: 4, ..GroupSettings::default() });
    let topic = TopicName::new("t");
    let one = |partition, metadata| OffsetToCommit {
        topic: &topic,
        topic_id: TopicId::ZERO,
        partition,
        offset: 7,
        leader_epoch: -1,
        metadata,
    };
    // Two of four UTF-16 units each in the second: sixteen bytes, but four units.
    let offsets = [one(0, "12345"), one(1, "\u{1F600}\u{1F600}"), one(2, "1234")];
    let (effects, errors) = lab
        .shard
        .on_offset_commit(&committer(-1, ""), &offsets, lab.now, lab.wall_ms)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(errors, [ErrorCode::OffsetMetadataTooLarge, ErrorCode::None, ErrorCode::None]);
    assert_eq!(effects.records.len(), 2);
}

#[test]
fn a_commit_that_is_refused_changes_nothing() {
    let mut lab = Lab::new(GroupSettings::default());
    lab.commit("", -1, 1);
    lab.refuse = Some(ErrorCode::CoordinatorNotAvailable);
    assert_eq!(lab.commit("", -1, 2), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(fetched(&lab), (1, 0));
}

#[test]
fn offsets_of_another_topic_of_the_name_are_not_shown() {
    let mut lab = Lab::new(GroupSettings::default());
    let (topic, id, other) =
        (TopicName::new("t"), TopicId(uuid::Uuid::from_u128(2)), TopicId(uuid::Uuid::from_u128(3)));
    let record = Record::OffsetCommit {
        group: GroupId::new(GROUP),
        topic: topic.clone(),
        partition: 0,
        value: Some(CommittedOffset { topic_id: id, ..value(5, 0) }),
    };
    lab.shard.replay(Offset(0), None, record);
    let offset = |id| lab.shard.fetch_offsets(GROUP, &topic, id, &[0], false)[0].offset;
    assert_eq!((offset(id), offset(TopicId::ZERO), offset(other)), (5, 5, -1));
    // Nor are they deleted with it.
    assert!(lab.shard.on_topics_deleted(&[(topic.clone(), other)]).records.is_empty());
    assert_eq!(lab.shard.on_topics_deleted(&[(topic, id)]).records.len(), 1);
}

#[test]
fn a_group_goes_with_its_offsets_when_it_is_deleted() {
    let mut lab = Lab::new(GroupSettings::default());
    assert_eq!(lab.shard.on_delete_group(GROUP).err(), Some(ErrorCode::GroupIdNotFound));
    let ids = lab.stable(1);
    lab.commit(&ids[0], 1, 1);
    assert_eq!(lab.shard.on_delete_group(GROUP).err(), Some(ErrorCode::NonEmptyGroup));
    lab.leave(&ids[0], None);
    let effects = lab.shard.on_delete_group(GROUP).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(effects.records.len(), 2);
    assert_eq!(lab.perform(effects), Ok(()));
    assert!(lab.shard.classic_group(GROUP).is_none());
    assert_eq!(fetched(&lab), (-1, 0));
    assert_eq!(lab.shard.describe(GROUP).map_err(|error| error.code), Err(ErrorCode::GroupIdNotFound));
    lab.assert_same_after_restart();
}

#[test]
fn single_offsets_are_deleted_unless_the_topic_is_read() {
    let mut lab = Lab::new(GroupSettings::default());
    let delete = |lab: &mut Lab, topic: &str| {
        let topics = [OffsetDeletePartitions { name: TopicName::new(topic), partitions: vec![0, 9] }];
        let (effects, errors) = lab.shard.on_offset_delete(GROUP, &topics)?;
        let count = effects.records.len();
        let _ = lab.perform(effects);
        Ok::<_, ErrorCode>((count, errors))
    };
    assert_eq!(delete(&mut lab, "t"), Err(ErrorCode::GroupIdNotFound));
    let ids = lab.stable(1);
    lab.commit(&ids[0], 1, 1);
    assert_eq!(delete(&mut lab, "t"), Ok((0, vec![ErrorCode::GroupSubscribedToTopic])));
    assert_eq!(delete(&mut lab, "other"), Ok((0, vec![ErrorCode::None])));
    lab.leave(&ids[0], None);
    assert_eq!(delete(&mut lab, "t"), Ok((1, vec![ErrorCode::None])));
    assert_eq!(fetched(&lab), (-1, 0));
}

#[test]
fn of_another_protocol_s_group_no_offset_is_deleted_while_it_lives() {
    let mut lab = Lab::new(GroupSettings::default());
    let connect = |id: &str| Joiner { protocol_type: Arc::from("connect"), ..joiner(id) };
    lab.join_as(connect(""), 0);
    lab.tick();
    assert_eq!(lab.shard.on_offset_delete(GROUP, &[]).err(), Some(ErrorCode::NonEmptyGroup));
}

#[test]
fn offsets_of_an_empty_group_expire_after_the_retention() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(1);
    lab.commit(&ids[0], 1, 1);
    for _ in 0..4 * 24 * 60 * 30 / 7 {
        lab.advance(7_000);
        lab.heartbeat(&ids[0], 1);
    }
    lab.leave(&ids[0], None);
    // The retention counts from the end of the group, not from the commit.
    lab.advance(7 * DAY_MS - 1_200_000);
    assert_eq!(fetched(&lab), (1, 0));
    lab.advance(1_800_000);
    assert_eq!(fetched(&lab), (-1, 0));
    assert!(lab.shard.classic_group(GROUP).is_none());
    lab.assert_same_after_restart();
}

#[test]
fn offsets_of_a_simple_consumer_expire_since_their_commit() {
    let mut lab = Lab::new(GroupSettings::default());
    lab.commit("", -1, 1);
    lab.advance(6 * DAY_MS);
    lab.commit("", -1, 2);
    lab.advance(6 * DAY_MS);
    assert_eq!(fetched(&lab), (2, 0));
    lab.advance(2 * DAY_MS);
    assert_eq!(fetched(&lab), (-1, 0));
}

#[test]
fn a_client_of_old_may_set_its_own_retention() {
    let mut lab = Lab::new(GroupSettings::default());
    let topic = TopicName::new("t");
    let committer =
        Committer { retention_time_ms: 3_600_000, knows_member_epochs: false, ..committer(-1, "") };
    let one = OffsetToCommit {
        topic: &topic,
        topic_id: TopicId::ZERO,
        partition: 0,
        offset: 3,
        leader_epoch: -1,
        metadata: "",
    };
    let outcome = lab.shard.on_offset_commit(&committer, &[one], lab.now, lab.wall_ms);
    let (effects, _) = outcome.unwrap_or_else(|error| panic!("{error}"));
    let _ = lab.perform(effects);
    lab.advance(3_000_000);
    assert_eq!(fetched(&lab), (3, 0));
    lab.advance(1_200_000);
    assert_eq!(fetched(&lab), (-1, 0));
}

#[test]
fn a_stable_group_loses_offsets_of_topics_that_nobody_reads() {
    let mut lab = Lab::new(GroupSettings { offsets_retention_ms: 3_600_000, ..GroupSettings::default() });
    let ids = lab.stable(1);
    lab.commit(&ids[0], 1, 1);
    let record = Record::OffsetCommit {
        group: GroupId::new(GROUP),
        topic: TopicName::new("unread"),
        partition: 0,
        value: Some(CommittedOffset { commit_timestamp_ms: lab.wall_ms, ..value(9, 0) }),
    };
    let effects = Effects { records: vec![record], ..Effects::default() };
    let _ = lab.perform(effects);
    for _ in 0..1_000 {
        lab.advance(7_000);
        lab.heartbeat(&ids[0], 1);
    }
    assert_eq!(fetched(&lab), (1, 0));
    let unread = lab.shard.fetch_offsets(GROUP, &TopicName::new("unread"), TopicId::ZERO, &[0], false);
    assert_eq!(unread[0].offset, -1);
    assert_eq!(lab.state(), ClassicGroupState::Stable);
}

#[test]
fn a_clock_set_back_neither_expires_nor_revives() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(1);
    lab.wall_ms -= 365 * DAY_MS;
    lab.advance(9_000);
    assert_eq!(lab.heartbeat(&ids[0], 1), ErrorCode::None);
    lab.advance(10_001);
    assert_eq!(lab.state(), ClassicGroupState::Empty);
}

/// KIP-447. What is expected here is what Kafka 4.3.1's `ClassicGroup.validateOffsetCommit` does.
#[test]
fn a_transactional_producer_that_names_its_member_is_held_to_it() {
    let mut lab = Lab::new(GroupSettings::default());
    let refusal = |lab: &mut Lab, committer: Committer<'_>| {
        let outcome = lab.shard.on_transactional_commit(&committer, &[], lab.wall_ms);
        outcome.err()
    };
    let as_instance = |generation_id, member_id| Committer {
        group_instance_id: Some("i"),
        ..committer(generation_id, member_id)
    };
    // Nobody knows the group: only who belongs to no generation may begin it.
    assert_eq!(refusal(&mut lab, committer(-1, "")), None);
    assert_eq!(refusal(&mut lab, committer(3, "who")), Some(ErrorCode::IllegalGeneration));
    let ids = lab.stable(2);
    assert_eq!(refusal(&mut lab, committer(1, &ids[0])), None);
    // Producers of old say nothing of a group, whoever is in it.
    assert_eq!(refusal(&mut lab, committer(-1, "")), None);
    // A zombie: its member went, or is of an earlier generation.
    assert_eq!(refusal(&mut lab, committer(1, "who")), Some(ErrorCode::UnknownMemberId));
    assert_eq!(refusal(&mut lab, committer(1, "")), Some(ErrorCode::UnknownMemberId));
    assert_eq!(refusal(&mut lab, committer(0, &ids[0])), Some(ErrorCode::IllegalGeneration));
    assert_eq!(refusal(&mut lab, committer(-1, &ids[0])), Some(ErrorCode::IllegalGeneration));
    assert_eq!(refusal(&mut lab, as_instance(1, &ids[0])), Some(ErrorCode::UnknownMemberId));
    // The rebalance does not matter, the generation does: the present one until all have joined.
    lab.join(joiner(&ids[0]));
    assert_eq!(refusal(&mut lab, committer(1, &ids[1])), None);
    lab.join(joiner(&ids[1]));
    assert_eq!(refusal(&mut lab, committer(1, &ids[1])), Some(ErrorCode::IllegalGeneration));
    assert_eq!(refusal(&mut lab, committer(2, &ids[1])), None);
    // From an empty group nobody can be a zombie, unless it says which generation it is of.
    lab.sync_all(&ids, 2);
    for id in &ids {
        assert_eq!(lab.leave(id, None), ErrorCode::None);
    }
    assert_eq!(lab.state(), ClassicGroupState::Empty);
    assert_eq!(refusal(&mut lab, committer(-1, &ids[0])), None);
    assert_eq!(refusal(&mut lab, committer(2, &ids[0])), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn a_static_member_that_was_replaced_commits_in_no_transaction() {
    let mut lab = Lab::new(GroupSettings::default());
    let token = lab.join(static_joiner("", "i"));
    lab.tick();
    let old = lab.joined(token).member_id.to_string();
    let generation = lab.group().generation_id;
    lab.sync(&old, generation, &[(&old, "a")]);
    let as_instance =
        |member_id| Committer { group_instance_id: Some("i"), ..committer(generation, member_id) };
    assert!(lab.shard.on_transactional_commit(&as_instance(&old), &[], 0).is_ok());
    lab.join(static_joiner("", "i"));
    let refused = lab.shard.on_transactional_commit(&as_instance(&old), &[], 0).err();
    assert_eq!(refused, Some(ErrorCode::FencedInstanceId));
}

#[test]
fn offsets_of_an_open_transaction_are_unstable() {
    let mut lab = Lab::new(GroupSettings::default());
    lab.commit("", -1, 1);
    let place = || Record::OffsetCommit {
        group: GroupId::new(GROUP),
        topic: TopicName::new("t"),
        partition: 0,
        value: Some(value(10, 0)),
    };
    let unstable = (-1, code(ErrorCode::UnstableOffsetCommit));
    lab.shard.replay(Offset(5), Some(77), place());
    assert_eq!(fetched(&lab), unstable);
    let committed = lab.shard.fetch_all_offsets(GROUP, false);
    assert_eq!(committed[0].1[0].offset, 1);
    // Aborted: as if it had never been.
    lab.shard.replay_end_transaction_marker(Offset(1_000), 77, false);
    assert_eq!(fetched(&lab), (1, 0));
    lab.shard.replay(Offset(6), Some(77), place());
    lab.shard.replay_end_transaction_marker(Offset(1_000), 77, true);
    assert_eq!(fetched(&lab), (10, 0));
    // A later commit outside the transaction stays when the transaction commits.
    lab.shard.replay(Offset(7), Some(78), place());
    let plain = Record::OffsetCommit {
        group: GroupId::new(GROUP),
        topic: TopicName::new("t"),
        partition: 0,
        value: Some(value(20, 0)),
    };
    lab.shard.replay(Offset(8), None, plain);
    lab.shard.replay_end_transaction_marker(Offset(1_000), 78, true);
    assert_eq!(fetched(&lab), (20, 0));
    // Deleting the offset takes the pending one along.
    lab.shard.replay(Offset(9), Some(79), place());
    let effects = lab.shard.on_delete_group(GROUP).unwrap_or_else(|error| panic!("{error}"));
    for record in effects.records {
        lab.shard.replay(Offset(10), None, record);
    }
    lab.shard.replay_end_transaction_marker(Offset(1_000), 79, true);
    assert_eq!(fetched(&lab), (-1, 0));
}

#[test]
fn offsets_are_watched_in_pieces_each_once_and_those_of_members_first() {
    let mut lab = Lab::new(GroupSettings::default());
    lab.stable(1);
    let commit = |group: &str, partitions: i32| {
        (0..partitions)
            .map(move |partition| Record::OffsetCommit {
                group: GroupId::new(group),
                topic: TopicName::new("t"),
                partition,
                value: Some(value(i64::from(partition), 0)),
            })
            .collect::<Vec<_>>()
    };
    // Names on both sides of the group with a member; one has more offsets than a piece has.
    let mut records = commit(GROUP, 3);
    records.extend((0..700).flat_map(|number| commit(&format!("a{number:04}"), 2)));
    records.extend(commit("big", 5_000));
    for (offset, record) in records.into_iter().enumerate() {
        lab.shard.replay(Offset(offset as i64), None, record);
    }
    let walk = |with_members: bool, room: usize| {
        let (mut watched, mut after, mut pieces) = (Vec::new(), None, 0);
        loop {
            pieces += 1;
            after = lab.shard.watch_offsets(after.as_ref(), with_members, room - watched.len(), &mut watched);
            if after.is_none() || watched.len() == room {
                return (watched, pieces);
            }
        }
    };
    let total = 3 + 1_400 + 5_000;
    assert_eq!(lab.shard.offsets().count(), total);
    let (with_members, _) = walk(true, total);
    assert_eq!(with_members.len(), 3);
    assert!(
        with_members.iter().all(|one| one.group.as_str() == GROUP && one.offset == i64::from(one.partition))
    );
    let (without, pieces) = walk(false, total);
    assert_eq!(without.len(), total - 3);
    assert!(pieces >= 4, "{pieces}");
    let places: std::collections::BTreeSet<_> =
        without.iter().map(|one| (one.group.clone(), one.topic.clone(), one.partition)).collect();
    assert_eq!(places.len(), without.len());
    assert_eq!(walk(false, 10).0.len(), 10);
    // What goes is counted as well.
    let effects = lab.shard.on_topics_deleted(&[(TopicName::new("t"), TopicId::ZERO)]);
    assert_eq!(effects.records.len(), total);
    lab.perform(effects).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(lab.shard.offsets().count(), 0);
}
