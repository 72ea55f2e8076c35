//! Who may join, and what it is told.
//! Core.

use super::*;

#[test]
fn a_lone_first_member_goes_on_at_the_next_turn() {
    let mut lab = Lab::new(GroupSettings::default());
    let asked = lab.join(joiner(""));
    let answer = lab.joined(asked);
    assert_eq!(answer.error, ErrorCode::MemberIdRequired);
    assert_eq!(answer.generation_id, -1);
    assert_eq!(answer.protocol_name, None);
    assert!(answer.member_id.as_str().starts_with("c-"));
    assert_eq!(answer.member_id.as_str().len(), "c-".len() + 36);
    // The group is in the log already, as Kafka's.
    assert!(
        matches!(&lab.log[..], [Record::GroupMetadata { value: Some(value), .. }] if value.generation == 0)
    );
    let id = answer.member_id.to_string();
    let token = lab.join(joiner(&id));
    assert_eq!(lab.answers.get(&token), None);
    lab.tick();
    let answer = lab.joined(token);
    assert_eq!((answer.error, answer.generation_id), (ErrorCode::None, 1));
    assert_eq!(answer.leader_id().to_string(), id);
    assert_eq!(answer.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(answer.protocol_name.as_deref(), Some("range"));
    assert_eq!(answer.members.len(), 1);
    assert_eq!(answer.members[0].metadata, subscription(&["t"]));
    assert!(!answer.skip_assignment);
}

#[test]
fn before_v4_a_member_is_in_at_once() {
    let mut lab = Lab::new(GroupSettings::default());
    let token = lab.join_as(joiner(""), 3);
    lab.tick();
    assert_eq!(lab.joined(token).generation_id, 1);
    let refused = lab.join_as(joiner("who"), 3);
    let answer = lab.joined(refused);
    assert_eq!(answer.error, ErrorCode::UnknownMemberId);
    assert_eq!(answer.protocol_name, None);
}

#[test]
fn members_that_announced_themselves_share_the_first_rebalance() {
    let mut lab = Lab::new(GroupSettings::default());
    let asked: Vec<u64> = (0..3).map(|_| lab.join(joiner(""))).collect();
    let ids: Vec<String> = asked.iter().map(|token| lab.joined(*token).member_id.to_string()).collect();
    let first = lab.join(joiner(&ids[0]));
    lab.advance(20);
    let second = lab.join(joiner(&ids[1]));
    lab.advance(20);
    assert_eq!(lab.answers.get(&first), None);
    let third = lab.join(joiner(&ids[2]));
    lab.tick();
    for token in [first, second, third] {
        assert_eq!(lab.joined(token).generation_id, 1);
    }
    assert_eq!(lab.group().member_ids().count(), 3);
}

#[test]
fn one_that_announced_itself_and_vanished_is_not_waited_for_long() {
    let mut lab = Lab::new(GroupSettings::default());
    lab.join(joiner(""));
    let (_, token) = lab.join_new();
    lab.advance(400);
    assert_eq!(lab.answers.get(&token), None);
    lab.advance(200);
    assert_eq!(lab.joined(token).generation_id, 1);
    // Its id is forgotten with its session.
    assert_eq!(lab.group().pending_join_members.len(), 1);
    lab.advance(10_000);
    assert_eq!(lab.group().pending_join_members.len(), 0);
}

#[test]
fn a_client_that_trips_over_haste_is_given_time() {
    let mut lab = Lab::new(GroupSettings::default());
    let slow = |id: &str| Joiner { first_rebalance_wait_ms: 300, ..joiner(id) };
    let token = lab.join(slow(""));
    let id = lab.joined(token).member_id.to_string();
    let token = lab.join(slow(&id));
    lab.advance(200);
    let (_, second) = lab.join_new();
    lab.advance(90);
    assert_eq!(lab.answers.get(&token), None);
    lab.advance(20);
    assert_eq!(lab.joined(token).generation_id, 1);
    assert_eq!(lab.joined(second).generation_id, 1);
}

#[test]
fn a_configured_delay_waits_again_as_long_as_members_come() {
    let settings = GroupSettings { initial_rebalance_delay_ms: Some(3000), ..GroupSettings::default() };
    let mut lab = Lab::new(settings);
    let (_, first) = lab.join_new();
    lab.advance(2_900);
    let (_, second) = lab.join_new();
    lab.advance(3_000);
    assert_eq!(lab.answers.get(&first), None);
    lab.advance(200);
    assert_eq!(lab.joined(first).generation_id, 1);
    assert_eq!(lab.joined(second).generation_id, 1);
    assert_eq!(lab.joined(first).members.len() + lab.joined(second).members.len(), 2);
}

#[test]
fn a_configured_delay_ends_with_the_rebalance_timeout() {
    let settings = GroupSettings { initial_rebalance_delay_ms: Some(3000), ..GroupSettings::default() };
    let mut lab = Lab::new(settings);
    let hasty = |id: &str| Joiner { rebalance_timeout_ms: 5_000, ..joiner(id) };
    let mut tokens = Vec::new();
    for _ in 0..4 {
        let asked = lab.join(hasty(""));
        let id = lab.joined(asked).member_id.to_string();
        tokens.push(lab.join(hasty(&id)));
        lab.advance(1_500);
    }
    // 3 s, then the 2 s that were left.
    assert_eq!(lab.joined(tokens[0]).generation_id, 1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut lab = Lab::new(GroupSettings::default());
    let none = lab.join(Joiner { protocols: Vec::new(), ..joiner("") });
    assert_eq!(lab.joined(none).error, ErrorCode::InconsistentGroupProtocol);
    let untyped = lab.join(Joiner { protocol_type: Arc::from(""), ..joiner("") });
    assert_eq!(lab.joined(untyped).error, ErrorCode::InconsistentGroupProtocol);
    lab.stable(1);
    let other_type = lab.join(Joiner { protocol_type: Arc::from("connect"), ..joiner("") });
    assert_eq!(lab.joined(other_type).error, ErrorCode::InconsistentGroupProtocol);
    let other_name = lab.join(Joiner { protocols: protocols(&["sticky"]), ..joiner("") });
    assert_eq!(lab.joined(other_name).error, ErrorCode::InconsistentGroupProtocol);
    let unknown = lab.join(joiner("who"));
    assert_eq!(lab.joined(unknown).error, ErrorCode::UnknownMemberId);
    assert_eq!(lab.joined(unknown).member_id.to_string(), "who");
}

#[test]
fn a_full_group_takes_no_more() {
    let mut lab = Lab::new(GroupSettings { members_max: 2, ..GroupSettings::default() });
    let ids = lab.stable(2);
    let refused = lab.join(joiner(""));
    assert_eq!(lab.joined(refused).error, ErrorCode::GroupMaxSizeReached);
    assert_eq!(lab.joined(refused).member_id.to_string(), "");
    // Its own members rejoin.
    let again = lab.join(joiner(&ids[1]));
    assert_eq!(lab.joined(again).error, ErrorCode::None);
}

#[test]
fn a_member_that_comes_again_changes_nothing_unless_it_leads_or_changed() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(2);
    let follower = lab.join(joiner(&ids[1]));
    let answer = lab.joined(follower);
    assert_eq!((answer.error, answer.generation_id, answer.members.len()), (ErrorCode::None, 1, 0));
    assert_eq!(lab.state(), ClassicGroupState::Stable);
    let leader = lab.join(joiner(&ids[0]));
    assert_eq!(lab.answers.get(&leader), None);
    assert_eq!(lab.state(), ClassicGroupState::PreparingRebalance);
    assert_eq!(lab.heartbeat(&ids[1], 1), ErrorCode::RebalanceInProgress);
    let follower = lab.join(Joiner { protocols: protocols(&["roundrobin"]), ..joiner(&ids[1]) });
    let answer = lab.joined(follower);
    assert_eq!((answer.generation_id, answer.protocol_name.as_deref()), (2, Some("roundrobin")));
    assert_eq!(lab.joined(leader).members.len(), 2);
}

#[test]
fn a_join_lost_on_its_way_back_is_answered_again() {
    let mut lab = Lab::new(GroupSettings::default());
    let (id, token) = lab.join_new();
    lab.tick();
    let first = lab.joined(token);
    let again = lab.join(joiner(&id));
    assert_eq!(lab.joined(again), first);
    assert_eq!(lab.state(), ClassicGroupState::CompletingRebalance);
}

#[test]
fn an_older_request_of_the_same_member_is_sent_to_come_again() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(2);
    let older = lab.join(joiner(&ids[0]));
    let newer = lab.join(joiner(&ids[0]));
    assert_eq!(lab.joined(older).error, ErrorCode::RebalanceInProgress);
    assert_eq!(lab.answers.get(&newer), None);
}

