//! Whether log directories are described on a thread that may wait for the disk.
//! Shell.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ottla_network::{Admitted, Answer, Handler};
use ottla_protocol::ApiKey;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::{CreateTopicsRequest, DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_sim::rooms::{World, wire as text};
use ottla_sim::wire::{self, TurnTasks};

const VERSION: i16 = 5;

#[test]
fn a_file_system_is_asked_for_its_room_aside() {
    let world = World::with_tasks(1, Arc::new(TurnTasks::default()), true);
    let topic = CreatableTopic::default()
        .with_name(text("t").into())
        .with_num_partitions(2)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    world.ask(world.rooms().metadata.create_topics(request)).expect("a healthy disk");
    while world.rooms().logs.flush_next() {}
    let request = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
    let frame = wire::frame(ApiKey::DescribeLogDirs, VERSION, &request);
    let Admitted::Parked(mut answer) = world.rooms().dispatch.admit(&wire::info(0), frame) else {
        panic!("the connection's task asks the file system")
    };
    let mut context = Context::from_waker(Waker::noop());
    assert!(answer.as_mut().poll(&mut context).is_pending());
    assert!(world.rooms().logs.flush_next());
    let Poll::Ready(Answer::Respond(response)) = answer.as_mut().poll(&mut context) else {
        panic!("it was asked")
    };
    let told: DescribeLogDirsResponse =
        wire::decoded(ApiKey::DescribeLogDirs, VERSION, wire::bytes_of(&response));
    let partitions: usize = told.results[0].topics.iter().map(|topic| topic.partitions.len()).sum();
    assert_eq!((told.results.len(), told.results[0].error_code, partitions), (1, 0, 2));
    assert!(!world.rooms().logs.flush_next());
}
