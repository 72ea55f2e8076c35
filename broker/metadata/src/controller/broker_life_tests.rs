//! The life of brokers towards the controller: they register, beat, are fenced, come back, stop.
//! Core. Tests only; the pitfalls have the numbers they have in the design of the cluster (P6, P7, P9, P17, P30).

use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset, TopicId};
use ottla_protocol::messages::AlterPartitionRequest;
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::alter_partition_response::PartitionData as Altered;
use ottla_protocol::records::metadata::{MetadataRecord, PartitionRecord, TopicRecord};

use crate::controller::alter_partition::decide_alter_partition;
use crate::controller::elections::decide_elect_leaders;
use crate::controller::features::ELIGIBLE_LEADER_REPLICAS;
use crate::controller::fencing::{begin_controlled_shutdown, fence};
use crate::controller::liveness::Liveness;
use crate::controller::partition_change::Candidates;
use crate::controller::register_broker::decide_unregister_broker;
use crate::controller::testing::{Beat, Cluster, IntoStr, registration};
use crate::image::PartitionImage;

const SERVES: Beat = Beat { is_caught_up: true, is_fenced: false, should_shut_down: false };
const FENCED: Beat = Beat { is_caught_up: true, is_fenced: true, should_shut_down: false };
const GOES: Beat = Beat { is_caught_up: true, is_fenced: true, should_shut_down: true };

/// Brokers that have registered and serve.
fn cluster(brokers: &[i32], settings: &[(&str, &str)], has_elr: bool) -> Cluster {
    let mut cluster = Cluster::configured(&[], settings);
    cluster.finalize("metadata.version", 30);
    if has_elr {
        cluster.finalize(ELIGIBLE_LEADER_REPLICAS, 1);
    }
    for id in brokers {
        assert!(cluster.register(*id, 1, -1).is_ok());
        assert_eq!(cluster.beat(*id, |_| {}), Ok(SERVES));
    }
    cluster
}

const TOPIC: u128 = 0x7777;

/// A topic "t" of one partition, all of whose replicas are in sync.
fn with_topic(cluster: &mut Cluster, replicas: &[i32]) {
    let topic_id = uuid::Uuid::from_u128(TOPIC);
    let directories = replicas.iter().map(|id| uuid::Uuid::from_u128(1000 + *id as u128)).collect();
    let partition = PartitionRecord {
        topic_id,
        partition_id: 0,
        replicas: replicas.to_vec(),
        isr: replicas.to_vec(),
        leader: replicas[0],
        directories,
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    };
    let topic = TopicRecord { name: "t".into_str(), topic_id, ..TopicRecord::default() };
    cluster.apply(vec![MetadataRecord::from(topic), partition.into()]);
}

fn ids(replicas: &[BrokerId]) -> Vec<i32> {
    replicas.iter().map(|id| id.0).collect()
}

/// Leader (-1: none), leader epoch, in sync, eligible.
fn facts(partition: &PartitionImage) -> (i32, i32, Vec<i32>, Vec<i32>) {
    let leader = partition.leader.map_or(-1, |id| id.0);
    (leader, partition.leader_epoch.0, ids(&partition.isr), ids(partition.elr()))
}

fn epoch(cluster: &Cluster, id: i32) -> i64 {
    cluster.image().broker(BrokerId(id)).expect("a registered broker").broker_epoch
}

