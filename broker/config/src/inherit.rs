//! The value in force of a topic's or a group's key: its own over what the broker gives it.
//! Core.

use crate::row::{ConfigRow, Synonym};
use crate::settings::{BrokerSettings, ConfigMap};
use crate::value::{self, ConfigValue};

/// The value in force. An override that does not parse is passed over: it was checked when it was accepted.
pub(crate) fn effective_value(
    broker: &BrokerSettings,
    overrides: &ConfigMap,
    row: &ConfigRow,
) -> ConfigValue {
    let own = overrides.get(row.name).and_then(|text| value::parse(row, text).ok());
    own.unwrap_or_else(|| inherited(broker, row))
}

/// What a topic or a group gets when it says nothing itself: the first of the row's broker keys that has a
/// value, or the row's own default.
pub(crate) fn inherited(broker: &BrokerSettings, row: &ConfigRow) -> ConfigValue {
    let default =
        || row.default.and_then(|default| value::parse(row, default).ok()).unwrap_or(ConfigValue::Null);
    match row.synonyms.iter().find_map(|synonym| scaled(broker.value(synonym.name), synonym)) {
        // A limit below the one that means "for ever" is the same, in whatever unit it was given.
        Some(ConfigValue::Long(ms)) if row.name == "retention.ms" => ConfigValue::Long(ms.max(-1)),
        Some(value) => value,
        None => default(),
    }
}

/// The value of a broker key in the unit of the key that inherits it.
fn scaled(value: &ConfigValue, synonym: &Synonym) -> Option<ConfigValue> {
    match (value, synonym.scale) {
        (ConfigValue::Null, _) => None,
        (value, 1) => Some(value.clone()),
        (value, scale) => value.as_i64().map(|number| ConfigValue::Long(number.saturating_mul(scale))),
    }
}
