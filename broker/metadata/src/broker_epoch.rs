//! The broker epoch under which this node serves, for all who must say it.
//! Core: one number that is shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const NONE: i64 = -1;

/// The offset of this broker's registration: fetches, heartbeats and changes of ISRs carry it, so that nothing of an
/// earlier incarnation counts (KIP-903).
#[derive(Clone, Debug)]
pub struct BrokerEpoch(Arc<AtomicI64>);

impl Default for BrokerEpoch {
    fn default() -> BrokerEpoch {
        BrokerEpoch(Arc::new(AtomicI64::new(NONE)))
    }
}

impl BrokerEpoch {
    /// `None` while this broker is not registered.
    pub fn get(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|epoch| *epoch != NONE)
    }

    pub fn set(&self, epoch: Option<i64>) {
        self.0.store(epoch.unwrap_or(NONE), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_the_epoch_of_the_last_registration() {
        let epoch = BrokerEpoch::default();
        let reader = epoch.clone();
        assert_eq!(reader.get(), None);
        epoch.set(Some(7));
        assert_eq!(reader.get(), Some(7));
        epoch.set(None);
        assert_eq!(reader.get(), None);
    }
}
