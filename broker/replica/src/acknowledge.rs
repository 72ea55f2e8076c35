//! Waiting for acknowledgements: what was appended is on every in-sync replica and, where asked, on the disk.
//! Core. Time is a future handed in. One future serves all partitions of a request.
//!
//! Invariants:
//! - I1. An acknowledgement is given by the leader epoch that appended, while it lasts, or not at all: a
//!   high watermark of another epoch completes nothing (KAFKA-20634).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ottla_env::BoxFuture;
use ottla_model::{LeaderEpoch, Offset};

use crate::flush_gate::{FlushGate, Ticket};
use crate::partition::Partition;
use crate::role::{Leader, Role};

/// When an acknowledgement to all in-sync replicas may leave (`ottla.durability`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The record survives any single failure: a second replica has it, or an fsync was done.
    SurviveOne,
    /// Kafka's trade: the page cache is enough.
    Os,
    /// Always after an fsync.
    Fsync,
}

impl Durability {
    fn needs_disk(self, isr_count: usize) -> bool {
        match self {
            Durability::SurviveOne => isr_count < 2,
            Durability::Os => false,
            Durability::Fsync => true,
        }
    }
}

/// Whose acknowledgement a producer wants (`acks`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// Nobody's, or the leader's: the append itself is the acknowledgement.
    Leader,
    /// That of all in-sync replicas.
    All,
}

/// Why an append is not acknowledged. It may be in the log all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAcknowledged {
    /// The leader epoch that appended has ended.
    #[error("the partition has another leader epoch now")]
    NotLeader,
    #[error("the partition was deleted")]
    Deleted,
    /// The log directory failed: what was not on the disk before will not get there.
    #[error("the log directory failed")]
    Storage,
    /// It is replicated, but to fewer replicas than `min.insync.replicas`.
    #[error("too few replicas were in sync after the append")]
    NotEnoughReplicas,
    /// The deadline passed first.
    #[error("the acknowledgement did not come in time")]
    TimedOut,
}

/// What one append waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rule {
    pub acks: Acks,
    /// The topic's `flush.messages` or `flush.ms` ask for it whatever the producer wants.
    pub must_flush: bool,
}

/// How far an acknowledgement is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    Done(Result<(), NotAcknowledged>),
    Replicating,
    Flushing,
}

/// `DelayedProduce.tryComplete`, and the disk's part, which Kafka leaves out.
pub(crate) fn progress(
    leader: &Leader,
    gate: &FlushGate,
    end: Offset,
    rule: Rule,
    durability: Durability,
    min_isr: i32,
) -> Progress {
    if leader.is_ended() {
        return Progress::Done(Err(NotAcknowledged::NotLeader));
    }
    let mut needs_disk = rule.must_flush;
    if rule.acks == Acks::All {
        if leader.high_watermark() < end {
            return match gate.is_failed() {
                true => Progress::Done(Err(NotAcknowledged::Storage)),
                false => Progress::Replicating,
            };
        }
        if leader.is_maximally_under_min_isr(min_isr) {
            return Progress::Done(Err(NotAcknowledged::NotEnoughReplicas));
        }
        needs_disk |= durability.needs_disk(leader.maximal_isr_count());
    }
    if !needs_disk || gate.is_durable(end) {
        Progress::Done(Ok(()))
    } else if gate.is_failed() {
        Progress::Done(Err(NotAcknowledged::Storage))
    } else {
        Progress::Flushing
    }
}

/// An append that is not acknowledged yet: bound to its partition and to the leader epoch that made it.
pub struct Pending {
    partition: Arc<Partition>,
    role: Arc<Role>,
    end: Offset,
    rule: Rule,
    ticket: Ticket,
    is_flush_requested: bool,
    outcome: Option<Result<(), NotAcknowledged>>,
}

