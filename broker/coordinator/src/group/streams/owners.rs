//! Which process has which task, by the assignments that are stored.
//! Core. A task counts as a process's until the member has given it up, and reports so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::StreamsMember;
use crate::record::streams::{Tasks, TasksTupleWithEpochs};

type Processes = BTreeSet<Arc<str>>;

/// After the three maps of Kafka's `StreamsGroup` (`currentActiveTaskToProcessId` and so on).
#[derive(Default, Debug, PartialEq)]
pub(super) struct TaskOwners {
    active: BTreeMap<String, BTreeMap<i32, Arc<str>>>,
    standby: BTreeMap<String, BTreeMap<i32, Processes>>,
    warmup: BTreeMap<String, BTreeMap<i32, Processes>>,
}

impl TaskOwners {
    /// The process that has the task active.
    pub fn active(&self, subtopology: &str, partition: i32) -> Option<&str> {
        self.active.get(subtopology)?.get(&partition).map(|process| &**process)
    }

    /// Whether the process has the task as a standby or warm-up task.
    pub fn is_beside(&self, subtopology: &str, partition: i32, process: &str) -> bool {
        [&self.standby, &self.warmup].into_iter().any(|tasks| {
            let processes = tasks.get(subtopology).and_then(|partitions| partitions.get(&partition));
            processes.is_some_and(|processes| processes.contains(process))
        })
    }

    /// The member's record is replayed.
    pub fn add(&mut self, member: &StreamsMember) {
        let process = &member.metadata.process_id;
        for tasks in [&member.assigned, &member.pending_revocation] {
            for (subtopology, partitions) in &tasks.active {
                let owners = self.active.entry(subtopology.clone()).or_default();
                owners.extend(partitions.keys().map(|partition| (*partition, process.clone())));
            }
            add_beside(&mut self.standby, &tasks.standby, process);
            add_beside(&mut self.warmup, &tasks.warmup, process);
        }
    }

    /// The member is about to change, or to go.
    pub fn remove(&mut self, member: &StreamsMember) {
        let process = &*member.metadata.process_id;
        for tasks in [&member.assigned, &member.pending_revocation] {
            self.remove_active(tasks, process);
            remove_beside(&mut self.standby, &tasks.standby, process);
            remove_beside(&mut self.warmup, &tasks.warmup, process);
        }
    }

    fn remove_active(&mut self, tasks: &TasksTupleWithEpochs, process: &str) {
        for (subtopology, partitions) in &tasks.active {
            let Some(owners) = self.active.get_mut(subtopology) else { continue };
            // What another process has been given meanwhile is that one's.
            owners.retain(|partition, owner| &**owner != process || !partitions.contains_key(partition));
            if owners.is_empty() {
                self.active.remove(subtopology);
            }
        }
    }
}

fn add_beside(all: &mut BTreeMap<String, BTreeMap<i32, Processes>>, tasks: &Tasks, process: &Arc<str>) {
    for (subtopology, partitions) in tasks {
        let owners = all.entry(subtopology.clone()).or_default();
        for partition in partitions {
            owners.entry(*partition).or_default().insert(process.clone());
        }
    }
}

fn remove_beside(all: &mut BTreeMap<String, BTreeMap<i32, Processes>>, tasks: &Tasks, process: &str) {
    for (subtopology, partitions) in tasks {
        let Some(owners) = all.get_mut(subtopology) else { continue };
        owners.retain(|partition, processes| {
            if partitions.contains(partition) {
                processes.remove(process);
            }
            !processes.is_empty()
        });
        if owners.is_empty() {
            all.remove(subtopology);
        }
    }
}
