//! What a partition answers while its role, its in-sync replicas and its disk change.
//! Shell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use ottla_env::Disk;
use ottla_log::{AppendError, AppendOrigin};
use ottla_model::{ErrorCode, LeaderEpoch, Offset, TopicPartition};

use crate::acknowledge::{Acks, AllAcknowledged, Durability, NotAcknowledged, Pending};
use crate::delayed_fetch::DelayedFetch;
use crate::partition::{AppendRefused, Partition, Unavailable};
use crate::read::{FetchIsolation, FollowerState, ReadRequest, Reader, read};
use crate::tail::{Look, TailWait, Woken};
use crate::test_world::{Assigned, B, C, ME, NOW, World, append, batch, fetched, high_watermark, poll};

/// An acks=all append that waits.
fn waiting(partition: &Arc<Partition>) -> Pending {
    append(partition, 1, Acks::All).expect("it is led here").pending.expect("it waits")
}

fn is_waiting(all: &mut AllAcknowledged) -> bool {
    poll(all).is_none()
}

fn one(pending: Pending) -> AllAcknowledged {
    AllAcknowledged::new(vec![pending])
}

#[test]
fn the_only_replica_commits_in_append_and_acknowledges_after_the_sync() {
    let world = World::new();
    let partition = world.alone(Durability::SurviveOne);
    assert_eq!(high_watermark(&partition), 0);
    assert!(append(&partition, 2, Acks::Leader).expect("led here").pending.is_none());
    assert_eq!(high_watermark(&partition), 2);
    let mut all = one(waiting(&partition));
    assert_eq!(high_watermark(&partition), 3, "what is not synced is read all the same, as on Kafka");
    assert!(is_waiting(&mut all));
    world.sync();
    assert_eq!(poll(&mut all), Some(vec![Ok(())]));
    assert!(append(&partition, 1, Acks::Leader).expect("led here").pending.is_none());
}

#[test]
fn the_page_cache_is_enough_where_the_durability_says_so() {
    let world = World::new();
    let partition = world.alone(Durability::Os);
    assert!(append(&partition, 1, Acks::All).expect("led here").pending.is_none());
}

#[test]
fn the_slowest_in_sync_replica_decides_what_is_committed_and_acknowledged() {
    let world = World::new();
    let partition = world.partition(Durability::SurviveOne, 1, &Assigned::led_by(ME, 0, &[ME, B, C]));
    let mut all = one(waiting(&partition));
    fetched(&partition, B, 1);
    assert!(is_waiting(&mut all));
    assert_eq!(high_watermark(&partition), 0);
    fetched(&partition, C, 1);
    assert_eq!(poll(&mut all), Some(vec![Ok(())]), "a second replica has it: no sync is needed");
    assert_eq!(high_watermark(&partition), 1);
    let request = ReadRequest {
        partition: partition.clone(),
        fetch_offset: 0,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        partition_max_bytes: 1 << 20,
        follower: FollowerState::UNSAID,
    };
    append(&partition, 1, Acks::Leader).expect("led here");
    let found = &read(&[request], Reader::Consumer(FetchIsolation::ReadUncommitted), 1 << 20)[0];
    assert_eq!((found.high_watermark, found.data.as_ref().map(|slice| slice.next_offset.0)), (1, Some(1)));
}

#[test]
fn a_reader_ahead_of_what_a_new_leader_knows_to_be_committed_waits_for_it() {
    let world = World::new();
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(ME, 0, &[ME, B]));
    append(&partition, 3, Acks::Leader).expect("led here");
    let request = |fetch_offset| ReadRequest {
        partition: partition.clone(),
        fetch_offset,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        partition_max_bytes: 1 << 20,
        follower: FollowerState::UNSAID,
    };
    let reader = Reader::Consumer(FetchIsolation::ReadUncommitted);
    let found = |offset| {
        let one = read(&[request(offset)], reader, 1 << 20).pop().expect("an answer");
        (one.error, one.record_bytes())
    };
    assert_eq!(high_watermark(&partition), 0);
    for offset in 0..=3 {
        assert_eq!(found(offset), (ErrorCode::None, 0));
        let requests = [request(offset)];
        let delayed = DelayedFetch::new(&requests, reader, 1);
        assert!(!matches!(delayed.look(&requests), Look::Found(())), "offset {offset} is waited for");
    }
    assert_eq!(found(4), (ErrorCode::OffsetOutOfRange, 0), "where the log does not reach");
    fetched(&partition, B, 3);
    assert!(found(2).1 > 0);
}