/// The leader of "t" asks for these in-sync replicas, each with the epoch it saw.
fn alter(cluster: &mut Cluster, isr: &[(i32, i64)], change: impl FnOnce(&mut PartitionData)) -> Altered {
    let partition = cluster.partition("t", 0);
    let states = isr
        .iter()
        .map(|(id, epoch)| BrokerState::default().with_broker_id((*id).into()).with_broker_epoch(*epoch));
    let mut data = PartitionData::default()
        .with_partition_index(0)
        .with_leader_epoch(partition.leader_epoch.0)
        .with_partition_epoch(partition.partition_epoch)
        .with_new_isr_with_epochs(states.collect());
    change(&mut data);
    let leader = partition.leader.expect("a leader").0;
    let topic = TopicData::default().with_topic_id(uuid::Uuid::from_u128(TOPIC)).with_partitions(vec![data]);
    let request = AlterPartitionRequest::default()
        .with_broker_id(leader.into())
        .with_broker_epoch(epoch(cluster, leader))
        .with_topics(vec![topic]);
    let response = cluster.decide(|image, rules, _, _| decide_alter_partition(image, rules, &request));
    response.expect("no answer for all").topics[0].partitions[0].clone()
}

#[test]
fn a_broker_registers_catches_up_serves_and_is_fenced_when_it_falls_silent() {
    let mut cluster = cluster(&[], &[], false);
    let first = cluster.register(1, 1, -1).expect("registered");
    assert_eq!(
        Offset(first),
        cluster.image().metadata_offset(),
        "the epoch is the offset of the registration"
    );
    let behind = Beat { is_caught_up: false, is_fenced: true, should_shut_down: false };
    assert_eq!(cluster.beat(1, |beat| beat.current_metadata_offset = first - 1), Ok(behind));
    assert_eq!(cluster.beat(1, |beat| beat.want_fence = true), Ok(FENCED));
    // The log grows all the time; who has its own registration has caught up (KAFKA-13959).
    cluster.finalize("group.version", 1);
    assert_eq!(cluster.beat(1, |beat| beat.current_metadata_offset = first), Ok(SERVES));
    assert_eq!(cluster.pass(9_000), []);
    assert_eq!(cluster.pass(1), [BrokerId(1)]);
    assert!(cluster.image().broker(BrokerId(1)).is_some_and(|broker| broker.fenced));
    assert_eq!(cluster.pass(100_000), []);
    assert_eq!(cluster.beat(1, |_| {}), Ok(SERVES));
    assert_eq!(cluster.beat(1, |beat| beat.broker_epoch -= 1), Err(ErrorCode::StaleBrokerEpoch));
    assert_eq!(cluster.beat(2, |_| {}), Err(ErrorCode::StaleBrokerEpoch));
}

#[test]
fn a_registration_that_does_not_fit_is_refused_with_kafka_s_code() {
    let mut cluster = cluster(&[1], &[], false);
    let mut ask = |request: ottla_protocol::messages::BrokerRegistrationRequest| {
        let answer = cluster.decide(|image, rules, liveness, now| {
            super::register_broker::decide_register_broker(image, rules, liveness, &request, now)
        });
        answer.map(|response| response.broker_epoch)
    };
    let of = |id| registration(id, 1);
    assert_eq!(ask(of(2).with_cluster_id("other".into_str())), Err(ErrorCode::InconsistentClusterId));
    assert_eq!(ask(registration(1, 2)), Err(ErrorCode::DuplicateBrokerRegistration));
    assert_eq!(ask(of(2).with_is_migrating_zk_broker(true)), Err(ErrorCode::BrokerIdNotRegistered));
    assert_eq!(ask(of(2).with_log_dirs(vec![])), Err(ErrorCode::InvalidRegistration));
    let dir = |id: u128| uuid::Uuid::from_u128(id);
    for dirs in [vec![dir(99)], vec![dir(500), dir(500)], vec![dir(1001)]] {
        assert_eq!(ask(of(2).with_log_dirs(dirs)), Err(ErrorCode::InvalidRegistration));
    }
    let mut too_new = of(2);
    too_new.features[0].min_supported_version = 31;
    assert_eq!(ask(too_new), Err(ErrorCode::UnsupportedVersion));
    assert_eq!(ask(of(2).with_features(vec![])), Err(ErrorCode::InvalidRegistration));
    // The same incarnation may register again, and keeps its epoch and that it serves.
    let before = ask(of(1));
    assert_eq!(ask(of(1)), before);
    assert_eq!(cluster.image().broker(BrokerId(1)).map(|broker| broker.fenced), Some(false));
}

