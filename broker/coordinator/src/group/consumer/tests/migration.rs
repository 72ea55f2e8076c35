//! Groups that change their protocol while they run, and members of both in one.
//! Core.

use bytes::Bytes;

use super::*;
use crate::consumer_protocol::{NamedPartitions, assignment, write_assignment};
use crate::group::answers::{Beat as ClassicBeat, Joined, Synced, Syncer};
use crate::group::classic::ClassicGroupState;
use crate::group::join::Joiner;
use crate::group::leave::Leaver;
use crate::group::tests::{joiner, static_joiner};
use crate::group::turn::{Response, Waiter};
use crate::settings::MigrationPolicy;

fn named(partitions: &[i32]) -> NamedPartitions {
    vec![("t".to_owned(), partitions.to_vec())]
}

impl Lab {
    fn classic_join(&mut self, joiner: Joiner) -> Option<Joined> {
        let random = [self.log.len() as u8 + 1; 16];
        let waiter = Waiter { token: self.answers.len() as u64 + 1_000 };
        let room = self.shard.make_room_for_classic(GROUP);
        self.perform(room);
        let effects = self.shard.on_join(GROUP, joiner, waiter, self.now, self.wall_ms, random);
        self.perform(effects);
        self.advance(0);
        let found = self.answers.iter().rev().find(|answer| answer.waiter == waiter)?;
        match &found.response {
            Response::Join(response) => Some(response.clone()),
            Response::Sync(_) => panic!("a join is not answered as a sync"),
        }
    }

    /// Asks for an id and comes back with it.
    fn classic_join_new(&mut self) -> Joined {
        let asked = self.classic_join(joiner("")).expect("an id");
        assert_eq!(asked.error, ErrorCode::MemberIdRequired);
        self.classic_join(joiner(asked.member_id.as_str())).expect("an answer")
    }

    fn classic_sync(&mut self, member: &str, generation: i32, all: &[(&str, Bytes)]) -> Synced {
        let request = Syncer {
            group_id: GROUP,
            member_id: member,
            group_instance_id: None,
            generation_id: generation,
            protocol_type: Some("consumer"),
            protocol_name: Some("range"),
            assignments: all.iter().map(|(member, assignment)| (*member, &**assignment)).collect(),
        };
        let waiter = Waiter { token: self.answers.len() as u64 + 5_000 };
        let effects = self.shard.on_sync(&request, waiter, self.now, self.wall_ms);
        self.perform(effects);
        let found = self.answers.iter().rev().find(|answer| answer.waiter == waiter).expect("an answer");
        match &found.response {
            Response::Sync(response) => response.clone(),
            Response::Join(_) => panic!("a sync is not answered as a join"),
        }
    }

    fn classic_beat(&mut self, member: &str, generation: i32) -> Result<(), ErrorCode> {
        let beat = ClassicBeat {
            group_id: GROUP,
            member_id: member,
            group_instance_id: None,
            generation_id: generation,
        };
        self.shard.on_heartbeat(&beat, self.now, self.wall_ms)
    }

    /// A classic group with one member that has all partitions.
    fn classic_group(&mut self) -> String {
        let joined = self.classic_join_new();
        let (id, generation) = (joined.member_id.to_string(), joined.generation_id);
        let all = write_assignment(0, &named(&[0, 1]));
        assert_eq!(self.classic_sync(&id, generation, &[(&id, all.clone())]).assignment, all);
        id
    }

    fn classic_state(&self) -> ClassicGroupState {
        self.shard.classic_group(GROUP).expect("a classic group").state()
    }
}

