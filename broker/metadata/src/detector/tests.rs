//! Nodes that ping each other in virtual time: cut off, paused, slow, killed.
//! Core.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const STEP_MS: u64 = 10;
const DELAY_MS: u64 = 1;

/// What is on its way.
enum Message {
    Ping(Ping),
    Answer(BrokerId),
}

struct World {
    now_ms: u64,
    detectors: BTreeMap<BrokerId, Detector>,
    voters: BTreeSet<BrokerId>,
    /// Links that carry nothing, from and to.
    cut: BTreeSet<(i32, i32)>,
    /// Processes that stand still, and those that are gone.
    paused: BTreeSet<i32>,
    killed: BTreeSet<i32>,
    /// They ping and have no time for pings.
    busy: BTreeSet<i32>,
    controller: Option<BrokerId>,
    offsets: BTreeMap<BrokerId, i64>,
    /// Due when, for whom.
    queue: Vec<(u64, BrokerId, Message)>,
    /// What each saw first, of whom.
    fenced: BTreeMap<(i32, i32), u64>,
    cut_off: BTreeMap<i32, u64>,
    suspected: BTreeMap<(i32, i32), u64>,
}

fn ids(ids: &[i32]) -> BTreeSet<BrokerId> {
    ids.iter().map(|id| BrokerId(*id)).collect()
}

impl World {
    fn of(nodes: &[i32], voters: &[i32]) -> World {
        let (nodes, voters) = (ids(nodes), ids(voters));
        let mut detectors: BTreeMap<BrokerId, Detector> =
            nodes.union(&voters).map(|id| (*id, Detector::new(*id))).collect();
        for detector in detectors.values_mut() {
            detector.set_nodes(Monotonic::default(), &nodes, &voters);
        }
        let mut world = World {
            now_ms: 0,
            offsets: detectors.keys().map(|id| (*id, 7)).collect(),
            detectors,
            controller: voters.first().copied(),
            voters,
            cut: BTreeSet::new(),
            paused: BTreeSet::new(),
            killed: BTreeSet::new(),
            busy: BTreeSet::new(),
            queue: Vec::new(),
            fenced: BTreeMap::new(),
            cut_off: BTreeMap::new(),
            suspected: BTreeMap::new(),
        };
        world.run(2_000);
        assert!(world.is_quiet(), "nothing is wrong yet");
        world
    }

    fn three() -> World {
        World::of(&[1, 2, 3], &[1, 2, 3])
    }

    fn now(&self) -> Monotonic {
        Monotonic(Duration::from_millis(self.now_ms))
    }

    fn is_quiet(&self) -> bool {
        self.fenced.is_empty() && self.cut_off.is_empty()
    }

    fn cut(&mut self, one: i32, other: i32) {
        self.cut.extend([(one, other), (other, one)]);
    }

    fn isolate(&mut self, id: i32) {
        let all: Vec<i32> = self.detectors.keys().map(|id| id.0).collect();
        all.into_iter().filter(|other| *other != id).for_each(|other| self.cut(id, other));
    }

    fn runs(&self, id: BrokerId) -> bool {
        !self.paused.contains(&id.0) && !self.killed.contains(&id.0)
    }

    fn run(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.now_ms += STEP_MS;
            self.deliver();
            let due: Vec<BrokerId> = self.detectors.keys().copied().filter(|id| self.runs(*id)).collect();
            for id in due {
                // Each has its own phase.
                let phase = self.now_ms + 30 * u64::from(id.0.unsigned_abs());
                if phase.is_multiple_of(50) {
                    self.look(id);
                }
                if phase.is_multiple_of(100) {
                    self.ping(id);
                }
            }
        }
    }

    fn look(&mut self, id: BrokerId) {
        let (now, controller, offset) = (self.now(), self.controller, Offset(self.offsets[&id]));
        let look = self.detectors.get_mut(&id).expect("a node").look(now, controller, offset);
        for (silent, _) in look.silent {
            self.fenced.entry((id.0, silent.0)).or_insert(self.now_ms);
        }
        for suspect in look.suspects {
            self.suspected.entry((id.0, suspect.0)).or_insert(self.now_ms);
        }
        if look.is_cut_off {
            self.cut_off.entry(id.0).or_insert(self.now_ms);
        } else {
            self.cut_off.remove(&id.0);
        }
    }

    fn ping(&mut self, id: BrokerId) {
        let (now, offset) = (self.now(), Offset(self.offsets[&id]));
        let detector = self.detectors.get_mut(&id).expect("a node");
        if !self.busy.contains(&id.0) {
            detector.on_served(now);
        }
        let ping = detector.ping(now, offset);
        for to in detector.targets() {
            let is_whole = !self.cut.contains(&(id.0, to.0)) && !self.cut.contains(&(to.0, id.0));
            if detector.is_unanswered(now, to) && is_whole {
                detector.on_reached(now, to);
            }
            if self.killed.contains(&to.0) && !self.cut.contains(&(id.0, to.0)) {
                detector.on_refused(now, to);
            }
            self.queue.push((self.now_ms + DELAY_MS, to, Message::Ping(ping.clone())));
        }
    }

    /// What waits for a process that stands still comes when it goes on; a cut link loses.
    fn deliver(&mut self) {
        let (now_ms, now) = (self.now_ms, self.now());
        for (due, to, message) in std::mem::take(&mut self.queue) {
            let from = match &message {
                Message::Ping(ping) => ping.from,
                Message::Answer(from) => *from,
            };
            if self.cut.contains(&(from.0, to.0)) || self.killed.contains(&to.0) {
                continue;
            }
            let has_no_time = matches!(message, Message::Ping(_)) && self.busy.contains(&to.0);
            if due > now_ms || self.paused.contains(&to.0) || has_no_time {
                self.queue.push((due, to, message));
                continue;
            }
            let detector = self.detectors.get_mut(&to).expect("a node");
            match message {
                Message::Ping(ping) => {
                    detector.on_ping(now, &ping);
                    self.queue.push((now_ms + DELAY_MS, from, Message::Answer(to)));
                }
                Message::Answer(from) => detector.on_answer(now, from),
            }
        }
    }
}

