//! Histories of a quorum whose voters change, from seeds.
//! Core, for tests. A failing seed is repeated by `OTTLA_SEED=N`; `OTTLA_SEEDS=N` plays the first N.

use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_model::{BrokerId, ErrorCode};

use super::sim::World;
use super::sim_tests::{HEALED_MS, disturb, heal, play};
use crate::controller::features::KRAFT_VERSION;
use crate::own_vote::{OwnVote, VoteStep};
use crate::voter_changes::VoterChange;

const UPGRADE: VoterChange = VoterChange::Upgrade { is_asked: false };

/// Three voters, and one node more, at kraft.version 1.
fn upgraded(seed: u64, more: usize) -> World {
    let mut world = World::new(seed, 3);
    (0..more).for_each(|_| world.add_node());
    let mut world = world.with_snapshots(if seed.is_multiple_of(3) { 2_000 } else { u64::MAX }).started();
    world.commit_by_active(HEALED_MS).expect("a change");
    world.register_controllers();
    world.run(100);
    world.carry_out(|_| UPGRADE, HEALED_MS).expect("the quorum says from here on who votes");
    world
}

/// All nodes, with a vote or without, have one image and one set of voters.
fn check_all_agree(world: &mut World) {
    let op = world.commit_by_active(HEALED_MS).expect("a change is committed after all is well again");
    world.run(3_000);
    assert!(world.is_answered(op));
    let (first, voters) = (world.image(0), world.voters_at(0));
    let settings = |image: &crate::image::Image| format!("{:?}", image.configs);
    for node in 1..world.nodes.len() {
        let image = world.image(node);
        assert_eq!(image.metadata_offset(), first.metadata_offset(), "node {node} is behind");
        assert_eq!(settings(&image), settings(&first), "node {node} has another image");
        assert_eq!(image.voters(), first.voters(), "node {node} has other voters");
        assert_eq!(world.voters_at(node), voters, "node {node} counts other voters");
    }
    world.check_answered(&first);
}

