//! The description of the control API for programs (OpenAPI 3.1).
//! Core.

use serde_json::{Value as Json, json};

/// Method, path under `/clusters/{cluster}` or from the root, what it does.
const ADDRESSES: [(&str, &str, &str); 62] = [
    ("get", "/", "The lab: its seed, the cluster of this port"),
    ("get", "/openapi.json", "This description"),
    ("get", "/clusters", "All clusters"),
    (
        "post",
        "/clusters",
        "Make a cluster: name, seed, topics, configs, faults, ttl, clock, from, emulate; answered when it serves",
    ),
    ("get", "/clusters/{cluster}", "One cluster"),
    ("delete", "/clusters/{cluster}", "Drop a cluster with all that it holds"),
    ("post", "/clusters/{cluster}/fork", "A new cluster that begins as this one is now: as POST /clusters"),
    ("post", "/clusters/{cluster}/snapshots", "Keep the cluster as it is now"),
    (
        "post",
        "/clusters/{cluster}/restore",
        "The cluster becomes what a snapshot is, behind the same port: snapshot; its clients connect anew",
    ),
    ("get", "/snapshots", "All snapshots"),
    (
        "post",
        "/snapshots",
        "Take in a tar of a data directory, or keep the cluster of this port as it is now",
    ),
    ("get", "/snapshots/{snapshot}", "One snapshot"),
    ("delete", "/snapshots/{snapshot}", "Forget it"),
    ("get", "/snapshots/{snapshot}/export", "A tar of its data directory"),
    ("post", "/snapshots/{snapshot}/fork", "A new cluster that begins as the snapshot is: as POST /clusters"),
    (
        "post",
        "/clusters/{cluster}/reset",
        "As it was made, behind the same port: no groups, transactions, quotas and changed configs, its first topics alone",
    ),
    ("get", "/clusters/{cluster}/faults", "The fault rules with their hits"),
    ("post", "/clusters/{cluster}/faults", "Add a rule behind the others"),
    ("put", "/clusters/{cluster}/faults", "These rules and no others"),
    ("delete", "/clusters/{cluster}/faults", "No rules; with expect=hit 409 unless each has acted"),
    ("get", "/clusters/{cluster}/faults/{fault}", "One rule with its hits"),
    ("delete", "/clusters/{cluster}/faults/{fault}", "Drop a rule; with expect=hit 409 if it never acted"),
    ("get", "/clusters/{cluster}/disk", "What is done to its disk"),
    (
        "put",
        "/clusters/{cluster}/disk",
        "Fill it, slow it down, let it fail or rot: free_bytes, fsync (delay, error), read (corrupt); null takes one back",
    ),
    ("delete", "/clusters/{cluster}/disk", "Mend it"),
    (
        "post",
        "/clusters/{cluster}/crash",
        "Its machine stops and starts again behind the same port; lose: none (kill -9) or unsynced (power loss)",
    ),
    ("get", "/recordings", "All recordings"),
    ("post", "/recordings", "Take in an exported recording, or begin one of the cluster of this port"),
    ("get", "/recordings/{recording}", "One recording: how many requests and bytes, has it ended"),
    ("delete", "/recordings/{recording}", "Forget it"),
    ("post", "/recordings/{recording}/stop", "Take in nothing more"),
    (
        "get",
        "/recordings/{recording}/export",
        "Its frames with times, a line of JSON each, credentials blanked",
    ),
    ("post", "/clusters/{cluster}/recordings", "Record what is asked and answered from here on"),
    (
        "post",
        "/clusters/{cluster}/replays",
        "Play a recording again: recording, as (client, server), to (host:port), speed; as a client answers are compared",
    ),
    ("get", "/clusters/{cluster}/replays", "The recording that answers in the broker's place"),
    ("delete", "/clusters/{cluster}/replays", "Let the broker answer again"),
    ("get", "/clusters/{cluster}/gates", "Gates with how many requests wait at each"),
    ("post", "/clusters/{cluster}/gates/{gate}/release", "Let those go on that wait"),
    ("get", "/clusters/{cluster}/clock", "Both clocks: mode, records, timers"),
    ("put", "/clusters/{cluster}/clock", "Let them run or stand: mode real or frozen"),
    (
        "post",
        "/clusters/{cluster}/clock/advance",
        "Move them: by, what (records, timers); answered when all is quiet",
    ),
    ("post", "/clusters/{cluster}/clock/next", "Move them to when the first timer is due"),
    (
        "get",
        "/clusters/{cluster}/requests",
        "The journal: api, version, topic, partition, group, transactional_id, client_id, software, connection, error, outcome, fault, since; limit, bodies=false",
    ),
    ("delete", "/clusters/{cluster}/requests", "Forget the journal"),
    ("get", "/clusters/{cluster}/lint", "Unsafe habits of clients, as the journal shows them"),
    (
        "put",
        "/clusters/{cluster}/lint",
        "strict: true has DELETE of the cluster answer 409 where there are some",
    ),
    ("post", "/clusters/{cluster}/requests/count", "How many requests match"),
    (
        "post",
        "/clusters/{cluster}/requests/wait",
        "Wait until so many match: match, count, timeout; 408 with the nearest otherwise",
    ),
    ("post", "/clusters/{cluster}/topics", "Make a topic: name, partitions"),
    (
        "post",
        "/clusters/{cluster}/topics/{topic}/records",
        "Write records: key, value, key_base64, value_base64, headers, partition, timestamp",
    ),
    (
        "get",
        "/clusters/{cluster}/topics/{topic}/records",
        "Read records; with count and wait wait for so many, 408 otherwise: from, partition, key",
    ),
    (
        "get",
        "/clusters/{cluster}/groups/{group}",
        "A group; with wait=stable, members, lag wait for that, 408 after timeout",
    ),
    (
        "post",
        "/clusters/{cluster}/groups/{group}/rebalance",
        "Have the members of a group join again: reason",
    ),
    (
        "post",
        "/clusters/{cluster}/groups/{group}/members/{member}/expire",
        "A member is out of its group, as when its session ends",
    ),
    (
        "put",
        "/clusters/{cluster}/groups/{group}/offsets",
        "Commit offsets of a group without members: a list of topic, partition, offset",
    ),
    (
        "delete",
        "/clusters/{cluster}/groups/{group}/offsets",
        "Delete committed offsets of a group without members: topics, or all",
    ),
    ("get", "/clusters/{cluster}/transactions", "The transactional ids with their producers and states"),
    ("get", "/clusters/{cluster}/transactions/{id}", "One of them"),
    (
        "post",
        "/clusters/{cluster}/transactions/{id}/{act}",
        "fence its producer, abort what is open, expire it as if its timeout were over, or hang: topic, partition, value",
    ),
    ("get", "/clusters/{cluster}/producers", "Who wrote to which partition, with sequences: topic"),
    (
        "post",
        "/clusters/{cluster}/producers/{id}/forget",
        "Forget what partitions know of a producer: topic, partition, or all",
    ),
    (
        "get",
        "/clusters/{cluster}/{rest}",
        "Without /clusters/{cluster} each address is that of the cluster of this port",
    ),
];

pub fn document() -> Json {
    let mut paths = json!({});
    for (method, path, summary) in ADDRESSES {
        let parameters: Vec<Json> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        let mut operation = json!({
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": { "description": "Done" },
                "400": { "description": "A field is wrong: error.field, error.message" }
            }
        });
        if matches!(method, "post" | "put") {
            operation["requestBody"] = json!({ "content": { "application/json": { "schema": {} } } });
        }
        paths[path][method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Ottla's test lab", "version": env!("CARGO_PKG_VERSION") },
        "servers": [{ "url": "/lab/v1" }],
        "paths": paths
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_described_with_the_words_in_it() {
        let document = document();
        assert_eq!(
            document["paths"]["/clusters/{cluster}/faults"]["put"]["parameters"][0]["name"],
            "cluster"
        );
        let count: usize = document["paths"]
            .as_object()
            .expect("paths")
            .values()
            .map(|path| path.as_object().map_or(0, |one| one.len()))
            .sum();
        assert_eq!(count, ADDRESSES.len());
    }
}
