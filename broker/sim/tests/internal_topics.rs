//! The coordinators' own topics are cleaned, and what a start reads of them is what it read before.
//! Shell.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ottla_coordinator::transaction::{Ending, PartitionSet, TransactionVersion};
use ottla_env::Clock;
use ottla_env::memory::SeededRng;
use ottla_log::{LogConfig, UnifiedLog};
use ottla_model::{PartitionIndex, ProducerEpoch, ProducerId, TopicName, TopicPartition};
use ottla_network::{Admitted, Answer, Handler};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use ottla_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use ottla_protocol::messages::{
    CreateTopicsRequest, EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse,
    OffsetFetchRequest, OffsetFetchResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use ottla_protocol::{ApiKey, Decode, Encode};
use ottla_sim::rooms::{End, World, wire as text};
use ottla_sim::wire::{self, TurnTasks};

const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
const TOPIC: &str = "t";
const OPEN: &str = "open";
const ROUNDS: i64 = 150;

struct Lab {
    world: World,
    tasks: TurnTasks,
    rng: SeededRng,
}

impl Lab {
    fn new() -> Lab {
        let tasks = TurnTasks::default();
        let world = World::with_tasks(1, Arc::new(tasks.clone()), true);
        let rooms = world.rooms();
        world.ask(rooms.groups.ensure_topic()).expect("a healthy disk");
        world.ask(rooms.transactions.ensure_topic()).expect("a healthy disk");
        let topic = CreatableTopic::default()
            .with_name(text(TOPIC).into())
            .with_num_partitions(1)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let made = world.ask(rooms.metadata.create_topics(request)).expect("a healthy disk");
        assert_eq!(made.topics[0].error_code, 0);
        Lab { world, tasks, rng: SeededRng::new(1) }
    }

    fn ask<Q: Encode, A: Decode>(&self, key: ApiKey, version: i16, request: &Q) -> A {
        let handler: &dyn Handler = &self.world.rooms().dispatch;
        let answer = match handler.admit(&wire::info(0), wire::frame(key, version, request)) {
            Admitted::Ready(answer) => answer,
            Admitted::Parked(answer)
            | Admitted::Exclusive(answer)
            | Admitted::ExclusiveAfterEarlier(answer) => self.flushed(answer),
        };
        let Answer::Respond(response) = answer else { panic!("an answer of {key:?}") };
        wire::decoded(key, version, wire::bytes_of(&response))
    }

    /// Waits for what waits for the disk and for tasks: the answer to EndTxn is held for its markers.
    fn flushed<R>(&self, work: impl Future<Output = R>) -> R {
        let mut work = std::pin::pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return done;
            }
            while self.world.rooms().logs.flush_next() {}
            // The end of a transaction is answered when its markers are durable.
            if self.tasks.count() > 0 {
                self.tasks.poll_one(&self.rng);
            }
        }
    }

    /// Until every marker and completion is there.
    fn settle(&self) {
        while self.tasks.count() > 0 {
            while self.world.rooms().logs.flush_next() {}
            self.tasks.poll_one(&self.rng);
        }
        while self.world.rooms().logs.flush_next() {}
    }

    fn init(&self, id: &str) -> (i64, i16) {
        let request = InitProducerIdRequest {
            transactional_id: Some(text(id)),
            transaction_timeout_ms: 900_000,
            ..InitProducerIdRequest::default()
        };
        let answer: InitProducerIdResponse = self.ask(ApiKey::InitProducerId, 5, &request);
        assert_eq!(answer.error_code, 0);
        (answer.producer_id, answer.producer_epoch)
    }

    /// One transaction of the second generation that commits an offset, or takes it back.
    fn transact(&self, id: &str, producer: (i64, i16), offset: i64, is_commit: bool) -> (i64, i16) {
        let partition =
            TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(text(TOPIC).into())
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(text(id).into())
            .with_group_id(text(id).into())
            .with_producer_id(producer.0.into())
            .with_producer_epoch(producer.1)
            .with_topics(vec![topic]);
        let answer: TxnOffsetCommitResponse = self.ask(ApiKey::TxnOffsetCommit, 5, &request);
        assert_eq!(answer.topics[0].partitions[0].error_code, 0);
        let request = EndTxnRequest::default()
            .with_transactional_id(text(id).into())
            .with_producer_id(producer.0.into())
            .with_producer_epoch(producer.1)
            .with_committed(is_commit);
        let answer: EndTxnResponse = self.ask(ApiKey::EndTxn, 5, &request);
        assert_eq!(answer.error_code, 0);
        self.settle();
        (answer.producer_id.0, answer.producer_epoch)
    }

    fn committed(&self, group: &str) -> i64 {
        let topic = OffsetFetchRequestTopic {
            name: text(TOPIC),
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopic::default()
        };
        let request = OffsetFetchRequest {
            group_id: text(group),
            topics: Some(vec![topic]),
            require_stable: true,
            ..OffsetFetchRequest::default()
        };
        let answer: OffsetFetchResponse = self.ask(ApiKey::OffsetFetch, 7, &request);
        let partition = &answer.topics[0].partitions[0];
        assert_eq!((answer.error_code, partition.error_code), (0, 0));
        partition.committed_offset
    }

    /// Everything that is known of an id.
    fn described(&self, id: &str) -> String {
        format!("{:?}", self.world.rooms().transactions.describe(id))
    }

    fn logs(&self, topic: &str) -> Vec<Arc<UnifiedLog>> {
        let partition = |index| self.world.rooms().replicas.partition(topic, index).expect("hosted");
        (0..2).map(|index| partition(index).log().expect("healthy").clone()).collect()
    }

    fn bytes(&self, topic: &str) -> u64 {
        self.logs(topic).iter().map(|log| log.size_bytes()).sum()
    }
}

