//! The assignor `range`: of each topic, each member gets partitions that follow each other.
//! Core. After Kafka's `RangeAssignor`. Members that read topics of equally many partitions get the same of each.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use ottla_model::MemberId;

use super::{AssignorError, GroupSpec, MemberSubscription, Subscriptions, Topics};
use crate::java_hash::string_order;
use crate::record::Assignment;

/// What is left of a topic.
struct Remaining {
    /// The first partition that nobody has yet.
    next: i32,
    partition_count: i32,
    /// How many each member gets, and how many members get one more.
    quota: i32,
    extra: i32,
}

impl Remaining {
    fn take(&mut self) -> Range<i32> {
        let has_extra = self.extra > 0;
        self.extra -= i32::from(has_extra);
        let start = self.next;
        self.next = self.partition_count.min(start + self.quota + i32::from(has_extra));
        start..self.next
    }
}

pub fn assign(group: &GroupSpec, topics: &Topics) -> Result<BTreeMap<MemberId, Assignment>, AssignorError> {
    let mut members: Vec<(&MemberId, &MemberSubscription)> = group.members.iter().collect();
    members.sort_by(|left, right| static_first(*left, *right));
    let subscriptions = Subscriptions::new(&members, topics)?;
    let mut member_counts = vec![0; subscriptions.topics.len()];
    for place in subscriptions.of_members.iter().flat_map(|places| places.iter()) {
        member_counts[*place] += 1;
    }
    let with_counts = subscriptions.topics.iter().zip(member_counts);
    let mut remaining: Vec<Remaining> = with_counts
        .map(|((_, partition_count), members)| Remaining {
            next: 0,
            partition_count: *partition_count,
            quota: partition_count / members,
            extra: partition_count % members,
        })
        .collect();
    let mut assignments = BTreeMap::new();
    for ((id, _), places) in members.iter().zip(&subscriptions.of_members) {
        let taken = places.iter().map(|place| (subscriptions.topics[*place].0, remaining[*place].take()));
        let taken = taken.filter(|(_, range)| !range.is_empty());
        let assignment = taken.map(|(topic, range)| (topic, range.collect())).collect();
        assignments.insert((*id).clone(), assignment);
    }
    Ok(assignments)
}

/// Static members come first: their ids come again, so that their partitions stay.
fn static_first(left: (&MemberId, &MemberSubscription), right: (&MemberId, &MemberSubscription)) -> Ordering {
    match (&left.1.instance_id, &right.1.instance_id) {
        (Some(left), Some(right)) => string_order(left, right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => string_order(left.0.as_str(), right.0.as_str()),
    }
}
