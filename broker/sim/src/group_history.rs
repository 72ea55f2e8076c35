//! Histories of consumer groups on a disk that breaks, over the rooms of a whole broker.
//! Shell.
//!
//! The rule: an offset whose commit was acknowledged is read back, or a later one that is whole, and
//! never an older one; so for its removal. What was shown stays. Generations that a member was told
//! never come back for another, and groups whose deletion was acknowledged stay deleted.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ottla_api::{group_admin, group_membership, group_offsets};
use ottla_coordinator::group::{Committer, Joiner, Leaver, OffsetToCommit};
use ottla_coordinator::{Reply, RequestContext};
use ottla_env::memory::Faults;
use ottla_model::ErrorCode;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    SyncGroupRequest, SyncGroupResponse,
};

use crate::rooms::{End, OFFSETS_RETENTION_MS, World, wire};

const GROUPS: [&str; 3] = ["g", "h", "i"];
const TOPICS: [&str; 2] = ["a", "b"];
const PARTITIONS: i32 = 2;
const MEMBERS: usize = 6;

/// Which offset: group, topic, partition.
type Key = (&'static str, &'static str, i32);

/// A value an offset was given; `None`: it was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Write {
    value: Option<i64>,
    /// It may be on the disk though its answer was an error, or be removed without an answer.
    is_uncertain: bool,
}

/// The values an offset may have, oldest first; the first was acknowledged or seen.
#[derive(Clone, Debug)]
struct Allowed(Vec<Write>);

type Answer<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

enum Waits {
    Nothing,
    Join(Answer<JoinGroupResponse>),
    Sync(Answer<SyncGroupResponse>),
}

/// A consumer, as far as the coordinator sees it.
struct Member {
    group: &'static str,
    id: String,
    instance: Option<String>,
    generation: i32,
    others: Vec<String>,
    is_leader: bool,
    waits: Waits,
}

pub struct GroupHistory {
    world: World,
    members: Vec<Member>,
    offsets: BTreeMap<Key, Allowed>,
    /// The highest generation a member of the group got its assignment in.
    generations: BTreeMap<&'static str, i32>,
    /// Groups whose deletion was acknowledged, with nothing asked of them since.
    deleted: Vec<&'static str>,
    next_offset: i64,
    pub trace: Vec<String>,
}

fn poll<T>(answer: &mut Answer<T>) -> Option<T> {
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// An answer that waits for nothing but the disk, which answers at once.
fn now<T: Send + 'static>(reply: Reply<T>) -> T {
    poll(&mut reply.into_future()).expect("nothing but the disk is waited for")
}

fn context() -> RequestContext {
    RequestContext {
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        first_rebalance_wait_ms: 0,
    }
}

impl Allowed {
    fn new() -> Allowed {
        Allowed(vec![Write { value: None, is_uncertain: false }])
    }

    fn acknowledged(&mut self, value: Option<i64>) {
        // What failed before and is on the disk lies before this.
        self.0 = vec![Write { value, is_uncertain: false }];
    }

    fn push(&mut self, value: Option<i64>, is_uncertain: bool) {
        self.0.push(Write { value, is_uncertain });
    }

    /// Whether a running broker may show it: the last that is certain, or what came behind it.
    fn is_shown(&self, value: Option<i64>) -> bool {
        let certain = self.0.iter().rposition(|write| !write.is_uncertain).unwrap_or(0);
        self.0[certain..].iter().any(|write| write.value == value)
    }
}

impl GroupHistory {
    pub fn new(seed: u64) -> GroupHistory {
        let world = World::new(seed);
        let members = (0..MEMBERS).map(|index| Member {
            group: GROUPS[index % GROUPS.len()],
            id: String::new(),
            instance: (index >= MEMBERS - 2).then(|| format!("static-{index}")),
            generation: -1,
            others: Vec::new(),
            is_leader: false,
            waits: Waits::Nothing,
        });
        let mut history = GroupHistory {
            members: members.collect(),
            world,
            offsets: BTreeMap::new(),
            generations: BTreeMap::new(),
            deleted: Vec::new(),
            next_offset: 0,
            trace: Vec::new(),
        };
        let groups = history.world.rooms().groups.clone();
        history.world.ask(groups.ensure_topic()).expect("a healthy disk");
        for topic in TOPICS {
            history.create_topic(topic);
        }
        history
    }

