//! Whole rebalances: members come, go and die.
//! Core.

use super::*;

#[test]
fn three_join_one_leaves_one_dies() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(3);
    lab.assert_same_after_restart();
    // One leaves: the others are told to join again.
    assert_eq!(lab.leave(&ids[2], None), ErrorCode::None);
    assert_eq!(lab.heartbeat(&ids[0], 1), ErrorCode::RebalanceInProgress);
    assert_eq!(lab.heartbeat(&ids[2], 1), ErrorCode::UnknownMemberId);
    let leader = lab.join(joiner(&ids[0]));
    let follower = lab.join(joiner(&ids[1]));
    assert_eq!(lab.joined(leader).generation_id, 2);
    assert_eq!(lab.joined(leader).members.len(), 2);
    assert!(lab.joined(follower).members.is_empty());
    lab.sync_all(&ids[..2], 2);
    // One dies: its session ends, the other goes on alone.
    for _ in 0..3 {
        lab.advance(4_000);
        lab.heartbeat(&ids[0], 2);
    }
    assert_eq!(lab.state(), ClassicGroupState::PreparingRebalance);
    let alone = lab.join(joiner(&ids[0]));
    assert_eq!((lab.joined(alone).generation_id, lab.joined(alone).members.len()), (3, 1));
    lab.sync_all(&ids[..1], 3);
    // And leaves: the group is empty, and stays.
    assert_eq!(lab.leave(&ids[0], None), ErrorCode::None);
    assert_eq!(lab.state(), ClassicGroupState::Empty);
    let last = lab.group().stored().unwrap_or_else(|| panic!("stored"));
    assert_eq!((last.generation, last.members.len(), &*last.protocol_type), (4, 0, "consumer"));
    assert_eq!((last.protocol.as_deref(), last.leader.clone()), (None, None));
    lab.assert_same_after_restart();
    assert_eq!(lab.shard.timer_count(), 1);
}

#[test]
fn one_that_does_not_rejoin_is_left_behind() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(3);
    let leader = lab.join(joiner(&ids[0]));
    let follower = lab.join(joiner(&ids[1]));
    // The third goes on with its heartbeats, but never joins.
    for _ in 0..14 {
        lab.advance(4_000);
        assert_eq!(lab.heartbeat(&ids[2], 1), ErrorCode::RebalanceInProgress);
        assert_eq!(lab.answers.get(&leader), None);
    }
    lab.advance(4_000);
    assert_eq!(lab.joined(leader).generation_id, 2);
    assert_eq!(lab.joined(follower).generation_id, 2);
    assert_eq!(lab.heartbeat(&ids[2], 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_leader_that_does_not_rejoin_is_replaced() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(2);
    let (new_id, newcomer) = lab.join_new();
    let follower = lab.join(joiner(&ids[1]));
    lab.advance(60_000);
    let answer = lab.joined(follower);
    assert_eq!(answer.generation_id, 2);
    assert_ne!(answer.leader_id().to_string(), ids[0]);
    assert!([&ids[1], &new_id].contains(&&answer.leader_id().to_string()));
    assert_eq!(lab.joined(newcomer).leader, answer.leader);
}

#[test]
fn members_that_do_not_sync_are_let_go() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(2);
    let leader = lab.join(joiner(&ids[0]));
    lab.join(joiner(&ids[1]));
    assert_eq!(lab.joined(leader).generation_id, 2);
    let waits = lab.sync(&ids[1], 2, &[]);
    // The leader lives but never assigns.
    for _ in 0..15 {
        assert_eq!(lab.answers.get(&waits), None);
        assert_eq!(lab.heartbeat(&ids[0], 2), ErrorCode::None);
        lab.advance(4_000);
    }
    assert_eq!(lab.synced(waits).error, ErrorCode::RebalanceInProgress);
    assert_eq!(lab.heartbeat(&ids[0], 2), ErrorCode::UnknownMemberId);
    let alone = lab.join(joiner(&ids[1]));
    assert_eq!(lab.joined(alone).leader_id().to_string(), ids[1]);
}

#[test]
fn sync_says_what_is_wrong() {
    let mut lab = Lab::new(GroupSettings::default());
    let nobody = lab.sync("who", 1, &[]);
    assert_eq!(lab.synced(nobody).error, ErrorCode::UnknownMemberId);
    let ids = lab.stable(2);
    let unknown = lab.sync("who", 1, &[]);
    assert_eq!(lab.synced(unknown).error, ErrorCode::UnknownMemberId);
    let old = lab.sync(&ids[1], 0, &[]);
    assert_eq!(lab.synced(old).error, ErrorCode::IllegalGeneration);
    // A lost answer is given again.
    let again = lab.sync(&ids[1], 1, &[]);
    assert_eq!(&lab.synced(again).assignment[..], ids[1].as_bytes());
    lab.join(joiner(&ids[0]));
    let late = lab.sync(&ids[1], 1, &[]);
    assert_eq!(lab.synced(late).error, ErrorCode::RebalanceInProgress);
}

#[test]
fn a_newcomer_between_join_and_sync_starts_over() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(2);
    lab.join(joiner(&ids[0]));
    lab.join(joiner(&ids[1]));
    let waits = lab.sync(&ids[1], 2, &[]);
    let (new_id, newcomer) = lab.join_new();
    assert_eq!(lab.synced(waits).error, ErrorCode::RebalanceInProgress);
    let all: Vec<u64> = ids.iter().map(|id| lab.join(joiner(id))).collect();
    for token in all.iter().chain([&newcomer]) {
        assert_eq!(lab.joined(*token).generation_id, 3);
    }
    let everyone = [ids[0].clone(), ids[1].clone(), new_id];
    lab.sync_all(&everyone, 3);
}

