//! The share state of a group's topics, and the offsets that an operator sets or deletes.
//! Core. The share coordinator keeps the state itself; a topic is assigned when its state is there.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::{ErrorCode, GroupId, TopicId, TopicName};

use super::ShareGroup;
use super::heartbeat::not_a_share_group;
use crate::group::Group;
use crate::group::modern::GroupError;
use crate::group::shard::GroupShard;
use crate::group::turn::Effects;
use crate::record::share::{ShareRecord, StatePartitions, StateTopic};
use crate::record::{Assignment, Record};
use crate::settings::GroupSettings;
use crate::topic_lookup::TopicLookup;

/// Share state to be set up: a start offset for each partition, -1 where its first reader decides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ShareInitialize {
    pub state_epoch: i32,
    pub topics: BTreeMap<TopicId, BTreeMap<i32, i64>>,
}

impl ShareInitialize {
    pub fn partitions(&self) -> Assignment {
        self.topics.iter().map(|(id, offsets)| (*id, offsets.keys().copied().collect())).collect()
    }
}

/// One topic of AlterShareGroupOffsets; it is known to exist.
pub struct OffsetsToAlter {
    pub name: TopicName,
    pub id: TopicId,
    /// Partitions that exist, with their new start offset.
    pub offsets: BTreeMap<i32, i64>,
}

/// What is set up anew.
pub type AlteredOffsets = ShareInitialize;

/// A topic without anything to delete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedTopic {
    pub name: TopicName,
    pub code: ErrorCode,
    pub message: &'static str,
}

/// What DeleteShareGroupOffsets is to take away.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeletedOffsets {
    pub topics: BTreeMap<TopicId, (TopicName, BTreeSet<i32>)>,
    pub refused: Vec<RefusedTopic>,
}

fn add(into: &mut BTreeMap<TopicId, StateTopic>, topics: &BTreeMap<TopicId, StateTopic>) {
    for (id, topic) in topics {
        match into.get_mut(id) {
            Some(known) => {
                known.partitions.extend(&topic.partitions);
                known.since_ms = topic.since_ms;
                known.name = topic.name.clone();
            }
            None => {
                into.insert(*id, topic.clone());
            }
        }
    }
}

impl ShareGroup {
    fn state_record(&self, state: StatePartitions) -> Record {
        self.record(ShareRecord::StatePartitionMetadata(Some(state)))
    }

    /// Asks for the share state of what the members read and that has none.
    pub(super) fn initialize(
        &self,
        state_epoch: i32,
        subscribed: &BTreeSet<TopicName>,
        topics: &dyn TopicLookup,
        settings: &GroupSettings,
        wall_ms: i64,
        effects: &mut Effects,
    ) -> Option<ShareInitialize> {
        let state = self.state_partitions.clone().unwrap_or_default();
        let mut missing: BTreeMap<TopicId, StateTopic> = BTreeMap::new();
        for name in subscribed {
            let Some(id) = topics.topic_id(name.as_str()) else { continue };
            let count = topics.partition_count(id).unwrap_or(0);
            let mut partitions: BTreeSet<i32> = (0..count).collect();
            if let Some(there) = state.initialized.get(&id) {
                partitions.retain(|partition| !there.partitions.contains(partition));
            }
            if let Some(asked) = state.initializing.get(&id)
                && wall_ms.saturating_sub(asked.since_ms) < settings.share_initialize_retry_interval_ms
            {
                partitions.retain(|partition| !asked.partitions.contains(partition));
            }
            if !partitions.is_empty() {
                missing.insert(id, StateTopic { name: name.clone(), partitions, since_ms: wall_ms });
            }
        }
        if missing.is_empty() {
            return None;
        }
        let wanted =
            missing.iter().map(|(id, topic)| (*id, topic.partitions.iter().map(|p| (*p, -1)).collect()));
        let wanted = ShareInitialize { state_epoch, topics: wanted.collect() };
        effects.records.push(self.with_initializing(state, &missing));
        Some(wanted)
    }

