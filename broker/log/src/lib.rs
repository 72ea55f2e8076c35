//! One partition's bytes on this disk: segments, indexes, producer state, leader epochs, recovery, cleaner.
//! Shell over cores: `producer_state`, `leader_epochs`, `positions`, `checkpoint` and `producer_snapshot` are cores;
//! the rest does what they decide. Formats are Kafka's own: its tools read them, a folder can move either way.
//!
//! Reading order: `manager` (all logs), `unified_log` (one), `append`, `read`, `flush`,
//! `recovery`, then the files they keep: `segment`, `index`, `checkpoint`, `producer_snapshot`.

mod active_segment;
mod append;
mod background;
mod bounds;
pub mod checkpoint;
mod cleaner;
mod close;
pub mod config;
mod damage;
mod epochs;
mod error;
mod flush;
mod flush_state;
mod flusher;
mod index;
mod index_repair;
mod leader_epochs;
mod load_report;
mod log_dir;
mod lookup;
mod manager;
mod mover;
mod names;
mod open_files;
mod place;
mod positions;
pub mod producer_snapshot;
pub mod producer_state;
mod producers;
mod read;
mod read_turns;
mod recovery;
mod relocation;
mod retention;
mod scan;
mod segment;
mod segment_list;
mod startup;
mod truncate;
mod txn_index;
mod unified_log;
pub mod verification;
mod writer;
mod writer_lock;

pub use append::{AppendInfo, AppendOrigin};
pub use checkpoint::{EpochEntry, MetaProperties};
pub use cleaner::{CleanedStats, CleanerFigures};
pub use config::{CleanerSettings, CleanupPolicy, LogConfig, LogManagerSettings, TopicCompression};
pub use error::{AppendError, ChangeError, LogError, OpenError, ReadError, StorageFailure};
pub use flusher::FlushListener;
pub use load_report::{DirRecovery, LoadReport, RecoveryReport};
pub use log_dir::DirFailureListener;
pub use lookup::TimestampOffset;
pub use manager::{DirState, LogManager};
pub use mover::{MoveRefused, MoveUnderWay};
pub use positions::Position;
pub use read::{ReadData, ReadLimits, ReadSlice};
pub use txn_index::AbortedTxn;
pub use unified_log::{PlaceObserver, SyncObserver, UnifiedLog};
