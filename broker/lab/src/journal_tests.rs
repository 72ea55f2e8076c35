//! The journal's bounds, its filters and its near misses.
//! Core.

use super::*;
use crate::scope::Scope;

fn entry(key: ApiKey, client: &str, topic: &str) -> Entry {
    Entry {
        number: 0,
        at_ms: 5,
        correlation_id: 1,
        facts: Facts {
            key,
            version: 9,
            client_id: client.to_owned(),
            software: String::new(),
            user: String::new(),
            connection: 3,
            acks: None,
            scopes: vec![Scope { topic: Some(topic.to_owned()), partition: Some(0), ..Scope::default() }],
        },
        body: Json::Null,
        fault: None,
        answer: None,
    }
}

fn query(words: Json) -> Query {
    Query::of_json(words.as_object().expect("an object")).expect("a query")
}

fn answer(error: &str) -> AnswerEntry {
    AnswerEntry { outcome: "answered", took_us: 1, errors: vec![error.to_owned()], body: Json::Null }
}

#[test]
fn each_word_of_a_filter_counts() {
    let mut journal = Journal::default();
    journal.begin(entry(ApiKey::Produce, "a", "orders"));
    let second = journal.begin(entry(ApiKey::Fetch, "b", "orders"));
    journal.end(second, answer("OFFSET_OUT_OF_RANGE"));
    let count = |words: Json| journal.matching(&query(words)).count();
    assert_eq!(count(json!({})), 2);
    assert_eq!(count(json!({ "api": "Produce" })), 1);
    assert_eq!(count(json!({ "api": ["Produce", "Fetch"] })), 2);
    assert_eq!(count(json!({ "topic": "ord*", "client_id": "b" })), 1);
    assert_eq!(count(json!({ "error": "offset_out_of_range" })), 1);
    assert_eq!(count(json!({ "outcome": "waiting" })), 1);
    assert_eq!(count(json!({ "since": 1 })), 1);
    assert_eq!(count(json!({ "version": 8 })), 0);
    assert_eq!(count(json!({ "group": "*" })), 0);
}

#[test]
fn a_near_miss_says_what_it_misses() {
    let mut journal = Journal::default();
    journal.begin(entry(ApiKey::Produce, "a", "orders"));
    journal.begin(entry(ApiKey::Fetch, "b", "other"));
    let nearest = journal.nearest(&query(json!({ "api": "Produce", "topic": "order" })));
    assert_eq!(nearest[0]["but"], json!(["topic"]));
    assert_eq!(nearest[0]["request"]["client_id"], "a");
    assert_eq!(nearest[1]["but"], json!(["api", "topic"]));
}

#[test]
fn the_oldest_go_first_and_numbers_go_on() {
    let mut journal = Journal::default();
    for _request in 0..ENTRIES_MAX + 5 {
        journal.begin(entry(ApiKey::Produce, "a", "t"));
    }
    assert_eq!((journal.matching(&Query::default()).count(), journal.lost), (ENTRIES_MAX, 5));
    // Its answer comes when it is forgotten.
    journal.end(2, answer("NONE"));
    journal.end(5, answer("NONE"));
    assert_eq!(journal.matching(&query(json!({ "outcome": "answered" }))).count(), 1);
    journal.clear();
    assert_eq!(journal.begin(entry(ApiKey::Produce, "a", "t")), ENTRIES_MAX as u64 + 5);
}

#[test]
fn large_bodies_push_others_out() {
    let mut journal = Journal::default();
    for _request in 0..5 {
        let body = Json::String("x".repeat(10 * 1024 * 1024));
        journal.begin(Entry { body, ..entry(ApiKey::Produce, "a", "t") });
    }
    assert_eq!(journal.matching(&Query::default()).count(), 3);
}

#[test]
fn a_word_that_is_not_known_is_named() {
    for (words, field) in [
        (json!({ "apis": "Produce" }), "apis"),
        (json!({ "api": "Prod" }), "api"),
        (json!({ "error": "X" }), "error"),
        (json!({ "outcome": "lost" }), "outcome"),
        (json!({ "version": "x" }), "version"),
        (json!({ "topic": {} }), "topic"),
    ] {
        let bad = Query::of_json(words.as_object().expect("an object")).expect_err("it is none");
        assert_eq!(bad.field, field);
    }
}
