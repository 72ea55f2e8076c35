//! What a producer that waits for all replicas is answered, and when, on a disk that syncs when it is told.
//! Shell.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ottla_env::{BoxFuture, Clock};
use ottla_model::ErrorCode;
use ottla_network::{Admitted, Answer, Handler};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::PartitionProduceResponse;
use ottla_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, ProduceRequest, ProduceResponse};
use ottla_protocol::{ApiKey, StrBytes};
use ottla_records::BatchBuilder;
use ottla_sim::rooms::{World, wire as text};
use ottla_sim::wire::{self, TurnTasks};

const TOPIC: &str = "t";
const VERSION: i16 = 12;

struct Lab {
    world: World,
}

/// A produce that was admitted.
enum Produced {
    Answered(PartitionProduceResponse),
    Waiting(BoxFuture<'static, Answer>),
}

impl Lab {
    fn new() -> Lab {
        let world = World::with_tasks(1, Arc::new(TurnTasks::default()), true);
        let topic = CreatableTopic::default()
            .with_name(text(TOPIC).into())
            .with_num_partitions(1)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let made = world.ask(world.rooms().metadata.create_topics(request)).expect("a healthy disk");
        assert_eq!(made.topics[0].error_code, 0);
        Lab { world }
    }

    fn produce(&self, acks: i16, timeout_ms: i32) -> Produced {
        let mut batch = BatchBuilder::new();
        batch.append(self.world.clock.wall_ms(), None, Some(b"value"), &[]);
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.build()));
        let topic = TopicProduceData::default().with_name(text(TOPIC).into()).with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(acks)
            .with_timeout_ms(timeout_ms)
            .with_topic_data(vec![topic]);
        let handler: &dyn Handler = &self.world.rooms().dispatch;
        match handler.admit(&wire::info(0), wire::frame(ApiKey::Produce, VERSION, &request)) {
            Admitted::Ready(answer) => Produced::Answered(partition_of(&answer)),
            Admitted::Parked(answer) => Produced::Waiting(answer),
            Admitted::Exclusive(_) | Admitted::ExclusiveAfterEarlier(_) => panic!("Produce holds nothing up"),
        }
    }

    fn sync(&self) {
        while self.world.rooms().logs.flush_next() {}
    }

    fn delete_topic(&self) {
        let names = vec![StrBytes::from_static_str(TOPIC).into()];
        let request = DeleteTopicsRequest::default().with_topic_names(names);
        self.world.ask(self.world.rooms().metadata.delete_topics(request)).expect("deleted");
    }
}

impl Produced {
    /// The answer, if it is there by now.
    fn look(&mut self) -> Option<(ErrorCode, i64)> {
        let answer = match self {
            Produced::Answered(answer) => answer.clone(),
            Produced::Waiting(answer) => {
                match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(answer) => partition_of(&answer),
                    Poll::Pending => return None,
                }
            }
        };
        let error = [ErrorCode::None, ErrorCode::RequestTimedOut, ErrorCode::UnknownTopicOrPartition]
            .into_iter()
            .find(|error| error.code() == answer.error_code);
        Some((error.unwrap_or_else(|| panic!("code {}", answer.error_code)), answer.base_offset))
    }
}

fn partition_of(answer: &Answer) -> PartitionProduceResponse {
    let Answer::Respond(response) = answer else { panic!("a produce that wants an answer") };
    let response: ProduceResponse = wire::decoded(ApiKey::Produce, VERSION, wire::bytes_of(response));
    response.responses[0].partition_responses[0].clone()
}

#[test]
fn a_produce_waits_for_the_disk_until_its_timeout_and_no_longer() {
    let lab = Lab::new();
    let mut produced = lab.produce(-1, 30_000);
    assert_eq!(produced.look(), None);
    lab.world.clock.advance(Duration::from_millis(29_999));
    assert_eq!(produced.look(), None);
    lab.world.clock.advance(Duration::from_millis(1));
    assert_eq!(
        produced.look(),
        Some((ErrorCode::RequestTimedOut, 0)),
        "the record has its offset all the same"
    );
    lab.sync();
    let mut again = lab.produce(-1, 30_000);
    assert_eq!(again.look(), None);
    lab.sync();
    assert_eq!(again.look(), Some((ErrorCode::None, 1)));
}

#[test]
fn a_timeout_that_is_shorter_than_a_disk_leaves_the_disk_its_time() {
    let lab = Lab::new();
    let mut offset = 0;
    for timeout_ms in [0, -1, i32::MIN, 99] {
        let mut synced = lab.produce(-1, timeout_ms);
        assert_eq!(synced.look(), None);
        lab.world.clock.advance(Duration::from_millis(99));
        assert_eq!(synced.look(), None);
        lab.sync();
        assert_eq!(synced.look(), Some((ErrorCode::None, offset)), "timeout {timeout_ms}");
        let mut stalled = lab.produce(-1, timeout_ms);
        assert_eq!(stalled.look(), None);
        lab.world.clock.advance(Duration::from_millis(100));
        assert_eq!(stalled.look(), Some((ErrorCode::RequestTimedOut, offset + 1)), "timeout {timeout_ms}");
        lab.sync();
        offset += 2;
    }
}

#[test]
fn a_produce_that_wants_the_leader_alone_waits_for_nothing() {
    let lab = Lab::new();
    assert_eq!(lab.produce(1, 0).look(), Some((ErrorCode::None, 0)));
}

#[test]
fn a_deletion_answers_what_waits() {
    let lab = Lab::new();
    let mut produced = lab.produce(-1, 30_000);
    assert_eq!(produced.look(), None);
    lab.delete_topic();
    assert_eq!(produced.look(), Some((ErrorCode::UnknownTopicOrPartition, 0)));
}
