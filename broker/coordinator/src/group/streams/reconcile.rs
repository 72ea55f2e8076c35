//! From the tasks a member has to those it is to have: first it gives up, then it is given what nobody has any more.
//! Core. After Kafka's `CurrentAssignmentBuilder` of streams groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::ErrorCode;

use super::owners::TaskOwners;
use super::{MemberState, StreamsMember};
use crate::group::modern::GroupError;
use crate::record::streams::{EpochTasks, Tasks, TasksTuple, TasksTupleWithEpochs};

/// The target of a member, and who has which task.
pub(super) struct Reconciling<'a> {
    pub target_epoch: i32,
    pub target: &'a TasksTuple,
    pub owners: &'a TaskOwners,
    /// What the member says it has; `None` when it does not say.
    pub owned: Option<&'a TasksTuple>,
}

/// What becomes of the tasks of one kind.
#[derive(Default)]
struct Difference<T> {
    stay: T,
    revoke: T,
    add: T,
}

impl Reconciling<'_> {
    /// The member as it is after this step.
    pub fn next(&self, member: &StreamsMember) -> Result<StreamsMember, GroupError> {
        match member.state {
            MemberState::Stable if member.member_epoch == self.target_epoch => Ok(member.clone()),
            MemberState::Stable | MemberState::UnreleasedTasks => Ok(self.step(member, member.member_epoch)),
            // The tasks are given up when they are not reported any more.
            MemberState::UnrevokedTasks if self.still_owns(&member.pending_revocation) => Ok(member.clone()),
            MemberState::UnrevokedTasks => Ok(self.step(member, member.member_epoch + 1)),
            // A later release left it so: the member begins anew, without tasks.
            MemberState::Unknown if self.owned.is_none_or(|owned| *owned != TasksTuple::default()) => {
                let message = "The streams group member is in a unknown state. The member must abandon all its \
                               tasks and rejoin.";
                Err(GroupError { code: ErrorCode::FencedMemberEpoch, message: message.to_owned() })
            }
            MemberState::Unknown => Ok(self.step(member, self.target_epoch)),
        }
    }

    fn still_owns(&self, tasks: &TasksTupleWithEpochs) -> bool {
        let Some(owned) = self.owned else { return true };
        let any = |owned: &Tasks, tasks: &Tasks| {
            owned.iter().any(|(id, partitions)| tasks.get(id).is_some_and(|of| !of.is_disjoint(partitions)))
        };
        let is_active = |(id, partitions): (&String, &BTreeSet<i32>)| {
            let of = tasks.active.get(id);
            of.is_some_and(|of| partitions.iter().any(|partition| of.contains_key(partition)))
        };
        owned.active.iter().any(is_active)
            || any(&owned.standby, &tasks.standby)
            || any(&owned.warmup, &tasks.warmup)
    }

    fn step(&self, member: &StreamsMember, epoch_before: i32) -> StreamsMember {
        let process = &*member.metadata.process_id;
        let is_beside = |id: &str, partition| self.owners.is_beside(id, partition, process);
        let is_elsewhere =
            |id: &str, partition| self.owners.active(id, partition).is_some() || is_beside(id, partition);
        let is_here = |id: &str, partition| {
            self.owners.active(id, partition) == Some(process) || is_beside(id, partition)
        };
        let (active, waits_active) = self.active_difference(&member.assigned.active, is_elsewhere);
        let (standby, waits_standby) = difference(&member.assigned.standby, &self.target.standby, is_here);
        let (warmup, waits_warmup) = difference(&member.assigned.warmup, &self.target.warmup, is_here);
        let is_waiting = waits_active || waits_standby || waits_warmup;
        let revoke =
            TasksTupleWithEpochs { active: active.revoke, standby: standby.revoke, warmup: warmup.revoke };
        let mut assigned =
            TasksTupleWithEpochs { active: active.stay, standby: standby.stay, warmup: warmup.stay };
        if !revoke.is_empty() && self.still_owns(&revoke) {
            return StreamsMember {
                state: MemberState::UnrevokedTasks,
                pending_revocation: Arc::new(revoke),
                ..moved(member, epoch_before, assigned)
            };
        }
        for (id, partitions) in active.add {
            assigned.active.entry(id).or_default().extend(partitions);
        }
        for (kind, add) in [(&mut assigned.standby, standby.add), (&mut assigned.warmup, warmup.add)] {
            for (id, partitions) in add {
                kind.entry(id).or_default().extend(partitions);
            }
        }
        let state = if is_waiting { MemberState::UnreleasedTasks } else { MemberState::Stable };
        StreamsMember {
            state,
            pending_revocation: Arc::default(),
            ..moved(member, self.target_epoch, assigned)
        }
    }

    /// As `difference`, for tasks that carry the epoch of their assignment.
    fn active_difference(
        &self,
        current: &EpochTasks,
        is_taken: impl Fn(&str, i32) -> bool,
    ) -> (Difference<EpochTasks>, bool) {
        let plain: Tasks =
            current.iter().map(|(id, tasks)| (id.clone(), tasks.keys().copied().collect())).collect();
        let (plain, is_waiting) = difference(&plain, &self.target.active, is_taken);
        let with_epochs = |tasks: Tasks| -> EpochTasks {
            let epoch = |id: &String, partition: i32| {
                let known = current.get(id).and_then(|tasks| tasks.get(&partition));
                known.copied().unwrap_or(self.target_epoch)
            };
            tasks
                .into_iter()
                .map(|(id, partitions)| {
                    let tasks = partitions.into_iter().map(|partition| (partition, epoch(&id, partition)));
                    let tasks: BTreeMap<i32, i32> = tasks.collect();
                    (id, tasks)
                })
                .collect()
        };
        let difference = Difference {
            stay: with_epochs(plain.stay),
            revoke: with_epochs(plain.revoke),
            add: with_epochs(plain.add),
        };
        (difference, is_waiting)
    }
}

/// The second part says whether the member has to wait for something.
fn difference(
    current: &Tasks,
    target: &Tasks,
    is_taken: impl Fn(&str, i32) -> bool,
) -> (Difference<Tasks>, bool) {
    let none = BTreeSet::new();
    let mut all = Difference::default();
    let mut is_waiting = false;
    let put = |tasks: &mut Tasks, id: &String, partitions: BTreeSet<i32>| {
        if !partitions.is_empty() {
            tasks.insert(id.clone(), partitions);
        }
    };
    for id in current.keys().chain(target.keys().filter(|id| !current.contains_key(*id))) {
        let (has, wanted) = (current.get(id).unwrap_or(&none), target.get(id).unwrap_or(&none));
        let mut add: BTreeSet<i32> = wanted - has;
        let wanted_count = add.len();
        add.retain(|partition| !is_taken(id, *partition));
        is_waiting |= add.len() < wanted_count;
        put(&mut all.stay, id, has & wanted);
        put(&mut all.revoke, id, has - wanted);
        put(&mut all.add, id, add);
    }
    (all, is_waiting)
}

fn moved(member: &StreamsMember, epoch: i32, assigned: TasksTupleWithEpochs) -> StreamsMember {
    let assigned =
        if assigned == *member.assigned { Arc::clone(&member.assigned) } else { Arc::new(assigned) };
    StreamsMember {
        previous_member_epoch: member.member_epoch,
        member_epoch: epoch,
        assigned,
        ..member.clone()
    }
}
