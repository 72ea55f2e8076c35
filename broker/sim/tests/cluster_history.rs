//! Seeded histories of a broker's topics, configs and records on a disk that breaks.
//! Shell.

use std::panic::AssertUnwindSafe;

use ottla_env::Clock;
use ottla_log::AppendOrigin;
use ottla_model::ErrorCode;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};
use ottla_records::BatchBuilder;
use ottla_replica::{AllDurable, Pending};
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
fn an_append_whose_topic_goes_before_the_flush_is_told_that_the_topic_is_gone() {
    let world = World::new(1);
    let metadata = world.rooms().metadata.clone();
    let topic = CreatableTopic::default()
        .with_name(wire("t").into())
        .with_num_partitions(1)
        .with_replication_factor(1);
    world.ask(metadata.create_topics(CreateTopicsRequest::default().with_topics(vec![topic]))).expect("made");
    let partition = world.rooms().replicas.partition("t", 0).expect("hosted");
    let mut batch = BatchBuilder::new();
    batch.append(world.clock.wall_ms(), None, Some(b"x"), &[]);
    let appended =
        partition.append(batch.build(), AppendOrigin::Client, world.clock.wall_ms()).expect("a healthy disk");
    let names = DeleteTopicsRequest::default().with_topic_names(vec![wire("t").into()]);
    world.ask(metadata.delete_topics(names, 5)).expect("deleted");
    let outcomes = wait(AllDurable::new(vec![Pending::new(partition.clone(), appended.end)]));
    assert!(outcomes[0].is_err());
    assert_eq!(partition.lost_code(), ErrorCode::UnknownTopicOrPartition);
}
