//! What would make a cluster even: moves of replicas and of leaders, each with its reason.
//! Core.
//!
//! Goals in their order: no two replicas of a partition in one rack where another rack is free; no disk nearly full; replicas
//! even; leaders even; bytes even. A later goal never undoes an earlier one.
//!
//! Invariants:
//! - I1. A partition changes once, and never more than one of its replicas moves.
//! - I2. A partition keeps as many replicas as it has, on different brokers.
//! - I3. What is even is left alone: the plan of a balanced cluster is empty.
//! - I4. No change puts more replicas of a partition into one rack than were there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::{Broker, Disk, Load, Loads, Move, Partition};

/// A disk is relieved by brokers that stay so far below the limit, in percent of their room, so that what was relieved stays so.
const RELIEVING_BELOW: u64 = 5;
/// Numbers alone fill no disk beyond so far below the limit.
const EVENING_BELOW: u64 = 2;
/// What bytes alone have to gain, in parts of what a broker has on average; less is not worth a copy.
const GAIN_MIN_PERCENT: u64 = 5;
/// Replicas of the fuller broker that are looked at for a better exchange.
const EXCHANGED_MAX: usize = 64;

/// What a broker has in the plan so far.
struct Standing {
    disk: Option<Disk>,
    /// Places of partitions.
    replicas: BTreeSet<usize>,
    leads: BTreeSet<usize>,
    bytes: u64,
    /// Of what was there before the plan.
    bytes_before: u64,
    bytes_in_led: u64,
}

struct Planned {
    target: Vec<i32>,
    load: Load,
    reason: Option<String>,
}

struct Planner<'a> {
    /// Of all brokers.
    racks: BTreeMap<i32, &'a str>,
    /// Those that take replicas.
    brokers: BTreeMap<i32, Standing>,
    partitions: Vec<Planned>,
    /// Those that change, as it was decided.
    order: Vec<usize>,
    limits: Limits,
}

/// How far a plan goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The first moves; there may be more.
    pub moves_max: usize,
    /// A disk that is fuller is relieved.
    pub disk_max_percent: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { moves_max: usize::MAX, disk_max_percent: 80 }
    }
}

/// The moves within the limits. What brokers have that take no replicas is not touched.
pub fn propose(brokers: &[Broker], partitions: &[Partition], loads: &Loads, limits: Limits) -> Vec<Move> {
    let mut planner = Planner::new(brokers, partitions, loads, limits);
    if planner.brokers.len() < 2 {
        return Vec::new();
    }
    planner.spread_over_racks();
    planner.relieve_disks();
    planner.even_replicas();
    planner.even_leaders();
    planner.even_bytes();
    let planned = |place: &usize| {
        let (Partition { topic, index, replicas }, planned) =
            (&partitions[*place], &planner.partitions[*place]);
        let is_copied = planned.target.iter().any(|id| !replicas.contains(id));
        Move {
            topic: topic.clone(),
            index: *index,
            before: replicas.clone(),
            target: planned.target.clone(),
            bytes: if is_copied { planned.load.bytes } else { 0 },
            reason: planned.reason.clone().unwrap_or_default(),
        }
    };
    planner.order.iter().map(planned).collect()
}

fn replaced(target: &[i32], from: i32, to: i32) -> Vec<i32> {
    target.iter().map(|id| if *id == from { to } else { *id }).collect()
}

