//! Where `--generate` proposes to put replicas (`AdminUtils.assignReplicasToBrokers`).
//! Core: leaders in turn, the replicas of one leader spread over the others, no rack twice before all have one. Where it
//! begins is an argument.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Exception;

/// A broker with its rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    pub rack: Option<String>,
}

/// Where a placement begins.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// The place of the first leader.
    pub leader: usize,
    /// How far behind it its first follower is.
    pub shift: usize,
}

/// The replicas of each partition.
pub fn place(
    brokers: &[Broker],
    partition_count: usize,
    replica_count: usize,
    begin: Begin,
) -> Result<Vec<Vec<i32>>, Exception> {
    if replica_count > brokers.len() {
        let message =
            format!("Replication factor: {replica_count} larger than available brokers: {}.", brokers.len());
        return Err(Exception::kafka("InvalidReplicationFactorException", message));
    }
    let racks: BTreeSet<&str> = brokers.iter().filter_map(|broker| broker.rack.as_deref()).collect();
    let arranged = if racks.is_empty() { brokers.to_vec() } else { alternating(brokers) };
    let mut shift = begin.shift;
    let mut placed = Vec::with_capacity(partition_count);
    for partition in 0..partition_count {
        if partition > 0 && partition % arranged.len() == 0 {
            shift += 1;
        }
        let first = (partition + begin.leader) % arranged.len();
        placed.push(match racks.len() {
            0 => plainly(&arranged, first, shift, replica_count),
            count => over_racks(&arranged, first, shift * count, replica_count, count),
        });
    }
    Ok(placed)
}

/// The place of a follower: some places behind its leader, never on it.
fn place_behind(first: usize, shift: usize, turn: usize, count: usize) -> usize {
    (first + 1 + (shift + turn) % (count - 1)) % count
}

fn plainly(brokers: &[Broker], first: usize, shift: usize, replica_count: usize) -> Vec<i32> {
    let followers = (0..replica_count - 1).map(|turn| place_behind(first, shift, turn, brokers.len()));
    std::iter::once(first).chain(followers).map(|place| brokers[place].id).collect()
}

fn over_racks(
    brokers: &[Broker],
    first: usize,
    shift: usize,
    replica_count: usize,
    rack_count: usize,
) -> Vec<i32> {
    let mut replicas = vec![&brokers[first]];
    let mut turn = 0;
    while replicas.len() < replica_count {
        let broker = &brokers[place_behind(first, shift, turn, brokers.len())];
        turn += 1;
        let racks: BTreeSet<_> = replicas.iter().map(|replica| &replica.rack).collect();
        let is_new_rack = !racks.contains(&broker.rack) || racks.len() == rack_count;
        if is_new_rack && !replicas.contains(&broker) {
            replicas.push(broker);
        }
    }
    replicas.into_iter().map(|broker| broker.id).collect()
}

/// One broker of each rack in turn.
fn alternating(brokers: &[Broker]) -> Vec<Broker> {
    let mut by_rack: BTreeMap<&Option<String>, Vec<&Broker>> = BTreeMap::new();
    for broker in brokers {
        by_rack.entry(&broker.rack).or_default().push(broker);
    }
    for rack in by_rack.values_mut() {
        rack.sort_by_key(|broker| broker.id);
    }
    let longest = by_rack.values().map(Vec::len).max().unwrap_or(0);
    let rounds = (0..longest).flat_map(|round| by_rack.values().filter_map(move |rack| rack.get(round)));
    rounds.map(|broker| (*broker).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(racks: &[Option<&str>]) -> Vec<Broker> {
        let broker = |(id, rack): (i32, &Option<&str>)| Broker { id, rack: rack.map(str::to_owned) };
        (0..).zip(racks).map(broker).collect()
    }

    /// The example in Kafka's own description of the rule.
    #[test]
    fn ten_partitions_on_five_brokers() {
        let placed = place(&brokers(&[None; 5]), 10, 3, Begin { leader: 0, shift: 0 }).expect("a placement");
        let expected: [[i32; 3]; 10] = [
            [0, 1, 2],
            [1, 2, 3],
            [2, 3, 4],
            [3, 4, 0],
            [4, 0, 1],
            [0, 2, 3],
            [1, 3, 4],
            [2, 4, 0],
            [3, 0, 1],
            [4, 1, 2],
        ];
        assert_eq!(placed, expected);
    }

    #[test]
    fn no_rack_has_two_before_all_have_one() {
        let all = brokers(&[Some("a"), Some("a"), Some("b"), Some("b"), Some("c"), Some("c")]);
        for leader in 0..6 {
            let placed = place(&all, 12, 3, Begin { leader, shift: leader }).expect("a placement");
            for replicas in placed {
                let racks: BTreeSet<_> = replicas.iter().map(|id| all[*id as usize].rack.clone()).collect();
                assert_eq!(racks.len(), 3, "{replicas:?}");
            }
        }
        assert_eq!(alternating(&all).iter().map(|broker| broker.id).collect::<Vec<_>>(), [0, 2, 4, 1, 3, 5]);
    }

    #[test]
    fn more_replicas_than_brokers_are_refused() {
        let told = place(&brokers(&[None; 2]), 1, 3, Begin { leader: 0, shift: 0 }).err();
        let message = told.map(|error| error.message);
        assert_eq!(message.as_deref(), Some("Replication factor: 3 larger than available brokers: 2."));
        assert_eq!(place(&brokers(&[None]), 2, 1, Begin { leader: 0, shift: 0 }), Ok(vec![vec![0], vec![0]]));
    }
}
