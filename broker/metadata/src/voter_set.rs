//! Who votes in the quorum of controllers, as a `VotersRecord` says it (KIP-853).
//! Core. A record is Kafka's, field by field: what one node writes every node of the cluster reads, ours or not.

use std::collections::BTreeMap;
use std::fmt;

use ottla_model::{BrokerId, TopicId};
use ottla_protocol::StrBytes;
use ottla_protocol::records::control::VotersRecord;
use ottla_protocol::records::control::voters_record::{
    Endpoint as EndpointRecord, KRaftVersionFeature, Voter as VoterRecord,
};
use uuid::Uuid;

use crate::quorum::Voter;

/// The versions of `kraft.version` that this release serves.
pub const KRAFT_VERSIONS: (i16, i16) = (0, 1);

/// Where a controller listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    pub name: String,
    pub host: String,
    pub port: u16,
}

/// One voter: a node with the directory that holds its log and its votes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VoterNode {
    pub id: BrokerId,
    /// Nil where it is not known (kraft.version 0).
    pub directory_id: Uuid,
    pub endpoints: Vec<Endpoint>,
    /// The levels of kraft.version that it serves, lowest and highest.
    pub kraft_versions: (i16, i16),
}

impl VoterNode {
    /// A voter that the configuration names.
    pub(crate) fn configured(voter: &Voter, listener: &str, directory_id: Uuid) -> VoterNode {
        let endpoint = Endpoint { name: listener.to_owned(), host: voter.host.clone(), port: voter.port };
        VoterNode { id: voter.id, directory_id, endpoints: vec![endpoint], kraft_versions: KRAFT_VERSIONS }
    }

    /// A node of which nothing but its id is known.
    pub(crate) fn unknown(id: BrokerId) -> VoterNode {
        VoterNode { id, directory_id: Uuid::nil(), endpoints: Vec::new(), kraft_versions: KRAFT_VERSIONS }
    }

    /// Where it is dialled: at the listener of this name, or at its first.
    pub fn at(&self, listener: &str) -> Option<Voter> {
        let named = self.endpoints.iter().find(|one| one.name.eq_ignore_ascii_case(listener));
        let Endpoint { host, port, .. } = named.or(self.endpoints.first())?;
        Some(Voter { id: self.id, host: host.clone(), port: *port })
    }

    /// As Kafka's `ReplicaKey` writes it.
    pub fn key(&self) -> String {
        key(self.id, self.directory_id)
    }
}

/// As Kafka's `ReplicaKey` writes it.
pub(crate) fn key(id: BrokerId, directory_id: Uuid) -> String {
    let directory = match directory_id.is_nil() {
        true => "<undefined>".to_owned(),
        false => TopicId(directory_id).to_string(),
    };
    format!("ReplicaKey(id={id}, directoryId={directory})")
}

/// The voters, by their ids.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct VoterSet(BTreeMap<BrokerId, VoterNode>);

impl fmt::Debug for VoterSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.values().map(VoterNode::key)).finish()
    }
}

impl VoterSet {
    pub fn new(voters: impl IntoIterator<Item = VoterNode>) -> VoterSet {
        VoterSet(voters.into_iter().map(|voter| (voter.id, voter)).collect())
    }

