//! UpdateFeatures (key 57), versions 0-2: finalizes feature levels (KIP-584).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: upgrade types and validate-only (KIP-778). v2: one error for all.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::UpdateFeatures, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: UpdateFeaturesRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(error, message(text_of(error))));
    }
    let (broker, version) = (broker.clone(), request.version());
    let decision = async move { broker.metadata.update_features(body, version).await };
    forward_to_controller(request, decision, refused)
}

fn refused(error: ErrorCode, why: Option<StrBytes>) -> UpdateFeaturesResponse {
    UpdateFeaturesResponse::default().with_error_code(error.code()).with_error_message(why)
}
