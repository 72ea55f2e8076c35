//! The in-sync replicas of a partition as its leader knows them, and how far each follower has come.
//! Core. A follower's progress is an argument: it is reported here by what receives the follower's fetches.

use ottla_metadata::Replicas;
use ottla_model::{BrokerId, Offset};

use crate::high_watermark;

/// What the leader of several replicas keeps of them. A leader without followers keeps nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Isr {
    leader: BrokerId,
    replicas: Replicas,
    members: Replicas,
    /// The log end that each follower's last fetch proved; none before its first one of this epoch.
    ends: Vec<(BrokerId, Offset)>,
}

impl Isr {
    pub fn new(leader: BrokerId, replicas: &[BrokerId], members: &[BrokerId]) -> Isr {
        let mut isr = Isr { leader, replicas: Replicas::new(), members: Replicas::new(), ends: Vec::new() };
        isr.set_members(replicas, members);
        isr
    }

    /// The controller says who replicates and who is in sync. Who no longer replicates is forgotten.
    pub fn set_members(&mut self, replicas: &[BrokerId], members: &[BrokerId]) {
        assert!(replicas.contains(&self.leader), "a leader is one of its partition's replicas");
        self.replicas = Replicas::from_slice(replicas);
        self.members = Replicas::from_slice(members);
        self.ends.retain(|(follower, _)| replicas.contains(follower));
    }

    /// In-sync replicas, the leader among them.
    pub fn count(&self) -> usize {
        isr_count(self.leader, &self.members)
    }

    pub fn replica_count(&self) -> usize {
        self.replicas.len()
    }

    /// A follower's log ends at `end`. False for a broker that is no replica. A follower that lost the
    /// end of its log reports less than before: what was committed stays so (`high_watermark`, I2).
    pub fn on_follower_end(&mut self, follower: BrokerId, end: Offset) -> bool {
        if follower == self.leader || !self.replicas.contains(&follower) {
            return false;
        }
        match self.ends.iter_mut().find(|(known, _)| *known == follower) {
            Some((_, known)) => *known = end,
            None => self.ends.push((follower, end)),
        }
        true
    }

    /// How far a follower has come; `None` before it was heard of in this epoch.
    pub fn follower_end(&self, follower: BrokerId) -> Option<Offset> {
        self.ends.iter().find(|(known, _)| *known == follower).map(|(_, end)| *end)
    }

    /// The high watermark that follows. A member that was not heard of yet holds it where it is.
    pub fn high_watermark(&self, current: Offset, own_end: Offset, min_isr: i32) -> Offset {
        let followers = self.members.iter().filter(|member| **member != self.leader);
        let ends = followers.map(|member| self.follower_end(*member).unwrap_or(Offset::ZERO));
        let is_under_min_isr = is_under_min(self.count(), min_isr, self.replica_count());
        high_watermark::of_leader(current, own_end, ends, is_under_min_isr)
    }
}

/// How many are in sync: the leader always is, whatever the list says.
pub fn isr_count(leader: BrokerId, members: &[BrokerId]) -> usize {
    members.len() + usize::from(!members.contains(&leader))
}

/// Whether fewer are in sync than `min.insync.replicas` asks for. It cannot ask for more replicas than
/// there are (`Partition.effectiveMinIsr`).
pub fn is_under_min(isr_count: usize, min_isr: i32, replica_count: usize) -> bool {
    isr_count < usize::try_from(min_isr).unwrap_or(0).min(replica_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: BrokerId = BrokerId(1);
    const B: BrokerId = BrokerId(2);
    const C: BrokerId = BrokerId(3);

    #[test]
    fn a_member_that_was_not_heard_of_holds_the_high_watermark() {
        let mut isr = Isr::new(A, &[A, B, C], &[A, B, C]);
        assert!(isr.on_follower_end(B, Offset(9)));
        assert_eq!(isr.high_watermark(Offset(2), Offset(10), 1), Offset(2));
        assert!(isr.on_follower_end(C, Offset(5)));
        assert_eq!(isr.high_watermark(Offset(2), Offset(10), 1), Offset(5));
    }

    #[test]
    fn a_replica_out_of_sync_holds_nothing_back() {
        let mut isr = Isr::new(A, &[A, B, C], &[A, B]);
        assert!(isr.on_follower_end(B, Offset(9)));
        assert!(isr.on_follower_end(C, Offset(1)));
        assert_eq!(isr.high_watermark(Offset(0), Offset(10), 1), Offset(9));
        isr.set_members(&[A, B, C], &[A, B, C]);
        assert_eq!(isr.high_watermark(Offset(9), Offset(10), 1), Offset(9));
    }

    #[test]
    fn who_is_no_replica_is_not_counted_and_forgotten() {
        let mut isr = Isr::new(A, &[A, B], &[A, B]);
        assert!(!isr.on_follower_end(C, Offset(1)));
        assert!(!isr.on_follower_end(A, Offset(1)), "a leader is not its own follower");
        assert!(isr.on_follower_end(B, Offset(4)));
        isr.set_members(&[A, C], &[A]);
        assert_eq!(isr.follower_end(B), None);
        assert_eq!(isr.high_watermark(Offset(4), Offset(10), 1), Offset(10));
    }

    #[test]
    fn under_its_minimum_nothing_more_is_committed() {
        let mut isr = Isr::new(A, &[A, B, C], &[A]);
        assert_eq!(isr.high_watermark(Offset(4), Offset(10), 2), Offset(4));
        isr.set_members(&[A, B, C], &[A, B]);
        assert!(isr.on_follower_end(B, Offset(7)));
        assert_eq!(isr.high_watermark(Offset(4), Offset(10), 2), Offset(7));
    }

    #[test]
    fn a_minimum_above_the_number_of_replicas_means_all_of_them() {
        assert!(!is_under_min(1, 2, 1) && is_under_min(1, 2, 3) && !is_under_min(2, 2, 3));
        let isr = Isr::new(A, &[A], &[A]);
        assert_eq!(isr.high_watermark(Offset(4), Offset(10), 2), Offset(10));
    }

    #[test]
    fn the_leader_counts_even_where_the_list_forgot_it() {
        assert_eq!(isr_count(A, &[B]), 2);
        assert_eq!(isr_count(A, &[A, B]), 2);
    }
}
