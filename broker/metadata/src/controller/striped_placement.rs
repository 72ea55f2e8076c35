//! Which brokers hold the replicas of new partitions: striped over racks and brokers, beginning anywhere.
//! Core. The rules of Kafka's `StripedReplicaPlacer`; its numbers are random, so no two placements need be equal.
//!
//! Rules:
//! - R1. The first replica leads, and is on a broker that is not fenced.
//! - R2. A fenced broker gets a replica only where a rack has no other one left.
//! - R3. Leaders go round the racks; the replicas of one partition go round them too, so that none shares a rack with
//!   another while a rack without one is there.
//! - R4. No partition has two replicas on one broker.

use ottla_model::BrokerId;

/// A broker that takes new replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsableBroker {
    pub id: BrokerId,
    pub rack: Option<String>,
    pub is_fenced: bool,
}

/// Numbers from a seed (splitmix64): the seed is drawn outside, so that a placement repeats.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Brokers of a rack, taken in a ring that begins one further with each partition.
#[derive(Default)]
struct Ring {
    brokers: Vec<BrokerId>,
    taken: usize,
    begin: usize,
    partition: usize,
}

impl Ring {
    fn begin_anywhere(&mut self, draws: &mut Draws) {
        self.brokers.sort_unstable();
        self.begin = draws.below(self.brokers.len());
    }

    /// The next one that the partition does not have yet.
    fn next(&mut self, partition: usize) -> Option<BrokerId> {
        let count = self.brokers.len();
        if self.partition != partition {
            self.partition = partition;
            self.taken = 0;
            self.begin = (self.begin + 1) % count.max(1);
        }
        if self.taken >= count {
            return None;
        }
        let id = self.brokers[(self.begin + self.taken) % count];
        self.taken += 1;
        Some(id)
    }
}

#[derive(Default)]
struct Rack {
    name: Option<String>,
    unfenced: Ring,
    fenced: Ring,
}

impl Rack {
    fn next(&mut self, partition: usize) -> Option<BrokerId> {
        self.unfenced.next(partition).or_else(|| self.fenced.next(partition))
    }
}

/// The replicas of `partitions` new partitions. There are at least `factor` brokers, and one of them is not fenced.
pub(crate) fn place_striped(
    brokers: &[UsableBroker],
    seed: u64,
    partitions: usize,
    factor: usize,
) -> Vec<Vec<BrokerId>> {
    let unfenced = brokers.iter().filter(|broker| !broker.is_fenced).count();
    assert!(
        factor >= 1 && factor <= brokers.len() && unfenced >= 1,
        "the caller has refused what can't be placed"
    );
    let mut draws = Draws(seed);
    let mut racks = racks_of(brokers);
    for rack in &mut racks {
        rack.unfenced.begin_anywhere(&mut draws);
        rack.fenced.begin_anywhere(&mut draws);
    }
    let mut first_rack = draws.below(racks.len());
    // After as many partitions as there are brokers that lead, the ring has come round: another order follows.
    let mut since_shuffle = 0;
    let mut places = Vec::with_capacity(partitions);
    for _ in 0..partitions {
        if since_shuffle == unfenced && unfenced > 1 {
            draws.shuffle(&mut racks);
            for rack in &mut racks {
                draws.shuffle(&mut rack.unfenced.brokers);
                draws.shuffle(&mut rack.fenced.brokers);
            }
            since_shuffle = 0;
        }
        first_rack %= racks.len();
        let place = place_one(&mut racks, first_rack, places.len(), factor);
        places.push(place);
        since_shuffle += 1;
        first_rack += 1;
    }
    places
}

fn racks_of(brokers: &[UsableBroker]) -> Vec<Rack> {
    let mut racks: Vec<Rack> = Vec::new();
    for broker in brokers {
        let known = racks.iter().position(|rack| rack.name == broker.rack);
        let place = known.unwrap_or_else(|| {
            racks.push(Rack { name: broker.rack.clone(), ..Rack::default() });
            racks.len() - 1
        });
        let ring = if broker.is_fenced { &mut racks[place].fenced } else { &mut racks[place].unfenced };
        ring.brokers.push(broker.id);
    }
    racks.sort_by(|a, b| a.name.cmp(&b.name));
    racks
}

