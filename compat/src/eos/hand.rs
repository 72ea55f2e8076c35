//! A program that works by itself while the broker dies and comes back: how far it has come, and its orderly end.
//! Shell: one client process.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::contract::{Client, Event, Program};
use crate::eos::stage::Worker;
use crate::failure::{Outcome, fail};

/// How much of its last notes a failure quotes.
const NOTES_QUOTED: usize = 12;

#[derive(Debug)]
pub(crate) struct Hand {
    client: Client,
    role: String,
    /// All it has done, a killed predecessor's share included.
    progress: u64,
    /// What it said last, which starts anew with a new process.
    counted: u64,
    notes: Vec<String>,
    left: bool,
}

impl Hand {
    /// Starts the program in this role; `line` tells it what to do until it is told to leave.
    pub(crate) fn start(
        program: &Program,
        role: &str,
        bootstrap: &str,
        work_dir: &Path,
        line: &str,
    ) -> Outcome<Self> {
        let mut client = Client::start(program, role, bootstrap, work_dir)?;
        client.tell(line)?;
        let role = role.to_owned();
        Ok(Self { client, role, progress: 0, counted: 0, notes: Vec::new(), left: false })
    }

    fn on_event(&mut self, event: Event) -> Outcome<()> {
        match event {
            Event::Count(count) => {
                self.progress += count.saturating_sub(self.counted);
                self.counted = count;
            }
            Event::Note(text) => self.notes.push(text),
            Event::Left => self.left = true,
            Event::Error(text) => return fail(format!("{}: {text}\n{}", self.role, self.last_notes())),
            other => return fail(format!("{}: {other:?} was not expected", self.role)),
        }
        Ok(())
    }

    /// Tells it to leave and waits until it has.
    pub(crate) fn leave(&mut self, limit: Duration) -> Outcome<()> {
        self.client.tell("leave")?;
        let deadline = Instant::now() + limit;
        while !self.left {
            match self.client.next_event(deadline)? {
                Some(event) => self.on_event(event)?,
                None => {
                    return fail(format!(
                        "{} did not leave within {limit:?}\n{}\n{}",
                        self.role,
                        self.last_notes(),
                        self.client.last_errors()
                    ));
                }
            }
        }
        self.client.wait_for_end(limit)
    }

    /// SIGKILL, and a successor in the same role.
    pub(crate) fn replace(
        &mut self,
        program: &Program,
        bootstrap: &str,
        work_dir: &Path,
        line: &str,
    ) -> Outcome<()> {
        for event in self.client.kill9()? {
            self.on_event(event)?;
        }
        self.client = Client::start(program, &self.role, bootstrap, work_dir)?;
        self.counted = 0;
        self.client.tell(line)
    }

    pub(crate) fn note_count(&self) -> usize {
        self.notes.len()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.client.pid()
    }
}

impl Worker for Hand {
    fn drain(&mut self) -> Outcome<()> {
        while !self.left {
            match self.client.next_event(Instant::now())? {
                Some(event) => self.on_event(event)?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn progress(&self) -> u64 {
        self.progress
    }

    fn last_notes(&self) -> String {
        self.notes[self.notes.len().saturating_sub(NOTES_QUOTED)..].join("\n")
    }
}
