//! ListTransactions (key 66), versions 0-2: the transactional ids of this coordinator (KIP-664).
//! Core over the coordinator's interface.
//!
//! - v1: by duration (KIP-994). v2: by a pattern of the id (KIP-1152).

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};
use regex::Regex;

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::ListTransactions, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: ListTransactionsRequest = request.decode()?;
    if request.version() < 1 {
        body.duration_filter = -1;
    }
    let pattern = body.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
    // As in Kafka, the whole id must match; both kinds of pattern are RE2's.
    let pattern = match pattern.map(|pattern| Regex::new(&format!("^(?:{pattern})$"))).transpose() {
        Ok(pattern) => pattern,
        Err(_) => {
            let refused = ErrorCode::InvalidRegularExpression.code();
            return request.ready(&ListTransactionsResponse::default().with_error_code(refused));
        }
    };
    let is_wanted = |id: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(id));
    let mut response = broker.transactions.list(&body, is_wanted);
    let access = Access::of(broker, &request).quietly();
    if access.is_limited() {
        let may_see = |id: &str| access.transactional_id(AclOperation::Describe, id);
        response.transaction_states.retain(|state| may_see(&state.transactional_id));
    }
    request.ready(&response)
}
