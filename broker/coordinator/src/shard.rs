//! What a state machine offers to be run by `runtime::CoordinatorRuntime`, and what it asks of it.
//! Core.

use std::fmt::Debug;
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, Offset, TopicId};
use ottla_protocol::{DecodeError, EncodeError};

use crate::record::codec::CoordinatorRecord;

/// The state of one partition of a coordinator's topic (Kafka's `CoordinatorShard`).
pub trait CoordinatorShard: Sized + Send + 'static {
    /// The topic whose partitions hold the records.
    const TOPIC: &'static str;

    /// What all shards of the coordinator share.
    type Settings: Send + Sync + 'static;
    type Record: Send;
    /// What a parked request is answered.
    type Response: Send + Debug;
    /// How a turn goes on once its records are in the log, or were refused.
    type Then: Send;
    /// What is to be done outside of the shard's lock, after the records of the turn.
    type Action: Send;

    fn new(settings: &Arc<Self::Settings>) -> Self;

    fn encode(record: &Self::Record) -> Result<CoordinatorRecord, EncodeError>;

    /// `None` for a record of a kind that this release does not keep.
    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self::Record>, DecodeError>;

    /// The only way by which what a restart must find changes. `producer_id` is set for the records of a
    /// transaction.
    fn replay(&mut self, offset: Offset, producer_id: Option<i64>, record: Self::Record);

    /// The end of a transaction in the log; most topics have none.
    fn replay_end_transaction_marker(&mut self, _offset: Offset, _producer_id: i64, _is_commit: bool) {}

    /// The record that must be committed before anything is answered about the key.
    fn last_record_offset(&self, key: &str) -> Option<Offset>;

    /// The log has been read to its end.
    fn on_loaded(&mut self, now: Monotonic, wall_ms: i64) -> Effects<Self>;

    /// What was deleted while nobody led the partition goes too. Called once, behind `on_loaded`.
    fn forget_missing_topics(&mut self, _is_there: &dyn Fn(TopicId) -> bool) -> Effects<Self> {
        Effects::default()
    }

    /// The partition is led elsewhere from now on, or its log failed: the answers of all who wait.
    fn on_unloaded(&mut self, _now: Monotonic, _wall_ms: i64) -> Vec<Answer<Self::Response>> {
        Vec::new()
    }

    /// The records that go with `then` were appended and replayed, or refused.
    fn on_appended(
        &mut self,
        then: Self::Then,
        outcome: Result<(), ErrorCode>,
        now: Monotonic,
        wall_ms: i64,
    ) -> Effects<Self>;

    fn next_deadline(&self) -> Option<Monotonic>;

    /// Handles the earliest deadline that has passed; `None` when none has. Called until then, so that
    /// the records of one are in the log before the next is looked at.
    fn on_tick(&mut self, now: Monotonic, wall_ms: i64) -> Option<Effects<Self>>;
}

/// A parked request: who waits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Waiter {
    pub token: u64,
}

/// The answer to a parked request.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer<R> {
    pub waiter: Waiter,
    pub response: R,
}

/// What a turn asks the runtime to do: append the records as one batch (unless `split`), replay them, and
/// then call `CoordinatorShard::on_appended` with `then`. Answers leave when the records are committed.
pub struct Effects<S: CoordinatorShard> {
    pub records: Vec<S::Record>,
    pub answers: Vec<Answer<S::Response>>,
    pub then: Option<S::Then>,
    /// The records do not belong together and may be appended in several batches.
    pub split: bool,
    /// Not done where the records are refused.
    pub actions: Vec<S::Action>,
}

impl<S: CoordinatorShard> Default for Effects<S> {
    fn default() -> Effects<S> {
        Effects { records: Vec::new(), answers: Vec::new(), then: None, split: false, actions: Vec::new() }
    }
}

impl<S: CoordinatorShard> Effects<S> {
    pub fn of_records(records: Vec<S::Record>) -> Effects<S> {
        Effects { records, ..Effects::default() }
    }
}
