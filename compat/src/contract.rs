//! The line contract between a run and a client program: commands in, events out (told in compat/README.md).
//! Shell: pipes of one child process; the parsing is plain functions.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome, While, fail};
use crate::process::Process;

/// How to start a client program; the bootstrap address is added behind.
#[derive(Debug, Clone)]
pub struct Program {
    pub name: String,
    pub command: Vec<OsString>,
}

/// What a program printed, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Ok,
    Error(String),
    Codecs(Vec<String>),
    Assigned(Vec<i32>),
    Record(Record),
    Offset {
        partition: i32,
        offset: i64,
    },
    Config {
        key: String,
        value: String,
    },
    Exists(bool),
    /// How far a program has come that goes on by itself.
    Count(u64),
    Left,
    /// Something a person may want to read that changes nothing.
    Note(String),
}

/// One consumed record, its value as length and checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<String>,
    /// -1 for a null value.
    pub value_bytes: i64,
    pub value_crc: u32,
    pub headers: String,
}

impl Event {
    pub fn parse(line: &str) -> Outcome<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let event = match word {
            "ok" => Some(Event::Ok),
            "left" => Some(Event::Left),
            "error" => Some(Event::Error(rest.to_owned())),
            "note" => Some(Event::Note(rest.to_owned())),
            "codecs" => Some(Event::Codecs(rest.split(',').map(str::to_owned).collect())),
            "assigned" => parse_assigned(rest),
            "record" => parse_record(rest).map(Event::Record),
            "offset" => rest.split_once(' ').and_then(|(partition, offset)| {
                Some(Event::Offset { partition: partition.parse().ok()?, offset: offset.parse().ok()? })
            }),
            "config" => rest
                .split_once(' ')
                .map(|(key, value)| Event::Config { key: key.to_owned(), value: value.to_owned() }),
            "count" => rest.parse().ok().map(Event::Count),
            "exists" => rest.parse().ok().map(Event::Exists),
            _ => None,
        };
        event.ok_or_else(|| Failure(format!("a line outside the contract: {line}")))
    }
}

fn parse_assigned(text: &str) -> Option<Event> {
    if text == "-" {
        return Some(Event::Assigned(Vec::new()));
    }
    text.split(',').map(|number| number.parse().ok()).collect::<Option<Vec<i32>>>().map(Event::Assigned)
}

fn parse_record(text: &str) -> Option<Record> {
    let mut words = text.splitn(7, ' ');
    Some(Record {
        partition: words.next()?.parse().ok()?,
        offset: words.next()?.parse().ok()?,
        timestamp_ms: words.next()?.parse().ok()?,
        key: words.next().map(|key| (key != "-").then(|| key.to_owned()))?,
        value_bytes: words.next()?.parse().ok()?,
        value_crc: words.next()?.parse().ok()?,
        headers: words.next().unwrap_or_default().to_owned(),
    })
}

/// A client program that runs.
#[derive(Debug)]
pub struct Client {
    process: Process,
    events: Receiver<String>,
    label: String,
    errors_path: PathBuf,
}

impl Client {
    pub fn start(program: &Program, role: &str, bootstrap: &str, work_dir: &Path) -> Outcome<Self> {
        let label = format!("{} {role}", program.name);
        let errors_path = work_dir.join(format!("{role}.err"));
        let Some((executable, arguments)) = program.command.split_first() else {
            return fail("an empty command");
        };
        let errors = std::fs::File::create(&errors_path)?;
        let mut command = Command::new(executable);
        command
            .args(arguments)
            .arg(bootstrap)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .current_dir(work_dir);
        let mut process = Process::start_as_is(&label, &mut command, &errors_path)?;
        let Some(output) = process.child().stdout.take() else { return fail("no pipe for the output") };
        let (sender, events) = mpsc::channel();
        std::thread::Builder::new().name(label.clone()).spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { process, events, label, errors_path })
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn tell(&mut self, line: &str) -> Outcome<()> {
        let label = self.label.clone();
        let Some(input) = self.process.child().stdin.as_mut() else { return fail("no pipe for the input") };
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .while_doing(|| format!("telling {label} {line}"))
    }

    /// The next event before the deadline; `None` when there was none.
    pub fn next_event(&mut self, deadline: Instant) -> Outcome<Option<Event>> {
        match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Event::parse(&line).map(Some).while_doing(|| self.label.clone()),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                fail(format!("{} ended by itself\n{}", self.label, self.last_errors()))
            }
        }
    }

    /// Tells a verb and gathers what it said up to its `ok`.
    pub fn ask(&mut self, line: &str, limit: Duration) -> Outcome<Vec<Event>> {
        self.tell(line)?;
        let deadline = Instant::now() + limit;
        let mut events = Vec::new();
        loop {
            match self.next_event(deadline)? {
                Some(Event::Ok) => return Ok(events),
                Some(Event::Error(text)) => return fail(format!("{line}: {text}")),
                Some(event) => events.push(event),
                None => {
                    return fail(format!(
                        "{line}: no answer within {limit:?} after {} lines\n{}",
                        events.len(),
                        self.last_errors()
                    ));
                }
            }
        }
    }

    /// Waits for the end that was asked for.
    pub fn wait_for_end(&mut self, limit: Duration) -> Outcome<()> {
        match self.process.wait_until(Instant::now() + limit)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => fail(format!("{} ended with {status}\n{}", self.label, self.last_errors())),
            None => fail(format!("{} did not end within {limit:?}", self.label)),
        }
    }

    /// SIGKILL; returns what the program had said until then and nobody had read yet.
    pub fn kill9(&mut self) -> Outcome<Vec<Event>> {
        self.process.kill9()?;
        // The last line may have been cut by the kill; a whole one was said before what follows it was done.
        Ok(self.events.iter().filter_map(|line| Event::parse(&line).ok()).collect())
    }

    pub fn last_errors(&self) -> String {
        crate::process::last_lines(&self.errors_path, 15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_nulls_is_read() {
        let event = Event::parse("record 2 14 1700000000005 - -1 0 id=5,codec=zstd,empty=");
        let expected = Record {
            partition: 2,
            offset: 14,
            timestamp_ms: 1_700_000_000_005,
            key: None,
            value_bytes: -1,
            value_crc: 0,
            headers: "id=5,codec=zstd,empty=".to_owned(),
        };
        assert_eq!(event, Ok(Event::Record(expected)));
    }

    #[test]
    fn an_assignment_may_be_empty() {
        assert_eq!(Event::parse("assigned -"), Ok(Event::Assigned(Vec::new())));
        assert_eq!(Event::parse("assigned 0,2"), Ok(Event::Assigned(vec![0, 2])));
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(Event::parse("recorded 1").is_err());
        assert!(Event::parse("record 1 x 0 - 0 0 ").is_err());
    }
}
