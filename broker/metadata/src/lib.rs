//! The cluster's facts: records in a log, the image they make, the controller that decides.
//! Cores (`image`, `client_quotas`, `delta`, `replay`, `batch`, `records_of`, `controller`, `active_controller`) and
//! shells: `metadata` is the interface, `metadata_loop` the thread that drives log, controller and publisher.
//!
//! Reading order: `image`, `client_quotas`, `delta`, `replay`, `controller`, `metadata`, `metadata_loop`, `metadata_log`,
//! `active_controller`, `publisher`, `recovery`, `inspect`, `damage`, `snapshot`, `store`, `upkeep`; `folder` and `formatted` read what
//! another process wrote; `serve` is what observers are given, `voter_changes` what is answered about voters, `own_vote` what a controller asks for. Of several nodes:
//! `detector` (who is heard). A broker without a vote: `observer`, `observer_loop`. One voter of several: `quorum`, `raft`,
//! `quorum_start`, `quorum_loop`.

#[cfg(test)]
mod acl_tests;
mod active_controller;
mod balance_moves;
mod batch;
mod broker_epoch;
mod broker_lifecycle;
pub mod client_quotas;
pub mod controller;
mod controller_channel;
#[cfg(test)]
mod cordon_tests;
mod damage;
#[cfg(test)]
mod damage_tests;
pub mod delta;
pub mod detector;
mod dynamic_config;
mod folder;
mod formatted;
pub mod image;
mod inspect;
mod metadata;
mod metadata_log;
mod metadata_loop;
#[cfg(test)]
mod metadata_tests;
mod observer;
mod observer_loop;
mod own_vote;
mod publisher;
#[cfg(test)]
mod publisher_tests;
mod quorum;
mod quorum_loop;
mod quorum_start;
mod quorum_state;
#[cfg(test)]
mod quorum_tests;
mod raft;
mod records_of;
mod recovery;
mod replay;
mod serve;
#[cfg(test)]
mod serve_tests;
mod snapshot;
mod store;
mod token_requests;
mod upkeep;
mod voter_changes;
mod voter_set;
mod wire;

pub use broker_epoch::BrokerEpoch;
pub use broker_lifecycle::{BrokerLifecycle, LogDirs, Step};
pub use controller::ApiError;
pub use controller::features::Feature;
pub use controller::partition_change::has_directory;
pub use controller::placement::takes_replicas;
pub use controller::producer_ids::{PRODUCER_IDS_PER_BLOCK, ProducerIdBlock};
pub use controller::registration::Registration;
pub use controller_channel::{ControllerChannel, Reached};
pub use delta::{Delta, ImageListener};
pub use folder::{FolderContents, FolderError, read_folder};
pub use formatted::{formatted_voters, logged_voters};
pub use image::{ConfigResource, Image, Overrides, PartitionImage, Replicas, ResourceType, TopicImage};
pub use metadata::{Metadata, MetadataOptions, OpenError, OperationError};
pub use metadata_log::{CLUSTER_METADATA_TOPIC, CommitError, LogOpenError, metadata_partition};
pub use observer::{Ask, Observed, Observer, Outcome};
pub use own_vote::{OwnVote, VoteStep};
pub use quorum::{Leadership, Quorum, RaftTransport, Voter, VoterState};
pub use raft::founding::found_cluster;
pub use replay::Working;
pub use voter_set::{Endpoint, VoterNode, VoterSet};
