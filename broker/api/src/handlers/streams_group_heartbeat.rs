//! StreamsGroupHeartbeat (key 88), version 0: a member of a streams group joins, stays and leaves (KIP-1071).
//! Core over the coordinator's interface; internal topics are made behind the answer.

use std::collections::BTreeMap;

use ottla_coordinator::Reply;
use ottla_coordinator::group::modern::GroupError;
use ottla_coordinator::group::streams::topics::Status;
use ottla_coordinator::group::streams::{EndpointPartitions, StreamsHeartbeat, StreamsHeartbeatOutcome};
use ottla_coordinator::record::streams::{Endpoint, Tasks, TasksTuple};
use ottla_coordinator::runtime::StreamsHeartbeatReply;
use ottla_model::ErrorCode;
use ottla_network::{Admitted, Answer};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::streams_group_heartbeat_request as asked;
use ottla_protocol::messages::streams_group_heartbeat_response as told;
use ottla_protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::prelude::*;
use crate::groups::{self, Topics};
use crate::streams;
use crate::streams_topology::{check_topics, stored_topology};

pub const API: Api = Api { key: ApiKey::StreamsGroupHeartbeat, min: 0, max: 0, admit };

const JOINS: i32 = 0;
const LEAVES: i32 = -1;
/// Of so many topics it is told why they could not be made.
const FAILURES_TOLD_MAX: usize = 3;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: StreamsGroupHeartbeatRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if let Err(error) = check(broker, &access, &body) {
        return request.ready(&refused(error));
    }
    let reply = ask(broker, &request, &body);
    match reply {
        Reply::Now(outcome) => Ok(Admitted::Ready(answer(broker, &request, &access, &body, outcome))),
        Reply::Later(outcome) => {
            let broker = broker.clone();
            park(async move { answer(&broker, &request, &access, &body, outcome.await) })
        }
    }
}

fn ask(
    broker: &Arc<Broker>,
    request: &Request,
    body: &StreamsGroupHeartbeatRequest,
) -> Reply<StreamsHeartbeatReply> {
    if body.member_epoch < JOINS {
        return broker.groups.streams_leave(&body.group_id, &body.member_id, body.shutdown_application);
    }
    let context = groups::context(request);
    let owned = match (&body.active_tasks, &body.standby_tasks, &body.warmup_tasks) {
        (Some(active), Some(standby), Some(warmup)) => {
            Some(TasksTuple { active: tasks(active), standby: tasks(standby), warmup: tasks(warmup) })
        }
        _ => None,
    };
    let pairs = |tags: &Vec<asked::KeyValue>| -> BTreeMap<String, String> {
        tags.iter().map(|tag| (tag.key.to_string(), tag.value.to_string())).collect()
    };
    let beat = StreamsHeartbeat {
        group_id: &body.group_id,
        member_id: &body.member_id,
        member_epoch: body.member_epoch,
        endpoint_epoch: body.endpoint_information_epoch,
        rack_id: body.rack_id.as_deref(),
        rebalance_timeout_ms: (body.rebalance_timeout_ms != -1).then_some(body.rebalance_timeout_ms),
        client_id: &context.client_id,
        client_host: &context.client_host,
        topology: body.topology.as_ref().map(|topology| Arc::new(stored_topology(topology))),
        owned,
        process_id: body.process_id.as_deref(),
        user_endpoint: body
            .user_endpoint
            .as_ref()
            .map(|endpoint| Endpoint { host: Arc::from(&*endpoint.host), port: endpoint.port }),
        client_tags: body.client_tags.as_ref().map(pairs),
        shutdown_application: body.shutdown_application,
    };
    let config = streams::config_of(broker, &body.group_id);
    broker.groups.streams_heartbeat(&beat, &Topics(broker.image()), &config)
}

fn tasks(ids: &[asked::TaskIds]) -> Tasks {
    let mut tasks = Tasks::new();
    for ids in ids {
        tasks.entry(ids.subtopology_id.to_string()).or_default().extend(&ids.partitions);
    }
    tasks
}

/// What the request must satisfy, in the order of Kafka's `KafkaApis` and `GroupCoordinatorService`.
fn check(broker: &Broker, access: &Access, body: &StreamsGroupHeartbeatRequest) -> Result<(), GroupError> {
    if !streams::is_enabled(broker) {
        return Err(ErrorCode::UnsupportedVersion.into());
    }
    if !access.group(AclOperation::Read, &body.group_id) {
        return Err(ErrorCode::GroupAuthorizationFailed.into());
    }
    if let Some(topology) = &body.topology {
        check_topics(access, topology)?;
    }
    check_support(body).and_then(|()| check_fields(body)).map_err(invalid)?;
    if body.member_epoch == JOINS
        && let Some(topology) = &body.topology
    {
        check_changelogs(topology)?;
    }
    Ok(())
}

