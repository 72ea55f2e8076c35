//! What a lab and its clusters are to be like: `lab.toml`, and the body of `POST /clusters`, in the same words.
//! Core.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::bad::Bad;
use crate::clock::Mode;
use crate::releases::{self, Release};
use crate::rule::{self, Rule};
use crate::words;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct LabSettings {
    pub seed: Option<u64>,
    pub main: ClusterSettings,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClusterSettings {
    pub name: Option<String>,
    pub seed: Option<u64>,
    pub topics: Vec<TopicSettings>,
    /// Keys of the broker's configuration.
    pub configs: Vec<(String, String)>,
    pub faults: Vec<FaultSettings>,
    pub ttl: Option<Duration>,
    /// What its clocks do; those of a snapshot go on as they did where nothing is said.
    pub clock: Option<Mode>,
    /// A snapshot with which it begins.
    pub from: Option<String>,
    /// The release of Apache Kafka that clients see.
    pub emulate: Option<&'static Release>,
}

/// A rule that is read already.
#[derive(Clone, PartialEq, Debug)]
pub struct FaultSettings(pub(crate) Rule);

#[derive(Clone, PartialEq, Debug)]
pub struct TopicSettings {
    pub name: String,
    pub partitions: Option<i32>,
    pub configs: Vec<(String, String)>,
}

const WORDS: [&str; 9] = ["name", "seed", "topics", "configs", "faults", "ttl", "clock", "from", "emulate"];
/// A thousandth of the machine's pace to ten thousand times.
const SCALES: std::ops::RangeInclusive<f64> = 0.001..=10_000.0;
/// Words of the grammar that this release does not obey.
const NOT_YET: [&str; 2] = ["brokers", "users"];

impl LabSettings {
    /// Reads `lab.toml`.
    pub fn parse(text: &str) -> Result<LabSettings, Bad> {
        parse_file(text)
    }
}

fn parse_file(text: &str) -> Result<LabSettings, Bad> {
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| Bad::new("", error.to_string()))?;
    let main = parse(&json_of(toml::Value::Table(table)))?;
    if main.from.is_some() {
        return Err(Bad::new("from", "a lab that starts has no snapshots yet"));
    }
    Ok(LabSettings { seed: main.seed, main })
}

fn json_of(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::String(text),
        toml::Value::Integer(number) => Json::from(number),
        toml::Value::Float(number) => Json::from(number),
        toml::Value::Boolean(value) => Json::from(value),
        toml::Value::Datetime(time) => Json::String(time.to_string()),
        toml::Value::Array(items) => Json::Array(items.into_iter().map(json_of).collect()),
        toml::Value::Table(table) => {
            Json::Object(table.into_iter().map(|(name, value)| (name, json_of(value))).collect())
        }
    }
}

/// Reads what a cluster is to be like.
pub fn parse(json: &Json) -> Result<ClusterSettings, Bad> {
    let Json::Object(given) = json else { return Err(Bad::new("", "an object")) };
    let mut settings = ClusterSettings::default();
    for (name, value) in given {
        match name.as_str() {
            "name" => settings.name = Some(cluster_name(value)?),
            "seed" => {
                settings.seed =
                    Some(value.as_u64().ok_or_else(|| Bad::new("seed", "a whole number from 0"))?);
            }
            "topics" => settings.topics = list(value, "topics", topic)?,
            "configs" => settings.configs = configs(value).map_err(|bad| bad.within("configs"))?,
            "faults" => settings.faults = list(value, "faults", |json| rule::parse(json).map(FaultSettings))?,
            "ttl" => {
                let text = value.as_str().ok_or_else(|| Bad::new("ttl", "a duration, as \"10m\""))?;
                settings.ttl = Some(words::duration(text).map_err(|why| Bad::new("ttl", why))?);
            }
            "clock" => settings.clock = Some(clock(value).map_err(|bad| bad.within("clock"))?),
            "from" => {
                let id = value.as_str().ok_or_else(|| Bad::new("from", "the id of a snapshot"))?;
                settings.from = Some(id.to_owned());
            }
            "emulate" => {
                // `3.7` without quotes is a number, and `3.10` would be another one.
                let name =
                    value.as_str().ok_or_else(|| Bad::new("emulate", "a release as a text: \"3.7\""))?;
                settings.emulate = Some(releases::find(name).map_err(|why| Bad::new("emulate", why))?);
            }
            other if NOT_YET.contains(&other) => {
                return Err(Bad::new(other, "this release does not do that yet"));
            }
            other => {
                let near = words::nearest(other, WORDS.into_iter());
                let near = near.map(|near| format!("; {near}?")).unwrap_or_default();
                return Err(Bad::new(other, format!("is not known{near}")));
            }
        }
    }
    Ok(settings)
}

