//! How much is logged of which room: what DescribeConfigs shows of loggers and IncrementalAlterConfigs changes (KIP-412).
//! Core; the filter that obeys is given in.
//!
//! A logger is a prefix of a tracing target. One that has no level of its own has that of the longest prefix which has
//! one, in the end the root's.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::ErrorCode;
use parking_lot::Mutex;

/// Kafka's name of what all loggers inherit.
pub const ROOT: &str = "root";

/// Kafka's names; nothing here is fatal and goes on, so `FATAL` is silence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// As Kafka's message lists them.
const LEVELS: [LogLevel; 6] =
    [LogLevel::Debug, LogLevel::Error, LogLevel::Fatal, LogLevel::Info, LogLevel::Trace, LogLevel::Warn];

impl LogLevel {
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Fatal => "FATAL",
            LogLevel::Error => "ERROR",
            LogLevel::Warn => "WARN",
            LogLevel::Info => "INFO",
            LogLevel::Debug => "DEBUG",
            LogLevel::Trace => "TRACE",
        }
    }

    pub fn from_name(name: &str) -> Option<LogLevel> {
        LEVELS.into_iter().find(|level| level.name() == name)
    }

    /// As a directive of the filter says it.
    fn directive(self) -> &'static str {
        match self {
            LogLevel::Fatal => "off",
            level => level.name(),
        }
    }

    fn from_directive(text: &str) -> Option<LogLevel> {
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        let names = levels.iter().position(|level| text.eq_ignore_ascii_case(level));
        let at = names.or_else(|| text.parse().ok().filter(|number| *number < levels.len()))?;
        LogLevel::from_name(if at == 0 { "FATAL" } else { levels[at] }.to_uppercase().as_str())
    }
}

/// The levels, as directives of a filter.
#[derive(Clone, PartialEq, Debug)]
pub struct LogLevels {
    root: LogLevel,
    own: BTreeMap<String, LogLevel>,
    /// Directives about spans and fields stay as they were given.
    others: Vec<String>,
}

impl LogLevels {
    /// Reads the directives of a filter (`OTTLA_LOG`).
    pub fn parse(directives: &str) -> LogLevels {
        let (mut root, mut own, mut others) = (None, BTreeMap::new(), Vec::new());
        if directives.contains('[') {
            // Their commas may be inside of braces.
            others.push(directives.to_owned());
        } else {
            for one in directives.split(',').map(str::trim).filter(|one| !one.is_empty()) {
                match (one.split_once('='), LogLevel::from_directive(one)) {
                    (Some((target, level)), _) => match LogLevel::from_directive(level) {
                        Some(level) => {
                            own.insert(target.to_owned(), level);
                        }
                        None => others.push(one.to_owned()),
                    },
                    (None, Some(level)) => root = Some(level),
                    (None, None) => {
                        own.insert(one.to_owned(), LogLevel::Trace);
                    }
                }
            }
        }
        let is_empty = own.is_empty() && others.is_empty();
        let root = root.unwrap_or(if is_empty { LogLevel::Error } else { LogLevel::Fatal });
        LogLevels { root, own, others }
    }

    pub fn directives(&self) -> String {
        let own = self.own.iter().map(|(target, level)| format!("{target}={}", level.directive()));
        let root = [self.root.directive().to_owned()];
        root.into_iter().chain(own).chain(self.others.iter().cloned()).collect::<Vec<_>>().join(",")
    }

    fn of(&self, name: &str) -> LogLevel {
        let prefixes = self.own.iter().filter(|(target, _)| name.starts_with(target.as_str()));
        prefixes.max_by_key(|(target, _)| target.len()).map_or(self.root, |(_, level)| *level)
    }
}

/// One change of an IncrementalAlterConfigs.
pub struct LevelChange<'a> {
    pub name: &'a str,
    pub operation: i8,
    pub value: Option<&'a str>,
}

const SET: i8 = 0;
pub(crate) const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Refused = (ErrorCode, Option<String>);

fn invalid_request(why: impl Into<String>) -> Refused {
    (ErrorCode::InvalidRequest, Some(why.into()))
}

/// What is done with directives that are in force from now on.
type Obey = Box<dyn Fn(&str) + Send + Sync>;

/// The loggers of this process.
pub struct Loggers {
    /// Those that are there whether or not they have a level of their own.
    names: Vec<String>,
    levels: Mutex<LogLevels>,
    obey: Obey,
}

impl Loggers {
    pub fn new(names: &[&str], directives: &str, obey: Obey) -> Loggers {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Loggers { names, levels: Mutex::new(LogLevels::parse(directives)), obey }
    }

    /// Where nothing is logged.
    pub fn none() -> Loggers {
        Loggers::new(&[], "off", Box::new(|_| {}))
    }

    /// Every logger with the level that is in force for it.
    pub fn describe(&self) -> Vec<(String, LogLevel)> {
        let levels = self.levels.lock();
        let names: BTreeSet<&String> = self.names.iter().chain(levels.own.keys()).collect();
        let own = names.into_iter().map(|name| (name.clone(), levels.of(name)));
        own.chain([(ROOT.to_owned(), levels.root)]).collect()
    }

