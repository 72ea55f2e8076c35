//! Rules as they are read: what each word means, and that nothing is read that nothing obeys.
//! Core.

use serde_json::json;

use super::*;

fn refused(json: Value) -> Bad {
    parse(&json).expect_err("it is no rule")
}

#[test]
fn words_stand_in_their_sections_or_bare() {
    let nested = parse(&json!({
        "match": { "api": ["Produce", 1], "topic": "ord*", "version": "3-9", "client_id": "a?" },
        "trigger": { "times": 2 },
        "do": { "error": "NOT_LEADER_OR_FOLLOWER", "message": "moved", "delay": "1s" }
    }))
    .expect("a rule");
    let bare = parse(&json!({
        "api": ["Produce", 1], "topic": "ord*", "version": "3-9", "client_id": "a?",
        "times": 2, "error": "NOT_LEADER_OR_FOLLOWER", "message": "moved", "delay": "1s"
    }))
    .expect("a rule");
    assert_eq!((&nested.matching, nested.trigger, &nested.act), (&bare.matching, bare.trigger, &bare.act));
    assert_eq!(nested.matching.apis, [ApiKey::Produce, ApiKey::Fetch]);
    assert_eq!(nested.matching.versions, Some((3, 9)));
    assert_eq!(nested.trigger, Trigger::Times(2));
    let error = Outcome::Error { code: ErrorCode::NotLeaderOrFollower, message: Some("moved".to_owned()) };
    assert_eq!((nested.act.outcome, nested.act.delay), (error, Some(Duration::from_secs(1))));
}

#[test]
fn each_trigger_and_each_action_is_read() {
    let trigger = |json: Value| parse(&json!({ "trigger": json, "delay": 1 })).map(|rule| rule.trigger);
    assert_eq!(trigger(json!("once")), Ok(Trigger::Times(1)));
    assert_eq!(trigger(json!("every")), Ok(Trigger::Every));
    assert_eq!(trigger(json!({ "nth": 3 })), Ok(Trigger::Nth(3)));
    assert_eq!(trigger(json!({ "every_nth": 10 })), Ok(Trigger::EveryNth(10)));
    assert_eq!(trigger(json!({ "probability": 0.05 })), Ok(Trigger::Probability(0.05)));
    let act = |json: Value| parse(&json!({ "do": json })).map(|rule| rule.act.outcome);
    assert_eq!(act(json!({ "drop": true })), Ok(Outcome::Drop(When::Request)));
    assert_eq!(act(json!({ "drop": "after" })), Ok(Outcome::Drop(When::Response)));
    assert_eq!(act(json!({ "disconnect": "before" })), Ok(Outcome::Disconnect(When::Request)));
    assert_eq!(act(json!({ "disconnect": "after" })), Ok(Outcome::Disconnect(When::Response)));
    assert_eq!(act(json!({ "duplicate": true })), Ok(Outcome::Duplicate));
    assert_eq!(act(json!({ "hold": "gate" })), Ok(Outcome::Serve));
    assert_eq!(act(json!({ "truncate": 20 })), Ok(Outcome::Truncate(20)));
    assert_eq!(act(json!({ "corrupt": "length" })), Ok(Outcome::Corrupt(Corrupt::Length)));
    let crc = parse(&json!({ "api": ["Fetch", "Produce"], "corrupt": "crc" })).map(|rule| rule.act.outcome);
    assert_eq!(crc, Ok(Outcome::Corrupt(Corrupt::Crc)));
    assert_eq!(parse(&json!({ "reorder": 3 })).map(|rule| rule.act.reorder), Ok(Some(3)));
    let window = |json: Value| parse(&json!({ "trigger": json, "delay": 1 })).map(|rule| rule.window);
    let second = Duration::from_secs(1);
    assert_eq!(window(json!({ "after": 3 })), Ok(Window { after: After::Requests(3), lasts: None }));
    assert_eq!(
        window(json!({ "after": "1s", "for": "1s" })),
        Ok(Window { after: After::Time(second), lasts: Some(second) })
    );
    let after = window(json!({ "after": { "api": "Fetch" } })).map(|window| window.after);
    let fetch = Match { apis: vec![ApiKey::Fetch], ..Match::default() };
    assert_eq!(after, Ok(After::Request(Box::new(fetch))));
    let throttle = parse(&json!({ "do": { "throttle": 250 } })).map(|rule| rule.act.throttle_ms);
    assert_eq!(throttle, Ok(Some(250)));
}

