//! When a follower's session need not look at a partition, and what makes it look again.
//! Core.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Clock;
use ottla_model::Offset;

use crate::acknowledge::{Acks, Durability};
use crate::partition::Partition;
use crate::read::{FollowerState, ReadRequest, Reader, ReplicaReader, Standing, read};
use crate::session_news::{Place, SessionNews};
use crate::test_world::{Assigned, B, C, ME, World, append};

const LAG: Duration = Duration::from_secs(30);
const EPOCH: i64 = 5;

/// A leader, and a session of the follower B.
struct Scene {
    world: World,
    partition: Arc<Partition>,
    news: Arc<SessionNews>,
}

impl Scene {
    fn new() -> Scene {
        let world = World::new();
        let partition = world.partition(Durability::Os, 1, &Assigned::led_by(ME, 1, &[ME, B]));
        Scene { world, partition, news: SessionNews::new(B, EPOCH) }
    }

    fn reader(&self) -> ReplicaReader {
        let received = Some(self.world.clock.monotonic());
        ReplicaReader {
            id: B,
            broker_epoch: EPOCH,
            standing: Standing::Eligible,
            received,
            lag_time_max: LAG,
        }
    }

    /// The session fetches the partition; whether it is settled by that.
    fn fetch(&self, end: i64, high_watermark: i64) -> bool {
        self.fetch_as(&self.reader(), end, high_watermark, 7)
    }

    fn fetch_as(&self, reader: &ReplicaReader, end: i64, high_watermark: i64, place: Place) -> bool {
        let request = ReadRequest {
            partition: self.partition.clone(),
            fetch_offset: end,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            partition_max_bytes: 1 << 20,
            follower: FollowerState { log_start_offset: 0, high_watermark },
        };
        if let Some(received) = reader.received {
            self.news.on_fetch(received);
        }
        let found = read(std::slice::from_ref(&request), Reader::Follower(*reader), 1 << 20);
        self.news.settle(reader, &request, &found[0], place)
    }

    fn append(&self) {
        append(&self.partition, 1, Acks::Leader).expect("stored");
    }
}

#[test]
fn a_follower_that_has_all_is_told_of_the_next_record_and_of_nothing_else() {
    let scene = Scene::new();
    assert!(scene.fetch(0, 0));
    scene.partition.review_followers(scene.world.clock.monotonic(), LAG, |_, _| true);
    assert!(scene.news.take().is_empty());
    for _ in 0..2 {
        scene.append();
    }
    assert_eq!(scene.news.take(), [7], "once");
    assert!(!scene.fetch(0, 0), "there are records for it");
    assert!(!scene.fetch(2, 0), "it does not know yet that they are committed");
    assert!(scene.news.take().is_empty(), "it looks anyway");
    assert!(scene.fetch(2, 2));
}

#[test]
fn a_follower_is_told_of_a_high_watermark_that_another_has_moved() {
    let scene = Scene::new();
    Assigned::led_by(ME, 1, &[ME, B, C]).reach(&scene.partition);
    scene.append();
    assert!(scene.fetch(1, 0), "all of it, and C holds the high watermark");
    let of_c = ReplicaReader { id: C, ..scene.reader() };
    assert!(!scene.fetch_as(&of_c, 1, 1, 0), "the session is B's");
    assert_eq!(scene.news.take(), [7]);
}

#[test]
fn whatever_changes_the_answer_is_told() {
    type Change = fn(&Scene);
    let changes: [(&str, Change); 6] = [
        ("another leader", |scene| Assigned::led_by(B, 2, &[ME, B]).reach(&scene.partition)),
        ("another leader epoch", |scene| Assigned::led_by(ME, 2, &[ME, B]).reach(&scene.partition)),
        ("other replicas", |scene| Assigned::led_by(ME, 1, &[ME, C]).reach(&scene.partition)),
        ("out of sync", |scene| Assigned::led_by(ME, 1, &[ME, B]).with_isr(&[ME]).reach(&scene.partition)),
        ("deleted", |scene| scene.partition.mark_deleted()),
        ("a failed directory", |scene| scene.partition.on_dir_failure()),
    ];
    for (what, change) in changes {
        let scene = Scene::new();
        assert!(scene.fetch(0, 0), "{what}");
        change(&scene);
        assert_eq!(scene.news.take(), [7], "{what}");
    }
}

