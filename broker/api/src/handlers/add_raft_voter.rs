//! AddRaftVoter (key 80), versions 0-1: a controller is to vote (KIP-853).
//! Shell: the rules are `metadata`'s (`voter_changes.rs`).
//!
//! - v1: whether the answer waits for the commit (KIP-1186).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{AddRaftVoterRequest, AddRaftVoterResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::request::park;

pub const API: Api = Api { key: ApiKey::AddRaftVoter, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AddRaftVoterRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        let error_message = message(text_of(error));
        let refused = AddRaftVoterResponse {
            error_code: error.code(),
            error_message,
            ..AddRaftVoterResponse::default()
        };
        return request.ready(&refused);
    }
    let broker = broker.clone();
    park(async move {
        let response = broker.metadata.add_voter(&body).await;
        request.answer(&response)
    })
}
