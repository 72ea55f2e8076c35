//! A fault rule: which requests it is about, when it acts, what it does; and how it is read.
//! Core. Nothing is read that nothing obeys: a word that is not known is an error that names it.

use std::time::Duration;

use ottla_model::ErrorCode;
use ottla_protocol::ApiKey;
use serde_json::{Map, Value};

use crate::bad::Bad;
use crate::facts::Facts;
use crate::scope::Filter;
use crate::words::{self, Glob};

/// Longest delay and throttle.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// On the lab's clock, which is moved by days.
const WINDOW_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);
/// Requests that wait for one another.
const REORDER_MAX: i64 = 16;

#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    pub matching: Match,
    pub window: Window,
    pub trigger: Trigger,
    pub act: Act,
    /// As it was asked, to be shown.
    pub source: Value,
}

/// Which requests; what is not said matches all.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Match {
    pub apis: Vec<ApiKey>,
    pub versions: Option<(i16, i16)>,
    pub filter: Filter,
    pub client_id: Option<Glob>,
    pub software: Option<Glob>,
    pub user: Option<Glob>,
    pub connection: Option<u64>,
    pub acks: Option<i64>,
    pub when: When,
}

/// Whether the request has its effect before the fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum When {
    /// It has none.
    #[default]
    Request,
    /// It had, and the answer says otherwise.
    Response,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Trigger {
    Every,
    Times(u64),
    Nth(u64),
    EveryNth(u64),
    Probability(f64),
}

/// When a rule is in force. Its trigger counts what it sees then.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Window {
    pub after: After,
    /// On the clock of the cluster's timers.
    pub lasts: Option<Duration>,
}

/// What comes before.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum After {
    #[default]
    Nothing,
    /// So many requests that the rule is about.
    Requests(u64),
    /// A time on the clock of the cluster's timers.
    Time(Duration),
    /// A request of another kind.
    Request(Box<Match>),
}

