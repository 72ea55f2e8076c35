//! A typed value: read from text as Kafka's ConfigDef reads it, and written back as DescribeConfigs shows it.
//! Core.

use crate::error::ConfigError;
use crate::row::{ConfigRow, ConfigType, Validation};

/// A value of a key; `Null` is a key without default that is not set.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigValue {
    Null,
    Boolean(bool),
    String(String),
    Int(i32),
    Short(i16),
    Long(i64),
    Double(f64),
    List(Vec<String>),
    Class(String),
    Password(String),
}

impl ConfigValue {
    /// The text of DescribeConfigs; nothing for null.
    pub fn text(&self) -> Option<String> {
        match self {
            ConfigValue::Null => None,
            ConfigValue::Boolean(value) => Some(value.to_string()),
            ConfigValue::String(value) | ConfigValue::Class(value) | ConfigValue::Password(value) => {
                Some(value.clone())
            }
            ConfigValue::Int(value) => Some(value.to_string()),
            ConfigValue::Short(value) => Some(value.to_string()),
            ConfigValue::Long(value) => Some(value.to_string()),
            ConfigValue::Double(value) => Some(java_double(*value)),
            ConfigValue::List(values) => Some(values.join(",")),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, ConfigValue::Null)
    }

    /// Any of the whole number types, widened.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            ConfigValue::Int(value) => Some(i64::from(*value)),
            ConfigValue::Short(value) => Some(i64::from(*value)),
            ConfigValue::Long(value) => Some(*value),
            _ => None,
        }
    }
}

/// Reads and checks one value of a row; errors are Kafka's texts.
pub fn parse(row: &ConfigRow, text: &str) -> Result<ConfigValue, ConfigError> {
    parse_named(row, row.name, text)
}

/// The same under another name (a listener's own key is checked by the row it overrides).
pub(crate) fn parse_named(row: &ConfigRow, name: &str, text: &str) -> Result<ConfigValue, ConfigError> {
    let trimmed = trim(text);
    let number = || ConfigError::value(name, text, format!("Not a number of type {}", row.kind.name()));
    let value = match row.kind {
        ConfigType::Boolean if trimmed.eq_ignore_ascii_case("true") => ConfigValue::Boolean(true),
        ConfigType::Boolean if trimmed.eq_ignore_ascii_case("false") => ConfigValue::Boolean(false),
        ConfigType::Boolean => {
            return Err(ConfigError::value(name, text, "Expected value to be either true or false"));
        }
        ConfigType::String => ConfigValue::String(trimmed.to_owned()),
        ConfigType::Class => ConfigValue::Class(trimmed.to_owned()),
        ConfigType::Password => ConfigValue::Password(text.to_owned()),
        ConfigType::Int => ConfigValue::Int(trimmed.parse().map_err(|_| number())?),
        ConfigType::Short => ConfigValue::Short(trimmed.parse().map_err(|_| number())?),
        ConfigType::Long => ConfigValue::Long(trimmed.parse().map_err(|_| number())?),
        ConfigType::Double => ConfigValue::Double(java_parse_double(trimmed).ok_or_else(number)?),
        ConfigType::List if trimmed.is_empty() => ConfigValue::List(Vec::new()),
        ConfigType::List => ConfigValue::List(trimmed.split(',').map(|part| trim(part).to_owned()).collect()),
    };
    check(row, name, trimmed, value)
}

