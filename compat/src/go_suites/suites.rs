//! The suites: which module, which of its packages, and the cluster that their authors run them on.
//! Shell: starts brokers.

use crate::broker::{Against, Broker as _};
use crate::failure::Outcome;
use crate::several::{Layout, Several};

/// One module with tests.
#[derive(Debug)]
pub struct Suite {
    pub name: &'static str,
    pub module: &'static str,
    pub version: &'static str,
    /// The folder of the package with the tests.
    pub package: &'static str,
    /// As a row of the ledger says it.
    pub cluster: &'static str,
    nodes: usize,
    overrides: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

pub const SUITES: [Suite; 1] = [Suite {
    name: "franz-go",
    module: "github.com/twmb/franz-go",
    version: "v1.22.2",
    package: "pkg/kgo",
    cluster: "three nodes",
    nodes: 3,
    // A record of the tests of share groups is given back more often than five times.
    overrides: &["group.share.delivery.count.limit=10", "group.initial.rebalance.delay.ms=0"],
    // Fewer than half a million records: the machine has other work.
    environment: &[("KGO_TEST_RF", "3"), ("KGO_TEST_RECORDS", "50000"), ("KGO_LOG_LEVEL", "none")],
}];

/// A cluster that runs, and the variables that tell the tests of it.
pub struct Stage {
    pub cluster: Several,
    pub environment: Vec<(&'static str, String)>,
}

impl Stage {
    pub fn start(suite: &Suite, against: Against, overrides: &[String]) -> Outcome<Self> {
        let lines = suite.overrides.iter().map(|line| (*line).to_owned()).chain(overrides.iter().cloned());
        let cluster = Several::start(against, &Layout::replicated(suite.nodes, lines.collect()))?;
        let fixed = suite.environment.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment = fixed.chain([("KGO_SEEDS", cluster.bootstraps())]).collect();
        Ok(Self { cluster, environment })
    }
}
