//! The wire as Apache Kafka 4.3.1 speaks it: headers, versions, messages, record schemas, and a guard before them.
//! Core. The one place that knows the gaps of the kafka-protocol crate.
//!
//! Reading order: `versions` (who may speak what), `header`, `guard` (is this body safe to decode?),
//! `codec` (decode and encode), `messages`, `error_codes` (those a response carries), `records`. `generated` is written by `generator/`.

pub mod api_key;
pub mod codec;
pub mod error_codes;
mod generated;
pub mod guard;
pub mod header;
pub mod messages;
pub mod records;
pub mod shape;
pub mod throttle;
pub mod versions;

pub use api_key::ApiKey;
pub use codec::{Decode, DecodeError, Encode, EncodeError, Request, Schema, decode_request, decode_response};
pub use error_codes::ErrorCodes;
pub use guard::GuardError;
pub use header::{HeaderError, RequestHeader, decode_response_header, encode_response_header};
pub use kafka_protocol::protocol::StrBytes;
