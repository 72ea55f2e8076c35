//! What a controller gives to observers, request by request, as Kafka's controllers answer.
//! Shell, for tests.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ottla_env::Env;
use ottla_env::memory::{MemoryClock, MemoryDisk};
use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::messages::{
    AddRaftVoterRequest, DescribeQuorumRequest, FetchRequest, FetchResponse, RemoveRaftVoterRequest,
    UpdateRaftVoterRequest,
};
use ottla_protocol::messages::{add_raft_voter_request, describe_quorum_request, update_raft_voter_request};
use uuid::Uuid;

use crate::metadata_tests::{DIR, create, facts, logs, options, run, world};
use crate::observer::{Ask, Observer};
use crate::observer_loop::ObserverLoop;
use crate::{Image, Metadata, MetadataOptions, Registration, Voter};

const DIRECTORY: Uuid = Uuid::from_u128(7);

fn controller(env: &Env, snapshot_bytes: u64) -> Arc<Metadata> {
    let given = [
        ("node.id".to_owned(), "1".to_owned()),
        ("listeners".to_owned(), "PLAINTEXT://h:9092,CONTROLLER://h:9093".to_owned()),
        ("controller.listener.names".to_owned(), "CONTROLLER".to_owned()),
    ];
    let config = ottla_config::load(None, &[], &given).expect("a valid configuration").0;
    let options = MetadataOptions { config, ..options(Some(logs(env, Path::new(DIR)))) };
    let metadata = Metadata::open(env, options).expect("it opens");
    metadata.set_upkeep_thresholds(snapshot_bytes, u64::MAX);
    metadata.start(&Registration::default()).expect("it starts");
    metadata
}

fn nodes() -> Vec<Voter> {
    vec![Voter { id: BrokerId(1), host: "h".to_owned(), port: 9093 }]
}

fn observer() -> Observer {
    Observer::new(BrokerId(5), DIRECTORY, options(None).cluster_id)
}

/// Asks and listens until the observer has all that the controller has. Gives how often it asked for a snapshot.
fn follow(
    controller: &Metadata,
    observer: &mut Observer,
    room: &mut ObserverLoop,
    image: impl Fn() -> Arc<Image>,
) -> usize {
    let mut snapshots = 0;
    for _ in 0..1_000 {
        if image().metadata_offset() == controller.image().metadata_offset() {
            return snapshots;
        }
        let outcome = match observer.next() {
            Ask::Fetch(request) => observer.on_fetch(run(controller.fetch_log(request, nodes()))),
            Ask::Snapshot(request) => {
                snapshots += 1;
                observer.on_snapshot(controller.fetch_snapshot(&request, &nodes()))
            }
        };
        outcome.observed.into_iter().for_each(|observed| room.on_finding(observed.0));
    }
    panic!("the observer stays behind");
}

#[test]
fn an_observer_has_the_image_of_its_controller_by_the_log_and_by_a_snapshot() {
    for snapshot_bytes in [u64::MAX, 4_000] {
        let env = world(1, Arc::new(MemoryDisk::new()));
        let controller = controller(&env, snapshot_bytes);
        for number in 0..40 {
            assert_eq!(run(create(&controller, &format!("topic-{number}"))), Ok(0));
        }
        let mut observer = observer();
        let (mut room, shared, leadership) = ObserverLoop::open(&options(None).cluster_id);
        let snapshots = follow(&controller, &mut observer, &mut room, || shared.image.load_full());
        assert_eq!(snapshots > 0, snapshot_bytes < u64::MAX);
        run(create(&controller, "another")).expect("made");
        follow(&controller, &mut observer, &mut room, || shared.image.load_full());
        let (image, of_controller) = (shared.image.load_full(), controller.image().clone());
        assert_eq!(facts(&image), facts(&of_controller));
        assert_eq!((image.controller_id(), leadership.borrow().leader), (BrokerId(1), Some(BrokerId(1))));
        assert_eq!(image.leader_epoch(), of_controller.leader_epoch());
        run(controller.stop());
    }
}

fn of(answer: &FetchResponse) -> &PartitionData {
    &answer.responses[0].partitions[0]
}

/// A fetch of somebody who knows the leader, from `offset` on.
fn fetch(controller: &Metadata, offset: i64, epoch: i32) -> FetchRequest {
    let Ask::Fetch(mut request) = observer().next() else { panic!("nothing was heard of a snapshot") };
    let partition = &mut request.topics[0].partitions[0];
    partition.current_leader_epoch = controller.leadership().epoch.0;
    (partition.fetch_offset, partition.last_fetched_epoch) = (offset, epoch);
    request
}

