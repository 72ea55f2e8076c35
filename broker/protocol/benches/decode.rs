//! What it costs to make a message of a frame: header, guard, decoder.
//! Shell: it looks at the clock. `cargo bench -p ottla-protocol`

use std::hint::black_box;

use bytes::{BufMut, Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{FetchRequest, MetadataRequest, ProduceRequest, TopicName};
use ottla_protocol::{ApiKey, Decode, Encode, RequestHeader, StrBytes, decode_request};

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn produce(batch_bytes: usize) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(Bytes::from(vec![0x5a; batch_bytes])));
    let topic = TopicProduceData::default().with_name(topic()).with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

fn fetch(partition_count: i32) -> FetchRequest {
    let partitions = (0..partition_count)
        .map(|index| FetchPartition::default().with_partition(index).with_partition_max_bytes(1 << 20))
        .collect();
    let topic = FetchTopic::default().with_topic(topic()).with_partitions(partitions);
    FetchRequest::default().with_max_bytes(50 << 20).with_topics(vec![topic])
}

fn metadata() -> MetadataRequest {
    MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic()))]))
}

/// A frame without its length, with the request header that `version` has.
fn frame(key: ApiKey, version: i16, header_version: i16, request: &impl Encode) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(key.to_i16());
    frame.put_i16(version);
    frame.put_i32(7);
    frame.put_i16(5);
    frame.put_slice(b"bench");
    if header_version >= 2 {
        frame.put_u8(0);
    }
    request.encode(&mut frame, version).expect("encodes");
    frame.freeze()
}

fn bench<T: Decode>(criterion: &mut Criterion, name: &str, key: ApiKey, version: i16, frame: &Bytes) {
    let decode = |frame: &Bytes| {
        let mut body = frame.clone();
        let header = RequestHeader::decode(&mut body).expect("a header");
        assert_eq!(header.api_version, version);
        decode_request::<T>(key, version, body).expect("a request")
    };
    drop(decode(frame));
    criterion.bench_function(&format!("decode/{name}"), |bencher| bencher.iter(|| decode(black_box(frame))));
}

fn frames(criterion: &mut Criterion) {
    for (name, bytes) in [("produce 64 KiB", 64 << 10), ("produce 170 B", 170)] {
        let frame = frame(ApiKey::Produce, 9, 2, &produce(bytes));
        bench::<ProduceRequest>(criterion, name, ApiKey::Produce, 9, &frame);
    }
    for count in [1, 100] {
        let frame = frame(ApiKey::Fetch, 12, 2, &fetch(count));
        bench::<FetchRequest>(criterion, &format!("fetch {count}"), ApiKey::Fetch, 12, &frame);
    }
    let frame = frame(ApiKey::Metadata, 12, 2, &metadata());
    bench::<MetadataRequest>(criterion, "metadata 1", ApiKey::Metadata, 12, &frame);
}

criterion_group!(benches, frames);
criterion_main!(benches);
