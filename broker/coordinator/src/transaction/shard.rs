//! The transactional ids of one partition of `__transaction_state`.
//! Core.

use std::collections::HashMap;

use ottla_model::Offset;

use super::codec::TransactionRecord;
use super::metadata::TransactionMetadata;

/// An id and where its last record lies.
pub struct Entry {
    pub value: TransactionMetadata,
    pub last_record_offset: Offset,
}

#[derive(Default)]
pub struct TransactionShard {
    entries: HashMap<Box<str>, Entry>,
}

impl TransactionShard {
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
