//! Where the replicas of a broker go that is to have none.
//! Core.
//!
//! Invariants:
//! - I1. A partition keeps as many replicas as it has, and none on the broker that goes.
//! - I2. A rack holds a second replica of a partition only where every broker that could take one is in such a rack.

use std::collections::BTreeMap;

use crate::{Broker, Move, Partition};

/// The moves, or why there are too few brokers for them. `brokers` may have the one that leaves.
pub fn plan(partitions: &[Partition], leaving: i32, brokers: &[Broker]) -> Result<Vec<Move>, String> {
    let taking: Vec<&Broker> =
        brokers.iter().filter(|broker| broker.is_taking && broker.id != leaving).collect();
    let mut counts: BTreeMap<i32, usize> = taking.iter().map(|broker| (broker.id, 0)).collect();
    let mut leaders = counts.clone();
    for partition in partitions {
        for (place, id) in partition.replicas.iter().enumerate() {
            counts.entry(*id).and_modify(|count| *count += 1);
            if place == 0 {
                leaders.entry(*id).and_modify(|count| *count += 1);
            }
        }
    }
    let mut moves = Vec::new();
    for partition in partitions {
        let Some(place) = partition.replicas.iter().position(|id| *id == leaving) else { continue };
        let rest: Vec<i32> = partition.replicas.iter().copied().filter(|id| *id != leaving).collect();
        let racks: Vec<&String> = brokers
            .iter()
            .filter(|broker| rest.contains(&broker.id))
            .filter_map(|broker| broker.rack.as_ref())
            .collect();
        let cost = |broker: &&&Broker| {
            let shares_rack = broker.rack.as_ref().is_some_and(|rack| racks.contains(&rack));
            // Whoever comes first leads.
            let leads = if place == 0 { leaders.get(&broker.id) } else { None };
            (
                shares_rack,
                leads.copied().unwrap_or(0),
                counts.get(&broker.id).copied().unwrap_or(0),
                broker.id,
            )
        };
        let Some(best) = taking.iter().filter(|broker| !rest.contains(&broker.id)).min_by_key(cost) else {
            return Err(format!(
                "{}-{} has {} replicas, and only {} other broker(s) are there to take them: lower its number of \
                 replicas or add a broker first.",
                partition.topic,
                partition.index,
                partition.replicas.len(),
                taking.len()
            ));
        };
        let mut target = partition.replicas.clone();
        target[place] = best.id;
        counts.entry(best.id).and_modify(|count| *count += 1);
        if place == 0 {
            leaders.entry(best.id).and_modify(|count| *count += 1);
        }
        let reason = match &best.rack {
            Some(rack) => format!("broker {} has fewest, in rack {rack}", best.id),
            None => format!("broker {} has fewest", best.id),
        };
        moves.push(Move {
            topic: partition.topic.clone(),
            index: partition.index,
            before: partition.replicas.clone(),
            target,
            bytes: 0,
            reason,
        });
    }
    Ok(moves)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(racks: &[(i32, &str)]) -> Vec<Broker> {
        let rack = |rack: &str| (!rack.is_empty()).then(|| rack.to_owned());
        racks.iter().map(|(id, of)| Broker { id: *id, rack: rack(of), is_taking: true, disk: None }).collect()
    }

    fn partitions(replicas: &[&[i32]]) -> Vec<Partition> {
        let one = |(index, replicas): (usize, &&[i32])| Partition {
            topic: "t".into(),
            index: index as i32,
            replicas: replicas.to_vec(),
        };
        replicas.iter().enumerate().map(one).collect()
    }

    fn targets(replicas: &[&[i32]], leaving: i32, taking: &[Broker]) -> Vec<(i32, Vec<i32>)> {
        let moves = plan(&partitions(replicas), leaving, taking).expect("there is room");
        moves.into_iter().map(|one| (one.index, one.target)).collect()
    }

    #[test]
    fn only_the_replica_that_goes_is_replaced_where_it_stood_and_evenly() {
        let (leaving, taking) = (3, brokers(&[(1, ""), (2, ""), (4, "")]));
        let found = targets(&[&[3, 1], &[1, 2], &[2, 3], &[1, 3], &[3, 2]], leaving, &taking);
        let wanted = [(0, vec![4, 1]), (2, vec![2, 4]), (3, vec![1, 4]), (4, vec![4, 2])];
        assert_eq!(found.len(), wanted.len());
        for (index, target) in &found {
            assert!(!target.contains(&3) && target.len() == 2 && target[0] != target[1], "{index}");
        }
        assert_eq!(found[0], wanted[0]);
        let led_by = |id: i32| found.iter().filter(|(_, target)| target[0] == id).count();
        assert!(led_by(4) >= 1 && led_by(4) <= 2);
    }

    #[test]
    fn a_rack_is_used_twice_only_where_there_is_no_other() {
        let leaving = 3;
        let taking = brokers(&[(1, "a"), (2, "b"), (4, "a"), (5, "c")]);
        assert_eq!(targets(&[&[1, 3], &[1, 2, 3]], leaving, &taking), [(0, vec![1, 5]), (1, vec![1, 2, 5])]);
        let taking = brokers(&[(1, "a"), (4, "a")]);
        assert_eq!(targets(&[&[1, 3]], leaving, &taking), [(0, vec![1, 4])]);
    }

    #[test]
    fn too_few_brokers_are_said_before_anything_moves() {
        let (leaving, taking) = (3, brokers(&[(1, ""), (2, "")]));
        let refused = plan(&partitions(&[&[1, 2], &[1, 2, 3]]), leaving, &taking);
        let why = refused.expect_err("three replicas on two brokers");
        assert!(why.starts_with("t-1 has 3 replicas, and only 2 other broker(s)"), "{why}");
        assert_eq!(plan(&partitions(&[&[1, 2]]), leaving, &taking), Ok(vec![]), "nothing is there");
    }
}
