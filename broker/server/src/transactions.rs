//! Producer ids for the transaction coordinator.
//! Shell.

use std::sync::Arc;

use ottla_api::producer_ids::ProducerIds;
use ottla_coordinator::transaction::ProducerIdSource;
use ottla_env::BoxFuture;
use ottla_metadata::{ControllerChannel, Metadata};
use ottla_model::{BrokerId, ErrorCode, ProducerId};

/// Producer ids from the blocks of the metadata log.
pub struct Ids(Arc<ProducerIds>);

impl Ids {
    pub fn new(node_id: BrokerId, metadata: Arc<Metadata>, controller: Arc<dyn ControllerChannel>) -> Ids {
        Ids(Arc::new(ProducerIds::new(node_id, metadata, controller)))
    }
}

impl ProducerIdSource for Ids {
    fn next(&self) -> BoxFuture<'static, Result<ProducerId, ErrorCode>> {
        let ids = self.0.clone();
        Box::pin(async move { ids.next().await })
    }
}
