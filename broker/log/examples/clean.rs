//! Fills a compacted log with small keyed records and cleans it: what it takes.
//! Shell. `cargo run --release -p ottla-log --example clean -- DIR [MEGABYTES] [KEYS] [mixed]`
//!
//! With `DIR` alone, a folder that is there (`DIR/measured-0`) is cleaned as it is. With `mixed`,
//! tombstones, codecs, producers and transactions are in the log, and it is left as it is filled:
//! another cleaner may be given a copy of it.
#![allow(clippy::print_stdout, reason = "it talks to a person")]

use std::path::PathBuf;
use std::sync::Arc;

use ottla_env::Env;
use ottla_env::memory::{NoNet, ThreadTasks};
use ottla_env::real::{RealClock, RealDisk, RealRng};
use ottla_log::UnifiedLog;
use ottla_log::verification::FirstBatch;
use ottla_log::{AppendOrigin, CleanupPolicy, LogConfig, LogManager, LogManagerSettings};
use ottla_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, BatchView, Codec, EndTxnMarker};

const RECORDS_PER_BATCH: u64 = 100;
const RECORD_BYTES: u64 = 130;

fn main() {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().expect("a directory"));
    let megabytes: Option<u64> = args.next().map(|text| text.parse().expect("megabytes"));
    let keys: u64 = args.next().map_or(1_000_000, |text| text.parse().expect("a number of keys"));
    let is_mixed = args.next().is_some();
    let env = Env {
        clock: Arc::new(RealClock::new()),
        disk: Arc::new(RealDisk),
        net: Arc::new(NoNet),
        rng: Arc::new(RealRng),
        tasks: Arc::new(ThreadTasks),
    };
    let clock = env.clock.clone();
    let settings =
        LogManagerSettings { flusher_threads: 0, is_background_on: false, ..LogManagerSettings::default() };
    let (manager, _) = LogManager::open(env, vec![dir], settings).expect("the directory opens");
    let config = LogConfig {
        segment_bytes: match (megabytes, is_mixed) {
            (Some(_), true) => 1 << 20,
            (Some(_), false) => 256 << 20,
            (None, _) => 1 << 30,
        },
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 86_400_000,
        ..LogConfig::default()
    };
    let partition = TopicPartition::parse("measured-0").expect("a partition");
    let log = manager.get_or_create(&partition, TopicId::ZERO, Arc::new(config)).expect("a log");
    if is_mixed {
        fill_mixed(&log, megabytes.unwrap_or(1), keys, clock.wall_ms());
        manager.clean_shutdown();
        return;
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..megabytes.unwrap_or(0) * (1 << 20) / (RECORDS_PER_BATCH * RECORD_BYTES) {
        let now_ms = clock.wall_ms();
        let mut builder = BatchBuilder::new();
        for _ in 0..RECORDS_PER_BATCH {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let key = format!("key-{:012}", state % keys);
            builder.append(now_ms, Some(key.as_bytes()), Some(&[b'v'; 100]), &[]);
        }
        log.append(builder.build(), LeaderEpoch(0), AppendOrigin::Client, now_ms).expect("appended");
    }
    log.flush().expect("flushed");
    log.on_high_watermark(log.log_end_offset());
    let (before, records) = (log.size_bytes(), log.log_end_offset() - Offset::ZERO);
    let (begun, cpu_before) = (clock.monotonic(), cpu_seconds());
    let mut rounds = 0;
    while let Some(stats) = manager.clean(clock.wall_ms()) {
        rounds += 1;
        println!("{stats:?}");
    }
    let seconds = begun.until(clock.monotonic()).as_secs_f64();
    println!(
        "{records} records, {before} bytes -> {} bytes in {seconds:.1} s ({:.1} s CPU), {rounds} rounds, peak memory {} KiB",
        log.size_bytes(),
        cpu_seconds() - cpu_before,
        peak_kib(),
    );
    manager.clean_shutdown();
}

fn fill_mixed(log: &Arc<UnifiedLog>, megabytes: u64, keys: u64, now_ms: i64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let mut sequences = [0; 8];
    while log.size_bytes() < megabytes << 20 {
        let id = next(8) as usize;
        let codec = [Codec::None, Codec::None, Codec::Gzip(6), Codec::Snappy, Codec::Lz4(9), Codec::Zstd(3)];
        let is_transactional = id >= 4;
        for _ in 0..1 + next(3) {
            let mut builder = BatchBuilder::new().codec(codec[next(6) as usize]);
            if id > 0 {
                let producer = ProducerId(id as i64);
                builder = builder.producer(producer, ProducerEpoch(0), Sequence(sequences[id]));
            }
            if is_transactional {
                builder = builder.transactional();
            }
            for _ in 0..1 + next(30) {
                let key = format!("key-{:012}", next(keys));
                let value = vec![b'v'; next(150) as usize];
                let value = (next(10) > 0).then_some(&value[..]);
                builder.append(now_ms + next(1000) as i64, Some(key.as_bytes()), value, &[(b"h", None)]);
            }
            sequences[id] += builder.count();
            let batch = builder.build();
            let first = FirstBatch::of(BatchView::first(&batch).expect("a batch").header(), false);
            let origin = match is_transactional {
                true => AppendOrigin::verified_client(log.begin_verification(&first, now_ms)),
                false => AppendOrigin::Client,
            };
            log.append(batch, LeaderEpoch(0), origin, now_ms).expect("appended");
        }
        if is_transactional {
            let marker = EndTxnMarker { is_commit: next(2) == 0, coordinator_epoch: 0, timestamp: now_ms };
            let bytes = marker.build(ProducerId(id as i64), ProducerEpoch(0));
            log.append(bytes, LeaderEpoch(0), AppendOrigin::Coordinator, now_ms).expect("appended");
        }
    }
}

fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
