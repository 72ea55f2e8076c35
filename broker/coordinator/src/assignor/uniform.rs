//! The assignor `uniform` where all members read the same topics: equal numbers, and nothing moves without need.
//! Core. After Kafka's `UniformHomogeneousAssignmentBuilder`.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::{MemberId, TopicId};

use super::{AssignorError, GroupSpec, Topics, topic};
use crate::java_hash;
use crate::record::Assignment;

/// How many partitions the members that have not been looked at yet are to have.
struct Quotas {
    minimum: usize,
    /// Members that get one more than the minimum.
    extra: usize,
}

/// The partitions of the topics that are read, and who has them.
struct Partitions {
    /// Whether some member has the partition.
    is_assigned: BTreeMap<TopicId, Vec<bool>>,
    unassigned: Vec<(TopicId, i32)>,
    count: usize,
}

pub fn assign(group: &GroupSpec, topics: &Topics) -> Result<BTreeMap<MemberId, Assignment>, AssignorError> {
    let members = group.members_as_listed();
    let Some((_, first)) = members.first() else { return Ok(BTreeMap::new()) };
    let mut partitions = Partitions::new(group, &first.topics, topics)?;
    let mut quotas =
        Quotas { minimum: partitions.count / members.len(), extra: partitions.count % members.len() };

    let mut assignments = BTreeMap::new();
    let mut unfilled = Vec::new();
    for (index, (id, member)) in members.iter().enumerate() {
        let members_left = members.len() - index;
        let (kept, room) = keep(&member.current, &mut partitions, &mut quotas, members_left);
        if room > 0 {
            unfilled.push((*id, room));
        }
        assignments.insert((*id).clone(), kept);
    }

    let mut unassigned = partitions.unassigned.into_iter();
    for (id, room) in unfilled {
        let assignment = assignments.get_mut(id).expect("each member has one");
        for (topic, partition) in unassigned.by_ref().take(room) {
            assignment.entry(topic).or_default().insert(partition);
        }
    }
    match unassigned.next() {
        None => Ok(assignments),
        Some(_) => Err(AssignorError::PartitionsLeft),
    }
}

impl Partitions {
    fn new(
        group: &GroupSpec,
        subscribed: &BTreeSet<TopicId>,
        topics: &Topics,
    ) -> Result<Partitions, AssignorError> {
        let mut is_assigned = BTreeMap::new();
        for id in subscribed {
            let count = topic(topics, *id)?.partition_count;
            is_assigned.insert(*id, vec![false; count.max(0) as usize]);
        }
        for (id, partitions) in group.members.values().flat_map(|member| member.current.iter()) {
            let Some(slots) = is_assigned.get_mut(id) else { continue };
            for partition in partitions.range(0..slots.len() as i32) {
                slots[*partition as usize] = true;
            }
        }
        let mut unassigned = Vec::new();
        for id in as_listed(subscribed, topics) {
            let slots = is_assigned[&id].iter().zip(0..);
            unassigned.extend(slots.filter(|(is_taken, _)| !**is_taken).map(|(_, index)| (id, index)));
        }
        let count = is_assigned.values().map(Vec::len).sum();
        Ok(Partitions { is_assigned, unassigned, count })
    }
}

/// Topics as Kafka lists them: by the hash of the id, and in one bucket by that of the name, since the ids come from
/// a set of names.
fn as_listed(subscribed: &BTreeSet<TopicId>, topics: &Topics) -> Vec<TopicId> {
    let mut ids: Vec<TopicId> = subscribed.iter().copied().collect();
    let capacity = java_hash::copied_capacity(ids.len());
    let name = |id: &TopicId| topics[id].name.as_str();
    ids.sort_by(|left, right| java_hash::string_order(name(left), name(right)));
    java_hash::order_as_listed(&mut ids, capacity, |id| java_hash::string_hash(name(id)));
    java_hash::order_as_listed(&mut ids, capacity, |id| java_hash::uuid_hash(&id.0));
    ids
}

/// What a member keeps, and how many partitions it is to get on top. What it must give up becomes unassigned.
fn keep(
    current: &Assignment,
    partitions: &mut Partitions,
    quotas: &mut Quotas,
    members_left: usize,
) -> (Assignment, usize) {
    let mut has_extra = quotas.extra > 0;
    let mut quota = quotas.minimum + usize::from(has_extra);
    let mut kept = Assignment::new();
    let mut ids: Vec<&TopicId> = current.keys().collect();
    let capacity = java_hash::grown_capacity(java_hash::DEFAULT_CAPACITY, ids.len());
    java_hash::order_as_listed(&mut ids, capacity, |id| java_hash::uuid_hash(&id.0));
    for id in ids {
        let Some(slots) = partitions.is_assigned.get(id) else { continue };
        let mut owned: Vec<i32> = current[id].range(0..slots.len() as i32).copied().collect();
        if owned.len() > quota {
            let capacity = java_hash::copied_capacity(owned.len());
            java_hash::order_as_listed(&mut owned, capacity, |partition| *partition);
            partitions.unassigned.extend(owned.drain(quota..).map(|partition| (*id, partition)));
        }
        quota -= owned.len();
        if !owned.is_empty() {
            kept.insert(*id, owned.into_iter().collect());
        }
    }
    // A member that does not fill its extra partition leaves it to another one, if enough are left to take all of them.
    if quota > 0 && has_extra && members_left > quotas.extra {
        quota -= 1;
        has_extra = false;
    }
    quotas.extra -= usize::from(has_extra);
    (kept, quota)
}