#[test]
fn a_feature_that_a_broker_does_not_name_must_be_off() {
    let mut cluster = cluster(&[], &[], true);
    let mut request = registration(1, 1);
    request.features.retain(|feature| feature.name.as_str() != ELIGIBLE_LEADER_REPLICAS);
    let answer = cluster.decide(|image, rules, liveness, now| {
        super::register_broker::decide_register_broker(image, rules, liveness, &request, now)
    });
    assert_eq!(answer.map(|response| response.broker_epoch), Err(ErrorCode::UnsupportedVersion));
}

#[test]
fn the_leader_that_dies_is_followed_by_the_next_in_sync() {
    let mut cluster = cluster(&[1, 2, 3], &[], false);
    with_topic(&mut cluster, &[1, 2, 3]);
    cluster.now = cluster.now.after_ms(5_000);
    assert_eq!(cluster.beat(2, |_| {}), Ok(SERVES));
    assert_eq!(cluster.beat(3, |_| {}), Ok(SERVES));
    assert_eq!(cluster.pass(4_001), [BrokerId(1)]);
    assert_eq!(facts(&cluster.partition("t", 0)), (2, 1, vec![2, 3], vec![]));
    assert_eq!(cluster.pass(9_000), [BrokerId(2), BrokerId(3)]);
    // The last one stays in sync: it is the one that may lead again.
    assert_eq!(facts(&cluster.partition("t", 0)), (-1, 3, vec![3], vec![]));
    assert_eq!(cluster.beat(2, |_| {}), Ok(SERVES));
    assert_eq!(facts(&cluster.partition("t", 0)), (-1, 3, vec![3], vec![]));
    assert_eq!(cluster.beat(3, |_| {}), Ok(SERVES));
    assert_eq!(facts(&cluster.partition("t", 0)), (3, 4, vec![3], vec![]));
}

#[test]
fn a_topic_that_allows_it_is_led_by_whoever_lives() {
    let mut cluster = cluster(&[1, 2], &[("unclean.leader.election.enable", "true")], false);
    with_topic(&mut cluster, &[1, 2]);
    assert_eq!(alter(&mut cluster, &[(1, -1)], |_| {}).error_code, 0);
    let mut records = Vec::new();
    fence(cluster.image(), &cluster.rules, BrokerId(1), &mut records);
    cluster.apply(records);
    let partition = cluster.partition("t", 0);
    assert_eq!(facts(&partition), (2, 1, vec![2], vec![]));
    assert!(partition.recovering);
}

#[test]
fn a_broker_that_stops_hands_over_and_goes_when_all_know_it() {
    let mut cluster = cluster(&[1, 2], &[], false);
    with_topic(&mut cluster, &[1, 2]);
    let waits = Beat { is_caught_up: true, is_fenced: false, should_shut_down: false };
    let stop = |cluster: &mut Cluster| cluster.beat(1, |beat| beat.want_shut_down = true);
    assert_eq!(stop(&mut cluster), Ok(waits));
    assert_eq!(facts(&cluster.partition("t", 0)), (2, 1, vec![2], vec![]));
    assert_eq!(stop(&mut cluster), Ok(waits), "broker 2 has not told that it knows");
    assert_eq!(cluster.beat(2, |_| {}), Ok(SERVES));
    assert_eq!(stop(&mut cluster), Ok(GOES));
    assert!(cluster.image().broker(BrokerId(1)).is_some_and(|broker| broker.fenced));
    // Who leads nothing goes at once.
    assert_eq!(cluster.beat(2, |beat| (beat.want_fence, beat.want_shut_down) = (true, true)), Ok(GOES));
}

