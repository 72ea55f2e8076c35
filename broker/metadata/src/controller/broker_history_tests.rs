//! Histories of a controller with brokers that die, come back, lag and ask late, against a plain model of their logs.
//! Core. Tests only. A failing seed is printed as the command that repeats it.
//!
//! The model knows nothing of the controller's rules: it has what each broker's disk holds, and which records were
//! acknowledged. With eligible leader replicas, whoever is elected cleanly has all of those.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::memory::SeededRng;
use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionRequest, DeleteTopicsRequest, ElectLeadersRequest,
};
use ottla_quota::MutationQuota;
use uuid::Uuid;

use crate::controller::alter_partition::decide_alter_partition;
use crate::controller::delete_topics::decide_delete_topics;
use crate::controller::elections::decide_elect_leaders;
use crate::controller::features::ELIGIBLE_LEADER_REPLICAS;
use crate::controller::liveness::Liveness;
use crate::controller::partition_change::has_eligible_replicas;
use crate::controller::reassignments::decide_alter_partition_reassignments;
use crate::controller::testing::{Cluster, IntoStr, topic};
use crate::image::{Image, PartitionImage};

const BROKERS: i32 = 4;
const TOPIC: &str = "t";
const MIN_ISR: usize = 2;

/// A record: the leader epoch it was written under, and its number.
type Log = Vec<(i32, u64)>;

#[derive(Default)]
struct Node {
    is_running: bool,
    incarnation: u64,
    /// Under which it was registered last.
    epoch: i64,
    /// Of its last clean stop.
    stopped_at: i64,
    log: Log,
    /// Records that a loss of power leaves.
    synced: usize,
    /// The partition as it heard of it last.
    view: Option<Arc<PartitionImage>>,
    topic_id: Uuid,
    /// Replicas it asked to have in its ISR, of this view.
    proposed: Vec<i32>,
}

struct History {
    cluster: Cluster,
    rng: SeededRng,
    nodes: BTreeMap<i32, Node>,
    /// What must be in the log of every leader that is elected cleanly.
    acked: Log,
    next_value: u64,
    /// Requests on their way.
    late: Vec<AlterPartitionRequest>,
    has_elr: bool,
    elections: usize,
    refusals: BTreeMap<i16, usize>,
    moves: Moves,
}

/// What became of reassignments.
#[derive(Default, Clone, Copy, Debug)]
struct Moves {
    begun: usize,
    completed: usize,
    cancelled: usize,
}

impl History {
    fn new(seed: u64, has_elr: bool) -> History {
        let mut cluster = Cluster::configured(&[], &[("min.insync.replicas", "2")]);
        cluster.finalize("metadata.version", 30);
        if has_elr {
            cluster.finalize(ELIGIBLE_LEADER_REPLICAS, 1);
        }
        let nodes =
            (1..=BROKERS).map(|id| (id, Node { epoch: -1, stopped_at: -1, ..Node::default() })).collect();
        let mut history = History {
            cluster,
            rng: SeededRng::new(seed),
            nodes,
            acked: Log::new(),
            next_value: 0,
            late: Vec::new(),
            has_elr,
            elections: 0,
            refusals: BTreeMap::new(),
            moves: Moves::default(),
        };
        (1..=BROKERS).for_each(|id| history.start(id));
        history.create();
        history
    }

    fn partition(&self) -> Option<Arc<PartitionImage>> {
        Some(self.cluster.image().topic(TOPIC)?.partitions[0].clone())
    }

    fn any(&self) -> i32 {
        1 + self.rng.below(BROKERS as u64) as i32
    }

    /// Something that the controller decides; the rules are checked for what it changes.
    fn change<R>(&mut self, change: impl FnOnce(&mut Cluster) -> R) -> R {
        let before = (self.partition(), self.topic_id());
        let value = change(&mut self.cluster);
        let after = self.partition();
        if let (Some(before), Some(after), true) = (before.0, after, before.1 == self.topic_id()) {
            self.check(&before, &after);
        }
        self.check_all();
        value
    }

    fn topic_id(&self) -> Option<Uuid> {
        self.cluster.image().topic(TOPIC).map(|topic| topic.id.0)
    }

