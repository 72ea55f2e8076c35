//! Committed offsets between the wire and the group coordinator: OffsetCommit, OffsetFetch, OffsetDelete, TxnOffsetCommit.
//! Core: the coordinator is asked by a function, whose answer says when it is durable.

use ottla_coordinator::group::{Committer, FetchedOffset, OffsetDeletePartitions, OffsetToCommit};
use ottla_coordinator::runtime::{Durable, FetchedOffsets, WantedOffsets, WantedTopic};
use ottla_coordinator::{Reply, TopicLookup};
use ottla_model::{ErrorCode, TopicId, TopicName};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, TxnOffsetCommitRequest,
};

/// The first version of OffsetCommit that may name a member epoch.
const MEMBER_EPOCH_VERSION_MIN: i16 = 9;
/// The first versions of OffsetCommit and OffsetFetch that name topics by id alone.
const TOPIC_ID_VERSION_MIN: i16 = 10;
/// The first version of OffsetFetch that asks for several groups.
const GROUPS_VERSION_MIN: i16 = 8;
/// The first version of OffsetFetch with a place for a group's error.
const GROUP_ERROR_VERSION_MIN: i16 = 2;

/// What the coordinator answers, or an error for all.
pub type Asked<T> = Result<(T, Durable), ErrorCode>;

/// One topic of an OffsetCommit, with what was decided before the group's coordinator is asked.
struct CommitTopic {
    name: TopicName,
    id: TopicId,
    /// The topic or one of its partitions is unknown. Kafka answers for those first.
    is_refused: bool,
    /// The partitions that exist, as places in the request's list.
    places: Vec<usize>,
    response: OffsetCommitResponseTopic,
}

pub fn commit(
    version: i16,
    request: &OffsetCommitRequest,
    topics: &dyn TopicLookup,
    ask: impl FnOnce(&Committer<'_>, &[OffsetToCommit<'_>]) -> Asked<Vec<ErrorCode>>,
) -> Reply<OffsetCommitResponse> {
    let plan: Vec<CommitTopic> =
        request.topics.iter().map(|topic| plan_commit(version, topic, topics)).collect();
    // Nothing that exists: no coordinator is asked, and any group is answered so.
    if plan.iter().all(|topic| topic.places.is_empty()) {
        return Reply::Now(respond_commit(request, plan, &Ok(Vec::new())));
    }
    let committer = Committer {
        group_id: &request.group_id,
        member_id: &request.member_id,
        group_instance_id: request.group_instance_id.as_deref(),
        generation_id: request.generation_id_or_member_epoch,
        knows_member_epochs: version >= MEMBER_EPOCH_VERSION_MIN,
        retention_time_ms: request.retention_time_ms,
    };
    let offsets: Vec<OffsetToCommit<'_>> = plan
        .iter()
        .zip(&request.topics)
        .flat_map(|(topic, asked)| {
            topic.places.iter().map(|&place| {
                let partition = &asked.partitions[place];
                OffsetToCommit {
                    topic: &topic.name,
                    topic_id: topic.id,
                    partition: partition.partition_index,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata.as_deref().unwrap_or(""),
                }
            })
        })
        .collect();
    let (errors, durable) = match ask(&committer, &offsets) {
        Ok((errors, durable)) => (Ok(errors), durable),
        Err(error) => (Err(error), None),
    };
    drop(offsets);
    let response = respond_commit(request, plan, &errors);
    match durable {
        None => Reply::Now(response),
        Some(durable) => Reply::Later(Box::pin(async move {
            match durable.await {
                Ok(()) => response,
                Err(error) => fail_all(response, error),
            }
        })),
    }
}

fn plan_commit(version: i16, topic: &OffsetCommitRequestTopic, topics: &dyn TopicLookup) -> CommitTopic {
    let by_id = version >= TOPIC_ID_VERSION_MIN;
    let (name, id) = if by_id {
        (topics.topic_name(TopicId(topic.topic_id)), Some(TopicId(topic.topic_id)))
    } else {
        (Some(TopicName::new(&topic.name)), topics.topic_id(&topic.name))
    };
    let missing = match (&name, id) {
        (None, _) => Some(ErrorCode::UnknownTopicId),
        (_, None) => Some(ErrorCode::UnknownTopicOrPartition),
        _ => None,
    };
    let mut plan = CommitTopic {
        name: name.unwrap_or_else(|| TopicName::new("")),
        id: id.unwrap_or(TopicId::ZERO),
        is_refused: missing.is_some(),
        places: Vec::with_capacity(topic.partitions.len()),
        response: OffsetCommitResponseTopic {
            name: if by_id { Default::default() } else { topic.name.clone() },
            topic_id: if by_id { topic.topic_id } else { Default::default() },
            ..Default::default()
        },
    };
    for (place, partition) in topic.partitions.iter().enumerate() {
        let error = missing.or_else(|| {
            (!topics.has_partition(plan.name.as_str(), partition.partition_index))
                .then_some(ErrorCode::UnknownTopicOrPartition)
        });
        match error {
            None => plan.places.push(place),
            Some(error) => {
                plan.is_refused = true;
                plan.response.partitions.push(commit_answer(partition.partition_index, error));
            }
        }
    }
    plan
}

