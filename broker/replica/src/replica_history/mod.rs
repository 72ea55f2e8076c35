//! Seeded histories of one partition on three brokers, each step checked.
//! Shell: the leaders' reads and the followers' steps are the real ones; the network, the controller and the time are not.

mod check;
mod controller;
mod node;
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::Clock;
use ottla_env::memory::{MemoryClock, SeededRng};
use ottla_log::AppendOrigin;
use ottla_log::verification::FirstBatch;
use ottla_model::{BrokerId, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{AlterPartitionResponse, FetchRequest};
use ottla_protocol::records::metadata::{PartitionRecord, TopicRecord};
use ottla_records::header::HEADER_BYTES;
use ottla_records::{BatchBuilder, BatchView, EndTxnMarker};

use self::check::Checks;
use self::controller::Controller;
use self::node::{End, FetchAnswer, Node};
use crate::acknowledge::{Acks, NotAcknowledged, Pending};
use crate::isr_changes::AlterPartition;
use crate::test_world::{B, C, ID, ME, NOW};

const REPLICAS: [BrokerId; 3] = [ME, B, C];

/// What is on its way.
enum Message {
    Fetch { from: usize, life: u64, to: usize, number: u64, request: Box<FetchRequest> },
    Fetched { from: usize, life: u64, to: usize, to_life: u64, number: u64, answer: FetchAnswer },
    Alter { from: usize, life: u64, sent: AlterPartition },
    Altered { from: usize, life: u64, sent: AlterPartition, response: AlterPartitionResponse },
}

/// An acks=all append that is not acknowledged yet.
struct Waiting {
    node: usize,
    life: u64,
    offset: Offset,
    body: Bytes,
    pending: std::pin::Pin<Box<dyn Future<Output = Result<(), NotAcknowledged>>>>,
}

struct History {
    rng: SeededRng,
    clock: MemoryClock,
    nodes: Vec<Node>,
    controller: Controller,
    /// Where each node's last registration is among the controller's records.
    registered_at: Vec<usize>,
    messages: Vec<Message>,
    /// Nodes whose proposal is on its way.
    altering: BTreeSet<usize>,
    waiting: Vec<Waiting>,
    open_transactions: Vec<ProducerId>,
    /// Deletions of records that are not answered: by whom, under which epoch, up to where.
    deleting: Vec<(usize, u64, LeaderEpoch, Offset)>,
    next_number: u64,
    checks: Checks,
    trace: Vec<String>,
}

fn topic() -> Vec<ottla_protocol::records::metadata::MetadataRecord> {
    let ids: Vec<_> = REPLICAS.iter().map(|id| id.0).collect();
    let topic =
        TopicRecord { name: StrBytes::from_static_str("t"), topic_id: ID.0, ..TopicRecord::default() };
    let partition = PartitionRecord {
        partition_id: 0,
        topic_id: ID.0,
        leader: ids[0],
        leader_epoch: 0,
        partition_epoch: 0,
        replicas: ids.clone(),
        isr: ids,
        ..PartitionRecord::default()
    };
    vec![topic.into(), partition.into()]
}

impl History {
    fn new(seed: u64) -> History {
        let (clock, rng) = (MemoryClock::new(NOW), SeededRng::new(seed));
        let nodes: Vec<Node> = REPLICAS.iter().map(|id| Node::new(*id, clock.clone(), seed)).collect();
        let controller = Controller::new(&REPLICAS, topic());
        let mut history = History {
            rng,
            clock,
            nodes,
            controller,
            registered_at: vec![2, 4, 6],
            messages: Vec::new(),
            altering: BTreeSet::new(),
            waiting: Vec::new(),
            open_transactions: Vec::new(),
            deleting: Vec::new(),
            next_number: 0,
            checks: Checks::default(),
            trace: Vec::new(),
        };
        for node in 0..3 {
            history.hear(node, usize::MAX);
        }
        history
    }

    fn note(&mut self, what: impl Into<String>) {
        self.trace.push(what.into());
    }

    fn below(&self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// The node hears of so many more of the controller's records.
    fn hear(&mut self, node: usize, count: usize) {
        let known = self.controller.records.len();
        let until = self.nodes[node].heard.saturating_add(count).min(known);
        self.nodes[node].hear(&self.controller.records, until, self.registered_at[node]);
    }

    fn step(&mut self) {
        self.clock.advance(Duration::from_millis(self.rng.below(40)));
        let node = self.below(3);
        match self.rng.below(100) {
            0..20 => self.produce(node),
            20..38 => self.fetch(node),
            38..40 => self.flow(),
            40..68 => self.deliver(),
            68..76 => {
                let count = 1 + self.below(3);
                self.hear(node, count);
            }
            76..80 => self.nodes[node].work(),
            80..84 => self.propose(node),
            84..86 => self.decide(node),
            86..89 => self.crash_or_start(node),
            89..91 => self.give_up(node),
            91..93 => self.delete_records(node),
            93..95 => self.look_after(node),
            95..96 => self.clock.advance(Duration::from_millis(1_200)),
            _ => self.end_transaction(node),
        }
        self.settle();
        self.check();
    }

    /// Producers find the leader, or ask one that was.
    fn producing_node(&self, node: usize) -> usize {
        let leader = (0..3).find(|node| self.controller.leader == Some(REPLICAS[*node]));
        if self.rng.chance(900) { leader.unwrap_or(node) } else { node }
    }

    fn produce(&mut self, node: usize) {
        let node = self.producing_node(node);
        let Some(partition) = self.nodes[node].partition() else { return };
        let is_transactional = self.rng.chance(250);
        self.next_number += 1;
        let producer = ProducerId(self.next_number as i64);
        let mut builder = BatchBuilder::new();
        if is_transactional {
            builder = builder.transactional().producer(producer, ProducerEpoch(0), Sequence(0));
        }
        for record in 0..1 + self.rng.below(3) {
            let value = format!("{}-{record}", self.next_number);
            builder.append(NOW, None, Some(value.as_bytes()), &[]);
        }
        let batch = builder.build();
        let mut origin = AppendOrigin::Client;
        if is_transactional {
            let header = *BatchView::first(&batch).expect("a batch").header();
            let Ok(log) = partition.log() else { return };
            origin =
                AppendOrigin::verified_client(log.begin_verification(&FirstBatch::of(&header, false), NOW));
        }
        let acks = if self.rng.chance(700) { Acks::All } else { Acks::Leader };
        let body = batch.slice(HEADER_BYTES..);
        let Ok(appended) = partition.append(batch, origin, acks, NOW) else { return };
        let offset = appended.info.base_offset;
        self.note(format!("{node} appends {offset} in epoch {} acks {acks:?}", appended.epoch));
        self.checks.on_append(appended.epoch, REPLICAS[node]);
        if is_transactional {
            self.open_transactions.push(producer);
        }
        match appended.pending {
            None if acks == Acks::All => self.checks.on_acked(offset, body),
            None => {}
            Some(pending) => self.wait(node, offset, body, pending),
        }
    }

    fn wait(&mut self, node: usize, offset: Offset, body: Bytes, pending: Pending) {
        let life = self.nodes[node].life;
        self.waiting.push(Waiting { node, life, offset, body, pending: Box::pin(pending.acknowledged()) });
    }

    /// Acknowledgements leave, and deletions are answered.
    fn settle(&mut self) {
        let (mut waiting, mut acked) = (std::mem::take(&mut self.waiting), Vec::new());
        waiting.retain_mut(|one| {
            if self.nodes[one.node].life != one.life || self.nodes[one.node].alive.is_none() {
                return false;
            }
            match crate::test_world::poll(&mut one.pending) {
                None => true,
                Some(outcome) => {
                    if outcome.is_ok() {
                        acked.push((one.node, one.offset, one.body.clone()));
                    }
                    false
                }
            }
        });
        self.waiting = waiting;
        for (node, offset, body) in acked {
            self.note(format!("{node} acknowledges {offset}"));
            self.checks.on_acked(offset, body);
        }
        let deleting = std::mem::take(&mut self.deleting);
        for (node, life, epoch, before) in deleting {
            let (Some(partition), true) = (self.nodes[node].partition(), self.nodes[node].life == life)
            else {
                continue;
            };
            let Ok(led) = partition.led(epoch.0) else { continue };
            let Some(alive) = &self.nodes[node].alive else { continue };
            let hosted = alive.replicas.hosted();
            if led.low_watermark(|id| hosted.is_alive(id)) >= before {
                self.checks.on_deleted(before);
            } else {
                self.deleting.push((node, life, epoch, before));
            }
        }
    }

    fn end_transaction(&mut self, node: usize) {
        let node = self.producing_node(node);
        let Some(partition) = self.nodes[node].partition().filter(|_| !self.open_transactions.is_empty())
        else {
            return;
        };
        let place = self.below(self.open_transactions.len());
        let producer = self.open_transactions[place];
        let marker = EndTxnMarker { is_commit: self.rng.chance(500), coordinator_epoch: 1, timestamp: NOW };
        let batch = marker.build(producer, ProducerEpoch(0));
        if let Ok(appended) = partition.append(batch, AppendOrigin::Coordinator, Acks::Leader, NOW) {
            self.note(format!("{node} ends {producer:?} at {}", appended.info.base_offset));
            self.checks.on_append(appended.epoch, REPLICAS[node]);
            self.open_transactions.swap_remove(place);
        }
    }

    fn fetch(&mut self, node: usize) {
        for to in (0..3).filter(|to| *to != node) {
            self.next_number += 1;
            let number = self.next_number;
            if let Some(request) = self.nodes[node].ask(REPLICAS[to], number) {
                let life = self.nodes[node].life;
                let request = Box::new(request);
                self.messages.push(Message::Fetch { from: node, life, to, number, request });
            }
        }
    }

    /// A fetch is given up. It may arrive all the same.
    fn give_up(&mut self, node: usize) {
        let Some(alive) = &self.nodes[node].alive else { return };
        let asked = alive.plans.iter().find_map(|(leader, plan)| Some((*leader, plan.asked?)));
        if let Some((leader, number)) = asked {
            self.note(format!("{node} gives up its fetch from {leader}"));
            self.nodes[node].apply(leader, number, None);
        }
    }

    /// A fetch that nobody has got has its end in time, too.
    fn give_up_what_was_lost(&mut self, node: usize) {
        assert!(self.messages.is_empty(), "what is on its way is not lost");
        for _leader in REPLICAS {
            self.give_up(node);
        }
    }

    fn deliver(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let place = self.below(self.messages.len());
        if self.rng.chance(150) {
            // It goes on another way, and comes later.
            return;
        }
        match self.messages.swap_remove(place) {
            Message::Fetch { from, life, to, number, request } => {
                let asked = request.topics.first().map_or(-1, |topic| topic.partitions[0].fetch_offset);
                self.note(format!("{to} answers the fetch of {from} at {asked}"));
                if let Some(answer) = self.nodes[to].answer(&request) {
                    let to_life = self.nodes[to].life;
                    self.messages.push(Message::Fetched { from, life, to, to_life, number, answer });
                }
            }
            Message::Fetched { from, life, to, to_life, number, answer } => {
                let is_there = self.nodes[to].alive.is_some() && self.nodes[to].life == to_life;
                let response = if is_there { answer.send() } else { None };
                if self.nodes[from].life == life {
                    self.nodes[from].apply(REPLICAS[to], number, response);
                    let end = self.nodes[from].log().map(|log| log.log_end_offset());
                    self.note(format!("{from} applies the answer of {to}, and ends at {end:?}"));
                }
            }
            Message::Alter { from, life, sent } => {
                let response = self.controller.alter_partition(&sent.request);
                self.note(format!(
                    "the controller hears of {from}'s proposal: ISR {:?} ELR {:?}",
                    self.controller.isr, self.controller.elr
                ));
                self.messages.push(Message::Altered { from, life, sent, response });
            }
            Message::Altered { from, life, sent, response } => {
                if self.nodes[from].life != life {
                    return;
                }
                self.altering.remove(&from);
                if let Some(alive) = &self.nodes[from].alive {
                    let changes = alive.replicas.isr_changes();
                    match response.error_code {
                        0 => drop(changes.on_answer(sent, &response)),
                        _ => changes.on_no_answer(sent),
                    }
                }
            }
        }
    }

    fn propose(&mut self, node: usize) {
        let Some(epoch) = self.nodes[node].broker_epoch else { return };
        let Some(alive) = &self.nodes[node].alive else { return };
        if self.altering.contains(&node) {
            return;
        }
        if let Some(sent) = alive.replicas.isr_changes().take(REPLICAS[node], epoch) {
            let life = self.nodes[node].life;
            self.altering.insert(node);
            self.messages.push(Message::Alter { from: node, life, sent });
        }
    }

    /// For a moment everything arrives, so that there is something to lose in what comes next.
    fn flow(&mut self) {
        for _round in 0..1 + self.below(5) {
            self.clock.advance(Duration::from_millis(self.rng.below(40)));
            for (node, replica) in REPLICAS.into_iter().enumerate() {
                self.hear(node, usize::MAX);
                if self.nodes[node].broker_epoch == Some(self.controller.broker_epoch(replica)) {
                    self.controller.unfence(replica);
                }
                self.nodes[node].work();
                self.produce(node);
                self.fetch(node);
                self.propose(node);
            }
            while !self.messages.is_empty() {
                self.deliver();
            }
            self.settle();
            self.check();
        }
    }

    /// The controller elects, fences or takes back a fence.
    fn decide(&mut self, node: usize) {
        let id = REPLICAS[node];
        match self.rng.below(3) {
            0 => {
                self.controller.elect(Some(id));
            }
            1 => self.controller.fence(id),
            _ if self.nodes[node].broker_epoch == Some(self.controller.broker_epoch(id)) => {
                self.controller.unfence(id);
            }
            _ => return,
        }
        self.note(format!(
            "the controller decides: leader {:?} epoch {} ISR {:?} ELR {:?}",
            self.controller.leader, self.controller.leader_epoch, self.controller.isr, self.controller.elr
        ));
    }

    fn crash_or_start(&mut self, node: usize) {
        if self.nodes[node].alive.is_some() {
            let end = match self.rng.below(3) {
                0 => End::Clean,
                1 => End::Kill,
                _ => End::PowerLoss,
            };
            self.note(format!("{node} stops: {end:?}"));
            self.stop(node, end);
        } else {
            self.start(node);
        }
    }

    fn stop(&mut self, node: usize, end: End) {
        self.nodes[node].stop(end);
        self.altering.remove(&node);
        self.waiting.retain(|one| one.node != node);
    }

    fn start(&mut self, node: usize) {
        self.nodes[node].start();
        let was_clean = self.nodes[node].was_clean;
        self.registered_at[node] = usize::MAX;
        self.controller.register(REPLICAS[node], was_clean);
        self.registered_at[node] = self.controller.records.len() - 1;
        self.note(format!(
            "{node} starts, clean: {was_clean}: leader {:?} epoch {} ISR {:?} ELR {:?}",
            self.controller.leader, self.controller.leader_epoch, self.controller.isr, self.controller.elr
        ));
        // A broker serves nothing before it has heard of its own registration, and so of all before it: by an earlier
        // image it might lead what another leads by now.
        let behind = self.controller.records.len() - self.registered_at[node];
        let count = self.registered_at[node] + 1 + self.below(behind);
        self.hear(node, count);
    }

    fn delete_records(&mut self, node: usize) {
        let Some(partition) = self.nodes[node].partition() else { return };
        let Ok(led) = partition.led(-1) else { return };
        let (start, high_watermark) = (led.log().log_start_offset(), led.high_watermark());
        let before = start + self.rng.below((high_watermark - start) as u64 + 1) as i64;
        if led.log().delete_records(before).is_ok() {
            self.note(format!("{node} deletes records before {before}"));
            self.deleting.push((node, self.nodes[node].life, led.epoch(), before));
        }
    }

    /// What a broker does by itself.
    fn look_after(&mut self, node: usize) {
        let now = self.clock.monotonic();
        let Some(alive) = &self.nodes[node].alive else { return };
        match self.rng.below(5) {
            0 => alive.replicas.review_followers(now),
            1 => alive.replicas.write_high_watermarks(),
            2 => {
                alive.logs.run_retention(self.clock.wall_ms());
            }
            3 => alive.logs.tick(),
            _ => while alive.logs.flush_next() {},
        }
    }

    /// All faults are over: the replicas become one, if any of them may lead.
    fn heal(&mut self) {
        for node in 0..3 {
            if self.nodes[node].alive.is_none() {
                self.start(node);
            }
        }
        while !self.messages.is_empty() {
            self.deliver();
        }
        for node in 0..3 {
            self.give_up_what_was_lost(node);
        }
        for _round in 0..400 {
            self.clock.advance(Duration::from_millis(50));
            for (node, replica) in REPLICAS.into_iter().enumerate() {
                self.hear(node, usize::MAX);
                self.controller.unfence(replica);
                self.nodes[node].work();
                self.fetch(node);
                self.propose(node);
            }
            while !self.messages.is_empty() {
                self.deliver();
            }
            self.settle();
            self.check();
        }
        self.check_healed();
    }

    fn node_states(&self) -> BTreeMap<usize, String> {
        let state = |node: usize| {
            let log = self.nodes[node].log()?;
            let role = self.nodes[node].partition()?;
            let role = role.role();
            Some((
                node,
                format!(
                    "epoch {} [{}, {:?}, {}] last {:?} leads {} proposes {:?}",
                    role.epoch(),
                    log.log_start_offset(),
                    role.high_watermark(),
                    log.log_end_offset(),
                    log.latest_epoch(),
                    role.leader().is_some(),
                    role.leader().and_then(|leader| leader.proposal())
                ),
            ))
        };
        (0..3).filter_map(state).collect()
    }
}
