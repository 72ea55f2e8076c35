//! `/faults` and `/gates`.
//! Shell.

use ottla_admin::Asked;
use ottla_env::Clock;
use serde_json::{Value as Json, json};

use super::reply::{self, Failed, Reply, created, fail, ok};
use crate::bad::Bad;
use crate::cluster::Cluster;
use crate::faults::{Held, RULES_MAX};
use crate::rule::{self, Rule};

pub fn all(cluster: &Cluster, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => ok(
            json!({ "faults": cluster.faults.lock().all().iter().map(|held| show(cluster, held)).collect::<Vec<_>>() }),
        ),
        "POST" => {
            let rule = rule::parse(&reply::body(asked)?)?;
            let now = cluster.clock.monotonic();
            let id = cluster.faults.lock().add(rule, now).ok_or_else(too_many)?;
            created(json!({ "id": id }))
        }
        "PUT" => {
            let rules = rules(&reply::body(asked)?)?;
            let now = cluster.clock.monotonic();
            let ids = cluster.faults.lock().replace(rules, now).ok_or_else(too_many)?;
            cluster.open_forgotten_gates();
            ok(json!({ "ids": ids }))
        }
        "DELETE" => {
            let expects_hit = expects_hit(asked)?;
            let mut faults = cluster.faults.lock();
            let unhit = faults
                .all()
                .iter()
                .filter(|held| held.hits == 0)
                .map(|held| show(cluster, held))
                .collect::<Vec<_>>();
            faults.clear();
            drop(faults);
            cluster.open_forgotten_gates();
            match expects_hit && !unhit.is_empty() {
                true => Err(Failed::of(409, "not every rule has acted").with(json!({ "faults": unhit }))),
                false => ok(json!({})),
            }
        }
        _other => fail(405, "GET, POST, PUT or DELETE"),
    }
}

fn too_many() -> Failed {
    Failed::bad(Bad::new("", format!("at most {RULES_MAX} rules")))
}

/// A list, bare or as `faults`.
fn rules(json: &Json) -> Result<Vec<Rule>, Failed> {
    let list = match json {
        Json::Array(list) => list,
        Json::Object(given) => {
            if let Some(other) = given.keys().find(|name| *name != "faults") {
                return Err(Bad::new(other, "is not known; there is faults").into());
            }
            given
                .get("faults")
                .and_then(Json::as_array)
                .ok_or_else(|| Bad::new("faults", "a list of rules"))?
        }
        _other => return Err(Bad::new("", "a list of rules").into()),
    };
    let one = |(place, json)| rule::parse(json).map_err(|bad| bad.within(&format!("faults[{place}]")));
    Ok(list.iter().enumerate().map(one).collect::<Result<_, _>>()?)
}

pub fn one(cluster: &Cluster, id: &str, asked: &Asked) -> Reply {
    let unknown = || Failed::of(404, format!("there is no rule {id}"));
    match asked.method.as_str() {
        "GET" => ok(cluster.faults.lock().get(id).map(|held| show(cluster, held)).ok_or_else(unknown)?),
        "DELETE" => {
            let expects_hit = expects_hit(asked)?;
            let held = cluster.faults.lock().remove(id).ok_or_else(unknown)?;
            cluster.open_forgotten_gates();
            match expects_hit && held.hits == 0 {
                true => {
                    let seen = held.seen;
                    let why = format!("the rule never acted; it was about {seen} requests");
                    Err(Failed::of(409, why).with(json!({ "fault": show(cluster, &held) })))
                }
                false => ok(show(cluster, &held)),
            }
        }
        _other => fail(405, "GET or DELETE"),
    }
}

fn expects_hit(asked: &Asked) -> Result<bool, Failed> {
    let mut words = reply::query(asked);
    let expected = reply::take(&mut words, "expect");
    reply::nothing_else(&words, "expect")?;
    match expected.as_deref() {
        None => Ok(false),
        Some("hit") => Ok(true),
        Some(_other) => Err(Bad::new("expect", "hit").into()),
    }
}

fn show(cluster: &Cluster, held: &Held) -> Json {
    json!({
        "id": held.id, "rule": held.rule.source, "seen": held.seen, "hits": held.hits,
        "last_requests": held.last, "waiting": cluster.turns.waiting(&held.id)
    })
}

pub fn gates(cluster: &Cluster) -> Reply {
    let gates =
        cluster.gates().into_iter().map(|(name, waiting)| json!({ "gate": name, "waiting": waiting }));
    ok(json!({ "gates": gates.collect::<Vec<_>>() }))
}

pub fn release(cluster: &Cluster, gate: &str) -> Reply {
    ok(json!({ "released": cluster.open_gate(gate) }))
}
