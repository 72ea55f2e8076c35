//! The assignor of streams groups: tasks stay where they are or where their state is, the rest goes to the least loaded.
//! Core. After Kafka's `StickyTaskAssignor`, its steps and their order.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::MemberId;

use super::java_queue::JavaQueue;
use super::processes::Processes;
use super::{AssignorError, StreamsGroupSpec, StreamsMemberSpec, Tasks, TasksTuple};
use crate::java_hash;

/// How many tasks a member may get, so that all get about equally many. Full members take their share with them.
struct Quota {
    tasks: i64,
    members: i64,
    of_member: i64,
}

impl Quota {
    fn new(tasks: i64, members: usize) -> Quota {
        let mut quota = Quota { tasks, members: members as i64, of_member: 0 };
        quota.spread();
        quota
    }

    fn spread(&mut self) {
        self.of_member = match self.members {
            0 => 0,
            members => self.tasks / members + i64::from(self.tasks % members > 0),
        };
    }

    /// A member has so many tasks now.
    fn on_added(&mut self, task_count: i64) {
        if task_count == self.of_member {
            self.members -= 1;
            self.tasks -= task_count;
            self.spread();
        }
    }
}

/// The tasks as places in one list: subtopologies in the order of Java's texts, partitions ascending.
struct TaskTable<'a> {
    subtopologies: Vec<(&'a str, usize)>,
    /// By task, its subtopology and its partition.
    tasks: Vec<(usize, i32)>,
    stateful: Vec<usize>,
}

struct Assigner<'a> {
    table: TaskTable<'a>,
    processes: Processes,
    /// By task, the member that has it.
    previous_active: Vec<Option<usize>>,
    previous_standby: Vec<Vec<usize>>,
    active_quota: Quota,
    total_quota: Quota,
    /// By task, the members.
    active: Vec<Option<usize>>,
    standby: Vec<Vec<usize>>,
}

pub fn assign(group: &StreamsGroupSpec) -> Result<BTreeMap<MemberId, TasksTuple>, AssignorError> {
    let mut members: Vec<(&MemberId, &StreamsMemberSpec)> = group.members.iter().collect();
    let capacity = java_hash::grown_capacity(java_hash::DEFAULT_CAPACITY, members.len());
    java_hash::order_as_listed(&mut members, capacity, |(id, _)| java_hash::string_hash(id.as_str()));
    let mut assigner = Assigner::new(group, &members);
    if members.is_empty() {
        return if assigner.table.tasks.is_empty() {
            Ok(BTreeMap::new())
        } else {
            Err(AssignorError::NoMember)
        };
    }
    assigner.assign_active();
    assigner.assign_standby(group.num_standby_replicas.max(0) as usize);
    Ok(assigner.into_assignments(&members))
}