#[test]
fn p6_a_fenced_or_stopping_replica_does_not_join_the_isr() {
    let mut cluster = cluster(&[1, 2, 3], &[], false);
    with_topic(&mut cluster, &[1, 2, 3]);
    assert_eq!(alter(&mut cluster, &[(1, -1)], |_| {}).error_code, 0);
    let epochs = [epoch(&cluster, 1), epoch(&cluster, 2), epoch(&cluster, 3)];
    let mut records = Vec::new();
    fence(cluster.image(), &cluster.rules, BrokerId(2), &mut records);
    begin_controlled_shutdown(cluster.image(), &cluster.rules, BrokerId(3), &mut records);
    cluster.apply(records);
    for late in [2, 3] {
        let isr = [(1, epochs[0]), (late, epochs[late as usize - 1])];
        assert_eq!(alter(&mut cluster, &isr, |_| {}).error_code, ErrorCode::IneligibleReplica.code());
    }
    assert_eq!(facts(&cluster.partition("t", 0)), (1, 0, vec![1], vec![]));
}

#[test]
fn p7_a_fetch_of_an_earlier_incarnation_brings_nobody_into_the_isr() {
    let mut cluster = cluster(&[1, 2], &[], false);
    with_topic(&mut cluster, &[1, 2]);
    let before = epoch(&cluster, 2);
    cluster.pass(5_000);
    assert_eq!(cluster.beat(1, |_| {}), Ok(SERVES));
    assert_eq!(cluster.pass(4_001), [BrokerId(2)]);
    let again = cluster.register(2, 2, -1).expect("the session is over");
    assert_eq!(cluster.beat(2, |_| {}), Ok(SERVES));
    let own = epoch(&cluster, 1);
    assert_eq!(alter(&mut cluster, &[(2, again)], |_| {}).error_code, ErrorCode::InvalidRequest.code());
    assert_eq!(alter(&mut cluster, &[(1, own), (2, before)], |_| {}).error_code, 107);
    let joined = alter(&mut cluster, &[(1, own), (2, again)], |_| {});
    assert_eq!((joined.error_code, joined.isr.len()), (0, 2));
}

#[test]
fn each_refusal_of_a_change_has_its_code() {
    let mut cluster = cluster(&[1, 2], &[], false);
    with_topic(&mut cluster, &[1, 2]);
    let both = [(1, -1), (2, -1)];
    let code = |altered: Altered| ErrorCode::from_code(altered.error_code);
    assert_eq!(
        code(alter(&mut cluster, &both, |data| data.leader_epoch += 1)),
        Some(ErrorCode::NotController)
    );
    assert_eq!(
        code(alter(&mut cluster, &both, |data| data.partition_epoch += 1)),
        Some(ErrorCode::NotController)
    );
    assert_eq!(
        code(alter(&mut cluster, &both, |data| data.leader_epoch -= 1)),
        Some(ErrorCode::FencedLeaderEpoch)
    );
    let stale = alter(&mut cluster, &both, |data| data.partition_epoch -= 1);
    assert_eq!(code(stale), Some(ErrorCode::InvalidUpdateVersion));
    for isr in [&[(2, -1)][..], &[(1, -1), (1, -1)], &[(1, -1), (9, -1)], &[]] {
        assert_eq!(code(alter(&mut cluster, isr, |_| {})), Some(ErrorCode::InvalidRequest), "{isr:?}");
    }
    let recovers = alter(&mut cluster, &[(1, -1)], |data| data.leader_recovery_state = 1);
    assert_eq!(code(recovers), Some(ErrorCode::InvalidRequest));
    let no_partition = alter(&mut cluster, &both, |data| data.partition_index = 4);
    assert_eq!(
        (code(no_partition.clone()), no_partition.partition_index),
        (Some(ErrorCode::UnknownTopicOrPartition), 4)
    );
    let done = alter(&mut cluster, &[(1, -1)], |_| {});
    assert_eq!((done.error_code, done.partition_epoch, done.leader_epoch), (0, 1, 0));
    let before = cluster.image().metadata_offset();
    assert_eq!(alter(&mut cluster, &[(1, -1)], |_| {}).partition_epoch, 1);
    assert_eq!(cluster.image().metadata_offset(), before, "what is so already is no change");
}

