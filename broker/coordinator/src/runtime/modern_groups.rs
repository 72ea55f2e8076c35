//! What the APIs of the newer group protocols share at the group coordinator: one turn, and a heartbeat's turns.
//! Shell. Assignors run here, outside of the shard's lock: other groups of the shard are served meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::MemberId;

use super::Reply;
use super::coordinator::GroupCoordinator;
use super::shard::Shard;
use crate::group::GroupShard;
use crate::group::modern::{Assigning, GroupError, HeartbeatTurn};
use crate::group::turn::Effects;

/// So often an assignment that was computed outside of the shard's lock may be outrun by changes of its
/// group before one is computed under the lock.
const ASSIGNMENT_ATTEMPTS_MAX: u32 = 3;

impl GroupCoordinator {
    /// One turn on one group whose answer rests on the group's records.
    pub(super) fn group_turn<R: Send + 'static>(
        &self,
        group_id: &str,
        decide: impl FnOnce(&mut GroupShard, Monotonic, i64) -> Result<(Effects, R), GroupError>,
    ) -> Reply<Result<R, GroupError>> {
        match self.runtime.shard_for(group_id) {
            Ok(shard) => self.turn_in(&shard, group_id, decide),
            Err(error) => Reply::Now(Err(error.into())),
        }
    }

    fn turn_in<R: Send + 'static>(
        &self,
        shard: &Arc<Shard<GroupShard>>,
        group_id: &str,
        decide: impl FnOnce(&mut GroupShard, Monotonic, i64) -> Result<(Effects, R), GroupError>,
    ) -> Reply<Result<R, GroupError>> {
        let outcome = self.runtime.turn(shard, |guard| {
            let (now, wall_ms) = (guard.now, guard.wall_ms);
            let (effects, result) = decide(guard.core(), now, wall_ms)?;
            guard.perform(effects)?;
            Ok((result, guard.core().last_record_offset(group_id)))
        });
        match outcome.map_err(GroupError::from).and_then(|outcome| outcome) {
            Err(error) => Reply::Now(Err(error)),
            Ok((result, after)) => {
                self.runtime.reply_after(shard, after, Ok(result), |error| Err(error.into()))
            }
        }
    }

    /// A heartbeat's turn, and again with a new target assignment where it needs one.
    pub(super) fn heartbeat_turn<Outcome: Send + 'static, Input, A>(
        &self,
        group_id: &str,
        assignor: impl Fn(Input) -> Result<BTreeMap<MemberId, A>, GroupError>,
        decide: impl Fn(
            &mut GroupShard,
            Assigning<A>,
            Monotonic,
            i64,
        ) -> Result<HeartbeatTurn<Outcome, Input>, GroupError>,
    ) -> Reply<Result<Outcome, GroupError>> {
        // All turns are in one shard, which is one leader epoch: what was computed under it is not installed under a later
        // one, whose group may have changed as often and be another.
        let shard = match self.runtime.shard_for(group_id) {
            Ok(shard) => shard,
            Err(error) => return Reply::Now(Err(error.into())),
        };
        let mut assigning = Assigning::Outside;
        let mut attempts = 0;
        // A computation that came too late too often: whoever waits for it goes on waiting.
        let mut outrun = None;
        loop {
            let mut task = None;
            let reply = self.turn_in(&shard, group_id, |core, now, wall_ms| {
                Ok(match decide(core, assigning, now, wall_ms)? {
                    HeartbeatTurn::Done(effects, outcome) => (effects, Some(outcome)),
                    HeartbeatTurn::Assign(needed) => {
                        task = Some(needed);
                        (Effects::default(), None)
                    }
                })
            });
            let Some(task) = task else {
                drop(outrun);
                return reply.map(|reply| {
                    reply.map(|outcome| match outcome {
                        Some(outcome) => outcome,
                        None => unreachable!("a turn without a task has an outcome"),
                    })
                });
            };
            attempts += 1;
            assigning = match attempts {
                ..=ASSIGNMENT_ATTEMPTS_MAX => match task.try_compute(&assignor) {
                    Ok(computed) => Assigning::With(computed),
                    Err(error) => return Reply::Now(Err(error)),
                },
                _too_many => {
                    outrun = Some(task);
                    Assigning::Here
                }
            };
        }
    }
}
