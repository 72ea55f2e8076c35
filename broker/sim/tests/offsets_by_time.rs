//! Who waits while offsets are looked up by time: the request, and nothing else on its connection.
//! Shell.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ottla_env::Clock;
use ottla_network::{Admitted, Answer, Handler};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    CreateTopicsRequest, ListOffsetsRequest, ListOffsetsResponse, ProduceRequest,
};
use ottla_protocol::{ApiKey, StrBytes};
use ottla_records::BatchBuilder;
use ottla_sim::rooms::World;
use ottla_sim::wire::{self, TurnTasks};

const VERSION: i16 = 9;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

/// A topic with three records, a second apart.
fn written() -> (World, i64) {
    let world = World::with_tasks(1, Arc::new(TurnTasks::default()), true);
    let topic = CreatableTopic::default()
        .with_name(StrBytes::from_static_str("t").into())
        .with_num_partitions(1)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    world.ask(world.rooms().metadata.create_topics(request)).expect("a healthy disk");
    let first_ms = world.clock.wall_ms();
    for second in 0..3 {
        let mut batch = BatchBuilder::new();
        batch.append(first_ms + second * 1_000, None, Some(b"value"), &[]);
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.build()));
        let topic = TopicProduceData::default()
            .with_name(StrBytes::from_static_str("t").into())
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(1).with_topic_data(vec![topic]);
        let admitted =
            world.rooms().dispatch.admit(&wire::info(0), wire::frame(ApiKey::Produce, 12, &request));
        assert!(matches!(admitted, Admitted::Ready(_)), "acks=1 waits for nothing");
    }
    (world, first_ms)
}

fn admitted(world: &World, timestamps: &[i64]) -> Admitted {
    let partitions = timestamps
        .iter()
        .enumerate()
        .map(|(index, timestamp)| ListOffsetsPartition {
            partition_index: index as i32,
            timestamp: *timestamp,
            current_leader_epoch: -1,
            ..ListOffsetsPartition::default()
        })
        .collect();
    let name = StrBytes::from_static_str("t");
    let topic = ListOffsetsTopic { name, partitions, ..ListOffsetsTopic::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    world.rooms().dispatch.admit(&wire::info(0), wire::frame(ApiKey::ListOffsets, VERSION, &request))
}

/// Error, offset and time of each partition.
fn found(answer: &Answer) -> Vec<(i16, i64, i64)> {
    let Answer::Respond(response) = answer else { panic!("a request with an answer") };
    let response: ListOffsetsResponse = wire::decoded(ApiKey::ListOffsets, VERSION, wire::bytes_of(response));
    let partitions = response.topics[0].partitions.iter();
    partitions.map(|one| (one.error_code, one.offset, one.timestamp)).collect()
}

#[test]
fn what_is_in_memory_is_answered_at_once_and_what_is_in_files_is_read_aside() {
    let (world, first_ms) = written();
    while world.rooms().logs.flush_next() {}
    for (timestamp, offset) in [(LATEST, 3), (EARLIEST, 0)] {
        let Admitted::Ready(answer) = admitted(&world, &[timestamp]) else { panic!("{timestamp} waits") };
        assert_eq!(found(&answer), [(0, offset, -1)]);
    }
    assert!(!world.rooms().logs.flush_next(), "nobody has left work to another thread");
    // One such partition is enough, and one that is not there is answered beside it.
    let requests = [
        (vec![first_ms + 1], vec![(0, 1, first_ms + 1_000)]),
        (vec![MAX_TIMESTAMP], vec![(0, 2, first_ms + 2_000)]),
        (vec![first_ms + 2_001, LATEST], vec![(0, -1, -1), (3, -1, -1)]),
    ];
    let mut waiting = Vec::new();
    for (timestamps, expected) in requests {
        let Admitted::Parked(answer) = admitted(&world, &timestamps) else {
            panic!("{timestamps:?} is looked up on the connection's task")
        };
        waiting.push((answer, expected));
    }
    let mut context = Context::from_waker(Waker::noop());
    for (answer, _) in &mut waiting {
        assert!(answer.as_mut().poll(&mut context).is_pending());
    }
    // In their order, one at a turn: of the threads that sync no more than one reads.
    for (mut answer, expected) in waiting {
        assert!(world.rooms().logs.flush_next());
        let Poll::Ready(answer) = answer.as_mut().poll(&mut context) else { panic!("it was read") };
        assert_eq!(found(&answer), expected);
    }
    assert!(!world.rooms().logs.flush_next());
}

#[test]
fn a_client_that_is_gone_holds_up_nobody() {
    let (world, first_ms) = written();
    while world.rooms().logs.flush_next() {}
    drop(admitted(&world, &[first_ms]));
    let Admitted::Parked(mut next) = admitted(&world, &[first_ms]) else { panic!("it is read aside") };
    assert!(world.rooms().logs.flush_next() && world.rooms().logs.flush_next());
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(answer) = next.as_mut().poll(&mut context) else { panic!("it was read") };
    assert_eq!(found(&answer), [(0, 0, first_ms)]);
}
