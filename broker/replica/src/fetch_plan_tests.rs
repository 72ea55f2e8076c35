//! What is asked for in a session, beside it, after failures.
//! Core.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, LeaderEpoch};
use ottla_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use ottla_protocol::messages::{FetchRequest, FetchResponse};

use crate::acknowledge::Durability;
use crate::fetch_plan::{FetchPlan, FetchSettings, Next};
use crate::following::FollowerPosition;
use crate::partition::Partition;
use crate::test_world::{Assigned, B, ID, ME, World};

const EPOCH: LeaderEpoch = LeaderEpoch(3);

struct Fetching {
    plan: FetchPlan,
    partition: Arc<Partition>,
    world: World,
}

fn at(log_end: i64) -> FollowerPosition {
    let offset = ottla_model::Offset;
    let (log_start, high_watermark) = (offset(0), offset(0));
    FollowerPosition { log_start, high_watermark, log_end: offset(log_end), last_epoch: None }
}

fn ms(ms: u64) -> Monotonic {
    Monotonic(Duration::from_millis(ms))
}

/// Partitions 0, 1 and 2 are followed, from offset 0 on.
fn three() -> Fetching {
    let world = World::new();
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(B, 3, &[ME, B]));
    let settings = FetchSettings {
        replica_id: ME,
        wait_ms_max: 500,
        bytes_min: 1,
        partition_bytes_max: 100,
        response_bytes_max: 1000,
        backoff_max: Duration::from_millis(35),
    };
    let mut fetching = Fetching { plan: FetchPlan::new(settings), partition, world };
    for index in 0..3 {
        fetching.follow(index, EPOCH);
    }
    fetching
}

/// Session and its epoch, partitions with their offsets, and forgotten partitions.
type Asked = ((i32, i32), Vec<(i32, i64)>, Vec<i32>);

impl Fetching {
    fn follow(&mut self, index: i32, epoch: LeaderEpoch) {
        assert!(self.plan.follow((ID, index), self.partition.clone(), epoch));
        for (key, _, epoch) in self.plan.take_unplaced() {
            self.plan.placed(key, epoch, at(0));
        }
    }

    fn moved(&mut self, index: i32, to: i64) {
        self.plan.moved((ID, index), EPOCH, at(to));
    }

    /// The next request's session, partitions with their offsets, and what it forgets.
    fn next(&mut self, now: u64) -> Asked {
        match self.plan.next(77, ms(now)) {
            Next::Fetch(request) => {
                assert_eq!(request.replica_state.replica_epoch, 77);
                (
                    (request.session_id, request.session_epoch),
                    asked(&request),
                    request.forgotten_topics_data.into_iter().flat_map(|topic| topic.partitions).collect(),
                )
            }
            other => panic!("{other:?}"),
        }
    }

    /// Who is counted of an answer that names these.
    fn answer(&mut self, session_id: i32, named: &[i32]) -> Vec<i32> {
        let answered = self.plan.on_answer(response(named).with_session_id(session_id));
        answered.expect("no error").into_iter().map(|one| one.key.1).collect()
    }
}

fn response(named: &[i32]) -> FetchResponse {
    let partitions = named.iter().map(|index| PartitionData::default().with_partition_index(*index));
    let topic = FetchableTopicResponse::default().with_topic_id(ID.0);
    FetchResponse::default().with_responses(vec![topic.with_partitions(partitions.collect())])
}

fn asked(request: &FetchRequest) -> Vec<(i32, i64)> {
    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|one| (one.partition, one.fetch_offset)).collect()
}

#[test]
fn a_session_says_all_once_and_then_what_changed() {
    let mut fetching = three();
    assert_eq!(fetching.next(0), ((0, 0), vec![(0, 0), (1, 0), (2, 0)], vec![]));
    assert_eq!(fetching.answer(9, &[1]), [1]);
    fetching.moved(1, 5);
    assert_eq!(fetching.next(0), ((9, 1), vec![(1, 5)], vec![]));
    assert_eq!(fetching.answer(9, &[]), [] as [i32; 0]);
    assert_eq!(fetching.next(0), ((9, 2), vec![], vec![]));
    fetching.plan.unfollow((ID, 0));
    assert_eq!(fetching.answer(9, &[0, 2]), [2], "who left meanwhile does not count");
    assert_eq!(fetching.next(0), ((9, 3), vec![], vec![0]));
    fetching.answer(9, &[]);
    fetching.follow(0, EPOCH);
    assert_eq!(fetching.next(0), ((9, 4), vec![(0, 0)], vec![]));
}

#[test]
fn an_answer_counts_in_the_leader_epoch_and_from_the_place_it_was_asked_for() {
    let mut fetching = three();
    fetching.next(0);
    fetching.moved(1, 4);
    fetching.follow(2, LeaderEpoch(4));
    assert_eq!(fetching.answer(9, &[0, 1, 2]), [0]);
    assert!(!fetching.plan.follow((ID, 2), fetching.partition.clone(), EPOCH), "epochs never go back");
}

