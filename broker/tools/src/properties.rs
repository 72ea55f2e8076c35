//! The properties that a console command is given: a file, single ones, and options that stand for some.
//! Shell: reads the file.

use std::collections::BTreeMap;

use crate::error::{Exception, Failure};
use crate::options::Options;

/// What stood on the command line, the single ones over the file.
#[derive(Debug, Default)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Of a file, if one is named, and of `key=value` words over it.
    pub fn read<'a>(file: Option<&str>, words: impl Iterator<Item = &'a str>) -> Result<Properties, Failure> {
        let mut all = BTreeMap::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|_| Exception::new("java.nio.file.NoSuchFileException", path))?;
            let given = ottla_config::properties::parse(&text)
                .map_err(|error| Exception::illegal_argument(format!("{path}: {error}")))?;
            all.extend(given.into_iter().map(|property| (property.key, property.value)));
        }
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                return Err(Exception::illegal_argument(format!("Missing value for key {word}")).into());
            };
            all.insert(key.to_owned(), value.to_owned());
        }
        Ok(Properties(all))
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), value.to_owned());
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether a property says `true`, as Kafka's readers and formatters compare it.
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// `CommandLineUtils.maybeMergeOptions`: an option that is given wins, its default fills what is not set.
    pub fn merge(&mut self, key: &str, options: &Options, option: &str, default: &str) {
        match options.get(option) {
            Some(value) => self.set(key, value),
            None if self.get(key).is_none() => self.set(key, default),
            None => {}
        }
    }

    /// One of the values that Kafka allows.
    pub fn one_of<'a>(&'a self, key: &str, allowed: &[&str]) -> Result<&'a str, Exception> {
        let value = self.get(key).unwrap_or_default();
        if allowed.contains(&value) {
            return Ok(value);
        }
        let message = format!(
            "Invalid value {value} for configuration {key}: String must be one of: {}",
            allowed.join(", ")
        );
        Err(Exception::new("org.apache.kafka.common.config.ConfigException", message))
    }

    pub fn number<T: std::str::FromStr>(&self, key: &str, kind: &str) -> Result<Option<T>, Exception> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.trim().parse().map(Some).map_err(|_| {
            let message =
                format!("Invalid value {value} for configuration {key}: Not a number of type {kind}");
            Exception::new("org.apache.kafka.common.config.ConfigException", message)
        })
    }
}

/// The number that an option must be, in joptsimple's words where it is none.
pub fn option_number<T: std::str::FromStr>(options: &Options, name: &str) -> Result<Option<T>, Failure> {
    let Some(value) = options.get(name) else { return Ok(None) };
    value.parse().map(Some).map_err(|_| {
        let message = format!("Cannot parse argument '{value}' of option {name}");
        Exception::new("joptsimple.OptionArgumentConversionException", message).into()
    })
}

/// Which of an option and its older name is given; both are too many.
pub fn newer_or_older<'a>(
    options: &Options,
    newer: &'a str,
    older: &'a str,
    refusal: &str,
) -> Result<&'a str, Failure> {
    match (options.has(newer), options.has(older)) {
        (true, true) => Err(Failure::Usage(refusal.to_owned())),
        (false, true) => Ok(older),
        _ => Ok(newer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Known, value};

    const KNOWN: &[Known] = &[value("timeout", "a time")];

    fn options(line: &str) -> Options {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(KNOWN, &words).expect("a good line")
    }

    #[test]
    fn an_option_wins_and_its_default_only_fills() {
        let read = || Properties::read(None, ["linger.ms=7", "a=b=c"].into_iter()).expect("properties");
        let mut given = read();
        given.merge("linger.ms", &options("--timeout 9"), "timeout", "1000");
        assert_eq!((given.get("linger.ms"), given.get("a")), (Some("9"), Some("b=c")));
        let mut left = read();
        left.merge("linger.ms", &options(""), "timeout", "1000");
        left.merge("acks", &options(""), "timeout", "1000");
        assert_eq!((left.get("linger.ms"), left.get("acks")), (Some("7"), Some("1000")));
        assert_eq!(left.number::<u64>("linger.ms", "LONG"), Ok(Some(7)));
        assert!(left.number::<u64>("a", "LONG").is_err() && left.one_of("a", &["b"]).is_err());
        assert!(Properties::read(None, ["a"].into_iter()).is_err());
        assert!(option_number::<u64>(&options("--timeout x"), "timeout").is_err());
    }
}
