//! Three voters as the process runs them, with their threads, over a transport in memory.
//! Shell, for tests. The clock is stepped; nothing here waits for real time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::Env;
use ottla_env::memory::{self, MemoryClock, MemoryDisk};
use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::messages::add_raft_voter_request::Listener;
use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use ottla_protocol::messages::controller_registration_request::Feature;
use ottla_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{
    AddRaftVoterRequest, ControllerRegistrationRequest, DescribeQuorumRequest, RemoveRaftVoterRequest,
    UpdateFeaturesRequest,
};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::controller::testing::{IntoStr, config_of};
use crate::controller_channel::ControllerChannel;
use crate::metadata_tests::{logs, options, run, world};
use crate::{
    ApiError, Metadata, MetadataOptions, OperationError, Quorum, RaftTransport, Registration, Voter,
    found_cluster,
};

/// Hands frames from one room to another.
#[derive(Default)]
struct Wires(Mutex<BTreeMap<BrokerId, Weak<Metadata>>>);

struct Wire {
    from: BrokerId,
    wires: Arc<Wires>,
}

impl RaftTransport for Wire {
    fn learn(&self, _: &[Voter]) {}

    fn send(&self, to: BrokerId, frame: Bytes) {
        let room = self.wires.0.lock().get(&to).and_then(Weak::upgrade);
        if let Some(room) = room {
            room.on_raft_frame(self.from, frame);
        }
    }
}

fn voter(id: BrokerId) -> Voter {
    Voter { id, host: format!("host{id}"), port: 9093 }
}

/// Each voter would make a user of its own.
fn first_user(id: BrokerId) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion::default()
        .with_name(format!("of{id}").into_str())
        .with_mechanism(1)
        .with_iterations(4096)
        .with_salt(Bytes::from_static(b"salt"))
        .with_salted_password(Bytes::from_static(b"password"))
}

fn voters() -> Vec<Voter> {
    (1..=3).map(|id| voter(BrokerId(id))).collect()
}

struct Cluster {
    clock: MemoryClock,
    envs: BTreeMap<BrokerId, Env>,
    wires: Arc<Wires>,
    rooms: BTreeMap<BrokerId, Arc<Metadata>>,
}

impl Cluster {
    fn new() -> Cluster {
        let clock = MemoryClock::new(1_700_000_000_000);
        let env = |id: u64| Env { clock: Arc::new(clock.clone()), ..world(id, Arc::new(MemoryDisk::new())) };
        let envs = (1..=4).map(|id| (BrokerId(id), env(id as u64))).collect();
        Cluster { clock, envs, wires: Arc::default(), rooms: BTreeMap::new() }
    }

    fn start(&mut self, id: BrokerId) {
        let cluster_id = options(None).cluster_id;
        self.start_with(id, &cluster_id, Arc::new(Wire { from: id, wires: self.wires.clone() }));
    }

    fn start_with(&mut self, id: BrokerId, cluster_id: &str, transport: Arc<dyn RaftTransport>) {
        let env = &self.envs[&id];
        let me = voter(id);
        let directory_id = Uuid::from_u128(id.0 as u128);
        let listener = "CONTROLLER".to_owned();
        let quorum = Quorum { voters: voters(), me, listener, directory_id, transport };
        let options = MetadataOptions {
            config: config_of(id),
            cluster_id: cluster_id.to_owned(),
            quorum: Some(quorum),
            first_users: vec![first_user(id)],
            ..options(Some(logs(env, Path::new(crate::metadata_tests::DIR))))
        };
        let room = Metadata::open(env, options).expect("it opens");
        self.wires.0.lock().insert(id, Arc::downgrade(&room));
        room.start(&Registration::default()).expect("it starts");
        self.rooms.insert(id, room);
    }

    /// Time passes until it is so.
    fn until<T>(&self, what: &str, look: impl Fn(&Cluster) -> Option<T>) -> T {
        for _ in 0..200_000 {
            if let Some(found) = look(self) {
                return found;
            }
            self.pass();
        }
        panic!("never so: {what}");
    }

    /// A millisecond passes, not before the threads have taken what came until now: the clock is no faster than they.
    fn pass(&self) {
        for _ in 0..1_000 {
            if self.rooms.values().all(|room| room.is_quiet()) {
                break;
            }
            std::thread::yield_now();
        }
        self.clock.advance(Duration::from_millis(1));
        (0..20).for_each(|_| std::thread::yield_now());
    }

