//! The simple assignor: few members a partition, members equally loaded, and as little change as that takes.
//! Core. After Kafka's `SimpleAssignor`; where its order is that of hash maps, ours is that of ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::{MemberId, TopicId};

use crate::record::Assignment;

/// What a member reads, and what it has.
pub struct MemberSpec {
    pub topics: BTreeSet<TopicId>,
    pub current: Arc<Assignment>,
}

/// What the assignor works on; it holds no reference to the group.
pub struct AssignorInput {
    pub members: BTreeMap<MemberId, MemberSpec>,
    /// The partitions that have share state.
    pub assignable: BTreeMap<TopicId, BTreeSet<i32>>,
}

impl AssignorInput {
    pub fn assign(self) -> BTreeMap<MemberId, Assignment> {
        assign(&self.members, &self.assignable)
    }
}

type Partition = (TopicId, i32);

/// Assigns the assignable partitions of the topics that the members read.
fn assign(
    members: &BTreeMap<MemberId, MemberSpec>,
    assignable: &BTreeMap<TopicId, BTreeSet<i32>>,
) -> BTreeMap<MemberId, Assignment> {
    let specs: Vec<&MemberSpec> = members.values().collect();
    let mut assigned: Vec<BTreeSet<Partition>> = vec![BTreeSet::new(); specs.len()];
    let partitions_of = |topics: &mut dyn Iterator<Item = &TopicId>| -> Vec<Partition> {
        topics
            .flat_map(|id| assignable.get(id).into_iter().flatten().map(move |partition| (*id, *partition)))
            .collect()
    };
    let is_homogeneous = specs.windows(2).all(|pair| pair[0].topics == pair[1].topics);
    if is_homogeneous {
        let Some(first) = specs.first() else { return BTreeMap::new() };
        let everyone: Vec<usize> = (0..specs.len()).collect();
        balance(&partitions_of(&mut first.topics.iter()), &everyone, &specs, &mut assigned);
    } else {
        let topics: BTreeSet<TopicId> = specs.iter().flat_map(|spec| spec.topics.iter().copied()).collect();
        for topic in &topics {
            let subscribed: Vec<usize> =
                (0..specs.len()).filter(|index| specs[*index].topics.contains(topic)).collect();
            balance(&partitions_of(&mut std::iter::once(topic)), &subscribed, &specs, &mut assigned);
        }
    }
    members
        .keys()
        .zip(assigned)
        .map(|(member, partitions)| {
            let mut assignment = Assignment::new();
            for (topic, partition) in partitions {
                assignment.entry(topic).or_default().insert(partition);
            }
            (member.clone(), assignment)
        })
        .collect()
}

fn balance(
    targets: &[Partition],
    members: &[usize],
    specs: &[&MemberSpec],
    assigned: &mut [BTreeSet<Partition>],
) {
    if targets.is_empty() || members.is_empty() {
        return;
    }
    // So many members to a partition, and about so many partitions to a member.
    let sharing = members.len().div_ceil(targets.len());
    let total = sharing * targets.len();
    let desired = |place: usize| {
        (total * (place + 1)).div_ceil(members.len()) - (total * place).div_ceil(members.len())
    };
    let mut counts: BTreeMap<Partition, usize> = targets.iter().map(|target| (*target, 0)).collect();
    let mut room: Vec<usize> = Vec::with_capacity(members.len());
    for (place, index) in members.iter().enumerate() {
        let mut left = desired(place);
        let had = specs[*index].current.iter().flat_map(|(id, list)| list.iter().map(move |p| (*id, *p)));
        for partition in had {
            let Some(count) = counts.get_mut(&partition) else { continue };
            if left > 0 && *count < sharing {
                *count += 1;
                left -= 1;
                assigned[*index].insert(partition);
            }
        }
        room.push(left);
    }
    let mut next = 0;
    for (partition, count) in counts {
        let mut missing = sharing - count;
        let mut passed = 0;
        while missing > 0 && passed < members.len() {
            let index = members[next];
            if room[next] > 0 && assigned[index].insert(partition) {
                room[next] -= 1;
                missing -= 1;
                passed = 0;
            } else {
                passed += 1;
            }
            next = (next + 1) % members.len();
        }
    }
}
