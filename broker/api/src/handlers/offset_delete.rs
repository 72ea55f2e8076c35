//! OffsetDelete (key 47), versions 0-0: an administrator makes a group forget offsets (KIP-496).
//! Core over the coordinator's interface.
//!
//! - v0 only; never flexible.

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::prelude::*;
use crate::{group_offsets, groups};

pub const API: Api = Api { key: ApiKey::OffsetDelete, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: OffsetDeleteRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if !access.group(AclOperation::Delete, &body.group_id) {
        let error = ErrorCode::GroupAuthorizationFailed.code();
        return request.ready(&OffsetDeleteResponse::default().with_error_code(error));
    }
    let unauthorized =
        access.take_refused(&mut body.topics, |topic| access.topic(AclOperation::Read, &topic.name));
    let topics = groups::Topics(broker.image());
    let reply = group_offsets::delete(&body, &topics, |group_id, wanted| {
        broker.groups.delete_offsets(group_id, wanted)
    });
    if unauthorized.is_empty() {
        return groups::relay(request, reply);
    }
    let reply = reply.map(move |mut response| {
        // A refusal of the whole request has no topics.
        if response.error_code == 0 {
            response.topics.extend(unauthorized.iter().map(refused));
        }
        response
    });
    groups::relay(request, reply)
}

fn refused(topic: &OffsetDeleteRequestTopic) -> OffsetDeleteResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| {
        OffsetDeleteResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
    });
    OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
}
