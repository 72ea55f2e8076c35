//! The journal: what clients asked and what they were answered, bounded; filters over it, and the nearest misses.
//! Core.

use std::collections::VecDeque;

use ottla_protocol::ApiKey;
use serde_json::{Map, Value as Json, json};

use crate::bad::Bad;
use crate::facts::Facts;
use crate::scope::Filter;
use crate::words::{self, Glob};

/// Requests that are kept; the oldest go first.
pub const ENTRIES_MAX: usize = 10_000;
/// Text of bodies that is kept, about.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Misses that are told.
const NEAREST_MAX: usize = 3;

#[derive(Debug, Default)]
pub struct Journal {
    entries: VecDeque<Entry>,
    next: u64,
    body_bytes: usize,
    /// Requests that are not kept any more.
    pub lost: u64,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub number: u64,
    pub at_ms: i64,
    pub correlation_id: i32,
    pub facts: Facts,
    pub body: Json,
    /// The rule that acted on it.
    pub fault: Option<String>,
    pub answer: Option<AnswerEntry>,
}

#[derive(Clone, Debug)]
pub struct AnswerEntry {
    /// `answered`, `silent` (nothing is sent), `dropped` or `closed`.
    pub outcome: &'static str,
    pub took_us: u64,
    /// Kafka's names of the errors in it.
    pub errors: Vec<String>,
    pub body: Json,
}

impl Journal {
    /// The number under which it stands.
    pub fn begin(&mut self, mut entry: Entry) -> u64 {
        entry.number = self.next;
        assert!(
            self.entries.back().is_none_or(|last| last.number + 1 == entry.number),
            "numbers follow each other: an entry is found by its own"
        );
        self.next += 1;
        self.body_bytes += weight(&entry.body);
        self.entries.push_back(entry);
        self.bound();
        self.next - 1
    }

    fn bound(&mut self) {
        while self.entries.len() > ENTRIES_MAX || self.body_bytes > BODY_BYTES_MAX && self.entries.len() > 1 {
            let Some(gone) = self.entries.pop_front() else { return };
            self.body_bytes -=
                weight(&gone.body) + gone.answer.as_ref().map_or(0, |answer| weight(&answer.body));
            self.lost += 1;
        }
    }

    pub fn note_fault(&mut self, number: u64, fault: &str) {
        if let Some(entry) = self.entry(number) {
            entry.fault = Some(fault.to_owned());
        }
    }

    /// The rule found nothing to change.
    pub fn forget_fault(&mut self, number: u64) {
        if let Some(entry) = self.entry(number) {
            entry.fault = None;
        }
    }

    pub fn end(&mut self, number: u64, answer: AnswerEntry) {
        let bytes = weight(&answer.body);
        let Some(entry) = self.entry(number) else { return };
        if entry.answer.is_some() {
            return;
        }
        entry.answer = Some(answer);
        self.body_bytes += bytes;
        self.bound();
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        let first = self.entries.front()?.number;
        self.entries.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Numbers go on, so that `since` stays good.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.body_bytes = 0;
    }

    /// The number that the next request gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn matching<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(|entry| query.misses(entry).is_empty())
    }

    /// Requests that miss fewest of the words, and which.
    pub fn nearest(&self, query: &Query) -> Vec<Json> {
        let mut misses: Vec<(Vec<&str>, &Entry)> =
            self.entries.iter().rev().map(|entry| (query.misses(entry), entry)).collect();
        misses.retain(|(missed, _)| !missed.is_empty());
        misses.sort_by_key(|(missed, _)| missed.len());
        let tell =
            |(missed, entry): (Vec<&str>, &Entry)| json!({ "request": entry.json(false), "but": missed });
        misses.into_iter().take(NEAREST_MAX).map(tell).collect()
    }
}

/// About the bytes that a body takes.
fn weight(body: &Json) -> usize {
    match body {
        Json::Array(items) => 32 + items.iter().map(weight).sum::<usize>(),
        Json::Object(fields) => {
            64 + fields.iter().map(|(name, value)| name.len() + 32 + weight(value)).sum::<usize>()
        }
        Json::String(text) => 32 + text.len(),
        _small => 32,
    }
}

impl Entry {
    pub fn json(&self, with_bodies: bool) -> Json {
        let facts = &self.facts;
        let mut out = json!({
            "number": self.number,
            "at_ms": self.at_ms,
            "api": facts.key.name(),
            "version": facts.version,
            "correlation_id": self.correlation_id,
            "client_id": facts.client_id,
            "software": facts.software,
            "connection": facts.connection,
            "fault": self.fault,
            "outcome": self.answer.as_ref().map_or("waiting", |answer| answer.outcome),
            "took_us": self.answer.as_ref().map(|answer| answer.took_us),
            "errors": self.answer.as_ref().map(|answer| &answer.errors),
        });
        if let (true, Json::Object(out)) = (with_bodies, &mut out) {
            out.insert("request".to_owned(), self.body.clone());
            let answer = self.answer.as_ref().map(|answer| answer.body.clone());
            out.insert("answer".to_owned(), answer.unwrap_or(Json::Null));
        }
        out
    }
}