    fn with_initializing(
        &self,
        mut state: StatePartitions,
        topics: &BTreeMap<TopicId, StateTopic>,
    ) -> Record {
        add(&mut state.initializing, topics);
        state.deleting.retain(|id, _| !state.initializing.contains_key(id));
        self.state_record(state)
    }

    /// What a deletion of topics leaves; no record when none of them matters here.
    pub(in crate::group) fn without_topics(&self, topics: &[(TopicName, TopicId)]) -> Option<Record> {
        let before = self.state_partitions.as_ref()?;
        let mut state = before.clone();
        for (_, id) in topics {
            state.initializing.remove(id);
            state.initialized.remove(id);
            state.deleting.remove(id);
        }
        (state != *before).then(|| self.state_record(state))
    }

    /// The tombstones of an empty group.
    pub(in crate::group) fn tombstones(&self) -> Vec<Record> {
        let records = [
            ShareRecord::TargetAssignmentMetadata(None),
            ShareRecord::StatePartitionMetadata(None),
            ShareRecord::Metadata(None),
        ];
        records.into_iter().map(|record| self.record(record)).collect()
    }
}

impl GroupShard {
    pub(super) fn share_group(&self, group_id: &str) -> Result<&ShareGroup, GroupError> {
        match self.groups.get(group_id) {
            Some(Group::Share(group)) => Ok(group),
            Some(_) => Err(not_a_share_group(group_id)),
            None => Err(GroupError::new(ErrorCode::GroupIdNotFound, format!("Group {group_id} not found."))),
        }
    }

    pub fn is_share_group(&self, group_id: &str) -> bool {
        matches!(self.groups.get(group_id), Some(Group::Share(_)))
    }

    fn empty_share_group(&self, group_id: &str) -> Result<&ShareGroup, GroupError> {
        let group = self.share_group(group_id)?;
        match group.is_empty() {
            true => Ok(group),
            false => Err(GroupError::new(ErrorCode::NonEmptyGroup, "The group is not empty.")),
        }
    }

    /// The share coordinator has the state: its partitions may be assigned.
    pub fn on_share_state_initialized(
        &self,
        group_id: &str,
        partitions: &Assignment,
        topics: &dyn TopicLookup,
    ) -> Effects {
        let mut effects = Effects::default();
        let Ok(group) = self.share_group(group_id) else { return effects };
        let mut state = group.state_partitions.clone().unwrap_or_default();
        let there = partitions
            .iter()
            .filter_map(|(id, partitions)| {
                let topic =
                    StateTopic { name: topics.topic_name(*id)?, partitions: partitions.clone(), since_ms: 0 };
                Some((*id, topic))
            })
            .collect();
        add(&mut state.initialized, &there);
        forget(&mut state.initializing, partitions);
        effects.records.push(group.state_record(state));
        effects
    }

    /// The share coordinator refused: it is asked again with a later heartbeat.
    pub fn on_share_state_refused(&self, group_id: &str, partitions: &Assignment) -> Effects {
        let mut effects = Effects::default();
        let Ok(group) = self.share_group(group_id) else { return effects };
        let Some(mut state) = group.state_partitions.clone() else { return effects };
        forget(&mut state.initializing, partitions);
        effects.records.push(group.state_record(state));
        effects
    }

    /// The partitions of a group that have share state.
    pub fn initialized_share_partitions(&self, group_id: &str) -> Assignment {
        let state = self.share_group(group_id).ok().and_then(|group| group.state_partitions.as_ref());
        let topics = state.into_iter().flat_map(|state| &state.initialized);
        topics.map(|(id, topic)| (*id, topic.partitions.clone())).collect()
    }