fn commit_answer(partition_index: i32, error: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index, error_code: error.code(), ..Default::default() }
}

/// `errors` are those of the offsets that the coordinator was asked for, in their order.
fn respond_commit(
    request: &OffsetCommitRequest,
    plan: Vec<CommitTopic>,
    errors: &Result<Vec<ErrorCode>, ErrorCode>,
) -> OffsetCommitResponse {
    let mut index = 0;
    let (mut refused, mut taken) = (Vec::new(), Vec::new());
    for (topic, asked) in plan.into_iter().zip(&request.topics) {
        let mut response = topic.response;
        for place in topic.places {
            let error = match errors {
                Ok(errors) => errors[index],
                Err(error) => *error,
            };
            response.partitions.push(commit_answer(asked.partitions[place].partition_index, error));
            index += 1;
        }
        if topic.is_refused {
            refused.push(response);
        } else if !response.partitions.is_empty() {
            taken.push(response);
        }
    }
    refused.append(&mut taken);
    OffsetCommitResponse { topics: refused, ..Default::default() }
}

fn fail_all(mut response: OffsetCommitResponse, error: ErrorCode) -> OffsetCommitResponse {
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        if partition.error_code == ErrorCode::None.code() {
            partition.error_code = error.code();
        }
    }
    response
}

/// As `commit`, in a transaction. The errors are those of the request's partitions, in their order.
pub fn commit_in_transaction(
    request: &TxnOffsetCommitRequest,
    topics: &dyn TopicLookup,
    ask: impl FnOnce(&Committer<'_>, &[OffsetToCommit<'_>]) -> Asked<Vec<ErrorCode>>,
) -> Asked<Vec<ErrorCode>> {
    let committer = Committer {
        group_id: &request.group_id,
        member_id: &request.member_id,
        group_instance_id: request.group_instance_id.as_deref(),
        generation_id: request.generation_id,
        knows_member_epochs: false,
        retention_time_ms: -1,
    };
    let names: Vec<TopicName> = request.topics.iter().map(|topic| TopicName::new(&topic.name)).collect();
    let (mut refused, mut offsets) = (Vec::new(), Vec::new());
    for (name, topic) in names.iter().zip(&request.topics) {
        for partition in &topic.partitions {
            match topics.topic_id(name.as_str()) {
                Some(topic_id) if topics.has_partition(name.as_str(), partition.partition_index) => {
                    refused.push(None);
                    offsets.push(OffsetToCommit {
                        topic: name,
                        topic_id,
                        partition: partition.partition_index,
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: partition.committed_metadata.as_deref().unwrap_or(""),
                    });
                }
                _ => refused.push(Some(ErrorCode::UnknownTopicOrPartition)),
            }
        }
    }
    let (decided, durable) = ask(&committer, &offsets)?;
    let mut decided = decided.into_iter();
    let errors = refused
        .into_iter()
        .map(|refused| refused.or_else(|| decided.next()).unwrap_or(ErrorCode::UnknownServerError));
    Ok((errors.collect(), durable))
}

pub fn fetch(
    version: i16,
    request: &OffsetFetchRequest,
    topics: &dyn TopicLookup,
    ask: impl Fn(&WantedOffsets<'_>) -> Asked<FetchedOffsets>,
) -> Reply<OffsetFetchResponse> {
    let lone;
    let groups = if version >= GROUPS_VERSION_MIN {
        &request.groups
    } else {
        lone = [lone_group(request)];
        &lone[..]
    };
    let fetch = |group| fetch_group(version, group, request.require_stable, topics, &ask);
    let fetched: Vec<_> = groups.iter().map(fetch).collect();
    if fetched.iter().all(|(_, durable, _)| durable.is_none()) {
        let groups = fetched.into_iter().map(|(group, ..)| group).collect();
        return Reply::Now(respond_fetch(version, groups));
    }
    Reply::Later(Box::pin(async move {
        let mut groups = Vec::with_capacity(fetched.len());
        for (group, durable, request) in fetched {
            groups.push(match durable {
                None => group,
                Some(durable) => match durable.await {
                    Ok(()) => group,
                    Err(error) => fetch_error(version, &request, error),
                },
            });
        }
        respond_fetch(version, groups)
    }))
}

/// Before v8 a request is one group's.
fn lone_group(request: &OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name.clone(),
            partition_indexes: topic.partition_indexes.clone(),
            ..Default::default()
        });
        topics.collect()
    });
    OffsetFetchRequestGroup { group_id: request.group_id.clone(), topics, ..Default::default() }
}

