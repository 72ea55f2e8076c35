//! Members that join at once: one target is computed at a time, and soon all are in it.
//! Core.

use ottla_env::memory::SeededRng;

use super::*;
use crate::group::consumer::AssignorInput;
use crate::group::modern::{Computed, TargetTask};
use crate::record::Assignment;

/// Somebody who handles requests beside others: what it is about, and the target that it computes.
struct Handler {
    member: String,
    epoch: i32,
    task: TargetTask<AssignorInput>,
    attempts: usize,
}

impl Lab {
    fn turn(
        &mut self,
        member: &str,
        epoch: i32,
        assigning: Assigning<Assignment>,
    ) -> Result<ConsumerHeartbeatTurn, GroupError> {
        let join = Beat::join(member, &["t"]);
        let beat = if epoch == 0 { join } else { Beat { member, epoch, ..Beat::default() } };
        let topics = self.topics.clone();
        self.shard.on_consumer_heartbeat(&beat.as_heartbeat(), &topics, assigning, self.now, self.wall_ms)
    }

    fn compute(&mut self, task: TargetTask<AssignorInput>) -> Computed<Assignment> {
        self.computed += 1;
        task.compute(|input| input.assign().expect("an assignment"))
    }

    /// All heartbeat in turn, each in its epoch and with what it has, until nothing changes; how many rounds that took.
    fn settle(&mut self) -> usize {
        for round in 0.. {
            assert!(round < 10, "it does not settle");
            let written = self.log.len();
            let members: Vec<(String, i32, Vec<i32>)> = self
                .group()
                .members()
                .iter()
                .map(|(id, member)| {
                    let owned = member.assigned.values().flat_map(|one| one.keys().copied()).collect();
                    (id.as_str().to_owned(), member.member_epoch, owned)
                })
                .collect();
            for (id, epoch, owned) in members {
                self.has(&id, epoch, &owned);
            }
            if self.log.len() == written {
                return round;
            }
        }
        unreachable!("it has settled")
    }
}

#[test]
fn a_hundred_that_join_while_a_target_is_computed_cost_one_more() {
    let mut lab = Lab::new(&[("t", 200)]);
    lab.join("first", &["t"]);
    let before = lab.computed;
    let Ok(ConsumerHeartbeatTurn::Assign(task)) = lab.turn("m-0", 0, Assigning::Outside) else {
        panic!("a target has to be computed");
    };
    let others: Vec<_> = (1..100).map(|number| lab.join(&format!("m-{number}"), &["t"])).collect();
    let is_awaited = |one: &ConsumerHeartbeatOutcome| one.awaited.as_ref().is_some_and(|one| !one.is_over());
    assert!(others.iter().all(is_awaited), "they wait for what is computed");
    assert_eq!(lab.computed, before, "and compute nothing");
    let computed = lab.compute(task);
    let Ok(ConsumerHeartbeatTurn::Assign(task)) = lab.turn("m-0", 0, Assigning::With(computed)) else {
        panic!("others came in between");
    };
    assert!(others.iter().all(is_awaited), "it is not over yet");
    let computed = lab.compute(task);
    let Ok(ConsumerHeartbeatTurn::Done(effects, outcome)) = lab.turn("m-0", 0, Assigning::With(computed))
    else {
        panic!("nobody came in between");
    };
    lab.perform(effects);
    assert!(!others.iter().any(is_awaited), "it is over");
    for other in &others {
        let again = lab.beat(other.member_id.as_str(), other.member_epoch).expect("a member");
        assert_eq!(again.member_epoch, outcome.member_epoch, "all are in one target");
    }
    assert_eq!(lab.computed, before + 2);
    lab.settle();
    assert_eq!(lab.group().state_name(), "Stable");
    assert_eq!(lab.computed, before + 2);
}

/// Handlers take turns by a seed: members join, leave and heartbeat while targets are computed beside them.
#[test]
fn one_target_is_computed_at_a_time_and_the_group_settles_soon_after_the_last_change() {
    for seed in 0..30 {
        let rng = SeededRng::new(seed);
        let mut lab = Lab::new(&[("t", 60)]);
        lab.join("m-0", &["t"]);
        let mut handlers: [Option<Handler>; 4] = [const { None }; 4];
        let mut joined = 1;
        for _ in 0..120 {
            let place = rng.below(handlers.len() as u64) as usize;
            let (turn, about) = match handlers[place].take() {
                Some(Handler { member, epoch, task, attempts }) => {
                    let computed = lab.compute(task);
                    assert!(attempts < 60, "seed {seed}: it never ends");
                    (lab.turn(&member, epoch, Assigning::With(computed)), (member, epoch, attempts + 1))
                }
                None => {
                    let members: Vec<(String, i32)> = lab
                        .group()
                        .members()
                        .iter()
                        .map(|(id, one)| (id.to_string(), one.member_epoch))
                        .collect();
                    let (member, epoch) = match rng.below(4) {
                        0 => {
                            joined += 1;
                            (format!("m-{joined}"), 0)
                        }
                        1 if members.len() > 3 => {
                            let gone = members[rng.below(members.len() as u64) as usize].0.clone();
                            lab.leave(&gone);
                            continue;
                        }
                        _ => members[rng.below(members.len() as u64) as usize].clone(),
                    };
                    (lab.turn(&member, epoch, Assigning::Outside), (member, epoch, 0))
                }
            };
            match turn {
                Ok(ConsumerHeartbeatTurn::Done(effects, _)) => lab.perform(effects),
                Ok(ConsumerHeartbeatTurn::Assign(task)) => {
                    let (member, epoch, attempts) = about;
                    handlers[place] = Some(Handler { member, epoch, task, attempts });
                }
                // It left, or got another epoch by another handler.
                Err(error) => assert!(
                    [ErrorCode::UnknownMemberId, ErrorCode::FencedMemberEpoch].contains(&error.code),
                    "seed {seed}: {error:?}"
                ),
            }
            let computing = handlers.iter().flatten().count();
            assert!(computing <= 1, "seed {seed}: {computing} targets are computed at once");
        }
        // Whoever was handled is gone with its connection.
        handlers.fill_with(|| None);
        let before = lab.computed;
        lab.settle();
        assert!(lab.computed <= before + 1, "seed {seed}");
        let group = lab.group();
        assert_eq!(group.state_name(), "Stable", "seed {seed}");
        assert_eq!(group.assignment_epoch(), group.epoch(), "seed {seed}");
        let assigned: usize =
            group.members().values().flat_map(|one| one.assigned.values()).map(BTreeMap::len).sum();
        assert_eq!(assigned, 60, "seed {seed}: every partition is somebody's");
    }
}
