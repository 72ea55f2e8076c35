//! What the controller does by itself from time to time: leaders back to preferred replicas, and unclean elections.
//! Core. `ReplicationControlManager.maybeBalancePartitionLeaders` and `maybeElectUncleanLeaders`.

use std::time::Duration;

use ottla_env::clock::Monotonic;
use ottla_protocol::records::metadata::MetadataRecord;

use crate::controller::partition_change::{Candidates, Election, PartitionChange};
use crate::controller::{Now, Rules, delegation_tokens};
use crate::image::{Image, PartitionImage, TopicImage};

/// Elections of one turn; what is left follows in the next (`QuorumController.MAX_ELECTIONS_PER_IMBALANCE`).
pub(crate) const ELECTIONS_PER_TURN_MAX: usize = 1_000;

/// When each is due again. A node that is alone has nothing to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chores {
    balance: Option<Monotonic>,
    unclean: Monotonic,
    tokens: Monotonic,
}

impl Chores {
    pub fn begin(rules: &Rules, now: Monotonic) -> Chores {
        Chores {
            balance: rules.leader_balance_interval().map(|interval| now.after(interval)),
            unclean: now.after(rules.unclean_election_interval()),
            tokens: now.after(rules.token_sweep_interval()),
        }
    }

    pub fn next(&self, image: &Image) -> Option<Monotonic> {
        let tokens = (!image.tokens.is_empty()).then_some(self.tokens);
        self.next_election(image).into_iter().chain(tokens).min()
    }

    fn next_election(&self, image: &Image) -> Option<Monotonic> {
        let has_several = image.brokers().nth(1).is_some();
        has_several.then(|| self.balance.map_or(self.unclean, |balance| balance.min(self.unclean)))
    }

    /// Removes tokens that have ended, if that is due.
    pub fn take_due_tokens(&mut self, image: &Image, rules: &Rules, now: Now) -> Vec<MetadataRecord> {
        if image.tokens.is_empty() || self.tokens > now.monotonic {
            return Vec::new();
        }
        let records = delegation_tokens::decide_sweep(image, now.wall_ms);
        let is_all = records.len() < delegation_tokens::REMOVALS_PER_TURN_MAX;
        let interval = if is_all { rules.token_sweep_interval() } else { Duration::ZERO };
        self.tokens = now.monotonic.after(interval);
        records
    }

    /// Decides what is due. Where more is left than one turn may do, the next one is due at once.
    pub fn take_due(&mut self, image: &Image, rules: &Rules, now: Monotonic) -> Vec<MetadataRecord> {
        if self.next_election(image).is_none() {
            return Vec::new();
        }
        if self.unclean <= now {
            let records = decide_unclean_leaders(image, rules);
            self.unclean = now.after(pause(&records, rules.unclean_election_interval()));
            return records;
        }
        let Some(interval) = rules.leader_balance_interval() else { return Vec::new() };
        if self.balance.is_none_or(|balance| balance > now) {
            return Vec::new();
        }
        let records = decide_preferred_leaders(image, rules);
        self.balance = Some(now.after(pause(&records, interval)));
        records
    }
}

fn pause(records: &[MetadataRecord], interval: Duration) -> Duration {
    if records.len() < ELECTIONS_PER_TURN_MAX { interval } else { Duration::ZERO }
}

/// Makes preferred replicas lead where they can.
pub(crate) fn decide_preferred_leaders(image: &Image, rules: &Rules) -> Vec<MetadataRecord> {
    let is_elsewhere =
        |_: &TopicImage, partition: &PartitionImage| partition.leader != partition.preferred_leader();
    elect(image, rules, Election::Preferred, &is_elsewhere)
}

/// Lets whoever lives lead a partition without a leader, where its topic allows that.
pub(crate) fn decide_unclean_leaders(image: &Image, rules: &Rules) -> Vec<MetadataRecord> {
    let is_lost = |topic: &TopicImage, partition: &PartitionImage| {
        partition.leader.is_none() && rules.may_elect_unclean(topic)
    };
    elect(image, rules, Election::Unclean, &is_lost)
}

