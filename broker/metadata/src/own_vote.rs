//! What a controller asks for about its own vote: to be added, or that the log says of it what is true (KIP-853, KIP-1186).
//! Core. `KafkaRaftClient.pollFollowerAsObserver`, `shouldSendAddOrRemoveVoterRequest` and `shouldSendUpdateVoteRequest`.

use ottla_model::{BrokerId, LeaderEpoch};
use ottla_protocol::messages::add_raft_voter_request::Listener as AddedListener;
use ottla_protocol::messages::update_raft_voter_request::{KRaftVersionFeature, Listener as UpdatedListener};
use ottla_protocol::messages::{AddRaftVoterRequest, RemoveRaftVoterRequest, UpdateRaftVoterRequest};
use uuid::Uuid;

use crate::controller::features::KRAFT_VERSION;
use crate::controller::placement::is_cordoned;
use crate::image::Image;
use crate::voter_set::{Endpoint, KRAFT_VERSIONS, VoterNode, VoterSet};
use crate::wire::text;

/// A controller as it is now.
#[derive(Clone, Debug)]
pub struct OwnVote {
    node: VoterNode,
    /// Whether it adds itself where it does not vote (`controller.quorum.auto.join.enable`).
    joins: bool,
}

/// What is asked of the leader next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VoteStep {
    Add,
    /// The voter of the same id that had this directory.
    RemoveOld(Uuid),
    Update,
}

impl OwnVote {
    pub fn new(id: BrokerId, directory_id: Uuid, endpoints: Vec<Endpoint>, joins: bool) -> OwnVote {
        OwnVote { node: VoterNode { id, directory_id, endpoints, kraft_versions: KRAFT_VERSIONS }, joins }
    }

    /// `None`: all is as it ought to be, as far as the log says who votes. `replaces`: the directory for whose sake the
    /// voters refuse this one, which can't read their log before that one is removed.
    pub fn next(&self, image: &Image, replaces: Option<Uuid>) -> Option<VoteStep> {
        let Some(logged) = image.voters().filter(|_| image.feature_level(KRAFT_VERSION) > 0) else {
            return replaces.filter(|_| self.joins).map(VoteStep::RemoveOld);
        };
        match logged.set.get(self.node.id) {
            Some(known) if known.directory_id == self.node.directory_id => {
                (!self.is_as(known)).then_some(VoteStep::Update)
            }
            // What is being taken out of the cluster does not come back by itself.
            _ if !self.joins || image.broker(self.node.id).is_some_and(|broker| is_cordoned(broker)) => None,
            Some(old) => Some(VoteStep::RemoveOld(old.directory_id)),
            None => Some(VoteStep::Add),
        }
    }

    /// What is to be asked before anything is heard of a leader, by the voters that this node's own log has. The leader
    /// sends what it has to where this voter listened before, so nothing would ever be heard.
    pub fn next_by_own_log(&self, set: &VoterSet) -> Option<VoteStep> {
        let known = set.get(self.node.id).filter(|known| known.directory_id == self.node.directory_id)?;
        (!self.is_as(known)).then_some(VoteStep::Update)
    }

    /// Whether it may have to ask for something although nothing is heard of the log.
    pub fn is_looking(&self, image: &Image) -> bool {
        self.joins && !self.is_voter(image)
    }

    /// Whether it votes.
    pub fn is_voter(&self, image: &Image) -> bool {
        let known = image.voters().and_then(|logged| logged.set.get(self.node.id));
        known.is_some_and(|known| known.directory_id == self.node.directory_id)
    }

    fn is_as(&self, known: &VoterNode) -> bool {
        let sorted = |node: &VoterNode| {
            let upper = |one: &Endpoint| (one.name.to_uppercase(), one.host.clone(), one.port);
            let mut all: Vec<_> = node.endpoints.iter().map(upper).collect();
            all.sort_unstable();
            all
        };
        known.kraft_versions == self.node.kraft_versions && sorted(known) == sorted(&self.node)
    }

    /// As Kafka's own: the answer does not wait for the commit.
    pub fn add(&self, cluster_id: &str, timeout_ms: i32) -> AddRaftVoterRequest {
        let listener = |one: &Endpoint| AddedListener {
            name: text(&one.name),
            host: text(&one.host),
            port: one.port,
            ..AddedListener::default()
        };
        AddRaftVoterRequest {
            cluster_id: Some(text(cluster_id)),
            timeout_ms,
            voter_id: self.node.id.0,
            voter_directory_id: self.node.directory_id,
            listeners: self.node.endpoints.iter().map(listener).collect(),
            ack_when_committed: false,
            ..AddRaftVoterRequest::default()
        }
    }

    pub fn remove_old(&self, cluster_id: &str, directory_id: Uuid) -> RemoveRaftVoterRequest {
        RemoveRaftVoterRequest::default()
            .with_cluster_id(Some(text(cluster_id)))
            .with_voter_id(self.node.id.0)
            .with_voter_directory_id(directory_id)
    }