#[test]
fn cleaning_forgets_nothing_that_a_coordinator_must_know() {
    let mut lab = Lab::new();
    for log in INTERNAL.iter().flat_map(|topic| lab.logs(topic)) {
        let made = log.config();
        assert!(made.cleanup_policy.compact && !made.cleanup_policy.delete, "{:?}", made.cleanup_policy);
        log.set_config(Arc::new(LogConfig { segment_bytes: 2_000, ..(*made).clone() }));
    }
    // Its only record of the open transaction is among the first.
    let open = lab.init(OPEN);
    let partitions = PartitionSet::from([TopicPartition::new(TopicName::new(TOPIC), PartitionIndex(0))]);
    let (id, epoch) = (ProducerId(open.0), ProducerEpoch(open.1));
    let transactions = lab.world.rooms().transactions.clone();
    let version = TransactionVersion::V2;
    let added = lab.flushed(transactions.add_partitions(OPEN, id, epoch, &partitions, version));
    assert_eq!(added, Ok(()));
    let mut producers = ["a", "b", "c"].map(|id| (id, lab.init(id)));
    for round in 0..ROUNDS {
        for (id, producer) in &mut producers {
            *producer = lab.transact(id, *producer, round, round % 3 != 2);
        }
    }
    let ids = ["a", "b", "c", OPEN];
    let before = (ids.map(|id| lab.described(id)), ["a", "b", "c"].map(|group| lab.committed(group)));
    assert_eq!(before.1, [ROUNDS - 2; 3], "the last was aborted");
    let sizes = INTERNAL.map(|topic| lab.bytes(topic));
    while lab.world.rooms().logs.clean(lab.world.clock.wall_ms()).is_some() {}
    for (topic, size) in INTERNAL.iter().zip(sizes) {
        // Markers stay for `delete.retention.ms`.
        assert!(lab.bytes(topic) < size / 2, "{topic}: {} of {size} bytes are left", lab.bytes(topic));
    }
    for end in [End::Kill, End::PowerLoss, End::Clean] {
        lab.world.restart(end);
        lab.settle();
        let after = (ids.map(|id| lab.described(id)), ["a", "b", "c"].map(|group| lab.committed(group)));
        assert_eq!(after, before, "{end:?}");
    }
    // Nobody lost a place: the old ones go on, and the open one ends.
    for (id, producer) in producers {
        lab.transact(id, producer, 1_000, true);
        assert_eq!(lab.committed(id), 1_000);
    }
    let ending =
        Ending { producer_id: id, producer_epoch: epoch, is_commit: true, version: TransactionVersion::V2 };
    let transactions = lab.world.rooms().transactions.clone();
    let ended = lab.flushed(transactions.end_transaction(OPEN, ending));
    assert_eq!(ended, Ok((id, ProducerEpoch(epoch.0 + 1))));
    lab.settle();
    assert!(lab.described(OPEN).contains("CompleteCommit"));
}
