//! A node that follows has the facts of the node that leads, and neither shows what is not committed.
//! Core. Tests only.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_env::clock::Monotonic;
use ottla_model::{BrokerId, LeaderEpoch, Offset, TopicId};
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::records::metadata::{
    BeginTransactionRecord, ConfigRecord, EndTransactionRecord, FenceBrokerRecord, MetadataRecord,
    PartitionChangeRecord, RemoveTopicRecord, UnfenceBrokerRecord,
};
use ottla_records::batches;
use parking_lot::Mutex;

use crate::active_controller::{ActiveController, Decided, Proposal};
use crate::batch::decode_batch;
use crate::controller::create_topics::decide_create_topics;
use crate::controller::producer_ids::decide_allocate_producer_ids;
use crate::controller::testing::{IntoStr, config, features, topic};
use crate::controller::{Now, Rules};
use crate::publisher::{Publisher, Shared};
use crate::records_of::{records_of_cluster, records_of_topic};
use crate::{Delta, Image, ImageListener, Registration};

/// Keeps what it hears.
#[derive(Default)]
struct Heard(Mutex<Vec<(Delta, Arc<Image>)>>);

impl ImageListener for Heard {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        self.0.lock().push((delta.clone(), image.clone()));
    }
}

/// A publisher with one listener.
struct Node {
    publisher: Publisher,
    shared: Arc<Shared>,
    heard: Arc<Heard>,
}

impl Node {
    fn at(image: Image) -> Node {
        let shared = Shared::new(image.clone());
        let heard = Arc::new(Heard::default());
        shared.listeners.lock().push(heard.clone());
        Node { publisher: Publisher::new(shared.clone(), image), shared, heard }
    }

    /// What a follower does with a committed batch.
    fn follow(&mut self, batch: &[u8], commit_offset: Offset) {
        for view in batches(batch) {
            let view = view.expect("a whole batch");
            view.verify_checksum().expect("the right checksum");
            decode_batch(&view, &mut |entry, offset, epoch| self.publisher.replay(entry, offset, epoch))
                .expect("readable records");
        }
        self.publisher.publish(commit_offset);
    }

    fn image(&self) -> Image {
        (**self.shared.image.load()).clone()
    }
}

fn empty() -> Image {
    Image::empty("cluster", BrokerId(1))
}

fn now() -> Now {
    Now { wall_ms: 1_700_000_000_000, monotonic: Monotonic(Duration::from_secs(1)) }
}

fn controller(node: &Node, epoch: i32) -> ActiveController {
    let rules = Rules::new(&BrokerConfig::defaults(), features());
    ActiveController::new(node.publisher.committed(), LeaderEpoch(epoch), rules, true)
}

fn create(controller: &mut ActiveController, name: &str, id: u128) {
    let settings = vec![config("retention.ms", Some("5000"))];
    let request = CreateTopicsRequest::default().with_topics(vec![topic(name, 3, 1).with_configs(settings)]);
    let mut ids = || TopicId(uuid::Uuid::from_u128(id));
    let decide = Box::new(move |deciding: Option<crate::controller::Deciding<'_>>| {
        let deciding = deciding.expect("it leads");
        let decision = decide_create_topics(
            deciding.image,
            deciding.rules,
            &request,
            deciding.topic_ids,
            &ottla_quota::MutationQuota::UNLIMITED,
        )
        .expect("made");
        assert_eq!(decision.response.topics[0].error_code, 0);
        Decided { records: decision.records, answer: Box::new(|_| {}) }
    });
    drop(controller.decide(decide, now(), &mut ids));
}

fn change_config(name: &str, value: Option<&str>) -> MetadataRecord {
    let value = value.map(IntoStr::into_str);
    let record =
        ConfigRecord { resource_type: 2, resource_name: name.into_str(), value, ..Default::default() };
    ConfigRecord { name: "segment.bytes".into_str(), ..record }.into()
}

