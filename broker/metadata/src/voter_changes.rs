//! AddRaftVoter, RemoveRaftVoter, UpdateRaftVoter and the upgrade to kraft.version 1: who is to vote (KIP-853).
//! Core, and a shell that waits for the commit. The rules are Apache Kafka's (`AddVoterHandler`, `RemoveVoterHandler`,
//! `UpdateVoterHandler`, `LeaderState.maybeAppendUpgradedKRaftVersion`): one voter at a time, and one that is added has read
//! the log before.

use std::time::Duration;

use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset};
use ottla_protocol::StrBytes;
use ottla_protocol::codec::Encode;
use ottla_protocol::messages::update_raft_voter_response::CurrentLeader;
use ottla_protocol::messages::{
    AddRaftVoterRequest, AddRaftVoterResponse, RemoveRaftVoterRequest, RemoveRaftVoterResponse,
    UpdateFeaturesRequest, UpdateRaftVoterRequest, UpdateRaftVoterResponse,
};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::controller::ApiError;
use crate::controller::features::KRAFT_VERSION;
use crate::image::Image;
use crate::metadata::{Metadata, OperationError};
use crate::metadata_log::CommitError;
use crate::metadata_loop::Event;
use crate::quorum::{Leadership, Voter};
use crate::raft::threads::QuorumView;
use crate::serve::refusal;
use crate::voter_set::{Endpoint, VoterNode, VoterSet, key};

/// A voter that is added had all of the log at a time that is not longer ago.
const CAUGHT_UP_WITHIN_MS: i64 = 60_000;
/// How long a change may take (`controller.quorum.request.timeout.ms` is what a Kafka controller takes).
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);
/// A set goes with each announcement of a snapshot.
const SET_BYTES_MAX: usize = 32 << 10;

/// A code, with a text where Kafka gives one.
pub(crate) type Refused = (ErrorCode, Option<String>);

fn bare(error: ErrorCode) -> Refused {
    (error, None)
}

fn with_text<T>(error: ErrorCode, text: impl Into<String>) -> Result<T, Refused> {
    Err((error, Some(text.into())))
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum VoterChange {
    Add(VoterNode),
    Remove(BrokerId, Uuid),
    Update(VoterNode),
    /// kraft.version becomes 1: the log says who votes from here on. `is_asked` alone: nothing is changed.
    Upgrade {
        is_asked: bool,
    },
}

/// What the leader decides on.
pub(crate) struct Changing<'a> {
    /// Ahead of what is committed.
    pub image: &'a Image,
    pub committed: Offset,
    pub view: &'a QuorumView,
    pub configured: &'a [Voter],
    /// The listener by which controllers reach each other.
    pub listener: &'a str,
    pub now_ms: i64,
}

/// The next set, with the level of kraft.version where that is new. `None`: nothing has to change.
pub(crate) type NextVoters = Option<(VoterSet, Option<i16>)>;

pub(crate) fn decide_voters(changing: &Changing<'_>, change: VoterChange) -> Result<NextVoters, Refused> {
    if let VoterChange::Upgrade { is_asked } = change {
        return decide_upgrade(changing).map(|next| next.filter(|_| !is_asked));
    }
    let level = changing.image.feature_level(KRAFT_VERSION);
    let Some(logged) = changing.image.voters().filter(|_| level > 0) else {
        return match change {
            VoterChange::Add(_) => unchanging("adding"),
            VoterChange::Remove(..) => unchanging("removing"),
            VoterChange::Update(node) => {
                let is_known = changing.configured.iter().any(|voter| voter.id == node.id);
                Err(bare(if is_known { ErrorCode::UnsupportedVersion } else { ErrorCode::VoterNotFound }))
            }
            VoterChange::Upgrade { .. } => unreachable!("decided above"),
        };
    };
    if logged.offset >= changing.committed {
        let (offset, committed) = (logged.offset, changing.committed);
        let text = format!(
            "Request timed out waiting for voters to commit the latest voter change at {offset} with HWM {committed}"
        );
        return with_text(ErrorCode::RequestTimedOut, text);
    }
    let next = match change {
        VoterChange::Add(node) => decide_add(changing, &logged.set, node, level)?,
        VoterChange::Remove(id, directory_id) => decide_remove(&logged.set, id, directory_id)?,
        VoterChange::Update(node) => decide_update(&logged.set, node)?,
        VoterChange::Upgrade { .. } => unreachable!("decided above"),
    };
    let bytes = next.to_record().encoded(0).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > SET_BYTES_MAX {
        return with_text(ErrorCode::InvalidRequest, "The set of voters would be too large");
    }
    Ok((next != *logged.set).then_some((next, None)))
}

