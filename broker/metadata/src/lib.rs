//! The cluster's facts: records in a log, the image they make, the controller that decides.
//! Cores (`image`, `delta`, `replay`, `records_of`, `controller`) and one shell (`metadata`) that
//! owns the loop: decide, replay, append and sync once, publish, tell listeners, answer.
//!
//! Reading order: `image`, `delta`, `replay`, `controller`, `metadata`, `metadata_log`, `store`.

pub mod controller;
pub mod delta;
pub mod image;
pub mod replay;

pub use delta::{Delta, ImageListener};
pub use image::{ConfigResource, Image, Overrides, PartitionImage, Replicas, ResourceType, TopicImage};
