//! How partitions go from one member to another: revoked, released, assigned.
//! Core.

use super::*;
use crate::group::consumer::MemberState;

fn state(lab: &Lab, member: &str) -> (i32, MemberState) {
    let member = &lab.group().members()[member];
    (member.member_epoch, member.state)
}

#[test]
fn a_partition_is_given_back_before_another_gets_it() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.join("a", &["t"]);
    let joined = lab.join("b", &["t"]);
    assert_eq!((joined.member_epoch, partitions(&joined)), (3, Some(vec![])));
    assert_eq!(state(&lab, "b"), (3, MemberState::UnreleasedPartitions));
    // A hears that one partition is not its any more, and stays in its epoch.
    let told = lab.has("a", 2, &[0, 1]);
    assert_eq!((told.member_epoch, partitions(&told)), (2, Some(vec![0])));
    assert_eq!(state(&lab, "a"), (2, MemberState::UnrevokedPartitions));
    assert_eq!(lab.beat("b", 3).expect("a member").assignment, None, "it is not free yet");
    assert_eq!(lab.beat("a", 2).expect("a member").member_epoch, 2, "who does not say still has it");
    let given_back = lab.has("a", 2, &[0]);
    assert_eq!(given_back.member_epoch, 3);
    let gets = lab.beat("b", 3).expect("a member");
    assert_eq!(partitions(&gets), Some(vec![1]));
    assert_eq!(state(&lab, "b"), (3, MemberState::Stable));
    assert_eq!(lab.group().state_name(), "Stable");
}

#[test]
fn one_who_does_not_give_back_in_time_is_let_go() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.send(&Beat { rebalance_timeout_ms: 10_000, ..Beat::join("a", &["t"]) }.as_heartbeat())
        .expect("joins");
    lab.join("b", &["t"]);
    lab.has("a", 2, &[0, 1]);
    lab.advance(9_000);
    lab.has("a", 2, &[0, 1]);
    assert_eq!(lab.group().members().len(), 2);
    lab.advance(1_000);
    assert_eq!(lab.group().members().len(), 1, "the rebalance timeout counts from the first word of it");
    let beat = lab.beat("b", 3).expect("a member");
    assert_eq!(partitions(&beat), Some(vec![0, 1]));
}

#[test]
fn the_rebalance_timeout_ends_with_the_revocation_and_outlives_a_restart() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.send(&Beat { rebalance_timeout_ms: 10_000, ..Beat::join("a", &["t"]) }.as_heartbeat())
        .expect("joins");
    lab.join("b", &["t"]);
    lab.has("a", 2, &[0, 1]);
    lab.restart();
    assert_eq!(state(&lab, "a"), (2, MemberState::UnrevokedPartitions));
    lab.has("a", 2, &[0]);
    lab.advance(20_000);
    assert_eq!(lab.group().members().len(), 2);
    lab.join("c", &["t"]);
    assert_eq!(lab.group().members().len(), 3);
}

#[test]
fn a_topic_that_is_not_read_any_more_is_given_back_at_once() {
    let mut lab = Lab::new(&[("t", 1), ("u", 1)]);
    lab.join("a", &["t", "u"]);
    let change = Beat { member: "a", epoch: 2, topics: Beat::join("a", &["u"]).topics, ..Beat::default() };
    let told = lab.send(&change.as_heartbeat()).expect("a member");
    assert_eq!((told.member_epoch, partitions(&told)), (2, Some(vec![])));
    assert_eq!(state(&lab, "a"), (2, MemberState::UnrevokedPartitions));
    let done = Beat { member: "a", epoch: 2, owned: Some(Vec::new()), ..Beat::default() };
    assert_eq!(lab.send(&done.as_heartbeat()).expect("a member").member_epoch, 3);
}