    /// Voters of whom nothing but the id counts.
    pub(crate) fn of_ids(ids: &[BrokerId]) -> VoterSet {
        VoterSet::new(ids.iter().copied().map(VoterNode::unknown))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, id: BrokerId) -> Option<&VoterNode> {
        self.0.get(&id)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &VoterNode> {
        self.0.values()
    }

    pub fn ids(&self) -> impl DoubleEndedIterator<Item = BrokerId> {
        self.0.keys().copied()
    }

    /// Where they listen, in the order of their ids.
    pub fn at(&self, listener: &str) -> Vec<Voter> {
        self.0.values().filter_map(|voter| voter.at(listener)).collect()
    }

    /// With this voter, in the place of one of the same id.
    #[must_use]
    pub fn with(&self, voter: VoterNode) -> VoterSet {
        let mut voters = self.0.clone();
        voters.insert(voter.id, voter);
        VoterSet(voters)
    }

    #[must_use]
    pub fn without(&self, id: BrokerId) -> VoterSet {
        let mut voters = self.0.clone();
        voters.remove(&id);
        VoterSet(voters)
    }

    /// Whether no more than one voter came or went from here to `next`, so that each majority of one meets each of the
    /// other. A voter with another directory is another voter.
    pub fn is_one_step_to(&self, next: &VoterSet) -> bool {
        let keys = |set: &VoterSet| {
            set.0
                .values()
                .map(|voter| (voter.id, voter.directory_id))
                .collect::<std::collections::BTreeSet<_>>()
        };
        keys(self).symmetric_difference(&keys(next)).count() <= 1
    }

    /// As Kafka's `VoterSet.voterKeys` writes them.
    pub fn keys(&self) -> String {
        let keys: Vec<String> = self.0.values().map(VoterNode::key).collect();
        format!("[{}]", keys.join(", "))
    }

    pub fn of_record(record: &VotersRecord) -> VoterSet {
        let endpoint = |one: &EndpointRecord| Endpoint {
            name: one.name.to_string(),
            host: one.host.to_string(),
            port: one.port,
        };
        VoterSet::new(record.voters.iter().map(|voter| VoterNode {
            id: BrokerId(voter.voter_id),
            directory_id: voter.voter_directory_id,
            endpoints: voter.endpoints.iter().map(endpoint).collect(),
            kraft_versions: (
                voter.k_raft_version_feature.min_supported_version,
                voter.k_raft_version_feature.max_supported_version,
            ),
        }))
    }

    pub fn to_record(&self) -> VotersRecord {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let endpoint = |one: &Endpoint| EndpointRecord {
            name: text(&one.name),
            host: text(&one.host),
            port: one.port,
            ..EndpointRecord::default()
        };
        let voter = |voter: &VoterNode| VoterRecord {
            voter_id: voter.id.0,
            voter_directory_id: voter.directory_id,
            endpoints: voter.endpoints.iter().map(endpoint).collect(),
            k_raft_version_feature: KRaftVersionFeature {
                min_supported_version: voter.kraft_versions.0,
                max_supported_version: voter.kraft_versions.1,
                ..KRaftVersionFeature::default()
            },
            ..VoterRecord::default()
        };
        VotersRecord { voters: self.0.values().map(voter).collect(), ..VotersRecord::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(id: i32, directory: u128) -> VoterNode {
        let endpoint = Endpoint { name: "CONTROLLER".to_owned(), host: format!("h{id}"), port: 9 };
        VoterNode {
            id: BrokerId(id),
            directory_id: Uuid::from_u128(directory),
            endpoints: vec![endpoint],
            kraft_versions: (0, 1),
        }
    }

    #[test]
    fn a_set_comes_back_from_its_record() {
        let set = VoterSet::new([voter(2, 5), voter(1, 4)]);
        assert_eq!(VoterSet::of_record(&set.to_record()), set);
        let address = |listener| set.get(BrokerId(2)).and_then(|voter| voter.at(listener));
        assert_eq!(address("controller"), Some(Voter { id: BrokerId(2), host: "h2".to_owned(), port: 9 }));
        assert_eq!(address("OTHER"), address("controller"));
        assert_eq!(voter(1, 0).key(), "ReplicaKey(id=1, directoryId=<undefined>)");
    }

    #[test]
    fn one_step_is_one_voter_more_or_less() {
        let set = VoterSet::new([voter(1, 1), voter(2, 2)]);
        assert!(set.is_one_step_to(&set));
        assert!(set.is_one_step_to(&set.with(voter(3, 3))));
        assert!(set.is_one_step_to(&set.without(BrokerId(1))));
        assert!(!set.is_one_step_to(&set.with(voter(2, 9))), "another directory is another voter");
        assert!(!set.is_one_step_to(&set.without(BrokerId(1)).with(voter(3, 3))));
    }
}
