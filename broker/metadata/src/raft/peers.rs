//! Who the other voters are, as this one remembers them.
//! Core.
//!
//! Invariants:
//! - I1. A voter is a node id with the directory that holds its log and its votes. The directory is remembered when it
//!   is first heard of, and counts when that is on the device. Another directory under the same id has forgotten what
//!   the first promised: nothing it says is heard.
//! - I2. Where the log says who votes (kraft.version 1), it says the directories as well, and nothing is remembered. Nodes that
//!   it does not name are heard too: one that was added may be elected by those that have not read of it yet. So is a directory
//!   that took another's place under its id, but for its answers, which would count for the other.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::BrokerId;
use uuid::Uuid;

use super::voter_history::Voters;
use crate::voter_set::VoterNode;

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Hear,
    /// The sender's directory is to be remembered first.
    Remember,
    /// A leader or a candidate may be heard. What it answers does not count: it may be another directory than the one that
    /// votes.
    HearNoAnswer,
    Refuse,
}

pub(crate) struct Peers {
    me: BrokerId,
    cluster_id: String,
    directories: BTreeMap<BrokerId, Uuid>,
    /// Of whom a line was written already.
    told: BTreeSet<BrokerId>,
}

impl Peers {
    /// `directories` is what the disk remembers; this node's own is added.
    pub fn new(me: (BrokerId, Uuid), cluster_id: String, mut directories: BTreeMap<BrokerId, Uuid>) -> Peers {
        directories.insert(me.0, me.1);
        Peers { me: me.0, cluster_id, directories, told: BTreeSet::new() }
    }

    pub fn directories(&self) -> &BTreeMap<BrokerId, Uuid> {
        &self.directories
    }

    pub fn directory(&self, id: BrokerId) -> Option<Uuid> {
        self.directories.get(&id).copied()
    }

    /// Judges a frame by its head; `leads`: whether this node does, whose set is the last there is. A line says why a voter is refused, once each start.
    pub fn admit(
        &mut self,
        from: BrokerId,
        (cluster_id, directory_id, is_logged): (&str, Uuid, bool),
        voters: &Voters,
        leads: bool,
    ) -> (Admission, Option<String>) {
        let voter = voters.set.get(from);
        if from == self.me || (voter.is_none() && !voters.is_dynamic && !is_logged) {
            let line = format!(
                "node {from} sends as a controller that votes, and controller.quorum.voters has none of this id: it is refused"
            );
            return self.refuse(from, line);
        }
        if cluster_id.is_empty() {
            // It founds a cluster, and hears of this one in a moment.
            return (Admission::Refuse, None);
        }
        if cluster_id != self.cluster_id {
            let mine = &self.cluster_id;
            let line = format!(
                "controller {from} belongs to cluster {cluster_id}, not to {mine}: it is refused; give it the \
                 log.dirs of this cluster, or an empty one"
            );
            return self.refuse(from, line);
        }
        if voters.is_dynamic {
            // A node that joins knows the ids before it has read the log.
            let is_other =
                |voter: &&VoterNode| !voter.directory_id.is_nil() && voter.directory_id != directory_id;
            return match voter.filter(is_other) {
                None => (Admission::Hear, None),
                // The set may be old: the voter's disk was replaced, and it may lead by now.
                Some(_) if is_logged && !leads => (Admission::HearNoAnswer, None),
                Some(voter) => {
                    let line = format!(
                        "controller {from} comes with another directory ({directory_id}) than the voter of this id has \
                         ({}): it is refused. Remove that voter (kafka-metadata-quorum remove-controller), then add \
                         this one",
                        voter.directory_id
                    );
                    self.refuse(from, line)
                }
            };
        }
        match self.directories.get(&from) {
            Some(known) if *known == directory_id => (Admission::Hear, None),
            Some(known) => {
                let line = format!(
                    "controller {from} comes with another directory ({directory_id}) than the one that voted \
                     ({known}): it has lost what it promised, its votes could elect a controller that lacks \
                     committed records, and it is refused. Give it back its directory, or a copy of it"
                );
                self.refuse(from, line)
            }
            // This node's log is behind the record that says who votes.
            None if is_logged => (Admission::HearNoAnswer, None),
            None => (Admission::Remember, None),
        }
    }

    fn refuse(&mut self, from: BrokerId, line: String) -> (Admission, Option<String>) {
        (Admission::Refuse, self.told.insert(from).then_some(line))
    }

