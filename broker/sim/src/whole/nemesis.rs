//! What befalls a cluster, and when it is over.
//! Shell: acts on the world between turns.

use std::time::Duration;

use ottla_env::memory::sim::SimWorld;
use ottla_env::memory::{Faults, SeededRng};

use super::node::Node;
use super::options::{Disks, Options};
use crate::rooms::End;

/// What ends a fault.
#[derive(Clone, Copy, Debug)]
enum Mend {
    Start(usize),
    Link(usize, usize),
    Resume(usize),
    Hasten(usize, usize),
    FastDisk(usize),
    /// The disk takes writes again.
    WholeDisk(usize),
    /// A process of so many lives that has stopped in the middle of its writes is gone.
    Death(usize, u64),
}

/// What may be lost now, as others have it.
#[derive(Clone, Copy, Debug)]
pub struct Spare {
    /// What one machine has not synced.
    pub unsynced: bool,
    /// All that one machine has.
    pub disk: bool,
}

pub struct Nemesis {
    world: SimWorld,
    rng: SeededRng,
    options: Options,
    /// Clients' hosts, which links may be cut to.
    clients: Vec<usize>,
    due: Vec<(Duration, Mend)>,
}

impl Nemesis {
    pub fn new(world: &SimWorld, rng: SeededRng, options: Options, clients: Vec<usize>) -> Nemesis {
        Nemesis { world: world.clone(), rng, options, clients, due: Vec::new() }
    }

    fn below(&self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn ms(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.rng.below(to - from))
    }

    fn later(&mut self, from: u64, to: u64, mend: Mend) {
        let at = self.world.now() + self.ms(from, to);
        self.due.push((at, mend));
    }