#[test]
fn fsync_durability_asks_for_the_disk_though_replicas_have_it() {
    let world = World::new();
    let partition = world.partition(Durability::Fsync, 1, &Assigned::led_by(ME, 0, &[ME, B]));
    let mut all = one(waiting(&partition));
    fetched(&partition, B, 1);
    assert!(is_waiting(&mut all));
    world.sync();
    assert_eq!(poll(&mut all), Some(vec![Ok(())]));
}

#[test]
fn the_last_in_sync_replica_must_sync_what_others_were_to_have() {
    let world = World::new();
    let partition = world.partition(Durability::SurviveOne, 1, &Assigned::led_by(ME, 0, &[ME, B]));
    let mut all = one(waiting(&partition));
    assert!(is_waiting(&mut all));
    Assigned::led_by(ME, 0, &[ME, B]).with_isr(&[ME]).reach(&partition);
    assert_eq!(high_watermark(&partition), 1, "nobody else is in sync");
    assert!(is_waiting(&mut all), "and nobody else has it");
    world.sync();
    assert_eq!(poll(&mut all), Some(vec![Ok(())]));
}

#[test]
fn too_few_in_sync_replicas_refuse_before_the_append_and_after_it() {
    let world = World::new();
    let assigned = |isr| Assigned::led_by(ME, 0, &[ME, B, C]).with_isr(isr);
    let partition = world.partition(Durability::SurviveOne, 2, &assigned(&[ME]));
    assert!(matches!(append(&partition, 1, Acks::All), Err(AppendRefused::NotEnoughReplicas)));
    let end = append(&partition, 1, Acks::Leader).expect("acks=1 asks nobody").end;
    assert_eq!((end, high_watermark(&partition)), (Offset(1), 0), "it is not committed (KIP-966)");
    assigned(&[ME, B]).reach(&partition);
    let mut all = one(waiting(&partition));
    fetched(&partition, B, 2);
    assigned(&[ME]).reach(&partition);
    assert_eq!(poll(&mut all), Some(vec![Err(NotAcknowledged::NotEnoughReplicas)]));
}

#[test]
fn the_only_replica_is_enough_whatever_the_minimum_says() {
    let world = World::new();
    let partition = world.partition(Durability::Os, 2, &Assigned::led_by(ME, 0, &[ME]));
    assert!(append(&partition, 1, Acks::All).expect("as on Kafka").pending.is_none());
}

#[test]
fn a_leader_epoch_that_ended_acknowledges_nothing() {
    let world = World::new();
    let partition = world.alone(Durability::SurviveOne);
    let pending = waiting(&partition);
    let (epoch, end) = (pending.epoch(), pending.end());
    let mut all = one(pending);
    assert!(is_waiting(&mut all));
    Assigned::led_by(ME, 1, &[ME]).reach(&partition);
    world.sync();
    assert_eq!(poll(&mut all), Some(vec![Err(NotAcknowledged::NotLeader)]), "though it is on the disk");
    assert!(matches!(partition.pending(epoch, end), Err(NotAcknowledged::NotLeader)));
    assert!(matches!(partition.pending(LeaderEpoch(1), end), Ok(None)), "the new epoch answers for itself");
}

#[test]
fn a_role_change_wakes_appends_and_fetches_that_wait() {
    struct Counter(AtomicUsize);
    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let counter = Arc::new(Counter(AtomicUsize::new(0)));
    let waker = Waker::from(counter.clone());
    let mut context = Context::from_waker(&waker);
    let world = World::new();
    let partition = world.alone(Durability::SurviveOne);
    let mut all = Box::pin(waiting(&partition).acknowledged());
    assert!(all.as_mut().poll(&mut context).is_pending());
    let looked = partition.clone();
    let mut tail =
        Box::pin(TailWait::new(vec![partition.clone()], world.deadline(Duration::from_secs(1))).until(
            move |woken| (woken == Woken::Deadline || looked.led(-1).is_err()).then_some(woken).into(),
        ));
    assert!(tail.as_mut().poll(&mut context).is_pending());
    Assigned::led_by(B, 1, &[ME, B]).reach(&partition);
    assert_eq!(counter.0.load(Ordering::SeqCst), 2);
    assert!(all.as_mut().poll(&mut context).is_ready());
    assert_eq!(tail.as_mut().poll(&mut context), std::task::Poll::Ready(Some(Woken::Append)));
}

