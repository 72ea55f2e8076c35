//! AlterUserScramCredentials (key 51), version 0: passwords as SCRAM keeps them (KIP-554).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.

use std::collections::BTreeSet;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use ottla_protocol::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::AlterUserScramCredentials, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AlterUserScramCredentialsRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(&body, error, message(text_of(error))));
    }
    let (broker, wanted) = (broker.clone(), body.clone());
    let decision = async move { broker.metadata.alter_user_scram_credentials(wanted).await };
    forward_to_controller(request, decision, move |error, why| refused(&body, error, why))
}

/// Every user of the request gets the same code and text.
fn refused(
    body: &AlterUserScramCredentialsRequest,
    error: ErrorCode,
    why: Option<StrBytes>,
) -> AlterUserScramCredentialsResponse {
    let deletions = body.deletions.iter().map(|deletion| &deletion.name);
    let users: BTreeSet<_> =
        deletions.chain(body.upsertions.iter().map(|upsertion| &upsertion.name)).collect();
    let results = users.into_iter().map(|user| {
        AlterUserScramCredentialsResult::default()
            .with_user(user.clone())
            .with_error_code(error.code())
            .with_error_message(why.clone())
    });
    AlterUserScramCredentialsResponse::default().with_results(results.collect())
}
