//! A log of small keyed records, until the broker has cleaned it of all that was overwritten.
//! Shell: starts brokers, reads files and the clock.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::frames::{self, Frame};
use super::gauge::{cpu_seconds, memory_mib};
use super::load::pump;
use super::scene::{PATIENCE, Rows, Scale, start};
use super::table::{Figure, Measured};
use crate::broker::Against;
use crate::failure::{Failure, Outcome, While, fail};
use crate::wire::{Body, Connection};

const TOPIC: &str = "cleaned";
const BYTES: usize = 10_000_000_000;
const KEYS: usize = 1_000_000;
const RECORDS_A_BATCH: usize = 1_000;
/// With its key and the few bytes around both, a record of about 100 bytes.
const VALUE_BYTES: usize = 80;
const CLEANED_LIMIT: Duration = Duration::from_secs(900);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Time, processor and memory from the moment at which the whole log may be cleaned to the moment at which it is.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn run(against: Against, scale: &Scale) -> Outcome<Rows> {
    let broker = start(against, &["log.cleaner.backoff.ms=100"])?;
    let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
    let segment_bytes = scale.part(64 << 20).max(1 << 20).to_string();
    let configs = [
        ("segment.bytes", segment_bytes.as_str()),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("retention.ms", "-1"),
    ];
    connection.create_topic(TOPIC, 1, &configs)?;
    connection.list_offset(TOPIC, 0, -1)?;
    let (keys, records) = (scale.part(KEYS), RECORDS_A_BATCH.min(scale.part(KEYS)));
    let requests: Vec<Frame> = (0..keys / records)
        .map(|index| {
            frames::produce(TOPIC, 0, 1, &frames::keyed_batch(index * records, records, VALUE_BYTES))
        })
        .collect();
    let count = (scale.part(BYTES) / requests[0].bytes.len()).max(requests.len());
    pump(broker.bootstrap(), &requests, count)?;
    let log = broker.log_dir().join(format!("{TOPIC}-0"));
    let (bytes, active) = (log_bytes(&log)?, newest_segment(&log)?);
    let (start, cpu_before) = (Instant::now(), cpu_seconds(broker.pid())?);
    compact(&mut connection)?;
    let deadline = start + CLEANED_LIMIT;
    while cleaned_to(broker.log_dir())? < active {
        if Instant::now() >= deadline {
            return fail(format!("the log was not cleaned within {CLEANED_LIMIT:?}"));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds(broker.pid())? - cpu_before);
    let measured = Measured::default()
        .with(Figure::MegabytesPerSecond, bytes as f64 / 1e6 / seconds)
        .with(Figure::CpuSecondsPerGb, cpu / (bytes as f64 / 1e9))
        .with(Figure::TimeMs, seconds * 1e3)
        .with(Figure::CpuSeconds, cpu)
        .with(Figure::MemoryMib, memory_mib(broker.pid(), "VmHWM")?);
    Ok(vec![("log-cleaner", measured)])
}

/// IncrementalAlterConfigs v0: from now on the topic is compacted.
fn compact(connection: &mut Connection) -> Outcome<()> {
    const TOPIC_RESOURCE: i8 = 2;
    const SET: i8 = 0;
    let body = Body::default().i32(1).i8(TOPIC_RESOURCE).string(TOPIC);
    let body = body.i32(1).string("cleanup.policy").i8(SET).string("compact").i8(0);
    let answer = connection.ask(44, 0, body)?;
    // Behind the throttle time and the count of the answers.
    match answer.get(8..10) {
        Some([0, 0]) => Ok(()),
        code => fail(format!("IncrementalAlterConfigs answered error {code:?}")),
    }
}

fn segments(log: &Path) -> Outcome<Vec<(i64, u64)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(log).while_doing(|| format!("listing {}", log.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(base_offset) = name.strip_suffix(".log").and_then(|offset| offset.parse().ok()) {
            segments.push((base_offset, entry.metadata()?.len()));
        }
    }
    Ok(segments)
}

fn log_bytes(log: &Path) -> Outcome<u64> {
    Ok(segments(log)?.into_iter().map(|(_, bytes)| bytes).sum())
}

fn newest_segment(log: &Path) -> Outcome<i64> {
    let newest = segments(log)?.into_iter().map(|(base_offset, _)| base_offset).max();
    newest.ok_or_else(|| Failure(format!("no segments in {}", log.display())))
}

/// The first offset that is not clean, as both brokers write it down after each pass.
fn cleaned_to(log_dir: &Path) -> Outcome<i64> {
    let text = fs::read_to_string(log_dir.join("cleaner-offset-checkpoint")).unwrap_or_default();
    Ok(checkpoint(&text).unwrap_or(0))
}

fn checkpoint(text: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(TOPIC)?.strip_prefix(" 0 "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::checkpoint;

    #[test]
    fn the_checkpoint_of_the_topic_is_found_among_others() {
        assert_eq!(checkpoint("0\n2\nother 0 17\ncleaned 0 4711\n"), Some(4711));
        assert_eq!(checkpoint("0\n1\ncleaned 1 4711\n"), None);
    }
}