#[test]
fn who_is_cut_off_is_found_by_all_others_and_by_itself_first() {
    for isolated in [1, 2, 3] {
        let mut world = World::three();
        let begin = world.now_ms;
        world.isolate(isolated);
        world.run(1_000);
        let itself = world.cut_off[&isolated] - begin;
        assert!((250..=450).contains(&itself), "{itself} ms");
        for other in [1, 2, 3].into_iter().filter(|id| *id != isolated) {
            let found = world.fenced[&(other, isolated)] - begin;
            assert!((400..=650).contains(&found), "{found} ms");
            assert!(found > itself, "it has stopped before another may lead");
            assert!(world.suspected[&(other, isolated)] - begin <= 350);
            assert!(!world.cut_off.contains_key(&other));
        }
        assert_eq!(
            world.fenced.keys().filter(|(_, of)| *of != isolated).filter(|(by, _)| *by != isolated).count(),
            0
        );
    }
}

#[test]
fn who_comes_back_serves_when_it_knows_what_others_know() {
    let mut world = World::three();
    world.isolate(3);
    world.run(2_000);
    world.offsets.extend([(BrokerId(1), 9), (BrokerId(2), 9)]);
    world.cut.clear();
    world.run(1_000);
    assert!(world.cut_off.contains_key(&3), "its image is behind");
    world.offsets.insert(BrokerId(3), 9);
    world.run(100);
    assert!(!world.cut_off.contains_key(&3));
}

#[test]
fn a_short_stop_of_a_process_fences_nobody_and_stops_nobody() {
    for begin in (0..100).step_by(10) {
        for stopped in [1, 2, 3] {
            let mut world = World::three();
            world.run(begin);
            world.paused.insert(stopped);
            world.run(300);
            world.paused.clear();
            world.run(3_000);
            assert!(world.is_quiet(), "{:?} {:?}", world.fenced, world.cut_off);
        }
    }
}

#[test]
fn a_long_stop_is_found_and_the_stopped_one_judges_nobody_when_it_goes_on() {
    let mut world = World::three();
    let begin = world.now_ms;
    world.paused.insert(1);
    world.run(5_000);
    assert!(world.fenced[&(2, 1)] - begin <= 650);
    world.paused.clear();
    // Its first look comes before anything that waits for it is read.
    world.now_ms += STEP_MS;
    world.look(BrokerId(1));
    assert!(world.cut_off.contains_key(&1), "it finds out by itself");
    world.run(2_000);
    assert!(world.fenced.keys().all(|(by, _)| *by != 1), "{:?}", world.fenced);
    assert!(!world.cut_off.contains_key(&1));
}

#[test]
fn nodes_that_have_no_time_fence_nobody_and_go_on() {
    for busy in [&[1][..], &[2], &[1, 2], &[1, 2, 3]] {
        let mut world = World::three();
        world.busy.extend(busy);
        world.run(5_000);
        world.busy.clear();
        world.run(3_000);
        assert!(world.is_quiet(), "{busy:?}: {:?} {:?}", world.fenced, world.cut_off);
    }
}

#[test]
fn one_lost_link_fences_nobody() {
    for one_way in [false, true] {
        let mut world = World::three();
        match one_way {
            true => drop(world.cut.insert((1, 2))),
            false => world.cut(1, 2),
        }
        world.run(20_000);
        assert!(world.is_quiet(), "{:?} {:?}", world.fenced, world.cut_off);
    }
}

#[test]
fn who_hears_and_is_not_heard_is_fenced_and_finds_out() {
    let mut world = World::three();
    world.cut.extend([(3, 1), (3, 2)]);
    world.run(1_000);
    assert!(world.fenced.contains_key(&(1, 3)) && world.fenced.contains_key(&(2, 3)));
    assert!(world.cut_off.contains_key(&3), "it has no answers");
}