fn elect(
    image: &Image,
    rules: &Rules,
    election: Election,
    is_due: &dyn Fn(&TopicImage, &PartitionImage) -> bool,
) -> Vec<MetadataRecord> {
    let due = image.topics().flat_map(|topic| {
        let partitions = topic.partitions.iter().enumerate();
        partitions.filter(|(_, partition)| is_due(topic, partition)).map(move |(index, _)| (topic, index))
    });
    let change = |(topic, index): (&std::sync::Arc<TopicImage>, usize)| {
        PartitionChange::of(Candidates::of(image), rules, topic, index).election(election).build()
    };
    due.filter_map(change).take(ELECTIONS_PER_TURN_MAX).map(MetadataRecord::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, topic};
    use ottla_model::BrokerId;
    use ottla_protocol::records::metadata::PartitionChangeRecord;

    fn lead(cluster: &mut Cluster, partition_id: i32, leader: i32, isr: &[i32]) {
        let topic_id = cluster.image().topic("t").expect("t").id.0;
        let isr = Some(isr.to_vec());
        cluster.apply(vec![
            PartitionChangeRecord { topic_id, partition_id, leader, isr, ..Default::default() }.into(),
        ]);
    }

    #[test]
    fn preferred_replicas_lead_again_when_it_is_time_and_they_can() {
        let mut cluster = Cluster::of(&[1, 2]);
        cluster.create(topic("t", 2, 2));
        let preferred: Vec<i32> = (0..2).map(|index| cluster.partition("t", index).replicas[0].0).collect();
        let other = |id: i32| 3 - id;
        lead(&mut cluster, 0, other(preferred[0]), &[1, 2]);
        lead(&mut cluster, 1, other(preferred[1]), &[other(preferred[1])]);
        let mut chores = Chores::begin(&cluster.rules, cluster.now);
        let due = cluster.now.after(Duration::from_secs(300));
        assert_eq!(chores.next(cluster.image()), Some(due));
        assert_eq!(chores.take_due(cluster.image(), &cluster.rules, due), [], "unclean elections come first");
        let records = chores.take_due(cluster.image(), &cluster.rules, due);
        assert_eq!(records.len(), 1, "who is out of sync does not lead");
        cluster.apply(records);
        assert_eq!(cluster.partition("t", 0).leader, Some(BrokerId(preferred[0])));
        assert_eq!(chores.take_due(cluster.image(), &cluster.rules, due), []);
        assert_eq!(chores.next(cluster.image()), Some(due.after(Duration::from_secs(300))));
        let off = Cluster::configured(&[1, 2], &[("auto.leader.rebalance.enable", "false")]);
        assert_eq!(Chores::begin(&off.rules, off.now).balance, None);
        assert_eq!(Chores::begin(&off.rules, off.now).next(Cluster::of(&[1]).image()), None, "alone");
    }

    #[test]
    fn a_partition_without_a_leader_gets_any_that_lives_only_where_its_topic_allows_it() {
        for is_allowed in ["false", "true"] {
            let mut cluster = Cluster::configured(&[1, 2], &[("unclean.leader.election.enable", is_allowed)]);
            cluster.create(topic("t", 1, 2));
            lead(&mut cluster, 0, -1, &[9]);
            let records = decide_unclean_leaders(cluster.image(), &cluster.rules);
            assert_eq!(records.len(), usize::from(is_allowed == "true"));
            cluster.apply(records);
            let partition = cluster.partition("t", 0);
            assert_eq!(partition.recovering, is_allowed == "true");
            assert_eq!(
                partition.leader.is_some_and(|leader| partition.isr[..] == [leader]),
                is_allowed == "true"
            );
        }
    }

    #[test]
    fn a_turn_is_bounded_and_the_rest_follows_at_once() {
        let mut cluster = Cluster::of(&[1, 2]);
        cluster.create(topic("t", 1_500, 2));
        for index in 0..1_500 {
            let preferred = cluster.partition("t", index).replicas[0].0;
            lead(&mut cluster, index, 3 - preferred, &[1, 2]);
        }
        let mut chores = Chores::begin(&cluster.rules, cluster.now);
        let due = cluster.now.after(Duration::from_secs(300));
        let mut turn = || {
            let records = chores.take_due(cluster.image(), &cluster.rules, due);
            let count = records.len();
            cluster.apply(records);
            count
        };
        assert_eq!([turn(), turn(), turn(), turn()], [0, 1_000, 500, 0]);
    }
}
