//! Tests of streams groups: what members are told over several turns, and what a restart finds.
//! Core.

mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, GroupId, MemberId, Offset, TopicId, TopicName};

use super::topics::Status;
use super::{
    MemberState, StreamsGroup, StreamsHeartbeat, StreamsHeartbeatOutcome, StreamsHeartbeatTurn, assign,
};
use crate::group::modern::{Assigning, GroupError};
use crate::group::shard::GroupShard;
use crate::group::turn::Effects;
use crate::group::{Committer, Group, OffsetToCommit};
use crate::record::Record;
use crate::record::streams::{Endpoint, Subtopology, Tasks, TasksTuple, TopicInfo, Topology};
use crate::settings::{GroupSettings, StreamsGroupConfig};
use crate::topic_lookup::TopicLookup;
use crate::wire::text;

const GROUP: &str = "app";

/// Topics by name, with their partition counts.
#[derive(Clone, Default)]
struct Topics(BTreeMap<String, i32>);

fn id_of(name: &str) -> TopicId {
    TopicId(uuid::Uuid::from_u128(u128::from(crate::java_hash::string_hash(name).unsigned_abs())))
}

impl TopicLookup for Topics {
    fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.0.contains_key(name).then(|| id_of(name))
    }

    fn topic_name(&self, id: TopicId) -> Option<TopicName> {
        self.0.keys().find(|name| id_of(name) == id).map(|name| TopicName::new(name))
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        self.0.get(name).is_some_and(|count| partition < *count)
    }

    fn partition_count(&self, id: TopicId) -> Option<i32> {
        self.0.get(self.topic_name(id)?.as_str()).copied()
    }

    fn topic_hash(&self, name: &str) -> i64 {
        self.0
            .get(name)
            .map_or(0, |count| i64::from(crate::java_hash::string_hash(name)) * 31 + i64::from(*count))
    }
}

/// Reads `in` and keeps `counts`.
fn topology() -> Arc<Topology> {
    let subtopology = Subtopology {
        subtopology_id: text("0"),
        source_topics: vec![text("in")],
        state_changelog_topics: vec![TopicInfo { name: text("counts"), ..Default::default() }],
        ..Default::default()
    };
    Arc::new(Topology { epoch: 1, subtopologies: BTreeMap::from([("0".to_owned(), subtopology)]) })
}

fn tasks(partitions: &[i32]) -> Tasks {
    match partitions {
        [] => Tasks::new(),
        some => Tasks::from([("0".to_owned(), some.iter().copied().collect())]),
    }
}

fn owned(active: &[i32]) -> Option<TasksTuple> {
    Some(TasksTuple { active: tasks(active), ..TasksTuple::default() })
}

struct Lab {
    shard: GroupShard,
    topics: Topics,
    config: StreamsGroupConfig,
    log: Vec<Record>,
    now: Monotonic,
    wall_ms: i64,
}

