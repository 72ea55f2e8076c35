//! Which connections were answered a moment ago that a topic is not there: they are answered so once more.
//! Core.
//!
//! The topic may come between two requests that a client sends right behind each other and takes for one look
//! (docs/decisions/0018). A client that pauses for `PAUSE` sees it, one that never does sees it after `AT_MOST`.
//! A pause counts from the last answer of any kind: that the broker was slow is no pause of the client.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::TopicName;

/// Requests closer than this to the answer before belong to the same look. Clients ask again after 100 ms.
pub const PAUSE: Duration = Duration::from_millis(50);
/// From the first such answer on.
const AT_MOST: Duration = Duration::from_millis(500);
/// Beyond it nothing is noted: there are more than any client minds.
const TOPICS_MAX: usize = 10_000;

#[derive(Default)]
pub struct MissingAnswers {
    by_connection: HashMap<u64, Connection>,
    /// Of all connections.
    topics: usize,
    /// When the last connection was answered so for the first time.
    latest: Monotonic,
}

#[derive(Default)]
struct Connection {
    last_answer: Monotonic,
    /// When it was first answered that the topic is not there.
    topics: HashMap<TopicName, Monotonic>,
}

impl MissingAnswers {
    /// The connection is answered now that the topic is not there.
    pub fn note(&mut self, connection: u64, topic: &TopicName, now: Monotonic) {
        self.forget_what_is_over(now);
        if self.topics >= TOPICS_MAX {
            return;
        }
        let known = self.by_connection.entry(connection).or_default();
        known.last_answer = now;
        if let Entry::Vacant(place) = known.topics.entry(topic.clone()) {
            place.insert(now);
            self.topics += 1;
            self.latest = self.latest.max(now);
        }
        assert!(self.topics <= TOPICS_MAX);
    }

    /// The connection is answered something.
    pub fn on_answer(&mut self, connection: u64, now: Monotonic) {
        if let Some(known) = self.by_connection.get_mut(&connection) {
            known.last_answer = now;
        }
    }

    /// Whether a topic that is there by now is not to be shown yet.
    pub fn is_held_back(&mut self, connection: u64, topic: &TopicName, now: Monotonic) -> bool {
        self.forget_what_is_over(now);
        let Some(known) = self.by_connection.get_mut(&connection) else { return false };
        let Some(first) = known.topics.get(topic) else { return false };
        if now < known.last_answer.after(PAUSE) && now < first.after(AT_MOST) {
            known.last_answer = now;
            return true;
        }
        known.topics.remove(topic);
        assert!(self.topics > 0, "a topic that was not counted");
        self.topics -= 1;
        if known.topics.is_empty() {
            self.by_connection.remove(&connection);
        }
        false
    }

    fn forget_what_is_over(&mut self, now: Monotonic) {
        if now >= self.latest.after(AT_MOST) {
            (self.by_connection, self.topics) = Default::default();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.topics == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Monotonic {
        Monotonic::default().after_ms(ms)
    }

    #[test]
    fn a_look_that_is_made_of_two_requests_sees_the_topic_in_both_or_in_none() {
        let (mut answers, topic) = (MissingAnswers::default(), TopicName::new("t"));
        answers.note(1, &topic, at(1_000));
        assert!(answers.is_held_back(1, &topic, at(1_049)));
        // Another connection was answered nothing, nor was this one of another topic.
        assert!(!answers.is_held_back(2, &topic, at(1_049)));
        assert!(!answers.is_held_back(1, &TopicName::new("u"), at(1_049)));
        // The pause counts from the last answer.
        assert!(answers.is_held_back(1, &topic, at(1_098)));
        assert!(!answers.is_held_back(1, &topic, at(1_148)));
        assert!(!answers.is_held_back(1, &topic, at(1_149)));
        assert!(answers.is_empty());
    }

    #[test]
    fn a_slow_answer_in_between_is_no_pause() {
        let (mut answers, topic) = (MissingAnswers::default(), TopicName::new("t"));
        answers.note(1, &topic, at(0));
        answers.on_answer(1, at(180));
        answers.on_answer(2, at(180));
        assert!(answers.is_held_back(1, &topic, at(200)));
    }

    #[test]
    fn a_client_without_a_pause_sees_it_in_the_end() {
        let (mut answers, topic) = (MissingAnswers::default(), TopicName::new("t"));
        answers.note(1, &topic, at(0));
        let held = (1..100).map(|step| step * 10).take_while(|ms| answers.is_held_back(1, &topic, at(*ms)));
        assert_eq!(held.last(), Some(490));
        assert!(answers.is_empty());
    }

    #[test]
    fn what_is_noted_has_a_bound_and_goes_with_its_time() {
        let (mut answers, topic) = (MissingAnswers::default(), TopicName::new("t"));
        for connection in 0..TOPICS_MAX as u64 + 5 {
            answers.note(connection, &topic, at(0));
        }
        assert_eq!(answers.topics, TOPICS_MAX);
        assert!(answers.is_held_back(0, &topic, at(1)));
        assert!(!answers.is_held_back(TOPICS_MAX as u64, &topic, at(1)));
        answers.note(7, &TopicName::new("u"), at(500));
        assert_eq!((answers.topics, answers.by_connection.len()), (1, 1));
    }
}
