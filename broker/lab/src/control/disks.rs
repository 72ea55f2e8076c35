//! `/disk` and `/crash`: a disk that is full, slow, failing or rotten, and a machine that stops.
//! Shell.

use std::sync::Arc;
use std::time::Duration;

use ottla_admin::Asked;
use ottla_env::memory::{Corrupt, Lose, Steered};
use serde_json::{Map, Value as Json, json};

use super::reply::{self, Failed, Reply, fail, ok};
use super::{Known, Lab, MAIN};
use crate::bad::Bad;
use crate::words;

/// Behind the header of a file's first batch.
const POSITION: u64 = 61;
/// A device that takes longer is one that is gone.
const DELAY_MAX: Duration = Duration::from_secs(60);
const CORRUPT_MAX: usize = 1_000;

pub fn disk(lab: &Lab, known: &Known, asked: &Asked) -> Reply {
    let host = lab.host.get().ok_or_else(|| Failed::of(503, "the lab does not serve yet"))?;
    let disk =
        host.disk(&known.cluster.id).ok_or_else(|| Failed::of(503, "the cluster does not serve yet"))?;
    match asked.method.as_str() {
        "GET" => ok(show(&disk.steered())),
        "PUT" => {
            let words = reply::words(asked, &["free_bytes", "fsync", "read"])?;
            let mut steered = disk.steered();
            read(&mut steered, &words)?;
            disk.steer(steered.clone());
            ok(show(&steered))
        }
        // Mended. A directory that has failed stays away until the node starts anew.
        "DELETE" => {
            disk.steer(Steered::default());
            ok(show(&Steered::default()))
        }
        _other => fail(405, "GET, PUT or DELETE"),
    }
}

/// What is named changes, null takes it back.
fn read(steered: &mut Steered, words: &Map<String, Json>) -> Result<(), Bad> {
    for (name, value) in words {
        match (name.as_str(), value) {
            ("free_bytes", Json::Null) => steered.free_bytes = None,
            ("free_bytes", value) => {
                let bytes = value.as_u64().ok_or_else(|| Bad::new(name, "a whole number from 0, or null"))?;
                steered.free_bytes = Some(bytes);
            }
            ("fsync", Json::Null) => (steered.fsync_delay, steered.fsync_fails) = (None, false),
            ("fsync", value) => fsync(steered, value).map_err(|bad| bad.within(name))?,
            (_read, Json::Null) => steered.corrupt = Vec::new(),
            (_read, value) => steered.corrupt = corrupt(value).map_err(|bad| bad.within(name))?,
        }
    }
    Ok(())
}

fn object<'a>(value: &'a Json, known: &[&str]) -> Result<&'a Map<String, Json>, Bad> {
    let words =
        value.as_object().ok_or_else(|| Bad::new("", format!("an object of {}", known.join(", "))))?;
    match words.keys().find(|name| !known.contains(&name.as_str())) {
        Some(other) => Err(Bad::new(other, format!("is not known; there are {}", known.join(", ")))),
        None => Ok(words),
    }
}

fn fsync(steered: &mut Steered, value: &Json) -> Result<(), Bad> {
    for (name, value) in object(value, &["delay", "error"])? {
        match (name.as_str(), value) {
            ("delay", Json::Null) => steered.fsync_delay = None,
            ("delay", value) => {
                let text =
                    value.as_str().ok_or_else(|| Bad::new(name, "a duration, as \"50ms\", or null"))?;
                let delay = words::duration(text).map_err(|why| Bad::new(name, why))?;
                if delay > DELAY_MAX {
                    return Err(Bad::new(name, "at most a minute"));
                }
                steered.fsync_delay = Some(delay);
            }
            (_error, Json::Null) => steered.fsync_fails = false,
            (_error, value) => {
                steered.fsync_fails = value.as_bool().ok_or_else(|| Bad::new(name, "true or false"))?;
            }
        }
    }
    Ok(())
}

fn corrupt(value: &Json) -> Result<Vec<Corrupt>, Bad> {
    let list = object(value, &["corrupt"])?.get("corrupt");
    let list = list.and_then(Json::as_array).ok_or_else(|| Bad::new("corrupt", "a list"))?;
    if list.len() > CORRUPT_MAX {
        return Err(Bad::new("corrupt", format!("at most {CORRUPT_MAX}")));
    }
    let one = |json: &Json| {
        let words = object(json, &["topic", "partition", "position"])?;
        let topic = words.get("topic").and_then(Json::as_str).filter(|topic| !topic.is_empty());
        let partition = match words.get("partition") {
            None => Some(0),
            Some(value) => value.as_i64().and_then(|number| i32::try_from(number).ok()).filter(|n| *n >= 0),
        };
        let position = words.get("position").map_or(Some(POSITION), Json::as_u64);
        let topic = topic.ok_or_else(|| Bad::new("topic", "the name of a topic"))?;
        let partition = partition.ok_or_else(|| Bad::new("partition", "a whole number from 0"))?;
        let position = position.ok_or_else(|| Bad::new("position", "a whole number from 0"))?;
        // As Kafka names the folder of a partition.
        Ok(Corrupt { folder: format!("{topic}-{partition}"), position })
    };
    let read = list.iter().enumerate();
    read.map(|(place, json)| one(json).map_err(|bad: Bad| bad.within(&format!("corrupt[{place}]")))).collect()
}

fn show(steered: &Steered) -> Json {
    let corrupt = steered.corrupt.iter().map(|one| {
        let (topic, partition) = one.folder.rsplit_once('-').unwrap_or((&one.folder, ""));
        json!({ "topic": topic, "partition": partition.parse::<i32>().ok(), "position": one.position })
    });
    json!({
        "free_bytes": steered.free_bytes,
        "fsync": {
            "delay": steered.fsync_delay.map(|delay| format!("{}ms", delay.as_millis())),
            "error": steered.fsync_fails,
        },
        "read": { "corrupt": corrupt.collect::<Vec<_>>() },
    })
}

/// A cluster that starts again takes its connections along.
pub fn may_go_down(here: &str, id: &str) -> Result<(), Failed> {
    if id == MAIN {
        return Err(Failed::of(409, "the main cluster is the lab's own and stays: make another one"));
    }
    match here == id {
        true => {
            Err(Failed::of(409, "the port of a cluster that goes down brings no answer: ask at the lab's"))
        }
        false => Ok(()),
    }
}

pub async fn crash(lab: &Arc<Lab>, here: &str, id: &str, asked: &Asked) -> Reply {
    let known = lab.known(id)?;
    let words = reply::words(asked, &["lose"])?;
    let lose = match words.get("lose").map(|lose| lose.as_str()) {
        None | Some(Some("none")) => Lose::None,
        Some(Some("unsynced")) => Lose::Unsynced,
        Some(_other) => return Err(Bad::new("lose", "none or unsynced").into()),
    };
    may_go_down(here, id)?;
    let host = lab.host.get().ok_or_else(|| Failed::of(503, "the lab does not serve yet"))?;
    let began = lab.env.clock.monotonic();
    host.crash(id, lose).await.map_err(|why| Failed::of(500, why))?;
    let took = began.until(lab.env.clock.monotonic());
    ok(json!({ "cluster": known.cluster.id, "took_us": took.as_micros() as u64 }))
}