impl Pending {
    pub(crate) fn new(partition: Arc<Partition>, role: Arc<Role>, end: Offset, rule: Rule) -> Pending {
        assert!(role.leader().is_some(), "an append is made by a leader");
        Pending { partition, role, end, rule, ticket: None, is_flush_requested: false, outcome: None }
    }

    pub fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// The leader epoch that appended.
    pub fn epoch(&self) -> LeaderEpoch {
        self.role.epoch()
    }

    /// The end of the append.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Whether all in-sync replicas have it, so that only the disk is waited for.
    pub fn is_replicated(&self) -> bool {
        self.progress() != Progress::Replicating
    }

    /// Waits without a deadline.
    pub async fn acknowledged(mut self) -> Result<(), NotAcknowledged> {
        self.request_flush();
        std::future::poll_fn(move |context| self.poll(context)).await
    }

    fn progress(&self) -> Progress {
        match self.role.leader() {
            Some(leader) => self.partition.progress(leader, self.end, self.rule),
            None => unreachable!("checked when it was made"),
        }
    }

    /// Begins what the wait is for, so that several appends share one flush.
    fn request_flush(&mut self) {
        if !self.is_flush_requested && self.progress() == Progress::Flushing {
            self.is_flush_requested = true;
            self.partition.request_flush(self.end);
        }
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<(), NotAcknowledged>> {
        if let Some(outcome) = self.outcome {
            return Poll::Ready(outcome);
        }
        if let Some(done) = self.settle() {
            return Poll::Ready(done);
        }
        // What passes between the look and the registration has woken nobody: look again.
        self.partition.gate().join(&mut self.ticket, self.end, context);
        // The last replica in sync may have become the only one meanwhile.
        self.request_flush();
        match self.settle() {
            Some(done) => Poll::Ready(done),
            None => Poll::Pending,
        }
    }

    fn settle(&mut self) -> Option<Result<(), NotAcknowledged>> {
        let Progress::Done(mut outcome) = self.progress() else { return None };
        if outcome == Err(NotAcknowledged::NotLeader) {
            outcome = Err(self.partition.why_ended());
        }
        self.conclude(outcome);
        Some(outcome)
    }

    fn conclude(&mut self, outcome: Result<(), NotAcknowledged>) {
        assert!(self.outcome.is_none(), "an append is acknowledged or refused once");
        self.outcome = Some(outcome);
        self.partition.gate().leave(self.ticket.take());
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.partition.gate().leave(self.ticket.take());
        }
    }
}

/// Completes when each append is acknowledged or refused, or the deadline has passed; the outcomes are
/// in the order given.
pub struct AllAcknowledged {
    pending: Vec<Pending>,
    deadline: Option<BoxFuture<'static, ()>>,
}

impl AllAcknowledged {
    /// Without a deadline.
    pub fn new(mut pending: Vec<Pending>) -> AllAcknowledged {
        pending.iter_mut().for_each(Pending::request_flush);
        AllAcknowledged { pending, deadline: None }
    }

    /// What is not acknowledged when `deadline` completes has timed out.
    pub fn until(pending: Vec<Pending>, deadline: BoxFuture<'static, ()>) -> AllAcknowledged {
        AllAcknowledged { deadline: Some(deadline), ..AllAcknowledged::new(pending) }
    }
}

impl Future for AllAcknowledged {
    type Output = Vec<Result<(), NotAcknowledged>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waiting = false;
        for one in &mut self.pending {
            waiting |= one.poll(context).is_pending();
        }
        if waiting {
            // Those that are done at the deadline are done: it is looked at last.
            let is_expired =
                self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready());
            if !is_expired {
                return Poll::Pending;
            }
            for one in self.pending.iter_mut().filter(|one| one.outcome.is_none()) {
                one.conclude(Err(NotAcknowledged::TimedOut));
            }
        }
        let outcome = |one: &Pending| one.outcome.unwrap_or(Err(NotAcknowledged::TimedOut));
        Poll::Ready(self.pending.iter().map(outcome).collect())
    }
}