fn unchanging<T>(what: &str) -> Result<T, Refused> {
    let text = format!("Cluster doesn't support {what} voter because the kraft.version feature is 0");
    with_text(ErrorCode::UnsupportedVersion, text)
}

fn decide_add(
    changing: &Changing<'_>,
    voters: &VoterSet,
    node: VoterNode,
    level: i16,
) -> Result<VoterSet, Refused> {
    if voters.get(node.id).is_some() {
        let text = format!(
            "The voter id for {} is already part of the set of voters {}.",
            node.key(),
            voters.keys()
        );
        return with_text(ErrorCode::DuplicateVoter, text);
    }
    let mut observers = changing.view.observers.iter();
    let observer = observers.find(|(one, _)| one.id == node.id && one.directory_id == node.directory_id);
    let is_caught_up = observer.is_some_and(|(_, state)| {
        state.last_caught_up_ms >= 0 && changing.now_ms - state.last_caught_up_ms <= CAUGHT_UP_WITHIN_MS
    });
    let Some((observer, _)) = observer.filter(|_| is_caught_up) else {
        let text = format!("Aborted add voter operation for {} since it is lagging behind", node.key());
        return with_text(ErrorCode::RequestTimedOut, text);
    };
    let (min, max) = observer.kraft_versions;
    if !(min..=max).contains(&level) {
        let text = format!(
            "Aborted add voter operation for {} since the {KRAFT_VERSION} range (min: {min}, max: {max}) doesn't \
             support the finalized version {level}",
            node.key()
        );
        return with_text(ErrorCode::InvalidRequest, text);
    }
    Ok(voters.with(VoterNode { kraft_versions: observer.kraft_versions, ..node }))
}

fn decide_remove(voters: &VoterSet, id: BrokerId, directory_id: Uuid) -> Result<VoterSet, Refused> {
    if voters.get(id).is_none_or(|voter| voter.directory_id != directory_id) {
        let (asked, all) = (key(id, directory_id), voters.keys());
        let text = format!("Cannot remove voter {asked} from the set of voters {all}");
        return with_text(ErrorCode::VoterNotFound, text);
    }
    let next = voters.without(id);
    match next.is_empty() {
        true => with_text(ErrorCode::InvalidRequest, "Cannot remove the last voter of the quorum"),
        false => Ok(next),
    }
}

fn decide_update(voters: &VoterSet, node: VoterNode) -> Result<VoterSet, Refused> {
    match voters.get(node.id) {
        Some(known) if known.directory_id == node.directory_id => Ok(voters.with(node)),
        _ => Err(bare(ErrorCode::VoterNotFound)),
    }
}

/// From the set of the configuration to the same in the log. The directories are those that the voters have come with.
fn decide_upgrade(changing: &Changing<'_>) -> Result<NextVoters, Refused> {
    if changing.image.feature_level(KRAFT_VERSION) > 0 {
        return Ok(None);
    }
    let mut nodes = Vec::new();
    for (id, directory, _) in &changing.view.voters {
        let address = changing.configured.iter().find(|voter| voter.id == *id);
        let Some((directory, address)) = directory.zip(address) else {
            let text = format!(
                "Directory id must be known for all of the voters: controller {id} was not heard yet"
            );
            return with_text(ErrorCode::InvalidUpdateVersion, text);
        };
        if !serves_kraft_version(changing.image, *id) {
            let text =
                format!("Invalid upgrade of {KRAFT_VERSION} to 1 because not all of the voters support it");
            return with_text(ErrorCode::InvalidUpdateVersion, text);
        }
        nodes.push(VoterNode::configured(address, changing.listener, directory));
    }
    if nodes.len() != changing.configured.len() {
        return Err(bare(ErrorCode::NotController));
    }
    Ok(Some((VoterSet::new(nodes), Some(1))))
}

/// What a controller has registered: one of an earlier release does not name this feature.
fn serves_kraft_version(image: &Image, id: BrokerId) -> bool {
    let features = image.controllers.get(&id).map(|controller| &controller.features);
    features.is_some_and(|features| {
        features
            .iter()
            .any(|feature| feature.name.as_str() == KRAFT_VERSION && feature.max_supported_version >= 1)
    })
}

/// How a change ends.
pub(crate) type Changed = Result<(), Refused>;

/// A change on its way to the room.
pub(crate) struct ChangeVoters {
    pub change: VoterChange,
    /// Whether the answer waits for the commit.
    pub waits: bool,
    pub answer: oneshot::Sender<Changed>,
}

/// What a change that was lost with the leadership is answered.
pub(crate) fn changed(committed: Result<(), CommitError>) -> Changed {
    committed.map_err(|error| match error {
        CommitError::NotLeader => bare(ErrorCode::NotLeaderOrFollower),
        error => (ErrorCode::UnknownServerError, Some(error.to_string())),
    })
}