impl Lab {
    fn with(settings: GroupSettings) -> Lab {
        let mut lab = Lab {
            shard: GroupShard::new(Arc::new(settings)),
            topics: Topics(BTreeMap::from([("in".to_owned(), 2), ("counts".to_owned(), 2)])),
            config: StreamsGroupConfig {
                initial_rebalance_delay_ms: 0,
                assignment_interval_ms: 0,
                ..StreamsGroupConfig::default()
            },
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
        if let Some(then) = effects.then {
            let next = self.shard.on_appended(then, Ok(()), self.now, self.wall_ms);
            self.perform(next);
        }
    }

    fn advance(&mut self, ms: i64) {
        self.now = self.now.after_ms(ms);
        self.wall_ms += ms;
        while let Some(effects) = self.shard.on_tick(self.now, self.wall_ms) {
            self.perform(effects);
        }
    }

    fn decide(
        &mut self,
        beat: &StreamsHeartbeat<'_>,
        assigning: Assigning<TasksTuple>,
    ) -> Result<StreamsHeartbeatTurn, GroupError> {
        self.shard.on_streams_heartbeat(beat, &self.topics, &self.config, assigning, self.wall_ms)
    }

    fn send(&mut self, beat: &StreamsHeartbeat<'_>) -> Result<StreamsHeartbeatOutcome, GroupError> {
        let mut assigning = Assigning::Outside;
        loop {
            match self.decide(beat, assigning)? {
                StreamsHeartbeatTurn::Done(effects, outcome) => {
                    self.perform(effects);
                    return Ok(*outcome);
                }
                StreamsHeartbeatTurn::Assign(task) => assigning = Assigning::With(task.compute(assign)),
            }
        }
    }

    fn join(&mut self, member_id: &str) -> StreamsHeartbeatOutcome {
        self.send(&joining(member_id)).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// A heartbeat with these active tasks.
    fn beat(&mut self, member_id: &str, epoch: i32, active: &[i32]) -> StreamsHeartbeatOutcome {
        let beat = StreamsHeartbeat { member_epoch: epoch, owned: owned(active), ..staying(member_id) };
        self.send(&beat).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn refused(&mut self, beat: &StreamsHeartbeat<'_>) -> ErrorCode {
        self.send(beat).map_or_else(|error| error.code, |_| ErrorCode::None)
    }

    fn leave(&mut self, member_id: &str) {
        let effects = self.shard.on_streams_leave(GROUP, member_id, false);
        let effects = effects.unwrap_or_else(|error| panic!("{error:?}"));
        self.perform(effects);
    }

    fn group(&self) -> &StreamsGroup {
        match self.shard.group(GROUP) {
            Some(Group::Streams(group)) => group,
            _ => panic!("a streams group"),
        }
    }

    fn commit(&mut self, member_id: &str, epoch: i32, partition: i32) -> Result<(), ErrorCode> {
        let committer = Committer {
            group_id: GROUP,
            member_id,
            group_instance_id: None,
            generation_id: epoch,
            knows_member_epochs: true,
            retention_time_ms: -1,
        };
        let topic = TopicName::new("in");
        let offset = OffsetToCommit {
            topic: &topic,
            topic_id: id_of("in"),
            partition,
            offset: 7,
            leader_epoch: -1,
            metadata: "",
        };
        let (effects, _) = self.shard.on_offset_commit(&committer, &[offset], self.now, self.wall_ms)?;
        self.perform(effects);
        Ok(())
    }

    /// The same log in a new shard.
    fn restart(&mut self) {
        let mut shard = GroupShard::new(Arc::new(GroupSettings::default()));
        for (offset, record) in (0..).zip(&self.log) {
            shard.replay(Offset(offset), None, record.clone());
        }
        let effects = shard.on_loaded(self.now, self.wall_ms);
        assert!(effects.records.is_empty());
        self.shard = shard;
    }
}

fn staying(member_id: &str) -> StreamsHeartbeat<'_> {
    StreamsHeartbeat {
        group_id: GROUP,
        member_id,
        member_epoch: -9,
        endpoint_epoch: 0,
        rack_id: None,
        rebalance_timeout_ms: None,
        client_id: "c",
        client_host: "/127.0.0.1",
        topology: None,
        owned: None,
        process_id: None,
        user_endpoint: None,
        client_tags: None,
        shutdown_application: false,
    }
}

/// Each member is a process of its own.
fn joining(member_id: &str) -> StreamsHeartbeat<'_> {
    StreamsHeartbeat {
        member_epoch: 0,
        rebalance_timeout_ms: Some(10_000),
        topology: Some(topology()),
        owned: Some(TasksTuple::default()),
        process_id: Some(member_id),
        ..staying(member_id)
    }
}

fn active_of(outcome: &StreamsHeartbeatOutcome) -> Option<BTreeSet<i32>> {
    let tasks = outcome.tasks.as_ref()?;
    Some(tasks.active.get("0").map(|tasks| tasks.keys().copied().collect()).unwrap_or_default())
}

#[test]
fn a_task_goes_from_one_process_to_another_through_nobody_s_hands() {
    let mut lab = Lab::new();
    let one = lab.join("m1");
    assert_eq!((one.member_epoch, active_of(&one)), (2, Some(BTreeSet::from([0, 1]))));
    let two = lab.join("m2");
    assert_eq!((two.member_epoch, active_of(&two)), (3, Some(BTreeSet::new())), "the first still has all");
    assert_eq!(lab.group().state_name(), "Reconciling");
    let told = lab.beat("m1", 2, &[0, 1]);
    assert_eq!((told.member_epoch, active_of(&told)), (2, Some(BTreeSet::from([0]))), "it is to give one up");
    assert_eq!(active_of(&lab.beat("m2", 3, &[])), None, "it has not yet");
    assert_eq!(lab.beat("m1", 2, &[0, 1]).member_epoch, 2);
    assert_eq!(lab.beat("m1", 2, &[0]).member_epoch, 3);
    assert_eq!(active_of(&lab.beat("m2", 3, &[])), Some(BTreeSet::from([1])));
    assert_eq!(lab.group().state_name(), "Stable");
    let stable = lab.beat("m2", 3, &[1]);
    assert_eq!((stable.tasks, stable.status), (None, Vec::new()), "it knows");
}

#[test]
fn who_keeps_what_it_is_to_give_up_goes() {
    let mut lab = Lab::new();
    lab.join("m1");
    lab.join("m2");
    lab.beat("m1", 2, &[0, 1]);
    lab.advance(9_999);
    assert_eq!(lab.group().member_count(), 2);
    // A heartbeat alone is not what it has to do.
    lab.beat("m1", 2, &[0, 1]);
    lab.advance(1);
    assert_eq!(lab.group().member_count(), 1);
    assert_eq!(
        lab.refused(&StreamsHeartbeat { member_epoch: 2, ..staying("m1") }),
        ErrorCode::UnknownMemberId
    );
    let two = lab.beat("m2", 3, &[]);
    assert_eq!((two.member_epoch, active_of(&two)), (4, Some(BTreeSet::from([0, 1]))));
}

#[test]
fn who_gave_up_in_time_stays() {
    let mut lab = Lab::new();
    lab.join("m1");
    lab.join("m2");
    lab.beat("m1", 2, &[0, 1]);
    lab.beat("m1", 2, &[0]);
    lab.advance(20_000);
    assert_eq!(lab.group().member_count(), 2);
}

#[test]
fn a_silent_member_s_session_ends() {
    let mut lab = Lab::new();
    let idle = lab.shard.timer_count();
    lab.join("m1");
    lab.advance(44_999);
    assert_eq!(lab.group().member_count(), 1);
    lab.advance(1);
    assert_eq!((lab.group().state_name(), lab.shard.timer_count()), ("Empty", idle));
}

#[test]
fn a_group_without_its_topics_runs_nothing_until_they_are_there() {
    let mut lab = Lab::new();
    lab.topics = Topics::default();
    let first = lab.join("m");
    assert_eq!(first.status[0].0, Status::MissingSourceTopics);
    assert_eq!((active_of(&first), lab.group().state_name()), (Some(BTreeSet::new()), "NotReady"));
    lab.topics.0.insert("in".to_owned(), 2);
    assert_eq!(
        lab.beat("m", 2, &[]).status[0].0,
        Status::MissingInternalTopics,
        "the first look is made now"
    );
    lab.topics.0.insert("counts".to_owned(), 2);
    assert_eq!(lab.beat("m", 3, &[]).missing_topics.len(), 1, "nobody said that there are other topics");
    lab.shard.refresh_groups();
    let ready = lab.beat("m", 3, &[]);
    assert_eq!((ready.member_epoch, active_of(&ready)), (4, Some(BTreeSet::from([0, 1]))));
    // A source goes: everybody gives up what it has.
    lab.topics.0.remove("in");
    lab.shard.refresh_groups();
    let gone = lab.beat("m", 4, &[0, 1]);
    assert_eq!((active_of(&gone), gone.status[0].0), (Some(BTreeSet::new()), Status::MissingSourceTopics));
}

#[test]
fn a_new_group_waits_for_more_members_and_then_assigns_once() {
    let mut lab = Lab::new();
    lab.config.initial_rebalance_delay_ms = 3_000;
    let one = lab.join("m1");
    assert_eq!((one.member_epoch, one.status[0].0), (1, Status::AssignmentDelayed));
    lab.advance(2_999);
    assert_eq!(lab.join("m2").status[0].0, Status::AssignmentDelayed);
    lab.advance(1);
    let (one, two) = (lab.beat("m1", 1, &[]), lab.beat("m2", 1, &[]));
    assert_eq!((one.member_epoch, two.member_epoch), (3, 3));
    assert_eq!((active_of(&one).map(|of| of.len()), active_of(&two).map(|of| of.len())), (Some(1), Some(1)));
    lab.leave("m1");
    lab.leave("m2");
    assert_eq!(lab.join("m1").status[0].0, Status::AssignmentDelayed, "it is as if it were new");
}

#[test]
fn assignments_keep_their_interval() {
    let mut lab = Lab::new();
    lab.config.assignment_interval_ms = 1_000;
    lab.join("m1");
    let two = lab.join("m2");
    assert_eq!((two.member_epoch, two.status[0].0), (2, Status::AssignmentDelayed));
    lab.advance(1_000);
    assert_eq!(lab.beat("m2", 2, &[]).member_epoch, 3);
    // Not by a wall clock that is set back for an hour.
    lab.join("m3");
    lab.wall_ms -= 3_600_000;
    assert_eq!(lab.beat("m3", 3, &[]).member_epoch, 4);
}

#[test]
fn members_come_with_the_epoch_they_have_or_with_the_last() {
    let mut lab = Lab::with(GroupSettings { streams_members_max: 2, ..GroupSettings::default() });
    assert_eq!(
        lab.refused(&StreamsHeartbeat { member_epoch: 1, ..staying("m1") }),
        ErrorCode::GroupIdNotFound
    );
    lab.join("m1");
    lab.join("m2");
    assert_eq!(lab.refused(&joining("m3")), ErrorCode::GroupMaxSizeReached);
    lab.beat("m1", 2, &[0]);
    assert_eq!(lab.group().members()[&MemberId::new("m1")].member_epoch, 3);
    let with = |epoch, owned| StreamsHeartbeat { member_epoch: epoch, owned, ..staying("m1") };
    assert_eq!(lab.refused(&with(2, owned(&[0]))), ErrorCode::None, "the answer may have been lost");
    assert_eq!(lab.refused(&with(2, owned(&[0, 1]))), ErrorCode::FencedMemberEpoch, "that is not its task");
    assert_eq!(lab.refused(&with(2, None)), ErrorCode::FencedMemberEpoch);
    assert_eq!(lab.refused(&with(1, owned(&[]))), ErrorCode::FencedMemberEpoch);
    assert_eq!(lab.refused(&with(4, owned(&[]))), ErrorCode::FencedMemberEpoch);
    assert_eq!(lab.refused(&with(3, owned(&[2]))), ErrorCode::InvalidRequest, "there is no such task");
    let other = Arc::new(Topology { epoch: 2, subtopologies: BTreeMap::new() });
    lab.leave("m2");
    let newer = StreamsHeartbeat { topology: Some(other), ..joining("m2") };
    assert_eq!(lab.refused(&newer), ErrorCode::InvalidRequest);
    let older = Arc::new(Topology { epoch: 0, subtopologies: BTreeMap::new() });
    let stale = lab.send(&StreamsHeartbeat { topology: Some(older), ..joining("m2") });
    assert_eq!(stale.map(|outcome| outcome.status[0].0), Ok(Status::StaleTopology));
}

#[test]
fn a_member_of_an_older_epoch_commits_what_it_has_had_since_then() {
    let mut lab = Lab::new();
    lab.join("m1");
    lab.join("m2");
    lab.beat("m1", 2, &[0, 1]);
    assert_eq!(lab.commit("m1", 2, 1), Ok(()), "it is to be given up, and not yet is");
    lab.beat("m1", 2, &[0]);
    assert_eq!(lab.commit("m1", 2, 0), Ok(()));
    assert_eq!(lab.commit("m1", 2, 1), Err(ErrorCode::StaleMemberEpoch), "it is given up");
    assert_eq!(lab.commit("m1", 4, 0), Err(ErrorCode::StaleMemberEpoch), "there is no such epoch yet");
    lab.beat("m2", 3, &[]);
    assert_eq!(lab.commit("m2", 2, 1), Err(ErrorCode::StaleMemberEpoch), "it has it since epoch 3");
    assert_eq!(lab.commit("stranger", 3, 0), Err(ErrorCode::UnknownMemberId));
    assert_eq!(lab.commit("", -1, 0), Err(ErrorCode::UnknownMemberId), "somebody is in the group");
    let fetch = |lab: &Lab, member, epoch| lab.shard.validate_offset_fetch(GROUP, member, epoch);
    assert_eq!(fetch(&lab, Some("m1"), 3), Ok(()));
    assert_eq!(fetch(&lab, Some("m1"), 2), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(fetch(&lab, None, -1), Ok(()));
}

#[test]
fn standby_tasks_are_never_in_the_process_that_runs_the_task() {
    let mut lab = Lab::new();
    lab.config.num_standby_replicas = 1;
    lab.join("m1");
    lab.join("m2");
    lab.beat("m1", 2, &[0]);
    let two = lab.beat("m2", 3, &[]);
    assert_eq!(active_of(&two), Some(BTreeSet::from([1])));
    lab.beat("m1", 3, &[0]);
    for member in lab.group().members().values() {
        let standby = member.assigned.standby.get("0").cloned().unwrap_or_default();
        let active: BTreeSet<i32> = member.assigned.active["0"].keys().copied().collect();
        assert!(standby.len() == 1 && standby.is_disjoint(&active), "{member:?}");
        assert_eq!(member.state, MemberState::Stable);
    }
    lab.config.num_standby_replicas = 0;
    let both = TasksTuple { active: tasks(&[0]), standby: tasks(&[1]), ..TasksTuple::default() };
    let beat = StreamsHeartbeat { member_epoch: 3, owned: Some(both), ..staying("m1") };
    assert_eq!(lab.send(&beat).map(|outcome| outcome.member_epoch), Ok(3), "it still has its standby task");
    let beat = StreamsHeartbeat { member_epoch: 3, owned: owned(&[0]), ..staying("m1") };
    assert_eq!(lab.send(&beat).map(|outcome| outcome.member_epoch), Ok(4), "the setting has changed");
}

#[test]
fn a_shutdown_is_told_to_all_until_nobody_is_left() {
    let mut lab = Lab::new();
    lab.join("m1");
    lab.join("m2");
    let asks = StreamsHeartbeat { member_epoch: 2, shutdown_application: true, ..staying("m1") };
    assert_eq!(lab.send(&asks).map(|outcome| outcome.status.len()), Ok(1));
    let told = lab.beat("m2", 3, &[]).status;
    assert!(told[0].0 == Status::ShutdownApplication && told[0].1.contains("member m1 "), "{told:?}");
    lab.leave("m1");
    assert_eq!(lab.beat("m2", 3, &[]).status[0].0, Status::ShutdownApplication);
    lab.leave("m2");
    assert_eq!(lab.join("m1").status, Vec::new());
}

#[test]
fn who_has_what_is_told_by_endpoint() {
    let mut lab = Lab::new();
    let at = |host: &str| Some(Endpoint { host: Arc::from(host), port: 1 });
    let first = lab.send(&StreamsHeartbeat { user_endpoint: at("here"), ..joining("m1") }).unwrap();
    let endpoints = first.endpoints.expect("they are others than the member knows");
    assert_eq!((first.endpoint_epoch, endpoints.len()), (0, 1), "a new group does not count yet");
    assert_eq!(endpoints[0].active, [("in".to_owned(), vec![0, 1])]);
    let second = lab.send(&StreamsHeartbeat { user_endpoint: at("there"), ..joining("m2") }).unwrap();
    assert_eq!((second.endpoint_epoch, second.endpoints.map(|all| all.len())), (1, Some(2)));
    let knows = StreamsHeartbeat { member_epoch: 3, endpoint_epoch: 1, ..staying("m2") };
    assert_eq!(lab.send(&knows).map(|outcome| outcome.endpoints), Ok(None));
}

#[test]
fn a_restart_finds_the_group_as_it_was() {
    let mut lab = Lab::new();
    lab.join("m1");
    lab.join("m2");
    lab.beat("m1", 2, &[0, 1]);
    let (members, owners) = (lab.group().members().clone(), format!("{:?}", lab.group().owners));
    lab.restart();
    assert_eq!(lab.group().members(), &members);
    assert_eq!(format!("{:?}", lab.group().owners), owners);
    assert_eq!(lab.group().state_name(), "Reconciling");
    lab.advance(9_999);
    assert_eq!(lab.group().member_count(), 2, "its time to give up began anew");
    assert_eq!(lab.beat("m1", 2, &[0]).member_epoch, 3);
    assert_eq!(active_of(&lab.beat("m2", 3, &[])), Some(BTreeSet::from([1])));
    lab.advance(45_000);
    assert_eq!(lab.group().state_name(), "Empty", "sessions began with the restart too");
}

#[test]
fn offsets_make_room_for_the_group_and_stay_with_it() {
    let mut lab = Lab::new();
    lab.commit("", -1, 0).unwrap();
    assert!(lab.shard.classic_group(GROUP).is_some());
    lab.join("m");
    assert_eq!(lab.group().member_count(), 1);
    assert!(lab.shard.offsets().holds(GROUP, "in", 0));
    // Also where the tombstone of the classic group is compacted away.
    lab.log.retain(|record| !matches!(record, Record::GroupMetadata { .. }));
    lab.restart();
    assert_eq!(lab.group().member_count(), 1);
    let refused = lab.shard.on_delete_group(GROUP).map(|_| ());
    assert_eq!(refused, Err(ErrorCode::NonEmptyGroup));
    lab.leave("m");
    let room = lab.shard.make_room_for_classic(GROUP);
    assert_eq!(room.records.len(), 3);
    let effects = lab.shard.on_delete_group(GROUP).unwrap();
    lab.perform(effects);
    assert!(lab.shard.group(GROUP).is_none() && !lab.shard.offsets().holds(GROUP, "in", 0));
    lab.restart();
    assert!(lab.shard.group(GROUP).is_none());
}

#[test]
fn an_assignment_that_was_outrun_by_a_change_is_computed_again() {
    let mut lab = Lab::new();
    lab.join("m1");
    let beat = joining("m2");
    let before = lab.log.len();
    let Ok(StreamsHeartbeatTurn::Assign(task)) = lab.decide(&beat, Assigning::Outside) else {
        panic!("a new member needs a new target")
    };
    assert_eq!(lab.log.len(), before, "the turn has changed nothing");
    let computed = task.compute(assign);
    lab.join("m3");
    let Ok(StreamsHeartbeatTurn::Assign(_)) = lab.decide(&beat, Assigning::With(computed)) else {
        panic!("it does not know m3")
    };
    let Ok(StreamsHeartbeatTurn::Done(effects, outcome)) = lab.decide(&beat, Assigning::Here) else {
        panic!("it needs nothing from outside")
    };
    lab.perform(effects);
    assert_eq!((lab.group().member_count(), outcome.member_epoch), (3, lab.group().epoch()));
}

#[test]
fn a_member_in_a_state_of_a_later_release_begins_anew() {
    let mut lab = Lab::new();
    lab.join("m");
    for record in &mut lab.log {
        if let Record::Streams {
            record: crate::record::streams::StreamsRecord::CurrentMemberAssignment { value, .. },
            ..
        } = record
            && let Some(value) = value
        {
            value.state = 99;
        }
    }
    lab.restart();
    assert_eq!(lab.group().members()[&MemberId::new("m")].state, MemberState::Unknown);
    let with_tasks = StreamsHeartbeat { member_epoch: 2, owned: owned(&[0]), ..staying("m") };
    assert_eq!(lab.refused(&with_tasks), ErrorCode::FencedMemberEpoch);
    assert_eq!(lab.beat("m", 2, &[]).member_epoch, 2);
    assert_eq!(lab.group().members()[&MemberId::new("m")].state, MemberState::Stable);
}

#[test]
fn groups_of_other_protocols_are_told_apart() {
    let mut lab = Lab::new();
    lab.join("m");
    let error = lab.shard.describe_share(GROUP, &lab.topics).map(|_| ()).map_err(|error| error.code);
    assert_eq!(error, Err(ErrorCode::GroupIdNotFound));
    assert_eq!(lab.shard.describe_streams(GROUP).unwrap().members.len(), 1);
    let listed = lab.shard.list(&["not_ready", "Stable"], &["streams"]);
    assert_eq!(listed.iter().map(|group| group.group_id.as_str()).collect::<Vec<_>>(), [GROUP]);
    assert!(lab.shard.list(&[], &["classic"]).is_empty());
    let other = GroupId::new("other");
    assert_eq!(
        lab.shard.describe_streams(other.as_str()).map(|_| ()).map_err(|error| error.code),
        Err(ErrorCode::GroupIdNotFound)
    );
}