/// What happens to a request. A hold comes first, a delay last.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Act {
    pub outcome: Outcome,
    pub hold: Option<String>,
    /// So many requests wait for one another, and go on from the last to the first.
    pub reorder: Option<usize>,
    pub delay: Option<Duration>,
    pub throttle_ms: Option<i32>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub enum Outcome {
    /// It is carried out and answered.
    #[default]
    Serve,
    Error {
        code: ErrorCode,
        message: Option<String>,
    },
    /// There is never an answer.
    Drop(When),
    Disconnect(When),
    /// Carried out twice, answered once.
    Duplicate,
    /// Of the answer so many bytes are sent, and the connection closed.
    Truncate(usize),
    Corrupt(Corrupt),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Corrupt {
    /// Records do not have their checksum: on the way in where a client sends them, else on the way out.
    Crc,
    /// The answer says that it is of a length that none has.
    Length,
}

/// APIs that carry records.
const WITH_RECORDS: [ApiKey; 3] = [ApiKey::Produce, ApiKey::Fetch, ApiKey::ShareFetch];

const MATCH_WORDS: [&str; 12] = [
    "api",
    "version",
    "topic",
    "partition",
    "group",
    "transactional_id",
    "client_id",
    "software",
    "user",
    "connection",
    "acks",
    "when",
];
const TRIGGER_WORDS: [&str; 8] =
    ["once", "nth", "times", "every", "every_nth", "probability", "after", "for"];
const DO_WORDS: [&str; 11] = [
    "error",
    "message",
    "delay",
    "throttle",
    "hold",
    "reorder",
    "drop",
    "disconnect",
    "duplicate",
    "truncate",
    "corrupt",
];
/// Words of the grammar that this release does not obey.
const NOT_YET: [&str; 2] = ["rewrite", "broker"];

/// Reads a rule. Its words stand in `match`, `trigger` and `do`, or bare beside these.
pub fn parse(json: &Value) -> Result<Rule, Bad> {
    let Value::Object(given) = json else { return Err(Bad::new("", "a rule is an object")) };
    let mut words = Words::default();
    for (name, value) in given {
        match name.as_str() {
            "match" => words.add_all(value, &MATCH_WORDS, "match")?,
            "do" => words.add_all(value, &DO_WORDS, "do")?,
            "trigger" => match value {
                Value::String(word) => words.add(word, &Value::Bool(true), "trigger", &TRIGGER_WORDS)?,
                other => words.add_all(other, &TRIGGER_WORDS, "trigger")?,
            },
            bare if MATCH_WORDS.contains(&bare) => words.add(bare, value, "", &MATCH_WORDS)?,
            bare if TRIGGER_WORDS.contains(&bare) => words.add(bare, value, "", &TRIGGER_WORDS)?,
            bare => words.add(bare, value, "", &DO_WORDS)?,
        }
    }
    let matching = matching(&words)?;
    let window = window(&words)?;
    let trigger = trigger(&words)?;
    let act = act(&words)?;
    let carries_records = |key: &ApiKey| WITH_RECORDS.contains(key);
    if act.outcome == Outcome::Corrupt(Corrupt::Crc)
        && (matching.apis.is_empty() || !matching.apis.iter().all(carries_records))
    {
        return Err(
            words.bad("corrupt", "crc is about records: the rule names Produce, Fetch or ShareFetch as api")
        );
    }
    if matching.when == When::Response && !matches!(act.outcome, Outcome::Error { .. }) {
        return Err(words.bad("when", "only an error can be put into the answer of what was carried out"));
    }
    Ok(Rule { matching, window, trigger, act, source: json.clone() })
}

/// The words of a rule, each with the section it stood in.
#[derive(Default)]
struct Words {
    values: Map<String, Value>,
    sections: Vec<(String, &'static str)>,
}

impl Words {
    fn add_all(&mut self, value: &Value, known: &[&str], section: &'static str) -> Result<(), Bad> {
        let Value::Object(given) = value else {
            return Err(Bad::new(section, format!("an object of {}", known.join(", "))));
        };
        given.iter().try_for_each(|(name, value)| self.add(name, value, section, known))
    }

    fn add(&mut self, name: &str, value: &Value, section: &'static str, known: &[&str]) -> Result<(), Bad> {
        if !known.contains(&name) {
            let why = match (NOT_YET.contains(&name), words::nearest(name, known.iter().copied())) {
                (true, _) => "this release does not do that yet".to_owned(),
                (false, Some(near)) => format!("is not known; {near}?"),
                (false, None) => format!("is not known; there are {}", known.join(", ")),
            };
            return Err(Bad::new(name, why).within(section));
        }
        if self.values.insert(name.to_owned(), value.clone()).is_some() {
            return Err(Bad::new(name, "stands there twice").within(section));
        }
        self.sections.push((name.to_owned(), section));
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    fn bad(&self, name: &str, why: impl Into<String>) -> Bad {
        let section =
            self.sections.iter().find(|(known, _)| known == name).map_or("", |(_, section)| section);
        Bad::new(name, why).within(section)
    }

    fn text(&self, name: &str) -> Result<Option<String>, Bad> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_other) => Err(self.bad(name, "a text")),
        }
    }

    fn glob(&self, name: &str) -> Result<Option<Glob>, Bad> {
        Ok(self.text(name)?.map(Glob::new))
    }

    fn whole(&self, name: &str, low: i64, high: i64) -> Result<Option<i64>, Bad> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_i64().filter(|number| (low..=high).contains(number));
        let why = || match high {
            i64::MAX => format!("a whole number from {low}"),
            _ => format!("a whole number from {low} to {high}"),
        };
        number.map(Some).ok_or_else(|| self.bad(name, why()))
    }

    fn wait(&self, name: &str) -> Result<Option<Duration>, Bad> {
        let wait = self.time(name)?;
        match wait.is_some_and(|wait| wait > WAIT_MAX) {
            true => Err(self.bad(name, "at most an hour")),
            false => Ok(wait),
        }
    }

    fn time(&self, name: &str) -> Result<Option<Duration>, Bad> {
        let wait = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => words::duration(text).map_err(|why| self.bad(name, why))?,
            Some(value) => {
                let ms = value.as_u64().ok_or_else(|| self.bad(name, "a duration: 250 (ms), 250ms, 5s"))?;
                Duration::from_millis(ms)
            }
        };
        if wait > WINDOW_MAX {
            return Err(self.bad(name, "at most ten years"));
        }
        Ok(Some(wait))
    }

    fn is_set(&self, name: &str) -> Result<bool, Bad> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_other) => Err(self.bad(name, "true or false")),
        }
    }

    fn when(&self, name: &str, first: &str, then: &str) -> Result<Option<When>, Bad> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text == first => Ok(Some(When::Request)),
            Some(Value::String(text)) if text == then => Ok(Some(When::Response)),
            Some(_other) => Err(self.bad(name, format!("{first} or {then}"))),
        }
    }
}

