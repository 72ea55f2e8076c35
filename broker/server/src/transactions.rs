//! Producer ids for the transaction coordinator.
//! Shell.

use std::sync::Arc;

use ottla_api::producer_ids::ProducerIds;
use ottla_coordinator::transaction::ProducerIdSource;
use ottla_env::BoxFuture;
use ottla_metadata::Metadata;
use ottla_model::{ErrorCode, ProducerId};

/// Producer ids from the blocks of the metadata log.
pub struct Ids(Arc<ProducerIds>);

impl Ids {
    pub fn new(metadata: Arc<Metadata>) -> Ids {
        Ids(Arc::new(ProducerIds::new(metadata)))
    }
}

impl ProducerIdSource for Ids {
    fn next(&self) -> BoxFuture<'static, Result<ProducerId, ErrorCode>> {
        let ids = self.0.clone();
        Box::pin(async move { ids.next().await })
    }
}
