//! Writes which versions each release of Apache Kafka advertises on a broker's listeners, one column a release.
//! Core: definitions in, a table of text out.

use std::collections::BTreeMap;

use crate::jars::Release;
use crate::schema::Message;
use crate::versions;

/// From this release on a broker is one of a quorum of controllers (KIP-833); before it, one of ZooKeeper's.
const FIRST_OF_KRAFT: Release = (3, 3);

/// `releases` by their names, as `3.7`, oldest first.
pub fn emit(releases: &[(Release, Vec<Message>)]) -> String {
    let mut rows: BTreeMap<i16, (String, Vec<String>)> = BTreeMap::new();
    for (at, (release, messages)) in releases.iter().enumerate() {
        let listener = if *release < FIRST_OF_KRAFT { "zkBroker" } else { "broker" };
        for message in messages.iter().filter(|message| message.kind == "request") {
            let (Some(key), Some(range)) = (message.api_key, versions::advertised(message, listener)) else {
                continue;
            };
            let row =
                rows.entry(key).or_insert_with(|| (String::new(), vec!["-".to_owned(); releases.len()]));
            // Some were named anew (KIP-1142).
            versions::name(message).clone_into(&mut row.0);
            row.1[at] = format!("{}-{}", range.low, range.high);
        }
    }
    let names = releases.iter().map(|((major, minor), _)| format!("{major}.{minor}")).collect();
    let mut lines = vec![("api".to_owned(), names)];
    lines.extend(rows.into_values());
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, cells): &(String, Vec<String>)| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:>5}")).collect();
        format!("{name:width$}{cells}\n")
    };
    lines.iter().map(line).collect()
}
