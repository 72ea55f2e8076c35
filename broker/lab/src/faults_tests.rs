//! Which rule acts on which request.
//! Core.

use std::time::Duration;

use ottla_env::Monotonic;
use ottla_protocol::ApiKey;
use serde_json::json;

use super::*;
use crate::rule;
use crate::scope::Scope;

const START: Monotonic = Monotonic(Duration::from_secs(100));

fn facts(key: ApiKey, topic: &str) -> Facts {
    Facts {
        key,
        version: 9,
        client_id: "app".to_owned(),
        software: String::new(),
        user: String::new(),
        connection: 1,
        acks: None,
        scopes: vec![Scope { topic: Some(topic.to_owned()), partition: Some(0), ..Scope::default() }],
    }
}

fn faults(rules: serde_json::Value) -> Faults {
    let mut faults = Faults::new(7);
    for json in rules.as_array().expect("a list") {
        faults.add(rule::parse(json).expect("a rule"), START).expect("there is room");
    }
    faults
}

/// Which of so many requests a rule acted on.
fn hits(trigger: serde_json::Value, requests: u64) -> Vec<u64> {
    let mut faults = faults(json!([{ "trigger": trigger, "delay": 1 }]));
    (1..=requests)
        .filter(|number| faults.decide(&facts(ApiKey::Produce, "a"), *number, START).is_some())
        .collect()
}

#[test]
fn a_trigger_says_which_of_the_requests_it_is() {
    assert_eq!(hits(json!("once"), 5), [1]);
    assert_eq!(hits(json!({ "times": 2 }), 5), [1, 2]);
    assert_eq!(hits(json!({ "nth": 3 }), 5), [3]);
    assert_eq!(hits(json!({ "every_nth": 2 }), 5), [2, 4]);
    assert_eq!(hits(json!("every"), 3), [1, 2, 3]);
    assert_eq!(hits(json!({ "probability": 0.0 }), 100), [0; 0]);
    assert_eq!(hits(json!({ "probability": 1.0 }), 3), [1, 2, 3]);
    let some = hits(json!({ "probability": 0.3 }), 1000);
    assert!((200..400).contains(&some.len()), "{}", some.len());
    assert_eq!(some, hits(json!({ "probability": 0.3 }), 1000));
}

#[test]
fn the_first_rule_that_fires_acts_and_requests_of_others_are_not_seen() {
    let mut faults = faults(json!([
        { "topic": "b", "delay": 1 },
        { "topic": "a", "once": true, "delay": 2 },
        { "api": "Produce", "delay": 3 },
        { "topic": "a", "partition": 1, "delay": 4 },
    ]));
    let mut acted = |key, topic| faults.decide(&facts(key, topic), 9, START).map(|held| held.id);
    assert_eq!(acted(ApiKey::Produce, "a").as_deref(), Some("f2"));
    assert_eq!(acted(ApiKey::Produce, "a").as_deref(), Some("f3"));
    assert_eq!(acted(ApiKey::Fetch, "a"), None);
    let counts: Vec<(u64, u64)> = faults.all().iter().map(|held| (held.seen, held.hits)).collect();
    assert_eq!(counts, [(0, 0), (3, 1), (1, 1), (0, 0)]);
    assert_eq!(faults.get("f2").map(|held| held.last.clone().into()), Some(vec![9]));
}

#[test]
fn rules_are_replaced_all_at_once_and_ids_are_not_given_twice() {
    let mut faults = faults(json!([{ "delay": 1 }, { "delay": 2 }]));
    let rule = rule::parse(&json!({ "delay": 3 })).expect("a rule");
    assert_eq!(faults.replace(vec![rule.clone(); RULES_MAX + 1], START), None);
    assert_eq!(faults.all().len(), 2, "nothing was half applied");
    assert_eq!(faults.replace(vec![rule], START), Some(vec!["f3".to_owned()]));
    assert_eq!(faults.remove("f3").map(|held| held.hits), Some(0));
    assert!(faults.remove("f3").is_none());
}

/// Which of the requests at these seconds a rule acted on.
fn hits_at(trigger: serde_json::Value, seconds: &[u64]) -> Vec<u64> {
    let mut faults = faults(json!([{ "trigger": trigger, "topic": "a", "delay": 1 }]));
    let mut acts = |second: u64| {
        let now = START.after(Duration::from_secs(second));
        faults.decide(&facts(ApiKey::Produce, "a"), second, now).is_some()
    };
    seconds.iter().copied().filter(|second| acts(*second)).collect()
}

#[test]
fn a_rule_is_in_force_after_what_comes_before_it_and_for_its_time() {
    assert_eq!(hits_at(json!({ "after": 2 }), &[0, 1, 2, 3]), [2, 3]);
    assert_eq!(hits_at(json!({ "after": 1, "once": true }), &[0, 1, 2]), [1]);
    assert_eq!(hits_at(json!({ "after": "2s" }), &[0, 1, 2, 3]), [2, 3]);
    assert_eq!(hits_at(json!({ "for": "2s" }), &[0, 1, 2, 3]), [0, 1]);
    // Its time begins when what comes before it is over.
    assert_eq!(hits_at(json!({ "after": "2s", "for": "2s" }), &[1, 2, 3, 4]), [2, 3]);
    assert_eq!(hits_at(json!({ "after": 1, "for": "2s" }), &[5, 6, 7]), [6]);
    // What passed before is not counted by its trigger.
    assert_eq!(hits_at(json!({ "after": 2, "nth": 2 }), &[0, 1, 2, 3, 4]), [3]);
    assert_eq!(hits_at(json!({ "after": "2s", "times": 1, "for": "1s" }), &[0, 3, 4]), [0; 0]);
}

#[test]
fn a_rule_comes_after_a_request_of_another_kind_whoever_acts_on_that() {
    let mut faults = faults(json!([
        { "api": "Fetch", "delay": 1 },
        { "api": "Produce", "after": { "api": "Fetch", "topic": "b" }, "delay": 2 },
    ]));
    let mut acted = |key, topic| faults.decide(&facts(key, topic), 9, START).map(|held| held.id);
    assert_eq!(acted(ApiKey::Produce, "a"), None);
    assert_eq!(acted(ApiKey::Fetch, "a").as_deref(), Some("f1"));
    assert_eq!(acted(ApiKey::Produce, "a"), None, "that was about another topic");
    assert_eq!(acted(ApiKey::Fetch, "b").as_deref(), Some("f1"));
    assert_eq!(acted(ApiKey::Produce, "a").as_deref(), Some("f2"));
}

#[test]
fn what_a_rule_could_not_change_it_did_not_act_on() {
    let mut faults = faults(json!([{ "once": true, "delay": 1 }]));
    let held = faults.decide(&facts(ApiKey::Fetch, "a"), 4, START).expect("it fires");
    faults.take_back(&held.id, 4);
    assert_eq!((faults.all()[0].hits, faults.all()[0].last.len()), (0, 0));
    assert!(faults.decide(&facts(ApiKey::Fetch, "a"), 5, START).is_some());
    assert!(faults.decide(&facts(ApiKey::Fetch, "a"), 6, START).is_none());
}
