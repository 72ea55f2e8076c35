//! The cluster's facts: records in a log, the image they make, the controller that decides.
//! Cores (`image`, `delta`, `replay`, `batch`, `records_of`, `controller`) and shells: `metadata` is
//! the door, `controller_loop` owns the thread that decides, commits, publishes and answers.
//!
//! Reading order: `image`, `delta`, `replay`, `controller`, `metadata`, `controller_loop`,
//! `metadata_log`, `snapshot`, `store`, `upkeep`; `folder` reads what another process wrote.

mod batch;
pub mod controller;
mod controller_loop;
pub mod delta;
mod dynamic_config;
mod folder;
pub mod image;
mod metadata;
mod metadata_log;
#[cfg(test)]
mod metadata_tests;
mod quorum_state;
mod records_of;
mod replay;
mod snapshot;
mod store;
mod upkeep;

pub use controller::ApiError;
pub use controller::features::Feature;
pub use controller::producer_ids::{PRODUCER_IDS_PER_BLOCK, ProducerIdBlock};
pub use controller::registration::Registration;
pub use delta::{Delta, ImageListener};
pub use folder::{FolderContents, FolderError, read_folder};
pub use image::{ConfigResource, Image, Overrides, PartitionImage, Replicas, ResourceType, TopicImage};
pub use metadata::{Metadata, MetadataOptions, OpenError, OperationError};
pub use metadata_log::{CommitError, LogOpenError, metadata_partition};
