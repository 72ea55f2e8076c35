//! Which replica a consumer should read from: one in its own rack (KIP-392).
//! Core. Kafka's `RackAwareReplicaSelector`; who is offered is `ReplicaManager.findPreferredReadReplica`.

use std::cmp::Reverse;
use std::time::Duration;

use ottla_model::{BrokerId, Offset};

/// A replica in sync that has the offset that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplicaView<'a> {
    pub id: BrokerId,
    pub rack: Option<&'a str>,
    /// Where its log ends.
    pub end: Offset,
    /// Since when it has not had everything.
    pub behind: Duration,
}

/// `None`: the leader. Of several the one that has most, and was last known to have all.
pub fn in_rack(rack: &str, leaders_rack: Option<&str>, followers: &[ReplicaView<'_>]) -> Option<BrokerId> {
    if rack.is_empty() || leaders_rack == Some(rack) {
        return None;
    }
    let near = followers.iter().filter(|one| one.rack == Some(rack));
    near.max_by_key(|one| (one.end, Reverse(one.behind), Reverse(one.id))).map(|one| one.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(id: i32, rack: Option<&str>, end: i64, behind_ms: u64) -> ReplicaView<'_> {
        ReplicaView { id: BrokerId(id), rack, end: Offset(end), behind: Duration::from_millis(behind_ms) }
    }

    #[test]
    fn a_replica_in_the_consumers_rack_is_chosen_and_of_several_the_one_that_has_most() {
        let followers = [
            view(2, Some("b"), 10, 0),
            view(3, Some("b"), 11, 5),
            view(4, Some("b"), 11, 3),
            view(5, None, 20, 0),
        ];
        assert_eq!(in_rack("b", Some("a"), &followers), Some(BrokerId(4)));
        let even = [view(7, Some("b"), 11, 3), view(6, Some("b"), 11, 3)];
        assert_eq!(in_rack("b", None, &even), Some(BrokerId(6)));
    }

    #[test]
    fn the_leader_serves_its_own_rack_and_whoever_has_none_nearer() {
        let followers = [view(2, Some("b"), 10, 0), view(3, None, 10, 0)];
        assert_eq!(in_rack("b", Some("b"), &followers), None);
        assert_eq!(in_rack("c", Some("a"), &followers), None);
        assert_eq!(in_rack("", None, &followers), None, "a consumer without a rack");
    }
}
