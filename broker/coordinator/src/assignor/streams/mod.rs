//! Which member of a streams group runs which tasks (KIP-1071), as Kafka's `StickyTaskAssignor` decides it.
//! Core. Reading order: this file, `sticky` (the assignor), `processes` (who runs how much), `java_queue`.
//!
//! A task is a subtopology and a partition. 4.3.1 assigns active tasks and standby tasks; it makes no warm-up tasks,
//! and looks at no racks, client tags, static members or offsets of tasks.

mod java_queue;
mod processes;
mod sticky;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::MemberId;

pub use super::AssignorError;

/// Partitions by subtopology.
pub type Tasks = BTreeMap<String, BTreeSet<i32>>;

/// Kafka's `TasksTuple`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TasksTuple {
    pub active: Tasks,
    pub standby: Tasks,
    pub warmup: Tasks,
}

#[derive(Clone, Debug)]
pub struct StreamsMemberSpec {
    pub process_id: Arc<str>,
    /// Its target so far.
    pub current: Arc<TasksTuple>,
}

#[derive(Clone, Copy, Debug)]
pub struct SubtopologySpec {
    /// As many as the topic with the most partitions among those it reads has.
    pub task_count: i32,
    /// It has a changelog topic, and therefore standby tasks.
    pub is_stateful: bool,
}

pub struct StreamsGroupSpec {
    pub members: BTreeMap<MemberId, StreamsMemberSpec>,
    pub subtopologies: BTreeMap<String, SubtopologySpec>,
    pub num_standby_replicas: i32,
}

impl StreamsGroupSpec {
    /// The name of the one assignor there is.
    pub const ASSIGNOR: &'static str = "sticky";

    /// The tasks of each member, which may be none.
    pub fn assign(&self) -> Result<BTreeMap<MemberId, TasksTuple>, AssignorError> {
        sticky::assign(self)
    }
}