#[test]
fn a_classic_group_becomes_a_consumer_group_with_all_that_it_has() {
    let mut lab = Lab::new(&[("t", 2)]);
    let classic = lab.classic_group();
    let joined = lab.join("new", &["t"]);
    assert_eq!((joined.member_epoch, partitions(&joined)), (2, Some(vec![])));
    let member = &lab.group().members()[&*classic];
    assert_eq!((member.member_epoch, member.uses_classic_protocol()), (1, true));
    assert_eq!(member.assigned[&T], [(0, 1), (1, 1)].into());
    // The classic member hears of it, joins and gives back; then the other gets what is its.
    assert_eq!(lab.classic_beat(&classic, 1), Err(ErrorCode::RebalanceInProgress));
    let again = lab.classic_join(joiner(&classic)).expect("an answer");
    assert_eq!((again.error, again.generation_id), (ErrorCode::None, 2));
    assert_eq!(again.protocol_name.as_deref(), Some("range"));
    let synced = lab.classic_sync(&classic, 2, &[]);
    let kept = assignment(&synced.assignment).expect("an assignment").partitions;
    assert_eq!(kept.iter().map(|(_, partitions)| partitions.len()).sum::<usize>(), 1);
    let beat = lab.beat("new", 2).expect("a member");
    assert_eq!(partitions(&beat).map(|all| all.len()), Some(1));
    assert_eq!(lab.classic_beat(&classic, 2), Ok(()));
    assert_eq!(lab.classic_beat(&classic, 1), Err(ErrorCode::IllegalGeneration));
    assert_eq!(lab.classic_beat("new", 2), Err(ErrorCode::UnknownMemberId), "it is no classic member");
    lab.restart();
    assert!(lab.group().members()[&*classic].uses_classic_protocol());
}

#[test]
fn when_the_last_new_member_leaves_the_group_is_a_classic_one_again() {
    let mut lab = Lab::new(&[("t", 2)]);
    let classic = lab.classic_group();
    lab.join("new", &["t"]);
    lab.leave("new");
    assert_eq!(lab.classic_state(), ClassicGroupState::PreparingRebalance);
    assert_eq!(lab.classic_beat(&classic, 2), Err(ErrorCode::RebalanceInProgress));
    let again = lab.classic_join(joiner(&classic)).expect("an answer");
    assert_eq!((again.error, again.generation_id, again.leader_id()), (ErrorCode::None, 3, &*classic));
    lab.restart();
    assert_eq!(lab.classic_state(), ClassicGroupState::Stable);
    // Its session goes on, on the same clock.
    lab.advance(10_000);
    assert_ne!(lab.classic_state(), ClassicGroupState::Stable);
}

#[test]
fn the_end_of_the_last_new_members_session_does_the_same() {
    let mut lab = Lab::new(&[("t", 2)]);
    let classic = lab.classic_group();
    lab.join("new", &["t"]);
    for _ in 0..9 {
        lab.advance(5_000);
        let _ = lab.classic_beat(&classic, 1);
    }
    assert_eq!(lab.classic_state(), ClassicGroupState::PreparingRebalance);
}

#[test]
fn a_classic_member_joins_a_consumer_group_and_is_let_go_when_it_stops() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.join("new", &["t"]);
    let joined = lab.classic_join_new();
    assert_eq!((joined.error, joined.generation_id), (ErrorCode::None, 3));
    let id = joined.member_id.to_string();
    let synced = lab.classic_sync(&id, 3, &[]);
    assert!(assignment(&synced.assignment).expect("an assignment").partitions.is_empty());
    lab.has("new", 2, &[0]);
    assert_eq!(lab.classic_beat(&id, 3), Err(ErrorCode::RebalanceInProgress), "a partition is free now");
    // It does not join again within its rebalance timeout, though it lives.
    for _ in 0..12 {
        lab.advance(5_000);
        let _ = lab.classic_beat(&id, 3);
        let _ = lab.beat("new", 3);
    }
    assert!(!lab.group().members().contains_key(&*id));
}

#[test]
fn a_classic_member_that_does_not_sync_or_beat_is_let_go() {
    let mut lab = Lab::new(&[("t", 1)]);
    lab.join("new", &["t"]);
    lab.classic_join_new();
    lab.advance(10_000);
    assert_eq!(lab.group().members().len(), 1, "its session was ten seconds");
}

#[test]
fn a_static_member_that_goes_back_to_the_classic_protocol_takes_its_place_along() {
    let mut lab = Lab::new(&[("t", 2)]);
    let beat = Beat { instance: Some("i"), ..Beat::join("new", &["t"]) };
    lab.send(&beat.as_heartbeat()).expect("it may join");
    let joined = lab.classic_join(static_joiner("", "i")).expect("an answer");
    assert_eq!(joined.error, ErrorCode::None);
    assert_eq!(lab.classic_state(), ClassicGroupState::Stable);
    let synced = lab.classic_sync(joined.member_id.as_str(), joined.generation_id, &[]);
    assert_eq!(assignment(&synced.assignment).expect("an assignment").partitions, named(&[0, 1]));
    lab.restart();
    assert_eq!(lab.classic_state(), ClassicGroupState::Stable);
}

