//! Seeded histories of a broker's topics, configs and records on a disk that breaks.
//! Shell.

use std::panic::AssertUnwindSafe;

use ottla_env::Clock;
use ottla_log::AppendOrigin;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};
use ottla_records::BatchBuilder;
use ottla_replica::{Acks, AppendRefused, NotAcknowledged, Unavailable};
use ottla_sim::cluster_history::ClusterHistory;
use ottla_sim::rooms::{World, wait, wire};
use ottla_sim::{run_seeds, with_trace};

#[test]
fn what_was_answered_is_in_force_after_every_history() {
    run_seeds("what_was_answered_is_in_force_after_every_history", 300, |seed| {
        let mut history = ClusterHistory::new(seed);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(40)));
        with_trace(seed, played, &history.trace);
    });
}

#[test]
fn an_append_that_waits_when_its_topic_is_deleted_is_answered_that_the_topic_is_gone() {
    let world = World::new(1);
    let metadata = world.rooms().metadata.clone();
    let topic = CreatableTopic::default()
        .with_name(wire("t").into())
        .with_num_partitions(1)
        .with_replication_factor(1);
    world.ask(metadata.create_topics(CreateTopicsRequest::default().with_topics(vec![topic]))).expect("made");
    let partition = world.rooms().replicas.partition("t", 0).expect("hosted");
    let append = || {
        let mut batch = BatchBuilder::new();
        batch.append(world.clock.wall_ms(), None, Some(b"value"), &[]);
        partition.append(batch.build(), AppendOrigin::Client, Acks::All, world.clock.wall_ms())
    };
    let pending = append().expect("a good batch").pending.expect("nobody has asked for a sync");
    let names = DeleteTopicsRequest::default().with_topic_names(vec![wire("t").into()]);
    world.ask(metadata.delete_topics(names)).expect("deleted");
    assert_eq!(wait(pending.acknowledged()), Err(NotAcknowledged::Deleted));
    assert!(matches!(append(), Err(AppendRefused::Unavailable(Unavailable::Deleted))));
}
