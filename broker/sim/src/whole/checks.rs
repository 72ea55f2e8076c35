//! What holds at every moment, seen from inside of all nodes at once.
//! Core over the rooms' interfaces.
//!
//! - C1. Quorum: one leader an epoch. Images at the same offset say the same of topics and brokers; no node goes back.
//! - C2. Partitions: in a leader epoch one node leads. ISR and ELR are of the replicas and have nobody in common; who leads
//!   is in sync.
//! - C3. Bounds: log start <= high watermark <= log end; a leader's watermark never goes back.
//! - C4. Copies: below a high watermark every copy has the same bytes as every other ever had there.
//! - C5. The leader of the highest epoch has all that was acknowledged, and nothing that was deleted.
//!
//! And at the end, when all is well:
//!
//! - C6. No node hosts a partition that is not its own, or has a folder of one. No move of replicas is left over.
//! - C7. Every node has the setting that was acknowledged last, or one whose answer never came.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use ottla_log::{ReadLimits, UnifiedLog};
use ottla_metadata::{CLUSTER_METADATA_TOPIC, Image, PartitionImage};
use ottla_model::{BrokerId, Offset, PartitionIndex};
use ottla_records::batches;
use ottla_replica::Partition;
use ottla_server::rooms::Rooms;

use super::admin::{SETTING, SETTING_FROM};
use super::book::Book;
use super::node::Node;
use super::options::TOPIC;

/// Images that are kept to compare others with.
const IMAGES_KEPT: usize = 200;

type Key = (String, i32);

#[derive(Default)]
pub struct Checks {
    quorum_leaders: BTreeMap<i32, i32>,
    images: BTreeMap<i64, Arc<Image>>,
    /// By node: its life, and the offset of its image.
    offsets: BTreeMap<usize, (u64, i64)>,
    leaders: BTreeMap<(Key, i32), usize>,
    epochs: BTreeMap<Key, i32>,
    /// By base offset: last offset and hash of the batch.
    seen: BTreeMap<Key, BTreeMap<i64, (i64, u64)>>,
    last: BTreeMap<(usize, Key), Last>,
    pub elections: usize,
    pub leaderships: usize,
    pub compared: usize,
}

#[derive(Clone, Copy)]
struct Last {
    life: u64,
    epoch: i32,
    is_leader: bool,
    high_watermark: Offset,
    log_end: Offset,
    compared: Offset,
}

impl Checks {
    pub fn look(&mut self, nodes: &[Node], book: &Book) {
        for node in nodes {
            let Some(serving) = node.serving() else { continue };
            let rooms = serving.rooms();
            self.quorum(node, rooms);
            self.image(node, rooms);
            let hosted = rooms.replicas.hosted();
            for topic in hosted.topics() {
                for partition in &topic.partitions {
                    self.partition(node, partition);
                }
            }
        }
        self.acknowledged(nodes, book);
    }

    fn quorum(&mut self, node: &Node, rooms: &Rooms) {
        let leadership = rooms.metadata.leadership();
        let Some(leader) = leadership.leader else { return };
        let elections = self.quorum_leaders.len();
        let known = *self.quorum_leaders.entry(leadership.epoch.0).or_insert(leader.0);
        self.elections += self.quorum_leaders.len() - elections;
        assert!(
            known == leader.0,
            "C1: node {} knows {leader} as leader of epoch {}, another {known}",
            node.id,
            leadership.epoch
        );
    }

    fn image(&mut self, node: &Node, rooms: &Rooms) {
        let image = rooms.metadata.image().clone();
        let offset = image.metadata_offset().0;
        let before = self.offsets.insert(node.id, (node.life, offset));
        if before == Some((node.life, offset)) || offset < 0 {
            return;
        }
        if let Some((life, before)) = before {
            assert!(life != node.life || before < offset, "C1: the image of node {} went back", node.id);
        }
        for topic in image.topics() {
            for (index, partition) in (0..).zip(topic.partitions.iter()) {
                self.rules(&(topic.name.to_string(), index), partition);
            }
        }
        match self.images.get(&offset) {
            Some(known) => assert!(
                is_same(known, &image),
                "C1: node {} has another image at {offset} than others had",
                node.id
            ),
            None => drop(self.images.insert(offset, image)),
        }
        if self.images.len() > IMAGES_KEPT {
            self.images.pop_first();
        }
    }

    fn rules(&self, key: &Key, partition: &PartitionImage) {
        let is_replica = |id| partition.replicas.contains(id);
        let elr = partition.elr();
        assert!(partition.isr.iter().chain(elr).all(is_replica), "C2: {key:?}: {partition:?}");
        assert!(!elr.iter().any(|id| partition.isr.contains(id)), "C2: {key:?}: {partition:?}");
        let leads_in_sync = partition.leader.is_none_or(|leader| partition.isr.contains(&leader));
        assert!(leads_in_sync, "C2: {key:?}: {partition:?}");
    }

