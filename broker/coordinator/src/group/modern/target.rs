//! The assignment that a group's members move to, and how it is computed outside of the shard's lock.
//! Core.
//!
//! An assignor may take long. A turn that needs a new target therefore changes nothing and returns a
//! `TargetTask`: what the assignor needs, taken under the lock. The shell computes it without the lock and
//! repeats the turn with what came out, which counts only if what the assignor is given is as it was
//! (`changes`) and the epoch is the one that was computed for.
//!
//! One target of a group is computed at a time. Whoever comes meanwhile changes the group without one, as if the
//! assignment interval were not over: the computation that is under way is repeated with all that has changed, and
//! whoever needs the target waits for it (`Awaited`). So members that join at once cost two or three targets in all.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_model::MemberId;
use tokio::sync::watch;

use super::{ModernGroup, ModernMember};
use crate::group::turn::Effects;

/// A target assignment as the records have it; `A` is what one member is to have.
pub struct Target<A> {
    epoch: i32,
    timestamp_ms: i64,
    assignments: BTreeMap<MemberId, Arc<A>>,
}

impl<A: PartialEq> Target<A> {
    /// That of a group of this epoch that has had no member.
    pub fn new(epoch: i32) -> Target<A> {
        Target { epoch, timestamp_ms: 0, assignments: BTreeMap::new() }
    }

    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    pub fn of(&self, member: &MemberId) -> Option<&Arc<A>> {
        self.assignments.get(member)
    }

    pub fn assignments(&self) -> impl Iterator<Item = &A> {
        self.assignments.values().map(|assignment| &**assignment)
    }

    /// Whether a group of this epoch is to be assigned anew now. A wall clock that was set back has said nothing
    /// about the interval, and must not hold the group up.
    pub fn is_due(&self, epoch: i32, interval_ms: i32, wall_ms: i64) -> bool {
        self.epoch < epoch && self.may_compute(interval_ms, wall_ms)
    }

    fn may_compute(&self, interval_ms: i32, wall_ms: i64) -> bool {
        let over_ms = self.timestamp_ms.saturating_add(i64::from(interval_ms));
        self.timestamp_ms == 0 || wall_ms >= over_ms || wall_ms < self.timestamp_ms
    }

    /// The members whose assignment is another one in `next`.
    pub fn changed<'a>(
        &'a self,
        next: &'a BTreeMap<MemberId, A>,
    ) -> impl Iterator<Item = (&'a MemberId, &'a A)> {
        next.iter().filter(|(id, assignment)| self.of(id).map(|known| &**known) != Some(*assignment))
    }

    pub fn replay_epoch(&mut self, epoch: i32, timestamp_ms: i64) {
        self.epoch = epoch;
        self.timestamp_ms = timestamp_ms;
    }

    pub fn replay_member(&mut self, member: MemberId, assignment: Option<A>) {
        match assignment {
            Some(assignment) => self.assignments.insert(member, Arc::new(assignment)),
            None => self.assignments.remove(&member),
        };
    }
}

/// How a turn comes to a new target assignment.
pub enum Assigning<A> {
    /// Where one is needed, the turn changes nothing and says what to compute.
    Outside,
    /// With what was computed, if nothing has changed meanwhile; as `Outside` otherwise.
    With(Computed<A>),
    /// Under the lock: when the group changes faster than it can be computed.
    Here,
}

/// What a heartbeat's turn comes to.
pub enum HeartbeatTurn<Outcome, Input> {
    Done(Effects, Outcome),
    /// To be repeated with this computed.
    Assign(TargetTask<Input>),
}

/// A target is being computed: for as long as this lasts.
#[derive(Debug)]
pub struct UnderWay(watch::Sender<()>);

impl UnderWay {
    fn begin() -> UnderWay {
        UnderWay(watch::Sender::new(()))
    }
}

/// The same, for those who wait.
#[derive(Clone, Debug)]
pub struct Awaited(watch::Receiver<()>);

impl Awaited {
    pub fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }

    pub async fn over(mut self) {
        // Nothing is ever said: the other end goes.
        while self.0.changed().await.is_ok() {}
    }
}

impl PartialEq for Awaited {
    fn eq(&self, other: &Awaited) -> bool {
        self.0.same_channel(&other.0)
    }
}

/// What an assignor works on.
pub struct TargetTask<Input> {
    pub input: Input,
    epoch: i32,
    changes: u64,
    under_way: UnderWay,
}

/// What an assignor made of it.
pub struct Computed<A> {
    assignments: BTreeMap<MemberId, A>,
    epoch: i32,
    changes: u64,
    under_way: UnderWay,
}

impl<Input> TargetTask<Input> {
    /// For the state of a group as it is.
    pub fn new<M: ModernMember>(group: &ModernGroup<M>, epoch: i32, input: Input) -> TargetTask<Input> {
        TargetTask::again(group, epoch, input, None)
    }

    /// In the place of a computation that came too late, if one did.
    pub fn again<M: ModernMember>(
        group: &ModernGroup<M>,
        epoch: i32,
        input: Input,
        under_way: Option<UnderWay>,
    ) -> TargetTask<Input> {
        assert!(group.target().epoch() < epoch, "a target is computed for a later epoch than its own");
        let under_way = under_way.unwrap_or_else(UnderWay::begin);
        TargetTask { input, epoch, changes: group.changes(), under_way }
    }

    pub fn awaited(&self) -> Awaited {
        Awaited(self.under_way.0.subscribe())
    }

    /// Runs the assignor: outside of the shard's lock.
    pub fn compute<A>(self, assignor: impl FnOnce(Input) -> BTreeMap<MemberId, A>) -> Computed<A> {
        let TargetTask { input, epoch, changes, under_way } = self;
        Computed { assignments: assignor(input), epoch, changes, under_way }
    }

    /// The same of an assignor that may fail.
    pub fn try_compute<A, E>(
        self,
        assignor: impl FnOnce(Input) -> Result<BTreeMap<MemberId, A>, E>,
    ) -> Result<Computed<A>, E> {
        let TargetTask { input, epoch, changes, under_way } = self;
        Ok(Computed { assignments: assignor(input)?, epoch, changes, under_way })
    }
}

impl<A> Computed<A> {
    /// The assignments, if nothing has changed since they were asked for.
    pub fn if_current<M: ModernMember>(
        self,
        group: &ModernGroup<M>,
        epoch: i32,
    ) -> Result<BTreeMap<MemberId, A>, UnderWay> {
        match self.epoch == epoch && self.changes == group.changes() {
            true => Ok(self.assignments),
            false => Err(self.under_way),
        }
    }
}