#[test]
fn the_policy_says_which_way_is_open() {
    let with = |policy| {
        let settings = GroupSettings { consumer_migration_policy: policy, ..GroupSettings::default() };
        Lab::with(settings, &[("t", 2)])
    };
    for policy in [MigrationPolicy::Disabled, MigrationPolicy::Downgrade] {
        let mut lab = with(policy);
        lab.classic_group();
        let error = lab.send(&Beat::join("new", &["t"]).as_heartbeat()).expect_err("it stays classic");
        let message = "Cannot upgrade classic group g to consumer group because online upgrade is disabled.";
        assert_eq!(error, GroupError::new(ErrorCode::GroupIdNotFound, message));
    }
    let mut lab = with(MigrationPolicy::Disabled);
    lab.join("new", &["t"]);
    let refused = lab.classic_join(joiner("")).expect("an answer");
    assert_eq!(refused.error, ErrorCode::InconsistentGroupProtocol);
    let mut lab = with(MigrationPolicy::Upgrade);
    let classic = lab.classic_group();
    lab.join("new", &["t"]);
    lab.leave("new");
    assert!(lab.group().members().contains_key(&*classic), "it stays a consumer group");
}

#[test]
fn empty_groups_change_their_kind_without_a_policy() {
    let settings =
        GroupSettings { consumer_migration_policy: MigrationPolicy::Disabled, ..GroupSettings::default() };
    let mut lab = Lab::with(settings, &[("t", 2)]);
    let classic = lab.classic_group();
    let leaver = Leaver { member_id: Box::from(&*classic), group_instance_id: None };
    let (effects, _) = lab.shard.on_leave(GROUP, vec![leaver], lab.now, lab.wall_ms);
    lab.perform(effects);
    lab.advance(0);
    assert_eq!(lab.classic_state(), ClassicGroupState::Empty);
    lab.join("new", &["t"]);
    lab.leave("new");
    lab.restart();
    assert_eq!(lab.group().state_name(), "Empty");
    lab.classic_group();
    lab.restart();
    assert_eq!(lab.classic_state(), ClassicGroupState::Stable);
}

#[test]
fn a_leave_group_of_classic_members_answers_each() {
    let mut lab = Lab::new(&[("t", 2)]);
    lab.join("new", &["t"]);
    let id = lab.classic_join_new().member_id.to_string();
    let leavers = [(id.as_str(), None), ("stranger", None), ("", Some("no-such-instance"))];
    let leavers = leavers.map(|(member, instance)| Leaver {
        member_id: Box::from(member),
        group_instance_id: instance.map(std::sync::Arc::from),
    });
    let (effects, left) = lab.shard.on_leave(GROUP, leavers.into(), lab.now, lab.wall_ms);
    lab.perform(effects);
    let unknown = ErrorCode::UnknownMemberId;
    let errors: Vec<_> = left.expect("each an answer").into_iter().map(|(_, error)| error).collect();
    assert_eq!(errors, [ErrorCode::None, unknown, unknown]);
    assert_eq!(lab.group().members().len(), 1);
}

#[test]
fn a_group_with_a_custom_assignor_is_not_upgraded() {
    let mut lab = Lab::new(&[("t", 2)]);
    let joined = lab.classic_join_new();
    let id = joined.member_id.to_string();
    let mut custom = write_assignment(0, &named(&[0, 1])).to_vec();
    custom.truncate(custom.len() - 4);
    custom.extend_from_slice(&[0, 0, 0, 1, 7]);
    lab.classic_sync(&id, joined.generation_id, &[(&id, custom.into())]);
    let error = lab.send(&Beat::join("new", &["t"]).as_heartbeat()).expect_err("it would be lost");
    assert!(error.message.contains("an unsupported custom assignor is in use"), "{}", error.message);
    assert_eq!(lab.classic_state(), ClassicGroupState::Stable);
}
