//! The v2 record batch: checked views, checksums, codecs, control batches, building and validation.
//! Core. Bytes in, bytes out; time is an argument.
//!
//! Reading order: `header` (the layout), `checksum`, `view`, `search`, `record`, `compression`, `control`, `builder`, `validate`.

pub mod builder;
pub mod checksum;
pub mod compression;
pub mod control;
pub mod header;
pub mod record;
pub mod search;
pub mod validate;
pub mod varint;
pub mod view;

pub use builder::{BatchBuilder, HeaderRef};
pub use compression::{Codec, CodecError, CompressionType};
pub use control::{ControlRecordType, EndTxnMarker};
pub use header::{Attributes, BatchHeader, HEADER_BYTES, LOG_OVERHEAD_BYTES, TimestampType};
pub use record::{Record, RecordFormatError, Records};
pub use search::find_batch;
pub use validate::{InvalidKind, InvalidRecords, RecordError, ValidationRules, Verdict, validate_batch};
pub use view::{BatchError, BatchView, batches};