fn ids(world: &mut World, number: usize) -> Vec<i32> {
    world.voters_at(number).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_fourth_voter_joins_and_the_leader_is_removed() {
    for seed in 0..12 {
        let mut world = upgraded(seed, 1);
        let active = world.active().expect("a leader");
        assert_eq!(world.image(active).feature_level(KRAFT_VERSION), 1);
        world.carry_out(|world| VoterChange::Add(world.voter(3)), HEALED_MS).expect("the fourth joins");
        world.run(500);
        assert_eq!(ids(&mut world, 3), [1, 2, 3, 4], "it has read that it votes");
        let old = world.active().expect("a leader");
        let epoch = world.machine(old).leadership().epoch;
        world.carry_out(|world| world.removal(old), HEALED_MS).expect("the leader is removed");
        world.run(300);
        let next = world.run_until_active(2_000).expect("another leader");
        assert_ne!(next, old, "seed {seed}");
        assert!(world.machine(next).leadership().epoch > epoch);
        check_all_agree(&mut world);
        // All start anew, and know the voters by the log: two of three are enough.
        (0..4).for_each(|node| world.lose_power(node));
        let away = (0..4).find(|node| *node != old).expect("a voter");
        (0..4).filter(|node| *node != away).for_each(|node| world.start(node).expect("it starts"));
        world.commit_by_active(HEALED_MS).expect("two voters of three commit");
        assert_ne!(world.active(), Some(old), "who was removed does not lead");
        world.start(away).expect("it starts");
        check_all_agree(&mut world);
    }
}

#[test]
fn kafkas_refusals() {
    let mut world = World::new(4, 3);
    world.add_node();
    let mut world = world.started();
    world.commit_by_active(HEALED_MS).expect("a change");
    let refused = |world: &mut World, change: VoterChange| {
        let active = world.run_until_active(HEALED_MS).expect("a leader");
        let asked = world.change(active, change);
        world.answer(asked).expect("an answer at once").expect_err("a refusal")
    };
    let add = VoterChange::Add(world.voter(3));
    assert_eq!(refused(&mut world, add.clone()), ErrorCode::UnsupportedVersion);
    let removal = world.removal(0);
    assert_eq!(refused(&mut world, removal), ErrorCode::UnsupportedVersion);
    let early = refused(&mut world, UPGRADE);
    assert_eq!(early, ErrorCode::InvalidUpdateVersion, "a controller may be of an earlier release");
    world.register_controllers();
    world.run(100);
    world.carry_out(|_| UPGRADE, HEALED_MS).expect("an upgrade");
    let known = VoterChange::Add(world.voter(1));
    assert_eq!(refused(&mut world, known), ErrorCode::DuplicateVoter);
    let removal = world.removal(3);
    assert_eq!(refused(&mut world, removal), ErrorCode::VoterNotFound);
    let other = VoterChange::Remove(BrokerId(2), world.nodes[0].directory_id);
    assert_eq!(refused(&mut world, other), ErrorCode::VoterNotFound);
    let unknown = VoterChange::Update(world.voter(3));
    assert_eq!(refused(&mut world, unknown), ErrorCode::VoterNotFound);
    // One that has not read the log.
    world.kill(3);
    world.run(10_000);
    assert_eq!(refused(&mut world, add.clone()), ErrorCode::RequestTimedOut);
    world.start(3).expect("it starts");
    world.run(2_000);
    // One change at a time.
    let active = world.active().expect("a leader");
    let first = world.change(active, add.clone());
    assert_eq!(refused(&mut world, add), ErrorCode::RequestTimedOut);
    world.run(500);
    assert_eq!(world.answer(first), Some(Ok(())));
}

/// The record of a change is with the leader alone when it dies: the old voters count, there too when it comes back.
#[test]
fn a_change_that_is_not_committed_is_taken_back() {
    for seed in 0..12 {
        let mut world = upgraded(seed, 1);
        world.run(1_500);
        let old = world.active().expect("a leader");
        for other in (0..4).filter(|other| *other != old) {
            world.cut.extend([(old, other), (other, old)]);
        }
        let change = match seed.is_multiple_of(2) {
            true => VoterChange::Add(world.voter(3)),
            false => world.removal((old + 1) % 3),
        };
        let asked = world.change(old, change);
        assert_ne!(ids(&mut world, old), [1, 2, 3], "it counts where it stands");
        world.run(200);
        world.lose_power(old);
        world.commit_by_active(HEALED_MS).expect("the old voters go on");
        world.cut.clear();
        world.start(old).expect("it starts");
        check_all_agree(&mut world);
        assert_ne!(world.answer(asked), Some(Ok(())), "it was not answered as done");
        assert_eq!(ids(&mut world, old), [1, 2, 3]);
    }
}

/// A voter whose disk is lost is another voter: the old one is removed, the new one is added under the same id.
#[test]
fn a_voter_with_an_empty_disk_takes_the_place_of_the_old_one() {
    for seed in 0..12 {
        let mut world = upgraded(seed, 0);
        let lost = (world.active().expect("a leader") + 1) % 3;
        let old = world.removal(lost);
        world.wipe(lost);
        world.start(lost).expect("an empty folder");
        world.run(1_000);
        let VoterChange::Remove(_, directory) = &old else { unreachable!("a removal") };
        assert_eq!(
            world.machine(lost).replaces(),
            Some(*directory),
            "it is told for whose sake it is refused"
        );
        world.carry_out(|_| old.clone(), HEALED_MS).expect("the old one is removed");
        world
            .carry_out(|world| VoterChange::Add(world.voter(lost)), 2 * HEALED_MS)
            .expect("the new one joins");
        let other = (0..3).find(|node| *node != lost && world.active() != Some(*node)).expect("a third");
        world.kill(other);
        world.commit_by_active(HEALED_MS).expect("the new one counts");
        world.start(other).expect("it starts");
        check_all_agree(&mut world);
    }
}

/// What each node asks for by itself (`controller.quorum.auto.join.enable`) comes to whoever leads.
fn tend_votes(world: &mut World) {
    for number in 0..world.nodes.len() {
        if !world.lives(number) || world.nodes[number].is_paused {
            continue;
        }
        let node = world.voter(number);
        let own = OwnVote::new(node.id, node.directory_id, node.endpoints.clone(), true);
        let (image, replaces) = (world.image(number), world.machine(number).replaces());
        let change = match own.next(&image, replaces) {
            None => continue,
            Some(VoteStep::Add) => VoterChange::Add(node),
            Some(VoteStep::RemoveOld(directory_id)) => VoterChange::Remove(node.id, directory_id),
            Some(VoteStep::Update) => VoterChange::Update(node),
        };
        if let Some(active) = world.active() {
            world.change(active, change);
        }
    }
}

/// Whether each node votes with the directory that it has, in the eyes of a node.
fn all_vote(world: &mut World, at: usize) -> bool {
    let all: Vec<_> = world.nodes.iter().map(|node| (node.id.0, node.directory_id)).collect();
    world.voters_at(at) == all
}

#[test]
fn controllers_add_themselves_and_come_back_after_a_lost_disk() {
    play("controllers_add_themselves_and_come_back_after_a_lost_disk", 16, |seed| {
        let mut world = upgraded(seed, 1);
        for _ in 0..60 {
            let wait = world.rng.below(400);
            world.run(wait);
            match world.rng.below(5) {
                0 | 1 => disturb(&mut world),
                2 => {
                    // One at a time: the others have all that is committed.
                    let number = world.rng.below(world.nodes.len() as u64) as usize;
                    if let Some(active) = world.active()
                        && all_vote(&mut world, active)
                    {
                        world.wipe(number);
                        world.start(number).expect("an empty folder");
                    }
                }
                _ => {
                    let at = world.active().unwrap_or(0);
                    let records = 1 + world.rng.below(6);
                    world.ask(at, records);
                }
            }
            tend_votes(&mut world);
        }
        heal(&mut world);
        for _ in 0..200 {
            tend_votes(&mut world);
            world.run(100);
        }
        assert!((0..4).all(|at| all_vote(&mut world, at)), "who votes at the end: {:?}", world.voters_at(0));
        check_all_agree(&mut world);
        tend_votes(&mut world);
        assert!((0..4).all(|at| all_vote(&mut world, at)), "nobody asks for anything any more");
    });
}

/// Somebody asks for a change that makes sense to whom leads.
fn ask_for_a_change(world: &mut World) {
    let count = world.nodes.len();
    let number = world.rng.below(count as u64) as usize;
    let at = match world.active() {
        Some(active) if world.rng.below(8) > 0 => active,
        _ => world.rng.below(count as u64) as usize,
    };
    if !world.lives(at) {
        return;
    }
    let voters = ids(world, at);
    let is_voter = voters.contains(&(number as i32 + 1));
    let change = match is_voter {
        true if voters.len() > 2 => world.removal(number),
        true => return,
        false => VoterChange::Add(world.voter(number)),
    };
    world.change(at, change);
}

static SETS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn voters_come_and_go_whatever_happens() {
    play("voters_come_and_go_whatever_happens", 40, |seed| {
        let mut world = upgraded(seed, 2);
        for _ in 0..70 {
            let wait = world.rng.below(300);
            world.run(wait);
            match world.rng.below(4) {
                0 => disturb(&mut world),
                1 => ask_for_a_change(&mut world),
                _ => {
                    let at = world.active().unwrap_or(0);
                    let records = 1 + world.rng.below(6);
                    world.ask(at, records);
                }
            }
        }
        heal(&mut world);
        check_all_agree(&mut world);
        SETS.fetch_add(world.checks.sets, Ordering::Relaxed);
    });
    let sets = SETS.load(Ordering::Relaxed);
    assert!(sets > 100 || std::env::var("OTTLA_SEED").is_ok(), "{sets} sets were committed");
}