#[test]
fn refusals_are_kafka_s() {
    let env = world(2, Arc::new(MemoryDisk::new()));
    let controller = controller(&env, u64::MAX);
    run(create(&controller, "t")).expect("made");
    let epoch = controller.leadership().epoch.0;
    let ask = |change: &dyn Fn(&mut FetchRequest)| {
        let mut request = fetch(&controller, 0, 0);
        change(&mut request);
        run(controller.fetch_log(request, nodes()))
    };
    let code = |error: ErrorCode| error.code();
    let other = ask(&|request| request.cluster_id = Some(StrBytes::from_static_str("other")));
    assert_eq!(other.error_code, code(ErrorCode::InconsistentClusterId));
    assert_eq!(ask(&|request| request.cluster_id = None).error_code, 0);
    let wrong = [
        ask(&|request| request.topics[0].topic_id = Uuid::from_u128(9)),
        ask(&|request| request.topics[0].partitions[0].partition = 1),
        ask(&|request| request.topics.clear()),
    ];
    assert!(wrong.iter().all(|answer| answer.error_code == code(ErrorCode::InvalidRequest)));
    let at = |change: &dyn Fn(&mut FetchRequest)| of(&ask(change)).clone();
    let negative = at(&|request| request.topics[0].partitions[0].fetch_offset = -1);
    assert_eq!(negative.error_code, code(ErrorCode::InvalidRequest));
    for (known, error) in
        [(epoch - 1, ErrorCode::FencedLeaderEpoch), (epoch + 1, ErrorCode::UnknownLeaderEpoch)]
    {
        let answer = ask(&|request| request.topics[0].partitions[0].current_leader_epoch = known);
        assert_eq!(of(&answer).error_code, code(error));
        let leader = &of(&answer).current_leader;
        assert_eq!((*leader.leader_id, leader.leader_epoch), (1, epoch), "a refusal names the leader");
        let node = &answer.node_endpoints[0];
        assert_eq!((*node.node_id, &*node.host, node.port), (1, "h", 9093));
    }
    // Behind the end, and of an epoch that never was.
    let end = controller.image().metadata_offset().0 + 1;
    let diverging = |offset, last| {
        let answer = run(controller.fetch_log(fetch(&controller, offset, last), nodes()));
        let diverging = &of(&answer).diverging_epoch;
        assert!(of(&answer).records.as_ref().is_some_and(|records| records.is_empty()));
        (diverging.epoch, diverging.end_offset)
    };
    assert_eq!(diverging(end + 5, epoch), (epoch, end));
    assert_eq!(diverging(1, 0), (0, 0));
    let fits = of(&run(controller.fetch_log(fetch(&controller, 1, epoch), nodes()))).clone();
    assert_eq!((fits.diverging_epoch.epoch, fits.error_code, fits.high_watermark), (-1, 0, end));
    assert!(fits.records.is_some_and(|records| !records.is_empty()));
    run(controller.stop());
}

#[test]
fn a_fetch_at_the_end_waits_for_records_for_a_high_watermark_or_for_its_time() {
    let clock = Arc::new(MemoryClock::new(1_700_000_000_000));
    let env = Env { clock: clock.clone(), ..world(3, Arc::new(MemoryDisk::new())) };
    let controller = controller(&env, u64::MAX);
    let epoch = controller.leadership().epoch.0;
    let end = controller.image().metadata_offset().0 + 1;
    let request = |high_watermark| {
        let mut request = fetch(&controller, end, epoch);
        request.topics[0].partitions[0].high_watermark = high_watermark;
        request
    };
    let mut context = Context::from_waker(Waker::noop());
    // Its high watermark is behind: it is told at once (KIP-1166).
    let mut told = pin!(controller.fetch_log(request(end - 1), nodes()));
    assert!(told.as_mut().poll(&mut context).is_ready());
    let mut waits = pin!(controller.fetch_log(request(end), nodes()));
    let mut times_out = pin!(controller.fetch_log(request(end), nodes()));
    assert!(waits.as_mut().poll(&mut context).is_pending());
    clock.advance(Duration::from_millis(499));
    assert!(times_out.as_mut().poll(&mut context).is_pending());
    clock.advance(Duration::from_millis(500));
    let Poll::Ready(answer) = times_out.as_mut().poll(&mut context) else { panic!("its time is over") };
    assert!(of(&answer).records.as_ref().is_some_and(|records| records.is_empty()));
    let mut waits = pin!(controller.fetch_log(request(end), nodes()));
    assert!(waits.as_mut().poll(&mut context).is_pending());
    run(create(&controller, "t")).expect("made");
    let Poll::Ready(answer) = waits.as_mut().poll(&mut context) else { panic!("there is something") };
    assert!(of(&answer).records.as_ref().is_some_and(|records| !records.is_empty()));
    assert!(of(&answer).high_watermark > end);
    run(controller.stop());
}

