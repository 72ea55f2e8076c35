//! A balancer over clusters that come from seeds.
//! Core: brokers join, stop and are cordoned, replicas fall out of sync, and people reassign.

use ottla_env::memory::SeededRng;

use super::*;
use crate::plan::{Limits, propose};
use crate::{Broker, Load, Loads, Partition};

const SEEDS: u64 = 60;
const LIMITS: Limits = Limits { moves_max: PLANNED_MAX, disk_max_percent: 80 };
/// Turns of a second.
const TURNS: u64 = 4_000;
/// From then on nothing disturbs.
const CALM_FROM: u64 = 1_500;

struct Cluster {
    rng: SeededRng,
    seed: u64,
    brokers: Vec<Broker>,
    cordoned: BTreeSet<i32>,
    partitions: Vec<Partition>,
    bytes: Vec<u64>,
    /// Where a reassignment leads, when it is done, and whether the balancer began it.
    reassigning: BTreeMap<usize, (Vec<i32>, u64, bool)>,
    out_of_sync: usize,
    begun: usize,
}

impl Cluster {
    fn new(seed: u64) -> Cluster {
        let rng = SeededRng::new(seed);
        let racks = rng.below(4);
        let brokers = (1..=3 + rng.below(5) as i32).map(|id| Broker {
            id,
            rack: (racks > 0).then(|| format!("r{}", rng.below(racks))),
            is_taking: true,
            disk: None,
        });
        let brokers: Vec<Broker> = brokers.collect();
        let count = 1 + rng.below(60) as i32;
        let factor = 1 + rng.below(3) as usize;
        // A few of the brokers have all: the others have just joined.
        let old = factor + rng.below((brokers.len() - factor + 1) as u64) as usize;
        let place = |index: i32| Partition {
            topic: "t".into(),
            index,
            replicas: (0..factor).map(|nth| brokers[(index as usize + nth) % old].id).collect(),
        };
        let partitions: Vec<Partition> = (0..count).map(place).collect();
        let bytes = partitions.iter().map(|_| rng.below(1 << 20)).collect();
        let (cordoned, reassigning) = (BTreeSet::new(), BTreeMap::new());
        Cluster { rng, seed, brokers, cordoned, partitions, bytes, reassigning, out_of_sync: 0, begun: 0 }
    }

    fn brokers(&self) -> Vec<Broker> {
        let now =
            |broker: &Broker| Broker { is_taking: !self.cordoned.contains(&broker.id), ..broker.clone() };
        self.brokers.iter().map(now).collect()
    }

    fn taking(&self) -> Vec<Broker> {
        self.brokers().into_iter().filter(|broker| broker.is_taking).collect()
    }

    fn loads(&self) -> Loads {
        let load = |(partition, bytes): (&Partition, &u64)| {
            let key = (partition.topic.clone(), partition.index);
            (key, Load { bytes: *bytes, bytes_in_per_second: bytes / 100 })
        };
        self.partitions.iter().zip(&self.bytes).map(load).collect()
    }

    fn view(&self, balancer: &Balancer) -> View {
        let key = |place: &usize| ("t".into(), *place as i32);
        View {
            reassigning: self.reassigning.keys().map(key).collect(),
            out_of_sync: self.out_of_sync,
            taking: self.taking().iter().map(|broker| broker.id).collect(),
            replicas: balancer
                .asks_for()
                .map(|(topic, index)| ((topic, index), self.partitions[index as usize].replicas.clone()))
                .collect(),
        }
    }

    fn crowded(&self, replicas: &[i32]) -> usize {
        let rack = |id: &i32| self.brokers.iter().find(|one| one.id == *id).and_then(|one| one.rack.as_ref());
        let racks: Vec<&String> = replicas.iter().filter_map(rack).collect();
        racks.len() - racks.iter().collect::<BTreeSet<_>>().len()
    }

    fn disturb(&mut self, turn: u64) {
        let broker = 1 + self.rng.below(self.brokers.len() as u64) as i32;
        match self.rng.below(200) {
            0 => drop(self.cordoned.insert(broker)),
            1 => self.cordoned.clear(),
            2 | 3 => self.out_of_sync = self.rng.below(3) as usize,
            // A person moves a partition, or takes back what is under way.
            4 => {
                let place = self.rng.below(self.partitions.len() as u64) as usize;
                let mut target = self.partitions[place].replicas.clone();
                if !target.contains(&broker) {
                    target[0] = broker;
                    let until = turn + self.rng.below(200);
                    self.reassigning.entry(place).or_insert((target, until, false));
                }
            }
            5 => drop(self.reassigning.pop_first()),
            _ => {}
        }
    }

