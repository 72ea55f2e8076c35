//! Topics that come to be because a client asked for them (`auto.create.topics.enable`).
//! Shell. As in Kafka 4 the request is answered at once with UNKNOWN_TOPIC_OR_PARTITION, and the topic is
//! made beside it (`DefaultAutoTopicCreationManager`), some time later: docs/decisions/0018.
//!
//! One task makes them all. It ends when no topic is left to make, so that a broker at rest has none.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_env::{Env, Monotonic};
use ottla_metadata::{ControllerChannel, Metadata};
use ottla_model::TopicName;
use ottla_quota::MutationQuota;
use parking_lot::Mutex;

use crate::missing_answers::{MissingAnswers, PAUSE};
use crate::owned_tasks::OwnedTasks;

/// From the request that names a topic until the topic is made. Clients ask again after 100 ms; what they
/// do directly after the answer must find things as the answer said.
const VISIBLE_AFTER: std::time::Duration = PAUSE;
/// Topics that wait to be made. A client whose topic finds no room here asks again anyhow.
const WAITING_MAX: usize = 10_000;
/// Partitions of topics that are made together.
const PARTITIONS_TOGETHER: usize = 1_000;

pub struct AutoCreate {
    answers: Mutex<MissingAnswers>,
    /// Whether `answers` has any; read without the lock by all requests that meet no missing topic.
    has_answers: AtomicBool,
    env: Env,
    metadata: Arc<Metadata>,
    controller: Arc<dyn ControllerChannel>,
    waiting: Arc<Mutex<Waiting>>,
    partitions_a_topic: usize,
    topics_together: usize,
    /// One task, and for a moment a second while the first ends.
    tasks: OwnedTasks,
}

/// The topics to be made, each once.
#[derive(Default)]
struct Waiting {
    /// In the order of their times.
    queue: VecDeque<(Monotonic, TopicName)>,
    /// Those in the queue, and those being made now.
    names: HashSet<TopicName>,
    /// Whether a task looks at the queue until it is empty.
    is_served: bool,
}

impl Waiting {
    /// Adds topics that are not there yet. True when a task must begin.
    fn add(&mut self, missing: Vec<TopicName>, at: Monotonic) -> bool {
        for name in missing {
            // Internal topics are their coordinators' to create.
            if name.is_internal() || self.names.len() >= WAITING_MAX {
                continue;
            }
            if self.names.insert(name.clone()) {
                self.queue.push_back((at, name));
            }
        }
        assert!(self.queue.len() <= self.names.len() && self.names.len() <= WAITING_MAX);
        if self.is_served || self.queue.is_empty() {
            return false;
        }
        self.is_served = true;
        true
    }

    /// When the first topic is to be made. `None` ends the task that asks.
    fn next(&mut self) -> Option<Monotonic> {
        let next = self.queue.front().map(|(at, _)| *at);
        self.is_served = next.is_some();
        next
    }

    /// Takes topics whose time has come.
    fn due(&mut self, now: Monotonic, most: usize) -> Vec<TopicName> {
        let count = self.queue.iter().take(most).take_while(|(at, _)| *at <= now).count();
        self.queue.drain(..count).map(|(_, name)| name).collect()
    }

    /// They are made, or refused: named again they begin anew.
    fn made(&mut self, names: &[TopicName]) {
        for name in names {
            self.names.remove(name);
        }
        if self.names.is_empty() {
            // The room of a storm does not stay.
            (self.queue, self.names) = Default::default();
        }
    }
}

impl AutoCreate {
    pub fn new(
        env: Env,
        metadata: Arc<Metadata>,
        controller: Arc<dyn ControllerChannel>,
        partitions_a_topic: i32,
    ) -> AutoCreate {
        let partitions_a_topic = usize::try_from(partitions_a_topic).unwrap_or(1).max(1);
        let topics_together = (PARTITIONS_TOGETHER / partitions_a_topic).max(1);
        AutoCreate {
            answers: Mutex::default(),
            has_answers: AtomicBool::new(false),
            env,
            metadata,
            controller,
            waiting: Arc::default(),
            partitions_a_topic,
            topics_together,
            tasks: OwnedTasks::new(2),
        }
    }

    /// Has topics made that a connection asked for and is answered are not there.
    pub fn start(&self, connection: u64, missing: Vec<TopicName>, quota: &MutationQuota) {
        if missing.is_empty() {
            return;
        }
        let now = self.env.clock.monotonic();
        {
            let mut answers = self.answers.lock();
            missing.iter().for_each(|topic| answers.note(connection, topic, now));
            self.has_answers.store(!answers.is_empty(), Ordering::Release);
        }
        let at = now.after(VISIBLE_AFTER);
        let mut waiting = self.waiting.lock();
        // A topic is claimed once; what its client may not have made now it asks for again.
        let is_granted =
            |name: &TopicName| waiting.names.contains(name) || quota.record(self.partitions_a_topic).is_ok();
        let missing = missing.into_iter().filter(is_granted).collect();
        let must_begin = waiting.add(missing, at);
        drop(waiting);
        if !must_begin {
            return;
        }
        let served = Served { waiting: self.waiting.clone(), found_it_empty: false };
        let (env, together) = (self.env.clone(), self.topics_together);
        let (metadata, controller) = (self.metadata.clone(), self.controller.clone());
        let work = create_until_none_waits(env, metadata, controller, served, together);
        self.tasks.begin(&*self.env.tasks, "auto-create-topics", Box::pin(work));
    }
}

