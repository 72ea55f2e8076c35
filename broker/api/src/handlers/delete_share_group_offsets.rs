//! DeleteShareGroupOffsets (key 92), version 0: an empty share group forgets topics (KIP-932).
//! Core over the doors of the group coordinator and the share coordinator.
//!
//! - v0 only.

use ottla_coordinator::record::Assignment;
use ottla_model::{ErrorCode, GroupId, TopicId, TopicName};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use ottla_protocol::messages::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse};

use super::prelude::*;
use crate::groups::Topics;
use crate::share;

pub const API: Api = Api { key: ApiKey::DeleteShareGroupOffsets, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: DeleteShareGroupOffsetsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refuse = |error: ErrorCode, why: &str| {
        DeleteShareGroupOffsetsResponse::default()
            .with_error_code(error.code())
            .with_error_message(message(why))
    };
    let refusal = match () {
        () if !share::is_enabled(broker) => Some(ErrorCode::UnsupportedVersion),
        () if !access.group(AclOperation::Delete, &body.group_id) => {
            Some(ErrorCode::GroupAuthorizationFailed)
        }
        () if body.group_id.is_empty() => Some(ErrorCode::InvalidGroupId),
        () => None,
    };
    if let Some(error) = refusal {
        return request.ready(&refuse(error, error.message()));
    }
    let unauthorized =
        access.take_refused(&mut body.topics, |topic| access.topic(AclOperation::Read, &topic.topic_name));
    let mut responses: Vec<_> = unauthorized
        .into_iter()
        .map(|topic| {
            let error = ErrorCode::TopicAuthorizationFailed;
            answer(topic.topic_name.as_str(), None, error, Some(error.message()))
        })
        .collect();
    let group = GroupId::new(&body.group_id);
    let names: Vec<TopicName> =
        body.topics.iter().map(|topic| TopicName::new(topic.topic_name.as_str())).collect();
    let reply = broker.groups.delete_share_offsets(group.as_str(), &names, &Topics(broker.image()));
    let broker = broker.clone();
    park(async move {
        let deleted = match reply.into_future().await {
            Ok(deleted) => deleted,
            Err(error) => return request.answer(&refuse(error.code, &error.message)),
        };
        responses.extend(
            deleted
                .refused
                .iter()
                .map(|topic| answer(topic.name.as_str(), None, topic.code, Some(topic.message))),
        );
        let partitions: Assignment =
            deleted.topics.iter().map(|(id, (_, partitions))| (*id, partitions.clone())).collect();
        let mut gone: Vec<TopicId> = Vec::new();
        for (id, partitions) in share::delete(&broker, &group, &partitions).await {
            let name = deleted.topics.get(&id).map_or("", |(name, _)| name.as_str());
            match partitions.iter().find_map(|(_, outcome)| outcome.err()) {
                Some(error) => responses.push(answer(name, Some(id), error.code, Some(error.code.message()))),
                None => {
                    gone.push(id);
                    responses.push(answer(name, Some(id), ErrorCode::None, None));
                }
            }
        }
        if !gone.is_empty() {
            share::on_state_changed(&broker, &group, gone.iter().copied());
            let told = broker.groups.share_offsets_deleted(group.as_str(), &gone).into_future().await;
            if let Err(error) = told {
                return request.answer(&refuse(error.code, &error.message));
            }
        }
        request.answer(&DeleteShareGroupOffsetsResponse::default().with_responses(responses))
    })
}

fn answer(
    name: &str,
    id: Option<TopicId>,
    error: ErrorCode,
    why: Option<&str>,
) -> DeleteShareGroupOffsetsResponseTopic {
    DeleteShareGroupOffsetsResponseTopic::default()
        .with_topic_name(text(name).into())
        .with_topic_id(id.map(|id| id.0).unwrap_or_default())
        .with_error_code(error.code())
        .with_error_message(why.map(text))
}
