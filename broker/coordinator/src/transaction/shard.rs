//! The transactional ids of one partition of `__transaction_state`.
//! Core.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::topic::TRANSACTION_STATE_TOPIC;
use ottla_model::{ErrorCode, Offset};
use ottla_protocol::{DecodeError, EncodeError};

use super::codec::{self, TransactionRecord};
use super::coordinator::TransactionSettings;
use super::decide;
use super::metadata::TransactionMetadata;
use crate::record::codec::CoordinatorRecord;
use crate::shard::{CoordinatorShard, Effects};

/// An id and where its last record lies.
pub struct Entry {
    pub value: TransactionMetadata,
    pub last_record_offset: Offset,
}

/// What is done outside of the shard's lock.
#[derive(Debug)]
pub enum TransactionAction {
    /// The record at `offset` decided on the end of a transaction: its markers are to be written.
    Finish { transactional_id: Box<str>, prepared: TransactionMetadata, offset: Offset },
    /// A transaction is open for too long.
    TimeOut { transactional_id: Box<str> },
}

pub struct TransactionShard {
    settings: Arc<TransactionSettings>,
    entries: HashMap<Box<str>, Entry>,
    /// When late transactions are looked for, and when old ids are; `None` until the log has been read.
    abort_at: Option<Monotonic>,
    expire_at: Option<Monotonic>,
}

impl TransactionShard {
    /// The ids for which this holds, in order.
    fn select(&self, holds: impl Fn(&TransactionMetadata) -> bool) -> Vec<Box<str>> {
        let mut found: Vec<Box<str>> =
            self.iter().filter(|(_, value)| holds(value)).map(|(id, _)| Box::from(id)).collect();
        found.sort_unstable();
        found
    }

    pub fn get(&self, transactional_id: &str) -> Option<&TransactionMetadata> {
        self.entries.get(transactional_id).map(|entry| &entry.value)
    }

    pub fn entry(&self, transactional_id: &str) -> Option<&Entry> {
        self.entries.get(transactional_id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &TransactionMetadata)> {
        self.entries.iter().map(|(id, entry)| (&**id, &entry.value))
    }

    /// The only way by which anything changes here.
    pub fn replay(&mut self, offset: Offset, record: TransactionRecord) {
        match record.value {
            Some(value) => {
                self.entries.insert(record.transactional_id, Entry { value, last_record_offset: offset });
            }
            None => {
                self.entries.remove(&record.transactional_id);
            }
        }
    }
}

impl CoordinatorShard for TransactionShard {
    const TOPIC: &'static str = TRANSACTION_STATE_TOPIC;

    type Settings = TransactionSettings;
    type Record = TransactionRecord;
    type Response = Infallible;
    type Then = Infallible;
    type Action = TransactionAction;

    fn new(settings: &Arc<TransactionSettings>) -> TransactionShard {
        let settings = Arc::clone(settings);
        TransactionShard { settings, entries: HashMap::new(), abort_at: None, expire_at: None }
    }

    fn encode(record: &TransactionRecord) -> Result<CoordinatorRecord, EncodeError> {
        codec::encode(record)
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<TransactionRecord>, DecodeError> {
        codec::decode(key, value)
    }

    fn replay(&mut self, offset: Offset, _producer_id: Option<i64>, record: TransactionRecord) {
        TransactionShard::replay(self, offset, record);
    }

    fn last_record_offset(&self, transactional_id: &str) -> Option<Offset> {
        self.entry(transactional_id).map(|entry| entry.last_record_offset)
    }

    /// Every transaction whose end was decided is brought to it.
    fn on_loaded(&mut self, now: Monotonic, _wall_ms: i64) -> Effects<TransactionShard> {
        self.abort_at = Some(now.after_ms(self.settings.abort_interval_ms.max(1)));
        self.expire_at = Some(now.after_ms(self.settings.expiration_interval_ms.max(1)));
        // In the order of the ids, so that the same past has the same future.
        let ending = self.select(|value| value.state.is_ending());
        let finish = |transactional_id: Box<str>| {
            let entry = self.entry(&transactional_id)?;
            let (prepared, offset) = (entry.value.clone(), entry.last_record_offset);
            Some(TransactionAction::Finish { transactional_id, prepared, offset })
        };
        Effects { actions: ending.into_iter().filter_map(finish).collect(), ..Effects::default() }
    }

    fn on_appended(
        &mut self,
        then: Infallible,
        _outcome: Result<(), ErrorCode>,
        _now: Monotonic,
        _wall_ms: i64,
    ) -> Effects<TransactionShard> {
        match then {}
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        self.abort_at.into_iter().chain(self.expire_at).min()
    }

    /// What is refused is tried again with the next round.
    fn on_tick(&mut self, now: Monotonic, wall_ms: i64) -> Option<Effects<TransactionShard>> {
        if self.abort_at.is_some_and(|at| at <= now) {
            self.abort_at = Some(now.after_ms(self.settings.abort_interval_ms.max(1)));
            let late = self.select(|value| decide::is_late(value, wall_ms));
            let actions =
                late.into_iter().map(|transactional_id| TransactionAction::TimeOut { transactional_id });
            return Some(Effects { actions: actions.collect(), ..Effects::default() });
        }
        if self.expire_at.is_some_and(|at| at <= now) {
            self.expire_at = Some(now.after_ms(self.settings.expiration_interval_ms.max(1)));
            let expiration_ms = self.settings.id_expiration_ms;
            let expired = self.select(|value| decide::is_expired(value, expiration_ms, wall_ms));
            let tombstones = expired
                .into_iter()
                .map(|transactional_id| TransactionRecord { transactional_id, value: None });
            return Some(Effects { records: tombstones.collect(), split: true, ..Effects::default() });
        }
        None
    }
}
