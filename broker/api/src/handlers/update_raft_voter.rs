//! UpdateRaftVoter (key 82), versions 0-0: a voter says where it listens and what it serves (KIP-853).
//! Shell: the rules are `metadata`'s (`voter_changes.rs`).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{UpdateRaftVoterRequest, UpdateRaftVoterResponse};

use super::prelude::*;
use crate::metadata_log::controllers;
use crate::request::park;

pub const API: Api = Api { key: ApiKey::UpdateRaftVoter, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: UpdateRaftVoterRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::ClusterAction) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&UpdateRaftVoterResponse::default().with_error_code(error.code()));
    }
    let (broker, controllers) = (broker.clone(), controllers(broker, &request));
    park(async move {
        let response = broker.metadata.update_voter(&body, &controllers).await;
        request.answer(&response)
    })
}