impl<'a> Planner<'a> {
    fn new(brokers: &'a [Broker], partitions: &[Partition], loads: &Loads, limits: Limits) -> Planner<'a> {
        let standing = |broker: &Broker| Standing {
            disk: broker.disk,
            replicas: BTreeSet::new(),
            leads: BTreeSet::new(),
            bytes: 0,
            bytes_before: 0,
            bytes_in_led: 0,
        };
        let mut planner = Planner {
            racks: brokers.iter().filter_map(|broker| Some((broker.id, broker.rack.as_deref()?))).collect(),
            brokers: brokers
                .iter()
                .filter(|broker| broker.is_taking)
                .map(|broker| (broker.id, standing(broker)))
                .collect(),
            partitions: Vec::with_capacity(partitions.len()),
            order: Vec::new(),
            limits,
        };
        for partition in partitions {
            let load = loads.get(&(partition.topic.clone(), partition.index)).copied().unwrap_or_default();
            let target = partition.replicas.clone();
            planner.partitions.push(Planned { target, load, reason: None });
            planner.count(planner.partitions.len() - 1, true);
        }
        for standing in planner.brokers.values_mut() {
            standing.bytes_before = standing.bytes;
        }
        planner
    }

    /// Adds what a partition costs to its brokers, or takes it away.
    fn count(&mut self, place: usize, is_added: bool) {
        let Planned { target, load, .. } = &self.partitions[place];
        for (nth, id) in target.iter().enumerate() {
            let Some(standing) = self.brokers.get_mut(id) else { continue };
            if is_added {
                standing.replicas.insert(place);
                standing.bytes += load.bytes;
            } else {
                standing.replicas.remove(&place);
                standing.bytes -= load.bytes;
            }
            match (nth, is_added) {
                (0, true) => {
                    standing.leads.insert(place);
                    standing.bytes_in_led += load.bytes_in_per_second;
                }
                (0, false) => {
                    standing.leads.remove(&place);
                    standing.bytes_in_led -= load.bytes_in_per_second;
                }
                _ => {}
            }
        }
    }

    fn change(&mut self, place: usize, target: Vec<i32>, reason: String) {
        assert!(self.partitions[place].reason.is_none(), "a partition changes once");
        self.count(place, false);
        self.partitions[place].target = target;
        self.partitions[place].reason = Some(reason);
        self.count(place, true);
        self.order.push(place);
    }

    fn is_over(&self) -> bool {
        self.order.len() >= self.limits.moves_max
    }

    /// How many replicas share their rack with an earlier one.
    fn crowded(&self, target: &[i32]) -> usize {
        let racks: Vec<&str> = target.iter().filter_map(|id| self.racks.get(id).copied()).collect();
        racks.len() - racks.iter().collect::<BTreeSet<_>>().len()
    }

    /// Whether the replica on `from` may go to `to` by all goals but those of numbers.
    fn is_movable(&self, place: usize, from: i32, to: i32) -> bool {
        let Planned { target, reason, load } = &self.partitions[place];
        reason.is_none()
            && target.contains(&from)
            && !target.contains(&to)
            && self.crowded(&replaced(target, from, to)) <= self.crowded(target)
            && self.takes(to, load.bytes, EVENING_BELOW)
    }

    /// Bytes on the disk of a broker in the plan so far, with the room of it.
    fn used(&self, id: i32) -> Option<(u64, u64)> {
        let standing = &self.brokers[&id];
        let Disk { total_bytes, usable_bytes } = standing.disk.filter(|disk| disk.total_bytes > 0)?;
        let used = total_bytes.saturating_sub(usable_bytes) + standing.bytes;
        Some((used.saturating_sub(standing.bytes_before), total_bytes))
    }

    fn takes(&self, id: i32, bytes: u64, below: u64) -> bool {
        let percent = self.limits.disk_max_percent.saturating_sub(below);
        self.used(id).is_none_or(|(used, total)| used + bytes <= total / 100 * percent)
    }

    fn is_full(&self, id: i32) -> bool {
        self.used(id).is_some_and(|(used, total)| used > total / 100 * self.limits.disk_max_percent)
    }

    fn spread_over_racks(&mut self) {
        for place in 0..self.partitions.len() {
            if self.is_over() {
                return;
            }
            let target = &self.partitions[place].target;
            let crowded = self.crowded(target);
            if crowded == 0 {
                continue;
            }
            let bytes = self.partitions[place].load.bytes;
            // The replicas behind stay where they are if they can: the first one leads.
            let choice = target.iter().rev().find_map(|from| {
                let is_better = |to: &i32| {
                    !target.contains(to)
                        && self.crowded(&replaced(target, *from, *to)) < crowded
                        && self.takes(*to, bytes, 0)
                };
                let others = self.brokers.keys().copied().filter(is_better);
                let to = others.min_by_key(|to| (self.brokers[to].replicas.len(), *to))?;
                self.brokers.contains_key(from).then_some((*from, to))
            });
            if let Some((from, to)) = choice {
                let rack = self.racks.get(&from).copied().unwrap_or_default();
                let reason = format!("two replicas are in rack {rack}, and broker {to} is in another");
                self.change(place, replaced(&self.partitions[place].target, from, to), reason);
            }
        }
    }

    fn relieve_disks(&mut self) {
        let ids: Vec<i32> = self.brokers.keys().copied().collect();
        for from in ids.iter().copied() {
            while self.is_full(from) && !self.is_over() {
                let mut by_bytes: Vec<usize> = self.brokers[&from].replicas.iter().copied().collect();
                by_bytes.sort_by_key(|place| (Reverse(self.partitions[*place].load.bytes), *place));
                let emptiest = |place: usize| {
                    let bytes = self.partitions[place].load.bytes;
                    let fits = |to: &i32| {
                        self.is_movable(place, from, *to) && self.takes(*to, bytes, RELIEVING_BELOW)
                    };
                    let others = ids.iter().copied().filter(fits);
                    let to = others.min_by_key(|to| (self.brokers[to].bytes, *to))?;
                    (bytes > 0).then_some((place, to))
                };
                let Some((place, to)) = by_bytes.into_iter().find_map(emptiest) else { break };
                let percent = self.limits.disk_max_percent;
                let reason =
                    format!("the disks of broker {from} are above {percent} %, and broker {to} has room");
                self.change(place, replaced(&self.partitions[place].target, from, to), reason);
            }
        }
    }

    /// Brokers by the number of their replicas, most first.
    fn busiest(&self) -> Vec<i32> {
        let mut ids: Vec<i32> = self.brokers.keys().copied().collect();
        ids.sort_by_key(|id| Reverse((self.brokers[id].replicas.len(), self.brokers[id].bytes, *id)));
        ids
    }

    fn even_replicas(&mut self) {
        while !self.is_over() {
            let busiest = self.busiest();
            let count = |id: &i32| self.brokers[id].replicas.len();
            let pairs = busiest.iter().flat_map(|from| {
                let others = busiest.iter().rev().take_while(move |to| count(from) >= count(to) + 2);
                others.map(|to| (*from, *to))
            });
            let found = pairs.into_iter().find_map(|(from, to)| {
                // Half of what the one has more than the other.
                let wanted = self.brokers[&from].bytes.saturating_sub(self.brokers[&to].bytes) / 2;
                let fits = |place: &&usize| self.is_movable(**place, from, to);
                let distance =
                    |place: &&usize| (self.partitions[**place].load.bytes.abs_diff(wanted), **place);
                let place = self.brokers[&from].replicas.iter().filter(fits).min_by_key(distance)?;
                Some((*place, from, to))
            });
            let Some((place, from, to)) = found else { return };
            let reason = format!(
                "broker {from} has {} replicas and broker {to} has {}; {} bytes to copy",
                count(&from),
                count(&to),
                self.partitions[place].load.bytes
            );
            self.change(place, replaced(&self.partitions[place].target, from, to), reason);
        }
    }

    /// Another replica comes first: nothing is copied.
    fn even_leaders(&mut self) {
        while !self.is_over() {
            let led = |id: &i32| self.brokers.get(id).map(|standing| standing.leads.len());
            let mut ids: Vec<i32> = self.brokers.keys().copied().collect();
            ids.sort_by_key(|id| (Reverse(led(id)), *id));
            let found = ids.iter().find_map(|from| {
                let leads = &self.brokers[from].leads;
                let choices = leads.iter().filter(|place| self.partitions[**place].reason.is_none());
                let choice = |place: &usize| {
                    let Planned { target, load, .. } = &self.partitions[*place];
                    let is_fewer = |id: &&i32| led(id).is_some_and(|led| led + 2 <= leads.len());
                    let to = *target.iter().filter(is_fewer).min_by_key(|id| led(id))?;
                    let (more, less) = (self.brokers[from].bytes_in_led, self.brokers[&to].bytes_in_led);
                    let distance = load.bytes_in_per_second.abs_diff(more.saturating_sub(less) / 2);
                    Some(((led(&to), distance, *place), (*place, *from, to)))
                };
                choices.filter_map(choice).min().map(|(_, found)| found)
            });
            let Some((place, from, to)) = found else { return };
            let mut target = self.partitions[place].target.clone();
            target.retain(|id| *id != to);
            target.insert(0, to);
            let count = |id: &i32| led(id).unwrap_or(0);
            let reason = format!(
                "broker {from} leads {} partitions and broker {to} {}; nothing is copied",
                count(&from),
                count(&to)
            );
            self.change(place, target, reason);
        }
    }

    /// The fullest broker gives a replica to the emptiest, which gives a smaller one back where the numbers need that.
    fn even_bytes(&mut self) {
        while self.order.len() + 2 <= self.limits.moves_max {
            let mut ids: Vec<i32> = self.brokers.keys().copied().collect();
            ids.sort_by_key(|id| (Reverse(self.brokers[id].bytes), *id));
            let (Some(from), Some(to)) = (ids.first().copied(), ids.last().copied()) else { return };
            let (more, less) = (&self.brokers[&from], &self.brokers[&to]);
            let mean = self.brokers.values().map(|standing| standing.bytes).sum::<u64>() / ids.len() as u64;
            let apart = more.bytes - less.bytes;
            let gain = |moved: u64| moved.min(apart.saturating_sub(moved)) * 2;
            let exchange = match more.replicas.len().checked_sub(less.replicas.len()) {
                Some(1) => self.single(from, to, apart).map(|place| (place, None)),
                Some(0) => self.pair(from, to, apart).map(|(there, back)| (there, Some(back))),
                _ => None,
            };
            let Some((there, back)) = exchange else { return };
            let bytes = |place: usize| self.partitions[place].load.bytes;
            let moved = bytes(there).saturating_sub(back.map_or(0, bytes));
            if moved == 0 || gain(moved) < mean * GAIN_MIN_PERCENT / 100 {
                return;
            }
            let reason = format!(
                "broker {from} has {} bytes and broker {to} has {}; {} bytes to copy",
                more.bytes,
                less.bytes,
                bytes(there)
            );
            let back_reason = format!("for a larger one that goes to broker {to}");
            self.change(there, replaced(&self.partitions[there].target, from, to), reason);
            if let Some(back) = back {
                self.change(back, replaced(&self.partitions[back].target, to, from), back_reason);
            }
        }
    }

    fn single(&self, from: i32, to: i32, apart: u64) -> Option<usize> {
        let replicas = self.brokers[&from].replicas.iter().copied();
        let fits = replicas.filter(|place| self.is_movable(*place, from, to));
        fits.min_by_key(|place| (self.partitions[*place].load.bytes.abs_diff(apart / 2), *place))
    }

    fn pair(&self, from: i32, to: i32, apart: u64) -> Option<(usize, usize)> {
        let bytes = |place: &usize| self.partitions[*place].load.bytes;
        let sorted = |of: i32, other: i32| {
            let replicas = self.brokers[&of].replicas.iter().copied();
            let mut places: Vec<usize> =
                replicas.filter(|place| self.is_movable(*place, of, other)).collect();
            places.sort_by_key(|place| (bytes(place), *place));
            places
        };
        let (there, back) = (sorted(from, to), sorted(to, from));
        let pairs = there.iter().rev().take(EXCHANGED_MAX).flat_map(|one| {
            let wanted = bytes(one).saturating_sub(apart / 2);
            let at = back.partition_point(|other| bytes(other) < wanted);
            let near = back.get(at).into_iter().chain(at.checked_sub(1).and_then(|before| back.get(before)));
            near.map(|other| (*one, *other))
        });
        pairs.min_by_key(|(one, other)| {
            (bytes(one).saturating_sub(bytes(other)).abs_diff(apart / 2), *one, *other)
        })
    }
}

#[cfg(test)]
mod tests;
