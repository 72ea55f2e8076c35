//! The arithmetic of quotas against what Apache Kafka's own classes made of the same histories.
//! Core. `protocol-tests/golden` writes the files; `Quotas.java` there says what their words mean.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::memory::MemoryClock;
use ottla_env::{Clock, Monotonic};
use prometheus::Registry;

use crate::entity::Part;
use crate::{
    Client, ClientQuotas, Limits, QuotaCache, QuotaMetrics, QuotaSettings, QuotaType, Rate, TokenBucket,
    Windows,
};

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}

fn windows(count: &str, seconds: &str) -> Windows {
    Windows::of_seconds(number(count), number(seconds))
}

#[test]
fn a_rate_is_kafkas_after_every_record() {
    let (mut rate, mut of, mut bound, mut count) = (Rate::default(), windows("11", "1"), 0.0, 0);
    for line in include_str!("golden/rates.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["windows", samples, seconds, limit] = words[..] {
            (rate, of, bound) = (Rate::default(), windows(samples, seconds), number(limit));
            continue;
        }
        let (value, at): (f64, i64) = (number(words[0]), number(words[1]));
        rate.record(of, value, at);
        assert_eq!(rate.measure(of, at), number(words[2]), "{line}");
        assert_eq!(rate.window_ms(of, at), number(words[3]), "{line}");
        assert_eq!(rate.throttle_ms(of, bound, at).unwrap_or(0), number(words[4]), "{line}");
        count += 1;
    }
    assert_eq!(count, 3600);
}

#[test]
fn a_token_bucket_is_kafkas_after_every_record() {
    let (mut bucket, mut of, mut bound, mut count) = (TokenBucket::default(), windows("11", "1"), 0.0, 0);
    for line in include_str!("golden/tokens.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["bucket", samples, seconds, limit] = words[..] {
            (bucket, of, bound) = (TokenBucket::default(), windows(samples, seconds), number(limit));
            continue;
        }
        let (value, at): (f64, i64) = (number(words[0]), number(words[1]));
        bucket.record(of, bound, value, at);
        assert_eq!(bucket.tokens(of, bound, at), number(words[2]), "{line}");
        count += 1;
    }
    assert_eq!(count, 1600);
}

/// `*` is everybody, `-` is not named.
fn part(word: &str) -> Part<'_> {
    match word {
        "-" => None,
        "*" => Some(None),
        name => Some(Some(name)),
    }
}

#[test]
fn of_all_sets_of_levels_the_same_limit_holds_and_the_same_clients_share() {
    const LEVELS: [(&str, &str); 8] = [
        ("alice", "app"),
        ("alice", "*"),
        ("alice", "-"),
        ("*", "app"),
        ("*", "*"),
        ("*", "-"),
        ("-", "app"),
        ("-", "*"),
    ];
    let mut count = 0;
    for line in include_str!("golden/precedence.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [set, user, client_id, limit, user_tag, client_tag] = words[..] else { panic!("{line}") };
        let (set, named): (u32, _) = (number(set), |word| if word == "-" { "" } else { word });
        let mut limits = Limits::default();
        for (level, (user, client_id)) in LEVELS.iter().enumerate() {
            if set & (1 << level) != 0 {
                limits.insert(part(user), part(client_id), (level + 1) as f64);
            }
        }
        assert_eq!(limits.is_empty(), set == 0);
        let found = limits.find(user, named(client_id));
        let shown = found.as_ref().map_or_else(|| "none".to_owned(), |found| found.limit.to_string());
        assert_eq!(shown, limit, "{line}");
        if let Some(found) = found {
            assert_eq!(&*found.bucket.user, named(user_tag), "{line}");
            assert_eq!(&*found.bucket.client_id, named(client_tag), "{line}");
        }
        count += 1;
    }
    assert_eq!(count, 256 * 6);
}

/// One manager of the script, as its own kind.
struct Manager {
    kind: QuotaType,
    quotas: ClientQuotas,
    clock: MemoryClock,
    limits: Vec<(String, String, f64)>,
    cache: QuotaCache,
}

impl Manager {
    fn new(kind: &str, of: Windows) -> Manager {
        let kind = match kind {
            "produce" => QuotaType::Produce,
            "request" => QuotaType::Request,
            _ => QuotaType::ControllerMutation,
        };
        let clock = MemoryClock::new(0);
        let metrics = QuotaMetrics::register(&Registry::new()).expect("free names");
        let settings = QuotaSettings { windows: of, controller_windows: of };
        let quotas = ClientQuotas::new(settings, Arc::new(clock.clone()), metrics);
        Manager { kind, quotas, clock, limits: Vec::new(), cache: QuotaCache::default() }
    }

    fn limit(&mut self, user: &str, client_id: &str, bound: f64) {
        self.limits.push((user.to_owned(), client_id.to_owned(), bound));
        let mut limits = Limits::default();
        for (user, client_id, bound) in &self.limits {
            limits.insert(part(user), part(client_id), *bound);
        }
        self.quotas.set_limits(self.kind, limits);
    }

    fn at(&self, word: &str) -> Monotonic {
        Monotonic(Duration::from_millis(number(word)))
    }

    fn client<'a>(&'a self, user: &'a str, client_id: &'a str) -> Client<'a> {
        Client { user, client_id, cache: &self.cache }
    }

    fn move_to(&self, word: &str) {
        let now = self.clock.monotonic();
        self.clock.advance(now.until(self.at(word)));
    }

    fn mutate(&self, line: &str, words: &[&str]) {
        let (asked, told) = words.split_at(words.iter().position(|word| *word == "=").expect("an answer"));
        self.move_to(asked[3]);
        let quota = self.quotas.mutations(self.client(asked[1], asked[2]), asked[0] == "strict");
        let answers: Vec<&str> = asked[4..]
            .iter()
            .map(|permits| if quota.record(number(permits)).is_ok() { "ok" } else { "exceeded" })
            .collect();
        let [_, expected @ .., throttle, later] = told else { panic!("{line}") };
        assert_eq!(answers, expected, "{line}");
        assert_eq!(quota.throttle_ms(), number::<i32>(throttle), "{line}");
        self.clock.advance(Duration::from_millis(7));
        assert_eq!(quota.throttle_ms(), number::<i32>(later), "{line}");
    }
}

#[test]
fn clients_with_limits_are_told_what_kafka_tells_them() {
    let mut manager: Option<Manager> = None;
    let mut count = 0;
    for line in include_str!("golden/managed.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["manager", kind, samples, seconds] = words[..] {
            manager = Some(Manager::new(kind, windows(samples, seconds)));
            continue;
        }
        let manager = manager.as_mut().expect("begun");
        match words[..] {
            ["limit", user, client_id, bound] => manager.limit(user, client_id, number(bound)),
            ["record", user, client_id, value, at, throttle] => {
                let (client, at) = (manager.client(user, client_id), manager.at(at));
                let told = manager.quotas.record(manager.kind, client, number(value), at);
                assert_eq!(told, number::<i32>(throttle), "{line}");
                count += 1;
            }
            ["unrecord", user, client_id, value, at] => {
                let (client, at) = (manager.client(user, client_id), manager.at(at));
                manager.quotas.unrecord(manager.kind, client, number(value), at);
            }
            ["window", user, client_id, most] => {
                let client = manager.client(user, client_id);
                let at = Monotonic(Duration::from_secs(1_700_000_000));
                assert_eq!(manager.quotas.most(manager.kind, client, at), Some(number(most)), "{line}");
            }
            _ => {
                manager.mutate(line, &words);
                count += 1;
            }
        }
    }
    assert!(count > 2_000, "{count}");
}
