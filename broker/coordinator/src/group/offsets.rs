//! Committed offsets, and those that a transaction has yet to decide.
//! Core. Changed by replay alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use ottla_model::{GroupId, TopicId, TopicName};

use crate::record::CommittedOffset;
use crate::small_map::SmallMap;

type ByTopic = SmallMap<TopicName, SmallMap<i32, CommittedOffset>>;

/// One partition's offset of one group.
type Place = (GroupId, TopicName, i32);

#[derive(Default)]
pub struct Offsets {
    /// Sorted, so that a walk can stop and go on, and its nodes go with its groups.
    by_group: BTreeMap<GroupId, ByTopic>,
    /// How many there are in `by_group`.
    count: usize,
    /// By producer id: what its open transaction would commit.
    pending: HashMap<i64, BTreeMap<Place, CommittedOffset>>,
    /// By group: the partitions with pending offsets, and of how many producers.
    open: HashMap<GroupId, BTreeMap<(TopicName, i32), BTreeSet<i64>>>,
}

impl Offsets {
    /// Replays one record. `producer_id` is set when it is part of a transaction.
    pub fn replay_offset_commit(
        &mut self,
        place: Place,
        value: Option<CommittedOffset>,
        producer_id: Option<i64>,
    ) {
        match (value, producer_id) {
            (Some(value), None) => self.put(place, value),
            (Some(value), Some(producer_id)) => {
                let (group, topic, partition) = place.clone();
                self.open
                    .entry(group)
                    .or_default()
                    .entry((topic, partition))
                    .or_default()
                    .insert(producer_id);
                self.pending.entry(producer_id).or_default().insert(place, value);
            }
            (None, _) => {
                self.remove(&place);
                for producer_id in self.close_all(&place) {
                    if let Some(pending) = self.pending.get_mut(&producer_id) {
                        pending.remove(&place);
                    }
                }
            }
        }
    }

    /// Replays the end of a transaction: its offsets count from now on, or never did.
    pub fn replay_end_transaction_marker(&mut self, producer_id: i64, is_commit: bool) {
        for (place, value) in self.pending.remove(&producer_id).unwrap_or_default() {
            self.close(&place, producer_id);
            // A later commit outside the transaction is not taken back.
            let is_newer = self
                .get(place.0.as_str(), place.1.as_str(), place.2)
                .is_none_or(|existing| value.record_offset > existing.record_offset);
            if is_commit && is_newer {
                self.put(place, value);
            }
        }
    }

    /// The groups that the producer's open transaction has offsets of.
    pub fn groups_of_transaction(&self, producer_id: i64) -> BTreeSet<GroupId> {
        self.pending.get(&producer_id).into_iter().flatten().map(|((group, ..), _)| group.clone()).collect()
    }

    fn put(&mut self, (group, topic, partition): Place, value: CommittedOffset) {
        let topics = self.by_group.entry(group).or_default();
        if topics.get(&topic).is_none() {
            topics.insert(topic.clone(), SmallMap::default());
        }
        if let Some(partitions) = topics.get_mut(&topic)
            && partitions.insert(partition, value).is_none()
        {
            self.count += 1;
        }
    }

    fn remove(&mut self, (group, topic, partition): &Place) {
        let Some(topics) = self.by_group.get_mut(group) else { return };
        let Some(partitions) = topics.get_mut(topic) else { return };
        if partitions.remove(partition).is_some() {
            assert!(self.count > 0, "more offsets removed than there were");
            self.count -= 1;
        }
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.by_group.remove(group);
        }
    }

    fn close(&mut self, (group, topic, partition): &Place, producer_id: i64) {
        let Some(places) = self.open.get_mut(group) else { return };
        let key = (topic.clone(), *partition);
        if let Some(producers) = places.get_mut(&key) {
            producers.remove(&producer_id);
            if producers.is_empty() {
                places.remove(&key);
            }
        }
        if places.is_empty() {
            self.open.remove(group);
        }
    }

    fn close_all(&mut self, (group, topic, partition): &Place) -> BTreeSet<i64> {
        let Some(places) = self.open.get_mut(group) else { return BTreeSet::new() };
        let producers = places.remove(&(topic.clone(), *partition)).unwrap_or_default();
        if places.is_empty() {
            self.open.remove(group);
        }
        producers
    }

    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.by_group.get(group)?.get(topic)?.get(&partition)
    }

    /// The group's offsets by topic.
    pub fn of_group(&self, group: &str) -> Option<&ByTopic> {
        self.by_group.get(group)
    }

    /// How many committed offsets there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The groups that have offsets, in order, from behind `after` on.
    pub fn groups_after(&self, after: Option<&GroupId>) -> impl Iterator<Item = (&GroupId, &ByTopic)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_group.range::<GroupId, _>((from, Bound::Unbounded))
    }

    /// Every committed offset, group by group.
    pub fn iter(&self) -> impl Iterator<Item = (&GroupId, &TopicName, i32, &CommittedOffset)> {
        self.by_group.iter().flat_map(|(group, topics)| {
            topics.iter().flat_map(move |(topic, partitions)| {
                partitions.iter().map(move |(partition, value)| (group, topic, *partition, value))
            })
        })
    }

    /// Whether an open transaction may still change this offset.
    pub fn is_pending(&self, group: &str, topic: &TopicName, partition: i32) -> bool {
        // Without transactions, the common case, nothing is cloned for the look-up.
        self.open.get(group).is_some_and(|places| places.contains_key(&(topic.clone(), partition)))
    }

    pub fn has_pending(&self, group: &str) -> bool {
        self.open.contains_key(group)
    }

    /// Whether there is anything to delete for the partition.
    pub fn holds(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.get(group, topic, partition).is_some()
            || self.is_pending(group, &TopicName::new(topic), partition)
    }

    /// Every partition that the group has an offset of, committed or pending.
    pub fn partitions_of(&self, group: &str) -> BTreeSet<(TopicName, i32)> {
        let mut places: BTreeSet<(TopicName, i32)> = BTreeSet::new();
        if let Some(topics) = self.by_group.get(group) {
            for (topic, partitions) in topics.iter() {
                places.extend(partitions.keys().map(|partition| (topic.clone(), *partition)));
            }
        }
        if let Some(open) = self.open.get(group) {
            places.extend(open.keys().cloned());
        }
        places
    }

    /// The offsets of these topics; those that name another topic id belong to another topic of the same
    /// name. One walk for all of them: there may be many topics, and there are many more groups.
    pub fn of_topics(&self, topics: &[(TopicName, TopicId)]) -> BTreeSet<Place> {
        let mut ids: HashMap<&str, Vec<TopicId>> = HashMap::new();
        for (topic, id) in topics {
            ids.entry(topic.as_str()).or_default().push(*id);
        }
        let is_of = |topic: &TopicName, value: &CommittedOffset| {
            ids.get(topic.as_str())
                .is_some_and(|ids| value.topic_id.is_zero() || ids.contains(&value.topic_id))
        };
        let mut places = BTreeSet::new();
        for (group, by_topic) in &self.by_group {
            for (topic, partitions) in by_topic.iter().filter(|(topic, _)| ids.contains_key(topic.as_str())) {
                let of_topic = partitions.iter().filter(|(_, value)| is_of(topic, value));
                places.extend(of_topic.map(|(partition, _)| (group.clone(), topic.clone(), *partition)));
            }
        }
        for (place, value) in self.pending.values().flatten() {
            if is_of(&place.1, value) {
                places.insert(place.clone());
            }
        }
        places
    }
}
