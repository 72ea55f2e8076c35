//! What the lab does to a broker by hand and no request of Kafka's does. The broker's own rooms do it.
//! Shell.

use ottla_env::BoxFuture;
use ottla_model::ErrorCode;

use crate::scope::TopicNames;

/// The rooms behind the handler of a cluster.
pub trait Behind: TopicNames {
    /// Aborts an open transaction as if its timeout were over now. False where none is open that a timeout ends.
    fn time_out_transaction(&self, transactional_id: &str) -> BoxFuture<'static, Result<bool, ErrorCode>>;

    /// Writes a record of a transaction that no coordinator knows of. Its offset.
    fn write_hanging(&self, write: HangingWrite<'_>) -> Result<i64, ErrorCode>;

    /// Forgets a producer in one partition.
    fn forget_producer(&self, topic: &str, partition: i32, producer_id: i64) -> Result<Forgotten, ErrorCode>;
}

pub struct HangingWrite<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub value: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgotten {
    Yes,
    NotKnown,
    /// A transaction of it is open there, which Kafka never forgets.
    IsOpen,
}
