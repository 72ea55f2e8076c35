//! AlterShareGroupOffsets (key 91), version 0: sets where an empty share group goes on (KIP-932).
//! Core over the group coordinator and the share coordinator.
//!
//! - v0 only.

use std::collections::BTreeMap;

use ottla_coordinator::group::share::OffsetsToAlter;
use ottla_model::{ErrorCode, GroupId, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic;
use ottla_protocol::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use ottla_protocol::messages::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse};

use super::prelude::*;
use crate::share;

pub const API: Api = Api { key: ApiKey::AlterShareGroupOffsets, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AlterShareGroupOffsetsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refuse = |error: ErrorCode, why: &str| {
        AlterShareGroupOffsetsResponse::default()
            .with_error_code(error.code())
            .with_error_message(message(why))
    };
    let refusal = match () {
        () if !share::is_enabled(broker) => Some(ErrorCode::UnsupportedVersion),
        () if !access.group(AclOperation::Read, &body.group_id) => Some(ErrorCode::GroupAuthorizationFailed),
        () if body.group_id.is_empty() => Some(ErrorCode::InvalidGroupId),
        () => None,
    };
    if let Some(error) = refusal {
        return request.ready(&refuse(error, error.message()));
    }
    let group = GroupId::new(&body.group_id);
    let mut responses = Vec::with_capacity(body.topics.len());
    let mut topics = Vec::with_capacity(body.topics.len());
    for topic in &body.topics {
        let (response, altered) = begin(broker, &access, topic);
        responses.push(response);
        topics.extend(altered);
    }
    let reply = broker.groups.alter_share_offsets(group.as_str(), &topics);
    let broker = broker.clone();
    park(async move {
        let altered = match reply.into_future().await {
            Ok(altered) => altered,
            Err(error) => return request.answer(&refuse(error.code, &error.message)),
        };
        let ids = altered.topics.keys().copied().collect::<Vec<TopicId>>();
        let answers = share::initialize(&broker, &group, &altered).await;
        for (topic_id, partitions) in &answers {
            let Some(response) = responses.iter_mut().find(|topic| topic.topic_id == topic_id.0) else {
                continue;
            };
            for (partition, outcome) in partitions {
                let found = response.partitions.iter_mut().find(|one| one.partition_index == *partition);
                if let (Some(found), Err(error)) = (found, outcome) {
                    found.error_code = error.code.code();
                    found.error_message = message(error.message.unwrap_or_else(|| error.code.message()));
                }
            }
        }
        if share::first_error(&answers).is_none() && !altered.topics.is_empty() {
            let topics = crate::groups::Topics(broker.image());
            let told =
                broker.groups.share_state_initialized(group.as_str(), &altered.partitions(), true, &topics);
            if let Err(error) = told.into_future().await {
                tracing::error!(%group, code = %error.code, "a share group did not take its new offsets");
            }
        }
        share::on_state_changed(&broker, &group, ids.into_iter());
        request.answer(&AlterShareGroupOffsetsResponse::default().with_responses(responses))
    })
}

/// What a topic is answered if all goes well, and what is to be altered of it.
fn begin(
    broker: &Broker,
    access: &Access,
    topic: &AlterShareGroupOffsetsRequestTopic,
) -> (AlterShareGroupOffsetsResponseTopic, Option<OffsetsToAlter>) {
    let image = broker.image();
    let found = image.topic(&topic.topic_name);
    let response = AlterShareGroupOffsetsResponseTopic::default()
        .with_topic_name(topic.topic_name.clone())
        .with_topic_id(found.map(|found| found.id.0).unwrap_or_default());
    let answer = |partition_index: i32, error: ErrorCode| {
        AlterShareGroupOffsetsResponsePartition::default()
            .with_partition_index(partition_index)
            .with_error_code(error.code())
            .with_error_message((!error.is_none()).then(|| text(error.message())))
    };
    let all =
        |error: ErrorCode| topic.partitions.iter().map(|one| answer(one.partition_index, error)).collect();
    if !access.topic(AclOperation::Read, &topic.topic_name) {
        return (response.with_partitions(all(ErrorCode::TopicAuthorizationFailed)), None);
    }
    let Some(found) = found else {
        return (response.with_partitions(all(ErrorCode::UnknownTopicOrPartition)), None);
    };
    let mut offsets = BTreeMap::new();
    let partitions = topic.partitions.iter().map(|one| {
        if one.partition_index >= found.partitions.len() as i32 {
            return answer(one.partition_index, ErrorCode::UnknownTopicOrPartition);
        }
        offsets.insert(one.partition_index, one.start_offset);
        answer(one.partition_index, ErrorCode::None)
    });
    let response = response.with_partitions(partitions.collect());
    (response, Some(OffsetsToAlter { name: found.name.clone(), id: found.id, offsets }))
}
