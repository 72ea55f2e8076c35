//! What the log costs on this machine: `cargo run --release -p ottla-log --example measure DIR`.
//! Shell. Prints nanoseconds and CPU seconds per GB; remove DIR before and after. `DIR shared` looks at
//! threads that append to one log, and at nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ottla_env::memory::{NoNet, ThreadTasks};
use ottla_env::real::{RealClock, RealDisk, RealRng};
use ottla_env::{Clock, Env};
use ottla_log::{AppendOrigin, LogConfig, LogManager, LogManagerSettings, ReadLimits, UnifiedLog};
use ottla_model::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};
use ottla_records::{BatchBuilder, Codec};

fn env() -> Env {
    Env {
        clock: Arc::new(RealClock::new()),
        disk: Arc::new(RealDisk),
        net: Arc::new(NoNet),
        rng: Arc::new(RealRng),
        tasks: Arc::new(ThreadTasks),
    }
}

fn open(dir: &Path) -> Arc<LogManager> {
    let settings = LogManagerSettings { is_background_on: false, ..LogManagerSettings::default() };
    let started = Instant::now();
    let (manager, report) = LogManager::open(env(), vec![dir.to_owned()], settings).expect("opens");
    say(&format!("open: {:?}, {:?}", started.elapsed(), report.dirs[0].total));
    manager
}

#[allow(clippy::print_stdout, reason = "this program talks to a person")]
fn say(text: &str) {
    println!("{text}");
}

/// User and system seconds of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: f64 =
        fields[11].parse::<f64>().expect("a number") + fields[12].parse::<f64>().expect("a number");
    ticks / 100.0
}

fn batch(records: usize, value_bytes: usize, codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new().codec(codec);
    let now_ms = RealClock::new().wall_ms();
    for n in 0..records {
        let value: Vec<u8> = (0..value_bytes).map(|at| ((at * 31 + n * 7) % 251) as u8).collect();
        builder.append(now_ms, None, Some(&value), &[]);
    }
    builder.build()
}

fn log(manager: &LogManager, topic: &str, partition: i32) -> Arc<UnifiedLog> {
    let partition = TopicPartition::new(TopicName::new(topic), PartitionIndex(partition));
    manager.get_or_create(&partition, TopicId::METADATA, Arc::new(LogConfig::default())).expect("a log")
}

fn append_many(name: &str, logs: &[Arc<UnifiedLog>], batch: &Bytes, count: usize) {
    let now_ms = RealClock::new().wall_ms();
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for n in 0..count {
        logs[n % logs.len()]
            .append(batch.clone(), LeaderEpoch(0), AppendOrigin::Client, now_ms)
            .expect("stored");
    }
    let gigabytes = (batch.len() * count) as f64 / 1e9;
    say(&format!(
        "append {name}: {:.2} us each, {:.3} CPU s/GB, {:.0} MB/s",
        started.elapsed().as_secs_f64() * 1e6 / count as f64,
        (cpu_seconds() - cpu) / gigabytes,
        gigabytes * 1e3 / started.elapsed().as_secs_f64()
    ));
}

/// Threads that append to one log: the second waits for the first all the time.
fn append_at_once(log: &Arc<UnifiedLog>, batch: &Bytes, threads: usize, count: usize) {
    let now_ms = RealClock::new().wall_ms();
    let (started, cpu) = (Instant::now(), cpu_seconds());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..count / threads {
                    let stored = log.append(batch.clone(), LeaderEpoch(0), AppendOrigin::Client, now_ms);
                    stored.expect("stored");
                }
            });
        }
    });
    let gigabytes = (batch.len() * count) as f64 / 1e9;
    say(&format!(
        "{threads} threads append to one log: {:.3} CPU s/GB, {:.0} MB/s",
        (cpu_seconds() - cpu) / gigabytes,
        gigabytes * 1e3 / started.elapsed().as_secs_f64()
    ));
}

fn read_all(name: &str, log: &UnifiedLog, max_bytes: usize) {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let end = log.log_end_offset();
    let (mut from, mut reads, mut bytes) = (log.log_start_offset(), 0, 0);
    while from < end {
        let limits = ReadLimits { max_bytes, bound: end, min_one_batch: true };
        let slice = log.read(from, limits).expect("readable");
        from = slice.next_offset;
        bytes += slice.bytes;
        reads += 1;
    }
    say(&format!(
        "find {name} in {max_bytes} pieces: {:.2} us each, {:.4} CPU s/GB",
        started.elapsed().as_secs_f64() * 1e6 / f64::from(reads),
        (cpu_seconds() - cpu) / (bytes as f64 / 1e9)
    ));
}

fn main() {
    let dir = PathBuf::from(std::env::args().nth(1).expect("the directory to write to"));
    let manager = open(&dir);
    let large = batch(64, 1_000, Codec::None);
    if std::env::args().nth(2).as_deref() == Some("shared") {
        for threads in [1, 2, 1, 2, 1, 2] {
            append_at_once(&log(&manager, "shared", 0), &large, threads, 16_000);
        }
        return;
    }
    let logs: Vec<_> = (0..4).map(|n| log(&manager, "large", n)).collect();
    append_many("64 KiB of 1 KiB records", &logs, &large, 16_000);
    read_all("64 KiB batches", &logs[0], 1 << 20);
    let logs: Vec<_> = (0..4).map(|n| log(&manager, "middle", n)).collect();
    append_many("100 records of 100 B", &logs, &batch(100, 100, Codec::None), 40_000);
    read_all("10 KB batches", &logs[0], 1 << 20);
    append_many("100 records of 100 B, zstd", &logs, &batch(100, 100, Codec::Zstd(3)), 40_000);
    append_many("100 records of 100 B, lz4", &logs, &batch(100, 100, Codec::Lz4(9)), 40_000);
    let logs: Vec<_> = (0..4).map(|n| log(&manager, "small", n)).collect();
    append_many("1 record of 100 B", &logs, &batch(1, 100, Codec::None), 1_000_000);
    read_all("171 B batches", &logs[0], 1 << 20);
    read_all("171 B batches", &logs[0], 16 << 10);
    let started = Instant::now();
    manager.tick();
    for log in manager.logs() {
        log.flush().expect("synced");
    }
    manager.tick();
    manager.checkpoint();
    say(&format!("flush and checkpoint: {:?}", started.elapsed()));
    append_many("64 KiB, unflushed", &[log(&manager, "large", 0)], &large, 1_000);
    std::mem::forget(manager);
    // As after a kill: the lock is this process's own, so the directory is opened under its other name.
    std::fs::remove_file(dir.join(".lock")).expect("there");
    let manager = open(&dir);
    let log0 = log(&manager, "large", 0);
    read_all("cold 64 KiB batches (checked)", &log0, 1 << 20);
    read_all("the same again", &log0, 1 << 20);
    let started = Instant::now();
    let one = batch(1, 100, Codec::None);
    for n in 0..10_000 {
        log(&manager, "many", n)
            .append(one.clone(), LeaderEpoch(0), AppendOrigin::Client, RealClock::new().wall_ms())
            .expect("stored");
    }
    say(&format!("10,000 first appends: {:?}", started.elapsed()));
    let end = log0.log_end_offset();
    assert!(log0.request_flush(Offset(0)) && end > Offset(0));
    std::mem::forget(manager);
    std::fs::remove_file(dir.join(".lock")).expect("there");
    let manager = open(&dir);
    let started = Instant::now();
    manager.clean_shutdown();
    say(&format!("clean shutdown: {:?}", started.elapsed()));
    let _manager = open(&dir);
}