    pub fn play(&mut self, steps: usize) {
        for _ in 0..steps {
            self.world.clock.advance(Duration::from_millis(self.world.rng.below(3_000)));
            self.world.tick();
            self.settle();
            match self.world.rng.below(100) {
                0..80 => self.step(),
                80..82 => self.long_pause(),
                82..85 => self.restart(End::Clean),
                85..88 => self.restart(End::Kill),
                88..94 => self.restart(End::PowerLoss),
                _ => self.fail_something(),
            }
        }
        self.check_everything();
    }

    fn step(&mut self) {
        match self.world.rng.below(100) {
            0..30 => self.advance_member(),
            30..60 => self.commit(),
            60..70 => self.check_one(),
            70..76 => self.heartbeat(),
            76..81 => self.leave(),
            81..86 => self.commit_from_outside(),
            86..89 => self.delete_group(),
            89..93 => self.delete_offset(),
            93..96 => self.replace_topic(),
            _ => self.commit_of_the_past(),
        }
    }

    fn note(&mut self, text: String) {
        self.trace.push(text);
    }

    fn any_key(&self, group: &'static str) -> Key {
        let topic = TOPICS[self.world.rng.below(TOPICS.len() as u64) as usize];
        (group, topic, self.world.rng.below(PARTITIONS as u64) as i32)
    }

