//! What holds after each step of a replica history.
//! Core over the logs' interfaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_log::{ReadLimits, UnifiedLog};
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use ottla_records::batches;
use ottla_records::header::HEADER_BYTES;

use super::{History, REPLICAS};

/// What was seen so far.
#[derive(Default)]
pub struct Checks {
    /// Who appended in each leader epoch.
    appenders: BTreeMap<LeaderEpoch, BrokerId>,
    /// What each offset below any high watermark was seen to be: the batch it is in.
    seen: BTreeMap<i64, Bytes>,
    /// Acknowledged to all in-sync replicas: the records of the batch at each offset.
    acked: BTreeMap<i64, Bytes>,
    /// Answered to who deleted records.
    deleted_to: i64,
    /// By node: its life, leader epoch, whether it led, high watermark, log end.
    last: BTreeMap<usize, Last>,
    pub leaderships: usize,
}

#[derive(Clone, Copy)]
struct Last {
    life: u64,
    epoch: LeaderEpoch,
    is_leader: bool,
    high_watermark: Offset,
    log_end: Offset,
    /// Up to where it was compared with what was seen.
    compared: Offset,
}

impl Checks {
    /// One broker appends in a leader epoch, and no other.
    pub fn on_append(&mut self, epoch: LeaderEpoch, by: BrokerId) {
        let first = *self.appenders.entry(epoch).or_insert(by);
        assert_eq!(first, by, "two brokers appended in epoch {epoch}");
    }

    pub fn on_acked(&mut self, offset: Offset, body: Bytes) {
        let before = self.acked.insert(offset.0, body.clone());
        assert!(before.is_none_or(|before| before == body), "offset {offset} was acknowledged twice");
    }

    pub fn on_deleted(&mut self, before: Offset) {
        self.deleted_to = self.deleted_to.max(before.0);
    }

    pub fn is_acked(&self, offset: i64) -> bool {
        self.acked.contains_key(&offset)
    }

    pub fn acked_count(&self) -> usize {
        self.acked.len()
    }

    /// Nothing below a high watermark is ever another record on any replica (P2, P27).
    fn compare(&mut self, node: usize, log: &UnifiedLog, from: Offset, to: Offset) {
        for (base, last, batch) in batches_of(log, from, to) {
            for offset in base..=last {
                let seen = self.seen.entry(offset).or_insert_with(|| batch.clone());
                assert!(
                    *seen == batch,
                    "node {node} has another record at offset {offset} than was read before"
                );
            }
        }
    }
}

/// Base offset, last offset and bytes of the batches that have an offset in the range.
pub fn batches_of(log: &UnifiedLog, from: Offset, to: Offset) -> Vec<(i64, i64, Bytes)> {
    let (mut found, mut at) = (Vec::new(), from);
    while at < to {
        let limits = ReadLimits { max_bytes: 1 << 20, bound: to, min_one_batch: true };
        let slice = log.read(at, limits).expect("within the log");
        if slice.bytes == 0 {
            break;
        }
        let bytes = slice.read_bytes().expect("it is there");
        let mut position = 0;
        for batch in batches(&bytes) {
            let batch = batch.expect("whole batches");
            let size = batch.bytes().len();
            let header = batch.header();
            found.push((
                header.base_offset.0,
                header.last_offset().0,
                bytes.slice(position..position + size),
            ));
            position += size;
        }
        at = slice.next_offset;
    }
    found
}