#[test]
fn p9_a_broker_that_was_killed_raises_the_epoch_of_what_it_led() {
    for has_elr in [false, true] {
        let mut cluster = cluster(&[1, 2], &[], has_elr);
        with_topic(&mut cluster, &[1, 2]);
        let epoch = epoch(&cluster, 1);
        // Killed and back before anybody noticed, but for its session.
        cluster.liveness =
            Liveness::of(cluster.image(), std::time::Duration::ZERO, Some(BrokerId(1)), cluster.now);
        assert!(cluster.register(1, 2, -1).is_ok());
        assert_eq!(facts(&cluster.partition("t", 0)), (2, 1, vec![2], vec![]));
        // Alone in sync, it leads again, and readers see that it is not the same log.
        assert_eq!(cluster.beat(1, |_| {}), Ok(SERVES));
        assert!(cluster.register(2, 2, epoch).is_err(), "broker 2 lives");
    }
    let mut alone = cluster(&[1], &[], true);
    with_topic(&mut alone, &[1]);
    alone.pass(9_001);
    assert!(alone.register(1, 2, -1).is_ok());
    assert_eq!(facts(&alone.partition("t", 0)), (-1, 1, vec![], vec![]));
    assert_eq!(alone.beat(1, |_| {}), Ok(SERVES));
    let partition = alone.partition("t", 0);
    assert_eq!((facts(&partition), partition.recovering), ((1, 2, vec![1], vec![]), true));
}

#[test]
fn whoever_leaves_an_isr_below_the_minimum_stays_eligible_if_it_stopped_cleanly() {
    let mut cluster = cluster(&[1, 2, 3], &[("min.insync.replicas", "2")], true);
    with_topic(&mut cluster, &[1, 2, 3]);
    let kill = |cluster: &mut Cluster, id: i32| {
        let mut records = Vec::new();
        fence(cluster.image(), &cluster.rules, BrokerId(id), &mut records);
        cluster.liveness.on_unregistered(BrokerId(id));
        cluster.apply(records);
    };
    let epochs = [epoch(&cluster, 1), epoch(&cluster, 2), epoch(&cluster, 3)];
    kill(&mut cluster, 1);
    assert_eq!(facts(&cluster.partition("t", 0)), (2, 1, vec![2, 3], vec![]));
    kill(&mut cluster, 2);
    assert_eq!(facts(&cluster.partition("t", 0)), (3, 2, vec![3], vec![2]));
    kill(&mut cluster, 3);
    assert_eq!(facts(&cluster.partition("t", 0)), (-1, 3, vec![], vec![2, 3]));
    assert_eq!(ids(cluster.partition("t", 0).last_known_elr()), [3]);
    // Broker 3 lost the end of its log: it is not eligible any more. Broker 2 stopped cleanly.
    assert!(cluster.register(3, 2, -1).is_ok());
    assert_eq!(facts(&cluster.partition("t", 0)), (-1, 3, vec![], vec![2]));
    assert_eq!(cluster.beat(3, |_| {}), Ok(SERVES));
    assert_eq!(facts(&cluster.partition("t", 0)), (-1, 3, vec![], vec![2]));
    assert!(cluster.register(2, 2, epochs[1]).is_ok());
    assert_eq!(cluster.beat(2, |_| {}), Ok(SERVES));
    assert_eq!(facts(&cluster.partition("t", 0)), (2, 4, vec![2], vec![]));
    assert!(!cluster.partition("t", 0).recovering);
    assert_eq!(ids(cluster.partition("t", 0).last_known_elr()), [0i32; 0]);
}

