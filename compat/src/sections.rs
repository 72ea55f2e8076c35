//! What `cargo compat quick` and `full` are made of, section after section.
//! Shell: starts one part after the other.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::process::ExitCode;

use ottla_compat::bench;
use ottla_compat::broker::Against;
use ottla_compat::failure::Outcome;
use ottla_compat::runner::{self, Plan};
use ottla_compat::steps::Amounts;
use ottla_compat::summary::Summary;
use ottla_compat::{
    adopt, chart, cluster, eos, frameworks, go_suites, image, java, librdkafka, packages, process, sasl,
    tool_texts,
};

use crate::clock_seed;

#[derive(clap::Args)]
pub struct Selection {
    /// The broker under test.
    #[arg(long, value_enum, default_value_t = Against::Ottla)]
    against: Against,
    /// A configuration line for the broker.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Let the clients alone play, on a cluster of so many nodes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Clients, as `list` names them; all when none is given.
    names: Vec<String>,
}

impl Selection {
    /// Whether nothing is left out of what there is for Ottla.
    fn is_everything(&self) -> bool {
        self.names.is_empty() && self.against == Against::Ottla && self.nodes == 1
    }
}

/// All there is, and far more records.
pub fn run_full(selection: Selection) -> Outcome<ExitCode> {
    let more = More {
        suite: librdkafka::Plan::whole,
        java: java::Plan::whole,
        under_kills: eos::Plan::whole,
        moves: adopt::Plan::whole,
        cluster: cluster::Plan::whole,
        logins: |against| sasl::run(against, &[]),
        is_secured: true,
    };
    let images = selection.is_everything();
    let overrides = selection.overrides.clone();
    let mut summary = run_clients(selection, Amounts::FULL, &more)?;
    if images {
        summary.section("clients on three nodes", || {
            let (names, amounts, overrides) = (Vec::new(), Amounts::QUICK, overrides.clone());
            runner::run(&Plan { against: Against::Ottla, names, amounts, overrides, nodes: 3 })
        });
        summary.section(go_suites::NAME, || go_suites::run(&go_suites::Plan::whole(overrides.clone())));
        summary.section(image::NAME, image::run);
        summary.section(chart::NAME, chart::run);
        summary.section(packages::NAME, || packages::run(&[]));
        summary.section(cluster::mixed::NAME, cluster::mixed::run);
        summary.section(frameworks::NAME, || {
            frameworks::run(&frameworks::Plan::whole(Against::Ottla, overrides, clock_seed()))
        });
    }
    Ok(end_with_summary(summary))
}

/// That of Python runs the examples of docs/lab, too.
const QUICK_PACKAGES: [&str; 1] = ["python"];

/// The clients, and when all of them are asked for on Ottla some frameworks, a package, and the benchmark's smoke run as
/// well.
pub fn run_quick(selection: Selection) -> Outcome<ExitCode> {
    let (is_everything, overrides) = (selection.is_everything(), selection.overrides.clone());
    let more = More {
        suite: librdkafka::Plan::short,
        java: java::Plan::short,
        under_kills: eos::Plan::short,
        moves: adopt::Plan::short,
        cluster: cluster::Plan::quick,
        logins: sasl::run_briefly,
        is_secured: false,
    };
    let mut summary = run_clients(selection, Amounts::QUICK, &more)?;
    if is_everything {
        summary.section(frameworks::NAME, || {
            frameworks::run(&frameworks::Plan::short(Against::Ottla, overrides, clock_seed()))
        });
        summary.section(packages::NAME, || packages::run(&QUICK_PACKAGES.map(str::to_owned)));
        summary.section("bench", || {
            let report = bench::run(&bench::Plan::smoke())?;
            report.failures.iter().for_each(|failure| ottla_compat::summary::note("a workload", failure));
            Ok(report.failures.is_empty())
        });
    }
    Ok(end_with_summary(summary))
}

/// The last lines say what failed in all of it.
pub fn end_with_summary(summary: Summary) -> ExitCode {
    println!("{}", summary.text());
    if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is run beside the clients, and how much of it.
struct More {
    suite: fn(Against, Vec<String>) -> librdkafka::Plan,
    java: fn(Against) -> java::Plan,
    under_kills: fn(Against, Vec<String>, u64) -> eos::Plan,
    moves: fn() -> adopt::Plan,
    cluster: fn(Vec<String>) -> cluster::Plan,
    logins: fn(Against) -> Outcome<bool>,
    /// Whether a cluster whose nodes speak SASL_SSL is disturbed too.
    is_secured: bool,
}

fn run_clients(selection: Selection, amounts: Amounts, more: &More) -> Outcome<Summary> {
    process::end_children_on_signal()?;
    let Selection { against, overrides, nodes, mut names } = selection;
    if nodes > 1 {
        let mut summary = Summary::default();
        let plan = Plan { against, names, amounts, overrides, nodes: nodes.into() };
        summary.section("clients on several nodes", || runner::run(&plan));
        return Ok(summary);
    }
    let all = names.is_empty();
    let mut take = |named: &str| {
        let count = names.len();
        names.retain(|name| name != named);
        all || names.len() < count
    };
    let (suite_wanted, eos_wanted) = (take(librdkafka::NAME), take(eos::NAME));
    // It needs both brokers, so it is asked for with Ottla alone.
    let moves_wanted = take(adopt::NAME) && against == Against::Ottla;
    // On Apache Kafka it would start a JVM for each test.
    let java_wanted = take(java::NAME) && against == Against::Ottla;
    let cluster_wanted = take(cluster::NAME) && against == Against::Ottla;
    let logins_wanted = take(sasl::NAME);
    let texts_wanted = take(tool_texts::NAME);
    let commands_wanted = take(tool_texts::OWN_NAME);
    let mut summary = Summary::default();
    if all || !names.is_empty() {
        summary.section("clients", || {
            runner::run(&Plan { against, names, amounts, overrides: overrides.clone(), nodes: 1 })
        });
    }
    if texts_wanted {
        let plan = tool_texts::Plan { against, record: false, own: false, overrides: overrides.clone() };
        summary.section(tool_texts::NAME, || tool_texts::run(&plan));
    }
    if commands_wanted {
        let plan = tool_texts::Plan { against, record: false, own: true, overrides: overrides.clone() };
        summary.section(tool_texts::OWN_NAME, || tool_texts::run(&plan));
    }
    if eos_wanted {
        summary
            .section(eos::NAME, || eos::run(&(more.under_kills)(against, overrides.clone(), clock_seed())));
    }
    if cluster_wanted {
        summary.section(cluster::NAME, || cluster::run(&(more.cluster)(overrides.clone())));
        if more.is_secured {
            let plan = cluster::Plan::secured(overrides.clone());
            summary.section("cluster over SASL_SSL", || cluster::run(&plan));
        }
    }
    if logins_wanted {
        summary.section(sasl::NAME, || (more.logins)(against));
    }
    if suite_wanted {
        summary.section(librdkafka::NAME, || librdkafka::run(&(more.suite)(against, overrides)));
    }
    if java_wanted {
        summary.section(java::NAME, || java::run(&(more.java)(against)));
    }
    if moves_wanted {
        summary.section(adopt::NAME, || adopt::run(&(more.moves)()));
    }
    Ok(summary)
}
