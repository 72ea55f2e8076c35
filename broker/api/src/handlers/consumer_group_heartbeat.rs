//! ConsumerGroupHeartbeat (key 68), versions 0-1: a member of a consumer group joins, stays and leaves (KIP-848).
//! Core over the coordinator's interface; regular expressions are resolved behind the answer.
//!
//! - v0: KIP-848. v1: regular expressions, and members make their own ids (KIP-1082).

use std::collections::BTreeSet;

use ottla_coordinator::Reply;
use ottla_coordinator::assignor::ConsumerAssignor;
use ottla_coordinator::group::consumer::{
    ConsumerHeartbeat, ConsumerHeartbeatOutcome, LEAVE_EPOCH, LEAVE_STATIC_EPOCH, check_pattern,
};
use ottla_coordinator::group::modern::{Awaited, GroupError};
use ottla_model::{ErrorCode, TopicId, TopicName};
use ottla_network::{Admitted, Answer};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::prelude::*;
use crate::groups::{self, Topics, VisibleTopics};

pub const API: Api = Api { key: ApiKey::ConsumerGroupHeartbeat, min: 0, max: 1, admit };

/// From this version on members make their own ids.
const MEMBER_ID_VERSION_MIN: i16 = 1;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ConsumerGroupHeartbeatRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if let Err((error, why)) = check(broker, &access, &body, request.version()) {
        let response = ConsumerGroupHeartbeatResponse::default()
            .with_error_code(error.code())
            .with_error_message(why.and_then(message));
        return request.ready(&response);
    }
    let made_id = body.member_id.is_empty().then(|| TopicId::from_random(|| broker.env.rng.next_16()));
    let made_id = made_id.map(|id| id.to_string());
    let outcome =
        beat(broker, &request, &body, made_id.as_deref().unwrap_or(&body.member_id), body.member_epoch);
    match outcome {
        Reply::Now(outcome) if awaited(&outcome).is_none() => {
            Ok(Admitted::Ready(answer(broker, &access, &request, outcome)))
        }
        outcome => {
            let broker = broker.clone();
            park(async move {
                let outcome = with_target(&broker, &request, &body, outcome.into_future().await).await;
                answer(&broker, &access, &request, outcome)
            })
        }
    }
}

type Outcome = Result<ConsumerHeartbeatOutcome, GroupError>;

/// What a member that has joined waits for.
fn awaited(outcome: &Outcome) -> Option<&Awaited> {
    outcome.as_ref().ok().and_then(|outcome| outcome.awaited.as_ref())
}

/// Members that join while a target is being computed are in that which is computed next: their answer has it.
async fn with_target(
    broker: &Broker,
    request: &Request,
    body: &ConsumerGroupHeartbeatRequest,
    joined: Outcome,
) -> Outcome {
    let Some(awaited) = awaited(&joined).cloned() else { return joined };
    let joined = joined?;
    awaited.over().await;
    let again =
        beat(broker, request, body, joined.member_id.as_str(), joined.member_epoch).into_future().await;
    Ok(match again {
        Ok(again) => ConsumerHeartbeatOutcome { patterns: joined.patterns.or(again.patterns), ..again },
        // Whatever has become of it meanwhile, it has joined: its own heartbeat will be told the rest.
        Err(_gone) => joined,
    })
}

/// The heartbeat of a request; in its own epoch, or in the one that it has got.
fn beat(
    broker: &Broker,
    request: &Request,
    body: &ConsumerGroupHeartbeatRequest,
    member_id: &str,
    member_epoch: i32,
) -> Reply<Outcome> {
    let context = groups::context(request);
    let pattern = body.subscribed_topic_regex.as_deref();
    let beat = ConsumerHeartbeat {
        group_id: &body.group_id,
        member_id,
        member_epoch,
        instance_id: body.instance_id.as_deref(),
        rack_id: body.rack_id.as_deref(),
        rebalance_timeout_ms: body.rebalance_timeout_ms,
        client_id: &context.client_id,
        client_host: &context.client_host,
        subscribed_topics: body
            .subscribed_topic_names
            .as_ref()
            .map(|names| names.iter().map(|name| TopicName::new(name.as_str())).collect::<BTreeSet<_>>()),
        pattern,
        pattern_error: pattern.filter(|pattern| !pattern.is_empty()).and_then(check_pattern),
        server_assignor: body.server_assignor.as_deref(),
        owned: body
            .topic_partitions
            .as_ref()
            .map(|owned| owned.iter().map(|one| (TopicId(one.topic_id), one.partitions.clone())).collect()),
    };
    broker.groups.consumer_heartbeat(&beat, &Topics(broker.image()))
}