fn matching(words: &Words) -> Result<Match, Bad> {
    let partition = words.whole("partition", 0, i32::MAX.into())?.map(|number| number as i32);
    Ok(Match {
        apis: apis(words)?,
        versions: versions(words)?,
        filter: Filter {
            topic: words.glob("topic")?,
            partition,
            group: words.glob("group")?,
            transactional_id: words.glob("transactional_id")?,
        },
        client_id: words.glob("client_id")?,
        software: words.glob("software")?,
        user: words.glob("user")?,
        connection: words.whole("connection", 0, i64::MAX)?.map(|number| number as u64),
        acks: words.whole("acks", -1, 1)?,
        when: words.when("when", "request", "response")?.unwrap_or_default(),
    })
}

fn apis(words: &Words) -> Result<Vec<ApiKey>, Bad> {
    let one = |value: &Value| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _other => return Err(words.bad("api", "a name, a key, or a list of them")),
        };
        words::api(&text).ok_or_else(|| {
            let near = words::nearest(&text, ApiKey::all().map(ApiKey::name));
            let near = near.map(|near| format!("; {near}?")).unwrap_or_default();
            words.bad("api", format!("'{text}' is no API of Kafka{near}"))
        })
    };
    match words.get("api") {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) if list.is_empty() => Err(words.bad("api", "the list is empty")),
        Some(Value::Array(list)) => list.iter().map(one).collect(),
        Some(value) => Ok(vec![one(value)?]),
    }
}

/// A number, or a range: `3`, `"3-5"`, `"3+"`.
fn versions(words: &Words) -> Result<Option<(i16, i16)>, Bad> {
    let bad = || words.bad("version", "a version or a range: 3, \"3-5\", \"3+\"");
    let text = match words.get("version") {
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_other) => return Err(bad()),
    };
    let number = |text: &str| text.trim().parse::<i16>().ok().filter(|number| *number >= 0).ok_or_else(bad);
    let (low, high) = match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(low), _) => (number(low)?, i16::MAX),
        (None, Some((low, high))) => (number(low)?, number(high)?),
        (None, None) => (number(&text)?, number(&text)?),
    };
    if low > high { Err(bad()) } else { Ok(Some((low, high))) }
}

fn window(words: &Words) -> Result<Window, Bad> {
    let after = match words.get("after") {
        None => After::Nothing,
        Some(Value::String(_)) => After::Time(words.time("after")?.unwrap_or_default()),
        Some(Value::Object(given)) if !given.is_empty() => {
            let mut of_request = Words::default();
            let read = of_request.add_all(&Value::Object(given.clone()), &MATCH_WORDS, "");
            let found = read.and_then(|()| matching(&of_request));
            let found = found.map_err(|bad| bad.within(&words.bad("after", "").field))?;
            After::Request(Box::new(found))
        }
        Some(value) => {
            let count = value.as_u64().filter(|count| *count > 0);
            let why =
                "how many requests, a duration (30s), or what a request is to match ({\"api\": \"Fetch\"})";
            After::Requests(count.ok_or_else(|| words.bad("after", why))?)
        }
    };
    let lasts = words.time("for")?;
    match lasts {
        Some(Duration::ZERO) => Err(words.bad("for", "a duration, as 30s")),
        _some => Ok(Window { after, lasts }),
    }
}

fn trigger(words: &Words) -> Result<Trigger, Bad> {
    let mut found = Vec::new();
    for (name, once) in [("once", true), ("every", false)] {
        if words.is_set(name)? {
            found.push((name, if once { Trigger::Times(1) } else { Trigger::Every }));
        }
    }
    for (name, make) in [
        ("nth", Trigger::Nth as fn(u64) -> Trigger),
        ("times", Trigger::Times as fn(u64) -> Trigger),
        ("every_nth", Trigger::EveryNth as fn(u64) -> Trigger),
    ] {
        if let Some(count) = words.whole(name, 1, i64::MAX)? {
            found.push((name, make(count as u64)));
        }
    }
    if let Some(value) = words.get("probability") {
        let chance = value.as_f64().filter(|chance| (0.0..=1.0).contains(chance));
        let chance = chance.ok_or_else(|| words.bad("probability", "a number from 0 to 1"))?;
        found.push(("probability", Trigger::Probability(chance)));
    }
    match found.as_slice() {
        [] => Ok(Trigger::Every),
        [(_, one)] => Ok(*one),
        [(first, _), (second, _), ..] => {
            Err(words.bad(second, format!("a rule has one trigger, and has {first}")))
        }
    }
}

