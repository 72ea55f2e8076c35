//! Figures of a cluster as this node sees it: who leads and why, which replicas are behind, whom it does not hear.
//! Shell: gathered when somebody asks. A node that is alone has none of it.

use std::fmt::Write as _;
use std::sync::Arc;

use ottla_admin::MetricsText;
use ottla_api::peers::Presence;
use ottla_metadata::{Image, Metadata};
use ottla_model::BrokerId;
use ottla_replica::{LeaderFacts, ReplicaManager};

use crate::balancing::BalanceFigures;

pub struct ClusterFigures {
    pub node_id: BrokerId,
    pub metadata: Arc<Metadata>,
    pub replicas: Arc<ReplicaManager>,
    pub presence: Arc<Presence>,
    pub balance: Arc<BalanceFigures>,
}

impl ClusterFigures {
    /// Says how many series of partitions were left out.
    pub fn write(&self, series_max: usize, text: &mut MetricsText<'_>) -> usize {
        let leadership = self.metadata.leadership();
        let mut gauge = |name: &'static str, help: &str, value: i64| {
            text.metric(name, "gauge", help);
            text.sample(name, &[], value);
        };
        let leads = leadership.leader == Some(self.node_id);
        gauge("ottla_controller_id", "The active controller; -1 while none is known.", id(leadership.leader));
        gauge("ottla_controller_leader_epoch", "Its leader epoch.", i64::from(leadership.epoch.0));
        gauge("ottla_controller_active", "Whether it is this node.", i64::from(leads));
        let is_cut_off = i64::from(self.presence.is_cut_off());
        gauge("ottla_cut_off", "Whether this node takes itself for cut off and serves nobody.", is_cut_off);
        const SUSPECTED: &str = "ottla_broker_suspected";
        text.metric(SUSPECTED, "gauge", "Whether this node does not hear a broker.");
        let (image, suspects) = (Arc::clone(&self.metadata.image()), self.presence.suspects());
        for (broker, _) in image.brokers().filter(|(broker, _)| *broker != self.node_id) {
            let label = broker.to_string();
            text.sample(SUSPECTED, &[("broker", &label)], u64::from(suspects.contains(&broker)));
        }
        self.balance.write(text);
        const ELECTIONS: &str = "ottla_leader_elections_total";
        text.metric(
            ELECTIONS,
            "counter",
            "Partitions whose leader this node changed as controller, by reason.",
        );
        for (reason, count) in self.metadata.election_counts() {
            text.sample(ELECTIONS, &[("reason", reason)], count);
        }
        self.write_partitions(series_max, text)
    }

    fn write_partitions(&self, series_max: usize, text: &mut MetricsText<'_>) -> usize {
        let led = self.replicas.led_partitions();
        let shown = &led[..led.len().min(series_max)];
        let mut write = |name: &'static str, help: &str, value: fn(&LeaderFacts) -> i64| {
            text.metric(name, "gauge", help);
            for (partition, facts) in shown {
                let index = partition.partition.to_string();
                let labels = [("topic", partition.topic.as_str()), ("partition", index.as_str())];
                text.sample(name, &labels, value(facts));
            }
        };
        write("ottla_partition_leader_epoch", "Leader epoch of a partition led here.", |facts| {
            i64::from(facts.epoch.0)
        });
        write("ottla_partition_in_sync_replicas", "Replicas in sync of a partition led here.", |facts| {
            i64::try_from(facts.in_sync).unwrap_or(i64::MAX)
        });
        const LAG: &str = "ottla_replica_lag_records";
        text.metric(LAG, "gauge", "Records that a follower of a partition led here has not fetched yet.");
        for (partition, facts) in shown {
            let index = partition.partition.to_string();
            for (follower, lag) in &facts.lags {
                let broker = follower.to_string();
                let labels = [
                    ("topic", partition.topic.as_str()),
                    ("partition", index.as_str()),
                    ("broker", broker.as_str()),
                ];
                text.sample(LAG, &labels, *lag);
            }
        }
        led.len() - shown.len()
    }

    /// For people: a line a broker, and what this node elected.
    pub fn describe(&self) -> String {
        let (image, leadership) = (Arc::clone(&self.metadata.image()), self.metadata.leadership());
        let mut text = String::new();
        // Writing to a String can't fail.
        let _written = match leadership.leader {
            Some(leader) => writeln!(text, "Controller: node {leader}, leader epoch {}", leadership.epoch),
            None => writeln!(text, "Controller: none is known, an election is under way"),
        };
        if self.presence.is_cut_off() {
            text.push_str("This node is cut off from the others and serves nobody\n");
        }
        let counts = self.replicas.replica_counts();
        let _written = writeln!(
            text,
            "This node leads {} partitions and follows {}; of those that it leads {} have a replica out of sync",
            counts.led, counts.followed, counts.under_replicated
        );
        let suspects = self.presence.suspects();
        for (broker, registered) in image.brokers() {
            let standing = match (registered.fenced, registered.in_controlled_shutdown) {
                (true, _) => "fenced",
                (false, true) => "stopping",
                (false, false) => "serving",
            };
            let heard = if suspects.contains(&broker) { ", not heard" } else { "" };
            let leads = led_by(&image, broker);
            let _written = writeln!(text, "Broker {broker}: {standing}{heard}, leads {leads} partitions");
        }
        for (reason, count) in self.metadata.election_counts() {
            let _written = writeln!(text, "Elected here as controller: {count} leaders ({reason})");
        }
        text.push_str(&self.balance.describe());
        text
    }
}

fn id(broker: Option<BrokerId>) -> i64 {
    broker.map_or(-1, |id| i64::from(id.0))
}

fn led_by(image: &Image, broker: BrokerId) -> usize {
    let partitions = image.topics().flat_map(|topic| &topic.partitions);
    partitions.filter(|partition| partition.leader == Some(broker)).count()
}
