//! Which connections were answered a moment ago that a topic is not there: they are answered so once more.
//! Core.
//!
//! The topic may come between two requests that a client sends one right behind the other and takes for one
//! look (docs/decisions/0018). A client that asks again later than `AGAIN_AFTER` sees it, one that never
//! pauses so long sees it after `AT_MOST`.

use std::collections::HashMap;
use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::TopicName;

/// Requests closer than this to the answer before belong to the same look. Clients ask again after 100 ms.
pub const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// From the first such answer on.
const AT_MOST: Duration = Duration::from_millis(200);
/// Beyond it nothing is noted: there are more than any client minds.
const PLACES_MAX: usize = 10_000;

#[derive(Default)]
pub struct MissingAnswers {
    /// By connection and topic.
    places: HashMap<(u64, TopicName), Answered>,
    /// When the last of all answers was given.
    latest: Monotonic,
}

struct Answered {
    first: Monotonic,
    last: Monotonic,
}

impl MissingAnswers {
    /// The connection is answered now that the topic is not there.
    pub fn note(&mut self, connection: u64, topic: &TopicName, now: Monotonic) {
        if self.places.len() >= PLACES_MAX {
            self.places.retain(|_, answered| now < answered.last.after(AGAIN_AFTER));
        }
        if self.places.len() >= PLACES_MAX {
            return;
        }
        self.latest = self.latest.max(now);
        let answered = Answered { first: now, last: now };
        self.places.entry((connection, topic.clone())).or_insert(answered).last = now;
        assert!(self.places.len() <= PLACES_MAX);
    }

    /// Whether a topic that is there by now is not to be shown yet.
    pub fn is_held_back(&mut self, connection: u64, topic: &TopicName, now: Monotonic) -> bool {
        if now >= self.latest.after(AGAIN_AFTER) {
            self.places = HashMap::new();
            return false;
        }
        let place = (connection, topic.clone());
        let Some(answered) = self.places.get_mut(&place) else { return false };
        if now < answered.last.after(AGAIN_AFTER) && now < answered.first.after(AT_MOST) {
            answered.last = now;
            self.latest = self.latest.max(now);
            return true;
        }
        self.places.remove(&place);
        false
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
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
    fn a_client_without_a_pause_sees_it_in_the_end() {
        let (mut answers, topic) = (MissingAnswers::default(), TopicName::new("t"));
        answers.note(1, &topic, at(0));
        let held = (1..100).map(|step| step * 10).take_while(|ms| answers.is_held_back(1, &topic, at(*ms)));
        assert_eq!(held.last(), Some(190));
    }

    #[test]
    fn what_is_noted_has_a_bound_and_goes_with_its_time() {
        let (mut answers, topic) = (MissingAnswers::default(), TopicName::new("t"));
        for connection in 0..PLACES_MAX as u64 + 5 {
            answers.note(connection, &topic, at(0));
        }
        assert_eq!(answers.places.len(), PLACES_MAX);
        assert!(!answers.is_held_back(PLACES_MAX as u64, &topic, at(1)));
        answers.note(7, &TopicName::new("u"), at(60));
        assert_eq!(answers.places.len(), 1);
    }
}
