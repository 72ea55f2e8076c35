//! DescribeGroups, ListGroups and DeleteGroups.
//! Shell.

use std::collections::{BTreeMap, HashSet};

use ottla_model::ErrorCode;

use super::Reply;
use super::coordinator::GroupCoordinator;
use super::shard::CommitWait;
use crate::group::GroupShard;
use crate::wire::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, DescribedGroup, ListGroupsRequest, ListGroupsResponse, text,
};

impl GroupCoordinator {
    pub fn describe_groups(&self, request: &DescribeGroupsRequest) -> Reply<DescribeGroupsResponse> {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group_id in &request.groups {
            let described = self.runtime.shard_for(group_id).and_then(|shard| {
                let (group, after) = self.runtime.turn(&shard, |guard| {
                    let core = guard.core();
                    (core.describe(group_id), core.last_record_offset(group_id))
                })?;
                Ok((group, self.runtime.commit_wait(&shard, after)))
            });
            groups.push(described.unwrap_or_else(|error| (describe_error(group_id, error), None)));
        }
        each_after(groups, |group: DescribedGroup, error| {
            DescribedGroup::default().with_group_id(group.group_id).with_error_code(error.code())
        })
        .map(|groups| DescribeGroupsResponse::default().with_groups(groups))
    }

    /// Every group of this broker; of what is not loaded yet the answer is an error, as it is not known.
    pub fn list_groups(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let owned = |filter: &[crate::wire::StrBytes]| filter.iter().map(|name| name.to_string()).collect();
        let (states, types): (Vec<String>, Vec<String>) =
            (owned(&request.states_filter), owned(&request.types_filter));
        let mut groups = Vec::new();
        for shard in self.runtime.all_shards() {
            match self.runtime.turn(&shard, |guard| guard.core().list(&states, &types)) {
                Ok(mut listed) => groups.append(&mut listed),
                Err(ErrorCode::NotCoordinator) => {}
                Err(error) => return ListGroupsResponse::default().with_error_code(error.code()),
            }
        }
        groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        ListGroupsResponse::default().with_groups(groups)
    }

    /// How many groups are in each state, by Kafka's names of them; for metrics.
    pub fn count_groups(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for shard in self.runtime.all_shards() {
            // A shard that is not loaded has no groups to count.
            let _ = self.runtime.turn(&shard, |guard| {
                for state in guard.core().states() {
                    *counts.entry(state).or_default() += 1;
                }
            });
        }
        counts
    }

    pub fn delete_groups(&self, request: &DeleteGroupsRequest) -> Reply<DeleteGroupsResponse> {
        let mut seen = HashSet::new();
        let mut results = Vec::with_capacity(request.groups_names.len());
        for group_id in request.groups_names.iter().filter(|group_id| seen.insert(&***group_id)) {
            let deleted = self.runtime.shard_for(group_id).and_then(|shard| {
                let after = self.runtime.turn(&shard, |guard| {
                    let effects = guard.core().on_delete_group(group_id)?;
                    guard.perform(effects)?;
                    Ok(guard.core().last_record_offset(group_id))
                })??;
                Ok(self.runtime.commit_wait(&shard, after))
            });
            let (error, wait) = match deleted {
                Ok(wait) => (ErrorCode::None, wait),
                Err(error) => (error, None),
            };
            let result = DeletableGroupResult::default()
                .with_group_id(text(group_id).into())
                .with_error_code(error.code());
            results.push((result, wait));
        }
        each_after(results, |result: DeletableGroupResult, error| result.with_error_code(error.code()))
            .map(|results| DeleteGroupsResponse::default().with_results(results))
    }
}

fn describe_error(group_id: &str, error: ErrorCode) -> DescribedGroup {
    DescribedGroup::default().with_group_id(text(group_id).into()).with_error_code(error.code())
}

/// Each part of an answer after its own commit.
fn each_after<T: Send + 'static>(
    parts: Vec<(T, Option<CommitWait<GroupShard>>)>,
    on_error: impl Fn(T, ErrorCode) -> T + Send + 'static,
) -> Reply<Vec<T>> {
    if parts.iter().all(|(_, wait)| wait.is_none()) {
        return Reply::Now(parts.into_iter().map(|(part, _)| part).collect());
    }
    Reply::Later(Box::pin(async move {
        let mut settled = Vec::with_capacity(parts.len());
        for (part, wait) in parts {
            settled.push(match wait {
                None => part,
                Some(wait) => match wait.wait().await {
                    Ok(()) => part,
                    Err(error) => on_error(part, error),
                },
            });
        }
        settled
    }))
}
