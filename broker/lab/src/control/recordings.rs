//! `/recordings` and `/replays`: what clients and broker said to each other, kept, and played again as either of them.
//! Shell.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ottla_admin::Asked;
use ottla_env::Monotonic;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::reply::{self, Failed, Reply, Success, created, fail, ok};
use super::{Known, Lab};
use crate::bad::Bad;
use crate::play::Player;
use crate::played::Played;
use crate::tape::Tape;

/// Each keeps its frames in memory.
const RECORDINGS_MAX: usize = 100;
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=1_000.0;

#[derive(Debug)]
pub struct Recording {
    id: String,
    /// The cluster that it is of; none where it was brought along.
    of: Option<String>,
    began: Monotonic,
    tape: Mutex<Tape>,
}

impl Recording {
    fn us(&self, now: Monotonic) -> u64 {
        self.began.until(now).as_micros() as u64
    }

    pub fn begin(&self, connection: u64, now: Monotonic, request: &Bytes) -> Option<usize> {
        self.tape.lock().begin(connection, self.us(now), request)
    }

    pub fn end(&self, place: usize, now: Monotonic, answer: &Bytes) {
        self.tape.lock().end(place, self.us(now), answer);
    }

    fn show(&self) -> Json {
        let tape = self.tape.lock();
        json!({
            "recording": self.id,
            "cluster": self.of,
            "requests": tape.exchanges().len(),
            "bytes": tape.bytes(),
            "has_ended": tape.has_ended(),
        })
    }

    /// As it is now.
    fn copy(&self) -> Tape {
        self.tape.lock().clone()
    }
}

pub fn known(lab: &Lab, id: &str) -> Result<Arc<Recording>, Failed> {
    let known = lab.recordings.lock().get(id).cloned();
    known.ok_or_else(|| Failed::of(404, format!("there is no recording {id}")))
}

fn keep(lab: &Lab, of: Option<String>, tape: Tape) -> Result<Arc<Recording>, Failed> {
    let mut recordings = lab.recordings.lock();
    if recordings.len() >= RECORDINGS_MAX {
        return Err(Failed::of(409, format!("at most {RECORDINGS_MAX} recordings: delete some")));
    }
    let id = format!("r{}", lab.next.fetch_add(1, Ordering::Relaxed));
    let (began, tape) = (lab.env.clock.monotonic(), Mutex::new(tape));
    let recording = Arc::new(Recording { id: id.clone(), of, began, tape });
    let earlier = recordings.insert(id, Arc::clone(&recording));
    assert!(earlier.is_none(), "a number is given once");
    Ok(recording)
}

/// With a recording as the body it is taken in; else one of the cluster of this port begins.
pub fn all(lab: &Lab, here: &str, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => {
            let shown: Vec<Json> = lab.recordings.lock().values().map(|one| one.show()).collect();
            ok(json!({ "recordings": shown }))
        }
        "POST" if asked.body.iter().all(u8::is_ascii_whitespace) => start(lab, &lab.known(here)?, asked),
        "POST" => created(keep(lab, None, Tape::read(&asked.body)?)?.show()),
        _other => fail(405, "GET or POST"),
    }
}

pub fn one(lab: &Lab, id: &str, asked: &Asked) -> Reply {
    let recording = known(lab, id)?;
    match asked.method.as_str() {
        "GET" => ok(recording.show()),
        "DELETE" => {
            recording.tape.lock().stop();
            lab.recordings.lock().remove(id);
            ok(json!({}))
        }
        _other => fail(405, "GET or DELETE"),
    }
}

pub fn export(lab: &Lab, id: &str) -> Reply {
    Ok(Success::Lines(known(lab, id)?.copy().write()))
}

/// What is asked from here on.
pub fn start(lab: &Lab, known: &Known, asked: &Asked) -> Reply {
    reply::words(asked, &[])?;
    let mut recorder = known.cluster.recorder.lock();
    if let Some(open) = recorder.as_ref().filter(|open| !open.tape.lock().has_ended()) {
        return fail(409, format!("{} is being recorded: stop it first", open.id));
    }
    let recording = keep(lab, Some(known.cluster.id.clone()), Tape::default())?;
    *recorder = Some(Arc::clone(&recording));
    created(recording.show())
}

pub fn stop(lab: &Lab, id: &str) -> Reply {
    let recording = known(lab, id)?;
    recording.tape.lock().stop();
    ok(recording.show())
}

fn speed(value: Option<&Json>) -> Result<Option<f64>, Bad> {
    let why = || Bad::new("speed", "a number from 0.001 to 1000, or 0 for as fast as can be");
    match value.map(|value| value.as_f64().ok_or_else(why)).transpose()? {
        None | Some(0.0) => Ok(None),
        Some(speed) if SPEEDS.contains(&speed) => Ok(Some(speed)),
        Some(_other) => Err(why()),
    }
}

pub async fn replays(lab: &Lab, known: &Known, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => match &*known.cluster.played.lock() {
            Some(played) => ok(played.show()),
            None => fail(404, "no recording answers for the cluster"),
        },
        "DELETE" => match known.cluster.played.lock().take() {
            Some(played) => ok(played.show()),
            None => fail(404, "no recording answers for the cluster"),
        },
        "POST" => replay(lab, known, asked).await,
        _other => fail(405, "GET, POST or DELETE"),
    }
}

async fn replay(lab: &Lab, of: &Known, asked: &Asked) -> Reply {
    let words = reply::words(asked, &["recording", "as", "to", "speed"])?;
    let text =
        |name: &str| words.get(name).map(|value| value.as_str().ok_or_else(|| Bad::new(name, "a text")));
    let id = text("recording").unwrap_or_else(|| Err(Bad::new("recording", "the id of a recording")))?;
    let recording = known(lab, id).map_err(|_| Bad::new("recording", "there is no such recording"))?;
    let speed = speed(words.get("speed"))?;
    let to = text("to").transpose()?;
    let (own_host, own_port) = address(&of.created.bootstrap).ok_or_else(|| Failed::of(503, "no address"))?;
    match text("as").unwrap_or(Ok("client"))? {
        "client" => {
            let (host, port) = match to {
                None => (own_host, own_port),
                Some(to) => address(to).ok_or_else(|| Bad::new("to", "host:port"))?,
            };
            let tape = recording.copy();
            let played = Player::new(&lab.env, &tape, host, port).play(speed).await;
            ok(played.map_err(|why| Failed::of(502, why))?.show())
        }
        "server" => {
            if to.is_some() {
                return Err(Bad::new("to", "is where a client's part is played").into());
            }
            let tape = Arc::new(recording.copy());
            let played = Played::new(recording.id.clone(), tape, speed, own_host.to_owned(), own_port);
            let shown = played.show();
            *of.cluster.played.lock() = Some(played);
            ok(shown)
        }
        _other => Err(Bad::new("as", "client or server").into()),
    }
}

fn address(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host, port.parse().ok().filter(|port| *port > 0)?)).filter(|_| !host.is_empty())
}
