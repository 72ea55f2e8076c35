//! OffsetCommit (key 8), versions 2-10: a group remembers how far it read.
//! Core over the coordinator's interface.
//!
//! - v3: throttle time. v5: no retention time. v6: leader epochs (KIP-211, KIP-320). v7: static members.
//! - v8: flexible. v9: consumer groups (KIP-848). v10: topic ids (KIP-848).

use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::prelude::*;
use crate::{group_offsets, groups};

pub const API: Api = Api { key: ApiKey::OffsetCommit, min: 2, max: 10, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: OffsetCommitRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if !access.group(AclOperation::Read, &body.group_id) {
        let refuse = |topic: &OffsetCommitRequestTopic| refused(topic, ErrorCode::GroupAuthorizationFailed);
        let topics = body.topics.iter().map(refuse).collect();
        return request.ready(&OffsetCommitResponse { topics, ..Default::default() });
    }
    let image = broker.image();
    let unauthorized = access.take_refused(&mut body.topics, |topic| match request.version() {
        // An id that nobody has is told as such.
        10.. => image
            .topic_by_id(TopicId(topic.topic_id))
            .is_none_or(|topic| access.topic(AclOperation::Read, topic.name.as_str())),
        _ => access.topic(AclOperation::Read, &topic.name),
    });
    let refused: Vec<_> =
        unauthorized.iter().map(|topic| refused(topic, ErrorCode::TopicAuthorizationFailed)).collect();
    if body.topics.is_empty() && !refused.is_empty() {
        return request.ready(&OffsetCommitResponse { topics: refused, ..Default::default() });
    }
    let topics = groups::Topics(image);
    let reply = group_offsets::commit(request.version(), &body, &topics, |committer, offsets| {
        broker.groups.commit_offsets(committer, offsets)
    });
    if refused.is_empty() {
        return groups::relay(request, reply);
    }
    let reply = reply.map(move |mut response| {
        response.topics.splice(0..0, refused);
        response
    });
    groups::relay(request, reply)
}

fn refused(topic: &OffsetCommitRequestTopic, error: ErrorCode) -> OffsetCommitResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: error.code(),
        ..Default::default()
    });
    OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
        ..Default::default()
    }
}
