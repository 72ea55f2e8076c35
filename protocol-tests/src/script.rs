//! The language of the scripts: which requests go out, on which connection, and what is remembered of the answers.
//! Core: text in, steps out.
//!
//! ```text
//! # a comment
//! broker KEY=VALUE                               this script wants a broker of its own, with this setting
//! topic NAME [partitions=N] [config=value]...   created and ready to serve; its id is $NAME from here on
//! delete-topic NAME                              gone for every client
//! group NAME                                     its coordinator is there
//! set name = value
//! [@conn] API VERSIONS {body}                    sends and reads the answer; VERSIONS: 3, 0-5, 0,4,9, all, $n
//! [@conn] send API VERSION {body}                sends only
//! [@conn] receive                                reads the answer of the oldest request sent
//! [@conn] raw HEX                                sends bytes as they are
//! [@conn] outcome                                what comes of them: closed, or an answer
//! [@conn] token TEXT                             sends a frame that is this text alone, and reads one back; `\0` is a zero
//! [@conn] scram MECHANISM NAME PASSWORD VERSION [TWIST]
//!                                                logs in by SaslAuthenticate of that version, behind its handshake; a twist
//!                                                (nonce, channel, proof, short) spoils the last message
//! [@conn] client TEXT                            from here on its requests come from a client of this name, or of none: null
//! [@conn] close
//! [@conn] dial PORT                              opens it to that port of the broker's host: a controller's, which
//!                                                `broker controller.listener.names=CONTROLLER` opens and DescribeQuorum tells
//! for n in 0-9 ... end
//! together ... end                               sends all requests inside at once, each on a connection of its own, and
//!                                                notes of each, with its answer but without records, what `timed` notes
//! > save name = path                             remembers a part of the answer just read
//! > until path == value                          asks again until it is so, for ten seconds at most
//! > keep path field prefix                       of that list, compares only elements whose field begins so
//! > decoded                                      keys and values of fetched records as what __consumer_offsets holds
//! > counted path                                 of that list, how often each element is there, whatever group or partition it is of
//! > ordered                                      the lists of the answer are compared in the order they have
//! > timed                                        notes whether the answer came `now` or only after it `waits`: before or
//!                                                after half of the request's own maxWaitMs
//! ```
//! A body is relaxed JSON in Kafka's field names; what it leaves out takes Kafka's default. `$name` is a remembered
//! value (`$name+1` one more), `${name}` its text inside a longer one; `$v` is the version of the request itself, and a
//! loop's variable as a version is moved into the range of the API. A text may be `{size: N}`, so many equal letters, or
//! `{hex: ..}`, bytes that cannot stand in a script; a list may be `{$times: N, of: ..}`, one thing N times, in which `$i`
//! counts from 0.

use serde_json::Value;

use crate::Outcome;
use crate::relaxed;
use crate::schema::Versions;

#[derive(Debug, Clone, PartialEq)]
pub enum VersionList {
    /// Spans, each cut to what the API has unless it lies outside altogether.
    Spans(Vec<Versions>),
    All,
    /// The value of a variable, moved into the range of the API.
    Variable(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    Save { name: String, path: String },
    Until { path: String, value: Value },
    Keep { path: String, field: String, prefix: String },
    Timed,
    Ordered,
    Decoded,
    Counted { path: String },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Ask { api: String, versions: VersionList, body: Value },
    Send { api: String, versions: VersionList, body: Value },
    Receive,
    Raw { bytes: Vec<u8> },
    Outcome,
    Token { bytes: Vec<u8> },
    Scram(Scram),
    Client { name: Value },
    Close,
    Dial { port: Value },
    Set { name: String, value: Value },
    Topic { name: String, partitions: i64, configs: Vec<(String, String)> },
    DeleteTopic { name: String },
    Group { name: String },
    For { name: String, versions: Versions, steps: Vec<Step> },
    Together { steps: Vec<Step> },
}

/// A login by SCRAM.
#[derive(Debug, Clone, PartialEq)]
pub struct Scram {
    pub mechanism: String,
    pub name: String,
    pub password: String,
    pub version: i16,
    /// What is wrong with the last message.
    pub twist: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub line: usize,
    pub connection: String,
    pub action: Action,
    pub checks: Vec<Check>,
}

/// What an `end` closes.
enum Head {
    For { line: usize, name: String, versions: Versions },
    Together { line: usize },
}

/// A block that has not met its `end`; the script itself is one without head.
struct Block {
    head: Option<Head>,
    steps: Vec<Step>,
}

/// What a script asks of its broker. One that asks for nothing is played on the broker of all such scripts.
pub fn settings(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| Some(line.strip_prefix("broker ")?.trim().to_owned())).collect()
}

