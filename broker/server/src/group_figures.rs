//! Figures of groups and transactions: how many there are of each kind, and how often groups are rebalanced, and why.
//! Shell: a scrape walks over the coordinators' shards once, each for as long as it takes to count.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_admin::MetricsText;
use ottla_coordinator::GroupCoordinator;
use ottla_coordinator::group::counts::Rebalances;
use ottla_coordinator::transaction::{TransactionCoordinator, TransactionFigures};

/// The coordinators whose figures are shown.
pub struct Coordinators {
    pub groups: Arc<GroupCoordinator>,
    pub transactions: Arc<TransactionCoordinator>,
}

/// Their figures at one moment.
pub struct GroupFigures {
    /// By protocol and state.
    groups: BTreeMap<(&'static str, &'static str), usize>,
    rebalances: Rebalances,
    transactions: TransactionFigures,
}

const PROTOCOLS: [&str; 4] = ["classic", "consumer", "share", "streams"];
/// The states that Kafka counts groups in, by protocol.
const CLASSIC_STATES: [&str; 5] = ["Stable", "Empty", "Dead", "PreparingRebalance", "CompletingRebalance"];
const MODERN_STATES: [(&str, &[&str]); 3] = [
    ("consumer", &["Empty", "Assigning", "Reconciling", "Stable", "Dead"]),
    ("share", &["Empty", "Stable", "Dead"]),
    ("streams", &["Empty", "Assigning", "Reconciling", "Stable", "Dead", "NotReady"]),
];

impl Coordinators {
    pub fn figures(&self) -> GroupFigures {
        GroupFigures {
            groups: self.groups.count_groups(),
            rebalances: self.groups.rebalances(),
            transactions: self.transactions.figures(),
        }
    }
}

impl GroupFigures {
    pub fn write(&self, text: &mut MetricsText<'_>) {
        text.metric("ottla_groups", "gauge", "Groups that are coordinated here, by protocol and state.");
        for ((protocol, state), count) in &self.groups {
            text.sample("ottla_groups", &[("protocol", protocol), ("state", state)], count);
        }
        const REBALANCES: &str = "ottla_group_rebalances_total";
        text.metric(REBALANCES, "counter", "Rebalances that began; of newer protocols each new group epoch.");
        for (reason, count) in &self.rebalances.classic {
            text.sample(REBALANCES, &[("protocol", "classic"), ("reason", reason)], count);
        }
        for (protocol, count) in self.epochs() {
            text.sample(REBALANCES, &[("protocol", protocol), ("reason", "a new group epoch")], count);
        }
        text.metric("ottla_transactional_ids", "gauge", "Transactional ids kept here, by state.");
        for (state, count) in &self.transactions.states {
            text.sample("ottla_transactional_ids", &[("state", state)], count);
        }
        const LONGEST: &str = "ottla_transaction_open_seconds_max";
        text.metric(LONGEST, "gauge", "How long the oldest transaction that is open has been so.");
        text.sample(LONGEST, &[], self.transactions.longest_open_ms as f64 / 1000.0);
        const TIMED_OUT: &str = "ottla_transactions_timed_out_total";
        text.metric(TIMED_OUT, "counter", "Transactions that were aborted because they took too long.");
        text.sample(TIMED_OUT, &[], self.transactions.timed_out);
    }

    fn epochs(&self) -> [(&'static str, u64); 3] {
        let Rebalances { consumer, share, streams, .. } = self.rebalances;
        [("consumer", consumer), ("share", share), ("streams", streams)]
    }

    fn count(&self, protocol: &'static str, state: &'static str) -> usize {
        self.groups.get(&(protocol, state)).copied().unwrap_or(0)
    }

    fn count_of(&self, protocol: &str) -> usize {
        self.groups.iter().filter(|((of, _), _)| *of == protocol).map(|(_, count)| count).sum()
    }

    /// The same as the exporters name Kafka's own.
    pub fn write_kafka_names(&self, text: &mut MetricsText<'_>) {
        // The manager's figures are of classic groups alone, in Kafka too.
        const MANAGER: &str = "kafka_coordinator_group_groupmetadatamanager_numgroups";
        text.metric(MANAGER, "gauge", "Classic groups that are coordinated here.");
        text.sample(MANAGER, &[], self.count_of("classic"));
        for state in CLASSIC_STATES {
            let name = format!("{MANAGER}{}", state.to_lowercase());
            text.metric(&name, "gauge", "Those in this state.");
            text.sample(&name, &[], self.count("classic", state));
        }
        const METRICS: &str = "kafka_server_group_coordinator_metrics";
        let name = format!("{METRICS}_group_count");
        text.metric(&name, "gauge", "Groups that are coordinated here, by protocol.");
        for protocol in PROTOCOLS {
            text.sample(&name, &[("protocol", protocol)], self.count_of(protocol));
        }
        for (protocol, states) in MODERN_STATES {
            let name = format!("{METRICS}_{protocol}_group_count");
            text.metric(&name, "gauge", "Groups of this protocol, by state.");
            for state in states {
                text.sample(&name, &[("state", state)], self.count(protocol, state));
            }
        }
        let name = format!("{METRICS}_group_completed_rebalance_count");
        text.metric(&name, "counter", "Rebalances of classic groups that came to an assignment.");
        text.sample(&name, &[], self.rebalances.classic_completed);
        for (protocol, count) in self.epochs() {
            let name = format!("{METRICS}_{protocol}_group_rebalance_count");
            text.metric(&name, "counter", "New epochs of groups of this protocol.");
            text.sample(&name, &[], count);
        }
        const TRANSACTIONS: &str = "kafka_server_transaction_coordinator_metrics";
        let name = format!("{TRANSACTIONS}_transactional_id_count");
        text.metric(&name, "gauge", "Transactional ids kept here.");
        text.sample(&name, &[], self.transactions.states.values().sum::<usize>());
        let name = format!("{TRANSACTIONS}_active_transaction_total_time_max");
        text.metric(&name, "gauge", "Milliseconds for which the oldest open transaction has been open.");
        text.sample(&name, &[], self.transactions.longest_open_ms);
        let name = format!("{TRANSACTIONS}_transaction_timeout_count");
        text.metric(&name, "counter", "Transactions that were aborted because they took too long.");
        text.sample(&name, &[], self.transactions.timed_out);
    }
}
