//! DescribeGroups, ListGroups and DeleteGroups.
//! Shell.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ottla_model::ErrorCode;
use ottla_model::topic::GROUP_METADATA_TOPIC;

use super::Reply;
use super::coordinator::GroupCoordinator;
use super::shard::{CommitWait, Shard};
use crate::group::counts::Rebalances;
use crate::group::modern::GroupError;
use crate::group::turn::Effects;
use crate::group::{ClassicDescription, GroupShard, ListedGroup};
use crate::java_hash::order_as_in_concurrent_map;

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
    /// what is not loaded yet the answer is an error, as it is not known. They come in Kafka's order: by the partitions
    /// that hold them, then by the slots of a table that grew to them.
    pub fn list_groups(&self, states: &[&str], types: &[&str]) -> Result<Vec<ListedGroup>, ErrorCode> {
        let mut groups = Vec::new();
        let mut shards = self.runtime.all_shards();
        order_as_in_concurrent_map(&mut shards, GROUP_METADATA_TOPIC, |shard| shard.partition);
        for shard in shards {
            match self.runtime.turn(&shard, |guard| guard.core().list(states, types)) {
                Ok(mut listed) => groups.append(&mut listed),
                Err(ErrorCode::NotCoordinator) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(groups)
    }

    /// How often groups were rebalanced since the start.
    pub fn rebalances(&self) -> Rebalances {
        self.runtime.settings.counts.rebalances()
    }

    /// How many groups there are of each protocol in each state, by Kafka's names of them; for metrics.
    pub fn count_groups(&self) -> BTreeMap<(&'static str, &'static str), usize> {
        let mut counts = BTreeMap::new();
        for shard in self.runtime.all_shards() {
            // A shard that is not loaded has no groups to count.
            let _ = self.runtime.turn(&shard, |guard| {
                for kind in guard.core().states() {
                    *counts.entry(kind).or_default() += 1;
                }
            });
        }
        counts
    }

    /// Each group once, and why it stays. Those of a partition go together, in one batch.
    pub fn delete_groups(&self, group_ids: &[&str]) -> Reply<Vec<(String, ErrorCode)>> {
        let mut seen = HashSet::new();
        let group_ids: Vec<&str> =
            group_ids.iter().copied().filter(|group_id| seen.insert(*group_id)).collect();
        let mut by_shard: Vec<(Arc<Shard<GroupShard>>, Vec<&str>)> = Vec::new();
        let mut deleted: HashMap<&str, (ErrorCode, Option<CommitWait<GroupShard>>)> = HashMap::new();
        for &group_id in &group_ids {
            match self.runtime.shard_for(group_id) {
                Err(error) => drop(deleted.insert(group_id, (error, None))),
                Ok(shard) => match by_shard.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &shard)) {
                    Some((_, of_shard)) => of_shard.push(group_id),
                    None => by_shard.push((shard, vec![group_id])),
                },
            }
        }
        for (shard, of_shard) in by_shard {
            let outcome = self.runtime.turn(&shard, |guard| {
                let mut together = Effects::default();
                let mut decide = |group_id: &str| {
                    let effects = guard.core().on_delete_group(group_id)?;
                    together.records.extend(effects.records);
                    Ok(())
                };
                let decided: Vec<Result<(), ErrorCode>> = of_shard.iter().map(|id| decide(id)).collect();
                let performed = guard.perform(together);
                let ended = of_shard.iter().zip(decided).map(|(group_id, decided)| {
                    decided.and(performed)?;
                    Ok(guard.core().last_record_offset(group_id))
                });
                ended.collect::<Vec<Result<_, ErrorCode>>>()
            });
            for (place, group_id) in of_shard.into_iter().enumerate() {
                let ended = outcome.as_ref().map_err(|error| *error).and_then(|ended| ended[place]);
                let settled = match ended {
                    Ok(after) => (ErrorCode::None, self.runtime.commit_wait(&shard, after)),
                    Err(error) => (error, None),
                };
                deleted.insert(group_id, settled);
            }
        }
        let in_order = group_ids.iter().map(|group_id| {
            let settled = deleted.remove(group_id);
            let (error, wait) = settled.unwrap_or((ErrorCode::UnknownServerError, None));
            (((*group_id).to_owned(), error), wait)
        });
        each_after(in_order.collect(), |(group_id, _), error| (group_id, error))
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