#[test]
fn a_follower_serves_and_appends_nothing() {
    let world = World::new();
    let partition = world.alone(Durability::Os);
    append(&partition, 3, Acks::Leader).expect("led here");
    Assigned::led_by(B, 1, &[ME, B]).reach(&partition);
    let refused = append(&partition, 1, Acks::Leader);
    assert!(matches!(refused, Err(AppendRefused::Unavailable(Unavailable::NotLeader))));
    assert_eq!(partition.high_watermark(), Err(Unavailable::NotLeader));
    assert_eq!(partition.role().high_watermark(), Some(Offset(3)), "what was committed is known to be");
    Assigned::led_by(ME, 2, &[ME, B]).reach(&partition);
    assert_eq!(high_watermark(&partition), 3);
}

#[test]
fn a_leader_that_knew_nothing_is_not_asked_for_its_latest_offset_too_early() {
    let world = World::new();
    let partition = world.alone(Durability::Os);
    append(&partition, 3, Acks::Leader).expect("led here");
    drop(partition);
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(ME, 4, &[ME, B]));
    assert_eq!(high_watermark(&partition), 0);
    assert!(!partition.led(4).expect("led here").is_latest_known());
    fetched(&partition, B, 3);
    assert!(partition.led(4).expect("led here").is_latest_known());
}

#[test]
fn a_follower_takes_its_leader_s_high_watermark_within_its_log() {
    let world = World::new();
    let partition = world.alone(Durability::Os);
    append(&partition, 3, Acks::Leader).expect("led here");
    drop(partition);
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(B, 1, &[ME, B]));
    let fetch = |leaders| {
        let nothing = bytes::Bytes::new();
        partition
            .append_fetched(LeaderEpoch(1), Offset(3), nothing, Offset(leaders), NOW)
            .expect("it follows")
    };
    assert_eq!(fetch(2).high_watermark, Offset(2));
    assert_eq!(fetch(9).high_watermark, Offset(3));
    assert_eq!(fetch(1).high_watermark, Offset(3), "what was committed is known to be");
    assert_eq!(partition.role().high_watermark(), Some(Offset(3)));
}

#[test]
fn requests_of_another_leader_epoch_are_told_which_way_they_are_wrong() {
    let world = World::new();
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(ME, 3, &[ME]));
    let led = |epoch| partition.led(epoch).map(|led| led.epoch().0);
    assert_eq!((led(-1), led(3)), (Ok(3), Ok(3)));
    assert_eq!(led(2), Err(Unavailable::FencedLeaderEpoch));
    assert_eq!(led(4), Err(Unavailable::UnknownLeaderEpoch));
    Assigned::led_by(B, 5, &[ME, B]).reach(&partition);
    let led = |epoch| partition.led(epoch).map(|led| led.epoch().0);
    assert_eq!((led(-1), led(5)), (Err(Unavailable::NotLeader), Err(Unavailable::NotLeader)));
    assert_eq!(led(3), Err(Unavailable::FencedLeaderEpoch), "the epoch is looked at first, as on Kafka");
    assert_eq!(led(6), Err(Unavailable::UnknownLeaderEpoch));
}

#[test]
fn the_log_refuses_an_append_of_an_epoch_that_ended_under_way() {
    let world = World::new();
    let partition = world.alone(Durability::Os);
    append(&partition, 1, Acks::Leader).expect("led here");
    Assigned::led_by(B, 1, &[ME, B]).reach(&partition);
    let log = partition.log().expect("healthy").clone();
    let late = log.append(batch(1), LeaderEpoch(0), AppendOrigin::Client, NOW);
    assert!(matches!(late, Err(AppendError::FencedLeaderEpoch { given: 0, latest: 1 })), "{late:?}");
    let refused = AppendRefused::from(AppendError::FencedLeaderEpoch { given: 0, latest: 1 });
    assert!(matches!(refused, AppendRefused::Unavailable(Unavailable::NotLeader)));
    assert_eq!(log.log_end_offset(), Offset(1));
}

#[test]
#[should_panic(expected = "went back from 4 to 3")]
fn leader_epochs_never_go_back() {
    let world = World::new();
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(ME, 4, &[ME]));
    Assigned::led_by(B, 3, &[ME, B]).reach(&partition);
}

#[test]
fn a_wait_ends_at_its_deadline_and_leaves_nothing_behind() {
    let world = World::new();
    let partition = world.alone(Durability::SurviveOne);
    let pending = vec![waiting(&partition), waiting(&partition)];
    let mut all = AllAcknowledged::until(pending, world.deadline(Duration::from_millis(30)));
    assert!(is_waiting(&mut all));
    assert_eq!(partition.gate().waiter_count(), 2);
    world.clock.advance(Duration::from_millis(29));
    assert!(is_waiting(&mut all));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(poll(&mut all), Some(vec![Err(NotAcknowledged::TimedOut); 2]));
    assert_eq!(partition.gate().waiter_count(), 0);
}

