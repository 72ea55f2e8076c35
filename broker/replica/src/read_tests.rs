//! Reads of consumers that may come to followers (KIP-392).
//! Core.

use ottla_env::Clock;
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset};

use crate::acknowledge::{Acks, Durability};
use crate::read::{FetchIsolation, FollowerState, ReadRequest, Reader, read};
use crate::test_world::{Assigned, B, C, ME, NOW, World, append, fetched, fetched_from};

#[test]
fn a_follower_serves_consumers_up_to_what_it_knows_to_be_committed() {
    let world = World::new();
    let partition = world.alone(Durability::Os);
    for count in [3, 2] {
        append(&partition, count, Acks::Leader).expect("led here");
    }
    drop(partition);
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(B, 1, &[ME, B]));
    let nothing = bytes::Bytes::new();
    partition.append_fetched(LeaderEpoch(1), Offset(5), nothing, Offset(3), NOW).expect("it follows");
    let fetch = |offset: i64, epoch: i32, reader: Reader| {
        let request = ReadRequest {
            partition: partition.clone(),
            fetch_offset: offset,
            current_leader_epoch: epoch,
            last_fetched_epoch: -1,
            partition_max_bytes: 1 << 20,
            follower: FollowerState::UNSAID,
        };
        let found = read(&[request], reader, 1 << 20).pop().expect("an answer");
        (found.error, found.high_watermark, found.data.map_or(0, |slice| slice.next_offset.0))
    };
    let near = Reader::RackConsumer(FetchIsolation::ReadUncommitted);
    assert_eq!(fetch(0, 1, near), (ErrorCode::None, 3, 3));
    assert_eq!(fetch(0, -1, Reader::RackConsumer(FetchIsolation::ReadCommitted)), (ErrorCode::None, 3, 3));
    assert_eq!(fetch(3, -1, near), (ErrorCode::None, 3, 0), "not committed yet, as far as it knows");
    assert_eq!(fetch(6, -1, near).0, ErrorCode::OffsetNotAvailable, "the leader may have it");
    assert_eq!(fetch(-1, -1, near).0, ErrorCode::OffsetOutOfRange);
    assert_eq!(fetch(0, 0, near).0, ErrorCode::FencedLeaderEpoch);
    assert_eq!(fetch(0, 2, near).0, ErrorCode::UnknownLeaderEpoch);
    let plain = Reader::Consumer(FetchIsolation::ReadUncommitted);
    assert_eq!(fetch(0, -1, plain).0, ErrorCode::NotLeaderOrFollower, "it can't be sent to followers");
}

#[test]
fn a_leader_names_the_replica_in_sync_that_is_in_the_consumers_rack_and_has_what_it_asks_for() {
    let world = World::new();
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(ME, 1, &[ME, B, C]));
    append(&partition, 5, Acks::Leader).expect("stored");
    let now = world.clock.monotonic();
    let rack_of = |id: BrokerId| Some(if id == B { "b" } else { "c" });
    let named = |rack: &str, offset: i64| {
        let led = partition.led(-1).expect("led here");
        led.read_replica(rack, Some("a"), Offset(offset), now, rack_of)
    };
    assert_eq!(named("b", 0), None, "nothing is known of it yet");
    for (id, end) in [(B, 5), (C, 2)] {
        fetched(&partition, id, end);
    }
    assert_eq!(named("b", 0), None, "it has not said where its log starts");
    for (id, end) in [(B, 5), (C, 2)] {
        fetched_from(&partition, id, 0, end);
    }
    assert_eq!((named("b", 5), named("c", 2), named("c", 3)), (Some(B), Some(C), None));
    assert_eq!((named("a", 0), named("d", 0)), (None, None));
    Assigned::led_by(ME, 1, &[ME, B, C]).with_isr(&[ME, C]).reach(&partition);
    assert_eq!(named("b", 5), None, "it is out of sync");
}