fn invalid(message: String) -> GroupError {
    GroupError { code: ErrorCode::InvalidRequest, message }
}

/// What Kafka 4.3.1 has in the message but does not serve.
fn check_support(body: &StreamsGroupHeartbeatRequest) -> Result<(), String> {
    let regexes = body.topology.iter().flat_map(|topology| &topology.subtopologies);
    let what = if body.instance_id.is_some() {
        "Static membership is not yet supported."
    } else if body.task_offsets.is_some() {
        "TaskOffsets are not supported yet."
    } else if body.task_end_offsets.is_some() {
        "TaskEndOffsets are not supported yet."
    } else if body.warmup_tasks.as_ref().is_some_and(|tasks| !tasks.is_empty()) {
        "WarmupTasks are not supported yet."
    } else if regexes.clone().any(|subtopology| !subtopology.source_topic_regex.is_empty()) {
        "Regular expressions for source topics are not supported yet."
    } else {
        return Ok(());
    };
    Err(what.to_owned())
}

fn check_fields(body: &StreamsGroupHeartbeatRequest) -> Result<(), String> {
    let is_blank = |text: &StrBytes| text.trim().is_empty();
    let has = |tasks: &Option<Vec<asked::TaskIds>>| tasks.as_ref().is_some_and(|tasks| !tasks.is_empty());
    let given = [&body.active_tasks, &body.standby_tasks, &body.warmup_tasks];
    let given = given.into_iter().filter(|tasks| tasks.is_some()).count();
    let is_join = body.member_epoch == JOINS;
    let what = if is_blank(&body.member_id) {
        "MemberId can't be empty."
    } else if is_blank(&body.group_id) {
        "GroupId can't be empty."
    } else if body.rack_id.as_ref().is_some_and(is_blank) {
        "RackId can't be empty."
    } else if is_join && body.rebalance_timeout_ms == -1 {
        "RebalanceTimeoutMs must be provided in first request."
    } else if is_join && has(&body.active_tasks) {
        "ActiveTasks must be empty when (re-)joining."
    } else if is_join && has(&body.standby_tasks) {
        "StandbyTasks must be empty when (re-)joining."
    } else if is_join && has(&body.warmup_tasks) {
        "WarmupTasks must be empty when (re-)joining."
    } else if is_join && body.topology.is_none() {
        "Topology must be non-null when (re-)joining."
    } else if body.member_epoch == LEAVES - 1 {
        "InstanceId can't be null."
    } else if body.member_epoch < LEAVES {
        return Err(format!(
            "MemberEpoch is {}, but must be greater than or equal to -2.",
            body.member_epoch
        ));
    } else if given != 0 && given != 3 {
        "If one task-type is non-null, all must be non-null."
    } else if !is_join && body.topology.is_some() {
        "Topology can only be provided when (re-)joining."
    } else {
        return Ok(());
    };
    Err(what.to_owned())
}

fn check_changelogs(topology: &asked::Topology) -> Result<(), GroupError> {
    let mut changelogs = topology.subtopologies.iter().flat_map(|one| &one.state_changelog_topics);
    let Some(topic) = changelogs.find(|topic| topic.partitions != 0) else { return Ok(()) };
    let message = format!(
        "Changelog topic {} must have an undefined partition count, but it is set to {}.",
        &*topic.name, topic.partitions
    );
    Err(GroupError { code: ErrorCode::StreamsInvalidTopology, message })
}

/// A text that says no more than the code is left out (`ApiError.fromThrowable`).
fn refused(error: GroupError) -> StreamsGroupHeartbeatResponse {
    let has_text = !error.message.is_empty() && error.message != error.code.message();
    StreamsGroupHeartbeatResponse {
        error_code: error.code.code(),
        error_message: has_text.then(|| text(&error.message)),
        ..Default::default()
    }
}

fn answer(
    broker: &Arc<Broker>,
    request: &Request,
    access: &Access,
    body: &StreamsGroupHeartbeatRequest,
    outcome: StreamsHeartbeatReply,
) -> Answer {
    let response = match outcome {
        Err(error) => refused(error),
        Ok(None) => StreamsGroupHeartbeatResponse {
            member_id: body.member_id.clone(),
            member_epoch: body.member_epoch,
            ..Default::default()
        },
        Ok(Some(outcome)) => tell(broker, request, access, body, *outcome),
    };
    request.answer(&response)
}