    fn check(&mut self, before: &PartitionImage, after: &PartitionImage) {
        if before == after {
            return;
        }
        assert!(
            after.partition_epoch > before.partition_epoch,
            "each change has a partition epoch of its own"
        );
        assert!(after.leader_epoch >= before.leader_epoch, "a leader epoch never goes back");
        if before.replicas.iter().any(|id| !after.replicas.contains(id)) {
            assert!(after.leader_epoch > before.leader_epoch, "who loses its replica follows no more");
        }
        if after.leader == before.leader {
            return;
        }
        assert!(after.leader_epoch > before.leader_epoch, "each leader has an epoch of its own");
        let Some(leader) = after.leader else { return };
        self.elections += 1;
        let node = &self.nodes[&leader.0];
        if !node.is_running {
            // Dead, and nobody knows it yet: when it comes back it is another incarnation, and leads no more.
            return;
        }
        let log = &node.log;
        if after.recovering || !self.has_elr {
            // Records may be lost here, and that is said.
            self.acked.truncate(common(log, &self.acked));
        }
        let kept = common(log, &self.acked);
        assert_eq!(
            kept,
            self.acked.len(),
            "broker {leader} was elected cleanly and lacks what was acknowledged"
        );
    }

    /// What holds of every partition at any time.
    fn check_all(&self) {
        let image = self.cluster.image();
        for partition in image.topics().flat_map(|topic| &topic.partitions) {
            check_partition(image, partition);
        }
    }

    fn create(&mut self) {
        if self.topic_id().is_none() {
            let code = self.cluster.create(topic(TOPIC, 1, 3)).0;
            assert!(code == 0 || code == ErrorCode::InvalidReplicationFactor.code(), "{code}");
            self.acked.clear();
        }
    }

    fn delete(&mut self) {
        let request = DeleteTopicsRequest::default().with_topic_names(vec![TOPIC.into_str().into()]);
        self.change(|cluster| {
            cluster
                .decide(|image, rules, _, _| {
                    decide_delete_topics(image, rules, &request, &MutationQuota::UNLIMITED)
                })
                .is_ok()
        });
        self.acked.clear();
    }

    fn start(&mut self, id: i32) {
        let node = self.nodes.get_mut(&id).expect("a node");
        if node.is_running {
            return;
        }
        let (incarnation, stopped_at) = (node.incarnation + 1, node.stopped_at);
        let Ok(epoch) = self.change(|cluster| cluster.register(id, incarnation, stopped_at)) else { return };
        let node = self.nodes.get_mut(&id).expect("a node");
        (node.is_running, node.incarnation, node.epoch, node.stopped_at) = (true, incarnation, epoch, -1);
        node.proposed.clear();
        node.view = None;
        self.beat(id, false);
        self.look(id);
    }

    /// The broker's process ends; with its power goes what was not synced.
    fn kill(&mut self, id: i32, loses_power: bool) {
        let kept = self.rng.below(4) as usize;
        let node = self.nodes.get_mut(&id).expect("a node");
        node.is_running = false;
        if loses_power {
            node.log.truncate(node.synced + kept);
        }
        node.synced = node.synced.min(node.log.len());
    }

    fn beat(&mut self, id: i32, wants_stop: bool) -> bool {
        let epoch = self.nodes[&id].epoch;
        let answer = self.change(|cluster| {
            cluster.beat(id, |beat| (beat.broker_epoch, beat.want_shut_down) = (epoch, wants_stop))
        });
        answer.is_ok_and(|answer| answer.should_shut_down)
    }

    fn stop(&mut self, id: i32) {
        if !self.nodes[&id].is_running {
            return;
        }
        for _ in 0..4 {
            if self.beat(id, true) {
                let node = self.nodes.get_mut(&id).expect("a node");
                (node.is_running, node.synced, node.stopped_at) = (false, node.log.len(), node.epoch);
                return;
            }
            let others: Vec<i32> =
                self.nodes.iter().filter(|(_, node)| node.is_running).map(|(id, _)| *id).collect();
            for other in others.into_iter().filter(|other| *other != id) {
                self.beat(other, false);
            }
        }
        // The controller did not let it go in time; it stops in any case, and cleanly.
        let node = self.nodes.get_mut(&id).expect("a node");
        (node.is_running, node.synced, node.stopped_at) = (false, node.log.len(), node.epoch);
    }

