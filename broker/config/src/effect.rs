//! Whether a key does anything here, from what reads it.
//! Core. A row in a `keys!` table has a typed field, and a field that nobody reads fails a test
//! (`broker/server/tests/house.rs`). Everything else follows from those rows.

use crate::alter::GROUP_BOUNDS;
use crate::broker::{self, KeysInForce};
use crate::group;
use crate::listener_keys;
use crate::row::{ConfigRow, DynamicMode};
use crate::startup;
use crate::topic::{self, TopicConfig};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is obeyed; so is a change while the broker runs, where Kafka allows one.
    InForce,
    /// It is obeyed, but a change while the broker runs waits for the next start.
    AtStart,
    /// A start looks at it, and refuses what asks for something that is not there.
    Checked,
    /// It is accepted and changes nothing.
    None,
}

/// What a broker key does.
pub fn effect_of_broker_key(row: &ConfigRow) -> Effect {
    let is_read = is_in(broker::IN_FORCE, row.name)
        || is_inherited(topic::IN_FORCE, row.name)
        || group::TABLES.iter().any(|(rows, _)| is_inherited(rows, row.name))
        || is_bound(row.name)
        || listener_keys::READ.contains(&row.name)
        || startup::OTHER_NAMES.contains(&row.name);
    match is_read {
        true if row.at_start && row.dynamic != DynamicMode::ReadOnly => Effect::AtStart,
        true => Effect::InForce,
        false if startup::CHECKED.contains(&row.name) => Effect::Checked,
        false => Effect::None,
    }
}

/// What a topic key does.
pub fn effect_of_topic_key(row: &ConfigRow) -> Effect {
    if is_in(topic::IN_FORCE, row.name) { Effect::InForce } else { Effect::None }
}

/// What a group key does.
pub fn effect_of_group_key(row: &ConfigRow) -> Effect {
    if group::is_in_force(row.name) { Effect::InForce } else { Effect::None }
}

/// Every typed field with the key it reads. Private fields are read in this room alone, which the compiler
/// sees to.
pub fn fields_in_force() -> Vec<(&'static str, &'static str)> {
    let tables = [(broker::IN_FORCE, KeysInForce::FIELDS), (topic::IN_FORCE, TopicConfig::FIELDS)];
    let pairs = |(rows, fields): (&'static [ConfigRow], &'static [&'static str])| {
        assert!(rows.len() == fields.len(), "a row has one field");
        fields.iter().copied().zip(rows.iter().map(|row| row.name))
    };
    tables.into_iter().chain(group::TABLES.iter().copied()).flat_map(pairs).collect()
}

fn is_in(rows: &[ConfigRow], name: &str) -> bool {
    rows.iter().any(|row| row.name == name)
}

/// Whether a key in force takes its default from this one.
fn is_inherited(rows: &[ConfigRow], name: &str) -> bool {
    rows.iter().flat_map(|row| row.synonyms).any(|synonym| synonym.name == name)
}

/// Whether it bounds what a group may set of a key in force.
fn is_bound(name: &str) -> bool {
    GROUP_BOUNDS.iter().any(|(key, min, max)| {
        group::is_in_force(key) && [min, max].into_iter().any(|bound| *bound == Some(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(name: &str) -> Effect {
        effect_of_broker_key(broker::row(name).expect("a key"))
    }

    #[test]
    fn what_a_key_does_follows_from_what_reads_it() {
        assert_eq!(effect("num.partitions"), Effect::InForce);
        assert_eq!(effect("broker.id"), Effect::InForce);
        // Topics and groups inherit these.
        assert_eq!(effect("log.retention.hours"), Effect::InForce);
        assert_eq!(effect("group.share.session.timeout.ms"), Effect::InForce);
        assert_eq!(effect("group.share.max.session.timeout.ms"), Effect::InForce);
        assert_eq!(effect("group.consumer.max.session.timeout.ms"), Effect::InForce);
        assert_eq!(effect("group.streams.max.session.timeout.ms"), Effect::InForce);
        assert_eq!(effect("transaction.max.timeout.ms"), Effect::InForce);
        assert_eq!(effect("client.quota.callback.class"), Effect::Checked);
        assert_eq!(effect("num.io.threads"), Effect::None);
        assert_eq!(effect("log.preallocate"), Effect::None);
        assert_eq!(effect("listeners"), Effect::AtStart);
        let topic_key = |name: &str| effect_of_topic_key(topic::row(name).expect("a key"));
        assert_eq!(topic_key("retention.ms"), Effect::InForce);
        assert_eq!(topic_key("remote.storage.enable"), Effect::None);
        let group_key = |name: &str| effect_of_group_key(group::row(name).expect("a key"));
        assert_eq!(group_key("share.isolation.level"), Effect::InForce);
        assert_eq!(group_key("streams.session.timeout.ms"), Effect::InForce);
    }
}
