//! `/clock`.
//! Shell.

use std::time::Duration;

use ottla_admin::Asked;
use serde_json::{Value as Json, json};

use super::reply::{self, Reply, fail, ok};
use crate::bad::Bad;
use crate::clock::{Mode, Reading, Step};
use crate::cluster::Cluster;
use crate::{settings, words};

/// Further than any retention that means anything.
const STEP_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);
const CLIENTS: &str = "a client's own timers go on with the machine's clock";

pub fn show(cluster: &Cluster, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => ok(shown(cluster.clock.read())),
        "PUT" => {
            let mode = settings::clock_words(&reply::words(asked, &["mode", "scale"])?)?;
            cluster.clock.set_mode(mode);
            ok(shown(cluster.clock.read()))
        }
        _other => fail(405, "GET or PUT"),
    }
}

fn shown(reading: Reading) -> Json {
    let next = reading.next.map(|next| reading.timers.until(next).as_millis() as u64);
    let (mode, scale) = match reading.mode {
        Mode::Real => ("real", 1.0),
        Mode::Frozen => ("frozen", 0.0),
        Mode::Scaled(thousandths) => ("scaled", f64::from(thousandths) / 1_000.0),
    };
    json!({
        "mode": mode,
        "scale": scale,
        "records": reading.records_ms,
        "timers": reading.timers.0.as_millis() as u64,
        "next_in_ms": next
    })
}

pub async fn advance(cluster: &Cluster, asked: &Asked) -> Reply {
    let body = reply::words(asked, &["by", "what"])?;
    let by = match body.get("by") {
        Some(Json::String(text)) => words::duration(text).map_err(|why| Bad::new("by", why))?,
        Some(value) if value.as_u64().is_some() => Duration::from_millis(value.as_u64().unwrap_or_default()),
        _other => return Err(Bad::new("by", "a duration, as \"8d\"").into()),
    };
    if by > STEP_MAX {
        return Err(Bad::new("by", "at most ten years").into());
    }
    let mut step = Step::default();
    match body.get("what") {
        None => step = Step { records: by, timers: by },
        Some(Json::Array(list)) if !list.is_empty() => {
            for what in list {
                match what.as_str() {
                    Some("records") => step.records = by,
                    Some("timers") => step.timers = by,
                    _other => return Err(Bad::new("what", "a list of records, timers").into()),
                }
            }
        }
        Some(_other) => return Err(Bad::new("what", "a list of records, timers").into()),
    }
    move_by(cluster, step).await
}

/// To the moment for which the first of all timers waits.
pub async fn next(cluster: &Cluster, asked: &Asked) -> Reply {
    reply::words(asked, &[])?;
    let reading = cluster.clock.read();
    let Some(next) = reading.next else { return fail(409, "nobody waits for anything") };
    let by = reading.timers.until(next);
    move_by(cluster, Step { records: by, timers: by }).await
}

async fn move_by(cluster: &Cluster, step: Step) -> Reply {
    let moved = cluster.clock.advance(step).await;
    let mut body = shown(cluster.clock.read());
    body["fired"] = json!(moved.fired.values().sum::<u64>());
    body["fired_by_task"] = json!(moved.fired);
    body["settled"] = json!(moved.is_settled);
    body["note"] = json!(CLIENTS);
    ok(body)
}