    /// After `Admission::Remember`; counts when it is on the device.
    pub fn remember(&mut self, from: BrokerId, directory_id: Uuid) {
        let before = self.directories.insert(from, directory_id);
        assert!(before.is_none(), "a directory is remembered once");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::voter_set::VoterSet;

    const CLUSTER: &str = "c";

    fn peers() -> Peers {
        Peers::new((BrokerId(1), Uuid::from_u128(1)), CLUSTER.to_owned(), BTreeMap::new())
    }

    fn voters() -> Voters {
        let ids: Vec<BrokerId> = (1..=3).map(BrokerId).collect();
        Voters { set: Arc::new(VoterSet::of_ids(&ids)), is_dynamic: false }
    }

    #[test]
    fn a_set_of_the_log_says_the_directories_and_others_are_heard() {
        let named = |id: u128| VoterNode {
            id: BrokerId(id as i32),
            directory_id: Uuid::from_u128(id),
            endpoints: Vec::new(),
            kraft_versions: (0, 1),
        };
        let voters = Voters { set: Arc::new(VoterSet::new([named(1), named(2)])), is_dynamic: true };
        let mut peers = peers();
        let mut admit = |from, directory, is_logged, leads| {
            peers.admit(BrokerId(from), (CLUSTER, Uuid::from_u128(directory), is_logged), &voters, leads).0
        };
        for leads in [false, true] {
            assert_eq!(admit(2, 2, true, leads), Admission::Hear);
            assert_eq!(admit(2, 9, false, leads), Admission::Refuse, "it has forgotten who votes");
            assert_eq!(admit(4, 9, true, leads), Admission::Hear);
        }
        assert_eq!(admit(2, 9, true, true), Admission::Refuse);
        assert_eq!(admit(2, 9, true, false), Admission::HearNoAnswer, "it may have taken the other's place");
    }

    #[test]
    fn a_voter_with_another_directory_is_refused_with_one_line() {
        let mut peers = peers();
        let (first, second) = (Uuid::from_u128(2), Uuid::from_u128(9));
        assert_eq!(
            peers.admit(BrokerId(2), (CLUSTER, first, false), &voters(), false),
            (Admission::Remember, None)
        );
        peers.remember(BrokerId(2), first);
        assert_eq!(
            peers.admit(BrokerId(2), (CLUSTER, first, false), &voters(), false),
            (Admission::Hear, None)
        );
        let (admission, line) = peers.admit(BrokerId(2), (CLUSTER, second, false), &voters(), false);
        assert_eq!(admission, Admission::Refuse);
        let line = line.expect("a line");
        assert!(line.starts_with("controller 2 comes with another directory"), "{line}");
        assert_eq!(
            peers.admit(BrokerId(2), (CLUSTER, second, false), &voters(), false),
            (Admission::Refuse, None)
        );
        assert_eq!(
            peers.admit(BrokerId(2), (CLUSTER, first, false), &voters(), false),
            (Admission::Hear, None)
        );
    }

    /// A node that was away when the log began to say who votes.
    #[test]
    fn who_knows_more_is_heard_and_does_not_count() {
        let mut peers = peers();
        let known = Uuid::from_u128(2);
        peers.remember(BrokerId(2), known);
        let mut admit =
            |from, directory| peers.admit(BrokerId(from), (CLUSTER, directory, true), &voters(), false).0;
        assert_eq!(admit(2, known), Admission::Hear);
        assert_eq!(admit(2, Uuid::from_u128(9)), Admission::Refuse);
        assert_eq!((admit(3, known), admit(4, known)), (Admission::HearNoAnswer, Admission::HearNoAnswer));
    }

    #[test]
    fn strangers_other_clusters_and_this_node_itself_are_refused() {
        for (from, cluster) in [(4, CLUSTER), (1, CLUSTER), (2, "other")] {
            let (admission, line) =
                peers().admit(BrokerId(from), (cluster, Uuid::from_u128(5), false), &voters(), false);
            assert_eq!(admission, Admission::Refuse, "{from} of {cluster}");
            assert!(line.is_some());
        }
    }

    #[test]
    fn a_voter_that_founds_a_cluster_is_refused_without_a_line() {
        assert_eq!(
            peers().admit(BrokerId(2), ("", Uuid::from_u128(5), false), &voters(), false),
            (Admission::Refuse, None)
        );
    }
}
