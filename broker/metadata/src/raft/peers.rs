//! Who the other voters are, as this one remembers them.
//! Core.
//!
//! Invariants:
//! - I1. A voter is a node id with the directory that holds its log and its votes. The directory is remembered when it
//!   is first heard of, and counts when that is on the device. Another directory under the same id has forgotten what
//!   the first promised: nothing it says is heard.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::BrokerId;
use uuid::Uuid;

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Hear,
    /// The sender's directory is to be remembered first.
    Remember,
    Refuse,
}

pub(crate) struct Peers {
    me: BrokerId,
    voters: BTreeSet<BrokerId>,
    cluster_id: String,
    directories: BTreeMap<BrokerId, Uuid>,
    /// Of whom a line was written already.
    told: BTreeSet<BrokerId>,
}

impl Peers {
    /// `directories` is what the disk remembers; this node's own is added.
    pub fn new(
        me: (BrokerId, Uuid),
        voters: &[BrokerId],
        cluster_id: String,
        mut directories: BTreeMap<BrokerId, Uuid>,
    ) -> Peers {
        directories.insert(me.0, me.1);
        let voters = voters.iter().copied().collect();
        Peers { me: me.0, voters, cluster_id, directories, told: BTreeSet::new() }
    }

    pub fn directories(&self) -> &BTreeMap<BrokerId, Uuid> {
        &self.directories
    }

    pub fn directory(&self, id: BrokerId) -> Option<Uuid> {
        self.directories.get(&id).copied()
    }

    /// Judges a frame by its head. A line says why a voter is refused, once each start.
    pub fn admit(
        &mut self,
        from: BrokerId,
        cluster_id: &str,
        directory_id: Uuid,
    ) -> (Admission, Option<String>) {
        if from == self.me || !self.voters.contains(&from) {
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
    use super::*;

    const CLUSTER: &str = "c";

    fn peers() -> Peers {
        let voters: Vec<BrokerId> = (1..=3).map(BrokerId).collect();
        Peers::new((BrokerId(1), Uuid::from_u128(1)), &voters, CLUSTER.to_owned(), BTreeMap::new())
    }

    #[test]
    fn a_voter_with_another_directory_is_refused_with_one_line() {
        let mut peers = peers();
        let (first, second) = (Uuid::from_u128(2), Uuid::from_u128(9));
        assert_eq!(peers.admit(BrokerId(2), CLUSTER, first), (Admission::Remember, None));
        peers.remember(BrokerId(2), first);
        assert_eq!(peers.admit(BrokerId(2), CLUSTER, first), (Admission::Hear, None));
        let (admission, line) = peers.admit(BrokerId(2), CLUSTER, second);
        assert_eq!(admission, Admission::Refuse);
        let line = line.expect("a line");
        assert!(line.starts_with("controller 2 comes with another directory"), "{line}");
        assert_eq!(peers.admit(BrokerId(2), CLUSTER, second), (Admission::Refuse, None));
        assert_eq!(peers.admit(BrokerId(2), CLUSTER, first), (Admission::Hear, None));
    }

    #[test]
    fn strangers_other_clusters_and_this_node_itself_are_refused() {
        for (from, cluster) in [(4, CLUSTER), (1, CLUSTER), (2, "other")] {
            let (admission, line) = peers().admit(BrokerId(from), cluster, Uuid::from_u128(5));
            assert_eq!(admission, Admission::Refuse, "{from} of {cluster}");
            assert!(line.is_some());
        }
    }

    #[test]
    fn a_voter_that_founds_a_cluster_is_refused_without_a_line() {
        assert_eq!(peers().admit(BrokerId(2), "", Uuid::from_u128(5)), (Admission::Refuse, None));
    }
}