    /// What is over by now ends. Processes that ended by themselves are started again.
    pub fn tend(&mut self, nodes: &mut [Node], notes: &mut Vec<String>) {
        for (place, node) in nodes.iter_mut().enumerate() {
            if let Some(how) = node.tend() {
                notes.push(format!("node {} ended: {how:?}", node.id));
                self.later(50, 2_000, Mend::Start(place));
            }
        }
        let now = self.world.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.due).into_iter().partition(|(at, _)| *at <= now);
        self.due = later;
        for (_, mend) in due {
            notes.push(format!("over: {mend:?}"));
            self.mend(nodes, mend);
        }
    }

    fn mend(&mut self, nodes: &mut [Node], mend: Mend) {
        match mend {
            Mend::WholeDisk(place) => {
                nodes[place].set_faults(Faults::default());
                // A directory that has failed stays so until its process starts anew; where it was the only one, there is none.
                if self.options.disks == Disks::Two && nodes[place].is_up() {
                    nodes[place].end(End::Kill);
                    self.later(20, 4_000, Mend::Start(place));
                }
            }
            Mend::Death(place, life) => {
                if nodes[place].is_up() && nodes[place].life == life {
                    nodes[place].end(End::Kill);
                    self.later(20, 4_000, Mend::Start(place));
                }
            }
            Mend::Start(place) if nodes[place].is_up() => {}
            Mend::Start(place) => nodes[place].start(),
            Mend::Link(from, to) => self.link(from, to).mend(),
            Mend::Resume(place) => self.world.set_paused(nodes[place].host, false),
            Mend::Hasten(from, to) => self.link(from, to).set_delay(None),
            Mend::FastDisk(place) => {
                let host = nodes[place].host;
                self.world.set_disk_delay(host, Duration::from_micros(50), Duration::from_micros(600));
            }
        }
    }

    fn link(&self, from: usize, to: usize) -> ottla_env::memory::sim::Link {
        let host = |number: usize| ottla_env::memory::sim::HostId(number as u16);
        self.world.link(host(from), host(to))
    }

    /// Everything ends.
    pub fn mend_all(&mut self, nodes: &mut [Node]) {
        while let Some((_, mend)) = self.due.pop() {
            self.mend(nodes, mend);
        }
        for node in nodes.iter_mut().filter(|node| !node.is_up()) {
            node.start();
        }
    }

    /// One thing goes wrong.
    pub fn strike(&mut self, nodes: &mut [Node], spare: Spare) -> String {
        let place = self.below(nodes.len());
        let id = nodes[place].id;
        match self.rng.below(112) {
            0..20 => self.end(nodes, place, End::Kill),
            20..32 if spare.unsynced => self.end(nodes, place, End::PowerLoss),
            20..32 => self.end(nodes, place, End::Kill),
            32..40 => {
                nodes[place].stop();
                self.later(500, 3_000, Mend::Start(place));
                format!("stop {id}")
            }
            40..54 => self.cut(nodes.len()),
            54..62 => self.isolate(nodes.len(), id),
            62..72 => {
                self.world.set_paused(nodes[place].host, true);
                self.later(50, 4_000, Mend::Resume(place));
                format!("pause {id}")
            }
            72..78 => {
                let (from, to) = self.two(nodes.len());
                let delay = (self.ms(5, 50), self.ms(50, 400));
                self.link(from, to).set_delay(Some(delay));
                self.later(500, 5_000, Mend::Hasten(from, to));
                format!("delay {from} to {to} by {delay:?}")
            }
            78..84 => {
                let (from, to) = self.two(nodes.len());
                let host = |number: usize| ottla_env::memory::sim::HostId(number as u16);
                self.world.break_connections(host(from), host(to));
                format!("break {from} and {to}")
            }
            84..90 => {
                let delay = (self.ms(1, 20), self.ms(20, 500));
                self.world.set_disk_delay(nodes[place].host, delay.0, delay.1);
                self.later(500, 5_000, Mend::FastDisk(place));
                format!("slow disk of {id}: {delay:?}")
            }
            90..94 => {
                let far = self.options.session_ms * 10;
                let by = self.rng.below(2 * far) as i64 - far as i64;
                self.world.shift_wall(nodes[place].host, by);
                format!("the wall clock of {id} jumps by {by} ms")
            }
            94..100 => match self.options.lost_dir().filter(|_| spare.disk) {
                Some(dir) => {
                    nodes[place].end(End::PowerLoss);
                    nodes[place].lose_disk(dir);
                    self.later(20, 4_000, Mend::Start(place));
                    format!("{id} loses its directory {dir}")
                }
                None => self.end(nodes, place, End::Kill),
            },
            100..106 => {
                let changes = self.rng.below(12);
                nodes[place].die_after(changes);
                self.later(1, 80, Mend::Death(place, nodes[place].life));
                format!("{id} dies after {changes} changes")
            }
            _ => self.spoil_disk(&nodes[place], place),
        }
    }

    /// A disk that fails, or is full.
    fn spoil_disk(&mut self, node: &Node, place: usize) -> String {
        let faults = match self.below(3) {
            0 => Faults { write_is_full: 1_000, ..Faults::default() },
            1 => Faults { write_fails: 1 + self.rng.below(200), ..Faults::default() },
            _ => Faults { sync_fails: 1 + self.rng.below(500), ..Faults::default() },
        };
        node.set_faults(faults);
        self.later(100, 3_000, Mend::WholeDisk(place));
        format!("disk of {}: {faults:?}", node.id)
    }

    fn end(&mut self, nodes: &mut [Node], place: usize, end: End) -> String {
        nodes[place].end(end);
        self.later(20, 4_000, Mend::Start(place));
        format!("{end:?} of {}", nodes[place].id)
    }

    /// Two hosts, at least one of them a node.
    fn two(&self, nodes: usize) -> (usize, usize) {
        let one = 1 + self.below(nodes);
        let others: Vec<usize> =
            (1..=nodes).filter(|other| *other != one).chain(self.clients.iter().copied()).collect();
        let other = others[self.below(others.len())];
        if self.rng.chance(500) { (one, other) } else { (other, one) }
    }

    fn cut(&mut self, nodes: usize) -> String {
        let (from, to) = self.two(nodes);
        let is_one_way = self.rng.chance(600);
        self.link(from, to).cut();
        self.later(50, 6_000, Mend::Link(from, to));
        if !is_one_way {
            self.link(to, from).cut();
            self.later(50, 6_000, Mend::Link(to, from));
        }
        format!("cut {from} to {to}{}", if is_one_way { "" } else { " and back" })
    }

    /// A node from the other nodes, and perhaps from clients.
    fn isolate(&mut self, nodes: usize, id: usize) -> String {
        let with_clients = self.rng.chance(300);
        let mut others: Vec<usize> = (1..=nodes).filter(|other| *other != id).collect();
        if with_clients {
            others.extend(&self.clients);
        }
        let wait = self.ms(200, 6_000);
        for other in others {
            for (from, to) in [(id, other), (other, id)] {
                self.link(from, to).cut();
                self.due.push((self.world.now() + wait, Mend::Link(from, to)));
            }
        }
        format!("isolate {id}{} for {wait:?}", if with_clients { " from clients too" } else { "" })
    }
}
