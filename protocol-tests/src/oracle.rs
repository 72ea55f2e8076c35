//! The scripts of the repository, the recorded answers of Apache Kafka, and how a broker does against them.
//! Shell: files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::Outcome;
use crate::compare::{self, Allowed, Difference};
use crate::runner::{self, Exchange};
use crate::script::{self, Step};

/// Where a script finds its broker: the address for given settings.
pub type Brokers<'a> = dyn FnMut(&[String]) -> Outcome<String> + Send + 'a;

/// So many brokers play at a time: scripts wait more than they work, and what they wait for must not come late.
pub const SIDE_BY_SIDE: usize = 3;

#[derive(Debug)]
pub struct Script {
    pub name: String,
    /// Its broker's own settings.
    pub settings: Vec<String>,
    pub steps: Vec<Step>,
}

/// The folder `protocol-tests/` of the repository.
#[derive(Debug)]
pub struct Library {
    dir: PathBuf,
}

impl Library {
    pub fn open() -> Self {
        Self { dir: PathBuf::from(env!("CARGO_MANIFEST_DIR")) }
    }

    pub fn write(&self, path: &str, text: &str) -> Outcome<()> {
        let path = self.dir.join(path);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn read(&self, path: &str) -> Outcome<String> {
        let path = self.dir.join(path);
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The scripts whose names begin with `prefix`, in the order in which they are played.
    pub fn scripts(&self, prefix: &str) -> Outcome<Vec<Script>> {
        let entries = std::fs::read_dir(self.dir.join("scripts")).map_err(|error| error.to_string())?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".oracle").map(str::to_owned))
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort();
        names
            .into_iter()
            .map(|name| {
                let text = self.read(&format!("scripts/{name}.oracle"))?;
                let steps = script::parse(&text).map_err(|error| format!("{name}: {error}"))?;
                Ok(Script { name, settings: script::settings(&text), steps })
            })
            .collect()
    }

    pub fn allowed(&self) -> Outcome<Vec<Allowed>> {
        compare::parse_allowed(&self.read("scripts/allowed.txt")?)
    }

    /// Writes down what `brokers` answer; the number of exchanges comes back. The scripts of the shared broker that come
    /// before the wanted ones are played as well, for they leave behind what the wanted ones find when all are checked.
    pub fn record(&self, brokers: &mut Brokers<'_>, prefix: &str) -> Outcome<usize> {
        std::fs::create_dir_all(self.dir.join("scripts/recorded")).map_err(|error| error.to_string())?;
        let mut count = 0;
        let mut scripts = self.scripts("")?;
        let is_wanted = |script: &Script| script.name.starts_with(prefix);
        let last = scripts.iter().rposition(is_wanted).map_or(0, |last| last + 1);
        scripts.truncate(last);
        let is_shared = scripts.iter().any(|script| is_wanted(script) && script.settings.is_empty());
        scripts.retain(|script| is_wanted(script) || is_shared && script.settings.is_empty());
        for script in scripts {
            let exchanges = runner::play(&brokers(&script.settings)?, &script.steps)
                .map_err(|error| format!("{}: {error}", script.name))?;
            if !script.name.starts_with(prefix) {
                continue;
            }
            count += exchanges.len();
            let mut text = String::new();
            for exchange in exchanges {
                text.push_str(&json!({"ask": exchange.ask, "outcome": exchange.outcome}).to_string());
                text.push('\n');
            }
            self.write(&format!("scripts/recorded/{}.json", script.name), &text)?;
        }
        Ok(count)
    }

    /// The recorded answers of one script: one exchange a line.
    pub fn recorded(&self, name: &str) -> Outcome<Vec<Exchange>> {
        self.read(&format!("scripts/recorded/{name}.json"))?
            .lines()
            .map(|line| {
                let mut value: Value =
                    serde_json::from_str(line).map_err(|error| format!("{name}: {error}"))?;
                let ask = value["ask"].as_str().unwrap_or_default().to_owned();
                Ok(Exchange { ask, outcome: value["outcome"].take() })
            })
            .collect()
    }

    /// Plays the scripts against `brokers`, so many of which play at a time, and compares with the record.
    pub fn check(&self, brokers: &mut Brokers<'_>, side_by_side: usize, prefix: &str) -> Outcome<Report> {
        let rules = self.allowed()?;
        let mut report = Report::default();
        let mut used = BTreeSet::new();
        let scripts = self.scripts(prefix)?;
        let mut played = play_side_by_side(brokers, side_by_side, &scripts);
        for script in scripts {
            let expected = self.recorded(&script.name)?;
            let found = match played.remove(&script.name) {
                Some(Ok(found)) => found,
                other => {
                    let error = other.and_then(Result::err).unwrap_or_else(|| "was not played".to_owned());
                    report.stopped.push(format!("{}: {error}", script.name));
                    continue;
                }
            };
            let verdict = compare::compare(&script.name, &expected, &found, &rules);
            if found.len() != expected.len() {
                let text = format!("{}: {} answers, {} recorded", script.name, found.len(), expected.len());
                report.stopped.push(text);
            }
            report.exchange_count += found.len();
            report.allowed_count += verdict.allowed_count;
            report.differences.extend(verdict.differences);
            used.extend(verdict.used_rules);
        }
        report.unused =
            (0..rules.len()).filter(|rule| !used.contains(rule)).map(|rule| rules[rule].clone()).collect();
        Ok(report)
    }
}

/// Plays the scripts of the shared broker one after the other, and those with a broker of their own beside them.
fn play_side_by_side(
    brokers: &mut Brokers<'_>,
    side_by_side: usize,
    scripts: &[Script],
) -> BTreeMap<String, Outcome<Vec<Exchange>>> {
    let (shared, own): (Vec<&Script>, Vec<&Script>) =
        scripts.iter().partition(|script| side_by_side == 1 || script.settings.is_empty());
    let lanes: VecDeque<Vec<&Script>> =
        std::iter::once(shared).chain(own.into_iter().map(|script| vec![script])).collect();
    let (brokers, lanes, played) = (Mutex::new(brokers), Mutex::new(lanes), Mutex::new(BTreeMap::new()));
    let play = |script: &Script| {
        let address = (*brokers.lock().unwrap_or_else(PoisonError::into_inner))(&script.settings)?;
        runner::play(&address, &script.steps)
    };
    std::thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                loop {
                    let lane = lanes.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(lane) = lane else { break };
                    for script in lane {
                        let found = play(script);
                        played
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(script.name.clone(), found);
                    }
                }
            });
        }
    });
    played.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// How a broker did.
#[derive(Debug, Default)]
pub struct Report {
    pub exchange_count: usize,
    pub allowed_count: usize,
    pub differences: Vec<Difference>,
    /// Scripts that could not be played to their end.
    pub stopped: Vec<String>,
    pub unused: Vec<Allowed>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.stopped.is_empty()
    }

    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.differences.iter().map(|difference| difference.to_string()).collect();
        lines.extend(self.stopped.iter().map(|text| format!("stopped: {text}")));
        lines.extend(self.unused.iter().map(|rule| format!("not needed: {} {}", rule.api, rule.path)));
        lines.push(format!(
            "{} exchanges, {} differences, {} allowed differences, {} scripts stopped",
            self.exchange_count,
            self.differences.len(),
            self.allowed_count,
            self.stopped.len()
        ));
        lines
    }
}
