//! Tests of share groups, by operation: join, assignment, fencing, leaving, the share state of topics.
//! Core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, Offset, TopicId, TopicName};

use super::assignor::AssignorInput;
use super::{OffsetsToAlter, ShareHeartbeat, ShareHeartbeatOutcome, ShareHeartbeatTurn};
use crate::group::Group;
use crate::group::modern::{Assigning, GroupError};
use crate::group::shard::GroupShard;
use crate::group::turn::Effects;
use crate::record::{Assignment, Record};
use crate::settings::{GroupSettings, ShareGroupConfig};
use crate::topic_lookup::TopicLookup;

const GROUP: &str = "g";
const TOPIC: TopicId = TopicId(uuid::Uuid::from_u128(0xa));
const OTHER: TopicId = TopicId(uuid::Uuid::from_u128(0xb));

/// Two topics; of the first, so many partitions.
struct Topics(i32);

impl TopicLookup for Topics {
    fn topic_id(&self, name: &str) -> Option<TopicId> {
        match name {
            "t" => Some(TOPIC),
            "u" => Some(OTHER),
            _ => None,
        }
    }

    fn topic_name(&self, id: TopicId) -> Option<TopicName> {
        match id {
            TOPIC => Some(TopicName::new("t")),
            OTHER => Some(TopicName::new("u")),
            _ => None,
        }
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        self.topic_id(name).and_then(|id| self.partition_count(id)).is_some_and(|count| partition < count)
    }

    fn partition_count(&self, id: TopicId) -> Option<i32> {
        match id {
            TOPIC => Some(self.0),
            OTHER => Some(1),
            _ => None,
        }
    }

    fn topic_hash(&self, name: &str) -> i64 {
        self.topic_id(name).and_then(|id| self.partition_count(id)).map_or(0, i64::from)
    }
}

/// A shard with a log that is a list, and a clock that is a number.
struct Lab {
    shard: GroupShard,
    topics: Topics,
    config: ShareGroupConfig,
    log: Vec<Record>,
    now: Monotonic,
    wall_ms: i64,
}

impl Lab {
    fn with(settings: GroupSettings) -> Lab {
        let mut lab = Lab {
            shard: GroupShard::new(Arc::new(settings)),
            topics: Topics(2),
            config: ShareGroupConfig::default(),
            log: Vec::new(),
            now: Monotonic::default().after_ms(1_000),
            wall_ms: 1_700_000_000_000,
        };
        let effects = lab.shard.on_loaded(lab.now, lab.wall_ms);
        lab.perform(effects);
        lab
    }

    fn new() -> Lab {
        Lab::with(GroupSettings::default())
    }

    fn perform(&mut self, effects: Effects) {
        for record in effects.records {
            self.shard.replay(Offset(self.log.len() as i64), None, record.clone());
            self.log.push(record);
        }
    }

    fn advance(&mut self, ms: i64) {
        self.now = self.now.after_ms(ms);
        self.wall_ms += ms;
        while let Some(effects) = self.shard.on_tick(self.now, self.wall_ms) {
            self.perform(effects);
        }
    }

    fn beat(
        &mut self,
        member_id: &str,
        member_epoch: i32,
        topics: Option<&[&str]>,
    ) -> Result<ShareHeartbeatOutcome, GroupError> {
        let beat = ShareHeartbeat {
            group_id: GROUP,
            member_id,
            member_epoch,
            rack_id: None,
            client_id: "c",
            client_host: "/127.0.0.1",
            subscribed_topics: topics.map(|names| names.iter().map(|name| TopicName::new(name)).collect()),
        };
        let mut assigning = Assigning::Outside;
        loop {
            match self.decide(&beat, assigning)? {
                ShareHeartbeatTurn::Done(effects, outcome) => {
                    self.perform(effects);
                    return Ok(outcome);
                }
                ShareHeartbeatTurn::Assign(task) => {
                    assigning = Assigning::With(task.compute(AssignorInput::assign));
                }
            }
        }
    }

    fn decide(
        &mut self,
        beat: &ShareHeartbeat<'_>,
        assigning: Assigning<Assignment>,
    ) -> Result<ShareHeartbeatTurn, GroupError> {
        let (topics, config) = (&self.topics, &self.config);
        self.shard.on_share_heartbeat(beat, topics, config, assigning, self.now, self.wall_ms)
    }

