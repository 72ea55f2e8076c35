//! Unsafe habits of clients, as the journal shows them.
//! Core.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ApiKey;
use serde_json::{Value as Json, json};

use crate::journal::{Entry, Journal, Query};

/// So many fetches that wait for nothing are a habit.
const EMPTY_FETCHES: u64 = 20;
/// What libraries call a client to which nobody gave a name.
const NAMELESS: [&str; 5] = ["", "rdkafka", "sarama", "kafkajs", "kgo"];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Habit {
    /// Records are sent and nobody asks whether they came.
    AcksNone,
    /// Records are acknowledged before they are copied.
    AcksLeader,
    /// A batch that is sent again is there twice.
    NotIdempotent,
    /// Records of aborted transactions are read.
    ReadsUncommitted,
    /// It asks again and again, and waits for nothing.
    FetchesWithoutWaiting,
    /// Nobody can tell it from others.
    NoClientId,
}

impl Habit {
    pub fn name(self) -> &'static str {
        match self {
            Habit::AcksNone => "acks-none",
            Habit::AcksLeader => "acks-leader",
            Habit::NotIdempotent => "not-idempotent",
            Habit::ReadsUncommitted => "reads-uncommitted",
            Habit::FetchesWithoutWaiting => "fetches-without-waiting",
            Habit::NoClientId => "no-client-id",
        }
    }

    fn why(self) -> &'static str {
        match self {
            Habit::AcksNone => "acks=0: a record that is lost is not missed",
            Habit::AcksLeader => "acks=1: a record that was acknowledged is lost with its leader",
            Habit::NotIdempotent => "it produces without a producer id: what it sends again is there twice",
            Habit::ReadsUncommitted => {
                "it reads a topic of transactions with isolation.level=read_uncommitted: also what was aborted"
            }
            Habit::FetchesWithoutWaiting => {
                "it fetches with fetch.max.wait.ms=0: it keeps itself and the broker busy"
            }
            Habit::NoClientId => "client.id is not set: quotas, logs and figures cannot tell it from others",
        }
    }
}

/// A habit of one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub habit: Habit,
    pub client_id: String,
    pub count: u64,
    /// The number of the first request in the journal.
    pub first: u64,
}

impl Finding {
    pub fn json(&self) -> Json {
        json!({
            "habit": self.habit.name(), "client_id": self.client_id, "why": self.habit.why(), "count": self.count,
            "first_request": self.first
        })
    }
}

/// In the order of habits and clients.
pub fn findings(journal: &Journal) -> Vec<Finding> {
    let query = Query::default();
    let entries: Vec<&Entry> = journal.matching(&query).collect();
    // Topics with transactions, and clients with a producer id.
    let (mut transactional, mut idempotent) = (BTreeSet::new(), BTreeSet::new());
    for entry in &entries {
        match entry.facts.key {
            ApiKey::InitProducerId => {
                idempotent.insert(entry.facts.client_id.as_str());
            }
            ApiKey::Produce | ApiKey::AddPartitionsToTxn if is_transactional(entry) => {
                transactional.extend(topics(entry));
            }
            _other => {}
        }
    }
    let mut found: BTreeMap<(Habit, &str), (u64, u64)> = BTreeMap::new();
    for entry in &entries {
        let client_id = entry.facts.client_id.as_str();
        let mut note = |habit| {
            let (count, _first) = found.entry((habit, client_id)).or_insert((0, entry.number));
            *count += 1;
        };
        if NAMELESS.contains(&client_id) {
            note(Habit::NoClientId);
        }
        match (entry.facts.key, entry.facts.acks) {
            (ApiKey::Produce, Some(0)) => note(Habit::AcksNone),
            (ApiKey::Produce, Some(1)) => note(Habit::AcksLeader),
            // Where the beginning is lost, its producer id may have come with it.
            (ApiKey::Produce, _) if journal.lost == 0 && !idempotent.contains(client_id) => {
                note(Habit::NotIdempotent);
            }
            (ApiKey::Fetch, _) => {
                if entry.body["maxWaitMs"] == 0 {
                    note(Habit::FetchesWithoutWaiting);
                }
                if entry.body["isolationLevel"] == 0
                    && topics(entry).any(|topic| transactional.contains(topic))
                {
                    note(Habit::ReadsUncommitted);
                }
            }
            _other => {}
        }
    }
    let is_habit = |habit: Habit, count: u64| habit != Habit::FetchesWithoutWaiting || count >= EMPTY_FETCHES;
    found
        .into_iter()
        .filter(|((habit, _), (count, _))| is_habit(*habit, *count))
        .map(|((habit, client_id), (count, first))| Finding {
            habit,
            client_id: client_id.to_owned(),
            count,
            first,
        })
        .collect()
}

