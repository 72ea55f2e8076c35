//! Histories of a quorum from seeds, and the pitfalls R1 to R7 by name.
//! Core, for tests. A failing seed is repeated by `OTTLA_SEED=N`; `OTTLA_SEEDS=N` plays the first N.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_env::Disk;
use ottla_model::{BrokerId, LeaderEpoch, Offset};

use super::machine::Input;
use super::sim::{Weather, World};
use crate::metadata::OpenError;

/// After faults have ended a leader is there within so many virtual milliseconds, and a change is committed.
pub(super) const HEALED_MS: u64 = 3_000;

fn seeds(count: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("OTTLA_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("OTTLA_SEEDS").unwrap_or(count)).collect(),
    }
}

/// Plays each seed, and says which one failed.
pub(super) fn play(name: &str, count: u64, history: impl Fn(u64)) {
    for seed in seeds(count) {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history(seed)));
        if let Err(panic) = result {
            eprintln!("OTTLA_SEED={seed} cargo test -p ottla-metadata {name}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Something goes wrong somewhere, or is repaired.
pub(super) fn disturb(world: &mut World) {
    let count = world.nodes.len();
    let node = world.rng.below(count as u64) as usize;
    let other = (node + 1 + world.rng.below(count as u64 - 1) as usize) % count;
    match world.rng.below(14) {
        0 => world.kill(node),
        1 => world.lose_power(node),
        2 => {
            // In the middle of what it writes.
            let left = world.rng.below(6);
            world.nodes[node].disk.die_after(left);
            let wait = world.rng.below(60);
            world.run(wait);
            world.lose_power(node);
        }
        3..=6 => start_again(world, node),
        7 => {
            world.cut.insert((node, other));
        }
        8 => {
            for peer in (0..count).filter(|peer| *peer != node) {
                world.cut.extend([(node, peer), (peer, node)]);
            }
        }
        9 | 10 => world.cut.clear(),
        11 => world.pause(node),
        12 => world.resume(node),
        _ => {
            let lost = [0, 0, 20, 200][world.rng.below(4) as usize];
            let delay_ms_max = [1, 5, 40][world.rng.below(3) as usize];
            let write_ms_max = [0, 4, 30, 400][world.rng.below(4) as usize];
            world.weather = Weather { delay_ms_max, lost, write_ms_max };
        }
    }
}

fn start_again(world: &mut World, node: usize) {
    if !world.lives(node) {
        world.start(node).expect("a crash is not taken for lost promises");
    }
}

pub(super) fn heal(world: &mut World) {
    world.cut.clear();
    world.weather = Weather::default();
    for node in 0..world.nodes.len() {
        world.resume(node);
        // One that failed because its disk did starts anew.
        if world.nodes[node].failed.take().is_some() {
            world.lose_power(node);
        }
        start_again(world, node);
    }
}

/// All voters have one image with all that was answered.
fn check_agreement(world: &mut World) {
    let op = world.commit(HEALED_MS).expect("a change is committed after all is well again");
    world.run(1_000);
    assert!(world.is_answered(op));
    let first = world.image(0);
    let settings = |image: &crate::image::Image| format!("{:?}", image.configs);
    for node in 1..world.nodes.len() {
        let image = world.image(node);
        assert_eq!(image.metadata_offset(), first.metadata_offset(), "voter {node} is behind");
        assert_eq!(settings(&image), settings(&first), "voter {node} has another image");
        assert_eq!(image.controller_id(), first.controller_id(), "voter {node} knows another controller");
    }
    world.check_answered(&first);
}

fn history(seed: u64, voters: usize, steps: usize) -> Vec<String> {
    let mut world = World::new(seed, voters);
    if seed.is_multiple_of(3) {
        world = world.with_snapshots(2_000);
    }
    let mut world = world.started();
    for _ in 0..steps {
        let wait = world.rng.below(300);
        world.run(wait);
        if world.rng.below(3) == 0 {
            disturb(&mut world);
        } else {
            let node = match world.leader() {
                Some(leader) if world.rng.below(8) > 0 => leader,
                _ => world.rng.below(voters as u64) as usize,
            };
            let records = 1 + world.rng.below(6);
            world.ask(node, records);
        }
    }
    heal(&mut world);
    check_agreement(&mut world);
    std::mem::take(&mut world.trace)
}

#[test]
fn three_voters_agree_whatever_happens() {
    play("three_voters_agree_whatever_happens", 40, |seed| drop(history(seed, 3, 60)));
}

#[test]
fn five_voters_agree_whatever_happens() {
    play("five_voters_agree_whatever_happens", 20, |seed| drop(history(seed, 5, 60)));
}

/// Brokers without a vote read the log through all of it: they have what was committed, and nothing else.
#[test]
fn observers_have_what_is_committed_whatever_happens() {
    play("observers_have_what_is_committed_whatever_happens", 40, |seed| {
        let mut world = World::new(seed, 3);
        if seed.is_multiple_of(2) {
            world = world.with_snapshots(2_000);
        }
        let mut world = world.started();
        world.add_observer();
        for step in 0..60 {
            let wait = world.rng.below(300);
            world.run(wait);
            if step == 40 {
                // One that joins late.
                world.add_observer();
            }
            if world.rng.below(3) == 0 {
                disturb(&mut world);
            } else if let Some(leader) = world.leader() {
                let records = 1 + world.rng.below(6);
                world.ask(leader, records);
            }
        }
        heal(&mut world);
        check_agreement(&mut world);
        let voter = world.image(0);
        for observer in 0..world.observers.len() {
            let image = world.observed(observer);
            assert_eq!(image.metadata_offset(), voter.metadata_offset(), "observer {observer} is behind");
            assert_eq!(format!("{:?}", image.configs), format!("{:?}", voter.configs));
            assert_eq!(image.controller_id(), voter.controller_id());
        }
        INSTALLS.fetch_add(world.observers.iter().map(|one| one.installs).sum(), Ordering::Relaxed);
    });
    let installs = INSTALLS.load(Ordering::Relaxed);
    assert!(installs > 0 || std::env::var("OTTLA_SEED").is_ok(), "some came by a snapshot");
}

static INSTALLS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn the_same_seed_gives_the_same_trace() {
    play("the_same_seed_gives_the_same_trace", 6, |seed| {
        let (one, other) = (history(seed, 3, 40), history(seed, 3, 40));
        assert_eq!(one, other);
    });
}

#[test]
fn empty_folders_elect_a_leader_and_commit() {
    for voters in [2, 3, 5] {
        let mut world = World::new(7, voters).started();
        let (_, took) = world.run_until_leader(2_000).expect("a leader");
        assert!(took < 1_500, "{took} ms");
        check_agreement(&mut world);
    }
}

#[test]
fn a_leader_that_dies_is_followed_at_once_and_nothing_committed_is_lost() {
    for seed in 0..10 {
        let mut world = World::new(seed, 3).started();
        let mut committed = Vec::new();
        for _ in 0..5 {
            committed.extend(world.commit(HEALED_MS));
        }
        let leader = world.leader().expect("a leader");
        world.kill(leader);
        let (next, took) = world.run_until_leader(2_000).expect("another leader");
        assert_ne!(next, leader);
        // The closed connection ends the lease, and the rank decides who begins: no timeout is waited for.
        assert!(took <= 200, "{took} ms after seed {seed}");
        world.commit(1_000).expect("it commits");
        let image = format!("{:?}", world.image(next).configs);
        for op in committed {
            assert!(image.contains(&format!("\"op-{op}\"")), "change {op} is lost");
        }
    }
}

#[test]
fn a_cut_off_leader_stops_and_its_answers_are_not_controller() {
    let mut world = World::new(3, 3).started();
    world.commit(HEALED_MS).expect("a change");
    let old = world.leader().expect("a leader");
    for other in (0..3).filter(|other| *other != old) {
        world.cut.extend([(old, other), (other, old)]);
    }
    let waiting = world.ask(old, 3);
    world.run(1_000);
    assert_eq!(world.machine(old).leadership().leader, None, "check-quorum");
    let answer = world.answers.lock().get(&waiting).cloned().expect("an answer");
    assert!(answer.is_err(), "nothing was committed");
    world.commit(1_000).expect("the others go on");
    world.cut.clear();
    check_agreement(&mut world);
    let image = format!("{:?}", world.image(old).configs);
    assert!(!image.contains(&format!("\"op-{waiting}\"")), "what only the old leader had is gone");
}

#[test]
fn a_follower_far_behind_gets_the_snapshot() {
    for seed in 0..5 {
        let mut world = World::new(seed, 3).with_snapshots(1_000).started();
        world.commit(HEALED_MS).expect("a change");
        let leader = world.leader().expect("a leader");
        let away = (leader + 1) % 3;
        world.kill(away);
        for _ in 0..40 {
            world.commit(HEALED_MS).expect("two of three commit");
        }
        world.weather = Weather { lost: 50, ..Weather::default() };
        world.start(away).expect("it starts");
        world.run(4_000);
        world.weather = Weather::default();
        check_agreement(&mut world);
        let installs = format!(" {away} installs ");
        assert!(world.trace.iter().any(|line| line.contains(&installs)), "it came by snapshot");
        // And it stands after a restart of all.
        (0..3).for_each(|node| world.lose_power(node));
        (0..3).for_each(|node| start_again(&mut world, node));
        check_agreement(&mut world);
    }
}

/// A crash between a fetched snapshot and the cut of the log that it replaces leaves no record of another history.
#[test]
fn what_a_snapshot_replaced_is_cut_at_the_next_start() {
    let mut world = World::new(6, 3).with_snapshots(1_000).started();
    world.commit(HEALED_MS).expect("a change");
    let old = world.leader().expect("a leader");
    for other in (0..3).filter(|other| *other != old) {
        world.cut.extend([(old, other), (other, old)]);
    }
    for _ in 0..6 {
        world.ask(old, 100);
    }
    world.run(100);
    let of_old = world.machine(old).end();
    world.kill(old);
    for _ in 0..40 {
        world.commit(HEALED_MS).expect("the others commit");
    }
    world.cut.clear();
    world.start(old).expect("it starts");
    let folder = Path::new("/data/__cluster_metadata-0");
    let newest = |world: &World| {
        crate::snapshot::list(&world.nodes[old].disk, folder).expect("a folder").first().copied()
    };
    while newest(&world).is_none() {
        world.run(1);
    }
    world.kill(old);
    let snapshot = newest(&world).expect("a snapshot");
    assert!(of_old > snapshot.end_offset, "its own records lie behind the snapshot");
    world.start(old).expect("it starts");
    assert_eq!(world.machine(old).end(), snapshot.end_offset, "they are gone");
    check_agreement(&mut world);
}

/// R1: what a voter acknowledged is gone, and it stops.
#[test]
fn r1_a_voter_that_lost_what_it_promised_stops() {
    let mut world = World::new(1, 3).started();
    for _ in 0..3 {
        world.commit(HEALED_MS).expect("a change");
    }
    let leader = world.leader().expect("a leader");
    let follower = (leader + 1) % 3;
    let folder = Path::new("/data/__cluster_metadata-0");
    // Its epoch and vote are gone, changed, or behind the log.
    let path = folder.join("quorum-state");
    world.kill(follower);
    let disk = world.nodes[follower].disk.clone();
    let whole = disk.read(&path).expect("a file");
    disk.remove_file(&path).expect("removed");
    assert!(matches!(world.start(follower), Err(OpenError::LostPromises { .. })));
    for (from, to) in [("\"leaderEpoch\":", "\"leaderEpoch\":9"), ("crc32c", "crc32d")] {
        let text = String::from_utf8(whole.clone()).expect("text").replace(from, to);
        disk.write_atomically(&path, text.as_bytes()).expect("changed");
        let error = world.start(follower).expect_err("a changed file");
        assert!(error.to_string().contains("lost what it promised"), "{error}");
    }
    disk.write_atomically(&path, &whole).expect("restored");
    // Its log is cut behind its back, while its leader still counts on it.
    let log = folder.join("00000000000000000000.log");
    let bytes = disk.read(&log).expect("a log");
    let first = ottla_records::BatchView::first(&bytes).expect("a batch").bytes().len();
    let file = disk.open(&log, ottla_env::OpenMode::ReadWrite).expect("a log");
    file.set_len(first as u64).expect("cut");
    file.sync_data().expect("synced");
    world.start(follower).expect("nothing tells it yet");
    world.run(2_000);
    let why = world.nodes[follower].failed.clone().expect("it takes no part any more");
    assert!(why.contains("has lost records that it acknowledged"), "{why}");
    world.commit(HEALED_MS).expect("the other two go on");
}

/// R1: a power loss at every write of a voter is no reason to stop, and loses nothing.
#[test]
fn r1_power_loss_at_every_write() {
    for writes in 0..40 {
        let mut world = World::new(writes, 3).started();
        world.commit(HEALED_MS).expect("a change");
        let victim = writes as usize % 3;
        world.nodes[victim].disk.die_after(writes / 3);
        for _ in 0..6 {
            if let Some(leader) = world.leader() {
                world.ask(leader, 3);
            }
            world.run(50);
        }
        world.lose_power(victim);
        world.nodes[victim].failed = None;
        world.run(100);
        world.start(victim).expect("a crash is not taken for lost promises");
        check_agreement(&mut world);
    }
}

/// R2: an empty disk under the same id is another voter, and is not heard.
#[test]
fn r2_a_wiped_voter_is_refused() {
    let mut world = World::new(2, 3).started();
    world.commit(HEALED_MS).expect("a change");
    let leader = world.leader().expect("a leader");
    let wiped = (leader + 1) % 3;
    world.wipe(wiped);
    world.start(wiped).expect("an empty folder");
    world.run(3_000);
    assert_eq!(world.machine(wiped).end(), Offset::ZERO, "nobody gives it records");
    world.commit(HEALED_MS).expect("the other two go on");
    // With one of these gone the wiped one must not make a majority.
    let leader = world.leader().expect("a leader");
    world.kill(leader);
    world.run(5_000);
    assert_eq!(world.leader(), None, "a voter that forgot its promises elected somebody");
    world.start(leader).expect("it comes back");
    world.commit(HEALED_MS).expect("and they go on");
    // Nor when nobody leads who counts on what it had.
    let leader = world.leader().expect("a leader");
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let next = if one == wiped { other } else { one };
    (0..3).for_each(|node| world.kill(node));
    world.wipe(wiped);
    world.start(wiped).expect("an empty folder");
    world.start(next).expect("it starts");
    world.run(5_000);
    assert_eq!(world.leader(), None, "a voter that forgot its promises elected somebody");
}

/// R3: controllers sync always, whatever the durability of the broker is: an answered change is there after all lose
/// power at once.
#[test]
fn r3_all_lose_power_at_once() {
    for seed in 0..10 {
        let mut world = World::new(seed, 3).started();
        for _ in 0..4 {
            world.commit(HEALED_MS).expect("a change");
        }
        (0..3).for_each(|node| world.lose_power(node));
        (0..3).for_each(|node| start_again(&mut world, node));
        check_agreement(&mut world);
    }
}

/// R4: churn, snapshots and a voter that is away: who votes is the same after an install.
#[test]
fn r4_voters_are_the_same_after_a_snapshot() {
    let mut world = World::new(4, 3).with_snapshots(800).started();
    for round in 0..6 {
        let away = round % 3;
        world.kill(away);
        for _ in 0..12 {
            world.commit(HEALED_MS).expect("two of three commit");
        }
        world.start(away).expect("it starts");
        world.run(1_500);
        // Every pair can elect and commit: each knows that a majority is two of three.
        let other = (away + 1) % 3;
        world.kill(other);
        world.commit(HEALED_MS).expect("with the one that was away");
        world.start(other).expect("it starts");
        world.run(1_500);
    }
    check_agreement(&mut world);
}

/// R5: one-way links neither depose a leader that the others hear, nor keep the quorum from one.
#[test]
fn r5_one_way_links_stop_nobody() {
    for seed in 0..8 {
        let mut world = World::new(seed, 3).started();
        world.commit(HEALED_MS).expect("a change");
        let leader = world.leader().expect("a leader");
        let epoch = world.machine(leader).leadership().epoch;
        let (deaf, other) = ((leader + 1) % 3, (leader + 2) % 3);
        // One follower hears nothing; it must not depose the leader by its elections.
        world.cut.extend([(leader, deaf), (other, deaf)]);
        world.run(3_000);
        assert_eq!(world.leader(), Some(leader));
        assert_eq!(world.machine(leader).leadership().epoch, epoch, "pre-vote");
        world.commit(500).expect("the leader commits");
        // The leader hears nothing and is heard: it must give way.
        world.cut.clear();
        world.run(500);
        world.cut.extend([(deaf, leader), (other, leader)]);
        world.run(2_000);
        let next = world.leader().expect("another leader");
        assert_ne!(next, leader, "check-quorum");
        world.cut.clear();
        check_agreement(&mut world);
    }
}

/// R6: two survivors never tie for long.
#[test]
fn r6_survivors_do_not_tie() {
    let mut longest = 0;
    for seed in seeds(300) {
        let mut world = World::new(seed, 3).started();
        world.run_until_leader(2_000).expect("a leader");
        for _ in 0..4 {
            world.run(200);
            let Some((leader, _)) = world.run_until_leader(1_500) else { panic!("no leader, seed {seed}") };
            // Half of them without a closed connection: the machine is gone.
            if world.rng.below(2) == 0 {
                world.kill(leader);
            } else {
                for other in (0..3).filter(|other| *other != leader) {
                    world.cut.extend([(leader, other), (other, leader)]);
                }
            }
            let others: Vec<usize> = (0..3).filter(|other| *other != leader).collect();
            let begun = world.now_ms;
            let is_led = |world: &mut World| {
                others
                    .iter()
                    .any(|node| world.machine(*node).leadership().leader == Some(BrokerId(*node as i32 + 1)))
            };
            while !is_led(&mut world) {
                world.run(5);
                assert!(world.now_ms - begun < 1_000, "no leader for a second, seed {seed}");
            }
            longest = longest.max(world.now_ms - begun);
            world.cut.clear();
            start_again(&mut world, leader);
        }
    }
    assert!(longest > 0);
}

/// R7: who was deposed without knowing answers no decision as done.
#[test]
fn r7_a_paused_leader_answers_nothing_as_done() {
    for seed in 0..8 {
        let mut world = World::new(seed, 3).started();
        world.commit(HEALED_MS).expect("a change");
        let old = world.leader().expect("a leader");
        world.pause(old);
        world.run(2_000);
        world.commit(HEALED_MS).expect("the others go on");
        world.resume(old);
        let op = world.ask(old, 1);
        assert!(!world.is_answered(op), "a deposed leader answered");
        world.run(1_000);
        assert!(!world.is_answered(op));
        check_agreement(&mut world);
    }
}

/// A voter's disk stalls for two seconds: its heartbeats go on, and nobody deposes it.
#[test]
fn a_slow_disk_deposes_no_leader() {
    let mut world = World::new(9, 3).started();
    world.commit(HEALED_MS).expect("a change");
    let leader = world.leader().expect("a leader");
    let epoch = world.machine(leader).leadership().epoch;
    world.weather = Weather { write_ms_max: 2_000, ..Weather::default() };
    for _ in 0..5 {
        world.ask(leader, 2);
        world.run(500);
    }
    assert_eq!(world.leader(), Some(leader));
    assert_eq!(world.machine(leader).leadership().epoch, epoch);
    world.weather = Weather::default();
    world.run(3_000);
    check_agreement(&mut world);
}

/// A planned stop: the leadership moves before the process goes, and nothing is waited for.
#[test]
fn a_leader_hands_over_in_a_few_round_trips() {
    for seed in 0..10 {
        let mut world = World::new(seed, 3).started();
        world.commit(HEALED_MS).expect("a change");
        let old = world.leader().expect("a leader");
        world.input(old, Input::HandOver);
        world.run(60);
        let next = world.leader().expect("another leader");
        assert_ne!(next, old, "seed {seed}");
        world.kill(old);
        world.commit(500).expect("the others go on");
        world.start(old).expect("it starts");
        check_agreement(&mut world);
    }
}

#[test]
fn a_lone_input_of_garbage_changes_nothing() {
    let mut world = World::new(5, 3).started();
    world.commit(HEALED_MS).expect("a change");
    for bytes in [&b""[..], b"x", &[1, 3, 0], &[255; 64]] {
        world.input(0, Input::Frame(BrokerId(2), bytes.to_vec().into()));
        world.input(0, Input::Frame(BrokerId(99), bytes.to_vec().into()));
    }
    assert!(world.machine(0).leadership().epoch >= LeaderEpoch(1));
    check_agreement(&mut world);
}
