//! Committed offsets, and those that a transaction has yet to decide.
//! Core. Changed by replay alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ottla_model::{GroupId, TopicId, TopicName};

use crate::record::CommittedOffset;

type ByTopic = BTreeMap<TopicName, BTreeMap<i32, CommittedOffset>>;

/// One partition's offset of one group.
type Place = (GroupId, TopicName, i32);

#[derive(Default)]
pub struct Offsets {
    by_group: HashMap<GroupId, ByTopic>,
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
        self.by_group.entry(group).or_default().entry(topic).or_default().insert(partition, value);
    }

    fn remove(&mut self, (group, topic, partition): &Place) {
        let Some(topics) = self.by_group.get_mut(group) else { return };
        let Some(partitions) = topics.get_mut(topic) else { return };
        partitions.remove(partition);
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
            for (topic, partitions) in topics {
                places.extend(partitions.keys().map(|partition| (topic.clone(), *partition)));
            }
        }
        if let Some(open) = self.open.get(group) {
            places.extend(open.keys().cloned());
        }
        places
    }

    /// The groups and partitions with an offset of this topic; offsets that name another topic id belong
    /// to another topic of the same name.
    pub fn of_topic(&self, topic: &str, id: TopicId) -> BTreeSet<(GroupId, i32)> {
        let is_of = |value: &CommittedOffset| value.topic_id.is_zero() || value.topic_id == id;
        let mut places = BTreeSet::new();
        for (group, topics) in &self.by_group {
            for (partition, value) in topics.get(topic).into_iter().flatten() {
                if is_of(value) {
                    places.insert((group.clone(), *partition));
                }
            }
        }
        for ((group, name, partition), value) in self.pending.values().flatten() {
            if name.as_str() == topic && is_of(value) {
                places.insert((group.clone(), *partition));
            }
        }
        places
    }
}