fn list<T>(value: &Json, name: &str, one: impl Fn(&Json) -> Result<T, Bad>) -> Result<Vec<T>, Bad> {
    let items = value.as_array().ok_or_else(|| Bad::new(name, "a list"))?;
    let one =
        |(place, item): (usize, &Json)| one(item).map_err(|bad| bad.within(&format!("{name}[{place}]")));
    items.iter().enumerate().map(one).collect()
}

/// `"frozen"`, or an object with mode and scale.
fn clock(value: &Json) -> Result<Mode, Bad> {
    match value {
        Json::String(_) => clock_words(&Map::from_iter([("mode".to_owned(), value.clone())])),
        Json::Object(words) => match words.keys().find(|name| !["mode", "scale"].contains(&name.as_str())) {
            Some(other) => Err(Bad::new(other, "is not known; there are mode, scale")),
            None => clock_words(words),
        },
        _other => Err(Bad::new("", "real, frozen, or an object with mode and scale")),
    }
}

/// What clocks do by themselves.
pub fn clock_words(words: &Map<String, Json>) -> Result<Mode, Bad> {
    let scale = words.get("scale");
    match words.get("mode").and_then(Json::as_str) {
        Some("scaled") => {
            let scale = scale.and_then(Json::as_f64).filter(|scale| SCALES.contains(scale));
            let scale = scale.ok_or_else(|| Bad::new("scale", "a number from 0.001 to 10000"))?;
            Ok(Mode::Scaled((scale * 1_000.0).round() as u32))
        }
        Some("real" | "frozen") if scale.is_some() => Err(Bad::new("scale", "goes with the mode scaled")),
        Some("real") => Ok(Mode::Real),
        Some("frozen") => Ok(Mode::Frozen),
        _other => Err(Bad::new("mode", "real, frozen or scaled")),
    }
}

/// It stands in addresses.
fn cluster_name(value: &Json) -> Result<String, Bad> {
    let is_good = |name: &&str| {
        (1..=64).contains(&name.len())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
    };
    let name = value.as_str().filter(is_good);
    name.map(str::to_owned).ok_or_else(|| Bad::new("name", "1 to 64 letters, digits, - and _"))
}

/// `"orders"`, `"orders:6"` or an object.
fn topic(json: &Json) -> Result<TopicSettings, Bad> {
    let count = |number: Option<i64>| {
        let count = number.and_then(|number| i32::try_from(number).ok()).filter(|count| *count > 0);
        count.ok_or_else(|| Bad::new("partitions", "a whole number from 1"))
    };
    match json {
        Json::String(text) => {
            let (name, partitions) = match text.split_once(':') {
                Some((name, number)) => (name, Some(count(number.parse().ok())?)),
                None => (text.as_str(), None),
            };
            Ok(TopicSettings { name: topic_name(name)?, partitions, configs: Vec::new() })
        }
        Json::Object(given) => {
            let mut topic = TopicSettings { name: String::new(), partitions: None, configs: Vec::new() };
            for (name, value) in given {
                match name.as_str() {
                    "name" => topic.name = topic_name(value.as_str().unwrap_or_default())?,
                    "partitions" => topic.partitions = Some(count(value.as_i64())?),
                    "configs" => topic.configs = configs(value).map_err(|bad| bad.within("configs"))?,
                    other => {
                        return Err(Bad::new(other, "is not known; there are name, partitions, configs"));
                    }
                }
            }
            match topic.name.is_empty() {
                true => Err(Bad::new("name", "a topic has a name")),
                false => Ok(topic),
            }
        }
        _other => Err(Bad::new("", "a name, or an object with name, partitions, configs")),
    }
}

