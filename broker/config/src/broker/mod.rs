//! All broker keys: Kafka 4.3.1's rows and ours, found by name; which keys stand for one another.
//! Core.

mod coordinator;
mod in_force;
mod log;
mod node;
mod ottla;
mod security;

use std::sync::LazyLock;

use crate::row::ConfigRow;

pub(crate) use in_force::IN_FORCE;
pub use in_force::KeysInForce;
pub use ottla::{OTTLA_DEFAULTS, OttlaDefault, default_of};

static SORTED: LazyLock<Vec<&'static ConfigRow>> = LazyLock::new(|| {
    let tables = [IN_FORCE, coordinator::COORDINATOR, log::LOG, node::NODE, security::SECURITY];
    let mut rows: Vec<&'static ConfigRow> = tables.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.name);
    assert!(rows.windows(2).all(|pair| pair[0].name < pair[1].name), "a key is in one table");
    rows
});

/// Every broker row, by name.
pub fn rows() -> &'static [&'static ConfigRow] {
    &SORTED
}

/// The row of a key.
pub fn row(name: &str) -> Option<&'static ConfigRow> {
    index(name).map(|index| SORTED[index])
}

/// The place of a key in [`rows`].
pub(crate) fn index(name: &str) -> Option<usize> {
    SORTED.binary_search_by(|row| row.name.cmp(name)).ok()
}

/// Keys that a listener sets for one SASL mechanism: `listener.name.<listener>.<mechanism>.<key>`.
const LISTENER_MECHANISM_KEYS: &[&str] = &[
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
];

/// What stands behind `listener.name.<listener>.`.
pub(crate) fn listener_suffix(name: &str) -> Option<&str> {
    let (listener, suffix) = name.strip_prefix("listener.name.")?.split_once('.')?;
    (!listener.is_empty() && !suffix.is_empty()).then_some(suffix)
}

/// The row that gives a key its type: its own, or the one its listener overrides.
pub(crate) fn typed_row(name: &str) -> Option<&'static ConfigRow> {
    row(name).or_else(|| alternates(name).into_iter().skip(1).find_map(row))
}

/// The keys that answer for `name`, first the one that wins.
pub fn alternates(name: &str) -> Vec<&str> {
    match name {
        "log.roll.ms" | "log.roll.hours" => vec!["log.roll.ms", "log.roll.hours"],
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => vec!["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "log.flush.interval.ms" => vec!["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => {
            vec!["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        }
        _ => match listener_suffix(name) {
            Some(suffix) => {
                let mechanism = LISTENER_MECHANISM_KEYS.iter().find(|key| suffix.ends_with(*key)).copied();
                let of_tokens =
                    suffix.strip_prefix("oauthbearer.").filter(|key| key.starts_with("sasl.oauthbearer."));
                vec![name, mechanism.or(of_tokens).unwrap_or(suffix)]
            }
            None => vec![name],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Visibility;
    use crate::value;

    #[test]
    fn names_are_unique_and_every_row_has_a_sentence() {
        assert!(rows().windows(2).all(|pair| pair[0].name < pair[1].name));
        for row in rows().iter().chain(crate::topic::rows()).chain(crate::group::rows()) {
            assert!(row.doc.ends_with('.') || row.doc.ends_with("..."), "{}", row.name);
        }
        let described = |row: &&&ConfigRow| row.visibility == Visibility::Described;
        let ours = rows().iter().filter(|row| row.name.starts_with("ottla.")).count();
        assert_eq!(rows().iter().filter(described).count() - ours, 340);
        assert_eq!(rows().iter().filter(|row| row.visibility == Visibility::DynamicOnly).count(), 3);
    }

    #[test]
    fn every_default_is_a_value_of_its_row() {
        let all = rows().iter().copied();
        let rest = crate::topic::rows().iter().chain(crate::group::rows()).copied();
        for row in all.chain(rest).chain(crate::client_metrics::ROWS) {
            if let Some(default) = default_of(row) {
                assert_eq!(
                    value::parse(row, default).unwrap().text().as_deref(),
                    Some(default),
                    "{}",
                    row.name
                );
            }
        }
        assert!(OTTLA_DEFAULTS.iter().all(|ours| row(ours.name).is_some()));
    }

    #[test]
    fn listener_keys_have_the_type_of_what_they_override() {
        assert_eq!(typed_row("listener.name.a.ssl.keystore.location").unwrap().name, "ssl.keystore.location");
        assert_eq!(typed_row("listener.name.a.plain.sasl.jaas.config").unwrap().name, "sasl.jaas.config");
        assert!(typed_row("listener.name.a.nonsense").is_none());
        assert!(typed_row("my.custom.key").is_none());
    }
}
