//! `/requests`: the journal.
//! Shell.

use std::time::Duration;

use ottla_admin::Asked;
use serde_json::{Map, Value as Json, json};

use super::reply::{self, Failed, Reply, fail, ok};
use crate::bad::Bad;
use crate::cluster::Cluster;
use crate::journal::{Entry, Query};
use crate::words;

/// Requests in one answer, unless it is asked for others.
const LIMIT: usize = 1_000;
pub const WAIT_MAX: Duration = Duration::from_secs(600);
const WAIT: Duration = Duration::from_secs(5);

pub fn all(cluster: &Cluster, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => {
            let mut words = reply::query(asked);
            let limit = match reply::take(&mut words, "limit") {
                None => LIMIT,
                Some(text) => text.parse().map_err(|_| Bad::new("limit", "a whole number"))?,
            };
            let with_bodies = reply::take(&mut words, "bodies").as_deref() != Some("false");
            let query = Query::parse(&words)?;
            let journal = cluster.journal.lock();
            let found: Vec<&Entry> = journal.matching(&query).collect();
            let shown = found.iter().skip(found.len().saturating_sub(limit));
            let shown: Vec<Json> = shown.map(|entry| entry.json(with_bodies)).collect();
            ok(json!({
                "requests": shown, "count": found.len(), "next": journal.next(), "lost": journal.lost
            }))
        }
        "DELETE" => {
            cluster.journal.lock().clear();
            ok(json!({}))
        }
        _other => fail(405, "GET or DELETE"),
    }
}

pub fn count(cluster: &Cluster, asked: &Asked) -> Reply {
    let Json::Object(body) = reply::body(asked)? else { return Err(Bad::new("", "an object").into()) };
    let query = match body.get("match") {
        Some(Json::Object(words)) if body.len() == 1 => {
            Query::of_json(words).map_err(|bad| bad.within("match"))?
        }
        _bare => Query::of_json(&body)?,
    };
    let journal = cluster.journal.lock();
    let count = journal.matching(&query).count();
    let nearest = if count == 0 { journal.nearest(&query) } else { Vec::new() };
    ok(json!({ "count": count, "nearest": nearest }))
}

/// How long to wait at most: `5s`, or milliseconds.
pub fn timeout(value: Option<&Json>, name: &str) -> Result<Duration, Failed> {
    let wait = match value {
        None | Some(Json::Null) => WAIT,
        Some(Json::String(text)) => words::duration(text).map_err(|why| Bad::new(name, why))?,
        Some(value) => {
            Duration::from_millis(value.as_u64().ok_or_else(|| Bad::new(name, "a duration, as \"5s\""))?)
        }
    };
    match wait <= WAIT_MAX {
        true => Ok(wait),
        false => Err(Bad::new(name, "at most ten minutes").into()),
    }
}

fn wait_words(body: &Map<String, Json>) -> Result<(Query, usize, Duration), Failed> {
    if let Some(other) = body.keys().find(|name| !["match", "count", "timeout"].contains(&name.as_str())) {
        return Err(Bad::new(other, "is not known; there are match, count, timeout").into());
    }
    let query = match body.get("match") {
        None => Query::default(),
        Some(Json::Object(words)) => Query::of_json(words).map_err(|bad| bad.within("match"))?,
        Some(_other) => return Err(Bad::new("match", "an object").into()),
    };
    let count = match body.get("count") {
        None => 1,
        Some(value) => value.as_u64().ok_or_else(|| Bad::new("count", "a whole number"))? as usize,
    };
    Ok((query, count, timeout(body.get("timeout"), "timeout")?))
}

pub async fn wait(cluster: &Cluster, asked: &Asked) -> Reply {
    let Json::Object(body) = reply::body(asked)? else { return Err(Bad::new("", "an object").into()) };
    let (query, wanted, timeout) = wait_words(&body)?;
    let clock = &cluster.env.clock;
    let mut over = clock.sleep_until(clock.monotonic().after(timeout));
    loop {
        // Asked for before the journal is looked at, so that nothing new is missed.
        let news = cluster.news.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        let count = {
            let journal = cluster.journal.lock();
            let count = journal.matching(&query).count();
            if count >= wanted {
                let found: Vec<Json> = journal.matching(&query).map(|entry| entry.json(true)).collect();
                return ok(json!({ "count": count, "requests": found }));
            }
            count
        };
        tokio::select! {
            () = news => {}
            () = &mut over => {
                let why = format!("{count} of {wanted} requests came in {} ms", timeout.as_millis());
                let nearest = cluster.journal.lock().nearest(&query);
                return Err(Failed::of(408, why).with(json!({ "count": count, "nearest": nearest })));
            }
        }
    }
}