    /// The broker hears of the partition as it is now.
    fn look(&mut self, id: i32) {
        let (view, topic_id) = (self.partition(), self.topic_id().unwrap_or_default());
        let node = self.nodes.get_mut(&id).expect("a node");
        if !node.is_running {
            return;
        }
        if node.topic_id != topic_id {
            (node.topic_id, node.log, node.synced) = (topic_id, Log::new(), 0);
        }
        if node.view != view {
            node.proposed.clear();
        }
        // Who has no replica any more has no folder of it.
        if view.as_ref().is_some_and(|view| !view.replicas.contains(&BrokerId(id))) {
            (node.log, node.synced) = (Log::new(), 0);
        }
        node.view = view;
    }

    /// Who leads by its own view, with that view.
    fn leading(&self, id: i32) -> Option<Arc<PartitionImage>> {
        let node = &self.nodes[&id];
        node.view.clone().filter(|view| node.is_running && view.leader == Some(BrokerId(id)))
    }

    /// Whether a follower takes what the leader has: both know the same leader epoch.
    fn replicate(&mut self, leader: i32, follower: i32, view: &PartitionImage) -> bool {
        let topic_id = self.nodes[&leader].topic_id;
        let log = self.nodes[&leader].log.clone();
        let node = self.nodes.get_mut(&follower).expect("a node");
        let follows = node.view.as_ref().is_some_and(|own| own.leader_epoch == view.leader_epoch);
        if !node.is_running || !follows || node.topic_id != topic_id {
            return false;
        }
        node.synced = node.synced.min(common(&node.log, &log));
        node.log = log;
        true
    }

    fn produce(&mut self, id: i32) {
        let Some(view) = self.leading(id) else { return };
        if view.isr.len() < MIN_ISR.min(view.replicas.len()) {
            return;
        }
        self.next_value += 1;
        let value = (view.leader_epoch.0, self.next_value);
        let node = self.nodes.get_mut(&id).expect("a node");
        node.log.push(value);
        // The maximal ISR (KIP-497): whoever was asked for counts already.
        let mut waits_for: Vec<i32> =
            view.isr.iter().map(|id| id.0).chain(node.proposed.iter().copied()).collect();
        waits_for.retain(|other| *other != id);
        // All are asked, whatever the first says.
        let lacking = waits_for.into_iter().filter(|other| !self.replicate(id, *other, &view)).count();
        let is_same_topic = self.topic_id() == Some(self.nodes[&id].topic_id);
        if lacking == 0 && is_same_topic {
            self.acked.clone_from(&self.nodes[&id].log);
        }
    }

    /// The leader asks for another ISR; the request takes its time.
    fn propose(&mut self, id: i32) {
        let Some(view) = self.leading(id) else { return };
        if !self.nodes[&id].proposed.is_empty() {
            return;
        }
        let mut isr: Vec<(i32, i64)> = Vec::new();
        let own = self.nodes[&id].epoch;
        isr.push((id, own));
        for replica in view.replicas.iter().map(|id| id.0).filter(|replica| *replica != id) {
            let is_in = view.isr.contains(&BrokerId(replica));
            let epoch = self.nodes[&replica].epoch;
            // One who follows joins; of the others some are dropped.
            if (!is_in && self.replicate(id, replica, &view)) || (is_in && self.rng.chance(700)) {
                isr.push((replica, epoch));
            }
        }
        let node = self.nodes.get_mut(&id).expect("a node");
        node.proposed = isr.iter().map(|(id, _)| *id).collect();
        let state = |(id, epoch): &(i32, i64)| {
            BrokerState::default().with_broker_id((*id).into()).with_broker_epoch(*epoch)
        };
        let data = PartitionData::default()
            .with_leader_epoch(view.leader_epoch.0)
            .with_partition_epoch(view.partition_epoch)
            .with_new_isr_with_epochs(isr.iter().map(state).collect());
        let topic = TopicData::default().with_topic_id(node.topic_id).with_partitions(vec![data]);
        let request = AlterPartitionRequest::default().with_broker_id(id.into()).with_broker_epoch(own);
        self.late.push(request.with_topics(vec![topic]));
    }