fn check(
    broker: &Broker,
    access: &Access,
    body: &ConsumerGroupHeartbeatRequest,
    version: i16,
) -> Result<(), (ErrorCode, Option<String>)> {
    if !groups::is_consumer_enabled(broker) {
        return Err((ErrorCode::UnsupportedVersion, None));
    }
    if !access.group(AclOperation::Read, &body.group_id) {
        return Err((ErrorCode::GroupAuthorizationFailed, None));
    }
    let mut names = body.subscribed_topic_names.iter().flatten();
    if access.is_limited() && names.any(|name| !access.topic(AclOperation::Describe, name)) {
        return Err((ErrorCode::TopicAuthorizationFailed, None));
    }
    if let Err(why) = check_fields(body, version) {
        return Err((ErrorCode::InvalidRequest, Some(why.to_owned())));
    }
    // As many as are switched on; the first is the one of members who ask for none.
    let supported = broker.groups.assignors();
    match body.server_assignor.as_deref() {
        Some(name) if !supported.iter().any(|assignor| assignor.name() == name) => {
            let names: Vec<_> = supported.iter().map(|assignor: &ConsumerAssignor| assignor.name()).collect();
            let names = names.join(", ");
            let why = format!("ServerAssignor {name} is not supported. Supported assignors: {names}.");
            Err((ErrorCode::UnsupportedAssignor, Some(why)))
        }
        _ => Ok(()),
    }
}

/// `throwIfConsumerGroupHeartbeatRequestIsInvalid`.
fn check_fields(body: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), &'static str> {
    let is_blank = |text: &str| text.trim().is_empty();
    let is_given_blank = |text: &Option<StrBytes>| text.as_ref().is_some_and(|text| is_blank(text));
    let has_id =
        version >= MEMBER_ID_VERSION_MIN || body.member_epoch > 0 || body.member_epoch == LEAVE_EPOCH;
    if has_id && is_blank(&body.member_id) {
        return Err("MemberId can't be empty.");
    }
    if is_blank(&body.group_id) {
        return Err("GroupId can't be empty.");
    }
    if is_given_blank(&body.instance_id) {
        return Err("InstanceId can't be empty.");
    }
    if is_given_blank(&body.rack_id) {
        return Err("RackId can't be empty.");
    }
    match body.member_epoch {
        0 if body.rebalance_timeout_ms == -1 => Err("RebalanceTimeoutMs must be provided in first request."),
        0 if body.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) => {
            Err("TopicPartitions must be empty when (re-)joining.")
        }
        0 if body.subscribed_topic_names.is_none() && body.subscribed_topic_regex.is_none() => {
            Err("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
        }
        LEAVE_STATIC_EPOCH if body.instance_id.is_none() => Err("InstanceId can't be null."),
        ..LEAVE_STATIC_EPOCH => Err("MemberEpoch is invalid."),
        _ => Ok(()),
    }
}

fn answer(broker: &Arc<Broker>, access: &Access, request: &Request, outcome: Outcome) -> Answer {
    let response = match outcome {
        Err(error) => ConsumerGroupHeartbeatResponse::default()
            .with_error_code(error.code.code())
            .with_error_message(message(error.message)),
        Ok(outcome) => {
            if let Some(task) = outcome.patterns {
                groups::resolve_patterns(broker, VisibleTopics::new(broker.image(), access.clone()), task);
            }
            ConsumerGroupHeartbeatResponse::default()
                .with_member_id(Some(text(outcome.member_id.as_str())))
                .with_member_epoch(outcome.member_epoch)
                .with_heartbeat_interval_ms(outcome.heartbeat_interval_ms)
                .with_assignment(outcome.assignment.map(|assigned| {
                    let partitions = assigned.iter().map(|(id, partitions)| {
                        TopicPartitions::default()
                            .with_topic_id(id.0)
                            .with_partitions(partitions.keys().copied().collect())
                    });
                    Assignment::default().with_topic_partitions(partitions.collect())
                }))
        }
    };
    request.answer(&response)
}
