//! Holds two brokers' answers against each other, field by field, and knows the differences that are allowed.
//! Core: values in, differences out.

use serde_json::Value;

use crate::Outcome;
use crate::normalise::identity;
use crate::runner::Exchange;

#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Script, place in it, request.
    pub place: String,
    pub api: String,
    pub path: String,
    pub expected: Value,
    pub found: Value,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: Apache Kafka {}, here {}", self.place, self.path, self.expected, self.found)
    }
}

/// What a broker may do otherwise, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    pub kind: AllowedKind,
    pub api: String,
    pub path: String,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedKind {
    /// Any value will do.
    Any,
    /// Both null or both a text; which text is free.
    Wording,
    /// The element may be missing here.
    Missing,
}

impl Allowed {
    fn allows(&self, difference: &Difference) -> bool {
        matches(&self.api, &difference.api)
            && matches(&self.path, &difference.path)
            && match self.kind {
                AllowedKind::Any => true,
                AllowedKind::Wording => difference.expected.is_string() && difference.found.is_string(),
                AllowedKind::Missing => difference.found == absent(),
            }
    }
}

/// Reads `KIND API PATH -- REASON` lines; `*` in API and PATH stands for anything.
pub fn parse_allowed(text: &str) -> Outcome<Vec<Allowed>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (rule, reason) =
                line.split_once(" -- ").ok_or_else(|| format!("`{line}` gives no reason"))?;
            let words: Vec<&str> = rule.split_whitespace().collect();
            let [kind, api, path] = words[..] else { return Err(format!("`{line}` is not KIND API PATH")) };
            let kind = match kind {
                "any" => AllowedKind::Any,
                "wording" => AllowedKind::Wording,
                "missing" => AllowedKind::Missing,
                _ => return Err(format!("there is no kind `{kind}`")),
            };
            Ok(Allowed { kind, api: api.to_owned(), path: path.to_owned(), reason: reason.trim().to_owned() })
        })
        .collect()
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(tail, &rest[at..]))
        }),
    }
}

fn absent() -> Value {
    Value::String("<absent>".to_owned())
}

/// What one script showed.
#[derive(Debug, Default)]
pub struct Verdict {
    pub differences: Vec<Difference>,
    pub allowed_count: usize,
    /// Which rules were needed, by their place in the list.
    pub used_rules: Vec<usize>,
}

/// Compares the exchanges of one script.
pub fn compare(script: &str, expected: &[Exchange], found: &[Exchange], rules: &[Allowed]) -> Verdict {
    let mut verdict = Verdict::default();
    for (index, wanted) in expected.iter().enumerate() {
        let place = format!("{script}#{} {}", index + 1, wanted.ask);
        let mut differences = Vec::new();
        let mut walk = Walk { place: &place, api: wanted.api(), out: &mut differences };
        match found.get(index) {
            Some(answer) if answer.ask != wanted.ask => {
                walk.note("", &Value::from(wanted.ask.as_str()), &Value::from(answer.ask.as_str()));
            }
            Some(answer) => walk.value("", &wanted.outcome, &answer.outcome),
            None => walk.note("", &wanted.outcome, &absent()),
        }
        for difference in differences {
            match rules.iter().position(|rule| rule.allows(&difference)) {
                Some(rule) => {
                    verdict.allowed_count += 1;
                    verdict.used_rules.push(rule);
                }
                None => verdict.differences.push(difference),
            }
        }
    }
    verdict
}

struct Walk<'a> {
    place: &'a str,
    api: &'a str,
    out: &'a mut Vec<Difference>,
}

impl Walk<'_> {
    fn note(&mut self, path: &str, expected: &Value, found: &Value) {
        self.out.push(Difference {
            place: self.place.to_owned(),
            api: self.api.to_owned(),
            path: path.to_owned(),
            expected: expected.clone(),
            found: found.clone(),
        });
    }

    fn value(&mut self, path: &str, expected: &Value, found: &Value) {
        match (expected, found) {
            (Value::Object(wanted), Value::Object(got)) => {
                for (name, value) in wanted {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.value(&path, value, got.get(name).unwrap_or(&absent()));
                }
                for (name, value) in got.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.note(&path, &absent(), value);
                }
            }
            (Value::Array(wanted), Value::Array(got)) => self.list(path, wanted, got),
            (expected, found) if expected != found => self.note(path, expected, found),
            _ => {}
        }
    }

    /// Elements are matched by what they are called, so that one missing element is one difference.
    fn list(&mut self, path: &str, wanted: &[Value], got: &[Value]) {
        let (wanted_names, got_names) = (names(wanted), names(got));
        for (name, value) in wanted_names.iter().zip(wanted) {
            let other = got_names.iter().position(|known| known == name).and_then(|at| got.get(at));
            self.value(&format!("{path}[{name}]"), value, other.unwrap_or(&absent()));
        }
        for (name, value) in got_names.iter().zip(got) {
            if !wanted_names.contains(name) {
                self.note(&format!("{path}[{name}]"), &absent(), value);
            }
        }
        // Only in Fetch does the order of a list mean something: what comes first is given room first. An error takes none.
        if self.api != "Fetch" {
            return;
        }
        let failed: Vec<&String> = wanted_names
            .iter()
            .zip(wanted)
            .filter(|(_, item)| item["errorCode"].as_i64().is_some_and(|code| code != 0))
            .map(|(name, _)| name)
            .collect();
        let common = |names: &[String], others: &[String]| -> Vec<Value> {
            names
                .iter()
                .filter(|name| others.contains(name) && !failed.contains(name))
                .map(|name| Value::from(name.as_str()))
                .collect()
        };
        let (wanted_order, got_order) =
            (common(&wanted_names, &got_names), common(&got_names, &wanted_names));
        if wanted_order != got_order {
            self.note(&format!("{path}.order"), &Value::Array(wanted_order), &Value::Array(got_order));
        }
    }
}

/// Names of the elements; places where elements have no name, and a mark on the second of the same name.
fn names(items: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut name = identity(item).unwrap_or_else(|| index.to_string());
        while names.contains(&name) {
            name.push('\'');
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{compare, matches, parse_allowed};
    use crate::runner::Exchange;

    fn exchange(outcome: Value) -> Vec<Exchange> {
        vec![Exchange { ask: "Metadata v1".to_owned(), outcome }]
    }

    #[test]
    fn elements_are_matched_by_name() {
        let kafka = exchange(json!({"topics": [{"name": "a", "errorCode": 3}, {"name": "b"}]}));
        let here = exchange(json!({"topics": [{"name": "a", "errorCode": 0}]}));
        let verdict = compare("s", &kafka, &here, &[]);
        let paths: Vec<&str> = verdict.differences.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["topics[a].errorCode", "topics[b]"]);
        let rules =
            parse_allowed("missing Meta* topics[b] -- none\nany * *errorCode -- none").expect("rules");
        assert!(compare("s", &kafka, &here, &rules).differences.is_empty());
    }

    #[test]
    fn wording_is_free_but_silence_is_not() {
        let rules = parse_allowed("wording * *errorMessage -- texts").expect("rules");
        let kafka = exchange(json!({"errorMessage": "No."}));
        assert!(
            compare("s", &kafka, &exchange(json!({"errorMessage": "Never."})), &rules).differences.is_empty()
        );
        assert_eq!(
            compare("s", &kafka, &exchange(json!({"errorMessage": null})), &rules).differences.len(),
            1
        );
    }

    #[test]
    fn stars_match_anything() {
        assert!(matches("a*c*", "abbcd"));
        assert!(!matches("a*c", "abbcd"));
        assert!(parse_allowed("any * *").is_err());
    }
}
