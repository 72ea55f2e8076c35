//! ListTransactions (key 66), versions 0-2: the transactional ids of this coordinator (KIP-664).
//! Core over the coordinator's interface.
//!
//! - v1: by duration (KIP-994). v2: by a pattern of the id (KIP-1152).

use ottla_coordinator::transaction::{ListedTransaction, TransactionState, WantedTransactions};
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::list_transactions_response::TransactionState as WireState;
use ottla_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse, ProducerId};
use regex::Regex;

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::ListTransactions, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ListTransactionsRequest = request.decode()?;
    let pattern = body.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
    // As in Kafka, the whole id must match; both kinds of pattern are RE2's.
    let pattern = match pattern.map(|pattern| Regex::new(&format!("^(?:{pattern})$"))).transpose() {
        Ok(pattern) => pattern,
        Err(_) => return request.ready(&refused(ErrorCode::InvalidRegularExpression)),
    };
    let is_wanted = |id: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(id));
    let state_of = |name: &StrBytes| TransactionState::from_name(name);
    let producer_ids: Vec<i64> = body.producer_id_filters.iter().map(|id| id.0).collect();
    let wanted = WantedTransactions {
        states: (!body.state_filters.is_empty())
            .then(|| body.state_filters.iter().filter_map(state_of).collect()),
        producer_ids: &producer_ids,
        runs_longer_than_ms: if request.version() < 1 { -1 } else { body.duration_filter },
    };
    let mut listed = match broker.transactions.list(&wanted, is_wanted) {
        Ok(listed) => listed,
        Err(error) => return request.ready(&refused(error)),
    };
    let access = Access::of(broker, &request).quietly();
    if access.is_limited() {
        listed.retain(|one| access.transactional_id(AclOperation::Describe, &one.transactional_id));
    }
    let unknown = body.state_filters.iter().filter(|name| state_of(name).is_none());
    let response = ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown.cloned().collect())
        .with_transaction_states(listed.iter().map(wire_state).collect());
    request.ready(&response)
}

fn refused(error: ErrorCode) -> ListTransactionsResponse {
    ListTransactionsResponse::default().with_error_code(error.code())
}

fn wire_state(listed: &ListedTransaction) -> WireState {
    WireState::default()
        .with_transactional_id(text(&listed.transactional_id).into())
        .with_producer_id(ProducerId(listed.producer_id.0))
        .with_transaction_state(text(listed.state.name()))
}