fn place_one(racks: &mut [Rack], first_rack: usize, partition: usize, factor: usize) -> Vec<BrokerId> {
    let count = racks.len();
    let mut replicas = Vec::with_capacity(factor);
    // R1: the first rack from here on that has somebody who can lead.
    let mut leads_in = first_rack;
    loop {
        if let Some(id) = racks[leads_in].unfenced.next(partition) {
            replicas.push(id);
            break;
        }
        leads_in = (leads_in + 1) % count;
    }
    // The leader's rack is passed over once, for it has a replica already.
    let mut to_skip = Some(leads_in);
    let mut rack = first_rack;
    while replicas.len() < factor {
        if to_skip == Some(rack) {
            to_skip = None;
        } else if let Some(id) = racks[rack].next(partition) {
            replicas.push(id);
        }
        rack = (rack + 1) % count;
    }
    replicas
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn broker(id: i32, rack: Option<&str>, is_fenced: bool) -> UsableBroker {
        UsableBroker { id: BrokerId(id), rack: rack.map(str::to_owned), is_fenced }
    }

    fn rack_of(brokers: &[UsableBroker], id: BrokerId) -> Option<String> {
        brokers.iter().find(|broker| broker.id == id).expect("a known broker").rack.clone()
    }

    #[test]
    fn replicas_of_a_partition_are_on_different_brokers_and_racks() {
        let racks = [Some("a"), Some("b"), Some("c"), Some("a"), Some("b"), Some("c"), Some("a")];
        let brokers: Vec<_> = racks.iter().zip(0..).map(|(rack, id)| broker(id, *rack, false)).collect();
        for seed in 0..200 {
            for factor in 1..=7 {
                for replicas in place_striped(&brokers, seed, 30, factor) {
                    let distinct: BTreeSet<_> = replicas.iter().collect();
                    assert_eq!(distinct.len(), factor, "seed {seed}: {replicas:?}");
                    let racks: BTreeSet<_> = replicas.iter().map(|id| rack_of(&brokers, *id)).collect();
                    assert_eq!(racks.len(), factor.min(3), "seed {seed}: {replicas:?}");
                }
            }
        }
    }

    #[test]
    fn leaders_and_replicas_are_even() {
        let brokers: Vec<_> = (0..5).map(|id| broker(id, None, false)).collect();
        for seed in 0..200 {
            let mut leads: BTreeMap<BrokerId, usize> = BTreeMap::new();
            let mut holds: BTreeMap<BrokerId, usize> = BTreeMap::new();
            for replicas in place_striped(&brokers, seed, 100, 3) {
                *leads.entry(replicas[0]).or_default() += 1;
                replicas.iter().for_each(|id| *holds.entry(*id).or_default() += 1);
            }
            assert!(leads.len() == 5 && leads.values().all(|count| *count == 20), "seed {seed}: {leads:?}");
            assert!(holds.values().all(|count| *count == 60), "seed {seed}: {holds:?}");
        }
    }

    #[test]
    fn a_fenced_broker_leads_nothing_and_is_the_last_to_get_a_replica() {
        let brokers = [broker(1, None, false), broker(2, None, true), broker(3, None, false)];
        for seed in 0..200 {
            for replicas in place_striped(&brokers, seed, 20, 2) {
                assert!(!replicas.contains(&BrokerId(2)), "seed {seed}: {replicas:?}");
            }
            for replicas in place_striped(&brokers, seed, 20, 3) {
                assert_eq!(replicas[2], BrokerId(2), "seed {seed}: {replicas:?}");
            }
        }
        let one_rack_is_down = [broker(1, Some("a"), true), broker(2, Some("b"), false)];
        assert!(place_striped(&one_rack_is_down, 7, 9, 2).iter().all(|replicas| replicas[0] == BrokerId(2)));
    }

    #[test]
    fn a_placement_begins_anywhere_and_repeats_from_its_seed() {
        let brokers: Vec<_> = (0..5).map(|id| broker(id, None, false)).collect();
        let first = |seed| place_striped(&brokers, seed, 1, 3)[0][0];
        let begins: BTreeSet<BrokerId> = (0..100).map(first).collect();
        assert_eq!(begins.len(), 5);
        assert_eq!(place_striped(&brokers, 42, 50, 3), place_striped(&brokers, 42, 50, 3));
    }
}