#[test]
fn p17_a_new_controller_gives_each_broker_a_fresh_session_and_fences_all_stale_ones_in_one_pass() {
    let mut cluster = cluster(&[1, 2, 3, 4], &[], false);
    with_topic(&mut cluster, &[1, 2, 3]);
    cluster.now = cluster.now.after_ms(8_999);
    let timeout = cluster.rules.broker_session_timeout();
    // The new controller heard nobody yet, and its clock says that all of them were silent for long.
    cluster.liveness = Liveness::of(cluster.image(), timeout, None, cluster.now);
    assert_eq!(cluster.pass(9_000), []);
    assert_eq!(cluster.beat(4, |_| {}), Ok(SERVES));
    assert_eq!(cluster.pass(1), [BrokerId(1), BrokerId(2), BrokerId(3)]);
    assert_eq!(facts(&cluster.partition("t", 0)), (-1, 3, vec![3], vec![]));
    // Those who are fenced have no session that could end, and come back by a heartbeat.
    cluster.liveness = Liveness::of(cluster.image(), timeout, None, cluster.now);
    assert_eq!(cluster.pass(100_000), [BrokerId(4)]);
    assert_eq!(cluster.beat(3, |_| {}), Ok(SERVES));
    assert_eq!(facts(&cluster.partition("t", 0)), (3, 4, vec![3], vec![]));
}

#[test]
fn a_busy_controller_fences_nobody_whose_heartbeat_waits() {
    let mut cluster = cluster(&[1, 2], &[], false);
    let later = cluster.now.after_ms(8_000);
    // Heard, and not decided yet.
    let epoch = epoch(&cluster, 1);
    cluster.liveness.on_contact(BrokerId(1), epoch, later);
    cluster.liveness.on_contact(BrokerId(2), 12345, later);
    assert_eq!(cluster.pass(9_001), [BrokerId(2)], "what belongs to another epoch counts for nothing");
}

#[test]
fn who_is_unregistered_is_gone() {
    let mut cluster = cluster(&[1, 2], &[("min.insync.replicas", "2")], true);
    with_topic(&mut cluster, &[1, 2]);
    let mut ask = |id: i32| {
        let request = ottla_protocol::messages::UnregisterBrokerRequest::default().with_broker_id(id.into());
        cluster
            .decide(|image, rules, liveness, _| decide_unregister_broker(image, rules, liveness, &request))
            .is_ok()
    };
    assert!(ask(1) && !ask(1) && !ask(9));
    assert!(cluster.image().broker(BrokerId(1)).is_none());
    assert_eq!(facts(&cluster.partition("t", 0)), (2, 1, vec![2], vec![1]));
    assert_eq!(cluster.beat(1, |_| {}), Err(ErrorCode::StaleBrokerEpoch));
}

