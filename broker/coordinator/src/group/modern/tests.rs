//! Tests of what the newer group protocols share: epochs, what counts as a change, sessions.
//! Core.

use std::collections::{BTreeMap, BTreeSet};

use ottla_env::Monotonic;
use ottla_model::{GroupId, MemberId, TopicId, TopicName};

use super::{ModernGroup, ModernMember, NextEpoch, SessionEnd, Sessions, TargetTask};
use crate::record::Assignment;
use crate::timers::{TimerKey, Timers};
use crate::topic_lookup::TopicLookup;

#[derive(Clone, Default)]
struct Member(BTreeSet<TopicName>);

impl ModernMember for Member {
    type Assignment = Assignment;

    fn subscribed_topics(&self) -> &BTreeSet<TopicName> {
        &self.0
    }
}

/// Every topic is there, with this hash.
struct Topics(i64);

impl TopicLookup for Topics {
    fn topic_id(&self, _name: &str) -> Option<TopicId> {
        None
    }

    fn topic_name(&self, _id: TopicId) -> Option<TopicName> {
        None
    }

    fn has_partition(&self, _name: &str, _partition: i32) -> bool {
        false
    }

    fn partition_count(&self, _id: TopicId) -> Option<i32> {
        None
    }

    fn topic_hash(&self, _name: &str) -> i64 {
        self.0
    }
}

fn names(names: &[&str]) -> BTreeSet<TopicName> {
    names.iter().map(|name| TopicName::new(name)).collect()
}

fn group() -> ModernGroup<Member> {
    ModernGroup::new(GroupId::new("g"), 1)
}

#[test]
fn the_epoch_rises_with_a_change_or_with_other_topics_and_stays_otherwise() {
    let mut group = group();
    let read = names(&["t"]);
    let first = group.next_epoch(true, &read, &Topics(7));
    let NextEpoch { epoch: 2, new_hash: Some(hash), is_refreshed: true } = first else { panic!("{first:?}") };
    group.replay_epoch(2, hash);
    group.on_refreshed();
    let same = NextEpoch { epoch: 2, new_hash: None, is_refreshed: false };
    assert_eq!(group.next_epoch(false, &read, &Topics(8)), same, "nobody asked to look at the topics");
    group.request_refresh();
    let same = NextEpoch { epoch: 2, new_hash: None, is_refreshed: true };
    assert_eq!(group.next_epoch(false, &read, &Topics(7)), same, "they are the same");
    let next = group.next_epoch(false, &read, &Topics(8));
    assert!(next.epoch == 3 && next.new_hash.is_some(), "{next:?}");
}

#[test]
fn topics_are_read_by_the_members_as_they_will_be() {
    let mut group = group();
    let (one, two) = (MemberId::new("one"), MemberId::new("two"));
    group.replay_member(one.clone()).0 = names(&["a", "b"]);
    group.replay_member(two.clone()).0 = names(&["b"]);
    assert_eq!(group.subscribed_topics_with(&one, None), names(&["b"]));
    assert_eq!(group.subscribed_topics_with(&two, Some(&Member(names(&["c"])))), names(&["a", "b", "c"]));
    assert!(group.is_subscribed_to_topic("a"));
    group.replay_member_gone(&one);
    assert!(!group.is_subscribed_to_topic("a"));
}

