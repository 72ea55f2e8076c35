//! DescribeTransactions (key 65), version 0: what is known of transactional ids (KIP-664).
//! Core over the coordinator's interface.

use ottla_coordinator::transaction::TransactionDescription;
use ottla_model::{ErrorCode, TopicName};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use ottla_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId, TransactionalId,
};

use super::prelude::*;

pub const API: Api = Api { key: ApiKey::DescribeTransactions, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DescribeTransactionsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let describe = |id: &TransactionalId| {
        if !access.transactional_id(AclOperation::Describe, id) {
            return described(id, Err(ErrorCode::TransactionalIdAuthorizationFailed));
        }
        let mut state = described(id, broker.transactions.describe(id));
        if access.is_limited() {
            let quiet = access.quietly();
            state.topics.retain(|topic| quiet.topic(AclOperation::Describe, &topic.topic));
        }
        state
    };
    let states = body.transactional_ids.iter().map(describe).collect();
    request.ready(&DescribeTransactionsResponse::default().with_transaction_states(states))
}

fn described(id: &TransactionalId, known: Result<TransactionDescription, ErrorCode>) -> TransactionState {
    let named = TransactionState::default().with_transactional_id(id.clone());
    let topic = |(topic, partitions): (TopicName, Vec<i32>)| {
        TopicData::default().with_topic(text(topic.as_str()).into()).with_partitions(partitions)
    };
    match known {
        Ok(known) => named
            .with_producer_id(ProducerId(known.producer_id.0))
            .with_producer_epoch(known.producer_epoch.0)
            .with_transaction_state(text(known.state.name()))
            .with_transaction_timeout_ms(known.timeout_ms)
            .with_transaction_start_time_ms(known.start_timestamp_ms)
            .with_topics(known.topics.into_iter().map(topic).collect()),
        Err(error) => named.with_error_code(error.code()),
    }
}
