//! UpdateFeatures (key 57), versions 0-2: finalizes feature levels (KIP-584).
//! Shell: the controller decides, and the answer leaves when the change is in force everywhere here.
//!
//! - v1: upgrade types and validate-only (KIP-778). v2: one error for all.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::update_features_response::UpdatableFeatureResult;
use ottla_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::UpdateFeatures, min: 0, max: 2, admit };

/// `FeatureUpdate.UpgradeType`; version 0 has a flag instead.
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: UpdateFeaturesRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::Alter) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(error, message(text_of(error))));
    }
    let version = request.version();
    if version == 0 {
        for update in &mut body.feature_updates {
            update.upgrade_type = if update.allow_downgrade { SAFE_DOWNGRADE } else { UPGRADE };
        }
    }
    let broker = broker.clone();
    let decision = async move {
        let results = if version <= 1 { body.feature_updates.iter().map(made).collect() } else { Vec::new() };
        let response = broker.metadata.update_features(body).await?;
        Ok(if response.error_code == 0 { response.with_results(results) } else { response })
    };
    forward_to_controller(request, decision, refused)
}

/// The answer to one of several updates, of which all are made or none.
fn made(update: &FeatureUpdateKey) -> UpdatableFeatureResult {
    UpdatableFeatureResult::default()
        .with_feature(update.feature.clone())
        .with_error_message(Some(StrBytes::from_static_str("NONE")))
}

fn refused(error: ErrorCode, why: Option<StrBytes>) -> UpdateFeaturesResponse {
    UpdateFeaturesResponse::default().with_error_code(error.code()).with_error_message(why)
}
