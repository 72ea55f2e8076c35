//! OffsetCommit, OffsetFetch and OffsetDelete.
//! Shell.

use ottla_model::{ErrorCode, TopicId, TopicName};

use super::coordinator::GroupCoordinator;
use super::shard::CommitWait;
use super::{Reply, RequestContext, TopicLookup};
use crate::group::{Committer, FetchedOffset, GroupShard, OffsetDeletePartitions, OffsetToCommit};
use crate::wire::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic, OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic, OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics, text,
};

/// The first version that names topics by id alone.
const TOPIC_ID_VERSION_MIN: i16 = 10;

/// One topic of an OffsetCommit, with what was decided before the group's shard is entered.
struct CommitTopic<'a> {
    name: TopicName,
    id: TopicId,
    /// The topic or one of its partitions is unknown. Kafka answers for those first.
    is_refused: bool,
    /// The partitions that exist, in the order of the request.
    partitions: Vec<&'a OffsetCommitRequestPartition>,
    response: OffsetCommitResponseTopic,
}

impl GroupCoordinator {
    pub fn commit_offsets(
        &self,
        context: &RequestContext,
        request: &OffsetCommitRequest,
        topics: &dyn TopicLookup,
    ) -> Reply<OffsetCommitResponse> {
        let mut plan = plan_commit(context.api_version, request, topics);
        // Nothing that exists: no shard is entered, and any group is answered so.
        if plan.iter().all(|topic| topic.partitions.is_empty()) {
            return Reply::Now(respond_commit(&mut plan, |_| ErrorCode::None));
        }
        let committer = Committer {
            group_id: &request.group_id,
            member_id: &request.member_id,
            group_instance_id: request.group_instance_id.as_deref(),
            generation_id: request.generation_id_or_member_epoch,
            api_version: context.api_version,
            retention_time_ms: request.retention_time_ms,
        };
        let offsets: Vec<OffsetToCommit<'_>> = plan
            .iter()
            .flat_map(|topic| {
                topic.partitions.iter().map(|partition| OffsetToCommit {
                    topic: &topic.name,
                    topic_id: topic.id,
                    partition: partition.partition_index,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata.as_deref().unwrap_or(""),
                })
            })
            .collect();
        let shard = match self.runtime.shard_for(&request.group_id) {
            Ok(shard) => shard,
            Err(error) => {
                drop(offsets);
                return Reply::Now(respond_commit(&mut plan, |_| error));
            }
        };
        let committed = self.runtime.turn(&shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let (effects, errors) = guard.core().on_offset_commit(&committer, &offsets, now, wall_ms)?;
            guard.perform(effects)?;
            Ok((errors, guard.core().last_record_offset(committer.group_id)))
        });
        drop(offsets);
        match committed.and_then(|outcome| outcome) {
            Err(error) => Reply::Now(respond_commit(&mut plan, |_| error)),
            Ok((errors, after)) => {
                let response = respond_commit(&mut plan, |index| errors[index]);
                match self.runtime.commit_wait(&shard, after) {
                    None => Reply::Now(response),
                    Some(wait) => Reply::Later(Box::pin(async move {
                        match wait.wait().await {
                            Ok(()) => response,
                            Err(error) => fail_all(response, error),
                        }
                    })),
                }
            }
        }
    }

    pub fn fetch_offsets(
        &self,
        context: &RequestContext,
        request: &OffsetFetchRequest,
        topics: &dyn TopicLookup,
    ) -> Reply<OffsetFetchResponse> {
        let version = context.api_version;
        // Before v8 a request is one group's.
        let lone;
        let groups = if version >= 8 {
            &request.groups
        } else {
            let mut group =
                OffsetFetchRequestGroup { group_id: request.group_id.clone(), ..Default::default() };
            group.topics = request.topics.as_ref().map(|topics| {
                topics
                    .iter()
                    .map(|topic| OffsetFetchRequestTopics {
                        name: topic.name.clone(),
                        partition_indexes: topic.partition_indexes.clone(),
                        ..Default::default()
                    })
                    .collect()
            });
            lone = vec![group];
            &lone
        };
        let mut fetched = Vec::with_capacity(groups.len());
        for group in groups {
            fetched.push(self.fetch_group(version, group, request.require_stable, topics));
        }
        if fetched.iter().all(|(_, wait, _)| wait.is_none()) {
            return Reply::Now(respond_fetch(
                version,
                fetched.into_iter().map(|(group, ..)| group).collect(),
            ));
        }
        Reply::Later(Box::pin(async move {
            let mut groups = Vec::with_capacity(fetched.len());
            for (group, wait, request) in fetched {
                groups.push(match wait {
                    None => group,
                    Some(wait) => match wait.wait().await {
                        Ok(()) => group,
                        Err(error) => fetch_error(version, &request, error),
                    },
                });
            }
            respond_fetch(version, groups)
        }))
    }

    fn fetch_group(
        &self,
        version: i16,
        request: &OffsetFetchRequestGroup,
        require_stable: bool,
        topics: &dyn TopicLookup,
    ) -> (OffsetFetchResponseGroup, Option<CommitWait<GroupShard>>, OffsetFetchRequestGroup) {
        let group_id: &str = &request.group_id;
        let outcome = self.runtime.shard_for(group_id).and_then(|shard| {
            let read = self.runtime.turn(&shard, |guard| {
                let core = guard.core();
                let member_id = request.member_id.as_deref();
                core.validate_offset_fetch(group_id, member_id, request.member_epoch)?;
                let fetched = match &request.topics {
                    None => all_topics(version, core.fetch_all_offsets(group_id, require_stable), topics),
                    Some(wanted) => named_topics(version, wanted, topics, |name, id, partitions| {
                        core.fetch_offsets(group_id, name, id, partitions, require_stable)
                    }),
                };
                Ok((fetched, core.last_record_offset(group_id)))
            });
            read?.map(|(fetched, after)| (fetched, self.runtime.commit_wait(&shard, after)))
        });
        match outcome {
            Ok((topics, wait)) => {
                let group = OffsetFetchResponseGroup {
                    group_id: request.group_id.clone(),
                    topics,
                    ..Default::default()
                };
                // The request is kept for the case that the wait fails.
                let request =
                    if wait.is_some() { request.clone() } else { OffsetFetchRequestGroup::default() };
                (group, wait, request)
            }
            Err(error) => (fetch_error(version, request, error), None, OffsetFetchRequestGroup::default()),
        }
    }

    pub fn delete_offsets(
        &self,
        request: &OffsetDeleteRequest,
        topics: &dyn TopicLookup,
    ) -> Reply<OffsetDeleteResponse> {
        let fail = |error: ErrorCode| OffsetDeleteResponse::default().with_error_code(error.code());
        if request.group_id.is_empty() {
            return Reply::Now(fail(ErrorCode::InvalidGroupId));
        }
        let mut refused: Vec<OffsetDeleteResponseTopic> = Vec::new();
        let mut wanted: Vec<OffsetDeletePartitions> = Vec::new();
        for topic in &request.topics {
            let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
            let (there, absent): (Vec<i32>, Vec<i32>) =
                indexes.partition(|&partition| topics.has_partition(&topic.name, partition));
            if !absent.is_empty() {
                let partitions = absent.into_iter().map(|partition| {
                    OffsetDeleteResponsePartition::default()
                        .with_partition_index(partition)
                        .with_error_code(ErrorCode::UnknownTopicOrPartition.code())
                });
                refused.push(
                    OffsetDeleteResponseTopic::default()
                        .with_name(topic.name.clone())
                        .with_partitions(partitions.collect()),
                );
            }
            if !there.is_empty() {
                wanted.push(OffsetDeletePartitions { name: TopicName::new(&topic.name), partitions: there });
            }
        }
        let group_id: &str = &request.group_id;
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(fail(error)),
        };
        let deleted = self.runtime.turn(&shard, |guard| {
            let (effects, response) = guard.core().on_offset_delete(group_id, &wanted)?;
            guard.perform(effects)?;
            Ok((response, guard.core().last_record_offset(group_id)))
        });
        match deleted.and_then(|outcome| outcome) {
            Err(error) => Reply::Now(fail(error)),
            Ok((response, after)) => {
                let response = merge_deleted(refused, response);
                self.runtime.reply_after(&shard, after, response, fail)
            }
        }
    }
}