    fn leader(&self) -> BrokerId {
        self.until("somebody leads", |cluster| {
            let (id, _) = cluster.rooms.iter().find(|(id, room)| {
                room.leadership().leader == Some(**id) && room.image().controller_id() == **id
            })?;
            Some(*id)
        })
    }

    fn stop(&mut self, id: BrokerId) {
        let room = self.rooms.remove(&id).expect("it runs");
        self.wires.0.lock().remove(&id);
        // Its end is joined by this thread, and may wait for time to pass.
        let (clock, is_over) = (self.clock.clone(), Arc::new(AtomicBool::new(false)));
        let over = is_over.clone();
        let time = std::thread::spawn(move || {
            while !over.load(Ordering::Acquire) {
                clock.advance(Duration::from_millis(1));
                (0..100).for_each(|_| std::thread::yield_now());
            }
        });
        run(room.stop());
        is_over.store(true, Ordering::Release);
        time.join().expect("time passes");
        for other in self.rooms.values() {
            other.on_voter_disconnected(id);
        }
    }
}

#[test]
fn three_voters_elect_decide_and_publish_and_go_on_without_their_leader() {
    let mut cluster = Cluster::new();
    (1..=3).for_each(|id| cluster.start(BrokerId(id)));
    let mut ids = Vec::new();
    let first = cluster.leader();
    for _ in 0..2 {
        let block = cluster.until("a block is given out", |cluster| {
            run_stepped(cluster, cluster.rooms[&cluster.leader()].allocate_producer_ids()).ok()
        });
        ids.push(block.first.0);
        cluster.until("everybody has it", |cluster| {
            let has = |room: &Arc<Metadata>| room.image().next_producer_id() > block.first.0;
            cluster.rooms.values().all(has).then_some(())
        });
        cluster.until("the others refuse", |cluster| {
            let leader = cluster.leader();
            let not_controller = OperationError::Refused(ApiError::bare(ErrorCode::NotController));
            let refuses = |room: &Arc<Metadata>| {
                run_stepped(cluster, room.allocate_producer_ids()).err().as_ref() == Some(&not_controller)
            };
            let others = cluster.rooms.iter().filter(|(id, _)| **id != leader);
            let all = others.clone().all(|(_, room)| refuses(room) && room.image().controller_id() == leader);
            (all && describes(cluster, leader)).then_some(())
        });
        let leader = cluster.leader();
        cluster.stop(leader);
    }
    assert_ne!(ids[0], ids[1], "a block is given out once");
    // The users of the cluster are those of whoever led first, and nobody later adds to them.
    let users = |room: &Arc<Metadata>| {
        room.image().scram_credentials().users().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(cluster.rooms.values().all(|room| users(room) == [format!("of{first}")]));
}

/// Kafka's requests all the way: kraft.version 1, a fourth voter, the leader removed, all stopped and started anew.
#[test]
fn a_quorum_grows_lets_its_leader_go_and_knows_its_voters_after_a_restart() {
    let mut cluster = Cluster::new();
    (1..=3).for_each(|id| cluster.start(BrokerId(id)));
    let directory = |id: i32| Uuid::from_u128(id as u128);
    cluster.until("all controllers are registered", |cluster| {
        let leader = &cluster.rooms[&cluster.leader()];
        (1..=3).all(|id| register(cluster, leader, id)).then_some(())
    });
    let upgrade = upgrade();
    cluster.until("the log says who votes", |cluster| {
        let leader = &cluster.rooms[&cluster.leader()];
        let answer = run_stepped(cluster, leader.update_features(upgrade.clone())).ok()?;
        (answer.error_code == 0).then_some(())
    });
    cluster.start(BrokerId(4));
    cluster.until("the fourth votes", |cluster| {
        let leader = &cluster.rooms[&cluster.leader()];
        let answer = run_stepped(cluster, leader.add_voter(&add_fourth()));
        is_added(answer.error_code).then_some(())
    });
    let removed = cluster.leader();
    let remove = RemoveRaftVoterRequest::default()
        .with_cluster_id(None)
        .with_voter_id(removed.0)
        .with_voter_directory_id(directory(removed.0));
    let done = [ErrorCode::None.code(), ErrorCode::VoterNotFound.code()];
    cluster.until("a leader is removed", |cluster| {
        let leader = &cluster.rooms[&cluster.leader()];
        let answer = run_stepped(cluster, leader.remove_voter(&remove));
        done.contains(&answer.error_code).then_some(())
    });
    cluster.until("another leads", |cluster| (cluster.leader() != removed).then_some(()));
    let rest: Vec<BrokerId> = (1..=4).map(BrokerId).filter(|id| *id != removed).collect();
    for id in (1..=4).map(BrokerId) {
        cluster.stop(id);
    }
    // One of three is away: two of them are a majority of what the log says, and of nothing else.
    rest[..2].iter().for_each(|id| cluster.start(*id));
    let block = cluster.until("two of three decide", |cluster| {
        run_stepped(cluster, cluster.rooms[&cluster.leader()].allocate_producer_ids()).ok()
    });
    cluster.until("both know the voters", |cluster| {
        let knows = |room: &Arc<Metadata>| {
            let image = room.image();
            let voters: Option<Vec<BrokerId>> = image.voters().map(|voters| voters.set.ids().collect());
            image.next_producer_id() > block.first.0 && voters.as_ref() == Some(&rest)
        };
        cluster.rooms.values().all(knows).then_some(())
    });
}

fn upgrade() -> UpdateFeaturesRequest {
    let upgrade = FeatureUpdateKey::default()
        .with_feature(ottla_protocol::StrBytes::from_static_str("kraft.version"))
        .with_max_version_level(1)
        .with_upgrade_type(1);
    UpdateFeaturesRequest::default().with_feature_updates(vec![upgrade])
}

fn add_fourth() -> AddRaftVoterRequest {
    AddRaftVoterRequest {
        cluster_id: None,
        timeout_ms: 5_000,
        voter_id: 4,
        voter_directory_id: Uuid::from_u128(4),
        listeners: vec![Listener {
            name: ottla_protocol::StrBytes::from_static_str("CONTROLLER"),
            host: ottla_protocol::StrBytes::from_static_str("host4"),
            port: 9093,
            ..Listener::default()
        }],
        ack_when_committed: true,
        ..AddRaftVoterRequest::default()
    }
}

fn is_added(code: i16) -> bool {
    [ErrorCode::None.code(), ErrorCode::DuplicateVoter.code()].contains(&code)
}

/// Its log says that it votes, and at its next start another comes to it.
#[test]
fn a_node_that_was_alone_becomes_one_of_several_with_all_that_it_knew() {
    let mut cluster = Cluster::new();
    let alone = |listeners: &str| {
        let given = [("node.id", "1"), ("listeners", listeners), ("controller.listener.names", "CONTROLLER")];
        let given: Vec<_> = given.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let env = &cluster.envs[&BrokerId(1)];
        let config = ottla_config::load(None, &[], &given).expect("a valid configuration").0;
        let logs = logs(env, Path::new(crate::metadata_tests::DIR));
        let room = Metadata::open(env, MetadataOptions { config, ..options(Some(logs)) }).expect("it opens");
        let log_dirs = vec![Uuid::from_u128(1)];
        room.start(&Registration { log_dirs, ..Registration::default() }).expect("it starts");
        room
    };
    let room = alone("PLAINTEXT://host1:9092,CONTROLLER://host1:9093");
    let asked = upgrade().with_validate_only(true);
    assert_eq!(run(room.update_features(asked)).expect("an answer").error_code, 0);
    assert!(room.image().voters().is_none(), "it was only asked whether it may");
    for _ in 0..2 {
        assert_eq!(run(room.update_features(upgrade())).expect("an answer").error_code, 0);
    }
    let level = |room: &Metadata| room.image().feature_level("kraft.version");
    assert_eq!(level(&room), 1);
    let refused = run(room.add_voter(&add_fourth())).error_code;
    assert_eq!(refused, ErrorCode::UnsupportedVersion.code(), "nobody comes while it takes itself for all");
    let block = run(room.allocate_producer_ids()).expect("it decides");
    run(room.stop());
    drop(room);
    cluster.start(BrokerId(1));
    assert_eq!(cluster.leader(), BrokerId(1), "it needs nobody");
    assert_eq!(level(&cluster.rooms[&BrokerId(1)]), 1);
    cluster.start(BrokerId(4));
    cluster.until("the fourth votes", |cluster| {
        let answer = run_stepped(cluster, cluster.rooms[&BrokerId(1)].add_voter(&add_fourth()));
        is_added(answer.error_code).then_some(())
    });
    cluster.until("both know the voters, and what the one knew alone", |cluster| {
        let knows = |room: &Arc<Metadata>| {
            let image = room.image();
            let voters: Option<Vec<i32>> =
                image.voters().map(|voters| voters.set.ids().map(|id| id.0).collect());
            image.next_producer_id() > block.first.0 && voters == Some(vec![1, 4])
        };
        cluster.rooms.values().all(knows).then_some(())
    });
}

/// Registers a controller as one that serves kraft.version 1.
fn register(cluster: &Cluster, leader: &Arc<Metadata>, id: i32) -> bool {
    let feature = Feature::default()
        .with_name(ottla_protocol::StrBytes::from_static_str("kraft.version"))
        .with_max_supported_version(1);
    let request = ControllerRegistrationRequest::default()
        .with_controller_id(id)
        .with_incarnation_id(Uuid::from_u128(100 + id as u128))
        .with_features(vec![feature]);
    let answer = run_stepped(cluster, ControllerChannel::register_controller(&**leader, request));
    answer.is_ok_and(|answer| answer.error_code == 0)
}

/// Awaits while time passes.
fn run_stepped<T>(cluster: &Cluster, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..200_000 {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        cluster.pass();
    }
    panic!("no answer");
}

/// Whether the leader, and it alone, describes the quorum. Time goes on meanwhile, so another may lead.
fn describes(cluster: &Cluster, leader: BrokerId) -> bool {
    let topic = TopicData::default()
        .with_topic_name(ottla_protocol::StrBytes::from_static_str("__cluster_metadata").into())
        .with_partitions(vec![PartitionData::default()]);
    let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
    cluster.rooms.iter().all(|(id, room)| {
        let response = room.describe_quorum(&request);
        let partition = &response.topics[0].partitions[0];
        if *id != leader {
            return partition.error_code == ErrorCode::NotLeaderOrFollower.code();
        }
        let of_leader = partition.current_voters.iter().find(|voter| voter.replica_id.0 == id.0);
        of_leader.is_some_and(|voter| {
            // The configuration names no directories.
            voter.replica_directory_id.is_nil() && voter.last_fetch_timestamp == -1
        }) && partition.current_voters.len() == 3
            && partition.high_watermark > 0
            && response.nodes.len() == 3
            && response.nodes[0].listeners[0].host.as_str() == "host1"
    })
}

/// Frames between nodes of which some have no cluster yet.
#[derive(Default)]
struct Streets {
    founding: Mutex<BTreeMap<BrokerId, tokio::sync::mpsc::Sender<(BrokerId, Bytes)>>>,
    wires: Arc<Wires>,
}

struct Street {
    from: BrokerId,
    streets: Arc<Streets>,
}

impl RaftTransport for Street {
    fn learn(&self, _: &[Voter]) {}

    fn send(&self, to: BrokerId, frame: Bytes) {
        let founding = self.streets.founding.lock().get(&to).cloned();
        match founding {
            Some(sender) => drop(sender.try_send((self.from, frame))),
            None => Wire { from: self.from, wires: self.streets.wires.clone() }.send(to, frame),
        }
    }
}

#[test]
fn nodes_without_a_cluster_found_one_and_a_late_one_joins_it() {
    let mut cluster = Cluster::new();
    let streets = Arc::new(Streets { wires: cluster.wires.clone(), ..Streets::default() });
    let transport =
        |id| -> Arc<dyn RaftTransport> { Arc::new(Street { from: id, streets: streets.clone() }) };
    let open = |id| {
        let (sender, receiver) = tokio::sync::mpsc::channel(64);
        streets.founding.lock().insert(id, sender);
        receiver
    };
    let voters = voters();
    let env = Env { clock: Arc::new(cluster.clock.clone()), ..memory::env(5) };
    let [one, two, three] = [1, 2, 3].map(BrokerId);
    let (mut to_one, mut to_two) = (open(one), open(two));
    let (of_one, of_two) = (transport(one), transport(two));
    let made = run_stepped(&cluster, async {
        tokio::select! {
            biased;
            made = found_cluster(&env, one, &voters, &of_one, &mut to_one) => made,
            made = found_cluster(&env, two, &voters, &of_two, &mut to_two) => panic!("the second made {made}"),
        }
    });
    assert_eq!(made.len(), 22, "{made}");
    // A voter that runs tells its cluster to who asks.
    streets.founding.lock().clear();
    cluster.start_with(one, &made, transport(one));
    let mut to_three = open(three);
    let of_three = transport(three);
    let adopted = run_stepped(&cluster, found_cluster(&env, three, &voters, &of_three, &mut to_three));
    assert_eq!(adopted, made);
}
