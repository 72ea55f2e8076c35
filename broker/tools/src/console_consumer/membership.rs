//! A consumer's part in a group: it joins, is assigned partitions, stays and leaves.
//! Shell over the client; what the leader of a group assigns is a plain function. Here by the classic protocol; `heartbeats` has the newer one.

mod heartbeats;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ottla_model::ErrorCode;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};

use self::heartbeats::Heartbeats;
use super::assignment::{self, Partition};
use crate::admin;
use crate::client::Client;
use crate::error::Exception;
use crate::terminal::Terminal;

const PROTOCOL_TYPE: &str = "consumer";
const ASSIGNOR: &str = "range";
const BACKOFF: Duration = Duration::from_millis(100);
const GROUP_KEY: i8 = 0;

/// `group.protocol`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Protocol {
    Classic,
    /// KIP-848, with the assignor that the coordinator shall use, if one was asked for.
    Consumer(Option<String>),
}

/// How a consumer takes part.
#[derive(Clone, Debug)]
pub struct MembershipSettings {
    pub group: String,
    pub protocol: Protocol,
    pub instance: Option<String>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub heartbeat_interval: Duration,
    /// Between two commits; `None` commits nothing.
    pub commit_interval: Option<Duration>,
}

pub struct Membership {
    settings: MembershipSettings,
    coordinator: Option<i32>,
    member_id: String,
    /// Of the newer protocol: the epoch of the member, 0 where it is none.
    generation: i32,
    heartbeats: Option<Heartbeats>,
    heard: Instant,
    committed: Instant,
    /// What is committed already.
    stored: BTreeMap<Partition, i64>,
}

/// What a member has to do next.
#[derive(PartialEq, Eq, Debug)]
pub enum Standing {
    Member,
    MustJoin,
}

/// What an error of the group means to a member.
enum Answer {
    Done,
    /// The group is somewhere else, or not there yet.
    Elsewhere,
    MustJoin,
    /// The group does not know this member any more.
    Forgotten,
    /// The member was not told its newest epoch yet; the next heartbeat tells it.
    Stale,
    Failed(Exception),
}

fn answer(code: i16) -> Answer {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Answer::Done,
        Some(
            ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator,
        ) => Answer::Elsewhere,
        Some(ErrorCode::RebalanceInProgress) => Answer::MustJoin,
        Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration | ErrorCode::FencedMemberEpoch) => {
            Answer::Forgotten
        }
        Some(ErrorCode::StaleMemberEpoch) => Answer::Stale,
        _ => Answer::Failed(Exception::of(code, None)),
    }
}

impl Membership {
    pub fn new(settings: MembershipSettings) -> Membership {
        let (heartbeats, member_id) = match &settings.protocol {
            Protocol::Classic => (None, String::new()),
            Protocol::Consumer(assignor) => {
                (Some(Heartbeats::new(assignor.clone())), heartbeats::new_member_id())
            }
        };
        Membership {
            settings,
            coordinator: None,
            member_id,
            generation: -1,
            heartbeats,
            heard: Instant::now(),
            committed: Instant::now(),
            stored: BTreeMap::new(),
        }
    }