    pub fn update(&self, cluster_id: &str, epoch: LeaderEpoch) -> UpdateRaftVoterRequest {
        let listener = |one: &Endpoint| {
            UpdatedListener::default()
                .with_name(text(&one.name))
                .with_host(text(&one.host))
                .with_port(one.port)
        };
        let (min, max) = self.node.kraft_versions;
        let versions =
            KRaftVersionFeature::default().with_min_supported_version(min).with_max_supported_version(max);
        UpdateRaftVoterRequest::default()
            .with_cluster_id(Some(text(cluster_id)))
            .with_current_leader_epoch(epoch.0)
            .with_voter_id(self.node.id.0)
            .with_voter_directory_id(self.node.directory_id)
            .with_listeners(self.node.endpoints.iter().map(listener).collect())
            .with_k_raft_version_feature(versions)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ottla_model::Offset;
    use ottla_protocol::records::metadata::{FeatureLevelRecord, MetadataRecord, RegisterBrokerRecord};

    use super::*;
    use crate::image::LoggedVoters;
    use crate::replay::Working;

    const ME: BrokerId = BrokerId(2);
    const DIRECTORY: Uuid = Uuid::from_u128(22);

    fn at(port: u16) -> Vec<Endpoint> {
        vec![Endpoint { name: "CONTROLLER".to_owned(), host: "h".to_owned(), port }]
    }

    fn own(joins: bool) -> OwnVote {
        OwnVote::new(ME, DIRECTORY, at(9), joins)
    }

    fn voter(id: i32, directory: u128, endpoints: Vec<Endpoint>) -> VoterNode {
        let id = BrokerId(id);
        VoterNode { id, directory_id: Uuid::from_u128(directory), endpoints, kraft_versions: KRAFT_VERSIONS }
    }

    fn image(level: i16, voters: &[VoterNode], more: Vec<MetadataRecord>) -> Image {
        let mut working = Working::new(Image::empty("cluster", BrokerId(1)));
        let name = text(KRAFT_VERSION);
        let feature = FeatureLevelRecord { name, feature_level: level, ..Default::default() };
        for record in [feature.into()].into_iter().chain(more) {
            let offset = working.image.metadata_offset() + 1;
            working.replay(record, offset, LeaderEpoch(1));
        }
        let set = Arc::new(VoterSet::new(voters.iter().cloned()));
        working.image.voters = Some(LoggedVoters { set, offset: Offset(0) });
        working.image
    }

    #[test]
    fn a_controller_without_a_vote_adds_itself_where_it_may() {
        let others = [voter(1, 11, at(8))];
        assert_eq!(own(true).next(&image(1, &others, vec![]), None), Some(VoteStep::Add));
        assert_eq!(own(false).next(&image(1, &others, vec![]), None), None, "it was not told to");
        assert_eq!(own(true).next(&image(0, &others, vec![]), None), None, "the log does not say who votes");
        assert_eq!(own(true).next(&Image::empty("cluster", BrokerId(1)), None), None);
        assert!(!own(true).is_voter(&image(1, &others, vec![])));
    }

    #[test]
    fn who_lost_its_disk_goes_before_it_comes() {
        let before = [voter(1, 11, at(8)), voter(2, 21, at(9))];
        let step = VoteStep::RemoveOld(Uuid::from_u128(21));
        assert_eq!(own(true).next(&image(1, &before, vec![]), None), Some(step));
        assert_eq!(own(false).next(&image(1, &before, vec![]), None), None);
        // The voters refuse its frames for the old one's sake: it has read nothing of their log.
        let (nothing, old) = (Image::empty("cluster", BrokerId(1)), Some(Uuid::from_u128(21)));
        assert_eq!(own(true).next(&nothing, old), old.map(VoteStep::RemoveOld));
        assert_eq!(own(false).next(&nothing, old), None);
        let request = own(true).remove_old("cluster", Uuid::from_u128(21));
        assert_eq!((request.voter_id, request.voter_directory_id), (2, Uuid::from_u128(21)));
    }

    #[test]
    fn a_voter_says_what_has_changed_of_it() {
        let same = [voter(2, 22, at(9))];
        assert_eq!(own(false).next(&image(1, &same, vec![]), None), None);
        assert!(own(false).is_voter(&image(1, &same, vec![])));
        assert_eq!(own(false).next(&image(1, &[voter(2, 22, at(7))], vec![]), None), Some(VoteStep::Update));
        let old = VoterNode { kraft_versions: (0, 0), ..voter(2, 22, at(9)) };
        assert_eq!(own(true).next(&image(1, &[old], vec![]), None), Some(VoteStep::Update));
        let lower = vec![Endpoint { name: "controller".to_owned(), ..at(9).remove(0) }];
        assert_eq!(
            own(true).next(&image(1, &[voter(2, 22, lower)], vec![]), None),
            None,
            "names have no case"
        );
        let request = own(false).update("cluster", LeaderEpoch(3));
        assert_eq!((request.current_leader_epoch, request.listeners[0].port), (3, 9));
        assert_eq!(request.k_raft_version_feature.max_supported_version, KRAFT_VERSIONS.1);
    }

    #[test]
    fn a_voter_that_listens_elsewhere_says_so_before_it_hears_of_a_leader() {
        let set = |node: VoterNode| VoterSet::new([voter(1, 11, at(8)), node]);
        let step = own(false).next_by_own_log(&set(voter(2, 22, at(7))));
        assert_eq!(step, Some(VoteStep::Update));
        assert_eq!(own(true).next_by_own_log(&set(voter(2, 22, at(9)))), None, "nothing has changed");
        assert_eq!(
            own(true).next_by_own_log(&set(voter(2, 21, at(7)))),
            None,
            "the vote of a disk that is gone"
        );
        assert_eq!(own(true).next_by_own_log(&VoterSet::new([voter(1, 11, at(8))])), None, "it has no vote");
    }

    #[test]
    fn who_is_being_taken_out_does_not_come_back() {
        let dir = Uuid::from_u128(99);
        let broker = |cordoned: Vec<Uuid>| RegisterBrokerRecord {
            broker_id: 2,
            log_dirs: vec![dir],
            cordoned_log_dirs: Some(cordoned),
            ..RegisterBrokerRecord::default()
        };
        let others = [voter(1, 11, at(8))];
        assert_eq!(own(true).next(&image(1, &others, vec![broker(vec![dir]).into()]), None), None);
        let takes = image(1, &others, vec![broker(vec![]).into()]);
        assert_eq!(own(true).next(&takes, None), Some(VoteStep::Add));
    }
}