    fn deliver(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let which = self.rng.below(self.late.len() as u64) as usize;
        let request = self.late.swap_remove(which);
        let before = self.partition();
        let answer = self.change(|cluster| {
            cluster.decide(|image, rules, _, _| decide_alter_partition(image, rules, &request))
        });
        let is = self.partition().as_deref().is_some_and(is_under_way);
        self.moves.completed += usize::from(before.as_deref().is_some_and(is_under_way) && !is);
        let code = match &answer {
            Ok(response) => response.topics[0].partitions[0].error_code,
            Err(error) => error.code(),
        };
        *self.refusals.entry(code).or_default() += 1;
        let leader = request.broker_id.0;
        if code != 0 {
            // Refused: it is never granted later, for the request is gone.
            self.nodes.get_mut(&leader).expect("a node").proposed.clear();
        }
        self.look(leader);
    }

    fn step(&mut self) {
        let id = self.any();
        match self.rng.below(100) {
            0..30 => self.produce(id),
            30..45 => self.look(id),
            45..57 => self.propose(id),
            57..69 => self.deliver(),
            69..72 => self.kill(id, true),
            72..74 => self.kill(id, false),
            74..77 => self.stop(id),
            77..85 => self.start(id),
            85..89 => self.sync(id),
            89..93 => self.pass(),
            93..95 => self.elect(),
            95 => self.fail_over(),
            96..99 => self.reassign(),
            99 if self.rng.chance(500) => {
                self.delete();
                self.create();
            }
            _ => {
                if self.nodes[&id].is_running {
                    self.beat(id, false);
                }
            }
        }
    }

    /// Replicas elsewhere, more of them or fewer; or back again.
    fn reassign(&mut self) {
        let before = self.partition();
        // Most get what they need: all hear of it, and the leader asks for those who follow.
        if before.as_deref().is_some_and(is_under_way) && self.rng.chance(700) {
            (1..=BROKERS).for_each(|id| self.look(id));
            (1..=BROKERS).for_each(|id| self.propose(id));
            (0..3).for_each(|_| self.deliver());
            return;
        }
        let is_cancelled = self.rng.chance(250);
        let mut target: Vec<i32> = (1..=BROKERS).collect();
        while target.len() > 1 && (target.len() > 3 || self.rng.chance(300)) {
            target.swap_remove(self.rng.below(target.len() as u64) as usize);
        }
        let turn = self.rng.below(target.len() as u64) as usize;
        target.rotate_left(turn);
        let replicas = target.iter().map(|id| (*id).into()).collect();
        let partition = ReassignablePartition::default().with_replicas((!is_cancelled).then_some(replicas));
        let topic =
            ReassignableTopic::default().with_name(TOPIC.into_str().into()).with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
        let answer = self.change(|cluster| {
            cluster
                .decide(|image, rules, _, _| Ok(decide_alter_partition_reassignments(image, rules, &request)))
        });
        let code = answer.expect("not refused whole").responses[0].partitions[0].error_code;
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        let idle = ErrorCode::NoReassignmentInProgress.code();
        let unregistered = ErrorCode::InvalidReplicaAssignment.code();
        assert!([0, unknown, idle, unregistered].contains(&code), "{code}");
        let was = before.as_deref().is_some_and(is_under_way);
        let is = self.partition().as_deref().is_some_and(is_under_way);
        self.moves.begun += usize::from(code == 0 && !was && is);
        self.moves.cancelled += usize::from(code == 0 && was && !is && is_cancelled);
    }

    fn sync(&mut self, id: i32) {
        let node = self.nodes.get_mut(&id).expect("a node");
        node.synced = node.log.len();
    }

    /// Time goes on; those who run are heard, but for one that is paused now and then.
    fn pass(&mut self) {
        let paused = if self.rng.chance(200) { self.any() } else { 0 };
        for _ in 0..3 {
            let running: Vec<i32> =
                self.nodes.iter().filter(|(_, node)| node.is_running).map(|(id, _)| *id).collect();
            for id in running.into_iter().filter(|id| *id != paused) {
                self.beat(id, false);
            }
            self.change(|cluster| cluster.pass(4_000));
        }
    }

    fn elect(&mut self) {
        let request = ElectLeadersRequest::default().with_election_type(0).with_topic_partitions(None);
        self.change(|cluster| {
            cluster.decide(|image, rules, _, _| decide_elect_leaders(image, rules, &request)).is_ok()
        });
    }