    /// A heartbeat that has not been given.
    fn joining(member_id: &str) -> ShareHeartbeat<'_> {
        ShareHeartbeat {
            group_id: GROUP,
            member_id,
            member_epoch: 0,
            rack_id: None,
            client_id: "c",
            client_host: "/127.0.0.1",
            subscribed_topics: Some(BTreeSet::from([TopicName::new("t")])),
        }
    }

    fn refused(&mut self, member_id: &str, member_epoch: i32) -> ErrorCode {
        self.beat(member_id, member_epoch, None).map_or_else(|error| error.code, |_| ErrorCode::None)
    }

    /// Joins, and the share coordinator takes the state of what is read.
    fn join(&mut self, member_id: &str, topics: &[&str]) -> ShareHeartbeatOutcome {
        let outcome = self.beat(member_id, 0, Some(topics)).unwrap_or_else(|error| panic!("{error:?}"));
        if let Some(wanted) = &outcome.initialize {
            let effects = self.shard.on_share_state_initialized(GROUP, &wanted.partitions(), &self.topics);
            self.perform(effects);
        }
        outcome
    }

    /// Heartbeats until the member knows the latest assignment.
    fn settle(&mut self, member_id: &str, mut epoch: i32) -> (i32, Option<Assignment>) {
        let mut assignment = None;
        for _ in 0..3 {
            self.advance(1_000);
            let outcome = self.beat(member_id, epoch, None).unwrap_or_else(|error| panic!("{error:?}"));
            epoch = outcome.member_epoch;
            assignment = outcome.assignment.or(assignment);
        }
        (epoch, assignment)
    }

    fn leave(&mut self, member_id: &str) -> Result<(), GroupError> {
        let effects = self.shard.on_share_leave(GROUP, member_id, &self.topics)?;
        self.perform(effects);
        Ok(())
    }

    fn initialized(&self) -> Assignment {
        self.shard.initialized_share_partitions(GROUP)
    }
}

fn assignment(topics: &[(TopicId, &[i32])]) -> Assignment {
    topics.iter().map(|(id, partitions)| (*id, partitions.iter().copied().collect())).collect()
}

#[test]
fn a_topic_is_assigned_once_its_share_state_is_there() {
    let mut lab = Lab::new();
    let joined = lab.beat("m", 0, Some(&["t"])).unwrap();
    assert_eq!((joined.member_epoch, joined.heartbeat_interval_ms), (2, 5_000));
    assert_eq!(joined.assignment, Some(Assignment::new()), "there is no share state yet");
    let wanted = joined.initialize.unwrap();
    assert_eq!(wanted.topics, BTreeMap::from([(TOPIC, BTreeMap::from([(0, -1), (1, -1)]))]));
    assert_eq!(lab.beat("m", 2, None).unwrap().initialize, None, "it is being set up");
    let effects = lab.shard.on_share_state_initialized(GROUP, &wanted.partitions(), &lab.topics);
    lab.perform(effects);
    assert_eq!(lab.settle("m", 2), (3, Some(assignment(&[(TOPIC, &[0, 1])]))));
    assert_eq!(lab.beat("m", 3, None).unwrap().assignment, None, "it knows");
    assert_eq!(lab.beat("m", 3, Some(&["t"])).unwrap().assignment, Some(assignment(&[(TOPIC, &[0, 1])])));
}

#[test]
fn share_state_that_was_refused_is_asked_for_again() {
    let mut lab = Lab::new();
    let wanted = lab.beat("m", 0, Some(&["t"])).unwrap().initialize.unwrap();
    let effects = lab.shard.on_share_state_refused(GROUP, &wanted.partitions());
    lab.perform(effects);
    assert!(lab.beat("m", 2, None).unwrap().initialize.is_some());
    // And what is never heard of again after a while.
    lab.advance(29_999);
    assert!(lab.beat("m", 2, None).unwrap().initialize.is_none());
    lab.advance(1);
    assert!(lab.beat("m", 2, None).unwrap().initialize.is_some());
}

#[test]
fn partitions_are_spread_over_members_and_shared_when_there_are_too_few() {
    let mut lab = Lab::new();
    lab.join("a", &["t"]);
    lab.settle("a", 2);
    let b = lab.join("b", &["t"]);
    let (_, of_b) = lab.settle("b", b.member_epoch);
    let of_b = of_b.or(b.assignment).unwrap();
    let c = lab.join("c", &["t"]);
    let (_, of_c) = lab.settle("c", c.member_epoch);
    let of_c = of_c.or(c.assignment).unwrap();
    assert_eq!(of_b.values().map(BTreeSet::len).sum::<usize>(), 1);
    assert_eq!(of_c.values().map(BTreeSet::len).sum::<usize>(), 1, "two partitions for three members");
}

#[test]
fn a_topic_that_grows_is_set_up_and_assigned() {
    let mut lab = Lab::new();
    lab.join("m", &["t"]);
    let (epoch, _) = lab.settle("m", 2);
    lab.topics = Topics(3);
    lab.shard.refresh_groups();
    let outcome = lab.beat("m", epoch, None).unwrap();
    let wanted = outcome.initialize.unwrap();
    assert_eq!(wanted.topics, BTreeMap::from([(TOPIC, BTreeMap::from([(2, -1)]))]));
    let effects = lab.shard.on_share_state_initialized(GROUP, &wanted.partitions(), &lab.topics);
    lab.perform(effects);
    let (_, grown) = lab.settle("m", outcome.member_epoch);
    assert_eq!(grown, Some(assignment(&[(TOPIC, &[0, 1, 2])])));
}

