//! The text of `ottla config`: every key with its value, where it comes from, its type, default and sentence.
//! Core.

use std::fmt::Write as _;

use crate::broker;
use crate::effect::{Effect, effect_of_broker_key, effect_of_group_key, effect_of_topic_key};
use crate::group;
use crate::row::{ConfigRow, DynamicMode, Visibility};
use crate::settings::BrokerConfig;
use crate::topic;

/// Every broker key, one paragraph each, ours first; then the list of defaults that differ from Kafka's.
pub fn render_config_listing(config: &BrokerConfig) -> String {
    let mut text = String::new();
    let shown = |row: &&&ConfigRow| row.visibility == Visibility::Described || config.is_set(row.name);
    let (ours, kafkas): (Vec<&ConfigRow>, Vec<&ConfigRow>) =
        broker::rows().iter().filter(shown).copied().partition(|row| row.name.starts_with("ottla."));
    for row in ours.into_iter().chain(kafkas) {
        paragraph(config, row, &mut text);
    }
    text.push_str("Defaults that differ from Apache Kafka's:\n");
    for ours in broker::OTTLA_DEFAULTS {
        let _ = writeln!(text, "  {} = {}: {}", ours.name, ours.value, ours.reason);
    }
    text.push_str(
        "  group.initial.rebalance.delay.ms: adaptive while not set, a lone first member does not wait\n",
    );
    without_effect("Topic", topic::rows(), effect_of_topic_key, &mut text);
    without_effect("Group", group::rows(), effect_of_group_key, &mut text);
    text
}

/// The keys of topics or groups that are accepted and change nothing.
fn without_effect(of: &str, rows: &[&ConfigRow], effect: fn(&ConfigRow) -> Effect, text: &mut String) {
    let mut idle = rows.iter().filter(|row| effect(row) == Effect::None).peekable();
    if idle.peek().is_some() {
        let _ = writeln!(text, "{of} keys that are accepted and have no effect:");
    }
    for row in idle {
        let _ = writeln!(text, "  {}: {}", row.name, row.doc);
    }
}

fn paragraph(config: &BrokerConfig, row: &ConfigRow, text: &mut String) {
    let value = match config.value(row.name).text() {
        Some(_) if row.is_sensitive() || config.is_resolved(row.name) => "[hidden]".to_owned(),
        Some(value) => value,
        None => "(not set)".to_owned(),
    };
    let _ = writeln!(text, "{} = {value}", row.name);
    let _ = writeln!(text, "    {}", row.doc);
    let default = broker::default_of(row).unwrap_or("(none)");
    let _ = writeln!(
        text,
        "    type: {}; allowed: {}; default: {default}",
        row.kind.name().to_lowercase(),
        row.allowed()
    );
    let effect = effect_of_broker_key(row);
    let mut notes = vec![format!("from: {}", origin(config, row))];
    match row.dynamic {
        DynamicMode::ReadOnly => {}
        _ if effect == Effect::AtStart => {
            notes.push("may change while running, takes effect at the next start".to_owned());
        }
        DynamicMode::PerBroker => notes.push("may change while running, per broker".to_owned()),
        DynamicMode::ClusterWide => notes.push("may change while running".to_owned()),
    }
    match effect {
        Effect::InForce | Effect::AtStart => {}
        Effect::Checked => notes.push("only checked: a start refuses what is not there yet".to_owned()),
        Effect::None => notes.push("accepted, no effect".to_owned()),
    }
    let _ = writeln!(text, "    {}\n", notes.join("; "));
}

fn origin(config: &BrokerConfig, row: &ConfigRow) -> String {
    if config.dynamic_broker.contains_key(row.name) {
        return "changed while running, for this broker".to_owned();
    }
    if config.dynamic_cluster_default.contains_key(row.name) {
        return "changed while running, for all brokers".to_owned();
    }
    config.given.get(row.name).map_or_else(|| "default".to_owned(), |given| given.origin.to_string())
}