fn act(words: &Words) -> Result<Act, Bad> {
    let mut outcomes = Vec::new();
    let message = words.text("message")?;
    if let Some(name) = words.text("error")? {
        let code = words::error(&name).ok_or_else(|| {
            words.bad("error", format!("'{name}' is no error of Kafka (as NOT_LEADER_OR_FOLLOWER)"))
        })?;
        outcomes.push(("error", Outcome::Error { code, message: message.clone() }));
    } else if message.is_some() {
        return Err(words.bad("message", "goes with an error, and there is none"));
    }
    match words.get("drop") {
        Some(Value::Bool(false)) | None => {}
        Some(Value::Bool(true)) => outcomes.push(("drop", Outcome::Drop(When::Request))),
        Some(_text) => {
            let when = words.when("drop", "before", "after")?.unwrap_or_default();
            outcomes.push(("drop", Outcome::Drop(when)));
        }
    }
    if let Some(when) = words.when("disconnect", "before", "after")? {
        outcomes.push(("disconnect", Outcome::Disconnect(when)));
    }
    if words.is_set("duplicate")? {
        outcomes.push(("duplicate", Outcome::Duplicate));
    }
    if let Some(bytes) = words.whole("truncate", 1, i32::MAX.into())? {
        outcomes.push(("truncate", Outcome::Truncate(bytes as usize)));
    }
    match words.text("corrupt")?.as_deref() {
        None => {}
        Some("crc") => outcomes.push(("corrupt", Outcome::Corrupt(Corrupt::Crc))),
        Some("length") => outcomes.push(("corrupt", Outcome::Corrupt(Corrupt::Length))),
        Some(_other) => return Err(words.bad("corrupt", "crc or length")),
    }
    if let [(first, _), (second, _), ..] = outcomes.as_slice() {
        return Err(words.bad(second, format!("does not go with {first}")));
    }
    let act = Act {
        hold: words.text("hold")?,
        reorder: words.whole("reorder", 2, REORDER_MAX)?.map(|count| count as usize),
        delay: words.wait("delay")?,
        throttle_ms: words.wait("throttle")?.map(|wait| wait.as_millis() as i32),
        outcome: outcomes.pop().map(|(_, outcome)| outcome).unwrap_or_default(),
    };
    if act.hold.as_deref() == Some("") {
        return Err(words.bad("hold", "the name of a gate"));
    }
    if act == Act::default() {
        return Err(Bad::new("do", format!("the rule does nothing; there are {}", DO_WORDS.join(", "))));
    }
    Ok(act)
}

impl Match {
    /// Whether a request is one of those.
    pub fn takes(&self, facts: &Facts) -> bool {
        self.misses(facts).is_empty()
    }

    /// The words that a request does not meet.
    pub fn misses(&self, facts: &Facts) -> Vec<&'static str> {
        let glob = |glob: &Option<Glob>, text: &str| glob.as_ref().is_none_or(|glob| glob.matches(text));
        let mut missed = Vec::new();
        let mut note = |name, is_met: bool| {
            if !is_met {
                missed.push(name);
            }
        };
        note("api", self.apis.is_empty() || self.apis.contains(&facts.key));
        note(
            "version",
            self.versions.is_none_or(|(low, high)| low <= facts.version && facts.version <= high),
        );
        note("client_id", glob(&self.client_id, &facts.client_id));
        note("software", glob(&self.software, &facts.software));
        note("user", glob(&self.user, &facts.user));
        note("connection", self.connection.is_none_or(|known| known == facts.connection));
        note("acks", self.acks.is_none_or(|acks| facts.acks == Some(acks)));
        missed.extend(self.filter.misses(&facts.scopes));
        missed
    }
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
