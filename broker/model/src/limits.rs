//! Every hard bound of the process in one place, with the relations between them.
//! Core. What a user may set is a config row; what nobody needs to set is here.

use std::time::Duration;

/// Longest topic name; a folder's name must also hold `-`, the partition and a `-delete` suffix.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Smallest frame that can be a request: api key, version, correlation id.
pub const REQUEST_FRAME_BYTES_MIN: usize = 8;

/// From a connection to the end of its login. Kafka bounds it by `connections.max.idle.ms` alone, which a client
/// that sends a byte a minute never reaches.
pub const LOGIN_TIME_MAX: Duration = Duration::from_secs(30);

/// Requests one connection may have admitted and not yet answered; beyond it the connection is not
/// read until an answer leaves.
pub const REQUESTS_IN_FLIGHT_PER_CONNECTION_MAX: usize = 4096;

/// Bytes a connection's read buffer starts with and returns to when idle.
pub const CONNECTION_READ_BUFFER_BYTES_IDLE: usize = 4096;

/// Bytes asked of a socket in one read while a large frame arrives: a length prefix alone
/// reserves nothing, buffers grow with the bytes that came.
pub const CONNECTION_READ_BYTES_MAX: usize = 256 * 1024;

/// Bytes one batch may expand to when it must be looked into.
pub const DECOMPRESSED_BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

const _: () = assert!(CONNECTION_READ_BUFFER_BYTES_IDLE < CONNECTION_READ_BYTES_MAX);

/// Deepest nesting of arrays and structs in a request; Kafka's deepest definition stays below.
pub const REQUEST_NESTING_MAX: usize = 16;

/// Array elements (structs, strings) and tagged fields one request may hold. An element can be ten
/// times its bytes once decoded, so the frame's size alone does not bound the memory.
pub const REQUEST_ELEMENTS_MAX: usize = 1_000_000;

/// The same for the response of another node of the cluster: a description of every partition of it.
pub const RESPONSE_ELEMENTS_MAX: usize = 10_000_000;

/// Record errors one refused batch may carry into its answer.
pub const RECORD_ERRORS_PER_BATCH_MAX: usize = 1000;

/// Requests that wait for the metadata controller; beyond it their senders wait.
pub const METADATA_EVENTS_QUEUED_MAX: usize = 1024;

/// Decisions of the metadata controller that share one append and one sync.
pub const METADATA_EVENTS_PER_COMMIT_MAX: usize = 256;

/// Bytes of metadata records from which on decisions are committed without waiting for more. They are one
/// batch, and no batch of Kafka's quorum is larger than 8 MiB.
pub const METADATA_COMMIT_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of metadata records after which a snapshot is taken and the log before it dropped (Kafka's
/// `metadata.log.max.record.bytes.between.snapshots`).
pub const METADATA_SNAPSHOT_BYTES: u64 = 20 * 1024 * 1024;

/// Bytes of metadata records after which the materialised image is brought up to date.
pub const METADATA_MATERIALISE_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes behind the newest snapshot from which a start asks the materialised image first: fewer are
/// replayed in less time than it takes to open.
pub const METADATA_LONG_REPLAY_BYTES: u64 = 2 * METADATA_MATERIALISE_BYTES;

/// Subtopologies of a streams application: each is looked at in turn until all partition counts are known.
pub const STREAMS_SUBTOPOLOGIES_MAX: usize = 1_000;

const _: () = assert!(METADATA_LONG_REPLAY_BYTES < METADATA_SNAPSHOT_BYTES);

/// Bytes a peer may send before its TLS handshake is over: Java's certificates of a chain fit many times.
pub const HANDSHAKE_BYTES_MAX: usize = 64 * 1024;

/// How long a client has to say who it is: the handshakes of TLS and SASL together.
pub const HANDSHAKE_MS_MAX: i64 = 30_000;

/// Handshakes whose cryptography is worked on at once. A signature takes up to a millisecond: more of them
/// wait for each other, and not the requests of others for them.
pub const HANDSHAKES_COMPUTED_AT_ONCE: usize = 1;

/// The share of the memory budget that connections without an identity may hold together.
pub const HANDSHAKES_BUDGET_SHARE: usize = 8;

/// For how long an answer that would name a leader that is perhaps gone waits for the next one.
pub const METADATA_PARKED_MAX: Duration = Duration::from_millis(300);

/// How many such answers wait at a time; one more leaves at once.
pub const METADATA_ANSWERS_PARKED_MAX: usize = 1024;