#[test]
fn what_is_wrong_is_named_with_its_section() {
    for (json, field) in [
        (json!([]), ""),
        (json!({ "match": 3, "do": { "delay": 1 } }), "match"),
        (json!({ "match": { "apis": "Produce" }, "do": { "delay": 1 } }), "match.apis"),
        (json!({ "match": { "api": "Prodoce" }, "do": { "delay": 1 } }), "match.api"),
        (json!({ "match": { "api": [] }, "do": { "delay": 1 } }), "match.api"),
        (json!({ "match": { "version": "9-3" }, "do": { "delay": 1 } }), "match.version"),
        (json!({ "match": { "partition": -1 }, "do": { "delay": 1 } }), "match.partition"),
        (json!({ "match": { "topic": 7 }, "do": { "delay": 1 } }), "match.topic"),
        (json!({ "match": { "when": "later" }, "do": { "error": "NOT_LEADER_OR_FOLLOWER" } }), "match.when"),
        (json!({ "match": { "when": "response" }, "do": { "drop": true } }), "match.when"),
        (json!({ "match": { "broker": 1 }, "do": { "delay": 1 } }), "match.broker"),
        (json!({ "trigger": "twice", "do": { "delay": 1 } }), "trigger.twice"),
        (json!({ "trigger": { "nth": 0 }, "do": { "delay": 1 } }), "trigger.nth"),
        (json!({ "trigger": { "nth": 1, "once": true }, "do": { "delay": 1 } }), "trigger.nth"),
        (json!({ "trigger": { "probability": 1.5 }, "do": { "delay": 1 } }), "trigger.probability"),
        (json!({ "trigger": { "after": {} }, "do": { "delay": 1 } }), "trigger.after"),
        (json!({ "trigger": { "after": 0 }, "do": { "delay": 1 } }), "trigger.after"),
        (json!({ "trigger": { "after": "soon" }, "do": { "delay": 1 } }), "trigger.after"),
        (json!({ "trigger": { "after": { "apis": 1 } }, "do": { "delay": 1 } }), "trigger.after.apis"),
        (json!({ "trigger": { "after": { "api": "Fetsch" } }, "do": { "delay": 1 } }), "trigger.after.api"),
        (json!({ "after": { "api": "Fetsch" }, "do": { "delay": 1 } }), "after.api"),
        (json!({ "trigger": { "for": "0s" }, "do": { "delay": 1 } }), "trigger.for"),
        (json!({ "trigger": { "for": true }, "do": { "delay": 1 } }), "trigger.for"),
        (json!({ "do": { "rewrite": { "a": 1 } } }), "do.rewrite"),
        (json!({ "do": { "truncate": 0 } }), "do.truncate"),
        (json!({ "do": { "corrupt": "bits" } }), "do.corrupt"),
        (json!({ "do": { "corrupt": "crc" } }), "do.corrupt"),
        (json!({ "api": "Metadata", "do": { "corrupt": "crc" } }), "do.corrupt"),
        (json!({ "api": "Fetch", "do": { "corrupt": "crc", "truncate": 3 } }), "do.corrupt"),
        (json!({ "do": { "reorder": 1 } }), "do.reorder"),
        (json!({ "do": { "error": "NOT_LEADER" } }), "do.error"),
        (json!({ "do": { "error": "NONE" } }), "do.error"),
        (json!({ "do": { "error": "NOT_COORDINATOR", "drop": true } }), "do.drop"),
        (json!({ "do": { "delay": "soon" } }), "do.delay"),
        (json!({ "do": { "delay": "2h" } }), "do.delay"),
        (json!({ "do": { "hold": "" } }), "do.hold"),
        (json!({ "do": { "message": "x" } }), "do.message"),
        (json!({ "do": {} }), "do"),
        (json!({ "topic": "a", "match": { "topic": "b" }, "do": { "delay": 1 } }), "topic"),
        (json!({ "errror": "NOT_COORDINATOR" }), "errror"),
    ] {
        let bad = refused(json.clone());
        // Of two that exclude each other either may be named.
        assert_eq!(
            bad.field.trim_start_matches("trigger."),
            field.trim_start_matches("trigger."),
            "{json}: {bad}"
        );
    }
    assert!(refused(json!({ "errror": "X" })).why.contains("error?"));
    assert!(refused(json!({ "match": { "api": "Prodoce" }, "do": { "delay": 1 } })).why.contains("Produce?"));
}

/// A generator of the test's own: the seed repeats what it draws.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn value(&mut self, depth: u64) -> Value {
        match self.below(if depth == 0 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(20)),
            3 => json!(-(self.below(1 << 31) as i64) * 5),
            4 => json!(self.below(1000) as f64 / 300.0),
            5 => json!(
                ["once", "Produce", "NOT_COORDINATOR", "1s", "", "3-5", "before", "*", "\u{0}ä"]
                    [self.below(9) as usize]
            ),
            6 => json!("x".repeat(self.below(100) as usize)),
            7 => Value::Array((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
            _ => self.object(depth - 1),
        }
    }

    fn object(&mut self, depth: u64) -> Value {
        let words: Vec<&str> = ["match", "trigger", "do"]
            .into_iter()
            .chain(MATCH_WORDS)
            .chain(TRIGGER_WORDS)
            .chain(DO_WORDS)
            .chain(NOT_YET)
            .chain(["", "nonsense"])
            .collect();
        let mut object = Map::new();
        for _word in 0..=self.below(4) {
            let word = words[self.below(words.len() as u64) as usize];
            object.insert(word.to_owned(), self.value(depth));
        }
        Value::Object(object)
    }
}

#[test]
fn whatever_is_asked_is_a_rule_or_is_refused_by_a_name_that_stands_there() {
    let (mut rules, mut refusals) = (0, 0);
    for seed in 0..20_000 {
        let json = Draws(seed).object(3);
        match parse(&json) {
            Ok(rule) => {
                rules += 1;
                assert_ne!(rule.act, Act::default(), "seed {seed}: {json} does nothing");
                assert_eq!(parse(&rule.source).as_ref(), Ok(&rule), "seed {seed}");
            }
            Err(bad) => {
                refusals += 1;
                let last = bad.field.rsplit('.').next().unwrap_or_default();
                assert!(
                    bad.field == "do"
                        || json.to_string().contains(&json!(last).to_string())
                        || last.is_empty(),
                    "seed {seed}: {json}: {bad}"
                );
                assert!(!bad.why.is_empty());
            }
        }
    }
    assert!(rules > 20 && refusals > 1000, "{rules} rules, {refusals} refusals");
}
