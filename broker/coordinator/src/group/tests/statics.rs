//! Static members: restarts without a rebalance, and fencing.
//! Core.

use super::*;

/// Two static members in a stable group: their ids, the leader's first.
fn stable_statics(lab: &mut Lab) -> [String; 2] {
    let leader = lab.join(static_joiner("", "one"));
    lab.tick();
    let one = lab.joined(leader).member_id.to_string();
    assert!(one.starts_with("one-"));
    let follower = lab.join(static_joiner("", "two"));
    lab.join(static_joiner(&one, "one"));
    let two = lab.joined(follower).member_id.to_string();
    assert_eq!(lab.joined(follower).generation_id, 2);
    lab.sync_all(&[one.clone(), two.clone()], 2);
    [one, two]
}

#[test]
fn a_restarted_follower_gets_its_place_back() {
    let mut lab = Lab::new(GroupSettings::default());
    let [one, two] = stable_statics(&mut lab);
    let records = lab.log.len();
    let token = lab.join(static_joiner("", "two"));
    let answer = lab.joined(token);
    let new = answer.member_id.to_string();
    assert_eq!((answer.error, answer.generation_id, answer.skip_assignment), (ErrorCode::None, 2, false));
    assert_ne!(new, two);
    assert_eq!(answer.leader_id().to_string(), one);
    assert_eq!(lab.state(), ClassicGroupState::Stable);
    // The new id is in the log, with the assignment of the old.
    assert_eq!(lab.log.len(), records + 1);
    let sync = lab.sync(&new, 2, &[]);
    assert_eq!(&lab.synced(sync).assignment[..], two.as_bytes());
    lab.assert_same_after_restart();
    // The old id is fenced where it names its instance, and unknown where it does not.
    let fenced = lab.join(static_joiner(&two, "two"));
    assert_eq!(lab.joined(fenced).error, ErrorCode::FencedInstanceId);
    assert_eq!(lab.heartbeat(&two, 2), ErrorCode::UnknownMemberId);
    let named = Beat { group_id: GROUP, member_id: &two, group_instance_id: Some("two"), generation_id: 2 };
    let beat = lab.shard.on_heartbeat(&named, lab.now, lab.wall_ms);
    assert_eq!(beat, Err(ErrorCode::FencedInstanceId));
}

#[test]
fn a_restarted_leader_leads_and_skips_the_assignment() {
    let mut lab = Lab::new(GroupSettings::default());
    let [one, two] = stable_statics(&mut lab);
    let token = lab.join(static_joiner("", "one"));
    let answer = lab.joined(token);
    assert!(answer.skip_assignment);
    assert_eq!(answer.leader_id(), answer.member_id.as_str());
    assert_eq!(answer.members.len(), 2);
    let new = answer.member_id.to_string();
    assert_eq!(lab.group().leader_id().map(|id| id.to_string()), Some(new.clone()));
    // An older client is told the leader of before, so that it does not assign.
    let token = lab.join_as(static_joiner("", "one"), 8);
    let answer = lab.joined(token);
    assert_eq!((answer.leader_id().to_string(), answer.members.len()), (new, 0));
    assert!(!answer.skip_assignment);
    assert_ne!(answer.member_id.to_string(), one);
    assert_eq!(lab.heartbeat(&two, 2), ErrorCode::None);
}

#[test]
fn a_restart_with_other_protocols_rebalances() {
    let mut lab = Lab::new(GroupSettings::default());
    let [one, _] = stable_statics(&mut lab);
    let token = lab.join(Joiner { protocols: protocols(&["roundrobin"]), ..static_joiner("", "two") });
    assert_eq!(lab.answers.get(&token), None);
    assert_eq!(lab.state(), ClassicGroupState::PreparingRebalance);
    lab.join(static_joiner(&one, "one"));
    assert_eq!(lab.joined(token).protocol_name.as_deref(), Some("roundrobin"));
}

#[test]
fn a_replacement_that_cannot_be_stored_is_taken_back() {
    let mut lab = Lab::new(GroupSettings::default());
    let [one, two] = stable_statics(&mut lab);
    lab.refuse = Some(ErrorCode::NotCoordinator);
    let token = lab.join(static_joiner("", "two"));
    let answer = lab.joined(token);
    assert_eq!(answer.error, ErrorCode::NotCoordinator);
    assert_eq!(answer.member_id.to_string(), "");
    assert_eq!(lab.state(), ClassicGroupState::Stable);
    assert_eq!(lab.heartbeat(&two, 2), ErrorCode::None);
    assert_eq!(lab.heartbeat(&one, 2), ErrorCode::None);
    let members: Vec<String> = lab.group().member_ids().map(|id| id.to_string()).collect();
    assert_eq!(members, [one, two]);
    lab.assert_same_after_restart();
}

#[test]
fn the_waiting_request_of_a_replaced_member_is_fenced() {
    let mut lab = Lab::new(GroupSettings::default());
    let [one, two] = stable_statics(&mut lab);
    // The leader rejoins: a rebalance begins, and both wait in it.
    let older = lab.join(static_joiner(&one, "one"));
    assert_eq!(lab.answers.get(&older), None);
    let newer = lab.join(static_joiner("", "one"));
    assert_eq!(lab.joined(older).error, ErrorCode::FencedInstanceId);
    assert_eq!(lab.joined(older).member_id.to_string(), one);
    lab.join(static_joiner(&two, "two"));
    assert_eq!((lab.joined(newer).generation_id, lab.joined(newer).members.len()), (3, 2));
}

#[test]
fn a_static_member_may_miss_a_rebalance_but_not_its_session() {
    let mut lab = Lab::new(GroupSettings::default());
    let long =
        |id: &str, instance: &str| Joiner { session_timeout_ms: 300_000, ..static_joiner(id, instance) };
    let leader = lab.join(long("", "one"));
    lab.tick();
    let one = lab.joined(leader).member_id.to_string();
    lab.sync_all(std::slice::from_ref(&one), 1);
    let (_, newcomer) = lab.join_new();
    lab.advance(60_000);
    // It is away, and still in the group.
    assert_eq!((lab.joined(newcomer).generation_id, lab.joined(newcomer).members.len()), (2, 2));
}

#[test]
fn members_leave_by_instance_id_alone() {
    let mut lab = Lab::new(GroupSettings::default());
    let [one, two] = stable_statics(&mut lab);
    assert_eq!(lab.leave("", Some("who")), ErrorCode::UnknownMemberId);
    assert_eq!(lab.leave("", None), ErrorCode::UnknownMemberId);
    assert_eq!(lab.leave("wrong", Some("two")), ErrorCode::FencedInstanceId);
    assert_eq!(lab.leave("", Some("two")), ErrorCode::None);
    assert_eq!(lab.heartbeat(&two, 2), ErrorCode::UnknownMemberId);
    assert_eq!(lab.heartbeat(&one, 2), ErrorCode::RebalanceInProgress);
    assert_eq!(lab.state(), ClassicGroupState::PreparingRebalance);
}
