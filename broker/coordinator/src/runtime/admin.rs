//! DescribeGroups, ListGroups and DeleteGroups.
//! Shell.

use std::collections::{BTreeMap, HashSet};

use ottla_model::ErrorCode;

use super::Reply;
use super::coordinator::GroupCoordinator;
use super::shard::CommitWait;
use crate::group::modern::GroupError;
use crate::group::{ClassicDescription, GroupShard, ListedGroup};

/// A group that was asked for, and what there is to say of it.
type Described = (String, Result<ClassicDescription, GroupError>);

impl GroupCoordinator {
    /// The groups of the classic protocol, in the order of their names here.
    pub fn describe_groups(&self, group_ids: &[&str]) -> Reply<Vec<Described>> {
        let described = group_ids.iter().map(|&group_id| {
            let found = self.runtime.shard_for(group_id).and_then(|shard| {
                let (group, after) = self.runtime.turn(&shard, |guard| {
                    let core = guard.core();
                    (core.describe(group_id), core.last_record_offset(group_id))
                })?;
                Ok((group, self.runtime.commit_wait(&shard, after)))
            });
            let (group, wait) = found.unwrap_or_else(|error| (Err(error.into()), None));
            ((group_id.to_owned(), group), wait)
        });
        each_after(described.collect(), |(group_id, _), error| (group_id, Err(error.into())))
    }

    /// Every group of this broker that is in one of the states and of one of the types; no names let all through. Of
    /// what is not loaded yet the answer is an error, as it is not known.
    pub fn list_groups(&self, states: &[&str], types: &[&str]) -> Result<Vec<ListedGroup>, ErrorCode> {
        let mut groups = Vec::new();
        for shard in self.runtime.all_shards() {
            match self.runtime.turn(&shard, |guard| guard.core().list(states, types)) {
                Ok(mut listed) => groups.append(&mut listed),
                Err(ErrorCode::NotCoordinator) => {}
                Err(error) => return Err(error),
            }
        }
        groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        Ok(groups)
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

    /// Each group once, and why it stays.
    pub fn delete_groups(&self, group_ids: &[&str]) -> Reply<Vec<(String, ErrorCode)>> {
        let mut seen = HashSet::new();
        let deleted = group_ids.iter().filter(|group_id| seen.insert(**group_id)).map(|&group_id| {
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
            ((group_id.to_owned(), error), wait)
        });
        each_after(deleted.collect(), |(group_id, _), error| (group_id, error))
    }
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