/// The group's answer, when it is durable, and the request for the case that it never is.
fn fetch_group(
    version: i16,
    request: &OffsetFetchRequestGroup,
    require_stable: bool,
    topics: &dyn TopicLookup,
    ask: impl Fn(&WantedOffsets<'_>) -> Asked<FetchedOffsets>,
) -> (OffsetFetchResponseGroup, Durable, OffsetFetchRequestGroup) {
    let mut wanted = WantedOffsets {
        group_id: &request.group_id,
        member_id: request.member_id.as_deref(),
        member_epoch: request.member_epoch,
        require_stable,
        topics: None,
    };
    let mut named = request.topics.as_ref().map(|topics_named| name_topics(version, topics_named, topics));
    if let Some(named) = &mut named {
        wanted.topics = Some(std::mem::take(&mut named.wanted));
    }
    match ask(&wanted) {
        Err(error) => (fetch_error(version, request, error), None, OffsetFetchRequestGroup::default()),
        Ok((fetched, durable)) => {
            let group_id = request.group_id.clone();
            let topics = match named {
                None => all_topics(version, fetched, topics),
                Some(named) => named.respond(fetched),
            };
            let group = OffsetFetchResponseGroup { group_id, topics, ..Default::default() };
            let kept = if durable.is_some() { request.clone() } else { Default::default() };
            (group, durable, kept)
        }
    }
}

fn all_topics(
    version: i16,
    fetched: FetchedOffsets,
    topics: &dyn TopicLookup,
) -> Vec<OffsetFetchResponseTopics> {
    let respond = |(name, offsets): (TopicName, Vec<FetchedOffset>)| {
        let mut topic = OffsetFetchResponseTopics::default();
        if version >= TOPIC_ID_VERSION_MIN {
            // A topic that is gone has no id to be named by.
            topic.topic_id = topics.topic_id(name.as_str())?.0;
        } else {
            topic.name = text(name.as_str());
        }
        topic.partitions = offsets.into_iter().map(fetch_answer).collect();
        Some(topic)
    };
    fetched.into_iter().filter_map(respond).collect()
}

/// Topics that a request names, and the answers for them without their partitions.
struct NamedTopics<'a> {
    wanted: Vec<WantedTopic<'a>>,
    known: Vec<OffsetFetchResponseTopics>,
    unknown: Vec<OffsetFetchResponseTopics>,
}

fn name_topics<'a>(
    version: i16,
    named: &'a [OffsetFetchRequestTopics],
    topics: &dyn TopicLookup,
) -> NamedTopics<'a> {
    let (wanted, known) = (Vec::with_capacity(named.len()), Vec::with_capacity(named.len()));
    let mut plan = NamedTopics { wanted, known, unknown: Vec::new() };
    for topic in named {
        let mut response = OffsetFetchResponseTopics::default();
        let (name, id) = if version >= TOPIC_ID_VERSION_MIN {
            response.topic_id = topic.topic_id;
            (topics.topic_name(TopicId(topic.topic_id)), TopicId(topic.topic_id))
        } else {
            response.name = topic.name.clone();
            // Where a full device refused to forget the topic that had the name before, its offsets are
            // still there: they are not this one's.
            let id = topics.topic_id(&topic.name).unwrap_or(TopicId::ZERO);
            (Some(TopicName::new(&topic.name)), id)
        };
        match name {
            Some(name) => {
                plan.wanted.push(WantedTopic { name, id, partitions: &topic.partition_indexes });
                plan.known.push(response);
            }
            None => {
                response.partitions = no_offsets(&topic.partition_indexes, ErrorCode::UnknownTopicId);
                plan.unknown.push(response);
            }
        }
    }
    plan
}

impl NamedTopics<'_> {
    fn respond(mut self, fetched: FetchedOffsets) -> Vec<OffsetFetchResponseTopics> {
        assert_eq!(self.known.len(), fetched.len(), "a topic that is asked for is answered");
        for (response, (_, offsets)) in self.known.iter_mut().zip(fetched) {
            response.partitions = offsets.into_iter().map(fetch_answer).collect();
        }
        self.known.append(&mut self.unknown);
        self.known
    }
}

