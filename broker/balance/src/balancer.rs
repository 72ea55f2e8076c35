//! One move after the other: what the active controller does about a cluster that is not even.
//! Core: the time and the cluster are arguments.
//!
//! Invariants:
//! - I1. At most one move is under way, and none is begun while any other reassignment is, while a replica is out of sync, or
//!   towards a broker that takes none.
//! - I2. What somebody else reassigns is never touched, and a move that somebody took back is not tried again for an hour.
//! - I3. It ends by itself: where the plan is empty nothing is done until the next look.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::Move;

/// How old a plan may be; then the cluster is looked at anew.
pub const PLAN_AGE_MAX: Duration = Duration::from_secs(60);
/// How long a partition is left alone whose move was refused or taken back.
const LEFT_ALONE: Duration = Duration::from_secs(3600);
/// Moves of one plan.
pub const PLANNED_MAX: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    Off,
    /// Moves are shown, and not made.
    #[default]
    Propose,
    Auto,
}

/// The cluster as its image has it.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub reassigning: BTreeSet<(Arc<str>, i32)>,
    pub out_of_sync: usize,
    /// Brokers that take replicas.
    pub taking: BTreeSet<i32>,
    /// Replicas of the partitions that the balancer asked for (`asks_for`), where they are still there.
    pub replicas: BTreeMap<(Arc<str>, i32), Vec<i32>>,
}

/// What is to be done next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    Nothing,
    /// Loads are to be gathered; `on_plan` takes what comes of it.
    Look,
    Begin(Move),
    /// The broker that was to have it takes no replicas any more.
    Cancel(Move),
}

/// Why nothing moves, or what does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum State {
    #[default]
    Idle,
    Even,
    Proposed,
    Moving(Move),
    /// Reassignments that somebody else began.
    OthersMove(usize),
    OutOfSync(usize),
}

/// What was done since this node began to decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Done {
    pub moves: u64,
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub struct Balancer {
    plan: VecDeque<Move>,
    planned_at: Option<Duration>,
    moving: Option<Move>,
    is_cancelled: bool,
    left_alone: BTreeMap<(Arc<str>, i32), Duration>,
    state: State,
    done: Done,
}

impl Balancer {
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Moves that would be made.
    pub fn plan(&self) -> impl ExactSizeIterator<Item = &Move> {
        self.plan.iter()
    }

    pub fn done(&self) -> Done {
        self.done
    }

    /// Whether it waits for a move, or has one to begin.
    pub fn is_at_work(&self) -> bool {
        matches!(self.state, State::Moving(_) | State::OutOfSync(_))
    }

    /// Whether `next` would do anything without a new fact.
    pub fn is_due(&self, mode: Mode, now: Duration) -> bool {
        match mode {
            Mode::Off => self.moving.is_some() || self.state != State::Idle,
            Mode::Propose => self.moving.is_some() || self.is_stale(now),
            Mode::Auto => true,
        }
    }

    /// The partitions whose replicas `next` wants to see.
    pub fn asks_for(&self) -> impl Iterator<Item = (Arc<str>, i32)> {
        self.moving.iter().chain(self.plan.front()).map(|one| (one.topic.clone(), one.index))
    }

    fn is_stale(&self, now: Duration) -> bool {
        self.planned_at.is_none_or(|at| now.saturating_sub(at) >= PLAN_AGE_MAX)
    }

    fn forget_plan(&mut self) {
        self.plan.clear();
        self.planned_at = None;
    }

    pub fn next(&mut self, mode: Mode, view: &View, now: Duration) -> Step {
        self.left_alone.retain(|_, until| *until > now);
        if let Some(step) = self.look_after_move(view, now) {
            return step;
        }
        if mode == Mode::Off {
            self.forget_plan();
            self.state = State::Idle;
            return Step::Nothing;
        }
        if !view.reassigning.is_empty() && mode == Mode::Auto {
            self.forget_plan();
            self.state = State::OthersMove(view.reassigning.len());
            return Step::Nothing;
        }
        if self.is_stale(now) {
            return Step::Look;
        }
        let Some(first) = self.plan.front() else {
            self.state = State::Even;
            return Step::Nothing;
        };
        self.state = State::Proposed;
        if mode == Mode::Propose {
            return Step::Nothing;
        }
        if view.out_of_sync > 0 {
            self.state = State::OutOfSync(view.out_of_sync);
            return Step::Nothing;
        }
        let key = (first.topic.clone(), first.index);
        let is_possible = view.replicas.get(&key) == Some(&first.before)
            && first.adding().all(|id| view.taking.contains(&id));
        match self.plan.pop_front().filter(|_| is_possible) {
            Some(next) => {
                self.state = State::Moving(next.clone());
                self.moving = Some(next.clone());
                self.is_cancelled = false;
                if self.plan.is_empty() {
                    // A partition changes once in a plan: more may follow.
                    self.planned_at = None;
                }
                Step::Begin(next)
            }
            None => {
                self.forget_plan();
                Step::Look
            }
        }
    }

    /// `None`: nothing of this balancer is under way.
    fn look_after_move(&mut self, view: &View, now: Duration) -> Option<Step> {
        let moving = self.moving.as_ref()?;
        let key = (moving.topic.clone(), moving.index);
        if view.reassigning.contains(&key) {
            if !self.is_cancelled && moving.adding().any(|id| !view.taking.contains(&id)) {
                self.is_cancelled = true;
                return Some(Step::Cancel(moving.clone()));
            }
            return Some(Step::Nothing);
        }
        let moving = self.moving.take()?;
        if view.replicas.get(&key) == Some(&moving.target) {
            self.done.moves += 1;
            self.done.bytes += moving.bytes;
        } else {
            self.leave_alone(key, now);
        }
        self.state = State::Proposed;
        None
    }

    fn leave_alone(&mut self, key: (Arc<str>, i32), now: Duration) {
        self.left_alone.insert(key, now + LEFT_ALONE);
        self.forget_plan();
    }

    /// What the last look came to.
    pub fn on_plan(&mut self, moves: Vec<Move>, now: Duration) {
        let left_alone = |one: &Move| self.left_alone.contains_key(&(one.topic.clone(), one.index));
        self.plan = moves.into_iter().filter(|one| !left_alone(one)).collect();
        self.state = if self.plan.is_empty() { State::Even } else { State::Proposed };
        self.planned_at = Some(now);
    }

    /// The move that was to begin was refused.
    pub fn on_refused(&mut self, now: Duration) {
        if let Some(refused) = self.moving.take() {
            self.leave_alone((refused.topic, refused.index), now);
        }
    }
}

#[cfg(test)]
mod tests;
