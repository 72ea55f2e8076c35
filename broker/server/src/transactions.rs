//! The transaction coordinator's outside: its topic in the metadata image, markers, producer ids.
//! Shell. Subscribed behind the replica room and the groups: a transaction that a start finds undone
//! needs both to be completed.

use std::sync::Arc;

use ottla_api::producer_ids::ProducerIds;
use ottla_api::transactions::write_marker;
use ottla_coordinator::GroupCoordinator;
use ottla_coordinator::runtime::Durable;
use ottla_coordinator::transaction::{ProducerIdSource, TransactionCoordinator, TransactionMarkers};
use ottla_env::BoxFuture;
use ottla_metadata::{Delta, Image, ImageListener, Metadata};
use ottla_model::topic::TRANSACTION_STATE_TOPIC;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use ottla_records::EndTxnMarker;
use ottla_replica::ReplicaManager;

pub struct TransactionsFollow(pub Arc<TransactionCoordinator>);

impl ImageListener for TransactionsFollow {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        let Some(topic) = image.topic(TRANSACTION_STATE_TOPIC) else { return };
        let first = if delta.topics_created.contains(&topic.id) {
            0
        } else if let Some(first) = delta.partitions_added.get(&topic.id) {
            first.0
        } else {
            return;
        };
        for partition in first..topic.partitions.len() as i32 {
            // A partition that can't be loaded has said so; its producers are told to look elsewhere.
            let _ = self.0.load(partition);
        }
    }
}

pub struct Markers {
    pub replicas: Arc<ReplicaManager>,
    pub groups: Arc<GroupCoordinator>,
}

impl TransactionMarkers for Markers {
    fn write(
        &self,
        partition: &TopicPartition,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        marker: EndTxnMarker,
        wall_ms: i64,
    ) -> Result<Durable, ErrorCode> {
        write_marker(&self.replicas, &self.groups, partition, producer_id, producer_epoch, marker, wall_ms)
    }
}

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