#[test]
fn a_log_that_begins_later_is_told_at_the_next_review_at_the_latest() {
    let scene = Scene::new();
    scene.append();
    assert!(!scene.fetch(1, 0));
    assert!(scene.fetch(1, 1));
    let log = scene.partition.log().expect("it is open");
    log.delete_records(Offset(1)).expect("it is committed");
    scene.partition.tell_log_start();
    assert_eq!(scene.news.take(), [7]);
    assert!(scene.fetch(1, 1));
    scene.partition.review_followers(scene.world.clock.monotonic(), LAG, |_, _| true);
    assert_eq!(scene.news.take(), [7], "its own log begins at 0");
}

#[test]
fn who_is_out_of_sync_or_somebody_else_looks_each_time() {
    let scene = Scene::new();
    Assigned::led_by(ME, 1, &[ME, B]).with_isr(&[ME]).reach(&scene.partition);
    assert!(!scene.fetch(0, 0), "it is about to be in sync");
    Assigned::led_by(ME, 1, &[ME, B]).reach(&scene.partition);
    for reader in [
        ReplicaReader { broker_epoch: EPOCH + 1, ..scene.reader() },
        ReplicaReader { standing: Standing::NotEligible, ..scene.reader() },
    ] {
        assert!(!scene.fetch_as(&reader, 0, 0, 7), "{reader:?}");
    }
    assert!(scene.fetch(0, 0));
}

#[test]
fn another_session_and_one_that_goes_back_make_it_look_again() {
    let scene = Scene::new();
    scene.append();
    assert!(!scene.fetch(1, 0));
    assert!(scene.fetch(1, 1));
    let other = Scene { news: SessionNews::new(B, EPOCH), world: scene.world, partition: scene.partition };
    assert!(other.fetch(1, 1), "it settles it for itself");
    assert_eq!(scene.news.take(), [7], "the first one has to look");
    assert!(!other.fetch(0, 1), "a follower that lost its records");
    assert_eq!(other.news.take(), [7]);
}

#[test]
fn a_settled_follower_had_everything_until_its_sessions_last_fetch() {
    let scene = Scene::new();
    assert!(scene.fetch(0, 0));
    // A long rest, in which the session fetches and does not look here.
    for _ in 0..10 {
        scene.world.clock.advance(LAG);
        scene.news.on_fetch(scene.world.clock.monotonic());
    }
    scene.append();
    let isr = || scene.partition.leader_facts().expect("led").in_sync;
    let review = || scene.partition.review_followers(scene.world.clock.monotonic(), LAG, |_, _| true);
    scene.world.clock.advance(LAG);
    review();
    assert!(scene.partition.proposal().is_none(), "it has its time from the last fetch on");
    scene.world.clock.advance(Duration::from_millis(1));
    review();
    assert!(scene.partition.proposal().is_some(), "and no longer");
    assert_eq!(isr(), 2);
}

#[test]
fn who_does_not_fetch_any_more_is_not_taken_for_one_that_does() {
    let scene = Scene::new();
    assert!(scene.fetch(0, 0));
    scene.partition.unsettle(B);
    assert_eq!(scene.news.take(), [7]);
    scene.world.clock.advance(LAG + Duration::from_millis(1));
    scene.news.on_fetch(scene.world.clock.monotonic());
    scene.append();
    scene.partition.review_followers(scene.world.clock.monotonic(), LAG, |_, _| true);
    assert!(scene.partition.proposal().is_some(), "it forgot this partition");
}
