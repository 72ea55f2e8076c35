//! Kafka's record schemas.
//! Core. Written by ottla-protocol-generator; never edited by hand.

pub mod control;
pub mod files;
pub mod group;
pub mod metadata;
pub mod remote_storage;
pub mod share;
pub mod transaction;