#[test]
fn a_session_that_is_lost_begins_anew() {
    let mut fetching = three();
    fetching.next(0);
    fetching.answer(9, &[]);
    fetching.next(0);
    let waits: Vec<u64> = (0..4).map(|_| fetching.plan.on_no_answer().as_millis() as u64).collect();
    assert_eq!(waits, [10, 20, 35, 35]);
    assert_eq!(fetching.next(0).0, (9, 0), "the one that was is ended");
    let lost = FetchResponse::default().with_error_code(ErrorCode::FetchSessionIdNotFound.code());
    assert_eq!(fetching.plan.on_answer(lost).err(), Some(ErrorCode::FetchSessionIdNotFound));
    assert_eq!(fetching.next(0), ((0, 0), vec![(0, 0), (1, 0), (2, 0)], vec![]));
    // No room for a session there: each request says all.
    fetching.answer(0, &[]);
    assert_eq!(fetching.next(0), ((0, 0), vec![(0, 0), (1, 0), (2, 0)], vec![]));
}

#[test]
fn who_failed_rests_outside_of_the_session_longer_each_time() {
    let mut fetching = three();
    fetching.next(0);
    fetching.answer(9, &[]);
    for (now, rest) in [(0, 10), (100, 20), (200, 35)] {
        fetching.plan.rest((ID, 1), EPOCH, ms(now));
        assert_eq!(fetching.next(now).2, [1]);
        fetching.answer(9, &[]);
        assert_eq!(fetching.plan.wake_rested(ms(now + rest - 1)), Some(ms(now + rest)));
        assert_eq!(fetching.plan.wake_rested(ms(now + rest)), None);
        let unplaced = fetching.plan.take_unplaced();
        assert_eq!(unplaced.len(), 1, "its log is looked at again");
        fetching.plan.placed((ID, 1), EPOCH, at(2));
        assert_eq!(fetching.next(now + rest).1, [(1, 2)]);
        fetching.answer(9, &[]);
    }
    for index in 0..3 {
        fetching.plan.await_epoch((ID, index), EPOCH);
    }
    assert!(matches!(fetching.plan.next(77, ms(999)), Next::Idle(None)));
}

#[test]
fn what_is_followed_anew_is_asked_for_beside_a_request_that_waits() {
    let mut fetching = three();
    fetching.next(0);
    assert!(fetching.plan.beside(77).is_none(), "the session has them all");
    fetching.follow(3, EPOCH);
    let request = fetching.plan.beside(77).expect("one is new");
    assert_eq!((asked(&request), request.session_epoch, request.max_wait_ms), (vec![(3, 0)], -1, 50));
    let answered = fetching.plan.on_answer_beside(Some(response(&[3])));
    assert_eq!(answered.len(), 1);
    fetching.moved(3, 8);
    let request = fetching.plan.beside(77).expect("the session does not have it yet");
    assert_eq!(asked(&request), [(3, 8)]);
    fetching.answer(9, &[]);
    assert_eq!(fetching.next(0), ((9, 1), vec![(3, 8)], vec![]));
    fetching.moved(3, 9);
    assert!(fetching.plan.on_answer_beside(Some(response(&[3]))).is_empty(), "it went on elsewhere");
}

#[test]
fn throttled_replicas_that_are_behind_rest_while_too_much_was_copied() {
    let mut fetching = three();
    fetching.next(0);
    // 0 is behind, 1 has all that is committed, of 2 nothing is known yet: it may be in sync, and is not held.
    let mut first = response(&[0, 1]).with_session_id(9);
    first.responses[0].partitions[0].high_watermark = 9;
    assert_eq!(fetching.plan.on_answer(first).expect("no error").len(), 2);
    let windows = ottla_quota::Windows { count: 11, length_ms: 1000 };
    fetching.partition.topic.shared.throttles.following.set(10, windows);
    fetching.plan.hold_throttled(ms(0));
    fetching.partition.charge_followed(100);
    assert_eq!(fetching.next(0), ((9, 1), vec![], vec![]), "nothing had been copied");
    fetching.answer(9, &[]);
    fetching.plan.hold_throttled(ms(0));
    assert_eq!(fetching.next(0), ((9, 2), vec![], vec![0]));
    fetching.answer(9, &[]);
    for (now, held) in [(100, vec![]), (200, vec![(0, 0)])] {
        fetching.plan.wake_rested(ms(now));
        for (key, _, epoch) in fetching.plan.take_unplaced() {
            fetching.plan.placed(key, epoch, at(0));
        }
        fetching.plan.hold_throttled(ms(now));
        assert_eq!(fetching.next(now).1, held);
        fetching.answer(9, &[]);
        fetching.world.clock.advance(Duration::from_secs(10));
    }
}
