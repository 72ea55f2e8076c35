//! StreamsGroupHeartbeat: a member joins, stays, reports its tasks, and hears which it is to have.
//! Core. After `streamsGroupHeartbeat` of Kafka's `GroupMetadataManager`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_model::{ErrorCode, GroupId, MemberId};

use super::endpoints::EndpointPartitions;
use super::reconcile::Reconciling;
use super::topics::{ConfiguredTopology, InternalTopic, Status};
use super::{
    HeartbeatAftermath, MemberState, NUM_STANDBY_REPLICAS, StreamsGroup, StreamsMember, not_a_streams_group,
};
use crate::assignor::streams::{StreamsGroupSpec, StreamsMemberSpec, SubtopologySpec};
use crate::group::modern::{Assigning, GroupError, HeartbeatTurn, TargetTask};
use crate::group::shard::GroupShard;
use crate::group::turn::{Effects, Then};
use crate::group::{ClassicGroupState, Group};
use crate::record::streams::{
    CurrentTasks, Endpoint, StreamsGroupEpoch, StreamsMemberMetadata, StreamsRecord, TasksTuple,
    TasksTupleWithEpochs, Topology,
};
use crate::record::{Record, TargetAssignmentEpoch};
use crate::settings::{GroupSettings, StreamsGroupConfig};
use crate::topic_hash::group_hash;
use crate::topic_lookup::TopicLookup;

/// A member's heartbeat; `None` is what the member has said before.
pub struct StreamsHeartbeat<'a> {
    pub group_id: &'a str,
    pub member_id: &'a str,
    /// 0 joins, -1 leaves.
    pub member_epoch: i32,
    pub endpoint_epoch: i32,
    pub rack_id: Option<&'a str>,
    pub rebalance_timeout_ms: Option<i32>,
    pub client_id: &'a str,
    pub client_host: &'a str,
    /// Of a member that joins.
    pub topology: Option<Arc<Topology>>,
    /// The tasks that the member has.
    pub owned: Option<TasksTuple>,
    pub process_id: Option<&'a str>,
    pub user_endpoint: Option<Endpoint>,
    pub client_tags: Option<BTreeMap<String, String>>,
    pub shutdown_application: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct StreamsHeartbeatOutcome {
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    pub status: Vec<(Status, String)>,
    /// `None` when the member knows them.
    pub tasks: Option<Arc<TasksTupleWithEpochs>>,
    pub endpoint_epoch: i32,
    /// `None` when the member knows them.
    pub endpoints: Option<Vec<EndpointPartitions>>,
    /// Topics that are to be created before tasks can be assigned.
    pub missing_topics: Vec<InternalTopic>,
}

pub type StreamsHeartbeatTurn = HeartbeatTurn<Box<StreamsHeartbeatOutcome>, StreamsGroupSpec>;

/// The assignor, for members among whom is the one that asks.
pub fn assign(spec: StreamsGroupSpec) -> BTreeMap<MemberId, TasksTuple> {
    match spec.assign() {
        Ok(assignments) => assignments,
        Err(error) => unreachable!("a group with a member can be assigned: {error}"),
    }
}

impl GroupShard {
    pub fn on_streams_heartbeat(
        &mut self,
        beat: &StreamsHeartbeat<'_>,
        topics: &dyn TopicLookup,
        config: &StreamsGroupConfig,
        assigning: Assigning<TasksTuple>,
        wall_ms: i64,
    ) -> Result<StreamsHeartbeatTurn, GroupError> {
        let is_join = beat.member_epoch == 0;
        let mut effects = Effects::default();
        let fresh;
        let (group, is_new) = match self.groups.get(beat.group_id) {
            Some(Group::Streams(group)) => (&**group, false),
            Some(Group::Classic(group)) if is_join && group.is_in_state(ClassicGroupState::Empty) => {
                // An empty classic group makes room; its offsets stay.
                let group_id = GroupId::new(beat.group_id);
                effects.records.push(Record::GroupMetadata { group: group_id.clone(), value: None });
                fresh = StreamsGroup::new(group_id);
                (&fresh, true)
            }
            Some(_) => return Err(not_a_streams_group(beat.group_id)),
            None if is_join => {
                fresh = StreamsGroup::new(GroupId::new(beat.group_id));
                (&fresh, true)
            }
            None => {
                let message = format!("Streams group {} not found.", beat.group_id);
                return Err(GroupError { code: ErrorCode::GroupIdNotFound, message });
            }
        };
        let before = group.check_member(beat, &self.settings)?;
        let heartbeat = Heartbeat {
            group,
            is_new,
            member_id: MemberId::new(beat.member_id),
            member: updated(&before, beat),
            before,
            topics,
            config,
            wall_ms,
            effects,
            status: Vec::new(),
        };
        heartbeat.decide(beat, assigning)
    }
}