#[test]
fn an_assignment_that_cannot_be_stored_starts_a_rebalance() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(2);
    let before = lab.group().stored().cloned();
    lab.join(joiner(&ids[0]));
    lab.join(joiner(&ids[1]));
    let follower = lab.sync(&ids[1], 2, &[]);
    lab.refuse = Some(ErrorCode::NotCoordinator);
    let leader = lab.sync(&ids[0], 2, &[(&ids[0], "a"), (&ids[1], "b")]);
    for token in [leader, follower] {
        assert_eq!(lab.synced(token).error, ErrorCode::NotCoordinator);
        assert!(lab.synced(token).assignment.is_empty());
    }
    assert_eq!(lab.state(), ClassicGroupState::PreparingRebalance);
    assert_eq!(lab.group().stored().cloned(), before);
    lab.assert_same_after_restart();
}

#[test]
fn a_cooperative_group_rebalances_twice_and_keeps_its_members() {
    // The broker plays no part in cooperation: members rejoin with what they own, then once more.
    let cooperative = |id: &str, owned: &str| {
        let mut metadata = subscription(&["t"]).to_vec();
        metadata.extend_from_slice(owned.as_bytes());
        Joiner {
            protocols: vec![Protocol { name: Arc::from("cooperative-sticky"), metadata: metadata.into() }],
            ..joiner(id)
        }
    };
    let mut lab = Lab::new(GroupSettings::default());
    let asked = lab.join(cooperative("", ""));
    let first = lab.joined(asked).member_id.to_string();
    let token = lab.join(cooperative(&first, ""));
    lab.tick();
    assert_eq!(lab.joined(token).protocol_name.as_deref(), Some("cooperative-sticky"));
    let asked = lab.join(cooperative("", ""));
    let second = lab.joined(asked).member_id.to_string();
    let newcomer = lab.join(cooperative(&second, ""));
    lab.join(cooperative(&first, "owns"));
    assert_eq!(lab.joined(newcomer).generation_id, 2);
    // Revoked: the first joins again with less, which is a change.
    let once_more = lab.join(cooperative(&first, "less"));
    let other = lab.join(cooperative(&second, ""));
    assert_eq!(lab.joined(once_more).generation_id, 3);
    assert_eq!(lab.joined(other).generation_id, 3);
    assert_eq!(lab.group().member_ids().count(), 2);
}

#[test]
fn a_restart_keeps_members_and_gives_them_a_new_session() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(3);
    let mut restarted = lab.restarted();
    assert_eq!(restarted.state(), ClassicGroupState::Stable);
    restarted.advance(9_000);
    for id in &ids[..2] {
        assert_eq!(restarted.heartbeat(id, 1), ErrorCode::None);
    }
    assert_eq!(restarted.commit(&ids[0], 1, 5), ErrorCode::None);
    let again = restarted.sync(&ids[1], 1, &[]);
    assert_eq!(&restarted.synced(again).assignment[..], ids[1].as_bytes());
    // The third is not heard of again.
    restarted.advance(2_000);
    assert_eq!(restarted.heartbeat(&ids[0], 1), ErrorCode::RebalanceInProgress);
    assert_eq!(restarted.group().member_ids().count(), 2);
}

#[test]
fn unloading_sends_everybody_away() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(2);
    let joins = lab.join(joiner(&ids[0]));
    let effects = lab.shard.on_unloaded(lab.now, lab.wall_ms);
    let _ = lab.perform(effects);
    assert_eq!(lab.joined(joins).error, ErrorCode::NotCoordinator);
    assert_eq!(lab.state(), ClassicGroupState::Dead);
    assert_eq!(lab.heartbeat(&ids[1], 1), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(lab.shard.timer_count(), 1);
}

#[test]
fn heartbeats_of_a_large_group_leave_the_timers_alone() {
    let mut lab = Lab::new(GroupSettings::default());
    let ids = lab.stable(500);
    // One entry a member and the offset expiration.
    assert_eq!(lab.shard.timer_count(), 501);
    for _ in 0..20 {
        lab.advance(3_000);
        for id in &ids {
            assert_eq!(lab.heartbeat(id, 1), ErrorCode::None);
        }
        assert_eq!(lab.shard.timer_count(), 501);
    }
    assert_eq!(lab.state(), ClassicGroupState::Stable);
}

#[test]
fn a_crowd_that_comes_at_once_rebalances_a_few_times_only() {
    let mut lab = Lab::new(GroupSettings::default());
    // Each asks for its id, and comes back a millisecond later; the first is alone for a moment.
    let (first, token) = lab.join_new();
    lab.tick();
    assert_eq!(lab.joined(token).generation_id, 1);
    lab.sync_all(std::slice::from_ref(&first), 1);
    let mut tokens = Vec::new();
    let mut asked = std::collections::VecDeque::new();
    for _ in 0..500 {
        let ask = lab.join(joiner(""));
        asked.push_back(lab.joined(ask).member_id.to_string());
        lab.advance(1);
        if asked.len() > 3 {
            let id = asked.pop_front().unwrap_or_default();
            tokens.push(lab.join(joiner(&id)));
        }
    }
    for id in asked {
        tokens.push(lab.join(joiner(&id)));
    }
    assert_eq!(lab.heartbeat(&first, 1), ErrorCode::RebalanceInProgress);
    let rejoined = lab.join(joiner(&first));
    for token in tokens.iter().chain([&rejoined]) {
        assert_eq!(lab.joined(*token).generation_id, 2);
    }
    assert_eq!(lab.group().member_ids().count(), 501);
}
