//! Plans of small clusters, and what holds of every plan.
//! Core.

use super::*;

fn brokers(racks: &[(i32, &str)]) -> Vec<Broker> {
    let rack = |rack: &str| (!rack.is_empty()).then(|| rack.to_owned());
    racks.iter().map(|(id, of)| Broker { id: *id, rack: rack(of), is_taking: true, disk: None }).collect()
}

fn partitions(replicas: &[Vec<i32>]) -> Vec<Partition> {
    let one = |(index, replicas): (usize, &Vec<i32>)| Partition {
        topic: "t".into(),
        index: index as i32,
        replicas: replicas.clone(),
    };
    replicas.iter().enumerate().map(one).collect()
}

/// What is there after the moves, which keep the invariants.
fn after(brokers: &[Broker], before: &[Vec<i32>], loads: &Loads) -> (Vec<Vec<i32>>, usize) {
    let mut now = before.to_vec();
    let moves = propose(brokers, &partitions(before), loads, Limits::default());
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
    let (now, moved) = after(&brokers, &before, &Loads::new());
    assert!(moved >= 9);
    for id in 1..=4 {
        assert_eq!(counts(&now, id).0, 9, "{now:?}");
    }
    let mut settled = now;
    for _ in 0..3 {
        settled = after(&brokers, &settled, &Loads::new()).0;
    }
    for id in 1..=4 {
        assert!((2..=4).contains(&counts(&settled, id).1), "{settled:?}");
    }
    assert_eq!(after(&brokers, &settled, &Loads::new()).1, 0, "even is even");
}

#[test]
fn a_crowded_rack_comes_before_even_numbers_and_evenness_never_crowds_one() {
    let brokers = brokers(&[(1, "a"), (2, "a"), (3, "b")]);
    let (now, _) = after(&brokers, &[vec![1, 2], vec![1, 3], vec![2, 3], vec![2, 3]], &Loads::new());
    assert!(now.iter().all(|one| one.contains(&3)), "{now:?}");
}

#[test]
fn the_rack_of_a_broker_that_takes_nothing_counts() {
    let mut brokers = brokers(&[(1, "a"), (2, "b"), (3, "b")]);
    brokers[1].is_taking = false;
    let (now, moved) = after(&brokers, &[vec![1, 2], vec![1, 2], vec![1, 2]], &Loads::new());
    assert_eq!((now, moved), (vec![vec![1, 2]; 3], 0));
}

#[test]
fn among_equal_choices_the_bytes_decide() {
    let brokers = brokers(&[(1, ""), (2, "")]);
    let loads: Loads = [(0, 10), (1, 60), (2, 30)]
        .into_iter()
        .map(|(index, bytes)| (("t".into(), index), Load { bytes, ..Load::default() }))
        .collect();
    let (now, moved) = after(&brokers, &[vec![1], vec![1], vec![1]], &loads);
    assert_eq!((now, moved), (vec![vec![1], vec![2], vec![1]], 1));
    assert!(
        propose(&brokers[..1], &partitions(&[vec![1]]), &loads, Limits::default()).is_empty(),
        "one alone"
    );
}

#[test]
fn a_broker_that_takes_nothing_is_left_alone() {
    let brokers = brokers(&[(1, ""), (2, "")]);
    let (now, _) = after(&brokers, &[vec![9], vec![9], vec![1]], &Loads::new());
    assert_eq!(now, [vec![9], vec![9], vec![1]]);
    let mut brokers = brokers;
    brokers[1].is_taking = false;
    assert!(propose(&brokers, &partitions(&[vec![1], vec![1]]), &Loads::new(), Limits::default()).is_empty());
}

fn load(bytes: u64) -> Load {
    Load { bytes, bytes_in_per_second: bytes }
}

#[test]
fn a_disk_that_is_nearly_full_gives_its_largest_replicas_to_one_with_room() {
    let mut brokers = brokers(&[(1, ""), (2, ""), (3, "")]);
    let disk = |usable_bytes| Some(Disk { total_bytes: 1000, usable_bytes });
    brokers[0].disk = disk(100);
    brokers[1].disk = disk(350);
    brokers[2].disk = disk(800);
    let loads: Loads = [(0, 20), (1, 300), (2, 150)]
        .into_iter()
        .map(|(index, bytes)| (("t".into(), index), load(bytes)))
        .collect();
    let before = [vec![1], vec![1], vec![1]];
    let moves = propose(&brokers, &partitions(&before), &loads, Limits::default());
    assert_eq!((moves[0].index, &moves[0].target, moves[0].bytes), (1, &vec![3], 300), "{moves:?}");
    assert!(moves[0].reason.contains("above 80 %"), "{moves:?}");
    let (now, _) = after(&brokers, &before, &loads);
    assert_eq!(now, [vec![2], vec![3], vec![1]], "numbers fill no disk");
    let all = Limits { disk_max_percent: 100, ..Limits::default() };
    let moves = propose(&brokers, &partitions(&before), &loads, all);
    assert!(moves.iter().all(|one| !one.reason.contains("disks")), "{moves:?}");
    assert_eq!(
        propose(&brokers, &partitions(&before), &loads, Limits { moves_max: 1, ..Limits::default() }).len(),
        1
    );
}

#[test]
fn bytes_alone_are_worth_a_copy_only_where_they_gain_something() {
    let brokers = brokers(&[(1, ""), (2, "")]);
    let loads = |bytes: [u64; 4]| -> Loads {
        (0..).zip(bytes).map(|(index, bytes)| (("t".into(), index), load(bytes))).collect()
    };
    let before = [vec![1], vec![1], vec![2], vec![2]];
    let (now, moved) = after(&brokers, &before, &loads([100, 90, 10, 20]));
    assert_eq!(moved, 2);
    assert_eq!((counts(&now, 1), counts(&now, 2)), ((2, 2), (2, 2)));
    let bytes =
        |id| (0..4).filter(|place| now[*place] == [id]).map(|place| [100, 90, 10, 20][place]).sum::<u64>();
    assert_eq!((bytes(1), bytes(2)), (110, 110));
    assert_eq!(after(&brokers, &now, &loads([100, 90, 10, 20])).1, 0);
    assert_eq!(after(&brokers, &before, &loads([100, 100, 98, 99])).1, 0);
}

#[test]
fn leaders_are_evened_by_what_clients_write() {
    let brokers = brokers(&[(1, ""), (2, "")]);
    let loads: Loads = [(0, 5), (1, 90), (2, 40)]
        .into_iter()
        .map(|(index, rate)| (("t".into(), index), Load { bytes: 1, bytes_in_per_second: rate }))
        .collect();
    let (now, moved) = after(&brokers, &[vec![1, 2], vec![1, 2], vec![1, 2]], &loads);
    assert_eq!((now[1].as_slice(), moved), ([2, 1].as_slice(), 1), "{now:?}");
}
