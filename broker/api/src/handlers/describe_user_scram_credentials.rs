//! DescribeUserScramCredentials (key 50), version 0: users' mechanisms and iterations (KIP-554).
//! Core over the metadata image.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use ottla_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::DescribeUserScramCredentials, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeUserScramCredentialsRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Describe) {
        return request.ready(&refused(&body, ErrorCode::ClusterAuthorizationFailed));
    }
    request.ready(&broker.metadata.describe_user_scram_credentials(&body))
}

fn refused(
    body: &DescribeUserScramCredentialsRequest,
    error: ErrorCode,
) -> DescribeUserScramCredentialsResponse {
    let results = body.users.iter().flatten().map(|_user| {
        // As in Kafka, whose result names nobody.
        DescribeUserScramCredentialsResult::default().with_error_code(error.code()).with_error_message(None)
    });
    DescribeUserScramCredentialsResponse::default()
        .with_error_code(error.code())
        .with_error_message(None)
        .with_results(results.collect())
}