/// One heartbeat while it is decided.
struct Heartbeat<'a> {
    group: &'a StreamsGroup,
    /// The group is there only after this turn: of what is not in its records nothing stays.
    is_new: bool,
    member_id: MemberId,
    before: StreamsMember,
    member: StreamsMember,
    topics: &'a dyn TopicLookup,
    config: &'a StreamsGroupConfig,
    wall_ms: i64,
    effects: Effects,
    status: Vec<(Status, String)>,
}

/// The topology with what it came to, and the group's epoch that follows.
struct Configured {
    topology: Arc<ConfiguredTopology>,
    is_refreshed: bool,
    epoch: i32,
}

impl Heartbeat<'_> {
    fn decide(
        mut self,
        beat: &StreamsHeartbeat<'_>,
        assigning: Assigning<TasksTuple>,
    ) -> Result<StreamsHeartbeatTurn, GroupError> {
        let is_changed = self.member.metadata != self.before.metadata;
        if is_changed {
            let value = Some(Arc::clone(&self.member.metadata));
            self.record(StreamsRecord::MemberMetadata { member: self.member_id.clone(), value });
        }
        let topology = self.topology(beat)?;
        let configured = self.configure(&topology, beat, is_changed)?;
        let begins_delay = self.group.is_empty() && self.config.initial_rebalance_delay_ms > 0;
        let is_delayed = self.group.delay.is_some() || begins_delay;
        let (target_epoch, target) = match self.next_target(&configured, is_delayed, assigning) {
            Ok(target) => target,
            Err(task) => return Ok(StreamsHeartbeatTurn::Assign(*task)),
        };
        self.reconcile(beat, target_epoch, &target)?;
        let is_reported = beat.member_epoch == 0 || self.member.assigned != self.before.assigned;
        let has_moved = is_reported && self.member.metadata.user_endpoint.is_some();
        let endpoint_epoch = self.group.endpoint_epoch + i32::from(has_moved);
        let endpoints = (endpoint_epoch != beat.endpoint_epoch).then(|| {
            let (id, member) = (beat.member_id, &self.member);
            self.group.partitions_by_endpoint(id, member, &configured.topology, self.topics)
        });
        self.tell_rest(beat, &configured.topology);
        let outcome = StreamsHeartbeatOutcome {
            member_epoch: self.member.member_epoch,
            heartbeat_interval_ms: self.config.heartbeat_interval_ms,
            status: self.status,
            tasks: is_reported.then(|| Arc::clone(&self.member.assigned)),
            endpoint_epoch: if self.is_new { 0 } else { endpoint_epoch },
            endpoints,
            missing_topics: configured.topology.missing_topics.values().cloned().collect(),
        };
        let aftermath = HeartbeatAftermath {
            member: self.member_id,
            session_timeout_ms: self.config.session_timeout_ms,
            delay_ms: begins_delay.then_some(self.config.initial_rebalance_delay_ms),
            has_reconciled: self.member.member_epoch != self.before.member_epoch
                || self.member.state != self.before.state
                || self.member.previous_member_epoch != self.before.previous_member_epoch
                || self.member.assigned != self.before.assigned
                || self.member.pending_revocation != self.before.pending_revocation,
            // Of a group that is new Kafka keeps none of these.
            configured: (!self.is_new).then_some(configured.topology),
            is_refreshed: configured.is_refreshed && !self.is_new,
            endpoint_epoch: (!self.is_new).then_some(endpoint_epoch),
            wants_shutdown: beat.shutdown_application && !self.is_new,
        };
        let group = self.group.group_id().clone();
        self.effects.then = Some(Then::StreamsHeartbeat { group, aftermath: Box::new(aftermath) });
        Ok(StreamsHeartbeatTurn::Done(self.effects, Box::new(outcome)))
    }

    fn record(&mut self, record: StreamsRecord) {
        self.effects.records.push(self.group.record(record));
    }

    /// The group's topology: the first member's.
    fn topology(&mut self, beat: &StreamsHeartbeat<'_>) -> Result<Arc<Topology>, GroupError> {
        let known = match (&self.group.topology, &beat.topology) {
            (None, Some(first)) => {
                self.record(StreamsRecord::Topology(Some(Arc::clone(first))));
                return Ok(Arc::clone(first));
            }
            (None, None) => {
                let message = "The topology is null and the group topology is also null.".to_owned();
                return Err(GroupError { code: ErrorCode::UnknownServerError, message });
            }
            (Some(known), Some(other)) if known.epoch <= other.epoch && known != other => {
                let message = "Topology updates are not supported yet.".to_owned();
                return Err(GroupError { code: ErrorCode::InvalidRequest, message });
            }
            (Some(known), _) => known,
        };
        let theirs = self.member.metadata.topology_epoch;
        if theirs < known.epoch {
            let why = format!(
                "The member's topology epoch {theirs} is behind the group's topology epoch {}.",
                known.epoch
            );
            self.status.push((Status::StaleTopology, why));
        }
        Ok(Arc::clone(known))
    }

    /// Looks at the topics where that is due, and raises the group's epoch where anything is other than it was.
    fn configure(
        &mut self,
        topology: &Topology,
        beat: &StreamsHeartbeat<'_>,
        is_changed: bool,
    ) -> Result<Configured, GroupError> {
        let (group, modern) = (self.group, &self.group.modern);
        let known = group.configured.as_ref().filter(|_| group.topology.is_some());
        let is_refreshed = known.is_none() || modern.needs_refresh();
        let metadata_hash = match is_refreshed {
            true => {
                group_hash(topology.required_topics().into_iter().map(|name| self.topics.topic_hash(name)))
            }
            false => modern.metadata_hash(),
        };
        let has_other_topics = metadata_hash != modern.metadata_hash();
        let configured = match known {
            Some(known) if !has_other_topics => Arc::clone(known),
            _ => Arc::new(topology.configure(self.topics)?),
        };
        if configured.is_ready() {
            check_tasks(beat.owned.as_ref(), &configured)?;
        }
        let validated_topology_epoch = if configured.is_ready() { topology.epoch } else { -1 };
        let standby = self.config.num_standby_replicas.to_string();
        let has_other_configs = group.assignment_configs.len() != 1
            || group.assignment_configs.get(NUM_STANDBY_REPLICAS) != Some(&standby);
        let is_raised = is_changed
            || has_other_topics
            || validated_topology_epoch != group.validated_topology_epoch
            || has_other_configs;
        let epoch = group.epoch() + i32::from(is_raised);
        if is_raised {
            self.record(StreamsRecord::Metadata(Some(StreamsGroupEpoch {
                epoch,
                metadata_hash,
                validated_topology_epoch,
                assignment_configs: BTreeMap::from([(NUM_STANDBY_REPLICAS.to_owned(), standby)]),
            })));
        }
        Ok(Configured { topology: configured, is_refreshed, epoch })
    }

    /// The target assignment of the member, a new one if the group is ahead of it.
    fn next_target(
        &mut self,
        configured: &Configured,
        is_delayed: bool,
        assigning: Assigning<TasksTuple>,
    ) -> Result<(i32, Arc<TasksTuple>), Box<TargetTask<StreamsGroupSpec>>> {
        let (group, target) = (self.group, self.group.modern.target());
        let delayed =
            |by: &str| (Status::AssignmentDelayed, format!("Assignment delayed due to the configured {by}."));
        if is_delayed {
            self.status.push(delayed("initial rebalance delay"));
            return Ok((target.epoch(), Arc::default()));
        }
        let epoch = configured.epoch;
        if !target.is_due(epoch, self.config.assignment_interval_ms, self.wall_ms) {
            if target.epoch() < epoch {
                self.status.push(delayed("assignment interval"));
            }
            return Ok((target.epoch(), target.of(&self.member_id).cloned().unwrap_or_default()));
        }
        let task = || Box::new(TargetTask::new(&group.modern, epoch, self.spec(&configured.topology)));
        let computed = match (assigning, &configured.topology.problem) {
            // Nothing can run: everybody gives up what it has.
            (_, Some(_)) => Some(self.nothing_for_all()),
            (Assigning::Outside, None) => return Err(task()),
            (Assigning::With(computed), None) => computed.if_current(&group.modern, epoch).ok(),
            (Assigning::Here, None) => task().compute(assign).if_current(&group.modern, epoch).ok(),
        };
        let Some(mut assignments) = computed else { return Err(task()) };
        let changed = target.changed(&assignments).map(|(id, tasks)| StreamsRecord::TargetAssignmentMember {
            member: id.clone(),
            value: Some(tasks.clone()),
        });
        let changed: Vec<StreamsRecord> = changed.collect();
        changed.into_iter().for_each(|record| self.record(record));
        let value = Some(TargetAssignmentEpoch { epoch, timestamp_ms: self.wall_ms });
        self.record(StreamsRecord::TargetAssignmentMetadata(value));
        Ok((epoch, Arc::new(assignments.remove(&self.member_id).unwrap_or_default())))
    }

    fn nothing_for_all(&self) -> BTreeMap<MemberId, TasksTuple> {
        let ids = self.group.members().keys().chain([&self.member_id]);
        ids.map(|id| (id.clone(), TasksTuple::default())).collect()
    }

    fn spec(&self, configured: &ConfiguredTopology) -> StreamsGroupSpec {
        let target = self.group.modern.target();
        let others = self.group.members().iter().filter(|(id, _)| **id != self.member_id);
        let members = others.chain([(&self.member_id, &self.member)]).map(|(id, member)| {
            let process_id = Arc::clone(&member.metadata.process_id);
            (
                id.clone(),
                StreamsMemberSpec { process_id, current: target.of(id).cloned().unwrap_or_default() },
            )
        });
        let subtopologies = configured.subtopologies.iter().flatten().map(|(id, subtopology)| {
            let is_stateful = !subtopology.state_changelog_topics.is_empty();
            (id.clone(), SubtopologySpec { task_count: subtopology.task_count, is_stateful })
        });
        StreamsGroupSpec {
            members: members.collect(),
            subtopologies: subtopologies.collect(),
            num_standby_replicas: self.config.num_standby_replicas,
        }
    }

    fn reconcile(
        &mut self,
        beat: &StreamsHeartbeat<'_>,
        target_epoch: i32,
        target: &TasksTuple,
    ) -> Result<(), GroupError> {
        if self.member.is_reconciled_to(target_epoch) {
            return Ok(());
        }
        let (owners, owned) = (&self.group.owners, beat.owned.as_ref());
        let next = Reconciling { target_epoch, target, owners, owned }.next(&self.member)?;
        if next != self.member {
            let value = Some(CurrentTasks {
                member_epoch: next.member_epoch,
                previous_member_epoch: next.previous_member_epoch,
                state: next.state.number(),
                assigned: (*next.assigned).clone(),
                pending_revocation: (*next.pending_revocation).clone(),
            });
            self.record(StreamsRecord::CurrentMemberAssignment { member: self.member_id.clone(), value });
            self.member = next;
        }
        Ok(())
    }

    /// What goes on in the group, besides what the member has been told already.
    fn tell_rest(&mut self, beat: &StreamsHeartbeat<'_>, configured: &ConfiguredTopology) {
        self.status.extend(configured.problem.clone());
        let asks = beat.shutdown_application.then_some(&self.member_id);
        if let Some(member) = self.group.shutdown_requested_by.as_ref().or(asks) {
            let why = format!(
                "Streams group member {member} encountered a fatal error and requested a shutdown for the entire \
                 application."
            );
            self.status.push((Status::ShutdownApplication, why));
        }
    }
}