impl<'a> TaskTable<'a> {
    fn new(group: &'a StreamsGroupSpec) -> TaskTable<'a> {
        let mut specs: Vec<_> = group.subtopologies.iter().collect();
        specs.sort_by(|left, right| java_hash::string_order(left.0, right.0));
        let mut table = TaskTable { subtopologies: Vec::new(), tasks: Vec::new(), stateful: Vec::new() };
        for (place, (id, spec)) in specs.into_iter().enumerate() {
            let first = table.tasks.len();
            table.subtopologies.push((id, first));
            table.tasks.extend((0..spec.task_count).map(|partition| (place, partition)));
            if spec.is_stateful {
                table.stateful.extend(first..table.tasks.len());
            }
        }
        table
    }

    /// Those of the tasks that are there.
    fn places(&self, tasks: &Tasks, firsts: &BTreeMap<&str, usize>) -> Vec<usize> {
        let mut places = Vec::new();
        for (id, partitions) in tasks {
            let Some(subtopology) = firsts.get(id.as_str()) else { continue };
            let first = self.subtopologies[*subtopology].1;
            let end = self.subtopologies.get(subtopology + 1).map_or(self.tasks.len(), |next| next.1);
            let known = partitions.range(0..(end - first) as i32);
            places.extend(known.map(|partition| first + *partition as usize));
        }
        places
    }

    /// Tasks of one partition together, as they were assigned if they were by ranges.
    fn by_partition(&self, tasks: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut tasks: Vec<usize> = tasks.collect();
        tasks.sort_by_key(|task| (self.tasks[*task].1, self.tasks[*task].0));
        tasks
    }
}

impl<'a> Assigner<'a> {
    fn new(group: &'a StreamsGroupSpec, members: &[(&MemberId, &StreamsMemberSpec)]) -> Assigner<'a> {
        let table = TaskTable::new(group);
        let task_count = table.tasks.len();
        let firsts = table.subtopologies.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
        let mut previous_active = vec![None; task_count];
        let mut previous_standby = vec![Vec::new(); task_count];
        for (index, (_, member)) in members.iter().enumerate() {
            for task in table.places(&member.current.active, &firsts) {
                previous_active[task] = Some(index);
            }
            for task in table.places(&member.current.standby, &firsts) {
                previous_standby[task].push(index);
            }
        }
        let ids: Vec<(&str, &str)> =
            members.iter().map(|(id, member)| (id.as_str(), &*member.process_id)).collect();
        let standby_count = table.stateful.len() as i64 * i64::from(group.num_standby_replicas.max(0));
        Assigner {
            processes: Processes::new(&ids, task_count),
            active_quota: Quota::new(task_count as i64, members.len()),
            total_quota: Quota::new(task_count as i64 + standby_count, members.len()),
            previous_active,
            previous_standby,
            active: vec![None; task_count],
            standby: vec![Vec::new(); task_count],
            table,
        }
    }

    fn assign_active(&mut self) {
        let tasks = self.table.by_partition(0..self.table.tasks.len());
        // 1. To the member that runs the task already.
        for task in &tasks {
            self.keep_active(*task, self.previous_active[*task]);
        }
        // 2. To one that has its state.
        for task in tasks {
            if self.active[task].is_none() {
                self.keep_active(task, self.least_loaded(&self.previous_standby[task], None));
            }
        }
        // 3. The rest by ranges: in the order of subtopologies.
        let mut by_load = self.processes.by_load();
        for task in 0..self.table.tasks.len() {
            if self.active[task].is_some() {
                continue;
            }
            let process = by_load.poll().expect("there is a member").item;
            let (member, task_count) = self.processes.add_to_least_loaded(process, task);
            self.on_active(task, member, task_count);
            by_load.add(self.processes.entry(process));
        }
    }

    fn keep_active(&mut self, task: usize, member: Option<usize>) {
        let Some(member) = member else { return };
        if self.processes.task_count(member) < self.active_quota.of_member {
            let task_count = self.processes.add(member, task);
            self.on_active(task, member, task_count);
        }
    }

    fn on_active(&mut self, task: usize, member: usize, task_count: i64) {
        self.active[task] = Some(member);
        self.active_quota.on_added(task_count);
        self.total_quota.on_added(task_count);
    }

    fn on_standby(&mut self, task: usize, member: usize, task_count: i64) {
        self.standby[task].push(member);
        self.total_quota.on_added(task_count);
    }

    /// The one with the least load, of the process with the least, that does not have the task. It is found as
    /// Kafka's `findPrevMemberWithLeastLoad` finds it: whether the first one's process has the task decides for all.
    fn least_loaded(&self, members: &[usize], task: Option<usize>) -> Option<usize> {
        let has_task = |process: usize| task.is_some_and(|task| self.processes.has_task(process, task));
        let load = |member: usize| self.processes.load(self.processes.process_of(member));
        let first = *members.first()?;
        let mut least = first;
        for member in &members[1..] {
            if load(*member) < load(least)
                && !has_task(self.processes.process_of(*member))
                && self.processes.task_count(*member) < self.processes.task_count(least)
            {
                least = *member;
            }
        }
        (!has_task(self.processes.process_of(first))).then_some(least)
    }

    fn assign_standby(&mut self, replicas: usize) {
        let mut tasks = self.table.by_partition(self.table.stateful.iter().copied());
        tasks.reverse();
        let mut remaining = Vec::new();
        for task in tasks {
            let kept = (0..replicas).take_while(|_| self.keep_standby(task)).count();
            if kept < replicas {
                remaining.push((task, replicas - kept));
            }
        }
        // By ranges, from behind.
        remaining.sort_by_key(|(task, _)| std::cmp::Reverse(*task));
        let mut by_load = self.processes.by_load();
        for (task, count) in remaining {
            // What nobody can take stays unassigned: there are fewer processes than replicas.
            let _ = (0..count).take_while(|_| self.assign_to_least_loaded(task, &mut by_load)).count();
        }
    }

    /// Leaves a standby task with the member that ran the task or was its standby.
    fn keep_standby(&mut self, task: usize) -> bool {
        let ran = self.previous_active[task]
            .filter(|member| !self.processes.has_task(self.processes.process_of(*member), task));
        let stood_by = || self.least_loaded(&self.previous_standby[task], Some(task));
        let has_room = |member: &usize| self.processes.task_count(*member) < self.total_quota.of_member;
        let Some(member) = ran.filter(has_room).or_else(|| stood_by().filter(has_room)) else {
            return false;
        };
        let task_count = self.processes.add(member, task);
        self.on_standby(task, member, task_count);
        true
    }

    /// To the process with the least load that does not have the task.
    fn assign_to_least_loaded(&mut self, task: usize, by_load: &mut JavaQueue) -> bool {
        let mut passed = Vec::new();
        let mut found = None;
        while let Some(entry) = by_load.poll() {
            if !self.processes.has_task(entry.item, task) {
                found = Some(entry.item);
                break;
            }
            passed.push(entry);
        }
        if let Some(process) = found {
            let (member, task_count) = self.processes.add_to_least_loaded(process, task);
            self.on_standby(task, member, task_count);
            by_load.add(self.processes.entry(process));
        }
        passed.into_iter().rev().for_each(|entry| by_load.add(entry));
        found.is_some()
    }

    fn into_assignments(self, members: &[(&MemberId, &StreamsMemberSpec)]) -> BTreeMap<MemberId, TasksTuple> {
        let mut tuples = vec![TasksTuple::default(); members.len()];
        let add = |tasks: &mut Tasks, (subtopology, partition): (usize, i32)| {
            let id = self.table.subtopologies[subtopology].0;
            match tasks.get_mut(id) {
                Some(partitions) => drop(partitions.insert(partition)),
                None => drop(tasks.insert(id.to_string(), BTreeSet::from([partition]))),
            }
        };
        for (place, task) in self.table.tasks.iter().enumerate() {
            if let Some(member) = self.active[place] {
                add(&mut tuples[member].active, *task);
            }
            for member in &self.standby[place] {
                add(&mut tuples[*member].standby, *task);
            }
        }
        members.iter().map(|(id, _)| (*id).clone()).zip(tuples).collect()
    }
}