/// The same on a node that is alone: no voter comes to it while it runs so. Its log may begin to say who votes, so that it
/// is one of several at its next start. `me`: this node, where others could reach it.
pub(crate) fn decide_alone(
    image: &Image,
    me: Option<VoterNode>,
    change: &VoterChange,
) -> Result<NextVoters, Refused> {
    let level = image.feature_level(KRAFT_VERSION);
    match (change, me) {
        (VoterChange::Upgrade { .. }, _) if level > 0 => Ok(None),
        (VoterChange::Upgrade { is_asked }, Some(me)) => {
            Ok((!is_asked).then(|| (VoterSet::new([me]), Some(1))))
        }
        (VoterChange::Upgrade { .. }, None) => with_text(
            ErrorCode::InvalidUpdateVersion,
            "This node has no listener of controllers that others could reach, so that its log can't say where its voter is",
        ),
        (change, _) => refuse_alone(image, level, change).map(|()| None),
    }
}

fn refuse_alone(image: &Image, level: i16, change: &VoterChange) -> Changed {
    match change {
        VoterChange::Update(node) if node.id != image.controller_id() => Err(bare(ErrorCode::VoterNotFound)),
        VoterChange::Update(_) => Err(bare(ErrorCode::UnsupportedVersion)),
        VoterChange::Add(_) if level == 0 => unchanging("adding"),
        VoterChange::Remove(..) if level == 0 => unchanging("removing"),
        VoterChange::Add(_) | VoterChange::Remove(..) | VoterChange::Upgrade { .. } => with_text(
            ErrorCode::UnsupportedVersion,
            "This node is broker and controller alone, and its only voter does not change: it is one of a quorum that can \
             grow when it is started with controller.quorum.bootstrap.servers that names others, at kraft.version 1",
        ),
    }
}

impl Metadata {
    fn check_voter_change(&self, cluster_id: Option<&StrBytes>) -> Result<(), Refused> {
        if !self.is_own_cluster(cluster_id) {
            return Err(bare(ErrorCode::InconsistentClusterId));
        }
        let leadership = self.leadership();
        refusal(leadership, self.node_id(), leadership.epoch).map_or(Ok(()), |error| Err(bare(error)))
    }

    /// Has the room change who votes.
    pub(crate) async fn change_voters(
        &self,
        change: VoterChange,
        waits: bool,
        patience: Duration,
    ) -> Changed {
        let (answer, answered) = oneshot::channel();
        let deadline = self.env.clock.monotonic().after(patience.min(COMMIT_PATIENCE));
        let stopping = || Err(bare(ErrorCode::UnknownServerError));
        let event = Event::ChangeVoters(ChangeVoters { change, waits, answer });
        if self.send(event).await.is_err() {
            return stopping();
        }
        tokio::select! {
            biased;
            changed = answered => changed.unwrap_or_else(|_ended| stopping()),
            () = self.env.clock.sleep_until(deadline) => Err(bare(ErrorCode::RequestTimedOut)),
        }
    }

    pub async fn add_voter(&self, request: &AddRaftVoterRequest) -> AddRaftVoterResponse {
        let (error, text) = match self.try_add_voter(request).await {
            Ok(()) => bare(ErrorCode::None),
            Err(refused) => refused,
        };
        AddRaftVoterResponse {
            error_code: error.code(),
            error_message: text.map(StrBytes::from_string),
            ..AddRaftVoterResponse::default()
        }
    }

