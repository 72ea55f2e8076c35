//! DescribeTransactions (key 65), version 0: what is known of transactional ids (KIP-664).
//! Core over the coordinator's door.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::DescribeTransactions, min: 0, max: 0, class: Class::Inline, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeTransactionsRequest = request.decode()?;
    let states = body.transactional_ids.iter().map(|id| broker.transactions.describe(id)).collect();
    request.ready(&DescribeTransactionsResponse::default().with_transaction_states(states))
}