#[test]
fn who_is_not_known_or_has_another_epoch_is_told_so() {
    let mut lab = Lab::new();
    assert_eq!(lab.refused("m", 1), ErrorCode::GroupIdNotFound);
    lab.join("m", &["t"]);
    assert_eq!(lab.refused("stranger", 1), ErrorCode::UnknownMemberId);
    assert_eq!(lab.refused("m", 9), ErrorCode::FencedMemberEpoch);
    let (epoch, _) = lab.settle("m", 2);
    assert_eq!(lab.refused("m", epoch - 1), ErrorCode::None, "the answer to the last one may have been lost");
    assert!(lab.beat("m", 0, Some(&["t"])).is_ok(), "it may join again");
}

#[test]
fn a_group_takes_no_more_members_than_it_may() {
    let mut lab = Lab::with(GroupSettings { share_members_max: 1, ..GroupSettings::default() });
    lab.join("a", &["t"]);
    let full = lab.beat("b", 0, Some(&["t"])).map(|_| ()).map_err(|error| error.code);
    assert_eq!(full, Err(ErrorCode::GroupMaxSizeReached));
    lab.leave("a").unwrap();
    assert!(lab.beat("b", 0, Some(&["t"])).is_ok());
}

#[test]
fn members_leave_by_word_or_by_silence() {
    let mut lab = Lab::new();
    let idle = lab.shard.timer_count();
    lab.join("a", &["t"]);
    let b = lab.join("b", &["t"]);
    assert_eq!(lab.shard.timer_count(), idle + 2);
    lab.leave("a").unwrap();
    assert_eq!(lab.shard.timer_count(), idle + 1);
    assert_eq!(lab.leave("a").map_err(|error| error.code), Err(ErrorCode::UnknownMemberId));
    lab.advance(44_000);
    assert_eq!(lab.refused("b", b.member_epoch), ErrorCode::None, "it is heard of in time");
    lab.advance(44_999);
    let Some(Group::Share(group)) = lab.shard.group(GROUP) else { panic!("a share group") };
    assert!(!group.is_empty());
    lab.advance(1);
    let Some(Group::Share(group)) = lab.shard.group(GROUP) else { panic!("a share group") };
    assert!(group.is_empty());
    assert_eq!((group.state_name(), lab.shard.timer_count()), ("Empty", idle));
}

#[test]
fn a_restart_finds_the_group_as_it_was() {
    let mut lab = Lab::new();
    lab.join("m", &["t"]);
    let (epoch, _) = lab.settle("m", 2);
    let mut shard = GroupShard::new(Arc::new(GroupSettings::default()));
    for (offset, record) in (0..).zip(&lab.log) {
        shard.replay(Offset(offset), None, record.clone());
    }
    let effects = shard.on_loaded(lab.now, lab.wall_ms);
    assert!(effects.records.is_empty());
    lab.shard = shard;
    assert_eq!(lab.initialized(), assignment(&[(TOPIC, &[0, 1])]));
    assert_eq!(lab.beat("m", epoch, None).unwrap().member_epoch, epoch);
    lab.advance(45_001);
    assert_eq!(
        lab.refused("m", epoch),
        ErrorCode::UnknownMemberId,
        "its session began again with the restart"
    );
}

#[test]
fn offsets_of_an_empty_group_may_be_set() {
    let mut lab = Lab::new();
    let topics =
        [OffsetsToAlter { name: TopicName::new("t"), id: TOPIC, offsets: BTreeMap::from([(1, 42)]) }];
    // A group that is not there is made by it.
    let (effects, altered) = lab.shard.on_alter_share_offsets(GROUP, &topics, lab.wall_ms).unwrap();
    lab.perform(effects);
    assert_eq!(altered.topics, BTreeMap::from([(TOPIC, BTreeMap::from([(1, 42)]))]));
    let effects = lab.shard.on_share_state_initialized(GROUP, &altered.partitions(), &lab.topics);
    lab.perform(effects);
    assert_eq!(lab.initialized(), assignment(&[(TOPIC, &[1])]));
    lab.join("m", &["t"]);
    let refused = lab.shard.on_alter_share_offsets(GROUP, &topics, lab.wall_ms).map(|_| ());
    assert_eq!(refused.map_err(|error| error.code), Err(ErrorCode::NonEmptyGroup));
}

