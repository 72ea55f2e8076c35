//! The end of a run of several sections: each with its time, and once more every step and test that failed in any.
//! Shell: the clock. What failed is noted where it is noticed, as the sections' own tables print it.
#![allow(clippy::print_stdout, reason = "the summary is this program's answer to a person")]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::failure::Outcome;

/// Of a reason; the whole of it stands where the section printed it.
const REASON_LINES_MAX: usize = 12;
const LINE_CHARS_MAX: usize = 300;

/// Something that failed, by a name under which a person finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failed {
    name: String,
    reason: String,
}

/// What the running section has noted so far.
static NOTED: Mutex<Vec<Failed>> = Mutex::new(Vec::new());

/// Notes a failure of the running section.
pub fn note(name: &str, reason: &str) {
    let failed = Failed { name: name.to_owned(), reason: reason.to_owned() };
    NOTED.lock().unwrap_or_else(PoisonError::into_inner).push(failed);
}

#[derive(Debug)]
struct Section {
    name: &'static str,
    took: Duration,
    failed: Vec<Failed>,
}

/// The sections that were run.
#[derive(Debug, Default)]
pub struct Summary {
    sections: Vec<Section>,
}

impl Summary {
    /// Runs a section. One that cannot go on counts as failed, and the next ones are run all the same.
    pub fn section(&mut self, name: &'static str, play: impl FnOnce() -> Outcome<bool>) {
        println!("\n##### {name}");
        let begin = Instant::now();
        let played = play();
        let mut failed = std::mem::take(&mut *NOTED.lock().unwrap_or_else(PoisonError::into_inner));
        match played {
            Err(failure) => failed.push(Failed { name: "the section itself".to_owned(), reason: failure.0 }),
            Ok(false) if failed.is_empty() => failed.push(Failed {
                name: "the section itself".to_owned(),
                reason: "it was not clean".to_owned(),
            }),
            Ok(_) => {}
        }
        self.sections.push(Section { name, took: begin.elapsed(), failed });
    }

    pub fn is_clean(&self) -> bool {
        self.sections.iter().all(|section| section.failed.is_empty())
    }

    /// The last thing a run prints, so that whoever sees only its tail sees what failed.
    pub fn text(&self) -> String {
        let mut text = String::from("\n##### summary\n");
        for section in &self.sections {
            let verdict = match section.failed.len() {
                0 => "passed".to_owned(),
                count => format!("{count} FAILED"),
            };
            text.push_str(&format!("{:12} {:6.0} s  {verdict}\n", section.name, section.took.as_secs_f64()));
        }
        for section in &self.sections {
            for failed in &section.failed {
                text.push_str(&format!("\nFAILED {}: {}\n", section.name, failed.name));
                for line in failed.reason.lines().take(REASON_LINES_MAX) {
                    text.push_str("    ");
                    text.extend(line.chars().take(LINE_CHARS_MAX));
                    text.push('\n');
                }
            }
        }
        let failed_count: usize = self.sections.iter().map(|section| section.failed.len()).sum();
        text.push_str(&format!("\n{} sections, {failed_count} failures\n", self.sections.len()));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::fail;

    /// One test, since what is noted belongs to the process.
    #[test]
    fn the_summary_repeats_what_failed_in_each_section_and_goes_on() {
        let mut summary = Summary::default();
        summary.section("clients", || {
            note("sarama, consume", &"a line\n".repeat(40));
            Ok(false)
        });
        summary.section("eos", || fail("no JDK"));
        summary.section("bench", || Ok(false));
        assert!(!summary.is_clean());
        summary.section("adopt", || Ok(true));
        let text = summary.text();
        for expected in [
            "clients           0 s  1 FAILED\n",
            "adopt             0 s  passed\n",
            "\nFAILED clients: sarama, consume\n    a line\n",
            "\nFAILED eos: the section itself\n    no JDK\n",
            "\nFAILED bench: the section itself\n    it was not clean\n",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
        assert_eq!(text.matches("    a line\n").count(), REASON_LINES_MAX);
        assert!(text.ends_with("\n4 sections, 3 failures\n"));
        let mut clean = Summary::default();
        clean.section("adopt", || Ok(true));
        assert!(clean.is_clean());
    }
}