/// Which requests of the journal are meant.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Query {
    apis: Vec<ApiKey>,
    version: Option<i16>,
    filter: Filter,
    client_id: Option<Glob>,
    software: Option<Glob>,
    connection: Option<u64>,
    error: Option<String>,
    outcome: Option<String>,
    fault: Option<String>,
    since: Option<u64>,
}

const QUERY_WORDS: [&str; 13] = [
    "api",
    "version",
    "topic",
    "partition",
    "group",
    "transactional_id",
    "client_id",
    "software",
    "connection",
    "error",
    "outcome",
    "fault",
    "since",
];

const OUTCOMES: [&str; 5] = ["waiting", "answered", "silent", "dropped", "closed"];

impl Query {
    /// From the words behind a question mark, or those of an object: the latter as text.
    pub fn parse(given: &[(String, String)]) -> Result<Query, Bad> {
        let mut query = Query::default();
        for (name, text) in given {
            query.set(name, text)?;
        }
        Ok(query)
    }

    pub fn of_json(given: &Map<String, Json>) -> Result<Query, Bad> {
        let mut words = Vec::new();
        for (name, value) in given {
            let text = match value {
                Json::String(text) => text.clone(),
                Json::Number(number) => number.to_string(),
                Json::Array(list) => {
                    let texts: Option<Vec<&str>> = list.iter().map(Json::as_str).collect();
                    texts.ok_or_else(|| Bad::new(name, "a list of texts"))?.join(",")
                }
                _other => return Err(Bad::new(name, "a text or a number")),
            };
            words.push((name.clone(), text));
        }
        Query::parse(&words)
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), Bad> {
        let number = |low: i64| {
            let parsed = text.parse::<i64>().ok().filter(|number| *number >= low);
            parsed.ok_or_else(|| Bad::new(name, format!("a whole number from {low}, not '{text}'")))
        };
        let glob = || Some(Glob::new(text));
        match name {
            "api" => {
                let one = |word: &str| {
                    words::api(word.trim())
                        .ok_or_else(|| Bad::new(name, format!("'{word}' is no API of Kafka")))
                };
                self.apis = text.split(',').map(one).collect::<Result<_, _>>()?;
            }
            "version" => {
                self.version = Some(i16::try_from(number(0)?).map_err(|_| Bad::new(name, "too high"))?)
            }
            "topic" => self.filter.topic = glob(),
            "partition" => {
                let partition = i32::try_from(number(0)?).map_err(|_| Bad::new(name, "too high"))?;
                self.filter.partition = Some(partition);
            }
            "group" => self.filter.group = glob(),
            "transactional_id" => self.filter.transactional_id = glob(),
            "client_id" => self.client_id = glob(),
            "software" => self.software = glob(),
            "connection" => self.connection = Some(number(0)? as u64),
            "since" => self.since = Some(number(0)? as u64),
            "fault" => self.fault = Some(text.to_owned()),
            "error" => {
                let error = words::error(text)
                    .ok_or_else(|| Bad::new(name, format!("'{text}' is no error of Kafka")))?;
                self.error = Some(words::error_name(error));
            }
            "outcome" if OUTCOMES.contains(&text) => self.outcome = Some(text.to_owned()),
            "outcome" => return Err(Bad::new(name, format!("one of {}", OUTCOMES.join(", ")))),
            other => {
                let near = words::nearest(other, QUERY_WORDS.into_iter());
                let near = near.map(|near| format!("; {near}?")).unwrap_or_default();
                return Err(Bad::new(other, format!("is not known{near}")));
            }
        }
        Ok(())
    }

    /// The words that a request does not meet.
    pub fn misses(&self, entry: &Entry) -> Vec<&'static str> {
        let facts = &entry.facts;
        let glob = |glob: &Option<Glob>, text: &str| glob.as_ref().is_none_or(|glob| glob.matches(text));
        let answer = entry.answer.as_ref();
        let mut missed = Vec::new();
        let mut note = |name, is_met: bool| {
            if !is_met {
                missed.push(name);
            }
        };
        note("api", self.apis.is_empty() || self.apis.contains(&facts.key));
        note("version", self.version.is_none_or(|version| version == facts.version));
        note("client_id", glob(&self.client_id, &facts.client_id));
        note("software", glob(&self.software, &facts.software));
        note("connection", self.connection.is_none_or(|known| known == facts.connection));
        note("since", self.since.is_none_or(|since| entry.number >= since));
        note("fault", self.fault.as_ref().is_none_or(|fault| entry.fault.as_ref() == Some(fault)));
        let has_error = |error: &String| answer.is_some_and(|answer| answer.errors.contains(error));
        note("error", self.error.as_ref().is_none_or(has_error));
        let outcome = answer.map_or("waiting", |answer| answer.outcome);
        note("outcome", self.outcome.as_ref().is_none_or(|known| known == outcome));
        missed.extend(self.filter.misses(&facts.scopes));
        missed
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