#[test]
fn offsets_of_topics_are_forgotten_when_the_share_state_is_gone() {
    let mut lab = Lab::new();
    lab.join("m", &["t", "u"]);
    let names = [TopicName::new("t"), TopicName::new("missing")];
    let delete = |lab: &Lab| lab.shard.on_delete_share_offsets(GROUP, &names, &lab.topics);
    assert_eq!(delete(&lab).map(|_| ()).map_err(|error| error.code), Err(ErrorCode::NonEmptyGroup));
    lab.leave("m").unwrap();
    let (effects, deleted) = delete(&lab).unwrap();
    lab.perform(effects);
    assert_eq!(deleted.topics[&TOPIC].1, BTreeSet::from([0, 1]));
    assert_eq!(deleted.refused[0].code, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(lab.initialized(), assignment(&[(OTHER, &[0])]));
    // Cut off here, it is begun again by the next who asks.
    assert_eq!(delete(&lab).unwrap().1.topics[&TOPIC].1, BTreeSet::from([0, 1]));
    let effects = lab.shard.on_share_offsets_deleted(GROUP, &[TOPIC]);
    lab.perform(effects);
    assert!(delete(&lab).unwrap().1.topics.is_empty());
}

#[test]
fn a_group_goes_after_its_share_state() {
    let mut lab = Lab::new();
    lab.join("m", &["t"]);
    let refused = lab.shard.on_delete_share_group(GROUP, &lab.topics).map(|_| ());
    assert_eq!(refused.map_err(|error| error.code), Err(ErrorCode::NonEmptyGroup));
    lab.leave("m").unwrap();
    let (effects, partitions) = lab.shard.on_delete_share_group(GROUP, &lab.topics).unwrap().unwrap();
    lab.perform(effects);
    assert_eq!(partitions, assignment(&[(TOPIC, &[0, 1])]));
    let effects = lab.shard.on_delete_group(GROUP).unwrap();
    lab.perform(effects);
    assert!(lab.shard.group(GROUP).is_none());
    assert!(lab.shard.on_delete_share_group(GROUP, &lab.topics).unwrap().is_none());
}

#[test]
fn a_group_is_described_with_what_its_members_have() {
    let mut lab = Lab::new();
    lab.join("m", &["t"]);
    lab.settle("m", 2);
    let described = lab.shard.describe_share(GROUP, &lab.topics).unwrap();
    assert_eq!((described.state, described.assignor), ("Stable", "simple"));
    let [member] = described.members.as_slice() else { panic!("one member") };
    assert_eq!(member.member_id.as_str(), "m");
    assert_eq!(member.assignment[0].2, [0, 1]);
    let missing = lab.shard.describe_share("other", &lab.topics).map_err(|error| error.code);
    assert_eq!(missing.map(|_| ()), Err(ErrorCode::GroupIdNotFound));
}

#[test]
fn an_assignment_that_was_outrun_by_a_change_is_computed_again() {
    let mut lab = Lab::with(GroupSettings::default());
    lab.join("m1", &["t"]);
    lab.config.assignment_interval_ms = 0;
    let beat = Lab::joining("m2");
    let log_before = lab.log.len();
    let Ok(ShareHeartbeatTurn::Assign(task)) = lab.decide(&beat, Assigning::Outside) else {
        panic!("a new member needs a new target")
    };
    assert_eq!(lab.log.len(), log_before, "the turn has changed nothing");
    let computed = task.compute(AssignorInput::assign);
    // Another member comes in between: what was computed does not know it.
    lab.join("m3", &["t"]);
    let Ok(ShareHeartbeatTurn::Assign(task)) = lab.decide(&beat, Assigning::With(computed)) else {
        panic!("it is not taken")
    };
    let computed = task.compute(AssignorInput::assign);
    let Ok(ShareHeartbeatTurn::Done(effects, outcome)) = lab.decide(&beat, Assigning::With(computed)) else {
        panic!("nothing has changed this time")
    };
    lab.perform(effects);
    let Some(Group::Share(group)) = lab.shard.group(GROUP) else { panic!("a share group") };
    assert_eq!((group.member_count(), outcome.member_epoch), (3, group.epoch()));
}

#[test]
fn an_assignment_under_the_lock_is_the_same_as_outside() {
    let mut inside = Lab::with(GroupSettings::default());
    let mut outside = Lab::with(GroupSettings::default());
    for lab in [&mut inside, &mut outside] {
        lab.join("m1", &["t"]);
        lab.config.assignment_interval_ms = 0;
    }
    let beat = Lab::joining("m2");
    let Ok(ShareHeartbeatTurn::Done(effects, here)) = inside.decide(&beat, Assigning::Here) else {
        panic!("it needs nothing from outside")
    };
    inside.perform(effects);
    assert_eq!(outside.beat("m2", 0, Some(&["t"])), Ok(here));
    assert_eq!(inside.log, outside.log);
}
