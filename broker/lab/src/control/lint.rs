//! `/lint`: unsafe habits of clients, and whether they fail the test.
//! Shell.

use std::sync::atomic::Ordering;

use ottla_admin::Asked;
use serde_json::{Value as Json, json};

use super::reply::{self, Reply, fail, ok};
use crate::bad::Bad;
use crate::cluster::Cluster;
use crate::lint;

pub fn all(cluster: &Cluster, asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => ok(shown(cluster)),
        "PUT" => {
            let body = reply::words(asked, &["strict"])?;
            let strict = body.get("strict").and_then(Json::as_bool);
            let strict = strict.ok_or_else(|| Bad::new("strict", "true or false"))?;
            cluster.is_strict.store(strict, Ordering::Release);
            ok(shown(cluster))
        }
        _other => fail(405, "GET or PUT"),
    }
}

fn shown(cluster: &Cluster) -> Json {
    json!({ "strict": cluster.is_strict.load(Ordering::Acquire), "findings": findings(cluster) })
}

/// Those that are told at the end of a strict cluster.
pub fn strict_findings(cluster: &Cluster) -> Vec<Json> {
    match cluster.is_strict.load(Ordering::Acquire) {
        true => findings(cluster),
        false => Vec::new(),
    }
}

fn findings(cluster: &Cluster) -> Vec<Json> {
    lint::findings(&cluster.journal.lock()).iter().map(lint::Finding::json).collect()
}
