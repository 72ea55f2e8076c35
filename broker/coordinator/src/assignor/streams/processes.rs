//! The processes of a streams group: how much each of them and of their members runs.
//! Core. After Kafka's `ProcessState`. Members, processes and tasks are places in lists.

use super::java_queue::{Entry, JavaQueue};
use crate::java_hash;

pub struct Processes {
    all: Vec<Process>,
    /// By member, how many tasks it has.
    task_counts: Vec<i64>,
    /// By member, its process.
    process_of: Vec<usize>,
    /// By task, the processes that have it, active or standby.
    hosts: Vec<Vec<usize>>,
}

struct Process {
    /// As the process lists them.
    members: Vec<usize>,
    task_count: i64,
    /// The members by load, while tasks are given to the one with the least.
    by_load: Option<JavaQueue>,
}

impl Processes {
    /// `members` are the ids and process ids as the group lists them.
    pub fn new(members: &[(&str, &str)], task_count: usize) -> Processes {
        let mut ids: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut known = std::collections::BTreeMap::new();
        for (index, (_, process)) in members.iter().enumerate() {
            let place = *known.entry(*process).or_insert_with(|| {
                ids.push((process, Vec::new()));
                ids.len() - 1
            });
            ids[place].1.push(index);
        }
        let capacity = java_hash::grown_capacity(members.len(), ids.len());
        java_hash::order_as_listed(&mut ids, capacity, |(id, _)| java_hash::string_hash(id));
        let mut process_of = vec![0; members.len()];
        let mut all = Vec::with_capacity(ids.len());
        for (_, mut of_process) in ids {
            of_process.iter().for_each(|member| process_of[*member] = all.len());
            let capacity = java_hash::grown_capacity(java_hash::DEFAULT_CAPACITY, of_process.len());
            java_hash::order_as_listed(&mut of_process, capacity, |member| {
                java_hash::string_hash(members[*member].0)
            });
            all.push(Process { members: of_process, task_count: 0, by_load: None });
        }
        let hosts = vec![Vec::new(); task_count];
        Processes { all, task_counts: vec![0; members.len()], process_of, hosts }
    }

    /// All processes, to be asked for the one with the least load.
    pub fn by_load(&self) -> JavaQueue {
        let mut queue = JavaQueue::default();
        (0..self.all.len()).for_each(|process| queue.add(self.entry(process)));
        queue
    }

    pub fn entry(&self, process: usize) -> Entry {
        Entry { load: self.load(process), item: process }
    }

    /// Tasks for each member of the process.
    pub fn load(&self, process: usize) -> f64 {
        let process = &self.all[process];
        process.task_count as f64 / process.members.len() as f64
    }

    pub fn process_of(&self, member: usize) -> usize {
        self.process_of[member]
    }

    pub fn task_count(&self, member: usize) -> i64 {
        self.task_counts[member]
    }

    pub fn has_task(&self, process: usize, task: usize) -> bool {
        self.hosts[task].contains(&process)
    }

    /// How many tasks the member has with this one.
    pub fn add(&mut self, member: usize, task: usize) -> i64 {
        // The heap would not be in order any more.
        self.all[self.process_of[member]].by_load = None;
        self.count(member, task)
    }

    /// Gives the task to the member of the process that has the least; the member, and how many it has now.
    pub fn add_to_least_loaded(&mut self, process: usize, task: usize) -> (usize, i64) {
        let state = &mut self.all[process];
        let mut queue = state.by_load.take().unwrap_or_else(|| {
            let mut queue = JavaQueue::default();
            for member in &state.members {
                queue.add(Entry { load: self.task_counts[*member] as f64, item: *member });
            }
            queue
        });
        let member = queue.poll().expect("a process is there by its members").item;
        let count = self.count(member, task);
        queue.add(Entry { load: count as f64, item: member });
        self.all[process].by_load = Some(queue);
        (member, count)
    }

    fn count(&mut self, member: usize, task: usize) -> i64 {
        let process = self.process_of[member];
        self.all[process].task_count += 1;
        self.hosts[task].push(process);
        self.task_counts[member] += 1;
        self.task_counts[member]
    }
}
