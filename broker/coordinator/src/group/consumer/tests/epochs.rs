//! Who may be a member: epochs, sizes, static members, sessions.
//! Core.

use super::*;

#[test]
fn the_first_member_gets_all_and_a_quiet_heartbeat_writes_nothing() {
    let mut lab = Lab::new(&[("t", 3)]);
    let joined = lab.join("a", &["t"]);
    assert_eq!(joined.member_epoch, 2);
    assert_eq!(partitions(&joined), Some(vec![0, 1, 2]));
    assert_eq!(joined.heartbeat_interval_ms, 5_000);
    assert_eq!(lab.group().state_name(), "Stable");
    let written = lab.log.len();
    let beat = lab.beat("a", 2).expect("a member");
    assert_eq!((beat.member_epoch, beat.assignment), (2, None));
    assert_eq!(lab.log.len(), written);
}

#[test]
fn the_records_of_a_first_join_are_in_kafkas_order() {
    let mut lab = Lab::new(&[("t", 1)]);
    lab.join("a", &["t"]);
    let keys: Vec<u8> = lab.log.iter().map(|record| codec::encode(record).expect("it fits").key[1]).collect();
    assert_eq!(keys, [5, 3, 7, 6, 8]);
}

#[test]
fn a_group_that_is_not_there_is_made_by_joining_alone() {
    let mut lab = Lab::new(&[("t", 1)]);
    let error = lab.beat("a", 1).expect_err("no group");
    assert_eq!(error, GroupError::new(ErrorCode::GroupIdNotFound, "Consumer group g not found."));
    assert!(lab.log.is_empty());
    lab.join("a", &["t"]);
    let error = lab.beat("b", 2).expect_err("no member");
    assert_eq!(error, GroupError::new(ErrorCode::UnknownMemberId, "Member b is not a member of group g."));
}

#[test]
fn a_wrong_epoch_fences_but_a_lost_answer_does_not() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.join("a", &["t"]);
    assert_eq!(code(lab.beat("a", 3)), ErrorCode::FencedMemberEpoch);
    assert_eq!(code(lab.beat("a", 1)), ErrorCode::FencedMemberEpoch);
    // Epoch 0 before 2: with what it was given it may ask again.
    let mut again = Beat { member: "a", epoch: 2, owned: Some(vec![(T, vec![0, 1])]), ..Beat::default() };
    assert!(lab.send(&again.as_heartbeat()).is_ok());
    lab.set_topics(&[("t", 4)]);
    lab.beat("a", 2).expect("a member");
    assert_eq!(lab.group().members()["a"].member_epoch, 3);
    assert!(lab.send(&again.as_heartbeat()).is_ok(), "the answer with epoch 3 was lost");
    again.owned = Some(vec![(T, vec![0, 9])]);
    assert_eq!(code(lab.send(&again.as_heartbeat())), ErrorCode::FencedMemberEpoch);
    again.owned = None;
    assert_eq!(code(lab.send(&again.as_heartbeat())), ErrorCode::FencedMemberEpoch);
}

#[test]
fn a_full_group_lets_nobody_in_but_its_own() {
    let mut lab =
        Lab::with(GroupSettings { consumer_members_max: 1, ..GroupSettings::default() }, &[("t", 1)]);
    lab.join("a", &["t"]);
    let error = lab.send(&Beat::join("b", &["t"]).as_heartbeat()).expect_err("it is full");
    assert_eq!(error.code, ErrorCode::GroupMaxSizeReached);
    assert_eq!(error.message, "The consumer group has reached its maximum capacity of 1 members.");
    lab.join("a", &["t"]);
}

#[test]
fn a_session_ends_on_the_steady_clock_and_the_rest_goes_on() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.join("a", &["t"]);
    lab.advance(30_000);
    lab.join("b", &["t"]);
    lab.advance(14_000);
    assert_eq!(lab.group().members().len(), 2);
    lab.advance(1_000);
    assert_eq!(lab.group().members().keys().map(|id| id.as_str()).collect::<Vec<_>>(), ["b"]);
    let epoch = lab.group().members()["b"].member_epoch;
    let beat = lab.beat("b", epoch).expect("a member");
    assert_eq!(partitions(&beat), Some(vec![0, 1]));
    // A restart begins sessions anew.
    lab.restart();
    lab.advance(44_000);
    assert_eq!(lab.group().members().len(), 1);
    lab.advance(1_000);
    assert!(lab.group().is_empty());
    assert_eq!(lab.group().state_name(), "Empty");
    assert_eq!(lab.shard.timer_count(), 1, "the expiration of offsets alone");
}

