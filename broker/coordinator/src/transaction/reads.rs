//! DescribeTransactions and ListTransactions.
//! Shell.

use ottla_model::{ErrorCode, ProducerEpoch, ProducerId, TopicName};

use super::coordinator::TransactionCoordinator;
use super::metadata::TransactionState;
use crate::java_hash::in_hash_order;

/// What is known of a transactional id.
#[derive(Clone, PartialEq, Debug)]
pub struct TransactionDescription {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub state: TransactionState,
    pub timeout_ms: i32,
    pub start_timestamp_ms: i64,
    /// Where it has written.
    pub topics: Vec<(TopicName, Vec<i32>)>,
}

/// Which transactional ids are asked for; an empty list and a negative duration let all through.
#[derive(Clone)]
pub struct WantedTransactions<'a> {
    /// `Some` where states were named, be it such as there are none of.
    pub states: Option<Vec<TransactionState>>,
    pub producer_ids: &'a [i64],
    pub runs_longer_than_ms: i64,
}

impl Default for WantedTransactions<'_> {
    fn default() -> Self {
        WantedTransactions { states: None, producer_ids: &[], runs_longer_than_ms: -1 }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct ListedTransaction {
    pub transactional_id: String,
    pub producer_id: ProducerId,
    pub state: TransactionState,
}

impl TransactionCoordinator {
    pub fn describe(&self, transactional_id: &str) -> Result<TransactionDescription, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let shard = self.runtime.shard_for(transactional_id)?;
        let value = self.runtime.turn(&shard, |guard| guard.core().get(transactional_id).cloned())?;
        let value = value.ok_or(ErrorCode::TransactionalIdNotFound)?;
        let mut topics: Vec<(TopicName, Vec<i32>)> = Vec::new();
        for one in in_hash_order(value.partitions.iter()) {
            match topics.iter_mut().find(|(topic, _)| *topic == one.topic) {
                Some((_, partitions)) => partitions.push(one.partition.0),
                None => topics.push((one.topic.clone(), vec![one.partition.0])),
            }
        }
        Ok(TransactionDescription {
            producer_id: value.producer_id,
            producer_epoch: value.producer_epoch,
            state: value.state,
            timeout_ms: value.timeout_ms,
            start_timestamp_ms: value.start_timestamp_ms,
            topics,
        })
    }

    /// `is_wanted` judges an id by the pattern of the request.
    pub fn list(
        &self,
        wanted: &WantedTransactions<'_>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<ListedTransaction>, ErrorCode> {
        let mut found = Vec::new();
        let wall_ms = self.clock.wall_ms();
        for shard in self.runtime.all_shards() {
            let listed = self.runtime.turn(&shard, |guard| {
                let core = guard.core();
                for (id, value) in core.iter() {
                    let ids = wanted.producer_ids;
                    let is_of_producer = ids.is_empty() || ids.contains(&value.producer_id.0);
                    let is_in_state = wanted.states.as_ref().is_none_or(|of| of.contains(&value.state));
                    let runs_ms = wall_ms.saturating_sub(value.start_timestamp_ms);
                    let is_long = wanted.runs_longer_than_ms < 0 || runs_ms > wanted.runs_longer_than_ms;
                    if is_of_producer && is_in_state && is_long && is_wanted(id) {
                        found.push(ListedTransaction {
                            transactional_id: id.to_owned(),
                            producer_id: value.producer_id,
                            state: value.state,
                        });
                    }
                }
            });
            match listed {
                Ok(()) | Err(ErrorCode::NotCoordinator) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}