    /// Another controller leads: it knows the image alone.
    fn fail_over(&mut self) {
        let Cluster { working, rules, now, .. } = &self.cluster;
        self.cluster.liveness = Liveness::of(&working.image, rules.broker_session_timeout(), None, *now);
    }

    /// Everybody comes back and is heard: the partition serves again, if anybody may lead it.
    fn heal(&mut self) {
        self.late.clear();
        for _ in 0..4 {
            self.pass();
            (1..=BROKERS).for_each(|id| self.start(id));
        }
        for id in 1..=BROKERS {
            assert!(!self.beat(id, false));
        }
        let Some(partition) = self.partition() else { return };
        // With eligible replicas, somebody is in sync, or eligible, or led last.
        assert!(partition.leader.is_some(), "all brokers serve, and nobody leads: {partition:?}");
    }
}

fn is_under_way(partition: &PartitionImage) -> bool {
    !partition.adding_replicas().is_empty() || !partition.removing_replicas().is_empty()
}

/// How many records two logs share from the beginning.
fn common(a: &Log, b: &Log) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn check_partition(image: &Image, partition: &PartitionImage) {
    let PartitionImage { replicas, isr, leader, .. } = partition;
    assert!(isr.iter().all(|id| replicas.contains(id)), "in sync are replicas: {partition:?}");
    let elr = partition.elr();
    assert!(elr.iter().all(|id| replicas.contains(id)), "eligible are replicas: {partition:?}");
    assert!(!elr.iter().any(|id| isr.contains(id)), "nobody is in sync and eligible: {partition:?}");
    assert!(
        elr.is_empty() || isr.len() < MIN_ISR,
        "enough are in sync, nobody else is eligible: {partition:?}"
    );
    assert!(has_eligible_replicas(image) || !isr.is_empty(), "the last one stays in sync: {partition:?}");
    if let Some(leader) = leader {
        assert!(isr.contains(leader), "the leader is in sync: {partition:?}");
        assert!(image.is_active(*leader), "no leader is fenced or stops: {partition:?}");
    }
    if leader.is_some() {
        assert!(isr.iter().all(|id| image.is_active(*id)), "who is in sync serves: {partition:?}");
    }
}

fn play(seed: u64, has_elr: bool) -> (usize, BTreeMap<i16, usize>, Moves) {
    struct Seed(u64, bool);
    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!(
                    "OTTLA_SEED={} cargo test -p ottla-metadata broker_history (eligible: {})",
                    self.0, self.1
                );
            }
        }
    }
    let _seed = Seed(seed, has_elr);
    let mut history = History::new(seed, has_elr);
    for _ in 0..300 {
        history.step();
    }
    history.heal();
    (history.elections, history.refusals, history.moves)
}

#[test]
fn brokers_die_and_come_back_and_no_clean_leader_lacks_what_was_acknowledged() {
    if let Some(seed) = std::env::var("OTTLA_SEED").ok().and_then(|seed| seed.parse().ok()) {
        for has_elr in [true, false] {
            play(seed, has_elr);
        }
        return;
    }
    let mut elections = 0;
    let mut answers: BTreeMap<i16, usize> = BTreeMap::new();
    let mut moves = Moves::default();
    for seed in 0..150 {
        for has_elr in [true, false] {
            let (count, of_seed, moved) = play(seed, has_elr);
            elections += count;
            moves.begun += moved.begun;
            moves.completed += moved.completed;
            moves.cancelled += moved.cancelled;
            of_seed.into_iter().for_each(|(code, count)| *answers.entry(code).or_default() += count);
        }
    }
    // What the histories are about did happen.
    assert!(elections > 700, "{elections}");
    assert!(moves.begun > 300 && moves.completed > 100 && moves.cancelled > 30, "{moves:?}");
    let codes = [
        ErrorCode::StaleBrokerEpoch.code(),
        ErrorCode::IneligibleReplica.code(),
        ErrorCode::FencedLeaderEpoch.code(),
        ErrorCode::InvalidUpdateVersion.code(),
        ErrorCode::UnknownTopicId.code(),
        0,
    ];
    assert!(codes.iter().all(|code| answers.get(code).is_some_and(|count| *count > 0)), "{answers:?}");
}