impl AutoCreate {
    /// Whether any connection was answered a moment ago that a topic is not there.
    pub fn has_answers(&self) -> bool {
        self.has_answers.load(Ordering::Acquire)
    }

    /// The connection is answered something: its pause begins.
    pub fn on_answer(&self, connection: u64) {
        self.answers.lock().on_answer(connection, self.env.clock.monotonic());
    }

    /// Whether the connection is answered once more that this topic is not there.
    pub fn is_held_back(&self, connection: u64, topic: &TopicName) -> bool {
        if !self.has_answers() {
            return false;
        }
        let mut answers = self.answers.lock();
        let is_held_back = answers.is_held_back(connection, topic, self.env.clock.monotonic());
        self.has_answers.store(!answers.is_empty(), Ordering::Release);
        is_held_back
    }
}

/// The queue as its task has it. However the task ends, the next topic begins another.
struct Served {
    waiting: Arc<Mutex<Waiting>>,
    found_it_empty: bool,
}

impl Drop for Served {
    fn drop(&mut self) {
        if !self.found_it_empty {
            let mut waiting = self.waiting.lock();
            waiting.is_served = false;
            waiting.names = waiting.queue.iter().map(|(_, name)| name.clone()).collect();
        }
    }
}

async fn create_until_none_waits(
    env: Env,
    metadata: Arc<Metadata>,
    controller: Arc<dyn ControllerChannel>,
    mut served: Served,
    together: usize,
) {
    loop {
        let next = served.waiting.lock().next();
        let Some(at) = next else {
            served.found_it_empty = true;
            return;
        };
        env.clock.sleep_until(at).await;
        let names = served.waiting.lock().due(env.clock.monotonic(), together);
        if let Err(error) = controller.create_topics(metadata.auto_create_request(&names)).await {
            tracing::warn!(%error, "topics that clients asked for were not created");
        }
        served.waiting.lock().made(&names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(range: std::ops::Range<usize>) -> Vec<TopicName> {
        range.map(|number| TopicName::new(&format!("t{number}"))).collect()
    }

    #[test]
    fn a_storm_for_the_same_topics_makes_each_once_by_one_task() {
        let (start, mut waiting) = (Monotonic::default(), Waiting::default());
        assert!(waiting.add(names(0..3), start.after_ms(50)));
        for _ in 0..1_000 {
            assert!(!waiting.add(names(0..3), start.after_ms(60)));
        }
        assert!(!waiting.add(names(2..5), start.after_ms(70)));
        assert_eq!(waiting.next(), Some(start.after_ms(50)));
        assert_eq!(waiting.due(start.after_ms(49), 10), []);
        // In parts: what the first leaves is due at once.
        assert_eq!(waiting.due(start.after_ms(50), 2), names(0..2));
        assert_eq!(waiting.due(start.after_ms(50), 2), names(2..3));
        // Named again while it is made, it is not made twice.
        assert!(!waiting.add(names(0..3), start.after_ms(100)));
        waiting.made(&names(0..3));
        assert_eq!(waiting.due(start.after_ms(200), 10), names(3..5));
        waiting.made(&names(3..5));
        assert_eq!(waiting.next(), None);
        assert_eq!(waiting.names.capacity(), 0);
        assert!(waiting.add(names(0..1), start));
    }

    #[test]
    fn internal_topics_and_those_beyond_the_bound_do_not_wait() {
        let (start, mut waiting) = (Monotonic::default(), Waiting::default());
        assert!(!waiting.add(vec![TopicName::new("__consumer_offsets")], start));
        assert!(waiting.add(names(0..WAITING_MAX + 5), start));
        assert_eq!(waiting.due(start, usize::MAX).len(), WAITING_MAX);
    }

    #[test]
    fn a_task_that_is_cut_off_loses_no_topic_that_waits() {
        let (start, waiting) = (Monotonic::default(), Arc::new(Mutex::new(Waiting::default())));
        assert!(waiting.lock().add(names(0..2), start));
        let served = Served { waiting: waiting.clone(), found_it_empty: false };
        assert_eq!(waiting.lock().due(start, 1), names(0..1));
        drop(served);
        // The one being made is named again by its client, the other is still there.
        assert!(waiting.lock().add(names(0..1), start));
        assert_eq!(waiting.lock().due(start, 5), [names(1..2), names(0..1)].concat());
    }
}