/// Tasks that the topology does not have.
fn check_tasks(owned: Option<&TasksTuple>, configured: &ConfiguredTopology) -> Result<(), GroupError> {
    let invalid = |message: String| Err(GroupError { code: ErrorCode::InvalidRequest, message });
    let kinds = owned.into_iter().flat_map(|owned| [&owned.active, &owned.standby, &owned.warmup]);
    for (id, partitions) in kinds.flatten() {
        let known = configured.subtopologies.as_ref().and_then(|subtopologies| subtopologies.get(id));
        let Some(subtopology) = known else {
            return invalid(format!("Subtopology {id} does not exist in the topology."));
        };
        let count = subtopology.task_count;
        if let Some(partition) = partitions.iter().find(|partition| !(0..count).contains(*partition)) {
            return invalid(format!(
                "Task {partition} for subtopology {id} is invalid. Number of tasks for this subtopology: {count}"
            ));
        }
    }
    Ok(())
}

impl StreamsGroup {
    /// The member as it is, if it may be here with its epoch.
    fn check_member(
        &self,
        beat: &StreamsHeartbeat<'_>,
        settings: &GroupSettings,
    ) -> Result<StreamsMember, GroupError> {
        let is_join = beat.member_epoch == 0;
        if is_join && self.member_count() >= settings.streams_members_max.max(0) as usize {
            let max = settings.streams_members_max;
            let message = format!("The streams group has reached its maximum capacity of {max} members.");
            return Err(GroupError { code: ErrorCode::GroupMaxSizeReached, message });
        }
        let Some(member) = self.members().get(beat.member_id) else {
            return if is_join {
                Ok(StreamsMember::default())
            } else {
                Err(self.unknown_member(beat.member_id))
            };
        };
        let (theirs, ours) = (beat.member_epoch, member.member_epoch);
        // The answer with the next epoch may have been lost: then it has nothing that it should not have.
        let is_before =
            theirs == member.previous_member_epoch && has_no_others(beat.owned.as_ref(), &member.assigned);
        if is_join || theirs == ours || (theirs < ours && is_before) {
            return Ok(member.clone());
        }
        let what = if theirs > ours { "greater" } else { "smaller" };
        let message = format!(
            "The streams group member has a {what} member epoch ({theirs}) than the one known by the group coordinator \
             ({ours}). The member must abandon all its partitions and rejoin."
        );
        Err(GroupError { code: ErrorCode::FencedMemberEpoch, message })
    }
}

