//! RemoveRaftVoter (key 81), versions 0-0: a controller is to vote no more (KIP-853).
//! Shell: the rules are `metadata`'s (`voter_changes.rs`).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::request::park;

pub const API: Api = Api { key: ApiKey::RemoveRaftVoter, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: RemoveRaftVoterRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        let refused = RemoveRaftVoterResponse::default()
            .with_error_code(error.code())
            .with_error_message(message(text_of(error)));
        return request.ready(&refused);
    }
    let broker = broker.clone();
    park(async move {
        let response = broker.metadata.remove_voter(&body).await;
        request.answer(&response)
    })
}