/// As Kafka's controllers answer where the voters are those of the configuration.
#[test]
fn voters_that_are_configured_do_not_change() {
    let env = world(5, Arc::new(MemoryDisk::new()));
    let controller = controller(&env, u64::MAX);
    let name = || StrBytes::from_string(controller.controller_listener().to_owned());
    let listener = add_raft_voter_request::Listener { name: name(), ..Default::default() };
    let add = |voter, directory, listeners: usize| {
        let request = AddRaftVoterRequest {
            cluster_id: None,
            voter_id: voter,
            voter_directory_id: Uuid::from_u128(directory),
            listeners: vec![listener.clone(); listeners],
            timeout_ms: 30_000,
            ..AddRaftVoterRequest::default()
        };
        let answer = run(controller.add_voter(&request));
        (answer.error_code, answer.error_message.map(|text| text.to_string()))
    };
    let invalid = ErrorCode::InvalidRequest.code();
    assert_eq!((add(-1, 3, 1).0, add(2, 0, 1).0, add(2, 3, 0).0), (invalid, invalid, invalid));
    let text = "Cluster doesn't support adding voter because the kraft.version feature is 0";
    assert_eq!(add(2, 3, 1), (ErrorCode::UnsupportedVersion.code(), Some(text.to_owned())));
    let remove = |cluster: Option<&str>, directory| {
        let request = RemoveRaftVoterRequest::default()
            .with_cluster_id(cluster.map(|id| StrBytes::from_string(id.to_owned())))
            .with_voter_id(1)
            .with_voter_directory_id(Uuid::from_u128(directory));
        run(controller.remove_voter(&request)).error_code
    };
    assert_eq!(remove(None, 3), ErrorCode::UnsupportedVersion.code());
    assert_eq!(remove(None, 0), invalid);
    assert_eq!(remove(Some("other"), 3), ErrorCode::InconsistentClusterId.code());
    let epoch = controller.leadership().epoch.0;
    let update = |epoch, voter, listeners: usize| {
        let request = UpdateRaftVoterRequest::default()
            .with_cluster_id(None)
            .with_current_leader_epoch(epoch)
            .with_voter_id(voter)
            .with_voter_directory_id(DIRECTORY)
            .with_listeners(vec![
                update_raft_voter_request::Listener::default().with_name(name());
                listeners
            ]);
        let answer = run(controller.update_voter(&request, &nodes()));
        assert_eq!((*answer.current_leader.leader_id, &*answer.current_leader.host), (1, "h"));
        answer.error_code
    };
    assert_eq!(update(epoch, 9, 1), ErrorCode::VoterNotFound.code());
    assert_eq!(update(epoch, 1, 1), ErrorCode::UnsupportedVersion.code());
    assert_eq!(update(epoch, 1, 0), invalid);
    assert_eq!(update(epoch - 1, 1, 1), ErrorCode::FencedLeaderEpoch.code());
    run(controller.stop());
}

#[test]
fn describe_quorum_shows_who_reads() {
    let env = world(4, Arc::new(MemoryDisk::new()));
    let controller = controller(&env, u64::MAX);
    let asked = describe_quorum_request::TopicData::default()
        .with_topic_name(StrBytes::from_static_str("__cluster_metadata").into())
        .with_partitions(vec![describe_quorum_request::PartitionData::default()]);
    let describe = || {
        let request = DescribeQuorumRequest::default().with_topics(vec![asked.clone()]);
        controller.describe_quorum(&request).topics[0].partitions[0].observers.clone()
    };
    assert!(describe().is_empty());
    let (end, epoch) = (controller.image().metadata_offset().0 + 1, controller.leadership().epoch.0);
    drop(run(controller.fetch_log(fetch(&controller, 1, epoch), nodes())));
    let first = describe().remove(0);
    assert_eq!((*first.replica_id, first.replica_directory_id, first.log_end_offset), (5, DIRECTORY, 1));
    assert_eq!(first.last_caught_up_timestamp, -1);
    let mut request = fetch(&controller, end, epoch);
    request.max_wait_ms = 0;
    drop(run(controller.fetch_log(request, nodes())));
    let second = describe().remove(0);
    assert_eq!(second.log_end_offset, end);
    assert_eq!(second.last_caught_up_timestamp, second.last_fetch_timestamp);
    assert!(second.last_fetch_timestamp > 0);
    run(controller.stop());
}