#[test]
fn partitions_keep_the_epoch_in_which_they_were_given() {
    let mut lab = Lab::new(&[("t", 1)]);
    lab.join("a", &["t"]);
    lab.set_topics(&[("t", 2)]);
    lab.beat("a", 2).expect("a member");
    let owned = lab.group().members()["a"].assigned.clone();
    assert_eq!(owned[&T], [(0, 2), (1, 3)].into());
    lab.restart();
    assert_eq!(lab.group().members()["a"].assigned, owned);
}

#[test]
fn a_member_that_leaves_makes_room() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.join("a", &["t"]);
    lab.join("b", &["t"]);
    lab.leave("a");
    assert_eq!(lab.group().epoch(), 4);
    let beat = lab.beat("b", 3).expect("a member");
    assert_eq!((beat.member_epoch, partitions(&beat)), (4, Some(vec![0, 1])));
    lab.leave("b");
    assert_eq!((lab.group().epoch(), lab.group().state_name()), (5, "Empty"));
    let effects = lab.shard.on_delete_group(GROUP).expect("it is empty");
    lab.perform(effects);
    assert!(lab.shard.group(GROUP).is_none());
}

/// Members come, go, lose answers and give back in any order: a partition is never two members', and in the end
/// everything is somebody's.
#[test]
fn no_partition_is_ever_two_members() {
    for seed in 0..40u64 {
        let mut lab = Lab::new(&[("t", 7)]);
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let names = ["a", "b", "c", "d"];
        // What each member believes: its epoch, and what it has.
        let mut known: BTreeMap<&str, (i32, BTreeSet<i32>)> = BTreeMap::new();
        for step in 0..200 {
            let name = names[draw(4) as usize];
            let is_ending = step > 150;
            match known.get(name).cloned() {
                None if is_ending && !known.is_empty() => {}
                None => {
                    let told = lab.join(name, &["t"]);
                    known.insert(
                        name,
                        (told.member_epoch, partitions(&told).unwrap_or_default().into_iter().collect()),
                    );
                }
                Some(_) if draw(12) == 0 && !is_ending => {
                    lab.leave(name);
                    known.remove(name);
                }
                Some((epoch, has)) => {
                    let owned = Some(vec![(T, has.iter().copied().collect())]);
                    let beat = Beat { member: name, epoch, owned, ..Beat::default() };
                    let Ok(told) = lab.send(&beat.as_heartbeat()) else {
                        // Two answers were lost: it lets go of everything and joins again.
                        known.remove(name);
                        continue;
                    };
                    if draw(5) == 0 {
                        continue; // the answer is lost
                    }
                    let entry = known.get_mut(name).expect("a member");
                    entry.0 = told.member_epoch;
                    if let Some(now) = partitions(&told) {
                        entry.1 = now.into_iter().collect();
                    }
                }
            }
            let mut owners: BTreeMap<i32, &str> = BTreeMap::new();
            for (name, (_, has)) in &known {
                for partition in has {
                    let other = owners.insert(*partition, name);
                    assert_eq!(
                        other, None,
                        "partition {partition} is {name}'s too, seed {seed}, step {step}"
                    );
                }
            }
        }
        let left: Vec<String> = lab.group().members().keys().map(|id| id.as_str().to_owned()).collect();
        for name in (0..8).flat_map(|_| &left) {
            let (epoch, has) =
                known.entry(names[names.iter().position(|n| n == name).expect("a name")]).or_default();
            let beat = Beat {
                epoch: *epoch,
                owned: Some(vec![(T, has.iter().copied().collect())]),
                ..Beat::join(name, &["t"])
            };
            match lab.send(&beat.as_heartbeat()) {
                Ok(told) => {
                    *epoch = told.member_epoch;
                    *has = partitions(&told).unwrap_or_default().into_iter().collect();
                }
                Err(_fenced) => (*epoch, *has) = (0, BTreeSet::new()),
            }
        }
        let all: BTreeSet<i32> = known.values().flat_map(|(_, has)| has.clone()).collect();
        assert_eq!(all, (0..7).collect(), "nothing is nobody's, seed {seed}");
        let stable = lab.group().state_name();
        lab.restart();
        assert_eq!(lab.group().state_name(), stable);
    }
}
