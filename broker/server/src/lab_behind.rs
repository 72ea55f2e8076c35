//! What the test lab does by hand in the rooms of a broker.
//! Shell.

use std::sync::Arc;

use ottla_coordinator::transaction::TransactionCoordinator;
use ottla_env::{BoxFuture, Clock};
use ottla_lab::scope::TopicNames;
use ottla_lab::{Behind, Forgotten, HangingWrite};
use ottla_log::AppendOrigin;
use ottla_log::verification::FirstBatch;
use ottla_metadata::Metadata;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, Sequence, TopicId};
use ottla_records::{BatchBuilder, BatchView};
use ottla_replica::ReplicaManager;
use ottla_replica::acknowledge::Acks;
use ottla_replica::error_codes;
use uuid::Uuid;

use crate::rooms::Rooms;

pub struct BehindRooms {
    metadata: Arc<Metadata>,
    replicas: Arc<ReplicaManager>,
    transactions: Arc<TransactionCoordinator>,
    clock: Arc<dyn Clock>,
}

impl BehindRooms {
    pub fn new(rooms: &Rooms) -> BehindRooms {
        BehindRooms {
            metadata: rooms.metadata.clone(),
            replicas: rooms.replicas.clone(),
            transactions: rooms.transactions.clone(),
            clock: rooms.broker.env.clock.clone(),
        }
    }
}

impl TopicNames for BehindRooms {
    fn name_of(&self, id: Uuid) -> Option<String> {
        self.metadata.image().topic_by_id(TopicId(id)).map(|topic| topic.name.to_string())
    }
}

impl Behind for BehindRooms {
    fn time_out_transaction(&self, transactional_id: &str) -> BoxFuture<'static, Result<bool, ErrorCode>> {
        let (transactions, id) = (self.transactions.clone(), transactional_id.to_owned());
        Box::pin(async move { transactions.time_out_now(&id).await })
    }

    fn write_hanging(&self, write: HangingWrite<'_>) -> Result<i64, ErrorCode> {
        let partition = self.replicas.find(write.topic, write.partition)?;
        let (id, epoch) = (ProducerId(write.producer_id), ProducerEpoch(write.producer_epoch));
        let now_ms = self.clock.wall_ms();
        let mut builder = BatchBuilder::new().transactional().producer(id, epoch, Sequence(0));
        builder.append(now_ms, None, Some(write.value), &[]);
        let batch = builder.build();
        let view = BatchView::first(&batch).map_err(|_| ErrorCode::CorruptMessage)?;
        // The guard of the log is taken, and its coordinator is not asked: what KIP-890 keeps clients from.
        let first = FirstBatch::of(view.header(), false);
        let led = partition.led(-1).map_err(error_codes::unavailable)?;
        let origin = AppendOrigin::verified_client(led.log().begin_verification(&first, now_ms));
        let appended = partition.append(batch, origin, Acks::Leader, now_ms);
        Ok(appended.map_err(|refused| error_codes::append_refused(&refused))?.info.base_offset.0)
    }

    fn forget_producer(&self, topic: &str, partition: i32, producer_id: i64) -> Result<Forgotten, ErrorCode> {
        let partition = self.replicas.find(topic, partition)?;
        let led = partition.led(-1).map_err(error_codes::unavailable)?;
        Ok(match led.log().forget_producer(ProducerId(producer_id)) {
            Some(true) => Forgotten::Yes,
            Some(false) => Forgotten::IsOpen,
            None => Forgotten::NotKnown,
        })
    }
}