    /// Changes levels, all or none of them (`RuntimeLoggerManager.applyChangesForResource`).
    pub fn alter(&self, changes: &[LevelChange<'_>], validate_only: bool) -> Result<(), Refused> {
        let mut levels = self.levels.lock();
        let mut next = levels.clone();
        for change in changes {
            let level = self.check(&levels, change)?;
            match level {
                Some(level) if change.name == ROOT => next.root = level,
                Some(level) => {
                    next.own.insert(change.name.to_owned(), level);
                }
                None => {
                    next.own.remove(change.name);
                }
            }
        }
        if validate_only || changes.is_empty() {
            return Ok(());
        }
        (self.obey)(&next.directives());
        *levels = next;
        drop(levels);
        for change in changes {
            let to = change.value.filter(|_| change.operation == SET).unwrap_or("that of its parent");
            tracing::info!("the log level of {} is now {to}", change.name);
        }
        Ok(())
    }

    /// The level to set; `None` takes the logger's own away.
    fn check(&self, levels: &LogLevels, change: &LevelChange<'_>) -> Result<Option<LogLevel>, Refused> {
        let LevelChange { name, operation, value } = *change;
        let not_allowed = |word: &str| {
            invalid_request(format!("{word} operation is not allowed for the BROKER_LOGGER resource"))
        };
        match operation {
            SET | DELETE => {}
            APPEND => return Err(not_allowed("APPEND")),
            SUBTRACT => return Err(not_allowed("SUBTRACT")),
            // Kafka knows no such operation, and stumbles over it.
            _ => return Err((ErrorCode::UnknownServerError, None)),
        }
        let exists = name == ROOT
            || levels.own.contains_key(name)
            || self.names.iter().any(|known| known.as_str() == name);
        if !exists {
            return Err((ErrorCode::InvalidConfig, Some(format!("Logger {name} does not exist!"))));
        }
        if operation == DELETE {
            return match name == ROOT {
                true => Err(invalid_request("Removing the log level of the root logger is not allowed")),
                false => Ok(None),
            };
        }
        let value = value.unwrap_or_default();
        LogLevel::from_name(value).map(Some).ok_or_else(|| {
            let valid = LEVELS.map(LogLevel::name).join(", ");
            let why = format!(
                "Cannot set the log level of {name} to {value} as it is not a supported log level. Valid log levels are {valid}"
            );
            (ErrorCode::InvalidConfig, Some(why))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn loggers(directives: &str) -> (Loggers, Arc<Mutex<Vec<String>>>) {
        let obeyed = Arc::new(Mutex::new(Vec::new()));
        let told = obeyed.clone();
        let obey = Box::new(move |directives: &str| told.lock().push(directives.to_owned()));
        (Loggers::new(&["ottla_log", "ottla_api"], directives, obey), obeyed)
    }

    fn set<'a>(name: &'a str, value: &'a str) -> LevelChange<'a> {
        LevelChange { name, operation: SET, value: Some(value) }
    }

    fn shown(loggers: &Loggers) -> Vec<String> {
        loggers.describe().into_iter().map(|(name, level)| format!("{name} {}", level.name())).collect()
    }

    #[test]
    fn directives_are_read_and_written_again() {
        for (given, written) in [
            ("", "ERROR"),
            ("info,sled=warn", "INFO,sled=WARN"),
            ("ottla_log", "off,ottla_log=TRACE"),
            ("2, ottla_log::cleaner=5,x=off", "WARN,ottla_log::cleaner=TRACE,x=off"),
            ("[span{a=1,b}]=debug", "off,[span{a=1,b}]=debug"),
        ] {
            assert_eq!(LogLevels::parse(given).directives(), written, "{given}");
        }
    }

    #[test]
    fn loggers_have_the_level_of_their_longest_prefix() {
        let (loggers, _) = loggers("info,ottla=warn,ottla_log=debug");
        assert_eq!(shown(&loggers), ["ottla WARN", "ottla_api WARN", "ottla_log DEBUG", "root INFO"]);
    }

    #[test]
    fn a_level_is_set_and_taken_away_and_the_filter_obeys() {
        let (loggers, obeyed) = loggers("info");
        assert_eq!(loggers.alter(&[set("ottla_log", "TRACE"), set(ROOT, "FATAL")], true), Ok(()));
        assert_eq!((shown(&loggers).len(), obeyed.lock().len()), (3, 0), "it was only looked at");
        assert_eq!(loggers.alter(&[set("ottla_log", "TRACE"), set(ROOT, "FATAL")], false), Ok(()));
        assert_eq!(shown(&loggers), ["ottla_api FATAL", "ottla_log TRACE", "root FATAL"]);
        let delete = LevelChange { name: "ottla_log", operation: DELETE, value: None };
        assert_eq!(loggers.alter(&[delete], false), Ok(()));
        assert_eq!(shown(&loggers), ["ottla_api FATAL", "ottla_log FATAL", "root FATAL"]);
        assert_eq!(*obeyed.lock(), ["off,ottla_log=TRACE", "off"]);
    }

    #[test]
    fn what_is_wrong_changes_nothing() {
        let (loggers, obeyed) = loggers("info");
        let of = |name, operation, value| LevelChange { name, operation, value };
        for (change, error) in [
            (of("ottla_nothing", SET, Some("INFO")), ErrorCode::InvalidConfig),
            (of("ottla_nothing", DELETE, None), ErrorCode::InvalidConfig),
            (of("ottla_log", SET, Some("info")), ErrorCode::InvalidConfig),
            (of("ottla_log", APPEND, Some("INFO")), ErrorCode::InvalidRequest),
            (of("ottla_log", SUBTRACT, Some("INFO")), ErrorCode::InvalidRequest),
            (of("ottla_log", 9, Some("INFO")), ErrorCode::UnknownServerError),
            (of(ROOT, DELETE, None), ErrorCode::InvalidRequest),
        ] {
            let refused = loggers.alter(&[set("ottla_api", "DEBUG"), change], false);
            assert_eq!(refused.map_err(|(code, _)| code), Err(error));
        }
        assert_eq!((shown(&loggers)[0].as_str(), obeyed.lock().len()), ("ottla_api INFO", 0));
    }
}