/// Reads a whole script.
pub fn parse(text: &str) -> Outcome<Vec<Step>> {
    let mut lines = text.lines().enumerate();
    // The innermost open block is last; the script itself is the first.
    let mut open = vec![Block { head: None, steps: Vec::new() }];
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let mut statement = line.trim().to_owned();
        let is_setting = line.starts_with("broker ");
        if statement.is_empty() || statement.starts_with('#') || is_setting {
            continue;
        }
        while !relaxed::is_whole(&statement) {
            let (_, more) = lines.next().ok_or_else(|| format!("line {number}: a bracket stays open"))?;
            statement.push('\n');
            statement.push_str(more.trim());
        }
        let at = |error: String| format!("line {number}: {error}");
        if let Some(check) = statement.strip_prefix('>') {
            let check = parse_check(check.trim()).map_err(at)?;
            let step = open.last_mut().and_then(|block| block.steps.last_mut());
            step.ok_or_else(|| at("a check without a step".to_owned()))?.checks.push(check);
        } else if let Some(rest) = statement.strip_prefix("for ") {
            let (name, span) = rest.split_once(" in ").ok_or_else(|| at("for NAME in SPAN".to_owned()))?;
            let span = Versions::parse(span.trim()).map_err(at)?;
            let head = Head::For { line: number, name: name.trim().to_owned(), versions: span };
            open.push(Block { head: Some(head), steps: Vec::new() });
        } else if statement == "together" {
            open.push(Block { head: Some(Head::Together { line: number }), steps: Vec::new() });
        } else if statement == "end" {
            let Some(Block { head: Some(head), steps }) = open.pop() else {
                return Err(at("`end` without `for` or `together`".to_owned()));
            };
            let (line, action) = match head {
                Head::For { line, name, versions } => (line, Action::For { name, versions, steps }),
                Head::Together { line } => (line, Action::Together { steps }),
            };
            let step = Step { line, connection: String::new(), action, checks: Vec::new() };
            open.last_mut().ok_or("no script")?.steps.push(step);
        } else {
            let step = parse_step(number, &statement).map_err(at)?;
            open.last_mut().ok_or("no script")?.steps.push(step);
        }
    }
    match open.pop() {
        Some(Block { head: None, steps }) => Ok(steps),
        _ => Err("a block has no `end`".to_owned()),
    }
}