fn plan_commit<'a>(
    version: i16,
    request: &'a OffsetCommitRequest,
    topics: &dyn TopicLookup,
) -> Vec<CommitTopic<'a>> {
    let mut plan = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
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
        let name = name.unwrap_or_else(|| TopicName::new(""));
        let mut one = CommitTopic {
            id: id.unwrap_or(TopicId::ZERO),
            is_refused: missing.is_some(),
            partitions: Vec::with_capacity(topic.partitions.len()),
            response: OffsetCommitResponseTopic {
                name: if by_id { Default::default() } else { topic.name.clone() },
                topic_id: if by_id { topic.topic_id } else { Default::default() },
                ..Default::default()
            },
            name,
        };
        for partition in &topic.partitions {
            let error = missing.or_else(|| {
                (!topics.has_partition(one.name.as_str(), partition.partition_index))
                    .then_some(ErrorCode::UnknownTopicOrPartition)
            });
            match error {
                None => one.partitions.push(partition),
                Some(error) => {
                    one.is_refused = true;
                    one.response.partitions.push(commit_answer(partition.partition_index, error));
                }
            }
        }
        plan.push(one);
    }
    plan
}

fn commit_answer(partition_index: i32, error: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index, error_code: error.code(), ..Default::default() }
}

/// `error_of` gives the error of the offset at this place among those that were sent to the coordinator.
fn respond_commit(
    plan: &mut Vec<CommitTopic<'_>>,
    error_of: impl Fn(usize) -> ErrorCode,
) -> OffsetCommitResponse {
    let mut index = 0;
    let (mut refused, mut taken) = (Vec::new(), Vec::new());
    for topic in plan.drain(..) {
        let mut response = topic.response;
        for partition in topic.partitions {
            response.partitions.push(commit_answer(partition.partition_index, error_of(index)));
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

fn all_topics(
    version: i16,
    fetched: Vec<(TopicName, Vec<FetchedOffset>)>,
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

fn named_topics(
    version: i16,
    wanted: &[OffsetFetchRequestTopics],
    topics: &dyn TopicLookup,
    fetch: impl Fn(&TopicName, TopicId, &[i32]) -> Vec<FetchedOffset>,
) -> Vec<OffsetFetchResponseTopics> {
    let (mut found, mut unknown) = (Vec::with_capacity(wanted.len()), Vec::new());
    for topic in wanted {
        let by_id = version >= TOPIC_ID_VERSION_MIN;
        let mut response = OffsetFetchResponseTopics::default();
        let name = if by_id {
            response.topic_id = topic.topic_id;
            topics.topic_name(TopicId(topic.topic_id))
        } else {
            response.name = topic.name.clone();
            Some(TopicName::new(&topic.name))
        };
        let id = match by_id {
            true => TopicId(topic.topic_id),
            // Where a full device refused to forget the topic that had the name before, its offsets are
            // still here: they are not this one's.
            false => topics.topic_id(&topic.name).unwrap_or(TopicId::ZERO),
        };
        match name {
            Some(name) => {
                let offsets = fetch(&name, id, &topic.partition_indexes);
                response.partitions = offsets.into_iter().map(fetch_answer).collect();
                found.push(response);
            }
            None => {
                response.partitions = no_offsets(&topic.partition_indexes, ErrorCode::UnknownTopicId);
                unknown.push(response);
            }
        }
    }
    found.append(&mut unknown);
    found
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
    if version >= 2 {
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
    if version >= 8 {
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
    // v1 has no field for it; the partitions carry it.
    if version < 2 {
        response.error_code = ErrorCode::None.code();
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

fn merge_deleted(
    mut refused: Vec<OffsetDeleteResponseTopic>,
    response: OffsetDeleteResponse,
) -> OffsetDeleteResponse {
    for topic in response.topics {
        match refused.iter_mut().find(|other| other.name == topic.name) {
            Some(other) => other.partitions.extend(topic.partitions),
            None => refused.push(topic),
        }
    }
    OffsetDeleteResponse::default().with_topics(refused)
}