impl History {
    pub fn check(&mut self) {
        for node in 0..REPLICAS.len() {
            let (Some(partition), Some(log)) = (self.nodes[node].partition(), self.nodes[node].log()) else {
                self.checks.last.remove(&node);
                continue;
            };
            let role = partition.role();
            let Some(high_watermark) = role.high_watermark() else { continue };
            let (log_start, log_end) = (log.log_start_offset(), log.log_end_offset());
            assert!(
                log_start <= high_watermark && high_watermark <= log_end,
                "P3: node {node}: {log_start} <= {high_watermark} <= {log_end}"
            );
            let (life, epoch, is_leader) = (self.nodes[node].life, role.epoch(), role.leader().is_some());
            let before = self.checks.last.get(&node).copied().filter(|last| last.life == life);
            if let Some(before) = before {
                assert!(before.epoch <= epoch, "node {node}: the leader epoch went back");
                if before.epoch == epoch && is_leader {
                    assert!(before.high_watermark <= high_watermark, "node {node}: the watermark went back");
                }
            }
            let is_new_leader =
                is_leader && before.is_none_or(|before| !(before.is_leader && before.epoch == epoch));
            let is_cut = before
                .is_none_or(|before| log_end < before.log_end || high_watermark < before.high_watermark);
            let from = match before {
                Some(before) if !is_cut && !is_new_leader => before.compared.max(log_start),
                _ => log_start,
            };
            let is_behind_the_disk =
                self.nodes[node].alive.as_ref().is_some_and(|alive| !alive.blocking.is_empty());
            if is_behind_the_disk && !is_leader {
                // Its log start is about to follow the leader's. What is below may never have been committed: a leader
                // that begins there has forgotten the epochs below, and cannot say so (as on Kafka).
                continue;
            }
            self.checks.compare(node, &log, from, high_watermark);
            if is_new_leader {
                self.check_new_leader(node, epoch, &log);
            }
            let last = Last { life, epoch, is_leader, high_watermark, log_end, compared: high_watermark };
            self.checks.last.insert(node, last);
        }
    }

    /// A leader has all that was acknowledged before it, and nothing that was deleted.
    fn check_new_leader(&mut self, node: usize, epoch: LeaderEpoch, log: &Arc<UnifiedLog>) {
        self.checks.leaderships += 1;
        let log_start = log.log_start_offset();
        if self.controller.epochs_from_elr.contains(&epoch.0) {
            // It was not waited for while it was fenced, as on Kafka.
            self.checks.deleted_to = self.checks.deleted_to.min(log_start.0);
        }
        if self.controller.leader_epoch == epoch.0 {
            let deleted_to = self.checks.deleted_to;
            assert!(
                deleted_to <= log_start.0,
                "P28: node {node} leads from {log_start}, deleted to {deleted_to}"
            );
        }
        let found: BTreeMap<i64, Bytes> = batches_of(log, log_start, log.log_end_offset())
            .into_iter()
            .map(|(base, _, batch)| (base, batch.slice(HEADER_BYTES..)))
            .collect();
        for (offset, body) in self.checks.acked.range(log_start.0..) {
            assert!(
                found.get(offset) == Some(body),
                "node {node} leads in epoch {epoch} without what was acknowledged at {offset}: {:?}",
                self.node_states()
            );
        }
    }

    /// Everything is the same everywhere.
    pub fn check_healed(&mut self) {
        let Some(leader) = self.controller.leader else { return };
        let leader = REPLICAS.iter().position(|id| *id == leader).expect("a replica");
        let of_leader = self.nodes[leader].log().expect("it leads");
        let end = of_leader.log_end_offset();
        let states = self.node_states();
        assert_eq!(self.controller.isr.len(), 3, "all are in sync again: {states:?}");
        for node in 0..3 {
            let log = self.nodes[node].log().expect("it runs");
            let known = self.nodes[node].partition().expect("hosted").role().high_watermark();
            assert_eq!((log.log_end_offset(), known), (end, Some(end)), "node {node}: {states:?}");
            let start = log.log_start_offset().max(of_leader.log_start_offset());
            assert!(batches_of(&log, start, end) == batches_of(&of_leader, start, end), "P27: node {node}");
            // A replica that began where another one's log begins knows nothing of what was open below, as on Kafka.
            let open = |log: &UnifiedLog| {
                let producers = log.producers().into_iter();
                let open = producers.filter_map(|(id, entry)| Some((id, entry.current_txn_first_offset?)));
                open.filter(|(_, first)| *first >= start).collect::<Vec<_>>()
            };
            assert_eq!(open(&log), open(&of_leader), "P26: producers of node {node}");
            let last_epoch = |log: &UnifiedLog| {
                let epochs = log.leader_epochs().into_iter().rev();
                epochs.map(|entry| (entry.epoch, entry.start_offset)).find(|(_, start)| *start < end)
            };
            assert_eq!(
                last_epoch(&log).map(|(epoch, _)| epoch),
                last_epoch(&of_leader).map(|(epoch, _)| epoch),
                "the epoch of the last record of node {node}"
            );
        }
    }
}
