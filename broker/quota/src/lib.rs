//! What one client may take of a broker: limits, what was used of them, and how long to wait.
//! Core over values; `clients` and `metrics` are shells. Knows no wire, no image and no request.
//!
//! Reading order: `rate`, `token_bucket`, `entity`, `clients`, `connections`, `metrics`.
//!
//! Invariants:
//! - I1. Where no limit of a kind is set, asking costs one relaxed load: no clock, no lock, no map.
//! - I2. A limit is looked up, never kept in what is counted: a change is in force at the next look.
//! - I3. Two clients never count into one bucket unless one limit says that they share it.

mod clients;
mod connections;
mod entity;
#[cfg(test)]
mod golden_tests;
mod metrics;
mod rate;
mod token_bucket;

pub use clients::{Client, ClientQuotas, MutationQuota, QuotaCache, QuotaExceeded, QuotaSettings, Shown};
pub use connections::{AddressRateLimits, ConnectionRateLimits, ConnectionRates};
pub use entity::{Bucket, Found, Limits, Part, QuotaType};
pub use metrics::QuotaMetrics;
pub use rate::{Rate, Windows};
pub use token_bucket::TokenBucket;