fn parse_step(line: usize, statement: &str) -> Outcome<Step> {
    let (connection, rest) = match statement.strip_prefix('@') {
        Some(rest) => rest.split_once(char::is_whitespace).ok_or("a connection without a step")?,
        None => ("main", statement),
    };
    let rest = rest.trim();
    let (word, tail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let tail = tail.trim();
    let action = match word {
        "receive" => Action::Receive,
        "outcome" => Action::Outcome,
        "close" => Action::Close,
        "dial" => Action::Dial { port: relaxed::parse(tail)? },
        "client" => Action::Client { name: relaxed::parse(tail)? },
        "token" => Action::Token { bytes: tail.replace("\\0", "\0").into_bytes() },
        "scram" => parse_scram(tail)?,
        "raw" => Action::Raw { bytes: crate::codec::text_bytes(&format!("hex:{tail}"))? },
        "set" => {
            let (name, value) = tail.split_once('=').ok_or("set NAME = VALUE")?;
            Action::Set { name: name.trim().to_owned(), value: relaxed::parse(value)? }
        }
        "topic" => parse_topic(tail)?,
        "delete-topic" => Action::DeleteTopic { name: tail.to_owned() },
        "group" => Action::Group { name: tail.to_owned() },
        "send" => {
            let (api, versions, body) = parse_request(tail)?;
            Action::Send { api, versions, body }
        }
        _ => {
            let (api, versions, body) = parse_request(rest)?;
            Action::Ask { api, versions, body }
        }
    };
    Ok(Step { line, connection: connection.to_owned(), action, checks: Vec::new() })
}

fn parse_scram(tail: &str) -> Outcome<Action> {
    let mut words = tail.split_whitespace().map(str::to_owned);
    let mut next = || words.next().ok_or("scram MECHANISM NAME PASSWORD VERSION [TWIST]");
    let (mechanism, name, password, version) = (next()?, next()?, next()?, next()?);
    let version = version.parse().map_err(|_| format!("`{version}` is no version"))?;
    Ok(Action::Scram(Scram { mechanism, name, password, version, twist: words.next() }))
}

fn parse_topic(tail: &str) -> Outcome<Action> {
    let mut words = tail.split_whitespace();
    let name = words.next().ok_or("a topic without name")?.to_owned();
    let mut partitions = 1;
    let mut configs = Vec::new();
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}` has no `=`"))?;
        if key == "partitions" {
            partitions = value.parse().map_err(|_| format!("`{value}` partitions"))?;
        } else {
            configs.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(Action::Topic { name, partitions, configs })
}

fn parse_request(text: &str) -> Outcome<(String, VersionList, Value)> {
    let mut parts = text.splitn(3, char::is_whitespace);
    let api = parts.next().unwrap_or_default().to_owned();
    let versions = parts.next().ok_or("an API without version")?;
    let body = parts.next().unwrap_or("{}");
    let versions = match versions {
        "all" => VersionList::All,
        versions if versions.starts_with('$') => VersionList::Variable(versions[1..].to_owned()),
        versions => VersionList::Spans(versions.split(',').map(Versions::parse).collect::<Outcome<_>>()?),
    };
    Ok((api, versions, relaxed::parse(body)?))
}

fn parse_check(text: &str) -> Outcome<Check> {
    if text == "timed" {
        return Ok(Check::Timed);
    }
    if text == "decoded" {
        return Ok(Check::Decoded);
    }
    if text == "ordered" {
        return Ok(Check::Ordered);
    }
    let (word, tail) = text.split_once(' ').ok_or("a check has two words at least")?;
    match word {
        "save" => {
            let (name, path) = tail.split_once('=').ok_or("save NAME = PATH")?;
            Ok(Check::Save { name: name.trim().to_owned(), path: path.trim().to_owned() })
        }
        "until" => {
            let (path, value) = tail.split_once("==").ok_or("until PATH == VALUE")?;
            Ok(Check::Until { path: path.trim().to_owned(), value: relaxed::parse(value)? })
        }
        "keep" => {
            let words: Vec<&str> = tail.split_whitespace().collect();
            let [path, field, prefix] = words[..] else { return Err("keep PATH FIELD PREFIX".to_owned()) };
            Ok(Check::Keep { path: path.to_owned(), field: field.to_owned(), prefix: prefix.to_owned() })
        }
        "counted" => Ok(Check::Counted { path: tail.trim().to_owned() }),
        _ => Err(format!("there is no check `{word}`")),
    }
}

/// Finds a part of an answer: names and indexes with dots between, or `field=value` for the element that has it.
pub fn look_up<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    path.split('.').try_fold(value, |value, part| match (part.split_once('='), part.parse::<usize>()) {
        (Some((field, wanted)), _) => value.as_array()?.iter().find(|item| match &item[field] {
            Value::String(text) => text == wanted,
            Value::Number(number) => number.to_string() == wanted,
            _ => false,
        }),
        (None, Ok(index)) => value.get(index),
        (None, Err(_)) => value.get(part),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Action, Check, look_up, parse, settings};

    #[test]
    fn a_body_may_span_lines_and_checks_follow_their_step() {
        let steps =
            parse("@b Metadata 0-3 {topics: [\n{name: a}]}\n> save id = topics.0.topicId\n").expect("steps");
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].connection, "b");
        assert!(
            matches!(&steps[0].action, Action::Ask { body, .. } if *body == json!({"topics": [{"name": "a"}]}))
        );
        assert_eq!(steps[0].checks, [Check::Save { name: "id".into(), path: "topics.0.topicId".into() }]);
    }

    #[test]
    fn a_script_may_want_a_broker_of_its_own() {
        let text = "# a script\nbroker a.b=c d\nHeartbeat 0 {}\n";
        assert_eq!(settings(text), ["a.b=c d"]);
        assert_eq!(parse(text).expect("steps").len(), 1);
    }

    #[test]
    fn loops_hold_their_steps() {
        let steps = parse("for v in 0-2\nHeartbeat $v {groupId: g}\nend\n").expect("steps");
        assert!(matches!(&steps[0].action, Action::For { steps, .. } if steps.len() == 1));
        assert!(parse("for v in 0-2\n").is_err());
        let steps = parse("together\nFetch 4-18 {}\nFetch 4 {}\n> timed\nend\n").expect("steps");
        let [Action::Together { steps }] = [&steps[0].action] else { panic!("{steps:?}") };
        assert_eq!((steps.len(), steps[1].checks.as_slice()), (2, [Check::Timed].as_slice()));
        assert!(parse("end\n").is_err());
    }

    #[test]
    fn paths_reach_by_index_and_by_field() {
        let value = json!({"topics": [{"name": "a"}, {"name": "b", "id": 7}]});
        assert_eq!(look_up(&value, "topics.name=b.id"), Some(&json!(7)));
        assert_eq!(look_up(&value, "topics.0.name"), Some(&json!("a")));
        assert_eq!(look_up(&value, "topics.2"), None);
    }
}