/// Whether all that is owned is assigned.
fn has_no_others(owned: Option<&TasksTuple>, assigned: &TasksTupleWithEpochs) -> bool {
    let Some(owned) = owned else { return false };
    let active = owned.active.iter().all(|(id, partitions)| {
        let of = assigned.active.get(id);
        of.is_some_and(|of| partitions.iter().all(|partition| of.contains_key(partition)))
    });
    let others = [(&owned.standby, &assigned.standby), (&owned.warmup, &assigned.warmup)];
    active
        && others.into_iter().all(|(owned, assigned)| {
            owned.iter().all(|(id, partitions)| assigned.get(id).is_some_and(|of| partitions.is_subset(of)))
        })
}

fn updated(before: &StreamsMember, beat: &StreamsHeartbeat<'_>) -> StreamsMember {
    let was = &before.metadata;
    let metadata = StreamsMemberMetadata {
        // Static members are not there in Kafka 4.3.1 either.
        instance_id: was.instance_id.clone(),
        rack_id: beat.rack_id.map(Arc::from).or_else(|| was.rack_id.clone()),
        client_id: Arc::from(beat.client_id),
        client_host: Arc::from(beat.client_host),
        rebalance_timeout_ms: beat.rebalance_timeout_ms.unwrap_or(was.rebalance_timeout_ms),
        topology_epoch: beat.topology.as_ref().map_or(was.topology_epoch, |topology| topology.epoch),
        process_id: beat.process_id.map_or_else(|| Arc::clone(&was.process_id), Arc::from),
        user_endpoint: beat.user_endpoint.clone().or_else(|| was.user_endpoint.clone()),
        client_tags: beat.client_tags.clone().unwrap_or_else(|| was.client_tags.clone()),
    };
    let metadata = if metadata == **was { Arc::clone(was) } else { Arc::new(metadata) };
    StreamsMember { metadata, ..before.clone() }
}

impl MemberState {
    pub(super) fn is_revoking(self) -> bool {
        self == MemberState::UnrevokedTasks
    }
}
