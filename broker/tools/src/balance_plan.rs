//! What would make a cluster even: moves of replicas and of leaders, each with its reason.
//! Core.
//!
//! Goals in their order: no two replicas of a partition in one rack where another rack is free; replicas even; bytes even
//! among equally good choices; leaders even. A later goal never undoes an earlier one.
//!
//! Invariants:
//! - I1. A partition changes once, and never more than one of its replicas moves.
//! - I2. A partition keeps as many replicas as it has, on different brokers.
//! - I3. What is even is left alone: the plan of a balanced cluster is empty.

use std::collections::{BTreeMap, BTreeSet};

use crate::moving::{Broker, Move, Partition};

/// Bytes by topic, partition and broker.
pub type Sizes = BTreeMap<(String, i32), u64>;

struct Planner<'a> {
    racks: BTreeMap<i32, Option<&'a str>>,
    partitions: Vec<(&'a Partition, Vec<i32>, Option<String>)>,
    sizes: &'a Sizes,
}

/// `brokers` are those that take replicas; what others have is not touched.
pub fn propose(brokers: &[Broker], partitions: &[Partition], sizes: &Sizes) -> Vec<Move> {
    let mut planner = Planner {
        racks: brokers.iter().map(|broker| (broker.id, broker.rack.as_deref())).collect(),
        partitions: partitions.iter().map(|one| (one, one.replicas.clone(), None)).collect(),
        sizes,
    };
    if planner.racks.len() < 2 {
        return Vec::new();
    }
    planner.spread_over_racks();
    planner.even_replicas();
    planner.even_leaders();
    let moved = planner.partitions.into_iter().filter_map(|(partition, target, reason)| {
        let (topic, index) = (partition.topic.clone(), partition.index);
        reason.map(|reason| Move { topic, index, target, reason })
    });
    moved.collect()
}