    fn begin(&mut self, one: &Move, turn: u64) {
        let seed = self.seed;
        assert!(self.reassigning.is_empty(), "seed {seed}: another is under way");
        assert_eq!(self.out_of_sync, 0, "seed {seed}: replicas are out of sync");
        let place = one.index as usize;
        let before = &self.partitions[place].replicas;
        assert_eq!(&one.before, before, "seed {seed}: it is decided from what was");
        let added: Vec<i32> = one.adding().collect();
        assert!(added.len() <= 1 && one.target.len() == before.len(), "seed {seed}: {one}");
        assert!(added.iter().all(|id| !self.cordoned.contains(id)), "seed {seed}: {one}");
        assert!(self.crowded(&one.target) <= self.crowded(before), "seed {seed}: {one}");
        let took = if added.is_empty() { 0 } else { self.rng.below(20) };
        self.reassigning.insert(place, (one.target.clone(), turn + took, true));
        self.begun += 1;
    }

    fn finish(&mut self, turn: u64) {
        let done: Vec<usize> = self
            .reassigning
            .iter()
            .filter(|(_, (_, until, _))| *until <= turn)
            .map(|(place, _)| *place)
            .collect();
        for place in done {
            if let Some((target, ..)) = self.reassigning.remove(&place) {
                self.partitions[place].replicas = target;
            }
        }
    }

    fn most_and_least(&self) -> (usize, usize) {
        let count = |broker: Broker| {
            self.partitions.iter().filter(|partition| partition.replicas.contains(&broker.id)).count()
        };
        let counts: Vec<usize> = self.taking().into_iter().map(count).collect();
        (counts.iter().copied().max().unwrap_or(0), counts.iter().copied().min().unwrap_or(0))
    }
}

fn run(seed: u64) {
    let mut cluster = Cluster::new(seed);
    let (mut balancer, mut begun_when_even) = (Balancer::default(), None);
    for turn in 0..TURNS {
        let now = Duration::from_secs(turn);
        if turn < CALM_FROM {
            cluster.disturb(turn);
        } else {
            cluster.out_of_sync = 0;
        }
        cluster.finish(turn);
        // A person's choice may be undone, but not during the calm: what was refused is tried again after an hour.
        if turn == CALM_FROM + 5 {
            balancer.left_alone.clear();
        }
        match balancer.next(Mode::Auto, &cluster.view(&balancer), now) {
            Step::Begin(one) => cluster.begin(&one, turn),
            Step::Look => {
                let moves = propose(&cluster.brokers(), &cluster.partitions, &cluster.loads(), LIMITS);
                balancer.on_plan(moves, now);
            }
            Step::Cancel(one) => {
                let cancelled = cluster.reassigning.remove(&(one.index as usize));
                assert!(cancelled.is_some_and(|(_, _, is_ours)| is_ours), "seed {seed}: not its own");
            }
            Step::Nothing => {}
        }
        // Of a look at what nobody disturbs any more.
        let is_even = *balancer.state() == State::Even && turn > CALM_FROM + 5 + PLAN_AGE_MAX.as_secs();
        if is_even && cluster.reassigning.is_empty() {
            let first = *begun_when_even.get_or_insert(cluster.begun);
            assert_eq!(cluster.begun, first, "seed {seed}: it went on after all was even");
        }
    }
    assert!(begun_when_even.is_some(), "seed {seed}: it never ended; {} moves", cluster.begun);
    let (most, least) = cluster.most_and_least();
    if cluster.brokers.iter().all(|broker| broker.rack.is_none()) && cluster.taking().len() > 1 {
        let of_others =
            cluster.partitions.iter().any(|one| one.replicas.iter().any(|id| cluster.cordoned.contains(id)));
        assert!(most - least <= 1 || of_others, "seed {seed}: {most} and {least}");
    }
    let moves_max = 12 * (cluster.partitions.len() + 10);
    assert!(cluster.begun <= moves_max, "seed {seed}: {} moves are to and fro", cluster.begun);
}

#[test]
fn every_cluster_becomes_even_and_then_nothing_moves() {
    for seed in 0..SEEDS {
        run(seed);
    }
}

fn a_move() -> Move {
    let (before, target) = (vec![1, 2], vec![3, 2]);
    Move { topic: "t".into(), index: 0, before, target, bytes: 7, reason: "because".to_owned() }
}