#[test]
fn a_static_member_comes_back_to_what_it_had() {
    let mut lab = Lab::new(&[("t", 2)]);
    let join = |member| Beat { instance: Some("i"), ..Beat::join(member, &["t"]) };
    lab.send(&join("a").as_heartbeat()).expect("it may join");
    lab.join("b", &["t"]);
    lab.has("a", 2, &[0]);
    let unreleased = lab.send(&join("c").as_heartbeat()).expect_err("a has not left");
    assert_eq!(unreleased.code, ErrorCode::UnreleasedInstanceId);
    assert_eq!(
        unreleased.message,
        "Static member c with instance id i cannot join the group because the instance id is owned by a member."
    );
    let epoch_before = lab.group().epoch();
    let had = lab.group().members()["a"].assigned.clone();
    let (effects, outcome) =
        lab.shard.on_consumer_leave(GROUP, "a", Some("i"), -2, lab.wall_ms).expect("a member");
    assert_eq!(outcome.member_epoch, -2);
    lab.perform(effects);
    assert_eq!(lab.group().members()["a"].member_epoch, -2);
    let back = lab.send(&join("c").as_heartbeat()).expect("a is away");
    let keys = |owned: &crate::record::consumer::Owned| -> Vec<_> {
        owned.iter().map(|(id, partitions)| (*id, partitions.keys().copied().collect::<Vec<_>>())).collect()
    };
    assert_eq!(back.assignment.as_deref().map(keys), Some(keys(&had)));
    assert_eq!(lab.group().epoch(), epoch_before, "nobody else notices");
    assert!(!lab.group().members().contains_key("a"));
    let fenced =
        lab.send(&Beat { instance: Some("i"), epoch: 3, member: "a", ..Beat::default() }.as_heartbeat());
    assert_eq!(
        fenced.expect_err("c is i"),
        GroupError::new(
            ErrorCode::FencedInstanceId,
            "Static member a with instance id i was fenced by member c."
        )
    );
    let unknown = Beat { instance: Some("j"), epoch: 3, member: "a", ..Beat::default() };
    assert_eq!(code(lab.send(&unknown.as_heartbeat())), ErrorCode::UnknownMemberId);
    lab.restart();
    assert_eq!(lab.group().static_member("i").map(|(id, _)| id.as_str()), Some("c"));
}

#[test]
fn topics_that_come_and_grow_are_noticed_with_the_next_heartbeat() {
    let mut lab = Lab::new(&[]);
    let joined = lab.join("a", &["t"]);
    assert_eq!((joined.member_epoch, partitions(&joined)), (2, Some(vec![])));
    lab.set_topics(&[("t", 1)]);
    let beat = lab.beat("a", 2).expect("a member");
    assert_eq!((beat.member_epoch, partitions(&beat)), (3, Some(vec![0])));
    lab.set_topics(&[("t", 1)]);
    let written = lab.log.len();
    assert_eq!(lab.beat("a", 3).expect("a member").member_epoch, 3, "nothing is other than before");
    assert_eq!(lab.log.len(), written);
}

#[test]
fn a_target_is_computed_once_in_an_interval_whatever_the_wall_clock_does() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.interval_ms.store(1_000, Ordering::Relaxed);
    lab.join("a", &["t"]);
    let joined = lab.join("b", &["t"]);
    assert_eq!((joined.member_epoch, partitions(&joined)), (2, Some(vec![])), "not yet");
    assert_eq!(lab.group().state_name(), "Assigning");
    // The wall clock is set back by an hour.
    lab.wall_ms -= 3_600_000;
    assert_eq!(lab.beat("b", 2).expect("a member").member_epoch, 3);
    assert_eq!(lab.group().state_name(), "Reconciling");
}

#[test]
fn what_was_computed_outside_counts_only_while_the_group_is_as_it_was() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.join("a", &["t"]);
    let beat = Beat::join("b", &["t"]).as_heartbeat();
    let topics = lab.topics.clone();
    let turn = |lab: &mut Lab, assigning| {
        let (now, wall_ms) = (lab.now, lab.wall_ms);
        lab.shard.on_consumer_heartbeat(&beat, &topics, assigning, now, wall_ms).expect("it may join")
    };
    let ConsumerHeartbeatTurn::Assign(task) = turn(&mut lab, Assigning::Outside) else {
        panic!("a target has to be computed");
    };
    lab.join("c", &["t"]);
    let computed = task.compute(|input| input.assign().expect("an assignment"));
    let outcome = turn(&mut lab, Assigning::With(computed));
    assert!(matches!(outcome, ConsumerHeartbeatTurn::Assign(_)), "c came in between");
    let outcome = turn(&mut lab, Assigning::Here);
    assert!(matches!(outcome, ConsumerHeartbeatTurn::Done(..)));
}

#[test]
fn how_far_members_have_come_does_not_outdate_what_is_computed() {
    let mut lab = Lab::new(&[("t", 4)]);
    lab.join("a", &["t"]);
    lab.join("b", &["t"]);
    let beat = Beat::join("c", &["t"]).as_heartbeat();
    let topics = lab.topics.clone();
    let (now, wall_ms) = (lab.now, lab.wall_ms);
    let turn = |lab: &mut Lab, assigning| {
        lab.shard.on_consumer_heartbeat(&beat, &topics, assigning, now, wall_ms).expect("it may join")
    };
    let ConsumerHeartbeatTurn::Assign(task) = turn(&mut lab, Assigning::Outside) else {
        panic!("a target has to be computed");
    };
    let written = lab.log.len();
    lab.has("a", 2, &[0, 1, 2, 3]);
    assert!(lab.log.len() > written, "it gives back what b is to have");
    let computed = task.compute(|input| input.assign().expect("an assignment"));
    let outcome = turn(&mut lab, Assigning::With(computed));
    assert!(matches!(outcome, ConsumerHeartbeatTurn::Done(..)));
}

#[test]
fn each_new_epoch_is_counted_once_and_not_again_at_a_start() {
    let mut lab = Lab::new(&[("t", 2)]);
    let counted = |lab: &Lab| lab.shard.settings.counts.rebalances().consumer;
    for step in 0..3 {
        match step {
            0 => drop(lab.join("a", &["t"])),
            1 => drop(lab.join("b", &["t"])),
            _ => lab.leave("b"),
        }
        assert_eq!(counted(&lab), lab.group().epoch() as u64, "step {step}");
    }
    let before = counted(&lab);
    lab.restart();
    assert_eq!(counted(&lab), before);
}
