//! The assignor `uniform` where members read different topics: members of a topic are loaded as equally as it goes.
//! Core. After Kafka's `UniformHeterogeneousAssignmentBuilder`: members keep what they have and still read; what nobody
//! has goes to the member with the least; then topics are balanced one after another until none changes.

mod balancer;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use ottla_model::{MemberId, TopicId};

use super::{AssignorError, GroupSpec, MemberSubscription, Subscriptions, Topics};
use crate::java_hash::uuid_order;
use crate::record::Assignment;
use balancer::Balancer;

/// Each round about halves the imbalance; more are not worth the time.
const ROUNDS_MAX: usize = 16;

const NOBODY: usize = usize::MAX;

/// Members and topics are places in lists here: members as Kafka lists them.
struct Builder {
    topics: Vec<Topic>,
    /// How many partitions each member has.
    sizes: Vec<usize>,
}

struct Topic {
    id: TopicId,
    /// Who reads it, ascending.
    subscribers: Vec<usize>,
    /// Who has each partition.
    owners: Vec<usize>,
}

pub fn assign(group: &GroupSpec, topics: &Topics) -> Result<BTreeMap<MemberId, Assignment>, AssignorError> {
    let members = group.members_as_listed();
    let mut builder = Builder::new(&members, topics)?;
    builder.assign_remaining();
    builder.balance();
    Ok(builder.into_assignments(&members))
}

impl Builder {
    fn new(members: &[(&MemberId, &MemberSubscription)], topics: &Topics) -> Result<Builder, AssignorError> {
        let subscriptions = Subscriptions::new(members, topics)?;
        let unowned = subscriptions.topics.iter().map(|(id, partition_count)| Topic {
            id: *id,
            subscribers: Vec::new(),
            owners: vec![NOBODY; *partition_count as usize],
        });
        let mut topics: Vec<Topic> = unowned.collect();
        let mut sizes = vec![0; members.len()];
        for (index, ((_, member), places)) in members.iter().zip(&subscriptions.of_members).enumerate() {
            places.iter().for_each(|place| topics[*place].subscribers.push(index));
            for (id, partitions) in member.current.iter().filter(|(id, _)| member.topics.contains(id)) {
                let place = topics.binary_search_by_key(id, |topic| topic.id).expect("it is read");
                own(&mut topics[place].owners, partitions, index, &mut sizes);
            }
        }
        topics.sort_by(Topic::most_partitions_first);
        Ok(Builder { topics, sizes })
    }

    /// Gives the partitions that nobody has to the subscribers with the least.
    fn assign_remaining(&mut self) {
        let mut balancer = Balancer::default();
        for topic in &mut self.topics {
            if !topic.owners.contains(&NOBODY) {
                continue;
            }
            balancer.start(&topic.subscribers, &self.sizes);
            for owner in topic.owners.iter_mut().filter(|owner| **owner == NOBODY) {
                *owner = balancer.next_least_loaded(&self.sizes);
                self.sizes[*owner] += 1;
            }
        }
    }

    /// Goes round the topics until it has come back to the one that changed last.
    fn balance(&mut self) {
        let mut balancer = Balancer::default();
        let mut ranges = OwnedRanges::new(self.sizes.len());
        let mut last_changed = None;
        for _ in 0..ROUNDS_MAX {
            let shared = self.topics.iter_mut().filter(|topic| topic.subscribers.len() >= 2);
            for (index, topic) in shared.enumerate() {
                if last_changed == Some(index) {
                    return;
                }
                let moved = balance_topic(topic, &mut balancer, &mut ranges, &mut self.sizes);
                if moved > 0 || last_changed.is_none() {
                    last_changed = Some(index);
                }
            }
        }
    }

    fn into_assignments(
        mut self,
        members: &[(&MemberId, &MemberSubscription)],
    ) -> BTreeMap<MemberId, Assignment> {
        let mut assignments = vec![Assignment::new(); members.len()];
        self.topics.sort_by_key(|topic| topic.id);
        for topic in &self.topics {
            for (owner, partition) in topic.owners.iter().zip(0..) {
                assignments[*owner].entry(topic.id).or_default().insert(partition);
            }
        }
        members.iter().map(|(id, _)| (*id).clone()).zip(assignments).collect()
    }
}

/// Notes what a member has of a topic. No two have the same partition; if they do, the latter one keeps it.
fn own(owners: &mut [usize], partitions: &BTreeSet<i32>, member: usize, sizes: &mut [usize]) {
    for partition in partitions.range(0..owners.len() as i32) {
        let owner = &mut owners[*partition as usize];
        if *owner != NOBODY {
            sizes[*owner] -= 1;
        }
        *owner = member;
        sizes[member] += 1;
    }
}

impl Topic {
    /// The most partitions for a subscriber first, then the fewest subscribers, then the id.
    fn most_partitions_first(left: &Topic, right: &Topic) -> Ordering {
        let load = |topic: &Topic| topic.owners.len() as f64 / topic.subscribers.len() as f64;
        let by_load = load(right).total_cmp(&load(left));
        let by_count = left.subscribers.len().cmp(&right.subscribers.len());
        by_load.then(by_count).then_with(|| uuid_order(&left.id.0, &right.id.0))
    }
}

/// The partitions of one topic, those of one owner together: which can be taken from a member next.
struct OwnedRanges {
    partitions: Vec<usize>,
    /// By member, the places of its partitions.
    ranges: Vec<std::ops::Range<usize>>,
}

impl OwnedRanges {
    fn new(member_count: usize) -> OwnedRanges {
        OwnedRanges { partitions: Vec::new(), ranges: vec![0..0; member_count] }
    }

    fn start(&mut self, owners: &[usize]) {
        self.partitions.clear();
        self.partitions.extend(0..owners.len());
        self.partitions.sort_by_key(|partition| owners[*partition]);
        self.ranges.fill(0..0);
        for (place, partition) in self.partitions.iter().enumerate() {
            let range = &mut self.ranges[owners[*partition]];
            if range.end == 0 {
                range.start = place;
            }
            range.end = place + 1;
        }
    }

    fn is_empty(&self, member: usize) -> bool {
        self.ranges[member].start >= self.ranges[member].end
    }

    /// The last partition that the member has and that was not taken yet.
    fn take_last(&mut self, member: usize) -> usize {
        let last = self.ranges[member].next_back().expect("looked at before");
        self.partitions[last]
    }
}

/// Moves partitions from the subscribers with the most to those with the least; how many were moved.
fn balance_topic(
    topic: &mut Topic,
    balancer: &mut Balancer,
    ranges: &mut OwnedRanges,
    sizes: &mut [usize],
) -> usize {
    let of_subscribers = || topic.subscribers.iter().map(|member| sizes[*member]);
    let (least, most) = (of_subscribers().min().unwrap_or(0), of_subscribers().max().unwrap_or(0));
    if most - least <= 1 {
        return 0;
    }
    balancer.start(&topic.subscribers, sizes);
    ranges.start(&topic.owners);
    let mut moved = 0;
    while !balancer.is_balanced() {
        let giver = loop {
            match balancer.next_most_loaded(sizes) {
                Some(member) if ranges.is_empty(member) => balancer.exclude_most_loaded(),
                giver => break giver,
            }
        };
        let Some(giver) = giver else { break };
        let partition = ranges.take_last(giver);
        let taker = balancer.next_least_loaded(sizes);
        if balancer.is_balanced() {
            break;
        }
        topic.owners[partition] = taker;
        sizes[giver] -= 1;
        sizes[taker] += 1;
        moved += 1;
    }
    moved
}