fn view(replicas: &[i32]) -> View {
    View {
        taking: [1, 2, 3].into(),
        replicas: [(("t".into(), 0), replicas.to_vec())].into(),
        ..View::default()
    }
}

fn planned() -> Balancer {
    let mut balancer = Balancer::default();
    assert_eq!(balancer.next(Mode::Auto, &view(&[1, 2]), Duration::ZERO), Step::Look);
    balancer.on_plan(vec![a_move()], Duration::ZERO);
    balancer
}

#[test]
fn what_is_proposed_is_not_done() {
    let mut balancer = planned();
    for seconds in 0..60 {
        assert_eq!(balancer.next(Mode::Propose, &view(&[1, 2]), Duration::from_secs(seconds)), Step::Nothing);
    }
    assert_eq!((balancer.state(), balancer.plan().len()), (&State::Proposed, 1));
    assert!(balancer.is_due(Mode::Propose, Duration::from_secs(60)));
    assert_eq!(balancer.next(Mode::Propose, &view(&[1, 2]), Duration::from_secs(60)), Step::Look);
    assert_eq!(balancer.next(Mode::Off, &view(&[1, 2]), Duration::from_secs(61)), Step::Nothing);
    assert_eq!((balancer.state(), balancer.plan().len()), (&State::Idle, 0));
}

#[test]
fn a_move_waits_for_replicas_and_people_and_is_counted_when_it_is_done() {
    let mut balancer = planned();
    let now = Duration::from_secs(1);
    let behind = View { out_of_sync: 2, ..view(&[1, 2]) };
    assert_eq!(balancer.next(Mode::Auto, &behind, now), Step::Nothing);
    assert_eq!(balancer.state(), &State::OutOfSync(2));
    assert_eq!(balancer.next(Mode::Auto, &view(&[1, 2]), now), Step::Begin(a_move()));
    let moving = View { reassigning: [("t".into(), 0)].into(), ..view(&[3, 2, 1]) };
    assert_eq!(balancer.next(Mode::Auto, &moving, now), Step::Nothing);
    assert_eq!(balancer.next(Mode::Off, &moving, now), Step::Nothing, "what was begun is waited for");
    assert_eq!(balancer.state(), &State::Moving(a_move()));
    assert_eq!(balancer.next(Mode::Auto, &view(&[3, 2]), now), Step::Look, "more may follow");
    balancer.on_plan(Vec::new(), now);
    assert_eq!((balancer.done(), balancer.state()), (Done { moves: 1, bytes: 7 }, &State::Even));
    let others = View { reassigning: [("u".into(), 4)].into(), ..View::default() };
    assert_eq!(balancer.next(Mode::Auto, &others, now), Step::Nothing);
    assert_eq!(balancer.state(), &State::OthersMove(1));
}

#[test]
fn a_move_that_was_taken_back_is_left_alone_and_one_to_a_broker_that_goes_is_cancelled() {
    let mut balancer = planned();
    let now = Duration::from_secs(1);
    assert_eq!(balancer.next(Mode::Auto, &view(&[1, 2]), now), Step::Begin(a_move()));
    let moving = View { reassigning: [("t".into(), 0)].into(), taking: [1, 2].into(), ..view(&[3, 2, 1]) };
    assert_eq!(balancer.next(Mode::Auto, &moving, now), Step::Cancel(a_move()));
    assert_eq!(balancer.next(Mode::Auto, &moving, now), Step::Nothing, "once");
    assert_eq!(balancer.next(Mode::Auto, &view(&[1, 2]), now), Step::Look);
    balancer.on_plan(vec![a_move()], now);
    assert_eq!((balancer.plan().len(), balancer.done()), (0, Done::default()));
    let later = now + LEFT_ALONE;
    assert_eq!(balancer.next(Mode::Auto, &view(&[1, 2]), later), Step::Look);
    balancer.on_plan(vec![a_move()], later);
    assert_eq!(balancer.next(Mode::Auto, &view(&[1, 2]), later), Step::Begin(a_move()));
    balancer.on_refused(later);
    assert_eq!(balancer.next(Mode::Auto, &view(&[1, 2]), later), Step::Look);
    balancer.on_plan(vec![a_move()], later);
    assert_eq!(balancer.plan().len(), 0);
}

#[test]
fn a_plan_that_does_not_fit_any_more_is_made_anew() {
    for now_is in [View { taking: [1, 2].into(), ..view(&[1, 2]) }, view(&[2, 1]), View::default()] {
        let mut balancer = planned();
        assert_eq!(balancer.next(Mode::Auto, &now_is, Duration::from_secs(1)), Step::Look);
    }
}
