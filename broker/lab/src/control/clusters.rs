//! `/clusters`.
//! Shell.

use std::sync::Arc;
use std::time::Duration;

use ottla_admin::Asked;
use ottla_env::Monotonic;
use ottla_env::tasks::TaskHandle;
use serde_json::{Value as Json, json};

use super::reply::{self, Failed, Reply, created, fail, ok};
use super::{Known, Lab, MAIN};
use super::{lint, snapshots};
use crate::bad::Bad;
use crate::settings;

pub async fn all(lab: &Arc<Lab>, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => {
            let clusters: Vec<Json> = lab.clusters.lock().values().map(show).collect();
            ok(json!({ "clusters": clusters }))
        }
        "POST" => {
            let settings = settings::parse(&reply::body(asked)?)?;
            let began = lab.env.clock.monotonic();
            let from = settings.from.as_deref().map(|id| snapshots::known(lab, id));
            let from = from.transpose().map_err(|_| Bad::new("from", "there is no such snapshot"))?;
            created(made(lab, &lab.make(settings, from.as_deref()).await?, began))
        }
        _other => fail(405, "GET or POST"),
    }
}

/// Ends with the cluster, so that a later one of its name has its own time.
pub fn delete_after(lab: &Arc<Lab>, id: &str, ttl: Duration) -> TaskHandle {
    let (of_task, clock, id) = (Arc::downgrade(lab), Arc::clone(&lab.env.clock), id.to_owned());
    let work = async move {
        clock.sleep_until(clock.monotonic().after(ttl)).await;
        if let Some(lab) = of_task.upgrade() {
            // It may be being deleted.
            let _gone = delete(&lab, &id).await.is_ok();
        }
    };
    lab.env.tasks.spawn("lab-ttl", Box::pin(work))
}

pub async fn one(lab: &Arc<Lab>, id: &str, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => ok(show(&lab.known(id)?)),
        "DELETE" => delete(lab, id).await,
        _other => fail(405, "GET or DELETE"),
    }
}

async fn delete(lab: &Arc<Lab>, id: &str) -> Reply {
    if id == MAIN {
        return fail(409, "the main cluster ends with the lab");
    }
    let known = lab.clusters.lock().remove(id);
    let Some(known) = known else { return Err(Failed::of(404, format!("there is no cluster {id}"))) };
    known.cluster.on_deleted();
    // Who waits at a gate would wait for ever.
    known.cluster.faults.lock().clear();
    known.cluster.open_forgotten_gates();
    if let Some(host) = lab.host.get() {
        host.delete(id).await;
    }
    let findings = lint::strict_findings(&known.cluster);
    // Where its time is over, this is done by the task that ends here.
    drop(known);
    match findings.is_empty() {
        true => ok(json!({})),
        false => {
            let why = "the cluster is gone; its clients have unsafe habits";
            Err(Failed::of(409, why).with(json!({ "findings": findings })))
        }
    }
}

/// A cluster that is new, and how long it took.
pub fn made(lab: &Lab, known: &Known, began: Monotonic) -> Json {
    let took = began.until(lab.env.clock.monotonic());
    let mut shown = show(known);
    shown["took_us"] = json!(took.as_micros() as u64);
    shown
}

fn show(known: &Known) -> Json {
    let Known { cluster, created, .. } = known;
    let (host, port) = created.bootstrap.rsplit_once(':').unwrap_or((&created.bootstrap, "0"));
    json!({
        "id": cluster.id,
        "bootstrap": created.bootstrap,
        "brokers": [{ "id": created.node_id, "host": host, "port": port.parse::<u16>().unwrap_or(0) }],
        "cluster_id": created.cluster_id,
        "seed": cluster.seed,
        "emulate": cluster.emulate.map(|release| release.name.as_str()),
        "faults": cluster.faults.lock().all().len(),
        "requests": cluster.journal.lock().next(),
    })
}
