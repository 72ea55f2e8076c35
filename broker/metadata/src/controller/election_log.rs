//! Why leaders changed: what one decision elected, in a line for people, and counts by reason.
//! Core. The reason is read off the records of the decision: what became of a broker stands beside the elections that
//! follow from it.

use std::collections::BTreeMap;

use ottla_model::{BrokerId, TopicId};
use ottla_protocol::records::metadata::{
    BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord,
};

use crate::image::{Image, PartitionImage};
use crate::replay::NO_LEADER_CHANGE;

/// How often leaders were elected since this process began to decide, by reason.
pub type ElectionCounts = BTreeMap<&'static str, u64>;

/// What one decision elected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elections {
    /// One word for figures.
    pub reason: &'static str,
    pub broker: Option<BrokerId>,
    /// Partitions that another broker leads from now on.
    pub elected: usize,
    /// Partitions that nobody leads any more.
    pub leaderless: usize,
    /// The only one, where there is but one.
    pub partition: Option<String>,
}

impl Elections {
    /// `None` where no leader changes. `image` is as it was before the records.
    pub(crate) fn of(image: &Image, records: &[MetadataRecord]) -> Option<Elections> {
        let mut elections =
            Elections { reason: "other", broker: None, elected: 0, leaderless: 0, partition: None };
        let mut is_preferred = true;
        for record in records {
            match record {
                MetadataRecord::PartitionChange(change) => {
                    let Some((name, partition)) = changed(image, change) else { continue };
                    elections.partition = (elections.count() == 0).then_some(name);
                    match change.leader < 0 {
                        true => elections.leaderless += 1,
                        false => elections.elected += 1,
                    }
                    is_preferred &= partition.replicas.first() == Some(&BrokerId(change.leader));
                }
                MetadataRecord::BrokerRegistrationChange(change) => elections.blame(change),
                MetadataRecord::RegisterBroker(broker) => {
                    (elections.reason, elections.broker) =
                        ("broker-restarted", Some(BrokerId(broker.broker_id)));
                }
                MetadataRecord::UnregisterBroker(broker) => {
                    (elections.reason, elections.broker) =
                        ("broker-unregistered", Some(BrokerId(broker.broker_id)));
                }
                _ => {}
            }
        }
        if elections.broker.is_none() && is_preferred {
            elections.reason = "preferred";
        }
        (elections.count() > 0).then_some(elections)
    }

    fn blame(&mut self, change: &BrokerRegistrationChangeRecord) {
        let reason = match (change.fenced, change.in_controlled_shutdown) {
            (1.., _) => "broker-fenced",
            (..0, _) => "broker-returned",
            (0, 1..) => "broker-stopping",
            (0, _) => "directory-lost",
        };
        (self.reason, self.broker) = (reason, Some(BrokerId(change.broker_id)));
    }

    fn count(&self) -> usize {
        self.elected + self.leaderless
    }

    /// For people.
    pub fn line(&self) -> String {
        let broker = self.broker.map_or(-1, |id| id.0);
        let why = match self.reason {
            "broker-fenced" => format!("broker {broker} is fenced"),
            "broker-returned" => format!("broker {broker} is back"),
            "broker-stopping" => format!("broker {broker} stops"),
            "broker-restarted" => format!("broker {broker} was started anew"),
            "broker-unregistered" => format!("broker {broker} was taken off the list"),
            "directory-lost" => format!("a log directory of broker {broker} failed"),
            "preferred" => "the preferred replica can lead again".to_owned(),
            _ => "it was asked for, or the replicas changed".to_owned(),
        };
        let what = match &self.partition {
            Some(one) => format!("the leader of {one} changes"),
            None => format!("the leaders of {} partitions change", self.count()),
        };
        match self.leaderless {
            0 => format!("{what}: {why}"),
            left => format!("{what}, {left} of them have none that could take over: {why}"),
        }
    }
}

/// The partition as it was, if another broker leads it by the change.
fn changed<'a>(image: &'a Image, change: &PartitionChangeRecord) -> Option<(String, &'a PartitionImage)> {
    let topic = image.topic_by_id(TopicId(change.topic_id))?;
    let partition = topic.partitions.get(usize::try_from(change.partition_id).ok()?)?;
    let now = (change.leader >= 0).then_some(BrokerId(change.leader));
    let is_new = change.leader != NO_LEADER_CHANGE && now != partition.leader;
    is_new.then(|| (format!("{}-{}", topic.name, change.partition_id), &**partition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::fencing::{begin_controlled_shutdown, fence};
    use crate::controller::testing::{Cluster, topic};
    use ottla_protocol::messages::create_topics_request::CreatableReplicaAssignment;

    #[test]
    fn a_line_says_what_changes_and_why() {
        let mut cluster = Cluster::of(&[1, 2]);
        let led_by = |replicas: &[i32]| {
            let ids = replicas.iter().map(|id| (*id).into()).collect();
            CreatableReplicaAssignment::default().with_broker_ids(ids)
        };
        for (name, replicas) in [("t", &[&[1, 2][..], &[2, 1]][..]), ("u", &[&[1][..]][..])] {
            let mut wanted = topic(name, -1, -1);
            wanted.assignments = replicas.iter().map(|ids| led_by(ids)).collect();
            for (index, assignment) in (0..).zip(&mut wanted.assignments) {
                assignment.partition_index = index;
            }
            assert_eq!(cluster.create(wanted).0, 0);
        }
        let mut records = Vec::new();
        fence(cluster.image(), &cluster.rules, BrokerId(1), &mut records);
        let elections = Elections::of(cluster.image(), &records).expect("leaders change");
        assert_eq!((elections.reason, elections.elected, elections.leaderless), ("broker-fenced", 1, 1));
        assert_eq!(
            elections.line(),
            "the leaders of 2 partitions change, 1 of them have none that could take over: broker 1 is fenced"
        );
        let mut records = Vec::new();
        begin_controlled_shutdown(cluster.image(), &cluster.rules, BrokerId(2), &mut records);
        let elections = Elections::of(cluster.image(), &records).expect("a leader changes");
        assert_eq!(elections.line(), "the leader of t-1 changes: broker 2 stops");
        assert_eq!(Elections::of(cluster.image(), &[]), None);
    }
}
