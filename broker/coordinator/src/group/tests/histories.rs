//! Random histories from a seed: whatever clients do, the group holds together and answers everybody.
//! Core.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// xorshift; the seed is the whole history.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// What is always true of a group.
fn check(lab: &Lab, generation_before: i32) {
    let Some(group) = lab.shard.classic_group(GROUP) else { return };
    assert!(group.generation_id >= generation_before, "generations only grow");
    let mut parked = BTreeSet::new();
    for member in group.members.values() {
        for waiter in member.awaiting_join.iter().chain(&member.awaiting_sync) {
            assert!(parked.insert(waiter.token), "one request is parked once");
        }
    }
    let unanswered: BTreeSet<u64> =
        (1..=lab.tokens).filter(|token| !lab.answers.contains_key(token)).collect();
    assert_eq!(parked, unanswered, "who waits is parked with a member, and nobody else");
    let awaiting = group.members.values().filter(|member| member.is_awaiting_join()).count();
    assert_eq!(awaiting, group.awaiting_join_count);
    if group.members.is_empty() {
        assert_eq!(group.leader_id, None);
    } else {
        let leader = group.leader_id.as_ref().unwrap_or_else(|| panic!("members without a leader"));
        assert!(group.members.contains_key(leader), "the leader is a member");
    }
    for (instance, member_id) in &group.static_members {
        assert_eq!(group.members[member_id].group_instance_id.as_ref(), Some(instance));
    }
    assert!(group.pending_sync_members.iter().all(|id| group.members.contains_key(id)));
    assert!(group.pending_join_members.keys().all(|id| !group.members.contains_key(id)));
    let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for protocol in group.members.values().flat_map(|member| &member.supported_protocols) {
        *counts.entry(protocol.name.clone()).or_default() += 1;
    }
    assert_eq!(counts, group.supported_protocols);
    match group.state {
        ClassicGroupState::Empty => assert!(group.members.is_empty()),
        ClassicGroupState::PreparingRebalance => assert!(group.join_timer.is_some()),
        ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
            assert_eq!(group.awaiting_join_count, 0);
        }
        ClassicGroupState::Dead => panic!("dead without having been unloaded"),
    }
    if group.state == ClassicGroupState::Stable {
        let stored = group.stored.as_ref().unwrap_or_else(|| panic!("a stable group is stored"));
        assert_eq!(stored.generation, group.generation_id);
    }
    // A session that could end has a timer.
    for member in group.members.values() {
        assert!(member.session_timer.is_some() || member.has_satisfied_heartbeat());
    }
}

fn step(lab: &mut Lab, dice: &mut Dice, ids: &mut Vec<String>) {
    let instances = ["one", "two"];
    let generation = lab.shard.classic_group(GROUP).map_or(0, |group| group.generation_id());
    // Mostly the generation of now, at times one of before.
    let generation = if dice.below(10) == 0 { generation - 1 } else { generation };
    let id = if ids.is_empty() { "who".to_owned() } else { dice.pick(ids).clone() };
    if dice.below(25) == 0 {
        lab.refuse = Some(ErrorCode::CoordinatorNotAvailable);
    }
    match dice.below(20) {
        0..=2 => {
            let joiner = if dice.below(3) == 0 {
                static_joiner("", instances[dice.below(2) as usize])
            } else {
                joiner("")
            };
            let version = *dice.pick(&[0, 5, 8, 9]);
            lab.join_as(joiner, version);
        }
        3..=7 => {
            let names: &[&str] = if dice.below(8) == 0 { &["roundrobin"] } else { &["range", "roundrobin"] };
            let mut joiner = Joiner { protocols: protocols(names), ..joiner(&id) };
            let instance = lab.shard.classic_group(GROUP).and_then(|group| {
                group.members.get(id.as_str()).and_then(|member| member.group_instance_id.clone())
            });
            joiner.group_instance_id = instance;
            lab.join_as(joiner, *dice.pick(&[5, 9]));
        }
        8..=11 => {
            let assignments: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "x")).collect();
            let assignments = if dice.below(4) == 0 { &[] } else { &assignments[..] };
            lab.sync(&id, generation, assignments);
        }
        12..=13 => {
            lab.heartbeat(&id, generation);
        }
        14 => {
            lab.commit(&id, generation, 1);
        }
        15 => {
            lab.leave(&id, None);
        }
        16 => {
            lab.leave("", Some(instances[dice.below(2) as usize]));
        }
        _ => {
            let wait_ms = *dice.pick(&[0, 1, 600, 3_000, 11_000]);
            lab.advance(wait_ms);
        }
    }
    lab.refuse = None;
    lab.tick();
    if let Some(group) = lab.shard.classic_group(GROUP) {
        let known = group.member_ids().chain(group.pending_join_members.keys());
        ids.splice(.., known.map(|id| id.to_string()));
    }
}

fn run(seed: u64, steps: usize) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let settings = GroupSettings {
        initial_rebalance_delay_ms: (dice.below(2) == 0).then_some(3_000),
        members_max: *dice.pick(&[3, i32::MAX]),
        ..GroupSettings::default()
    };
    let mut lab = Lab::new(settings);
    let mut ids = Vec::new();
    let mut generation = 0;
    for _ in 0..steps {
        step(&mut lab, &mut dice, &mut ids);
        // A group that was never stored may be made again from nothing.
        let now = lab.shard.classic_group(GROUP).map_or(0, |group| group.generation_id());
        check(&lab, if now == 0 { 0 } else { generation });
        generation = now;
        lab.assert_same_after_restart();
    }
    // Everybody falls silent: sessions end, everyone is answered, nothing is left but the offsets' timer.
    lab.advance(30 * 60 * 1000);
    check(&lab, 0);
    assert!(
        (1..=lab.tokens).all(|token| lab.answers.contains_key(&token)),
        "seed {seed}: somebody still waits"
    );
    if let Some(group) = lab.shard.classic_group(GROUP) {
        assert_eq!(group.state(), ClassicGroupState::Empty, "seed {seed}");
    }
    assert_eq!(lab.shard.timer_count(), 1, "seed {seed}");
    lab.assert_same_after_restart();
}

#[test]
fn whatever_clients_do_the_group_holds_together() {
    for seed in 0..400 {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed, 120)) {
            eprintln!("the history of seed {seed} failed");
            std::panic::resume_unwind(panic);
        }
    }
}