fn is_transactional(entry: &Entry) -> bool {
    entry.facts.scopes.iter().any(|scope| scope.transactional_id.is_some())
}

fn topics(entry: &Entry) -> impl Iterator<Item = &str> {
    entry.facts.scopes.iter().filter_map(|scope| scope.topic.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::scope::Scope;

    fn journal(entries: &[(ApiKey, &str, Option<i64>, Json, Scope)]) -> Journal {
        let mut journal = Journal::default();
        for (key, client_id, acks, body, scope) in entries {
            let facts = Facts {
                key: *key,
                version: 9,
                client_id: (*client_id).to_owned(),
                software: String::new(),
                user: String::new(),
                connection: 1,
                acks: *acks,
                scopes: vec![scope.clone()],
            };
            let entry = Entry {
                number: 0,
                at_ms: 0,
                correlation_id: 0,
                facts,
                body: body.clone(),
                fault: None,
                answer: None,
            };
            journal.begin(entry);
        }
        journal
    }

    fn told(journal: &Journal) -> Vec<(Habit, String, u64, u64)> {
        let tell = |found: Finding| (found.habit, found.client_id, found.count, found.first);
        findings(journal).into_iter().map(tell).collect()
    }

    #[test]
    fn each_habit_is_told_of_whoever_has_it() {
        let (plain, topic) = (Scope::default(), Scope { topic: Some("t".to_owned()), ..Scope::default() });
        let written = Scope { transactional_id: Some("tx".to_owned()), ..topic.clone() };
        let fetch = |isolation: i64, wait: i64| json!({ "isolationLevel": isolation, "maxWaitMs": wait });
        let mut entries = vec![
            (ApiKey::Produce, "none", Some(0), Json::Null, topic.clone()),
            (ApiKey::Produce, "one", Some(1), Json::Null, topic.clone()),
            (ApiKey::Produce, "all", Some(-1), Json::Null, topic.clone()),
            (ApiKey::Produce, "all", Some(-1), Json::Null, topic.clone()),
            (ApiKey::InitProducerId, "good", None, Json::Null, plain.clone()),
            (ApiKey::Produce, "good", Some(-1), Json::Null, written),
            (ApiKey::Fetch, "reader", None, fetch(0, 500), topic.clone()),
            (ApiKey::Fetch, "careful", None, fetch(1, 500), topic),
            (ApiKey::Metadata, "rdkafka", None, Json::Null, plain.clone()),
        ];
        for _fetch in 0..EMPTY_FETCHES {
            entries.push((ApiKey::Fetch, "busy", None, fetch(1, 0), plain.clone()));
        }
        entries.push((ApiKey::Fetch, "seldom", None, fetch(1, 0), plain));
        let expected = [
            (Habit::AcksNone, "none", 1, 0),
            (Habit::AcksLeader, "one", 1, 1),
            (Habit::NotIdempotent, "all", 2, 2),
            (Habit::ReadsUncommitted, "reader", 1, 6),
            (Habit::FetchesWithoutWaiting, "busy", EMPTY_FETCHES, 9),
            (Habit::NoClientId, "rdkafka", 1, 8),
        ];
        let expected = expected.map(|(habit, client, count, first)| (habit, client.to_owned(), count, first));
        assert_eq!(told(&journal(&entries)), expected);
    }

    #[test]
    fn who_has_a_producer_id_and_reads_what_was_committed_has_none() {
        let topic = Scope { topic: Some("t".to_owned()), ..Scope::default() };
        let body = json!({ "isolationLevel": 1, "maxWaitMs": 500 });
        let entries = [
            (ApiKey::InitProducerId, "app", None, Json::Null, Scope::default()),
            (ApiKey::Produce, "app", Some(-1), Json::Null, topic.clone()),
            (ApiKey::Fetch, "app", None, body, topic),
        ];
        assert_eq!(told(&journal(&entries)), []);
    }
}
