//! DescribeTransactions (key 65), version 0: what is known of transactional ids (KIP-664).
//! Core over the coordinator's interface.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_transactions_response::TransactionState;
use ottla_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse, TransactionalId};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::DescribeTransactions, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeTransactionsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let describe = |id: &TransactionalId| {
        if !access.transactional_id(AclOperation::Describe, id) {
            return TransactionState::default()
                .with_transactional_id(id.clone())
                .with_error_code(ErrorCode::TransactionalIdAuthorizationFailed.code());
        }
        let mut state = broker.transactions.describe(id);
        if access.is_limited() {
            let quiet = access.quietly();
            state.topics.retain(|topic| quiet.topic(AclOperation::Describe, &topic.topic));
        }
        state
    };
    let states = body.transactional_ids.iter().map(describe).collect();
    request.ready(&DescribeTransactionsResponse::default().with_transaction_states(states))
}
