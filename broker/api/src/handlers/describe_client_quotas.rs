//! DescribeClientQuotas (key 48), versions 0-1: the limits that were set, by a filter (KIP-546).
//! Core over the metadata image.
//!
//! - v1: flexible. The limits are not in force yet: docs/exceptions/quotas.md.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::prelude::*;
use crate::access::text_of;

pub const API: Api = Api { key: ApiKey::DescribeClientQuotas, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeClientQuotasRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::DescribeConfigs) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        let refused = DescribeClientQuotasResponse::default()
            .with_error_code(error.code())
            .with_error_message(message(text_of(error)))
            .with_entries(None);
        return request.ready(&refused);
    }
    request.ready(&broker.image().client_quotas().describe(&body))
}
