//! What an append and a look-up cost, on a disk in memory and on this machine's.
//! Shell: it looks at the clock. `cargo bench -p ottla-log`
//!
//! The log is made anew when it has taken `LOG_BYTES_MAX`, outside the time that is measured.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ottla_env::memory::{MemoryClock, MemoryDisk, NoNet, SeededRng, ThreadTasks};
use ottla_env::real::RealDisk;
use ottla_env::{Disk, Env};
use ottla_log::{AppendOrigin, LogConfig, LogManager, LogManagerSettings, ReadLimits, UnifiedLog};
use ottla_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use ottla_records::BatchBuilder;

const NOW_MS: i64 = 1_700_000_000_000;
const LOG_BYTES_MAX: usize = 512 << 20;

fn batch(record_count: usize, value_bytes: usize) -> Bytes {
    let value = vec![0x5a; value_bytes];
    let mut builder = BatchBuilder::new();
    for _ in 0..record_count {
        builder.append(NOW_MS, None, Some(&value), &[]);
    }
    builder.build()
}

/// A log in a folder of its own, which goes with it.
struct Place {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    log: Arc<UnifiedLog>,
    _manager: Arc<LogManager>,
}

impl Place {
    fn new(disk: Arc<dyn Disk>, dir: &Path) -> Place {
        let env = Env {
            clock: Arc::new(MemoryClock::new(NOW_MS)),
            disk: disk.clone(),
            net: Arc::new(NoNet),
            rng: Arc::new(SeededRng::new(1)),
            tasks: Arc::new(ThreadTasks),
        };
        let settings = LogManagerSettings {
            flusher_threads: 0,
            is_background_on: false,
            recovery_threads: 1,
            ..LogManagerSettings::default()
        };
        let (manager, _) = LogManager::open(env, vec![dir.to_owned()], settings).expect("opens");
        let partition = TopicPartition::parse("t-0").expect("a name");
        let log = manager
            .get_or_create(&partition, TopicId(uuid::Uuid::from_u128(7)), Arc::new(LogConfig::default()))
            .expect("a log");
        Place { disk, dir: dir.to_owned(), log, _manager: manager }
    }

    fn append(&self, records: Bytes) {
        self.log.append(records, LeaderEpoch(0), AppendOrigin::Client, NOW_MS).expect("stored");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.disk.remove_dir_all(&self.dir).expect("its own folder");
    }
}

type NewPlace = Box<dyn Fn() -> Place>;

fn places() -> [(&'static str, NewPlace); 2] {
    let real = std::env::temp_dir().join(format!("ottla-bench-{}", std::process::id()));
    [
        ("memory", Box::new(|| Place::new(Arc::new(MemoryDisk::new()), Path::new("/data")))),
        ("disk", Box::new(move || Place::new(Arc::new(RealDisk), &real))),
    ]
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(20);
    for (size, records) in [("64 x 1000 B", batch(64, 1000)), ("1 x 100 B", batch(1, 100))] {
        group.throughput(Throughput::Bytes(records.len() as u64));
        for (kind, new_place) in places() {
            group.bench_function(format!("{kind}/{size}"), |bencher| {
                bencher.iter_custom(|count| {
                    let mut left = count as usize;
                    let mut took = Duration::ZERO;
                    while left > 0 {
                        let place = new_place();
                        let now = left.min(LOG_BYTES_MAX / records.len());
                        let started = Instant::now();
                        for _ in 0..now {
                            place.append(records.clone());
                        }
                        took += started.elapsed();
                        left -= now;
                    }
                    took
                });
            });
        }
    }
    group.finish();
}

/// Where a fetch at any offset begins: the index, then the headers behind its entry. The last
/// positions are kept in memory, so the far past and the tail differ.
fn lookup(criterion: &mut Criterion) {
    const BATCHES: i64 = 4_000;
    let mut group = criterion.benchmark_group("look-up");
    for (kind, new_place) in places() {
        let place = new_place();
        let records = batch(16, 1000);
        for _ in 0..BATCHES {
            place.append(records.clone());
        }
        let end = place.log.log_end_offset();
        let limits = ReadLimits { max_bytes: 1 << 20, bound: end, min_one_batch: true };
        let mut offset = 0;
        group.bench_function(format!("{kind}/any offset"), |bencher| {
            bencher.iter(|| {
                offset = (offset + 7919) % end.0;
                black_box(place.log.read(Offset(offset), limits).expect("readable").bytes)
            });
        });
        let tail = end + -16;
        group.bench_function(format!("{kind}/tail"), |bencher| {
            bencher.iter(|| black_box(place.log.read(tail, limits).expect("readable").bytes));
        });
    }
    group.finish();
}

criterion_group!(benches, append, lookup);
criterion_main!(benches);
