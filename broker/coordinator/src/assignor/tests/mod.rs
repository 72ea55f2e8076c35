//! What holds of every assignment, whatever the order of Java's tables.
//! Core.

mod golden;

use ottla_env::memory::SeededRng;

use super::*;

fn id(number: u128) -> TopicId {
    TopicId(uuid::Uuid::from_u128(number << 64 | number))
}

fn topics(partition_counts: &[i32]) -> Topics {
    let specs = partition_counts.iter().zip(1..).map(|(partition_count, number)| {
        let name = TopicName::new(&format!("topic-{number}"));
        (id(number), TopicSpec { name, partition_count: *partition_count })
    });
    specs.collect()
}

fn member(numbers: impl IntoIterator<Item = u128>) -> MemberSubscription {
    let topics = Arc::new(numbers.into_iter().map(id).collect());
    MemberSubscription { topics, ..MemberSubscription::default() }
}

fn group(members: BTreeMap<MemberId, MemberSubscription>) -> GroupSpec {
    GroupSpec { subscription_type: SubscriptionType::of(&members), members }
}

/// Each partition of a topic that is read has one owner, who reads the topic.
fn check_owners(group: &GroupSpec, topics: &Topics, assignments: &BTreeMap<MemberId, Assignment>) {
    assert!(assignments.keys().eq(group.members.keys()));
    let mut owned = BTreeSet::new();
    for (id, assignment) in assignments {
        for (topic, partitions) in assignment {
            assert!(group.members[id].topics.contains(topic), "{id} does not read {topic}");
            assert!(!partitions.is_empty());
            for partition in partitions {
                assert!(owned.insert((*topic, *partition)), "{topic}-{partition} is with two");
            }
        }
    }
    let read: BTreeSet<TopicId> =
        group.members.values().flat_map(|member| member.topics.iter().copied()).collect();
    let expected = read.iter().flat_map(|id| (0..topics[id].partition_count).map(|index| (*id, index)));
    assert!(owned.into_iter().eq(expected), "a partition has no owner");
}

fn sizes(assignments: &BTreeMap<MemberId, Assignment>) -> Vec<usize> {
    assignments.values().map(|assignment| assignment.values().map(BTreeSet::len).sum()).collect()
}

/// Members come and go, read other topics, and topics grow: eight times in a row.
fn play(assignor: ConsumerAssignor, seed: u64, is_homogeneous: bool) {
    let rng = SeededRng::new(seed);
    let below = |end: u64| rng.below(end);
    let mut topics = topics(&[1, 3, 7, 12, 40]);
    let mut current: BTreeMap<MemberId, Arc<Assignment>> = BTreeMap::new();
    for step in 0..8 {
        topics.get_mut(&id(1 + u128::from(below(5)))).expect("five").partition_count += below(3) as i32;
        let all: Vec<u128> = (1..=5).filter(|_| below(3) > 0).collect();
        let mut members = BTreeMap::new();
        for number in 0..1 + below(20) {
            let name = MemberId::new(&format!("member-{}", number + below(3) * 100));
            let read: Vec<u128> = (1..=5).filter(|_| below(2) == 0).collect();
            let mut member = member(if is_homogeneous { all.clone() } else { read });
            member.current = current.get(&name).cloned().unwrap_or_default();
            members.insert(name, member);
        }
        let group = group(members);
        let assignments = assignor.assign(&group, &topics).expect("all topics are there");
        check_owners(&group, &topics, &assignments);
        if assignor == ConsumerAssignor::Uniform && is_homogeneous {
            let sizes = sizes(&assignments);
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(most - least <= 1, "seed {seed}, step {step}: {sizes:?}");
        }
        current = assignments.into_iter().map(|(id, assignment)| (id, Arc::new(assignment))).collect();
    }
}

#[test]
fn each_partition_has_one_owner_who_reads_it() {
    for seed in 0..60 {
        for assignor in ConsumerAssignor::ALL {
            play(assignor, seed, true);
            play(assignor, seed, false);
        }
    }
}

#[test]
fn nothing_moves_without_need() {
    let topics = topics(&[10, 10]);
    let names = ["a", "b", "c"].map(MemberId::new);
    let members: BTreeMap<_, _> = names.iter().map(|name| (name.clone(), member([1, 2]))).collect();
    let mut spec = group(members);
    let first = ConsumerAssignor::Uniform.assign(&spec, &topics).unwrap();
    for (name, assignment) in &first {
        spec.members.get_mut(name).unwrap().current = Arc::new(assignment.clone());
    }
    assert_eq!(ConsumerAssignor::Uniform.assign(&spec, &topics).unwrap(), first);
    // One leaves: the others keep all they had.
    spec.members.remove(&names[1]);
    let second = ConsumerAssignor::Uniform.assign(&spec, &topics).unwrap();
    assert_eq!(sizes(&second), [10, 10]);
    for (name, assignment) in &second {
        for (topic, partitions) in &first[name] {
            assert!(assignment[topic].is_superset(partitions));
        }
    }
}

#[test]
fn a_topic_that_is_not_there_is_an_error() {
    let members = BTreeMap::from([(MemberId::new("a"), member([1, 2])), (MemberId::new("b"), member([1]))]);
    for subscription_type in [SubscriptionType::Homogeneous, SubscriptionType::Heterogeneous] {
        let spec = GroupSpec { members: members.clone(), subscription_type };
        for assignor in ConsumerAssignor::ALL {
            // A homogeneous group reads what its first member reads.
            let expected = Err(AssignorError::UnknownTopic(id(2)));
            assert_eq!(assignor.assign(&spec, &topics(&[4])), expected);
        }
    }
}

#[test]
fn static_members_come_first_in_a_range() {
    let topics = topics(&[3]);
    let with_instance =
        |instance: &str| MemberSubscription { instance_id: Some(Arc::from(instance)), ..member([1]) };
    let members = BTreeMap::from([
        (MemberId::new("a"), member([1])),
        (MemberId::new("b"), with_instance("z")),
        (MemberId::new("c"), with_instance("y")),
    ]);
    let assignments = ConsumerAssignor::Range.assign(&group(members), &topics).unwrap();
    let partition = |name: &str| assignments[&MemberId::new(name)][&id(1)].first().copied();
    assert_eq!([partition("c"), partition("b"), partition("a")], [Some(0), Some(1), Some(2)]);
}

#[test]
fn names_are_kafka_s() {
    assert_eq!(ConsumerAssignor::ALL.map(ConsumerAssignor::name), ["uniform", "range"]);
    assert_eq!(ConsumerAssignor::from_name("range"), Some(ConsumerAssignor::Range));
    assert_eq!(ConsumerAssignor::from_name("sticky"), None);
}
