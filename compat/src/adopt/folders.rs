//! Partition folders that change their owner: topics are made in a fresh Kafka, and the folders put in their place.
//! Shell: files, one connection.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::adopt::state::Facts;
use crate::failure::{Outcome, While, fail};
use crate::wire::Connection;

const PATIENCE: Duration = Duration::from_secs(30);
const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// Who the topic is stays what the new owner says.
const PARTITION_METADATA: &str = "partition.metadata";

/// The same topics with the same partitions and settings, internal ones too.
pub(super) fn create_topics(bootstrap: &str, facts: &Facts) -> Outcome<()> {
    let mut connection = Connection::open(bootstrap, PATIENCE)?;
    facts.topics().into_iter().try_for_each(|(topic, partition_count)| {
        connection.create_topic(topic, partition_count, &facts.topic_configs(topic))
    })
}

/// Puts the files of every partition's folder where the other broker has its own.
pub(super) fn put(from: &Path, to: &Path, facts: &Facts) -> Outcome<()> {
    for (topic, partition_count) in facts.topics() {
        for partition in 0..partition_count {
            let name = format!("{topic}-{partition}");
            // A partition without records has no folder here.
            if from.join(&name).is_dir() {
                put_folder(&from.join(&name), &to.join(&name))
                    .while_doing(|| format!("putting the folder {name}"))?;
            }
        }
    }
    add_log_starts(&from.join(LOG_STARTS), &to.join(LOG_STARTS))
}

fn put_folder(from: &Path, to: &Path) -> Outcome<()> {
    if !to.is_dir() {
        return fail(format!("{} is not there", to.display()));
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if entry.file_name() != PARTITION_METADATA {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != PARTITION_METADATA {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Where deleted records end is told beside the folders.
fn add_log_starts(from: &Path, to: &Path) -> Outcome<()> {
    let lines = |path: &Path| -> Vec<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .skip(2)
            .filter(|line| !line.starts_with("__cluster_metadata "))
            .map(str::to_owned)
            .collect()
    };
    let all: BTreeSet<String> = lines(from).into_iter().chain(lines(to)).collect();
    let text: String = all.iter().map(|line| format!("{line}\n")).collect();
    Ok(fs::write(to, format!("0\n{}\n{text}", all.len()))?)
}
