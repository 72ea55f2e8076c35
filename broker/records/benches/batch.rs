//! What one pass over a batch costs: the view, the checksum (two crates of it), the leader's checks.
//! Shell: it looks at the clock. `cargo bench -p ottla-records`

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ottla_records::{BatchBuilder, BatchView, TimestampType, ValidationRules, batches, validate_batch};

const NOW_MS: i64 = 1_700_000_000_000;

fn batch(record_count: usize, value_bytes: usize) -> Bytes {
    let value = vec![0x5a; value_bytes];
    let mut builder = BatchBuilder::new();
    for _ in 0..record_count {
        builder.append(NOW_MS, None, Some(&value), &[]);
    }
    builder.build()
}

fn rules() -> ValidationRules {
    ValidationRules {
        from_client: true,
        max_message_bytes: 1 << 20,
        is_compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        compression: None,
    }
}

fn checksums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    for bytes in [40, 128, 1 << 10, 16 << 10, 64 << 10, 1 << 20] {
        let data: Vec<u8> = (0..bytes).map(|n| (n * 31 + n / 256) as u8).collect();
        assert_eq!(crc_fast::crc32_iscsi(&data), crc32c::crc32c(&data), "the crates agree");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::new("crc-fast", bytes), &data, |bencher, data| {
            bencher.iter(|| crc_fast::crc32_iscsi(black_box(data)));
        });
        group.bench_with_input(BenchmarkId::new("crc32c", bytes), &data, |bencher, data| {
            bencher.iter(|| crc32c::crc32c(black_box(data)));
        });
    }
    group.finish();
}

fn views(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    for (name, count, value_bytes) in
        [("64 x 1000 B", 64, 1000), ("600 x 100 B", 600, 100), ("1 x 100 B", 1, 100)]
    {
        let bytes = batch(count, value_bytes);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("view", name), |bencher| {
            bencher.iter(|| batches(black_box(&bytes)).filter(Result::is_ok).count());
        });
        let view = BatchView::first(&bytes).expect("a batch");
        group.bench_function(BenchmarkId::new("verify checksum", name), |bencher| {
            bencher.iter(|| black_box(&view).verify_checksum().is_ok());
        });
        group.bench_function(BenchmarkId::new("validate", name), |bencher| {
            bencher.iter(|| validate_batch(black_box(&view), &rules(), NOW_MS, &"t-0").is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, checksums, views);
criterion_main!(benches);
