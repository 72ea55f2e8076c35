//! DeleteShareGroupState (key 86), versions 0-0: the state of share partitions goes (KIP-932).
//! Core over the share coordinator; brokers send it.
//!
//! - v0 only.

use ottla_coordinator::share::StateError;
use ottla_model::TopicId;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_share_group_state_response::{DeleteStateResult, PartitionResult};
use ottla_protocol::messages::{DeleteShareGroupStateRequest, DeleteShareGroupStateResponse};

use super::prelude::*;
use crate::share;
use crate::share_state::{self, Wanted};

pub const API: Api = Api { key: ApiKey::DeleteShareGroupState, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DeleteShareGroupStateRequest = request.decode()?;
    let topics = body.topics.into_iter().map(|topic| (TopicId(topic.topic_id), topic.partitions));
    let wanted = Wanted::new(&body.group_id, topics);
    if wanted.is_void(true) && share::may_keep_state(&Access::of(broker, &request)) {
        return request.ready(&DeleteShareGroupStateResponse::default());
    }
    share_state::for_each_partition(
        broker,
        request,
        wanted,
        |asked| asked.partition,
        |key, _| {
            share::check_place(broker, key.topic_id, key.partition)?;
            Ok(((), broker.share_state.delete(key)?))
        },
        |partition, outcome| {
            let result = PartitionResult::default().with_partition(partition);
            match outcome {
                Ok(()) => result,
                Err(error) => refused(result, error),
            }
        },
        |topics| {
            let results = topics.into_iter().map(|(id, partitions)| {
                DeleteStateResult::default().with_topic_id(id.0).with_partitions(partitions)
            });
            DeleteShareGroupStateResponse::default().with_results(results.collect())
        },
    )
}

fn refused(result: PartitionResult, error: StateError) -> PartitionResult {
    result
        .with_error_code(error.code.code())
        .with_error_message(message(share::state_message("delete share group state", error)))
}
