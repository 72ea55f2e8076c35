//! AddRaftVoter, RemoveRaftVoter and UpdateRaftVoter where the voters are those of the configuration.
//! Core. The answers are those of Apache Kafka's controllers at kraft.version 0 (`AddVoterHandler`, `RemoveVoterHandler`,
//! `KafkaRaftClient.handleUpdateVoterRequest`): nothing changes.

use ottla_model::{BrokerId, ErrorCode, LeaderEpoch};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::update_raft_voter_response::CurrentLeader;
use ottla_protocol::messages::{
    AddRaftVoterRequest, AddRaftVoterResponse, RemoveRaftVoterRequest, RemoveRaftVoterResponse,
    UpdateRaftVoterRequest, UpdateRaftVoterResponse,
};
use uuid::Uuid;

use crate::metadata::Metadata;
use crate::quorum::{Leadership, Voter};
use crate::serve::refusal;

/// A code, with a text where Kafka gives one.
type Refused = (ErrorCode, Option<String>);

fn bare(error: ErrorCode) -> Refused {
    (error, None)
}

impl Metadata {
    fn check_voter_change(&self, cluster_id: Option<&StrBytes>) -> Result<(), Refused> {
        if !self.is_own_cluster(cluster_id) {
            return Err(bare(ErrorCode::InconsistentClusterId));
        }
        let leadership = self.leadership();
        refusal(leadership, self.node_id(), leadership.epoch).map_or(Ok(()), |error| Err(bare(error)))
    }

    pub fn add_voter(&self, request: &AddRaftVoterRequest) -> AddRaftVoterResponse {
        let (error, text) = self.why_no_voter_is_added(request);
        AddRaftVoterResponse {
            error_code: error.code(),
            error_message: text.map(StrBytes::from_string),
            ..AddRaftVoterResponse::default()
        }
    }

    fn why_no_voter_is_added(&self, request: &AddRaftVoterRequest) -> Refused {
        if let Err(refused) = self.check_voter_change(request.cluster_id.as_ref()) {
            return refused;
        }
        let invalid = |text: &str| (ErrorCode::InvalidRequest, Some(text.to_owned()));
        if request.voter_id < 0 || request.voter_directory_id == Uuid::nil() {
            return invalid("Add voter request didn't include a valid voter");
        }
        if request.listeners.is_empty() {
            return invalid("Add voter request didn't include the endpoint of the default listener");
        }
        unchanging("adding")
    }

    pub fn remove_voter(&self, request: &RemoveRaftVoterRequest) -> RemoveRaftVoterResponse {
        let (error, text) = match self.check_voter_change(request.cluster_id.as_ref()) {
            Err(refused) => refused,
            Ok(()) if request.voter_id < 0 || request.voter_directory_id == Uuid::nil() => {
                let text = "Remove voter request didn't include a valid voter";
                (ErrorCode::InvalidRequest, Some(text.to_owned()))
            }
            Ok(()) => unchanging("removing"),
        };
        RemoveRaftVoterResponse::default()
            .with_error_code(error.code())
            .with_error_message(text.map(StrBytes::from_string))
    }

    /// `controllers` is where they listen. Voters of ours never ask: they say what they are in frames of their own.
    pub fn update_voter(
        &self,
        request: &UpdateRaftVoterRequest,
        controllers: &[Voter],
    ) -> UpdateRaftVoterResponse {
        let leadership = self.leadership();
        let error = self.why_no_voter_is_updated(request, leadership, controllers);
        let mut leader = CurrentLeader::default()
            .with_leader_id(leadership.leader.unwrap_or(BrokerId(-1)).0.into())
            .with_leader_epoch(leadership.epoch.0);
        if let Some(node) = controllers.iter().find(|node| Some(node.id) == leadership.leader) {
            leader.host = StrBytes::from_string(node.host.clone());
            leader.port = i32::from(node.port);
        }
        UpdateRaftVoterResponse::default().with_error_code(error.code()).with_current_leader(leader)
    }

    fn why_no_voter_is_updated(
        &self,
        request: &UpdateRaftVoterRequest,
        leadership: Leadership,
        controllers: &[Voter],
    ) -> ErrorCode {
        if !self.is_own_cluster(request.cluster_id.as_ref()) {
            return ErrorCode::InconsistentClusterId;
        }
        let known = LeaderEpoch(request.current_leader_epoch);
        if let Some(error) = refusal(leadership, self.node_id(), known) {
            return error;
        }
        let versions = &request.k_raft_version_feature;
        if request.voter_id < 0
            || request.voter_directory_id == Uuid::nil()
            || request.listeners.is_empty()
            || versions.min_supported_version < 0
            || versions.max_supported_version < versions.min_supported_version
        {
            return ErrorCode::InvalidRequest;
        }
        match controllers.iter().any(|node| node.id == BrokerId(request.voter_id)) {
            true => ErrorCode::UnsupportedVersion,
            false => ErrorCode::VoterNotFound,
        }
    }
}

fn unchanging(what: &str) -> Refused {
    let text = format!("Cluster doesn't support {what} voter because the kraft.version feature is 0");
    (ErrorCode::UnsupportedVersion, Some(text))
}
