//! The request and response types of every API, under Kafka's names.
//! Core. Most are the kafka-protocol crate's; ours fill its gaps and look like them, but hold plain
//! `StrBytes` and integers where the crate has newtypes.

pub use crate::generated::messages::*;
pub use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName, TransactionalId};
pub use kafka_protocol::protocol::StrBytes;