#[test]
fn p30_no_kind_of_election_takes_one_who_may_not_lead() {
    // Who may not lead, and why: 1 fenced, 2 stopping, 3 with its directory gone.
    let spoil = |cluster: &mut Cluster, id: i32, why: i32| {
        let mut records = Vec::new();
        match why {
            1 => fence(cluster.image(), &cluster.rules, BrokerId(id), &mut records),
            2 => begin_controlled_shutdown(cluster.image(), &cluster.rules, BrokerId(id), &mut records),
            _ => {
                let offline = [uuid::Uuid::from_u128(1000 + id as u128)];
                let (image, rules) = (cluster.image(), &cluster.rules);
                super::fencing::lose_directories(image, rules, BrokerId(id), &offline, &mut records);
                if records.len() == 1 {
                    // A broker without a directory is never listed so: it has another one.
                    let MetadataRecord::BrokerRegistrationChange(change) = &mut records[0] else { return };
                    change.log_dirs = vec![uuid::Uuid::from_u128(5000 + id as u128)];
                }
            }
        }
        for record in &mut records {
            if let MetadataRecord::BrokerRegistrationChange(change) = record
                && why == 3
            {
                change.log_dirs = vec![uuid::Uuid::from_u128(5000 + id as u128)];
            }
        }
        cluster.apply(records);
    };
    for why in [1, 2, 3] {
        for election_type in [0, 1] {
            for has_elr in [false, true] {
                let mut cluster = cluster(&[1, 2], &[("min.insync.replicas", "2")], has_elr);
                with_topic(&mut cluster, &[1, 2]);
                spoil(&mut cluster, 2, why);
                spoil(&mut cluster, 1, why);
                let partition = cluster.partition("t", 0);
                assert_eq!(partition.leader, None, "{why} {has_elr}");
                for id in [1, 2] {
                    assert!(!Candidates::of(cluster.image()).may_lead(&partition, BrokerId(id)));
                }
                let request = ottla_protocol::messages::ElectLeadersRequest::default()
                    .with_election_type(election_type)
                    .with_topic_partitions(None);
                let answer =
                    decide_elect_leaders(cluster.image(), &cluster.rules, &request).expect("a known type");
                assert_eq!(answer.records, [], "{why} {election_type} {has_elr}");
                let code = answer.response.replica_election_results[0].partition_result[0].error_code;
                let expected =
                    [ErrorCode::PreferredLeaderNotAvailable, ErrorCode::EligibleLeadersNotAvailable];
                assert_eq!(code, expected[election_type as usize].code());
                // What others do to the partition does not elect them either.
                assert!(cluster.register(3, 1, -1).is_ok());
                assert_eq!(cluster.beat(3, |_| {}), Ok(SERVES));
                assert_eq!(cluster.partition("t", 0).leader, None);
            }
        }
    }
}

#[test]
fn a_heartbeat_says_which_directories_are_cordoned() {
    let mut cluster = cluster(&[1], &[], true);
    let dirs = [7, 8].map(uuid::Uuid::from_u128);
    let told = |cluster: &mut Cluster, cordoned: Option<&[uuid::Uuid]>| {
        let before = cluster.image().metadata_offset();
        let cordoned = cordoned.map(<[uuid::Uuid]>::to_vec);
        assert_eq!(cluster.beat(1, |beat| beat.cordoned_log_dirs = cordoned), Ok(SERVES));
        let known = cluster.image().broker(BrokerId(1)).expect("it is registered").cordoned_log_dirs.clone();
        (cluster.image().metadata_offset().0 - before.0, known)
    };
    assert_eq!(told(&mut cluster, Some(&[])), (0, None), "there are none in any case");
    assert_eq!(told(&mut cluster, Some(&dirs)), (1, Some(dirs.to_vec())));
    assert_eq!(told(&mut cluster, None), (0, Some(dirs.to_vec())), "it does not know yet");
    assert_eq!(told(&mut cluster, Some(&[dirs[1], dirs[0]])), (0, Some(dirs.to_vec())), "the same ones");
    assert_eq!(told(&mut cluster, Some(&dirs[1..])), (1, Some(dirs[1..].to_vec())));
    assert_eq!(told(&mut cluster, Some(&[])), (1, Some(vec![])));
    cluster.finalize("metadata.version", 29);
    assert_eq!(told(&mut cluster, Some(&dirs)), (0, Some(vec![])));
}

#[test]
fn an_id_that_no_broker_had_is_no_clean_stop() {
    let mut cluster = cluster(&[1, 2], &[("min.insync.replicas", "2")], true);
    with_topic(&mut cluster, &[1, 2]);
    let before = cluster.partition("t", 0).leader_epoch;
    assert_eq!(before, LeaderEpoch(0));
    assert_eq!(
        cluster.image().topic_by_id(TopicId(uuid::Uuid::from_u128(TOPIC))).map(|t| t.partitions.len()),
        Some(1)
    );
    cluster.pass(9_001);
    assert!(cluster.register(2, 7, epoch(&cluster, 1)).is_ok());
    assert!(!cluster.partition("t", 0).elr().contains(&BrokerId(2)));
}