/// The proposals of a leader's life: all that its log would hold, in order.
fn history(controller: &mut ActiveController) -> Vec<Proposal> {
    let mut proposals = vec![controller.leader_change(now())];
    let (parts, _) = controller.activation(false);
    for part in parts {
        controller.apply(part, now());
    }
    controller.register(&Registration::default(), now());
    proposals.extend(controller.take_proposal());
    let mut step = |controller: &mut ActiveController, records: Vec<MetadataRecord>| {
        controller.apply(records, now());
        proposals.extend(controller.take_proposal());
    };
    create(controller, "a.b", 1);
    create(controller, "c", 2);
    step(controller, vec![]);
    step(controller, vec![change_config("c", Some("1048576"))]);
    create(controller, "gone", 3);
    step(controller, vec![]);
    let moved = |topic: u128, leader| PartitionChangeRecord {
        topic_id: uuid::Uuid::from_u128(topic),
        partition_id: 1,
        leader,
        ..PartitionChangeRecord::default()
    };
    step(controller, vec![moved(2, -1).into(), moved(1, 1).into(), change_config("c", None)]);
    step(
        controller,
        vec![RemoveTopicRecord { topic_id: uuid::Uuid::from_u128(3), ..Default::default() }.into()],
    );
    let block = decide_allocate_producer_ids(&empty(), BrokerId(1)).expect("a block");
    step(controller, block.records);
    step(controller, vec![BeginTransactionRecord::default().into(), change_config("a.b", Some("2097152"))]);
    step(controller, vec![EndTransactionRecord::default().into()]);
    step(controller, vec![FenceBrokerRecord { id: 1, epoch: 1, ..Default::default() }.into()]);
    step(controller, vec![UnfenceBrokerRecord { id: 1, epoch: 1, ..Default::default() }.into()]);
    proposals
}

#[test]
fn a_follower_that_replays_committed_batches_has_what_the_leader_hands_over() {
    let mut leader = Node::at(empty());
    let mut follower = Node::at(empty());
    let mut controller = controller(&leader, 1);
    let proposals = history(&mut controller);
    assert!(proposals.len() > 8, "{} proposals", proposals.len());
    for Proposal { batch, image, delta } in &proposals {
        leader.publisher.publish_decided(image, delta, batch.next);
        follower.follow(&batch.bytes, batch.next);
        assert_eq!(follower.image(), leader.image());
        assert_eq!(follower.image().metadata_offset() + 1, batch.next);
    }
    assert_eq!(*follower.heard.0.lock(), *leader.heard.0.lock());
    // One that was away and began with a snapshot has the same facts.
    let half = proposals.len() / 2;
    let snapshot = proposals[half].image.clone();
    let mut working = crate::replay::Working::new(empty());
    let topics = snapshot.topics().flat_map(|topic| records_of_topic(topic));
    for record in records_of_cluster(&snapshot).into_iter().chain(topics.collect::<Vec<_>>()) {
        working.replay(record, Offset::ZERO, snapshot.leader_epoch());
    }
    working.replay_control(snapshot.metadata_offset(), snapshot.leader_epoch());
    let mut late = Node::at(working.image);
    for Proposal { batch, .. } in &proposals[half + 1..] {
        late.follow(&batch.bytes, batch.next);
    }
    assert_eq!(late.image(), leader.image());
}

#[test]
fn what_was_not_committed_is_gone_with_the_leadership() {
    let mut node = Node::at(empty());
    let mut first = controller(&node, 1);
    for Proposal { batch, image, delta } in history(&mut first) {
        node.publisher.publish_decided(&image, &delta, batch.next);
    }
    let committed = node.image();
    create(&mut first, "never", 9);
    let lost = first.take_proposal().expect("a proposal");
    assert!(lost.image.topic("never").is_some() && committed.topic("never").is_none());
    first.go_back_to(node.publisher.committed());
    create(&mut first, "again", 10);
    let again = first.take_proposal().expect("a proposal");
    assert_eq!(again.batch.base, lost.batch.base);
    assert!(again.image.topic("never").is_none());
    // Another epoch begins with what was published, not with what was proposed.
    let mut second = controller(&node, 2);
    let change = second.leader_change(now());
    assert_eq!(change.batch.base, committed.metadata_offset() + 1);
    assert!(change.image.topic("again").is_none() && change.image.leader_epoch() == LeaderEpoch(2));
}

#[test]
#[should_panic(expected = "is not committed")]
fn nothing_is_shown_beyond_the_commit_offset() {
    let mut node = Node::at(empty());
    let mut controller = controller(&node, 1);
    let Proposal { batch, image, delta } = controller.leader_change(now());
    node.publisher.publish_decided(&image, &delta, batch.base);
}

#[test]
#[should_panic(expected = "without a hole")]
fn a_follower_takes_no_batch_before_the_one_that_is_next() {
    let mut leader = Node::at(empty());
    let mut follower = Node::at(empty());
    let proposals = history(&mut controller(&leader, 1));
    leader.publisher.publish_decided(&proposals[0].image, &proposals[0].delta, proposals[0].batch.next);
    follower.follow(&proposals[1].batch.bytes, proposals[1].batch.next);
}
