//! DescribeTransactions and ListTransactions.
//! Shell.

use ottla_model::ErrorCode;
use ottla_protocol::messages::describe_transactions_response::{
    TopicData, TransactionState as DescribedTransaction,
};
use ottla_protocol::messages::list_transactions_response::TransactionState as ListedTransaction;
use ottla_protocol::messages::{
    ListTransactionsRequest, ListTransactionsResponse, ProducerId, TopicName, TransactionalId,
};

use super::coordinator::TransactionCoordinator;
use super::metadata::TransactionState;
use crate::java_hash::in_hash_order;
use crate::wire::text;

impl TransactionCoordinator {
    pub fn describe(&self, transactional_id: &TransactionalId) -> DescribedTransaction {
        let described = DescribedTransaction::default().with_transactional_id(transactional_id.clone());
        match self.describe_known(transactional_id, described.clone()) {
            Ok(described) => described,
            Err(error) => described.with_error_code(error.code()),
        }
    }

    fn describe_known(
        &self,
        transactional_id: &str,
        described: DescribedTransaction,
    ) -> Result<DescribedTransaction, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.runtime.shard_for(transactional_id)?;
        let value = self.runtime.turn(&shard, |guard| guard.core().get(transactional_id).cloned())?;
        let value = value.ok_or(ErrorCode::TransactionalIdNotFound)?;
        let mut topics: Vec<TopicData> = Vec::new();
        for one in in_hash_order(value.partitions.iter()) {
            match topics.iter_mut().find(|topic| *topic.topic.0 == *one.topic.as_str()) {
                Some(topic) => topic.partitions.push(one.partition.0),
                None => topics.push(
                    TopicData::default()
                        .with_topic(TopicName(text(one.topic.as_str())))
                        .with_partitions(vec![one.partition.0]),
                ),
            }
        }
        Ok(described
            .with_producer_id(ProducerId(value.producer_id.0))
            .with_producer_epoch(value.producer_epoch.0)
            .with_transaction_state(text(value.state.name()))
            .with_transaction_timeout_ms(value.timeout_ms)
            .with_transaction_start_time_ms(value.start_timestamp_ms)
            .with_topics(topics))
    }

    /// `is_wanted` judges an id by the pattern of the request.
    pub fn list(
        &self,
        request: &ListTransactionsRequest,
        is_wanted: impl Fn(&str) -> bool,
    ) -> ListTransactionsResponse {
        let mut response = ListTransactionsResponse::default();
        let mut states = Vec::new();
        for name in &request.state_filters {
            match TransactionState::from_name(name) {
                Some(state) => states.push(state),
                None => response.unknown_state_filters.push(name.clone()),
            }
        }
        let wall_ms = self.clock.wall_ms();
        for shard in self.runtime.all_shards() {
            let listed = self.runtime.turn(&shard, |guard| {
                let core = guard.core();
                for (id, value) in core.iter() {
                    let ids = &request.producer_id_filters;
                    let is_of_producer = ids.is_empty() || ids.iter().any(|id| id.0 == value.producer_id.0);
                    let is_in_state = request.state_filters.is_empty() || states.contains(&value.state);
                    let runs_ms = wall_ms.saturating_sub(value.start_timestamp_ms);
                    let is_long = request.duration_filter < 0 || runs_ms > request.duration_filter;
                    if is_of_producer && is_in_state && is_long && is_wanted(id) {
                        response.transaction_states.push(
                            ListedTransaction::default()
                                .with_transactional_id(TransactionalId(text(id)))
                                .with_producer_id(ProducerId(value.producer_id.0))
                                .with_transaction_state(text(value.state.name())),
                        );
                    }
                }
            });
            match listed {
                Ok(()) | Err(ErrorCode::NotCoordinator) => {}
                Err(error) => return ListTransactionsResponse::default().with_error_code(error.code()),
            }
        }
        response
    }
}
