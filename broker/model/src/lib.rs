//! Kafka's words as types: no behaviour beyond parse, print and compare.
//! Core. Knows no bytes on a wire or disk, no clock and no other room.
//!
//! Reading order: `topic`, `offset`, `producer`, `group`, `error_code`, `security_protocol`, `limits`.

pub mod error_code;
pub mod group;
pub mod limits;
pub mod offset;
pub mod producer;
pub mod security_protocol;
pub mod topic;

pub use error_code::ErrorCode;
pub use group::{GenerationId, GroupId, MemberId};
pub use offset::{BrokerId, LeaderEpoch, Offset};
pub use producer::{ProducerEpoch, ProducerId, Sequence};
pub use security_protocol::SecurityProtocol;
pub use topic::{InvalidTopicName, PartitionIndex, TopicId, TopicName, TopicPartition};