#[test]
fn what_was_computed_counts_only_for_its_epoch_and_while_nothing_changes() {
    type Change = fn(&mut ModernGroup<Member>);
    let changes: [(&str, Change); 8] = [
        ("epoch", |group| group.replay_epoch(2, 0)),
        ("member", |group| drop(group.replay_member(MemberId::new("m")).0.clone())),
        ("known member", |group| drop(group.replay_known_member(&MemberId::new("m")).cloned())),
        ("member gone", |group| group.replay_member_gone(&MemberId::new("m"))),
        ("target", |group| group.replay_target().replay_epoch(1, 5)),
        ("other", ModernGroup::replay_other),
        ("nothing", |group| group.request_refresh()),
        ("nothing", |group| drop(group.replay_progress(&MemberId::new("m")).cloned())),
    ];
    for (what, change) in changes {
        let mut group = group();
        let task = TargetTask::new(&group, 2, ());
        let assignments = BTreeMap::from([(MemberId::new("m"), Assignment::new())]);
        let computed = task.compute(|()| assignments.clone());
        change(&mut group);
        let expected = (what == "nothing").then_some(assignments);
        assert_eq!(computed.if_current(&group, 2).ok(), expected, "{what}");
    }
    let group = group();
    let computed = TargetTask::new(&group, 2, ()).compute(|()| BTreeMap::<MemberId, Assignment>::new());
    assert!(computed.if_current(&group, 3).is_err(), "it is another epoch's");
}

#[test]
fn a_target_is_due_when_the_group_is_ahead_and_its_interval_is_over() {
    let mut group = group();
    assert!(!group.target().is_due(1, 0, i64::MAX), "it is the group's epoch");
    assert!(group.target().is_due(2, 5_000, 100), "the first one does not wait");
    group.replay_target().replay_epoch(2, 100);
    assert!(!group.target().is_due(3, 5_000, 5_099));
    assert!(group.target().is_due(3, 5_000, 5_100));
    assert!(group.target().is_due(3, 5_000, 99), "the wall clock was set back");
}

#[test]
fn only_members_with_another_target_are_written() {
    let mut group = group();
    let assignment =
        |partition| Assignment::from([(TopicId(uuid::Uuid::from_u128(1)), BTreeSet::from([partition]))]);
    let (one, two, three) = (MemberId::new("1"), MemberId::new("2"), MemberId::new("3"));
    group.replay_target().replay_member(one.clone(), Some(assignment(0)));
    group.replay_target().replay_member(two.clone(), Some(assignment(1)));
    let next =
        BTreeMap::from([(one, assignment(0)), (two.clone(), assignment(2)), (three.clone(), assignment(1))]);
    let changed: Vec<&MemberId> = group.target().changed(&next).map(|(id, _)| id).collect();
    assert_eq!(changed, [&two, &three]);
}

#[test]
fn a_heartbeat_moves_a_session_s_end_and_its_timer_follows_when_it_comes_due() {
    let at = |ms| Monotonic::default().after_ms(ms);
    let (mut timers, member) = (Timers::default(), MemberId::new("m"));
    let mut sessions = Sessions::new(GroupId::new("g"));
    sessions.renew(&mut timers, &member, at(100));
    sessions.renew(&mut timers, &member, at(150));
    assert_eq!(timers.next_deadline(), Some(at(100)), "the heartbeat has left the queue alone");
    let due = timers.pop_due(at(100)).map(|(_, key)| key);
    assert_eq!(due, Some(TimerKey::Member(GroupId::new("g"), member.clone())));
    assert_eq!(sessions.on_timer(&mut timers, &member, at(100)), SessionEnd::NotYet);
    assert_eq!(timers.next_deadline(), Some(at(150)));
    // A shorter session than the one before must not end late.
    sessions.renew(&mut timers, &member, at(120));
    assert_eq!(timers.next_deadline(), Some(at(120)));
    assert!(timers.pop_due(at(120)).is_some());
    assert_eq!(sessions.on_timer(&mut timers, &member, at(120)), SessionEnd::Ended);
    assert_eq!(sessions.on_timer(&mut timers, &member, at(120)), SessionEnd::NotYet, "it has ended before");
    sessions.renew(&mut timers, &member, at(200));
    sessions.renew(&mut timers, &MemberId::new("n"), at(300));
    sessions.end(&mut timers, &member);
    assert_eq!(timers.next_deadline(), Some(at(300)));
    sessions.end_all(&mut timers);
    assert_eq!(timers.next_deadline(), None);
}