impl Planner<'_> {
    fn size(&self, place: usize) -> u64 {
        let partition = self.partitions[place].0;
        self.sizes.get(&(partition.topic.clone(), partition.index)).copied().unwrap_or(0)
    }

    /// Replicas of each broker.
    fn counts(&self) -> BTreeMap<i32, usize> {
        self.count(|target| target.to_vec())
    }

    fn leaders(&self) -> BTreeMap<i32, usize> {
        self.count(|target| target.first().copied().into_iter().collect())
    }

    fn count(&self, of: impl Fn(&[i32]) -> Vec<i32>) -> BTreeMap<i32, usize> {
        let mut counts: BTreeMap<i32, usize> = self.racks.keys().map(|id| (*id, 0)).collect();
        for id in self.partitions.iter().flat_map(|(_, target, _)| of(target)) {
            counts.entry(id).and_modify(|count| *count += 1);
        }
        counts
    }

    fn bytes(&self) -> BTreeMap<i32, u64> {
        let mut bytes: BTreeMap<i32, u64> = self.racks.keys().map(|id| (*id, 0)).collect();
        for place in 0..self.partitions.len() {
            let size = self.size(place);
            for id in &self.partitions[place].1 {
                bytes.entry(*id).and_modify(|bytes| *bytes += size);
            }
        }
        bytes
    }

    fn rack(&self, id: i32) -> Option<&str> {
        self.racks.get(&id).copied().flatten()
    }

    /// How many replicas share their rack with an earlier one.
    fn crowded(&self, target: &[i32]) -> usize {
        let racks: Vec<&str> = target.iter().filter_map(|id| self.rack(*id)).collect();
        racks.len() - racks.iter().collect::<BTreeSet<_>>().len()
    }

    fn replaced(target: &[i32], from: i32, to: i32) -> Vec<i32> {
        target.iter().map(|id| if *id == from { to } else { *id }).collect()
    }

    fn is_movable(&self, place: usize, from: i32, to: i32) -> bool {
        let (_, target, reason) = &self.partitions[place];
        reason.is_none() && target.contains(&from) && !target.contains(&to)
    }

    fn spread_over_racks(&mut self) {
        for place in 0..self.partitions.len() {
            let target = self.partitions[place].1.clone();
            let crowded = self.crowded(&target);
            if crowded == 0 {
                continue;
            }
            let counts = self.counts();
            // The replicas behind stay where they are if they can: the first one leads.
            let choices = target.iter().rev().flat_map(|from| {
                let is_better = |to: &i32| {
                    !target.contains(to) && self.crowded(&Self::replaced(&target, *from, *to)) < crowded
                };
                let to = counts.keys().copied().filter(is_better).min_by_key(|to| (counts[to], *to));
                to.map(|to| (*from, to))
            });
            let choice = choices.into_iter().next();
            if let Some((from, to)) = choice {
                let rack = self.rack(from).unwrap_or_default().to_owned();
                let reason = format!("two replicas are in rack {rack}, and broker {to} is in another");
                self.partitions[place].1 = Self::replaced(&target, from, to);
                self.partitions[place].2 = Some(reason);
            }
        }
    }

    fn even_replicas(&mut self) {
        loop {
            let (counts, bytes) = (self.counts(), self.bytes());
            let by_count = |id: &&i32| (counts[*id], bytes[*id], **id);
            let mut busiest: Vec<i32> = counts.keys().copied().collect();
            busiest.sort_by_key(|id| std::cmp::Reverse(by_count(&id)));
            let mut found = None;
            'pairs: for from in &busiest {
                for to in busiest.iter().rev() {
                    if counts[from] < counts[to] + 2 {
                        break;
                    }
                    // Half of what the one has more than the other.
                    let wanted = bytes[from].saturating_sub(bytes[to]) / 2;
                    let fits = |place: &usize| {
                        let target = &self.partitions[*place].1;
                        self.is_movable(*place, *from, *to)
                            && self.crowded(&Self::replaced(target, *from, *to)) <= self.crowded(target)
                    };
                    let best = (0..self.partitions.len())
                        .filter(fits)
                        .min_by_key(|place| (self.size(*place).abs_diff(wanted), *place));
                    if let Some(place) = best {
                        found = Some((place, *from, *to));
                        break 'pairs;
                    }
                }
            }
            let Some((place, from, to)) = found else { return };
            let reason = format!(
                "broker {from} has {} replicas and broker {to} has {}; {} bytes to copy",
                counts[&from],
                counts[&to],
                self.size(place)
            );
            self.partitions[place].1 = Self::replaced(&self.partitions[place].1, from, to);
            self.partitions[place].2 = Some(reason);
        }
    }

    /// Another replica comes first: nothing is copied.
    fn even_leaders(&mut self) {
        loop {
            let leaders = self.leaders();
            let found = (0..self.partitions.len()).find_map(|place| {
                let (_, target, reason) = &self.partitions[place];
                let first = *target.first().filter(|first| leaders.contains_key(*first))?;
                let is_fewer = |id: &&i32| leaders.get(*id).is_some_and(|led| led + 2 <= leaders[&first]);
                let to = target.iter().filter(is_fewer).min_by_key(|id| leaders[*id])?;
                reason.is_none().then_some((place, first, *to))
            });
            let Some((place, first, to)) = found else { return };
            let target = &mut self.partitions[place].1;
            target.retain(|id| *id != to);
            target.insert(0, to);
            let reason = format!(
                "broker {first} leads {} partitions and broker {to} {}; nothing is copied",
                leaders[&first], leaders[&to]
            );
            self.partitions[place].2 = Some(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(racks: &[(i32, &str)]) -> Vec<Broker> {
        let rack = |rack: &str| (!rack.is_empty()).then(|| rack.to_owned());
        racks.iter().map(|(id, of)| Broker { id: *id, rack: rack(of) }).collect()
    }

    fn partitions(replicas: &[Vec<i32>]) -> Vec<Partition> {
        let one = |(index, replicas): (usize, &Vec<i32>)| Partition {
            topic: "t".to_owned(),
            index: index as i32,
            replicas: replicas.clone(),
        };
        replicas.iter().enumerate().map(one).collect()
    }

    /// What is there after the moves, which keep the invariants.
    fn after(brokers: &[Broker], before: &[Vec<i32>], sizes: &Sizes) -> (Vec<Vec<i32>>, usize) {
        let mut now = before.to_vec();
        let moves = propose(brokers, &partitions(before), sizes);
        let mut seen = BTreeSet::new();
        for one in &moves {
            let old = &before[one.index as usize];
            assert!(seen.insert(one.index), "a partition changes once");
            let gone = old.iter().filter(|id| !one.target.contains(id)).count();
            let distinct: BTreeSet<&i32> = one.target.iter().collect();
            assert!(gone <= 1 && distinct.len() == old.len() && one.target.len() == old.len());
            assert!(*old != one.target && !one.reason.is_empty());
            now[one.index as usize] = one.target.clone();
        }
        (now, moves.len())
    }

    fn counts(replicas: &[Vec<i32>], id: i32) -> (usize, usize) {
        let has = replicas.iter().filter(|one| one.contains(&id)).count();
        (has, replicas.iter().filter(|one| one[0] == id).count())
    }

    #[test]
    fn a_broker_that_joins_gets_its_part_and_then_nothing_moves_any_more() {
        let before: Vec<Vec<i32>> =
            (0..12).map(|index| (0..3).map(|place| 1 + (index + place) % 3).collect()).collect();
        let brokers = brokers(&[(1, ""), (2, ""), (3, ""), (4, "")]);
        let (now, moved) = after(&brokers, &before, &Sizes::new());
        assert!(moved >= 9);
        for id in 1..=4 {
            assert_eq!(counts(&now, id).0, 9, "{now:?}");
        }
        let mut settled = now;
        for _ in 0..3 {
            settled = after(&brokers, &settled, &Sizes::new()).0;
        }
        for id in 1..=4 {
            assert!((2..=4).contains(&counts(&settled, id).1), "{settled:?}");
        }
        assert_eq!(after(&brokers, &settled, &Sizes::new()).1, 0, "even is even");
    }

    #[test]
    fn a_crowded_rack_comes_before_even_numbers_and_evenness_never_crowds_one() {
        let brokers = brokers(&[(1, "a"), (2, "a"), (3, "b")]);
        let (now, _) = after(&brokers, &[vec![1, 2], vec![1, 3], vec![2, 3], vec![2, 3]], &Sizes::new());
        assert!(now.iter().all(|one| one.contains(&3)), "{now:?}");
    }

    #[test]
    fn among_equal_choices_the_bytes_decide() {
        let brokers = brokers(&[(1, ""), (2, "")]);
        let sizes: Sizes = [(0, 10), (1, 60), (2, 30)]
            .into_iter()
            .map(|(index, bytes)| (("t".to_owned(), index), bytes))
            .collect();
        let (now, moved) = after(&brokers, &[vec![1], vec![1], vec![1]], &sizes);
        assert_eq!((now, moved), (vec![vec![1], vec![2], vec![1]], 1));
        assert!(propose(&brokers[..1], &partitions(&[vec![1]]), &sizes).is_empty(), "one alone");
    }

    #[test]
    fn a_broker_that_takes_nothing_is_left_alone() {
        let brokers = brokers(&[(1, ""), (2, "")]);
        let (now, _) = after(&brokers, &[vec![9], vec![9], vec![1]], &Sizes::new());
        assert_eq!(now, [vec![9], vec![9], vec![1]]);
    }
}