fn no_offsets(partitions: &[i32], error: ErrorCode) -> Vec<OffsetFetchResponsePartitions> {
    let answer = |&partition_index: &i32| OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(Default::default()),
        error_code: error.code(),
        ..Default::default()
    };
    partitions.iter().map(answer).collect()
}

fn fetch_answer(fetched: FetchedOffset) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(text(&fetched.metadata)),
        error_code: fetched.error.code(),
        ..Default::default()
    }
}

/// v1 has no place for a group's error but each partition.
fn fetch_error(
    version: i16,
    request: &OffsetFetchRequestGroup,
    error: ErrorCode,
) -> OffsetFetchResponseGroup {
    let mut group = OffsetFetchResponseGroup { group_id: request.group_id.clone(), ..Default::default() };
    if version >= GROUP_ERROR_VERSION_MIN {
        group.error_code = error.code();
        return group;
    }
    let topics = request.topics.iter().flatten().map(|topic| OffsetFetchResponseTopics {
        name: topic.name.clone(),
        partitions: no_offsets(&topic.partition_indexes, error),
        ..Default::default()
    });
    group.topics = topics.collect();
    group
}

fn respond_fetch(version: i16, groups: Vec<OffsetFetchResponseGroup>) -> OffsetFetchResponse {
    if version >= GROUPS_VERSION_MIN {
        return OffsetFetchResponse { groups, ..Default::default() };
    }
    let mut response = OffsetFetchResponse::default();
    for group in groups {
        response.error_code = group.error_code;
        response.topics = group
            .topics
            .into_iter()
            .map(|topic| OffsetFetchResponseTopic {
                name: topic.name,
                partitions: topic.partitions.into_iter().map(flat_partition).collect(),
                ..Default::default()
            })
            .collect();
    }
    response
}

fn flat_partition(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
        ..Default::default()
    }
}

pub fn delete(
    request: &OffsetDeleteRequest,
    topics: &dyn TopicLookup,
    ask: impl FnOnce(&str, &[OffsetDeletePartitions]) -> Asked<Vec<ErrorCode>>,
) -> Reply<OffsetDeleteResponse> {
    let fail = |error: ErrorCode| OffsetDeleteResponse::default().with_error_code(error.code());
    if request.group_id.is_empty() {
        return Reply::Now(fail(ErrorCode::InvalidGroupId));
    }
    let mut answers: Vec<OffsetDeleteResponseTopic> = Vec::new();
    let mut wanted: Vec<OffsetDeletePartitions> = Vec::new();
    for topic in &request.topics {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        let (there, absent): (Vec<i32>, Vec<i32>) =
            indexes.partition(|&partition| topics.has_partition(&topic.name, partition));
        if !absent.is_empty() {
            answers.push(
                OffsetDeleteResponseTopic::default()
                    .with_name(topic.name.clone())
                    .with_partitions(deleted(&absent, ErrorCode::UnknownTopicOrPartition)),
            );
        }
        if !there.is_empty() {
            wanted.push(OffsetDeletePartitions { name: TopicName::new(&topic.name), partitions: there });
        }
    }
    let (errors, durable) = match ask(&request.group_id, &wanted) {
        Ok(asked) => asked,
        Err(error) => return Reply::Now(fail(error)),
    };
    assert_eq!(errors.len(), wanted.len(), "a topic that is asked for is answered");
    for (topic, error) in wanted.iter().zip(errors) {
        let partitions = deleted(&topic.partitions, error);
        match answers.iter_mut().find(|answer| *answer.name.0 == *topic.name.as_str()) {
            Some(answer) => answer.partitions.extend(partitions),
            None => {
                let mut answer = OffsetDeleteResponseTopic::default().with_partitions(partitions);
                answer.name = text(topic.name.as_str()).into();
                answers.push(answer);
            }
        }
    }
    let response = OffsetDeleteResponse::default().with_topics(answers);
    match durable {
        None => Reply::Now(response),
        Some(durable) => Reply::Later(Box::pin(async move {
            match durable.await {
                Ok(()) => response,
                Err(error) => fail(error),
            }
        })),
    }
}

fn deleted(partitions: &[i32], error: ErrorCode) -> Vec<OffsetDeleteResponsePartition> {
    let answer = |&partition: &i32| {
        OffsetDeleteResponsePartition::default().with_partition_index(partition).with_error_code(error.code())
    };
    partitions.iter().map(answer).collect()
}

fn text(text: &str) -> StrBytes {
    if text.is_empty() { StrBytes::default() } else { StrBytes::from_string(text.to_owned()) }
}

#[cfg(test)]
#[path = "group_offsets_tests.rs"]
mod tests;