    /// Sets where an empty group goes on; one that is not there is made.
    pub fn on_alter_share_offsets(
        &mut self,
        group_id: &str,
        topics: &[OffsetsToAlter],
        wall_ms: i64,
    ) -> Result<(Effects, AlteredOffsets), GroupError> {
        let fresh;
        let group = match self.groups.contains_key(group_id) {
            true => self.empty_share_group(group_id)?,
            false => {
                fresh = ShareGroup::new(GroupId::new(group_id));
                &fresh
            }
        };
        let mut effects = Effects::default();
        let altered = topics.iter().filter(|topic| !topic.offsets.is_empty());
        let altered: BTreeMap<_, _> = altered.map(|topic| (topic.id, topic.offsets.clone())).collect();
        if !altered.is_empty() {
            let asked = topics.iter().map(|topic| {
                let partitions = topic.offsets.keys().copied().collect();
                (topic.id, StateTopic { name: topic.name.clone(), partitions, since_ms: wall_ms })
            });
            let state = group.state_partitions.clone().unwrap_or_default();
            effects.records.push(group.with_initializing(state, &asked.collect()));
        }
        Ok((effects, ShareInitialize { state_epoch: group.epoch(), topics: altered }))
    }

    /// Begins to delete what a group has of topics.
    pub fn on_delete_share_offsets(
        &self,
        group_id: &str,
        names: &[TopicName],
        topics: &dyn TopicLookup,
    ) -> Result<(Effects, DeletedOffsets), GroupError> {
        let group = self.empty_share_group(group_id)?;
        let mut effects = Effects::default();
        let mut deleted = DeletedOffsets::default();
        let Some(mut state) = group.state_partitions.clone() else { return Ok((effects, deleted)) };
        for name in names {
            let refused = |message| RefusedTopic {
                name: name.clone(),
                code: ErrorCode::UnknownTopicOrPartition,
                message,
            };
            let Some(id) = topics.topic_id(name.as_str()) else {
                deleted.refused.push(refused("This server does not host this topic-partition."));
                continue;
            };
            if let Some(there) = state.initialized.remove(&id) {
                state.deleting.insert(id, name.clone());
                deleted.topics.insert(id, (name.clone(), there.partitions));
            } else if state.deleting.contains_key(&id) {
                let all = (0..topics.partition_count(id).unwrap_or(0)).collect();
                deleted.topics.insert(id, (name.clone(), all));
            } else {
                deleted.refused.push(refused("There is no offset information to delete."));
            }
        }
        effects.records.push(group.state_record(state));
        Ok((effects, deleted))
    }

    /// The share coordinator has deleted the state.
    pub fn on_share_offsets_deleted(&self, group_id: &str, ids: &[TopicId]) -> Effects {
        let mut effects = Effects::default();
        let Ok(group) = self.share_group(group_id) else { return effects };
        let Some(mut state) = group.state_partitions.clone() else { return effects };
        state.deleting.retain(|id, _| !ids.contains(id));
        effects.records.push(group.state_record(state));
        effects
    }

    /// Begins to delete a share group: the state that has to go first. `None` when the group is no share
    /// group, or has none.
    pub fn on_delete_share_group(
        &self,
        group_id: &str,
        topics: &dyn TopicLookup,
    ) -> Result<Option<(Effects, Assignment)>, GroupError> {
        let Some(Group::Share(group)) = self.groups.get(group_id) else { return Ok(None) };
        let group = self.empty_share_group(group.group_id().as_str())?;
        let Some(state) = &group.state_partitions else { return Ok(None) };
        let mut going = state.initialized.clone();
        add(&mut going, &state.initializing);
        let mut partitions: Assignment =
            going.iter().map(|(id, topic)| (*id, topic.partitions.clone())).collect();
        let mut deleting: BTreeMap<TopicId, TopicName> =
            going.into_iter().map(|(id, topic)| (id, topic.name)).collect();
        for (id, name) in &state.deleting {
            if let Some(count) = topics.partition_count(*id) {
                deleting.insert(*id, name.clone());
                partitions.entry(*id).or_default().extend(0..count);
            }
        }
        let state = StatePartitions { deleting, ..StatePartitions::default() };
        let effects = Effects { records: vec![group.state_record(state)], ..Effects::default() };
        Ok(Some((effects, partitions)))
    }
}

fn forget(topics: &mut BTreeMap<TopicId, StateTopic>, partitions: &Assignment) {
    for (id, gone) in partitions {
        if let Some(topic) = topics.get_mut(id) {
            topic.partitions.retain(|partition| !gone.contains(partition));
        }
    }
    topics.retain(|_, topic| !topic.partitions.is_empty());
}