fn tell(
    broker: &Arc<Broker>,
    request: &Request,
    access: &Access,
    body: &StreamsGroupHeartbeatRequest,
    mut outcome: StreamsHeartbeatOutcome,
) -> StreamsGroupHeartbeatResponse {
    create_missing(broker, request, access, &mut outcome);
    let status = outcome.status.into_iter().map(|(status, why)| told::Status {
        status_code: status.code(),
        status_detail: text(&why),
        ..Default::default()
    });
    let mut response = StreamsGroupHeartbeatResponse {
        member_id: body.member_id.clone(),
        member_epoch: outcome.member_epoch,
        heartbeat_interval_ms: outcome.heartbeat_interval_ms,
        status: Some(status.collect()),
        endpoint_information_epoch: outcome.endpoint_epoch,
        partitions_by_user_endpoint: outcome
            .endpoints
            .map(|endpoints| endpoints.into_iter().map(endpoint_partitions).collect()),
        ..Default::default()
    };
    if let Some(tasks) = outcome.tasks {
        let active: Tasks =
            tasks.active.iter().map(|(id, tasks)| (id.clone(), tasks.keys().copied().collect())).collect();
        response.active_tasks = Some(task_ids(&active));
        response.standby_tasks = Some(task_ids(&tasks.standby));
        response.warmup_tasks = Some(task_ids(&tasks.warmup));
    }
    response
}

/// Has the internal topics made that are missing, if the client may create them, and says what became of it.
fn create_missing(
    broker: &Arc<Broker>,
    request: &Request,
    access: &Access,
    outcome: &mut StreamsHeartbeatOutcome,
) {
    let missing = std::mem::take(&mut outcome.missing_topics);
    if missing.is_empty() {
        return;
    }
    let may_create = |name: &str| access.topic(AclOperation::Create, name);
    let unauthorized: Vec<&str> = match access.quietly().cluster(AclOperation::Create) {
        true => Vec::new(),
        false => missing.iter().map(|topic| topic.name.as_str()).filter(|name| !may_create(name)).collect(),
    };
    let told = outcome.status.iter_mut().find(|(status, _)| *status == Status::MissingInternalTopics);
    let Some((_, why)) = told else { unreachable!("missing topics are told of") };
    if !unauthorized.is_empty() {
        why.push_str(&format!("; Unauthorized to CREATE on topics {}.", unauthorized.join(", ")));
        return;
    }
    let names: Vec<String> = missing.iter().map(|topic| topic.name.clone()).collect();
    let failure_kept_ms = 2 * i64::from(outcome.heartbeat_interval_ms);
    broker.internal_topics.create(broker, missing, failure_kept_ms, &request.mutations(0));
    let now = broker.env.clock.monotonic();
    let failures = broker.internal_topics.failures(names.iter().map(String::as_str), now);
    if failures.is_empty() {
        return;
    }
    let shown = failures.iter().take(FAILURES_TOLD_MAX).cloned().collect::<Vec<_>>().join(", ");
    match failures.len().checked_sub(FAILURES_TOLD_MAX) {
        Some(more @ 1..) => why.push_str(&format!("; Creation failed: {shown} and {more} more.")),
        _ => why.push_str(&format!("; Creation failed: {shown}.")),
    }
}

fn task_ids(tasks: &Tasks) -> Vec<told::TaskIds> {
    let ids = tasks.iter().map(|(id, partitions)| told::TaskIds {
        subtopology_id: text(id),
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    });
    ids.collect()
}

fn endpoint_partitions(endpoint: EndpointPartitions) -> told::EndpointToPartitions {
    let partitions = |topics: Vec<(String, Vec<i32>)>| {
        let topics = topics.into_iter().map(|(topic, partitions)| told::TopicPartition {
            topic: text(&topic),
            partitions,
            ..Default::default()
        });
        topics.collect()
    };
    told::EndpointToPartitions {
        user_endpoint: told::Endpoint {
            host: text(&endpoint.endpoint.host),
            port: endpoint.endpoint.port,
            ..Default::default()
        },
        active_partitions: partitions(endpoint.active),
        standby_partitions: partitions(endpoint.standby),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_text_where_it_says_more_than_its_code() {
        let generic = refused(ErrorCode::UnsupportedVersion.into());
        assert_eq!((generic.error_code, generic.error_message), (35, None));
        let told = refused(invalid("MemberId can't be empty.".to_owned()));
        assert_eq!((told.error_code, told.error_message.as_deref()), (42, Some("MemberId can't be empty.")));
    }
}
