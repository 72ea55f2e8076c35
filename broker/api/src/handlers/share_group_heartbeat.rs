//! ShareGroupHeartbeat (key 76), version 1: a member of a share group joins, stays and leaves (KIP-932).
//! Core over the coordinator's interface; share state is set up behind the answer.
//!
//! - v0 was early access and is not served by Kafka any more. v1: KIP-932.

use std::collections::BTreeSet;

use ottla_coordinator::group::modern::GroupError;
use ottla_coordinator::group::share::{ShareHeartbeat, ShareHeartbeatOutcome};
use ottla_model::{ErrorCode, GroupId, TopicName};
use ottla_network::Answer;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::share_group_heartbeat_response::{Assignment, TopicPartitions};
use ottla_protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use super::prelude::*;
use crate::groups::{self, Topics};
use crate::share;

pub const API: Api = Api { key: ApiKey::ShareGroupHeartbeat, min: 1, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ShareGroupHeartbeatRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if let Err((error, why)) = check(broker, &access, &body) {
        let response = ShareGroupHeartbeatResponse::default()
            .with_error_code(error.code())
            .with_error_message(why.and_then(message));
        return request.ready(&response);
    }
    let context = groups::context(&request);
    let beat = ShareHeartbeat {
        group_id: &body.group_id,
        member_id: &body.member_id,
        member_epoch: body.member_epoch,
        rack_id: body.rack_id.as_deref(),
        client_id: &context.client_id,
        client_host: &context.client_host,
        subscribed_topics: body
            .subscribed_topic_names
            .as_ref()
            .map(|names| names.iter().map(|name| TopicName::new(name.as_str())).collect::<BTreeSet<_>>()),
    };
    let config = broker.share_partitions.configs().of(&body.group_id);
    let reply = broker.groups.share_heartbeat(&beat, &Topics(broker.image()), &config);
    match reply {
        ottla_coordinator::Reply::Now(outcome) => {
            Ok(ottla_network::Admitted::Ready(answer(broker, &request, &body, outcome)))
        }
        ottla_coordinator::Reply::Later(outcome) => {
            let broker = broker.clone();
            park(async move { answer(&broker, &request, &body, outcome.await) })
        }
    }
}

fn check(
    broker: &Broker,
    access: &Access,
    body: &ShareGroupHeartbeatRequest,
) -> Result<(), (ErrorCode, Option<&'static str>)> {
    if !share::is_enabled(broker) {
        return Err((ErrorCode::UnsupportedVersion, None));
    }
    if !access.group(AclOperation::Read, &body.group_id) {
        return Err((ErrorCode::GroupAuthorizationFailed, None));
    }
    if !share::is_member_id(Some(&body.member_id)) {
        return Err((ErrorCode::InvalidRequest, None));
    }
    let names = body.subscribed_topic_names.iter().flatten();
    if access.is_limited() && names.clone().any(|name| !access.topic(AclOperation::Describe, name)) {
        return Err((ErrorCode::TopicAuthorizationFailed, None));
    }
    let invalid = |why| Err((ErrorCode::InvalidRequest, Some(why)));
    if body.group_id.trim().is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if body.rack_id.as_ref().is_some_and(|rack| rack.trim().is_empty()) {
        return invalid("RackId can't be empty.");
    }
    if body.member_epoch == 0 && names.count() == 0 {
        return invalid("SubscribedTopicNames must be set in first request.");
    }
    if body.member_epoch < -1 {
        return invalid("MemberEpoch is invalid.");
    }
    Ok(())
}

fn answer(
    broker: &Arc<Broker>,
    request: &Request,
    body: &ShareGroupHeartbeatRequest,
    outcome: Result<Option<ShareHeartbeatOutcome>, GroupError>,
) -> Answer {
    let response = match outcome {
        Err(error) => ShareGroupHeartbeatResponse::default()
            .with_error_code(error.code.code())
            .with_error_message(message(error.message)),
        Ok(None) => ShareGroupHeartbeatResponse::default()
            .with_member_id(Some(body.member_id.clone()))
            .with_member_epoch(body.member_epoch),
        Ok(Some(outcome)) => {
            if let Some(wanted) = outcome.initialize {
                // It ends after two writes. What is cut off, or not begun, a later heartbeat begins.
                let work = share::set_up(broker.clone(), GroupId::new(&body.group_id), wanted);
                broker.share_set_ups.begin(&*broker.env.tasks, "share-set-up", Box::pin(work));
            }
            ShareGroupHeartbeatResponse::default()
                .with_member_id(Some(body.member_id.clone()))
                .with_member_epoch(outcome.member_epoch)
                .with_heartbeat_interval_ms(outcome.heartbeat_interval_ms)
                .with_assignment(outcome.assignment.map(|assigned| {
                    let partitions = assigned.iter().map(|(id, partitions)| {
                        TopicPartitions::default()
                            .with_topic_id(id.0)
                            .with_partitions(partitions.iter().copied().collect())
                    });
                    Assignment::default().with_topic_partitions(partitions.collect())
                }))
        }
    };
    request.answer(&response)
}