    /// Joins, or joins again; returns what this member is to read. `None`: the time was over before.
    pub fn join(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        topics: &BTreeSet<String>,
        until: Option<Instant>,
    ) -> Result<Option<Vec<Partition>>, Exception> {
        if self.heartbeats.is_some() {
            return self.take_over(client, terminal, topics, until);
        }
        loop {
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(None);
            }
            let Some(coordinator) = self.find(client, terminal)? else {
                std::thread::sleep(BACKOFF);
                continue;
            };
            let request = self.join_request(topics);
            let limit = Duration::from_millis(self.settings.rebalance_timeout_ms.unsigned_abs().into());
            let limit = limit + Duration::from_secs(5);
            let joined = client.node_within(terminal, "joinGroup", coordinator, limit, &request)?;
            if joined.error_code == ErrorCode::MemberIdRequired.code() {
                self.member_id = joined.member_id.to_string();
                continue;
            }
            if !self.is_done(joined.error_code)? {
                continue;
            }
            self.member_id = joined.member_id.to_string();
            self.generation = joined.generation_id;
            let request = self.sync_request(client, terminal, &joined)?;
            let synced = client.node_within(terminal, "syncGroup", coordinator, limit, &request)?;
            if !self.is_done(synced.error_code)? {
                continue;
            }
            (self.heard, self.committed) = (Instant::now(), Instant::now());
            self.stored.clear();
            let assigned = assignment::read(&synced.assignment).ok_or_else(|| {
                let message = "the assignment is none of Kafka's consumer protocol";
                Exception::new("org.apache.kafka.common.protocol.types.SchemaException", message)
            })?;
            return Ok(Some(assigned));
        }
    }

    /// Whether a step of joining was done; else it is to be tried again, after a pause where that helps.
    fn is_done(&mut self, code: i16) -> Result<bool, Exception> {
        match answer(code) {
            Answer::Done => return Ok(true),
            Answer::Elsewhere => {
                self.coordinator = None;
                std::thread::sleep(BACKOFF);
            }
            Answer::MustJoin | Answer::Stale => {}
            Answer::Forgotten => self.forget(),
            Answer::Failed(exception) => return Err(exception),
        }
        Ok(false)
    }

    fn find(&mut self, client: &mut Client, terminal: &mut Terminal<'_>) -> Result<Option<i32>, Exception> {
        if self.coordinator.is_some() {
            return Ok(self.coordinator);
        }
        let request = FindCoordinatorRequest::default()
            .with_key_type(GROUP_KEY)
            .with_coordinator_keys(vec![admin::text(&self.settings.group)]);
        let response = client.any(terminal, "findCoordinator", &request)?;
        let found = response.coordinators.first();
        let code = found.map_or(response.error_code, |found| found.error_code);
        match answer(code) {
            Answer::Done => self.coordinator = found.map(|found| found.node_id.0),
            Answer::Elsewhere => {}
            Answer::MustJoin | Answer::Forgotten | Answer::Stale | Answer::Failed(_) => {
                if ErrorCode::from_code(code) == Some(ErrorCode::GroupAuthorizationFailed) {
                    let message = format!("Not authorized to access group: {}", self.settings.group);
                    return Err(Exception::kafka("GroupAuthorizationException", message));
                }
                return Err(Exception::of(code, found.and_then(|found| found.error_message.as_deref())));
            }
        }
        Ok(self.coordinator)
    }

    fn join_request(&self, topics: &BTreeSet<String>) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(admin::text(ASSIGNOR))
            .with_metadata(assignment::write_subscription(topics));
        JoinGroupRequest::default()
            .with_group_id(GroupId(admin::text(&self.settings.group)))
            .with_session_timeout_ms(self.settings.session_timeout_ms)
            .with_rebalance_timeout_ms(self.settings.rebalance_timeout_ms)
            .with_member_id(admin::text(&self.member_id))
            .with_group_instance_id(self.settings.instance.as_deref().map(admin::text))
            .with_protocol_type(admin::text(PROTOCOL_TYPE))
            .with_protocols(vec![protocol])
    }

    /// The leader of a generation says who reads what; the others ask.
    fn sync_request(
        &self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        joined: &JoinGroupResponse,
    ) -> Result<SyncGroupRequest, Exception> {
        let mut assignments = Vec::new();
        if joined.leader == joined.member_id && !joined.skip_assignment {
            let members: BTreeMap<String, BTreeSet<String>> = joined
                .members
                .iter()
                .map(|member| {
                    let topics = assignment::read_subscription(&member.metadata).unwrap_or_default();
                    (member.member_id.to_string(), topics)
                })
                .collect();
            let topics: BTreeSet<&String> = members.values().flatten().collect();
            let asked = topics
                .iter()
                .map(|topic| MetadataRequestTopic::default().with_name(Some(admin::topic_name(topic))));
            let response = client.metadata(terminal, "metadata", Some(asked.collect()))?;
            let counts = response
                .topics
                .iter()
                .filter_map(|topic| Some((topic.name.as_ref()?.to_string(), topic.partitions.len())));
            let shares = assignment::range(&members, &counts.collect());
            assignments = shares
                .into_iter()
                .map(|(member, partitions)| {
                    SyncGroupRequestAssignment::default()
                        .with_member_id(admin::text(&member))
                        .with_assignment(assignment::write(&partitions))
                })
                .collect();
        }
        Ok(SyncGroupRequest::default()
            .with_group_id(GroupId(admin::text(&self.settings.group)))
            .with_generation_id(self.generation)
            .with_member_id(admin::text(&self.member_id))
            .with_group_instance_id(self.settings.instance.as_deref().map(admin::text))
            .with_protocol_type(Some(admin::text(PROTOCOL_TYPE)))
            .with_protocol_name(joined.protocol_name.clone())
            .with_assignments(assignments))
    }

    /// Tells the group that this member is there, when it is time to.
    pub fn stay(&mut self, client: &mut Client, terminal: &mut Terminal<'_>) -> Result<Standing, Exception> {
        if self.heartbeats.is_some() {
            return self.stay_by_heartbeat(client, terminal);
        }
        if self.heard.elapsed() < self.settings.heartbeat_interval {
            return Ok(Standing::Member);
        }
        let Some(coordinator) = self.find(client, terminal)? else { return Ok(Standing::Member) };
        let request = HeartbeatRequest::default()
            .with_group_id(GroupId(admin::text(&self.settings.group)))
            .with_generation_id(self.generation)
            .with_member_id(admin::text(&self.member_id))
            .with_group_instance_id(self.settings.instance.as_deref().map(admin::text));
        let response = client.node(terminal, "heartbeat", coordinator, &request)?;
        self.heard = Instant::now();
        self.standing(response.error_code)
    }

    fn standing(&mut self, code: i16) -> Result<Standing, Exception> {
        match answer(code) {
            Answer::Done | Answer::Stale => Ok(Standing::Member),
            Answer::Elsewhere => {
                self.coordinator = None;
                Ok(Standing::Member)
            }
            Answer::MustJoin => Ok(Standing::MustJoin),
            Answer::Forgotten => {
                self.forget();
                Ok(Standing::MustJoin)
            }
            Answer::Failed(exception) => Err(exception),
        }
    }

    /// The group knows it no more: in the newer protocol it keeps the name that it gave itself.
    fn forget(&mut self) {
        match &mut self.heartbeats {
            Some(heartbeats) => {
                heartbeats.forget();
                self.generation = 0;
            }
            None => self.member_id.clear(),
        }
    }

    /// Whether it is time to commit.
    pub fn must_commit(&self) -> bool {
        self.settings.commit_interval.is_some_and(|interval| self.committed.elapsed() >= interval)
    }

    /// Commits what is not committed yet, unless nothing is to be committed at all.
    pub fn commit(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        positions: &BTreeMap<Partition, i64>,
        epochs: &BTreeMap<Partition, i32>,
    ) -> Result<Standing, Exception> {
        self.committed = Instant::now();
        let new: BTreeMap<&Partition, i64> = positions
            .iter()
            .filter(|(partition, offset)| self.stored.get(*partition) != Some(*offset))
            .map(|(partition, offset)| (partition, *offset))
            .collect();
        if self.settings.commit_interval.is_none() || new.is_empty() {
            return Ok(Standing::Member);
        }
        let Some(coordinator) = self.find(client, terminal)? else { return Ok(Standing::Member) };
        let mut topics: BTreeMap<&str, OffsetCommitRequestTopic> = BTreeMap::new();
        for (partition, offset) in &new {
            let topic = topics.entry(&partition.topic).or_insert_with(|| OffsetCommitRequestTopic {
                name: admin::text(&partition.topic),
                topic_id: partition.topic_id,
                ..OffsetCommitRequestTopic::default()
            });
            topic.partitions.push(OffsetCommitRequestPartition {
                partition_index: partition.index,
                committed_offset: *offset,
                committed_leader_epoch: epochs.get(*partition).copied().unwrap_or(-1),
                committed_metadata: Some(admin::text("")),
                ..OffsetCommitRequestPartition::default()
            });
        }
        let request = OffsetCommitRequest {
            group_id: admin::text(&self.settings.group),
            generation_id_or_member_epoch: self.generation,
            member_id: admin::text(&self.member_id),
            group_instance_id: self.settings.instance.as_deref().map(admin::text),
            retention_time_ms: -1,
            topics: topics.into_values().collect(),
            ..OffsetCommitRequest::default()
        };
        let response = client.node(terminal, "offsetCommit", coordinator, &request)?;
        let codes = response.topics.iter().flat_map(|topic| &topic.partitions);
        let code = codes.map(|partition| partition.error_code).find(|code| *code != 0).unwrap_or(0);
        if code == 0 {
            let new: Vec<(Partition, i64)> =
                new.into_iter().map(|(partition, offset)| (partition.clone(), offset)).collect();
            self.stored.extend(new);
        }
        self.standing(code)
    }

    /// The offsets that the group committed; partitions without one are left out.
    pub fn committed(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, i64>, Exception> {
        let mut topics: BTreeMap<&str, OffsetFetchRequestTopics> = BTreeMap::new();
        for partition in partitions {
            let topic = topics.entry(&partition.topic).or_insert_with(|| OffsetFetchRequestTopics {
                name: admin::text(&partition.topic),
                topic_id: partition.topic_id,
                ..OffsetFetchRequestTopics::default()
            });
            topic.partition_indexes.push(partition.index);
        }
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: admin::text(&self.settings.group),
                member_id: None,
                member_epoch: -1,
                topics: Some(topics.into_values().collect()),
                ..OffsetFetchRequestGroup::default()
            }],
            require_stable: true,
            ..OffsetFetchRequest::default()
        };
        let by_name: BTreeMap<(String, i32), &Partition> =
            partitions.iter().map(|p| ((p.topic.clone(), p.index), p)).collect();
        let by_id: BTreeMap<(uuid::Uuid, i32), &Partition> =
            partitions.iter().map(|p| ((p.topic_id, p.index), p)).collect();
        loop {
            let Some(coordinator) = self.find(client, terminal)? else {
                std::thread::sleep(BACKOFF);
                continue;
            };
            let response = client.node(terminal, "offsetFetch", coordinator, &request)?;
            let Some(group) = response.groups.into_iter().next() else { return Ok(BTreeMap::new()) };
            if matches!(answer(group.error_code), Answer::Elsewhere) {
                self.coordinator = None;
                std::thread::sleep(BACKOFF);
                continue;
            }
            Exception::check(group.error_code, None)?;
            let mut found = BTreeMap::new();
            let mut is_unstable = false;
            for topic in &group.topics {
                for partition in &topic.partitions {
                    // A transaction that is not over may still move the offset.
                    is_unstable |= partition.error_code == ErrorCode::UnstableOffsetCommit.code();
                    let name = (topic.name.to_string(), partition.partition_index);
                    let id = (topic.topic_id, partition.partition_index);
                    let meant = by_name.get(&name).or_else(|| by_id.get(&id));
                    if let Some(meant) = meant.filter(|_| partition.committed_offset >= 0) {
                        found.insert((*meant).clone(), partition.committed_offset);
                    }
                }
            }
            if !is_unstable {
                self.stored = found.clone();
                return Ok(found);
            }
            std::thread::sleep(BACKOFF);
        }
    }

    /// Leaves the group; nobody has to wait for this member's session to end.
    pub fn leave(&mut self, client: &mut Client, terminal: &mut Terminal<'_>) -> Result<(), Exception> {
        if self.heartbeats.is_some() {
            return self.leave_by_heartbeat(client, terminal);
        }
        // A static member comes back under its name (KIP-345).
        if self.member_id.is_empty() || self.settings.instance.is_some() {
            return Ok(());
        }
        let Some(coordinator) = self.coordinator else { return Ok(()) };
        let member = MemberIdentity::default()
            .with_member_id(admin::text(&self.member_id))
            .with_reason(Some(admin::text("the consumer is being closed")));
        let request = LeaveGroupRequest::default()
            .with_group_id(GroupId(admin::text(&self.settings.group)))
            .with_members(vec![member]);
        client.node(terminal, "leaveGroup", coordinator, &request).map(|_left| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(protocol: Protocol) -> Membership {
        Membership::new(MembershipSettings {
            group: "g".to_owned(),
            protocol,
            instance: None,
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: 300_000,
            heartbeat_interval: Duration::from_secs(3),
            commit_interval: None,
        })
    }

    #[test]
    fn a_member_of_the_newer_protocol_keeps_its_name() {
        let mut member = member(Protocol::Consumer(None));
        let name = member.member_id.clone();
        member.generation = 3;
        assert_eq!(member.standing(ErrorCode::StaleMemberEpoch.code()), Ok(Standing::Member));
        assert_eq!(member.generation, 3);
        assert_eq!(member.standing(ErrorCode::FencedMemberEpoch.code()), Ok(Standing::MustJoin));
        assert_eq!((&member.member_id, member.generation), (&name, 0));
    }

    #[test]
    fn an_error_says_what_a_member_does() {
        let mut member = member(Protocol::Classic);
        (member.member_id, member.coordinator) = ("m".to_owned(), Some(1));
        assert_eq!(member.standing(0), Ok(Standing::Member));
        assert_eq!(member.standing(ErrorCode::RebalanceInProgress.code()), Ok(Standing::MustJoin));
        assert_eq!((member.member_id.as_str(), member.coordinator), ("m", Some(1)));
        assert_eq!(member.standing(ErrorCode::NotCoordinator.code()), Ok(Standing::Member));
        assert_eq!(member.coordinator, None);
        assert_eq!(member.standing(ErrorCode::UnknownMemberId.code()), Ok(Standing::MustJoin));
        assert_eq!(member.member_id, "");
        assert!(member.standing(ErrorCode::GroupAuthorizationFailed.code()).is_err());
        assert!(!member.must_commit(), "nothing is ever committed without an interval");
    }
}
