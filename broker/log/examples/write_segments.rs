//! Writes a partition's folder with every codec, a transaction and several epochs, for Kafka's dump tool.
//! Shell: `cargo run -p ottla-log --example write_segments DIR`.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_env::memory::{NoNet, ThreadTasks};
use ottla_env::real::{RealClock, RealDisk, RealRng};
use ottla_env::{Clock, Env};
use ottla_log::verification::FirstBatch;
use ottla_log::{AppendOrigin, LogConfig, LogManager, LogManagerSettings};
use ottla_model::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, TopicId, TopicPartition};
use ottla_records::{BatchBuilder, BatchView, Codec, EndTxnMarker};

fn main() {
    let dir = PathBuf::from(std::env::args().nth(1).expect("the directory to write to"));
    let clock = Arc::new(RealClock::new());
    let env = Env {
        clock: clock.clone(),
        disk: Arc::new(RealDisk),
        net: Arc::new(NoNet),
        rng: Arc::new(RealRng),
        tasks: Arc::new(ThreadTasks),
    };
    let settings =
        LogManagerSettings { flusher_threads: 0, is_background_on: false, ..LogManagerSettings::default() };
    let (manager, _report) = LogManager::open(env, vec![dir], settings).expect("opens");
    let partition = TopicPartition::parse("sample-0").expect("a partition");
    let id = TopicId::from_random(|| [7; 16]);
    let config = LogConfig { segment_bytes: 8_000, index_interval_bytes: 500, ..LogConfig::default() };
    let log = manager.get_or_create(&partition, id, Arc::new(config)).expect("a log");
    let now_ms = clock.wall_ms();
    let codecs = [Codec::None, Codec::Gzip(6), Codec::Snappy, Codec::Lz4(9), Codec::Zstd(3)];
    for n in 0..100i32 {
        let mut builder = BatchBuilder::new().codec(codecs[n as usize % 5]).producer(
            ProducerId(42),
            ProducerEpoch(0),
            Sequence(n * 3),
        );
        for m in 0..3 {
            let value = format!("value {n} {m} {}", "-".repeat(100));
            builder.append(
                now_ms + i64::from(n),
                Some(b"key"),
                Some(value.as_bytes()),
                &[(b"h", Some(b"v")), (b"n", None)],
            );
        }
        log.append(builder.build(), LeaderEpoch(n / 40), AppendOrigin::Client, now_ms).expect("stored");
    }
    let mut builder =
        BatchBuilder::new().transactional().producer(ProducerId(43), ProducerEpoch(1), Sequence(0));
    builder.append(now_ms, None, Some(b"in a transaction"), &[]);
    let batch = builder.build();
    let first = FirstBatch::of(BatchView::first(&batch).expect("a batch").header(), false);
    let origin = AppendOrigin::verified_client(log.begin_verification(&first, now_ms));
    log.append(batch, LeaderEpoch(2), origin, now_ms).expect("stored");
    let marker = EndTxnMarker { is_commit: false, coordinator_epoch: 3, timestamp: now_ms };
    let marker = marker.build(ProducerId(43), ProducerEpoch(1));
    log.append(marker, LeaderEpoch(2), AppendOrigin::Coordinator, now_ms).expect("stored");
    manager.clean_shutdown();
}
