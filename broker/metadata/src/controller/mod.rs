//! What the controller decides: an image and a request become records and a response.
//! Core: functions over values; topic ids are drawn by the caller's closure.
//!
//! Codes and texts are Apache Kafka 4.3.1's (`ReplicationControlManager`,
//! `ConfigurationControlManager`, `ControllerApis`). Authorization comes before, by the caller.

pub mod acls;
pub(crate) mod alter_partition;
pub(crate) mod assign_directories;
#[cfg(test)]
mod broker_history_tests;
#[cfg(test)]
mod broker_life_tests;
pub mod client_quotas;
pub mod configs;
pub mod create_topics;
pub mod delegation_tokens;
pub mod delete_topics;
pub mod election_log;
pub mod elections;
pub mod features;
pub(crate) mod fencing;
pub(crate) mod heartbeat;
pub(crate) mod liveness;
pub(crate) mod partition_change;
pub mod partitions;
pub mod placement;
pub mod producer_ids;
pub mod quorum;
#[cfg(test)]
mod reassignment_history_tests;
pub mod reassignments;
pub(crate) mod rebalance;
pub(crate) mod register_broker;
pub mod registration;
pub mod rules;
pub mod scram;
pub(crate) mod striped_placement;
#[cfg(test)]
pub(crate) mod testing;

use ottla_env::clock::Monotonic;
use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::StrBytes;
use ottla_protocol::records::metadata::MetadataRecord;
use ottla_quota::QuotaExceeded;

pub use rules::Rules;

use crate::image::Image;

/// Partitions one request may create; beyond it the request is refused whole.
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// What a request leads to: records that are committed together or not at all, and the answer that
/// leaves when they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<R> {
    pub records: Vec<MetadataRecord>,
    pub response: R,
}

impl<R> Decision<R> {
    /// An answer that changes nothing.
    pub fn answer(response: R) -> Decision<R> {
        Decision { records: Vec::new(), response }
    }
}

/// An error code with the text that goes with it (Kafka's `ApiError`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {}", message.as_deref().unwrap_or(""))]
pub struct ApiError {
    pub error: ErrorCode,
    /// `None` where Kafka sends a null text.
    pub message: Option<String>,
}

impl ApiError {
    pub fn new(error: ErrorCode, message: impl Into<String>) -> ApiError {
        ApiError { error, message: Some(message.into()) }
    }

    /// A code with a null text.
    pub fn bare(error: ErrorCode) -> ApiError {
        ApiError { error, message: None }
    }

    pub(crate) fn code(&self) -> i16 {
        self.error.code()
    }

    pub(crate) fn text(&self) -> Option<StrBytes> {
        self.message.clone().map(StrBytes::from_string)
    }
}

impl From<QuotaExceeded> for ApiError {
    fn from(_: QuotaExceeded) -> ApiError {
        // Its text is the code's own, which Kafka leaves out.
        ApiError::bare(ErrorCode::ThrottlingQuotaExceeded)
    }
}

/// Code and text of a part of an answer: 0 and null for success.
pub(crate) fn wire_error(result: &Result<(), ApiError>) -> (i16, Option<StrBytes>) {
    match result {
        Ok(()) => (0, None),
        Err(error) => (error.code(), error.text()),
    }
}

/// Draws ids for new topics.
pub type TopicIds<'a> = &'a mut dyn FnMut() -> TopicId;

/// When a decision is made.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time that records carry.
    pub wall_ms: i64,
    /// What sessions and deadlines are measured on.
    pub monotonic: Monotonic,
}

/// What a decision is made from.
pub struct Deciding<'a> {
    /// The facts with all that was decided before, committed or not.
    pub image: &'a Image,
    pub rules: &'a Rules,
    pub now: Now,
    pub topic_ids: TopicIds<'a>,
    /// Which brokers live.
    pub(crate) liveness: &'a mut liveness::Liveness,
}

/// Names that occur more than once.
#[derive(Default)]
pub(crate) struct Duplicates<'a> {
    /// In the order in which the second occurrences came.
    pub names: Vec<&'a str>,
    counts: std::collections::HashMap<&'a str, usize>,
}

impl Duplicates<'_> {
    pub fn contains(&self, name: &str) -> bool {
        self.counts.get(name).is_some_and(|count| *count > 1)
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// One pass over names that a stranger may have sent by the hundred thousand.
pub(crate) fn duplicates<'a>(names: impl Iterator<Item = &'a str>) -> Duplicates<'a> {
    let mut found = Duplicates::default();
    for name in names {
        let count = found.counts.entry(name).or_insert(0);
        *count += 1;
        if *count == 2 {
            found.names.push(name);
        }
    }
    found
}
