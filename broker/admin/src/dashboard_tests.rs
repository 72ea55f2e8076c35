//! The dashboard under `deploy/` asks only for figures the broker has.
//! Core.

use std::collections::BTreeSet;

use serde_json::Value;

const DASHBOARD: &str = include_str!("../../../deploy/dashboards/ottla.json");

/// Names the rooms export, and the labels a dashboard may use with each.
const METRICS: &[(&str, &[&str])] = &[
    ("ottla_bytes_in_total", &["topic"]),
    ("ottla_bytes_out_total", &["topic"]),
    ("ottla_connections", &[]),
    ("ottla_connections_closed_total", &["reason"]),
    ("ottla_fsync_seconds_bucket", &["le"]),
    ("ottla_group_lag_records", &["group", "topic", "partition"]),
    ("ottla_group_lag_seconds", &["group", "topic", "partition"]),
    ("ottla_log_size_bytes", &["topic", "partition"]),
    ("ottla_messages_in_total", &["topic"]),
    ("ottla_network_bytes_in_total", &[]),
    ("ottla_network_bytes_out_total", &[]),
    ("ottla_network_memory_bytes", &[]),
    ("ottla_request_seconds_bucket", &["api", "le"]),
    ("ottla_requests_total", &["api", "error"]),
    ("process_cpu_seconds_total", &[]),
    ("process_open_fds", &[]),
    ("process_resident_memory_bytes", &[]),
];

fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels");
    panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
        .map(|target| target["expr"].as_str().expect("an expression").to_owned())
        .collect()
}

/// The word before each `{`, and the labels named inside.
fn selectors(expression: &str) -> Vec<(&str, Vec<&str>)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut parts = expression.split('{');
    let mut before = parts.next().expect("a first part");
    let mut found = Vec::new();
    for part in parts {
        let name = &before[before.rfind(|letter| !is_word(letter)).map_or(0, |at| at + 1)..];
        let inside = &part[..part.find('}').expect("a closed selector")];
        let labels = inside.split(',').map(|label| &label[..label.find(|it| !is_word(it)).expect("a match")]);
        found.push((name, labels.collect()));
        before = part;
    }
    found
}

#[test]
fn every_figure_on_the_dashboard_exists_with_its_labels() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let expressions = expressions(&dashboard);
    let mut used = BTreeSet::new();
    for expression in &expressions {
        let selectors = selectors(expression);
        assert!(!selectors.is_empty(), "{expression} names no figure");
        for (name, labels) in selectors {
            let Some((name, known)) = METRICS.iter().find(|(known, _labels)| *known == name) else {
                panic!("{name} in {expression} is no figure of the broker");
            };
            used.insert(*name);
            for label in labels {
                assert!(label == "instance" || known.contains(&label), "{name} has no label {label}");
            }
        }
    }
    assert_eq!(used.len(), METRICS.len(), "a figure is on no panel: {used:?}");
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")));
        let side = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(x < 24 && taken.insert((x, y)), "{} lies on another panel", panel["title"]);
            }
        }
    }
}