fn check(row: &ConfigRow, name: &str, trimmed: &str, value: ConfigValue) -> Result<ConfigValue, ConfigError> {
    match row.validate {
        Validation::Any => {}
        Validation::Range { min, max } => {
            let number = value.as_i64().unwrap_or(0);
            if let Some(min) = min.filter(|min| number < *min) {
                return Err(ConfigError::value(name, number, format!("Value must be at least {min}")));
            }
            if let Some(max) = max.filter(|max| number > *max) {
                return Err(ConfigError::value(name, number, format!("Value must be no more than {max}")));
            }
        }
        Validation::DoubleRange { min, max } => {
            if let ConfigValue::Double(number) = value {
                if number < min {
                    let why = format!("Value must be at least {min}");
                    return Err(ConfigError::value(name, java_double(number), why));
                }
                if number > max {
                    let why = format!("Value must be no more than {max}");
                    return Err(ConfigError::value(name, java_double(number), why));
                }
            }
        }
        Validation::OneOf(of) => one_of(name, trimmed, of)?,
        Validation::OneOfIgnoreCase(of) => {
            if !of.iter().any(|allowed| allowed.eq_ignore_ascii_case(trimmed)) {
                let why = format!("String must be one of (case insensitive): {}", of.join(", "));
                return Err(ConfigError::value(name, trimmed, why));
            }
        }
        Validation::ListOf { of, empty_allowed } => return check_list(name, value, of, empty_allowed),
        Validation::NonEmpty => {
            if trimmed.is_empty() {
                return Err(ConfigError::value(name, trimmed, "String must be non-empty"));
            }
        }
        Validation::Custom(check) => {
            check(name, trimmed).map_err(|message| ConfigError::invalid_config(message).about(name))?;
        }
    }
    Ok(value)
}

fn one_of(name: &str, text: &str, of: &[&str]) -> Result<(), ConfigError> {
    if of.contains(&text) {
        return Ok(());
    }
    Err(ConfigError::value(name, text, format!("String must be one of: {}", of.join(", "))))
}

fn check_list(
    name: &str,
    value: ConfigValue,
    of: &[&str],
    empty_allowed: bool,
) -> Result<ConfigValue, ConfigError> {
    let ConfigValue::List(entries) = value else { return Ok(value) };
    if entries.is_empty() && !empty_allowed {
        let valid =
            if of.is_empty() { "any non-empty value".to_owned() } else { format!("[{}]", of.join(", ")) };
        let message = format!("Configuration '{name}' must not be empty. Valid values include: {valid}");
        return Err(ConfigError::invalid_config(message).about(name));
    }
    let mut kept: Vec<String> = Vec::with_capacity(entries.len());
    for entry in entries {
        if !kept.contains(&entry) {
            kept.push(entry);
        }
    }
    for entry in &kept {
        if entry.is_empty() {
            let message = format!("Configuration '{name}' values must not be empty.");
            return Err(ConfigError::invalid_config(message).about(name));
        }
        if !of.is_empty() {
            one_of(name, entry, of)?;
        }
    }
    Ok(ConfigValue::List(kept))
}

/// Java's String.trim: everything up to and including the space.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

/// Java's Double.parseDouble, as far as people write numbers (its hexadecimal form is left out).
fn java_parse_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" if text.starts_with('-') => return Some(f64::NEG_INFINITY),
        "Infinity" => return Some(f64::INFINITY),
        _ => {}
    }
    let digits = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    digits.chars().all(plain).then(|| digits.parse().ok()).flatten()
}

/// Java's Double.toString: plain between 0.001 and 10,000,000, otherwise with an exponent.
pub(crate) fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let dot = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{dot}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (value, text) in [
            (0.5, "0.5"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (f64::MAX, "1.7976931348623157E308"),
            (99_999_999_999.0, "9.9999999999E10"),
            (1e7, "1.0E7"),
            (1e-4, "1.0E-4"),
            (1000.0, "1000.0"),
        ] {
            assert_eq!(java_double(value), text);
        }
    }

    #[test]
    fn doubles_are_read_as_java_reads_them() {
        assert_eq!(java_parse_double("1.0f"), Some(1.0));
        assert_eq!(java_parse_double("1e3"), Some(1000.0));
        assert_eq!(java_parse_double("+5"), Some(5.0));
        assert_eq!(java_parse_double("inf"), None);
        assert_eq!(java_parse_double("nan"), None);
        assert_eq!(java_parse_double(""), None);
    }
}