fn topic_name(name: &str) -> Result<String, Bad> {
    let is_good = (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    if is_good {
        Ok(name.to_owned())
    } else {
        Err(Bad::new("name", format!("'{name}' is no name of a topic")))
    }
}

fn configs(value: &Json) -> Result<Vec<(String, String)>, Bad> {
    let given: &Map<String, Json> =
        value.as_object().ok_or_else(|| Bad::new("", "an object of keys and values"))?;
    let one = |(name, value): (&String, &Json)| {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Bool(value) => value.to_string(),
            _other => return Err(Bad::new(name, "a text, a number, true or false")),
        };
        Ok((name.clone(), text))
    };
    given.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_topics_and_rules() {
        let text = "seed = 7\n[[topics]]\nname = \"orders\"\npartitions = 6\n\
                    configs = { \"retention.ms\" = 1000 }\n\
                    [[faults]]\nmatch = { api = \"Produce\" }\ntrigger = \"once\"\n\
                    do = { error = \"NOT_LEADER_OR_FOLLOWER\" }\n";
        let settings = parse_file(text).expect("it is good");
        assert_eq!(settings.seed, Some(7));
        let topic = &settings.main.topics[0];
        assert_eq!((topic.name.as_str(), topic.partitions), ("orders", Some(6)));
        assert_eq!(topic.configs, [("retention.ms".to_owned(), "1000".to_owned())]);
        assert_eq!(settings.main.faults.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let bad = |json: Json| parse(&json).expect_err("it is bad").field;
        assert_eq!(bad(serde_json::json!({ "topic": ["a"] })), "topic");
        assert_eq!(
            bad(serde_json::json!({ "topics": ["a", { "name": "b", "partitions": 0 }] })),
            "topics[1].partitions"
        );
        assert_eq!(bad(serde_json::json!({ "topics": ["a b"] })), "topics[0].name");
        assert_eq!(bad(serde_json::json!({ "brokers": 3 })), "brokers");
        assert_eq!(
            bad(serde_json::json!({ "faults": [{ "do": { "error": "NONSENSE" } }] })),
            "faults[0].do.error"
        );
        assert_eq!(bad(serde_json::json!({ "configs": { "a": [] } })), "configs.a");
        for (clock, field) in [
            (serde_json::json!("standing"), "clock.mode"),
            (serde_json::json!(7), "clock"),
            (serde_json::json!({ "mode": "scaled" }), "clock.scale"),
            (serde_json::json!({ "mode": "scaled", "scale": 0 }), "clock.scale"),
            (serde_json::json!({ "mode": "frozen", "scale": 2 }), "clock.scale"),
            (serde_json::json!({ "mode": "real", "rate": 2 }), "clock.rate"),
        ] {
            assert_eq!(bad(serde_json::json!({ "clock": clock })), field);
        }
        assert_eq!(bad(serde_json::json!({ "from": 1 })), "from");
        assert_eq!(parse_file("from = \"s1\"").expect_err("none is there").field, "from");
        let scaled = parse(&serde_json::json!({ "clock": { "mode": "scaled", "scale": 1.5 } }));
        assert_eq!(scaled.map(|settings| settings.clock), Ok(Some(Mode::Scaled(1_500))));
        assert_eq!(
            parse(&serde_json::json!({ "clock": "frozen" })).map(|settings| settings.clock),
            Ok(Some(Mode::Frozen))
        );
        assert_eq!(bad(serde_json::json!({ "name": "a/b" })), "name");
        for release in [serde_json::json!("2.7"), serde_json::json!(3.7)] {
            assert_eq!(bad(serde_json::json!({ "emulate": release })), "emulate");
        }
        assert_eq!(bad(serde_json::json!({ "ttl": "soon" })), "ttl");
    }
}