#[test]
fn that_controllers_are_away_stops_nobody() {
    // Their processes are gone; or nobody hears them, and brokers hear each other.
    for is_killed in [true, false] {
        let mut world = World::of(&[1, 2, 3], &[11, 12, 13]);
        for controller in [11, 12, 13] {
            match is_killed {
                true => drop(world.killed.insert(controller)),
                false => world.isolate(controller),
            }
        }
        world.controller = None;
        world.run(60_000);
        assert!([1, 2, 3].iter().all(|id| !world.cut_off.contains_key(id)), "{:?}", world.cut_off);
        let by_brokers = world.fenced.keys().filter(|(by, of)| *by < 10 && *of < 10);
        assert_eq!(by_brokers.count(), 0);
    }
}

#[test]
fn without_a_majority_elsewhere_a_node_serves_on() {
    // One of three is gone, then the two lose each other: neither can elect without the other.
    let mut world = World::three();
    world.killed.insert(3);
    world.run(2_000);
    world.cut(1, 2);
    world.run(5_000);
    assert!(world.cut_off.is_empty(), "{:?}", world.cut_off);
    let mut world = World::of(&[1, 2], &[1, 2]);
    world.cut(1, 2);
    world.run(5_000);
    assert!(world.cut_off.is_empty(), "{:?}", world.cut_off);
}

#[test]
fn a_minority_of_five_stops_and_the_others_go_on() {
    let mut world = World::of(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5]);
    for (one, other) in [(1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5)] {
        world.cut(one, other);
    }
    world.controller = Some(BrokerId(3));
    world.run(1_000);
    let cut_off: Vec<i32> = world.cut_off.keys().copied().collect();
    assert_eq!(cut_off, [1, 2]);
    assert!(world.fenced.contains_key(&(3, 1)) && world.fenced.contains_key(&(3, 2)));
}

#[test]
fn a_node_whose_silence_was_a_mistake_is_given_more_time() {
    let mut world = World::three();
    let now = world.now();
    let mut detector = world.detectors.remove(&BrokerId(1)).expect("a node");
    detector.on_fenced(now, BrokerId(2));
    detector.on_answer(now.after(MISTAKE), BrokerId(2));
    assert!(detector.is_patient_with(now.after(MISTAKE), BrokerId(2)));
    assert!(!detector.is_patient_with(now.after(MISTAKE).after(PATIENCE), BrokerId(2)));
    assert!(detector.allowance(now.after(MISTAKE), BrokerId(2)) >= SILENCE * 2);
    detector.on_fenced(now, BrokerId(3));
    detector.on_answer(now.after(MISTAKE * 2), BrokerId(3));
    assert!(!detector.is_patient_with(now.after(MISTAKE * 2), BrokerId(3)), "it was gone for a while");
}

#[test]
fn many_nodes_ping_the_voters_and_some_others() {
    let all: Vec<i32> = (1..=20).collect();
    let world = World::of(&all, &[1, 2, 3]);
    assert_eq!(world.voters.len(), 3);
    assert_eq!(world.detectors[&BrokerId(2)].targets().len(), 19);
    assert_eq!(world.detectors[&BrokerId(19)].targets(), ids(&[20, 4, 5, 6, 1, 2, 3]));
    let mut world = world;
    world.isolate(10);
    world.run(1_000);
    assert!(world.fenced.contains_key(&(1, 10)) && world.cut_off.contains_key(&10));
    assert!(world.fenced.keys().filter(|(by, _)| *by != 10).all(|(_, of)| *of == 10), "{:?}", world.fenced);
}

/// D5: a node of Apache Kafka answers no ping. It is no suspect, nobody is fenced for its silence, and its silence does
/// not make a node think that it is cut off.
#[test]
fn a_node_that_knows_no_pings_is_not_judged_by_them() {
    let at = |ms: u64| Monotonic::default().after(Duration::from_millis(ms));
    let judge = |is_foreign: bool| {
        let mut detector = Detector::new(BrokerId(1));
        detector.set_nodes(at(0), &ids(&[1, 2, 3]), &ids(&[2]));
        if is_foreign {
            detector.on_foreign(BrokerId(2));
        }
        let mut look = Look::default();
        for ms in (0..2_000).step_by(50) {
            detector.on_answer(at(ms), BrokerId(3));
            look = detector.look(at(ms), Some(BrokerId(2)), Offset(7));
        }
        (look.unheard.contains(&BrokerId(2)), !look.silent.is_empty(), look.suspects.is_empty())
    };
    assert_eq!(judge(false), (true, true, false));
    assert_eq!(judge(true), (false, false, true));
    let is_cut_off = |is_foreign: bool| {
        let mut detector = Detector::new(BrokerId(1));
        detector.set_nodes(at(0), &ids(&[1, 2]), &ids(&[2]));
        if is_foreign {
            detector.on_foreign(BrokerId(2));
        }
        (0..2_000)
            .step_by(50)
            .map(|ms| detector.look(at(ms), Some(BrokerId(2)), Offset(7)))
            .any(|look| look.is_cut_off)
    };
    assert!(is_cut_off(false));
    assert!(!is_cut_off(true));
}