    fn partition(&mut self, node: &Node, partition: &Arc<Partition>) {
        let Some(log) = partition.opened_log() else { return };
        let role = partition.role();
        let Some(high_watermark) = role.high_watermark() else { return };
        let (log_start, log_end) = (log.log_start_offset(), log.log_end_offset());
        let key: Key = (partition.topic().to_string(), partition.index().0);
        assert!(
            log_start <= high_watermark && high_watermark <= log_end,
            "C3: node {} of {key:?}: {log_start} <= {high_watermark} <= {log_end}",
            node.id
        );
        let (epoch, is_leader) = (role.epoch().0, role.leader().is_some());
        let before = self.last.get(&(node.id, key.clone())).copied().filter(|last| last.life == node.life);
        if is_leader {
            let first = *self.leaders.entry((key.clone(), epoch)).or_insert(node.id);
            assert!(first == node.id, "C2: {key:?}: nodes {first} and {} lead in epoch {epoch}", node.id);
            let highest = self.epochs.entry(key.clone()).or_insert(epoch);
            *highest = epoch.max(*highest);
        }
        if let Some(before) = before {
            assert!(before.epoch <= epoch, "C2: node {} of {key:?}: the epoch went back", node.id);
            let goes_on = before.epoch == epoch && before.is_leader && is_leader;
            assert!(
                !goes_on || before.high_watermark <= high_watermark,
                "C3: node {} of {key:?}: the watermark went back",
                node.id
            );
        }
        let is_new = before.is_none_or(|before| before.epoch != epoch || before.is_leader != is_leader);
        self.leaderships += usize::from(is_new && is_leader);
        let is_cut = before.is_none_or(|last| log_end < last.log_end || high_watermark < last.high_watermark);
        let from = match before {
            Some(before) if !is_new && !is_cut => before.compared.max(log_start),
            _ => log_start,
        };
        self.compare(node, &key, log, from, high_watermark);
        let last =
            Last { life: node.life, epoch, is_leader, high_watermark, log_end, compared: high_watermark };
        self.last.insert((node.id, key), last);
    }

    fn compare(&mut self, node: &Node, key: &Key, log: &UnifiedLog, from: Offset, to: Offset) {
        let seen = self.seen.entry(key.clone()).or_default();
        let mut at = from;
        while at < to {
            let limits = ReadLimits { max_bytes: 1 << 20, bound: to, min_one_batch: true };
            // A log that is closed, or cut at this moment, is looked at the next time.
            let Ok(slice) = log.read(at, limits) else { return };
            if slice.bytes == 0 {
                return;
            }
            let Ok(bytes) = slice.read_bytes() else { return };
            for batch in batches(&bytes) {
                let batch = batch.expect("whole batches");
                let header = batch.header();
                let mut hash = DefaultHasher::new();
                batch.bytes().hash(&mut hash);
                let found = (header.last_offset().0, hash.finish());
                let known = *seen.entry(header.base_offset.0).or_insert(found);
                assert!(
                    known == found,
                    "C4: node {} of {key:?} has another batch at {} than others had",
                    node.id,
                    header.base_offset
                );
                self.compared += 1;
            }
            at = slice.next_offset;
        }
    }

    fn acknowledged(&self, nodes: &[Node], book: &Book) {
        for (key, epoch) in self.epochs.iter().filter(|(key, _)| key.0 == TOPIC) {
            let Some(leader) = self.leaders.get(&(key.clone(), *epoch)) else { continue };
            let (last, deleted) = (book.last_acked(key.1).unwrap_or(-1), book.deleted(key.1));
            let Some(serving) = nodes[leader - 1].serving() else { continue };
            let Some(partition) = serving.rooms().replicas.partition(TOPIC, key.1) else { continue };
            let role = partition.role();
            if role.leader().is_none() || role.epoch().0 != *epoch {
                continue;
            }
            let Some(log) = partition.opened_log() else { continue };
            let end = log.log_end_offset();
            assert!(
                end.0 > last,
                "C5: node {leader} leads {key:?} in epoch {epoch} and ends at {end}; {last} was acknowledged"
            );
            let start = log.log_start_offset();
            assert!(
                start.0 >= deleted,
                "C5: node {leader} leads {key:?} in epoch {epoch} from {start} on; all before {deleted} was deleted"
            );
        }
    }
}

/// C6 and C7.
pub fn at_the_end(nodes: &[Node], book: &Book) {
    for node in nodes {
        let serving = node.serving().expect("every node serves");
        let rooms = serving.rooms();
        let (id, image) = (BrokerId(node.id as i32), rooms.metadata.image());
        let is_own = |topic: &str, index: i32| {
            let partition = image.partition(topic, PartitionIndex(index));
            partition.is_some_and(|partition| partition.replicas.contains(&id))
        };
        for topic in rooms.replicas.hosted().topics() {
            for partition in &topic.partitions {
                let (name, index) = (partition.topic().to_string(), partition.index().0);
                assert!(is_own(&name, index), "C6: node {id} hosts {name}-{index}, which is none of its own");
            }
        }
        for folder in node.folders() {
            let Some((topic, index)) = folder.rsplit_once('-') else { continue };
            // One that is being deleted has another name.
            let Ok(index) = index.parse::<i32>() else { continue };
            let is_known = topic == CLUSTER_METADATA_TOPIC || is_own(topic, index);
            assert!(is_known, "C6: node {id} has the folder {folder}, which is none of its own");
        }
        for topic in image.topics() {
            for partition in topic.partitions.iter() {
                let is_moving =
                    !partition.adding_replicas().is_empty() || !partition.removing_replicas().is_empty();
                assert!(!is_moving, "C6: a move is left over: {partition:?}");
            }
        }
        let set = image
            .topic_overrides(TOPIC)
            .get(SETTING)
            .map_or(0, |value| value.parse::<u64>().expect("a number that was set") - SETTING_FROM);
        assert!(book.register.may_be(set), "C7: node {id} has the setting {set}");
    }
}

fn is_same(one: &Image, other: &Image) -> bool {
    one.topics().eq(other.topics())
        && one.brokers().eq(other.brokers())
        && one.next_producer_id() == other.next_producer_id()
}