    async fn try_add_voter(&self, request: &AddRaftVoterRequest) -> Changed {
        self.check_voter_change(request.cluster_id.as_ref())?;
        if request.voter_id < 0 || request.voter_directory_id == Uuid::nil() {
            return with_text(ErrorCode::InvalidRequest, "Add voter request didn't include a valid voter");
        }
        let endpoints = request.listeners.iter().map(|one| (&*one.name, &*one.host, one.port));
        let Some(node) = self.node_of(request.voter_id, request.voter_directory_id, endpoints) else {
            let text = "Add voter request didn't include the endpoint of the default listener";
            return with_text(ErrorCode::InvalidRequest, text);
        };
        let patience = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or_default());
        self.change_voters(VoterChange::Add(node), request.ack_when_committed, patience).await
    }

    /// `None` where no endpoint is that of controllers.
    fn node_of<'a>(
        &self,
        id: i32,
        directory_id: Uuid,
        endpoints: impl Iterator<Item = (&'a str, &'a str, u16)>,
    ) -> Option<VoterNode> {
        let endpoint = |(name, host, port): (&str, &str, u16)| Endpoint {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
        };
        let node = VoterNode {
            endpoints: endpoints.map(endpoint).collect(),
            directory_id,
            ..VoterNode::unknown(BrokerId(id))
        };
        let listener = self.controller_listener();
        let is_there = |one: &Endpoint| one.name.eq_ignore_ascii_case(listener);
        node.endpoints.iter().any(is_there).then_some(node)
    }

    pub async fn remove_voter(&self, request: &RemoveRaftVoterRequest) -> RemoveRaftVoterResponse {
        let (error, text) = match self.try_remove_voter(request).await {
            Ok(()) => bare(ErrorCode::None),
            Err(refused) => refused,
        };
        RemoveRaftVoterResponse::default()
            .with_error_code(error.code())
            .with_error_message(text.map(StrBytes::from_string))
    }

    async fn try_remove_voter(&self, request: &RemoveRaftVoterRequest) -> Changed {
        self.check_voter_change(request.cluster_id.as_ref())?;
        if request.voter_id < 0 || request.voter_directory_id == Uuid::nil() {
            return with_text(ErrorCode::InvalidRequest, "Remove voter request didn't include a valid voter");
        }
        let change = VoterChange::Remove(BrokerId(request.voter_id), request.voter_directory_id);
        self.change_voters(change, true, COMMIT_PATIENCE).await
    }

    /// `controllers` is where they listen.
    pub async fn update_voter(
        &self,
        request: &UpdateRaftVoterRequest,
        controllers: &[Voter],
    ) -> UpdateRaftVoterResponse {
        let leadership = self.leadership();
        let error =
            self.try_update_voter(request, leadership).await.err().map_or(ErrorCode::None, |(it, _)| it);
        let mut leader = CurrentLeader::default()
            .with_leader_id(leadership.leader.unwrap_or(BrokerId(-1)).0.into())
            .with_leader_epoch(leadership.epoch.0);
        if let Some(node) = controllers.iter().find(|node| Some(node.id) == leadership.leader) {
            leader.host = StrBytes::from_string(node.host.clone());
            leader.port = i32::from(node.port);
        }
        UpdateRaftVoterResponse::default().with_error_code(error.code()).with_current_leader(leader)
    }

    async fn try_update_voter(&self, request: &UpdateRaftVoterRequest, leadership: Leadership) -> Changed {
        if !self.is_own_cluster(request.cluster_id.as_ref()) {
            return Err(bare(ErrorCode::InconsistentClusterId));
        }
        let known = LeaderEpoch(request.current_leader_epoch);
        if let Some(error) = refusal(leadership, self.node_id(), known) {
            return Err(bare(error));
        }
        let versions = &request.k_raft_version_feature;
        let (min, max) = (versions.min_supported_version, versions.max_supported_version);
        let level = self.image().feature_level(KRAFT_VERSION);
        if request.voter_id < 0 || request.voter_directory_id == Uuid::nil() || min < 0 || max < min {
            return Err(bare(ErrorCode::InvalidRequest));
        }
        let endpoints = request.listeners.iter().map(|one| (&*one.name, &*one.host, one.port));
        let Some(node) = self
            .node_of(request.voter_id, request.voter_directory_id, endpoints)
            .filter(|_| level == 0 || (min..=max).contains(&level))
        else {
            return Err(bare(ErrorCode::InvalidRequest));
        };
        let node = VoterNode { kraft_versions: (min, max), ..node };
        self.change_voters(VoterChange::Update(node), true, COMMIT_PATIENCE).await
    }
}

impl Metadata {
    /// The one feature whose level is no record of the image: where a request raises kraft.version, the quorum does it
    /// before the rest is decided (`FeatureControlManager.updateFeatures`). Where controllers have no listener what decides
    /// the rest refuses it.
    pub(crate) async fn upgrade_kraft_version(
        &self,
        request: &UpdateFeaturesRequest,
    ) -> Result<(), OperationError> {
        const UPGRADE: i8 = 1;
        let asked = request.feature_updates.iter().find(|update| update.feature.as_str() == KRAFT_VERSION);
        let is_raised =
            asked.is_some_and(|update| update.max_version_level == 1 && update.upgrade_type == UPGRADE);
        let is_alone = self.config.controller_listeners.is_empty() || !self.config.is_controller();
        if !is_raised || (is_alone && !self.has_quorum()) {
            return Ok(());
        }
        let change = VoterChange::Upgrade { is_asked: request.validate_only };
        let refused = |(error, text): Refused| {
            let error =
                if error == ErrorCode::NotLeaderOrFollower { ErrorCode::NotController } else { error };
            OperationError::Refused(match text {
                Some(text) => ApiError::new(error, text),
                None => ApiError::bare(error),
            })
        };
        self.change_voters(change, true, COMMIT_PATIENCE).await.map_err(refused)
    }
}
