//! What must hold of a quorum at all times, whatever the world does to it.
//! Core, for tests.
//!
//! - Election safety: an epoch has one leader.
//! - One vote: a voter grants one candidate in an epoch, across all its lives.
//! - Leader completeness: who is elected has all that is committed.
//! - Log matching: what is committed at an offset is the same bytes at every voter, for ever, and in order.
//! - Voters: the committed sets follow each other by one voter.
//! - Terms: a voter's epoch never goes back behind what it promised, across its lives.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use uuid::Uuid;

use super::log_store::StoredBatch;
use super::voter_history::{Voters, change_of};
use super::wire::{Body, Frame, MessageKind};
use crate::quorum::Leadership;

#[derive(Default)]
pub(crate) struct Checks {
    leaders: BTreeMap<LeaderEpoch, BrokerId>,
    /// The node and the directory that led.
    led: BTreeMap<LeaderEpoch, (usize, Uuid)>,
    /// The last committed set of voters, and how many there were.
    voters: Option<Voters>,
    pub sets: usize,
    /// By voter and epoch.
    votes: BTreeMap<(usize, u64), usize>,
    committed: BTreeMap<Offset, StoredBatch>,
    committed_end: Offset,
    /// The highest epoch in which a voter promised something.
    promised: BTreeMap<usize, u64>,
    known: BTreeMap<usize, LeaderEpoch>,
}

impl Checks {
    pub fn on_start(&mut self, node: usize, epoch: LeaderEpoch) {
        let promised = self.promised.get(&node).copied().unwrap_or(0);
        assert!(
            epoch.0 as u64 >= promised,
            "voter {node} forgot that it promised something in epoch {promised}"
        );
        self.known.insert(node, epoch);
    }

    /// A wiped voter is another one; the others must not hear it.
    pub fn on_wiped(&mut self, node: usize) {
        self.promised.remove(&node);
        self.votes.retain(|(voter, _), _| *voter != node);
    }

    pub fn on_sent(&mut self, from: usize, to: usize, frame: &Bytes) {
        let frame = Frame::decode(frame.clone()).expect("voters send what they can read");
        let Body::Message(message) = frame.body else { return };
        match message.kind {
            MessageKind::VoteResponse if !message.reject => {
                let before = self.votes.insert((from, message.term), to);
                assert!(
                    before.is_none_or(|before| before == to),
                    "voter {from} voted twice in epoch {}",
                    message.term
                );
            }
            MessageKind::Vote => {
                let before = self.votes.insert((from, message.term), from);
                assert!(
                    before.is_none_or(|before| before == from),
                    "voter {from} voted for another and stands in epoch {}",
                    message.term
                );
            }
            MessageKind::AppendResponse => {}
            _ => return,
        }
        let promised = self.promised.entry(from).or_default();
        *promised = (*promised).max(message.term);
    }

    pub fn on_leadership(&mut self, me: (usize, BrokerId, Uuid), leadership: Leadership, end: Offset) {
        let (node, id, directory_id) = me;
        let known = self.known.insert(node, leadership.epoch);
        assert!(known.is_none_or(|known| known <= leadership.epoch), "the epoch of voter {node} went back");
        let Some(leader) = leadership.leader else { return };
        let first = *self.leaders.entry(leadership.epoch).or_insert(leader);
        assert!(first == leader, "epoch {} has two leaders: {first} and {leader}", leadership.epoch);
        if leader == id {
            let first = *self.led.entry(leadership.epoch).or_insert((node, directory_id));
            assert!(first == (node, directory_id), "epoch {} is led by two nodes", leadership.epoch);
            assert!(
                end >= self.committed_end,
                "voter {node} leads with a log that ends at {end}; {} is committed",
                self.committed_end
            );
        }
    }

    /// What a broker without a vote is given is what was committed, in order and without a hole.
    pub fn on_observed(&self, observer: usize, mut next: Offset, batches: &[StoredBatch]) {
        for batch in batches {
            assert!(batch.base == next, "observer {observer} goes on at {}, and {next} is next", batch.base);
            next = batch.next;
            assert!(
                self.committed.get(&batch.base) == Some(batch),
                "observer {observer} has records at offset {} that were not committed",
                batch.base
            );
        }
    }

    fn on_set(&mut self, batch: &StoredBatch) {
        let Some(change) = change_of(batch) else { return };
        if let Some(before) = self.voters.replace(change.voters.clone()) {
            assert!(
                before.set.is_one_step_to(&change.voters.set),
                "{:?} to {:?}",
                before.set,
                change.voters.set
            );
        }
        self.sets += 1;
    }

    pub fn on_committed(&mut self, node: usize, batches: &[StoredBatch]) {
        for batch in batches {
            match self.committed.get(&batch.base) {
                Some(known) => assert!(
                    known == batch,
                    "voter {node} has other records at offset {} than were committed",
                    batch.base
                ),
                None => {
                    assert!(
                        batch.base == self.committed_end,
                        "voter {node} commits at offset {}, and {} is next",
                        batch.base,
                        self.committed_end
                    );
                    self.committed_end = batch.next;
                    self.on_set(batch);
                    self.committed.insert(batch.base, batch.clone());
                }
            }
        }
    }
}
