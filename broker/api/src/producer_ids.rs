//! Producer ids for this broker: handed out one by one from blocks that the metadata log made durable.
//! Shell (`RPCProducerIdManager`).

use std::sync::Arc;

use ottla_metadata::Metadata;
use ottla_model::{ErrorCode, ProducerId};
use parking_lot::Mutex;

pub struct ProducerIds {
    metadata: Arc<Metadata>,
    block: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    pub fn new(metadata: Arc<Metadata>) -> ProducerIds {
        ProducerIds { metadata, block: Mutex::new(0..0) }
    }

    /// An id if the block in hand still has one.
    pub fn next_in_hand(&self) -> Option<ProducerId> {
        self.block.lock().next().map(ProducerId)
    }

    /// An id nobody ever had.
    pub async fn next(&self) -> Result<ProducerId, ErrorCode> {
        loop {
            if let Some(id) = self.next_in_hand() {
                return Ok(id);
            }
            // Two who find the block empty take a block each; one of the two is given up, which
            // costs ids, of which there are enough.
            let block = self.metadata.allocate_producer_ids().await.map_err(|error| {
                tracing::error!(%error, "no block of producer ids");
                ErrorCode::CoordinatorLoadInProgress
            })?;
            assert!(block.first.0 >= 0 && block.count > 0, "a block has ids");
            *self.block.lock() = block.first.0..block.first.0 + block.count;
        }
    }
}