#[test]
fn what_is_done_when_the_deadline_passes_is_acknowledged() {
    let world = World::new();
    let partition = world.partition(Durability::SurviveOne, 1, &Assigned::led_by(ME, 0, &[ME, B]));
    let pending = vec![waiting(&partition), waiting(&partition)];
    let mut all = AllAcknowledged::until(pending, world.deadline(Duration::ZERO));
    fetched(&partition, B, 1);
    assert_eq!(poll(&mut all), Some(vec![Ok(()), Err(NotAcknowledged::TimedOut)]));
}

#[test]
fn who_gives_up_waiting_leaves_the_list() {
    let world = World::new();
    let partition = world.alone(Durability::SurviveOne);
    let mut all = one(waiting(&partition));
    assert!(is_waiting(&mut all) && is_waiting(&mut all));
    assert_eq!(partition.gate().waiter_count(), 1);
    drop(all);
    assert_eq!(partition.gate().waiter_count(), 0);
}

#[test]
fn a_deletion_fails_what_waits_and_all_that_comes() {
    let world = World::new();
    let partition = world.alone(Durability::SurviveOne);
    let mut all = one(waiting(&partition));
    assert!(is_waiting(&mut all));
    partition.mark_deleted();
    world.logs.delete(&partition.name).expect("a healthy disk");
    assert_eq!(poll(&mut all), Some(vec![Err(NotAcknowledged::Deleted)]));
    assert!(partition.is_deleted());
    assert_eq!(partition.high_watermark(), Err(Unavailable::Deleted));
    assert!(matches!(partition.pending(LeaderEpoch(0), Offset(1)), Err(NotAcknowledged::Deleted)));
    let refused = append(&partition, 1, Acks::Leader);
    assert!(matches!(refused, Err(AppendRefused::Unavailable(Unavailable::Deleted))));
}

#[test]
fn a_disk_that_fails_fails_what_waits_for_it() {
    let world = World::new();
    let partition = world.alone(Durability::SurviveOne);
    let mut all = one(waiting(&partition));
    assert!(is_waiting(&mut all));
    world.break_syncs();
    world.sync();
    assert_eq!(poll(&mut all), Some(vec![Err(NotAcknowledged::Storage)]));
    assert!(matches!(append(&partition, 1, Acks::All), Err(AppendRefused::Log(AppendError::Storage(_)))));
}

#[test]
fn what_was_deleted_of_a_log_is_below_its_high_watermark() {
    let world = World::new();
    let partition = world.partition(Durability::Os, 1, &Assigned::led_by(ME, 0, &[ME, B]));
    append(&partition, 5, Acks::Leader).expect("led here");
    fetched(&partition, B, 4);
    partition.log().expect("healthy").delete_records(Offset(4)).expect("below the high watermark");
    append(&partition, 1, Acks::Leader).expect("led here");
    fetched(&partition, B, 2);
    assert_eq!(high_watermark(&partition), 4);
}

/// `replication-offset-checkpoint` has no checksum: what it says is held against the log, and a follower's word counts
/// again.
#[test]
fn a_damaged_checkpoint_of_high_watermarks_names_no_place_outside_of_the_log() {
    let world = World::new();
    let alone = world.alone(Durability::Os);
    (0..30).for_each(|_| drop(append(&alone, 1, Acks::Leader).expect("led here")));
    drop(alone);
    let name = TopicPartition::parse("t-0").expect("a partition");
    let path = Path::new("/data/replication-offset-checkpoint");
    world.logs.write_high_watermarks(&BTreeMap::from([(name, Offset(30))])).expect("written");
    let whole = world.disk.read(path).expect("the checkpoint");
    let mut seen = BTreeSet::new();
    for (position, bit) in (0..whole.len()).flat_map(|position| (0..8).map(move |bit| (position, bit))) {
        world.disk.write_atomically(path, &whole).expect("written");
        world.disk.flip(path, position, bit);
        let place = format!("bit {bit} of byte {position}");
        let partition = world.partition(Durability::Os, 1, &Assigned::led_by(ME, 0, &[ME, B]));
        let known = high_watermark(&partition);
        assert!((0..=30).contains(&known), "{place}: {known}");
        seen.insert(known);
        fetched(&partition, B, 30);
        assert_eq!(high_watermark(&partition), 30, "{place}");
    }
    // Nothing known, a smaller one, and one beyond the log, which is its end.
    assert!(seen.contains(&0) && seen.contains(&20) && seen.contains(&30), "{seen:?}");
}
