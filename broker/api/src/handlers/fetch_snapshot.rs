//! FetchSnapshot (key 59), versions 0-1: a part of a snapshot of the metadata (KIP-630).
//! Shell: the rules are `metadata`'s (`serve.rs`).
//!
//! - v1: directory id, and where the leader listens (KIP-853).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{FetchSnapshotRequest, FetchSnapshotResponse};

use super::prelude::*;
use crate::metadata_log::controllers;

pub const API: Api = Api { key: ApiKey::FetchSnapshot, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: FetchSnapshotRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&FetchSnapshotResponse::default().with_error_code(error.code()));
    }
    let controllers = controllers(broker, &request);
    let mut response = broker.metadata.fetch_snapshot(&body, &controllers);
    if request.version() < 1 {
        response.node_endpoints = Vec::new();
    }
    request.ready(&response)
}
