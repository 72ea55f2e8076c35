//! From the decision of a transaction's end to its completion: the markers in every partition.
//! Shell.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use ottla_env::{BoxFuture, Monotonic};
use ottla_model::{BrokerId, ErrorCode, Offset, ProducerEpoch, ProducerId, TopicPartition};
use ottla_records::EndTxnMarker;
use tokio::sync::oneshot;

use super::coordinator::{Errand, Shard, Step, TransactionCoordinator};
use super::decide;
use super::metadata::{PartitionSet, TransactionMetadata, TransactionState};

/// The pause before a marker is tried again whose partition refused it.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long the answer to EndTxn is held back for the markers. A client that begins again while they are written is
/// answered CONCURRENT_TRANSACTIONS and pauses for 20 to 100 ms.
const ANSWER_HOLD: Duration = Duration::from_millis(50);

/// Completes when a transaction whose end was decided has its markers and its completion recorded, or nobody works
/// on it any more.
pub(super) type Completion = oneshot::Receiver<()>;

/// The end of one transaction for partitions that one broker leads (`WriteTxnMarkersRequest.WritableTxnMarker`).
#[derive(Clone, Debug)]
pub struct TransactionMarker {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub marker: EndTxnMarker,
    /// It is refused where the transaction was written under the same epoch (KIP-1228).
    pub needs_newer_epoch: bool,
    pub partitions: Vec<TopicPartition>,
}

/// What became of a marker in each of its partitions, in their order. A success is durable.
/// UNKNOWN_TOPIC_OR_PARTITION says that there is no such partition any more.
pub type MarkerOutcomes = Vec<Result<(), ErrorCode>>;

/// The one way of markers to the leaders of their partitions, on this broker or another.
pub trait MarkerChannel: Send + Sync {
    /// The broker that leads a partition.
    fn leader_of(&self, partition: &TopicPartition) -> Result<BrokerId, ErrorCode>;

    /// Has a broker append a marker. What is done here is done before this returns, but for the disk.
    fn send(&self, broker: BrokerId, marker: TransactionMarker) -> BoxFuture<'static, MarkerOutcomes>;
}

impl TransactionCoordinator {
    /// Brings a transaction whose end was decided to that end; the record at `offset` says which.
    pub(super) fn finish(
        self: &Arc<Self>,
        shard: &Arc<Shard>,
        transactional_id: &str,
        prepared: &TransactionMetadata,
        offset: Offset,
    ) -> Completion {
        let errand = Errand::Finish { partition: shard.partition, epoch: shard.epoch, decided_at: offset };
        let (coordinator, shard) = (Arc::clone(self), Arc::clone(shard));
        let (id, prepared) = (Box::from(transactional_id), prepared.clone());
        let (done, completion) = oneshot::channel();
        let work = async move {
            coordinator.run_to_completion(&shard, id, &prepared, offset).await;
            drop(done);
        };
        self.tasks.spawn(errand, "transaction markers", Box::pin(work));
        completion
    }

