//! What must hold when the disturbances are over: every acknowledged record once and in order, and equal copies.
//! Shell: sockets and files.

use std::path::{Path, PathBuf};

use crate::cluster::load::value;
use crate::cluster::nodes::{PATIENCE, map_of_any};
use crate::crash::batch;
use crate::failure::{Outcome, fail};
use crate::requests::NO_ERROR;
use crate::wire::Connection;

/// Reads every partition from its leader.
pub fn records(addresses: &[String], topic: &str, acknowledged: &[u64]) -> Outcome<()> {
    let map = map_of_any(addresses, topic)?;
    for (partition, promised) in acknowledged.iter().enumerate() {
        let Some(address) = map.leader_address(partition) else {
            return fail(format!("partition {partition} has no leader"));
        };
        let mut open = Connection::open(address, PATIENCE)?;
        let number = i32::try_from(partition).unwrap_or(-1);
        let mut next = 0_u64;
        while next < *promised {
            let from = i64::try_from(next).unwrap_or(i64::MAX);
            let answer = open.fetch(topic, number, from)?;
            if answer.error_code != NO_ERROR {
                return fail(format!(
                    "partition {partition}: reading from {from} is error {}",
                    answer.error_code
                ));
            }
            let served = batch::read(&answer.bytes, from)?;
            if served.is_empty() {
                return fail(format!(
                    "partition {partition}: {promised} records were acknowledged, and nothing is served from {from} on"
                ));
            }
            for record in served {
                check(partition, next, record.offset, &record.value)?;
                next += 1;
            }
        }
        if next != *promised {
            return fail(format!(
                "partition {partition}: {promised} records were acknowledged, {next} are there"
            ));
        }
    }
    Ok(())
}

/// The offset is the serial number: each record was written once, one after the other.
fn check(partition: usize, serial: u64, offset: i64, stored: &[u8]) -> Outcome<()> {
    if u64::try_from(offset) == Ok(serial) && stored == value(partition, serial) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&stored[..stored.len().min(30)]).into_owned();
    fail(format!("partition {partition}, offset {offset}: {text}, and record {serial} was due"))
}

/// All copies of a partition are the same bytes; for nodes that have stopped.
pub fn copies(log_dirs: &[PathBuf], topic: &str, partitions: usize) -> Outcome<u64> {
    let mut total = 0;
    for partition in 0..partitions {
        let name = format!("{topic}-{partition}");
        let copies =
            log_dirs.iter().map(|dir| log_bytes(&dir.join(&name))).collect::<Outcome<Vec<Vec<u8>>>>()?;
        for (place, copy) in copies.iter().enumerate().skip(1) {
            if *copy != copies[0] {
                let at = copy.iter().zip(&copies[0]).take_while(|(one, other)| one == other).count();
                return fail(format!(
                    "{name}: the copies of node 1 ({} bytes) and node {} ({} bytes) differ from byte {at} on",
                    copies[0].len(),
                    place + 1,
                    copy.len()
                ));
            }
        }
        total += copies[0].len() as u64;
    }
    Ok(total)
}

/// The segments of a partition, one after the other.
fn log_bytes(folder: &Path) -> Outcome<Vec<u8>> {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.sort();
    let mut bytes = Vec::new();
    for segment in segments {
        bytes.extend(std::fs::read(segment)?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_missing_or_comes_twice_is_told() {
        assert_eq!(check(2, 7, 7, &value(2, 7)), Ok(()));
        assert!(check(2, 7, 7, &value(2, 6)).is_err());
        assert!(check(2, 7, 8, &value(2, 7)).is_err());
        assert!(check(1, 7, 7, &value(2, 7)).is_err());
    }
}