    fn any_group(&self) -> &'static str {
        GROUPS[self.world.rng.below(GROUPS.len() as u64) as usize]
    }

    fn any_member(&self) -> usize {
        self.world.rng.below(MEMBERS as u64) as usize
    }

    fn create_topic(&mut self, topic: &'static str) {
        let request = CreatableTopic::default()
            .with_name(wire(topic).into())
            .with_num_partitions(PARTITIONS)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![request]);
        // Refused where it is there, or the disk is not.
        let answer = self.world.ask(self.world.rooms().metadata.create_topics(request));
        let code = answer.map(|answer| answer.topics[0].error_code);
        self.note(format!("create {topic}: {code:?}"));
    }

    /// Deletes a topic and makes it again: the groups' offsets in it are gone for good.
    fn replace_topic(&mut self) {
        let topic = TOPICS[self.world.rng.below(TOPICS.len() as u64) as usize];
        let request = DeleteTopicsRequest::default().with_topic_names(vec![wire(topic).into()]);
        let answer = self.world.ask(self.world.rooms().metadata.delete_topics(request));
        let code = answer.map(|answer| answer.responses[0].error_code);
        self.note(format!("delete {topic}: {code:?}"));
        for (key, allowed) in &mut self.offsets {
            if key.1 != topic {
                continue;
            }
            match &code {
                Ok(0) => allowed.acknowledged(None),
                Ok(_) => {}
                Err(_) => allowed.push(None, true),
            }
        }
        self.create_topic(topic);
    }

    /// The next thing a consumer does: join, sync, or join again.
    fn advance_member(&mut self) {
        let index = self.any_member();
        if !matches!(self.members[index].waits, Waits::Nothing) {
            return;
        }
        self.join(index);
        self.settle();
    }

    fn join(&mut self, index: usize) {
        let member = &mut self.members[index];
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(wire("range"))
            .with_metadata(bytes::Bytes::from_static(b"\0\0\0\0\0\x01\0\x01z\xff\xff\xff\xff"));
        let request = JoinGroupRequest::default()
            .with_group_id(wire(member.group).into())
            .with_member_id(wire(&member.id))
            .with_group_instance_id(member.instance.as_deref().map(wire))
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(20_000)
            .with_protocol_type(wire("consumer"))
            .with_protocols(vec![protocol]);
        let group = member.group;
        let groups = self.world.rooms().groups.clone();
        let join = |group_id: &str, joiner: Joiner| groups.join_group(group_id, joiner);
        member.waits = Waits::Join(group_membership::join(&context(), 9, &request, join).into_future());
        self.deleted.retain(|deleted| *deleted != group);
        self.note(format!("member {index} joins {group}"));
    }

    fn sync(&mut self, index: usize) {
        let member = &mut self.members[index];
        let assignments = member.others.iter().map(|id| {
            SyncGroupRequestAssignment::default()
                .with_member_id(wire(id))
                .with_assignment(bytes::Bytes::from(format!("for {id}")))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(wire(member.group).into())
            .with_member_id(wire(&member.id))
            .with_group_instance_id(member.instance.as_deref().map(wire))
            .with_generation_id(member.generation)
            .with_protocol_type(Some(wire("consumer")))
            .with_protocol_name(Some(wire("range")))
            .with_assignments(if member.is_leader { assignments.collect() } else { Vec::new() });
        let groups = self.world.rooms().groups.clone();
        let synced = group_membership::sync(5, &request, |syncer| groups.sync_group(syncer));
        member.waits = Waits::Sync(synced.into_future());
    }

    /// Hands out the answers that are there.
    fn settle(&mut self) {
        for index in 0..self.members.len() {
            match std::mem::replace(&mut self.members[index].waits, Waits::Nothing) {
                Waits::Nothing => {}
                Waits::Join(mut answer) => match poll(&mut answer) {
                    Some(answer) => self.on_joined(index, &answer),
                    None => self.members[index].waits = Waits::Join(answer),
                },
                Waits::Sync(mut answer) => match poll(&mut answer) {
                    Some(answer) => self.on_synced(index, &answer),
                    None => self.members[index].waits = Waits::Sync(answer),
                },
            }
        }
    }

    fn on_joined(&mut self, index: usize, answer: &JoinGroupResponse) {
        let code = ErrorCode::from_code(answer.error_code);
        self.note(format!("member {index} joined: {code:?}, generation {}", answer.generation_id));
        let member = &mut self.members[index];
        match code {
            Some(ErrorCode::None) => {
                member.id = answer.member_id.to_string();
                member.generation = answer.generation_id;
                member.is_leader = answer.leader == answer.member_id;
                member.others = answer.members.iter().map(|other| other.member_id.to_string()).collect();
                let floor = self.generations.get(member.group).copied().unwrap_or(-1);
                assert!(
                    answer.generation_id >= floor,
                    "{} goes back to generation {} behind {floor}",
                    member.group,
                    answer.generation_id
                );
                // Not all: some joiners stay away from the sync.
                if self.world.rng.chance(900) {
                    self.sync(index);
                }
            }
            Some(ErrorCode::MemberIdRequired) => {
                member.id = answer.member_id.to_string();
                self.join(index);
            }
            _ => member.id.clear(),
        }
    }

    fn on_synced(&mut self, index: usize, answer: &SyncGroupResponse) {
        self.note(format!("member {index} synced: {}", answer.error_code));
        if answer.error_code == 0 {
            let member = &self.members[index];
            let floor = self.generations.entry(member.group).or_insert(-1);
            assert!(member.generation >= *floor, "an assignment of a generation that is over");
            *floor = member.generation;
            if !answer.assignment.is_empty() {
                let text = String::from_utf8_lossy(&answer.assignment).to_string();
                // A static member that came back keeps what it had under its id before.
                let own = member.instance.as_ref().unwrap_or(&member.id);
                assert!(text.starts_with(&format!("for {own}")), "{own} got the assignment {text}");
            }
        }
    }

    fn heartbeat(&mut self) {
        let member = &self.members[self.any_member()];
        let request = HeartbeatRequest::default()
            .with_group_id(wire(member.group).into())
            .with_member_id(wire(&member.id))
            .with_group_instance_id(member.instance.as_deref().map(wire))
            .with_generation_id(member.generation);
        let groups = self.world.rooms().groups.clone();
        let code = now(group_membership::heartbeat(&request, |beat| groups.heartbeat(beat))).error_code;
        if code == 0 {
            let floor = self.generations.get(member.group).copied().unwrap_or(-1);
            assert!(member.generation >= floor, "a generation that is over has a heartbeat");
        }
    }

    fn leave(&mut self) {
        let index = self.any_member();
        let member = &mut self.members[index];
        let identity = MemberIdentity::default()
            .with_member_id(wire(&member.id))
            .with_group_instance_id(member.instance.as_deref().map(wire));
        let request = LeaveGroupRequest::default()
            .with_group_id(wire(member.group).into())
            .with_members(vec![identity]);
        let groups = &self.world.rooms().groups;
        let leave = |group_id: &str, leavers: Vec<Leaver>| groups.leave_group(group_id, leavers);
        let answer = now(group_membership::leave(5, &request, leave));
        member.id.clear();
        member.waits = Waits::Nothing;
        self.note(format!("member {index} leaves: {}", answer.error_code));
    }

    fn commit(&mut self) {
        let index = self.any_member();
        let (group, id, instance, generation) = {
            let member = &self.members[index];
            (member.group, member.id.clone(), member.instance.clone(), member.generation)
        };
        if !id.is_empty() {
            self.commit_as(group, &id, instance.as_deref(), generation);
        }
    }

    fn commit_from_outside(&mut self) {
        let group = self.any_group();
        self.commit_as(group, "", None, -1);
    }

    /// A member that slept through a rebalance.
    fn commit_of_the_past(&mut self) {
        let index = self.any_member();
        let (group, id) = (self.members[index].group, self.members[index].id.clone());
        let floor = self.generations.get(group).copied().unwrap_or(-1);
        if floor > 0 && !id.is_empty() {
            let code = self.commit_as(group, &id, None, floor - 1);
            assert_ne!(code, 0, "a commit of generation {} behind {floor} is taken", floor - 1);
        }
    }

    fn commit_as(&mut self, group: &'static str, id: &str, instance: Option<&str>, generation: i32) -> i16 {
        let key = self.any_key(group);
        let offset = self.next_offset;
        self.next_offset += 1;
        let partition = OffsetCommitRequestPartition {
            partition_index: key.2,
            committed_offset: offset,
            ..Default::default()
        };
        let topic =
            OffsetCommitRequestTopic { name: wire(key.1), partitions: vec![partition], ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: wire(group),
            generation_id_or_member_epoch: generation,
            member_id: wire(id),
            group_instance_id: instance.map(wire),
            topics: vec![topic],
            ..Default::default()
        };
        let topics = self.world.topics();
        let groups = &self.world.rooms().groups;
        let ask = |committer: &Committer<'_>, offsets: &[OffsetToCommit<'_>]| {
            groups.commit_offsets(committer, offsets)
        };
        let reply = group_offsets::commit(9, &request, &topics, ask);
        let allowed = self.offsets.entry(key).or_insert_with(Allowed::new);
        let is_heard = self.world.rng.chance(700);
        if !is_heard && let Reply::Later(answer) = reply {
            // The connection is gone: nobody hears whether it was flushed.
            drop(answer);
            allowed.push(Some(offset), false);
            self.deleted.retain(|deleted| *deleted != group);
            self.note(format!("commit {offset} to {key:?} in {generation}: unheard"));
            return -1;
        }
        let code = now(reply).topics[0].partitions[0].error_code;
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => allowed.acknowledged(Some(offset)),
            // The disk failed: there or not after the next start.
            Some(ErrorCode::NotCoordinator) => allowed.push(Some(offset), true),
            _ => {}
        }
        if matches!(ErrorCode::from_code(code), Some(ErrorCode::None | ErrorCode::NotCoordinator)) {
            self.deleted.retain(|deleted| *deleted != group);
        }
        self.note(format!("commit {offset} to {key:?} in {generation}: {code}"));
        code
    }

    fn delete_offset(&mut self) {
        let key = self.any_key(self.any_group());
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(key.2);
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(wire(key.1).into())
            .with_partitions(vec![partition]);
        let request =
            OffsetDeleteRequest::default().with_group_id(wire(key.0).into()).with_topics(vec![topic]);
        let topics = self.world.topics();
        let groups = &self.world.rooms().groups;
        let answer = now(group_offsets::delete(&request, &topics, |group, wanted| {
            groups.delete_offsets(group, wanted)
        }));
        let code = match answer.error_code {
            0 => answer.topics[0].partitions[0].error_code,
            code => code,
        };
        let allowed = self.offsets.entry(key).or_insert_with(Allowed::new);
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => allowed.acknowledged(None),
            Some(ErrorCode::NotCoordinator) => allowed.push(None, true),
            _ => {}
        }
        self.note(format!("delete offset {key:?}: {code}"));
    }

    fn delete_group(&mut self) {
        let group = self.any_group();
        let groups = self.world.rooms().groups.clone();
        let deleted = group_admin::delete(&[wire(group).into()], |ids| groups.delete_groups(ids));
        let code = now(deleted).results[0].error_code;
        self.note(format!("delete group {group}: {code}"));
        let code = ErrorCode::from_code(code);
        for (key, allowed) in &mut self.offsets {
            match code {
                Some(ErrorCode::None) if key.0 == group => allowed.acknowledged(None),
                Some(ErrorCode::NotCoordinator) if key.0 == group => allowed.push(None, true),
                _ => {}
            }
        }
        if matches!(code, Some(ErrorCode::None | ErrorCode::NotCoordinator)) {
            // A group of that name begins anew.
            self.generations.remove(group);
        }
        if code == Some(ErrorCode::None) {
            self.deleted.push(group);
        }
    }

    /// Sessions end, and the offsets of groups without members may.
    fn long_pause(&mut self) {
        self.note("a long pause".to_owned());
        for _ in 0..2 {
            self.world.clock.advance(Duration::from_millis(OFFSETS_RETENTION_MS));
            self.world.tick();
            self.settle();
        }
        self.world.clock.advance(Duration::from_millis(600_000));
        self.world.tick();
        self.settle();
        // A group without offsets ends as well.
        self.generations.clear();
        for allowed in self.offsets.values_mut() {
            allowed.push(None, true);
        }
    }

    fn fail_something(&mut self) {
        let faults = self.world.random_faults();
        self.note(format!("faults {faults:?}"));
        self.world.disk.set_faults(faults);
        for _ in 0..1 + self.world.rng.below(6) {
            self.step();
        }
        self.world.disk.set_faults(Faults::default());
        self.note("faults end".to_owned());
        if self.world.is_offline() {
            self.restart(if self.world.rng.chance(700) { End::PowerLoss } else { End::Kill });
        }
    }

    fn restart(&mut self, end: End) {
        self.note(format!("restart: {end:?}"));
        for member in &mut self.members {
            member.waits = Waits::Nothing;
        }
        self.world.restart(end);
        for topic in TOPICS {
            self.create_topic(topic);
        }
        for group in self.deleted.clone() {
            let request = DescribeGroupsRequest::default().with_groups(vec![wire(group).into()]);
            let groups = self.world.rooms().groups.clone();
            let answer = now(group_admin::describe(6, &request, |ids| groups.describe_groups(ids)));
            assert_eq!(&*answer.groups[0].group_state, "Dead", "a deleted group is back: {group}");
        }
        // Anything since what was acknowledged may be there.
        for allowed in self.offsets.values_mut() {
            for write in allowed.0.iter_mut().skip(1) {
                write.is_uncertain = true;
            }
        }
        self.check_everything();
    }

    fn check_one(&mut self) {
        let key = self.any_key(self.any_group());
        self.check(key);
    }

    fn check_everything(&mut self) {
        for key in self.offsets.keys().copied().collect::<Vec<_>>() {
            self.check(key);
        }
    }

    fn check(&mut self, key: Key) {
        // A topic that is gone has nothing to go on reading, whatever is still said of it.
        if self.world.rooms().metadata.image().topic(key.1).is_none() {
            return;
        }
        let topic = OffsetFetchRequestTopics {
            name: wire(key.1),
            partition_indexes: vec![key.2],
            ..Default::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: wire(key.0),
            topics: Some(vec![topic]),
            ..Default::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        let topics = self.world.topics();
        let groups = &self.world.rooms().groups;
        let answer = now(group_offsets::fetch(8, &request, &topics, |wanted| groups.fetch_offsets(wanted)));
        let group = &answer.groups[0];
        let failed = group.error_code != 0 || group.topics[0].partitions[0].error_code != 0;
        if failed {
            assert!(self.world.is_offline(), "offsets of {key:?} can't be read: {group:?}");
            return;
        }
        let offset = group.topics[0].partitions[0].committed_offset;
        let value = (offset >= 0).then_some(offset);
        let allowed = self.offsets.entry(key).or_insert_with(Allowed::new);
        assert!(allowed.is_shown(value), "{key:?} is {value:?}, which is none of {allowed:?}");
        let failed: Vec<Write> = match self.world.is_offline() {
            true => allowed.0.iter().filter(|write| write.is_uncertain).copied().collect(),
            false => Vec::new(),
        };
        allowed.acknowledged(value);
        allowed.0.extend(failed);
    }
}