    /// Waits until the transaction is complete, but no longer than `ANSWER_HOLD`.
    pub(super) async fn hold_answer(&self, mut completion: Completion) {
        let mut late = self.clock.sleep_until(Monotonic(self.clock.monotonic().0 + ANSWER_HOLD));
        std::future::poll_fn(move |context| {
            let is_over =
                Pin::new(&mut completion).poll(context).is_ready() || late.as_mut().poll(context).is_ready();
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn run_to_completion(
        self: &Arc<Self>,
        shard: &Arc<Shard>,
        transactional_id: Box<str>,
        prepared: &TransactionMetadata,
        offset: Offset,
    ) {
        // A marker must not be where its decision may yet be lost.
        while self.committed(shard, Some(offset)).await.is_err() {
            if shard.has_ended() {
                return;
            }
            // Too few replicas are in sync.
            let again = Monotonic(self.clock.monotonic().0 + RETRY_PAUSE);
            self.clock.sleep_until(again).await;
        }
        let mut left = prepared.partitions.clone();
        loop {
            left = self.write_markers(shard, prepared, &left).await;
            if left.is_empty() {
                break;
            }
            if shard.has_ended() {
                return;
            }
            let again = Monotonic(self.clock.monotonic().0 + RETRY_PAUSE);
            self.clock.sleep_until(again).await;
        }
        // A full device refuses the record for a while; until it is there the producer has to wait.
        while let Err(error) = self.complete(shard, &transactional_id, prepared) {
            tracing::warn!(%transactional_id, %error, "a transaction's completion was refused; it is tried again");
            if shard.has_ended() {
                // Whoever loads the partition next finds the decision and completes it.
                return;
            }
            let again = Monotonic(self.clock.monotonic().0 + RETRY_PAUSE);
            self.clock.sleep_until(again).await;
        }
    }

    /// Records that every marker is there.
    fn complete(
        self: &Arc<Self>,
        shard: &Arc<Shard>,
        transactional_id: &str,
        prepared: &TransactionMetadata,
    ) -> Result<(), ErrorCode> {
        let completed = self.step(shard, transactional_id, |present, wall_ms| match present {
            Some(present) if present == prepared => {
                Ok(decide::Decided::Next(decide::complete(present, wall_ms)))
            }
            _ => Ok(decide::Decided::Same),
        });
        completed.map(drop)
    }

    /// Returns the partitions whose marker is not durable.
    async fn write_markers(
        &self,
        shard: &Shard,
        prepared: &TransactionMetadata,
        partitions: &PartitionSet,
    ) -> PartitionSet {
        let marker = EndTxnMarker {
            is_commit: prepared.state == TransactionState::PrepareCommit,
            coordinator_epoch: shard.epoch.0,
            timestamp: self.clock.wall_ms(),
        };
        let (mut failed, mut by_leader) =
            (PartitionSet::new(), BTreeMap::<BrokerId, Vec<TopicPartition>>::new());
        for partition in partitions {
            match self.markers.leader_of(partition) {
                Ok(leader) => by_leader.entry(leader).or_default().push(partition.clone()),
                // The image says that it is gone. A leader that says so may not have heard of it yet (KAFKA-9666).
                Err(ErrorCode::UnknownTopicOrPartition) => {}
                Err(error) => judge(partition, Err(error), &mut failed),
            }
        }
        let (sent, ways): (Vec<_>, Vec<_>) = by_leader
            .into_iter()
            .map(|(leader, partitions)| {
                let marker = TransactionMarker {
                    producer_id: prepared.producer_id,
                    producer_epoch: prepared.producer_epoch,
                    marker,
                    needs_newer_epoch: false,
                    partitions: partitions.clone(),
                };
                (partitions, self.markers.send(leader, marker))
            })
            .unzip();
        for (partitions, outcomes) in sent.iter().zip(all(ways).await) {
            assert_eq!(partitions.len(), outcomes.len(), "a marker has an outcome in each of its partitions");
            for (partition, outcome) in partitions.iter().zip(outcomes) {
                judge(partition, outcome, &mut failed);
            }
        }
        failed
    }

    /// Aborts one transaction that is open for too long; a new producer id is fetched first where it needs one.
    pub(super) fn time_out(self: &Arc<Self>, shard: &Arc<Shard>, id: Box<str>) {
        let aborted = self.step(shard, &id, |present, wall_ms| decide::time_out(present, None, wall_ms));
        if matches!(aborted, Ok(Step::NeedsProducerId)) {
            let errand = Errand::TimeOut { transactional_id: id.clone() };
            let (coordinator, shard) = (Arc::clone(self), Arc::clone(shard));
            let work = async move {
                // A refusal is met again at the next tick.
                let Ok(spare) = coordinator.ids.next().await else { return };
                let late = |present: Option<&_>, wall_ms| decide::time_out(present, Some(spare), wall_ms);
                coordinator.on_late(&id, &coordinator.step(&shard, &id, late));
            };
            self.tasks.spawn(errand, "transaction timeout", Box::pin(work));
            return;
        }
        self.on_late(&id, &aborted);
    }

    /// Aborts a transaction as if its timeout were over now, for whoever steers a broker by hand. False where none is open
    /// that a timeout ends.
    pub async fn time_out_now(self: &Arc<Self>, id: &str) -> Result<bool, ErrorCode> {
        let shard = self.runtime.shard_for(id)?;
        let mut spare = None;
        loop {
            let aborted =
                self.step(&shard, id, |present, wall_ms| decide::time_out_now(present, spare, wall_ms));
            match aborted? {
                Step::NeedsProducerId => spare = Some(self.ids.next().await?),
                Step::Same(..) => return Ok(false),
                Step::Next(_, offset, completion) => {
                    self.timed_out.fetch_add(1, Ordering::Relaxed);
                    self.committed(&shard, Some(offset)).await?;
                    if let Some(completion) = completion {
                        self.hold_answer(completion).await;
                    }
                    return Ok(true);
                }
            }
        }
    }

    fn on_late(&self, id: &str, outcome: &Result<Step, ErrorCode>) {
        if matches!(outcome, Ok(Step::Next(..))) {
            self.timed_out.fetch_add(1, Ordering::Relaxed);
        }
        report_late(id, outcome);
    }
}

/// Takes in what became of a marker; a partition that has to be tried again joins those that failed.
fn judge(partition: &TopicPartition, outcome: Result<(), ErrorCode>, failed: &mut PartitionSet) {
    match outcome {
        Ok(()) => {}
        // A newer epoch wrote here already: its first batch could only come after a marker.
        Err(error @ (ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced)) => {
            tracing::warn!(?partition, %error, "a transaction's marker is older than its partition's");
        }
        Err(error) => {
            tracing::warn!(?partition, %error, "a transaction's marker was refused; it is tried again");
            failed.insert(partition.clone());
        }
    }
}

/// Waits for all at once, so that what they wait for runs side by side; the outcomes are in their order.
pub(crate) async fn all<T>(futures: Vec<BoxFuture<'static, T>>) -> Vec<T> {
    let mut outcomes: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    let mut waiting: Vec<(usize, BoxFuture<'static, T>)> = futures.into_iter().enumerate().collect();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|(place, future)| match future.as_mut().poll(context) {
            Poll::Ready(outcome) => {
                outcomes[*place] = Some(outcome);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}

fn report_late(id: &str, aborted: &Result<Step, ErrorCode>) {
    match aborted {
        Ok(_) => {
            tracing::info!(transactional_id = %id, "a transaction is aborted: it took longer than its timeout")
        }
        Err(error) => {
            tracing::warn!(transactional_id = %id, %error, "a transaction that took too long could not be aborted; it is tried again")
        }
    }
}