#[test]
fn a_group_that_cannot_be_stored_never_was() {
    let mut lab = Lab::new(GroupSettings::default());
    lab.refuse = Some(ErrorCode::CoordinatorNotAvailable);
    let token = lab.join_as(joiner(""), 0);
    assert_eq!(lab.joined(token).error, ErrorCode::CoordinatorNotAvailable);
    assert!(lab.shard.classic_group(GROUP).is_none());
    assert!(lab.log.is_empty());
    // Only the offset expiration is left.
    assert_eq!(lab.shard.timer_count(), 1);
}

#[test]
fn ties_between_protocols_fall_as_on_kafka() {
    // In a Java hash map of 16 buckets "range" lies in bucket 9 and "roundrobin" in 10, "sticky" in 8.
    let mut lab = Lab::new(GroupSettings::default());
    let order = [&["range", "sticky"][..], &["sticky", "range"][..]];
    let asked: Vec<u64> = (0..2).map(|_| lab.join(joiner(""))).collect();
    let ids: Vec<String> = asked.iter().map(|token| lab.joined(*token).member_id.to_string()).collect();
    let mut token = 0;
    for (id, names) in ids.iter().zip(order) {
        token = lab.join(Joiner { protocols: protocols(names), ..joiner(id) });
    }
    lab.tick();
    assert_eq!(lab.joined(token).protocol_name.as_deref(), Some("sticky"));
}
