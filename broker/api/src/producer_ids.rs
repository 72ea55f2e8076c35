//! Producer ids for this broker: handed out one by one from blocks that the metadata log made durable.
//! Shell (`RPCProducerIdManager`).

use std::sync::Arc;

use ottla_metadata::{ControllerChannel, Metadata};
use ottla_model::{BrokerId, ErrorCode, ProducerId};
use ottla_protocol::messages::AllocateProducerIdsRequest;
use parking_lot::Mutex;

pub struct ProducerIds {
    node_id: BrokerId,
    metadata: Arc<Metadata>,
    controller: Arc<dyn ControllerChannel>,
    block: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    pub fn new(
        node_id: BrokerId,
        metadata: Arc<Metadata>,
        controller: Arc<dyn ControllerChannel>,
    ) -> ProducerIds {
        ProducerIds { node_id, metadata, controller, block: Mutex::new(0..0) }
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
            let epoch = self.metadata.image().broker(self.node_id).map_or(-1, |own| own.broker_epoch);
            let request = AllocateProducerIdsRequest::default()
                .with_broker_id(self.node_id.0.into())
                .with_broker_epoch(epoch);
            let refused = |why: &dyn std::fmt::Display| {
                tracing::error!(%why, "no block of producer ids");
                ErrorCode::CoordinatorLoadInProgress
            };
            let answer = self.controller.allocate_producer_ids(request).await;
            let block = answer.map_err(|error| refused(&error))?;
            if let Some(error) =
                ErrorCode::from_code(block.error_code).filter(|code| *code != ErrorCode::None)
            {
                return Err(refused(&error));
            }
            let (first, count) = (block.producer_id_start.0, i64::from(block.producer_id_len));
            assert!(first >= 0 && count > 0, "a block has ids");
            *self.block.lock() = first..first + count;
        }
    }
}
